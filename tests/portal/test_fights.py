"""The page of a linked ticket that was stopped because two automations fight on it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import LinkedTicket, Partner
from portal.access import open_partner
from tests import factories
from tests.factories import Role
from tests.integrations.engine.test_fights import fought_over
from tests.integrations.engine.world import World

pytestmark = pytest.mark.django_db


def page_for(client: Client, **who: object) -> str:
    user = factories.make_user("reader", **who)  # type: ignore[arg-type]
    for partner in Partner.objects.all():
        open_partner(partner)
    client.force_login(user)
    return client.get(reverse("ticket_detail", args=[LinkedTicket.objects.get().pk])).content.decode()


def test_the_integrator_reads_who_fights_and_what_to_do(client: Client) -> None:
    world = World()
    fought_over(world)
    world.run()

    page = page_for(client, role=Role.INTEGRATOR_STAFF)

    assert "Two automations fight" in page
    assert "sets “status” to “open”" in page
    assert "by the account Rule of the board" in page
    assert "carried by version 1 of what this side sends" in page
    assert reverse("handbook_code", args=["amplification"]) in page


def test_an_agent_does_not_read_the_other_sides_accounts(client: Client) -> None:
    world = World()
    fought_over(world)
    world.run()

    page = page_for(client, role=Role.PARTNER_AGENT, partner=world.desk_row.partner)

    assert "Two automations fight" not in page
    assert "Rule of the board" not in page
