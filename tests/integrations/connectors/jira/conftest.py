"""A Jira that answers what a test puts into it, over real HTTP, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from integrations.connectors.http import Http
from integrations.connectors.jira.connector import JiraConnector

API = "/rest/api/3"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Site:
    """The answers of a Jira: each is given once, the last one of its kind again and again."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[tuple[str, str], list[tuple[int, dict, bytes]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def on(
        self,
        method: str,
        path: str,
        body: object = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer this call with a JSON body, or with bytes as they are."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.answers[method, API + path].append((status, dict(headers or {}), content))

    def calls(self) -> list[str]:
        """What was asked, as "METHOD /path" without the common beginning."""
        return [f"{one.method} {one.path.removeprefix(API)}" for one in self.asked]


@pytest.fixture
def site() -> Iterator[Site]:
    """A Jira on a free port of this machine."""
    told = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.close_connection = True
            super().handle_one_request()

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(length)
            told.asked.append(Asked(self.command, parts.path, query, dict(self.headers), body))
            queue = told.answers.get((self.command, parts.path))
            status, headers, content = (
                (404, {}, b'{"errorMessages":["Not found"],"errors":{}}')
                if not queue
                else (queue.pop(0) if len(queue) > 1 else queue[0])
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Ticking:
    """A clock that stands still until it is moved."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
def jira(site: Site, ticking: Ticking) -> Iterator[JiraConnector]:
    """A connector to that Jira, at noon on 1 March 2026."""
    http = Http(site.url, allowed_private_hosts=frozenset({"127.0.0.1"}), timeout_s=5)
    settings = {
        "base_url": site.url,
        "email": "concord@example.com",
        "api_token": "secret",
        "project_key": "NET",
    }
    yield JiraConnector(settings, http, now=lambda: NOW, clock=ticking)
    http.close()
