"""Two automations that fight are stopped and named; what merely drains, and people who disagree, are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from integrations.canonical import Value
from integrations.engine.fights import MOST_RETURNS, Fact, find_fight
from integrations.models import Delivery, Lane, LinkedTicket
from integrations.services.queue import retry_lanes
from integrations.store.guard import CODE, fight_on
from integrations.store.tickets import note_hints
from tests.integrations.engine.fakes import FakeSystem
from tests.integrations.engine.world import STATUSES, World, writes

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def automation(world: World, fake: FakeSystem, **wants: Value) -> None:
    """Whoever changes a ticket there, this account sets its fields back a moment later."""
    before: Callable[[str], None] = fake.on_change

    def react(remote_id: str) -> None:
        before(remote_id)
        held = fake.tickets[remote_id].fields
        if any(held.get(name) != value for name, value in wants.items()):
            fake.person_sets(remote_id, by=f"Rule of the {fake.name}", **wants)

    fake.on_change = react


def fought_over(world: World) -> str:
    """A ticket whose status the desk's automation wants open and the board's wants Done; the work that follows."""
    raised = world.desk.person_creates(subject="one", status="new")
    world.run()
    automation(world, world.desk, status="open")
    automation(world, world.board, status="Done")
    world.desk.person_sets(raised, subject="two")
    return raised


@pytest.mark.django_db
def test_two_automations_that_fight_are_stopped_and_named() -> None:
    world = World()
    other = world.desk.person_creates(subject="another", status="new")
    raised = fought_over(world)
    world.desk.calls.clear()
    world.board.calls.clear()

    world.run()

    (stopped,) = Lane.objects.filter(state="parked")
    assert stopped.failure_code == CODE
    assert stopped.linked_ticket.sides.filter(ticket__remote_id=raised).exists()
    message = stopped.failure_message
    assert message.startswith(f"Two automations undo each other {MOST_RETURNS + 1} times in ")
    assert "“status”" in message
    assert "“open”" in message
    assert "“solved”" in message
    assert len(writes(world.desk.calls) + writes(world.board.calls)) <= MOST_RETURNS + 4
    # Everybody else goes on.
    world.desk.on_change = lambda remote_id: world.hint(world.desk_row, remote_id)
    world.desk.person_sets(other, subject="goes on")
    world.run()
    assert world.board.tickets[world.twin(world.desk_row, other)].fields["summary"] == "goes on"


@pytest.mark.django_db
def test_automations_are_stopped_although_people_edit_other_fields_all_the_time() -> None:
    world = World()
    fought_over(world)
    before = world.desk.on_change

    def edit(remote_id: str) -> None:
        # Before the automation comes to it, so that both changes wait in this order.
        status = world.desk.tickets[remote_id].fields.get("status")
        if status != "open" and answered[-1:] != [status] and len(edits) < 40:
            answered.append(status)
            edits.append(f"edit {len(edits)}")
            world.desk.person_sets(remote_id, subject=edits[-1])
            answered.clear()
            return
        before(remote_id)

    edits: list[str] = []
    answered: list[Value] = []
    world.desk.on_change = edit
    world.desk.calls.clear()
    world.board.calls.clear()

    world.run()

    assert len(edits) > 5
    assert {lane.failure_code for lane in Lane.objects.filter(state="parked")} == {CODE}
    answers = [one for one in writes(world.desk.calls) + writes(world.board.calls) if "status" in one]
    assert len(answers) <= MOST_RETURNS + 4


@pytest.mark.django_db
def test_a_fight_is_explained_from_what_was_seen() -> None:
    world = World()
    fought_over(world)
    world.run()

    fight = fight_on(LinkedTicket.objects.get().pk)

    assert fight is not None
    assert len(fight.returns) == MOST_RETURNS + 1
    assert {one.name for one in fight.returns} == {"status"}
    assert fight.lasted <= timedelta(seconds=60)


@pytest.mark.django_db
def test_what_was_stopped_can_be_retried_once_one_automation_is_gone() -> None:
    world = World()
    raised = fought_over(world)
    world.run()
    world.board.on_change = lambda remote_id: world.hint(world.board_row, remote_id)
    # Whoever looks into it takes longer than the minute that counts.
    world.clock.advance(120)

    retry_lanes(Lane.objects.filter(state="parked").values_list("pk", flat=True), now=world.clock.now())
    world.run()

    twin = world.twin(world.desk_row, raised)
    assert world.waiting() == []
    assert world.desk.tickets[raised].fields["status"] == "open"
    assert world.board.tickets[twin].fields["status"] == "In Progress"


@pytest.mark.django_db
def test_five_hundred_edits_after_an_outage_drain_without_being_stopped() -> None:
    world = World()
    raised = world.desk.person_creates(subject="one", status="new")
    world.run()
    twin = world.twin(world.desk_row, raised)
    # Nobody hears of the changes while they are made: our own outage, with people at work on both sides.
    world.hints_arrive = False
    for number in range(250):
        world.clock.advance(1)
        world.desk.person_sets(raised, subject=f"desk {number}")
        world.clock.advance(1)
        world.board.person_sets(twin, status="To Do" if number % 2 else "In Progress")
    world.hints_arrive = True
    for row, ticket in ((world.desk_row, raised), (world.board_row, twin)):
        note_hints(row.pk, [ticket], world.clock.now())

    world.run()

    assert world.waiting() == []
    assert Delivery.objects.filter(operation="update").count() >= 500
    assert world.board.tickets[twin].fields["summary"] == "desk 249"
    assert world.desk.tickets[raised].fields["status"] == "new"


@pytest.mark.django_db
def test_an_automation_on_one_side_that_answers_every_change_of_a_backlog_is_not_stopped() -> None:
    world = World()
    raised = world.desk.person_creates(subject="one", status="new")
    world.run()
    twin = world.twin(world.desk_row, raised)
    before = world.board.on_change
    world.board.on_change = lambda remote_id: (
        before(remote_id),
        world.board.tickets[remote_id].fields["summary"].isupper()  # type: ignore[union-attr]
        or world.board.person_sets(
            remote_id, by="Rule", summary=str(world.board.tickets[remote_id].fields["summary"]).upper()
        ),
    )[0]
    world.hints_arrive = False
    for number in range(60):
        world.clock.advance(0.1)
        world.desk.person_sets(raised, subject=f"desk {number}")
    world.hints_arrive = True
    note_hints(world.desk_row.pk, [raised], world.clock.now())

    world.run()

    assert world.waiting() == []
    assert Delivery.objects.count() >= 60
    assert world.desk.tickets[raised].fields["subject"] == world.board.tickets[twin].fields["summary"]


def facts(moments: list[float], *, answers: bool) -> list[Fact]:
    """A change on one ticket, its write on the other, a change that covers it, its write back, and so on."""
    made: list[Fact] = []
    for number, second in enumerate(moments):
        here, there = (1, 2) if number % 2 == 0 else (2, 1)
        at = NOW + timedelta(seconds=second)
        made.append(Fact(2 * number, here, frozenset({"status"}), at))
        field = "status" if answers else f"other {number}"
        made.append(Fact(2 * number + 1, there, frozenset({field}), at, sources=frozenset({2 * number})))
    return made


@pytest.mark.parametrize(
    ("moments", "answers", "is_fight"),
    [
        ([float(n) for n in range(MOST_RETURNS + 2)], True, True),
        ([float(n) for n in range(MOST_RETURNS + 1)], True, False),
        ([4.0 * n for n in range(MOST_RETURNS + 2)], True, False),
        ([float(n) for n in range(200)], False, False),
    ],
    ids=["quick and long", "one short", "as slow as people", "answers nothing"],
)
def test_only_a_long_quick_chain_of_returns_is_a_fight(
    moments: list[float], answers: bool, is_fight: bool
) -> None:
    found = find_fight(facts(moments, answers=answers))

    assert (found is not None) is is_fight


def test_an_edit_that_went_out_in_the_same_write_hides_no_fight() -> None:
    made = facts([float(n) for n in range(MOST_RETURNS + 2)], answers=True)
    edit = Fact(1000, 1, frozenset({"title"}), made[20].seen_at)
    made[20:20] = [edit]
    made[22] = replace(made[22], fields=frozenset({"title", "status"}), sources=made[22].sources | {edit.id})

    assert find_fight(made) is not None


@pytest.mark.django_db
def test_automations_at_both_ends_of_a_chain_are_stopped_too() -> None:
    world = World()
    yard, yard_row = world.add_system("Global", "yard", "jira", {"status": "To Do"})
    world.connect(world.board_row, yard_row, statuses=[(own, own) for _, own in STATUSES])
    raised = world.desk.person_creates(subject="one", status="new")
    world.run()
    automation(world, world.desk, status="open")
    automation(world, yard, status="Done")
    world.desk.calls.clear()
    yard.calls.clear()
    world.desk.person_sets(raised, subject="two")

    world.run()

    assert {lane.failure_code for lane in Lane.objects.filter(state="parked")} == {CODE}
    assert len(writes(world.desk.calls) + writes(yard.calls)) <= MOST_RETURNS + 4
