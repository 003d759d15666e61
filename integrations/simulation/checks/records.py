"""What can be told afterwards: who caused an effect, by which rules, and when it happened by the source's own clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from integrations.canonical import ChangeKind
from integrations.engine.values import DeliveryState, Operation, Outcome
from integrations.simulation.evidence import Evidence
from integrations.simulation.rows import LinkedRow, TicketRow


def every_effect_is_explained(evidence: Evidence) -> Iterator[str]:
    """I15: from each effect the way leads to its delivery, its event, both versions of the rules and every attempt."""
    tables = evidence.tables
    attempts = Counter(attempt.delivery_id for attempt in tables.attempts)
    for one in evidence.journal.happened:
        if one.sent is None:
            continue
        for pk in one.sent.deliveries:
            row = tables.deliveries[pk]
            if row.operation is Operation.REVERT:
                # People have asked for it; what it undoes is told by what must still stand.
                if not row.envelope["held"]:
                    yield f"delivery {pk} took effect and does not name what it undoes"
            elif row.event_id is None or row.event_id not in tables.events:
                yield f"delivery {pk} took effect and names no event"
            if row.incoming_id is None:
                yield f"delivery {pk} took effect and names no version of the receiver's rules"
            if row.outgoing_id is None and row.operation not in (Operation.REPAIR, Operation.REVERT):
                yield f"delivery {pk} took effect and names no version of the sender's rules"
            if not attempts[pk]:
                yield f"delivery {pk} took effect and no attempt is recorded"
    for attempt in tables.attempts:
        if attempt.outcome is Outcome.STARTED:
            yield f"attempt {attempt.number} of delivery {attempt.delivery_id} never ended"
    done = [row for row in tables.deliveries.values() if row.state is DeliveryState.DONE]
    for row in done:
        is_addition = row.operation in (Operation.COMMENT, Operation.FILE)
        if is_addition and row.target_id and (row.target_id, row.origin) not in tables.effects:
            yield f"delivery {row.id} is done and its effect is not recorded"


def undo_restores_only_our_own(evidence: Evidence) -> Iterator[str]:
    """I16: what an attempt says it replaced is what its ticket's history says stood there before."""
    for row in evidence.tables.deliveries.values():
        if not row.pre_image or row.target_id is None:
            continue
        events = evidence.events_of.get(row.target_id, [])
        for name, value in row.pre_image.items():
            stood = [event.change.fields[name] for event in events if name in event.change.fields]
            before = [event.change.before.get(name) for event in events if name in event.change.fields]
            if value is not None and value not in stood and value not in before:
                yield f"delivery {row.id} says it replaced {value!r} in {name}, which never stood there"


def clocks_see_the_sources_times(evidence: Evidence) -> Iterator[str]:
    """I17: each thing that people did counts once for each linked ticket, at its own system's time."""
    told: Counter[tuple[int, int, str]] = Counter()
    for fact in evidence.tables.facts:
        event = evidence.tables.events[fact.event_id]
        told[fact.linked_id, event.ticket_id, event.change.id] += 1
        if fact.happened_at != event.change.at:
            yield f"{event.change.id} counts at {fact.happened_at}, it happened at {event.change.at}"
    for linked in evidence.tables.linked.values():
        for ticket_id in linked.tickets.values():
            ticket = evidence.tables.tickets[ticket_id]
            for change_id in _expected(evidence, linked, ticket):
                count = told[linked.id, ticket_id, change_id]
                if count != 1:
                    yield f"{change_id} of ticket {ticket_id} counts {count} times for linked ticket {linked.id}"


def _expected(evidence: Evidence, linked: LinkedRow, ticket: TicketRow) -> Iterator[str]:
    real = evidence.real(ticket)
    if real is None:
        return
    place = evidence.place_of(ticket)
    for change in real.history:
        happened = evidence.happened_by_change[place, change.id]
        is_public = any(comment.is_public for comment in change.comments)
        if evidence.was_taken_for_ours(happened):
            continue
        if happened.sent is None and (change.fields or is_public) and change.kind is not ChangeKind.DELETED:
            yield change.id
