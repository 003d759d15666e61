"""Linked tickets that are there already: as many as asked for, carried over long ago and quiet since.

The database makes the rows itself, a table at a time: a million of them are a matter of minutes, not of hours.  They
stand in no sandbox; what a change costs beside them is what is to be measured.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db import models, transaction
from django.db.models import Max
from django.utils import timezone

from integrations.models import Connection
from portal.benchmark.existing_rows import MODELS, Of, Place, Rows, rows_of
from slas.models import Agreement

# Rows that one statement makes.
PIECE = 50_000
# How far back they go: reports have months to show.
SPREAD_S = 180 * 24 * 3600


def fill(connection: Connection, count: int) -> None:
    """Make `count` linked tickets of this connection, with their history, deliveries and clocks."""
    agreement = Agreement.objects.filter(connections=connection).order_by("pk").first()
    # One moment for all tables: the database's own goes on from statement to statement on SQLite.
    yesterday = timezone.now() - timedelta(days=1)
    for start in range(0, count, PIECE):
        with transaction.atomic():
            place = _place_of(connection, agreement, has_triggers=not _trust_keys())
            numbers = _numbers(min(PIECE, count - start), start, SPREAD_S / count, yesterday)
            for rows in rows_of(place):
                _insert(rows, place, numbers)
            _count_on()
    # Their clocks are made: what a new agreement leaves to be computed would go on beside the measurement for hours.
    Agreement.objects.filter(connections=connection).update(recompute_from=None)


def remember_sizes() -> None:
    """Let the database look at its tables, so that it plans by what is in them."""
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")


def settle() -> None:
    """The same, and what PostgreSQL would do with so many new rows by itself in the minutes after; no transaction."""
    remember_sizes()
    if database.vendor == "postgresql":
        with database.cursor() as cursor:
            cursor.execute("VACUUM")
            if _is_superuser():
                cursor.execute("CHECKPOINT")


def _place_of(connection: Connection, agreement: Agreement | None, *, has_triggers: bool) -> Place:
    left, right = connection.sides.select_related("system").order_by("position")
    first = {model: _next_key(model) for model in MODELS}
    month = (
        "strftime('%%Y-%%m-01', at)"
        if database.vendor == "sqlite"
        else "CAST(date_trunc('month', at) AS date)"
    )
    agreed = agreement.pk if agreement else None
    return Place(connection.pk, left, right, agreed, first, month, has_triggers)


def _insert(rows: Rows, place: Place, numbers: str) -> None:
    """Make the rows of a table; what they do not name gets the field's own default."""
    columns: list[str] = []
    chosen: list[str] = []
    params: list[Any] = []
    values = dict(rows.values)
    if rows.model in place.first:
        values["id"] = place.key(rows.model, rows.key)
    for field in rows.model._meta.concrete_fields:
        value = values[field.attname] if field.attname in values else _default_of(field)
        columns.append(database.ops.quote_name(str(field.column)))
        if isinstance(value, Of):
            chosen.append(value.sql)
        else:
            chosen.append("%s" if database.vendor == "sqlite" else f"CAST(%s AS {field.db_type(database)})")
            params.append(value)
    sql = (
        f"INSERT INTO {database.ops.quote_name(rows.model._meta.db_table)} ({', '.join(columns)}) "  # noqa: S608
        f"SELECT {', '.join(chosen)} FROM ({numbers}) AS numbers"
    )
    with database.cursor() as cursor:
        cursor.execute(sql, params)


def _default_of(field: models.Field[Any, Any]) -> object:
    value = field.get_default()
    return json.dumps(value) if isinstance(value, list | dict) else value


def _numbers(count: int, start: int, every_s: float, last: datetime) -> str:
    """`n` from 0 on and `at`, at `last` and so many seconds earlier for each, those before `start` counted."""
    moment = f"{last:%Y-%m-%d %H:%M:%S}"
    if database.vendor == "sqlite":
        return (
            "WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL "  # noqa: S608 - numbers of ours
            f"SELECT n + 1 FROM counted WHERE n < {count - 1}) "
            f"SELECT n, strftime('%%Y-%%m-%%d %%H:%%M:%%S', '{moment}', "
            f"'-' || (({start} + n) * {every_s:.6f}) || ' seconds') AS at FROM counted"
        )
    return (
        f"SELECT n, timestamptz '{moment}+00' - ({start} + n) * {every_s:.6f} * interval '1 second' AS at "  # noqa: S608
        f"FROM generate_series(0, {count - 1}) AS n"
    )


def _next_key(model: type[models.Model]) -> int:
    last = model._base_manager.aggregate(last=Max("pk"))["last"]
    return int(last or 0) + 1


def _trust_keys() -> bool:
    """Let PostgreSQL take our word for every key, where we may: looking each one up costs more than storing it.

    Whether it does; then it carries no trigger out either.
    """
    if database.vendor != "postgresql":
        return False
    is_allowed = _is_superuser()
    if is_allowed:
        with database.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
    return is_allowed


def _is_superuser() -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT current_setting('is_superuser') = 'on'")
        return bool(cursor.fetchone()[0])


def _count_on() -> None:
    """PostgreSQL counts keys by itself, and has not seen ours."""
    if database.vendor != "postgresql":
        return
    with database.cursor() as cursor:
        for model in MODELS:
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence(%s, 'id'), (SELECT max(id) FROM {database.ops.quote_name(table)}))",  # noqa: S608
                [f'"{table}"'],
            )
