"""Lists of up to some thousands of rows: narrowed, sorted, paged, all of it in the address.  `keyset` is for longer ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

PER_PAGE = 50
# A column that a telephone has no room for; the row's own page tells it there.
WIDE = "d-none d-md-table-cell"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list.  `order` is what the database sorts by; without it the column cannot be sorted."""

    label: str
    key: str = ""
    order: str = ""
    css: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A column's heading as the template needs it: `next` is the order that a click leads to."""

    label: str
    css: str
    next: str
    sorted: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of rows with its headings."""

    page: Page
    heads: list[Head]
    sort: str

    @property
    def total(self) -> int:
        """How many rows there are on all pages."""
        return self.page.paginator.count


def listing(
    request: HttpRequest,
    rows: QuerySet[Any],
    columns: Sequence[Column],
    *,
    default: str,
    per_page: int = PER_PAGE,
) -> Listing:
    """The page that the address asks for; an unknown order or page number gives the usual one.  Two queries."""
    ordered, sort = in_order(request, rows, columns, default=default)
    page = Paginator(ordered, per_page).get_page(request.GET.get("page"))
    return Listing(page, [_head(column, sort) for column in columns], sort)


def in_order(
    request: HttpRequest, rows: QuerySet[Any], columns: Sequence[Column], *, default: str
) -> tuple[QuerySet[Any], str]:
    """All rows in the order that the address asks for, and that order: a key, with a minus for descending."""
    orders = {column.key: column.order for column in columns if column.order}
    sort = request.GET.get("sort", default)
    if sort.removeprefix("-") not in orders:
        sort = default
    sign = "-" if sort.startswith("-") else ""
    # The key at the end keeps pages apart when many rows are equal.
    return rows.order_by(f"{sign}{orders[sort.removeprefix('-')]}", "pk"), sort


def count_beside(rows: QuerySet[Any], link: str) -> Coalesce:
    """How many of `rows` belong to each row of a list by their field `link`, for `annotate`.

    Counted beside the row: joined, two counts would multiply.  Never empty: databases sort nothing differently.
    """
    mine = rows.filter(**{link: OuterRef("pk")}).order_by().values(link)
    return Coalesce(Subquery(mine.annotate(count=Count("pk")).values("count")), 0)


def _head(column: Column, sort: str) -> Head:
    if not column.order:
        return Head(column.label, column.css, next="", sorted="")
    is_sorted = sort.removeprefix("-") == column.key
    if not is_sorted:
        return Head(column.label, column.css, next=column.key, sorted="")
    is_down = sort.startswith("-")
    return Head(
        column.label,
        column.css,
        next=column.key if is_down else f"-{column.key}",
        sorted="descending" if is_down else "ascending",
    )
