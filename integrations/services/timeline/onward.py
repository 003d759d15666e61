"""How a change went on: our write in one system is a change there, which leaves over the next connection."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from integrations.models import Delivery
from integrations.services.timeline.entries import Entry
from integrations.services.timeline.sendings import sent_in_brief, sent_in_full, with_lanes
from integrations.services.timeline.viewers import Viewer
from integrations.services.undo_traces import undoings_of


def tell_onward(entries: Iterable[Entry], case: Collection[int], viewer: Viewer, *, now: datetime) -> None:
    """Add to each change the deliveries by which it went on over these linked tickets.

    A partner's own people are told what left their own system.  A query for each step of the longest way, and one more;
    staff's take another for what was undone.
    """
    begun = {entry.event_id: entry for entry in entries}
    while begun:
        onward = list(_onward(begun, case))
        undoings = undoings_of(onward) if viewer.sees_all and onward else {}
        reached = {}
        for delivery in onward:
            assert delivery.event is not None
            assert delivery.event.caused_by is not None
            entry = reached[delivery.event.pk] = begun[delivery.event.caused_by.event_id or 0]
            if viewer.sees_all:
                undoing = undoings.get(delivery.pk)
                entry.sent.append(sent_in_full(delivery, since=entry.at, now=now, undoing=undoing))
            elif delivery.event.ticket.system.partner_id in viewer.partner_ids:
                entry.sent.append(sent_in_brief(delivery))
        begun = reached


def _onward(begun: Collection[int], case: Collection[int]) -> Iterable[Delivery]:
    """The deliveries of what our own writes of these changes have changed.  What is put back goes nowhere."""
    found = Delivery.objects.filter(
        lane__linked_ticket__in=case,
        event__caused_by__event__in=list(begun),
        event__caused_by__lane__linked_ticket__in=case,
    )
    found = found.exclude(operation__in=Delivery.OF_RECEIVER).exclude(
        event__caused_by__operation__in=Delivery.OF_RECEIVER
    )
    return (
        with_lanes(found)
        .select_related("lane__system__partner", "event__caused_by", "event__ticket__system")
        .defer("lane__system__metadata", "event__ticket__system__metadata")
        .order_by("event", "lane", "number")
    )
