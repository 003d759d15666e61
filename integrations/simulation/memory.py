"""The engine's Store in memory: the same answers as the store on Django's database, thousands of worlds a minute.

It follows `integrations.store` request by request, also where several are carried out together.  That both give the
same answers is tested by running the same schedules on either.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from integrations.canonical import Change, ChangeKind, History, Written
from integrations.connectors.errors import HeldBack, NotSent, RateLimited, Refused, Stale, Unauthorized
from integrations.engine import echo, effects, reading, timing
from integrations.engine.ports import NO_LIMITS, ClaimedLane, ClaimedReading, Room
from integrations.engine.values import (
    FIELD_WRITES,
    Answer,
    ConnectionView,
    DeliveryState,
    HeadView,
    LaneState,
    LinkState,
    OpenWrite,
    Operation,
    Outcome,
    TicketState,
    TicketView,
    Winner,
    winner_from,
)
from integrations.simulation.rows import (
    AttemptRow,
    DeliveryRow,
    EventRow,
    FactRow,
    LaneRow,
    LinkedRow,
    SystemRow,
    Tables,
    TicketRow,
)

# How old a worker's picture of the configuration may be.
FRESH_FOR = timedelta(seconds=1)
READ_BACK_S = 5
CREATE_UNDER_WAY_S = 2

_ADDITIONS = (Operation.COMMENT, Operation.FILE)


@dataclass(slots=True)
class Memory:
    """What all workers share: the tables, and the configuration as people have set it."""

    tables: Tables = field(default_factory=Tables)
    connections: dict[int, ConnectionView] = field(default_factory=dict)
    paused_connections: set[int] = field(default_factory=set)
    paused_sides: set[int] = field(default_factory=set)
    # By lane, in their order; and by ticket those whose writes its history has still to show.
    queues: dict[int, list[DeliveryRow]] = field(default_factory=dict)
    unrecognised: dict[int, dict[int, DeliveryRow]] = field(default_factory=dict)
    attempts_of: dict[int, list[AttemptRow]] = field(default_factory=dict)
    lanes_of: dict[tuple[int, int], LaneRow] = field(default_factory=dict)
    linked_of: dict[int, list[int]] = field(default_factory=dict)
    ticket_ids: dict[tuple[int, str], int] = field(default_factory=dict)
    seen_changes: set[tuple[int, str]] = field(default_factory=set)
    creates: dict[int, DeliveryRow] = field(default_factory=dict)
    markers: int = 0

    def next_id(self, table: Mapping[int, object]) -> int:
        """Keys count from 1 in every table."""
        return len(table) + 1

    def new_marker(self) -> str:
        """A marker that nothing else has."""
        self.markers += 1
        return f"concord-{self.markers}"

    def ticket(self, system_id: int, remote_id: str) -> TicketRow | None:
        """The ticket by its system's key."""
        pk = self.ticket_ids.get((system_id, remote_id))
        return self.tables.tickets[pk] if pk else None

    def add_ticket(self, system_id: int, remote_id: str) -> TicketRow:
        """A ticket that becomes known now."""
        row = TicketRow(self.next_id(self.tables.tickets), system_id, remote_id)
        self.tables.tickets[row.id] = row
        self.ticket_ids[system_id, remote_id] = row.id
        return row

    def note_hints(self, system_id: int, remote_ids: Iterable[str], now: datetime) -> None:
        """These tickets changed, somebody says: read them."""
        for remote_id in dict.fromkeys(remote_ids):
            row = self.ticket(system_id, remote_id) or self.add_ticket(system_id, remote_id)
            _read_until(row, now, now)
            row.hinted_at = now

    def note_polled(self, system_id: int, marks: Mapping[str, str], now: datetime) -> None:
        """The system says that these changed: read those whose state is not the one that was read last."""
        known = {remote_id: self.ticket(system_id, remote_id) for remote_id in marks}
        wanted = [
            remote_id
            for remote_id, row in known.items()
            if not marks[remote_id] or row is None or row.mark != marks[remote_id]
        ]
        self.note_hints(system_id, wanted, now)

    def callable(self, system_id: int, now: datetime) -> bool:
        """Whether a system may be called now."""
        row = self.tables.systems[system_id]
        return row.is_active and (row.paused_until is None or row.paused_until <= now)

    def runs(self, lane: LaneRow) -> bool:
        """Whether the lane's connection and both of its sides take part."""
        connection = self.connections[lane.connection_id]
        return (
            lane.connection_id not in self.paused_connections
            and connection.left.id not in self.paused_sides
            and connection.right.id not in self.paused_sides
        )


def _read_until(row: TicketRow, now: datetime, due: datetime) -> None:
    row.stale_since = now
    if row.read_due_at is None or row.read_due_at > due:
        row.read_due_at = due


class MemoryStore:
    """One worker's store: its own picture of the configuration, the memory that everybody shares."""

    def __init__(self, memory: Memory, random: random_module.Random) -> None:
        self.memory = memory
        self._random = random
        self._connections: dict[int, ConnectionView] = {}
        self._by_system: dict[int, tuple[ConnectionView, ...]] = {}
        self._loaded_at: datetime | None = None
        self._failing: set[int] = set()

    # Claims.

    def has_work(self, now: datetime, busy: Collection[int] = ()) -> bool:
        """Whether a claim would find something."""
        tables = self.memory.tables
        return any(
            row.read_due_at is not None
            and row.read_due_at <= now
            and row.system_id not in busy
            and self.memory.callable(row.system_id, now)
            for row in tables.tickets.values()
        ) or any(lane.system_id not in busy and self.is_due(lane, now) for lane in tables.lanes.values())

    def has_work_in(self, system_id: int, now: datetime) -> bool:
        """Whether something is due in one system."""
        others = [other for other in self.memory.tables.systems if other != system_id]
        return self.has_work(now, others)

    def claim(
        self,
        owner: str,
        now: datetime,
        lease_s: int,
        limit: int,
        busy: Collection[int] = (),
        room: Room = NO_LIMITS,
    ) -> tuple[list[ClaimedLane], list[ClaimedReading]]:
        """Lease lanes that are due, and take tickets whose history is due to be read."""
        tables = self.memory.tables
        until = now + timedelta(seconds=lease_s)
        due = [
            lane for lane in tables.lanes.values() if lane.system_id not in busy and self.is_due(lane, now)
        ]
        due.sort(key=lambda lane: lane.next_at)
        lanes = []
        for lane in due[: max(0, limit)]:
            lane.owner, lane.leased_until = owner, until
            lane.fence += 1
            lanes.append(ClaimedLane(lane.id, lane.fence, lane.system_id, until))
        readings: list[tuple[datetime, TicketRow]] = [
            (row.read_due_at, row)
            for row in tables.tickets.values()
            if row.read_due_at is not None
            and row.read_due_at <= now
            and row.system_id not in busy
            and self.memory.callable(row.system_id, now)
        ]
        readings.sort(key=lambda pair: pair[0])
        claimed = []
        for _, row in readings[: max(0, limit - len(lanes))]:
            row.read_due_at = until
            claimed.append(
                ClaimedReading(
                    row.id, row.system_id, row.remote_id, row.cursor, row.version, row.read_failures
                )
            )
        return lanes, claimed

    def is_due(self, lane: LaneRow, now: datetime) -> bool:
        """Whether the lane may move now."""
        return (
            lane.waits
            and lane.state is LaneState.READY
            and lane.next_at <= now
            and (lane.leased_until is None or lane.leased_until <= now)
            and self.memory.callable(lane.system_id, now)
            and self.memory.runs(lane)
        )

    def is_failing(self, system_id: int) -> bool:
        """Whether the system's last known state is a streak of failures."""
        return system_id in self._failing

    # Requests.

    def carry_out(self, requests: Sequence[effects.Request], now: datetime) -> list[Any]:
        """Do them together and return their results in the same order."""
        if self._loaded_at is None or now - self._loaded_at >= FRESH_FOR:
            self._load(now)
        results: list[Any] = [None] * len(requests)
        for places in _rounds(requests):
            answers = self._together([requests[place] for place in places], now)
            for place, answer in zip(places, answers, strict=True):
                results[place] = answer
        return results

    def _load(self, now: datetime) -> None:
        self._connections = dict(self.memory.connections)
        members: dict[int, list[ConnectionView]] = {}
        for view in self._connections.values():
            for side in (view.left, view.right):
                members.setdefault(side.system_id, []).append(view)
        self._by_system = {system_id: tuple(views) for system_id, views in members.items()}
        self._failing = {row.id for row in self.memory.tables.systems.values() if row.fail_streak}
        self._loaded_at = now

    def _together(self, requests: list[Any], now: datetime) -> Sequence[Any]:
        match requests[0]:
            case effects.LoadHead():
                return self._load_heads(requests)
            case effects.StoreReading():
                return self._store_readings(requests, now)
            case effects.MarkSent():
                return self._mark_sent(requests)
            case effects.StoreCreated():
                return [self._store_created(request, now) for request in requests]
            case effects.Finish():
                return self._finish(requests, now)
            case _:
                return [self._alone(request, now) for request in requests]

    def _alone(self, request: effects.Request, now: datetime) -> Any:
        match request:
            case effects.Release():
                return self._release(request)
            case effects.Withdraw():
                return self._withdraw(request)
            case effects.Park():
                return self._park(request)
            case effects.NoteReadFailure():
                row = self.memory.tables.tickets[request.ticket_id]
                row.read_failures += 0 if isinstance(request.error, HeldBack) else 1
                row.read_due_at = request.retry_at
                row.is_gone = row.is_gone or request.retry_at is None
                row.is_refused = row.is_refused or isinstance(request.error, Refused)
                return None
            case effects.NoteSystemFailure():
                self._failing.add(request.system_id)
                return self._note_failure(request, now)
            case effects.NoteSystemAnswer():
                self._failing.discard(request.system_id)
                system = self.memory.tables.systems[request.system_id]
                if system.fail_streak:
                    if system.failure_code != RateLimited.code:
                        system.paused_until = None
                    system.fail_streak, system.failure_code = 0, ""
                return None
            case _:
                raise TypeError(f"The store does not know {type(request).__name__}.")

    def owns(self, request: Any) -> bool:
        """Whether the claim behind a request still holds."""
        return self.memory.tables.lanes[request.lane_id].fence == request.fence

    # Lanes.

    def _load_heads(self, requests: Sequence[effects.LoadHead]) -> list[HeadView | None]:
        heads = [self.load_head(request) for request in requests]
        updated = {
            head.target.id for head in heads if head and head.target and head.operation is Operation.UPDATE
        }
        return [
            replace(head, own_writes=self._own_writes(head.target.id))
            if head and head.target and head.target.id in updated
            else head
            for head in heads
        ]

    def _own_writes(self, ticket_id: int) -> tuple[OpenWrite, ...]:
        rows = self.memory.unrecognised.get(ticket_id, {})
        return tuple(self._open_write(rows[pk]) for pk in sorted(rows))

    def load_head(self, request: effects.LoadHead) -> HeadView | None:
        """The head of a lane still ours; an empty or stopped one is given back."""
        lane = self.memory.tables.lanes[request.lane_id]
        queue = self.memory.queues[lane.id]
        if not self.owns(request) or lane.state is not LaneState.READY or lane.head > lane.tail:
            if self.owns(request):
                lane.owner, lane.leased_until = "", None
            return None
        target = self._target(lane)
        head = queue[lane.head - 1]
        waiting = queue[lane.head : lane.head + request.followers]
        followers = tuple(self._head_view(lane, row, target) for row in waiting)
        return self._head_view(lane, head, target, followers)

    def _target(self, lane: LaneRow) -> TicketState | None:
        pk = self.memory.tables.linked[lane.linked_id].tickets.get(lane.target_side_id)
        return _state(self.memory.tables.tickets[pk]) if pk else None

    def _head_view(
        self,
        lane: LaneRow,
        row: DeliveryRow,
        target: TicketState | None,
        followers: tuple[HeadView, ...] = (),
    ) -> HeadView:
        connection = self._connections[lane.connection_id]
        sender = connection.other(lane.target_side_id)
        is_head = row.number == lane.head
        known = is_head and target is not None and (target.id, row.origin) in self.memory.tables.effects
        return HeadView(
            lane_id=lane.id,
            delivery_id=row.id,
            number=row.number,
            operation=row.operation,
            state=row.state,
            marker=row.marker,
            origin=row.origin,
            stamp=row.stamp,
            envelope=row.envelope,
            problem=row.problem,
            wanted=row.wanted,
            is_recognised=row.is_recognised,
            has_effect=known and row.operation in _ADDITIONS,
            send_by=row.send_by,
            tries=row.tries,
            lane_tries=lane.tries,
            side=connection.side(lane.target_side_id),
            sender=sender,
            target=target,
            source_system_id=sender.system_id,
            followers=followers,
            pre_image=row.pre_image,
            landed=frozenset(row.pre_image).difference(row.unseen.get("fields", ())),
        )

    def _mark_sent(self, requests: Sequence[effects.MarkSent]) -> list[bool]:
        owned = [self.owns(request) for request in requests]
        for lane_id in {request.lane_id for request, ours in zip(requests, owned, strict=True) if ours}:
            self.memory.tables.lanes[lane_id].tries += 1
        for request, ours in zip(requests, owned, strict=True):
            if not ours:
                continue
            row = self.memory.tables.deliveries[request.delivery_id]
            row.state = DeliveryState.SENT
            self._expect(row, request.target_id, request.unseen)
            row.wanted, row.pre_image = request.wanted, request.pre_image
            row.incoming_id, row.send_by, row.tries = request.incoming_id, request.send_by, request.number
            attempt = AttemptRow(row.id, request.number, request.fence, request.at)
            self.memory.tables.attempts.append(attempt)
            self.memory.attempts_of.setdefault(row.id, []).append(attempt)
        return owned

    def _expect(self, row: DeliveryRow, target_id: int | None, unseen: Mapping) -> None:
        """The ticket's history will have to show this."""
        self._recognise(row)
        row.target_id, row.unseen, row.is_recognised = target_id, unseen, False
        if target_id:
            self.memory.unrecognised.setdefault(target_id, {})[row.id] = row

    def _recognise(self, row: DeliveryRow) -> None:
        row.is_recognised = True
        if row.target_id:
            self.memory.unrecognised.get(row.target_id, {}).pop(row.id, None)

    def _store_created(self, request: effects.StoreCreated, now: datetime) -> bool:
        if not self.owns(request):
            return False
        memory = self.memory
        lane = memory.tables.lanes[request.lane_id]
        head = request.written.head
        ticket = memory.ticket(lane.system_id, head.remote_id) or memory.add_ticket(
            lane.system_id, head.remote_id
        )
        row = memory.tables.deliveries[request.delivery_id]
        lane.tries = 0
        ticket.marker = row.marker
        memory.tables.linked[lane.linked_id].tickets[lane.target_side_id] = ticket.id
        memory.linked_of.setdefault(ticket.id, []).append(lane.linked_id)
        if not row.is_recognised:
            self._expect(row, ticket.id, row.unseen)
        row.target_id, row.state = ticket.id, DeliveryState.NEW
        row.result = {"change_ids": list(request.written.change_ids), "remote_id": head.remote_id}
        memory.creates.pop(row.id, None)
        memory.tables.effects.setdefault((ticket.id, row.origin), row.id)
        self._end_attempts([row.id], Outcome.DONE, now)
        self._expect_read_back([ticket.id], now)
        return True

    def _expect_read_back(self, ticket_ids: Iterable[int], now: datetime) -> None:
        soon = now + timedelta(seconds=READ_BACK_S)
        for pk in sorted(set(ticket_ids)):
            is_chained = len(self.memory.linked_of.get(pk, ())) > 1
            _read_until(self.memory.tables.tickets[pk], now, now if is_chained else soon)

    def _finish(self, requests: Sequence[effects.Finish], now: datetime) -> list[bool]:
        memory = self.memory
        ended: dict[int, effects.Finish] = {}
        accepted: list[tuple[TicketRow, DeliveryRow, effects.Finish]] = []
        refused: set[int] = set()
        written: list[int] = []
        was_sent: list[int] = []
        for request in requests:
            lane, row = memory.tables.lanes[request.lane_id], memory.tables.deliveries[request.delivery_id]
            if not self.owns(request) or lane.id in refused or not self.is_current(request, lane, row):
                refused.add(lane.id)
                continue
            ended[row.id] = request
            result = _result(request.written) if request.written else row.result
            if row.state is DeliveryState.SENT:
                was_sent.append(row.id)
                if row.target_id and row.operation in _ADDITIONS:
                    memory.tables.effects.setdefault((row.target_id, row.origin), row.id)
            if request.accepted and request.state is DeliveryState.DONE:
                accepted.append((self._held(lane), row, request))
            row.state, row.done_at, row.reason, row.result = request.state, request.at, request.reason, result
            if request.written and row.target_id:
                written.append(row.target_id)
            _advance(lane, now)
        for held, row, end in accepted:
            for name, value in (end.accepted or {}).items():
                stamp = end.accepted_stamps.get(name, row.stamp)
                if end.written and held.actual.get(name) != value:
                    # What was only told beside a write has not been looked at again.
                    continue
                if name not in held.winners or held.winners[name].stamp < stamp:
                    held.winners[name] = Winner(value, stamp)
        for pk, request in ended.items():
            overtaken = memory.tables.deliveries[pk]
            for answer in request.answers:
                self._queue(self._lane_back(request.lane_id), self._answer(answer, overtaken), now)
        self._end_attempts(was_sent, Outcome.DONE, now)
        self._expect_read_back(written, now)
        return [request.delivery_id in ended for request in requests]

    def is_current(self, request: effects.Finish, lane: LaneRow, row: DeliveryRow) -> bool:
        """Whether what was decided still holds."""
        if row.number != lane.head:
            return False
        if request.written or not request.accepted:
            return True
        actual = self._held(lane).actual
        return all(actual.get(name) == value for name, value in request.accepted.items())

    def _held(self, lane: LaneRow) -> TicketRow:
        pk = self.memory.tables.linked[lane.linked_id].tickets[lane.target_side_id]
        return self.memory.tables.tickets[pk]

    def _lane_back(self, lane_id: int) -> LaneRow:
        lane = self.memory.tables.lanes[lane_id]
        other = self.memory.connections[lane.connection_id].other(lane.target_side_id)
        return self.memory.lanes_of[lane.linked_id, other.id]

    def _answer(self, answer: Answer, overtaken: DeliveryRow) -> DeliveryRow:
        return DeliveryRow(
            id=0,
            lane_id=0,
            number=0,
            event_id=overtaken.event_id,
            operation=Operation.UPDATE,
            marker=self.memory.new_marker(),
            origin=overtaken.origin,
            stamp=answer.stamp,
            hops=1,
            envelope=answer.envelope,
            problem=answer.problem,
            outgoing_id=answer.outgoing_id,
            queued_at=overtaken.queued_at,
        )

    def _queue(self, lane: LaneRow, row: DeliveryRow, now: datetime) -> None:
        lane.tail += 1
        row.id = self.memory.next_id(self.memory.tables.deliveries)
        row.lane_id, row.number, row.queued_at = lane.id, lane.tail, now
        self.memory.tables.deliveries[row.id] = row
        self.memory.queues[lane.id].append(row)
        if row.operation is Operation.CREATE:
            self.memory.creates[row.id] = row
        if not lane.waits:
            lane.waits, lane.waits_since, lane.next_at = True, now, now

    def _release(self, request: effects.Release) -> bool:
        if not self.owns(request):
            return False
        lane = self.memory.tables.lanes[request.lane_id]
        lane.owner, lane.leased_until, lane.next_at = "", None, request.next_at
        if request.waits_for:
            lane.failure_code = request.waits_for[0]
        if request.error:
            lane.failure_code = request.error.code
            lane.tries += 0 if request.outcome or isinstance(request.error, HeldBack) else 1
        if request.outcome and request.delivery_ids:
            self._end_attempts(request.delivery_ids, request.outcome, request.at)
            for pk in request.delivery_ids:
                row = self.memory.tables.deliveries[pk]
                if request.outcome is Outcome.RETRY:
                    self._undo_mark(row)
                elif request.outcome is Outcome.UNKNOWN:
                    row.send_by = request.at
        return True

    def _withdraw(self, request: effects.Withdraw) -> bool:
        if not self.owns(request):
            return False
        for pk in request.delivery_ids:
            self._undo_mark(self.memory.tables.deliveries[pk])
        self._end_attempts(request.delivery_ids, Outcome.REFUSED, request.at)
        return True

    def _park(self, request: effects.Park) -> bool:
        if not self.owns(request):
            return False
        lane = self.memory.tables.lanes[request.lane_id]
        lane.state, lane.owner, lane.leased_until = LaneState.PARKED, "", None
        lane.failure_code = request.code[:40]
        row = self.memory.tables.deliveries.get(request.delivery_id)
        is_over = request.error is not None and not request.error.outcome_unknown
        if row and is_over and row.state is DeliveryState.SENT:
            self._undo_mark(row)
        self._end_attempts([request.delivery_id], Outcome.REFUSED, request.at)
        return True

    def _undo_mark(self, row: DeliveryRow) -> None:
        self._recognise(row)
        row.state, row.unseen = DeliveryState.NEW, {}

    def _end_attempts(self, delivery_ids: Iterable[int], outcome: Outcome, at: datetime) -> None:
        for pk in delivery_ids:
            for attempt in self.memory.attempts_of.get(pk, ()):
                if attempt.outcome is Outcome.STARTED:
                    attempt.outcome, attempt.ended_at = outcome, at

    # Readings.

    def _store_readings(self, requests: Sequence[effects.StoreReading], now: datetime) -> list[bool]:
        tickets = self.memory.tables.tickets
        stored = [self._is_current(tickets[request.ticket_id], request, now) for request in requests]
        current = [request for request, fine in zip(requests, stored, strict=True) if fine]
        for request in current:
            row = tickets[request.ticket_id]
            if row.is_refused:
                row.is_gone = row.is_refused = False
        for request in current:
            if not request.history.changes:
                row = tickets[request.ticket_id]
                row.read_due_at = _next_due(row, request, now)
                row.cursor, row.mark = request.history.cursor, _mark(request.history)
                row.read_at, row.read_failures = _read_at(row, request), 0
        news = [request for request in current if request.history.changes]
        for request in news:
            self._mark_twin(tickets[request.ticket_id], request.history.changes[0])
        plans = [(request, self._judge(request)) for request in news]
        for request, plan in plans:
            self._store_ticket(request, plan, now)
        events = [self._store_events(request, plan, now) for request, plan in plans]
        for _, plan in plans:
            for pk, left in plan.unseen.items():
                shown = self.memory.tables.deliveries[pk]
                shown.unseen = left
                if not left:
                    self._recognise(shown)
        begun = [self._begin(request, plan, now) for request, plan in plans]
        self._queue_planned(plans, events, begun, now)
        for (_, plan), seen, links in zip(plans, events, begun, strict=True):
            self._tell(plan, seen, links)
        return stored

    def _is_current(self, row: TicketRow, request: effects.StoreReading, now: datetime) -> bool:
        if row.version != request.version:
            row.read_due_at = now
            return False
        if request.history.changes and self._is_being_created(row, request.history.changes[0]):
            row.read_due_at = now + timedelta(seconds=CREATE_UNDER_WAY_S)
            return False
        return True

    def _is_being_created(self, row: TicketRow, first: Change) -> bool:
        if row.event_count or row.marker or first.kind is not ChangeKind.CREATED:
            return False
        by_us = first.actor.id == self.memory.tables.systems[row.system_id].account_id
        if not (by_us or first.marker):
            return False
        creating = self.memory.creates.values()
        if first.marker and any(one.marker == first.marker for one in creating):
            return True
        lanes = self.memory.tables.lanes
        return by_us and any(
            one.state is DeliveryState.SENT and lanes[one.lane_id].system_id == row.system_id
            for one in creating
        )

    def _mark_twin(self, row: TicketRow, first: Change) -> None:
        by_us = first.actor.id == self.memory.tables.systems[row.system_id].account_id
        if (
            first.kind is not ChangeKind.CREATED
            or not first.marker
            or row.event_count
            or row.marker
            or not by_us
        ):
            return
        for other in self.memory.tables.tickets.values():
            if (other.system_id, other.marker) == (row.system_id, first.marker):
                row.twin_of = other.id

    def _judge(self, request: effects.StoreReading) -> reading.ReadingPlan:
        row = self.memory.tables.tickets[request.ticket_id]
        view = TicketView(
            ticket=_state(row),
            account_id=self.memory.tables.systems[row.system_id].account_id,
            connections=self._by_system.get(row.system_id, ()),
            links=tuple(self._link_states(row)),
            open_writes=self._own_writes(row.id),
            spent=self._spent(row, request.history),
        )
        history = request.history
        if row.event_count:
            fresh = tuple(one for one in history.changes if (row.id, one.id) not in self.memory.seen_changes)
            history = replace(history, changes=fresh)
        return reading.plan_reading(view, history, started_at=request.started_at)

    def _spent(self, row: TicketRow, history: History) -> tuple[OpenWrite, ...]:
        account_id = self.memory.tables.systems[row.system_id].account_id
        if not row.event_count or not echo.may_be_again(
            history.changes, self._own_writes(row.id), account_id
        ):
            return ()
        found = []
        for event in self.memory.tables.events.values():
            if event.ticket_id != row.id or event.caused_by is None:
                continue
            shown, left = self.memory.tables.deliveries[event.caused_by], event.change
            write = replace(
                self._open_write(shown),
                fields=shown.wanted if shown.operation in FIELD_WRITES else {},
                comment=left.comments[0].body if left.comments else None,
                file=left.attachments[0].name if left.attachments else "",
            )
            found.append(write)
        return tuple(found)

    def _link_states(self, row: TicketRow) -> Iterator[LinkState]:
        for linked_id in self.memory.linked_of.get(row.id, ()):
            linked = self.memory.tables.linked[linked_id]
            side_id = next(side for side, ticket in linked.tickets.items() if ticket == row.id)
            other = self._connections[linked.connection_id].other(side_id)
            yield LinkState(linked_id, linked.connection_id, side_id, other.id)

    def _open_write(self, row: DeliveryRow) -> OpenWrite:
        return OpenWrite(
            delivery_id=row.id,
            connection_id=self.memory.tables.lanes[row.lane_id].connection_id,
            state=row.state,
            stamp=row.stamp,
            origin=row.origin,
            hops=row.hops,
            marker=row.marker,
            creates=bool(row.unseen.get("creates")),
            fields=row.unseen.get("fields", {}),
            comment=row.unseen.get("comment"),
            file=row.unseen.get("file", ""),
            change_ids=tuple(row.result.get("change_ids", ())),
            comment_id=row.result.get("comment_id", ""),
            attachment_id=row.result.get("attachment_id", ""),
            done_at=row.done_at,
            over={name: winner_from(made_of) for name, made_of in row.unseen.get("over", {}).items()},
            stood=row.unseen.get("stood", {}),
        )

    def _store_ticket(self, request: effects.StoreReading, plan: reading.ReadingPlan, now: datetime) -> None:
        row = self.memory.tables.tickets[request.ticket_id]
        row.read_due_at = _next_due(row, request, now)
        row.cursor, row.event_count = plan.cursor, plan.event_count
        row.actual, row.winners, row.is_gone = plan.actual, plan.winners, plan.is_gone
        row.version += 1
        row.mark = _mark(request.history)
        row.read_at, row.read_failures = _read_at(row, request), 0

    def _store_events(
        self, request: effects.StoreReading, plan: reading.ReadingPlan, now: datetime
    ) -> dict[int, EventRow]:
        table = self.memory.tables.events
        found = {}
        for event in plan.events:
            row = EventRow(
                self.memory.next_id(table),
                request.ticket_id,
                event.position,
                event.change,
                event.caused_by,
                now,
                event.is_double,
            )
            table[row.id] = found[event.position] = row
            self.memory.seen_changes.add((request.ticket_id, event.change.id))
        return found

    def _begin(
        self, request: effects.StoreReading, plan: reading.ReadingPlan, now: datetime
    ) -> dict[int, LinkedRow]:
        begun = {}
        memory = self.memory
        for link in plan.new_links:
            linked = LinkedRow(memory.next_id(memory.tables.linked), link.connection_id, link.side_id)
            linked.tickets[link.side_id] = request.ticket_id
            memory.tables.linked[linked.id] = begun[link.connection_id] = linked
            memory.linked_of.setdefault(request.ticket_id, []).append(linked.id)
            for side_id in (link.side_id, link.other_side_id):
                view = self._connections[link.connection_id].side(side_id)
                lane = LaneRow(
                    memory.next_id(memory.tables.lanes),
                    linked.id,
                    side_id,
                    link.connection_id,
                    view.system_id,
                    now,
                )
                memory.tables.lanes[lane.id] = memory.lanes_of[linked.id, side_id] = lane
                memory.queues[lane.id] = []
        return begun

    def _queue_planned(
        self,
        plans: Sequence[tuple[effects.StoreReading, reading.ReadingPlan]],
        events: Sequence[Mapping[int, EventRow]],
        begun: Sequence[Mapping[int, LinkedRow]],
        now: datetime,
    ) -> None:
        planned: dict[tuple[int, int], list[DeliveryRow]] = {}
        for (_, plan), seen, links in zip(plans, events, begun, strict=True):
            for one in plan.deliveries:
                row = DeliveryRow(
                    id=0,
                    lane_id=0,
                    number=0,
                    event_id=seen[one.position].id,
                    operation=one.operation,
                    marker="",
                    origin=one.origin,
                    stamp=one.stamp,
                    hops=one.hops,
                    envelope=one.envelope,
                    problem=one.problem,
                    outgoing_id=one.outgoing_id,
                    queued_at=now,
                )
                planned.setdefault((_linked_id(one.link, links), one.target_side_id), []).append(row)
        for key, rows in planned.items():
            for row in rows:
                row.marker = self.memory.new_marker()
                self._queue(self.memory.lanes_of[key], row, now)

    def _tell(
        self,
        plan: reading.ReadingPlan,
        events: Mapping[int, EventRow],
        begun: Mapping[int, LinkedRow],
    ) -> None:
        for seen in plan.seen:
            event = events[seen.position]
            self.memory.tables.facts.append(
                FactRow(
                    _linked_id(seen.link, begun),
                    seen.side_id,
                    event.id,
                    event.change.at,
                    seen.values,
                    seen.public_comments,
                )
            )

    # Systems.

    def _note_failure(self, request: effects.NoteSystemFailure, now: datetime) -> None:
        error = request.error
        if isinstance(error, NotSent | Stale | Refused | HeldBack):
            return
        if isinstance(error, RateLimited) and error.is_for_ticket:
            return
        system = self.memory.tables.systems[request.system_id]
        system.fail_streak += 1
        is_paused = system.paused_until is not None and system.paused_until > now
        if not (is_paused and system.failure_code == RateLimited.code):
            system.failure_code = error.code
        if isinstance(error, Unauthorized):
            system.is_active = False
        elif isinstance(error, RateLimited) and error.retry_after_s:
            _pause(system, now + timedelta(seconds=error.retry_after_s))
        elif pause_s := timing.breaker_pause_s(system.fail_streak, self._random):
            _pause(system, now + timedelta(seconds=pause_s))


def _pause(system: SystemRow, until: datetime) -> None:
    if system.paused_until is None or system.paused_until < until:
        system.paused_until = until


def _linked_id(key: reading.LinkKey, begun: Mapping[int, LinkedRow]) -> int:
    return key.linked_ticket_id or begun[key.connection_id].id


def _state(row: TicketRow) -> TicketState:
    return TicketState(
        id=row.id,
        system_id=row.system_id,
        remote_id=row.remote_id,
        cursor=row.cursor,
        version=row.version,
        event_count=row.event_count,
        actual=row.actual,
        winners=dict(row.winners),
        marker=row.marker,
        is_gone=row.is_gone,
        is_twin=row.twin_of is not None,
        read_at=row.read_at,
        hinted_at=row.hinted_at,
    )


def _read_at(row: TicketRow, request: effects.StoreReading) -> datetime | None:
    return row.read_at if request.history.has_more else request.started_at


def _mark(history: History) -> str:
    return "" if history.has_more else history.mark


def _next_due(row: TicketRow, request: effects.StoreReading, now: datetime) -> datetime | None:
    if request.history.has_more:
        return now
    hinted_since = row.stale_since is not None and row.stale_since > request.started_at
    return row.read_due_at if hinted_since else None


def _advance(lane: LaneRow, now: datetime) -> None:
    lane.head += 1
    lane.tries = 0
    if lane.state is not LaneState.PARKED:
        lane.failure_code = ""
    lane.waits = lane.head <= lane.tail
    lane.waits_since = now if lane.waits else None
    lane.next_at = now


def _result(written: Written) -> dict[str, object]:
    return {
        "change_ids": list(written.change_ids),
        "comment_id": written.comment_id,
        "attachment_id": written.attachment_id,
    }


_ORDER: dict[type, int] = {
    kind: place
    for place, kind in enumerate(
        (
            effects.StoreReading,
            effects.StoreCreated,
            effects.MarkSent,
            effects.Finish,
            effects.Release,
            effects.Withdraw,
            effects.Park,
            effects.NoteReadFailure,
            effects.NoteSystemFailure,
            effects.NoteSystemAnswer,
            effects.LoadHead,
        )
    )
}


def _rounds(requests: Sequence[effects.Request]) -> Iterator[list[int]]:
    """The places of requests that are done together: kind by kind, a ticket's second reading by itself."""
    if len(requests) == 1:
        yield [0]
        return
    by_kind: dict[type, list[int]] = {}
    for place, request in enumerate(requests):
        by_kind.setdefault(type(request), []).append(place)
    for kind in sorted(by_kind, key=_ORDER.__getitem__):
        left = by_kind[kind]
        while left:
            taken: set[object] = set()
            now: list[int] = []
            later: list[int] = []
            for place in left:
                request = requests[place]
                key: object = (
                    request.ticket_id if isinstance(request, effects.StoreReading) else f"place {place}"
                )
                (later if key in taken else now).append(place)
                taken.add(key)
            yield now
            left = later
