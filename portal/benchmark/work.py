"""What people do in a run, in each vendor's own words: a new ticket, then its status, its priority and its title."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AGENT = "Mina Berg <mina@mercuri.example>"
# A new ticket and its three updates.
CHANGES_A_TICKET = 4


@dataclass(frozen=True, slots=True)
class Work:
    """The names and values that one vendor has for the same four changes; `first` is what a new ticket begins with.

    `prefix` is what Concord writes in front of the vendor's id of a ticket.
    """

    title: str
    first: Mapping[str, str]
    status: Mapping[str, str]
    priority: Mapping[str, str]
    text: str = "comment"
    prefix: str = ""

    def creation(self, number: int) -> Mapping[str, Any]:
        """Somebody raises the ticket with this number."""
        words = f"<p>The customer of <b>order {number}</b> asks where it is.</p>"
        fields = {self.title: f"Parcel {number} has not arrived", **self.first}
        action: dict[str, Any] = {"do": "create", "as": AGENT, "fields": fields}
        if self.text == "comment":
            action["comment"] = {"html": words, "public": True}
        else:
            fields[self.text] = f"The customer of order {number} asks where it is."
        return action

    def updates(self, id_: str) -> tuple[Mapping[str, Any], ...]:
        """The three updates of a ticket, in their order."""
        steps = (self.status, self.priority, {self.title: last_title(id_)})
        return tuple({"do": "update", "ticket": id_, "as": AGENT, "fields": dict(step)} for step in steps)

    def title_in(self, content: Mapping[str, Any]) -> str:
        """The title of a ticket as the sandbox tells its content."""
        return str(content["fields"].get(self.title) or "")


def last_title(id_: str) -> str:
    """What a ticket is called after its last update."""
    return f"Parcel of ticket {id_} is found"


WORKS: Mapping[str, Work] = {
    "zendesk": Work(
        "subject",
        {"priority": "normal", "type": "incident"},
        {"status": "open"},
        {"priority": "urgent"},
    ),
    "jira": Work(
        "summary",
        {"priority": "Medium"},
        {"status": "In Progress"},
        {"priority": "Highest"},
        text="description",
    ),
    "servicenow": Work(
        "short_description",
        {"impact": "2 - Medium", "urgency": "2 - Medium"},
        {"state": "In Progress"},
        {"impact": "1 - High"},
        text="description",
        prefix="incident:",
    ),
    "azure_devops": Work(
        "System.Title",
        {"Microsoft.VSTS.Common.Priority": "3"},
        {"System.State": "Active"},
        {"Microsoft.VSTS.Common.Priority": "1"},
        text="description",
    ),
}
