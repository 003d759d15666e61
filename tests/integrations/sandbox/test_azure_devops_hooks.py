"""Service hooks of the sandboxed Azure DevOps: subscriptions, what is sent, how it shows who sends, and failures."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.integrations.sandbox.azure_devops import (
    PREVIEW,
    change,
    comment,
    create,
    patched,
    refused,
    setting,
)
from tests.integrations.sandbox.receiver import Receiver
from tests.integrations.sandbox.vendor import Vendor, vendor


def subscribe(one: Vendor, url: str, event: str = "workitem.updated", **inputs: str) -> dict[str, Any]:
    """A new subscription; inputs of the publisher begin with `p_`."""
    publisher = {name[2:]: value for name, value in inputs.items() if name.startswith("p_")}
    consumer = {name: value for name, value in inputs.items() if not name.startswith("p_")}
    response = one(
        "POST",
        one.sign_in["url"] + "/_apis/hooks/subscriptions",
        {
            "publisherId": "tfs",
            "eventType": event,
            "resourceVersion": consumer.pop("version", "1.0"),
            "consumerId": "webHooks",
            "consumerActionId": "httpRequest",
            "publisherInputs": publisher,
            "consumerInputs": {"url": url, **consumer},
        },
    )
    assert response.status_code == 200, response.text
    return dict(response.json())


def hooks(one: Vendor, path: str = "", method: str = "GET", json: Any = None) -> Any:
    """A call to the service hooks service."""
    return one(method, one.sign_in["url"] + "/_apis/hooks" + path, json)


def arrived(one: Vendor, receiver: Receiver) -> list[dict[str, Any]]:
    """The bodies of all hooks, once they are delivered."""
    assert one.sandbox.state.hooks.wait_idle()
    return [json.loads(each.body) for each in receiver.arrived]


def test_each_event_is_sent_to_those_who_subscribe_to_it(azure_devops: Vendor, receiver: Receiver) -> None:
    azure_devops.sandbox.hooks(url=receiver.url)
    create(azure_devops)
    change(azure_devops, 1, System_State="Active")
    comment(azure_devops, 1, "Since <b>noon</b>")
    azure_devops.send("DELETE", "/wit/workitems/1")
    azure_devops.send("PATCH", "/wit/recyclebin/1", {"isDeleted": False})

    told = [
        (one["eventType"], one["resource"].get("workItemId"), one["resource"]["id"], one["resource"]["rev"])
        for one in arrived(azure_devops, receiver)
    ]

    # In an update `id` is the update's own; a comment raises both its own event and an update.
    assert told == [
        ("workitem.created", None, 1, 1),
        ("workitem.updated", 1, 2, 2),
        ("workitem.updated", 1, 3, 3),
        ("workitem.commented", None, 1, 3),
        ("workitem.deleted", None, 1, 4),
        ("workitem.restored", None, 1, 5),
    ]


def test_an_update_tells_what_changed_and_the_revision(azure_devops: Vendor, receiver: Receiver) -> None:
    subscription = subscribe(azure_devops, receiver.url)
    create(azure_devops, System_AssignedTo="ines@partner.example")
    change(azure_devops, 1, System_State="Active")

    (body,) = arrived(azure_devops, receiver)

    resource = body["resource"]
    assert (body["subscriptionId"], body["notificationId"], body["publisherId"], body["resourceVersion"]) == (
        subscription["id"],
        1,
        "tfs",
        "1.0",
    )
    assert resource["fields"]["System.State"] == {"oldValue": "New", "newValue": "Active"}
    assert resource["revisedDate"] == "9999-01-01T00:00:00Z"
    assert resource["revisedBy"]["name"] == "Concord <concord@sandbox.example>"
    # Version 1.0 tells people as words.
    assert resource["revision"]["fields"]["System.AssignedTo"] == "Ines Incident <ines@partner.example>"
    assert set(body["resourceContainers"]) == {"collection", "account", "project"}
    assert body["message"]["text"].startswith("Bug #1 (VPN is down) updated by Concord\r\n(http://")


def test_a_comment_is_told_in_its_history_field(azure_devops: Vendor, receiver: Receiver) -> None:
    subscribe(azure_devops, receiver.url, "workitem.commented", version="5.1-preview.3")
    create(azure_devops)
    made = comment(azure_devops, 1, "Since <b>noon</b>")

    (body,) = arrived(azure_devops, receiver)

    resource = body["resource"]
    assert (
        resource["id"],
        resource["fields"]["System.History"],
        resource["commentVersionRef"]["commentId"],
    ) == (
        1,
        "Since <b>noon</b>",
        made["id"],
    )
    assert resource["fields"]["System.ChangedBy"]["displayName"] == "Concord"


def test_basic_auth_and_headers_show_who_sends(azure_devops: Vendor, receiver: Receiver) -> None:
    subscribe(
        azure_devops,
        receiver.url,
        "workitem.created",
        basicAuthUsername="concord",
        basicAuthPassword="quiet",
        httpHeaders="X-Secret: s1\nX-Other:two",
    )
    create(azure_devops)
    arrived(azure_devops, receiver)

    headers = receiver.arrived[0].headers
    assert headers["authorization"] == "Basic " + base64.b64encode(b"concord:quiet").decode()
    assert (headers["x-secret"], headers["x-other"]) == ("s1", "two")


def test_the_operators_secret_is_sent_as_basic_auth_and_as_a_header(
    azure_devops: Vendor, receiver: Receiver
) -> None:
    azure_devops.sandbox.hooks(url=receiver.url, secret="quiet", events=["workitem.created"], header="X-Ours")
    create(azure_devops)
    arrived(azure_devops, receiver)

    headers = receiver.arrived[0].headers
    assert headers["x-ours"] == "quiet"
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"concord:quiet"
    azure_devops.sandbox.hooks(url="")
    assert hooks(azure_devops, "/subscriptions").json()["value"] == []


@pytest.mark.parametrize(
    ("inputs", "count"),
    [
        ({"p_workItemType": "Task"}, 0),
        ({"p_workItemType": "Bug"}, 2),
        ({"p_areaPath": "Support\\Network"}, 0),
        ({"p_areaPath": "\\Support"}, 2),
        ({"p_changedFields": "System.State"}, 1),
    ],
)
def test_filters_choose_among_the_events(
    azure_devops: Vendor, receiver: Receiver, inputs: dict[str, str], count: int
) -> None:
    subscribe(azure_devops, receiver.url, **inputs)
    create(azure_devops)
    change(azure_devops, 1, System_State="Active")
    change(azure_devops, 1, System_Title="VPN is slow")

    assert len(arrived(azure_devops, receiver)) == count


def test_a_comment_pattern_chooses_comments(azure_devops: Vendor, receiver: Receiver) -> None:
    subscribe(azure_devops, receiver.url, "workitem.commented", p_commentPattern="#partner")
    create(azure_devops)
    comment(azure_devops, 1, "for us")
    comment(azure_devops, 1, "for them #Partner")

    assert [one["resource"]["rev"] for one in arrived(azure_devops, receiver)] == [3]


@pytest.mark.parametrize(("details", "keys"), [("none", None), ("minimal", {"id", "url"})])
def test_a_subscription_may_ask_for_less(
    azure_devops: Vendor, receiver: Receiver, details: str, keys: set[str] | None
) -> None:
    subscribe(
        azure_devops,
        receiver.url,
        "workitem.created",
        resourceDetailsToSend=details,
        messagesToSend="text",
        detailedMessagesToSend="none",
    )
    create(azure_devops)

    (body,) = arrived(azure_devops, receiver)

    assert (body["resource"] and set(body["resource"])) == keys
    assert (set(body["message"]), body["detailedMessage"]) == ({"text"}, None)


def test_a_writer_may_want_it_quiet(azure_devops: Vendor, receiver: Receiver) -> None:
    azure_devops.sandbox.hooks(url=receiver.url)
    create(azure_devops)
    quiet = setting(System_Title="VPN is slow")
    patched(azure_devops, "PATCH", "/wit/workitems/1", *quiet, suppressNotifications="true")
    azure_devops.sandbox.act({"do": "update", "ticket": "1", "fields": {"State": "Active"}, "hooks": False})

    assert [one["eventType"] for one in arrived(azure_devops, receiver)] == ["workitem.created"]


def test_validating_and_editing_a_comment_tell_what_they_should(
    azure_devops: Vendor, receiver: Receiver
) -> None:
    create(azure_devops)
    id_ = comment(azure_devops, 1, "It is down")["id"]
    azure_devops.sandbox.hooks(url=receiver.url)
    patched(azure_devops, "PATCH", "/wit/workitems/1", *setting(System_Title="x"), validateOnly="true")
    azure_devops(
        "PATCH", f"/wit/workItems/1/comments/{id_}", {"text": "It was down"}, params={"api-version": PREVIEW}
    )

    assert [one["eventType"] for one in arrived(azure_devops, receiver)] == ["workitem.updated"]


# --- Subscriptions ---


def test_secrets_are_masked_and_survive_being_written_back(azure_devops: Vendor, receiver: Receiver) -> None:
    made = subscribe(azure_devops, receiver.url, basicAuthPassword="quiet", httpHeaders="X-Secret: s1")
    assert (made["consumerInputs"]["basicAuthPassword"], made["consumerInputs"]["httpHeaders"]) == (
        "********",
        "********",
    )

    made["eventType"] = "workitem.created"
    replaced = hooks(azure_devops, f"/subscriptions/{made['id']}", "PUT", made)
    create(azure_devops)
    arrived(azure_devops, receiver)

    assert replaced.status_code == 200
    assert receiver.arrived[0].headers["x-secret"] == "s1"


def test_a_subscription_can_be_switched_off_and_deleted(azure_devops: Vendor, receiver: Receiver) -> None:
    made = subscribe(azure_devops, receiver.url, "workitem.created")
    path = f"/subscriptions/{made['id']}"

    off = hooks(azure_devops, path, "PUT", {**made, "status": "disabledByUser"}).json()
    create(azure_devops)
    silent = arrived(azure_devops, receiver)
    deleted = hooks(azure_devops, path, "DELETE")
    missing = hooks(azure_devops, path)

    assert (off["status"], silent, deleted.status_code) == ("disabledByUser", [], 204)
    assert refused(missing)[:2] == (404, "SubscriptionNotFoundException")


def test_subscriptions_are_found_by_their_inputs(azure_devops: Vendor) -> None:
    ours = subscribe(azure_devops, "https://ours.example/hooks", "workitem.created")
    subscribe(azure_devops, "https://theirs.example/hooks")
    condition = {"inputId": "url", "operator": "equals", "inputValue": "https://OURS.example/hooks"}
    query = {"publisherId": "tfs", "consumerInputFilters": [{"conditions": [condition]}]}

    found = hooks(azure_devops, "/subscriptionsquery", "POST", query).json()["results"]
    listed = hooks(azure_devops, "/subscriptions?eventType=workitem.created").json()["value"]

    assert [one["id"] for one in found] == [one["id"] for one in listed] == [ours["id"]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"eventType": "git.push"}, "event type 'git.push' is not supported"),
        ({"publisherId": "rm"}, "publisher 'rm' does not exist"),
        ({"consumerId": "slack"}, "webHooks and httpRequest"),
        ({"consumerInputs": {"url": "somewhere"}}, "not a valid URI"),
        ({"publisherInputs": {"projectId": "other"}}, "project 'other' does not exist"),
        ({"resourceVersion": "9.0"}, "resource version '9.0' is not supported"),
    ],
)
def test_a_subscription_that_cannot_be_is_refused(
    azure_devops: Vendor, wrong: dict[str, Any], words: str
) -> None:
    body = {
        "publisherId": "tfs",
        "eventType": "workitem.created",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "consumerInputs": {"url": "https://x.example"},
        **wrong,
    }

    status, _, message = refused(hooks(azure_devops, "/subscriptions", "POST", body))

    assert (status, words in message) == (400, True)


# --- Failures ---


def state(one: Vendor, subscription: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """A subscription's status, and its deliveries with their results, oldest first."""
    assert one.sandbox.state.hooks.wait_idle()
    path = f"/subscriptions/{subscription['id']}"
    notes = hooks(one, path + "/notifications").json()["value"]
    told = [(note["status"], note["result"]) for note in reversed(notes)]
    return hooks(one, path).json()["status"], told


def test_a_410_ends_a_subscription_at_once(azure_devops: Vendor, receiver: Receiver) -> None:
    subscription = subscribe(azure_devops, receiver.url, "workitem.created")
    receiver.answer = lambda _: 410
    create(azure_devops)
    ended = state(azure_devops, subscription)
    create(azure_devops)

    assert ended == ("disabledBySystem", [("completed", "failed")])
    assert len(arrived(azure_devops, receiver)) == 1


def test_other_refusals_put_it_on_probation_until_one_is_taken(
    azure_devops: Vendor, receiver: Receiver
) -> None:
    subscription = subscribe(azure_devops, receiver.url, "workitem.created")
    receiver.answer = lambda number: 500 if number == 0 else 200
    create(azure_devops)
    on_probation = state(azure_devops, subscription)
    create(azure_devops)

    assert on_probation == ("onProbation", [("completed", "failed")])
    assert state(azure_devops, subscription) == (
        "enabled",
        [("completed", "failed"), ("completed", "succeeded")],
    )


def test_passing_trouble_is_tried_again(receiver: Receiver) -> None:
    with vendor("azure_devops", retry_delays_s=[0.0] * 8) as one:
        subscription = subscribe(one, receiver.url, "workitem.created")
        receiver.answer = lambda number: 503 if number < 8 else 200
        create(one)
        told = state(one, subscription)

    bodies = {each.body for each in receiver.arrived}
    assert (told, len(receiver.arrived), len(bodies)) == (("enabled", [("completed", "succeeded")]), 9, 1)


def test_hooks_get_lost_doubled_and_overtaken(azure_devops: Vendor, receiver: Receiver) -> None:
    azure_devops.sandbox.hooks(url=receiver.url, events=["workitem.created"])
    azure_devops.sandbox.faults(hook_doubled=1.0)
    create(azure_devops)
    azure_devops.sandbox.faults(hook_doubled=0.0, hook_lost=1.0)
    create(azure_devops)
    azure_devops.sandbox.faults(hook_lost=0.0, hook_reordered=1.0)
    create(azure_devops)
    create(azure_devops)

    assert [one["resource"]["id"] for one in arrived(azure_devops, receiver)] == [1, 1, 4, 3]


def test_a_test_notification_is_sent_with_the_subscriptions_secret(
    azure_devops: Vendor, receiver: Receiver
) -> None:
    made = subscribe(azure_devops, receiver.url, "workitem.created", basicAuthPassword="quiet")
    details = {
        name: made[name]
        for name in (
            "publisherId",
            "eventType",
            "consumerId",
            "consumerActionId",
            "publisherInputs",
            "consumerInputs",
        )
    }
    body = {"subscriptionId": made["id"], "details": details}
    too_early = hooks(azure_devops, "/testnotifications", "POST", body)
    create(azure_devops)
    arrived(azure_devops, receiver)
    receiver.arrived.clear()

    sent = hooks(azure_devops, "/testnotifications", "POST", body)

    assert (too_early.status_code, sent.status_code) == (400, 200)
    assert arrived(azure_devops, receiver)[-1]["resource"]["id"] == 1
    assert {one.headers["authorization"] for one in receiver.arrived} == {
        "Basic " + base64.b64encode(b":quiet").decode()
    }
