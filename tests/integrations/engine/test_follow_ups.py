"""What still has to be said to a closed ticket goes into one that follows it up, once and in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from integrations.canonical import Draft, Written
from integrations.connectors import errors
from integrations.engine.follow_ups import STAYS_CLOSED
from integrations.models import Delivery, LinkedTicket, Ticket, TicketSide
from tests.integrations.engine.fakes import FakeSystem
from tests.integrations.engine.world import World

pytestmark = pytest.mark.django_db

FAULTS = ["503", "429", "lost_before", "lost_after", "late"]


class ClosingSystem(FakeSystem):
    """A system whose closed tickets take nothing more."""

    def _write(self, what: str, act: Callable[[], Written]) -> Written:
        id_ = what.split()[1] if " " in what else ""
        if (
            what.startswith(("update", "comment", "attach"))
            and self.tickets[id_].fields["status"] == "closed"
        ):
            self.calls.append(f"refused {what}")
            raise errors.Closed("The ticket is closed.")
        return super()._write(what, act)


class FollowingSystem(ClosingSystem):
    """One that lets a new ticket go on from a closed one."""

    def follow_up(self, closed_id: str, draft: Draft) -> Written:
        def act() -> Written:
            wanted = {**self.defaults, **draft.fields, "status": "new", "after": closed_id}
            return Written(self._head(self._create(wanted, draft.marker, "")))

        return self._write("follow", act)


def closed_world(kind: type[FakeSystem] = FollowingSystem, *, seed: int = 1) -> tuple[World, str, str]:
    """A linked ticket whose end at the desk was closed for ever."""
    world = World(seed=seed)
    world.desk.__class__ = kind
    raised = world.desk.person_creates(subject="one", status="solved")
    world.run()
    twin = world.twin(world.desk_row, raised)
    # Their automation closes it some days later; no rule of the connection knows that word.
    world.desk.tickets[raised].fields["status"] = "closed"
    return world, raised, twin


def goes_on(world: World, twin: str) -> None:
    """People of the board go on talking."""
    world.board.person_comments(twin, "Still broken.", by="Jo")
    world.board.person_sets(twin, by="Jo", summary="two")
    world.board.person_comments(twin, "Please look.", by="Jo")


def outcome(world: World, raised: str) -> dict[str, Any]:
    tickets = world.desk.tickets
    after = [
        (one.fields.get("after"), one.fields["subject"], world.desk.texts(id_))
        for id_, one in tickets.items()
    ]
    sides = TicketSide.objects.filter(side__system=world.desk_row).values_list("ticket__remote_id", flat=True)
    return {
        "desk": after,
        "stands": list(sides),
        "followed": list(
            Ticket.objects.filter(followed_by__isnull=False).values_list("remote_id", flat=True)
        ),
        "linked": LinkedTicket.objects.count(),
        "board": len(world.board.tickets),
        "waiting": world.waiting(),
    }


EXPECTED = {
    "desk": [(None, "one", []), ("1", "two", ["Jo\nStill broken.", "Jo\nPlease look."])],
    "stands": ["2"],
    "followed": ["1"],
    "linked": 1,
    "board": 1,
    "waiting": [],
}


def test_a_comment_to_a_closed_ticket_goes_into_a_follow_up_and_the_lane_goes_on_in_order() -> None:
    world, raised, twin = closed_world()
    goes_on(world, twin)
    world.run()
    assert outcome(world, raised) == EXPECTED

    world.desk.person_comments("2", "Mended.")
    world.run()
    assert world.board.texts(twin)[-1] == "Mina\nMended."
    assert world.board.tickets[twin].fields["status"] == "Done"


@pytest.mark.parametrize("place", range(26))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_any_point_makes_one_follow_up_and_loses_nothing(place: int, moment: str) -> None:
    world, raised, twin = closed_world()
    seen = iter(range(10_000))
    setattr(world, f"kill_{moment}", lambda effect: next(seen) == place)
    goes_on(world, twin)
    world.run()
    assert outcome(world, raised) == EXPECTED


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("nth", range(4))
def test_a_fault_at_any_write_makes_one_follow_up_and_loses_nothing(fault: str, nth: int) -> None:
    world, raised, twin = closed_world()
    world.desk.search_lag_s = 90
    world.desk.faults.extend([None] * nth + [fault])
    goes_on(world, twin)
    world.run()
    assert outcome(world, raised) == EXPECTED


def test_two_connections_of_a_closed_ticket_go_on_in_one_follow_up() -> None:
    world, raised, twin = closed_world()
    ops, ops_row = world.add_system("Global", "ops", "jira", {"status": "To Do"})
    world.desk.tickets[raised].fields["status"] = "solved"
    chained = world.connect(world.desk_row, ops_row)
    world.clock.advance(5)
    world.desk.person_sets(raised, subject="one again")
    world.run()
    other = world.twin(world.desk_row, raised, over=chained)
    world.desk.tickets[raised].fields["status"] = "closed"

    world.board.person_comments(twin, "From the board.", by="Jo")
    ops.person_comments(other, "From operations.", by="Kai")
    world.run()

    assert len(world.desk.tickets) == 2
    assert {text.split("\n")[1] for text in world.desk.texts("2")} == {"From the board.", "From operations."}
    assert [world.twin(world.desk_row, "2"), world.twin(world.desk_row, "2", over=chained)] == [twin, other]
    assert world.waiting() == []


def test_what_was_said_in_it_just_before_it_was_closed_still_reaches_the_other_side() -> None:
    world, raised, twin = closed_world()
    world.hints_arrive = False
    world.desk.person_comments(raised, "One more thing.")
    world.hints_arrive = True
    goes_on(world, twin)
    world.run()
    world.hint(world.desk_row, raised)
    world.run()
    assert world.board.texts(twin).count("Mina\nOne more thing.") == 1
    assert outcome(world, raised) == EXPECTED | {
        "desk": [(None, "one", ["One more thing."]), EXPECTED["desk"][1]]
    }


def test_what_is_older_than_what_the_closed_ticket_held_does_not_come_into_the_new_one() -> None:
    world, raised, twin = closed_world()
    world.hints_arrive = False
    world.board.person_comments(twin, "Still broken.", by="Jo")
    world.board.person_sets(twin, by="Jo", summary="older")
    world.clock.advance(1)
    world.desk.person_sets(raised, subject="newer")
    world.hints_arrive = True
    world.hint(world.desk_row, raised)
    world.run()
    world.hint(world.board_row, twin)
    world.run()
    assert [one.fields["subject"] for one in world.desk.tickets.values()] == ["newer", "newer"]
    assert world.board.tickets[twin].fields["summary"] == "newer"
    assert world.waiting() == []


def test_where_a_system_has_no_follow_ups_the_lane_waits_for_a_person() -> None:
    world, raised, twin = closed_world(ClosingSystem)
    goes_on(world, twin)
    world.run()
    assert world.waiting() == [("parked", "gone")]
    assert list(world.desk.tickets) == [raised]


def test_the_closed_ticket_begins_no_new_link_when_it_changes_once_more() -> None:
    world, raised, twin = closed_world()
    goes_on(world, twin)
    world.run()
    world.desk.person_sets(raised, rank="moved by a clean-up")
    world.run()
    assert outcome(world, raised) == EXPECTED


def test_a_detail_that_changes_later_opens_no_new_ticket() -> None:
    world, raised, twin = closed_world()
    world.board.person_sets(twin, by="Jo", summary="two")

    world.run()

    updates = Delivery.objects.filter(operation="update", lane__system=world.desk_row)
    assert list(world.desk.tickets) == [raised]
    assert list(updates.values_list("state", "skipped_reason")) == [("skipped", STAYS_CLOSED)]
    assert world.waiting() == []


def test_work_that_is_taken_up_again_opens_one() -> None:
    world, raised, twin = closed_world()
    world.board.person_sets(twin, by="Jo", status="In Progress")

    world.run()

    assert [one.fields.get("after") for one in world.desk.tickets.values()] == [None, raised]
