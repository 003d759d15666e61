"""A change is written without reading its ticket first only where that reading would tell nothing new."""

from __future__ import annotations

from functools import partial

import pytest

from integrations.models import Attempt, Delivery, System
from tests.integrations.engine.fakes import OUR_ACCOUNT, FakeSystem
from tests.integrations.engine.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """Web hooks that name their actor: those of our own writes are not taken."""
    found = World()
    for fake, row in ((found.desk, found.desk_row), (found.board, found.board_row)):
        fake.on_change = partial(_tell, found, fake, row)
    return found


def _tell(world: World, fake: FakeSystem, row: System, remote_id: str) -> None:
    if fake.tickets[remote_id].history[-1].actor.id != OUR_ACCOUNT:
        world.hint(row, remote_id)


def carry(world: World, *, rounds: int = 20) -> None:
    """Carry what is due at this moment; what is read back later waits."""
    for _ in range(rounds):
        if not world.step():
            return


def raised(world: World) -> tuple[str, str]:
    """A linked ticket that was created this moment: its ids on the desk and on the board."""
    ticket = world.desk.person_creates(subject="one")
    carry(world)
    world.board.calls.clear()
    return ticket, world.twin(world.desk_row, ticket)


def ends(world: World, ticket: str, twin: str) -> tuple[object, object]:
    """What both systems hold once everything is at rest."""
    world.run()
    assert world.waiting() == []
    return world.desk.tickets[ticket].fields["subject"], world.board.tickets[twin].fields["summary"]


def test_a_change_right_after_a_reading_is_one_call(world: World) -> None:
    ticket, twin = raised(world)
    world.desk.person_sets(ticket, subject="two")
    carry(world)
    assert world.board.calls == [f"update {twin} ['summary']"]
    assert ends(world, ticket, twin) == ("two", "two")
    # It is read back afterwards all the same, and nothing is written for it.
    assert world.board.calls == [f"update {twin} ['summary']", f"history {twin}"]


def test_a_change_some_time_after_the_last_reading_is_read_for_first(world: World) -> None:
    ticket, twin = raised(world)
    world.clock.advance(2)
    world.desk.person_sets(ticket, subject="two")
    carry(world)
    assert world.board.calls == [f"history {twin}", f"update {twin} ['summary']"]


def test_a_value_that_comes_back_before_our_write_was_read_back_is_written(world: World) -> None:
    ticket, twin = raised(world)
    for subject in ("two", "one"):
        world.desk.person_sets(ticket, subject=subject)
        carry(world)
    assert ends(world, ticket, twin) == ("one", "one")
    summaries = [change.fields["summary"] for change in world.board.tickets[twin].history]
    assert summaries == ["one", "two", "one"]


def test_a_change_that_somebody_told_of_is_read_before_anything_is_written(world: World) -> None:
    ticket, twin = raised(world)
    world.board.person_sets(twin, by="Ravi", summary="from the board")
    world.clock.advance(0.01)
    world.desk.person_sets(ticket, subject="from the desk")
    carry(world)
    assert world.board.calls[0] == f"history {twin}"
    assert ends(world, ticket, twin) == ("from the desk", "from the desk")


@pytest.mark.parametrize("guards", [False, True])
def test_a_newer_edit_that_nobody_told_of_wins_on_both_sides(world: World, guards: bool) -> None:
    world.board.guards = guards
    ticket, twin = raised(world)
    world.desk.person_sets(ticket, subject="from the desk")
    world.clock.advance(0.01)
    world.hints_arrive = False
    world.board.person_sets(twin, by="Ravi", summary="from the board")
    world.hints_arrive = True
    assert ends(world, ticket, twin) == ("from the board", "from the board")


@pytest.mark.parametrize("guards", [False, True])
def test_an_edit_of_another_field_in_the_same_moment_is_not_missed(world: World, guards: bool) -> None:
    world.board.guards = guards
    ticket, twin = raised(world)
    world.hints_arrive = False
    world.board.person_sets(twin, by="Ravi", status="Done")
    world.hints_arrive = True
    world.desk.person_sets(ticket, subject="two")
    assert ends(world, ticket, twin) == ("two", "two")
    assert world.desk.tickets[ticket].fields["status"] == "solved"


def test_a_status_is_only_written_on_a_reading(world: World) -> None:
    ticket, twin = raised(world)
    world.desk.person_sets(ticket, status="open")
    carry(world)
    assert world.board.calls == [f"history {twin}", f"update {twin} ['status']"]


def test_a_system_that_compares_needs_no_reading_however_old_the_last_one_is(world: World) -> None:
    world.board.guards = True
    ticket, twin = raised(world)
    world.run()
    world.board.calls.clear()
    world.clock.advance(3600)
    for status, subject in (("open", "two"), ("solved", "three")):
        world.desk.person_sets(ticket, status=status, subject=subject)
        carry(world)
    assert world.board.calls == [f"update {twin} ['status', 'summary']"] * 2
    assert ends(world, ticket, twin) == ("three", "three")


def test_what_a_comparing_system_refuses_as_outdated_is_read_and_sent_again(world: World) -> None:
    world.board.guards = True
    ticket, twin = raised(world)
    world.run()
    world.hints_arrive = False
    world.board.person_sets(twin, by="Ravi", summary="from the board")
    world.hints_arrive = True
    world.board.calls.clear()
    world.clock.advance(3600)
    world.desk.person_sets(ticket, subject="from the desk")
    carry(world)
    assert world.board.calls[:3] == [
        f"conflict {twin}",
        f"history {twin}",
        f"update {twin} ['summary']",
    ]
    outcomes = Attempt.objects.filter(delivery__operation="update").order_by("number")
    assert list(outcomes.values_list("outcome", flat=True)) == ["retry", "done"]
    assert ends(world, ticket, twin) == ("from the desk", "from the desk")


def test_what_is_refused_without_a_reading_is_tried_on_one_before_a_person_is_asked(world: World) -> None:
    ticket, twin = raised(world)
    world.board.faults.append("400")
    world.desk.person_sets(ticket, subject="two")
    carry(world)
    assert world.board.calls == [
        f"update {twin} ['summary']",
        f"history {twin}",
        f"update {twin} ['summary']",
    ]
    assert ends(world, ticket, twin) == ("two", "two")


def test_a_write_whose_outcome_is_unknown_is_read_for_before_the_next(world: World) -> None:
    ticket, twin = raised(world)
    world.board.faults.append("lost_after")
    world.desk.person_sets(ticket, subject="two")
    carry(world)
    world.desk.person_sets(ticket, subject="three")
    assert ends(world, ticket, twin) == ("three", "three")
    summaries = [change.fields["summary"] for change in world.board.tickets[twin].history]
    assert summaries == ["one", "two", "three"]


def test_changes_that_wait_together_still_go_out_in_one_write(world: World) -> None:
    ticket, twin = raised(world)
    world.desk.person_sets(ticket, subject="two")
    world.clock.advance(0.01)
    world.desk.person_sets(ticket, status="open")
    carry(world)
    assert world.board.calls == [f"history {twin}", f"update {twin} ['status', 'summary']"]
    assert Delivery.objects.filter(state="done").count() == 3


def test_what_waits_behind_a_reading_of_this_moment_needs_no_other(world: World) -> None:
    world.board.guards = True
    ticket = world.desk.person_creates(subject="one")
    carry(world, rounds=1)
    for fields in ({"subject": "two"}, {"status": "open"}):
        world.desk.person_sets(ticket, **fields)
        world.clock.advance(0.01)
    carry(world)
    twin = world.twin(world.desk_row, ticket)
    assert world.board.calls == ["create", f"history {twin}", f"update {twin} ['status', 'summary']"]
    assert ends(world, ticket, twin) == ("two", "two")


@pytest.mark.parametrize("guards", [False, True])
def test_two_values_of_one_field_are_both_written_in_their_order(world: World, guards: bool) -> None:
    world.board.guards = guards
    ticket, twin = raised(world)
    for subject in ("two", "three"):
        world.desk.person_sets(ticket, subject=subject)
        world.clock.advance(0.01)
    assert ends(world, ticket, twin) == ("three", "three")
    summaries = [change.fields["summary"] for change in world.board.tickets[twin].history]
    assert summaries == ["one", "two", "three"]
