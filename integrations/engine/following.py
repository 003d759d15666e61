"""Going on from a closed ticket in a new one, and finding that one where the answer to its creation was lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from integrations.connectors.errors import ConnectorError
from integrations.engine import effects, follow_ups
from integrations.engine.carrying import Carrying, Step
from integrations.engine.values import DeliveryState, TicketState

# How soon to look again for what another lane is making.
LOOK_AGAIN_S = 2


class Following(Carrying):
    """A delivery that may find its ticket closed."""

    def _closed(self, target: TicketState, sent: tuple[int, ...], error: ConnectorError) -> Step:
        """The ticket takes nothing more: go on in a new one, where the system has such."""
        if not follow_ups.deserves_one(self.head):
            return (yield from self._finish(DeliveryState.SKIPPED, reason=follow_ups.STAYS_CLOSED))
        if not self.context.systems.follows_up(self.system_id):
            return (yield from self._failed(error, sent=sent))
        now = self.context.clock.now()
        (withdrawn,) = yield (effects.Withdraw(self.lane.id, self.lane.fence, sent, now, error),)
        if not withdrawn:
            return None
        # What was said in it until it was closed is known then: nobody hears of it once they have all gone over.
        head = yield from self._pull(target)
        if head is None or head.target is None:
            return None
        if head.target.id != target.id:
            # Another lane has brought its ticket's follow-up meanwhile: it is written to that.
            return head
        return (yield from self._follow_up(head.target))

    def _follow_up(self, closed: TicketState) -> Step:
        draft = follow_ups.draft_after(closed, self.head)
        mark = self._mark(self.head, draft.fields, {"follows": closed.id}, {})
        if not (yield from self._record([replace(mark, target_id=None)])):
            # Another lane may be about to make it: two of them would bring about two.
            return (yield from self._wait_for_follow_up(closed))
        try:
            written = yield effects.FollowUp(
                self.system_id, self.send_by, closed_id=closed.remote_id, draft=draft
            )
        except ConnectorError as error:
            return (yield from self._failed(error, sent=(self.head.delivery_id,)))
        return (yield from self._followed(closed, written))

    def _wait_for_follow_up(self, closed: TicketState) -> Step:
        """Go on in the ticket that another lane makes, once that is there."""
        try:
            found = yield effects.FindTicket(self.system_id, marker=follow_ups.marker_after(closed))
        except ConnectorError as error:
            return (yield from self._failed(error))
        if found:
            return (yield from self._followed(closed, found))
        now = self.context.clock.now()
        soon = now + timedelta(seconds=LOOK_AGAIN_S)
        yield (effects.Release(self.lane.id, self.lane.fence, next_at=soon, at=now),)
        return None

    def _look_for_follow_up(self, closed: TicketState) -> Step:
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

    def _followed(self, closed: TicketState, written: Any) -> Step:
        now, marker = self.context.clock.now(), follow_ups.marker_after(closed)
        request = effects.StoreFollowUp(
            self.lane.id, self.lane.fence, self.head.delivery_id, closed.id, marker, written, now
        )
        _, head = yield (request, self._next())
        return head
