"""A server that answers with exactly the bytes a test wants, or breaks exactly where it wants."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Handler = Callable[["Peer"], None]


@dataclass(slots=True)
class Peer:
    """One connection as the server sees it; `number` counts connections from one."""

    sock: socket.socket
    reader: object
    number: int

    def read_request(self) -> bytes:
        """The next request: head and body.  Empty when the client has gone."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.reader.readline()  # type: ignore[attr-defined]
            if not line:
                return b""
            head += line
        lower = head.lower()
        if b"content-length: " in lower:
            length = int(lower.split(b"content-length: ")[1].split(b"\r\n")[0])
            return head + self.reader.read(length)  # type: ignore[attr-defined]
        if b"transfer-encoding: chunked" in lower:
            body = b""
            while size := int(self.reader.readline(), 16):  # type: ignore[attr-defined]
                body += self.reader.read(size)  # type: ignore[attr-defined]
                self.reader.readline()  # type: ignore[attr-defined]
            return head + body
        return head

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Cut the connection at once, without the polite end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.reader.close()  # type: ignore[attr-defined]
        self.sock.close()


def answer(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    """The bytes of a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class RawServer:
    """Listens on loopback; hands every connection to the test's handler."""

    handler: Handler
    connections: int = 0
    port: int = 0
    # Set when the test ends, so that a handler that holds a connection open lets it go.
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def raw_server(handler: Handler) -> Iterator[RawServer]:
    """Serve until the block ends.  The handler may raise OSError: then the connection is just closed."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(handler, port=listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket, number: int) -> None:
        with sock, sock.makefile("rb") as reader, contextlib.suppress(OSError, ValueError):
            handler(Peer(sock, reader, number))

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            thread = threading.Thread(target=serve, args=(sock, server.connections), daemon=True)
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        server.over.set()
        # Closing alone does not wake an accept that is under way.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)
        for thread in threads:
            thread.join(5)
