"""Zendesk's web hooks set up by our account: made once, signed with Zendesk's secret, and taken away again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.connectors import errors
from integrations.connectors.protocol import HookRequest, RegisteredHook, RegistersHooks
from integrations.connectors.zendesk import registration
from integrations.sandbox.zendesk.events import KINDS, PREFIX
from tests.integrations.connectors.bench import Bench, bench, outcome
from tests.integrations.connectors.raw_server import answer
from tests.integrations.connectors.zendesk.test_connector import answering
from tests.integrations.sandbox.receiver import Receiver

URL = "https://concord.example/hooks/abc"


@pytest.fixture
def desk() -> Iterator[Bench]:
    with bench("zendesk") as one:
        yield one


@pytest.fixture
def hooks(desk: Bench) -> RegistersHooks:
    assert isinstance(desk.connector, RegistersHooks)
    return desk.connector


def kept(desk: Bench) -> list[Any]:
    return list(desk.sandbox.state.desk.webhooks.values())  # type: ignore[attr-defined]


def test_what_is_registered_is_signed_with_the_secret_that_is_answered(
    desk: Bench, hooks: RegistersHooks
) -> None:
    with Receiver() as receiver:
        made = hooks.register_hook(receiver.url, "ours is not taken")
        remote_id = str(desk.act("create", fields={"subject": "Printer"})["ticket"])
        assert desk.sandbox.state.hooks.wait_idle(5)
        [arrived] = receiver.arrived
    hook = desk.connector.verify_hook(
        HookRequest(arrived.headers, arrived.body, desk.clock.now()), [made.secret]
    )
    assert hook.remote_ids == (remote_id,)
    assert (made.url, made.is_active) == (receiver.url, True)


def test_registering_again_keeps_the_web_hook_and_its_secret(desk: Bench, hooks: RegistersHooks) -> None:
    first = hooks.register_hook(URL, "")
    kept(desk)[0].subscriptions = ["zen:event-type:ticket.created"]
    assert hooks.register_hook(URL, "") == first
    [only] = kept(desk)
    assert (only.id, only.secret, only.subscriptions) == (
        first.id,
        first.secret,
        list(registration.EVENTS),
    )


def test_of_several_to_our_address_one_is_left_and_what_is_dead_is_replaced(
    desk: Bench, hooks: RegistersHooks
) -> None:
    desk.sandbox.hooks(url=URL, secret="a")
    registration._create(desk.connector._http, URL)  # type: ignore[attr-defined]
    other = registration._create(desk.connector._http, URL + "/other")  # type: ignore[attr-defined]
    kept(desk)[0].status = "inactive"
    made = hooks.register_hook(URL, "")
    assert {one.id for one in kept(desk)} == {made.id, other.id}
    assert hooks.registered_hooks(URL) == (RegisteredHook(made.id, URL, True),)


def test_only_the_web_hooks_to_our_address_are_taken_away(desk: Bench, hooks: RegistersHooks) -> None:
    other = hooks.register_hook(URL + "/other", "")
    hooks.register_hook(URL, "")
    hooks.unregister_hooks(URL)
    hooks.unregister_hooks(URL)
    assert [one.id for one in kept(desk)] == [other.id]
    assert hooks.registered_hooks(URL) == ()


def test_one_that_a_trigger_of_the_partner_uses_is_theirs(desk: Bench, hooks: RegistersHooks) -> None:
    made = hooks.register_hook(URL, "")
    kept(desk)[0].subscriptions = ["conditional_ticket_events"]
    assert hooks.registered_hooks(URL) == ()
    hooks.unregister_hooks(URL)
    assert [one.id for one in kept(desk)] == [made.id]


def test_the_list_is_read_to_its_end(
    desk: Bench, hooks: RegistersHooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        hooks.register_hook(f"{URL}/{number}", "")
    monkeypatch.setattr("integrations.sandbox.zendesk.api_webhooks.MAX_PAGE", 2)
    assert [bool(hooks.registered_hooks(f"{URL}/{number}")) for number in range(6)] == [True] * 5 + [False]


def test_a_hook_that_stopped_is_told_as_such(desk: Bench, hooks: RegistersHooks) -> None:
    hooks.register_hook(URL, "")
    kept(desk)[0].status = "inactive"
    assert [one.is_active for one in hooks.registered_hooks(URL)] == [False]


def test_every_event_of_the_sandbox_about_what_we_exchange_is_listened_to() -> None:
    """What moves nothing that we exchange is left out: groups, organisations, due times, linked problems."""
    left_out = {"external_id", "organization_id", "group_id", "custom_status_id", "due_at", "problem_id"}
    wanted = {PREFIX + kind for name, kind in KINDS.items() if name not in left_out}
    assert wanted <= set(registration.EVENTS)


def test_a_secret_never_shows_in_what_is_printed() -> None:
    assert "s3cret" not in repr(RegisteredHook("1", URL, True, "s3cret"))


HOOK = {"id": "01AB", "endpoint": URL, "status": "active", "subscriptions": ["zen:event-type:ticket.created"]}


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"GET /api/v2/webhooks": {"webhooks": None}}, errors.Garbled),
        (
            {"GET /api/v2/webhooks": {"webhooks": [], "meta": None}, "POST /api/v2/webhooks": {}},
            errors.Garbled,
        ),
        (
            {
                "GET /api/v2/webhooks": {"webhooks": []},
                "POST /api/v2/webhooks": {"webhook": {**HOOK, "id": "../x"}},
            },
            errors.Garbled,
        ),
        (
            {
                "GET /api/v2/webhooks/01AB/signing_secret": {"signing_secret": {"secret": ""}},
                "GET /api/v2/webhooks": {"webhooks": [HOOK, None, {"endpoint": URL}]},
                "PATCH /api/v2/webhooks/01AB": {},
            },
            errors.Garbled,
        ),
    ],
)
def test_an_answer_that_makes_no_sense_is_garbled(answers: dict, kind: type) -> None:
    with answering(answers) as (connector, _):
        assert isinstance(connector, RegistersHooks)
        assert isinstance(outcome(lambda: connector.register_hook(URL, "")), kind)


def test_an_account_that_may_not_is_told_so() -> None:
    def respond(request: bytes) -> bytes:
        return answer(b'{"errors": [{"code": "Forbidden"}]}', "403 Forbidden")

    with answering(respond) as (connector, _):
        assert isinstance(connector, RegistersHooks)
        assert isinstance(outcome(lambda: connector.registered_hooks(URL)), errors.Forbidden)


def test_recorded_lists_and_secrets_are_read(shared_data: Path) -> None:
    folder = shared_data / "data/payloads/zendesk/recordings"

    def body(name: str) -> Any:
        [file] = folder.glob(f"zendesk__{name}.json")
        return json.loads(file.read_text())["response"]["body"]

    listed = body("get_webhooks_200__141")
    secret = body("get_webhooks_id_signing_secret_200__152")
    events = [one for one in listed["webhooks"] if one["subscriptions"] != ["conditional_ticket_events"]]
    oldest = {one["endpoint"]: one for one in sorted(events, key=lambda one: str(one["id"]), reverse=True)}
    assert oldest
    for one in oldest.values():
        answers = {
            f"GET /api/v2/webhooks/{one['id']}/signing_secret": secret,
            "GET /api/v2/webhooks": listed,
            f"PATCH /api/v2/webhooks/{one['id']}": {},
        }
        with answering(answers) as (connector, _):
            assert isinstance(connector, RegistersHooks)
            made = connector.register_hook(one["endpoint"], "")
        assert made == RegisteredHook(one["id"], one["endpoint"], True, secret["signing_secret"]["secret"])
