"""What carrying out any delivery needs: reading first, recording the attempt, ending it, giving the lane back."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from integrations.canonical import Value
from integrations.connectors.errors import ConnectorError, Refused, Unauthorized
from integrations.connectors.protocol import Capabilities
from integrations.engine import acknowledgements, effects, pace, read, timing, wholes
from integrations.engine.ports import ClaimedLane, Context
from integrations.engine.shares import MOST_IN_ONE_WRITE
from integrations.engine.values import DeliveryState, HeadView, Operation, Outcome, TicketState, Word

# Gives the next head of the lane to go on with, or None when the lane was given back, lost, or is empty.
Step = Generator[effects.Effect, Any, HeadView | None]


class Carrying:
    """One delivery under one claim."""

    def __init__(self, lane: ClaimedLane, context: Context, head: HeadView) -> None:
        self.lane = lane
        self.context = context
        self.head = head
        self.system_id = head.side.system_id
        self.send_by = timing.send_by(lane.leased_until, context.request_timeout_s)
        # When the latest look at the other system began: what it does not show was not there by then.
        self.looked_at = self.started_at = context.clock.now()

    def _pull(self, target: TicketState) -> Generator[effects.Effect, Any, HeadView | None]:
        """Read the target's history now and load the head anew; None when that failed or the claim was lost."""
        started_at = self.looked_at = self.context.clock.now()
        try:
            history = yield effects.ReadHistory(
                self.system_id, remote_id=target.remote_id, since=target.cursor
            )
        except ConnectorError as error:
            if isinstance(error, Refused):
                yield (read.refused(target.id, error, started_at),)
            yield from self._failed(error)
            return None
        stored, head = yield (
            effects.StoreReading(target.id, target.version, history, started_at),
            self._next(),
        )
        if head is None or not stored or history.has_more:
            # Another reading got there first, or there is more to read: decide on what is known then.
            if head is not None:
                now = self.context.clock.now()
                yield (effects.Release(self.lane.id, self.lane.fence, next_at=now, at=now),)
            return None
        self.head = head
        return head

    def _capabilities(self) -> Capabilities:
        return self.context.systems.capabilities(self.system_id)

    def _keeps_pace(self) -> Generator[effects.Effect, Any, bool]:
        """Give the lane back where the system would refuse one more write to this ticket now; true when it did."""
        limit, now = self._capabilities().ticket_writes, self.context.clock.now()
        if limit is None or (at := pace.may_write_at(self.head.recent_writes, limit, now)) <= now:
            return False
        yield (
            effects.Release(
                self.lane.id,
                self.lane.fence,
                next_at=at,
                at=now,
                waits_for=(pace.CODE, pace.reason(limit)),
            ),
        )
        return True

    def _settled(self, fields: Mapping[str, Value]) -> dict[str, Value]:
        settled = self.context.systems.settled
        return {name: settled(self.system_id, name, value) for name, value in fields.items()}

    def _may_still_turn_up(self) -> bool:
        # Not by the clock: a worker that was stopped after its look has seen nothing of what came since.
        return self.looked_at < self._settles_at()

    def _settles_at(self) -> datetime:
        operation = Operation.CREATE if self.head.follows else self.head.operation
        window_s = timing.settle_s(self._capabilities(), operation, self.context.request_timeout_s)
        # Counted from the last moment at which the guard let the bytes leave, not from the record of the attempt.
        last_leaving = self.head.send_by or self.context.clock.now()
        return last_leaving + timedelta(seconds=window_s)

    def _wait_to_settle(self) -> Step:
        now = self.context.clock.now()
        soon = min(max(self._settles_at(), now), now + timedelta(seconds=5))
        yield (effects.Release(self.lane.id, self.lane.fence, next_at=soon, at=now),)
        return None

    def _mark_sent(
        self, wanted: Mapping[str, Value], unseen: Mapping, before: Mapping[str, Value]
    ) -> Generator[effects.Effect, Any, bool]:
        return (yield from self._record([self._mark(self.head, wanted, unseen, before)]))

    def _mark(
        self, head: HeadView, wanted: Mapping[str, Value], unseen: Mapping, before: Mapping[str, Value]
    ) -> effects.MarkSent:
        return effects.MarkSent(
            self.lane.id,
            self.lane.fence,
            head.delivery_id,
            number=head.tries + 1,
            target_id=self.head.target.id if self.head.target else None,
            wanted=wanted,
            unseen=unseen,
            pre_image=before,
            incoming_id=head.side.incoming.id,
            at=self.context.clock.now(),
            send_by=self.send_by,
        )

    def _record(self, marks: Sequence[effects.MarkSent]) -> Generator[effects.Effect, Any, bool]:
        """Record the attempts; false when the claim is over and nothing may leave."""
        now = self.context.clock.now()
        if now >= self.send_by:
            yield (effects.Release(self.lane.id, self.lane.fence, next_at=now, at=now),)
            return False
        # One moment for all that one write carries: it is one write to the ticket.
        return all((yield tuple(replace(mark, at=now) for mark in marks)))

    def _finish(
        self,
        state: DeliveryState,
        *,
        written: Any = None,
        reason: str = "",
        told: wholes.Told = wholes.NOTHING,
        undone: Mapping[str, str] | None = None,
        word: Word | None = None,
    ) -> Step:
        """End the delivery; `told` is what of its texts is not there, `word` what its sender is told instead of the end."""
        now = self.context.clock.now()
        request = effects.Finish(
            self.lane.id,
            self.lane.fence,
            self.head.delivery_id,
            state,
            at=now,
            written=written,
            reason=reason,
            lost=told.lost,
            files=told.files,
            undone=undone or {},
            word=word or acknowledgements.settled(self.head, state, now),
        )
        _, head = yield (request, self._next())
        return head

    def _next(self) -> effects.LoadHead:
        return effects.LoadHead(self.lane.id, self.lane.fence, MOST_IN_ONE_WRITE - 1)

    def _park(self, code: str, message: str, error: ConnectorError | None = None) -> Step:
        now = self.context.clock.now()
        word = acknowledgements.not_taken(self.head, message, now, error)
        yield (
            effects.Park(
                *(self.lane.id, self.lane.fence, self.head.delivery_id, code, message, now, error), word=word
            ),
        )
        return None

    def _give_up(self, sent: tuple[int, ...], error: ConnectorError) -> Step:
        """The system does not take it, and what waits behind does not wait for that: it is left out, and told."""
        now = self.context.clock.now()
        (withdrawn,) = yield (effects.Withdraw(self.lane.id, self.lane.fence, sent, now, error),)
        if not withdrawn:
            return None
        return (yield from self._finish(DeliveryState.SKIPPED, reason=error.message))

    def _failed(self, error: ConnectorError, *, sent: tuple[int, ...] = ()) -> Step:
        """End the attempts by what the error says happens next; `sent` are the deliveries that they were for."""
        now = self.context.clock.now()
        if isinstance(error, Refused):
            if sent and acknowledgements.is_word(self.head.origin) and not error.outcome_unknown:
                return (yield from self._give_up(sent, error))
            return (yield from self._park(error.code, error.message, error))
        outcome: Outcome | None = None
        if sent:
            outcome = Outcome.UNKNOWN if error.outcome_unknown else Outcome.RETRY
        wait_s = (
            0.0
            if isinstance(error, Unauthorized) and not error.is_of_source
            else timing.backoff_s(self.head.lane_tries, error, self.context.random)
        )
        yield (
            effects.Release(
                self.lane.id,
                self.lane.fence,
                next_at=now + timedelta(seconds=wait_s),
                at=now,
                outcome=outcome,
                delivery_ids=sent,
                error=error,
            ),
            effects.NoteSystemFailure(
                self.head.source_system_id if error.is_of_source else self.system_id, error, self.started_at
            ),
        )
        return None
