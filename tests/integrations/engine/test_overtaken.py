"""What comes too late: the sender hears what stands instead, and no decision is carried out that no longer holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from integrations.engine import effects
from integrations.engine.ports import Context
from integrations.engine.read import read_ticket
from integrations.models import Connection, Delivery, Lane, ValueMap, ValuePair
from integrations.services.queue import skip_delivery
from tests.integrations.engine.fakes import FakeSystem
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db

ONWARD = [("To Do", "To Do"), ("In Progress", "Open"), ("Done", "Done")]


class Chain:
    """Desk, board and yard; the yard knows two words for what the board calls In Progress."""

    def __init__(self) -> None:
        self.world = World()
        self.yard: FakeSystem
        self.yard, yard_row = self.world.add_system("Global", "yard", "jira", {"status": "To Do"})
        onward: Connection = self.world.connect(self.world.board_row, yard_row, statuses=ONWARD)
        out = ValueMap.objects.get(
            mapping_set__side__system=yard_row, mapping_set__direction="outgoing", name="status"
        )
        ValuePair.objects.create(value_map=out, source="Started", target="In Progress")
        self.first = self.world.desk.person_creates(subject="one", status="open")
        self.world.run()
        self.middle = self.world.twin(self.world.desk_row, self.first)
        self.last = self.world.twin(self.world.board_row, self.middle, over=onward)

    def statuses(self) -> tuple[object, object, object]:
        """The status in each system, first to last."""
        return (
            self.world.desk.tickets[self.first].fields["status"],
            self.world.board.tickets[self.middle].fields["status"],
            self.yard.tickets[self.last].fields["status"],
        )

    def hold_up_the_desk(self) -> None:
        """The desk's next changes are read only when somebody hints at them."""
        self.world.desk.on_change = lambda remote_id: None


def test_a_change_overtaken_by_a_value_that_stood_there_already_gives_way_at_its_source_too() -> None:
    chain = Chain()
    world = chain.world
    chain.hold_up_the_desk()
    world.desk.person_sets(chain.first, status="solved")
    world.clock.advance(10)
    chain.yard.person_sets(chain.last, status="Started")
    world.run()
    # Nothing was written at the board, so nobody at the desk could have heard of it.
    assert writes(world.board.calls[-2:]) == []
    world.hint(world.desk_row, chain.first)
    world.run()
    assert chain.statuses() == ("open", "In Progress", "Started")
    assert world.waiting() == []
    told = Delivery.objects.get(lane__system=world.desk_row, operation="update")
    assert (told.envelope, told.state, told.number) == (
        {"fields": {"status": "open"}, "changed": ["status"]},
        "done",
        1,
    )


def test_a_late_write_that_covers_such_a_value_is_repaired_and_its_sender_hears_of_it() -> None:
    chain = Chain()
    world = chain.world
    world.board.faults.append("late")
    world.desk.person_sets(chain.first, status="solved")
    world.clock.advance(1)
    chain.yard.on_change = lambda remote_id: None
    world.clock.advance(10)
    chain.yard.person_sets(chain.last, status="Started")
    yard_row = Lane.objects.exclude(system__in=[world.desk_row, world.board_row]).get().system
    world.hint(yard_row, chain.last)
    world.run()
    assert chain.statuses() == ("open", "In Progress", "Started")
    assert world.waiting() == []


def test_everybody_hears_of_a_value_that_stood_there_by_a_late_write_when_it_was_set_anew() -> None:
    chain = Chain()
    world = chain.world
    world.board.faults.append("late")
    chain.yard.person_sets(chain.last, status="Done")
    world.run(hours=2 / 3600)
    world.desk.person_sets(chain.first, status="new")
    world.run(hours=6 / 3600)
    assert chain.statuses() == ("new", "To Do", "To Do")
    # Read in time, but what it says waits behind the write whose outcome is unknown.
    chain.yard.person_sets(chain.last, status="Done")
    world.run()
    # The board holds the yard's first “Done”, which came too late and covered what the desk knows to stand.
    assert chain.statuses() == ("solved", "Done", "Done")
    assert world.waiting() == []


def test_a_newer_change_that_is_on_its_way_already_is_written_once() -> None:
    chain = Chain()
    world = chain.world
    chain.hold_up_the_desk()
    world.desk.person_sets(chain.first, subject="from the desk")
    world.clock.advance(10)
    world.board.person_sets(chain.middle, summary="from the board")
    world.desk.calls.clear()
    world.hint(world.desk_row, chain.first)
    world.run()
    assert world.desk.tickets[chain.first].fields["subject"] == "from the board"
    assert writes(world.desk.calls) == [f"update {chain.first} ['subject']"]


class Interrupted:
    """Lets something happen just before the first delivery to the board from now on is ended."""

    def __init__(self, world: World, happens: Any) -> None:
        self.happens = happens
        self.is_over = False
        self.lane_id = Lane.objects.get(system=world.board_row).pk
        world.kill_before = self

    def __call__(self, effect: Any) -> bool:
        asked = effect if isinstance(effect, tuple) else ()
        ends = [one for one in asked if isinstance(one, effects.Finish) and one.lane_id == self.lane_id]
        if ends and not self.is_over:
            self.is_over = True
            self.happens()
        return False


def test_what_was_found_equal_is_looked_at_again_when_it_has_changed_before_it_is_accepted() -> None:
    world = World()
    raised = world.desk.person_creates(subject="one", status="new")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.person_sets(twin, status="In Progress")
    world.board.on_change = lambda remote_id: None
    world.clock.advance(60)
    world.desk.person_sets(raised, status="open")

    def the_board_changes() -> None:
        # Its clock is behind: the change is older than the desk's although it comes later.
        world.clock.advance(-30)
        world.board.person_sets(twin, status="Done")
        world.clock.advance(30)
        world.hint(world.board_row, twin)
        _, readings = world.store.claim("another", world.clock.now(), 60, 20)
        for reading in readings:
            world.run_fiber(read_ticket(reading, Context(world.clock, world.random, world)))

    happened = Interrupted(world, the_board_changes)
    world.run()
    assert happened.is_over
    board, desk = world.board.tickets[twin].fields["status"], world.desk.tickets[raised].fields["status"]
    assert (desk, board) == ("open", "In Progress")
    assert world.waiting() == []


def test_a_delivery_that_a_person_has_skipped_meanwhile_does_not_move_the_lane_twice() -> None:
    world = World()
    raised = world.desk.person_creates(subject="one", status="new")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.person_sets(twin, summary="two")
    world.run()
    # The board holds this already: there is nothing to write, only to accept.
    world.desk.person_sets(raised, subject="two!")
    world.desk.person_sets(raised, subject="two")
    world.desk.person_comments(raised, "Look again.")

    def a_person_skips() -> None:
        lane = Lane.objects.get(system=world.board_row)
        head = lane.deliveries.get(number=lane.head)
        result = skip_delivery(
            head, "not needed", now=world.clock.now() + timedelta(minutes=2), even_if_unverified=True
        )
        assert result.is_done, result.message

    happened = Interrupted(world, a_person_skips)
    world.run()
    assert happened.is_over
    lane = Lane.objects.get(system=world.board_row)
    assert lane.head == lane.tail + 1
    assert set(lane.deliveries.values_list("state", flat=True)) == {"done", "skipped"}
    assert world.board.texts(twin) == ["Mina\nLook again."]
