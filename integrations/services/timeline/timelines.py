"""One page of a timeline, newest first, as a viewer may see it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet

from integrations.models import LinkedTicket, SyncEvent
from integrations.services.timeline.entries import Timeline
from integrations.services.timeline.own import Own
from integrations.services.timeline.viewers import Viewer
from integrations.services.timeline.whole import Whole


def timeline(
    linked_ticket: LinkedTicket,
    viewer: Viewer,
    *,
    now: datetime,
    older_than: str = "",
    limit: int = 50,
    case: Collection[int] = (),
) -> Timeline:
    """What happened on both sides, newest first, as far as this viewer may see it.

    `older_than` is the `older` of the page before; one that is not understood starts at the newest.  `case` are the
    keys of linked tickets told beside this one: what came over any of them is told where it began.  Seven queries,
    however long the history; changes nothing.
    """
    sides = list(
        linked_ticket.sides.select_related("side__system__partner", "ticket").order_by("side__position")
    )
    told = {linked_ticket.pk, *case}
    view = (
        Whole(linked_ticket, sides, viewer, now, told)
        if viewer.sees_all
        else Own(linked_ticket, sides, viewer, now, told)
    )
    events = _page(view.events(), older_than)
    shown = list(events[: limit + 1])
    entries = view.entries(shown[:limit])
    more = shown[limit - 1] if len(shown) > limit else None
    return Timeline(entries, place_of(more.happened_at, more.pk) if more else "")


def place_of(at: datetime, event_id: int) -> str:
    """Where a timeline goes on after this change, as `older_than` takes it."""
    return f"{at.timestamp():.6f}-{event_id}"


def _page(events: QuerySet[SyncEvent], older_than: str) -> QuerySet[SyncEvent]:
    """Newest first, continued after a key; several changes may share their second."""
    seconds, _, pk = older_than.partition("-")
    try:
        at, last = datetime.fromtimestamp(float(seconds)).astimezone(), int(pk)
    except (ValueError, OverflowError, OSError):
        pass
    else:
        events = events.filter(Q(happened_at__lt=at) | Q(happened_at=at, pk__lt=last))
    return events.order_by("-happened_at", "-pk")
