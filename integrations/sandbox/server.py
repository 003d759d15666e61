"""The server of one sandbox: one event loop, one thread, every request handled at once and under the system's lock.

One loop is quicker here than a thread for each connection: handlers are short, never wait, and do not fight for the
interpreter's lock.  Answers that are to be slow are put off by a timer, so that nobody else waits.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import threading
import time
from collections.abc import Callable
from email.utils import formatdate

from integrations.sandbox import control, operator
from integrations.sandbox.calls import Call, CallLog
from integrations.sandbox.clock import stamp
from integrations.sandbox.faults import Blow, Fate
from integrations.sandbox.system import System
from integrations.sandbox.wire import BadRequest, Reader, Request, Response, encode

logger = logging.getLogger(__name__)


class PortTaken(Exception):
    """Another program listens there."""


@functools.lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _asked_to_wait_s(response: Response | None) -> float:
    headers = response.headers if response is not None else ()
    return next((float(value) for name, value in headers if name == "Retry-After"), 0)


class Server:
    """Serves one system over HTTP.  `start` and `stop` run it in a thread, `run` in the calling one."""

    def __init__(self, system: System, host: str = "127.0.0.1", port: int = 0) -> None:
        self.system = system
        self.calls = CallLog()
        self.host = host
        self.port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connections: set[_Connection] = set()

    @property
    def url(self) -> str:
        """The address without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{self.port}"  # noqa: S104

    def start(self) -> None:
        """Listen, and serve in a thread; PortTaken when the port is not free."""
        ready: list[BaseException | None] = []
        bound = threading.Event()

        def tell(error: BaseException | None) -> None:
            ready.append(error)
            bound.set()

        self._thread = threading.Thread(target=self._run, args=(tell,), name="sandbox", daemon=True)
        self._thread.start()
        bound.wait()
        if ready[0] is not None:
            self._thread.join()
            raise ready[0]

    def stop(self) -> None:
        """Stop serving; open connections are cut, queued web hooks are dropped."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.system.hooks.stop()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Serve in this thread until `interrupt` is called or Ctrl-C is pressed; PortTaken like `start`."""
        failure: list[BaseException] = []

        def tell(error: BaseException | None) -> None:
            if error is None:
                on_ready()
            else:
                failure.append(error)

        try:
            self._run(tell)
        finally:
            self.system.hooks.stop()
        if failure:
            raise failure[0]

    def interrupt(self) -> None:
        """End `run`; may be called from a signal handler or another thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self, tell: Callable[[BaseException | None], None]) -> None:
        loop = asyncio.new_event_loop()
        try:
            try:
                listener = loop.run_until_complete(
                    loop.create_server(lambda: _Connection(self, loop), self.host, self.port, backlog=512)
                )
            except OSError as error:
                taken = error.errno in (errno.EADDRINUSE, errno.EACCES, 10048, 10013)
                tell(PortTaken(f"Port {self.port} is taken.") if taken else error)
                return
            self.port = listener.sockets[0].getsockname()[1]
            self.system.origin = self.url
            self._loop = loop
            tell(None)
            try:
                loop.run_forever()
            finally:
                self._loop = None
                listener.close()
                for connection in list(self._connections):
                    connection.cut()
                loop.run_until_complete(asyncio.sleep(0))
        finally:
            loop.close()

    def handle(self, request: Request) -> tuple[Response | None, Fate, str]:
        """Answer one request, with the date of the answer.  None means that the connection is cut."""
        if self._is_own(request):
            with self.system.lock:
                date = self.date()
                return self._safely(request, lambda: self._handle_own(request)), Fate(), date
        started = time.perf_counter()
        with self.system.lock:
            date = self.date()
            fate = self.system.faults.fate(request.method, request.path)
            response, route = self._handle_vendor(request, fate)
            cut = fate.blow in (Blow.RESET, Blow.ANSWER_LOST, Blow.TRUNCATED)
            call = Call(
                stamp(self.system.clock.now()),
                request.method,
                request.path + (f"?{request.raw_query}" if request.raw_query else ""),
                0 if cut or response is None else response.status,
                round((time.perf_counter() - started) * 1000, 2),
                "" if fate.blow is Blow.NONE else fate.blow.value,
                _asked_to_wait_s(response),
            )
            self.calls.note(route, call)
        return response, fate, date

    def date(self) -> str:
        """The present moment by the system's own clock, as an answer tells it."""
        return _date(int(self.system.clock.now().timestamp()))

    def _is_own(self, request: Request) -> bool:
        return request.path == "/" or request.path.startswith(("/_sandbox/", *self.system.people_paths))

    def _handle_vendor(self, request: Request, fate: Fate) -> tuple[Response | None, str]:
        if fate.blow is Blow.RESET:
            return None, "(fault)"
        if fate.blow is Blow.ERROR:
            return self.system.refusal(fate.status, self.system.faults.faults.retry_after_s), "(fault)"
        route = "(failed)"

        def ask() -> Response:
            nonlocal route
            response, route = self.system.answer(request)
            return response

        response = self._safely(request, ask)
        return (None if fate.blow is Blow.ANSWER_LOST else response), route

    def _safely(self, request: Request, ask: Callable[[], Response]) -> Response:
        """The answer; a bug of the sandbox must look like one and not stop the other requests."""
        try:
            return ask()
        except Exception:
            logger.exception("sandbox_failed", extra={"method": request.method, "path": request.path})
            return Response(500, b'{"error": "The sandbox failed; see its log."}')

    def _handle_own(self, request: Request) -> Response:
        if (refused := control.refuse_stranger(request)) is not None:
            return refused
        if control.is_control(request):
            return control.answer(self.system, self.calls, request)
        return operator.answer(self.system, self.calls, request)


class _Connection(asyncio.Protocol):
    """One client's connection; requests on it are answered in turn."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._busy = False
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._reader = Reader(peer[0] if peer else "")
        self._server._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._server._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._pump()

    def _pump(self) -> None:
        """Answer what has arrived, until something is missing or an answer is put off."""
        while not self._busy and not self._closed:
            try:
                request = self._reader.take()
            except BadRequest as error:
                refusal = Response(error.status, str(error).encode(), "text/plain")
                self._send(refusal, Fate(), self._server.date(), None)
                return
            if request is None:
                if self._reader.wants_continue:
                    self._reader.wants_continue = False
                    self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            response, fate, date = self._server.handle(request)
            delay_s = fate.delay_s + (response.delay_s if response is not None else 0)
            if delay_s:
                self._busy = True
                self._loop.call_later(delay_s, self._send_late, response, fate, date, request)
            else:
                self._send(response, fate, date, request)

    def _send_late(self, response: Response | None, fate: Fate, date: str, request: Request) -> None:
        self._busy = False
        if not self._closed:
            self._send(response, fate, date, request)
            self._pump()

    def _send(self, response: Response | None, fate: Fate, date: str, request: Request | None) -> None:
        if response is None:
            self.cut()
            return
        keep_alive = request is not None and request.keep_alive
        head_only = request is not None and request.method == "HEAD"
        data = encode(response, date=date, keep_alive=keep_alive, head_only=head_only)
        if fate.blow is Blow.TRUNCATED:
            self._transport.write(data[: -max(1, len(response.body) // 2)])
            self._close()
            return
        self._transport.write(data)
        if not keep_alive:
            self._close()

    def _close(self) -> None:
        self._closed = True
        self._transport.close()

    def cut(self) -> None:
        """End the connection without another byte."""
        self._closed = True
        self._transport.abort()
