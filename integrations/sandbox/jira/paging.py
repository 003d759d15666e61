"""Jira's pages with startAt, maxResults and total."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integrations.sandbox.jira.context import Call
from integrations.sandbox.wire import Response, json_response


def page_of(call: Call, values: Sequence[Any]) -> Response:
    """One page of the values, as the request asks for it."""
    start, size = call.request.number("startAt", 0), call.request.number("maxResults", 50)
    return json_response(
        {
            "self": f"{call.view.origin}{call.request.path}",
            "maxResults": size,
            "startAt": start,
            "total": len(values),
            "isLast": start + size >= len(values),
            "values": list(values[start : start + size]),
        }
    )
