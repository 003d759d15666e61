"""The read-only API: the same tickets and the same projection as on the pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from integrations.models import Ticket
from portal.models import User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db

TICKETS = "/api/v1/tickets/"


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    scenes.dictionary(left, title="Title", priority="Priority")
    found = scenes.matter(left, right, left_fields={}, right_fields={}, title="Ms Miller is charged twice")
    Ticket.objects.filter(pk=found.right_ticket.pk).update(
        title="Customer is charged twice", key="INF-7", url="https://jira.example/browse/INF-7"
    )
    return found


@pytest.fixture
def agent() -> User:
    return factories.make_user("raj", role=Role.PARTNER_AGENT, partner=factories.infinity())


def answer(client: Client, user: User, address: str = TICKETS, **query: Any) -> Any:
    client.force_login(user)
    response = client.get(address, query)
    assert response.status_code == 200, response.content
    return response.json()


def test_an_agent_gets_its_own_tickets_in_its_own_words(client: Client, matter: Matter, agent: User) -> None:
    assert answer(client, agent) == {
        "next": None,
        "previous": None,
        "results": [
            {
                "id": matter.linked.pk,
                "number": matter.linked.number,
                "title": "Customer is charged twice",
                "state": "active",
                "connection": matter.linked.connection.name,
                "opened_at": "2026-11-23T12:00:00Z",
                "updated_at": "2026-11-23T12:00:00Z",
                "records": [
                    {"partner": "Mercuri Inc", "system": "Zendesk", "key": "", "url": "", "exists": True},
                    {
                        "partner": "Infinity Solutions",
                        "system": "Jira",
                        "key": "INF-7",
                        "url": "https://jira.example/browse/INF-7",
                        "exists": True,
                    },
                ],
            }
        ],
    }


def test_one_ticket_is_the_same_as_in_the_list(client: Client, matter: Matter, agent: User) -> None:
    (in_list,) = answer(client, agent)["results"]

    assert answer(client, agent, f"{TICKETS}{matter.linked.pk}/") == in_list


def test_the_timeline_is_the_reduced_projection(client: Client, matter: Matter, agent: User) -> None:
    change = scenes.seen(matter.left_ticket, minute=-9, fields={"priority": "urgent", "margin": "canary"})
    scenes.arrived(matter.to_right, change, envelope={"fields": {"priority": "critical"}})
    scenes.arrived(matter.to_right, change, operation="comment", envelope=scenes.released("Please hurry"))
    scenes.seen(
        matter.right_ticket, minute=-2, comments=[scenes.comment("A note", is_public=False, files=["a.txt"])]
    )

    found = answer(client, agent, f"{TICKETS}{matter.linked.pk}/timeline/")

    sent = {"to": "Infinity Solutions", "state": "delivered", "at": "2026-11-23T11:51:04Z"}
    assert found == {
        "next": None,
        "results": [
            {
                "at": "2026-11-23T11:58:00Z",
                "kind": "updated",
                "partner": "Infinity Solutions",
                "system": "Infinity Jira",
                "ticket": "INF-7",
                "author": "Ann Lee",
                "is_own": True,
                "changes": [],
                "comments": [
                    {
                        "author": "Ann Lee",
                        "is_public": False,
                        "text": "A note",
                        "files": [{"name": "a.txt", "size_bytes": 4096}],
                    }
                ],
                "files": [],
                "deliveries": [],
            },
            {
                "at": "2026-11-23T11:51:00Z",
                "kind": "updated",
                "partner": "Mercuri Inc",
                "system": "Zendesk",
                "ticket": "",
                "author": "Ann Lee",
                "is_own": False,
                "changes": [{"field": "Priority", "before": "", "after": "critical"}],
                "comments": [{"author": "Ann Lee", "is_public": True, "text": "Please hurry", "files": []}],
                "files": [],
                "deliveries": [{**sent, "what": "priority"}, {**sent, "what": "comment"}],
            },
        ],
    }


def test_staff_are_told_that_a_note_stayed_with_its_company(client: Client, matter: Matter) -> None:
    scenes.seen(matter.left_ticket, comments=[scenes.comment("canary", is_public=False)])
    staff = factories.make_user(role=Role.INTEGRATOR_STAFF)

    (entry,) = answer(client, staff, f"{TICKETS}{matter.linked.pk}/timeline/")["results"]

    assert entry["comments"] == [{"author": "", "is_public": False, "text": None, "files": []}]


def test_pages_lead_to_one_another(client: Client, matter: Matter, agent: User) -> None:
    for number in range(2, 6):
        scenes.matter(
            matter.left, matter.right, right_fields={}, number=number, at=NOW + timedelta(minutes=number)
        )

    first = answer(client, agent, size=2, state="active")
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()

    numbers = [one["id"] for page in (first, second, third) for one in page["results"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 5
    assert third["next"] is None
    assert "state=active" in second["next"]
    assert client.get(second["previous"]).json()["results"] == first["results"]


def test_the_timeline_has_pages_too(client: Client, matter: Matter, agent: User) -> None:
    made = [scenes.seen(matter.right_ticket, minute=minute, actor=f"Person {minute}") for minute in range(3)]

    first = answer(client, agent, f"{TICKETS}{matter.linked.pk}/timeline/", size=2)
    second = client.get(first["next"]).json()

    authors = [entry["author"] for page in (first, second) for entry in page["results"]]
    assert authors == [one.actor_name for one in reversed(made)]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"size": "0"}, "size"),
        ({"size": "201"}, "size"),
        ({"size": "many"}, "size"),
        ({"state": "sleepy"}, "state"),
        ({"order": "random"}, "order"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_its_name(
    client: Client, agent: User, query: dict[str, str], problem: str
) -> None:
    client.force_login(agent)

    response = client.get(TICKETS, query)

    assert response.status_code == 400
    assert list(response.json()) == [problem]


def test_the_tickets_of_others_do_not_exist(client: Client, matter: Matter) -> None:
    stranger = factories.make_user(role=Role.PARTNER_AGENT, partner=factories.stranger())

    assert answer(client, stranger)["results"] == []
    for address in (f"{TICKETS}{matter.linked.pk}/", f"{TICKETS}{matter.linked.pk}/timeline/"):
        assert client.get(address).status_code == 404


def test_who_may_read_no_tickets_is_told_so(client: Client, matter: Matter) -> None:
    client.force_login(factories.make_user(role=Role.SECURITY_OFFICER))
    response = client.get(TICKETS)

    assert (response.status_code, response.json()) == (
        403,
        {"detail": "Your roles do not allow to read linked tickets."},
    )


def test_a_program_that_is_not_signed_in_gets_an_answer_and_no_page(client: Client) -> None:
    response = client.get(TICKETS)

    assert response.status_code == 403
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(client: Client, matter: Matter, agent: User, method: str) -> None:
    client.force_login(agent)

    assert getattr(client, method)(f"{TICKETS}{matter.linked.pk}/").status_code == 405


def test_a_page_costs_the_same_whatever_its_length(
    client: Client, matter: Matter, agent: User, django_assert_num_queries: Any
) -> None:
    for number in range(2, 20):
        scenes.matter(matter.left, matter.right, right_fields={}, number=number)
    client.force_login(agent)
    client.get(TICKETS)

    # Session, user; memberships, matrix; connections and partners to choose from (counted: one is none to choose);
    # the own partner; keys of the page; tickets, lanes, sides.
    with django_assert_num_queries(11):
        client.get(TICKETS)
