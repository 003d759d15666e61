"""A database with linked tickets that are there already: like carried ones, quiet, and in nobody's way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from integrations.models import Connection, Delivery, Lane, LinkedTicket, PartnerTicket, System, Ticket
from integrations.services import watching
from integrations.store import claims
from portal.benchmark import existing
from slas.models import Clock, Timing
from slas.services import continue_recomputing, load_reference
from tests import factories
from tests.costs import cost_of, noted
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


def test_their_clocks_are_measured_and_leave_nothing_to_be_computed() -> None:
    connection = factories.make_connection()
    left, right = (side.system.partner for side in connection.sides.order_by("position"))
    load_reference(left, right, [connection])

    existing.fill(connection, 400)

    clocks = Clock.objects.all()
    assert {(one.kind, one.state) for one in clocks} == {("response", "stopped"), ("resolution", "stopped")}
    assert {(one.linked_ticket.opened_at, one.is_breached) for one in clocks} == {
        (one.started_at, one.elapsed_s > one.target_s) for one in clocks
    }
    assert {one.month for one in clocks} == {one.started_at.date().replace(day=1) for one in clocks}
    assert {one.is_breached for one in clocks} == {True, False}
    assert continue_recomputing(timezone.now(), 10) == 0


def test_looking_for_work_looks_at_what_is_due_and_not_at_every_ticket() -> None:
    existing.fill(factories.make_connection(), 2000)
    existing.remember_sizes()

    def look() -> None:
        claims.has_work(timezone.now())
        claims.claim("worker", timezone.now(), 60, 20)

    plans = _plans(look, 'FROM "integrations_ticket"')

    assert plans
    assert all("ticket_read_due" in plan for plan in plans), plans


def test_looking_for_work_does_so_when_statistics_tell_of_a_flood_that_is_over() -> None:
    existing.fill(factories.make_connection(), 2000)
    soon = timezone.now() + timedelta(days=1)
    waiting = {"waits": True, "next_at": soon, "waits_since": soon}
    Lane.objects.update(**waiting)
    Ticket.objects.update(read_due_at=soon)
    existing.remember_sizes()
    Lane.objects.update(waits=False)
    Ticket.objects.update(read_due_at=None)

    with noted() as asked:
        claims.has_work(timezone.now())

    plans = [plan for one in asked for plan in (one.plan, one.general_plan)]
    indexes = {(plan.count("ticket_read_due"), plan.count("lane_waiting_in_system")) for plan in plans}
    assert indexes == {(2, 2)}, plans


def _systems_of(connection: Connection) -> QuerySet[System]:
    return System.objects.filter(sides__connection=connection)


WAIT_IN_VAIN: Mapping[str, Callable[[Connection], object]] = {
    "a system is away": lambda one: _systems_of(one).update(paused_until=timezone.now() + timedelta(hours=1)),
    "a system is switched off": lambda one: _systems_of(one).update(state=System.State.STOPPED),
    "no calls are left": lambda one: None,
    "a partner paused": lambda one: one.sides.filter(position="left").update(is_paused=True),
    "the connection is paused": lambda one: Connection.objects.filter(pk=one.pk).update(state="paused"),
}


@pytest.mark.parametrize("why", WAIT_IN_VAIN)
def test_lanes_that_wait_in_vain_cost_a_claim_nothing(why: str) -> None:
    def wait(connection: Connection, since: datetime) -> None:
        lanes = Lane.objects.filter(connection=connection, target__position="right")
        lanes.update(waits=True, next_at=since, waits_since=since)

    costs = [_cost_beside(count, why, wait) for count in (50, 2000)]

    assert costs[1] < costs[0] + 200, costs


@pytest.mark.parametrize("why", list(WAIT_IN_VAIN)[:3])
def test_tickets_that_wait_to_be_read_in_vain_cost_a_claim_nothing(why: str) -> None:
    def wait(connection: Connection, since: datetime) -> None:
        tickets = Ticket.objects.filter(system=connection.sides.get(position="right").system)
        tickets.update(read_due_at=since)

    costs = [_cost_beside(count, why, wait) for count in (50, 2000)]

    assert costs[1] < costs[0] + 200, costs


def _cost_beside(count: int, why: str, wait: Callable[[Connection, datetime], None]) -> int:
    """What it costs to claim all ten of one connection, while so many of another wait in vain and for longer."""
    with transaction.atomic():
        away, there = (
            factories.make_connection(factories.make_system(), factories.make_system(kind="jira"))
            for _ in range(2)
        )
        existing.fill(away, count)
        existing.fill(there, 10)
        now = timezone.now()
        wait(away, now - timedelta(hours=1))
        wait(there, now)
        WAIT_IN_VAIN[why](away)
        busy = list(_systems_of(away).values_list("pk", flat=True)) if why == "no calls are left" else []
        existing.remember_sizes()
        found: list[int] = []

        def look() -> None:
            assert claims.has_work(now, busy)
            found.extend(map(len, claims.claim("worker", now, 60, 40, busy)))

        cost = cost_of(look)
        assert sum(found) == 10
        transaction.set_rollback(True)
    return cost


def test_counting_the_tickets_that_are_gone_does_not_look_at_the_others() -> None:
    existing.fill(factories.make_connection(), 2000)
    existing.remember_sizes()

    plans = _plans(lambda: watching.verdict_of(timezone.now()), '"integrations_ticket"."is_gone"')

    assert any("ticket_gone" in plan for plan in plans), plans
    # What was carried out twice is found by an index of its own, and leads to its few tickets.
    indexes = ("ticket_gone", "ticket_twin", "change_doubled")
    assert all(any(name in plan for name in indexes) for plan in plans), plans


def _plans(do: Callable[[], object], part: str) -> list[str]:
    """How the database answers what is asked meanwhile, of the statements with this part."""
    with noted() as asked:
        do()
    return [plan for one in asked if part in one.sql for plan in (one.plan, one.general_plan)]


def test_new_tickets_travel_beside_them_as_ever() -> None:
    world = World()
    existing.fill(world.connection, 5)

    raised = world.desk.person_creates(subject="one")
    world.run()
    world.desk.person_sets(raised, subject="two")
    world.run()

    assert world.board.tickets[world.twin(world.desk_row, raised)].fields["summary"] == "two"
    assert LinkedTicket.objects.count() == 6
