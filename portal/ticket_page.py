"""What the page of one linked ticket shows, put together for whoever looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, QuerySet

from integrations.models import Delivery, Lane, LinkedTicket, TicketSide
from integrations.services.comparison import Comparison, agreed_values, compare, settled_by
from integrations.services.fights import AMPLIFICATION, Explanation, explain
from integrations.services.timeline.entries import Timeline
from integrations.services.timeline.fates import what_of
from integrations.services.timeline.timelines import timeline
from integrations.services.timeline.viewers import Viewer
from integrations.services.waiting import Reason, by_an_end
from portal.access import Someone
from portal.acting import trail_of
from portal.clocks import Card, clocks_of
from portal.drawing import Drawing
from portal.presentation import TimelineEntry
from portal.queue import known_failure
from portal.tickets import Row, may_at_one, rows_for, title_for

# Deliveries of a lane that are listed one by one; the queue has the rest.
LISTED = 5
# Linked tickets of the same case that are listed.
OTHERS = 8


@dataclass(frozen=True, slots=True)
class Record:
    """One system's ticket.  What the viewer may not know of the other side is empty."""

    partner: str
    layers: str
    kind: str
    key: str
    url: str
    is_own: bool
    status: str = ""
    is_there: bool = True
    is_gone: bool = False
    refused_at: datetime | None = None
    refused_because: str = ""
    read_at: datetime | None = None
    is_due: bool = False
    lane: Lane | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """One lane in which something waits, with its first deliveries."""

    lane: Lane
    partner: str
    system: str
    deliveries: Sequence[tuple[Delivery, str]]
    more: int
    failure: str
    # What keeps a whole end from moving.
    reason: Reason | None = None


@dataclass(slots=True)
class TicketPage:
    """Everything on the page.  `comparison`, `waiting`, `trail` and `fight` are for those who may see both
    sides.

    `others` are linked tickets of the same case: those in which one of these records stands too.
    """

    linked: LinkedTicket
    title: str
    status: str
    priority: str
    raised_by: str
    records: list[Record]
    timeline: Timeline
    sees_all: bool
    comparison: Comparison | None = None
    waiting: list[Waiting] = field(default_factory=list)
    trail: Sequence[TimelineEntry] = ()
    cards: Sequence[Card] = ()
    drawing: Drawing | None = None
    others: Sequence[Row] = ()
    fight: Explanation | None = None

    @property
    def fight_lasted(self) -> str:
        """How long the fight went on, in words."""
        assert self.fight is not None
        return f"{(self.fight.ended_at - self.fight.began_at).total_seconds():.0f} s"


def ticket_page(
    linked: LinkedTicket,
    viewer: Viewer,
    *,
    now: datetime,
    older_than: str = "",
    user: Someone,
) -> TicketPage:
    """The page of a linked ticket, as this viewer may see it."""
    sides = list(linked.sides.select_related("side__system__partner", "ticket").order_by("side__position"))
    lanes = {lane.target_id: lane for lane in linked.lanes.all()}
    ends = [one.side.system.partner_id for one in sides]
    comparison = (
        compare(linked, settled=settled_by(one.side.system for one in sides)) if viewer.sees_all else None
    )
    cards, drawing = clocks_of(user, linked, now)
    words = _words(linked, sides, viewer, comparison)
    return TicketPage(
        linked=linked,
        title=title_for(linked, sides, viewer),
        status=words.get("status", ""),
        priority=words.get("priority", ""),
        raised_by=next(one.side.system.partner.name for one in sides if one.side_id == linked.origin_id),
        records=[record_of(one, viewer, lanes.get(one.side_id), comparison) for one in sides],
        timeline=timeline(linked, viewer, now=now, older_than=older_than),
        sees_all=viewer.sees_all,
        comparison=comparison,
        waiting=_waiting(sides, lanes, viewer, now) if may_at_one(user, "read", "queue", ends) else [],
        trail=trail_of(linked, user) if may_at_one(user, "read", "audit", ends) else (),
        cards=cards,
        drawing=drawing,
        others=_others(linked, sides, viewer, user),
        fight=explain(linked) if viewer.sees_all and _is_fought_over(lanes.values()) else None,
    )


def _is_fought_over(lanes: Iterable[Lane]) -> bool:
    return any(lane.state == Lane.State.PARKED and lane.failure_code == AMPLIFICATION for lane in lanes)


def _others(
    linked: LinkedTicket, sides: Sequence[TicketSide], viewer: Viewer, user: Someone
) -> Sequence[Row]:
    """Where the case goes on, as far as the person may follow it."""
    tickets = [one.ticket_id for one in sides if one.ticket_id]
    keys = TicketSide.objects.filter(ticket__in=tickets).exclude(linked_ticket=linked.pk)
    visible = LinkedTicket.objects.visible_to(user).filter(pk__in=keys.values("linked_ticket"))
    if not viewer.sees_all:
        visible = visible.filter(partner_tickets__partner__in=viewer.partner_ids).distinct()
    return rows_for(list(visible.order_by("pk").values_list("pk", flat=True)[:OTHERS]), viewer)


def _words(
    linked: LinkedTicket, sides: Sequence[TicketSide], viewer: Viewer, comparison: Comparison | None
) -> dict[str, str]:
    """Status and priority in the words of the data dictionary: as the side tells them that raised it, or the own."""
    if comparison:
        return {row.name: row.agreed for row in comparison.rows}
    own = [one for one in sides if one.side.system.partner_id in viewer.partner_ids]
    return agreed_values(own[0]) if own else {}


def record_of(one: TicketSide, viewer: Viewer, lane: Lane | None, comparison: Comparison | None) -> Record:
    """One system's ticket, as this viewer may see it."""
    system, ticket = one.side.system, one.ticket
    is_own = system.partner_id in viewer.partner_ids
    layers = ", ".join(layer.label for layer in system.partner.layers)
    if not (viewer.sees_all or is_own):
        return Record(
            system.partner.name, layers, system.kind_label, "", "", False, is_there=ticket is not None
        )
    return Record(
        partner=system.partner.name,
        layers=layers,
        kind=system.kind_label,
        key=str(ticket) if ticket else "",
        url=ticket.url if ticket else "",
        is_own=is_own,
        status=_own_status(one, comparison),
        is_there=ticket is not None,
        is_gone=bool(ticket and ticket.is_gone),
        refused_at=ticket.refused_at if ticket else None,
        refused_because=ticket.refused_because if ticket else "",
        read_at=ticket.read_at if ticket else None,
        is_due=bool(ticket and ticket.read_due_at),
        lane=lane if viewer.sees_all else None,
    )


def _own_status(one: TicketSide, comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    row = next((row for row in comparison.rows if row.name == "status"), None)
    if row is None:
        return ""
    return row.left if comparison.left.side_id == one.side_id else row.right


def _waiting(
    sides: Sequence[TicketSide], lanes: dict[int, Lane], viewer: Viewer, now: datetime
) -> list[Waiting]:
    found = []
    for one in sides:
        lane = lanes.get(one.side_id)
        if lane is None or not lane.waits:
            continue
        first = list(_queue(lane)[:LISTED])
        system = one.side.system
        # Loaded already.
        lane.system, lane.connection = system, lane.linked_ticket.connection
        found.append(
            Waiting(
                lane,
                system.partner.name,
                system.name,
                [(delivery, what_of(delivery)) for delivery in first],
                more=lane.tail - lane.head + 1 - len(first),
                failure=known_failure(
                    lane, first[0] if first else None, viewer, _sender(sides, one), system.partner_id
                ),
                reason=by_an_end(lane, [each.side for each in sides], now),
            )
        )
    return found


def _sender(sides: Sequence[TicketSide], target: TicketSide) -> int:
    return next(one.side.system.partner_id for one in sides if one is not target)


def _queue(lane: Lane) -> QuerySet[Delivery]:
    return lane.deliveries.filter(number__gte=F("lane__head")).order_by("number")
