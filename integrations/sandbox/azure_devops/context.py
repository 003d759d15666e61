"""What a handler of the Azure DevOps API gets to work with: the organisation, the request, a way to tell others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations.sandbox.azure_devops import errors
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.events import Event
from integrations.sandbox.azure_devops.rules import Doing
from integrations.sandbox.azure_devops.state import Organization, Subscription, WorkItem
from integrations.sandbox.azure_devops.views import View
from integrations.sandbox.clock import parse_time
from integrations.sandbox.wire import Request

Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Call:
    """One call that has passed the gate.  `has_project`: the address names the project."""

    organization: Organization
    request: Request
    view: View
    now: datetime
    has_project: bool
    send: Tell
    send_to: Callable[[Subscription, Event], None]

    def doing(self) -> Doing:
        """Writing as our account, now."""
        seconds = self.now.timestamp()
        bypass = self.flag("bypassRules")
        if bypass:
            self.check_right("bypass_rules", "Bypass rules on work item updates")
        return Doing(self.organization.api_user, int(seconds * 1000), seconds, bypass)

    def tell(self, event: Event) -> None:
        """Tell those who subscribe, unless the writer wants it quiet."""
        if not self.flag("suppressNotifications"):
            self.send(event)

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false."""
        return self.request.one(name).lower() == "true"

    def expand(self) -> str:
        """`$expand` in lower case; nothing asked is none."""
        return self.request.one("$expand").lower() or "none"

    def check_right(self, name: str, what: str) -> None:
        """403 when the account lacks a right."""
        if name in self.organization.settings.denied:
            raise errors.denied(what, self.organization.api_user.name)

    def item(self, id_: str) -> WorkItem:
        """The work item, or the 404 that says nothing."""
        if not id_.isdigit():
            raise errors.bad_argument(f"The value '{id_}' is not valid for the parameter id.")
        item = self.organization.item(int(id_))
        if item is None:
            raise errors.unseen_item(id_)
        return item

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent."""
        value = self.request.json()
        if not isinstance(value, dict):
            raise Wrong("Value cannot be null.\r\nParameter name: body", "ArgumentNullException")
        return value

    def fields(self, names: list[str]) -> list[str]:
        """Reference names of the fields that were asked for; 400 when one is not there."""
        found = []
        for name in names:
            field = self.organization.schema.find(name)
            if field is None:
                raise errors.no_field(name)
            found.append(field.reference)
        return found

    def listed(self, name: str) -> list[str]:
        """A query parameter that holds commas."""
        return [one.strip() for one in self.request.one(name).split(",") if one.strip()]

    def time(self, value: object) -> int | None:
        """A time in milliseconds; None when there is none, 400 when it cannot be read."""
        if value in (None, ""):
            return None
        try:
            return int(parse_time(str(value)).timestamp() * 1000)
        except ValueError as error:
            raise errors.bad_argument(f"The value '{value}' is not a valid date.") from error
