"""The one way out: time limits, size limits, address guard, send guard, redaction, and foreign errors made ours.

A connector describes a request; this module sends it and either returns an `Answer` with an expected status or raises
one of `errors`.  Redirects are never followed: a redirect could carry credentials to another host.
"""

from __future__ import annotations

import contextlib
import email.utils
import ipaddress
import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from integrations.connectors import errors

CONNECT_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_DETAIL_CHARS = 500
CHUNK_BYTES = 64 * 1024

Guard = Callable[[], bool]

# The guard of the write that the current thread is about to send; asked when the connection stands and before the
# first byte leaves, so that a worker which was frozen while connecting does not write under a lost lease.
_guard: ContextVar[Guard | None] = ContextVar("guard", default=None)
_allowed_hosts: ContextVar[frozenset[str]] = ContextVar("allowed_hosts", default=frozenset())


@contextlib.contextmanager
def guarded(guard: Guard) -> Iterator[None]:
    """Within this block a request leaves only while `guard()` is true; otherwise NotSent is raised."""
    token = _guard.set(guard)
    try:
        yield
    finally:
        _guard.reset(token)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its outcome, for meters and the attempt record.  Holds no content and no secret."""

    method: str
    path: str
    status: int | None
    duration_ms: float
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with an expected status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict | list:
        """The body as JSON object or array; Garbled when it is something else.  A byte order mark is tolerated."""
        try:
            value = json.loads(self.body.decode("utf-8-sig"))
        except ValueError as error:
            raise errors.Garbled(
                "The system's answer could not be read as JSON.", status=self.status, detail=_shown(self.body)
            ) from error
        if not isinstance(value, dict | list):
            raise errors.Garbled("The system's answer was not a JSON object.", status=self.status)
        return value

    def object(self) -> dict:
        """The body as a JSON object; Garbled when it is something else."""
        value = self.json()
        if not isinstance(value, dict):
            raise errors.Garbled("The system's answer was a list where an object was expected.", status=self.status)
        return value


# A vendor's reader of error bodies: (status, headers, body) -> the error to raise, or None for the general one.
ErrorReader = Callable[[int, Mapping[str, str], bytes], errors.ConnectorError | None]


class Http:
    """One system's door.  Thread-safe: connections are pooled, nothing else is shared.

    `base_url` ends without a slash.  `allowed_private_hosts` names the hosts on private addresses that the operator
    allows; every other private, loopback or link-local address is refused after its name is resolved, at the moment
    of connecting, so that a second look-up cannot change it.
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
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.host = urlsplit(self.base_url).netloc
        self._timeout = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._allowed = allowed_private_hosts
        self.read_error = read_error
        self.on_exchange = on_exchange
        self._session = requests.Session()
        # No proxies and no netrc from the environment: credentials go where the operator said, nowhere else.
        self._session.trust_env = False
        self._session.auth = auth
        self._session.headers.update({"User-Agent": "Concord", "Accept": "application/json", **(headers or {})})
        adapter = _GuardedAdapter(pool_connections=2, pool_maxsize=pool_size, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def sign_in_as(self, user: str, secret: str) -> None:
        """Use Basic authentication for every request from here on."""
        self._session.auth = (user, secret)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | Sequence[str]] | None = None,
        json_body: object = None,
        data: bytes | Iterator[bytes] | None = None,
        files: object = None,
        headers: Mapping[str, str] | None = None,
        expect: Sequence[int] = (200,),
        is_write: bool | None = None,
    ) -> Answer:
        """Send and return the answer; raise our error for any status not in `expect`.

        `path` starts with a slash, or is an absolute address on this system's own host.  `is_write` says whether a
        lost answer leaves the outcome unknown; by default every method but GET and HEAD does.
        """
        writes = is_write if is_write is not None else method not in ("GET", "HEAD")
        body = data
        sent_headers = dict(headers or {})
        if json_body is not None:
            body = json.dumps(json_body, ensure_ascii=False, separators=(",", ":")).encode()
            sent_headers.setdefault("Content-Type", "application/json")
        with self._sending(method, path, params, body, files, sent_headers, writes) as (response, started):
            content = self._read(response, writes)
            self._note(method, path, response.status_code, started, body, len(content))
        if response.status_code in expect:
            return Answer(response.status_code, response.headers, content)
        raise self._error(response.status_code, response.headers, content, writes)

    @contextlib.contextmanager
    def stream(self, url: str, *, limit_bytes: int) -> Iterator[Iterator[bytes]]:
        """The body of a GET in chunks, for files.  Another host gets no credentials; over the limit is TooLarge."""
        target = self._address(url, any_host=True)
        auth = self._session.auth if urlsplit(target).netloc == self.host else _no_auth
        with self._mapped(writes=False), self._session.get(
            target, auth=auth, stream=True, timeout=self._timeout, allow_redirects=False
        ) as response:
            if response.status_code in (301, 302, 303, 307, 308) and (onward := response.headers.get("Location")):
                # A media host: one step, without credentials.
                with self._session.get(
                    onward, auth=_no_auth, stream=True, timeout=self._timeout, allow_redirects=False
                ) as media:
                    self._expect_ok(media)
                    yield _limited(media, limit_bytes)
                return
            self._expect_ok(response)
            yield _limited(response, limit_bytes)

    def _expect_ok(self, response: requests.Response) -> None:
        if response.status_code not in (200, 206):
            raise self._error(response.status_code, response.headers, response.raw.read(4096), writes=False)

    @contextlib.contextmanager
    def _sending(self, method, path, params, body, files, headers, writes):  # type: ignore[no-untyped-def]
        started = time.perf_counter()
        try:
            with self._mapped(writes):
                response = self._session.request(
                    method,
                    self._address(path),
                    params=params,
                    data=body,
                    files=files,
                    headers=headers,
                    timeout=self._timeout,
                    allow_redirects=False,
                    stream=True,
                )
        except errors.ConnectorError:
            self._note(method, path, None, started, body, 0)
            raise
        with response:
            yield response, started

    @contextlib.contextmanager
    def _mapped(self, writes: bool) -> Iterator[None]:
        """Foreign errors become ours at this gate, most specific first, the original kept as cause."""
        token = _allowed_hosts.set(self._allowed)
        try:
            yield
        except errors.ConnectorError:
            raise
        except _GuardClosed as error:
            raise errors.NotSent("The write was not sent: this worker's lease had run down.") from error
        except _PrivateAddress as error:
            raise errors.Refused(str(error), status=None) from error
        except requests.exceptions.ConnectTimeout as error:
            raise errors.TimedOut("The system could not be reached in time.") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            raise errors.Refused("The system's address is not a valid web address.") from error
        except requests.exceptions.SSLError as error:
            raise errors.Unavailable("The system's certificate could not be verified.", detail=_cut(error)) from error
        except requests.exceptions.Timeout as error:
            raise errors.TimedOut("The system did not answer in time.", outcome_unknown=writes) from error
        except requests.exceptions.ConnectionError as error:
            cause = _root(error)
            if isinstance(cause, _GuardClosed):
                raise errors.NotSent("The write was not sent: this worker's lease had run down.") from error
            if isinstance(cause, _PrivateAddress):
                raise errors.Refused(str(cause)) from error
            unsent = isinstance(cause, urllib3.exceptions.NewConnectionError | socket.gaierror | ConnectionRefusedError)
            raise errors.Unavailable(
                "The system could not be reached." if unsent else "The connection broke before the answer was complete.",
                detail=_cut(cause),
                outcome_unknown=writes and not unsent,
            ) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError) as error:
            raise errors.Unavailable(
                "The connection broke before the answer was complete.", detail=_cut(error), outcome_unknown=writes
            ) from error
        finally:
            _allowed_hosts.reset(token)

    def _read(self, response: requests.Response, writes: bool) -> bytes:
        with self._mapped(writes):
            content = b"".join(_limited(response, MAX_ANSWER_BYTES))
        # With stream=True a body that ends early goes unnoticed unless compared.
        announced = response.headers.get("Content-Length")
        if announced and announced.isdigit() and "Content-Encoding" not in response.headers:
            if response.request.method != "HEAD" and len(content) < int(announced):
                raise errors.Garbled(
                    "The system's answer was cut off.", status=response.status_code, outcome_unknown=writes
                )
        return content

    def _address(self, path: str, *, any_host: bool = False) -> str:
        if not path.startswith(("http://", "https://")):
            return self.base_url + path
        if not any_host and urlsplit(path).netloc != self.host:
            raise errors.Refused("The system pointed to another host; credentials are not sent there.")
        return path

    def _error(
        self, status: int, headers: Mapping[str, str], body: bytes, writes: bool
    ) -> errors.ConnectorError:
        error = self.read_error(status, headers, body) if self.read_error else None
        return error or general_error(status, headers, body, writes)

    def _note(self, method: str, path: str, status: int | None, started: float, body: object, received: int) -> None:
        if self.on_exchange:
            sent = len(body) if isinstance(body, bytes) else 0
            took_ms = (time.perf_counter() - started) * 1000
            self.on_exchange(Exchange(method, urlsplit(path).path, status, took_ms, sent, received))


def general_error(
    status: int, headers: Mapping[str, str], body: bytes, writes: bool
) -> errors.ConnectorError:
    """The error for an HTTP status when the vendor's body says nothing more exact."""
    detail = _shown(body)
    if status == 401:
        return errors.Unauthorized("The system does not accept our credentials.", status=status, detail=detail)
    if status in (203, 301, 302, 303, 307, 308):
        return errors.Unauthorized(
            "The system answered with a sign-in page instead of data.", status=status, detail=detail
        )
    if status == 403:
        return errors.Forbidden("Our account lacks a right in this system.", status=status, detail=detail)
    if status in (404, 410):
        return errors.Gone("The ticket does not exist there, or we may not see it.", status=status, detail=detail)
    if status in (409, 412):
        return errors.Stale("The ticket was changed at the same moment.", status=status, detail=detail)
    if status == 413:
        return errors.TooLarge("It is larger than the system allows.", status=status, detail=detail)
    if status == 429:
        return errors.RateLimited(
            "The system asked us to slow down.", retry_after_s=retry_after_s(headers), status=status, detail=detail
        )
    if status == 503:
        # Refused at the door: nothing was carried out.  A Retry-After is honoured like a 429's.
        if (wait_s := retry_after_s(headers)) is not None:
            return errors.RateLimited("The system is busy.", retry_after_s=wait_s, status=status, detail=detail)
        return errors.Unavailable("The system is not available at the moment.", status=status, detail=detail)
    if status >= 500:
        return errors.Unavailable(
            "The system failed while it worked on our request.", status=status, detail=detail, outcome_unknown=writes
        )
    if status < 400:
        return errors.Garbled("The system answered in an unexpected way.", status=status, detail=detail,
                              outcome_unknown=writes)
    return errors.Invalid("The system did not accept the request.", status=status, detail=detail)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header, given as a number or a date; None when there is none or it is not readable."""
    raw = headers.get("Retry-After") or headers.get("retry-after")
    if not raw:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(raw))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (email.utils.parsedate_to_datetime(raw) - datetime.now(UTC)).total_seconds())
    return None


def is_public_address(address: str) -> bool:
    """Whether an IP address is a host on the public internet (IPv4 inside IPv6 is looked through)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return ip.is_global and not ip.is_multicast


def _limited(response: requests.Response, limit_bytes: int) -> Iterator[bytes]:
    total = 0
    for chunk in response.iter_content(CHUNK_BYTES):
        total += len(chunk)
        if total > limit_bytes:
            raise errors.TooLarge(f"The answer is larger than {limit_bytes // 1024 // 1024} MB.")
        yield chunk


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers.pop("Authorization", None)
    return request


_SECRETS = re.compile(r"(?i)(authorization|token|password|secret|api[_-]?key|cookie)([\"'\s:=]+)[^\s\"',;&]+")


def redacted(text: str) -> str:
    """Text for a log with whatever looks like a credential taken out."""
    return _SECRETS.sub(r"\1\2…", text)


def _shown(body: bytes) -> str:
    return redacted(body[:MAX_DETAIL_CHARS].decode("utf-8", "replace"))


def _cut(error: BaseException) -> str:
    return redacted(str(error))[:MAX_DETAIL_CHARS]


def _root(error: BaseException) -> BaseException:
    """The innermost reason of a `requests` error, through urllib3's wrappers."""
    seen: BaseException = error
    for _ in range(6):
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        if inner is None and seen.args and isinstance(seen.args[0], BaseException):
            inner = seen.args[0]
        if not isinstance(inner, BaseException) or isinstance(seen, _GuardClosed | _PrivateAddress):
            break
        if isinstance(seen, urllib3.exceptions.NewConnectionError):
            break
        seen = inner
    return seen


class _GuardClosed(Exception):
    """The guard said no when the bytes were about to leave."""


class _PrivateAddress(Exception):
    """A name resolved to an address that is not on the public internet and not allowed by the operator."""


def _checked_socket(connection: HTTPConnection) -> socket.socket:
    """Connect to an address that was checked: resolve once, check, connect to that very address."""
    host = connection._dns_host  # type: ignore[attr-defined]
    is_allowed = connection.host in _allowed_hosts.get()
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise urllib3.exceptions.NameResolutionError(host, connection, error) from error  # type: ignore[arg-type]
    last: OSError | None = None
    for _family, _type, _proto, _name, address in found:
        if not is_allowed and not is_public_address(str(address[0])):
            raise _PrivateAddress(
                f"{connection.host} is on a private network. The operator can allow it in SYNC_PRIVATE_HOSTS."
            )
        try:
            sock = socket.create_connection(address[:2], connection.timeout)  # type: ignore[arg-type]
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(connection, "connect timed out") from error
        except OSError as error:
            last = error
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise urllib3.exceptions.NewConnectionError(connection, str(last)) from last


class _GuardedHTTPConnection(HTTPConnection):
    """Checks the address when connecting and asks the guard when the connection stands."""

    def _new_conn(self) -> socket.socket:
        return _checked_socket(self)

    def request(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        _ask_guard(self)
        return super().request(*args, **kwargs)


class _GuardedHTTPSConnection(HTTPSConnection):
    """The same over TLS: the guard is asked after the handshake."""

    def _new_conn(self) -> socket.socket:
        return _checked_socket(self)

    def request(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        _ask_guard(self)
        return super().request(*args, **kwargs)


def _ask_guard(connection: HTTPConnection) -> None:
    guard = _guard.get()
    if guard is None:
        return
    if connection.sock is None:
        connection.connect()
    if not guard():
        connection.close()
        raise _GuardClosed


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


class _GuardedAdapter(HTTPAdapter):
    """`requests`' adapter on our connections."""

    def init_poolmanager(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}
