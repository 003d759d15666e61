"""What a handler of the Jira API gets to work with: the site, the request, and a way to tell others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations.sandbox.jira.errors import Wrong, unseen
from integrations.sandbox.jira.issues import Doing
from integrations.sandbox.jira.state import PROJECT_ID, Issue, Site, User
from integrations.sandbox.jira.views import View
from integrations.sandbox.wire import Request

Tell = Callable[[Issue, str, Mapping[str, Any], User], None]


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call."""

    site: Site
    request: Request
    view: View
    now: datetime
    tell: Tell

    def doing(self, body: Mapping[str, Any] | None = None) -> Doing:
        """Writing as our account, now; texts are ADF in version 3.  `body` may hold `historyMetadata`."""
        seconds = self.now.timestamp()
        metadata = (body or {}).get("historyMetadata")
        if metadata is not None and not isinstance(metadata, dict):
            raise Wrong("Invalid request payload. Refer to the REST API documentation and try again.")
        return Doing(self.site.api_user, int(seconds * 1000), seconds, self.view.version == "3", metadata)

    def issue(self, id_or_key: str) -> Issue:
        """The issue, or the 404 that says nothing."""
        issue = self.site.issue(id_or_key)
        if issue is None:
            raise unseen()
        return issue

    def check_project(self, id_or_key: str) -> None:
        """The only project there is, or a 404."""
        if id_or_key not in (PROJECT_ID, self.site.settings.project_key) or not self.site.is_visible:
            raise Wrong(f"No project could be found with key '{id_or_key}'.", status=404)

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent."""
        value = self.request.json()
        if not isinstance(value, dict):
            raise Wrong("Invalid request payload. Refer to the REST API documentation and try again.")
        return value

    def listed(self, name: str) -> list[str]:
        """A query parameter that may be repeated and may hold commas."""
        return [
            one.strip()
            for value in self.request.query.get(name, ())
            for one in value.split(",")
            if one.strip()
        ]
