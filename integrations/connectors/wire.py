"""Connections that check where they lead, when they may be used, and how long an answer may take.

Below `http`, which is the only module that uses this one.  Three promises, kept where bytes really flow:

    address     a name is looked up once, every address found is checked, and the connection goes to one of those
    guard       asked when the connection stands, and before the first byte of a request leaves
    deadline    holds for the whole answer, however slowly its bytes trickle in
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import math
import socket
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# A server may close an idle connection while our request is on its way; then nobody knows whether a write was
# carried out.  So a write never goes over a connection that was idle for longer than this.
WRITE_IDLE_S = 4.0

Guard = Callable[[], bool]

_guard: ContextVar[Guard | None] = ContextVar("guard", default=None)


@contextlib.contextmanager
def guarded(guard: Guard) -> Iterator[None]:
    """Within this block a request leaves only while `guard()` is true; otherwise NotSent is raised.

    So a worker that was frozen while it connected does not write under a lease that it has lost.
    """
    token = _guard.set(guard)
    try:
        yield
    finally:
        _guard.reset(token)


def may_send() -> bool:
    """Whether the guard lets a write leave at this moment; true where nothing guards."""
    guard = _guard.get()
    return guard is None or guard()


@dataclass(slots=True)
class Call:
    """One request under way: what it may do, and what became of it.

    `deadline` is on the monotonic clock; it is set when the request has been sent, `timeout_s` from then.
    """

    allowed_hosts: frozenset[str]
    is_write: bool
    timeout_s: float
    deadline: float = math.inf
    is_reused: bool = False
    has_sent: bool = False
    has_answer: bool = False
    reader: io.BufferedReader | None = None

    def hang_up(self) -> None:
        """Let go of an answer that could not be read; urllib3 would leave that to the garbage collector."""
        if self.reader is not None:
            self.reader.close()


_call: ContextVar[Call] = ContextVar("call")


@contextlib.contextmanager
def calling(call: Call) -> Iterator[None]:
    """Within this block connections of this thread work for `call`."""
    token = _call.set(call)
    try:
        yield
    finally:
        _call.reset(token)


class GuardClosed(Exception):
    """The guard said no when the bytes were about to leave."""


class PrivateAddress(Exception):
    """A name leads to an address that is not on the public internet and not allowed by the operator."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


def is_public_address(address: str) -> bool:
    """Whether an IP address is a host on the public internet.

    An IPv4 address inside an IPv6 one counts: mapped, 6to4, Teredo, or translated by a gateway (RFC 6052).
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if (inner := _inner(ip)) is not None:
            return is_public_address(str(inner))
        # Everything outside 2000::/3 is reserved, local or multicast.
        if ip not in _GLOBAL_UNICAST:
            return False
    elif ip in _PROTOCOL_ASSIGNMENTS:
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Python before 3.11.10 takes most of it for public; a cloud keeps its metadata at 192.0.0.192.
_PROTOCOL_ASSIGNMENTS = ipaddress.IPv4Network("192.0.0.0/24")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip in _TRANSLATED:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def is_allowed(host: str, port: int | None, allowed_hosts: frozenset[str]) -> bool:
    """Whether the operator allows this host by name, or by name and port, although it may be private."""
    name = host.lower().strip("[]").rstrip(".")
    return name in allowed_hosts or f"{name}:{port}" in allowed_hosts


def _checked_socket(connection: HTTPConnection) -> socket.socket:
    """Connect to an address that was checked: look the name up once, and go to that very address."""
    # The name as given, with the final dot that keeps a resolver from searching local domains.
    name = connection._dns_host
    try:
        found = socket.getaddrinfo(name, connection.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise urllib3.exceptions.NewConnectionError(connection, f"no address: {error}") from error
    call = _call.get()
    if not is_allowed(connection.host, connection.port, call.allowed_hosts):
        for _, _, _, _, address in found:
            if not is_public_address(str(address[0])):
                raise PrivateAddress(connection.host)
    # All addresses together get the time that one connection may take.
    until = time.monotonic() + float(connection.timeout or 5.0)
    last: OSError = TimeoutError("no address answered in time")
    for family, kind, protocol, _, address in found:
        if (left_s := until - time.monotonic()) <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left_s)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            last = error
        else:
            return sock
    if isinstance(last, TimeoutError):
        raise urllib3.exceptions.ConnectTimeoutError(connection, "connect timed out") from last
    raise urllib3.exceptions.NewConnectionError(connection, str(last)) from last


class _TimedReader(io.RawIOBase):
    """A socket's bytes until the call's deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, call: Call) -> None:
        self._raw, self._sock, self._call = raw, sock, call

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int | None:  # type: ignore[override]
        left_s = self._call.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left_s)
        count = self._raw.readinto(buffer)
        if count:
            self._call.has_answer = True
        return count

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer that has to be complete before the call's deadline, from its first line on."""

    def __init__(self, sock: socket.socket, *args, **kwargs) -> None:  # type: ignore[no-untyped-def]
        super().__init__(sock, *args, **kwargs)
        call = _call.get()
        self.fp = call.reader = io.BufferedReader(_TimedReader(self.fp.detach(), sock, call))


class _Guarded:
    """What both kinds of connection add: see the promises above."""

    response_class: type[http.client.HTTPResponse] = _TimedResponse
    # Requests sent over the present socket, and when the last one was.
    _used = 0
    _used_at = 0.0

    def _new_conn(self) -> socket.socket:
        self._used = 0
        return _checked_socket(self)  # type: ignore[arg-type]

    def request(self, *args, **kwargs) -> None:  # type: ignore[no-untyped-def]
        call = _call.get()
        now = time.monotonic()
        if call.is_write and self._used and now - self._used_at > WRITE_IDLE_S:
            self.close()  # type: ignore[attr-defined]
        if self.sock is None:  # type: ignore[attr-defined]
            self.connect()  # type: ignore[attr-defined]
        if not may_send():
            self.close()  # type: ignore[attr-defined]
            raise GuardClosed
        call.is_reused = self._used > 0
        self._used += 1
        self._used_at = now
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        finally:
            # Also after a failure: an answer may have come before the connection broke.
            call.deadline = time.monotonic() + call.timeout_s

    def send(self, data: object) -> None:
        _call.get().has_sent = True
        super().send(data)  # type: ignore[misc]


class _HTTPConnection(_Guarded, HTTPConnection):
    pass


class _HTTPSConnection(_Guarded, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class GuardedAdapter(HTTPAdapter):
    """`requests`' adapter on our connections.  Usable only within `calling`."""

    def init_poolmanager(self, *args, **kwargs) -> None:  # type: ignore[no-untyped-def]
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def close(self) -> None:
        """Close the pooled connections now; urllib3 would leave that to the garbage collector."""
        pools = self.poolmanager.pools
        for pool in [pools.get(key) for key in pools.keys()]:  # noqa: SIM118
            if pool is not None:
                pool.close()
        super().close()
