"""What the overview shows: does the work go on, what waits, which systems are well, which service levels are close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.utils import timezone

from integrations.models import (
    Alert,
    Connection,
    Delivery,
    Lane,
    LinkedTicket,
    SyncEvent,
    System,
    SystemFinding,
)
from portal.access import Someone, partners_for
from portal.alerts import visible_alerts
from portal.clocks import agreements_of
from portal.queue import LaneRow, lane_rows, reachable
from portal.tickets import Criteria, Row, find_page, rows_for, viewer_of
from slas.models import Clock
from slas.services import Live, live

# A clock that runs out within this time is at risk.
RISK = timedelta(hours=2)
SHOWN = 8


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    """A connection with what waits in it."""

    connection: Connection
    waiting: int
    parked: int
    systems: Sequence[System]

    @property
    def state(self) -> str:
        """In one word, the worst first: it decides the colour."""
        if any(system.state == System.State.STOPPED for system in self.systems):
            return "stopped"
        if self.parked:
            return "parked"
        if any(system.state != System.State.ACTIVE or system.fail_streak for system in self.systems):
            return "degraded"
        return self.connection.state


@dataclass(frozen=True, slots=True)
class Today:
    """What happened since midnight in the reader's zone."""

    tickets: int
    changes: int
    delivered: int


@dataclass(frozen=True, slots=True)
class AtRisk:
    """A clock that runs out soon, or has, and its ticket."""

    ticket: Row
    live: Live


def alerts(user: Someone) -> list[Alert]:
    """Alerts that the person may see and nobody has in hand, the worst first.  One query."""
    found = visible_alerts(user).open().select_related("system__partner", "endpoint__partner", "connection")
    return list(found.order_by("-severity", "since", "pk")[:SHOWN])


def connections_health(user: Someone) -> list[ConnectionHealth]:
    """Connections that the person may see, those with trouble first.  Three queries."""
    counted = (
        reachable(user)
        .waiting()
        .values_list("connection")
        .annotate(count=Count("pk"), parked=Count("pk", filter=Q(state=Lane.State.PARKED)))
    )
    lanes = {connection: (count, parked) for connection, count, parked in counted}
    found = []
    for connection in Connection.objects.visible_to(user).prefetch_related("sides__system__partner"):
        count, parked = lanes.get(connection.pk, (0, 0))
        systems = [side.system for side in connection.sides.all()]
        found.append(ConnectionHealth(connection, count, parked, systems))
    return sorted(found, key=lambda one: (-one.parked, -one.waiting, one.connection.name))


def waiting_for_people(user: Someone, now: datetime) -> list[LaneRow]:
    """Parked lanes, the longest wait first."""
    parked = list(reachable(user).parked().order_by("waits_since", "pk")[:SHOWN])
    return lane_rows(parked, viewer_of(user, "queue"), now=now)


def today(user: Someone, now: datetime) -> Today:
    """Tickets, changes and deliveries since midnight.

    Counted from the tickets that were touched since then, which an index finds, and not from all deliveries ever made.
    """
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    touched = LinkedTicket.objects.visible_to(user).filter(updated_at__gte=midnight)
    tickets = {"ticket__sides__linked_ticket__in": touched}
    changes = SyncEvent.objects.filter(seen_at__gte=midnight, caused_by=None, **tickets)
    delivered = Delivery.objects.filter(
        done_at__gte=midnight, state=Delivery.State.DONE, lane__linked_ticket__in=touched
    )
    return Today(touched.count(), changes.values("pk").distinct().count(), delivered.count())


def at_risk(user: Someone, now: datetime) -> list[AtRisk]:
    """Running clocks that are breached soon, the most urgent first; then those that were, the latest first."""
    running = Clock.objects.visible_to(user).of_agreements(agreements_of(user).values_list("pk", flat=True))
    running = running.filter(state=Clock.State.RUNNING).select_related("agreement")
    soon = running.filter(is_breached=False, breaches_at__lt=now + RISK).order_by("breaches_at")[:SHOWN]
    clocks = list(soon)
    clocks += running.filter(is_breached=True).order_by("-breaches_at")[: SHOWN - len(clocks)]
    shown = live(clocks, now)
    tickets = {
        row.pk: row for row in rows_for([one.clock.linked_ticket_id for one in shown], viewer_of(user))
    }
    return [
        AtRisk(tickets[one.clock.linked_ticket_id], one)
        for one in shown
        if one.clock.linked_ticket_id in tickets
    ]


def findings(user: Someone) -> Sequence[SystemFinding]:
    """What changed in systems under their rules and nobody has looked after, the worst first.  One query."""
    readable = partners_for(user, "read", "systems")
    found = SystemFinding.objects.visible_to(user).waiting().filter(system__partner__in=readable)
    return list(found.select_related("system__partner")[:SHOWN])


def latest(user: Someone) -> Sequence[Row]:
    """The tickets with the latest changes."""
    return find_page(user, Criteria(), size=SHOWN).rows
