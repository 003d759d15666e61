"""What both projections of a timeline share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db.models import Q, QuerySet

from integrations.engine.follow_ups import is_follow_up
from integrations.models import Delivery, LinkedTicket, Side, SyncEvent, Ticket, TicketSide, Withheld
from integrations.services.timeline.changes import field_changes, field_labels, file_of, remark_of
from integrations.services.timeline.entries import Entry
from integrations.services.timeline.viewers import Viewer


def _with_closed(ticket: Ticket | None) -> Iterator[tuple[int, Ticket]]:
    """A ticket and those it goes on from, the nearest first; a query for each follow-up."""
    while ticket is not None:
        yield ticket.pk, ticket
        ticket = ticket.follows.first() if is_follow_up(ticket.marker) else None


class Projection:
    """What both projections share: the two sides, their words, and how an entry is put together."""

    def __init__(
        self,
        linked_ticket: LinkedTicket,
        sides: Sequence[TicketSide],
        viewer: Viewer,
        now: datetime,
        told: Collection[int],
    ) -> None:
        self.linked_ticket = linked_ticket
        self.told = told
        self.viewer = viewer
        self.now = now
        # The tickets that stand there, and the closed ones that they go on from.
        self.by_ticket = {pk: (one, ticket) for one in sides for pk, ticket in _with_closed(one.ticket)}
        self.by_side = {one.side_id: one for one in sides}

    def not_ours(self) -> QuerySet[SyncEvent]:
        """Changes that did not come over this very link, or one told beside it: those are told where they began.

        What undoing put back began nowhere else.
        """
        return SyncEvent.objects.filter(
            Q(caused_by=None)
            | Q(caused_by__operation=Delivery.Op.REVERT)
            | ~Q(caused_by__lane__linked_ticket__in=self.told)
        )

    def owns(self, side: Side) -> bool:
        """Whether it is the viewer's own company's side."""
        return side.system.partner_id in self.viewer.partner_ids

    def other(self, side: Side) -> Side:
        """The opposite side."""
        return next(one.side for one in self.by_side.values() if one.side_id != side.pk)

    def entry(self, event: SyncEvent, stayed: Mapping[str, str]) -> Entry:
        """A change as its own system tells it; `stayed` says which of its files did not leave, and why.

        Nothing is left out for its own company.  Others see neither the names of these files nor notes that stayed.
        """
        one, ticket = self.by_ticket[event.ticket_id]
        system = one.side.system
        labels = field_labels(system)
        is_own = self.owns(one.side) and not self.viewer.is_borrowed
        return Entry(
            event_id=event.pk,
            at=event.happened_at,
            kind=SyncEvent.Kind(event.kind),
            author=event.actor_name,
            partner=system.partner.name,
            system=system.name,
            ticket=str(ticket),
            is_own=is_own,
            is_undoing=event.caused_by is not None and event.caused_by.operation == Delivery.Op.REVERT,
            changes=[]
            if event.kind == SyncEvent.Kind.CREATED
            else field_changes(event.fields, event.before, labels),
            remarks=[remark_of(comment, stayed=stayed, is_own=is_own) for comment in event.comments],
            files=[file_of(attachment, stayed, is_own=is_own) for attachment in event.attachments],
        )

    def withheld(self, events: Iterable[SyncEvent]) -> dict[int, dict[str, str]]:
        """Why files did not leave over this link, by change and file.  One query."""
        found: dict[int, dict[str, str]] = {}
        rows = Withheld.objects.filter(
            linked_ticket=self.linked_ticket.pk, event__in=[event.pk for event in events]
        )
        for event_id, file_id, reason in rows.values_list("event", "file_id", "reason"):
            found.setdefault(event_id, {})[file_id] = reason
        return found

    def name_origins(self, entries: Iterable[tuple[Entry, SyncEvent]]) -> None:
        """Say through whom a change came that another connection of ours brought into this system."""
        brought = [
            (entry, event.caused_by.lane)
            for entry, event in entries
            if event.caused_by and not entry.is_undoing
        ]
        if not brought:
            return
        senders = Side.objects.filter(connection__in={lane.connection_id for _, lane in brought})
        senders = senders.exclude(pk__in={lane.target_id for _, lane in brought})
        names = dict(senders.values_list("connection", "system__partner__name"))
        for entry, lane in brought:
            entry.through = names.get(lane.connection_id, "")


def by_event(deliveries: Iterable[Delivery]) -> dict[int, list[Delivery]]:
    """Deliveries by the change that they carry."""
    found: dict[int, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.event_id or 0, []).append(delivery)
    return found
