"""A database with linked tickets that are there already: like carried ones, quiet, and in nobody's way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.models import Delivery, Lane, LinkedTicket, PartnerTicket, Ticket
from integrations.store import claims
from portal.benchmark import existing
from slas.models import Clock, Timing
from tests import factories
from tests.integrations.engine.world import World

pytestmark = pytest.mark.django_db


def test_they_are_complete_quiet_and_seen_by_both_partners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(existing, "PIECE", 3)
    connection = factories.make_connection()

    existing.fill(connection, 7)

    assert (
        LinkedTicket.objects.filter(connection=connection, sides__ticket__isnull=False).distinct().count()
        == 7
    )
    assert {one.sides.exclude(ticket=None).count() for one in LinkedTicket.objects.all()} == {2}
    assert (Ticket.objects.count(), PartnerTicket.objects.count(), Delivery.objects.count()) == (14, 14, 7)
    assert Timing.objects.count() == 7
    assert Clock.objects.count() in (0, 14)
    assert not Lane.objects.filter(waits=True).exists()
    assert not claims.has_work(timezone.now() + timedelta(days=1))
    assert all(lane.head == lane.tail + 1 for lane in Lane.objects.all())


def test_new_tickets_travel_beside_them_as_ever() -> None:
    world = World()
    existing.fill(world.connection, 5)

    raised = world.desk.person_creates(subject="one")
    world.run()
    world.desk.person_sets(raised, subject="two")
    world.run()

    assert world.board.tickets[world.twin(world.desk_row, raised)].fields["summary"] == "two"
    assert LinkedTicket.objects.count() == 6
