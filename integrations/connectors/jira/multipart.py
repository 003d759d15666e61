"""A file as a multipart form that is sent while it is read, never held.  Pure but for reading the file's chunks."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from integrations.connectors.http import SizedBody
from integrations.file_names import safe_name


@dataclass(frozen=True, slots=True)
class Form:
    """A form ready to be sent once: its content type, which names the boundary, and its body."""

    content_type: str
    body: SizedBody


def file_form(name: str, content_type: str, size_bytes: int, chunks: Iterator[bytes]) -> Form:
    """A form with one file in the part `file`.

    Its body raises Garbled while it is read when the file is longer or shorter than announced: then the form stays
    incomplete and Jira takes nothing.
    """
    boundary = "concord-" + secrets.token_hex(16)
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{_quoted(name)}"\r\n'
        f"Content-Type: {_header_text(content_type) or 'application/octet-stream'}\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    parts = itertools.chain([head], SizedBody(chunks, size_bytes), [tail])
    length = len(head) + size_bytes + len(tail)
    return Form(f"multipart/form-data; boundary={boundary}", SizedBody(parts, length))


def _quoted(name: str) -> str:
    """A file name inside quotes, by the rule browsers follow (HTML standard, multipart/form-data encoding)."""
    return safe_name(name).replace('"', "%22")


def _header_text(text: str) -> str:
    return "".join(c for c in text if " " <= c < "\x7f")
