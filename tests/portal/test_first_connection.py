"""From an empty portal to an active connection of two sandboxes, with nothing but the pages' own forms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Connection, Partner, System
from integrations.sandbox.jira.settings import JiraSettings
from integrations.sandbox.jira.system import JiraSystem
from integrations.sandbox.server import Server
from integrations.sandbox.zendesk.settings import ZendeskSettings
from integrations.sandbox.zendesk.system import ZendeskSystem
from portal.models import User
from tests.factories import Role, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def servers(settings: Any) -> Iterator[dict[str, str]]:
    """The addresses of a Zendesk and a Jira that run here."""
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)
    running = {"zendesk": Server(ZendeskSystem()), "jira": Server(JiraSystem())}
    for server in running.values():
        server.start()
    yield {kind: server.url for kind, server in running.items()}
    for server in running.values():
        server.stop()


def test_from_nothing_to_an_active_connection(client: Client, servers: dict[str, str]) -> None:
    client.force_login(make_user("ada", role=Role.ADMINISTRATOR))

    for name in ("Mercuri Inc", "Global Pvt Ltd"):
        client.post(reverse("partner_add"), {"name": name, "layers": ["provider"]})
    mercuri, globally = Partner.objects.get(name="Mercuri Inc"), Partner.objects.get(name="Global Pvt Ltd")
    zendesk = add_system(
        client,
        mercuri,
        "zendesk",
        base_url=servers["zendesk"],
        email=ZendeskSettings().email,
        api_token=ZendeskSettings().token,
    )
    jira = add_system(
        client,
        globally,
        "jira",
        base_url=servers["jira"],
        email=JiraSettings().email,
        api_token=JiraSettings().token,
        project_key=JiraSettings().project_key,
        issue_type="Task",
    )
    tested = [client.post(reverse("system_test", args=[one.pk]), follow=True) for one in (zendesk, jira)]
    client.post(
        f"{reverse('connection_add')}?left={zendesk.pk}&right={jira.pk}",
        {
            "name": "Complaints",
            "template": "on",
            "left-starts": "on",
            "left-field_1": "priority",
            "left-values_1": "urgent, high",
        },
    )
    connection = Connection.objects.get()
    activated = client.post(reverse("connection_activate", args=[connection.pk]), follow=True)

    assert ["answers, signed in as" in page.content.decode() for page in tested] == [True, True]
    connection.refresh_from_db()
    assert connection.state == "active"
    assert "Tickets that fit are opened on the other side from now on." in activated.content.decode()
    for position in ("left", "right"):
        assert "block" not in findings(client, connection, position)


def test_credentials_that_are_refused_are_told_in_a_sentence(client: Client, servers: dict[str, str]) -> None:
    client.force_login(make_user("ada", role=Role.ADMINISTRATOR))
    client.post(reverse("partner_add"), {"name": "Mercuri Inc", "layers": ["provider"]})
    partner = Partner.objects.get(name="Mercuri Inc")
    wrong = {
        "base_url": servers["zendesk"],
        "email": "concord@sandbox.example",
        "api_token": "a-wrong-token-12345",
    }
    system = add_system(client, partner, "zendesk", **wrong)

    page = client.post(reverse("system_test", args=[system.pk]), follow=True).content.decode()

    system.refresh_from_db()
    assert (system.state, system.failure_code) == ("stopped", "unauthorized")
    assert "did not pass the test" in page
    assert "correct the credentials, then test it" in page
    assert "a-wrong-token" not in page


def add_system(client: Client, partner: Partner, kind: str, **values: str) -> System:
    response = client.post(
        f"{reverse('system_add_kind', args=[kind])}?partner={partner.pk}",
        {"name": f"{partner.name} {kind}", "environment": "sandbox", **values},
    )
    assert response.status_code == 302, response.context["form"].errors
    return System.objects.get(partner=partner)


def findings(client: Client, connection: Connection, position: str) -> set[str]:
    """The grades of what the checks say about both directions of a side."""
    officer = User.objects.get(username="ada")
    client.force_login(officer)
    side = connection.sides.get(position=position)
    pages = [client.get(reverse("mapping_detail", args=[one.pk])) for one in side.mapping_sets.all()]
    return {str(finding.grade) for page in pages for finding in page.context["sheet"].findings}
