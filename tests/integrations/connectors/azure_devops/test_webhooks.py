"""Service hooks that are proven by a secret that comes along."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.connectors.azure_devops import webhooks
from integrations.connectors.errors import HookRefused
from integrations.connectors.protocol import HookRequest

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRETS = ("old", "pässwörd: with a colon", "")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def request(value: Any = None, **headers: str) -> HookRequest:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = value if isinstance(value, bytes) else json.dumps(value if value is not None else event()).encode()
    return HookRequest(named, body, NOW)


def event(kind: str = "workitem.updated", **resource: Any) -> dict[str, Any]:
    held = {"id": 2, "workItemId": 13, "rev": 2, "revisedBy": {"id": "A1", "displayName": "Ann"}, **resource}
    return {"id": "e-1", "notificationId": 7, "subscriptionId": "s-1", "eventType": kind, "resource": held}


@pytest.mark.parametrize(
    "headers",
    [
        {"x_concord_secret": "old"},
        {"authorization": basic("concord", "old")},
        {"authorization": basic("", "pässwörd: with a colon")},
        {"authorization": basic("anybody", "old").replace("Basic", "basic")},
        {"x_concord_secret": "wrong", "authorization": basic("x", "old")},
    ],
)
def test_any_secret_in_either_place_proves_a_hook(headers: dict[str, str]) -> None:
    hook = webhooks.verify(request(**headers), SECRETS)
    assert (hook.delivery_id, hook.remote_ids, hook.actor_id) == ("e-1", ("13",), "a1")


@pytest.mark.parametrize(
    ("created", "happened_at"),
    [
        ("2026-03-01T11:59:58.1231251Z", datetime(2026, 3, 1, 11, 59, 58, 123_125, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        (None, None),
    ],
)
def test_a_hook_tells_when_it_was_noticed_there(created: str | None, happened_at: datetime | None) -> None:
    hook = webhooks.verify(request({**event(), "createdDate": created}, x_concord_secret="old"), SECRETS)
    assert hook.happened_at == happened_at


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_concord_secret": ""},
        {"x_concord_secret": "old "},
        {"x_concord_secret": "ol"},
        {"x_other_secret": "old"},
        {"authorization": "Bearer old"},
        {"authorization": "Basic old"},
        {"authorization": "Basic " + base64.b64encode(b"old").decode()},
        {"authorization": basic("old", "")},
        {"authorization": "Basic é"},
        {"authorization": "Basic \ud800"},
        {"authorization": basic("concord", "")},
    ],
)
def test_without_the_very_secret_a_hook_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(HookRefused):
        webhooks.verify(request(**headers), SECRETS)


@pytest.mark.parametrize("secrets", [(), ("",), ("other",)])
def test_an_empty_secret_proves_nothing(secrets: tuple[str, ...]) -> None:
    for headers in ({"x_concord_secret": ""}, {"authorization": basic("", "")}, {"x_concord_secret": "old"}):
        with pytest.raises(HookRefused):
            webhooks.verify(request(**headers), secrets)


@pytest.mark.parametrize(
    ("value", "remote_ids"),
    [
        (event(), ("13",)),
        # What the settings page sends as a test.
        (event(workItemId=0, revision={"id": 5}), ("5",)),
        (event(workItemId=None, url="https://x/_apis/wit/workItems/44/updates/2"), ("44",)),
        (event(workItemId=0), ()),
        ({"id": "e", "eventType": "workitem.created", "resource": {"id": 9}}, ("9",)),
        (
            {
                "id": "e",
                "eventType": "workitem.deleted",
                "resource": {"url": "https://x/_apis/wit/recyclebin/8"},
            },
            ("8",),
        ),
        ({"id": "e", "eventType": "workitem.updated", "resource": {"id": 2, "rev": 2}}, ()),
        ({"id": "e", "eventType": "workitem.commented", "resource": None}, ()),
        ({"id": "e", "eventType": "build.complete", "resource": {"id": 9}}, ()),
        ({"id": "e", "eventType": 5, "resource": {"id": 9}}, ()),
    ],
)
def test_a_hook_names_the_work_item_and_never_the_number_of_an_update(
    value: dict, remote_ids: tuple[str, ...]
) -> None:
    assert webhooks.verify(request(value, x_concord_secret="old"), SECRETS).remote_ids == remote_ids


def test_a_hook_that_is_sent_again_is_known_by_its_id() -> None:
    def id_of(value: dict) -> str:
        return webhooks.verify(request(value, x_concord_secret="old"), SECRETS).delivery_id

    assert id_of(event()) == id_of(event()) == "e-1"
    assert id_of({**event(), "id": None}) == "s-1:7"
    bare = {"eventType": "workitem.updated"}
    assert id_of(bare) == id_of(bare) != id_of({**bare, "x": 1})
    assert len(id_of({**event(), "id": "x" * 5000})) <= 200


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"5", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(HookRefused):
        webhooks.verify(request(body, x_concord_secret="old"), SECRETS)


def test_a_body_with_a_byte_order_mark_is_read_and_one_that_is_too_large_is_not() -> None:
    body = b"\xef\xbb\xbf" + json.dumps(event()).encode()
    assert webhooks.verify(request(body, x_concord_secret="old"), SECRETS).remote_ids == ("13",)
    with pytest.raises(HookRefused):
        webhooks.verify(request(b" " * (1024 * 1024 + 1), x_concord_secret="old"), SECRETS)


def test_the_steps_name_project_address_and_both_places_for_the_secret() -> None:
    words = " ".join(webhooks.steps("https://concord.example/h", "Net Ops"))
    for part in (
        "https://concord.example/h",
        "“Net Ops”",
        "Basic authentication",
        webhooks.HEADER,
        "Work item restored",
    ):
        assert part in words
