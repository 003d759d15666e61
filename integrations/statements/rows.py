"""Many rows at once, without the ORM's work for every one of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models

from integrations.statements.cursors import rows_of, run, run_for_each
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

    `bulk_update` builds one large CASE for each column.  Of a row that is named twice the last counts.
    """
    new = dict(rows)
    if not new:
        return
    sql, columns = _update_by_key(model, fields, connection.vendor)
    if arrays := dialect().arrays:
        by_column = zip(columns, zip(*new.values(), strict=True), strict=True)
        run(sql, [arrays.column(new), *(arrays.column(map(column, values)) for column, values in by_column)])
    else:
        run_for_each(
            sql,
            [
                (*(column(value) for column, value in zip(columns, values, strict=True)), pk)
                for pk, values in new.items()
            ],
        )


def insert_many(rows: Sequence[models.Model], *, ignores_doubles: bool = False) -> None:
    """Store new rows of one model and give them their keys; with `ignores_doubles` without keys.

    Sends no signals and takes no defaults of the database.
    """
    if not rows:
        return
    if ignores_doubles:
        _insert_all(rows, "ON CONFLICT DO NOTHING")
        return
    for some, sql, values in _inserts(rows, "RETURNING id"):
        for row, (pk,) in zip(some, rows_of(sql, values), strict=True):
            row.pk = pk
            row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def insert_new(rows: Sequence[models.Model], key: tuple[str, ...]) -> set[tuple[Any, ...]]:
    """Store those rows of one model that are not there yet; the `key` columns of those that were stored."""
    if not rows:
        return set()
    end = f"ON CONFLICT DO NOTHING RETURNING {', '.join(connection.ops.quote_name(name) for name in key)}"
    return {tuple(stored) for _, sql, values in _inserts(rows, end) for stored in rows_of(sql, values)}


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
    _insert_all(rows, f"ON CONFLICT ({', '.join(names[field] for field in key)}) DO UPDATE SET {new}")


def _insert_all(rows: Sequence[models.Model], end: str) -> None:
    for _, sql, values in _inserts(rows, end):
        run(sql, values)


def _inserts(
    rows: Sequence[models.Model], end: str
) -> Iterator[tuple[Sequence[models.Model], str, list[Any]]]:
    """The INSERTs that store these rows, piece by piece: which rows, the text and its values."""
    head, source, columns = _insert(type(rows[0]), connection.vendor)
    arrays = dialect().arrays
    for start in range(0, len(rows), ROWS_AN_INSERT):
        some = rows[start : start + ROWS_AN_INSERT]
        if arrays:
            sql = f"{head} SELECT * FROM {source} {end}"  # noqa: S608 - names come from the model
            yield some, sql, [arrays.column(map(column, some)) for column in columns]
        else:
            sql = f"{head} VALUES {', '.join([source] * len(some))} {end}"
            yield some, sql, [column(row) for row in some for column in columns]


@functools.cache
def _update_by_key(
    model: type[models.Model], fields: tuple[str, ...], _vendor: str
) -> tuple[str, tuple[Callable[[Any], Any], ...]]:
    """The text of an UPDATE, and what makes its values ready to be bound; the key comes first where they are arrays."""
    quote = connection.ops.quote_name
    by_name = {column.name: column for column in model._meta.concrete_fields}
    columns = [by_name[name] for name in fields]
    table, names = quote(model._meta.db_table), [quote(str(column.column)) for column in columns]
    if arrays := dialect().arrays:
        # One statement for all of them: it is carried out once, and not once for each row.
        settings = ", ".join(f"{name} = new.{name}" for name in names)
        rows = arrays.rows_from([_type(column) for column in (by_name["id"], *columns)])
        sql = f"UPDATE {table} SET {settings} FROM {rows} AS new(id, {', '.join(names)}) WHERE {table}.id = new.id"  # noqa: S608 - names come from the model
    else:
        settings = ", ".join(f"{name} = %s" for name in names)
        sql = f"UPDATE {table} SET {settings} WHERE {quote('id')} = %s"  # noqa: S608 - names come from the model
    return sql, tuple(_of_value(column) for column in columns)


@functools.cache
def _insert(model: type[models.Model], _vendor: str) -> tuple[str, str, tuple[Callable[[Any], Any], ...]]:
    """How an INSERT begins, where its rows come from or how one of them stands in it, and what gives their values."""
    quote = connection.ops.quote_name
    columns = [column for column in model._meta.concrete_fields if not column.primary_key]
    names = ", ".join(quote(str(column.column)) for column in columns)
    arrays = dialect().arrays
    one_row = f"({', '.join(['%s'] * len(columns))})"
    source = arrays.rows_from([_type(column) for column in columns]) if arrays else one_row
    return (
        f"INSERT INTO {quote(model._meta.db_table)} ({names})",
        source,
        tuple(_of_row(column) for column in columns),
    )


def _type(column: models.Field) -> str:
    return str(column.db_type(connection))


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

    def bound(value: Any) -> Any:
        return value if type(value) is plain else column.get_db_prep_save(value, database)

    return bound
