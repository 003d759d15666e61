"""Many rows at once: each goes through the same short statement, without the ORM's work for every one of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models

from integrations.statements.cursors import is_postgres, run, run_for_each
from integrations.statements.dialects import dialect

# Rows that one INSERT takes; each row of the widest table has some twenty values.
ROWS_AN_INSERT = 200

# Fields whose values of exactly this type reach the database as they are.
_AS_THEY_ARE: tuple[tuple[type[models.Field], type], ...] = (
    (models.CharField, str),
    (models.TextField, str),
    (models.BooleanField, bool),
    (models.IntegerField, int),
    (models.ForeignKey, int),
)


def update_many(
    model: type[models.Model], fields: tuple[str, ...], rows: Iterable[tuple[int, Sequence[object]]]
) -> None:
    """Set `fields` of each row to its values; a row is its key and the values in the fields' order.

    `bulk_update` builds one large CASE for each column; here each row's values go through the same short UPDATE.
    """
    sql, columns = _update_by_key(model, fields, connection.vendor)
    key = dialect().bound
    bound = [
        (*(column(value) for column, value in zip(columns, values, strict=True)), key(pk))
        for pk, values in rows
    ]
    if bound:
        run_for_each(sql, bound)


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
    head, one_row, columns = _insert(type(rows[0]), connection.vendor)
    for start in range(0, len(rows), ROWS_AN_INSERT):
        some = rows[start : start + ROWS_AN_INSERT]
        if is_postgres():
            # The same short statement for each row, parsed once, in one round trip.
            bound = [[column(row) for column in columns] for row in some]
            yield some, run_for_each(f"{head} {one_row} {end}", bound)
        else:
            values = [column(row) for row in some for column in columns]
            yield some, run(f"{head} {', '.join([one_row] * len(some))} {end}", values)[0]


@functools.cache
def _update_by_key(
    model: type[models.Model], fields: tuple[str, ...], _vendor: str
) -> tuple[str, tuple[Callable[[Any], Any], ...]]:
    quote = connection.ops.quote_name
    by_name = {column.name: column for column in model._meta.concrete_fields}
    columns = [by_name[name] for name in fields]
    settings = ", ".join(f"{quote(str(column.column))} = %s" for column in columns)
    table, key = quote(model._meta.db_table), quote("id")
    sql = f"UPDATE {table} SET {settings} WHERE {key} = %s"  # noqa: S608 - names come from the model
    return sql, tuple(_of_value(column) for column in columns)


@functools.cache
def _insert(model: type[models.Model], _vendor: str) -> tuple[str, str, tuple[Callable[[Any], Any], ...]]:
    quote = connection.ops.quote_name
    columns = [column for column in model._meta.concrete_fields if not column.primary_key]
    names = ", ".join(quote(str(column.column)) for column in columns)
    head = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES"
    one_row = f"({', '.join(['%s'] * len(columns))})"
    return head, one_row, tuple(_of_row(column) for column in columns)


def _of_row(column: models.Field) -> Callable[[Any], Any]:
    """Gives a new row's value of this column as it is bound."""
    of_value = _of_value(column)
    if type(column).pre_save is models.Field.pre_save:
        name = column.attname
        return lambda row: of_value(getattr(row, name))
    # A moment that the row is given when it is stored.
    return lambda row: of_value(column.pre_save(row, add=True))


def _of_value(column: models.Field) -> Callable[[Any], Any]:
    """Makes of a column's value what is bound: what needs no conversion is left alone, which most values are."""
    database = connections[DEFAULT_DB_ALIAS]
    plain = next((known for field, known in _AS_THEY_ARE if isinstance(column, field)), None)
    number = dialect().bound

    def bound(value: Any) -> Any:
        if type(value) is plain:
            return number(value) if plain is int else value
        prepared = column.get_db_prep_save(value, database)
        return number(prepared) if type(prepared) is int else prepared

    return bound
