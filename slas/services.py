"""What is done with agreements and clocks: record facts, compute clocks, explain them, change terms.

Clocks are derived: computing them again gives the same rows.  Whoever computes the clocks of a ticket holds that
ticket's lock, so that of two changes seen at the same time the second also counts the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Q, QuerySet

from integrations.models import Connection, LinkedTicket, Partner
from integrations.statements import Question, insert_many, upsert_many
from slas import calendars, clock, matrix, terms
from slas.calendars import ServiceHours
from slas.clock import Fact, Kind, Measurement, State, What
from slas.models import (
    Agreement,
    Calendar,
    Clock,
    Holiday,
    Hours,
    PriorityMatrix,
    Target,
    Timing,
)

SECOND = timedelta(seconds=1)
BATCH = 500
# What a clock is identified by; the rest is computed.
CLOCK_KEY = ("linked_ticket", "agreement", "kind")
# Facts that move the beginning, and with it perhaps the agreement that holds.
BEGINNINGS = {What.OPENED, What.HANDED_OVER}

Progress = Callable[[int, int], None]

# How long one sweep computes what changed terms left, and how long in any case.
BUDGET_S, LEAST_S = 20.0, 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How work that can wait makes room: after `least_s` it ends as soon as `others_wait` says so."""

    others_wait: Callable[[], bool] = lambda: False
    least_s: float = LEAST_S


ALONE = Pace()


# --- Recording and computing ---


def record(linked_tickets: Sequence[LinkedTicket], timings: Sequence[Timing], now: datetime) -> None:
    """Add facts of these tickets and bring their clocks up to date, together or not at all.

    Repeatable: a fact that is there already changes nothing.  Four queries (three on SQLite), whatever the number of
    tickets; two more when the facts tell of a beginning.
    """
    beginning = {timing.linked_ticket_id for timing in timings if timing.what in BEGINNINGS}
    with transaction.atomic(savepoint=False):
        if database.features.has_select_for_update:
            _lock(keys=sorted(ticket.pk for ticket in linked_tickets))
        insert_many(timings, ignores_doubles=True)
        clocks = _compute(linked_tickets, now)
        _prune([ticket for ticket in linked_tickets if ticket.pk in beginning], clocks)


def recompute(linked_ticket: LinkedTicket, now: datetime) -> None:
    """Derive the clocks of one ticket again.  Repeatable; the rows are the same unless terms or facts changed."""
    with transaction.atomic(savepoint=False):
        _locked([linked_ticket.pk])
        _prune([linked_ticket], _compute([linked_ticket], now))


def recompute_all(now: datetime, progress: Progress | None = None) -> int:
    """Derive all clocks again; returns the number of linked tickets.  Repeatable, and safe beside running work.

    `progress(done, total)` is called after every batch.
    """
    tickets = LinkedTicket.objects.all()
    total, done, after = tickets.count() if progress else 0, 0, 0
    while True:
        with transaction.atomic():
            batch = _recompute_batch(tickets, after, now)
        if not batch:
            return done
        done, after = done + len(batch), batch[-1]
        if progress:
            progress(done, max(total, done))


def recompute_agreement(agreement: Agreement, now: datetime) -> int:
    """Derive the clocks of all tickets that an agreement may cover, at once rather than with the next sweeps.

    Returns how many tickets that were.
    """
    Agreement.objects.filter(pk=agreement.pk).update(recompute_from=0)
    total = 0
    while done := _continue_agreement(agreement.pk, now):
        total += done
    return total


def _recompute_batch(tickets: QuerySet[LinkedTicket], after: int, now: datetime) -> list[int]:
    """Compute the next tickets in the caller's transaction; returns their keys, none when all are done.

    It waits only for the first one, while it holds no other, and ends before the next one that somebody else holds:
    who locks two tickets in another order than we could otherwise wait for us while we wait for them.
    """
    keys = list(tickets.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH])
    locked = [*_locked(keys[:1]), *_locked(keys[1:], skip_locked=True)]
    free = {ticket.pk for ticket in locked}
    # The first is ours, or has been deleted meanwhile.
    taken = keys[:1] + list(takewhile(free.__contains__, keys[1:]))
    if taken:
        ours = [ticket for ticket in locked if ticket.pk <= taken[-1]]
        _prune(ours, _compute(ours, now))
    return taken


def covered_tickets(agreement: Agreement) -> QuerySet[LinkedTicket]:
    """Linked tickets that an agreement may cover: of its connections, or of all that join both parties."""
    return LinkedTicket.objects.filter(connection__in=_places(agreement))


def _places(agreement: Agreement) -> list[int]:
    named = list(agreement.connections.values_list("pk", flat=True))
    if named:
        return named
    joined = Connection.objects.filter(sides__system__partner=agreement.customer_id).filter(
        sides__system__partner=agreement.provider_id
    )
    return list(joined.distinct().values_list("pk", flat=True))


def _drop_uncovered(agreement: Agreement) -> None:
    """Delete the clocks of connections that an agreement covered before it was changed."""
    agreement.clocks.exclude(linked_ticket__connection__in=_places(agreement)).delete()


def _locked(keys: Sequence[int], *, skip_locked: bool = False) -> list[LinkedTicket]:
    """The linked tickets with their rows locked until the end of the transaction.

    Without the lock, two processes that record facts of one ticket would each compute without the other's.  On SQLite
    the transaction holds the only write lock anyway.
    """
    if not keys:
        return []
    if not database.features.has_select_for_update:
        return list(LinkedTicket.objects.filter(pk__in=keys).order_by("pk"))
    # NO KEY: rows that merely refer to the ticket may still be written by others.
    rows = LinkedTicket.objects.select_for_update(no_key=True, skip_locked=skip_locked)
    return list(rows.filter(pk__in=keys).order_by("pk"))


def _compute(tickets: Sequence[LinkedTicket], now: datetime) -> list[Clock]:
    """Read the facts of these tickets and write their clocks."""
    if not tickets:
        return []
    facts, token = _facts_of(tickets)
    book = terms.current(token)
    if not all(book.knows(ticket.connection_id, ticket.origin_id) for ticket in tickets):
        book = terms.reread(token)
    clocks = [row for ticket in tickets for row in _clocks(ticket, facts[ticket.pk], book, now)]
    upsert_many(clocks, key=CLOCK_KEY)
    return clocks


def _prune(tickets: Sequence[LinkedTicket], clocks: Sequence[Clock]) -> None:
    """Drop the clocks of agreements that do not hold for these tickets any more."""
    kept = {(row.linked_ticket_id, row.agreement_id, str(row.kind)) for row in clocks}
    found = _clocks_of(linked=[ticket.pk for ticket in tickets])
    left_over = [pk for pk, *key in found if tuple(key) not in kept]
    if left_over:
        Clock.objects.filter(pk__in=left_over).delete()


def _facts_of(tickets: Sequence[LinkedTicket]) -> tuple[dict[int, list[Fact]], str]:
    """The facts of each ticket, and the token of the terms that hold at this moment."""
    origins = {ticket.pk: ticket.origin_id for ticket in tickets}
    found: dict[int, list[Fact]] = {pk: [] for pk in origins}
    token = None
    rows = _timings_of(linked=list(origins))
    for ticket_id, side_id, what, value, happened_at, position, event_id, token in rows:  # noqa: B007
        by_provider = side_id != origins[ticket_id]
        found[ticket_id].append(Fact(happened_at, What(what), value, by_provider, position, event_id))
    if not any(found.values()):
        token = terms.token_now()
    for ticket in tickets:
        if not found[ticket.pk]:
            # Linked before anybody measured: at least its opening is known.
            found[ticket.pk].append(Fact(ticket.opened_at or ticket.created_at, What.OPENED))
    return found, token or ""


def _clocks(ticket: LinkedTicket, facts: Sequence[Fact], book: terms.Book, now: datetime) -> list[Clock]:
    found = []
    for agreed, kinds in book.covering(ticket.connection_id, ticket.origin_id):
        for kind in kinds:
            measured = clock.measure(facts, agreed.terms, kind, now)
            if measured and agreed.is_in_force(measured.started_at):
                found.append(_row(ticket.pk, agreed, measured))
    return found


def _row(linked_ticket_id: int, agreed: terms.Agreed, measured: Measurement) -> Clock:
    since = _state_since(measured)
    settled = [one for one in measured.intervals if one.to_at is not None and one.to_at <= since]
    return Clock(
        linked_ticket_id=linked_ticket_id,
        agreement_id=agreed.agreement_id,
        kind=measured.kind.value,
        state=measured.state.value,
        priority=measured.priority.value if measured.priority else "",
        type=measured.type.value if measured.type else "",
        target_s=None if measured.target is None else measured.target // SECOND,
        month=agreed.month_of(measured.started_at),
        started_at=measured.started_at,
        state_since=since,
        due_at=measured.due_at,
        breaches_at=measured.breaches_at,
        stopped_at=measured.stopped_at,
        elapsed_s=_total(settled, State.RUNNING) // SECOND,
        paused_s=_total(settled, State.PAUSED) // SECOND,
        wall_s=None if measured.wall is None else measured.wall // SECOND,
        is_breached=measured.is_breached,
    )


def _state_since(measured: Measurement) -> datetime:
    """When it began to do what it does: a new priority begins an interval, but not a new state."""
    since = measured.intervals[-1].from_at
    for interval in reversed(measured.intervals):
        if interval.state is not measured.state:
            break
        since = interval.from_at
    return since


def _total(intervals: Iterable[clock.Interval], state: State) -> timedelta:
    return sum((one.service_time for one in intervals if one.state is state), timedelta())


# NO KEY: rows that merely refer to the ticket may still be written by others.
_lock = Question(
    lambda keys: (
        LinkedTicket.objects.select_for_update(no_key=True)
        .filter(pk__in=keys)
        .order_by("pk")
        .values_list("pk")
    )
)
_timings_of = Question(
    lambda linked: Timing.objects.filter(linked_ticket__in=linked).values_list(
        "linked_ticket_id",
        "side_id",
        "what",
        "value",
        "happened_at",
        "position",
        "event_id",
        terms.token_query(),
    )
)
_clocks_of = Question(
    lambda linked: Clock.objects.filter(linked_ticket__in=linked).values_list(
        "pk", "linked_ticket_id", "agreement_id", "kind"
    )
)


# --- Keeping up ---


def sweep(now: datetime, budget_s: float = BUDGET_S, pace: Pace = ALONE) -> tuple[int, int]:
    """Mark clocks that ran out, then go on with what changed terms left to compute, as far as the time goes.

    Returns both numbers.  Repeatable, and safe to run twice at the same time.
    """
    return mark_breaches(now), continue_recomputing(now, budget_s, pace)


def mark_breaches(now: datetime) -> int:
    """Running clocks past their last moment become breached; returns how many.  In batches, so that no lock is long.

    The condition is part of the update: a clock that was stopped or moved meanwhile is left alone.
    """
    total = 0
    while keys := list(Clock.objects.overdue(now).values_list("pk", flat=True)[:BATCH]):
        marked = Clock.objects.overdue(now).filter(pk__in=keys).update(is_breached=True)
        total += marked
        if not marked:
            break
    return total


def continue_recomputing(now: datetime, budget_s: float, pace: Pace = ALONE) -> int:
    """Compute clocks of agreements whose terms were changed, until done or the time is up; returns how many tickets.

    At a million tickets that takes many rounds, and it can wait: a round ends earlier when others have work to do.

    How far it got is kept with the agreement, in the transaction of each batch: it survives a restart, and a change of
    terms in between begins again from the start.
    """
    begun_at, total = time.monotonic(), 0

    def is_over() -> bool:
        spent_s = time.monotonic() - begun_at
        return spent_s >= budget_s or (spent_s >= pace.least_s and pace.others_wait())

    waiting = Agreement.objects.filter(recompute_from__isnull=False).order_by("pk")
    for key in list(waiting.values_list("pk", flat=True)):
        while done := _continue_agreement(key, now):
            total += done
            if is_over():
                return total
    return total


def _continue_agreement(agreement_id: int, now: datetime) -> int:
    """One batch of one agreement; returns how many tickets it computed, 0 when all are done."""
    with transaction.atomic():
        rows = Agreement.objects.all()
        if database.features.has_select_for_update:
            # A change of terms waits here until the batch, computed by the old ones, is done; then it starts over.
            rows = rows.select_for_update(no_key=True)
        agreement = rows.filter(pk=agreement_id, recompute_from__isnull=False).first()
        if agreement is None or agreement.recompute_from is None:
            return 0
        keys = _recompute_batch(covered_tickets(agreement), agreement.recompute_from, now)
        if not keys:
            _drop_uncovered(agreement)
        Agreement.objects.filter(pk=agreement_id).update(recompute_from=keys[-1] if keys else None)
    return len(keys)


# --- Showing ---


@dataclass(frozen=True, slots=True)
class Live:
    """A stored clock at this moment: service time used, paused and left (negative when breached)."""

    clock: Clock
    elapsed: timedelta
    paused: timedelta
    remaining: timedelta | None

    @property
    def used_share(self) -> float | None:
        """Part of the target that is used: 1.0 is all of it; None without a target."""
        target_s = self.clock.target_s
        return None if target_s is None else self.elapsed / timedelta(seconds=target_s)


def live(clocks: Iterable[Clock], now: datetime) -> list[Live]:
    """Stored clocks with what has passed since they were written; one query, whatever their number."""
    book = terms.current(terms.token_now())
    return [_live(row, book, now) for row in clocks]


def _live(row: Clock, book: terms.Book, now: datetime) -> Live:
    agreed = book.agreements.get(row.agreement_id)
    hours = agreed.terms.hours if agreed else calendars.ALWAYS
    since = calendars.between(hours, row.state_since, max(now, row.state_since))
    elapsed = row.elapsed_s * SECOND + (since if row.state == Clock.State.RUNNING else timedelta())
    paused = row.paused_s * SECOND + (since if row.state == Clock.State.PAUSED else timedelta())
    remaining = None if row.target_s is None else row.target_s * SECOND - elapsed
    return Live(row, elapsed, paused, remaining)


@dataclass(frozen=True, slots=True)
class Explained:
    """A clock with its arithmetic: `measurement.intervals`, whose causes lead to events."""

    agreement_id: int
    measurement: Measurement
    hours: ServiceHours


def explain(linked_ticket: LinkedTicket, now: datetime, *, as_of: datetime | None = None) -> list[Explained]:
    """All clocks of a ticket, computed from its facts, by agreement and kind; one query.

    With `as_of` as they stood then, by the facts of then and the terms of now.
    """
    facts, token = _facts_of([linked_ticket])
    book = terms.current(token)
    moment = as_of or now
    known = [fact for fact in facts[linked_ticket.pk] if as_of is None or fact.at <= as_of]
    found = []
    for agreed, kinds in book.covering(linked_ticket.connection_id, linked_ticket.origin_id):
        for kind in kinds:
            measured = clock.measure(known, agreed.terms, kind, moment)
            if measured and agreed.is_in_force(measured.started_at):
                found.append(Explained(agreed.agreement_id, measured, agreed.terms.hours))
    return found


# --- Changing terms ---

Changes = dict[str, list[Any]]


def edit_matrix(priority_matrix: PriorityMatrix, rows: object) -> Changes:
    """Give a matrix new rows (words or numbers); returns what changed, for the audit trail.

    ValueError names the cell that is no priority.  Clocks of its agreements are computed again with the next sweeps.
    """
    before, after = priority_matrix.rows, matrix.cells(matrix.matrix_from(rows))
    if before == after:
        return {}
    priority_matrix.rows = after
    priority_matrix.save(update_fields=["rows"])
    return {"rows": [before, after]}


@dataclass(frozen=True, slots=True)
class Goal:
    """One target as people enter it; no type means all types."""

    kind: str
    priority: str
    minutes: int
    type: str = ""


@transaction.atomic
def set_targets(agreement: Agreement, goals: Iterable[Goal]) -> Changes:
    """Replace an agreement's targets; returns what changed, one entry a target.  ValidationError for a wrong one."""
    wanted = {(goal.kind, goal.priority, goal.type): goal.minutes for goal in goals}
    rows = {(row.kind, row.priority, row.type): row for row in agreement.targets.all()}
    changes: Changes = {}
    for key in sorted(wanted.keys() | rows.keys()):
        row, minutes = rows.get(key), wanted.get(key)
        before = row.minutes if row else None
        if before == minutes:
            continue
        changes[" ".join(part for part in key if part)] = [before, minutes]
        if minutes is None:
            assert row is not None
            row.delete()
            continue
        row = row or Target(agreement=agreement, kind=key[0], priority=key[1], type=key[2])
        row.minutes = minutes
        row.full_clean(validate_unique=False, validate_constraints=False)
        row.save()
    return changes


@transaction.atomic
def set_hours(calendar: Calendar, windows: Iterable[calendars.Window]) -> Changes:
    """Replace a calendar's weekly hours; returns what changed, one entry a weekday that differs."""
    before = _week(calendar)
    wanted = sorted(set(windows))
    calendar.hours.all().delete()
    Hours.objects.bulk_create(
        Hours(calendar=calendar, weekday=one.weekday, from_min=one.from_min, to_min=one.to_min)
        for one in wanted
    )
    after = _week(calendar)
    changes = {day: [before.get(day, ""), after.get(day, "")] for day in sorted(before.keys() | after.keys())}
    changes = {day: change for day, change in changes.items() if change[0] != change[1]}
    if changes:
        terms.announce_change(Q(calendar=calendar))
    return changes


def _week(calendar: Calendar) -> dict[str, str]:
    days: dict[str, list[str]] = {}
    for row in Hours.objects.filter(calendar=calendar).order_by("weekday", "from_min"):
        days.setdefault(row.get_weekday_display(), []).append(row.span)
    return {day: ", ".join(spans) for day, spans in days.items()}


@transaction.atomic
def set_holidays(calendar: Calendar, holidays: Iterable[tuple[date, str]]) -> Changes:
    """Replace a calendar's holidays; returns what changed, one entry a date."""
    wanted = dict(holidays)
    before = dict(calendar.holidays.values_list("date", "name"))
    changes: Changes = {
        day.isoformat(): [before.get(day), wanted.get(day)]
        for day in sorted(before.keys() | wanted.keys())
        if before.get(day) != wanted.get(day)
    }
    if changes:
        calendar.holidays.all().delete()
        Holiday.objects.bulk_create(
            Holiday(calendar=calendar, date=day, name=name) for day, name in wanted.items()
        )
        terms.announce_change(Q(calendar=calendar))
    return changes


# --- The reference ---

ROUND_THE_CLOCK = "24 × 7"
REFERENCE_MATRIX = "Reference"
# Minutes for answering and resolving, by priority.
REFERENCE_TARGETS = {
    matrix.Priority.CRITICAL: (15, 2 * 60),
    matrix.Priority.HIGH: (30, 8 * 60),
    matrix.Priority.MEDIUM: (2 * 60, 24 * 60),
    matrix.Priority.LOW: (8 * 60, 72 * 60),
}


def round_the_clock() -> Calendar:
    """The calendar "24 × 7", made where it is missing."""
    calendar, is_new = Calendar.objects.get_or_create(name=ROUND_THE_CLOCK)
    if is_new:
        set_hours(calendar, calendars.ALWAYS.windows)
    return calendar


@transaction.atomic
def load_reference(
    customer: Partner,
    provider: Partner,
    connections: Iterable[Connection] = (),
    *,
    kind: str = Agreement.Kind.SLA,
    valid_from: date = date(2000, 1, 1),
) -> Agreement:
    """An agreement between two partners with the reference matrix, targets and calendar.

    Repeatable: an agreement that is there already is returned as it is.
    """
    priority_matrix, _ = PriorityMatrix.objects.get_or_create(name=REFERENCE_MATRIX)
    agreement, is_new = Agreement.objects.get_or_create(
        name=f"{provider} for {customer}",
        defaults={
            "kind": kind,
            "customer": customer,
            "provider": provider,
            "calendar": round_the_clock(),
            "matrix": priority_matrix,
            "valid_from": valid_from,
        },
    )
    if is_new:
        agreement.connections.set(connections)
        set_targets(agreement, reference_goals())
    return agreement


def reference_goals() -> list[Goal]:
    """The reference targets for every priority."""
    return [
        Goal(kind.value, priority.value, minutes)
        for priority, both in REFERENCE_TARGETS.items()
        for kind, minutes in zip((Kind.RESPONSE, Kind.RESOLUTION), both, strict=True)
    ]
