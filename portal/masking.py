"""Keeps secrets out of what is written down: the audit trail and the log.  Pure: values in, values out."""

from __future__ import annotations

import re
from typing import Any

MASK = "•••"

# Parts of a name that say its value is a secret; `key` alone would hide ticket keys such as NET-482.
SECRET_NAME = re.compile(
    r"password|passphrase|secret|token|credential|authorization|cookie|api_?key|private_?key|signing_?key",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    return SECRET_NAME.search(name) is not None


def masked(value: Any, name: str = "") -> Any:
    """`value` with everything masked that stands under a secret name, however deep.  Empty values stay empty.

    That a secret was empty and is set now is worth knowing, and gives nothing away.
    """
    if isinstance(value, dict):
        return {key: masked(inner, f"{name} {key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner, name) for inner in value]
    if value in (None, "") or not is_secret(name):
        return value
    return MASK
