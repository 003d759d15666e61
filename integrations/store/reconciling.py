"""What a reconciliation stores: a change that no history shows, and a delivery that is queued again.

Both go the ordinary way: through the lanes, with attempts, echoes and all the rest.  Nothing here calls a system.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from integrations.canonical import Attachment, Change, Comment, History, Person, TicketHead, Value
from integrations.engine.effects import StoreReading
from integrations.engine.values import Stamp
from integrations.models import Delivery, Lane, SyncEvent, Ticket
from integrations.store import queues, readings
from integrations.store.configuration import Configuration

# What such a change, and the origin of such a delivery, begin with: their cause.
CAUSE = "reconcile:"
# In the timeline, where the account stands that made a change.
NOBODY = Person("", "Found by reconciliation; the system's history does not show it")


@transaction.atomic
def see_unrecorded(
    ticket: Ticket,
    config: Configuration,
    now: datetime,
    *,
    fields: Mapping[str, Value] | None = None,
    comments: Sequence[Comment] = (),
    files: Sequence[Attachment] = (),
) -> bool:
    """Take what a ticket holds without any history as a change seen now; what it means is queued like any other.

    False, and nothing is stored, when the ticket's history was read since `ticket` was loaded.
    """
    change = Change(
        id=f"{CAUSE}{secrets.token_hex(8)}",
        at=now,
        actor=NOBODY,
        fields=dict(fields or {}),
        before={name: ticket.actual.get(name) for name in fields or {}},
        comments=tuple(comments),
        attachments=tuple(files),
    )
    history = History((change,), ticket.cursor, TicketHead(ticket.remote_id, ticket.key, ticket.url))
    (is_stored,) = readings.store_readings(
        [StoreReading(ticket.pk, ticket.version, history, started_at=now)], config, now
    )
    return is_stored


@transaction.atomic
def queue_again(
    linked_ticket_id: int,
    target_side_id: int,
    operation: str,
    envelope: Mapping,
    now: datetime,
    *,
    event: SyncEvent | None,
    origin: str,
    stamp: Stamp,
    outgoing_id: int | None,
) -> Delivery:
    """Put a delivery at the end of the lane towards a side; it waits its turn behind everything else."""
    lane = Lane.objects.select_for_update().get(linked_ticket=linked_ticket_id, target=target_side_id)
    return queues.append(
        lane,
        Delivery(
            event=event,
            operation=operation,
            marker=queues.new_marker(),
            origin=f"{CAUSE}{secrets.token_hex(4)}:{origin}"[:200],
            stamp=stamp.as_value(),
            envelope=dict(envelope),
            outgoing_id=outgoing_id,
        ),
        now,
        is_bulk=True,
    )
