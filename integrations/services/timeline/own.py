"""The reduced story, for a partner's own people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet

from integrations.models import Delivery, DictionaryField, SyncEvent
from integrations.services.timeline.changes import field_changes, file_of, left_company, remark_of
from integrations.services.timeline.entries import Entry, Fate, Sent
from integrations.services.timeline.fates import (
    file_trace,
    losses_of,
    stand_in_of,
    undo_id_of,
    what_of,
)
from integrations.services.timeline.projections import Projection, by_event
from integrations.services.timeline.sendings import sent_in_brief, with_lanes
from integrations.services.undo_traces import Undoing, undoings_of


class Own(Projection):
    """For a partner's own people."""

    def events(self) -> QuerySet[SyncEvent]:
        """Changes in the own system, and the keys of those of which something was released and has arrived.

        Of the other side's changes only key and time are loaded.
        """
        own = [ticket_id for ticket_id, (one, _) in self.by_ticket.items() if self.owns(one.side)]
        arrived = self._deliveries().filter(event=OuterRef("pk"), state=Delivery.State.DONE)
        mine = Q(ticket__in=own)
        seen = self.not_ours().filter(mine | Exists(arrived.filter(lane__target__in=self._own_sides())))
        return seen.only("pk", "happened_at", "ticket_id")

    def entries(self, events: Sequence[SyncEvent]) -> list[Entry]:
        """Own changes in full, with a word on whether they were passed on; of the others what was released."""
        own = {ticket_id for ticket_id, (one, _) in self.by_ticket.items() if self.owns(one.side)}
        full = SyncEvent.objects.filter(pk__in=[event.pk for event in events if event.ticket_id in own])
        full_by_id = {event.pk: event for event in full.select_related("caused_by__lane")}
        deliveries = self._deliveries().filter(event__in=[event.pk for event in events])
        sent = by_event(with_lanes(deliveries).order_by("pk"))
        labels = dict(
            DictionaryField.objects.filter(connection=self.linked_ticket.connection_id).values_list(
                "name", "label"
            )
        )
        withheld = self.withheld(full_by_id.values())
        undoings = undoings_of(
            one for own in sent.values() for one in own if one.lane.target_id in self._own_sides()
        )
        found = []
        for event in events:
            if event.pk in full_by_id:
                entry = self.entry(full_by_id[event.pk], withheld.get(event.pk, {}))
                outward = [
                    one for one in sent.get(event.pk, []) if one.lane.target_id not in self._own_sides()
                ]
                entry.sent = [sent_in_brief(one) for one in outward]
                if self.viewer.is_borrowed:
                    stayed = withheld.get(event.pk, {})
                    entry.remarks = [
                        remark_of(one, shows_text=left_company(one, outward), stayed=stayed, is_own=False)
                        for one in full_by_id[event.pk].comments
                    ]
            else:
                arrived = [
                    one
                    for one in sent.get(event.pk, [])
                    if one.lane.target_id in self._own_sides() and one.state == Delivery.State.DONE
                ]
                entry = self.received(event, arrived, labels, undoings)
            found.append(entry)
        own_entries = [(entry, full_by_id[entry.event_id]) for entry in found if entry.event_id in full_by_id]
        self.name_origins(own_entries)
        return found

    def received(
        self,
        event: SyncEvent,
        arrived: Sequence[Delivery],
        labels: Mapping[str, str],
        undoings: Mapping[int, Undoing],
    ) -> Entry:
        """What reached the own system of a change on the other side, from the deliveries alone."""
        side = self.by_side[arrived[0].lane.target_id].side
        sender = self.other(side).system
        entry = Entry(
            event_id=event.pk,
            at=event.happened_at,
            kind=SyncEvent.Kind.UPDATED,
            author="",
            partner=sender.partner.name,
            system=sender.kind_label,
            ticket="",
            is_own=False,
        )
        for delivery in arrived:
            envelope = delivery.envelope
            if delivery.operation == Delivery.Op.CREATE:
                entry.kind = SyncEvent.Kind.CREATED
            elif comment := envelope.get("comment"):
                entry.author = comment.get("author", "")
                entry.remarks.append(remark_of(comment))
            elif file := envelope.get("file"):
                entry.files.append(file_of(file, {}, is_own=False))
            else:
                entry.changes += field_changes(envelope.get("fields", {}), {}, labels)
            own = self.by_side[delivery.lane.target_id].side.system
            entry.sent.append(
                Sent(
                    own.partner.name,
                    own.name,
                    what_of(delivery),
                    Fate.DELIVERED,
                    at=delivery.done_at,
                    file=file_trace(delivery),
                    stand_in=stand_in_of(delivery),
                    lost=losses_of(delivery),
                    undo_id=undo_id_of(delivery, undoings.get(delivery.pk)),
                    undoing=undoings.get(delivery.pk),
                )
            )
        return entry

    def _own_sides(self) -> list[int]:
        return [side_id for side_id, one in self.by_side.items() if self.owns(one.side)]

    def _deliveries(self) -> QuerySet[Delivery]:
        """Repairs and undoings are between the engine and one system; they tell a partner nothing."""
        found = Delivery.objects.filter(lane__linked_ticket=self.linked_ticket.pk)
        return found.exclude(operation__in=Delivery.OF_RECEIVER)
