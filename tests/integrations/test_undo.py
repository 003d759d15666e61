"""What one write or a version of a mapping set wrote is looked at, confirmed, put back, and told item by item."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from integrations.models import Delivery, DictionaryField, Lane, MappingSet, Side, Undo, UndoItem
from integrations.services import queue, undo
from integrations.services.comparison import compare
from integrations.services.explaining import explain
from integrations.services.refusals import NotPossible
from tests.integrations import scenes
from tests.integrations.engine.world import World
from tests.integrations.test_reconciliation import Linked, undone

pytestmark = pytest.mark.django_db


def wrong_version(world: World) -> MappingSet:
    """What comes into the board under the next version, in which solved is to do and open is done."""
    side = Side.objects.get(system=world.board_row)
    statuses = {"new": "To Do", "open": "Done", "solved": "To Do"}
    return scenes.publish(side, "incoming", {"summary": "title", "status": ("status", statuses)})


def do(world: World, one: Undo) -> None:
    """Work on it until it has to wait."""
    undo.work_on(one, until=time.monotonic() + 30, clock=world.clock.now)
    one.refresh_from_db()


def finish(world: World, one: Undo) -> None:
    """Confirm it, deliver, and note what arrived."""
    assert undo.confirm(one, now=world.clock.now())
    do(world, one)
    world.run()
    Undo.objects.update(due_at=world.clock.now())
    undo.carry_on(for_s=5, clock=world.clock.now)
    one.refresh_from_db()


def items(one: Undo) -> list[tuple[Any, ...]]:
    return [
        (item.lane_id, item.field, item.state, item.stands, item.put_back)
        for item in one.items.order_by("lane", "field", "pk")
    ]


def board(world: World) -> dict[str, dict[str, Any]]:
    return {
        id_: {k: v for k, v in one.fields.items() if k != "rank"} for id_, one in world.board.tickets.items()
    }


def story(world: World) -> tuple[MappingSet, list[str]]:
    """Three tickets under the right rules; then each is changed under the wrong ones, one of them twice."""
    raised = [world.desk.person_creates(subject=f"t{n}", status="new") for n in range(3)]
    world.run()
    wrong = wrong_version(world)
    # Rules are read anew after a moment.
    world.clock.advance(30)
    for one in raised:
        world.desk.person_sets(one, status="open")
    world.run()
    world.desk.person_sets(raised[0], status="solved")
    world.run()
    world.desk.person_comments(raised[1], "hello")
    world.run()
    world.clock.advance(5)
    return wrong, raised


def test_a_version_is_undone_but_for_what_a_person_has_edited_since() -> None:
    world = World()
    wrong, raised = story(world)
    twins = [world.twin(world.desk_row, one) for one in raised]
    world.board.person_sets(twins[2], by="Ravi", status="In Progress")
    world.run()
    assert [board(world)[twin]["status"] for twin in twins] == ["To Do", "Done", "In Progress"]

    one = undo.begin_with_version(wrong, by=None, now=world.clock.now())
    do(world, one)

    lanes = list(Lane.objects.filter(system=world.board_row).order_by("pk").values_list("pk", flat=True))
    assert (one.state, one.total, one.done) == ("ready", 3, 3)
    assert items(one) == [
        # The second write had brought back what stood before the first.
        (lanes[0], "status", "stood", "To Do", "To Do"),
        (lanes[1], "", "cannot", None, None),
        (lanes[1], "status", "open", "Done", "To Do"),
        (lanes[2], "status", "left", "In Progress", "To Do"),
    ]
    left = one.items.get(state="left")
    assert (left.reason, left.changed_by) == ("Ravi changed it since.", "Ravi")
    assert "Correct or delete it in" in one.items.get(state="cannot").reason

    finish(world, one)

    assert [board(world)[twin]["status"] for twin in twins] == ["To Do", "To Do", "In Progress"]
    assert (one.state, [item[2] for item in items(one)]) == ("ended", ["stood", "cannot", "done", "left"])
    assert [world.desk.tickets[one].fields["status"] for one in raised] == ["solved", "open", "open"]
    assert world.waiting() == []


def test_one_write_is_undone_and_its_undoing_can_be_undone() -> None:
    world = World()
    _wrong, raised = story(world)
    twin = world.twin(world.desk_row, raised[1])
    delivery = Delivery.objects.get(operation="update", target__remote_id=twin)
    one = undo.begin_with_delivery(delivery, by=None, now=world.clock.now())
    do(world, one)
    finish(world, one)
    assert (one.state, board(world)[twin]["status"]) == ("ended", "To Do")

    again = undo.begin_with_delivery(delivery, by=None, now=world.clock.now())
    do(world, again)
    assert [item[2] for item in items(again)] == ["stood"]
    with pytest.raises(NotPossible, match="Nothing would be put back"):
        undo.confirm(again, now=world.clock.now())

    back = undo.begin_with_delivery(one.items.get().revert, by=None, now=world.clock.now())
    do(world, back)
    finish(world, back)
    assert (back.state, board(world)[twin]["status"]) == ("ended", "Done")


def test_what_somebody_edits_between_the_look_and_the_delivery_is_left_alone_and_told() -> None:
    world = World()
    wrong, raised = story(world)
    twin = world.twin(world.desk_row, raised[1])
    one = undo.begin_with_version(wrong, by=None, now=world.clock.now())
    do(world, one)
    world.board.person_sets(twin, by="Ravi", status="In Progress")
    finish(world, one)
    assert board(world)[twin]["status"] == "In Progress"
    told = {
        item.lane_id: (item.state, item.reason) for item in one.items.filter(field="status", state="left")
    }
    assert list(told.values()) == [("left", "Ravi changed it since.")]


def test_a_skipped_undoing_is_told_as_not_taken_back() -> None:
    world = World()
    wrong, _raised = story(world)
    one = undo.begin_with_version(wrong, by=None, now=world.clock.now())
    do(world, one)
    undo.confirm(one, now=world.clock.now())
    do(world, one)
    for revert in Delivery.objects.filter(operation="revert"):
        assert queue.skip_delivery(revert, "Not wanted.", now=world.clock.now()).is_done
    finish_noting(world, one)
    assert {item.reason for item in one.items.filter(state="refused")} == {"Not wanted."}


def finish_noting(world: World, one: Undo) -> None:
    Undo.objects.update(due_at=world.clock.now())
    undo.carry_on(for_s=5, clock=world.clock.now)
    one.refresh_from_db()
    assert one.state == "ended"


@pytest.mark.parametrize("killed_in", ["looking", "queueing"])
def test_a_worker_that_dies_in_a_batch_loses_and_doubles_nothing(
    killed_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    wrong, _raised = story(world)
    monkeypatch.setattr(undo, "BATCH", 1)
    one = undo.begin_with_version(wrong, by=None, now=world.clock.now())

    class Killed(Exception):
        pass

    steps, seen = dict(undo._STEPS), []

    def dying(current: Undo, now: Any) -> None:
        steps[Undo.State(killed_in)](current, now)
        seen.append(current.last)
        if len(seen) == 2:
            raise Killed

    monkeypatch.setitem(undo._STEPS, Undo.State(killed_in), dying)
    if killed_in == "looking":
        with pytest.raises(Killed):
            do(world, one)
        assert (Undo.objects.get().done, UndoItem.objects.count()) == (1, 1)
        do(world, one)
    else:
        do(world, one)
        UndoItem.objects.filter(state="stood").update(state="open", held=[0, 0, "To Do"])
        undo.confirm(one, now=world.clock.now())
        with pytest.raises(Killed):
            do(world, one)
        assert Delivery.objects.filter(operation="revert").count() == 1
        do(world, one)
        assert Delivery.objects.filter(operation="revert").count() == 3
        return
    assert [item[2] for item in items(one)] == ["stood", "cannot", "open", "open"]


def test_what_was_not_written_cannot_be_undone_and_a_second_undoing_waits_for_the_first() -> None:
    world = World()
    wrong, _raised = story(world)
    waiting = Delivery.objects.filter(operation="update").last()
    assert waiting is not None
    Delivery.objects.filter(pk=waiting.pk).update(state="superseded")
    with pytest.raises(NotPossible, match="nothing to undo"):
        undo.begin_with_delivery(waiting, by=None, now=world.clock.now())
    first = undo.begin_with_version(wrong, by=None, now=world.clock.now())
    do(world, first)
    second = undo.begin_with_version(wrong, by=None, now=world.clock.now())
    first.refresh_from_db()
    assert first.state == "discarded"
    do(world, second)
    undo.confirm(second, now=world.clock.now())
    with pytest.raises(NotPossible, match="at the moment"):
        undo.begin_with_version(wrong, by=None, now=world.clock.now())
    draft = MappingSet(side=wrong.side, direction="incoming", version=3, state="draft")
    with pytest.raises(NotPossible, match="draft"):
        undo.begin_with_version(draft, by=None, now=world.clock.now())


def test_the_comparison_and_the_explanation_say_that_a_field_was_undone_until_it_changes_again() -> None:
    both = Linked()

    def told() -> tuple[str, str, list[str]]:
        row = next(one for one in compare(both.linked).rows if one.name == "status")
        field = DictionaryField.objects.get(name="status")
        there = explain(both.linked, field, now=both.world.clock.now()).directions[0]
        return row.verdict.value, there.end.value, [step.text for step in there.steps]

    undone(both, by=get_user_model().objects.create_user("ravi"))
    here, there = (one.partner.name for one in (both.world.desk_row, both.world.board_row))
    verdict, end, steps = told()
    assert (verdict, end) == ("undone", "undone")
    assert steps[-2:] == [
        f"{there} wrote “Done” to status, by version 2 of its rules.",
        f"ravi undid that write at {there}: it differs on purpose until {here} changes it again.",
    ]

    # Undoing the undoing is no undoing any more.
    world = both.world
    world.clock.advance(5)
    again = undo.begin_with_delivery(Delivery.objects.get(operation="revert"), by=None, now=world.clock.now())
    do(world, again)
    finish(world, again)
    assert told()[:2] == ("mapped", "arrived")

    world.desk.person_sets(both.here, status="solved")
    world.run()
    assert told()[:2] == ("mapped", "arrived")
