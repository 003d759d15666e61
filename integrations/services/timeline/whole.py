"""The whole story, for people who see all partners."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from integrations.models import Delivery, SyncEvent
from integrations.services.timeline.changes import left_company, remark_of
from integrations.services.timeline.entries import Entry
from integrations.services.timeline.projections import Projection, by_event
from integrations.services.timeline.sendings import sent_in_full, with_lanes
from integrations.services.undo_traces import undoings_of


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
            entry.sent = [
                sent_in_full(one, since=event.happened_at, now=self.now, undoing=undoings.get(one.pk))
                for one in deliveries
            ]
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
        return by_event(with_lanes(deliveries).order_by("pk"))
