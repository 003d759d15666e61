"""The business rules of incident, problem and change: states, priority, and the times and names that follow them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from integrations.sandbox.servicenow.seeds import PRIORITY
from integrations.sandbox.servicenow.state import Record

_CLOSED = {"incident": ("7", "8"), "problem": ("107",), "change_request": ("3", "4")}
_RESOLVED = {"incident": "6", "problem": "106"}
_TWIN = {"incident": "incident_state", "problem": "problem_state"}
ON_HOLD, IN_PROGRESS = "3", "2"

# Which state may follow which.  An incident may go anywhere: its steps are buttons on the form, not rules.
_PROBLEM_STEPS = {
    "101": ("102", "107"),
    "102": ("103", "106", "107"),
    "103": ("104", "106", "107"),
    "104": ("103", "106", "107"),
    "106": ("103", "107"),
    "107": ("103",),
}
_CHANGE_STEPS = {
    "normal": {
        "-5": ("-4", "4"),
        "-4": ("-5", "-3", "4"),
        "-3": ("-5", "-2", "4"),
        "-2": ("-5", "-1", "4"),
        "-1": ("0", "4"),
        "0": ("-1", "3", "4"),
    },
    "standard": {
        "-5": ("-2", "4"),
        "-2": ("-5", "-1", "4"),
        "-1": ("0", "4"),
        "0": ("-1", "3", "4"),
    },
    "emergency": {
        "-5": ("-3", "4"),
        "-3": ("-5", "-2", "4"),
        "-2": ("-5", "-1", "4"),
        "-1": ("0", "4"),
        "0": ("-1", "3", "4"),
    },
}
STEP_RULES = {
    "problem": "Problem State Model: Check State Transition",
    "change_request": "Change Model: Check State Transition",
}


@dataclass(frozen=True, slots=True)
class Doing:
    """Who writes, when (the vendor's text), how far the clock is (seconds), and whether ACLs let them do anything."""

    user: Record
    at: str
    seconds: float
    is_admin: bool = False


def is_closed(table: str, state: str) -> bool:
    """Whether the work has ended for good."""
    return state in _CLOSED.get(table, ())


def next_states(table: str, values: Mapping[str, str]) -> tuple[str, ...] | None:
    """The states that may follow the present one; None when any may."""
    state = values.get("state", "")
    if table == "problem":
        return _PROBLEM_STEPS.get(state, ())
    if table == "change_request":
        return _CHANGE_STEPS.get(values.get("type", ""), _CHANGE_STEPS["normal"]).get(state, ())
    return None


def is_step_allowed(table: str, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether the state model leads from the old record to the new one."""
    if old.get("state") == new.get("state"):
        return True
    allowed = next_states(table, old)
    return allowed is None or new.get("state") in allowed


def follow(
    table: str, old: Mapping[str, str], new: dict[str, str], wanted: Mapping[str, str], doing: Doing
) -> None:
    """Write into `new` what the vendor's rules make of the change from `old`; `wanted` is what was asked for."""
    _same_state(table, new, wanted)
    _prioritise(table, old, new, wanted)
    if old.get("assignment_group") and old.get("assignment_group") != new.get("assignment_group"):
        new["reassignment_count"] = str(int(new.get("reassignment_count") or 0) + 1)
    before, after = old.get("state", ""), new.get("state", "")
    if before == after and old:
        return
    new["active"] = "false" if is_closed(table, after) else "true"
    if table == "incident" and before == ON_HOLD:
        new["hold_reason"] = wanted.get("hold_reason", "")
    _resolved(table, before, after, new, doing)
    _closed(table, before, after, new, doing)
    _reopened(table, before, after, new, doing)


def _same_state(table: str, new: dict[str, str], wanted: Mapping[str, str]) -> None:
    """Incidents and problems carry their state twice; whichever is written counts, `state` before its twin."""
    twin = _TWIN.get(table)
    if twin is None:
        return
    if "state" not in wanted and twin in wanted:
        new["state"] = new[twin]
    else:
        new[twin] = new["state"]


def _prioritise(table: str, old: Mapping[str, str], new: dict[str, str], wanted: Mapping[str, str]) -> None:
    """The priority of incidents and problems follows from impact and urgency, and cannot be written."""
    if table == "change_request":
        return
    found = PRIORITY.get((new.get("impact", ""), new.get("urgency", "")))
    new["priority"] = found or old.get("priority") or "4"


def _resolved(table: str, before: str, after: str, new: dict[str, str], doing: Doing) -> None:
    resolved = _RESOLVED.get(table)
    if resolved is None or after not in (resolved, *_CLOSED[table][:1]) or before == resolved:
        return
    new["resolved_at"], new["resolved_by"] = doing.at, doing.user.id


def _closed(table: str, before: str, after: str, new: dict[str, str], doing: Doing) -> None:
    if is_closed(table, after) and not is_closed(table, before):
        new["closed_at"], new["closed_by"] = doing.at, doing.user.id


def _reopened(table: str, before: str, after: str, new: dict[str, str], doing: Doing) -> None:
    ended = (_RESOLVED.get(table, ""), *_CLOSED[table])
    if not before or before not in ended or after in ended:
        return
    new["closed_at"] = new["closed_by"] = ""
    if table in _RESOLVED:
        new["resolved_at"] = new["resolved_by"] = ""
        new["reopen_count"] = str(int(new.get("reopen_count") or 0) + 1)
    if table == "incident":
        new["reopened_time"], new["reopened_by"] = doing.at, doing.user.id
