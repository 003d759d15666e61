"""Writes under way: marked before they leave, ended or taken back when it is known what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from integrations.engine import effects, follow_ups
from integrations.engine.values import DeliveryState, Outcome
from integrations.simulation.memory.picture import Picture
from integrations.simulation.memory.shared import read_until
from integrations.simulation.rows import AttemptRow, DeliveryRow

READ_BACK_S = 5


class Writes(Picture):
    """Keeps attempts, and what a history will have to show of them."""

    def _mark_sent(self, requests: Sequence[effects.MarkSent]) -> list[bool]:
        owned = [self.owns(request) for request in requests]
        asking = [one for one, ours in zip(requests, owned, strict=True) if ours and "follows" in one.unseen]
        followed = {
            pk for closed in {one.unseen["follows"] for one in asking} for pk in self.followed(closed, asking)
        }
        owned = [ours and one.delivery_id not in followed for one, ours in zip(requests, owned, strict=True)]
        for lane_id in {request.lane_id for request, ours in zip(requests, owned, strict=True) if ours}:
            self.memory.tables.lanes[lane_id].tries += 1
        for request, ours in zip(requests, owned, strict=True):
            if not ours:
                continue
            row = self.memory.tables.deliveries[request.delivery_id]
            row.state = DeliveryState.SENT
            self._expect(row, request.target_id, request.unseen)
            if "follows" in request.unseen:
                self.memory.follows[row.id] = row
            row.wanted, row.pre_image = request.wanted, request.pre_image
            row.incoming_id, row.send_by, row.tries = request.incoming_id, request.send_by, request.number
            attempt = AttemptRow(row.id, request.number, request.fence, request.at)
            self.memory.tables.attempts.append(attempt)
            self.memory.attempts_of.setdefault(row.id, []).append(attempt)
        return owned

    def followed(self, closed: int, requests: Sequence[effects.MarkSent]) -> set[int]:
        """The deliveries among these for which another makes the ticket that goes on from a closed one, or has."""
        asking = {one.lane_id: one.delivery_id for one in requests if one.unseen.get("follows") == closed}
        if self.memory.tables.tickets[closed].followed_by is not None:
            return set(asking.values())
        under_way = [
            one.id
            for one in self.memory.follows.values()
            if one.state is DeliveryState.SENT and one.unseen.get("follows") == closed
        ]
        # The first of those that ask together makes it.
        first = next(iter(under_way), asking[min(asking)])
        return set(asking.values()) - {first}

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

    def _store_follow_up(self, request: effects.StoreFollowUp, now: datetime) -> bool:
        if not self.owns(request):
            return False
        memory = self.memory
        lane, head = memory.tables.lanes[request.lane_id], request.written.head
        new = memory.ticket(lane.system_id, head.remote_id) or memory.add_ticket(
            lane.system_id, head.remote_id
        )
        lane.tries = 0
        new.marker = request.marker
        closed = memory.tables.tickets[request.closed_ticket_id]
        closed.followed_by = new.id
        if not new.winners:
            new.winners = follow_ups.winners_after(closed.winners, closed.actual)
        for linked_id in memory.linked_of.pop(closed.id, []):
            self._move_over(linked_id, closed.id, new.id)
        row = memory.tables.deliveries[request.delivery_id]
        self._recognise(row)
        row.state, row.unseen, row.wanted = DeliveryState.NEW, {}, {}
        memory.follows.pop(row.id, None)
        self._end_attempts([row.id], Outcome.DONE, now)
        self._expect_read_back([new.id], now)
        return True

    def _move_over(self, linked_id: int, closed: int, new: int) -> None:
        stood = self.memory.tables.linked[linked_id].tickets
        for side_id, ticket_id in stood.items():
            if ticket_id == closed:
                stood[side_id] = new
                self.memory.linked_of.setdefault(new, []).append(linked_id)

    def _expect_read_back(self, ticket_ids: Iterable[int], now: datetime) -> None:
        soon = now + timedelta(seconds=READ_BACK_S)
        for pk in sorted(set(ticket_ids)):
            is_chained = len(self.memory.linked_of.get(pk, ())) > 1
            read_until(self.memory.tables.tickets[pk], now, now if is_chained else soon)

    def _withdraw(self, request: effects.Withdraw) -> bool:
        if not self.owns(request):
            return False
        for pk in request.delivery_ids:
            self._undo_mark(self.memory.tables.deliveries[pk])
        self._end_attempts(request.delivery_ids, Outcome.REFUSED, request.at)
        return True

    def _undo_mark(self, row: DeliveryRow) -> None:
        self._recognise(row)
        self._forget_unwritten(row, "pre_image")
        row.state, row.unseen = DeliveryState.NEW, {}

    def _forget_unwritten(self, row: DeliveryRow, *told: str) -> None:
        """What an attempt was to write, and no history has shown, it did not replace after all."""
        if left := row.unseen.get("fields"):
            for name in told:
                setattr(row, name, {n: v for n, v in getattr(row, name).items() if n not in left})

    def _end_attempts(self, delivery_ids: Iterable[int], outcome: Outcome, at: datetime) -> None:
        for pk in delivery_ids:
            for attempt in self.memory.attempts_of.get(pk, ()):
                if attempt.outcome is Outcome.STARTED:
                    attempt.outcome, attempt.ended_at = outcome, at
