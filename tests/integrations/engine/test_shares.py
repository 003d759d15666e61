"""Updates that wait behind one another go out in one write, and nothing of them is left out or moved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from integrations.engine import effects
from integrations.models import Attempt, Delivery, FieldRule, MappingSet
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


def linked(world: World) -> tuple[str, str]:
    """A ticket on both sides, nothing waiting."""
    raised = world.desk.person_creates(subject="one", status="new")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.calls.clear()
    return raised, twin


def history(world: World, twin: str) -> list[dict[str, Any]]:
    """What the receiver's system saw after the ticket was made."""
    return [dict(change.fields) for change in world.board.tickets[twin].history[1:]]


def ends() -> list[tuple[str, list[str]]]:
    """Every update's state with the outcomes of its attempts."""
    updates = Delivery.objects.filter(operation="update").order_by("number")
    return [
        (one.state, list(one.attempts.order_by("number").values_list("outcome", flat=True)))
        for one in updates
    ]


def test_updates_of_different_fields_that_wait_share_one_write_and_keep_their_own_attempts(
    world: World,
) -> None:
    raised, twin = linked(world)
    world.desk.person_sets(raised, status="open")
    world.desk.person_sets(raised, subject="two")
    world.run()
    assert writes(world.board.calls) == [f"update {twin} ['status', 'summary']"]
    assert history(world, twin) == [{"status": "In Progress", "summary": "two"}]
    assert ends() == [("done", ["done"]), ("done", ["done"])]
    assert list(
        Delivery.objects.filter(operation="update").order_by("number").values("wanted", "pre_image")
    ) == [
        {"wanted": {"status": "In Progress"}, "pre_image": {"status": "To Do"}},
        {"wanted": {"summary": "two"}, "pre_image": {"summary": "one"}},
    ]


def test_every_value_of_a_field_is_written_in_its_turn(world: World) -> None:
    raised, twin = linked(world)
    world.desk.person_sets(raised, subject="two")
    world.desk.person_sets(raised, status="open")
    world.desk.person_sets(raised, subject="three")
    world.desk.person_sets(raised, status="solved")
    world.run()
    assert history(world, twin) == [
        {"summary": "two", "status": "In Progress"},
        {"summary": "three", "status": "Done"},
    ]


def test_a_field_that_goes_back_and_forth_ends_where_it_was_left(world: World) -> None:
    raised, twin = linked(world)
    for subject in ("two", "one", "two", "one"):
        world.desk.person_sets(raised, subject=subject)
    world.run()
    assert history(world, twin) == [{"summary": name} for name in ("two", "one", "two", "one")]


def test_no_update_passes_one_that_found_its_value_there_as_long_as_that_is_not_stored(world: World) -> None:
    raised, twin = linked(world)
    world.board.person_sets(twin, status="In Progress")
    world.board.on_change = lambda remote_id: None
    world.clock.advance(60)
    world.desk.person_sets(raised, status="open")
    world.desk.person_sets(raised, subject="two")
    # The write is carried out, and nobody hears of it.
    world.board.faults.append("lost_after")

    def the_board_changes(effect: effects.Effect) -> bool:
        if isinstance(effect, effects.UpdateTicket) and len(history(world, twin)) == 2:
            # Its clock is behind: what somebody sets there now is older than what the desk has sent.
            world.clock.advance(-30)
            world.board.person_sets(twin, status="To Do")
            world.clock.advance(30)
        return False

    world.kill_after = the_board_changes
    world.run()
    assert history(world, twin) == [{"status": "In Progress"}, {"summary": "two"}, {"status": "To Do"}]
    assert world.desk.tickets[raised].fields["status"] == "new"
    assert world.waiting() == []


def test_no_update_passes_a_comment(world: World) -> None:
    raised, twin = linked(world)
    world.desk.person_sets(raised, subject="two")
    world.desk.person_comments(raised, "Look again.")
    world.desk.person_sets(raised, status="open")
    world.run()
    assert writes(world.board.calls) == [
        f"update {twin} ['summary']",
        f"comment {twin}",
        f"update {twin} ['status']",
    ]


def test_updates_that_follow_a_new_ticket_are_written_after_one_look_at_it(world: World) -> None:
    raised = world.desk.person_creates(subject="one", status="new")
    world.desk.person_sets(raised, subject="two")
    world.desk.person_sets(raised, status="open")
    world.run()
    assert [call for call in world.board.calls if not call.startswith("find")] == [
        "create",
        "history 1",
        "update 1 ['status', 'summary']",
        "history 1",
    ]


@pytest.mark.parametrize("gives_markers", [True, False])
def test_updates_behind_a_new_ticket_whose_outcome_is_unknown_are_looked_for_first(
    world: World, gives_markers: bool
) -> None:
    world.board.gives_markers = gives_markers
    # The ticket is made, the write behind it is carried out long after its answer was given up.
    world.board.faults.extend([None, "late"])
    raised = world.desk.person_creates(subject="one", status="new")
    world.desk.person_sets(raised, subject="two")
    world.desk.person_sets(raised, status="open")
    world.run()
    assert writes(world.board.calls) == ["create", "update 1 ['status', 'summary']"]
    assert history(world, "1") == [{"status": "In Progress", "summary": "two"}]
    assert world.waiting() == []


def test_what_is_refused_in_company_is_tried_alone_and_only_the_odd_one_stops(world: World) -> None:
    raised, twin = linked(world)
    world.board.faults.extend(["400", None, "400"])
    world.desk.person_sets(raised, subject="two")
    world.desk.person_sets(raised, status="open")
    world.run()
    assert writes(world.board.calls) == [
        f"update {twin} ['status', 'summary']",
        f"update {twin} ['summary']",
        f"update {twin} ['status']",
    ]
    assert history(world, twin) == [{"summary": "two"}]
    assert ends() == [("done", ["refused", "done"]), ("new", ["refused", "refused"])]
    assert world.waiting() == [("parked", "invalid")]


def test_once_refused_in_company_none_of_them_goes_in_company_again(world: World) -> None:
    for side in world.connection.sides.all():
        for rules in MappingSet.objects.filter(side=side):
            FieldRule.objects.create(mapping_set=rules, source="place", target="place", transform="copy")
    raised, twin = linked(world)
    began = world.clock.now()
    world.board.faults.extend(["400", None, "503"])
    world.desk.person_sets(raised, subject="two")
    world.desk.person_sets(raised, status="open")
    world.desk.person_sets(raised, place="Hamburg")
    world.run()
    assert writes(world.board.calls) == [
        f"update {twin} ['place', 'status', 'summary']",
        f"update {twin} ['summary']",
        f"update {twin} ['status']",
        f"update {twin} ['status']",
        f"update {twin} ['place']",
    ]
    assert world.waiting() == []
    # Nothing of what was refused is there, so nobody waits for it to turn up.
    assert world.clock.now() - began < timedelta(seconds=60)


def test_a_value_that_no_rule_knows_stops_the_lane_behind_those_before_it(world: World) -> None:
    raised, twin = linked(world)
    world.desk.person_sets(raised, subject="two")
    world.desk.person_sets(raised, status="waiting for spare parts")
    world.desk.person_sets(raised, subject="three")
    world.run()
    assert history(world, twin) == [{"summary": "two"}]
    assert world.waiting() == [("parked", "unmapped_value")]


def test_what_the_receivers_people_set_later_is_not_covered_by_a_share(world: World) -> None:
    raised, twin = linked(world)
    world.hints_arrive = False
    world.desk.person_sets(raised, subject="two")
    world.desk.person_sets(raised, status="open")
    world.clock.advance(5)
    world.board.person_sets(twin, by="Ravi", status="Done")
    world.hints_arrive = True
    world.hint(world.desk_row, raised)
    world.run()
    assert world.board.tickets[twin].fields == {"summary": "two", "status": "Done", "rank": "9"}
    assert world.desk.tickets[raised].fields == {"subject": "two", "status": "solved"}


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [
        ("503", ["retry", "done"]),
        ("429", ["retry", "done"]),
        ("lost_before", ["unknown", "done"]),
        ("lost_after", ["unknown"]),
        ("late", ["unknown"]),
    ],
)
@pytest.mark.parametrize("gives_markers", [True, False])
def test_a_fault_at_a_shared_write_doubles_and_loses_nothing(
    world: World, fault: str, outcomes: list[str], gives_markers: bool
) -> None:
    raised, twin = linked(world)
    world.board.gives_markers = gives_markers
    world.board.faults.append(fault)
    world.desk.person_sets(raised, subject="two")
    world.desk.person_sets(raised, status="open")
    world.run()
    changes = history(world, twin)
    assert {name: value for change in changes for name, value in change.items()} == {
        "summary": "two",
        "status": "In Progress",
    }
    assert sorted(name for change in changes for name in change) == ["status", "summary"]
    assert ends() == [("done", outcomes), ("done", outcomes)]
    assert world.waiting() == []
    assert world.desk.tickets[raised].fields == {"subject": "two", "status": "open"}
    assert not Attempt.objects.filter(outcome="started").exists()
