"""Turns a description into SQL once: where each value goes in it, and how its rows are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, models

from integrations.statements.dialects import dialect
from integrations.statements.places import for_any_values

Value = int | str | datetime
Given = Value | Collection[int] | Collection[str]

# A list of several is bound as one value, whatever their number; it is described by one of so many.  One of one is
# bound as itself: it is compared with "=", and PostgreSQL sees that whatever is joined by it is the same.
LIST_STAND_IN = 2
# In the place of a limit, which stands in the text: for each limit another plan is the best.
LIMIT_STAND_IN = 1_876_543_210


class Written:
    """SQL and its places.  `bind` gives the parameters of one run, `read` makes of its rows what was described."""

    def __init__(
        self,
        sql: str,
        params: Sequence[object],
        stand_ins: dict[str, Any],
        read: Callable[[list[tuple[Any, ...]]], list[Any]],
    ) -> None:
        self.read = read
        ways = dialect()
        self._binds = ways.bound
        places: dict[object, str] = {LIMIT_STAND_IN: "limit"}
        lists: dict[str, list[object]] = {}
        for name, value in stand_ins.items():
            if isinstance(value, list) and not is_one(value):
                lists[name] = value
            else:
                places[self._binds(_alone(value))] = name
        self._sql, params = for_any_values(
            sql,
            params,
            list(lists.values()),
            is_given=lambda param: _is_in(param, places),
            array=ways.array,
            literal=ways.literal,
        )
        self._steps: list[tuple[str | None, object]] = []
        for param in params:
            whole = next((name for name, value in lists.items() if param == value), None)
            if whole is not None:
                self._steps.append((whole, None))
            elif _is_in(param, places):
                self._steps.append((places[param], None))
            else:
                self._steps.append((None, param))

    def sql(self, limit: int | None = None) -> str:
        """The text, with this limit where it was described with one."""
        return self._sql if limit is None else self._sql.replace(str(LIMIT_STAND_IN), str(limit))

    def bind(self, values: dict[str, Any]) -> list[Any]:
        """The parameters of one run."""
        bound = {name: self._binds(_alone(value)) for name, value in values.items()}
        return [constant if name is None else bound[name] for name, constant in self._steps]


def write(build: Callable[..., Any], values: dict[str, Any]) -> Written:
    """Describe with stand-ins for these values and turn it into SQL; `values` are as `listed` gives them."""
    stand_ins = {
        name: _stand_in(value, number)
        for number, (name, value) in enumerate(sorted(values.items()))
        if name != "limit"
    }
    fixed = {"limit": LIMIT_STAND_IN} if "limit" in values else {}
    described = build(**stand_ins, **fixed)
    query = described.query if isinstance(described, models.QuerySet) else described
    compiler = query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    if not isinstance(described, models.QuerySet):
        return Written(sql, params, stand_ins, lambda rows: [])
    columns = [column for column, _, _ in compiler.select]
    converters = compiler.get_converters(columns)
    is_plain = described._fields is not None  # type: ignore[attr-defined]
    names = [] if is_plain else [column.target.attname for column in columns]
    model = described.model

    def read(rows: list[tuple[Any, ...]]) -> list[Any]:
        converted = compiler.apply_converters(rows, converters) if converters else rows
        if is_plain:
            return [tuple(row) for row in converted] if converters else list(converted)
        return [model.from_db(DEFAULT_DB_ALIAS, names, row) for row in converted]

    return Written(sql, params, stand_ins, read)


def _stand_in(value: Any, number: int) -> Any:
    """A value of the same type that occurs in no query by itself, so that its place can be found in the SQL."""
    if isinstance(value, list):
        return [
            _one_stand_in(value[0], number, place) for place in range(1 if is_one(value) else LIST_STAND_IN)
        ]
    return _one_stand_in(value, number, 0)


def _one_stand_in(value: object, number: int, place: int) -> Value:
    match value:
        case bool():
            raise TypeError("Describe a query for each truth value: its place could not be found in the SQL.")
        case int():
            return 1_900_000_000 + number * 1000 + place
        case str():
            return f"\ufdd0{number}.{place}"
        case datetime():
            return datetime(1900 + number, 1, 1, 0, 0, 0, place, tzinfo=UTC)
        case _:
            raise TypeError(f"{type(value).__name__} cannot be bound.")


def _is_in(param: object, places: dict[object, str]) -> bool:
    return not isinstance(param, list | dict) and param in places


def asks_for_nothing(given: dict[str, Given]) -> bool:
    """Whether a collection is empty or the limit is 0."""
    return any(
        not isinstance(value, str) and isinstance(value, Collection) and not value for value in given.values()
    ) or (given.get("limit") == 0)


def listed(value: Given) -> Any:
    """A value as `write` and `bind` take it: a collection as a list."""
    return value if isinstance(value, str) or not isinstance(value, Collection) else list(value)


def is_one(value: Any) -> bool:
    """Whether it is a list of one value, which is written as such."""
    return isinstance(value, list) and len(value) == 1


def _alone(value: Any) -> Any:
    """The value of a list of one, and everything else as it is."""
    return value[0] if is_one(value) else value
