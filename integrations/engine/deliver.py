"""Carries out the deliveries of one lane in their order.  Read this first.

For each delivery at the head of the lane: read the target's history (pull before push; `unread` tells when not), decide what is still to be
written, record the attempt, send under guard, commit under fence.  A write whose outcome is unknown is looked for
in the receiver's own history, and sent again only when it can no longer turn up by itself.
"""

from __future__ import annotations

from dataclasses import replace

from integrations.engine import effects, timing, undoing
from integrations.engine.adding import Adding
from integrations.engine.carrying import Step
from integrations.engine.creating import Creating
from integrations.engine.effects import Steps
from integrations.engine.ports import ClaimedLane, Context
from integrations.engine.setting_fields import SettingFields
from integrations.engine.shares import MOST_IN_ONE_WRITE
from integrations.engine.values import DeliveryState, Operation

# A claim ends after this many deliveries, so that no lane keeps a worker to itself.
DELIVERIES_PER_CLAIM = 20


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


class _Delivering(Creating, SettingFields, Adding):
    """Whatever the delivery does: creating, fields, or comments and files."""

    def run(self) -> Step:
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
        if head.operation is Operation.REVERT and undoing.is_of_another(head, target):
            return (yield from self._finish(DeliveryState.SKIPPED, reason=undoing.MOVED_ON))
        if head.has_effect:
            # The same fact has reached this ticket by another way.
            return (yield from self._finish(DeliveryState.DONE))
        if head.operation in (Operation.COMMENT, Operation.FILE):
            return (yield from self._add(target))
        return (yield from self._set_fields(target))
