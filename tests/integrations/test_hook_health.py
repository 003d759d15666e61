"""Web hooks that are alive, and those that fell silent while changes went on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import HookReceipt, System, SystemSecret, Ticket
from integrations.services.hook_health import hook_health
from integrations.services.systems import make_hook_secret
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db


@pytest.fixture
def matter() -> Matter:
    """Mercuri's Zendesk with a secret since yesterday, last heard of an hour ago."""
    left, right = scenes.mercuri_and_infinity()
    made = scenes.matter(left, right, right_fields={})
    make_hook_secret(left.system)
    SystemSecret.objects.update(changed_at=NOW - timedelta(days=1))
    System.objects.filter(pk=left.system_id).update(hooked_at=NOW - timedelta(hours=1))
    HookReceipt.objects.create(system=left.system, delivery_id="1", received_at=NOW - timedelta(hours=20))
    return made


def changed(matter: Matter, *, minute: int, actor: str = "Ann Lee", **values: object) -> None:
    event = scenes.seen(matter.left_ticket, minute=minute, actor=actor, **values)
    Ticket.objects.filter(pk=matter.left_ticket.pk).update(changed_at=event.happened_at)


def health(matter: Matter):  # type: ignore[no-untyped-def]
    return hook_health(System.objects.get(pk=matter.left.system_id), now=NOW)


def test_hooks_are_alive_while_nothing_was_missed(matter: Matter) -> None:
    changed(matter, minute=-61)

    found = health(matter)

    assert (found.is_set_up, found.is_silent, found.missed) == (True, False, 0)
    assert found.alive_since == NOW - timedelta(hours=20)


def test_changes_that_no_hook_told_of_for_long_are_a_warning(matter: Matter) -> None:
    changed(matter, minute=-30)
    changed(matter, minute=-20)

    found = health(matter)

    assert (found.is_silent, found.missed) == (True, 2)
    assert found.missed_since == NOW - timedelta(minutes=30) + timedelta(seconds=1)


def test_a_change_of_just_now_is_no_warning_yet(matter: Matter) -> None:
    changed(matter, minute=-5)

    assert (health(matter).is_silent, health(matter).missed) == (False, 1)


def test_what_we_wrote_ourselves_is_nothing_to_be_told_of(matter: Matter) -> None:
    System.objects.filter(pk=matter.left.system_id).update(account_id="concord")
    changed(matter, minute=-30, actor="Concord")

    assert health(matter).missed == 0


def test_where_nothing_was_set_up_nothing_is_missed(matter: Matter) -> None:
    SystemSecret.objects.all().delete()
    System.objects.filter(pk=matter.left.system_id).update(hooked_at=None)
    changed(matter, minute=-30)

    found = health(matter)

    assert (found.is_set_up, found.is_silent, found.missed) == (False, False, 0)


def test_the_system_page_warns(matter: Matter, client: Client) -> None:
    changed(matter, minute=-30)
    client.force_login(factories.make_user("ada", role=Role.ADMINISTRATOR))

    for name in ("system_detail", "system_hooks"):
        page = client.get(reverse(name, args=[matter.left.system_id])).content.decode()
        assert "Its web hooks are silent." in page
        assert "1 change that no web hook told of" in page
