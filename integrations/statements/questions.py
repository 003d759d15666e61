"""Questions and orders: SELECTs and UPDATEs that are described once and run with other values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.db import connection, models
from django.db.models.sql import UpdateQuery

from integrations.statements import written
from integrations.statements.cursors import rows_of, run


class _Statement:
    """A description that is turned into SQL once, for each set of names and lists of one or several."""

    def __init__(self) -> None:
        self._written: dict[tuple[object, ...], written.Written] = {}

    def describe(self, **values: Any) -> models.QuerySet[Any] | UpdateQuery:
        """The query with these values."""
        raise NotImplementedError

    def _bound(self, given: dict[str, Any]) -> tuple[str, list[Any], written.Written] | None:
        """The text and its parameters, and who reads the rows; None when a collection is empty or the limit is 0."""
        if written.asks_for_nothing(given):
            return None
        values = {name: written.listed(value) for name, value in given.items()}
        shape = (connection.vendor, *values, *map(written.is_one, values.values()))
        found = self._written.get(shape)
        if found is None:
            found = self._written[shape] = written.write(self.describe, values)
        return found.sql(given.get("limit")), found.bind(values), found


class Question(_Statement):
    """A SELECT.  `build` describes it: a function of named values that returns a queryset.

    Values may be whole numbers, texts, moments, or collections of numbers or texts for `__in`.  What `build` takes
    under the name `limit` becomes part of the SQL text.  With `values_list` a run gives tuples, otherwise objects.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any]]) -> None:
        super().__init__()
        self._build = build

    def __call__(self, **given: written.Given) -> list[Any]:
        """The rows; none without a query when a collection is empty or the limit is 0."""
        if (bound := self._bound(given)) is None:
            return []
        statement, params, found = bound
        return found.read(rows_of(statement, params))

    def describe(self, **values: Any) -> models.QuerySet[Any]:
        """The queryset with these values."""
        return self._build(**values)


class Order(_Statement):
    """An UPDATE.  `build` returns the rows meant, of one table, and their new values; either may use what is given."""

    def __init__(self, build: Callable[..., tuple[models.QuerySet[Any], dict[str, Any]]]) -> None:
        super().__init__()
        self._build = build

    def __call__(self, **given: written.Given) -> int:
        """Carry it out; the number of rows, 0 without a query when a collection is empty."""
        if (bound := self._bound(given)) is None:
            return 0
        statement, params, _ = bound
        return run(statement, params)

    def describe(self, **values: Any) -> UpdateQuery:
        """The update with these values."""
        rows, new = self._build(**values)
        query: Any = rows.query.chain(UpdateQuery)
        query.add_update_values(new)
        return cast(UpdateQuery, query)
