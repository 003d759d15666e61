"""Claims: which lanes and tickets a worker takes on, so that no other does."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import F, Q, QuerySet

from integrations.engine.ports import ClaimedLane, ClaimedReading
from integrations.models import Connection, Lane, LinkedTicket, System, Ticket
from integrations.statements import Order, Question

# No system has this key: "busy" is never an empty list, which SQL does not know.
NOBODY = 0


def has_work(now: datetime) -> bool:
    """Whether a claim would find something; takes no lock."""
    return bool(_any_reading(now=now) or _any_lane(now=now))


def claim(
    owner: str, now: datetime, lease_s: int, limit: int, busy: Collection[int] = ()
) -> tuple[list[ClaimedLane], list[ClaimedReading]]:
    """Lease up to `limit` lanes and readings that are due, the longest waiting first, lanes before readings.

    A leased lane's fence goes up.  A reading's due time moves to the end of the lease: a worker that dies leaves the
    ticket due again, and a hint that arrives while we read sets it back to now.
    """
    leased_until = now + timedelta(seconds=lease_s)
    left_out = busy or [NOBODY]
    with transaction.atomic():
        lanes = _free_lanes(now=now, busy=left_out, limit=max(0, limit))
        _lease(keys=[pk for pk, _, _ in lanes], owner=owner, leased_until=leased_until)
        readings = _free_readings(now=now, busy=left_out, limit=max(0, limit - len(lanes)))
        _put_off(keys=[row[0] for row in readings], until=leased_until)
    return (
        [ClaimedLane(pk, fence + 1, system_id, leased_until) for pk, fence, system_id in lanes],
        [ClaimedReading(*row) for row in readings],
    )


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


def _due_readings(now: datetime, busy: Collection[int]) -> QuerySet[Ticket]:
    return Ticket.objects.read_due(now).filter(
        system__in=System.objects.callable_at(now).exclude(pk__in=busy)
    )


_any_reading = Question(lambda now: Ticket.objects.read_due(now).values_list("pk")[:1])
_any_lane = Question(lambda now: due_lanes(now).values_list("pk")[:1])
_free_lanes = Question(
    lambda now, busy, limit: (
        _skip_locked(due_lanes(now).exclude(system__in=busy))
        .order_by("next_at")
        .values_list("pk", "fence", "system_id")[:limit]
    )
)
_lease = Order(
    lambda keys, owner, leased_until: (
        Lane.objects.filter(pk__in=keys),
        {"owner": owner, "leased_until": leased_until, "fence": F("fence") + 1},
    )
)
_free_readings = Question(
    lambda now, busy, limit: (
        _skip_locked(_due_readings(now, busy))
        .order_by("read_due_at")
        .values_list("pk", "system_id", "remote_id", "cursor", "version", "read_failures")[:limit]
    )
)
_put_off = Order(lambda keys, until: (Ticket.objects.filter(pk__in=keys), {"read_due_at": until}))
