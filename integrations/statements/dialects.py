"""How each database takes what is bound, so that one text serves every run."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs from database to database."""

    # A value as it is bound, a list as one.
    bound: Callable[[Any], Any]
    # How something is compared with a list that is bound as one value, of numbers or of texts.
    array: Callable[[bool], str]
    # A constant as text, where it would be prepared as a value otherwise.
    literal: Callable[[Any], str] | None = None


def dialect() -> Dialect:
    """That of the default database."""
    return _dialect(connection.vendor)


@functools.cache
def _dialect(vendor: str) -> Dialect:
    if vendor == "postgresql":
        # Imported here: without PostgreSQL its driver need not be there.
        from integrations.statements import postgres

        return Dialect(postgres.bound, postgres.array, postgres.literal)
    return Dialect(_bound, lambda is_numbers: "IN (SELECT value FROM json_each(%s))")


def _bound(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value)
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
