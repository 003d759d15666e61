"""Lanes: what is queued at their end, and how the delivery at their head ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from integrations.canonical import Written
from integrations.connectors.errors import HeldBack
from integrations.engine import effects
from integrations.engine.values import Answer, DeliveryState, LaneState, Operation, Outcome, Winner
from integrations.simulation.memory import conflicts, words
from integrations.simulation.memory.heads import ADDITIONS
from integrations.simulation.memory.writes import Writes
from integrations.simulation.rows import DeliveryRow, LaneRow, TicketRow


class Lanes(Writes):
    """Moves lanes on, gives them back and stops them."""

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
            if request.undone:
                result = {**result, "undone": dict(request.undone)}
            if row.state is DeliveryState.SENT:
                was_sent.append(row.id)
                if row.target_id and row.operation in ADDITIONS:
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
                # By the same stamp it is the same value, as the system has settled it.
                if name not in held.winners or held.winners[name].stamp <= stamp:
                    held.winners[name] = Winner(value, stamp)
        for pk, request in ended.items():
            overtaken = memory.tables.deliveries[pk]
            for answer in request.answers:
                memory.queue(memory.lane_back(request.lane_id), self._answer(answer, overtaken), now)
        for pk, request in ended.items():
            if request.word:
                words.queue(memory, memory.tables.deliveries[pk], request.word, now)
        for pk in was_sent:
            if not ended[pk].written:
                self._forget_unwritten(memory.tables.deliveries[pk], "wanted", "pre_image")
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
        conflicts.ask(self.memory, lane, request.delivery_id, request.questions, request.at)
        if row and request.word:
            words.queue(self.memory, row, request.word, request.at)
        return True


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
