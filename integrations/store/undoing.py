"""Queues the undoing of writes: an ordinary delivery, at the end of the lane that the write went through."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

from integrations.canonical import Value
from integrations.engine import undoing
from integrations.engine.values import Winner
from integrations.models import Delivery, Lane, Ticket
from integrations.store import queues

# What the origin of an undoing begins with.
CAUSE = "undo:"


def queue(
    lane: Lane,
    ticket: Ticket,
    fields: Mapping[str, Value],
    held: Mapping[str, Winner],
    now: datetime,
    *,
    is_bulk: bool = False,
) -> Delivery:
    """Put back `fields` of the ticket a lane leads to, where `held` still stands when it is its turn.

    The caller has locked the lane.  The stamp is newer than everything that stands there, so that what is put back
    counts as the newest value and travels on over the ticket's other connections.
    """
    return queues.append(
        lane,
        Delivery(
            operation=Delivery.Op.REVERT,
            marker=queues.new_marker(),
            origin=f"{CAUSE}{secrets.token_hex(4)}:{ticket.system_id}:{ticket.remote_id}"[:200],
            stamp=queues.newer_stamp(
                now, ticket.system_id, *(winner.stamp for winner in held.values())
            ).as_value(),
            envelope=undoing.envelope(ticket.pk, fields, held),
        ),
        now,
        is_bulk=is_bulk,
    )
