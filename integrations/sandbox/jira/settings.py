"""What can be set about a sandboxed Jira: sign-in, time zone, workflow, custom fields, lags and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def first_statuses() -> list[dict[str, Any]]:
    """Statuses with the category that Jira colours them by."""
    return [
        {"id": "10000", "name": "To Do", "category": "new"},
        {"id": "3", "name": "In Progress", "category": "indeterminate"},
        {"id": "10001", "name": "In Review", "category": "indeterminate"},
        {"id": "10002", "name": "Done", "category": "done"},
    ]


def first_transitions() -> list[dict[str, Any]]:
    """A workflow that asks for steps: nothing leads from To Do to Done at once, and Done wants a resolution."""
    return [
        {"id": "11", "name": "Start", "from": ["To Do"], "to": "In Progress", "screen": []},
        {"id": "21", "name": "Stop", "from": ["In Progress"], "to": "To Do", "screen": []},
        {"id": "31", "name": "Send to review", "from": ["In Progress"], "to": "In Review", "screen": []},
        {"id": "41", "name": "Back to work", "from": ["In Review"], "to": "In Progress", "screen": []},
        {"id": "51", "name": "Done", "from": ["In Review"], "to": "Done", "screen": ["resolution"]},
        {"id": "61", "name": "Reopen", "from": ["Done"], "to": "In Progress", "screen": []},
    ]


def simplified_transitions() -> list[dict[str, Any]]:
    """Jira's simplified workflow, with which a new software project begins: from every status to every other."""
    names = [str(status["name"]) for status in first_statuses()]
    return [
        {
            "id": str(number),
            "name": name,
            "from": [one for one in names if one != name],
            "to": name,
            "screen": [],
        }
        for number, name in enumerate(names, 71)
    ]


def first_fields() -> list[dict[str, Any]]:
    """Impact and urgency as select lists, a line of text, and a rich text."""
    return [
        _select("customfield_10050", "Impact", 10101),
        _select("customfield_10051", "Urgency", 10111),
        {"id": "customfield_10052", "name": "Partner reference", "type": "text", "options": []},
        {"id": "customfield_10053", "name": "Partner notes", "type": "rich_text", "options": []},
    ]


def _select(id_: str, name: str, first: int) -> dict[str, Any]:
    options = [{"id": str(first + at), "value": value} for at, value in enumerate(("High", "Medium", "Low"))]
    return {"id": id_, "name": name, "type": "select", "options": options}


def first_priorities() -> list[dict[str, Any]]:
    """Jira's own five, with its ids."""
    names = ("Highest", "High", "Medium", "Low", "Lowest")
    return [{"id": str(at), "name": name} for at, name in enumerate(names, 1)]


@dataclass(frozen=True, slots=True)
class JiraSettings:
    """`search_lag_s`: a write reaches the search index so much later, unless asked for in reconcileIssues.

    `media_host`: files are redirected to this host name (same port), as Jira redirects to its media host; "" is the
    host the client used.  `limit_writes`: 20 writes in 2 s and 100 in 30 s for one issue; `limit_bursts`: so
    many calls a second to one endpoint; `points_per_hour` count as for an app, 0 as for an API token: none.
    `hidden_issues`: keys that answer 404 as if our account might not see them.  `denied_permissions`: names that /mypermissions denies;
    without BROWSE_PROJECTS the project and its issues are a 404, as if they were not there.
    """

    email: str = "concord@sandbox.example"
    token: str = "jira-sandbox-token"  # noqa: S105
    time_zone: str = "UTC"
    project_key: str = "INC"
    project_name: str = "Incidents"
    search_lag_s: float = 2
    media_host: str = ""
    limit_writes: bool = False
    limit_bursts: bool = False
    points_per_hour: int = 0
    max_comments: int = 5000
    max_attachment_bytes: int = 20 * 1024 * 1024
    retry_delays_s: list[float] = field(default_factory=lambda: [1.0, 5.0, 15.0, 30.0, 60.0])
    hidden_issues: list[str] = field(default_factory=list)
    denied_permissions: list[str] = field(default_factory=list)
    priorities: list[dict[str, Any]] = field(default_factory=first_priorities)
    default_priority: str = "Medium"
    statuses: list[dict[str, Any]] = field(default_factory=first_statuses)
    transitions: list[dict[str, Any]] = field(default_factory=first_transitions)
    custom_fields: list[dict[str, Any]] = field(default_factory=first_fields)
