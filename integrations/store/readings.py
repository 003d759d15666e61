"""Stores what readings mean, in the transaction that moves the cursors: all of it or nothing.

Several readings are stored together: what is known of their tickets is loaded with a few queries, each reading is
judged by the pure rules, and what they mean goes into the tables a table at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from integrations.canonical import Attachment, Change, ChangeKind, Comment, History
from integrations.connectors.errors import HeldBack, Refused
from integrations.engine import echo, hints, reading
from integrations.engine.effects import NoteReadFailure, StoreReading
from integrations.engine.values import LinkState, OpenWrite, TicketState, TicketView
from integrations.events import News, SeenChange, histories_read
from integrations.mapping import plan as mapping
from integrations.models import (
    Delivery,
    Lane,
    LinkedTicket,
    PartnerTicket,
    Side,
    SyncEvent,
    Ticket,
    TicketSide,
    Withheld,
)
from integrations.statements import Order, Question, insert_many, update_many
from integrations.store import guard, presence, queues, tickets
from integrations.store.configuration import Configuration

# How soon to look again at a new ticket that a create of ours, still under way, has probably made.
CREATE_UNDER_WAY_S = 2

_TICKET_FIELDS = (
    "cursor",
    "mark",
    "version",
    "event_count",
    "actual",
    "winners",
    "key",
    "url",
    "title",
    "is_gone",
    "twin_of",
    "refused_at",
    "refused_because",
    "opened_at",
    "changed_at",
    "read_at",
    "told_until",
    "read_failures",
    "read_due_at",
)
_QUIET_FIELDS = (
    "cursor",
    "mark",
    "read_at",
    "told_until",
    "read_failures",
    "read_due_at",
    "is_gone",
    "refused_at",
    "refused_because",
)


@dataclass(slots=True)
class _Reading:
    """One reading on its way into the tables."""

    ticket: Ticket
    request: StoreReading
    plan: reading.ReadingPlan
    links: dict[int, LinkedTicket]
    begun: dict[int, LinkedTicket] = field(default_factory=dict)
    events: dict[int, SyncEvent] = field(default_factory=dict)

    def linked(self, key: reading.LinkKey) -> LinkedTicket:
        """The linked ticket that a part of the plan means."""
        if key.linked_ticket_id is not None:
            return self.links[key.linked_ticket_id]
        return self.begun[key.connection_id]


@dataclass(slots=True)
class _Known:
    """What is known of several tickets at the moment their readings are stored."""

    sides: dict[int, list[TicketSide]]
    open_writes: dict[int, list[OpenWrite]]
    change_ids: set[tuple[int, str]]
    spent: dict[int, list[OpenWrite]]


def store_readings(requests: Sequence[StoreReading], config: Configuration, now: datetime) -> list[bool]:
    """Judge histories by what is known at this moment; False for a ticket that another reading got to first.

    A ticket may occur once: of two readings of the same ticket the second would be judged by what is not stored yet.
    """
    rows = _tickets(keys=[request.ticket_id for request in requests])
    found = {ticket.pk: ticket for ticket in rows}
    stored = [_is_current(found[request.ticket_id], request, config, now) for request in requests]
    current = [request for request, is_current in zip(requests, stored, strict=True) if is_current]
    were_gone = {request.ticket_id for request in current if found[request.ticket_id].is_gone}
    for request in current:
        _lets_read(found[request.ticket_id])
    quiet = [request for request in current if not request.history.changes]
    update_many(Ticket, _QUIET_FIELDS, [_quiet_row(found[one.ticket_id], one, now) for one in quiet])
    news = [request for request in current if request.history.changes]
    if news:
        _mark_twins([(found[request.ticket_id], request.history.changes[0]) for request in news], config)
        known = _known(news, found, config)
        planned = [_judge(found[request.ticket_id], request, known, config) for request in news]
        _Storing(planned, config, now).store()
    read = [found[request.ticket_id] for request in current]
    moved = [
        (one, (one.changed_at or now) if one.is_gone else now)
        for one in read
        if one.is_gone != (one.pk in were_gone)
    ]
    presence.tell_changed(moved, config)
    return stored


def _lets_read(ticket: Ticket) -> None:
    """Its system shows the ticket: what was only refused to us is over; what the history told stays."""
    if ticket.refused_because:
        ticket.is_gone, ticket.refused_at, ticket.refused_because = False, None, ""


def note_read_failure(request: NoteReadFailure, now: datetime) -> None:
    """The ticket could not be read: it stays due later, or is gone until its system shows it again."""
    ticket = Ticket.objects.select_for_update(no_key=True).get(pk=request.ticket_id)
    if not isinstance(request.error, HeldBack):
        ticket.read_failures += 1
    ticket.read_due_at = request.retry_at
    was_gone = ticket.is_gone
    if isinstance(request.error, Refused):
        ticket.refused_at = ticket.refused_at or now
        ticket.refused_because = request.error.message[:300]
        # Any web hook may be the one that shows it again.
        ticket.told_until = None
    if request.retry_at is None:
        ticket.is_gone = True
    ticket.save(
        update_fields=[
            "read_failures",
            "read_due_at",
            "is_gone",
            "refused_at",
            "refused_because",
            "told_until",
        ]
    )
    if ticket.is_gone and not was_gone:
        presence.tell_gone(ticket, now)


def _is_current(ticket: Ticket, request: StoreReading, config: Configuration, now: datetime) -> bool:
    if ticket.version != request.version:
        Ticket.objects.filter(pk=ticket.pk).update(read_due_at=now)
        return False
    if request.history.changes and _is_being_created(ticket, request.history.changes[0], config):
        Ticket.objects.filter(pk=ticket.pk).update(read_due_at=now + timedelta(seconds=CREATE_UNDER_WAY_S))
        return False
    return True


def _is_being_created(ticket: Ticket, first: Change, config: Configuration) -> bool:
    """Whether this unknown ticket is probably one that a create of ours is making at this moment.

    Its web hook can be quicker than the answer to our create.  Until that answer is stored the ticket must not be
    taken for somebody's new ticket, or it would be linked back to where it came from.
    """
    if ticket.event_count or ticket.marker or first.kind is not ChangeKind.CREATED:
        # With a marker the answer is stored: it is known whose it is.
        return False
    by_us = first.actor.id == config.accounts.get(ticket.system_id, "")
    if not (by_us or first.marker):
        return False
    if first.marker and _creating_with(marker=first.marker):
        return True
    return by_us and bool(_creating_in(system=ticket.system_id))


def _mark_twins(begun: Sequence[tuple[Ticket, Change]], config: Configuration) -> None:
    """Know the tickets that a create of ours made beside the one that is linked, by the first change of each.

    Its system carried a request out later than it may.  By our account alone: who copies a ticket of ours may copy
    the marker with it, and has made a new one all the same.
    """
    suspects = [
        (ticket, first.marker)
        for ticket, first in begun
        if first.kind is ChangeKind.CREATED
        and first.marker
        and not (ticket.event_count or ticket.marker)
        and first.actor.id == config.accounts.get(ticket.system_id, "")
    ]
    if not suspects:
        return
    made = {
        (system_id, marker): pk
        for system_id, marker, pk in _made_with(markers=[marker for _, marker in suspects])
    }
    for ticket, marker in suspects:
        ticket.twin_of_id = made.get((ticket.system_id, marker))


def _quiet_row(ticket: Ticket, request: StoreReading, now: datetime) -> tuple[int, tuple[object, ...]]:
    """Nothing new: only the cursor and the due time move."""
    history = request.history
    return ticket.pk, (
        history.cursor,
        _mark(history),
        _read_at(ticket, request),
        _told_until(ticket, history),
        0,
        _next_due(ticket, request, now),
        ticket.is_gone,
        ticket.refused_at,
        ticket.refused_because,
    )


def _read_at(ticket: Ticket, request: StoreReading) -> datetime | None:
    """Since when it is known what happened up to then: a page with more behind it does not tell."""
    return ticket.read_at if request.history.has_more else request.started_at


def _told_until(ticket: Ticket, history: History) -> datetime | None:
    return hints.told_from_now(ticket.told_until, history.as_of, has_more=history.has_more)


def _mark(history: History) -> str:
    """The state that was read: all of it only when there is no more to read."""
    return "" if history.has_more else history.mark[:80]


def _next_due(ticket: Ticket, request: StoreReading, now: datetime) -> datetime | None:
    """When to read again: at once when there is more or somebody hinted while we read; else not before a hint."""
    if request.history.has_more:
        return now
    hinted_since = ticket.stale_since is not None and ticket.stale_since > request.started_at
    return ticket.read_due_at if hinted_since else None


def _known(requests: Sequence[StoreReading], found: dict[int, Ticket], config: Configuration) -> _Known:
    ids = [request.ticket_id for request in requests]
    sides: dict[int, list[TicketSide]] = {}
    for side in _sides(tickets=ids):
        sides.setdefault(side.ticket_id, []).append(side)
    linked = {one.pk: one for one in _linked(keys=[side.linked_ticket_id for side in _each(sides)])}
    for side in _each(sides):
        side.linked_ticket = linked[side.linked_ticket_id]
    # A connector may overlap at its cursor; a change counts once.
    again = {
        change.id
        for request in requests
        if found[request.ticket_id].event_count
        for change in request.history.changes
    }
    open_writes = tickets.open_writes(ids)
    suspects = [
        request.ticket_id
        for request in requests
        if found[request.ticket_id].event_count
        and echo.may_be_again(
            request.history.changes,
            open_writes.get(request.ticket_id, ()),
            config.accounts.get(found[request.ticket_id].system_id, ""),
        )
    ]
    return _Known(
        sides,
        open_writes,
        set(_seen(tickets=ids, change_ids=again)),
        tickets.spent_writes(suspects),
    )


def _each(sides: Mapping[int, Sequence[TicketSide]]) -> Iterator[TicketSide]:
    return (side for several in sides.values() for side in several)


def _judge(ticket: Ticket, request: StoreReading, known: _Known, config: Configuration) -> _Reading:
    sides = known.sides.get(ticket.pk, [])
    view = TicketView(
        ticket=_state(ticket),
        account_id=config.accounts.get(ticket.system_id, ""),
        connections=config.by_system.get(ticket.system_id, ()),
        links=tuple(_link_state(side, config) for side in sides),
        open_writes=tuple(known.open_writes.get(ticket.pk, ())),
        spent=tuple(known.spent.get(ticket.pk, ())),
    )
    fresh = _without(request.history, {id_ for ticket_id, id_ in known.change_ids if ticket_id == ticket.pk})
    plan = reading.plan_reading(view, fresh, started_at=request.started_at)
    return _Reading(ticket, request, plan, {side.linked_ticket_id: side.linked_ticket for side in sides})


def _state(ticket: Ticket) -> TicketState:
    return tickets.ticket_state(*(getattr(ticket, name) for name in tickets.STATE_FIELDS))


def _link_state(side: TicketSide, config: Configuration) -> LinkState:
    connection_id = side.linked_ticket.connection_id
    other = config.connections[connection_id].other(side.side_id)
    return LinkState(side.linked_ticket_id, connection_id, side.side_id, other.id)


def _without(history: History, seen: set[str]) -> History:
    if not seen:
        return history
    return replace(history, changes=tuple(change for change in history.changes if change.id not in seen))


class _Storing:
    """Several readings, table by table; the caller's transaction makes them one."""

    def __init__(self, readings: list[_Reading], config: Configuration, now: datetime) -> None:
        self.readings = readings
        self.config = config
        self.now = now

    def store(self) -> None:
        """Write everything."""
        update_many(Ticket, _TICKET_FIELDS, [self._ticket_row(one) for one in self.readings])
        self._store_events()
        unseen = [(pk, (left, not left)) for one in self.readings for pk, left in one.plan.unseen.items()]
        update_many(Delivery, ("unseen", "is_recognised"), unseen)
        self._begin()
        self._queue()
        self._note_withheld()
        self._tell()

    def _ticket_row(self, one: _Reading) -> tuple[int, tuple[object, ...]]:
        ticket, plan, head = one.ticket, one.plan, one.request.history.head
        ticket.cursor = plan.cursor
        ticket.mark = _mark(one.request.history)
        ticket.version += 1
        ticket.event_count = plan.event_count
        ticket.actual = plan.actual
        ticket.winners = tickets.winners_value(plan.winners, plan.actual)
        ticket.key = head.key
        ticket.url = head.url
        ticket.title = self._title(one)
        ticket.is_gone = plan.is_gone
        ticket.opened_at = plan.opened_at or ticket.opened_at
        ticket.changed_at = plan.changed_at or ticket.changed_at
        ticket.read_at = _read_at(ticket, one.request)
        ticket.told_until = _told_until(ticket, one.request.history)
        ticket.read_failures = 0
        ticket.read_due_at = _next_due(ticket, one.request, self.now)
        return ticket.pk, tuple(
            ticket.twin_of_id if name == "twin_of" else getattr(ticket, name) for name in _TICKET_FIELDS
        )

    def _title(self, one: _Reading) -> str:
        for connection in self.config.by_system.get(one.ticket.system_id, ()):
            side = connection.side_in(one.ticket.system_id)
            for rule in side.outgoing.rules if side else ():
                if rule.target == "title":
                    return mapping.text_of(one.plan.actual.get(rule.source))[:300]
        return ""

    def _store_events(self) -> None:
        for one in self.readings:
            one.events = {event.position: self._event(one, event) for event in one.plan.events}
        insert_many([event for one in self.readings for event in one.events.values()])

    def _event(self, one: _Reading, event: reading.NewEvent) -> SyncEvent:
        change = event.change
        return SyncEvent(
            ticket=one.ticket,
            change_id=change.id,
            position=event.position,
            kind=change.kind.value,
            actor_id=change.actor.id,
            actor_name=change.actor.name or change.actor.email,
            happened_at=change.at,
            seen_at=self.now,
            fields=dict(change.fields),
            before=dict(change.before),
            comments=[_comment_value(comment) for comment in change.comments],
            attachments=[_attachment_value(file) for file in change.attachments],
            caused_by_id=event.caused_by,
            is_double=event.is_double,
        )

    def _begin(self) -> None:
        """Make the linked tickets, both sides and both lanes of each, and open them to both partners."""
        begun = [(one, link) for one in self.readings for link in one.plan.new_links]
        for one, link in begun:
            one.begun[link.connection_id] = LinkedTicket(
                connection_id=link.connection_id,
                title=one.ticket.title,
                origin_id=link.side_id,
                opened_at=one.ticket.opened_at,
                updated_at=self.now,
            )
        insert_many([one.begun[link.connection_id] for one, link in begun])
        sides: list[TicketSide] = []
        lanes: list[Lane] = []
        partner_tickets: list[PartnerTicket] = []
        for one, link in begun:
            linked = one.begun[link.connection_id]
            both = [self.config.sides[link.side_id], self.config.sides[link.other_side_id]]
            sides += [
                TicketSide(linked_ticket=linked, side=both[0], ticket=one.ticket),
                TicketSide(linked_ticket=linked, side=both[1], ticket=None),
            ]
            lanes += [self._lane(linked, side) for side in both]
            partners = sorted({self.config.partners[side.system_id] for side in both})
            partner_tickets += [
                PartnerTicket(partner_id=partner_id, linked_ticket=linked, updated_at=self.now)
                for partner_id in partners
            ]
        for rows in (sides, lanes, partner_tickets):
            insert_many(rows)

    def _lane(self, linked: LinkedTicket, side: Side) -> Lane:
        return Lane(
            linked_ticket=linked,
            target=side,
            connection_id=linked.connection_id,
            system_id=side.system_id,
            next_at=self.now,
        )

    def _queue(self) -> None:
        """Number the deliveries at the end of their lanes."""
        planned: dict[tuple[int, int], list[tuple[_Reading, reading.NewDelivery]]] = {}
        for one in self.readings:
            for delivery in one.plan.deliveries:
                key = (one.linked(delivery.link).pk, delivery.target_side_id)
                planned.setdefault(key, []).append((one, delivery))
        if not planned:
            return
        rows = _lanes(linked=sorted({linked_id for linked_id, _ in planned}))
        lanes = {(lane.linked_ticket_id, lane.target_id): lane for lane in rows}
        made: list[Delivery] = []
        for key, queued in planned.items():
            lane = lanes[key]
            made += [
                queues.put(lane, self._delivery(delivery, one), self.now, is_bulk=one.ticket.read_is_bulk)
                for one, delivery in queued
            ]
        moved = [lanes[key] for key in planned]
        update_many(
            Lane,
            queues.QUEUED,
            [(lane.pk, tuple(getattr(lane, name) for name in queues.QUEUED)) for lane in moved],
        )
        insert_many(made)
        guard.stop_fights(rows, {lane.pk for lane in moved}, self.now)

    def _delivery(self, planned: reading.NewDelivery, one: _Reading) -> Delivery:
        return Delivery(
            event=one.events[planned.position],
            operation=planned.operation.value,
            marker=queues.new_marker(),
            origin=planned.origin[:200],
            stamp=planned.stamp.as_value(),
            hops=planned.hops,
            envelope=dict(planned.envelope),
            problem=dict(planned.problem),
            outgoing_id=planned.outgoing_id,
        )

    def _note_withheld(self) -> None:
        insert_many(
            [
                Withheld(
                    event=one.events[held.position],
                    linked_ticket=one.linked(held.link),
                    file_id=held.file.id[:200],
                    code=held.refusal.code.value,
                    reason=held.refusal.reason[:500],
                    outgoing_id=held.outgoing_id,
                )
                for one in self.readings
                for held in one.plan.withheld
            ],
            # A system may name a file both with a comment and by itself.
            ignores_doubles=True,
        )

    def _tell(self) -> None:
        """Touch what people look at, and send what was learnt as one domain event."""
        news = [told for one in self.readings for told in self._news_of(one)]
        titles: dict[int, LinkedTicket] = {}
        touched: set[int] = set()
        for told in news:
            linked, title = told.linked_ticket, told.ticket.title
            if not told.is_new:
                touched.add(linked.pk)
            if title and told.side.pk == linked.origin_id and linked.title != title:
                linked.title = title
                titles[linked.pk] = linked
        _touch(keys=sorted(touched), now=self.now)
        _touch_for_partners(keys=sorted(touched), now=self.now)
        update_many(LinkedTicket, ("title",), [(pk, (linked.title,)) for pk, linked in titles.items()])
        if news:
            histories_read.send(LinkedTicket, news=news)

    def _news_of(self, one: _Reading) -> list[News]:
        """What a reading told about each of its linked tickets."""
        by_link: dict[int, News] = {}
        changes: dict[int, list[SeenChange]] = {}
        for link in one.plan.new_links:
            linked, side = one.begun[link.connection_id], self.config.sides[link.side_id]
            told = changes.setdefault(linked.pk, [])
            by_link[linked.pk] = News(linked, side, one.ticket, told, is_new=True)
        for seen in one.plan.seen:
            linked = one.linked(seen.link)
            told = changes.setdefault(linked.pk, [])
            if linked.pk not in by_link:
                by_link[linked.pk] = News(linked, self.config.sides[seen.side_id], one.ticket, told)
            told.append(SeenChange(one.events[seen.position], seen.values, seen.public_comments))
        return list(by_link.values())


def _comment_value(comment: Comment) -> dict:
    return {
        "id": comment.id,
        "body": comment.body,
        "author": comment.author.as_value(),
        "is_public": comment.is_public,
        "at": comment.at.isoformat(),
        "attachments": [_attachment_value(file) for file in comment.attachments],
    }


def _attachment_value(file: Attachment) -> dict:
    return asdict(file)


_tickets = Question(
    lambda keys: Ticket.objects.filter(pk__in=keys).select_for_update(no_key=True).order_by("pk")
)
_sides = Question(lambda tickets: TicketSide.objects.filter(ticket__in=tickets))
_linked = Question(lambda keys: LinkedTicket.objects.filter(pk__in=keys))
_seen = Question(
    lambda tickets, change_ids: (
        SyncEvent.objects.filter(ticket__in=tickets, change_id__in=change_ids)
        .order_by()
        .values_list("ticket_id", "change_id")
    )
)
_lanes = Question(
    lambda linked: Lane.objects.filter(linked_ticket__in=linked).select_for_update(no_key=True).order_by("pk")
)
_touch = Order(lambda keys, now: (LinkedTicket.objects.filter(pk__in=keys), {"updated_at": now}))
_touch_for_partners = Order(
    lambda keys, now: (PartnerTicket.objects.filter(linked_ticket__in=keys), {"updated_at": now})
)
_creating_with = Question(
    lambda marker: Delivery.objects.filter(
        operation=Delivery.Op.CREATE, target__isnull=True, marker=marker
    ).values_list("pk")[:1]
)
_made_with = Question(
    lambda markers: (
        Ticket.objects.filter(marker__in=markers).order_by().values_list("system_id", "marker", "pk")
    )
)
_creating_in = Question(
    lambda system: Delivery.objects.filter(
        # A new ticket, or one that goes on from a closed one.
        target__isnull=True,
        state=Delivery.State.SENT,
        lane__system=system,
    ).values_list("pk")[:1]
)
