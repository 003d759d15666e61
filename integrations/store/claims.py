"""Claims: which lanes and tickets a worker takes on, so that no other does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from integrations.engine.ports import NO_LIMITS, ClaimedLane, ClaimedReading, Room
from integrations.models import Connection, Lane, LinkedTicket, Side, System, Ticket
from integrations.statements import Order, Question

# Where a row of each kind names its system.
_SYSTEM_OF_LANE, _SYSTEM_OF_READING = 2, 1
# What bulk work may take of a claim in which it comes first: live work finds a place in every claim.
BULK_SHARE = 4
# Nothing has this key: "busy" is never an empty list, which SQL does not know.
NOBODY = 0


def has_work(now: datetime, busy: Collection[int] = ()) -> bool:
    """Whether a claim would find something; takes no lock."""
    return any(found for (found,) in _any_work(now=now, busy=busy or [NOBODY]))


def has_work_in(system_id: int, now: datetime) -> bool:
    """Whether something is due in one system; takes no lock."""
    return any(found for (found,) in _work_in(now=now, system=system_id))


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
        return self.room.free_share(system_id, self.taken[system_id]) > 0

    def _look_in(self, system_id: int, steps: int, is_bulk: bool) -> None:
        lanes, readings = (
            (_bulk_lanes_of, _bulk_readings_of) if is_bulk else (_live_lanes_of, _live_readings_of)
        )
        for of, into in ((lanes, self.lanes), (readings, self.readings)):
            free = self.room.free_share(system_id, self.taken[system_id])
            limit = int(max(0, min(self.left, steps - self.taken[system_id], free)))
            rows = of(now=self.now, system=system_id, limit=limit)
            into += rows
            self.taken[system_id] += len(rows)


def due_lanes(now: datetime, systems: QuerySet[System] | None = None) -> QuerySet[Lane]:
    """Lanes that may move now: something waits, nobody holds them, both sides take part, the system may be called.

    `systems`: those of the systems that may be called that are meant, all without.
    """
    systems = System.objects.callable_at(now) if systems is None else systems
    # The index of those that are due wants to be asked for.
    return _free_at(now).filter(connection__in=_running(), system__in=systems, connection__gt=NOBODY)


def _free_at(now: datetime) -> QuerySet[Lane]:
    return Lane.objects.filter(
        Q(leased_until__isnull=True) | Q(leased_until__lte=now),
        # Not as a join: SQLite would sooner or later begin with all tickets.
        Exists(LinkedTicket.objects.filter(pk=OuterRef("linked_ticket"), state=LinkedTicket.State.ACTIVE)),
        waits=True,
        state=Lane.State.READY,
        next_at__lte=now,
    )


def _running() -> QuerySet[Connection]:
    return Connection.objects.filter(state=Connection.State.ACTIVE).exclude(sides__is_paused=True)


def _lanes_wait_since(systems: QuerySet[System], now: datetime, is_bulk: bool) -> QuerySet:
    """Since when the longest waiting lane waits that may move to one of these systems; one row, of NULL without any.

    A look at the head of each receiver's own queue.  From this moment on the queue of all is gone through: what waits
    before it, for a system that is away or a partner who paused, may be many thousands, and none of them may move.
    """
    lanes = _free_at(now).filter(connection=OuterRef("connection"), system=OuterRef("system"))
    lanes = lanes.filter(_equal("is_bulk", is_bulk))
    receivers = Side.objects.filter(connection__in=_running(), system__in=systems)
    return _earliest(receivers, lanes.order_by("next_at").values("next_at")[:1])


def _readings_wait_since(systems: QuerySet[System], now: datetime, is_bulk: bool) -> QuerySet:
    """The same of tickets whose history is to be read."""
    due = Ticket.objects.read_due(now).filter(_equal("read_is_bulk", is_bulk), system=OuterRef("pk"))
    return _earliest(systems, due.order_by("read_due_at").values("read_due_at")[:1])


def _equal(name: str, value: bool) -> Q:
    # Django writes a condition on a boolean without "=", and then SQLite goes through the index for either value.
    return Q((f"{name}__in", (value,)))


def _earliest(rows: QuerySet, moment: QuerySet) -> QuerySet:
    found = rows.annotate(since=Subquery(moment)).order_by(F("since").asc(nulls_last=True))
    return found.values_list("since")[:1]


def _skip_locked(rows: QuerySet) -> QuerySet:
    # SQLite has one writer at a time: BEGIN IMMEDIATE is the lock.
    if database.features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True, of=("self",))
    return rows


def _free_lanes(is_bulk: bool) -> tuple[Question, Question]:
    """The question for lanes that are due in all systems but some, and the one for those of one system."""

    def found(systems: QuerySet[System], now: datetime, limit: int) -> QuerySet:
        since = Subquery(_lanes_wait_since(systems, now, is_bulk))
        rows = due_lanes(now, systems).filter(_equal("is_bulk", is_bulk), next_at__gte=since)
        return _skip_locked(rows).order_by("next_at", "pk").values_list("pk", "fence", "system_id")[:limit]

    return _in_all_and_in_one(found)


def _free_readings(is_bulk: bool) -> tuple[Question, Question]:
    """The same for tickets whose history is to be read."""

    def found(systems: QuerySet[System], now: datetime, limit: int) -> QuerySet:
        since = Subquery(_readings_wait_since(systems, now, is_bulk))
        rows = Ticket.objects.read_due(now).filter(_equal("read_is_bulk", is_bulk), system__in=systems)
        rows = rows.filter(read_due_at__gte=since)
        return (
            _skip_locked(rows)
            .order_by("read_due_at", "pk")
            .values_list("pk", "system_id", "remote_id", "cursor", "version", "read_failures")[:limit]
        )

    return _in_all_and_in_one(found)


def _in_all_and_in_one(
    found: Callable[[QuerySet[System], datetime, int], QuerySet],
) -> tuple[Question, Question]:
    callable_at = System.objects.callable_at
    return (
        Question(lambda now, busy, limit: found(callable_at(now).exclude(pk__in=busy), now, limit)),
        Question(lambda now, system, limit: found(callable_at(now).filter(pk=system), now, limit)),
    )


def _work_waits_since(systems: QuerySet[System], now: datetime) -> QuerySet:
    """A moment since when work waits in one of these systems, as in a claim; one row, of NULL without any.

    One question for all kinds, asked of whatever system is the first: a worker with nothing to do asks it a hundred
    times a second.
    """
    kinds = [
        since(systems, now, is_bulk)
        for is_bulk in (False, True)
        for since in (_readings_wait_since, _lanes_wait_since)
    ]
    return System.objects.order_by("pk").values_list(Coalesce(*(Subquery(kind) for kind in kinds)))[:1]


# What stands in a system that may not be called is no work, or a worker would ask on and on.
_any_work = Question(
    lambda now, busy: _work_waits_since(System.objects.callable_at(now).exclude(pk__in=busy), now)
)
_work_in = Question(
    lambda now, system: _work_waits_since(System.objects.callable_at(now).filter(pk=system), now)
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
