"""Setting fields: what is still open of the delivery, together with what follows it, in one write."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from integrations.connectors.errors import ConnectorError, Refused
from integrations.engine import acknowledgements, conflicts, effects, follow_ups, undoing, unread, wholes
from integrations.engine.answers import answers_to
from integrations.engine.carrying import Step
from integrations.engine.following import Following
from integrations.engine.shares import Share, share_of, with_followers
from integrations.engine.values import DeliveryState, Operation, Question, TicketState
from integrations.mapping import plan as mapping


class SettingFields(Following):
    """A delivery of fields."""

    def _set_fields(self, target: TicketState) -> Step:
        known = unread.without_reading(self.head, self.context.clock.now(), self.context.systems)
        if known is None:
            return (yield from self._set_read_fields(target))
        return (yield from self._write(known.target, known.shares, is_read=False))

    def _set_read_fields(self, target: TicketState) -> Step:
        head = yield from self._pull(target)
        if head is None or head.target is None:
            return None
        target = head.target
        own = share_of(head, target, target.actual, self.context.systems)
        if head.state is DeliveryState.SENT and head.is_recognised:
            lost = wholes.told(head, head.wanted, self.context.systems)
            undone = own.undone if isinstance(own, Share) else {}
            return (yield from self._finish(DeliveryState.DONE, told=lost, undone=undone))
        if isinstance(own, mapping.Problem):
            return (yield from self._park(own.code, own.message))
        if head.state is DeliveryState.SENT and self._may_still_turn_up():
            return (yield from self._wait_to_settle())
        if own.questions:
            return (yield from self._ask(own.questions))
        return (yield from self._write(target, with_followers(own, target, self.context.systems)))

    def _ask(self, questions: Sequence[Question]) -> Step:
        """The whole delivery waits for the decision, and what is behind it: the order is kept."""
        now = self.context.clock.now()
        reason = conflicts.in_words([question.shared for question in questions])
        yield (
            effects.Park(
                *(self.lane.id, self.lane.fence, self.head.delivery_id, conflicts.CODE, reason, now),
                questions=tuple(questions),
            ),
        )
        return None

    def _write(self, target: TicketState, shares: Sequence[Share], *, is_read: bool = True) -> Step:
        """Write what is open of all shares at once; each delivery keeps its own attempt and its own end."""
        sent = [share for share in shares if share.open]
        if not sent:
            return (yield from self._end(target, shares))
        if (yield from self._keeps_pace()):
            return None
        if not (yield from self._mark_all_sent(target, sent)):
            return None
        try:
            written = yield effects.UpdateTicket(
                self.system_id,
                self.send_by,
                remote_id=target.remote_id,
                fields={name: value for share in sent for name, value in share.open.items()},
                current=target.actual,
                marker=sent[0].head.marker,
                basis=unread.basis_of(target, self.head.own_writes, self._capabilities()),
            )
        except ConnectorError as error:
            ids = tuple(share.head.delivery_id for share in sent)
            if follow_ups.is_closed(error):
                return (yield from self._closed(target, ids, error))
            if isinstance(error, Refused) and not is_read:
                return (yield from self._write_read(target, ids, error))
            if isinstance(error, Refused) and len(shares) > 1:
                return (yield from self._write_alone(target, shares[0], ids, error))
            if isinstance(error, Refused) and self.head.operation is Operation.REVERT:
                # The old value is not taken back: nobody waits for that.
                return (yield from self._give_up(ids, error))
            return (yield from self._failed(error, sent=ids))
        return (yield from self._end(target, shares, written))

    def _write_alone(
        self, target: TicketState, own: Share, sent: tuple[int, ...], error: ConnectorError
    ) -> Step:
        """Which of several the system did not want is not known: from here on each goes by itself."""
        now = self.context.clock.now()
        (withdrawn,) = yield (effects.Withdraw(self.lane.id, self.lane.fence, sent, now, error),)
        if not withdrawn:
            return None
        if own.open:
            self.head = replace(self.head, tries=self.head.tries + 1)
            own = replace(own, head=self.head)
        return (yield from self._write(target, [own]))

    def _write_read(self, target: TicketState, sent: tuple[int, ...], error: ConnectorError) -> Step:
        """What was refused without a reading may fit what really stands there."""
        now = self.context.clock.now()
        (withdrawn,) = yield (effects.Withdraw(self.lane.id, self.lane.fence, sent, now, error),)
        if not withdrawn:
            return None
        return (yield from self._set_read_fields(target))

    def _mark_all_sent(
        self, target: TicketState, shares: Sequence[Share]
    ) -> Generator[effects.Effect, Any, bool]:
        marks = [
            self._mark(share.head, share.asked(), self._unseen(share, target), share.replaces(target))
            for share in shares
        ]
        return (yield from self._record(marks))

    def _unseen(self, share: Share, target: TicketState) -> dict[str, Any]:
        """What the receiver's history will have to show of a share."""
        unseen: dict[str, Any] = {"fields": self._settled(share.open)}
        if share.over:
            unseen["over"] = {name: one.as_value() for name, one in share.over.items()}
        if share.head.operation is Operation.REVERT:
            unseen["held"] = undoing.held(share.head, share.open)
        return unseen | conflicts.stood_at_write(share.head, target, share.open)

    def _end(self, target: TicketState, shares: Sequence[Share], written: Any = None) -> Step:
        now = self.context.clock.now()
        told = [wholes.told_of_share(share, self.context.systems) for share in shares]
        ends = tuple(
            effects.Finish(
                self.lane.id,
                self.lane.fence,
                share.head.delivery_id,
                share.end,
                at=now,
                written=written if share.open else None,
                accepted=share.accepted or None,
                accepted_stamps={name: told.stamp for name, told in share.told.items()},
                answers=answers_to(share, target),
                lost=lost.lost,
                files=lost.files,
                undone=share.undone,
                word=acknowledgements.settled(share.head, share.end, now),
            )
            for share, lost in zip(shares, told, strict=True)
        )
        *_, head = yield (*ends, self._next())
        return head
