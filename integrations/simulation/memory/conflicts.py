"""Conflicts that wait for a person, and what the person decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from integrations.canonical import Value
from integrations.engine import decisions
from integrations.engine.conflicts import CODE
from integrations.engine.decisions import Dispute, Waiting
from integrations.engine.values import LaneState, Operation, Question, Stamp
from integrations.simulation.memory.shared import Memory
from integrations.simulation.rows import ConflictRow, DeliveryRow, LaneRow, TicketRow

CAME, OWN = "came", "own"
_MIRRORED = {CAME: OWN, OWN: CAME}


@dataclass(slots=True)
class _Place:
    """Everything that a decision is made from."""

    row: ConflictRow
    back: LaneRow
    target: TicketRow
    queued: list[DeliveryRow]
    dispute: Dispute


def ask(memory: Memory, lane: LaneRow, delivery_id: int, questions: Iterable[Question], at: datetime) -> None:
    """Keep what is asked about a delivery; each field is asked about once."""
    table = memory.tables.conflicts
    asked = {one.field for one in table.values() if one.delivery_id == delivery_id}
    for question in questions:
        if question.field not in asked:
            row = ConflictRow(
                memory.next_id(table), delivery_id, lane.id, question.field, question.shared, at
            )
            table[row.id] = row


def is_open(memory: Memory, row: ConflictRow) -> bool:
    """Whether its delivery waits for the answer now."""
    lane, delivery = memory.tables.lanes[row.lane_id], memory.tables.deliveries[row.delivery_id]
    waits = lane.state is LaneState.PARKED and lane.failure_code == CODE
    return row.decided_at is None and waits and delivery.number == lane.head


def token_of(memory: Memory, row: ConflictRow) -> str:
    """Which two values a person is shown; empty when there is nothing to decide."""
    place = _place(memory, row)
    return place.dispute.token() if place else ""


def decide(
    memory: Memory, row: ConflictRow, choice: str, now: datetime, *, token: str
) -> list[LaneRow] | None:
    """Let one value stand on both sides: the lanes that may go on; None where that is refused."""
    place = _place(memory, row)
    if place is None or (token and token != place.dispute.token()):
        return None
    value, problem = place.dispute.carried() if choice == CAME else (place.dispute.winner.value, "")
    if problem:
        return None
    decision = decisions.decided(place.dispute, value, is_senders=choice == CAME)
    place.target.winners = {**place.target.winners, row.field: decision.winner}
    _leave_out(place.queued, row.field)
    if decision.answer:
        _leave_out(_queued_back(memory, place), *decisions.asked_back(place.dispute))
    row.decided_at, row.choice, row.stands = now, choice, value
    stamp, answer = decision.winner.stamp, decision.answer
    if decision.repair is not None:
        repair = _delivery(memory, place, Operation.REPAIR, stamp, now)
        repair.envelope = decision.repair
        memory.queue(memory.tables.lanes[row.lane_id], repair, now)
    if answer:
        told = _delivery(memory, place, Operation.UPDATE, stamp, now)
        told.envelope, told.problem, told.outgoing_id = answer.envelope, answer.problem, answer.outgoing_id
        memory.queue(place.back, told, now)
    closed = [row, *(_close_twin(memory, place, choice, now) if answer else ())]
    return [memory.tables.lanes[one.lane_id] for one in reversed(closed) if not _is_more_asked(memory, one)]


def _place(memory: Memory, row: ConflictRow) -> _Place | None:
    tables = memory.tables
    lane = tables.lanes[row.lane_id]
    if not is_open(memory, row):
        return None
    view = memory.connections[lane.connection_id]
    here, there = view.side(lane.target_side_id), view.other(lane.target_side_id)
    stood = tables.linked[lane.linked_id].tickets
    if here.id not in stood:
        return None
    target = tables.tickets[stood[here.id]]
    source = tables.tickets[stood[there.id]] if there.id in stood else None
    question = Question(row.field, row.shared)
    queued = [
        one
        for one in memory.queues[lane.id][lane.head - 1 :]
        if one.operation is Operation.UPDATE
        and (one.id == row.delivery_id or decisions.carries(here, question, one.envelope))
    ]
    dispute = Dispute(
        question,
        here,
        there,
        target.actual,
        target.winners,
        source.winners if source else {},
        [Waiting(one.number, one.stamp, one.envelope, _set_at(memory, source, one)) for one in queued],
    )
    return _Place(row, memory.lanes_of[lane.linked_id, there.id], target, queued, dispute)


def _set_at(memory: Memory, source: TicketRow | None, row: DeliveryRow) -> Mapping[str, Value]:
    event = memory.tables.events.get(row.event_id or 0)
    return event.change.fields if source and event and event.ticket_id == source.id else {}


def _leave_out(queued: Iterable[DeliveryRow], *fields: str) -> None:
    for delivery in queued if fields else ():
        delivery.envelope = decisions.without(delivery.envelope, *fields)


def _queued_back(memory: Memory, place: _Place) -> list[DeliveryRow]:
    waiting = memory.queues[place.back.id][place.back.head - 1 :]
    shared = place.row.shared
    return [one for one in waiting if one.operation is Operation.UPDATE and shared in one.envelope["fields"]]


def _delivery(
    memory: Memory, place: _Place, operation: Operation, stamp: Stamp, now: datetime
) -> DeliveryRow:
    return DeliveryRow(
        id=0,
        lane_id=0,
        number=0,
        event_id=memory.tables.deliveries[place.row.delivery_id].event_id,
        operation=operation,
        marker=memory.new_marker(),
        origin=_origin(place.row),
        stamp=stamp,
        hops=1,
        envelope={},
        problem={},
        outgoing_id=None,
        queued_at=now,
    )


def _origin(row: ConflictRow) -> str:
    return f"conflict:{row.id}"


def _close_twin(memory: Memory, place: _Place, choice: str, now: datetime) -> list[ConflictRow]:
    """The same question, asked at the other side, is answered with it."""
    twins = [
        one
        for one in memory.tables.conflicts.values()
        if one.lane_id == place.back.id and one.shared == place.row.shared and is_open(memory, one)
    ]
    for twin in twins[:1]:
        other = _place(memory, twin)
        if other is None:
            return []
        _leave_out([one for one in other.queued if one.origin != _origin(place.row)], twin.field)
        twin.decided_at, twin.choice = now, _MIRRORED[choice]
    return twins[:1]


def _is_more_asked(memory: Memory, row: ConflictRow) -> bool:
    return any(
        one.delivery_id == row.delivery_id and is_open(memory, one)
        for one in memory.tables.conflicts.values()
    )
