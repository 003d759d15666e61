"""Readings: events, values and the deliveries that follow from a history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from integrations.canonical import Change, ChangeKind, History
from integrations.engine import echo, effects, hints, reading
from integrations.engine.values import FIELD_WRITES, DeliveryState, LinkState, OpenWrite, TicketView
from integrations.simulation.memory import fights
from integrations.simulation.memory.heads import Heads
from integrations.simulation.memory.lanes import Lanes
from integrations.simulation.memory.picture import state_of
from integrations.simulation.rows import (
    DeliveryRow,
    EventRow,
    FactRow,
    LaneRow,
    LinkedRow,
    TicketRow,
)

CREATE_UNDER_WAY_S = 2


class Readings(Heads, Lanes):
    """Stores what a history says."""

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
                row.told_until = _told_until(row, request.history)
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
            one.state is DeliveryState.SENT
            and one.target_id is None
            and lanes[one.lane_id].system_id == row.system_id
            for one in (*creating, *self.memory.follows.values())
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
            ticket=state_of(row),
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

    def _store_ticket(self, request: effects.StoreReading, plan: reading.ReadingPlan, now: datetime) -> None:
        row = self.memory.tables.tickets[request.ticket_id]
        row.read_due_at = _next_due(row, request, now)
        row.cursor, row.event_count = plan.cursor, plan.event_count
        row.actual, row.winners, row.is_gone = plan.actual, plan.winners, plan.is_gone
        row.version += 1
        row.mark = _mark(request.history)
        row.read_at, row.read_failures = _read_at(row, request), 0
        row.told_until = _told_until(row, request.history)

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
                self.memory.queue(self.memory.lanes_of[key], row, now)
        fights.stop_fights(self.memory, {self.memory.lanes_of[key].id for key in planned}, now)

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


def _linked_id(key: reading.LinkKey, begun: Mapping[int, LinkedRow]) -> int:
    return key.linked_ticket_id or begun[key.connection_id].id


def _read_at(row: TicketRow, request: effects.StoreReading) -> datetime | None:
    return row.read_at if request.history.has_more else request.started_at


def _told_until(row: TicketRow, history: History) -> datetime | None:
    return hints.told_from_now(row.told_until, history.as_of, has_more=history.has_more)


def _mark(history: History) -> str:
    return "" if history.has_more else history.mark


def _next_due(row: TicketRow, request: effects.StoreReading, now: datetime) -> datetime | None:
    if request.history.has_more:
        return now
    hinted_since = row.stale_since is not None and row.stale_since > request.started_at
    return row.read_due_at if hinted_since else None
