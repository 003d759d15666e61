"""Reads one ticket's history and stores what it means."""

from __future__ import annotations

from datetime import datetime, timedelta

from integrations.connectors.errors import ConnectorError, Gone, Refused, Unauthorized
from integrations.engine import effects, timing
from integrations.engine.effects import Steps
from integrations.engine.ports import ClaimedReading, Context

# A refusal to let us read will not pass by itself; it is tried again at this pace in case a person mends it.
REFUSED_RETRY_S = 300


def read_ticket(reading: ClaimedReading, context: Context) -> Steps:
    """Read what happened since the cursor; one page at a time, each stored with its own cursor."""
    started_at = context.clock.now()
    try:
        history = yield effects.ReadHistory(
            reading.system_id, remote_id=reading.remote_id, since=reading.cursor
        )
    except ConnectorError as error:
        yield from _failed(reading, context, error, started_at)
        return
    # More pages, or another reading that got there first, leave the ticket due at once: the store sees to it.
    yield (effects.StoreReading(reading.ticket_id, reading.version, history, started_at),)


def refused(ticket_id: int, error: Refused, now: datetime) -> effects.NoteReadFailure:
    """What is noted of a ticket that its system does not show us; one that is gone is read when somebody tells of it."""
    retry_at = None if isinstance(error, Gone) else now + timedelta(seconds=REFUSED_RETRY_S)
    return effects.NoteReadFailure(ticket_id, error, retry_at=retry_at)


def _failed(reading: ClaimedReading, context: Context, error: ConnectorError, started_at: datetime) -> Steps:
    now = context.clock.now()
    if isinstance(error, Gone):
        yield (refused(reading.ticket_id, error, now),)
        return
    if isinstance(error, Refused):
        wait_s: float = REFUSED_RETRY_S
    elif isinstance(error, Unauthorized):
        wait_s = 0.0
    else:
        wait_s = timing.backoff_s(reading.failures, error, context.random)
    yield (
        effects.NoteReadFailure(reading.ticket_id, error, retry_at=now + timedelta(seconds=wait_s)),
        effects.NoteSystemFailure(reading.system_id, error, started_at),
    )
