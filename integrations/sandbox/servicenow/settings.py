"""What can be set about a sandboxed ServiceNow: sign-in, rights, policies, custom fields, limits and quirks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def first_fields() -> list[dict[str, Any]]:
    """A line of text and a choice that the partner added to its incidents."""
    return [
        {
            "table": "incident",
            "name": "u_partner_reference",
            "label": "Partner reference",
            "type": "string",
            "max_length": 100,
        },
        {
            "table": "incident",
            "name": "u_service_tier",
            "label": "Service tier",
            "type": "string",
            "max_length": 40,
            "choices": [["gold", "Gold"], ["silver", "Silver"], ["bronze", "Bronze"]],
        },
    ]


def first_policies() -> list[dict[str, Any]]:
    """Which fields are mandatory while a condition holds; the conditions are encoded queries, as at the vendor.

    A journal field is mandatory only for the update that makes the condition true.
    """
    return [
        _policy("incident", "Hold reason is mandatory on hold", "state=3", ["hold_reason"]),
        _policy("incident", "Say what the caller is waited for", "state=3^hold_reason=1", ["comments"]),
        _policy(
            "incident", "Make close info mandatory when resolved or closed", "stateIN6,7",
            ["close_code", "close_notes"],
        ),
        _policy(
            "problem", "Make resolution mandatory when resolved or closed",
            "stateIN106,107^resolution_codeNOT INduplicate,canceled,risk_accepted",
            ["resolution_code", "cause_notes", "fix_notes"],
        ),
        _policy(
            "change_request", "Make close info mandatory when closed", "state=3", ["close_code", "close_notes"]
        ),
    ]  # fmt: skip


def _policy(table: str, name: str, condition: str, mandatory: list[str]) -> dict[str, Any]:
    return {"table": table, "name": name, "condition": condition, "mandatory": mandatory}


@dataclass(frozen=True, slots=True)
class ServiceNowSettings:
    """A limit of 0 is off.

    `time_zone` is the integration user's, in which display values are shown and dates of queries are meant when
    `literals_in_user_zone` is on.  `roles` are the integration user's: without `admin` it changes no closed record,
    without `admin` or `itil_admin` it deletes nothing, with no role at all it sees and writes no record of a task
    table (`sn_incident_read`, `sn_incident_write` and their like are enough for one).  `closed_tables` names tables that the instance refuses to web
    services, `hidden_tables` those whose rows an ACL hides, `hidden_records` (numbers or sys_ids) single rows, which
    still count for limits and totals, `hidden_fields` (`incident.close_notes`) fields that are absent, `unwritable_fields` fields that
    a write leaves as they are without a word.
    `choices` replaces the values of a choice field (`incident.close_code`) with [value, label] pairs, `max_lengths`
    the length of a text field, `missing_fields` takes fields away.  `audit_inserts`: the audit tells of creations
    too.  `hibernating`: every call is answered with a page for people and 200, as idle developer instances do.
    """

    username: str = "concord"
    password: str = "servicenow-sandbox-password"  # noqa: S105
    token: str = "servicenow-sandbox-token"  # noqa: S105
    client_id: str = "sandbox-client"
    client_secret: str = "servicenow-sandbox-secret"  # noqa: S105
    token_lifetime_s: int = 1800
    time_zone: str = "GMT"
    roles: list[str] = field(default_factory=lambda: ["itil"])
    literals_in_user_zone: bool = False
    invalid_query_returns_no_rows: bool = False
    closed_tables: list[str] = field(default_factory=list)
    hidden_tables: list[str] = field(default_factory=list)
    hidden_records: list[str] = field(default_factory=list)
    hidden_fields: list[str] = field(default_factory=list)
    unwritable_fields: list[str] = field(default_factory=list)
    missing_fields: list[str] = field(default_factory=list)
    custom_fields: list[dict[str, Any]] = field(default_factory=first_fields)
    choices: dict[str, list[list[str]]] = field(default_factory=dict)
    max_lengths: dict[str, int] = field(default_factory=dict)
    data_policies: list[dict[str, Any]] = field(default_factory=first_policies)
    check_transitions: bool = True
    audit_inserts: bool = False
    requests_per_hour: int = 0
    max_attachment_bytes: int = 1024 * 1024 * 1024
    attachment_extensions: str = ""
    hibernating: bool = False
    retry_delays_s: list[float] = field(default_factory=list)
