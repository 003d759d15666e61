"""Outage drills on the pages: what may be drilled, how one is begun, followed, cancelled and handed over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import Connection, Side, System
from integrations.sandbox.process import Running, running
from integrations.signatures import Signer
from portal.drill import run
from portal.models import AuditEntry, Drill, User
from tests import factories
from tests.factories import Role

pytestmark = pytest.mark.django_db

ASKED = {"how": "cut", "minutes": "3", "tickets": "4", "changes": "30"}


@pytest.fixture
def sides() -> tuple[Side, Side]:
    left = factories.make_system(factories.mercuri(), "zendesk", name="Mercuri Zendesk")
    right = factories.make_system(factories.infinity(), "jira", name="Infinity Jira")
    connection = factories.make_connection(left, right)
    one, other = connection.sides.order_by("position")
    return one, other


@pytest.fixture
def staff(client: Client) -> User:
    user = factories.make_user("ines", role=Role.INTEGRATOR_STAFF)
    client.force_login(user)
    return user


@pytest.fixture
def sandboxes(sides: tuple[Side, Side], settings: Any) -> Iterator[tuple[Running, Running]]:
    """Both systems are sandboxes that this portal runs."""
    with running("zendesk") as left, running("jira") as right:
        for side, sandbox in zip(sides, (left, right), strict=True):
            System.objects.filter(pk=side.system_id).update(base_url=sandbox.url)
        settings.SANDBOXES = [left.url, right.url + "/"]
        yield left, right


def text(client: Client, name: str, *args: Any, **query: Any) -> str:
    return client.get(reverse(name, args=args), query).content.decode()


def begin(client: Client, side: Side, **changed: str) -> Any:
    asked = {**ASKED, "away": str(side.system_id), **changed}
    return client.post(reverse("drill_add", args=[side.connection_id]), asked)


def test_staff_begin_a_drill_and_follow_it(
    client: Client, staff: User, sides: tuple[Side, Side], sandboxes: object
) -> None:
    answer = begin(client, sides[1])

    drill = Drill.objects.get()
    assert answer["Location"] == reverse("drill_detail", args=[drill.pk])
    asked = (drill.stopped_system, drill.how, drill.outage_s, drill.tickets, drill.changes, drill.asked_by)
    assert asked == (sides[1].system, "cut", 180, 4, 30, staff)
    assert AuditEntry.objects.latest("number").changes == {"away": "Infinity Jira", "minutes": 3}
    page = text(client, "drill_detail", drill.pk)
    assert "0 of 30 changes made" in page
    assert 'hx-trigger="every 2s"' in page
    assert "A drill of this connection is under way." in text(client, "drill_add", drill.connection_id)

    def follow() -> Any:
        return client.get(answer["Location"], headers={"HX-Request": "true"})

    assert "HX-Refresh" not in follow()
    Drill.objects.update(state=Drill.State.CANCELLED, ended_at=timezone.now())
    # Its buttons stand outside of the part that follows: the whole page is loaded once more.
    assert follow()["HX-Refresh"] == "true"
    assert "HX-Refresh" not in client.get(answer["Location"])


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("minutes", "0", "greater than or equal to 1"),
        ("minutes", "900", "less than or equal to 240"),
        ("changes", "many", "Enter a whole number"),
        ("away", "999999", "Select a valid choice"),
        ("how", "earthquake", "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_is_told_at_its_place(
    client: Client,
    staff: User,
    sides: tuple[Side, Side],
    sandboxes: object,
    field: str,
    value: str,
    sentence: str,
) -> None:
    answer = begin(client, sides[1], **{field: value})

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Drill.objects.exists()


def test_only_sandboxes_of_this_portal_are_drilled(
    client: Client, staff: User, sides: tuple[Side, Side], sandboxes: object, settings: Any
) -> None:
    connection = sides[0].connection_id
    settings.SANDBOXES = settings.SANDBOXES[:1]
    assert "is not one of the sandboxes that this portal runs" in text(client, "drill_add", connection)
    System.objects.filter(pk=sides[1].system_id).update(environment=System.Environment.PRODUCTION)
    assert "a drill never touches a real system" in text(client, "drill_add", connection)
    Connection.objects.update(state=Connection.State.PAUSED)
    assert "The connection is not active" in text(client, "drill_add", connection)

    begin(client, sides[1])

    assert not Drill.objects.exists()


def test_cancelling_brings_the_system_back(
    client: Client, staff: User, sides: tuple[Side, Side], sandboxes: tuple[Running, Running]
) -> None:
    begin(client, sides[1])
    drill = Drill.objects.get()
    Drill.objects.update(state=Drill.State.OUTAGE, stopped_at=timezone.now())
    sandboxes[1].faults(down=True)

    client.post(reverse("drill_cancel", args=[drill.pk]))

    drill.refresh_from_db()
    assert (drill.state, sandboxes[1].faults()["down"]) == ("cancelled", False)
    assert run.run_due(timezone.now() + timedelta(hours=1)) == 0


def test_a_sandbox_that_is_gone_ends_the_drill_with_a_sentence(sides: tuple[Side, Side]) -> None:
    drill = Drill.objects.create(connection=sides[0].connection, stopped_system=sides[1].system)

    run.run_due(timezone.now())

    drill.refresh_from_db()
    assert drill.state == "failed"
    assert "is not one of the sandboxes that this portal runs" in drill.problem


def test_of_two_workers_one_takes_the_step(
    sides: tuple[Side, Side], sandboxes: tuple[Running, Running]
) -> None:
    Drill.objects.create(connection=sides[0].connection, stopped_system=sides[1].system, tickets=2)
    now = timezone.now()

    assert [run.run_due(now), run.run_due(now)] == [1, 0]

    assert len(list(sandboxes[0].tickets())) == 2


def test_a_drill_that_is_over_shows_every_change_and_hands_over_its_record(
    client: Client, staff: User, sides: tuple[Side, Side], settings: Any
) -> None:
    drill = factories.make_drill(sides[1])
    (event,) = drill.record["document"]["tickets"][0]["events"]
    longer = factories.make_drill(sides[1])
    longer.record["document"]["tickets"][0]["events"] = [{**event, "waited_s": 7260}]
    longer.save()

    page = text(client, "drill_detail", drill.pk)
    record = json.loads(text(client, "drill_record", drill.pk))
    table = b"".join(client.get(reverse("drill_export", args=[drill.pk])).streaming_content).decode()

    assert "Everything arrived in order" in page
    assert "comment “Drill 1, change 1.”" in page
    assert "115 s" in page
    assert '<span title="7260 s">2 h 1 min</span>' in text(client, "drill_detail", longer.pk)
    assert "hx-trigger" not in page.split('id="live"')[1][:80]
    assert Signer(settings.CREDENTIAL_KEYS).is_ours(record)
    assert record["signature"]["fingerprint"] in page
    assert "2026-03-02" in table.splitlines()[1]
    assert f">{drill}</a>" in text(client, "drill_list")
