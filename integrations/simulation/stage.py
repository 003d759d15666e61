"""The durable side of a world: where the store keeps its rows, and what people and web hooks do to them directly."""

from __future__ import annotations

import random as random_module
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from integrations.engine import hints
from integrations.engine.budget import Budget
from integrations.engine.ports import Store
from integrations.engine.values import (
    FIELD_WRITES,
    ConnectionView,
    DeliveryState,
    LaneState,
    Outcome,
    SideView,
)
from integrations.mapping.plan import release
from integrations.mapping.rules import RuleSet
from integrations.simulation.memory import Memory, MemoryStore, conflicts, undoing, words
from integrations.simulation.rows import ConflictRow, DeliveryRow, LaneRow, SystemRow, Tables

# What is to be undone: ("delivery", its key) or ("version", the key of a rule set).
Subject = tuple[str, int]


class Stage(Protocol):
    """One world's durable state.  Keys are the store's own."""

    def add_system(self, account_id: str) -> int:
        """A system; its key."""
        ...

    def connect(
        self, left: int, right: int, rules: tuple[RuleSet, ...], *, right_starts: bool
    ) -> ConnectionView:
        """A running connection with these rules: left outgoing, left incoming, right outgoing, right incoming."""
        ...

    def open_store(self, random: random_module.Random) -> Store:
        """The store as one worker process opens it."""
        ...

    def note_hint(
        self, system_id: int, remote_id: str, now: datetime, happened_at: datetime | None = None
    ) -> None:
        """This ticket changed, somebody says, at that time by its system's clock."""
        ...

    def note_polled(self, system_id: int, marks: Mapping[str, str], now: datetime) -> None:
        """A system was asked what changed, and named these tickets with the states they are in."""
        ...

    def next_due(self, now: datetime) -> datetime | None:
        """The first moment after this one at which a lane, a reading or a system comes due by itself."""
        ...

    def is_at_rest(self) -> bool:
        """Whether nothing waits in any lane and no reading is due."""
        ...

    def publish(self, side_id: int, direction: str, rules: RuleSet) -> RuleSet:
        """Make these the side's rules from now on; gives them with the key under which they were stored."""
        ...

    def set_side_paused(self, side_id: int, is_paused: bool) -> None:
        """A partner pauses its side of a connection, or lets it run again."""
        ...

    def set_connection_paused(self, connection_id: int, is_paused: bool) -> None:
        """A connection is paused, or runs again."""
        ...

    def set_held(self, lane_id: int, is_held: bool, now: datetime) -> None:
        """A person holds a lane, or lets it move again."""
        ...

    def start_system(self, system_id: int) -> None:
        """A person has looked after a system that refused our credentials."""
        ...

    def stopped_systems(self) -> list[int]:
        """Systems that wait for such a person."""
        ...

    def paused_until(self, system_id: int) -> datetime | None:
        """Until when a system is left alone; None, or a moment that has passed, when it is not."""
        ...

    def parked_lanes(self) -> list[LaneRow]:
        """Lanes that wait for a person."""
        ...

    def retry(self, lane_id: int, now: datetime) -> bool:
        """A person lets a parked lane try again."""
        ...

    def skip(self, lane_id: int, reason: str, now: datetime) -> bool:
        """A person leaves out what stands at the head of a lane, even if it may have arrived."""
        ...

    def open_conflicts(self) -> list[ConflictRow]:
        """What a person is asked about now, the oldest first."""
        ...

    def token_of(self, conflict_id: int) -> str:
        """Which two values a person is shown who looks at it; empty when there is nothing to decide any more."""
        ...

    def decide(self, conflict_id: int, choice: str, now: datetime, *, token: str = "") -> bool:
        """A person lets one value stand on both sides; false where nothing was decided."""
        ...

    def set_ceiling(self, system_id: int, calls: int) -> None:
        """Staff limit the calls to a system, in a minute."""
        ...

    def written_to(self, system_id: int, remote_id: str) -> list[int]:
        """Deliveries that have set fields of a ticket, in their order."""
        ...

    def look_at_undoing(self, subject: Subject, now: datetime) -> int | None:
        """Look at what undoing a write, or all that a version wrote, would do; None where that is refused."""
        ...

    def confirm_undoing(self, number: int, now: datetime) -> bool:
        """Queue what was looked at; whether there was anything to put back."""
        ...

    def is_due(self, system_id: int, remote_id: str, now: datetime) -> bool:
        """Whether a ticket is to be read now."""
        ...

    def lanes_of(self, system_id: int, remote_id: str) -> list[LaneRow]:
        """The lanes of all linked tickets that a ticket stands in."""
        ...

    def cursor(self, system_id: int, remote_id: str) -> str | None:
        """Up to where a ticket's history is stored; None when the ticket is not known."""
        ...

    def tables(self) -> Tables:
        """Everything that is stored, for judging."""
        ...


class MemoryStage:
    """A stage in memory."""

    def __init__(self) -> None:
        self.memory = Memory()
        self._rules = 0

    def add_system(self, account_id: str) -> int:
        """A system; its key."""
        row = SystemRow(self.memory.next_id(self.memory.tables.systems), account_id)
        self.memory.tables.systems[row.id] = row
        return row.id

    def connect(
        self, left: int, right: int, rules: tuple[RuleSet, ...], *, right_starts: bool
    ) -> ConnectionView:
        """A running connection with these rules."""
        number = len(self.memory.connections) + 1
        stored = [self._stored(one) for one in rules]
        view = ConnectionView(
            id=number,
            collects=True,
            left=self._side(2 * number - 1, left, stored[0], stored[1], starts=True),
            right=self._side(2 * number, right, stored[2], stored[3], starts=right_starts),
        )
        self.memory.connections[number] = view
        return view

    def _side(
        self, id_: int, system_id: int, outgoing: RuleSet, incoming: RuleSet, *, starts: bool
    ) -> SideView:
        return SideView(id_, system_id, f"Partner {system_id}", starts, {}, outgoing, incoming)

    def _stored(self, rules: RuleSet) -> RuleSet:
        self._rules += 1
        return replace(rules, id=self._rules)

    def open_store(self, random: random_module.Random) -> MemoryStore:
        """The store as one worker process opens it."""
        return MemoryStore(self.memory, random)

    def note_hint(
        self, system_id: int, remote_id: str, now: datetime, happened_at: datetime | None = None
    ) -> None:
        """This ticket changed, somebody says, at that time by its system's clock."""
        row = self.memory.ticket(system_id, remote_id)
        if not hints.is_told(happened_at, row.told_until if row else None):
            self.memory.note_hints(system_id, [remote_id], now)

    def note_polled(self, system_id: int, marks: Mapping[str, str], now: datetime) -> None:
        """A system was asked what changed, and named these tickets with the states they are in."""
        self.memory.note_polled(system_id, marks, now)

    def next_due(self, now: datetime) -> datetime | None:
        """The first moment after this one at which something comes due by itself."""
        tables = self.memory.tables
        moments = [row.read_due_at for row in tables.tickets.values()]
        for lane in tables.lanes.values():
            if lane.waits and lane.state is LaneState.READY:
                moments += [lane.next_at, lane.leased_until]
        moments += [system.paused_until for system in tables.systems.values()]
        return min((one for one in moments if one is not None and one > now), default=None)

    def is_at_rest(self) -> bool:
        """Whether nothing waits in any lane and no reading is due."""
        tables = self.memory.tables
        return not any(lane.waits for lane in tables.lanes.values()) and not any(
            row.read_due_at for row in tables.tickets.values()
        )

    def publish(self, side_id: int, direction: str, rules: RuleSet) -> RuleSet:
        """Make these the side's rules from now on."""
        stored = self._stored(rules)
        for number, view in self.memory.connections.items():
            for name in ("left", "right"):
                side: SideView = getattr(view, name)
                if side.id == side_id:
                    new = (
                        replace(side, outgoing=stored)
                        if direction == "outgoing"
                        else replace(side, incoming=stored)
                    )
                    left, right = (new, view.right) if name == "left" else (view.left, new)
                    self.memory.connections[number] = replace(view, left=left, right=right)
        return stored

    def set_side_paused(self, side_id: int, is_paused: bool) -> None:
        """A partner pauses its side of a connection, or lets it run again."""
        (self.memory.paused_sides.add if is_paused else self.memory.paused_sides.discard)(side_id)

    def set_connection_paused(self, connection_id: int, is_paused: bool) -> None:
        """A connection is paused, or runs again."""
        paused = self.memory.paused_connections
        (paused.add if is_paused else paused.discard)(connection_id)

    def set_held(self, lane_id: int, is_held: bool, now: datetime) -> None:
        """A person holds a lane, or lets it move again."""
        lane = self.memory.tables.lanes[lane_id]
        if is_held:
            lane.state = LaneState.HELD
        elif lane.state is LaneState.HELD:
            self._set_going(lane, now)

    def start_system(self, system_id: int) -> None:
        """A person has looked after a system that refused our credentials."""
        row = self.memory.tables.systems[system_id]
        row.is_active, row.fail_streak, row.paused_until, row.failure_code = True, 0, None, ""

    def stopped_systems(self) -> list[int]:
        """Systems that wait for such a person."""
        return [row.id for row in self.memory.tables.systems.values() if not row.is_active]

    def paused_until(self, system_id: int) -> datetime | None:
        """Until when a system is left alone."""
        return self.memory.tables.systems[system_id].paused_until

    def parked_lanes(self) -> list[LaneRow]:
        """Lanes that wait for a person."""
        return [lane for lane in self.memory.tables.lanes.values() if lane.state is LaneState.PARKED]

    def retry(self, lane_id: int, now: datetime) -> bool:
        """A person lets a parked lane try again."""
        lane = self.memory.tables.lanes[lane_id]
        head = self._head(lane)
        if head is None or lane.state is LaneState.HELD or self._is_leased(lane, now):
            return False
        if head.problem and self._release_again(lane, head):
            return False
        self._set_going(lane, now)
        return True

    def skip(self, lane_id: int, reason: str, now: datetime) -> bool:
        """A person leaves out what stands at the head of a lane."""
        lane = self.memory.tables.lanes[lane_id]
        head = self._head(lane)
        if head is None or self._is_leased(lane, now):
            return False
        head.state, head.reason, head.done_at = DeliveryState.SKIPPED, reason, now
        for attempt in self.memory.attempts_of.get(head.id, ()):
            if attempt.outcome is Outcome.STARTED:
                attempt.outcome, attempt.ended_at = Outcome.UNKNOWN, now
        lane.head = head.number + 1
        lane.waits = lane.head <= lane.tail
        lane.waits_since = now if lane.waits else None
        lane.fence += 1
        lane.owner, lane.leased_until = "", None
        self._set_going(lane, now, keep_held=True)
        words.tell_of_skip(self.memory, head, now)
        return True

    def open_conflicts(self) -> list[ConflictRow]:
        """What a person is asked about now, the oldest first."""
        return [row for row in self.memory.tables.conflicts.values() if conflicts.is_open(self.memory, row)]

    def token_of(self, conflict_id: int) -> str:
        """Which two values a person is shown who looks at it."""
        return conflicts.token_of(self.memory, self.memory.tables.conflicts[conflict_id])

    def decide(self, conflict_id: int, choice: str, now: datetime, *, token: str = "") -> bool:
        """A person lets one value stand on both sides."""
        row = self.memory.tables.conflicts[conflict_id]
        lanes = conflicts.decide(self.memory, row, choice, now, token=token)
        for lane in lanes or ():
            self.retry(lane.id, now)
        return lanes is not None

    def set_ceiling(self, system_id: int, calls: int) -> None:
        """Staff limit the calls to a system, in a minute."""
        self.memory.tables.budgets[system_id] = Budget(ceiling=calls)

    def written_to(self, system_id: int, remote_id: str) -> list[int]:
        """Deliveries that have set fields of a ticket, in their order."""
        ticket = self.memory.ticket(system_id, remote_id)
        return [
            row.id
            for row in self.memory.tables.deliveries.values()
            if ticket
            and row.target_id == ticket.id
            and row.operation in FIELD_WRITES
            and row.state is DeliveryState.DONE
        ]

    def look_at_undoing(self, subject: Subject, now: datetime) -> int | None:
        """Look at what undoing a write, or all that a version wrote, would do; None where that is refused."""
        kind, key = subject
        begin = undoing.begin_with_delivery if kind == "delivery" else undoing.begin_with_version
        if begin(self.memory, key) is None:
            return None
        return len(self.memory.undoings) - 1

    def confirm_undoing(self, number: int, now: datetime) -> bool:
        """Queue what was looked at; whether there was anything to put back."""
        return undoing.confirm(self.memory, self.memory.undoings[number], now)

    def is_due(self, system_id: int, remote_id: str, now: datetime) -> bool:
        """Whether a ticket is to be read now."""
        row = self.memory.ticket(system_id, remote_id)
        return row is not None and row.read_due_at is not None and row.read_due_at <= now

    def lanes_of(self, system_id: int, remote_id: str) -> list[LaneRow]:
        """The lanes of all linked tickets that a ticket stands in."""
        ticket = self.memory.ticket(system_id, remote_id)
        linked = self.memory.linked_of.get(ticket.id, ()) if ticket else ()
        return [lane for lane in self.memory.tables.lanes.values() if lane.linked_id in linked]

    def cursor(self, system_id: int, remote_id: str) -> str | None:
        """Up to where a ticket's history is stored."""
        ticket = self.memory.ticket(system_id, remote_id)
        return ticket.cursor if ticket else None

    def tables(self) -> Tables:
        """Everything that is stored."""
        return self.memory.tables

    def _head(self, lane: LaneRow) -> DeliveryRow | None:
        return self.memory.queues[lane.id][lane.head - 1] if lane.waits else None

    def _is_leased(self, lane: LaneRow, now: datetime) -> bool:
        return lane.leased_until is not None and lane.leased_until > now

    def _set_going(self, lane: LaneRow, now: datetime, *, keep_held: bool = False) -> None:
        if not (keep_held and lane.state is LaneState.HELD):
            lane.state = LaneState.READY
        lane.tries, lane.next_at, lane.failure_code = 0, now, ""

    def _release_again(self, lane: LaneRow, head: DeliveryRow) -> bool:
        """Apply the sender's rules of today to the stored change; whether a problem is left."""
        event = self.memory.tables.events[head.event_id] if head.event_id else None
        if event is None:
            return True
        rules = self.memory.connections[lane.connection_id].other(lane.target_side_id).outgoing
        known: dict = {}
        earlier = [
            one
            for one in self.memory.tables.events.values()
            if one.ticket_id == event.ticket_id and one.position <= event.position
        ]
        for one in sorted(earlier, key=lambda one: one.position):
            known |= one.change.fields
        changed = head.envelope.get("changed") if head.operation == "update" else None
        mapped = release(rules, known, changed=changed)
        head.envelope = {**head.envelope, "fields": mapped.fields}
        head.problem = mapped.problem.as_value() if mapped.problem else {}
        head.outgoing_id = rules.id
        return bool(head.problem)
