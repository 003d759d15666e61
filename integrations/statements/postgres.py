"""PostgreSQL's part: a cursor whose values are bound by the server, and how lists and constants stand in its SQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from types import NoneType
from typing import Any

import psycopg
from psycopg import sql
from psycopg.postgres import types as known_types
from psycopg.pq import Format, TransactionStatus
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int8

# Planning a statement for its values takes longer than running it, and left alone PostgreSQL does so at most runs: it
# takes a list for ten keys long, and so a plan for any values for dearer than one for the two that are given.  A plan
# for any values is kept until the statistics are renewed: one that was made while a table was small would go through it
# row by row for the minute in which it fills.
PLANS_KEPT_S = 10.0
# Said each time, because a transaction that is taken back takes the setting with it.
PLAN_ANEW = "SET plan_cache_mode = force_generic_plan; DISCARD PLANS"


class BindingCursor(psycopg.Cursor[Any]):
    """Its values are bound by the server."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection)
        # In seconds of the monotonic clock; nothing is planned yet, and the connection not yet told how.
        self.plans_renewed_at = float("-inf")
        # Django's own reads a moment in Python, to set its zone; the connection speaks UTC, which psycopg reads in C.
        loader = psycopg.adapters.get_loader(known_types["timestamptz"].oid, Format.TEXT)
        if loader is not None:
            self.adapters.register_loader("timestamptz", loader)

    def renew_plans(self, now: float) -> None:
        """Have the server plan anew what it planned too long ago; it need not parse anything again.  May be repeated."""
        if now - self.plans_renewed_at < PLANS_KEPT_S:
            return
        # In a transaction that has failed the server refuses everything.
        if self.connection.info.transaction_status != TransactionStatus.INERROR:
            self.plans_renewed_at = now
            self.execute(PLAN_ANEW, prepare=False)


def bound(value: Any) -> Any:
    """The value as it is bound: every whole number as the same type, or each of its sizes would be prepared for itself.

    A list of numbers becomes the text of an array, which costs no object for each.
    """
    if type(value) is int:
        return Int8(value)
    if isinstance(value, list) and value and isinstance(value[0], int):
        return "{" + ",".join(map(str, value)) + "}"
    return value


def array(is_numbers: bool) -> str:
    """A comparison with a list that is bound as one value."""
    return "= ANY(%s::bigint[])" if is_numbers else "= ANY(%s)"


def literal(value: Any) -> str:
    """A constant as it stands in the text of a statement."""
    plain = value.value if isinstance(value, Enum) else value
    return sql.Literal(plain).as_string(None).replace("%", "%%")


def rows_from(types: Sequence[str]) -> str:
    """Rows that are bound as one array for each of their columns, which are of these types.

    A length that belongs to a type is left out: here it would cut what is too long, which the column itself refuses.
    """
    arrays = (f"%s::{one.partition('(')[0]}[]" for one in types)
    return f"unnest({', '.join(arrays)})"


def column(values: Iterable[Any]) -> str:
    """The values of one column as the text of an array.  TypeError for what has no text that is known here."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    as_text = _TEXTS.get(type(value))
    if as_text is not None:
        return as_text(value)
    if isinstance(value, Enum):
        return _element(value.value)
    if isinstance(value, str):
        return _quoted(value)
    raise TypeError(f"{type(value).__name__} cannot stand in an array.")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_TEXTS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    int: str,
    bool: str,
    float: str,
    datetime: str,
    date: str,
    NoneType: lambda value: "NULL",
    Jsonb: lambda value: _quoted((value.dumps or json.dumps)(value.obj)),
}
