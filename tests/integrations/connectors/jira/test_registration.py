"""Jira's admin web hooks set up by our account: signed with our secret, one to an address, and taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integrations.connectors import errors
from integrations.connectors.protocol import HookRequest, RegisteredHook, RegistersHooks
from tests.integrations.connectors.bench import Bench, bench, outcome
from tests.integrations.sandbox.receiver import Receiver

URL = "https://concord.example/hooks/abc"


@pytest.fixture
def desk() -> Iterator[Bench]:
    with bench("jira") as one:
        yield one


@pytest.fixture
def hooks(desk: Bench) -> RegistersHooks:
    assert isinstance(desk.connector, RegistersHooks)
    return desk.connector


def kept(desk: Bench) -> list[Any]:
    return list(desk.sandbox.state.site.webhooks.values())  # type: ignore[attr-defined]


def test_what_is_registered_is_signed_with_our_secret_and_tells_of_our_project(
    desk: Bench, hooks: RegistersHooks
) -> None:
    with Receiver() as receiver:
        made = hooks.register_hook(receiver.url, "s3cret")
        remote_id = str(desk.act("create", fields={"summary": "Printer"})["ticket"])
        desk.act("update", remote_id, fields={"status": "Done"})
        desk.act("comment", remote_id, comment="Seen")
        assert desk.sandbox.state.hooks.wait_idle(5)
        arrived = list(receiver.arrived)
    told = [
        desk.connector.verify_hook(HookRequest(one.headers, one.body, desk.clock.now()), ["old", made.secret])
        for one in arrived
    ]
    assert [one.remote_ids for one in told] == [(remote_id,)] * 3
    assert made == RegisteredHook("1", receiver.url, True, "s3cret")
    assert kept(desk)[0].filters == {"issue-related-events-section": 'project = "INC"'}


def test_registering_again_leaves_one_web_hook_with_the_new_secret(
    desk: Bench, hooks: RegistersHooks
) -> None:
    hooks.register_hook(URL, "old")
    hooks.register_hook(URL + "/other", "theirs")
    made = hooks.register_hook(URL, "new")
    assert [(one.url, one.secret) for one in kept(desk)] == [(URL + "/other", "theirs"), (URL, "new")]
    assert hooks.registered_hooks(URL) == (RegisteredHook(made.id, URL, True),)


def test_only_the_web_hooks_to_our_address_are_taken_away(desk: Bench, hooks: RegistersHooks) -> None:
    hooks.register_hook(URL, "a")
    hooks.register_hook(URL + "/other", "b")
    hooks.unregister_hooks(URL)
    hooks.unregister_hooks(URL)
    assert [one.url for one in kept(desk)] == [URL + "/other"]


def test_a_hook_that_was_switched_off_is_told_as_such(desk: Bench, hooks: RegistersHooks) -> None:
    hooks.register_hook(URL, "a")
    kept(desk)[0].is_enabled = False
    assert [one.is_active for one in hooks.registered_hooks(URL)] == [False]


def test_an_account_that_is_no_administrator_is_told_so_and_can_do_all_else() -> None:
    with bench("jira", denied_permissions=["ADMINISTER"]) as desk:
        connector = desk.connector
        assert isinstance(connector, RegistersHooks)
        for do in (
            lambda: connector.registered_hooks(URL),
            lambda: connector.register_hook(URL, "a"),
            lambda: connector.unregister_hooks(URL),
        ):
            assert isinstance(outcome(do), errors.Forbidden)
        assert desk.ticket()


def test_a_new_hook_that_cannot_be_made_leaves_the_old_one(desk: Bench, hooks: RegistersHooks) -> None:
    hooks.register_hook(URL, "old")
    desk.sandbox.faults(next=[{"match": "POST /rest/webhooks", "do": "503"}])
    assert isinstance(outcome(lambda: hooks.register_hook(URL, "new")), errors.Unavailable)
    assert [one.secret for one in kept(desk)] == ["old"]
