"""One meaning of a pause, whatever is paused: changes are collected, nothing travels, and then all does in its order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integrations.models import Connection, Lane, LinkedTicket, Side, System
from integrations.services import connections, systems
from integrations.services import queue as lanes
from integrations.services import tickets as matters
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db

Switch = tuple[Callable[[World], object], Callable[[World], object]]


def _side(world: World, system: System) -> Side:
    return Side.objects.get(connection=world.connection, system=system)


def _lane(world: World) -> Lane:
    return Lane.objects.get(system=world.board_row)


PAUSES: dict[str, Switch] = {
    "the linked ticket": (
        lambda world: matters.pause_ticket(LinkedTicket.objects.get()),
        lambda world: matters.resume_ticket(LinkedTicket.objects.get()),
    ),
    "the connection": (
        lambda world: connections.pause_connection(Connection.objects.get()),
        lambda world: connections.resume_connection(Connection.objects.get()),
    ),
    "the sender's side": (
        lambda world: connections.pause_side(_side(world, world.desk_row), "Holiday"),
        lambda world: connections.resume_side(_side(world, world.desk_row)),
    ),
    "the receiver's side": (
        lambda world: connections.pause_side(_side(world, world.board_row), "Move"),
        lambda world: connections.resume_side(_side(world, world.board_row)),
    ),
    "the sender's system": (
        lambda world: systems.pause_system(System.objects.get(pk=world.desk_row.pk)),
        lambda world: systems.resume_system(System.objects.get(pk=world.desk_row.pk)),
    ),
    "the receiver's system": (
        lambda world: systems.pause_system(System.objects.get(pk=world.board_row.pk)),
        lambda world: systems.resume_system(System.objects.get(pk=world.board_row.pk)),
    ),
    "the lane": (
        lambda world: lanes.hold_lane(_lane(world), now=world.clock.now()),
        lambda world: lanes.resume_lane(_lane(world), now=world.clock.now()),
    ),
}


@pytest.mark.parametrize("what", PAUSES)
def test_what_happens_during_a_pause_is_collected_and_arrives_in_its_order_after_it(what: str) -> None:
    world = World()
    raised = world.desk.person_creates(subject="one")
    world.run()
    twin = world.twin(world.desk_row, raised)
    before = writes(world.board.calls)
    pause, resume = PAUSES[what]

    pause(world)
    for number in range(4):
        world.desk.person_comments(raised, f"comment {number}")
        world.desk.person_sets(raised, subject=f"subject {number}")
    world.run(hours=30)
    assert writes(world.board.calls) == before

    resume(world)
    world.run()
    texts = [text.split("\n")[-1] for text in world.board.texts(twin)]
    assert texts == [f"comment {number}" for number in range(4)]
    assert world.board.tickets[twin].fields["summary"] == "subject 3"
    assert world.waiting() == []


@pytest.mark.parametrize("what", [what for what in PAUSES if what not in ("the linked ticket", "the lane")])
def test_a_ticket_raised_during_a_pause_is_made_after_it(what: str) -> None:
    world = World()
    LinkedTicket.objects.all().delete()
    pause, resume = PAUSES[what]

    pause(world)
    raised = world.desk.person_creates(subject="meanwhile")
    world.run(hours=30)
    assert writes(world.board.calls) == []

    resume(world)
    world.run()
    assert world.board.tickets[world.twin(world.desk_row, raised)].fields["summary"] == "meanwhile"
