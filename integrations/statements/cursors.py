"""How a statement runs: on PostgreSQL its values travel beside the SQL, and the server parses it once.

Django puts the values into the text, so that psycopg and PostgreSQL take each run's text apart anew; that took more
time than carrying it out.  Only the statements of this package are bound by the server: what Django writes elsewhere
may hold expressions whose types the server could not infer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

# A statement is prepared when it runs for the second time.  The engine's own, with their variants for missing values,
# are some two hundred; psycopg forgets the least used beyond this number.
PREPARE_AFTER = 1
PREPARED_AT_MOST = 500


def rows_of(statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows that it gives.  Errors are Django's, here and below."""
    with _opened() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall()


def run(statement: str, params: Sequence[Any]) -> int:
    """Run what gives no rows; how many it changed.

    For itself, because to learn whether there are rows takes psycopg as long as binding the values.
    """
    with _opened() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


def run_for_each(statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run it with each of these values."""
    with _opened() as cursor:
        cursor.executemany(statement, rows)


class _Kept:
    """Lends the connection's own cursor, with Django's wrapping: its errors, its log and its hooks.

    Opening one costs as much as running a short statement.  It goes with its connection.
    """

    def __init__(self, database: Any) -> None:
        self._database = database

    def __enter__(self) -> Any:
        database = self._database
        database.close_if_health_check_failed()
        database.ensure_connection()
        with database.wrap_database_errors:
            kept = getattr(database, "binding_cursor", None)
            if kept is None or kept.connection is not database.connection:
                kept = database.binding_cursor = _open(database.connection)
            kept.renew_plans(time.monotonic())
            return database._prepare_cursor(kept)

    def __exit__(self, *_: object) -> None:
        """It stays open for the next statement."""


def _open(raw: Any) -> Any:
    # Imported here: without PostgreSQL its driver need not be there.
    from integrations.statements.postgres import BindingCursor

    raw.prepare_threshold, raw.prepared_max = PREPARE_AFTER, PREPARED_AT_MOST
    return BindingCursor(raw)


def _opened() -> Any:
    database = connections[DEFAULT_DB_ALIAS]
    return _Kept(database) if database.vendor == "postgresql" else database.cursor()
