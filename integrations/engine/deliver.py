"""Carries out the deliveries of one lane in their order.  Read this first.

For each delivery at the head of the lane: read the target's history (pull before push; `unread` tells when not), decide what is still to be
written, record the attempt, send under guard, commit under fence.  A write whose outcome is unknown is looked for
in the receiver's own history, and sent again only when it can no longer turn up by itself.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from integrations.canonical import Attachment, CommentDraft, Draft, Value
from integrations.connectors.errors import (
    ConnectorError,
    FileGone,
    FileTooLarge,
    Forbidden,
    Gone,
    Refused,
    TooLarge,
    Unauthorized,
)
from integrations.connectors.protocol import Capabilities
from integrations.engine import effects, follow_ups, pace, texts, timing, unread
from integrations.engine.answers import answers_to
from integrations.engine.effects import Steps
from integrations.engine.ports import ClaimedLane, Context
from integrations.engine.shares import MOST_IN_ONE_WRITE, Share, received, share_of, with_followers
from integrations.engine.values import DeliveryState, HeadView, Operation, Outcome, StandIn, TicketState
from integrations.file_names import safe_name
from integrations.mapping import plan as mapping
from integrations.mapping.files import file_refusal, narrowest
from integrations.richtext.blocks import from_plain

# A claim ends after this many deliveries, so that no lane keeps a worker to itself.
DELIVERIES_PER_CLAIM = 20

# Gives the next head of the lane to go on with, or None when the lane was given back, lost, or is empty.
_Step = Generator[effects.Effect, Any, HeadView | None]


def deliver_lane(lane: ClaimedLane, context: Context) -> Steps:
    """Deliver what waits in a claimed lane until it is empty, has to wait, or the claim runs out."""
    (head,) = yield (effects.LoadHead(lane.id, lane.fence, MOST_IN_ONE_WRITE - 1),)
    for _ in range(DELIVERIES_PER_CLAIM):
        if head is None:
            return
        if context.clock.now() >= timing.send_by(lane.leased_until, context.request_timeout_s):
            break
        head = yield from _Delivering(lane, context, head).run()
    now = context.clock.now()
    yield (effects.Release(lane.id, lane.fence, next_at=now, at=now),)


def _never_takes_file(error: ConnectorError) -> bool:
    """Whether the system takes tickets and comments, but not this file, however often it is sent.

    A right that is missing can be given, and a ticket that is gone takes no note either: those wait for a person.
    """
    return isinstance(error, Refused) and not isinstance(error, Forbidden | Gone)


def _stand_in_for(error: ConnectorError) -> StandIn:
    """The reason of a note in the place of a file that a system does not take."""
    code = FileTooLarge.code if isinstance(error, TooLarge) else error.code
    return StandIn(code, error.message)


class _Delivering:
    """One delivery under one claim."""

    def __init__(self, lane: ClaimedLane, context: Context, head: HeadView) -> None:
        self.lane = lane
        self.context = context
        self.head = head
        self.system_id = head.side.system_id
        self.send_by = timing.send_by(lane.leased_until, context.request_timeout_s)
        # When the latest look at the other system began: what it does not show was not there by then.
        self.looked_at = context.clock.now()

    def run(self) -> _Step:
        """Carry the delivery as far as it goes now."""
        head, target = self.head, self.head.target
        if head.problem:
            return (yield from self._park(head.problem["code"], head.problem["message"]))
        if head.operation is Operation.CREATE and target is None:
            return (yield from self._create())
        if target is None:
            return (yield from self._finish(DeliveryState.SKIPPED, reason="The ticket was never made there."))
        if head.state is DeliveryState.SENT and head.follows:
            if head.follows == target.id:
                return (yield from self._look_for_follow_up(target))
            # Another lane has brought its ticket's follow-up meanwhile: it is written to that.
            self.head = head = replace(head, state=DeliveryState.NEW)
        if head.has_effect:
            # The same fact has reached this ticket by another way.
            return (yield from self._finish(DeliveryState.DONE))
        if head.operation in (Operation.COMMENT, Operation.FILE):
            return (yield from self._add(target))
        return (yield from self._set_fields(target))

    # Creating.

    def _create(self) -> _Step:
        head = self.head
        if head.state is DeliveryState.SENT:
            self.looked_at = self.context.clock.now()
            try:
                found = yield effects.FindTicket(self.system_id, marker=head.marker)
            except ConnectorError as error:
                return (yield from self._failed(error))
            if found:
                return (yield from self._created(found))
            if self._may_still_turn_up():
                return (yield from self._wait_to_settle())
        mapped = received(head, {}, is_new=True)
        if mapped.problem:
            return (yield from self._park(mapped.problem.code, mapped.problem.message))
        settled = self._settled(mapped.fields)
        if not (yield from self._mark_sent(mapped.fields, {"fields": settled, "creates": True}, {})):
            return None
        try:
            written = yield effects.CreateTicket(
                self.system_id, self.send_by, draft=Draft(mapped.fields, head.marker)
            )
        except ConnectorError as error:
            return (yield from self._failed(error, sent=(head.delivery_id,)))
        return (yield from self._created(written))

    def _created(self, written: Any) -> _Step:
        request = effects.StoreCreated(
            self.lane.id, self.lane.fence, self.head.delivery_id, written, self.context.clock.now()
        )
        _, head = yield (request, self._next())
        return head

    # Following up a closed ticket.

    def _closed(self, target: TicketState, sent: tuple[int, ...], error: ConnectorError) -> _Step:
        """The ticket takes nothing more: go on in a new one, where the system has such."""
        if not follow_ups.deserves_one(self.head):
            return (yield from self._finish(DeliveryState.SKIPPED, reason=follow_ups.STAYS_CLOSED))
        if not self.context.systems.follows_up(self.system_id):
            return (yield from self._failed(error, sent=sent))
        now = self.context.clock.now()
        (withdrawn,) = yield (effects.Withdraw(self.lane.id, self.lane.fence, sent, now, error),)
        if not withdrawn:
            return None
        if self.head.delivery_id in sent:
            self.head = replace(self.head, tries=self.head.tries + 1)
        return (yield from self._follow_up(target))

    def _follow_up(self, closed: TicketState) -> _Step:
        draft = follow_ups.draft_after(closed, self.head)
        mark = self._mark(self.head, draft.fields, {"follows": closed.id}, {})
        if not (yield from self._record([replace(mark, target_id=None)])):
            return None
        try:
            written = yield effects.FollowUp(
                self.system_id, self.send_by, closed_id=closed.remote_id, draft=draft
            )
        except ConnectorError as error:
            return (yield from self._failed(error, sent=(self.head.delivery_id,)))
        return (yield from self._followed(closed, written))

    def _look_for_follow_up(self, closed: TicketState) -> _Step:
        """The outcome of creating it is unknown."""
        try:
            found = yield effects.FindTicket(self.system_id, marker=follow_ups.marker_after(closed))
        except ConnectorError as error:
            return (yield from self._failed(error))
        if found:
            return (yield from self._followed(closed, found))
        if self._may_still_turn_up():
            return (yield from self._wait_to_settle())
        return (yield from self._follow_up(closed))

    def _followed(self, closed: TicketState, written: Any) -> _Step:
        now, marker = self.context.clock.now(), follow_ups.marker_after(closed)
        request = effects.StoreFollowUp(
            self.lane.id, self.lane.fence, self.head.delivery_id, closed.id, marker, written, now
        )
        _, head = yield (request, self._next())
        return head

    # Fields.

    def _set_fields(self, target: TicketState) -> _Step:
        known = unread.without_reading(self.head, self.context.clock.now(), self.context.systems)
        if known is None:
            return (yield from self._set_read_fields(target))
        return (yield from self._write(known.target, known.shares, is_read=False))

    def _set_read_fields(self, target: TicketState) -> _Step:
        head = yield from self._pull(target)
        if head is None or head.target is None:
            return None
        target = head.target
        if head.state is DeliveryState.SENT and head.is_recognised:
            return (yield from self._finish(DeliveryState.DONE))
        own = share_of(head, target, target.actual, self.context.systems)
        if isinstance(own, mapping.Problem):
            return (yield from self._park(own.code, own.message))
        if head.state is DeliveryState.SENT and self._may_still_turn_up():
            return (yield from self._wait_to_settle())
        return (yield from self._write(target, with_followers(own, target, self.context.systems)))

    def _write(self, target: TicketState, shares: Sequence[Share], *, is_read: bool = True) -> _Step:
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
            return (yield from self._failed(error, sent=ids))
        return (yield from self._end(target, shares, written))

    def _write_alone(
        self, target: TicketState, own: Share, sent: tuple[int, ...], error: ConnectorError
    ) -> _Step:
        """Which of several the system did not want is not known: from here on each goes by itself."""
        now = self.context.clock.now()
        (withdrawn,) = yield (effects.Withdraw(self.lane.id, self.lane.fence, sent, now, error),)
        if not withdrawn:
            return None
        if own.open:
            self.head = replace(self.head, tries=self.head.tries + 1)
            own = replace(own, head=self.head)
        return (yield from self._write(target, [own]))

    def _write_read(self, target: TicketState, sent: tuple[int, ...], error: ConnectorError) -> _Step:
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
            self._mark(
                share.head,
                share.open,
                {
                    "fields": self._settled(share.open),
                    **(
                        {"over": {name: one.as_value() for name, one in share.over.items()}}
                        if share.over
                        else {}
                    ),
                },
                {name: target.actual.get(name) for name in share.open},
            )
            for share in shares
        ]
        return (yield from self._record(marks))

    def _end(self, target: TicketState, shares: Sequence[Share], written: Any = None) -> _Step:
        now = self.context.clock.now()
        ends = tuple(
            effects.Finish(
                self.lane.id,
                self.lane.fence,
                share.head.delivery_id,
                share.end,
                at=now,
                written=written if share.open else None,
                accepted=None if share.open else share.equal,
                accepted_stamps={name: told.stamp for name, told in share.told.items()},
                answers=answers_to(share, target),
            )
            for share in shares
        )
        *_, head = yield (*ends, self._next())
        return head

    # Comments and files.

    def _add(self, target: TicketState) -> _Step:
        if self.head.state is DeliveryState.SENT:
            head = yield from self._pull(target)
            if head is None:
                return None
            if head.is_recognised:
                return (yield from self._finish(DeliveryState.DONE))
            if self._may_still_turn_up():
                return (yield from self._wait_to_settle())
        if self.head.operation is Operation.COMMENT:
            return (yield from self._send_addition(*self._comment(target)))
        side = self.head.side
        if refusal := file_refusal(side.incoming.files, side.takes_files, self.head.envelope["file"]):
            return (yield from self._send_stand_in(target, StandIn(refusal.code.value, refusal.reason)))
        return (yield from self._send_addition(*self._file(target), stand_in_on=target))

    def _send_addition(
        self,
        call: effects.Call,
        unseen: Mapping,
        *,
        stand_in_on: TicketState | None = None,
        stand_in: StandIn | None = None,
    ) -> _Step:
        if (yield from self._keeps_pace()):
            return None
        target = self.head.target
        assert target is not None
        wanted: dict[str, Value] = {"stand_in": dict(stand_in.as_value())} if stand_in else {}
        if self.head.operation is Operation.COMMENT:
            wanted |= texts.told_losses(self.head.envelope["comment"]["body"], unseen["comment"])
        if not (yield from self._mark_sent(wanted, unseen, {})):
            return None
        try:
            written = yield call
        except ConnectorError as error:
            if stand_in_on is not None and _never_takes_file(error):
                # The lane does not wait for a file that will never go: a note says where it is, and why.
                self.head = replace(self.head, tries=self.head.tries + 1)
                return (yield from self._send_stand_in(stand_in_on, _stand_in_for(error)))
            ids = (self.head.delivery_id,)
            if follow_ups.is_closed(error):
                return (yield from self._closed(target, ids, error))
            return (yield from self._failed(error, sent=ids))
        return (yield from self._finish(DeliveryState.DONE, written=written))

    def _comment(self, target: TicketState) -> tuple[effects.Call, Mapping]:
        comment, rules = self.head.envelope["comment"], self.head.side.incoming
        line = mapping.heading(
            rules.comment_heading, author=comment["author"], partner=self.head.sender.partner_name
        )
        body = self.context.systems.settled(self.system_id, "comment", mapping.headed(comment["body"], line))
        draft = CommentDraft(
            body=body,  # type: ignore[arg-type]
            # What was internal never becomes public, whatever the receiver's rules say.
            is_public=comment["is_public"] and rules.comments_become_public,
            marker=self.head.marker,
        )
        call = effects.AddComment(self.system_id, self.send_by, remote_id=target.remote_id, draft=draft)
        return call, {"comment": body}

    def _file(self, target: TicketState) -> tuple[effects.Call, Mapping]:
        file = self.head.envelope["file"]
        side = self.head.side
        attachment = Attachment(
            file["id"], file["name"], file["content_type"], file["size_bytes"], file["locator"]
        )
        usual_bytes = self.context.systems.capabilities(self.system_id).max_attachment_bytes
        call = effects.CarryFile(
            self.system_id,
            self.send_by,
            remote_id=target.remote_id,
            source_system_id=self.head.source_system_id,
            attachment=attachment,
            is_public=file["is_public"] and side.incoming.comments_become_public,
            marker=self.head.marker,
            limit_bytes=narrowest(side.incoming.files.max_bytes, side.takes_files.max_bytes or usual_bytes),
        )
        return call, {"file": self.context.systems.settled(self.system_id, "file", file["name"])}

    def _send_stand_in(self, target: TicketState, why: StandIn) -> _Step:
        return (yield from self._send_addition(*self._stand_in(target, why), stand_in=why))

    def _stand_in(self, target: TicketState, why: StandIn) -> tuple[effects.Call, Mapping]:
        """A note in the place of a file that does not go there."""
        file, partner = self.head.envelope["file"], self.head.sender.partner_name
        name = safe_name(file["name"])
        stays = (
            f"stays in {partner}'s system"
            if why.code != FileGone.code
            else f"is not in {partner}'s system any more"
        )
        text = f"The file “{name}” {stays}. {why.message}"
        body = self.context.systems.settled(self.system_id, "comment", from_plain(text).as_value())
        is_public = file["is_public"] and self.head.side.incoming.comments_become_public
        draft = CommentDraft(body=body, is_public=is_public, marker=self.head.marker)  # type: ignore[arg-type]
        call = effects.AddComment(self.system_id, self.send_by, remote_id=target.remote_id, draft=draft)
        return call, {"comment": body}

    # Shared.

    def _pull(self, target: TicketState) -> Generator[effects.Effect, Any, HeadView | None]:
        """Read the target's history now and load the head anew; None when that failed or the claim was lost."""
        started_at = self.looked_at = self.context.clock.now()
        try:
            history = yield effects.ReadHistory(
                self.system_id, remote_id=target.remote_id, since=target.cursor
            )
        except ConnectorError as error:
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

    def _wait_to_settle(self) -> _Step:
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
    ) -> _Step:
        request = effects.Finish(
            self.lane.id,
            self.lane.fence,
            self.head.delivery_id,
            state,
            at=self.context.clock.now(),
            written=written,
            reason=reason,
        )
        _, head = yield (request, self._next())
        return head

    def _next(self) -> effects.LoadHead:
        return effects.LoadHead(self.lane.id, self.lane.fence, MOST_IN_ONE_WRITE - 1)

    def _park(self, code: str, message: str, error: ConnectorError | None = None) -> _Step:
        now = self.context.clock.now()
        yield (effects.Park(self.lane.id, self.lane.fence, self.head.delivery_id, code, message, now, error),)
        return None

    def _failed(self, error: ConnectorError, *, sent: tuple[int, ...] = ()) -> _Step:
        """End the attempts by what the error says happens next; `sent` are the deliveries that they were for."""
        now = self.context.clock.now()
        if isinstance(error, Refused):
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
                self.head.source_system_id if error.is_of_source else self.system_id, error, now
            ),
        )
        return None
