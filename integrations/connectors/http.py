"""The one way out: time limits, size limits, address guard, send guard, redaction, and foreign errors made ours.

A connector describes a request; this module sends it and either returns an `Answer` with an expected status or raises
one of `errors`.  Redirects are never followed, because they could carry credentials to another host; only a file may
be fetched from where the system points to, and on another host without credentials.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from integrations.connectors import errors
from integrations.connectors.answers import (
    Answer,
    ErrorReader,
    general_error,
    redacted,
    retry_after_s,
)
from integrations.connectors.gate import Gate
from integrations.connectors.mishaps import mapped
from integrations.connectors.rates import Pricer, RatesReader
from integrations.connectors.wire import (
    Call,
    GuardedAdapter,
    calling,
    guarded,
    is_allowed,
    is_public_address,
)

__all__ = [
    "Answer",
    "Exchange",
    "Http",
    "SizedBody",
    "general_error",
    "guarded",
    "is_public_address",
    "redacted",
    "retry_after_s",
]

CONNECT_TIMEOUT_S = 5.0
FILE_TIMEOUT_S = 300.0
MAX_ANSWER_BYTES = 32 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
# Where vendors serve https.  Other ports, and plain http, only on hosts that the operator allows by name.
PUBLIC_PORTS = frozenset({443, 8443})
REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {"User-Agent": "Concord", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its outcome, for meters and the attempt record.  Holds no content and no secret."""

    method: str
    path: str
    status: int | None
    duration_ms: float
    sent_bytes: int
    received_bytes: int


class SizedBody(Iterator[bytes]):
    """A file's chunks with its length, so that it is sent with Content-Length and never held in memory.

    Raises Garbled while being sent when there are more or fewer bytes than announced: the request stays incomplete.
    """

    def __init__(self, chunks: Iterator[bytes], size_bytes: int) -> None:
        self._chunks = chunks
        self._size_bytes = size_bytes
        self._left = size_bytes

    def __len__(self) -> int:
        return self._size_bytes

    def __bool__(self) -> bool:
        # An empty file is a body too.
        return True

    def __next__(self) -> bytes:
        chunk = next(self._chunks, None)
        self._left -= len(chunk or b"")
        if self._left < 0 or (chunk is None and self._left):
            raise errors.Garbled("The file is not as long as its own system says.")
        if chunk is None:
            raise StopIteration
        return chunk


@dataclass(slots=True)
class _Told:
    """What is known of a file's exchange while it is read."""

    status: int | None = None
    received: int = 0

    def count(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.received += len(chunk)
            yield chunk


class Http:
    """One system's door.  Thread-safe: connections are pooled and calls counted at the gate, nothing else is shared.

    `allowed_private_hosts` names the hosts ("name" or "name:port") on private addresses that the operator allows;
    every other private, loopback or link-local address is refused.  `timeout_s` is for a whole answer.  Every request
    to the system's own host passes the `gate`, which hears what `read_rates` reads in every answer's headers.  `price`
    says as how many calls a request counts where the system tells of a limit; without it each counts once.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 20.0,
        allowed_private_hosts: frozenset[str] = frozenset(),
        read_error: ErrorReader | None = None,
        on_exchange: Callable[[Exchange], None] | None = None,
        pool_size: int = 32,
        gate: Gate | None = None,
    ) -> None:
        self.base_url = base_url.strip().rstrip("/")
        self.read_error = read_error
        self.read_rates: RatesReader | None = None
        self.price: Pricer | None = None
        self.gate = gate or Gate()
        self.on_exchange = on_exchange
        self._timeout_s = timeout_s
        self._allowed = frozenset(host.lower() for host in allowed_private_hosts)
        self._headers = {**_HEADERS, **(headers or {})}
        self._auth: tuple[bytes, bytes] | None = None
        self._secrets: tuple[str, ...] = ()
        # An adapter alone, without a `requests` session: no redirects, no proxies or netrc from the environment, and
        # no cookies, which would outlive changed credentials and mix threads.
        self._adapter = GuardedAdapter(pool_connections=2, pool_maxsize=pool_size, max_retries=0)
        if auth:
            self.sign_in_as(*auth)

    @property
    def host(self) -> str:
        """The system's own host, with its port where one is given."""
        return _split(self.base_url).netloc.lower()

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()

    def sign_in_as(self, user: str, secret: str) -> None:
        """Use Basic authentication for every request from here on."""
        # As bytes: `requests` would encode text as Latin-1, which not every password is.
        self._auth = (user.encode(), secret.encode())
        basic = base64.b64encode(b":".join(self._auth)).decode()
        self._secrets = tuple(one for one in (secret, basic) if one)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        json_body: object = None,
        data: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Sequence[int] = (200,),
        is_write: bool | None = None,
        calls: int | None = None,
    ) -> Answer:
        """Send and return the answer; raise our error for any status not in `expect`.

        `path` starts with a slash, or is an absolute address on this system's own host.  `is_write` says whether a
        lost answer leaves the outcome unknown; by default every method but GET and HEAD does.  `calls`: as so many
        the system counts it, where that is not its price.
        """
        writes = is_write if is_write is not None else method not in ("GET", "HEAD")
        sent_headers = dict(headers or {})
        if json_body is not None:
            # Half a surrogate pair cannot be sent; nothing else that JSON holds fails here.
            data = json.dumps(json_body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            sent_headers.setdefault("Content-Type", "application/json")
        if isinstance(data, SizedBody) and not len(data):
            # `requests` takes a length of nothing for an unknown one.
            data = b"".join(data)
        if calls is None:
            calls = self.price(writes, json_body) if self.price and self.gate.is_told else 1
        request = requests.Request(
            method,
            self._own_address(path),
            params=params,
            data=data,
            headers={**self._headers, **sent_headers},
            auth=self._auth,
        )
        status, answer_headers, body, took_s = self._exchange(request, self._new_call(writes), calls)
        if status in expect:
            return Answer(status, answer_headers, body, writes, took_s)
        raise self._error(status, answer_headers, body, writes)

    @contextlib.contextmanager
    def stream(self, url: str, *, limit_bytes: int) -> Iterator[Iterator[bytes]]:
        """The body of a GET in chunks, for files; over the limit is TooLarge.

        One redirect is followed, as to a host for files.  Only the system's own host gets credentials.
        """
        call = self._new_call(writes=False)
        started = time.perf_counter()
        told = _Told()
        try:
            with self._open_file(url, call) as response:
                told.status = response.status_code
                if response.status_code not in (200, 206):
                    with mapped(call):
                        body = response.raw.read1(CHUNK_BYTES, decode_content=True)
                    raise self._error(response.status_code, response.headers, body, writes=False)
                yield told.count(self._chunks(response, call, limit_bytes, self._timeout_s))
        finally:
            self._note("GET", _split(url).path, told.status, started, 0, told.received)

    def _open_file(self, url: str, call: Call) -> requests.Response:
        address = url if url.startswith(("http://", "https://")) else self.base_url + url
        response = self._get_file(address, call)
        onward = response.headers.get("Location") if response.status_code in REDIRECTS else None
        if not onward:
            return response
        with response:
            return self._get_file(_joined(address, onward), call)

    def _get_file(self, address: str, call: Call) -> requests.Response:
        # The bytes as they are stored: an encoding for the way would hide their number.
        headers = {**_HEADERS, "Accept": "*/*", "Accept-Encoding": "identity"}
        auth = None
        self._checked(address)
        if self._is_own(address):
            # A file's own host is somebody else's, and counts for itself.
            self.gate.enter()
            headers = {**self._headers, **headers}
            auth = self._auth
        return self._send(requests.Request("GET", address, auth=auth, headers=headers), call)

    def _new_call(self, writes: bool) -> Call:
        return Call(self._allowed, writes, self._timeout_s)

    def _exchange(
        self, request: requests.Request, call: Call, calls: int
    ) -> tuple[int, Mapping[str, str], bytes, float]:
        self.gate.enter(calls)
        started = time.perf_counter()
        status = None
        received = 0
        try:
            with self._send(request, call) as response:
                status = response.status_code
                body = b"".join(self._chunks(response, call, MAX_ANSWER_BYTES))
                received = len(body)
                return status, response.headers, body, time.perf_counter() - started
        finally:
            sent = len(request.data) if isinstance(request.data, bytes | SizedBody) else 0
            self._note(request.method or "", _split(request.url or "").path, status, started, sent, received)

    def _send(self, request: requests.Request, call: Call) -> requests.Response:
        try:
            return self._send_once(request, call)
        except (errors.TimedOut, errors.NotSent):
            raise
        except errors.Unavailable:
            is_small = isinstance(request.data, bytes | list)
            if call.is_write or not call.is_reused or call.has_answer or not is_small:
                raise
        # The server had closed an idle connection.  What only reads may simply be sent again.
        if self._is_own(request.url or ""):
            self.gate.enter()
        return self._send_once(request, call)

    def _send_once(self, request: requests.Request, call: Call) -> requests.Response:
        timeouts_s = (min(CONNECT_TIMEOUT_S, self._timeout_s), self._timeout_s)
        sent_at = time.monotonic()
        try:
            with mapped(call), calling(call):
                prepared = request.prepare()
                response = self._adapter.send(prepared, timeout=timeouts_s, stream=True)
        except errors.ConnectorError:
            call.hang_up()
            raise
        if self._is_own(prepared.url or ""):
            self.hear(response.status_code, response.headers, sent_at)
        return response

    def hear(self, status: int, headers: Mapping[str, str], sent_at: float) -> bool:
        """Note what an answer of the system tells of its limits, and say whether it told any.

        For answers that came inside another one; `sent_at` is when the request left, on the monotonic clock.
        """
        told = self.read_rates(status, headers, datetime.now(UTC)) if self.read_rates else None
        if told is not None:
            self.gate.hear(told, sent_at)
        elif status < 400:
            self.gate.hear_nothing(sent_at)
        return told is not None and told.limit is not None

    def _chunks(
        self, response: requests.Response, call: Call, limit_bytes: int, pause_s: float | None = None
    ) -> Iterator[bytes]:
        """The body in pieces.  With `pause_s` every piece has so long, and all of them together the time of a file."""
        total = 0
        ends_at = time.monotonic() + FILE_TIMEOUT_S
        while True:
            if pause_s is not None:
                call.deadline = min(time.monotonic() + pause_s, ends_at)
            with mapped(call):
                chunk = response.raw.read1(CHUNK_BYTES, decode_content=True)
            if not chunk:
                return
            total += len(chunk)
            if total > limit_bytes:
                raise errors.TooLarge(
                    f"The answer is larger than {limit_bytes / 1024 / 1024:.0f} MB.",
                    outcome_unknown=call.is_write,
                )
            yield chunk

    def _is_own(self, address: str) -> bool:
        return _origin(_split(address)) == _origin(_split(self.base_url))

    def _own_address(self, path: str) -> str:
        if not path.startswith(("http://", "https://")):
            path = self.base_url + path
        self._checked(path)
        if not self._is_own(path):
            raise errors.Refused("The system pointed to another host; credentials are not sent there.")
        return path

    def _checked(self, address: str) -> SplitResult:
        """The parts of an address that may be called at all; the host's own address is checked on connecting."""
        parts = _split(address)
        _, host, port = _origin(parts)
        if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise errors.Refused("The system's address is not a valid web address.")
        if not is_allowed(host, port, self._allowed) and (
            parts.scheme != "https" or port not in PUBLIC_PORTS
        ):
            raise errors.Refused(
                f"{host} is not called over https on a usual port. "
                "The operator can allow such a host in SYNC_PRIVATE_HOSTS."
            )
        return parts

    def _error(
        self, status: int, headers: Mapping[str, str], body: bytes, writes: bool
    ) -> errors.ConnectorError:
        error = self.read_error(status, headers, body) if self.read_error else None
        error = error or general_error(status, headers, body, writes)
        error.detail = self._clean(error.detail)
        return error

    def _clean(self, text: str) -> str:
        """Our own secrets taken out by value, wherever a system repeats them."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return redacted(text)

    def _note(
        self, method: str, path: str, status: int | None, started: float, sent: int, received: int
    ) -> None:
        if self.on_exchange:
            took_ms = (time.perf_counter() - started) * 1000
            self.on_exchange(Exchange(method, path, status, took_ms, sent, received))


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise errors.Refused("The system's address is not a valid web address.") from error


def _joined(base: str, onward: str) -> str:
    try:
        return urljoin(base, onward)
    except ValueError as error:
        raise errors.Garbled("The system pointed to an address that is none.") from error


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    try:
        return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError as error:
        raise errors.Refused("The system's address is not a valid web address.") from error
