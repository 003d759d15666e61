"""PostgreSQL's part: a cursor whose values are bound by the server, and SQL of which one plan serves every run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

import psycopg
from psycopg import sql
from psycopg.postgres import types
from psycopg.pq import Format
from psycopg.types.numeric import Int8


class BindingCursor(psycopg.Cursor[Any]):
    """Its values are bound by the server; `executemany` keeps what the statement gives back, row by row."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection)
        # Django's own reads a moment in Python, to set its zone; the connection speaks UTC, and psycopg reads that in C.
        loader = psycopg.adapters.get_loader(types["timestamptz"].oid, Format.TEXT)
        if loader is not None:
            self.adapters.register_loader("timestamptz", loader)

    def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> None:
        """Run it for each of these values, in one round trip."""
        super().executemany(query, params_seq, returning=returning or "RETURNING" in str(query))

    def returned(self) -> list[tuple[Any, ...]]:
        """The rows that all runs of the last `executemany` gave back, in their order."""
        return [row for result in self.results() for row in result.fetchall()]


def bound(value: Any) -> Any:
    """The value as it is bound: every whole number as the same type, or each of its sizes would be planned for itself.

    A list of numbers becomes the text of an array, which costs no object for each.
    """
    if type(value) is int:
        return Int8(value)
    if isinstance(value, list) and value and isinstance(value[0], int):
        return "{" + ",".join(map(str, value)) + "}"
    return value


def for_any_values(
    statement: str,
    params: Sequence[Any],
    lists: Sequence[Sequence[Any]],
    is_given: Callable[[Any], bool],
) -> tuple[str, list[Any]]:
    """The same statement with each of these lists bound as one array, and everything constant written into the text.

    `lists` are stand-ins of several values each.  A plan for any values can use a partial index only where what the
    index is for stands in the text.  ValueError for what could not be told from a place, or a list used elsewhere than
    with `__in`.
    """
    parts = statement.split("%s")
    if len(parts) != len(params) + 1:
        raise ValueError("A text that looks like a place for a value cannot be told from one.")
    firsts = {_key(one[0]): list(one) for one in lists}
    written, kept, place = parts[0], [], 0
    while place < len(params):
        param, after = params[place], parts[place + 1]
        found = firsts.get(_key(param))
        if found is not None:
            place += len(found) - 1
            after = parts[place + 1]
            if not (written.endswith("IN (") and after.startswith(")")):
                raise ValueError("A list that is given may be used with __in alone.")
            kind = "::bigint[]" if isinstance(param, int) else ""
            written = f"{written.removesuffix('IN (')}= ANY(%s{kind}{after}"
            kept.append(found)
        elif is_given(param):
            written += "%s" + after
            kept.append(param)
        elif isinstance(param, str | int | None):
            plain = param.value if isinstance(param, Enum) else param
            written += sql.Literal(plain).as_string(None).replace("%", "%%") + after
        else:
            written += "%s" + after
            kept.append(param)
        place += 1
    return written, kept


def _key(value: Any) -> Any:
    """A stand-in as a key; a truth value is none, although it equals a number."""
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None
