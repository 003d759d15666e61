"""What a write replaced is put back where that write still stands, and only there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import transaction

from integrations.canonical import Value
from integrations.engine.ports import Context
from integrations.engine.read import read_ticket
from integrations.engine.values import Winner, stamp_from
from integrations.models import Attempt, Delivery, Lane, Ticket
from integrations.store import undoing
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db

FAULTS = ["503", "lost_before", "lost_after", "late"]


def undo(world: World, delivery: Delivery, **instead: Value) -> Delivery:
    """Queue the undoing of one delivery, as it stands now; `instead` are other values to put back."""
    with transaction.atomic():
        lane = Lane.objects.select_for_update().get(pk=delivery.lane_id)
        ticket = Ticket.objects.get(pk=delivery.target_id)
        fields = {**delivery.pre_image, **instead}
        held = {
            name: Winner(delivery.wanted[name], stamp_from(ticket.winners.get(name) or delivery.stamp))
            for name in fields
        }
        return undoing.queue(lane, ticket, fields, held, world.clock.now())


def written(world: World) -> tuple[str, str, Delivery]:
    """A ticket, its twin, and the delivery that changed two fields of the twin."""
    raised = world.desk.person_creates(subject="one", status="open")
    world.run()
    world.desk.person_sets(raised, subject="two", status="solved")
    world.run()
    delivery = Delivery.objects.get(operation="update", lane__system=world.board_row)
    assert delivery.pre_image == {"summary": "one", "status": "In Progress"}
    world.clock.advance(5)
    return raised, world.twin(world.desk_row, raised), delivery


def fields_of(world: World, raised: str, twin: str) -> list[Mapping[str, Any]]:
    return [world.desk.tickets[raised].fields, world.board.tickets[twin].fields]


def result(revert: Delivery) -> tuple[str, Mapping[str, str]]:
    revert.refresh_from_db()
    return revert.state, revert.result.get("undone", {})


BEFORE = {"summary": "one", "status": "In Progress", "rank": "9"}
SENDER = {"subject": "two", "status": "solved"}


def test_what_was_replaced_is_put_back_and_does_not_return_to_its_sender() -> None:
    world = World()
    raised, twin, delivery = written(world)
    asked = len(world.desk.calls)
    revert = undo(world, delivery)
    world.run()
    assert fields_of(world, raised, twin) == [SENDER, BEFORE]
    assert result(revert) == ("done", {"summary": "put_back", "status": "put_back"})
    assert revert.pre_image == {"summary": "two", "status": "Done"}
    assert writes(world.desk.calls[asked:]) == []
    assert Delivery.objects.count() == 3
    assert world.waiting() == []


def test_what_a_person_has_edited_since_is_left_alone() -> None:
    world = World()
    _raised, twin, delivery = written(world)
    revert = undo(world, delivery)
    world.board.person_sets(twin, by="Ravi", summary="Ravi's own words")
    world.run()
    assert world.board.tickets[twin].fields == {**BEFORE, "summary": "Ravi's own words"}
    assert result(revert) == ("done", {"summary": "left", "status": "put_back"})


def test_what_was_edited_before_the_undoing_was_queued_is_left_alone() -> None:
    world = World()
    raised, twin, delivery = written(world)
    world.board.person_sets(twin, by="Ravi", summary="Ravi's own words")
    world.run()
    revert = undo(world, delivery)
    world.run()
    assert fields_of(world, raised, twin) == [
        {**SENDER, "subject": "Ravi's own words"},
        {**BEFORE, "summary": "Ravi's own words"},
    ]
    assert result(revert) == ("done", {"summary": "left", "status": "put_back"})


def test_a_field_that_was_set_to_something_else_and_back_is_left_alone() -> None:
    world = World()
    _raised, twin, delivery = written(world)
    revert = undo(world, delivery)
    for status in ("In Progress", "Done"):
        world.board.person_sets(twin, by="Ravi", summary="two", status=status)
    world.run()
    assert world.board.tickets[twin].fields == {**BEFORE, "status": "Done"}
    assert result(revert) == ("done", {"summary": "put_back", "status": "left"})


def test_a_change_that_waits_ahead_is_written_first_and_stays() -> None:
    world = World()
    raised, twin, delivery = written(world)
    world.desk.person_sets(raised, subject="three")
    context = Context(world.clock, world.random, world)
    for reading in world.store.claim("worker", world.clock.now(), 60, 20)[1]:
        world.run_fiber(read_ticket(reading, context))
    revert = undo(world, delivery)
    assert (Lane.objects.get(pk=delivery.lane_id).head, revert.number) == (3, 4)
    world.run()
    assert world.board.tickets[twin].fields == {**BEFORE, "summary": "three"}
    assert result(revert) == ("done", {"summary": "left", "status": "put_back"})


def test_a_newer_change_of_the_sender_is_written_after_the_undoing() -> None:
    world = World()
    raised, twin, delivery = written(world)
    undo(world, delivery)
    world.clock.advance(1)
    world.desk.person_sets(raised, subject="three")
    world.run()
    assert world.board.tickets[twin].fields == {**BEFORE, "summary": "three"}


def test_the_old_value_that_somebody_has_put_back_already_is_not_written_again() -> None:
    world = World()
    _raised, twin, delivery = written(world)
    world.board.person_sets(twin, by="Ravi", summary="one", status="In Progress")
    world.run()
    asked = len(world.board.calls)
    revert = undo(world, delivery)
    world.run()
    assert result(revert) == ("done", {"summary": "stood", "status": "stood"})
    assert writes(world.board.calls[asked:]) == []


def test_undoing_an_undoing_writes_again_what_it_had_put_back() -> None:
    world = World()
    raised, twin, delivery = written(world)
    revert = undo(world, delivery)
    world.run()
    revert.refresh_from_db()
    world.clock.advance(5)
    again = undo(world, revert)
    world.run()
    assert fields_of(world, raised, twin) == [SENDER, {"summary": "two", "status": "Done", "rank": "9"}]
    assert result(again) == ("done", {"summary": "put_back", "status": "put_back"})


def test_queued_twice_it_is_put_back_once() -> None:
    world = World()
    raised, twin, delivery = written(world)
    asked = len(world.board.calls)
    first, second = undo(world, delivery), undo(world, delivery)
    world.run()
    assert fields_of(world, raised, twin) == [SENDER, BEFORE]
    assert result(first) == ("done", {"summary": "put_back", "status": "put_back"})
    assert result(second) == ("done", {"summary": "stood", "status": "stood"})
    assert len(writes(world.board.calls[asked:])) == 1


def test_it_is_carried_on_over_the_other_connections_of_the_ticket() -> None:
    world = World()
    depot, depot_row = world.add_system("Global", "depot", "zendesk", {"status": "new"})
    over = world.connect(
        world.board_row, depot_row, statuses=[("To Do", "new"), ("In Progress", "open"), ("Done", "solved")]
    )
    raised, twin, delivery = written(world)
    far = world.twin(world.board_row, twin, over=over)
    assert depot.tickets[far].fields == {"subject": "two", "status": "solved"}
    undo(world, delivery)
    world.run()
    assert fields_of(world, raised, twin) == [SENDER, BEFORE]
    assert depot.tickets[far].fields == {"subject": "one", "status": "open"}
    assert world.waiting() == []


def test_a_value_that_the_system_does_not_take_back_is_told_and_the_lane_goes_on() -> None:
    world = World()
    raised, twin, delivery = written(world)
    world.board.faults.append("400")
    revert = undo(world, delivery)
    world.run()
    world.desk.person_sets(raised, subject="three")
    world.run()
    assert world.board.tickets[twin].fields == {"summary": "three", "status": "Done", "rank": "9"}
    revert.refresh_from_db()
    assert (revert.state, revert.skipped_reason) == ("skipped", "It does not take that value.")
    assert [one.outcome for one in Attempt.objects.filter(delivery=revert)] == ["refused"]
    assert revert.pre_image == {}


def test_undoings_that_follow_one_another_go_out_in_one_write_and_a_refused_one_does_not_stop_the_other() -> (
    None
):
    world = World()
    _raised, twin, delivery = written(world)
    world.board.faults.extend(["400", "400"])
    reverts = []
    for name in ("summary", "status"):
        whole = dict(delivery.pre_image)
        delivery.pre_image = {name: whole[name]}
        reverts.append(undo(world, delivery))
        delivery.pre_image = whole
    asked = len(world.board.calls)
    world.run()
    assert writes(world.board.calls[asked:]) == [
        f"update {twin} ['status', 'summary']", f"update {twin} ['summary']", f"update {twin} ['status']",
    ]  # fmt: skip
    assert [result(one)[0] for one in reverts] == ["skipped", "done"]
    assert world.board.tickets[twin].fields == {"summary": "two", "status": "In Progress", "rank": "9"}


@pytest.mark.parametrize("skew_s", [0, 3600])
def test_an_edit_between_the_look_and_the_write_wins_even_by_a_slow_clock(skew_s: int) -> None:
    world = World()
    raised, twin, delivery = written(world)
    undo(world, delivery)

    def edit(effect: object) -> bool:
        if type(effect).__name__ == "UpdateTicket":
            world.kill_before = lambda later: False
            world.clock.advance(-skew_s)
            world.board.person_sets(twin, by="Ravi", summary="Ravi's own words")
            world.clock.advance(skew_s)
        return False

    world.kill_before = edit
    world.run()
    assert world.board.tickets[twin].fields == {**BEFORE, "summary": "Ravi's own words"}
    assert world.desk.tickets[raised].fields == {**SENDER, "subject": "Ravi's own words"}
    assert world.waiting() == []


def test_a_step_of_the_workflow_on_the_way_back_is_no_news_and_no_edit() -> None:
    world = World()
    raised, twin, delivery = written(world)
    world.board.steps["In Progress"] = ["To Do"]
    revert = undo(world, delivery)
    world.run()
    assert fields_of(world, raised, twin) == [SENDER, BEFORE]
    assert result(revert) == ("done", {"summary": "put_back", "status": "put_back"})


def test_a_ticket_that_another_one_goes_on_from_is_not_touched() -> None:
    world = World()
    _raised, twin, delivery = written(world)
    revert = undo(world, delivery)
    revert.envelope["on"] = 0
    revert.save()
    world.run()
    assert result(revert) == ("skipped", {})
    assert world.board.tickets[twin].fields == {"summary": "two", "status": "Done", "rank": "9"}


# Killed anywhere, answers lost.


def undone(world: World, twin: str, raised: str, revert: Delivery) -> dict[str, Any]:
    puts_back = [one for one in world.board.tickets[twin].history if one.fields.get("summary") == "one"]
    return {
        "fields": fields_of(world, raised, twin),
        "result": result(revert),
        "written": len(puts_back),
        "before": revert.pre_image,
        "waiting": world.waiting(),
        "deliveries": Delivery.objects.count(),
    }


UNDONE = {
    "fields": [SENDER, BEFORE],
    "result": ("done", {"summary": "put_back", "status": "put_back"}),
    # By us once, after the ticket's creation.
    "written": 2,
    "before": {"summary": "two", "status": "Done"},
    "waiting": [],
    "deliveries": 3,
}


@pytest.mark.parametrize("place", range(16))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_any_point_undoes_it_exactly_once(place: int, moment: str) -> None:
    world = World()
    raised, twin, delivery = written(world)
    revert = undo(world, delivery)
    seen = iter(range(10_000))

    def kill(effect: object) -> bool:
        return next(seen) == place

    setattr(world, f"kill_{moment}", kill)
    world.run()
    assert undone(world, twin, raised, revert) == UNDONE


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("gives_markers", [True, False])
def test_a_lost_answer_undoes_it_exactly_once(fault: str, gives_markers: bool) -> None:
    world = World()
    world.board.gives_markers = gives_markers
    raised, twin, delivery = written(world)
    revert = undo(world, delivery)
    world.board.faults.append(fault)
    world.run()
    assert undone(world, twin, raised, revert) == UNDONE


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", range(4))
def test_an_edit_while_the_answer_is_lost_is_never_covered_for_good(fault: str, seed: int) -> None:
    world = World(seed=seed)
    raised, twin, delivery = written(world)
    undo(world, delivery)
    world.board.faults.append(fault)
    moments = iter(range(10_000))
    at = world.random.randrange(3, 12)

    def edit(effect: object) -> bool:
        if next(moments) == at:
            world.board.person_sets(twin, by="Ravi", summary="Ravi's own words")
        return False

    world.kill_before = edit
    world.run()
    if "Ravi" not in str(world.board.tickets[twin].history):
        world.board.person_sets(twin, by="Ravi", summary="Ravi's own words")
        world.run()
    assert fields_of(world, raised, twin) == [
        {**SENDER, "subject": "Ravi's own words"},
        {**BEFORE, "summary": "Ravi's own words"},
    ]
    assert world.waiting() == []


# What is kept of a write, so that it can be undone.


def test_what_stood_before_a_workflow_stopped_half_way_is_what_was_replaced() -> None:
    world = World()
    raised, twin, _delivery = written(world)
    world.desk.person_sets(raised, subject="three", status="new")
    world.board.steps["To Do"] = ["In Progress"]
    world.board.stops_half_way = True
    world.run()
    latest = Delivery.objects.filter(operation="update").latest("pk")
    assert world.board.tickets[twin].fields == {"summary": "three", "status": "To Do", "rank": "9"}
    assert latest.pre_image == {"summary": "two", "status": "Done"}
    assert latest.wanted == {"summary": "three", "status": "To Do"}


def test_what_an_attempt_did_not_bring_there_is_not_kept_as_a_write_of_ours() -> None:
    world = World()
    raised, twin, _delivery = written(world)
    world.board.faults.append("lost_before")
    world.desk.person_sets(raised, subject="three")

    def same(effect: object) -> bool:
        if type(effect).__name__ == "Release" or (isinstance(effect, tuple) and "Release" in str(effect[0])):
            world.kill_before = lambda later: False
            world.board.person_sets(twin, by="Ravi", summary="three")
        return False

    world.kill_before = same
    world.run()
    latest = Delivery.objects.filter(operation="update").latest("pk")
    assert (latest.state, latest.wanted, latest.pre_image) == ("done", {}, {})
