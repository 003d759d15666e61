"""What can be set about a sandboxed Zendesk: sign-in, lags, limits, and its custom fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

IMPACT_ID = 360000000001
URGENCY_ID = 360000000002
REFERENCE_ID = 360000000003


def first_fields() -> list[dict[str, Any]]:
    """Impact and urgency as drop-downs, whose values are tags as always in Zendesk, and a text field."""
    return [
        _dropdown(IMPACT_ID, "Impact", ("High", "Medium", "Low")),
        _dropdown(URGENCY_ID, "Urgency", ("High", "Medium", "Low")),
        {"id": REFERENCE_ID, "title": "Partner reference", "type": "text", "options": []},
    ]


def _dropdown(id_: int, title: str, names: tuple[str, ...]) -> dict[str, Any]:
    options = [{"name": name, "value": f"{title.lower()}_{name.lower()}"} for name in names]
    return {"id": id_, "title": title, "type": "tagger", "options": options}


@dataclass(frozen=True, slots=True)
class ZendeskSettings:
    """A limit of 0 is off.

    `incremental_lag_s`: the export never returns what changed in the last so many seconds (60 at the vendor's), and
    refuses a start time within them.  `events` is "each" for one web hook a changed aspect, as the vendor sends
    them, or "one" for one an update.  `assign_on_solve`: whoever solves an unassigned ticket becomes its assignee.
    `required_to_solve`: ids of custom fields that must be filled before a ticket can be solved.
    """

    email: str = "concord@sandbox.example"
    token: str = "zendesk-sandbox-token"  # noqa: S105
    account_id: int = 22129848
    time_zone: str = "UTC"
    first_ticket_id: int = 1
    incremental_lag_s: float = 60
    incremental_per_minute: int = 0
    search_lag_s: float = 2
    updates_per_ticket_10_min: int = 0
    updates_per_minute: int = 0
    requests_per_minute: int = 0
    shown_rate_limit: int = 700
    max_comments: int = 5000
    assign_on_solve: bool = True
    required_to_solve: list[int] = field(default_factory=list)
    events: str = "each"
    retry_delays_s: list[float] = field(default_factory=lambda: [1.0, 5.0, 30.0, 30.0, 30.0])
    custom_fields: list[dict[str, Any]] = field(default_factory=first_fields)
