"""A file as a multipart form that is sent while it is read.  Pure but for reading the file's chunks.

`requests` would read the whole file into memory to build the form; here the length is known beforehand, so the body
can be sent with a Content-Length and never be held.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from integrations.connectors import errors


class Multipart(Iterator[bytes]):
    """The body of a form with one file in the part `file`.  May be read once.

    Raises Garbled while being read when the file is longer or shorter than announced: then the body stays
    incomplete and Jira takes nothing.
    """

    def __init__(self, name: str, content_type: str, size_bytes: int, chunks: Iterator[bytes]) -> None:
        boundary = "concord-" + secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{_quoted(name)}"\r\n'
            f"Content-Type: {_header_text(content_type) or 'application/octet-stream'}\r\n\r\n"
        )
        self._head = head.encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._size_bytes = size_bytes
        self._parts = self._read(chunks)

    def __len__(self) -> int:
        return len(self._head) + self._size_bytes + len(self._tail)

    def __next__(self) -> bytes:
        return next(self._parts)

    def _read(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        yield self._head
        left = self._size_bytes
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
        if left:
            raise errors.Garbled("The file is not as long as its own system says.")
        yield self._tail


def _quoted(name: str) -> str:
    """A file name inside quotes, by the rule browsers follow (HTML standard, multipart/form-data encoding)."""
    plain = name.replace("\\", "/").rsplit("/", 1)[-1] or "file"
    return plain.replace("\r", "").replace("\n", " ").replace('"', "%22")


def _header_text(text: str) -> str:
    return "".join(c for c in text if " " <= c < "\x7f")
