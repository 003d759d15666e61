"""When a change may be written without reading the target first, and what is known of the target then.  Pure.

Every write is preceded by a reading of its ticket, to find a newer value there before it is covered.  That reading
tells nothing new in two cases: the system itself refuses a change that is built on an older state of the ticket, or the
ticket was read a moment ago and nobody has told of a change since.  In the second case somebody's edit may come in
between as it may between any reading and its write; the history shows both in their order, and what was newer is put
back (see `reading`).  Whatever needs more than setting plain values is decided on a reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from integrations.connectors.protocol import Basis, Capabilities
from integrations.engine import conflicts
from integrations.engine.ports import Systems
from integrations.engine.shares import Share, share_of, with_followers
from integrations.engine.values import (
    NO_STAMP,
    DeliveryState,
    HeadView,
    OpenWrite,
    Operation,
    TicketState,
    Winner,
)

# How long a reading counts as of this moment where the system does not compare: about as long as a slow answer takes.
MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Unread:
    """The shares that may be written at once, and the target as it is known to stand."""

    shares: Sequence[Share]
    target: TicketState


def without_reading(head: HeadView, now: datetime, systems: Systems) -> Unread | None:
    """The shares of the delivery and those behind it, when they may be written as things are known.

    None when the target is to be read first.
    """
    if head.target is None or not _is_plain_update(head):
        return None
    capabilities = systems.capabilities(head.side.system_id)
    if not (capabilities.guards_writes or _was_just_read(head.target, now)):
        return None
    target = as_written(head.target, head.own_writes)
    own = share_of(head, target, target.actual, systems)
    if not isinstance(own, Share):
        return None
    shares = with_followers(own, target, systems)
    if any(share.head.operation is not Operation.UPDATE for share in shares):
        # An undoing compares with what really stands there.
        return None
    if not all(share.open and set(share.open) == set(share.wanted) for share in shares):
        # What is there already, was overtaken or cannot be mapped is judged by what the ticket really holds.
        return None
    if not capabilities.guards_writes and not all(_is_plain(share, capabilities) for share in shares):
        return None
    return Unread(shares, target)


def basis_of(target: TicketState, writes: Sequence[OpenWrite], capabilities: Capabilities) -> Basis | None:
    """What a write to the target is built on, for a system that compares; None for any other."""
    if not capabilities.guards_writes:
        return None
    made = [id_ for write in writes if write.state is DeliveryState.DONE for id_ in write.change_ids]
    return Basis(target.cursor, tuple(made))


def _is_plain_update(head: HeadView) -> bool:
    """An update that was never tried, to a ticket that was read."""
    target = head.target
    return (
        head.operation is Operation.UPDATE
        and head.state is DeliveryState.NEW
        and not head.tries
        # Whose change stands is decided on what really stands there.
        and not conflicts.is_asked(head)
        and target is not None
        and target.event_count > 0
        and not target.is_gone
        # What became of a write that is still under way only a reading tells.
        and all(write.state is DeliveryState.DONE and not write.creates for write in head.own_writes)
    )


def _was_just_read(target: TicketState, now: datetime) -> bool:
    if target.read_at is None or now - target.read_at > MOMENT:
        return False
    return target.hinted_at is None or target.hinted_at < target.read_at


def _is_plain(share: Share, capabilities: Capabilities) -> bool:
    """Whether nothing of it depends on what stands there.

    Lists are written whole, formatted text into the text that is there, and a workflow may not lead back.
    """
    return not any(
        name in capabilities.steps or isinstance(value, list | dict) for name, value in share.open.items()
    )


def as_written(target: TicketState, writes: Sequence[OpenWrite]) -> TicketState:
    """The ticket as its history has told it, and what we have written to it since."""
    actual, winners = dict(target.actual), dict(target.winners)
    for write in sorted(writes, key=lambda one: one.done_at.timestamp() if one.done_at else 0.0):
        for name, value in write.fields.items():
            actual[name] = value
            standing = winners[name].stamp if name in winners else NO_STAMP
            stamp = write.over[name].stamp if name in write.over else write.stamp
            winners[name] = Winner(value, max(standing, stamp))
    return replace(target, actual=actual, winners=winners)
