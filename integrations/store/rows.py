"""Many rows changed with one statement prepared once.

`bulk_update` builds one large CASE for each column, which costs more than the engine's whole step; here each row's
values go through the same short UPDATE.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from django.db import connection, models


def update_many(
    model: type[models.Model], fields: tuple[str, ...], rows: Iterable[tuple[int, Sequence[object]]]
) -> None:
    """Set `fields` of each row to its values; a row is its key and the values in the fields' order."""
    sql, columns = _statement(model, fields, connection.vendor)
    prepared = [
        (
            *(
                column.get_db_prep_save(value, connection)
                for column, value in zip(columns, values, strict=True)
            ),
            pk,
        )
        for pk, values in rows
    ]
    if prepared:
        with connection.cursor() as cursor:
            cursor.executemany(sql, prepared)


@functools.cache
def _statement(
    model: type[models.Model], fields: tuple[str, ...], _vendor: str
) -> tuple[str, tuple[models.Field, ...]]:
    quote = connection.ops.quote_name
    by_name = {column.name: column for column in model._meta.concrete_fields}
    columns = tuple(by_name[name] for name in fields)
    settings = ", ".join(f"{quote(str(column.column))} = %s" for column in columns)
    table, key = quote(model._meta.db_table), quote("id")
    return f"UPDATE {table} SET {settings} WHERE {key} = %s", columns  # noqa: S608 - names come from the model
