"""What a sender hears on its own ticket of changes that were not taken, and of what became of them."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.models import Attempt, Delivery, Lane, LinkedTicket, MappingSet, System
from integrations.services import queue
from integrations.services.comparison import compare
from integrations.store.django import DjangoStore
from tests.integrations.engine.test_follow_ups import FollowingSystem
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db

WAITS = "Nothing is lost: it waits until somebody has looked, and what follows waits behind it."


@pytest.fixture
def world() -> World:
    """The desk wants to hear what the board does not take, and the board tells why."""
    found = World()
    rules(found, found.desk_row, "incoming", notes_refusals=True)
    rules(found, found.board_row, "outgoing", tells_reasons=True)
    return found


def rules(world: World, system: System, direction: str, **options: Any) -> None:
    """Change what the published rules of a side say."""
    MappingSet.objects.filter(side__system=system, direction=direction).update(**options)
    # What is published never changes in the product, so a store that knows it does not look again.
    world.store = DjangoStore(world.random)


def begun(world: World) -> tuple[str, str]:
    """A ticket of the desk, and its twin on the board."""
    raised = world.desk.person_creates(subject="one")
    world.run()
    return raised, world.twin(world.desk_row, raised)


def refused(world: World, raised: str, **fields: str) -> Lane:
    """The lane that waits because the board did not take a change of the desk's."""
    # What is refused right after a reading is tried on a new one first.
    world.board.faults.extend(["400", "400"])
    world.desk.person_sets(raised, **fields)
    world.run()
    return Lane.objects.get(state=Lane.State.PARKED)


def go_on(world: World, lane: Lane) -> None:
    """Somebody has looked, and lets the lane try again."""
    queue.retry_lane(lane, now=world.clock.now())
    world.run()


def word(title: str, *sentences: str, number: int = 2) -> str:
    """A word about the linked ticket that was made last."""
    linked = LinkedTicket.objects.latest("pk").number
    return f"{title}\n{' '.join(sentences)} In Concord it is change {number} of {linked}."


def test_a_refused_change_is_told_on_the_senders_ticket_as_an_internal_comment(world: World) -> None:
    raised, twin = begun(world)
    refused(world, raised, subject="two", status="solved")
    assert world.desk.texts(raised) == [
        word(
            "Not taken by Infinity yet",
            "Title “two”, Status “solved”.",
            "That system does not accept the value.",
            WAITS,
        )
    ]
    assert [comment.is_public for comment in world.desk.tickets[raised].comments] == [False]
    assert world.board.texts(twin) == []
    assert world.waiting() == [("parked", "invalid")]


def test_it_is_told_once_however_often_it_is_refused_and_once_what_became_of_it(world: World) -> None:
    raised, twin = begun(world)
    lane = refused(world, raised, subject="two")
    for _ in range(2):
        world.board.faults.append("400")
        go_on(world, lane)
    assert len(world.desk.texts(raised)) == 1
    go_on(world, lane)
    assert world.desk.texts(raised)[1:] == [word("Taken by Infinity after all", "Title “two”.")]
    assert world.board.tickets[twin].fields["summary"] == "two"
    assert (world.waiting(), world.board.texts(twin)) == ([], [])


def test_the_sender_hears_that_it_is_left_out(world: World) -> None:
    raised, _ = begun(world)
    lane = refused(world, raised, subject="two")
    queue.skip_delivery(lane.deliveries.get(number=lane.head), "A secret reason", now=world.clock.now())
    world.run()
    assert world.desk.texts(raised)[1:] == [
        word("Left out for Infinity", "Title “two”.", "It is not sent any more.")
    ]


def test_a_change_that_was_never_told_of_is_left_out_without_a_word(world: World) -> None:
    raised, _ = begun(world)
    rules(world, world.desk_row, "incoming", notes_refusals=False)
    lane = refused(world, raised, subject="two")
    rules(world, world.desk_row, "incoming", notes_refusals=True)
    queue.skip_delivery(lane.deliveries.get(number=lane.head), "Not needed", now=world.clock.now())
    world.run()
    assert world.desk.texts(raised) == []


def test_who_does_not_want_to_hear_of_it_is_not_told(world: World) -> None:
    rules(world, world.desk_row, "incoming", notes_refusals=False)
    raised, _ = begun(world)
    refused(world, raised, subject="two")
    assert (world.desk.texts(raised), writes(world.desk.calls)) == ([], [])


def test_why_it_waits_leaves_only_where_the_receivers_rules_say_so(world: World) -> None:
    rules(world, world.board_row, "outgoing", tells_reasons=False)
    raised, _ = begun(world)
    refused(world, raised, subject="two")
    assert world.desk.texts(raised) == [word("Not taken by Infinity yet", "Title “two”.", WAITS)]


def test_what_the_senders_own_rules_cannot_tell_is_told_with_the_reason(world: World) -> None:
    rules(world, world.board_row, "outgoing", tells_reasons=False)
    raised = world.desk.person_creates(subject="odd", status="waiting for spare parts")
    world.run()
    assert world.waiting() == [("parked", "unmapped_value")]
    assert world.desk.texts(raised) == [
        word(
            "Not sent to Infinity yet",
            "This ticket.",
            "“status” holds “waiting for spare parts”, and the value map has no row for it.",
            WAITS,
            number=1,
        )
    ]


def test_a_change_without_a_value_that_could_be_sent_is_named_by_the_senders_own_field(world: World) -> None:
    raised, _ = begun(world)
    world.desk.person_sets(raised, status="waiting for spare parts")
    world.run()
    assert [text.split("\n")[1].split(".")[0] for text in world.desk.texts(raised)] == ["Status"]


def test_words_are_not_counted_among_what_was_said_on_both_sides(world: World) -> None:
    raised, twin = begun(world)
    refused(world, raised, subject="two")
    world.board.person_comments(twin, "We look at it.", by="Ravi")
    world.run()
    compared = compare(LinkedTicket.objects.get())
    assert [
        (one.public_comments, one.internal_comments) for one in (compared.left_counts, compared.right_counts)
    ] == [
        (1, 0),
        (1, 0),
    ]


def test_a_file_with_a_note_in_its_place_is_told(world: World) -> None:
    raised, twin = begun(world)
    rules(world, world.board_row, "incoming", file_max_bytes=10)
    # Shown as something that ends in exe.txt.
    world.desk.person_attaches(raised, "pl\u202ean.txt", b"more than ten bytes")
    world.run()
    assert len(world.board.texts(twin)) == 1
    assert world.desk.texts(raised) == [
        word(
            "Not taken by Infinity",
            "The file “plan.txt”.",
            "It is larger than what is taken there.",
            "A note stands there in its place.",
        )
    ]


def test_where_there_are_no_internal_comments_it_is_an_ordinary_one_without_what_was_internal(
    world: World,
) -> None:
    rules(world, world.desk_row, "outgoing", shares_internal_comments=True)
    world.desk.has_internal_comments = False
    raised, _ = begun(world)
    world.board.faults.append("400")
    world.desk.person_comments(raised, "The customer is angry.", is_public=False)
    world.run()
    said = world.desk.tickets[raised].comments[1:]
    assert [
        (comment.is_public, "An internal comment." in text)
        for comment, text in zip(said, world.desk.texts(raised)[1:], strict=True)
    ] == [(True, True)]
    assert "angry" not in world.desk.texts(raised)[1]


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "late", "503"])
def test_a_word_whose_answer_is_lost_stands_there_once(world: World, fault: str) -> None:
    raised, _ = begun(world)
    world.desk.faults.append(fault)
    refused(world, raised, subject="two")
    assert len(world.desk.texts(raised)) == 1


def test_a_word_that_the_senders_system_refuses_stops_nothing(world: World) -> None:
    raised, twin = begun(world)
    world.desk.faults.append("forbidden")
    refused(world, raised, subject="two")
    world.board.person_comments(twin, "We look at it.", by="Ravi")
    world.run()
    assert world.waiting() == [("parked", "invalid")]
    assert world.desk.texts(raised) == ["Ravi\nWe look at it."]
    told = Delivery.objects.get(origin__startswith="told:")
    assert (told.state, told.skipped_reason) == ("skipped", "Our account may not add files.")
    assert list(Attempt.objects.filter(delivery=told).values_list("outcome", "code")) == [
        ("refused", "forbidden")
    ]


def test_a_word_goes_no_further_than_the_ticket_it_is_for(world: World) -> None:
    yard, yard_row = world.add_system("Global", "yard", "jira", {"status": "To Do"})
    onward = world.connect(world.board_row, yard_row, statuses=[("To Do", "To Do")])
    for system in (world.desk_row, world.board_row, yard_row):
        rules(world, system, "outgoing", shares_internal_comments=True, tells_reasons=True)
    rules(world, world.board_row, "incoming", notes_refusals=True)
    raised, twin = begun(world)
    third = world.twin(world.board_row, twin, over=onward)
    yard.faults.extend(["400", "400"])
    world.desk.person_sets(raised, subject="two")
    world.run()
    assert world.board.texts(twin) == [
        word("Not taken by Global yet", "Title “two”.", "That system does not accept the value.", WAITS)
    ]
    assert (world.desk.texts(raised), yard.texts(third)) == ([], [])
    assert world.board.tickets[twin].fields["summary"] == "two"


def test_a_closed_ticket_gets_no_follow_up_for_a_word(world: World) -> None:
    raised, _ = begun(world)
    lane = refused(world, raised, subject="two")
    words_so_far = world.desk.texts(raised)
    world.desk.__class__ = FollowingSystem
    world.desk.edited_silently(raised, status="closed")
    go_on(world, lane)
    assert world.desk.texts(raised) == words_so_far
    assert list(world.desk.tickets) == [raised]
    assert world.waiting() == []
