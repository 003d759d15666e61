"""HTTP/1.1 as bytes: a request read from the wire, an answer put on it.

Written for speed: a sandbox shares two cores with the product it tests, and the header parser of the standard
library's server alone costs more than everything here.  Sans-IO: `server` owns the sockets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 128 * 1024 * 1024

REASONS = {
    100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content",
    302: "Found", 303: "See Other", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 410: "Gone",
    412: "Precondition Failed", 413: "Content Too Large", 415: "Unsupported Media Type",
    416: "Range Not Satisfiable", 422: "Unprocessable Entity", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


class BadRequest(Exception):
    """The request cannot be understood; `status` is what to answer before the connection is closed."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class NotJson(Exception):
    """A handler asked for JSON and the body is none."""


@dataclass(slots=True)
class Request:
    """One request.  Header names are lower case; `path` is without the query and not yet unquoted."""

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes = b""
    peer: str = ""
    keep_alive: bool = True
    _query: dict[str, list[str]] | None = field(default=None, repr=False)

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's values by name, in their order."""
        if self._query is None:
            self._query = {}
            for name, value in parse_qsl(self.raw_query, keep_blank_values=True):
                self._query.setdefault(name, []).append(value)
        return self._query

    def one(self, name: str, default: str = "") -> str:
        """The last value of a query parameter."""
        values = self.query.get(name)
        return values[-1] if values else default

    def number(self, name: str, default: int) -> int:
        """A query parameter as a whole number; the default when it is absent or none."""
        try:
            return int(self.one(name))
        except ValueError:
            return default

    def json(self) -> Any:
        """The body as JSON; NotJson when it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise NotJson(str(error)) from error

    @property
    def segments(self) -> list[str]:
        """The path's parts, unquoted."""
        parts = self.path.split("/")[1:]
        return [unquote(part) for part in parts] if "%" in self.path else parts

    @property
    def origin(self) -> str:
        """The address the client used for us, before any proxy: absolute addresses in answers start with it."""
        return f"{self.headers.get('x-forwarded-proto', 'http')}://{self.headers.get('host', 'localhost')}"


@dataclass(slots=True)
class Response:
    """One answer.  Content-Length, Date and Connection are added on the wire.

    `delay_s`: how long the vendor holds it back, as those do who slow a busy client down.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0

    def with_headers(self, *headers: tuple[str, str]) -> Response:
        """The same answer with more headers."""
        return replace(self, headers=self.headers + headers)


def json_response(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """An answer whose body is `value` as JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, body, headers=headers)


def empty(status: int = 204) -> Response:
    """An answer without a body."""
    return Response(status, b"", "")


def see_other(location: str) -> Response:
    """Send a browser on after a form."""
    return Response(303, b"", "", (("Location", location),))


class Reader:
    """Turns the bytes of one connection into requests.  Feed it, then take requests until there is none."""

    def __init__(self, peer: str = "") -> None:
        self._buffer = bytearray()
        self._peer = peer
        self._request: Request | None = None
        self._missing = 0
        self._chunks: bytearray | None = None
        self.wants_continue = False

    def feed(self, data: bytes) -> None:
        """Add bytes from the wire."""
        self._buffer += data

    def take(self) -> Request | None:
        """The next complete request, or None when bytes are missing.  Raises BadRequest."""
        if self._request is None and not self._read_head():
            return None
        request = self._request
        assert request is not None
        if self._chunks is not None:
            if not self._read_chunks(self._chunks):
                return None
            request.body = bytes(self._chunks)
        elif self._missing:
            if len(self._buffer) < self._missing:
                return None
            request.body = bytes(memoryview(self._buffer)[: self._missing])
            del self._buffer[: self._missing]
        self._request, self._missing, self._chunks, self.wants_continue = None, 0, None, False
        return request

    def _read_head(self) -> bool:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > MAX_HEAD_BYTES:
                raise BadRequest("The header is too long.", 431)
            return False
        lines = buffer[:end].decode("latin-1").split("\r\n")
        del buffer[: end + 4]
        self._request = request = _parse_head(lines, self._peer)
        self._expect_body(request.headers)
        return True

    def _expect_body(self, headers: Mapping[str, str]) -> None:
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
                raise BadRequest("This transfer encoding is not supported.")
            self._chunks = bytearray()
        elif length := headers.get("content-length"):
            if not length.isdigit():
                raise BadRequest("The content length is not a number.")
            self._missing = int(length)
            if self._missing > MAX_BODY_BYTES:
                raise BadRequest("The body is too large.", 413)
        waiting = self._chunks is not None or len(self._buffer) < self._missing
        self.wants_continue = waiting and headers.get("expect", "").lower() == "100-continue"

    def _read_chunks(self, body: bytearray) -> bool:
        """Move complete chunks into `body`; true when the last one and the trailers are in."""
        buffer = self._buffer
        while (line_end := buffer.find(b"\r\n")) >= 0:
            try:
                size = int(bytes(buffer[:line_end]).split(b";")[0], 16)
            except ValueError as error:
                raise BadRequest("A chunk's size is not a number.") from error
            if size == 0:
                return self._end_chunks(line_end)
            if len(body) + size > MAX_BODY_BYTES:
                raise BadRequest("The body is too large.", 413)
            if len(buffer) < line_end + 2 + size + 2:
                return False
            body += memoryview(buffer)[line_end + 2 : line_end + 2 + size]
            del buffer[: line_end + 2 + size + 2]
        return False

    def _end_chunks(self, line_end: int) -> bool:
        # After the last chunk come trailers, which nobody sends us, and an empty line.
        end = self._buffer.find(b"\r\n\r\n", line_end)
        if end < 0:
            return False
        del self._buffer[: end + 4]
        return True


def _parse_head(lines: list[str], peer: str) -> Request:
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest("This is not an HTTP/1.1 request.")
    method, target, version = parts
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequest("A header line has no colon.")
        headers[name.lower()] = value.strip()
    if target.startswith("http://"):
        target = "/" + target[7:].partition("/")[2]
    if not target.startswith("/"):
        raise BadRequest("The request target is not a path.")
    path, _, query = target.partition("?")
    connection = headers.get("connection", "").lower()
    keep_alive = connection != "close" if version == "HTTP/1.1" else connection == "keep-alive"
    return Request(method, path, query, headers, peer=peer, keep_alive=keep_alive)


def encode(response: Response, *, date: str, keep_alive: bool, head_only: bool = False) -> bytes:
    """The whole answer as one piece of bytes, so that it leaves in one packet."""
    status = response.status
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}\r\nDate: {date}\r\n"]
    if response.content_type:
        lines.append(f"Content-Type: {response.content_type}\r\n")
    if status != 204:
        lines.append(f"Content-Length: {len(response.body)}\r\n")
    if not keep_alive:
        lines.append("Connection: close\r\n")
    for name, value in response.headers:
        lines.append(f"{name}: {value}\r\n")
    lines.append("\r\n")
    head = "".join(lines).encode("latin-1", "replace")
    return head if head_only else head + response.body
