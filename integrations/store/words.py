"""Words to senders about changes that were not taken, queued in the lane back."""

from __future__ import annotations

from datetime import datetime

from integrations.engine import acknowledgements
from integrations.engine.values import DeliveryState, Word
from integrations.models import Delivery, Lane
from integrations.store import heads, queues
from integrations.store.configuration import Configuration


def delivery_of(word: Word, about_id: int, *, event_id: int | None, stamp: list, is_end: bool) -> Delivery:
    """The delivery, not yet queued, by which a sender is told of another one of its own."""
    return Delivery(
        event_id=event_id,
        operation=Delivery.Op.COMMENT,
        marker=queues.new_marker(),
        origin=acknowledgements.origin_of(about_id, is_end=is_end),
        stamp=stamp,
        envelope=dict(word.envelope),
        outgoing_id=word.outgoing_id,
    )


def tell_of_skip(head: Delivery, back: Lane, config: Configuration, now: datetime) -> None:
    """Tell the sender of a delivery that somebody leaves it out, where it was told before that it was not taken.

    The caller has locked both lanes.
    """
    view = heads.view_of(head.pk, config)
    if word := acknowledgements.settled(view, DeliveryState.SKIPPED, now):
        told = delivery_of(word, head.pk, event_id=head.event_id, stamp=head.stamp, is_end=True)
        queues.append(back, told, now)
