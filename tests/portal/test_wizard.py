"""From nothing to the first ticket on its way, step by step, with sandboxes that run here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Connection, ConnectionDraft, LinkedTicket, System, Ticket, TicketSide
from integrations.sandbox.client import Sandbox
from integrations.sandbox.jira.system import JiraSystem
from integrations.sandbox.server import Server
from integrations.sandbox.zendesk.system import ZendeskSystem
from integrations.services import sandboxes
from integrations.store.configuration import FRESH_FOR
from portal.models import AuditEntry
from tests import factories
from tests.factories import Role, make_user
from tests.integrations.scenes import NOW, matter, mercuri_and_infinity

pytestmark = pytest.mark.django_db


@pytest.fixture
def servers(settings: Any) -> Iterator[dict[str, str]]:
    """The addresses of a Zendesk and a Jira that run here, as the operator named them."""
    running = {"zendesk": Server(ZendeskSystem()), "jira": Server(JiraSystem())}
    for server in running.values():
        server.start()
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)
    settings.SANDBOXES = (*(server.url for server in running.values()), "http://127.0.0.1:9")
    yield {kind: server.url for kind, server in running.items()}
    for server in running.values():
        server.stop()


@pytest.fixture
def draft(client: Client) -> ConnectionDraft:
    """A connection on its way that an administrator has begun."""
    client.force_login(make_user("ada", role=Role.ADMINISTRATOR))
    client.post(reverse("wizard_begin"))
    return ConnectionDraft.objects.get()


def post(client: Client, page: str, /, *args: Any, **data: str) -> str:
    return client.post(reverse(page, args=args), data, follow=True).content.decode()


def test_ten_minutes_from_nothing_to_the_first_ticket(
    client: Client, servers: dict[str, str], draft: ConnectionDraft
) -> None:
    sandbox = Sandbox(servers["zendesk"])
    [made] = sandbox.act(
        {"do": "create", "fields": {"subject": "Charged twice", "description": "Twice!", "priority": "high"}}
    )
    sandbox.close()
    for position, partner, kind in (
        ("left", factories.mercuri(), "zendesk"),
        ("right", factories.globally(), "jira"),
    ):
        chosen = post(client, "wizard_system", draft.pk, position, partner=str(partner.pk), url=servers[kind])
        assert "Not checked yet." in chosen
        checked = post(client, "wizard_check", draft.pk, position)
        assert "Sign-in" in checked
        assert "Continue" in checked
    first = post(
        client, "wizard_rules", draft.pk, **{"name": "Complaints", "template": "on", "left-starts": "on"}
    )
    assert "The first ticket" in first
    shown = client.get(reverse("wizard_first", args=[draft.pk]), {"number": made["key"]})
    arrivals = {one.target: (one.before, one.after) for one in shown.context["first"].arrivals}
    sent = post(client, "wizard_first", draft.pk, number=made["key"])

    connection = Connection.objects.get()
    draft.refresh_from_db()
    assert arrivals["Summary"] == ("Charged twice", "Charged twice")
    assert arrivals["Priority"] == ("high", "High")
    assert (connection.name, connection.state) == ("Complaints", "active")
    assert "is being read" in sent
    assert Ticket.objects.get(remote_id=draft.first_remote_id).read_due_at is not None
    assert list(AuditEntry.objects.about(connection).values_list("action", flat=True)) == [
        "activated",
        "opened",
    ]


def test_the_last_page_asks_no_more_once_the_ticket_has_arrived(
    client: Client, draft: ConnectionDraft
) -> None:
    known = matter(*mercuri_and_infinity(), right_fields={})
    draft.connection, draft.first_side = known.left.connection, known.left
    draft.left, draft.right = known.left.system, known.right.system
    draft.first_remote_id, draft.first_key = known.left_ticket.remote_id, known.left_ticket.key
    draft.save()
    page = reverse("wizard_done", args=[draft.pk])

    part = client.get(page, headers={"HX-Request": "true"})
    assert "It has arrived" in part.text
    assert part.headers["HX-Refresh"] == "true"
    assert "hx-get" not in client.get(page).content.decode().split('id="travelling"')[1].split(">")[0]

    TicketSide.objects.filter(side=known.right).update(ticket=None)
    part = client.get(page, headers={"HX-Request": "true"})
    assert ("It is being created" in part.text, "HX-Refresh" in part.headers) == (True, False)
    assert "hx-get" in client.get(page).content.decode().split('id="travelling"')[1].split(">")[0]


def test_it_goes_on_where_somebody_stopped(client: Client, draft: ConnectionDraft) -> None:
    system = factories.make_system(factories.mercuri(), "zendesk", name="Mercuri Zendesk")
    post(client, "wizard_system", draft.pk, "left", system=str(system.pk))

    client.force_login(make_user("ines", role=Role.INTEGRATOR_STAFF))

    assert "Next: other side" in client.get(reverse("wizard_list")).content.decode()
    resumed = client.get(reverse("wizard_resume", args=[draft.pk]))
    assert resumed["Location"] == reverse("wizard_system", args=[draft.pk, "right"])


def test_another_system_begins_the_connection_anew(client: Client, draft: ConnectionDraft) -> None:
    zendesk = factories.make_system(factories.mercuri(), "zendesk", name="Mercuri Zendesk")
    jira, other = (factories.make_system(factories.globally(), "jira", name=name) for name in ("One", "Two"))
    for position, system in (("left", zendesk), ("right", jira)):
        post(client, "wizard_system", draft.pk, position, system=str(system.pk))
    post(client, "wizard_rules", draft.pk, **{"name": "Complaints", "template": "on", "left-starts": "on"})

    post(client, "wizard_system", draft.pk, "right", system=str(other.pk))

    draft.refresh_from_db()
    assert (draft.right, draft.connection, Connection.objects.count()) == (other, None, 0)


def test_two_systems_that_are_joined_already_are_told_at_the_form(
    client: Client, draft: ConnectionDraft
) -> None:
    left, right = [side.system for side in factories.make_connection().sides.order_by("position")]
    post(client, "wizard_system", draft.pk, "left", system=str(left.pk))

    page = post(client, "wizard_system", draft.pk, "right", system=str(right.pk))

    assert "are joined already" in page
    draft.refresh_from_db()
    assert draft.right is None


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_ticket_that_was_read_before_begins_anew_unless_it_travels_elsewhere(
    client: Client, servers: dict[str, str], draft: ConnectionDraft, is_linked: bool
) -> None:
    through_rules(client, servers, draft)
    sandbox = Sandbox(servers["zendesk"])
    [made] = sandbox.act({"do": "create", "fields": {"subject": "Charged twice"}})
    sandbox.close()
    draft.refresh_from_db()
    assert draft.left is not None
    known = Ticket.objects.create(
        system=draft.left, remote_id=made["ticket"], cursor="at its end", read_at=NOW
    )
    if is_linked:
        elsewhere = factories.make_connection(draft.left)
        linked = LinkedTicket.objects.create(
            connection=elsewhere, origin=elsewhere.sides.first(), updated_at=NOW
        )
        TicketSide.objects.create(linked_ticket=linked, side=elsewhere.sides.first(), ticket=known)

    post(client, "wizard_first", draft.pk, number=made["key"])

    found = Ticket.objects.get(system=draft.left, remote_id=made["ticket"])
    draft.refresh_from_db()
    assert draft.finished_at is not None
    assert found.read_due_at is not None
    # Not by a worker that still takes the connection for a draft.
    assert found.read_due_at > draft.finished_at + FRESH_FOR
    assert (found.pk == known.pk, found.cursor) == ((True, "at its end") if is_linked else (False, ""))


def test_a_ticket_that_is_not_there_is_told_at_the_number(
    client: Client, servers: dict[str, str], draft: ConnectionDraft
) -> None:
    through_rules(client, servers, draft)

    answer = client.get(reverse("wizard_first", args=[draft.pk]), {"number": "99999"})

    assert answer.status_code == 422
    assert "has no ticket “99999”" in answer.context["form"].errors["number"][0]
    assert Connection.objects.get().state == "draft"


def test_a_ticket_outside_the_condition_does_not_activate_anything(
    client: Client, servers: dict[str, str], draft: ConnectionDraft
) -> None:
    through_rules(client, servers, draft, **{"left-field_1": "priority", "left-values_1": "urgent"})
    sandbox = Sandbox(servers["zendesk"])
    [made] = sandbox.act({"do": "create", "fields": {"subject": "Minor", "priority": "low"}})
    sandbox.close()

    page = post(client, "wizard_first", draft.pk, number=made["key"])

    assert "does not meet the condition" in page
    assert Connection.objects.get().state == "draft"


def test_wrong_credentials_are_mended_without_leaving_the_way(
    client: Client, servers: dict[str, str], draft: ConnectionDraft
) -> None:
    post(client, "wizard_system", draft.pk, "left", partner=str(factories.mercuri().pk), url=servers["jira"])
    system = System.objects.get()
    way = reverse("wizard_check", args=[draft.pk, "left"])
    edit = reverse("system_edit", args=[system.pk])
    typed = {"name": system.name, "environment": "sandbox", "base_url": system.base_url, **system.settings}

    for wanted, goes in (
        (way, way),
        ("https://elsewhere.example/", reverse("system_detail", args=[system.pk])),
    ):
        stamp = client.get(edit).context["form"].initial["stamp"]
        answer = client.post(f"{edit}?next={wanted}", {**typed, "stamp": stamp})
        assert answer["Location"] == goes


def test_without_a_sandbox_it_says_how_to_start_them(client: Client, draft: ConnectionDraft) -> None:
    page = client.get(reverse("wizard_system", args=[draft.pk, "left"])).content.decode()

    assert "python3 manage.py sandbox" in page


def test_a_sandbox_is_added_once_for_a_partner(servers: dict[str, str]) -> None:
    first = sandboxes.use_sandbox(factories.mercuri(), servers["jira"])
    again = sandboxes.use_sandbox(factories.mercuri(), servers["jira"])

    assert (first[0], first[1], again[1]) == (again[0], True, False)
    assert System.objects.get().settings["project_key"] != ""


def through_rules(client: Client, servers: dict[str, str], draft: ConnectionDraft, **more: str) -> None:
    for position, partner, kind in (
        ("left", factories.mercuri(), "zendesk"),
        ("right", factories.globally(), "jira"),
    ):
        post(client, "wizard_system", draft.pk, position, partner=str(partner.pk), url=servers[kind])
        post(client, "wizard_check", draft.pk, position)
    post(
        client,
        "wizard_rules",
        draft.pk,
        **{"name": "Complaints", "template": "on", "left-starts": "on", **more},
    )
