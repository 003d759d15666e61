"""Makes one SQL text serve every run: pure, on the text that Django writes and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def for_any_values(
    statement: str,
    params: Sequence[Any],
    lists: Sequence[Sequence[Any]],
    *,
    is_given: Callable[[Any], bool],
    array: Callable[[bool], str],
    literal: Callable[[Any], str] | None = None,
) -> tuple[str, list[Any]]:
    """The same statement with each of these lists bound as one value, and with `literal` what never changes as text.

    `lists` are stand-ins of several values each, and stand in the returned parameters in one place; `array` is how a
    list is compared with, of numbers or of texts.  A plan can use a partial index for certain only where what the index
    is for stands in the text.  ValueError for what could not be told from a place, or a list used elsewhere than with
    `__in`.
    """
    parts = statement.split("%s")
    if len(parts) != len(params) + 1:
        raise ValueError("A text that looks like a place for a value cannot be told from one.")
    by_first = {_key(one[0]): list(one) for one in lists}
    written, kept, place = parts[0], [], 0
    while place < len(params):
        param = params[place]
        found = by_first.get(_key(param))
        if found is not None:
            place += len(found) - 1
            if not (written.endswith("IN (") and parts[place + 1].startswith(")")):
                raise ValueError("A list that is given may be used with __in alone.")
            written = written.removesuffix("IN (") + array(isinstance(param, int)) + parts[place + 1][1:]
            kept.append(found)
        elif literal and not is_given(param) and isinstance(param, str | int | None):
            written += literal(param) + parts[place + 1]
        else:
            written += "%s" + parts[place + 1]
            kept.append(param)
        place += 1
    return written, kept


def _key(value: Any) -> Any:
    """A stand-in as a key; a truth value is none, although it equals a number."""
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None
