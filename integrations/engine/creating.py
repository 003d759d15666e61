"""Creating the ticket on the other side: looked for first where an earlier attempt may have made it."""

from __future__ import annotations

from typing import Any

from integrations.canonical import Draft
from integrations.connectors.errors import ConnectorError
from integrations.engine import effects
from integrations.engine.carrying import Carrying, Step
from integrations.engine.shares import received
from integrations.engine.values import DeliveryState


class Creating(Carrying):
    """A delivery that creates."""

    def _create(self) -> Step:
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

    def _created(self, written: Any) -> Step:
        request = effects.StoreCreated(
            self.lane.id, self.lane.fence, self.head.delivery_id, written, self.context.clock.now()
        )
        _, head = yield (request, self._next())
        return head
