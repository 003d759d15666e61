"""Files out of a multipart/form-data body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_PARAMETER = re.compile(r"""(filename\*|filename|name)=(?:"((?:[^"\\]|\\.)*)"|([^;]+))""", re.IGNORECASE)


class NotMultipart(Exception):
    """The body is no multipart form."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the form."""

    name: str
    filename: str
    content_type: str
    data: bytes


def parts(content_type: str, body: bytes) -> list[Part]:
    """The parts of the form in their order; NotMultipart when it is none."""
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or match is None:
        raise NotMultipart("The request is not multipart/form-data.")
    mark = b"--" + (match[1] or match[2]).encode()
    found = []
    for raw in body.split(mark)[1:]:
        if raw.startswith(b"--"):
            break
        head, gap, data = raw.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if gap:
            found.append(_part(head.decode("utf-8", "replace"), data.removesuffix(b"\r\n")))
    return found


def _part(head: str, data: bytes) -> Part:
    content_type, parameters = "application/octet-stream", dict[str, str]()
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-type":
            content_type = value.strip()
        elif name.lower() == "content-disposition":
            for key, quoted, plain in _PARAMETER.findall(value):
                parameters[key.lower()] = re.sub(r"\\(.)", r"\1", quoted) or plain.strip()
    extended = parameters.get("filename*", "")
    if extended:
        parameters["filename"] = unquote(extended.rpartition("''")[2])
    return Part(parameters.get("name", ""), parameters.get("filename", ""), content_type, data)
