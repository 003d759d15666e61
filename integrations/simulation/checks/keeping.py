"""What the store keeps: acknowledged is durable, and the cursor never passes what is not stored."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.engine import effects
from integrations.simulation.clock import milliseconds
from integrations.simulation.evidence import Evidence


def what_was_stored_stays(evidence: Evidence) -> Iterator[str]:
    """I8: whatever a transaction has acknowledged is there at the end."""
    attempts = {(one.delivery_id, one.number) for one in evidence.tables.attempts}
    for one in evidence.journal.commits:
        match one.request:
            case effects.Finish(delivery_id=pk, state=state) if one.result:
                row = evidence.tables.deliveries.get(pk)
                if row is None or row.state is not state:
                    yield f"delivery {pk} was stored as {state.value} and is {row.state.value if row else 'gone'}"
            case effects.MarkSent(delivery_id=pk, number=number) if one.result:
                if (pk, number) not in attempts:
                    yield f"attempt {number} of delivery {pk} was stored and is gone"
            case effects.StoreReading(ticket_id=ticket_id, history=history) if one.result:
                known = {event.change.id for event in evidence.events_of.get(ticket_id, ())}
                lost = [change.id for change in history.changes if change.id not in known]
                if lost:
                    yield f"changes {lost} of ticket {ticket_id} were stored and are gone"


def what_was_hinted_is_read(evidence: Evidence) -> Iterator[str]:
    """I8: what a web hook tells was stored when it was answered, or it has led to a reading at once."""
    tickets = {(row.system_id, row.remote_id): row for row in evidence.tables.tickets.values()}
    keys = evidence.world.keys
    read: dict[int, int] = {}
    for one in evidence.journal.commits:
        if isinstance(one.request, effects.StoreReading) and one.result:
            began = milliseconds(one.request.started_at)
            read[one.request.ticket_id] = max(began, read.get(one.request.ticket_id, 0))
    for hint in evidence.journal.hints:
        row = tickets.get((keys[hint.place], hint.remote_id))
        if row is None:
            yield f"a hint about {hint.remote_id} in {hint.place} left nothing behind"
        elif not hint.is_due:
            if hint.stored < hint.told:
                yield f"ticket {row.id} was not to be read after a hint at {hint.ms} of what was not stored"
        elif not row.is_gone and read.get(row.id, -1) < hint.ms:
            yield f"ticket {row.id} was not read after a hint at {hint.ms}"


def the_cursor_passes_nothing(evidence: Evidence) -> Iterator[str]:
    """I10: a ticket's events are its own history up to the cursor, complete and in order."""
    for ticket in evidence.tables.tickets.values():
        real = evidence.real(ticket)
        if real is None:
            continue
        passed = [change.id for change in real.history[: int(ticket.cursor or 0)]]
        events = evidence.events_of.get(ticket.id, [])
        if [event.change.id for event in events] != passed:
            yield f"ticket {ticket.id}: the cursor passed {passed}, stored is {[e.change.id for e in events]}"
        if [event.position for event in events] != list(range(1, len(events) + 1)):
            yield f"ticket {ticket.id}: events have gaps in their places"
