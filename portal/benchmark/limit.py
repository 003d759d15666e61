"""The limit beside the figures: the bare HTTP calls and commits that the same work needs, in one plain loop."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from urllib.parse import urlsplit

from django.utils import timezone

from integrations.models import Heartbeat

CALLS_A_CHANGE = 3


def bare_changes_a_second(sign_in: Mapping[str, str], ticket: str, *, seconds: float = 2.0) -> float:
    """Two reads and a write over one kept connection, then a commit; no engine, no thread, no second process."""
    connection = HTTPConnection(urlsplit(sign_in["url"]).netloc, timeout=30)
    token = base64.b64encode(f"{sign_in['email']}/token:{sign_in['token']}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    count, began = 0, time.perf_counter()
    try:
        while time.perf_counter() - began < seconds:
            for _ in range(CALLS_A_CHANGE - 1):
                _ask(connection, "GET", f"/api/v2/tickets/{ticket}/audits", None, headers)
            body = json.dumps({"ticket": {"tags": [f"n{count}"]}})
            _ask(connection, "PUT", f"/api/v2/tickets/{ticket}", body, headers)
            Heartbeat.objects.update_or_create(name="limit", defaults={"at": timezone.now()})
            count += 1
    finally:
        connection.close()
        Heartbeat.objects.filter(name="limit").delete()
    return count / (time.perf_counter() - began)


def _ask(
    connection: HTTPConnection, method: str, path: str, body: str | None, headers: Mapping[str, str]
) -> None:
    connection.request(method, path, body, dict(headers))
    json.loads(connection.getresponse().read())
