"""The operator's pages (first version: a line that says what this is)."""

from __future__ import annotations

from integrations.sandbox.calls import CallLog
from integrations.sandbox.system import System
from integrations.sandbox.wire import Request, Response


def answer(system: System, calls: CallLog, request: Request) -> Response:
    """The page for this address."""
    return Response(200, f"{system.label} sandbox: no partner is touched.".encode(), "text/plain")
