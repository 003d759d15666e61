"""What an act of the control API means the same in every sandbox."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.system import Refusal


@dataclass(frozen=True, slots=True)
class ActFile:
    """A file that somebody adds."""

    name: str
    content_type: str
    data: bytes


def file_of(action: Mapping[str, Any]) -> ActFile | None:
    """The act's file, given as `text` or `base64`; None when it has none, Refusal when it cannot be read."""
    file = action.get("file")
    if not isinstance(file, Mapping):
        return None
    try:
        data = (
            base64.b64decode(file["base64"], validate=True)
            if "base64" in file
            else str(file.get("text", "")).encode()
        )
    except (binascii.Error, TypeError) as error:
        raise Refusal("The file's base64 cannot be read.") from error
    return ActFile(str(file.get("name") or "file.txt"), str(file.get("content_type") or "text/plain"), data)
