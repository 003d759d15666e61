"""A client of a sandbox's control API, for tests, replay, benchmark and demo."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 60


class SandboxError(Exception):
    """The sandbox refused what it was asked to do."""


class Sandbox:
    """One sandbox.  Not thread-safe: one connection is kept open."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._connection: HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ready(self) -> dict[str, Any]:
        """Its kind, and what to put into a connection's form under `sign_in`."""
        return self._ask("GET", "ready")

    def reset(self) -> None:
        """Empty it: no tickets, no faults, no web hooks."""
        self._ask("POST", "reset")

    def act(self, *actions: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Do things as the partner's people, in order; what each made, as `ticket`, `key`, `changes`, `comment`."""
        return self._ask("POST", "act", list(actions))["done"]

    def tickets(
        self, ids: Sequence[str] = (), *, since: str = "", page: int = 2000
    ) -> Iterator[dict[str, Any]]:
        """All tickets in comparable form, fetched page by page; or only `ids`, or those changed since a time."""
        after = ""
        while True:
            query = {"ids": ",".join(ids), "since": since, "after": after, "limit": str(page)}
            told = self._ask("GET", "state?" + urlencode({k: v for k, v in query.items() if v}))
            yield from told["tickets"]
            if not (after := told["after"] or ""):
                return

    def ticket(self, id_: str) -> dict[str, Any]:
        """One ticket in comparable form; KeyError when there is none."""
        for one in self.tickets([id_]):
            return one
        raise KeyError(id_)

    def faults(self, **values: Any) -> dict[str, Any]:
        """Change what goes wrong (see `faults.Faults`), and tell all of it."""
        return self._ask("POST", "faults", values) if values else self._ask("GET", "faults")

    def hooks(self, **values: Any) -> dict[str, Any]:
        """Set where web hooks go (`url`, `secret`), and tell that and the counters under `delivery`."""
        return self._ask("POST", "hooks", values) if values else self._ask("GET", "hooks")

    def settings(self, **values: Any) -> dict[str, Any]:
        """Change the vendor's settings, and tell all of them."""
        return self._ask("POST", "settings", values) if values else self._ask("GET", "settings")

    def clock(self, **values: Any) -> dict[str, Any]:
        """Set the clock: `now="2026-01-01T10:00:00Z"`, `advance_s=60`, or `real=True`; and tell it."""
        return self._ask("POST", "clock", values) if values else self._ask("GET", "clock")

    def calls(self) -> dict[str, Any]:
        """Counters of vendor requests by method and route, and the last 200."""
        return self._ask("GET", "calls")

    def reset_calls(self) -> None:
        """Start counting anew."""
        self._ask("POST", "calls")

    def _ask(self, method: str, path: str, value: object = None) -> Any:
        body = b"" if value is None else json.dumps(value).encode()
        headers = {"Content-Type": "application/json"}
        if self._connection is None:
            self._connection = HTTPConnection(urlsplit(self.url).netloc, timeout=TIMEOUT_S)
        try:
            self._connection.request(method, "/_sandbox/" + path, body, headers)
            answer = self._connection.getresponse()
            told = json.loads(answer.read())
        except BaseException:
            self.close()
            raise
        if answer.status != 200:
            raise SandboxError(told.get("error", str(told)))
        return told
