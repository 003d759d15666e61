"""The web hooks of the sandboxed Jira: which, with what inside, signed how, and when again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integrations.sandbox.jira.events import signature
from tests.integrations.sandbox.receiver import Receiver
from tests.integrations.sandbox.test_jira_issues import attach, create, move, text
from tests.integrations.sandbox.vendor import Vendor, vendor


def arrived(jira: Vendor, receiver: Receiver) -> list[dict[str, Any]]:
    """The bodies that have arrived when nothing more is on its way."""
    assert jira.sandbox.state.hooks.wait_idle()
    bodies = [json.loads(one.body) for one in receiver.arrived]
    receiver.arrived.clear()
    return bodies


def test_a_new_issue_is_told_with_all_its_fields(jira: Vendor, receiver: Receiver) -> None:
    jira.sandbox.hooks(url=receiver.url, secret="s")
    create(jira, description=text("Since noon"))

    (body,) = arrived(jira, receiver)

    fields = body["issue"]["fields"]
    assert (body["webhookEvent"], body["issue_event_type_name"], body["timestamp"]) == (
        "jira:issue_created",
        "issue_created",
        1772452800000,
    )
    # Hooks speak version 2: text is text, and nobody's address is told.
    assert (fields["summary"], fields["description"], fields["status"]["name"]) == (
        "VPN is down",
        "Since noon",
        "To Do",
    )
    assert (body["user"]["displayName"], "sandbox.example" in json.dumps(body)) == ("Concord", False)


def test_a_change_is_told_with_its_entry_of_the_change_log(jira: Vendor, receiver: Receiver) -> None:
    key = create(jira)
    jira.sandbox.hooks(url=receiver.url, secret="s")
    jira.send("PUT", f"/issue/{key}", {"fields": {"summary": "VPN is slow"}})
    move(jira, key, "Start")

    edited, moved = arrived(jira, receiver)

    log = jira.get(f"/issue/{key}/changelog")["values"]
    assert [one["changelog"] for one in (edited, moved)] == [
        {"id": one["id"], "items": one["items"]} for one in log
    ]
    assert (edited["issue_event_type_name"], moved["issue_event_type_name"]) == (
        "issue_updated",
        "issue_generic",
    )


def test_comments_are_told_with_a_short_issue(jira: Vendor, receiver: Receiver) -> None:
    key = create(jira)
    jira.sandbox.hooks(url=receiver.url, secret="s")
    id_ = jira.send("POST", f"/issue/{key}/comment", {"body": text("One")})["id"]
    jira.send("PUT", f"/issue/{key}/comment/{id_}", {"body": text("Two")})
    jira.send("DELETE", f"/issue/{key}/comment/{id_}")

    bodies = arrived(jira, receiver)

    assert [(one["webhookEvent"], one["comment"]["id"], one["comment"]["body"]) for one in bodies] == [
        ("comment_created", id_, "One"),
        ("comment_updated", id_, "Two"),
        ("comment_deleted", id_, "Two"),
    ]
    assert [(one["issue"]["key"], "description" in one["issue"]["fields"]) for one in bodies] == [
        (key, False)
    ] * 3


def test_files_are_told_in_the_change_and_by_themselves_when_wanted(jira: Vendor, receiver: Receiver) -> None:
    key = create(jira)
    jira.sandbox.hooks(url=receiver.url, secret="s", events=["jira:issue_updated", "attachment_created"])
    attach(jira, key)

    assert [one["webhookEvent"] for one in arrived(jira, receiver)] == [
        "attachment_created",
        "jira:issue_updated",
    ]


def test_a_deletion_is_told(jira: Vendor, receiver: Receiver) -> None:
    key = create(jira)
    jira.sandbox.hooks(url=receiver.url, secret="s")
    jira.send("DELETE", f"/issue/{key}")

    assert [(one["webhookEvent"], one["issue"]["key"]) for one in arrived(jira, receiver)] == [
        ("jira:issue_deleted", key)
    ]


def test_a_hook_is_signed_over_the_raw_body(jira: Vendor, receiver: Receiver) -> None:
    jira.sandbox.hooks(url=receiver.url, secret="quiet")
    create(jira)
    assert jira.sandbox.state.hooks.wait_idle()

    (hook,) = receiver.arrived

    assert hook.headers["x-hub-signature"] == signature("quiet", hook.body)
    assert hook.headers["x-atlassian-webhook-identifier"]
    assert "x-atlassian-webhook-retry" not in hook.headers


def test_the_vendors_sample_signature_is_reproduced() -> None:
    # https://developer.atlassian.com/cloud/jira/platform/webhooks/
    expected = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"

    assert signature("It's a Secret to Everybody", b"Hello World!") == expected


def test_without_a_secret_nothing_is_signed(jira: Vendor, receiver: Receiver) -> None:
    jira.sandbox.hooks(url=receiver.url)
    create(jira)
    assert jira.sandbox.state.hooks.wait_idle()

    assert "x-hub-signature" not in receiver.arrived[0].headers


@pytest.mark.parametrize(
    ("status", "attempts"), [(500, 6), (429, 6), (408, 6), (None, 6), (400, 1), (404, 1), (202, 1)]
)
def test_what_may_pass_is_tried_again_under_the_same_identifier(
    receiver: Receiver, status: int | None, attempts: int
) -> None:
    receiver.answer = lambda _: status
    with vendor("jira", retry_delays_s=[0.0] * 5) as jira:
        jira.sandbox.hooks(url=receiver.url, secret="s")
        create(jira)
        assert jira.sandbox.state.hooks.wait_idle()

        headers = [one.headers for one in receiver.arrived]
        # A connection cut on reuse is tried once more without counting, as nothing says that the receiver saw it.
        assert len({one["x-atlassian-webhook-identifier"] for one in headers}) == 1
        assert [one.get("x-atlassian-webhook-retry") for one in headers] == [None, *"12345"][:attempts]


def test_an_administrator_sets_the_hook_over_the_api(jira: Vendor, receiver: Receiver) -> None:
    path = jira.sandbox.url + "/rest/webhooks/1.0/webhook"
    wanted = {"name": "Concord", "url": receiver.url, "secret": "s", "events": ["jira:issue_created"]}

    made = jira.send("POST", path, wanted)
    create(jira)

    assert ("secret" in made, jira("GET", path).json()[0]["url"]) == (False, receiver.url)
    assert len(arrived(jira, receiver)) == 1
    jira.send("DELETE", f"{path}/1")
    create(jira)
    assert arrived(jira, receiver) == []


# --- Registered through the API ---


def register(jira: Vendor, **more: Any) -> dict[str, Any]:
    body = {
        "name": "Concord",
        "url": "https://concord.example/hooks/1",
        "events": ["jira:issue_created"],
        **more,
    }
    return jira.send("POST", f"{jira.sandbox.url}/rest/webhooks/1.0/webhook", body)


def test_web_hooks_are_created_listed_and_deleted_and_tell_no_secret(
    jira: Vendor, receiver: Receiver
) -> None:
    address = f"{jira.sandbox.url}/rest/webhooks/1.0/webhook"
    filters = {"issue-related-events-section": "project = INC"}
    made = [register(jira, url=receiver.url, secret="one", filters=filters), register(jira, name="Other")]

    assert [one["self"] for one in made] == [f"{address}/1", f"{address}/2"]
    assert jira.get(address) == made
    assert jira.get(f"{address}/1") == made[0]
    assert (made[0]["enabled"], made[0]["filters"], "secret" in made[0]) == (True, filters, False)
    assert jira("DELETE", f"{address}/2").status_code == 204
    assert jira.get(address) == made[:1]
    assert jira("DELETE", f"{address}/2").status_code == 404


def test_every_web_hook_is_told_under_its_own_secret(jira: Vendor, receiver: Receiver) -> None:
    register(jira, url=receiver.url, secret="one")
    register(jira, url=receiver.url, secret="two")
    register(jira, url=receiver.url, secret="deaf", events=["jira:issue_deleted"])
    create(jira)
    assert jira.sandbox.state.hooks.wait_idle()

    told = [(one.headers["x-hub-signature"], one.body) for one in receiver.arrived]

    assert len({body for _, body in told}) == 1
    assert sorted(told) == sorted((signature(secret, told[0][1]), told[0][1]) for secret in ("one", "two"))


@pytest.mark.parametrize("wrong", [{"name": ""}, {"url": "concord.example"}, {"events": ["jira:made_up"]}])
def test_a_web_hook_that_makes_no_sense_is_refused(jira: Vendor, wrong: dict[str, Any]) -> None:
    body = {"name": "Concord", "url": "https://concord.example/", "events": [], **wrong}

    answer = jira("POST", f"{jira.sandbox.url}/rest/webhooks/1.0/webhook", body)

    assert answer.status_code == 400


def test_only_administrators_see_web_hooks(jira: Vendor) -> None:
    jira.sandbox.settings(denied_permissions=["ADMINISTER"])

    assert jira("GET", f"{jira.sandbox.url}/rest/webhooks/1.0/webhook").status_code == 403
