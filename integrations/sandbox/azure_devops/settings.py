"""What can be set about a sandboxed Azure DevOps: sign-in, process, people, custom fields, rights and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def first_people() -> list[dict[str, Any]]:
    """The members of the project's team; `active: false` is somebody who has left."""
    return [
        {"name": "Ines Incident", "email": "ines@partner.example", "active": True},
        {"name": "Devin Developer", "email": "devin@partner.example", "active": True},
        {"name": "Paula Past", "email": "paula@partner.example", "active": False},
    ]


def first_fields() -> list[dict[str, Any]]:
    """An impact to choose, a line of text and a rich text; `types` are the work item types that have the field."""
    everywhere: list[str] = []
    return [
        {
            "name": "Custom.Impact",
            "label": "Impact",
            "type": "picklistString",
            "values": ["High", "Medium", "Low"],
            "types": everywhere,
        },
        {
            "name": "Custom.PartnerReference",
            "label": "Partner reference",
            "type": "string",
            "values": [],
            "types": everywhere,
        },
        {
            "name": "Custom.PartnerNotes",
            "label": "Partner notes",
            "type": "html",
            "values": [],
            "types": everywhere,
        },
    ]


@dataclass(frozen=True, slots=True)
class AzureDevOpsSettings:
    """`process`: Agile (Bug, User Story, Task, Issue) or Basic (Issue, Task).

    `required_fields`: rules such as `{"type": "Bug", "state": "Closed", "field": "Custom.Impact"}`; an empty state
    is every state.  `blocked_transitions`: `{"type", "from", "to"}` that a rule forbids.  `hidden_items`: ids that
    answer as if our account might not see them.  `denied`: rights that our account lacks, of `write`, `hooks`,
    `bypass_rules` and `destroy`.  `wrong_sign_in`: what a wrong token meets, 203 or 302 to a sign-in page, or 401.
    `tstu_limit`: how much use 5 minutes allow before calls are delayed, and refused at twice as much; 0 is no limit.
    `tstu_delay_ms`: how long a delayed call waits here, where the vendor lets it wait up to 30 seconds.
    """

    organization: str = "partner"
    email: str = "concord@sandbox.example"
    token: str = "azure-devops-sandbox-token"  # noqa: S105
    token_expired: bool = False
    wrong_sign_in: str = "203"
    project: str = "Support"
    process: str = "Agile"
    areas: list[str] = field(default_factory=lambda: ["Network", "Design"])
    iterations: list[str] = field(default_factory=lambda: ["Sprint 1", "Sprint 2"])
    people: list[dict[str, Any]] = field(default_factory=first_people)
    custom_fields: list[dict[str, Any]] = field(default_factory=first_fields)
    required_fields: list[dict[str, Any]] = field(default_factory=list)
    blocked_transitions: list[dict[str, Any]] = field(default_factory=list)
    hidden_items: list[int] = field(default_factory=list)
    denied: list[str] = field(default_factory=lambda: ["bypass_rules", "destroy"])
    tstu_limit: int = 0
    tstu_delay_ms: int = 20
    max_query_results: int = 20_000
    max_attachment_bytes: int = 60 * 1024 * 1024
    max_attachments: int = 100
    retry_delays_s: list[float] = field(default_factory=lambda: [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])
