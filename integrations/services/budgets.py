"""What staff see of a system's budget of calls, and the ceiling that they set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from integrations.connectors.errors import HeldBack
from integrations.engine import budget as rules
from integrations.engine import pace
from integrations.models import Lane, System, SystemBudget, Ticket
from integrations.services.refusals import NotPossible
from integrations.store.budgets import budget_of
from integrations.store.claims import due_lanes

# Reasons of a lane that quote nobody's content and are no failures.
LIMIT_CODES = (pace.CODE, HeldBack.code)
# A smaller ceiling would not pay for one change; a larger one is more than any vendor takes.
LEAST, MOST = 10, 100_000


@dataclass(frozen=True, slots=True)
class Holding:
    """Why a system is not called at this moment, and until when."""

    words: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A system's budget as people see it.  `span` says in which time the vendor's `limit` counts."""

    ceiling: int | None
    limit: int | None
    left: int | None
    span: str
    resets_at: datetime | None
    told_at: datetime | None
    last_minute: int
    last_hour: int
    held: int
    held_at: datetime | None
    deliveries_due: int
    readings_due: int
    holding: Holding | None


def standing(system: System, *, now: datetime) -> Standing:
    """The budget now; what is due counts only while the budget holds it back.  A handful of queries."""
    row = SystemBudget.objects.filter(system=system).first() or SystemBudget(system=system)
    budget = budget_of(row)
    holding = _holding(budget, now)
    is_reset = budget.resets_at is not None and budget.resets_at <= now
    return Standing(
        ceiling=budget.ceiling,
        limit=budget.limit,
        left=None if budget.left is None or is_reset else max(0, budget.left),
        span=_span(budget.window_s),
        resets_at=None if is_reset else budget.resets_at,
        told_at=budget.told_at,
        last_minute=rules.calls_in(budget, 1, now),
        last_hour=rules.calls_in(budget, 60, now),
        held=sum(
            count
            for minute, count in row.held.items()
            if int(minute) > int(now.timestamp()) // rules.MINUTE_S - rules.MINUTES_KEPT
        ),
        held_at=row.held_at,
        deliveries_due=due_lanes(now).filter(system=system).count() if holding else 0,
        readings_due=Ticket.objects.read_due(now).filter(system=system).count() if holding else 0,
        holding=holding,
    )


def holdings(systems: Collection[int], *, now: datetime) -> dict[int, Holding]:
    """Those of these systems that their budget keeps from being called, and why.  One query."""
    rows = SystemBudget.objects.filter(system__in=systems)
    found = {row.system_id: _holding(budget_of(row), now) for row in rows}
    return {pk: holding for pk, holding in found.items() if holding}


def holding_of(lane: Lane, of_systems: Mapping[int, Holding], now: datetime) -> Holding | None:
    """The limit that a lane waits for: its ticket's, or its system's if the lane would move otherwise."""
    if lane.state != Lane.State.READY:
        return None
    if lane.failure_code in LIMIT_CODES and lane.next_at > now:
        return Holding(lane.failure_message, lane.next_at)
    return of_systems.get(lane.system_id) if lane.next_at <= now else None


def set_ceiling(system: System, ceiling: int | None) -> SystemBudget:
    """Allow so many calls a minute, by all workers together; None takes the ceiling away.  Holds within seconds."""
    if ceiling is not None and not LEAST <= ceiling <= MOST:
        raise NotPossible(f"A ceiling lies between {LEAST} and {MOST:,} calls a minute.", field="ceiling")
    budget, _ = SystemBudget.objects.get_or_create(system=system)
    budget.ceiling = ceiling
    budget.save(update_fields=["ceiling"])
    return budget


def _holding(budget: rules.Budget, now: datetime) -> Holding | None:
    if rules.available(budget, now) != 0:
        return None
    until = rules.free_at(budget, now)
    if budget.not_before and budget.not_before > now:
        return Holding("The system asked for a pause.", until)
    if budget.left is not None and budget.left <= 0 and budget.resets_at and budget.resets_at > now:
        span = f" {_span(budget.window_s)}" if budget.window_s else ""
        return Holding(f"Waits for the system's limit of {budget.limit:,} calls{span}.", until)
    if budget.ceiling is not None:
        return Holding(f"Waits for our own ceiling of {budget.ceiling:,} calls a minute.", until)
    return Holding("Waits for the system's limit on calls.", until)


def _span(window_s: int | None) -> str:
    if not window_s:
        return ""
    if window_s % 3600 == 0:
        return "an hour" if window_s == 3600 else f"in {window_s // 3600} hours"
    return "a minute" if window_s == 60 else f"in {window_s // 60} minutes"
