"""What an act costs a database: how much of its tables it goes through, and how it finds its way.  No seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

# SQLite tells of every so many instructions; fewer are noise.
INSTRUCTIONS = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement with its values."""

    sql: str
    params: Any

    @property
    def plan(self) -> str:
        """How the database carries it out."""
        word = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        with connection.cursor() as cursor:
            cursor.execute(f"{word} {self.sql}", self.params)
            return " ".join(str(row[-1]) for row in cursor.fetchall())

    @property
    def general_plan(self) -> str:
        """How it is carried out by a plan that PostgreSQL makes for whatever values."""
        if connection.vendor == "sqlite" or not self.params:
            return self.plan
        first, *others = self.sql.split("%s")
        numbered = first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            cursor.execute(f"PREPARE asked AS {numbered.replace('%%', '%')}")
            cursor.execute(f"EXPLAIN EXECUTE asked ({', '.join(['NULL'] * len(others))})")
            plan = " ".join(str(row[-1]) for row in cursor.fetchall())
            cursor.execute("DEALLOCATE asked")
            cursor.execute("SET LOCAL plan_cache_mode = auto")
        return plan


@contextmanager
def noted() -> Iterator[list[Asked]]:
    """Every statement that is asked meanwhile."""
    asked: list[Asked] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.extend(Asked(sql, one) for one in (params[:1] if many else [params]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield asked


def cost_of(do: Callable[[], object]) -> int:
    """How much work it makes: rows read on PostgreSQL, instructions of its machine on SQLite, about ten a row.

    On PostgreSQL the test has to run in a transaction, whose own counters are asked.
    """
    if connection.vendor == "sqlite":
        return _instructions(do)
    before = _rows_read()
    do()
    return _rows_read() - before


def _instructions(do: Callable[[], object]) -> int:
    connection.ensure_connection()
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += INSTRUCTIONS
        return 0

    connection.connection.set_progress_handler(count, INSTRUCTIONS)
    try:
        do()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return counted


def _rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables")
        return int(cursor.fetchone()[0])
