"""What a person decides: it stands on both sides unless somebody has changed it since, and nothing waits for nobody."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.canonical import Value
from integrations.engine.conflicts import CODE
from integrations.engine.values import SideView
from integrations.mapping.plan import fields_read, receive, release
from integrations.simulation.clock import START, milliseconds
from integrations.simulation.evidence import Evidence
from integrations.simulation.memory.conflicts import CAME
from integrations.simulation.rows import ConflictRow, LaneRow, TicketRow


def what_was_decided_stands(evidence: Evidence) -> Iterator[str]:
    """I5: the decided value is what both sides hold in the end, unless somebody has changed it since."""
    for asked in _last(evidence):
        lane = evidence.tables.lanes[asked.lane_id]
        here, there = evidence.target(lane), _source(evidence, lane)
        if here is None or there is None or lane.linked_id in evidence.excused:
            continue
        sender = evidence.sender(lane)
        own = own_names(sender, asked.shared)
        if _was_set_since(evidence, asked, here, {asked.field}) or _was_set_since(
            evidence, asked, there, own
        ):
            continue
        if not _holds(evidence, here, asked.field, asked.stands):
            held = _held(evidence, here, asked.field)
            yield f"{asked.field} of ticket {here.id} was decided to be {asked.stands!r}, is {held!r}"
        if chosen := _own_words(evidence, asked, lane, there):
            for name, value in chosen.items():
                held = _held(evidence, there, name)
                if held != value:
                    yield f"{name} of ticket {there.id} was {value!r} by decision {asked.id}, is {held!r}"
            continue
        told = release(evidence.side(lane).outgoing, {asked.field: asked.stands}).fields
        made = receive(sender.incoming, told, current={}, is_new=False)
        for name, value in made.fields.items() if _was_always_shared(evidence, lane, asked.shared) else ():
            held = _held(evidence, there, name)
            is_same = release(sender.outgoing, {name: held}).fields.get(asked.shared) == told.get(
                asked.shared
            )
            if asked.shared in told and not (is_same or _holds(evidence, there, name, value)):
                yield f"{name} of ticket {there.id} should be {value!r} by decision {asked.id}, is {held!r}"


def _own_words(evidence: Evidence, asked: ConflictRow, lane: LaneRow, there: TicketRow) -> dict[str, Value]:
    """What the sender had set itself, where a person let that stand; empty where it is not known for sure."""
    assert asked.decided_at is not None
    if asked.choice != CAME or not _was_always_shared(evidence, lane, asked.shared):
        return {}
    sender, names = evidence.sender(lane), own_names(evidence.sender(lane), asked.shared)
    last: dict[str, Value] = {}
    for event in evidence.events_of.get(there.id, ()):
        cause = evidence.tables.deliveries.get(event.caused_by or 0)
        is_ours = cause is not None and evidence.lane_of(cause).linked_id == lane.linked_id
        if event.seen_at <= asked.decided_at and not is_ours:
            last |= {name: value for name, value in event.change.fields.items() if name in names}
    told = release(sender.outgoing, last, changed=last.keys()).fields
    made = receive(evidence.side(lane).incoming, told, current={}, is_new=False).fields
    return last if made.get(asked.field) == asked.stands else {}


def nobody_is_asked_twice(evidence: Evidence) -> Iterator[str]:
    """I5: a change that was on its way when a person decided about its field is not asked about after that."""
    conflicts = evidence.tables.conflicts.values()
    for asked in conflicts:
        lane = evidence.tables.lanes[asked.lane_id]
        queued_at = evidence.tables.deliveries[asked.delivery_id].queued_at
        for one in conflicts:
            other = evidence.tables.lanes[one.lane_id]
            if (other.linked_id, one.shared) != (lane.linked_id, asked.shared) or one.decided_at is None:
                continue
            if queued_at < one.decided_at < asked.asked_at and _was_always_shared(
                evidence, other, one.shared
            ):
                yield f"conflict {asked.id} asks about what was on its way when conflict {one.id} was decided"


def own_names(side: SideView, shared: str) -> set[str]:
    """The fields of a side's own that have to do with one of the data dictionary."""
    sent = {name for rule in side.outgoing.rules if rule.target == shared for name in fields_read(rule)}
    return sent | {rule.target for rule in side.incoming.rules if shared in fields_read(rule)}


def _was_always_shared(evidence: Evidence, lane: LaneRow, shared: str) -> bool:
    receiver = evidence.side(lane).id
    versions = [one[3] for one in evidence.journal.published if one[1:3] == (receiver, "outgoing")]
    return all(any(rule.target == shared for rule in rules.rules) for rules in versions)


def somebody_is_asked(evidence: Evidence) -> Iterator[str]:
    """I13: a lane that waits for a decision has something to decide."""
    for ms, lane_id, code, is_asked in evidence.journal.parked:
        if code == CODE and not is_asked:
            yield f"lane {lane_id} waits at {ms} for a decision, and nobody is asked"


def _last(evidence: Evidence) -> Iterator[ConflictRow]:
    """The last decision about each field of each linked ticket; none where two were made at the same moment."""
    found: dict[tuple[int, str], list[ConflictRow]] = {}
    for one in evidence.tables.conflicts.values():
        if one.decided_at is not None and one.stands is not None:
            linked_id = evidence.tables.lanes[one.lane_id].linked_id
            found.setdefault((linked_id, one.shared), []).append(one)
    for decided in found.values():
        latest = max(milliseconds(one.decided_at or START) for one in decided)
        last = [one for one in decided if milliseconds(one.decided_at or START) == latest]
        if len(last) == 1:
            yield from last


def _source(evidence: Evidence, lane: LaneRow) -> TicketRow | None:
    pk = evidence.tables.linked[lane.linked_id].tickets.get(evidence.sender(lane).id)
    return evidence.tables.tickets[pk] if pk else None


def _was_set_since(evidence: Evidence, asked: ConflictRow, ticket: TicketRow, names: set[str]) -> bool:
    """Whether anything but this pair's own lanes set the field after the decision, or before without being known."""
    linked, decided_at = evidence.tables.lanes[asked.lane_id].linked_id, asked.decided_at
    assert decided_at is not None
    for event in evidence.events_of.get(ticket.id, ()):
        if event.seen_at >= decided_at and names & event.change.fields.keys():
            cause = evidence.tables.deliveries.get(event.caused_by or 0)
            if cause is None or evidence.lane_of(cause).linked_id != linked:
                return True
    # What another connection has brought and found there already shows in no history.
    return any(
        row.done_at is not None
        and row.done_at >= decided_at
        and asked.shared in row.envelope.get("fields", {})
        and evidence.lane_of(row).linked_id != linked
        and evidence.target(evidence.lane_of(row)) is ticket
        for row in evidence.tables.deliveries.values()
    )


def _held(evidence: Evidence, ticket: TicketRow, name: str) -> Value:
    real = evidence.real(ticket)
    return real.fields.get(name) if real else None


def _holds(evidence: Evidence, ticket: TicketRow, name: str, value: Value) -> bool:
    return _held(evidence, ticket, name) in (value, evidence.world.settled(ticket.system_id, name, value))
