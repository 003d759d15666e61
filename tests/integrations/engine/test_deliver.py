"""A change travels: created, changed, commented, there and back, once and in order."""

from __future__ import annotations

import pytest

from integrations.models import (
    Attempt,
    Delivery,
    FieldRule,
    MappingSet,
    PersonPair,
    SyncEvent,
    System,
)
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


def test_a_new_ticket_appears_on_the_other_side_with_the_same_values(world: World) -> None:
    raised = world.desk.person_creates(subject="VPN is down", status="open")
    world.run()
    twin = world.board.tickets[world.twin(world.desk_row, raised)]
    assert twin.fields == {"summary": "VPN is down", "status": "In Progress", "rank": "9"}
    assert world.waiting() == []
    assert world.linked() == 1


def test_changes_and_comments_arrive_in_the_original_order(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    for number in range(5):
        world.desk.person_comments(raised, f"comment {number}")
        world.desk.person_sets(raised, subject=f"subject {number}")
    world.run()
    twin = world.board.tickets[world.twin(world.desk_row, raised)]
    assert [text.split("\n")[-1] for text in world.board.texts(twin.id)] == [f"comment {n}" for n in range(5)]
    assert [change.fields["summary"] for change in twin.history if "summary" in change.fields] == [
        "one", *(f"subject {n}" for n in range(5))
    ]  # fmt: skip


def test_the_answer_comes_back_and_is_not_sent_again(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.person_comments(twin, "We look at it.", by="Ravi")
    world.board.person_sets(twin, by="Ravi", status="Done")
    world.run()
    assert world.desk.texts(raised) == ["Ravi\nWe look at it."]
    assert world.desk.tickets[raised].fields["status"] == "solved"
    assert len(world.board.tickets[twin].comments) == 1
    assert writes(world.desk.calls) == ["comment 1", "update 1 ['status']"]
    assert writes(world.board.calls) == ["create"]


def test_an_internal_note_never_leaves(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.desk.person_comments(raised, "The customer is angry.", is_public=False)
    world.run()
    assert world.board.tickets[world.twin(world.desk_row, raised)].comments == []
    assert not Delivery.objects.filter(operation="comment").exists()


def test_a_value_that_no_rule_knows_stops_the_lane_and_not_the_other_tickets(world: World) -> None:
    odd = world.desk.person_creates(subject="odd", status="waiting for spare parts")
    fine = world.desk.person_creates(subject="fine")
    world.run()
    assert world.waiting() == [("parked", "unmapped_value")]
    assert world.board.tickets[world.twin(world.desk_row, fine)].fields["summary"] == "fine"
    assert [ticket.fields["summary"] for ticket in world.board.tickets.values()] == ["fine"]
    assert odd in world.desk.tickets


def test_a_refused_value_parks_the_lane_at_that_change(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.run()
    # What is refused right after a reading is tried on a new one first.
    world.board.faults.extend(["400", "400"])
    world.desk.person_sets(raised, subject="two")
    world.desk.person_comments(raised, "after")
    world.run()
    assert world.waiting() == [("parked", "invalid")]
    assert world.board.texts(world.twin(world.desk_row, raised)) == []


def test_two_edits_of_one_field_end_with_the_newer_on_both_sides(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.desk.person_sets(raised, subject="from the desk")
    world.clock.advance(1)
    world.board.person_sets(twin, summary="from the board")
    world.run()
    assert world.desk.tickets[raised].fields["subject"] == "from the board"
    assert world.board.tickets[twin].fields["summary"] == "from the board"
    # The older edit is never written over the newer one, not even to be put right afterwards.
    assert writes(world.board.calls) == ["create"]


def test_our_own_writes_cause_no_further_writes_even_without_a_sign_from_the_system(world: World) -> None:
    world.board.gives_markers = False
    raised = world.desk.person_creates(subject="one")
    world.run()
    world.desk.person_sets(raised, subject="two", status="open")
    world.desk.person_comments(raised, "hello")
    world.run()
    assert writes(world.board.calls) == ["create", "update 1 ['status', 'summary']", "comment 1"]
    assert not Delivery.objects.filter(lane__system=world.desk_row).exists()


@pytest.mark.parametrize("fault", [None, "lost_after"])
@pytest.mark.parametrize("gives_markers", [True, False])
def test_steps_that_a_workflow_needs_are_nobodys_news(
    world: World, gives_markers: bool, fault: str | None
) -> None:
    yard, yard_row = world.add_system("Global", "yard", "jira", {"status": "To Do"})
    onward = world.connect(
        world.board_row,
        yard_row,
        statuses=[("To Do", "To Do"), ("In Progress", "In Progress"), ("Done", "Done")],
    )
    world.board.steps = {"Done": ["In Progress"]}
    world.board.gives_markers = gives_markers
    raised = world.desk.person_creates(subject="one")
    world.run()
    world.board.faults.append(fault)
    world.desk.person_sets(raised, subject="two", status="solved")
    world.run()
    middle = world.twin(world.desk_row, raised)
    last = world.twin(world.board_row, middle, over=onward)
    assert world.desk.tickets[raised].fields["status"] == "solved"
    assert world.board.tickets[middle].fields["status"] == yard.tickets[last].fields["status"] == "Done"
    assert writes(world.desk.calls) == []
    assert [change.fields["status"] for change in yard.tickets[last].history if "status" in change.fields] == [
        "To Do", "Done"
    ]  # fmt: skip


def test_an_edit_between_our_reading_and_our_writing_is_put_back(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.desk.person_sets(raised, subject="from the desk")
    world.clock.advance(1)
    reached = []

    def somebody_is_quicker(effect: object) -> bool:
        if type(effect).__name__ == "UpdateTicket" and not reached:
            reached.append(effect)
            world.board.person_sets(twin, summary="from the board")
        return False

    world.kill_before = somebody_is_quicker
    world.run()
    assert world.board.tickets[twin].fields["summary"] == "from the board"
    assert world.desk.tickets[raised].fields["subject"] == "from the board"


def test_an_automation_under_our_account_is_real_news(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.update(twin, {"status": "In Progress"}, current={}, marker="")
    world.run()
    assert world.desk.tickets[raised].fields["status"] == "open"


def test_an_outage_holds_everything_and_resumes_in_the_original_order(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.is_down = True
    for number in range(20):
        world.desk.person_comments(raised, f"comment {number}")
    world.run(hours=24)
    assert world.board.tickets[twin].comments == []
    assert len(world.waiting()) == 1
    world.board.is_down = False
    world.run()
    assert [text.split("\n")[-1] for text in world.board.texts(twin)] == [f"comment {n}" for n in range(20)]
    assert world.waiting() == []


def test_an_own_new_ticket_seen_before_its_answer_is_not_linked_back(world: World) -> None:
    """The board starts tickets as well: its hook about our new ticket may be quicker than our own answer."""
    world.connection.sides.update(starts=True)
    seen = []

    def the_hook_is_quicker(effect: object) -> bool:
        if type(effect).__name__ == "CreateTicket":
            seen.append(effect)
        elif seen and type(effect).__name__ == "tuple" and type(effect[0]).__name__ == "StoreCreated":  # type: ignore[index]
            seen.clear()
            world.step()
        return False

    world.kill_before = the_hook_is_quicker
    world.desk.person_creates(subject="one")
    world.run()
    assert world.linked() == 1
    assert len(world.desk.tickets) == len(world.board.tickets) == 1


def test_every_event_is_stored_once_in_its_place(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.desk.person_sets(raised, subject="two")
    world.run()
    for _ in range(3):
        world.hint(world.desk_row, raised)
        world.run()
    events = SyncEvent.objects.filter(ticket__system=world.desk_row).values_list(
        "position", "change_id", "kind"
    )
    assert list(events) == [(1, "h1", "created"), (2, "h2", "updated")]


def test_without_any_web_hook_nothing_is_lost_once_a_poll_names_the_ticket(world: World) -> None:
    world.hints_arrive = False
    raised = world.desk.person_creates(subject="one")
    world.desk.person_comments(raised, "hello")
    world.run()
    assert world.linked() == 0
    world.hints_arrive = True
    world.hint(world.desk_row, raised)
    world.run()
    assert world.board.texts(world.twin(world.desk_row, raised)) == ["Mina\nhello"]


def test_a_change_travels_on_through_a_chain_of_three_systems(world: World) -> None:
    yard, yard_row = world.add_system("Global", "yard", "jira", {"status": "To Do"})
    onward = world.connect(
        world.board_row,
        yard_row,
        statuses=[("To Do", "To Do"), ("In Progress", "In Progress"), ("Done", "Done")],
    )
    raised = world.desk.person_creates(subject="one", status="open")
    world.run()
    middle = world.twin(world.desk_row, raised)
    last = world.twin(world.board_row, middle, over=onward)
    yard.person_sets(last, by="Li", status="Done")
    yard.person_comments(last, "fixed", by="Li")
    world.run()
    assert world.board.tickets[middle].fields["status"] == "Done"
    assert world.desk.tickets[raised].fields["status"] == "solved"
    assert [len(fake.tickets) for fake in world.fakes.values()] == [1, 1, 1]
    assert [len(fake.tickets["1"].comments) for fake in world.fakes.values()] == [1, 1, 1]


def test_a_file_that_the_system_does_not_take_is_told_of_and_holds_nothing_up(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.faults.append("400")
    world.desk.person_attaches(raised, "plan.exe")
    world.desk.person_sets(raised, subject="two")
    world.run()
    assert world.waiting() == []
    assert world.board.tickets[twin].files == []
    assert [text.partition(".exe")[2] for text in world.board.texts(twin)] == [
        "” stays in Mercuri's system. It does not take that value."
    ]
    assert world.board.tickets[twin].fields["summary"] == "two"
    assert world.desk.texts(raised) == []
    assert list(Attempt.objects.filter(delivery__operation="file").values_list("number", flat=True)) == [1, 2]


def test_the_note_for_a_file_is_written_once_when_its_answer_is_lost(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.faults.extend(["400", "lost_after"])
    world.desk.person_attaches(raised, "plan.exe")
    world.run()
    assert world.waiting() == []
    assert len(world.board.texts(twin)) == 1
    assert world.desk.texts(raised) == []


def test_a_file_waits_for_the_right_that_is_missing(world: World) -> None:
    raised = world.desk.person_creates(subject="one")
    world.run()
    world.board.faults.append("forbidden")
    world.desk.person_attaches(raised, "plan.txt")
    world.run()
    assert world.waiting() == [("parked", "forbidden")]
    assert world.board.texts(world.twin(world.desk_row, raised)) == []


ANN = {"id": "desk-ann", "name": "Ann", "email": "ann@mercuri.example"}
ANN_THERE = {"id": "board-ann", "name": "Ann", "email": ""}


def people(world: World, *pairs: tuple[str, str]) -> None:
    """Exchange who owns a ticket, and pair these people by their ids."""
    for sets, source, target in (("outgoing", "owner", "assignee"), ("incoming", "assignee", "owner")):
        for published in MappingSet.objects.filter(direction=sets):
            FieldRule.objects.create(mapping_set=published, source=source, target=target, transform="copy")
    System.objects.update(metadata={"fields": [{"name": "owner", "kind": "person"}]})
    for left, right in pairs:
        PersonPair.objects.create(connection=world.connection, left_id=left, right_id=right, right_name="Ann")


def test_a_person_arrives_as_who_they_are_there(world: World) -> None:
    people(world, ("desk-ann", "board-ann"))
    raised = world.desk.person_creates(subject="one")
    world.run()
    world.desk.person_sets(raised, owner=ANN)
    world.run()
    twin = world.board.tickets[world.twin(world.desk_row, raised)]
    assert (twin.fields["owner"], world.waiting()) == (ANN_THERE, [])
    assert world.desk.tickets[raised].fields["owner"] == ANN


@pytest.mark.parametrize("unknown", [{"id": "desk-bob", "name": "Bob", "email": ""}, None])
def test_somebody_whom_nobody_paired_leaves_the_field_as_it_is(world: World, unknown: dict | None) -> None:
    people(world, ("desk-ann", "board-ann"))
    raised = world.desk.person_creates(subject="one", owner=ANN)
    world.run()
    world.desk.person_sets(raised, owner=unknown, subject="two")
    world.run()
    twin = world.board.tickets[world.twin(world.desk_row, raised)]
    assert (twin.fields["owner"], twin.fields["summary"], world.waiting()) == (ANN_THERE, "two", [])
