"""Stops a linked ticket on which two automations fight, together with what would queue the next answer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from integrations.engine.fights import MOST_RETURNS, WITHIN, Fact, Fight, find_fight
from integrations.engine.values import LaneState
from integrations.simulation.memory.shared import Memory
from integrations.simulation.rows import LaneRow

# As the store on the database has it.
CODE = "amplification"
IN_EACH_LANE = MOST_RETURNS // 2 - 2
LOOKED_AT = 200


def stop_fights(memory: Memory, queued: Collection[int], now: datetime) -> None:
    """Park the lanes of every linked ticket on which a fight goes on, of those in which something was put just now."""
    for linked_id in sorted({memory.tables.lanes[pk].linked_id for pk in queued}):
        pair = [lane for lane in memory.tables.lanes.values() if lane.linked_id == linked_id]
        if not all(_is_busy(memory, lane, now) for lane in pair) or not _fight_on(memory, linked_id):
            continue
        for lane in pair:
            if lane.id in queued or (lane.waits and not lane.owner):
                lane.state, lane.failure_code = LaneState.PARKED, CODE


def _is_busy(memory: Memory, lane: LaneRow, now: datetime) -> bool:
    if lane.tail <= IN_EACH_LANE or lane.state is not LaneState.READY:
        return False
    lately = memory.queues[lane.id][-(IN_EACH_LANE + 2) :]
    return len([row for row in lately if row.queued_at >= now - WITHIN]) >= IN_EACH_LANE


def _fight_on(memory: Memory, linked_id: int) -> Fight | None:
    tables = memory.tables
    case, fresh = set(), set(tables.linked[linked_id].tickets.values())
    while fresh:
        case |= fresh
        linked = {pk for ticket in fresh for pk in memory.linked_of.get(ticket, ())}
        fresh = {ticket for pk in linked for ticket in tables.linked[pk].tickets.values()} - case
    seen: dict[int, list[Fact]] = {ticket: [] for ticket in case}
    for event in tables.events.values():
        if event.ticket_id in case:
            fields, cause = frozenset(event.change.fields), event.caused_by
            sources = _sources(memory, cause) if cause is not None else frozenset()
            seen[event.ticket_id].append(Fact(event.id, event.ticket_id, fields, event.seen_at, sources))
    facts = [fact for several in seen.values() for fact in several[-LOOKED_AT:] if fact.fields]
    fight = find_fight(sorted(facts, key=lambda fact: fact.id))
    own = set(tables.linked[linked_id].tickets.values())
    return fight if fight and own & {one.fact.ticket_id for one in fight.returns} else None


def _sources(memory: Memory, delivery_id: int) -> frozenset[int]:
    """The changes that a delivery brought, and those that went out in the same write with it."""
    lane_id = memory.tables.deliveries[delivery_id].lane_id
    moments = {one.started_at for one in memory.attempts_of.get(delivery_id, ())}
    together = [
        row
        for row in memory.queues[lane_id]
        if any(one.started_at in moments for one in memory.attempts_of.get(row.id, ()))
    ]
    return frozenset(row.event_id for row in together if row.event_id is not None)
