"""What the people of a Zendesk would have done, told from an incident's recorded rows.  Pure.

Every row becomes one action at its recorded time; a row that changes nothing a Zendesk ticket has becomes an internal
note.  The incident is solved at the resolution time that the log has for it: on the last row of its final Resolved
run, where that time is recorded.  An incident that stood in Resolved without ever being given a resolution time
waits there, as `pending`, and is closed without having been solved.  Closed comes last, because a closed ticket
takes nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.replay.log import Incident, Row

PRIORITIES = {"1 - Critical": "urgent", "2 - High": "high", "3 - Moderate": "normal", "4 - Low": "low"}
STATUSES = {
    "New": "new",
    "Active": "open",
    "Awaiting User Info": "pending",
    "Awaiting Problem": "hold",
    "Awaiting Vendor": "hold",
    "Awaiting Evidence": "hold",
    "Resolved": "solved",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One act for the sandbox's control API, and when it happened."""

    at: datetime
    act: Mapping[str, Any]


def life_of(incident: Incident) -> Iterator[Action]:
    """The incident's actions in the order of its rows; times never go back."""
    statuses = list(_statuses(incident))
    first = incident.rows[0]
    held = {"status": "new", "priority": PRIORITIES[first.priority], "tags": _tags(first)}
    yield Action(incident.opened_at, _creation(incident, first, held))
    at = incident.opened_at
    for number, (row, status) in enumerate(zip(incident.rows, statuses, strict=True)):
        at = max(at, row.at)
        wanted = {"status": status, "priority": PRIORITIES[row.priority], "tags": _tags(row)}
        if wanted["status"] == "new" and held["status"] != "new":
            # A Zendesk ticket that was worked on is never new again.
            wanted["status"] = "open"
        changed = {name: value for name, value in wanted.items() if value != held[name]}
        held = wanted
        if changed or number:
            yield Action(at, _change(incident, row, changed))


def _statuses(incident: Incident) -> Iterator[str]:
    """Each row's status in Zendesk's words."""
    last = len(incident.rows) - 1
    final_resolved = max(
        (number for number, row in enumerate(incident.rows) if row.state == "Resolved"), default=-1
    )
    status = "new"
    for number, row in enumerate(incident.rows):
        if row.state == "Closed":
            # Rows after an early Closed are life all the same: only the last one ends it.
            status = "closed" if number == last else status
        elif row.state != "Resolved":
            status = STATUSES[row.state]
        elif incident.resolved_at is None:
            status = "pending"
        elif number == final_resolved or not _is_final_run(incident, number, final_resolved):
            status = "solved"
        yield status


def _is_final_run(incident: Incident, number: int, final: int) -> bool:
    """Whether nothing but Resolved stands between this row and the final Resolved one."""
    return all(row.state == "Resolved" for row in incident.rows[number : final + 1])


def _creation(incident: Incident, row: Row, held: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "do": "create",
        "ref": incident.number,
        "at": incident.opened_at.isoformat(),
        "as": _person(row),
        "fields": {"subject": f"{incident.number} {row.category}", "type": "incident", **held},
        "comment": {"text": f"Recorded as {incident.number}.", "public": True},
    }


def _change(incident: Incident, row: Row, changed: Mapping[str, Any]) -> dict[str, Any]:
    act: dict[str, Any] = {
        "do": "update",
        "ref": incident.number,
        "at": max(row.at, incident.opened_at).isoformat(),
        "as": _person(row),
    }
    if changed:
        return {**act, "fields": dict(changed)}
    return {**act, "do": "comment", "comment": {"text": "The record was updated.", "public": False}}


def _person(row: Row) -> str:
    word = "".join(char for char in row.by.lower() if char.isalnum()) or "unknown"
    return f"{row.by} <{word}@mercuri.example>"


def _tags(row: Row) -> list[str]:
    names = [name for name in (row.category, row.group) if name != "?"]
    return sorted(name.lower().replace(" ", "_") for name in names)
