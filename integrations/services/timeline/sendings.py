"""A delivery as the story tells it: in full to staff, in brief to the people of the company that sent it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from integrations.models import Delivery
from integrations.services.timeline.entries import Fate, Sent
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
from integrations.services.undo_traces import Undoing


def with_lanes(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """With what is told of them loaded.  The lists of their systems' fields are long, and nothing here reads them."""
    return deliveries.select_related("lane__system__partner").defer("lane__system__metadata")


def sent_in_full(
    delivery: Delivery, *, since: datetime, now: datetime, undoing: Undoing | None = None
) -> Sent:
    """Where a delivery stands, with everything one needs to act; its delay runs from `since`."""
    lane = delivery.lane
    state = fate_of(delivery, lane)
    is_head = delivery.number == lane.head and state not in OVER
    return Sent(
        partner=lane.system.partner.name,
        system=lane.system.name,
        what=what_of(delivery),
        fate=state,
        at=delivery.done_at,
        delay=max((delivery.done_at or now) - since, timedelta()),
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


def sent_in_brief(delivery: Delivery) -> Sent:
    """What the sender's own people may know of a delivery: arrived, under way, left out, or stopped and by whom.

    That the receiver does not take it must not stay hidden from who sent it; what it said about it is its own matter.
    """
    system = delivery.lane.system
    fate, failure = fate_of(delivery, delivery.lane), ""
    if fate is Fate.PARKED:
        who = "The sender" if delivery.problem else "The receiver"
        failure = f"{who} has to look at it; until then it waits, and what follows waits behind it."
    elif fate not in OVER:
        fate = Fate.UNDER_WAY
    return Sent(
        system.partner.name,
        system.kind_label,
        what_of(delivery),
        fate,
        at=delivery.done_at,
        failure=failure,
        file=file_trace(delivery),
        stand_in=stand_in_of(delivery),
        lost=losses_of(delivery),
    )
