"""Claims: which lanes and tickets a worker takes on, so that no other does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import F, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from integrations.engine.ports import NO_LIMITS, ClaimedLane, ClaimedReading, Room
from integrations.models import Connection, Lane, LinkedTicket, System, Ticket
from integrations.statements import Order, Question

# Where a row of each kind names its system.
_SYSTEM_OF_LANE, _SYSTEM_OF_READING = 2, 1
# What bulk work may take of a claim in which it comes first: live work finds a place in every claim.
BULK_SHARE = 4
# No system has this key: "busy" is never an empty list, which SQL does not know.
NOBODY = 0


def has_work(now: datetime, busy: Collection[int] = ()) -> bool:
    """Whether a claim would find something; takes no lock."""
    return any(found for (found,) in _any_work(now=now, busy=busy or [NOBODY]))


def has_work_in(system_id: int, now: datetime) -> bool:
    """Whether something is due in one system; takes no lock."""
    return bool(
        _lanes_of(now=now, system=system_id, limit=1) or _readings_of(now=now, system=system_id, limit=1)
    )


def claim(
    owner: str,
    now: datetime,
    lease_s: int,
    limit: int,
    busy: Collection[int] = (),
    room: Room = NO_LIMITS,
) -> tuple[list[ClaimedLane], list[ClaimedReading]]:
    """Lease up to `limit` lanes and readings that are due: live ones before bulk, lanes before readings, and of each
    the longest waiting first.  Where bulk work comes first it takes a part of the places alone.

    A leased lane's fence goes up.  A reading's due time moves to the end of the lease: a worker that dies leaves the
    ticket due again, and a hint that arrives while we read sets it back to now.
    """
    leased_until = now + timedelta(seconds=lease_s)
    limit = max(0, limit)
    found = _Found(now, limit, busy, room)
    with transaction.atomic():
        if room.bulk_first:
            found.look(is_bulk=True, most=max(1, limit // BULK_SHARE))
            found.look(is_bulk=False, most=limit)
        else:
            found.look(is_bulk=False, most=limit)
            found.look(is_bulk=True, most=limit)
        lanes, readings = found.lanes, found.readings
        _lease(keys=[pk for pk, _, _ in lanes], owner=owner, leased_until=leased_until)
        _put_off(keys=[row[0] for row in readings], until=leased_until)
    return (
        [ClaimedLane(pk, fence + 1, system_id, leased_until) for pk, fence, system_id in lanes],
        [ClaimedReading(*row) for row in readings],
    )


@dataclass(slots=True)
class _Found:
    """What a claim has found so far."""

    now: datetime
    limit: int
    busy: Collection[int]
    room: Room
    lanes: list[tuple] = field(default_factory=list)
    readings: list[tuple] = field(default_factory=list)
    # Steps found so far in each system.
    taken: Counter[int] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        return self.limit - len(self.lanes) - len(self.readings)

    def look(self, *, is_bulk: bool, most: int) -> None:
        """Take what is due of one kind: in systems with enough calls together, in the others system by system."""
        places, self.limit = self.limit, min(self.limit, len(self.lanes) + len(self.readings) + most)
        left_out = {*self.busy, *self.room.steps} or {NOBODY}
        lanes, readings = (_bulk_lanes, _bulk_readings) if is_bulk else (_live_lanes, _live_readings)
        if is_bulk:
            left_out = left_out.union(self.room.without_bulk)
        self._take(self.lanes, lanes, left_out, _SYSTEM_OF_LANE)
        self._take(self.readings, readings, left_out, _SYSTEM_OF_READING)
        for system_id, steps in self.room.steps.items():
            if steps and system_id not in self.busy and not (is_bulk and system_id in self.room.without_bulk):
                self._look_in(system_id, steps, is_bulk)
        self.limit = places

    def _take(self, into: list[tuple], due: Question, left_out: set[int], place: int) -> None:
        """Take what is due, of each system up to its share; what one system has too much of leaves room for others."""
        taken: set[int] = set()
        while rows := due(now=self.now, busy=left_out, limit=self.left and self.left + len(taken)):
            for row in rows:
                # What was taken a moment ago is leased only at the end, and so it is found again.
                if row[0] not in taken and self.left and self._has_share(row[place]):
                    taken.add(row[0])
                    self.taken[row[place]] += 1
                    into.append(row)
            full = {row[place] for row in rows if not self._has_share(row[place])}
            if not full or not self.left:
                return
            left_out = left_out | full

    def _has_share(self, system_id: int) -> bool:
        share = self.room.share
        under_way = self.room.under_way.get(system_id, 0)
        return share is None or under_way + self.taken[system_id] < share

    def _look_in(self, system_id: int, steps: int, is_bulk: bool) -> None:
        lanes, readings = (
            (_bulk_lanes_of, _bulk_readings_of) if is_bulk else (_live_lanes_of, _live_readings_of)
        )
        for of, into in ((lanes, self.lanes), (readings, self.readings)):
            limit = max(0, min(self.left, steps - self.taken[system_id]))
            rows = of(now=self.now, system=system_id, limit=limit)
            into += rows
            self.taken[system_id] += len(rows)


def due_lanes(now: datetime) -> QuerySet[Lane]:
    """Lanes that may move now: something waits, nobody holds them, both sides take part, the system may be called."""
    running = Connection.objects.filter(state=Connection.State.ACTIVE).exclude(sides__is_paused=True)
    return Lane.objects.filter(
        Q(leased_until__isnull=True) | Q(leased_until__lte=now),
        waits=True,
        state=Lane.State.READY,
        next_at__lte=now,
        connection__in=running,
        system__in=System.objects.callable_at(now),
        linked_ticket__state=LinkedTicket.State.ACTIVE,
    )


def _skip_locked(rows: QuerySet) -> QuerySet:
    # SQLite has one writer at a time: BEGIN IMMEDIATE is the lock.
    if database.features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True, of=("self",))
    return rows


def _free_lanes(is_bulk: bool) -> tuple[Question, Question]:
    """The question for lanes that are due in all systems but some, and the one for those of one system."""

    def found(rows: QuerySet[Lane], limit: int) -> QuerySet:
        rows = _skip_locked(rows.filter(is_bulk=is_bulk)).order_by("next_at", "pk")
        return rows.values_list("pk", "fence", "system_id")[:limit]

    return (
        Question(lambda now, busy, limit: found(due_lanes(now).exclude(system__in=busy), limit)),
        Question(lambda now, system, limit: found(due_lanes(now).filter(system=system), limit)),
    )


def _some_lane(lanes: QuerySet[Lane]) -> QuerySet:
    """Keys of these lanes, in the order of the index of those that are due.

    Whether there is one at all needs no order; but without it PostgreSQL goes through the whole table as soon as it
    believes that many are due, and it believes so for long after a flood.
    """
    return lanes.order_by("is_bulk", "next_at").values_list("pk")


def _some_reading(systems: QuerySet[System], now: datetime) -> QuerySet:
    """Keys of tickets whose history is to be read, in one of these systems; in the order of their index likewise."""
    due = Ticket.objects.read_due(now).filter(system__in=systems)
    return due.order_by("read_is_bulk", "read_due_at").values_list("pk")


def _free_readings(is_bulk: bool) -> tuple[Question, Question]:
    """The same for tickets whose history is to be read."""

    def found(systems: QuerySet[System], now: datetime, limit: int) -> QuerySet:
        rows = Ticket.objects.read_due(now).filter(system__in=systems, read_is_bulk=is_bulk)
        return (
            _skip_locked(rows)
            .order_by("read_due_at", "pk")
            .values_list("pk", "system_id", "remote_id", "cursor", "version", "read_failures")[:limit]
        )

    callable_at = System.objects.callable_at
    return (
        Question(lambda now, busy, limit: found(callable_at(now).exclude(pk__in=busy), now, limit)),
        Question(lambda now, system, limit: found(callable_at(now).filter(pk=system), now, limit)),
    )


# As in a claim: what stands in a system that may not be called is no work, or a worker would ask on and on.
# One question for both, asked of whatever system is the first: a worker with nothing to do asks it a hundred times a
# second.
_any_work = Question(
    lambda now, busy: System.objects.order_by("pk").values_list(
        Coalesce(
            Subquery(_some_reading(System.objects.callable_at(now).exclude(pk__in=busy), now)[:1]),
            Subquery(_some_lane(due_lanes(now).exclude(system__in=busy))[:1]),
        )
    )[:1]
)
_lanes_of = Question(lambda now, system, limit: _some_lane(due_lanes(now).filter(system=system))[:limit])
_readings_of = Question(
    lambda now, system, limit: _some_reading(System.objects.callable_at(now).filter(pk=system), now)[:limit]
)
_live_lanes, _live_lanes_of = _free_lanes(is_bulk=False)
_bulk_lanes, _bulk_lanes_of = _free_lanes(is_bulk=True)
_live_readings, _live_readings_of = _free_readings(is_bulk=False)
_bulk_readings, _bulk_readings_of = _free_readings(is_bulk=True)
_lease = Order(
    lambda keys, owner, leased_until: (
        Lane.objects.filter(pk__in=keys),
        {"owner": owner, "leased_until": leased_until, "fence": F("fence") + 1},
    )
)
_put_off = Order(lambda keys, until: (Ticket.objects.filter(pk__in=keys), {"read_due_at": until}))
