"""The reference scenario: what a demo begins with, and what it leaves alone when it begins again."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory
from django.utils import timezone

from integrations.models import Connection, Delivery, HookReceipt, LinkedTicket, Partner, System, Ticket
from integrations.services.connections import pause_connection, pause_side
from integrations.services.systems import pause_system
from knowledgebase.models import Article
from portal import access
from portal.demo import seed
from portal.models import AuditEntry, Membership, User
from slas.models import Agreement, Clock

pytestmark = pytest.mark.django_db

PASSWORD = "concord-00000000"
SIGN_IN = {
    "zendesk": {"url": "http://127.0.0.1:8101", "email": "concord@sandbox.example", "token": "one"},
    "jira": {
        "url": "http://127.0.0.1:8102",
        "email": "concord@sandbox.example",
        "token": "two",
        "project": "INC",
    },
}


@pytest.fixture(autouse=True)
def like_a_demo(settings: Any) -> None:
    """The demo's settings let systems on this machine be called."""
    settings.SYNC_PRIVATE_HOSTS = ["127.0.0.1"]


def seed_all(**addresses: str) -> Connection:
    """Everything, with systems that count as tested without having been called."""
    seed.seed_companies(PASSWORD)
    systems = []
    for company, kind, name in ((seed.MERCURI, "zendesk", seed.ZENDESK), (seed.INFINITY, "jira", seed.JIRA)):
        sign_in = SIGN_IN[kind] | ({"url": addresses[kind]} if kind in addresses else {})
        system = seed.seed_system(company, kind, name, sign_in)
        system.account_id = "concord"
        system.save(update_fields=["account_id"])
        systems.append(system)
    return seed.seed_connection(*systems)


def counts() -> dict[str, int]:
    models: tuple[Any, ...] = (Partner, User, Membership, System, Connection, Agreement, Article, AuditEntry)
    return {model.__name__: model.objects.count() for model in models}


def test_the_three_companies_have_their_layers() -> None:
    seed.seed_companies(PASSWORD)

    layers = {one.name: {layer.value for layer in one.layers} for one in Partner.objects.all()}
    assert layers == {
        "Infinity Solutions": {"customer", "integrator"},
        "Mercuri Inc": {"customer"},
        "Global Pvt Ltd": {"provider"},
    }


def test_there_is_somebody_for_every_role_and_everybody_can_sign_in() -> None:
    seed.seed_companies(PASSWORD)

    assert {person.role for person in seed.PEOPLE} == set(Membership.Role)
    for person in seed.PEOPLE:
        request = RequestFactory().post("/")
        assert authenticate(request, username=person.username, password=PASSWORD) is not None


def test_an_agent_of_mercuri_sees_mercuri_alone() -> None:
    seed.seed_companies(PASSWORD)

    mara = User.objects.get(username="mara")
    assert [one.name for one in Partner.objects.visible_to(mara)] == ["Mercuri Inc"]
    assert not access.may(mara, "read", "queue")


def test_the_connection_runs_by_the_rules_that_ship_and_is_begun_by_zendesk() -> None:
    connection = seed_all()

    connection.refresh_from_db()
    assert connection.state == Connection.State.ACTIVE
    assert [(side.system.name, side.starts) for side in connection.sides.all()] == [
        ("Mercuri Zendesk", True),
        ("Infinity Jira", False),
    ]
    assert all(one.rules.exists() for side in connection.sides.all() for one in side.mapping_sets.all())


def test_infinity_owes_mercuri_answers_by_the_reference_agreement() -> None:
    connection = seed_all()

    agreement = Agreement.objects.get()
    assert (agreement.customer.name, agreement.provider.name) == ("Mercuri Inc", "Infinity Solutions")
    assert list(agreement.connections.all()) == [connection]
    assert agreement.targets.count() == 8


def test_seeding_again_adds_nothing() -> None:
    seed_all()
    before = counts()

    seed_all()

    assert counts() == before


def test_what_people_changed_is_kept() -> None:
    seed_all()
    User.objects.filter(username="mara").update(theme=User.Theme.DARK)
    Partner.objects.filter(name="Mercuri Inc").update(name="Mercuri Limited", note="Moved to Riga.")

    seed_all()

    assert User.objects.get(username="mara").theme == User.Theme.DARK
    assert Partner.objects.get(slug="mercuri-inc").note == "Moved to Riga."
    assert Partner.objects.count() == 3


def test_a_sandbox_that_moved_is_found_at_its_new_address() -> None:
    seed_all()

    seed_all(jira="http://127.0.0.1:8202")

    assert System.objects.get(kind="jira").base_url == "http://127.0.0.1:8202"


def test_what_was_paused_runs_again() -> None:
    connection = seed_all()
    pause_connection(connection)
    for side in connection.sides.all():
        pause_system(side.system)
        pause_side(side, "Closed for lunch.")

    seed_all()

    connection.refresh_from_db()
    assert connection.state == Connection.State.ACTIVE
    assert {side.is_paused for side in connection.sides.all()} == {False}
    assert {one.state for one in System.objects.all()} == {System.State.ACTIVE}


def test_tickets_begin_anew_with_the_sandboxes() -> None:
    connection = seed_all()
    now = timezone.now()
    left, right = connection.sides.all()
    ticket = Ticket.objects.create(system=left.system, remote_id="1", read_due_at=now)
    linked = LinkedTicket.objects.create(connection=connection, origin=left, updated_at=now)
    linked.sides.create(side=left, ticket=ticket)
    lane = linked.lanes.create(target=right, connection=connection, system=right.system, next_at=now)
    event = ticket.events.create(change_id="1", position=1, kind="created", happened_at=now, seen_at=now)
    values = {"event": event, "operation": "create", "marker": "m", "origin": "o", "stamp": [1, 1]}
    Delivery.objects.create(lane=lane, number=1, target=ticket, queued_at=now, **values)
    HookReceipt.objects.create(system=left.system, delivery_id="1", received_at=now)
    System.objects.update(poll_cursor="far ahead", poll_due_at=now)

    seed.forget_tickets()

    for model in (Ticket, LinkedTicket, Delivery, HookReceipt, Clock):
        assert not model._default_manager.exists()
    assert set(System.objects.values_list("poll_cursor", "poll_due_at")) == {("", None)}
    assert Connection.objects.exists()


def test_each_start_has_a_web_hook_secret_of_its_own() -> None:
    seed_all()
    system = System.objects.get(kind="zendesk")

    assert seed.hook_secret_for(system) != seed.hook_secret_for(system)
