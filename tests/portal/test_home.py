"""The overview: what it warns of, what it counts, and what it shows to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import Connection, Heartbeat, LinkedTicket, PartnerTicket, System
from portal.models import User
from slas import services as slas
from slas.models import Clock, Timing
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import Matter

pytestmark = pytest.mark.django_db


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    return scenes.matter(left, right, left_fields={}, right_fields={})


@pytest.fixture
def staff() -> User:
    return factories.make_user("rosa", role=Role.INTEGRATOR_STAFF)


def overview(client: Client, user: User) -> Any:
    client.force_login(user)
    response = client.get("/")
    assert response.status_code == 200
    return response


def text(client: Client, user: User) -> str:
    return overview(client, user).content.decode()


def test_a_worker_that_was_never_heard_of_is_missed(client: Client, staff: User) -> None:
    assert "It was never heard of." in text(client, staff)


@pytest.mark.parametrize(("age_s", "is_missed"), [(1, False), (59, False), (61, True), (7200, True)])
def test_a_worker_that_fell_silent_is_missed(
    client: Client, staff: User, age_s: int, is_missed: bool
) -> None:
    Heartbeat.objects.create(name="tick", at=timezone.now() - timedelta(seconds=age_s))

    assert ("The worker is not running." in text(client, staff)) is is_missed


def test_what_waits_for_a_person_is_told_with_its_reason(client: Client, matter: Matter, staff: User) -> None:
    scenes.queued(matter.to_right, scenes.seen(matter.left_ticket), envelope={"fields": {"title": "New"}})
    scenes.park(matter.to_right, "too_large", "The text is too long.")
    scenes.queued(matter.to_left, scenes.seen(matter.right_ticket), envelope={"fields": {"title": "New"}})

    response = overview(client, staff)
    standing = response.context["standing"]

    assert (standing.lanes, standing.parked, standing.held) == (2, 1, 0)
    assert "The text is too long." in response.content.decode()
    assert [row.lane.pk for row in response.context["parked"]] == [matter.to_right.pk]


def test_todays_changes_are_counted(client: Client, matter: Matter, staff: User) -> None:
    now = timezone.now()
    long_ago = timezone.now() - timedelta(days=2)
    fresh = scenes.seen(matter.left_ticket)
    scenes.arrived(matter.to_right, fresh)
    delivery = scenes.arrived(matter.to_right, scenes.seen(matter.left_ticket))
    scenes.seen(matter.right_ticket, caused_by=delivery)
    matter.left_ticket.events.update(seen_at=now)
    matter.right_ticket.events.update(seen_at=now)
    matter.to_right.deliveries.update(done_at=now)
    matter.to_right.deliveries.filter(number=1).update(done_at=long_ago)
    LinkedTicket.objects.update(updated_at=now)

    today = overview(client, staff).context["today"]

    # Our own write coming back is not a change, and what was delivered the day before yesterday is not today's.
    assert (today.tickets, today.changes, today.delivered) == (1, 2, 1)


def test_connections_with_trouble_stand_first(client: Client, matter: Matter, staff: User) -> None:
    other = factories.make_connection(
        factories.make_system(factories.globally(), "jira"),
        factories.make_system(factories.stranger(), "zendesk", state=System.State.STOPPED),
        name="A connection at rest",
    )
    scenes.queued(matter.to_right, scenes.seen(matter.left_ticket))
    scenes.park(matter.to_right, "invalid", "No.")

    health = overview(client, staff).context["connections"]

    assert [(one.connection.pk, one.waiting, one.parked, one.state) for one in health] == [
        (matter.linked.connection_id, 1, 1, "parked"),
        (other.pk, 0, 0, "stopped"),
    ]


def test_clocks_that_run_out_soon_stand_before_those_that_did(
    client: Client, matter: Matter, staff: User
) -> None:
    now = timezone.now()
    slas.load_reference(factories.mercuri(), factories.infinity())
    late = scenes.matter(matter.left, matter.right, number=2, right_fields={}, title="Too late")
    for one, age in ((matter, timedelta(minutes=5)), (late, timedelta(hours=3))):
        for what, value in (("opened", ""), ("priority", "critical")):
            Timing.objects.create(
                linked_ticket=one.linked,
                side=one.left,
                what=what,
                value=value,
                happened_at=now - age,
                position=1,
            )
        slas.recompute(one.linked, now)

    at_risk = overview(client, staff).context["at_risk"]

    assert [(one.ticket.number, one.live.clock.is_breached) for one in at_risk] == [
        (matter.linked.number, False),
        (matter.linked.number, False),
        (late.linked.number, True),
        (late.linked.number, True),
    ]
    assert Clock.objects.count() == 4


def test_a_partners_agent_sees_its_latest_tickets_and_nothing_else(client: Client, matter: Matter) -> None:
    agent = factories.make_user(role=Role.PARTNER_AGENT, partner=factories.mercuri())

    response = overview(client, agent)

    assert [row.number for row in response.context["latest"]] == [matter.linked.number]
    for name in ("standing", "parked", "alerts", "today", "connections", "at_risk"):
        assert name not in response.context


def test_somebody_without_a_role_is_told_whom_to_ask(client: Client) -> None:
    assert "You have no role yet" in text(client, factories.make_user())


def test_an_empty_portal_says_how_it_begins(client: Client, staff: User) -> None:
    Connection.objects.all().delete()
    found = text(client, staff)

    assert "No linked tickets yet" in found
    assert "No connection has been made yet." in found
    assert "everything has arrived" in found


def test_htmx_gets_the_content_alone(client: Client, staff: User) -> None:
    client.force_login(staff)

    assert "<html" not in client.get("/", headers={"HX-Request": "true"}).content.decode()


def test_the_overview_costs_the_same_whatever_there_is(
    client: Client, matter: Matter, staff: User, django_assert_num_queries: Any
) -> None:
    for number in range(2, 12):
        other = scenes.matter(matter.left, matter.right, number=number, right_fields={})
        scenes.queued(other.to_right, scenes.seen(other.left_ticket))
        scenes.park(other.to_right, "invalid", "No.")
    assert PartnerTicket.objects.count() == 22
    client.force_login(staff)
    client.get("/")

    # Session, user and whose; memberships, matrix; heartbeat with the number of alerts; alerts; then, each with the partners that the person sees: standing; parked
    # lanes with heads, sides, articles, budgets; tickets, changes and deliveries of today; connections with lanes, sides;
    # findings; clocks (soon, late, their agreements and terms); the latest tickets with sides, lanes.
    with django_assert_num_queries(37):
        client.get("/")
