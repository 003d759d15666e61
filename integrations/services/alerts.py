"""What people do with alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from integrations.models import Alert, Lane, SyncEvent, Ticket
from integrations.services.refusals import NotPossible

STATES = {
    Alert.Code.LANES_PARKED: Lane.State.PARKED,
    Alert.Code.LANES_HELD: Lane.State.HELD,
    Alert.Code.LANES_WAITING: Lane.State.READY,
}


def acknowledge(alert: Alert, reason: str, *, by: Any, now: datetime) -> bool:
    """Say that somebody has it in hand, and what is done; whether it was open.  NotPossible without a word.

    It stays acknowledged until it gets worse, or closes by itself.
    """
    if not reason.strip():
        raise NotPossible("Say what is done: whoever is told of it next reads it.", field="reason")
    moved = Alert.objects.open().filter(pk=alert.pk)
    return bool(
        moved.update(
            state=Alert.State.ACKNOWLEDGED,
            acknowledged_at=now,
            acknowledged_by=by,
            acknowledged_reason=reason.strip()[:300],
        )
    )


def twins_of(alert: Alert, now: datetime) -> QuerySet[Ticket]:
    """The second tickets that an alert speaks of, each with the linked one, the latest first; none for other alerts."""
    if alert.code != Alert.Code.DUPLICATE_TWIN:
        return Ticket.objects.none()
    return Ticket.objects.twins(now).filter(system=alert.system_id).select_related("twin_of").order_by("-pk")


def doubled_of(alert: Alert, now: datetime) -> QuerySet[SyncEvent]:
    """The second comments and files that an alert speaks of, the latest first; none for other alerts."""
    if alert.code != Alert.Code.DOUBLED_EFFECT:
        return SyncEvent.objects.none()
    events = SyncEvent.objects.doubled(now).filter(ticket__system=alert.system_id)
    return events.select_related("ticket").order_by("-pk")


def lanes_of(alert: Alert) -> QuerySet[Lane]:
    """The lanes that an alert speaks of as they stand now, the longest wait first; none for other alerts."""
    state = STATES.get(Alert.Code(alert.code))
    if state is None:
        return Lane.objects.none()
    lanes = Lane.objects.filter(
        waits=True, connection=alert.connection_id, system=alert.system_id, state=state
    )
    return lanes.order_by("waits_since", "pk")
