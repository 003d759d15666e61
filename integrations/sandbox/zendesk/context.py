"""What a handler of the Zendesk API gets to work with: the desk, the request, who asks, and a way to tell others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations.sandbox.clock import stamp
from integrations.sandbox.limits import Limits
from integrations.sandbox.wire import Request
from integrations.sandbox.zendesk.errors import Missing
from integrations.sandbox.zendesk.events import Event
from integrations.sandbox.zendesk.people import Doing
from integrations.sandbox.zendesk.state import Desk, Ticket, User

# Python reads longer numbers too, slowly; nobody has as many tickets.
MAX_ID_DIGITS = 18

Tell = Callable[[Ticket, list[Event], int], None]


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call.  `tell` sends the web hooks of an update."""

    desk: Desk
    limits: Limits
    request: Request
    actor: User
    now: datetime
    tell: Tell

    @property
    def origin(self) -> str:
        """What absolute addresses begin with."""
        return self.request.origin

    def doing(self) -> Doing:
        """Writing as whoever calls, now, over the API."""
        client = self.request.headers.get("user-agent", "")
        return Doing(self.actor, stamp(self.now), self.now.timestamp(), "api", client)

    def find_ticket(self, id_: str) -> Ticket | None:
        """The ticket with this number, if there is one."""
        return self.desk.tickets.get(int(id_)) if id_.isdigit() and len(id_) <= MAX_ID_DIGITS else None

    def ticket(self, id_: str) -> Ticket:
        """The ticket with this number, or a 404."""
        ticket = self.find_ticket(id_)
        if ticket is None:
            raise Missing
        return ticket

    def wrapped(self, name: str) -> dict[str, Any] | None:
        """The object under `name` in the JSON body; None when it is not there."""
        body = self.request.json()
        value = body.get(name) if isinstance(body, dict) else None
        return value if isinstance(value, dict) else None
