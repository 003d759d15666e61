"""Stores what a reading means, in the transaction that moves the cursor: all of it or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from integrations.canonical import Attachment, Change, ChangeKind, Comment
from integrations.engine import reading
from integrations.engine.effects import NoteReadFailure, StoreReading
from integrations.engine.values import LinkState, TicketView
from integrations.events import SeenChange, changes_seen, ticket_linked
from integrations.mapping import plan as mapping
from integrations.models import (
    Delivery,
    Lane,
    LinkedTicket,
    PartnerTicket,
    SyncEvent,
    Ticket,
    TicketSide,
)
from integrations.store import tickets
from integrations.store.configuration import Configuration

# How soon to look again at a new ticket that a create of ours, still under way, has probably made.
CREATE_UNDER_WAY_S = 2


def store_reading(request: StoreReading, config: Configuration, now: datetime) -> bool:
    """Judge the history by what is known at this moment and store the outcome; False when another got there first."""
    ticket = Ticket.objects.select_for_update().get(pk=request.ticket_id)
    if ticket.version != request.version:
        Ticket.objects.filter(pk=ticket.pk).update(read_due_at=now)
        return False
    if not request.history.changes:
        _store_quiet(ticket, request, now)
        return True
    if _is_being_created(ticket, request.history.changes[0], config):
        Ticket.objects.filter(pk=ticket.pk).update(read_due_at=now + timedelta(seconds=CREATE_UNDER_WAY_S))
        return False
    sides = list(TicketSide.objects.filter(ticket=ticket.pk).select_related("linked_ticket"))
    view = TicketView(
        ticket=tickets.ticket_state(ticket),
        account_id=config.accounts.get(ticket.system_id, ""),
        connections=config.by_system.get(ticket.system_id, ()),
        links=tuple(
            LinkState(
                side.linked_ticket_id,
                side.linked_ticket.connection_id,
                side.side_id,
                config.connections[side.linked_ticket.connection_id].other(side.side_id).id,
            )
            for side in sides
        ),
        open_writes=tickets.open_writes(ticket.pk),
    )
    history = replace(request.history, changes=_unseen_changes(ticket, request.history.changes))
    plan = reading.plan_reading(view, history, started_at=request.started_at)
    links = {side.linked_ticket_id: side.linked_ticket for side in sides}
    _Storing(ticket, request, plan, config, links, now).store()
    return True


def note_read_failure(request: NoteReadFailure, now: datetime) -> None:
    """The ticket could not be read: it stays due later, or is gone for good."""
    ticket = Ticket.objects.select_for_update().get(pk=request.ticket_id)
    ticket.read_failures += 1
    ticket.read_due_at = request.retry_at
    if request.retry_at is None:
        ticket.is_gone = True
    ticket.save(update_fields=["read_failures", "read_due_at", "is_gone"])


def _store_quiet(ticket: Ticket, request: StoreReading, now: datetime) -> None:
    """Nothing new: only the cursor and the due time move."""
    ticket.cursor = request.history.cursor
    ticket.read_at = now
    ticket.read_failures = 0
    ticket.read_due_at = _next_due(ticket, request, now)
    ticket.save(update_fields=["cursor", "read_at", "read_failures", "read_due_at"])


def _next_due(ticket: Ticket, request: StoreReading, now: datetime) -> datetime | None:
    """When to read again: at once when there is more or somebody hinted while we read; else not before a hint."""
    if request.history.has_more:
        return now
    hinted_since = ticket.stale_since is not None and ticket.stale_since > request.started_at
    return ticket.read_due_at if hinted_since else None


def _is_being_created(ticket: Ticket, first: Change, config: Configuration) -> bool:
    """Whether this unknown ticket is probably one that a create of ours is making at this moment.

    Its web hook can be quicker than the answer to our create.  Until that answer is stored the ticket must not be
    taken for somebody's new ticket, or it would be linked back to where it came from.
    """
    if ticket.event_count or first.kind is not ChangeKind.CREATED:
        return False
    creating = Delivery.objects.filter(operation=Delivery.Op.CREATE, target__isnull=True)
    if first.marker and creating.filter(marker=first.marker).exists():
        return True
    by_us = first.actor.id == config.accounts.get(ticket.system_id, "")
    return by_us and creating.filter(state=Delivery.State.SENT, lane__system=ticket.system_id).exists()


def _unseen_changes(ticket: Ticket, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Changes that are not stored yet.  A connector may overlap at the cursor; a change counts once."""
    if not ticket.event_count:
        return changes
    ids = [change.id for change in changes]
    known = set(
        SyncEvent.objects.filter(ticket=ticket.pk, change_id__in=ids).values_list("change_id", flat=True)
    )
    return tuple(change for change in changes if change.id not in known)


class _Storing:
    """One plan on its way into the tables."""

    def __init__(
        self,
        ticket: Ticket,
        request: StoreReading,
        plan: reading.ReadingPlan,
        config: Configuration,
        links: dict[int, LinkedTicket],
        now: datetime,
    ) -> None:
        self.ticket = ticket
        self.request = request
        self.plan = plan
        self.config = config
        self.links = links
        self.now = now
        self.begun: dict[int, LinkedTicket] = {}

    def store(self) -> None:
        """Write everything; the caller's transaction makes it one."""
        self._store_ticket()
        events = self._store_events()
        for delivery_id, left in self.plan.unseen.items():
            Delivery.objects.filter(pk=delivery_id).update(unseen=left, is_recognised=not left)
        for link in self.plan.new_links:
            self._begin(link)
        self._queue(events)
        self._tell(events)

    def _store_ticket(self) -> None:
        ticket, plan, head = self.ticket, self.plan, self.request.history.head
        ticket.cursor = plan.cursor
        ticket.version += 1
        ticket.event_count = plan.event_count
        ticket.actual = plan.actual
        ticket.winners = tickets.winners_value(plan.winners, plan.actual)
        ticket.key = head.key
        ticket.url = head.url
        ticket.title = self._title()
        ticket.is_gone = plan.is_gone
        ticket.opened_at = plan.opened_at or ticket.opened_at
        ticket.changed_at = plan.changed_at or ticket.changed_at
        ticket.read_at = self.now
        ticket.read_failures = 0
        ticket.read_due_at = _next_due(ticket, self.request, self.now)
        ticket.save()

    def _title(self) -> str:
        for connection in self.config.by_system.get(self.ticket.system_id, ()):
            side = connection.side_in(self.ticket.system_id)
            for rule in side.outgoing.rules if side else ():
                if rule.target == "title":
                    return mapping.text_of(self.plan.actual.get(rule.source))[:300]
        return ""

    def _store_events(self) -> dict[int, SyncEvent]:
        rows = [
            SyncEvent(
                ticket=self.ticket,
                change_id=event.change.id,
                position=event.position,
                kind=event.change.kind.value,
                actor_id=event.change.actor.id,
                actor_name=event.change.actor.name or event.change.actor.email,
                happened_at=event.change.at,
                seen_at=self.now,
                fields=dict(event.change.fields),
                before=dict(event.change.before),
                comments=[_comment_value(comment) for comment in event.change.comments],
                attachments=[_attachment_value(file) for file in event.change.attachments],
                caused_by_id=event.caused_by,
            )
            for event in self.plan.events
        ]
        return {event.position: event for event in SyncEvent.objects.bulk_create(rows)}

    def _begin(self, link: reading.NewLink) -> None:
        """Make the linked ticket, both its sides, both its lanes, and open it to both partners."""
        linked = LinkedTicket.objects.create(
            connection_id=link.connection_id,
            title=self.ticket.title,
            origin_id=link.side_id,
            opened_at=self.ticket.opened_at,
            updated_at=self.now,
        )
        sides = [self.config.sides[link.side_id], self.config.sides[link.other_side_id]]
        TicketSide.objects.bulk_create(
            [
                TicketSide(linked_ticket=linked, side=sides[0], ticket=self.ticket),
                TicketSide(linked_ticket=linked, side=sides[1], ticket=None),
            ]
        )
        Lane.objects.bulk_create(
            Lane(
                linked_ticket=linked,
                target=side,
                connection_id=link.connection_id,
                system_id=side.system_id,
                next_at=self.now,
            )
            for side in sides
        )
        partners = {self.config.partners[side.system_id] for side in sides}
        PartnerTicket.objects.bulk_create(
            PartnerTicket(partner_id=partner_id, linked_ticket=linked, updated_at=self.now)
            for partner_id in sorted(partners)
        )
        self.begun[link.connection_id] = linked
        ticket_linked.send(LinkedTicket, linked_ticket=linked, side=sides[0], ticket=self.ticket)

    def _linked(self, key: reading.LinkKey) -> LinkedTicket:
        return (
            self.links[key.linked_ticket_id]
            if key.linked_ticket_id is not None
            else self.begun[key.connection_id]
        )

    def _queue(self, events: dict[int, SyncEvent]) -> None:
        """Number the deliveries at the end of their lanes."""
        by_lane: dict[tuple[int, int], list[reading.NewDelivery]] = {}
        for planned in self.plan.deliveries:
            by_lane.setdefault((self._linked(planned.link).pk, planned.target_side_id), []).append(planned)
        rows: list[Delivery] = []
        for (linked_ticket_id, side_id), queued in sorted(by_lane.items()):
            lane = Lane.objects.select_for_update().get(linked_ticket=linked_ticket_id, target=side_id)
            for number, planned in enumerate(queued, lane.tail + 1):
                rows.append(self._delivery(lane, number, planned, events))
            lane.tail += len(queued)
            if not lane.waits:
                lane.waits, lane.waits_since, lane.next_at = True, self.now, self.now
            lane.save(update_fields=["tail", "waits", "waits_since", "next_at"])
        Delivery.objects.bulk_create(rows)

    def _delivery(
        self, lane: Lane, number: int, planned: reading.NewDelivery, events: dict[int, SyncEvent]
    ) -> Delivery:
        return Delivery(
            lane=lane,
            number=number,
            event=events[planned.position],
            operation=planned.operation.value,
            marker=f"concord-{secrets.token_hex(12)}",
            origin=planned.origin[:200],
            stamp=planned.stamp.as_value(),
            hops=planned.hops,
            envelope=dict(planned.envelope),
            problem=dict(planned.problem),
            outgoing_id=planned.outgoing_id,
            queued_at=self.now,
        )

    def _tell(self, events: dict[int, SyncEvent]) -> None:
        """Touch what people look at and send the domain events of this reading."""
        news: dict[int, tuple[LinkedTicket, int, list[SeenChange]]] = {}
        for seen in self.plan.seen:
            linked = self._linked(seen.link)
            entry = news.setdefault(linked.pk, (linked, seen.side_id, []))
            entry[2].append(SeenChange(events[seen.position], seen.values, seen.public_comments))
        for linked, side_id, changes in news.values():
            self._touch(linked, side_id)
            changes_seen.send(
                LinkedTicket,
                linked_ticket=linked,
                side=self.config.sides[side_id],
                ticket=self.ticket,
                changes=changes,
            )

    def _touch(self, linked: LinkedTicket, side_id: int) -> None:
        if linked.updated_at == self.now:
            return
        linked.updated_at = self.now
        changed = ["updated_at"]
        if self.ticket.title and side_id == linked.origin_id and linked.title != self.ticket.title:
            linked.title = self.ticket.title
            changed.append("title")
        linked.save(update_fields=changed)
        PartnerTicket.objects.filter(linked_ticket=linked.pk).update(updated_at=self.now)


def _comment_value(comment: Comment) -> dict:
    return {
        "id": comment.id,
        "body": comment.body,
        "author": comment.author.as_value(),
        "is_public": comment.is_public,
        "at": comment.at.isoformat(),
        "attachments": list(_attachment_values(comment.attachments)),
    }


def _attachment_values(files: Iterable[Attachment]) -> Iterable[dict]:
    return (_attachment_value(file) for file in files)


def _attachment_value(file: Attachment) -> dict:
    return asdict(file)
