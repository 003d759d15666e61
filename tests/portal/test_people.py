"""People of a connection: those nobody paired, pairing them, parting them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from integrations.canonical import Person
from integrations.mapping.people import Acquaintance
from integrations.models import PersonPair
from integrations.services import people
from portal.models import AuditEntry
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import Matter

pytestmark = pytest.mark.django_db

ANN = {"id": "z1", "name": "Ann Lee", "email": "ann@mercuri.example"}
JO = {"id": "j1", "name": "Jo Park", "email": ""}


@pytest.fixture
def matter(client: Client) -> Matter:
    left, right = scenes.mercuri_and_infinity()
    made = scenes.matter(left, right, right_fields={})
    scenes.seen(made.left_ticket, fields={"assignee": ANN, "priority": "high"})
    scenes.seen(made.left_ticket, fields={"assignee": None})
    scenes.seen(made.right_ticket, fields={"assignee": JO})
    client.force_login(factories.make_user("ines", role=Role.INTEGRATOR_STAFF))
    return made


def test_people_that_nobody_paired_are_listed_and_then_paired(client: Client, matter: Matter) -> None:
    connection = matter.linked.connection
    address = reverse("person_list", args=[connection.pk])

    before = client.get(address).content.decode()
    answer = client.post(address, {"left": "z1", "right": "j1"}, follow=True).content.decode()

    assert "Ann Lee" in before
    assert "Jo Park" in before
    assert "Ann Lee – Jo Park: the same person from now on." in answer
    assert people.unpaired(connection) == {"left": [], "right": []}
    assert PersonPair.objects.get().acquaintance("right") == Acquaintance(
        there=Person(**ANN), here=Person(**JO)
    )
    assert AuditEntry.objects.about(connection).get().action == "paired people in"


def test_nobody_is_paired_twice(client: Client, matter: Matter) -> None:
    address = reverse("person_list", args=[matter.linked.connection_id])
    client.post(address, {"left": "z1", "right": "j1"})

    again = client.post(address, {"left": "z1", "right_id": "j9"})
    nobody = client.post(address, {"left": "z1"})

    assert (again.status_code, nobody.status_code) == (422, 422)
    assert "paired with somebody already" in again.content.decode()
    assert "Choose a person on both sides" in nobody.content.decode()


def test_a_pair_can_be_parted(client: Client, matter: Matter) -> None:
    connection = matter.linked.connection
    pair = people.pair_people(connection, Person(**ANN), Person("j9"))

    client.post(reverse("person_part", args=[connection.pk, pair.pk]))

    assert PersonPair.objects.count() == 0
    assert [one.id for one in people.unpaired(connection)["left"]] == ["z1"]
