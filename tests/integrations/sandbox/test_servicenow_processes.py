"""The state models of the sandboxed ServiceNow: what a state asks for, what follows from it, and where it may lead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integrations.sandbox.test_servicenow_records import create, failure, found, update
from tests.integrations.sandbox.vendor import Vendor

CLOSING = {"close_code": "Solution provided", "close_notes": "Restarted"}


def refused(servicenow: Vendor, record: dict[str, Any], **fields: str) -> tuple[int, Any]:
    path = f"/table/{record['sys_class_name']}/{record['sys_id']}"
    answer = servicenow("PATCH", path, fields)
    return answer.status_code, answer.json()


def mandatory(labels: str) -> tuple[int, Any]:
    words = f"Data Policy Exception: The following fields are mandatory: {labels}"
    return 403, failure("Operation Failed", words)


# --- Priority ---


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [
        ("1", "1", "1"), ("1", "2", "2"), ("1", "3", "3"),
        ("2", "1", "2"), ("2", "2", "3"), ("2", "3", "4"),
        ("3", "1", "3"), ("3", "2", "4"), ("3", "3", "5"),
    ],
)  # fmt: skip
def test_priority_follows_from_impact_and_urgency(
    servicenow: Vendor, impact: str, urgency: str, priority: str
) -> None:
    # What is written to the priority itself does not count.
    record = create(servicenow, impact=impact, urgency=urgency, priority="1")

    rule = found(servicenow, "dl_u_priority", f"impact={impact}^urgency={urgency}")[0]
    assert (record["priority"], rule["priority"]) == (priority, priority)


def test_a_change_has_a_priority_of_its_own(servicenow: Vendor) -> None:
    assert create(servicenow, "change_request", impact="1", priority="2")["priority"] == "2"


# --- Incidents ---


def test_on_hold_asks_for_a_reason_and_what_the_caller_is_waited_for(servicenow: Vendor) -> None:
    record = create(servicenow)

    assert refused(servicenow, record, state="3") == mandatory("On hold reason")
    assert refused(servicenow, record, state="3", hold_reason="1") == mandatory("Additional comments")
    held = update(servicenow, record, state="3", hold_reason="1", comments="Which site?")
    # The comment is asked for once, not with every later update.
    assert update(servicenow, record, impact="1")["state"] == held["state"] == "3"
    assert update(servicenow, record, state="2")["hold_reason"] == ""


def test_the_callers_words_end_the_wait(servicenow: Vendor) -> None:
    carl = found(servicenow, "sys_user", "email=carl@partner.example")[0]["sys_id"]
    record = create(servicenow, caller_id=carl)
    update(servicenow, record, state="3", hold_reason="1", comments="Which site?")

    def comment(person: str) -> str:
        act = {"do": "comment", "ticket": record["sys_id"], "as": person, "comment": "The main site"}
        servicenow.sandbox.act(act)
        return str(servicenow.get(f"/table/incident/{record['sys_id']}")["result"]["state"])

    assert comment("Ada Agent <ada@partner.example>") == "3"
    assert comment("Carl Caller <carl@partner.example>") == "2"


@pytest.mark.parametrize("state", ["6", "7"])
def test_resolving_and_closing_ask_for_code_and_notes(servicenow: Vendor, state: str) -> None:
    record = create(servicenow)

    assert refused(servicenow, record, state=state) == mandatory("Resolution code, Resolution notes")
    assert refused(servicenow, record, state=state, close_code="Duplicate") == mandatory("Resolution notes")
    assert update(servicenow, record, state=state, **CLOSING)["state"] == state
    again = servicenow("POST", "/table/incident", {"short_description": "x", "state": state})
    assert (again.status_code, again.json()) == mandatory("Resolution code, Resolution notes")


def test_an_incident_is_resolved_reopened_and_closed(servicenow: Vendor) -> None:
    record = create(servicenow)

    def step(**fields: str) -> dict[str, str]:
        servicenow.clock.advance(60)
        again = servicenow.send(
            "PATCH", f"/table/incident/{record['sys_id']}?sysparm_exclude_reference_link=true", fields
        )["result"]
        names = ("state", "incident_state", "active", "resolved_at", "closed_at", "reopen_count")
        return {name: again[name] for name in names}

    at = "2026-03-02 12:0{}:00".format
    open_ = {"active": "true", "resolved_at": "", "closed_at": "", "reopen_count": "0"}
    assert step(state="2") == {**open_, "state": "2", "incident_state": "2"}
    assert step(incident_state="6", **CLOSING) == {
        **open_, "state": "6", "incident_state": "6", "resolved_at": at(2),
    }  # fmt: skip
    assert step(state="2") == {**open_, "state": "2", "incident_state": "2", "reopen_count": "1"}
    assert step(state="6") == {
        **open_, "state": "6", "incident_state": "6", "resolved_at": at(4), "reopen_count": "1",
    }  # fmt: skip
    assert step(state="7") == {
        "state": "7", "incident_state": "7", "active": "false", "resolved_at": at(4), "closed_at": at(5),
        "reopen_count": "1",
    }  # fmt: skip


@pytest.mark.parametrize("state", ["7", "8"])
def test_what_is_closed_takes_no_more_writes(servicenow: Vendor, state: str) -> None:
    record = create(servicenow)
    update(servicenow, record, state=state, **CLOSING)
    denied = failure("Operation Failed", "ACL Exception Update Failed due to security constraints")

    for fields in ({"comments": "One more thing"}, {"state": "2"}, {"short_description": "x"}):
        assert refused(servicenow, record, **fields) == (403, denied)

    path = f"/attachment/file?table_name=incident&table_sys_id={record['sys_id']}&file_name=a.txt"
    file = servicenow("POST", path, data=b"x", headers={"Content-Type": "text/plain"})
    assert (file.status_code, file.json()["error"]["message"]) == (403, "Operation Failed")


def test_an_administrator_may_reopen_what_is_closed(servicenow: Vendor) -> None:
    record = create(servicenow)
    update(servicenow, record, state="7", **CLOSING)
    servicenow.sandbox.settings(roles=["admin"])

    again = update(servicenow, record, state="2")

    assert (again["state"], again["active"], again["closed_at"]) == ("2", "true", "")


def test_resolved_incidents_are_closed_by_the_nightly_job(servicenow: Vendor) -> None:
    resolved, open_ = create(servicenow), create(servicenow)
    update(servicenow, resolved, state="6", **CLOSING)

    (done,) = servicenow.sandbox.act({"do": "close_resolved"})

    assert done["closed"] == [resolved["sys_id"]]
    assert [(one["number"], one["state"]) for one in found(servicenow, "incident", "ORDERBYnumber")] == [
        (resolved["number"], "7"),
        (open_["number"], "1"),
    ]


def test_reassignments_are_counted(servicenow: Vendor) -> None:
    groups = [one["sys_id"] for one in found(servicenow, "sys_user_group", "nameINNetwork,Software")]
    record = create(servicenow, assignment_group=groups[0])

    assert update(servicenow, record, assignment_group=groups[1])["reassignment_count"] == "1"


# --- Problems and changes ---


def aborted(table: str, rule: str, record: dict[str, Any]) -> str:
    return f"Operation against file '{table}' was aborted by Business Rule '{rule}^"


@pytest.mark.parametrize(
    ("table", "rule", "states", "skipped"),
    [
        ("problem", "Problem State Model: Check State Transition", ("102", "103", "104"), "104"),
        ("change_request", "Change Model: Check State Transition", ("-4", "-3", "-2", "-1", "0"), "-1"),
    ],
)
def test_problems_and_changes_go_step_by_step(
    servicenow: Vendor, table: str, rule: str, states: tuple[str, ...], skipped: str
) -> None:
    record = create(servicenow, table)

    status, told = refused(servicenow, record, state=skipped)

    assert (status, told["error"]["message"]) == (403, "Operation Failed")
    assert told["error"]["detail"].startswith(aborted(table, rule, record))
    for state in states:
        assert update(servicenow, record, state=state)["state"] == state


def test_a_problem_is_resolved_with_cause_and_fix(servicenow: Vendor) -> None:
    record = create(servicenow, "problem")
    update(servicenow, record, state="102")
    solution = {"resolution_code": "fix_applied", "cause_notes": "Leak", "fix_notes": "Patched"}

    assert refused(servicenow, record, state="106") == mandatory("Resolution code, Cause notes, Fix notes")
    again = update(servicenow, record, state="106", **solution)
    assert (again["problem_state"], again["resolved_at"]) == ("106", "2026-03-02 12:00:00")
    assert update(servicenow, record, state="107")["active"] == "false"


def test_a_duplicate_problem_is_closed_with_its_reason_alone(servicenow: Vendor) -> None:
    record = create(servicenow, "problem")

    assert refused(servicenow, record, state="107") == mandatory("Resolution code, Cause notes, Fix notes")
    assert update(servicenow, record, state="107", resolution_code="duplicate")["state"] == "107"


def test_a_standard_change_skips_its_approval(servicenow: Vendor) -> None:
    record = create(servicenow, "change_request", type="standard")

    assert update(servicenow, record, state="-2")["state"] == "-2"


def test_a_change_is_closed_with_code_and_notes(servicenow: Vendor) -> None:
    record = create(servicenow, "change_request")
    for state in ("-4", "-3", "-2", "-1", "0"):
        update(servicenow, record, state=state)

    assert refused(servicenow, record, state="3") == mandatory("Close code, Close notes")
    again = update(servicenow, record, state="3", close_code="successful", close_notes="Done")
    assert (again["active"], again["closed_at"]) == ("false", "2026-03-02 12:00:00")


# --- Policies as the instance tells them ---


def test_data_policies_can_be_read(servicenow: Vendor) -> None:
    (policy,) = found(servicenow, "sys_data_policy2", "model_table=incident^conditionsSTARTSWITHstateIN")

    rules = found(servicenow, "sys_data_policy_rule", f"sys_data_policy={policy['sys_id']}^ORDERBYfield")
    assert (policy["conditions"], [(one["field"], one["mandatory"]) for one in rules]) == (
        "stateIN6,7",
        [("close_code", "true"), ("close_notes", "true")],
    )


def test_other_policies_can_be_set(servicenow: Vendor) -> None:
    policy = {"table": "incident", "name": "Tier", "condition": "state=2", "mandatory": ["u_service_tier"]}
    servicenow.sandbox.settings(data_policies=[policy])
    record = create(servicenow)

    assert refused(servicenow, record, state="2") == mandatory("Service tier")
    assert update(servicenow, record, state="6")["state"] == "6"
