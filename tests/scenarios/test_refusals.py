"""What one system refuses is told on the other one's ticket, over real HTTP, and what became of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from integrations.models import Lane, LinkedTicket, MappingSet
from integrations.services import queue
from tests.scenarios.test_pairs import KINDS, Place, opened

pytestmark = pytest.mark.django_db(transaction=True)

# Which of them keep internal comments apart.
HAVE_INTERNAL = {"zendesk", "servicenow"}


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def refuse_updates(place: Place) -> None:
    """Whatever is to be set there is refused from now on."""
    shots = [{"match": f"{method} /", "do": "400", "times": 99} for method in ("PUT", "PATCH", "POST")]
    place.desk.sandbox.faults(next=shots)


def comments(place: Place, ticket: str) -> list[tuple[str, bool]]:
    """What was said on a ticket, and whether everybody may read it."""
    read = place.desk.connector.read(ticket)
    return [(text, one.is_public) for text, one in zip(place.said(ticket), read.comments, strict=True)]


@pytest.mark.parametrize(("left", "right"), list(zip(KINDS, [*KINDS[1:], KINDS[0]], strict=True)))
def test_a_refusal_is_told_on_the_senders_ticket_and_nowhere_else(left: str, right: str) -> None:
    with opened(left, right) as places:
        connection = places.join(left, right)
        MappingSet.objects.filter(side__connection=connection, direction="outgoing").update(
            tells_reasons=True
        )
        here, there = places[left], places[right]
        own = here.act("create", fields={here.desk.case.title: "Parcel 7", "description": "It is late."})
        places.settle()
        twin = places.there(left, own, right)
        refuse_updates(there)
        here.act("update", own, fields={here.desk.case.title: "Parcel 7 is lost"})
        places.carry_on()
        partner = there.system.partner.name
        number = LinkedTicket.objects.get().number
        where = f"In Concord it is change 2 of {number}."
        is_public = left not in HAVE_INTERNAL
        assert [lane.failure_code for lane in Lane.objects.filter(waits=True)] == ["invalid"]
        assert comments(here, own) == [
            (
                f"Not taken by {partner} yet\nTitle “Parcel 7 is lost”. That system does not accept the value. "
                f"Nothing is lost: it waits until somebody has looked, and what follows waits behind it. {where}",
                is_public,
            )
        ]
        there.desk.sandbox.faults(next=[])
        queue.retry_lane(Lane.objects.get(waits=True), now=timezone.now())
        places.settle()
        assert comments(here, own)[1:] == [
            (f"Taken by {partner} after all\nTitle “Parcel 7 is lost”. {where}", is_public)
        ]
        assert (there.title(twin), there.said(twin)) == ("Parcel 7 is lost", [])
