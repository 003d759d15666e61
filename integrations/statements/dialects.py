"""How each database takes what is bound, so that one text serves every run."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Arrays:
    """How many rows are bound as one array for each of their columns."""

    # Rows of columns of these types, as they stand in the text.
    rows_from: Callable[[Sequence[str]], str]
    # The values of one column as they are bound.
    column: Callable[[Iterable[Any]], str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs from database to database."""

    # A value as it is bound, a list as one.
    bound: Callable[[Any], Any]
    # How something is compared with a list that is bound as one value, of numbers or of texts.
    array: Callable[[bool], str]
    # A constant as text, where it would be prepared as a value otherwise.
    literal: Callable[[Any], str] | None = None
    # None where each row is bound value by value.
    arrays: Arrays | None = None


def dialect() -> Dialect:
    """That of the default database."""
    return _dialect(connection.vendor)


@functools.cache
def _dialect(vendor: str) -> Dialect:
    if vendor == "postgresql":
        # Imported here: without PostgreSQL its driver need not be there.
        from integrations.statements import postgres

        arrays = Arrays(postgres.rows_from, postgres.column)
        return Dialect(postgres.bound, postgres.array, postgres.literal, arrays)
    return Dialect(_bound, lambda is_numbers: "IN (SELECT value FROM json_each(%s))")


def _bound(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value)
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
