"""What acting on many has in common, whatever they are: how it begins and ends, and what came of it.

An action is written down with a row for each that is meant, then confirmed, then done some rows at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Count, Manager, QuerySet
from django.http import QueryDict
from django.urls import reverse

from portal.keyset import key_page
from portal.models import DriftAction, DriftActionItem, QueueAction, QueueActionLane

Action = TypeVar("Action", QueueAction, DriftAction)
Row = TypeVar("Row", QueueActionLane, DriftActionItem)

# More than anybody can mean; what is left over is acted on by asking again.
MOST = 10_000
# What nobody has confirmed is forgotten after a day.
FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Told:
    """How often something was the answer."""

    outcome: str
    message: str
    count: int


def forget_unconfirmed(actions: Manager[Action], now: datetime) -> None:
    """Delete those of a person's actions that were never begun."""
    actions.filter(started_at=None, asked_at__lt=now - FORGOTTEN_AFTER).delete()


def begin(action: Action, now: datetime) -> None:
    """Note when it began; the first time counts."""
    if action.started_at is None:
        type(action)._default_manager.filter(pk=action.pk, started_at=None).update(started_at=now)


def end(action: Action, now: datetime) -> None:
    """Note when it ended; the first time counts."""
    type(action)._default_manager.filter(pk=action.pk, ended_at=None).update(ended_at=now)


def unfinished(actions: Manager[Action]) -> QuerySet[Action]:
    """Those of a person's actions that began and did not come to their end."""
    return actions.filter(started_at__isnull=False, ended_at=None).order_by("-pk")


def told_of(rows: Manager[Row]) -> list[Told]:
    """What came of an action's rows, by answer, the most frequent first.  One query."""
    outcomes = rows.model.Outcome
    answers = rows.exclude(outcome=outcomes.TO_DO).order_by().values_list("outcome", "message")
    counted = answers.annotate(count=Count("pk")).order_by("-count", "message")
    return [Told(outcomes(outcome).label, message, count) for outcome, message, count in counted[:20]]


def shared_page(action: Action, rows: Manager[Row], query: QueryDict, name: str) -> dict[str, Any]:
    """What the page of an action shows whatever it acts on; `name` is its address's, with `_run` and `_drop` beside it."""
    outcomes = rows.model.Outcome
    counts = dict(rows.order_by().values_list("outcome").annotate(count=Count("pk")))
    total, outcome = sum(counts.values()), query.get("outcome", "")
    narrowed = rows.filter(outcome=outcome) if outcome in outcomes.values else rows.all()
    return {
        "action": action,
        "told": told_of(rows),
        "total": total,
        "finished": total - counts.get(outcomes.TO_DO, 0),
        "is_more": total >= MOST,
        "outcomes": [(value, label, counts.get(value, 0)) for value, label in outcomes.choices],
        "outcome": outcome,
        "page": key_page(narrowed, ("pk",), query.get("page", "")),
        "here": reverse(name, args=[action.pk]),
        "run": reverse(f"{name}_run", args=[action.pk]),
        "drop": reverse(f"{name}_drop", args=[action.pk]),
    }
