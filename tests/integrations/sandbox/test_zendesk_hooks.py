"""The web hooks of the sandboxed Zendesk: which, with what inside, signed how, and when again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from integrations.sandbox.zendesk.events import signature
from tests.integrations.sandbox.receiver import Receiver
from tests.integrations.sandbox.vendor import Vendor, vendor


def arrived(zendesk: Vendor, receiver: Receiver) -> list[dict[str, Any]]:
    """The bodies that have arrived when nothing more is on its way."""
    assert zendesk.sandbox.state.hooks.wait_idle()
    bodies = [json.loads(one.body) for one in receiver.arrived]
    receiver.arrived.clear()
    return bodies


def kinds(bodies: list[dict[str, Any]]) -> list[str]:
    return [one["type"].removeprefix("zen:event-type:ticket.") for one in bodies]


def create(zendesk: Vendor) -> int:
    ticket = {"subject": "VPN is down", "priority": "high", "comment": {"body": "x"}}
    return int(zendesk.send("POST", "/tickets", {"ticket": ticket})["ticket"]["id"])


def test_a_new_ticket_is_one_event(zendesk: Vendor, receiver: Receiver) -> None:
    zendesk.sandbox.hooks(url=receiver.url, secret="s")
    id_ = create(zendesk)

    (body,) = arrived(zendesk, receiver)

    me = str(zendesk.get("/users/me")["user"]["id"])
    detail = body["detail"]
    assert (body["type"], body["subject"], body["account_id"], body["zendesk_event_version"]) == (
        "zen:event-type:ticket.created",
        f"zen:ticket:{id_}",
        22129848,
        "2022-11-06",
    )
    # Ids are text and choices are in capitals, unlike in the API.
    assert (detail["id"], detail["status"], detail["priority"], detail["actor_id"]) == (
        str(id_),
        "NEW",
        "HIGH",
        me,
    )


def test_an_update_is_an_event_for_each_aspect(zendesk: Vendor, receiver: Receiver) -> None:
    id_ = create(zendesk)
    zendesk.sandbox.hooks(url=receiver.url, secret="s")
    fields = {
        "status": "open",
        "custom_fields": [{"id": 360000000001, "value": "impact_low"}],
        "comment": {"body": "y"},
    }
    zendesk.send("PUT", f"/tickets/{id_}", {"ticket": fields})

    bodies = arrived(zendesk, receiver)

    assert kinds(bodies) == [
        "comment_added",
        "status_changed",
        "custom_status_changed",
        "tags_changed",
        "custom_field_changed",
    ]
    assert bodies[0]["event"]["comment"]["body"] == "y"
    assert (bodies[1]["event"]["previous"], bodies[1]["event"]["current"]) == ("NEW", "OPEN")
    assert [one["event"]["meta"]["sequence"]["position"] for one in bodies] == [1, 2, 3, 4, 5]
    assert len({one["event"]["meta"]["sequence"]["id"] for one in bodies}) == 1


def test_one_event_an_update_where_that_is_wanted(receiver: Receiver) -> None:
    with vendor("zendesk", events="one") as zendesk:
        id_ = create(zendesk)
        zendesk.sandbox.hooks(url=receiver.url, secret="s")
        zendesk.send("PUT", f"/tickets/{id_}", {"ticket": {"status": "open", "comment": {"body": "y"}}})

        assert kinds(arrived(zendesk, receiver)) == ["comment_added"]


def test_files_deletion_and_restoring_are_told(zendesk: Vendor, receiver: Receiver) -> None:
    id_ = create(zendesk)
    zendesk.sandbox.hooks(url=receiver.url, secret="s")
    zendesk.sandbox.act(
        {"do": "attach", "ticket": id_, "file": {"name": "a.txt", "text": "x"}},
        {"do": "delete", "ticket": id_},
        {"do": "restore", "ticket": id_},
    )

    assert kinds(arrived(zendesk, receiver)) == [
        "comment_added",
        "attachment_linked_to_comment",
        "soft_deleted",
        "undeleted",
    ]


def test_only_what_is_subscribed_is_sent(zendesk: Vendor, receiver: Receiver) -> None:
    webhook = {
        "name": "Concord",
        "endpoint": receiver.url,
        "status": "active",
        "http_method": "POST",
        "request_format": "json",
        "subscriptions": ["zen:event-type:ticket.priority_changed"],
    }
    made = zendesk.send("POST", "/webhooks", {"webhook": webhook})["webhook"]
    id_ = create(zendesk)
    zendesk.send("PUT", f"/tickets/{id_}", {"ticket": {"priority": "low", "status": "open"}})

    assert kinds(arrived(zendesk, receiver)) == ["priority_changed"]

    zendesk.send("PATCH", f"/webhooks/{made['id']}", {"webhook": {"status": "inactive"}})
    zendesk.send("PUT", f"/tickets/{id_}", {"ticket": {"priority": "high"}})
    assert arrived(zendesk, receiver) == []


def test_a_hook_is_signed_over_the_time_and_the_raw_body(zendesk: Vendor, receiver: Receiver) -> None:
    webhook = {
        "name": "Concord",
        "endpoint": receiver.url,
        "status": "active",
        "http_method": "POST",
        "request_format": "json",
        "subscriptions": ["zen:event-type:ticket.created"],
    }
    made = zendesk.send("POST", "/webhooks", {"webhook": webhook})["webhook"]
    secret = zendesk.get(f"/webhooks/{made['id']}/signing_secret")["signing_secret"]["secret"]
    create(zendesk)
    assert zendesk.sandbox.state.hooks.wait_idle()

    (hook,) = receiver.arrived

    stamp = hook.headers["x-zendesk-webhook-signature-timestamp"]
    digest = hmac.new(secret.encode(), stamp.encode() + hook.body, hashlib.sha256).digest()
    assert hook.headers["x-zendesk-webhook-signature"] == base64.b64encode(digest).decode()
    assert hook.headers["x-zendesk-webhook-id"] == made["id"]
    assert hook.headers["x-zendesk-account-id"] == "22129848"
    assert hook.headers["x-zendesk-webhook-invocation-id"]


def test_a_secret_can_be_made_anew(zendesk: Vendor) -> None:
    zendesk.sandbox.hooks(url="http://127.0.0.1:9/", secret="known")
    (webhook,) = zendesk.get("/webhooks")["webhooks"]
    path = f"/webhooks/{webhook['id']}/signing_secret"

    told = [
        zendesk.get(path)["signing_secret"]["secret"],
        zendesk.send("POST", path)["signing_secret"]["secret"],
    ]

    assert told[0] == "known"
    assert told[1] not in ("", "known")
    assert zendesk.get(path)["signing_secret"] == {"secret": told[1], "algorithm": "SHA256"}


def test_the_vendors_sample_is_signed_in_the_documented_order() -> None:
    # https://developer.zendesk.com/documentation/webhooks/verifying/ ; the timestamp comes before the body.
    secret = "HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA="

    assert (
        signature(secret, "2021-07-25T10:00:00Z", b'{"say": "hello"}')
        == "Rry/4TtIdFyawtXXp8QdI6tlAUUQ/5kL1OTp5qo/ZIk="
    )


@pytest.mark.parametrize(
    ("status", "headers", "attempts"),
    [
        (409, {}, 4),
        (503, {"Retry-After": "1"}, 4),
        (429, {"Retry-After": "60"}, 1),
        (503, {}, 1),
        (500, {}, 1),
        (404, {}, 1),
    ],
)
def test_few_answers_are_tried_again(
    receiver: Receiver, status: int, headers: dict[str, str], attempts: int
) -> None:
    receiver.answer = lambda _: status
    receiver.answer_headers = headers
    with vendor("zendesk", retry_delays_s=[0.0] * 5) as zendesk:
        zendesk.sandbox.hooks(url=receiver.url, secret="s")
        create(zendesk)
        assert zendesk.sandbox.state.hooks.wait_idle()

        assert len(receiver.arrived) == attempts
        # The same invocation every time: that is how a receiver knows it has seen it.
        assert len({one.headers["x-zendesk-webhook-invocation-id"] for one in receiver.arrived}) == 1


def test_acts_can_be_silent(zendesk: Vendor, receiver: Receiver) -> None:
    zendesk.sandbox.hooks(url=receiver.url, secret="s")

    zendesk.sandbox.act({"do": "create", "hooks": False})

    assert arrived(zendesk, receiver) == []
