"""The whole story, for people who see all partners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import QuerySet

from integrations.models import Delivery, SyncEvent
from integrations.services.timeline.changes import left_company, remark_of
from integrations.services.timeline.entries import Entry, Sent
from integrations.services.timeline.fates import (
    OVER,
    decision_in,
    fate_of,
    file_trace,
    losses_of,
    stand_in_of,
    undo_id_of,
    what_of,
)
from integrations.services.timeline.projections import Projection, by_event
from integrations.services.undo_traces import Undoing, undoings_of


class Whole(Projection):
    """For people who see all partners."""

    def events(self) -> QuerySet[SyncEvent]:
        """Every change of both tickets."""
        return self.not_ours().filter(ticket__in=list(self.by_ticket)).select_related("caused_by__lane")

    def entries(self, events: Sequence[SyncEvent]) -> list[Entry]:
        """The changes with the fate of each delivery."""
        sent, withheld = self._sent(events), self.withheld(events)
        undoings = undoings_of(one for deliveries in sent.values() for one in deliveries)
        found = []
        for event in events:
            stayed = withheld.get(event.pk, {})
            entry = self.entry(event, stayed)
            deliveries = sent.get(event.pk, [])
            entry.sent = [self.fate(one, event, undoings.get(one.pk)) for one in deliveries]
            if not entry.is_own:
                entry.remarks = [
                    remark_of(one, shows_text=left_company(one, deliveries), stayed=stayed, is_own=False)
                    for one in event.comments
                ]
            found.append(entry)
        self.name_origins(zip(found, events, strict=True))
        return found

    def _sent(self, events: Sequence[SyncEvent]) -> dict[int, list[Delivery]]:
        deliveries = Delivery.objects.filter(
            event__in=[event.pk for event in events], lane__linked_ticket=self.linked_ticket.pk
        )
        return by_event(deliveries.select_related("lane").order_by("number"))

    def fate(self, delivery: Delivery, event: SyncEvent, undoing: Undoing | None) -> Sent:
        """Where a delivery stands, with everything one needs to act."""
        lane = delivery.lane
        system = self.by_side[lane.target_id].side.system
        state = fate_of(delivery, lane)
        is_head = delivery.number == lane.head and state not in OVER
        return Sent(
            partner=system.partner.name,
            system=system.name,
            what=what_of(delivery),
            fate=state,
            at=delivery.done_at,
            delay=max((delivery.done_at or self.now) - event.happened_at, timedelta()),
            delivery_id=delivery.pk,
            number=delivery.number,
            tries=delivery.tries,
            failure_code=lane.failure_code if is_head else "",
            failure=lane.failure_message if is_head else "",
            reason=delivery.skipped_reason or decision_in(delivery),
            file=file_trace(delivery),
            stand_in=stand_in_of(delivery),
            lost=losses_of(delivery),
            undo_id=undo_id_of(delivery, undoing),
            undoing=undoing,
        )
