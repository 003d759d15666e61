"""Statements that Django writes once and that run many times with other values.

Building a query costs the ORM several times what the database needs to answer it, and the engine asks the same few
questions hundreds of times a second.  Here a query is still described by the ORM, but turned into SQL only once for
each shape; after that a run binds values and converts rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.sql import UpdateQuery

# A list is bound in one of these lengths, its last value repeated, so that few shapes cover every length.
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
# Rows that one INSERT takes; each row of the widest table has some twenty values.
ROWS_AN_INSERT = 200

Value = int | str | datetime
Given = Value | Collection[int] | Collection[str]


class _Statement:
    """A description that is turned into SQL once for each shape of what is given."""

    def __init__(self) -> None:
        self._written: dict[tuple[object, ...], _Written] = {}

    def describe(self, **values: Any) -> models.QuerySet[Any] | UpdateQuery:
        """The query with these values."""
        raise NotImplementedError

    def _bound(self, given: dict[str, Given]) -> tuple[_Written, list[Any]] | None:
        """The statement and its parameters; None when a collection is empty or the limit is 0."""
        if _asks_for_nothing(given):
            return None
        values = {name: _in_size(value) for name, value in given.items()}
        shape = _shape(values)
        written = self._written.get(shape)
        if written is None:
            written = self._written[shape] = _write(self.describe, values)
        return written, written.bind(values)


class Question(_Statement):
    """A SELECT.  `build` describes it: a function of named values that returns a queryset.

    Values may be whole numbers, texts, moments, or collections of numbers or texts for `__in`.  What `build` takes
    under the name `limit` becomes part of the SQL text.  With `values_list` a run gives tuples, otherwise objects.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any]]) -> None:
        super().__init__()
        self._build = build

    def __call__(self, **given: Given) -> list[Any]:
        """The rows; none without a query when a collection is empty or the limit is 0."""
        if (bound := self._bound(given)) is None:
            return []
        written, params = bound
        with connection.cursor() as cursor:
            cursor.execute(written.sql, params)
            return written.read(cursor.fetchall())

    def describe(self, **values: Any) -> models.QuerySet[Any]:
        """The queryset with these values."""
        return self._build(**values)


class Order(_Statement):
    """An UPDATE.  `build` returns the rows meant, of one table, and their new values; either may use what is given."""

    def __init__(self, build: Callable[..., tuple[models.QuerySet[Any], dict[str, Any]]]) -> None:
        super().__init__()
        self._build = build

    def __call__(self, **given: Given) -> int:
        """Carry it out; the number of rows, 0 without a query when a collection is empty."""
        if (bound := self._bound(given)) is None:
            return 0
        written, params = bound
        with connection.cursor() as cursor:
            cursor.execute(written.sql, params)
            return int(cursor.rowcount)

    def describe(self, **values: Any) -> UpdateQuery:
        """The update with these values."""
        rows, new = self._build(**values)
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(new)
        return cast(UpdateQuery, query)


def update_many(
    model: type[models.Model], fields: tuple[str, ...], rows: Iterable[tuple[int, Sequence[object]]]
) -> None:
    """Set `fields` of each row to its values; a row is its key and the values in the fields' order.

    `bulk_update` builds one large CASE for each column; here each row's values go through the same short UPDATE.
    """
    database = connections[DEFAULT_DB_ALIAS]
    sql, columns = _update_by_key(model, fields, database.vendor)
    bound = [
        (
            *(
                column.get_db_prep_save(value, database)
                for column, value in zip(columns, values, strict=True)
            ),
            pk,
        )
        for pk, values in rows
    ]
    if bound:
        with database.cursor() as cursor:
            cursor.executemany(sql, bound)


def insert_many(rows: Sequence[models.Model], *, ignores_doubles: bool = False) -> None:
    """Store new rows of one model and give them their keys; with `ignores_doubles` without keys.

    Sends no signals and takes no defaults of the database.
    """
    if not rows:
        return
    end = "ON CONFLICT DO NOTHING" if ignores_doubles else "RETURNING id"
    for some, keys in _inserted(rows, end):
        for row, (pk,) in zip(some, keys, strict=not ignores_doubles):
            row.pk = pk
            row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def insert_new(rows: Sequence[models.Model], key: tuple[str, ...]) -> set[tuple[Any, ...]]:
    """Store those rows of one model that are not there yet; the `key` columns of those that were stored."""
    if not rows:
        return set()
    end = f"ON CONFLICT DO NOTHING RETURNING {', '.join(connection.ops.quote_name(name) for name in key)}"
    return {tuple(stored) for _, keys in _inserted(rows, end) for stored in keys}


def upsert_many(rows: Sequence[models.Model], key: tuple[str, ...]) -> None:
    """Store rows of one model; a row whose `key` is there already gets the new values.

    Sends no signals and gives no keys.
    """
    if not rows:
        return
    quote = connection.ops.quote_name
    names = {
        column.name: quote(str(column.column))
        for column in rows[0]._meta.concrete_fields
        if not column.primary_key
    }
    new = ", ".join(f"{name} = EXCLUDED.{name}" for field, name in names.items() if field not in key)
    end = f"ON CONFLICT ({', '.join(names[field] for field in key)}) DO UPDATE SET {new}"
    for _ in _inserted(rows, end):
        pass


def _inserted(
    rows: Sequence[models.Model], end: str
) -> Iterator[tuple[Sequence[models.Model], list[tuple[Any, ...]]]]:
    """Insert rows piece by piece; each piece with what the statement gives back."""
    database = connections[DEFAULT_DB_ALIAS]
    head, one_row, columns = _insert(type(rows[0]), database.vendor)
    for start in range(0, len(rows), ROWS_AN_INSERT):
        some = rows[start : start + ROWS_AN_INSERT]
        bound = [
            column.get_db_prep_save(column.pre_save(row, add=True), database)
            for row in some
            for column in columns
        ]
        with database.cursor() as cursor:
            cursor.execute(f"{head} {', '.join([one_row] * len(some))} {end}", bound)
            yield some, cursor.fetchall() if "RETURNING" in end else []


# --- Writing a statement once ---


class _Written:
    """SQL, where each value goes, and how rows are read."""

    def __init__(
        self,
        sql: str,
        params: Sequence[object],
        stand_ins: dict[str, Any],
        read: Callable[[list[tuple[Any, ...]]], list[Any]],
    ) -> None:
        self.sql = sql
        self.read = read
        places: dict[object, tuple[str, int | None]] = {}
        lists: dict[str, list[object]] = {}
        for name, value in stand_ins.items():
            if isinstance(value, list):
                lists[name] = value
                places.update({one: (name, place) for place, one in enumerate(lists[name])})
            else:
                places[_adapted(value)] = (name, None)
        self._steps: list[tuple[str | None, int | None, object]] = []
        for param in params:
            whole = next((name for name, value in lists.items() if param == value), None)
            if whole is not None:
                # PostgreSQL may be given the whole list for = ANY(...).
                self._steps.append((whole, None, None))
            elif isinstance(param, list | dict) or param not in places:
                self._steps.append((None, None, param))
            else:
                name, place = places[param]
                self._steps.append((name, place, None))

    def bind(self, values: dict[str, Any]) -> list[Any]:
        """The parameters of one run."""
        adapted = {
            name: _adapted(value) if isinstance(value, datetime) else value for name, value in values.items()
        }
        return [
            constant if name is None else adapted[name] if place is None else adapted[name][place]
            for name, place, constant in self._steps
        ]


def _write(build: Callable[..., Any], values: dict[str, Any]) -> _Written:
    stand_ins = {
        name: _stand_in(value, number)
        for number, (name, value) in enumerate(sorted(values.items()))
        if name != "limit"
    }
    fixed = {"limit": values["limit"]} if "limit" in values else {}
    described = build(**stand_ins, **fixed)
    query = described.query if isinstance(described, models.QuerySet) else described
    compiler = query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    if not isinstance(described, models.QuerySet):
        return _Written(sql, params, stand_ins, lambda rows: [])
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

    return _Written(sql, params, stand_ins, read)


def _stand_in(value: Any, number: int) -> Any:
    """A value of the same type that occurs in no query by itself, so that its place can be found in the SQL."""
    if isinstance(value, list):
        return [_one_stand_in(value[0], number, place) for place in range(len(value))]
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


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _asks_for_nothing(given: dict[str, Given]) -> bool:
    return any(
        not isinstance(value, str) and isinstance(value, Collection) and not value for value in given.values()
    ) or (given.get("limit") == 0)


def _in_size(value: Given) -> Any:
    if isinstance(value, str) or not isinstance(value, Collection):
        return value
    found = list(value)
    size = next((size for size in SIZES if size >= len(found)), len(found))
    return found + found[-1:] * (size - len(found))


def _shape(values: dict[str, Any]) -> tuple[object, ...]:
    sizes = [
        value if name == "limit" else len(value) if isinstance(value, list) else 0
        for name, value in values.items()
    ]
    return connection.vendor, *values, *sizes


@functools.cache
def _update_by_key(
    model: type[models.Model], fields: tuple[str, ...], _vendor: str
) -> tuple[str, tuple[models.Field, ...]]:
    quote = connection.ops.quote_name
    by_name = {column.name: column for column in model._meta.concrete_fields}
    columns = tuple(by_name[name] for name in fields)
    settings = ", ".join(f"{quote(str(column.column))} = %s" for column in columns)
    table, key = quote(model._meta.db_table), quote("id")
    return f"UPDATE {table} SET {settings} WHERE {key} = %s", columns  # noqa: S608 - names come from the model


@functools.cache
def _insert(model: type[models.Model], _vendor: str) -> tuple[str, str, tuple[models.Field, ...]]:
    quote = connection.ops.quote_name
    columns = tuple(column for column in model._meta.concrete_fields if not column.primary_key)
    names = ", ".join(quote(str(column.column)) for column in columns)
    head = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES"
    one_row = f"({', '.join(['%s'] * len(columns))})"
    return head, one_row, columns
