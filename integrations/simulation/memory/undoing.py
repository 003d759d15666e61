"""Undoing as people ask for it: looked at first, and queued when it is confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from integrations.canonical import Value
from integrations.engine import undo_plan, undoing, unread
from integrations.engine.undo_plan import Verdict, Write
from integrations.engine.values import FIELD_WRITES, DeliveryState, Operation, Stamp
from integrations.simulation.memory.heads import open_write
from integrations.simulation.memory.picture import state_of
from integrations.simulation.memory.shared import Memory, Undoing
from integrations.simulation.rows import DeliveryRow, LaneRow, TicketRow

_BY_RULES = (Operation.CREATE, Operation.UPDATE, Operation.COMMENT, Operation.FILE)


def begin_with_delivery(memory: Memory, delivery_id: int) -> Undoing | None:
    """Look at what undoing one write would do; None while it is not written, or being undone."""
    row = memory.tables.deliveries[delivery_id]
    if row.state is not DeliveryState.DONE:
        return None
    return _begin(memory, ("delivery", delivery_id), [row])


def begin_with_version(memory: Memory, rules_id: int) -> Undoing | None:
    """Look at what undoing all that a version wrote would do; None while that is under way."""
    written = [
        row
        for row in memory.tables.deliveries.values()
        if rules_id in (row.outgoing_id, row.incoming_id)
        and row.operation in _BY_RULES
        and row.state is DeliveryState.DONE
    ]
    return _begin(memory, ("version", rules_id), written)


def confirm(memory: Memory, undoing_: Undoing, now: datetime) -> bool:
    """Queue what was looked at; false where that would be nothing, or where it is over."""
    if undoing_.is_discarded or undoing_.reverts or not undoing_.items:
        return False
    for lane, ticket, planned in undoing_.items:
        assert planned.held is not None
        held = {planned.name: planned.held}
        stamp = Stamp(max(int(now.timestamp() * 1000), planned.held.stamp.ms + 1), ticket.system_id)
        row = DeliveryRow(
            id=0,
            lane_id=0,
            number=0,
            event_id=None,
            operation=Operation.REVERT,
            marker=memory.new_marker(),
            origin=f"undo:{memory.markers:08x}:{ticket.system_id}:{ticket.remote_id}",
            stamp=stamp,
            hops=1,
            envelope=undoing.envelope(ticket.id, {planned.name: planned.put_back}, held),
            problem={},
            outgoing_id=None,
            queued_at=now,
        )
        memory.queue(lane, row, now, is_bulk=undoing_.subject[0] == "version")
        undoing_.reverts.append(row)
    return True


def _begin(memory: Memory, subject: tuple[str, int], written: Sequence[DeliveryRow]) -> Undoing | None:
    waiting = (DeliveryState.NEW, DeliveryState.SENT)
    same = [one for one in memory.undoings if one.subject == subject]
    if any(row.state in waiting for one in same for row in one.reverts):
        return None
    for one in same:
        one.is_discarded = True
    found = Undoing(subject, [])
    memory.undoings.append(found)
    by_lane: dict[int, list[DeliveryRow]] = {}
    for row in written:
        by_lane.setdefault(row.lane_id, []).append(row)
    for lane_id in sorted(by_lane):
        lane = memory.tables.lanes[lane_id]
        rows = sorted(by_lane[lane_id], key=lambda one: one.number)
        found.items += _look(memory, lane, rows)
    return found


def _look(
    memory: Memory, lane: LaneRow, rows: Sequence[DeliveryRow]
) -> list[tuple[LaneRow, TicketRow, undo_plan.Planned]]:
    pk = memory.tables.linked[lane.linked_id].tickets.get(lane.target_side_id)
    ticket = memory.tables.tickets[pk] if pk else None
    writes = [
        _write(row) for row in rows if row.operation in (*FIELD_WRITES, Operation.CREATE) and row.wanted
    ]
    writes = [one for one in writes if one.wrote]
    by_id = {row.id: row for row in rows}
    if ticket is None or ticket.is_gone:
        return []
    if any(by_id[one.delivery_id].target_id != ticket.id for one in writes):
        return []
    if not any(one.replaced for one in writes):
        return []
    open_rows = memory.unrecognised.get(ticket.id, {})
    own = [open_write(memory, open_rows[key]) for key in sorted(open_rows)]
    done = [one for one in own if one.state is DeliveryState.DONE]
    planned = undo_plan.plan(
        writes,
        unread.as_written(state_of(ticket), done),
        _holds,
        told_again=frozenset(row.stamp for row in rows),
    )
    return [(lane, ticket, one) for one in planned if one.verdict is Verdict.OPEN]


def _holds(name: str, value: Value) -> Value:
    """These systems are looked at without a connector, so that nothing is known of how they cut a value."""
    return value


def _write(row: DeliveryRow) -> Write:
    is_made = row.operation is Operation.CREATE
    wrote = {name: value for name, value in row.wanted.items() if is_made or name in row.pre_image}
    replaced = {} if is_made else {name: row.pre_image[name] for name in wrote}
    return Write(row.id, row.stamp, wrote, replaced)
