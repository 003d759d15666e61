"""The sandboxes' answers have the parts that the vendors' recorded answers have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.sandbox.receiver import Receiver
from tests.integrations.sandbox.test_jira_issues import attach, create, move, text
from tests.integrations.sandbox.vendor import Vendor

# Parts of people that recordings of different years have or lack, and what this session's user was shown alone.
NOT_ALWAYS = {
    "key",
    "address",
    "name",
    "emailAddress",
    "authenticity_token",
    "expires_at",
    "lastViewed",
    "accountType",
    "generated_timestamp",
}


def shape(value: Any) -> Any:
    """Names without their values; a list is as its first element."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def missing(recorded: Any, ours: Any, path: str = "") -> list[str]:
    """What the recording has and we have not, down to where either ends."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        gaps = [f"{path}.{key}" for key in recorded if key not in ours and key not in NOT_ALWAYS]
        return gaps + [
            gap
            for key in recorded
            if key in ours
            for gap in missing(recorded[key], ours[key], f"{path}.{key}")
        ]
    if isinstance(recorded, list) and isinstance(ours, list):
        return missing(recorded[0], ours[0], path + "[]")
    return []


def load(shared_data: Path, path: str) -> Any:
    return json.loads((shared_data / "data" / "payloads" / path).read_text())


@pytest.mark.parametrize(
    ("recording", "name"),
    [
        ("post_tickets_201__062", "created"),
        ("put_tickets_200__067", "updated"),
        ("get_tickets_comments_200__008", "comments"),
        ("post_uploads_201__004", "uploaded"),
        ("get_users_me_200__105", "me"),
        ("get_incremental_tickets_cursor_200__162", "exported"),
        ("get_job_statuses_id_200__018", "job"),
        ("get_webhooks_id_signing_secret_200__152", "secret"),
    ],
)
def test_zendesk_answers_have_the_recorded_parts(
    shared_data: Path, zendesk: Vendor, recording: str, name: str
) -> None:
    recorded = load(shared_data, f"zendesk/recordings/zendesk__{recording}.json")["response"]["body"]

    assert missing(shape(recorded), shape(zendesk_answers(zendesk)[name])) == []


def zendesk_answers(zendesk: Vendor) -> dict[str, Any]:
    """One answer of each kind."""
    uploaded = zendesk("POST", "/uploads.json?filename=a.md", data=b"x").json()
    comment = {"body": "test", "uploads": [uploaded["upload"]["token"]]}
    created = zendesk.send("POST", "/tickets.json", {"ticket": {"subject": "test", "comment": comment}})
    id_ = created["ticket"]["id"]
    job = zendesk.send("POST", "/tickets/create_many", {"tickets": [{"comment": {"body": "x"}}]})[
        "job_status"
    ]["id"]
    zendesk.sandbox.hooks(url="http://127.0.0.1:9/")
    webhook = zendesk.get("/webhooks")["webhooks"][0]["id"]
    updated = zendesk.send("PUT", f"/tickets/{id_}", {"ticket": {"subject": "other"}})
    zendesk.clock.advance(61)
    return {
        "uploaded": uploaded,
        "created": created,
        "updated": updated,
        "comments": zendesk.get(f"/tickets/{id_}/comments.json", **{"page[size]": 100}),
        "me": zendesk.get("/users/me.json"),
        "exported": zendesk.get("/incremental/tickets/cursor.json", start_time=0, per_page=1),
        "job": zendesk.get(f"/job_statuses/{job}.json"),
        "secret": zendesk.get(f"/webhooks/{webhook}/signing_secret"),
    }


def test_servicenow_answers_have_the_recorded_parts(shared_data: Path, servicenow: Vendor) -> None:
    path = "servicenow/servicenow__{}.json".format
    incident = load(shared_data, path("pdi_incident_INC0000060_table_api"))
    files = load(shared_data, path("r7_get_attachment_by_table_sys_id"))
    body = {"short_description": "x", "caller_id": person(servicenow), "assigned_to": person(servicenow)}
    record = servicenow.send("POST", "/table/incident", body)["result"]
    owner = f"table_name=incident&table_sys_id={record['sys_id']}"
    text = {"Content-Type": "text/plain"}
    servicenow("POST", f"/attachment/file?{owner}&file_name=a.txt", data=b"x", headers=text)

    assert missing(shape(incident), shape(servicenow.get("/table/incident"))) == []
    assert missing(shape(files), shape(servicenow.get("/attachment"))) == []


def test_a_servicenow_change_has_the_recorded_fields_and_display_values(
    shared_data: Path, servicenow: Vendor
) -> None:
    # The recording is of the change API, which writes numbers as numbers; names and words for people are the same.
    recorded = load(shared_data, "servicenow/servicenow__r7_create_change_request.json")["result"]
    body = {"short_description": recorded["short_description"]["value"]}
    ours = servicenow.send("POST", "/table/change_request?sysparm_display_value=all", body)["result"]

    shared = sorted(set(recorded) & set(ours))
    differing = {
        name
        for name in shared
        if recorded[name]["display_value"] != ours[name]["display_value"]
        and not name.startswith("sys_")
        and name not in ("number", "task_effective_number", "opened_at", "opened_by", "requested_by")
    }
    assert len(shared) > 60
    assert differing == set()


def person(servicenow: Vendor) -> str:
    return str(servicenow.get("/table/sys_user", user_name="carl.caller")["result"][0]["sys_id"])


@pytest.mark.parametrize(
    ("recording", "path"),
    [
        ("r7_get_security_incident_invalid_sys_id", "/table/incident/" + "0" * 32),
        ("r7_search_security_incident_empty_list", "/table/incident?sysparm_query=number=INC1"),
    ],
)
def test_servicenow_says_what_is_not_there_as_recorded(
    shared_data: Path, servicenow: Vendor, recording: str, path: str
) -> None:
    recorded = load(shared_data, f"servicenow/servicenow__{recording}.json")

    assert servicenow("GET", path).json() == recorded


def test_zendesk_errors_are_the_recorded_ones(shared_data: Path, zendesk: Vendor) -> None:
    recorded = load(shared_data, "zendesk/recordings/zendesk__delete_tickets_404__061.json")["response"]

    answer = zendesk("DELETE", "/tickets/9223372036854775807.json")

    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])


def test_a_zendesk_hook_has_the_recorded_envelope(
    shared_data: Path, zendesk: Vendor, receiver: Receiver
) -> None:
    recorded = load(shared_data, "zendesk/webhooks/zendesk__real_delivery_user.deleted.json")
    zendesk.sandbox.hooks(url=receiver.url)
    zendesk.sandbox.act({"do": "create"})
    assert zendesk.sandbox.state.hooks.wait_idle()

    (hook,) = receiver.arrived

    envelope = {**json.loads(recorded["raw_body"]), "detail": None}
    assert sorted(json.loads(hook.body)) == sorted(envelope)
    assert {name.lower() for name in recorded["headers"]} - set(hook.headers) == set()


def test_a_jira_change_log_has_the_recorded_parts(shared_data: Path, jira: Vendor) -> None:
    recorded = load(shared_data, "jira/rest/jira__cloud_issue_with_changelog_CONTRIB-5.json")
    key = create(jira)
    move(jira, key, "Start")

    ours = jira.get(f"/issue/{key}", expand="changelog")

    assert missing(shape(recorded["changelog"]), shape(ours["changelog"])) == []
    assert missing(shape(recorded["fields"]["assignee"]), shape(ours["fields"]["creator"])) == []


@pytest.mark.parametrize(
    ("recording", "event"),
    [
        ("cloud-comment-created", "comment_created"),
        ("issue-updated-resolved", "jira:issue_updated"),
        ("issue-updated-attachments", "jira:issue_updated"),
    ],
)
def test_jira_hooks_have_the_recorded_parts(
    shared_data: Path, jira: Vendor, receiver: Receiver, recording: str, event: str
) -> None:
    recorded = load(shared_data, f"jira/webhooks/jira__{recording}.json")
    key = create(jira, description=text("x"), assignee={"accountId": jira.get("/myself")["accountId"]})
    jira.sandbox.hooks(url=receiver.url, secret="s")
    attach(jira, key)
    move(jira, key, "Start")
    jira.send("POST", f"/issue/{key}/comment", {"body": text("x")})
    assert jira.sandbox.state.hooks.wait_idle()

    ours = next(body for one in receiver.arrived if (body := json.loads(one.body))["webhookEvent"] == event)

    # Fields differ from site to site; those that every site has are enough.
    recorded["issue"]["fields"] = {
        name: value for name, value in recorded["issue"]["fields"].items() if name in ours["issue"]["fields"]
    }
    assert missing(shape(recorded), shape(ours)) == []
    kinds = {"summary", "status", "issuetype", "project", "priority", "assignee"}
    assert kinds <= set(recorded["issue"]["fields"])
