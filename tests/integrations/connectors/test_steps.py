"""The steps of a workflow, with what they demand, as every connector reads them from its sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from integrations.canonical import FieldKind, FieldSpec, StatusStep
from integrations.sandbox.jira.settings import first_transitions
from tests.integrations.connectors.bench import Bench, bench


def status_of(desk: Bench) -> FieldSpec:
    (found,) = [one for one in desk.connector.fields() if one.kind is FieldKind.STATUS]
    return found


def pairs(steps: Iterable[StatusStep]) -> set[tuple[str, str]]:
    return {(one.start, one.end) for one in steps}


def of_the_workflow(*left_out: str) -> set[tuple[str, str]]:
    steps: list[dict[str, Any]] = first_transitions()
    return {(start, one["to"]) for one in steps for start in one["from"] if one["name"] not in left_out}


def test_jira_tells_its_whole_workflow_to_an_account_that_may_see_it() -> None:
    with bench("jira") as desk:
        status = status_of(desk)
        assert (pairs(status.steps), status.steps_known) == (of_the_workflow(), status.values)


def test_a_change_of_jiras_workflow_shows_in_the_next_reading() -> None:
    with bench("jira") as desk:
        kept = [one for one in first_transitions() if one["name"] != "Reopen"]
        desk.sandbox.settings(transitions=kept)
        assert pairs(status_of(desk).steps) == of_the_workflow("Reopen")


def test_the_steps_that_jira_keeps_to_itself_are_learnt_from_issues() -> None:
    with bench("jira", denied_permissions=["ADMINISTER"]) as desk:
        assert status_of(desk).steps == ()
        ticket = desk.ticket()
        desk.ticket()
        desk.act("update", ticket, fields={"status": "In Progress"})
        desk.act("update", ticket, fields={"status": "In Review"})
        desk.clock.advance(desk.sandbox.settings()["search_lag_s"])
        status = status_of(desk)
        # Nothing says that In Progress leads nowhere else: no issue stands there.
        assert pairs(status.steps) == {
            ("To Do", "In Progress"),
            ("In Progress", "In Review"),
            ("In Review", "In Progress"),
            ("In Review", "Done"),
        }
        assert status.steps_known == ("To Do", "In Review")
        assert StatusStep("In Review", "Done", ("resolution",)) in status.steps


def test_servicenow_demands_what_its_policies_say_and_claims_no_step_to_be_missing() -> None:
    with bench("servicenow") as desk:
        status = status_of(desk)
        assert StatusStep("In Progress", "Resolved", ("close_code", "close_notes")) in status.steps
        assert StatusStep("In Progress", "On Hold", ("hold_reason",)) in status.steps
        assert StatusStep("New", "In Progress") in status.steps
        assert status.steps_known == ()


def test_azure_devops_tells_the_transitions_of_the_type() -> None:
    with bench("azure_devops") as desk:
        status = status_of(desk)
        assert status.steps
        assert set(status.steps_known) == set(status.values)
        assert pairs(status.steps) <= {(one, other) for one in status.values for other in status.values}


def test_zendesk_leads_back_to_new_never_and_demands_what_the_account_does() -> None:
    with bench("zendesk") as desk:
        custom = desk.sandbox.settings()["custom_fields"][0]
        desk.sandbox.settings(required_to_solve=[custom["id"]])
        status = status_of(desk)
        assert {one.end for one in status.steps} == {"open", "pending", "hold", "solved", "closed"}
        assert "closed" not in {one.start for one in status.steps}
        assert StatusStep("open", "solved", (f"custom_field_{custom['id']}",)) in status.steps
        assert status.steps_known == status.values
