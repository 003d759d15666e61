"""Words to senders about changes that were not taken, queued in the lane back."""

from __future__ import annotations

from datetime import datetime

from integrations.engine import acknowledgements
from integrations.engine.values import DeliveryState, Operation, Word
from integrations.simulation.memory.heads import head_view
from integrations.simulation.memory.shared import Memory
from integrations.simulation.rows import DeliveryRow


def queue(memory: Memory, about: DeliveryRow, word: Word, now: datetime) -> None:
    """Queue what a delivery's sender is told of it; the delivery counts as told then."""
    row = DeliveryRow(
        id=0,
        lane_id=0,
        number=0,
        event_id=about.event_id,
        operation=Operation.COMMENT,
        marker=memory.new_marker(),
        origin=acknowledgements.origin_of(about.id, is_end=about.told_at is not None),
        stamp=about.stamp,
        hops=1,
        envelope=word.envelope,
        problem={},
        outgoing_id=word.outgoing_id,
        queued_at=now,
    )
    memory.queue(memory.lane_back(about.lane_id), row, now)
    about.told_at = now


def tell_of_skip(memory: Memory, head: DeliveryRow, now: datetime) -> None:
    """Tell the sender of a delivery that somebody leaves it out, where it was told before that it was not taken."""
    lane = memory.tables.lanes[head.lane_id]
    view = head_view(memory.connections[lane.connection_id], lane, head)
    if word := acknowledgements.settled(view, DeliveryState.SKIPPED, now):
        queue(memory, head, word, now)
