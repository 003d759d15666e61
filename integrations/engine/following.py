"""Going on from a closed ticket in a new one, and finding that one where the answer to its creation was lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integrations.connectors.errors import ConnectorError
from integrations.engine import effects, follow_ups
from integrations.engine.carrying import Carrying, Step
from integrations.engine.values import DeliveryState, TicketState


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
        if self.head.delivery_id in sent:
            self.head = replace(self.head, tries=self.head.tries + 1)
        return (yield from self._follow_up(target))

    def _follow_up(self, closed: TicketState) -> Step:
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
