"""Registering web hooks at a vendor that runs here, over HTTP, and taking in what it then sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from integrations import hooks as reception
from integrations.connectors.protocol import RegisteredHook
from integrations.models import HookStanding, System, Ticket
from integrations.services import hook_registration as registration
from integrations.services.refusals import NotPossible
from integrations.services.systems import (
    SystemData,
    change_system,
    drop_previous_hook_secret,
    hook_secrets,
    open_connector_for,
    settings_of,
)
from tests import factories
from tests.integrations.connectors.bench import Bench, bench
from tests.integrations.connectors.test_contract import REGISTERING
from tests.integrations.sandbox.receiver import Receiver

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
State = HookStanding.State


@dataclass(frozen=True)
class Scene:
    """A system of ours, the vendor behind it, and the place where what the vendor sends arrives."""

    desk: Bench
    system: System
    receiver: Receiver

    def there(self) -> tuple[RegisteredHook, ...]:
        connector = open_connector_for(self.system)
        return connector.registered_hooks(registration.hook_address(self.system))  # type: ignore[attr-defined]

    def take_in(self) -> list[int]:
        """Hand what has arrived since to the portal's own address; what it answers."""
        reception._known.clear()
        assert self.desk.sandbox.state.hooks.wait_idle(5)
        arrived, self.receiver.arrived = self.receiver.arrived, []
        path = urlsplit(registration.hook_address(self.system)).path
        return [
            Client()
            .generic("POST", path, one.body, content_type="application/json", headers=_sent(one.headers))
            .status_code
            for one in arrived
        ]

    def change(self) -> str:
        return str(self.desk.act("create", fields={self.desk.case.title: "Printer"})["ticket"])


def _sent(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(("x-", "authorization"))}


@pytest.fixture(params=REGISTERING)
def scene(request: pytest.FixtureRequest, settings: Any) -> Iterator[Scene]:
    """Each vendor whose interface registers web hooks, on a clock that shows the present."""
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)
    with bench(str(request.param)) as desk, Receiver() as receiver:
        settings.PORTAL_BASE_URL = receiver.url.removesuffix("/hooks")
        yield Scene(desk, _system_at(desk), receiver)


def _system_at(desk: Bench) -> System:
    told = desk.sandbox.state.sign_in()
    given = {name: told[word] for name, word in desk.case.sign_in.items()}
    system = factories.make_system(kind=desk.case.kind, account_id="concord")
    secret = {one.name for one in settings_of(desk.case.kind) if one.is_secret}
    data = SystemData(
        name=system.name,
        base_url=given["base_url"],
        settings={**system.settings, **given},
        secrets={name: value for name, value in given.items() if name in secret},
    )
    return change_system(system, data)


def test_what_is_registered_is_taken_in(scene: Scene) -> None:
    assert registration.register_hooks(scene.system, now=NOW)

    remote_id = scene.change()
    assert set(scene.take_in()) == {202}
    assert Ticket.objects.get(system=scene.system).remote_id == remote_id
    standing = HookStanding.objects.get(system=scene.system)
    assert (standing.state, standing.is_expected, standing.registered_at) == (State.THERE, True, NOW)


def test_registering_again_leaves_everything_as_it_is(scene: Scene) -> None:
    registration.register_hooks(scene.system, now=NOW)
    before, secrets = scene.there(), hook_secrets(scene.system)

    assert not registration.register_hooks(scene.system, now=NOW)

    assert (scene.there(), hook_secrets(scene.system)) == (before, secrets)


def test_a_renewed_secret_lets_the_former_in_until_it_is_ended(scene: Scene) -> None:
    registration.register_hooks(scene.system, now=NOW)
    former = hook_secrets(scene.system)
    scene.change()
    assert scene.desk.sandbox.state.hooks.wait_idle(5)

    registration.register_hooks(scene.system, now=NOW, renew=True)

    [new, old] = hook_secrets(scene.system)
    assert ([old], new != old) == (former, True)
    scene.change()
    assert set(scene.take_in()) == {202}
    drop_previous_hook_secret(scene.system)
    scene.change()
    assert set(scene.take_in()) == {202}
    assert len(scene.there()) == len(open_connector_for(scene.system).hook_events())  # type: ignore[attr-defined]


def test_a_lost_answer_is_looked_up_by_the_next_try_and_one_is_left(scene: Scene) -> None:
    scene.desk.sandbox.faults(next=[{"match": "POST", "do": "answer_lost"}])
    with pytest.raises(NotPossible, match="is not known"):
        registration.register_hooks(scene.system, now=NOW)
    assert HookStanding.objects.get().problem

    registration.register_hooks(scene.system, now=NOW)

    scene.change()
    assert set(scene.take_in()) == {202}
    assert len(scene.there()) == len(open_connector_for(scene.system).hook_events())  # type: ignore[attr-defined]
    assert len(hook_secrets(scene.system)) == 1
    assert (HookStanding.objects.get().problem, HookStanding.objects.get().claimed_until) == ("", None)


def test_what_is_removed_sends_nothing_and_is_not_missed(scene: Scene) -> None:
    registration.register_hooks(scene.system, now=NOW)

    registration.remove_hooks(scene.system, now=NOW)
    registration.remove_hooks(scene.system, now=NOW)

    scene.change()
    assert (scene.take_in(), scene.there()) == ([], ())
    standing = HookStanding.objects.get(system=scene.system)
    assert (standing.state, standing.is_expected, standing.removed_at) == (State.MISSING, False, NOW)


def test_what_vanished_there_is_seen_by_looking(scene: Scene) -> None:
    registration.register_hooks(scene.system, now=NOW)
    open_connector_for(scene.system).unregister_hooks(registration.hook_address(scene.system))  # type: ignore[attr-defined]

    standing = registration.look_at_hooks(scene.system, now=NOW)

    assert (standing.state, standing.is_expected, standing.looked_at) == (State.MISSING, True, NOW)


def test_two_do_not_register_at_once(scene: Scene) -> None:
    HookStanding.objects.create(system=scene.system, claimed_until=NOW + registration.CLAIMED_FOR)

    with pytest.raises(NotPossible, match="Somebody else"):
        registration.register_hooks(scene.system, now=NOW)
    assert scene.there() == ()
    assert registration.register_hooks(scene.system, now=NOW + registration.CLAIMED_FOR)


def test_a_system_that_does_not_answer_is_told_of_and_kept(scene: Scene) -> None:
    scene.desk.sandbox.faults(down=True, down_as="500")

    with pytest.raises(NotPossible, match="did not do it"):
        registration.look_at_hooks(scene.system, now=NOW)

    standing = HookStanding.objects.get()
    assert (standing.state, standing.problem_code, standing.looked_at) == (State.UNKNOWN, "unavailable", None)


def test_where_the_vendor_offers_no_interface_the_steps_remain() -> None:
    system = factories.make_system(kind="servicenow")

    assert not registration.registers(system)
    with pytest.raises(NotPossible, match="follows the steps by hand"):
        registration.register_hooks(system, now=timezone.now())


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ([], State.MISSING),
        ([("a", True), ("b", True)], State.THERE),
        ([("a", True), ("a", False), ("b", True)], State.THERE),
        ([("a", True), ("b", False)], State.OFF),
        ([("a", True)], State.PARTLY),
    ],
)
def test_what_is_listed_amounts_to_a_state(found: list[tuple[str, bool]], state: str) -> None:
    hooks = [RegisteredHook("1", "https://x", active, event=event) for event, active in found]

    assert registration.state_there(("a", "b"), hooks) == state
