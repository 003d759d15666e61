"""Names of files that every system takes and that deceive nobody.  Pure."""

from __future__ import annotations

import re
import unicodedata

# What file systems take, counted in bytes.
MAX_BYTES = 255
_MAX_ENDING = 16
# Characters that turn the direction of writing make `exe.fdp` out of `pdf.exe`.
_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def safe_name(name: str) -> str:
    """The name without a folder, without characters that cannot be seen, and no longer than systems take.

    Any letters, blanks and signs stay as they are; the ending is kept when a name is shortened.
    """
    name = name.encode("utf-8", "replace").decode().replace("\\", "/").rpartition("/")[2]
    seen = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in _TURNING.sub("", name)
    )
    words = " ".join(seen.split())
    if words.strip(".") == "":
        return "file"
    return _shortened(words)


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > _MAX_ENDING:
        stem, dot, ending = name, "", ""
    room = MAX_BYTES - len((dot + ending).encode())
    # Cut between characters, never inside one.
    return stem.encode()[:room].decode("utf-8", "ignore").rstrip() + dot + ending
