"""Long lists page by page, by key: the next page begins after the last row, so page 20,000 costs what page 1 costs.

The order must end with a unique column and have all its columns in one direction; an index on them answers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q, QuerySet

ONWARDS, BACK = "n", "p"


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some rows, and the tokens of the pages before and after; a token is empty where there is no such page."""

    rows: Sequence[Any] = field(default_factory=list)
    previous: str = ""
    next: str = ""


def key_page(rows: QuerySet[Any], order: Sequence[str], token: str = "", size: int = 50) -> KeyPage:
    """The page that `token` names; the first one for an empty token or one that is not understood.  One query."""
    names = [name.removeprefix("-") for name in order]
    direction, key = _read(rows.model, names, token)
    backwards = direction == BACK
    descending = order[0].startswith("-") is not backwards
    if key:
        rows = rows.filter(_beyond(names, key, descending=descending))
    found = list(rows.order_by(*(f"-{name}" if descending else name for name in names))[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    if not found:
        return KeyPage()
    return KeyPage(
        found,
        previous=_token(BACK, found[0], names) if (has_more if backwards else key) else "",
        next=_token(ONWARDS, found[-1], names) if backwards or has_more else "",
    )


def _beyond(names: Sequence[str], key: Sequence[Any], *, descending: bool) -> Q:
    """Rows after the key, as a condition that an index on the columns can answer by seeking."""
    comparison = "lt" if descending else "gt"
    first, *rest = names
    if not rest:
        return Q(**{f"{first}__{comparison}": key[0]})
    same = Q(**{first: key[0]}) & _beyond(rest, key[1:], descending=descending)
    # The first part is implied by the second; it is what the database seeks by.
    return Q(**{f"{first}__{comparison}e": key[0]}) & (Q(**{f"{first}__{comparison}": key[0]}) | same)


def _token(direction: str, row: models.Model, names: Sequence[str]) -> str:
    values = (getattr(row, _attribute(row, name)) for name in names)
    return "_".join(
        [direction, *(one.isoformat() if isinstance(one, datetime) else str(one) for one in values)]
    )


def _attribute(row: models.Model, name: str) -> str:
    return _column(type(row), name).attname


def _read(model: type[models.Model], names: Sequence[str], token: str) -> tuple[str, list[Any]]:
    """Direction and key of a token; no key when it is not one of ours for this order."""
    direction, *texts = token.split("_")
    if direction not in (ONWARDS, BACK) or len(texts) != len(names):
        return ONWARDS, []
    try:
        key = [_column(model, name).to_python(text) for name, text in zip(names, texts, strict=True)]
    except (ValidationError, FieldDoesNotExist, OverflowError):
        return ONWARDS, []
    return (direction, key) if all(one is not None for one in key) else (ONWARDS, [])


def _column(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    found = model._meta.pk if name == "pk" else model._meta.get_field(name)
    assert isinstance(found, models.Field)
    return found
