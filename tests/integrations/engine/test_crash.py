"""Whatever is killed or lost on the way, every fact takes effect exactly once and in order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from integrations.engine import effects
from integrations.models import Attempt, Delivery, Lane, SyncEvent, Ticket
from tests.integrations.engine.fakes import OUR_ACCOUNT
from tests.integrations.engine.world import World

pytestmark = pytest.mark.django_db

FAULTS = ["503", "429", "lost_before", "lost_after", "late"]


def story(world: World) -> str:
    """A ticket with two comments, and between them two changes that may go out in one write."""
    raised = world.desk.person_creates(subject="one", status="open")
    world.desk.person_comments(raised, "first")
    world.desk.person_sets(raised, subject="two")
    world.desk.person_sets(raised, status="solved")
    world.desk.person_comments(raised, "second")
    return raised


def outcome(world: World, raised: str) -> dict[str, Any]:
    """Everything both systems hold."""
    twin = world.twin(world.desk_row, raised)
    return {
        "desk": (len(world.desk.tickets), world.desk.tickets[raised].fields, world.desk.texts(raised)),
        "board": (len(world.board.tickets), world.board.tickets[twin].fields, world.board.texts(twin)),
        "linked": world.linked(),
        "waiting": world.waiting(),
    }


EXPECTED = {
    "desk": (1, {"subject": "two", "status": "solved"}, ["first", "second"]),
    "board": (1, {"summary": "two", "status": "Done", "rank": "9"}, ["Mina\nfirst", "Mina\nsecond"]),
    "linked": 1,
    "waiting": [],
}


@pytest.mark.parametrize("place", range(40))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_any_point_loses_and_doubles_nothing(place: int, moment: str) -> None:
    world = World()
    seen = iter(range(10_000))

    def kill(effect: object) -> bool:
        return next(seen) == place

    setattr(world, f"kill_{moment}", kill)
    raised = story(world)
    world.run()
    assert outcome(world, raised) == EXPECTED


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("gives_markers", [True, False])
@pytest.mark.parametrize("nth", range(6))
def test_a_fault_at_any_write_loses_and_doubles_nothing(fault: str, gives_markers: bool, nth: int) -> None:
    world = World()
    world.board.gives_markers = gives_markers
    world.board.search_lag_s = 90
    world.board.faults.extend([None] * nth + [fault])
    raised = story(world)
    world.run()
    assert outcome(world, raised) == EXPECTED


@pytest.mark.parametrize("seed", range(25))
def test_many_faults_and_kills_at_random_lose_and_double_nothing(seed: int) -> None:
    world = World(seed=seed)
    world.board.gives_markers = seed % 2 == 0
    world.board.faults.extend(world.random.choices([None, *FAULTS], weights=[8, 1, 1, 1, 2, 1], k=12))
    left = [8]

    def kill(effect: object) -> bool:
        if left[0] and world.random.random() < 0.1:
            left[0] -= 1
            return True
        return False

    world.kill_before = world.kill_after = kill
    raised = story(world)
    world.run(hours=6)
    assert outcome(world, raised) == EXPECTED


def test_no_write_leaves_without_a_recorded_attempt() -> None:
    world = World()
    recorded: list[int] = []
    together: list[int] = []

    def look(effect: object) -> bool:
        if type(effect).__name__ in ("CreateTicket", "UpdateTicket", "AddComment"):
            recorded.append(Attempt.objects.filter(outcome="started").count())
        if type(effect).__name__ == "UpdateTicket":
            together.append(recorded[-1])
        return False

    world.kill_before = look
    story(world)
    world.run()
    assert recorded == [1, 1, 2, 1]
    assert together == [2]


def test_a_worker_that_lost_its_lane_changes_nothing() -> None:
    world = World()
    raised = story(world)

    def another_took_over(effect: object) -> bool:
        if type(effect).__name__ == "AddComment":
            Lane.objects.update(fence=99)
            world.kill_before = lambda later: False
        return False

    world.kill_before = another_took_over
    world.run()
    assert outcome(world, raised) == EXPECTED


def test_a_worker_frozen_beyond_its_lease_neither_writes_nor_undoes_what_another_did() -> None:
    world = World()
    raised = story(world)
    frozen: list[object] = []

    def freeze(effect: object) -> bool:
        if type(effect).__name__ == "AddComment" and not frozen:
            frozen.append(effect)
            world.clock.advance(200)
            # Another worker takes the lane over, and the frozen one wakes when everything is done.
            world.run()
        return False

    world.kill_before = freeze
    world.run()
    assert outcome(world, raised) == EXPECTED
    assert [lane.head for lane in Lane.objects.filter(tail__gt=0)] == [6]


def test_refused_credentials_stop_the_whole_system_until_a_person_has_looked() -> None:
    world = World()
    raised = story(world)
    world.run()
    world.board.read_faults.append("401")
    # Long enough after the last reading for the next write to be preceded by another.
    world.clock.advance(5)
    world.desk.person_sets(raised, subject="three")
    world.run()
    world.board_row.refresh_from_db()
    assert (world.board_row.state, world.board_row.failure_code) == ("stopped", "unauthorized")
    assert world.board.tickets[world.twin(world.desk_row, raised)].fields["summary"] == "two"


def test_a_worker_stopped_after_its_look_sends_nothing_again_that_came_meanwhile() -> None:
    world = World()
    raised = world.desk.person_creates(subject="one", status="open")
    world.run()
    world.board.faults.append("late")
    world.desk.person_comments(raised, "first")
    world.board.gives_markers = False
    slept: list[bool] = []

    def sleep(effect: object) -> bool:
        looked = isinstance(effect, tuple) and type(effect[0]).__name__ == "StoreReading"
        sent = Delivery.objects.filter(state="sent").first()
        if looked and sent and sent.send_by and not slept:
            [(_, act)] = world.board.late
            world.board.late = [(world.clock.now() + timedelta(hours=1), act)]
            if world.clock.now() - sent.send_by > timedelta(seconds=50):
                # It is carried out after all, and the time in which it can be ends, while the worker stands still.
                slept.append(True)
                world.clock.advance(20)
                world.board.late.clear()
                act()
        return False

    world.kill_after = sleep
    world.run()
    assert slept
    assert world.board.texts(world.twin(world.desk_row, raised)) == ["Mina\nfirst"]
    assert world.waiting() == []


def test_a_write_on_a_later_page_of_the_history_is_recognised_there() -> None:
    world = World()
    raised = world.desk.person_creates(subject="one", status="open")
    world.run()
    twin = world.twin(world.desk_row, raised)
    world.board.gives_markers = False
    world.board.page_size = 2
    seen: list[str] = []

    def interfere(effect: Any) -> bool:
        name = type(effect).__name__
        if name == "UpdateTicket" and "written" not in seen:
            seen.append("written")
            for text in ("first", "second"):
                world.board.person_comments(twin, text)
        if name == "ReadHistory" and effect.system_id == world.board_row.pk and seen == ["written"]:
            # The next reading of the board begins when this one's lease has run out.
            seen.append("killed")
            return True
        return False

    world.kill_before = interfere
    world.desk.person_sets(raised, subject="two")
    world.run()
    assert seen == ["written", "killed"]
    assert list(SyncEvent.objects.filter(actor_id=OUR_ACCOUNT, caused_by=None)) == []
    assert [lane.tail for lane in Lane.objects.filter(system=world.desk_row)] == [2]
    assert world.waiting() == []


def test_a_page_with_more_behind_it_is_no_reading_to_write_by() -> None:
    world = World()
    raised = world.desk.person_creates(subject="one", status="open")
    world.run()
    twin = world.twin(world.desk_row, raised)
    # The newest value at the board stands on the second page.
    world.board.page_size = 1
    world.hints_arrive = False
    world.board.person_comments(twin, "first")
    world.board.person_sets(twin, summary="three")
    world.hints_arrive = True
    reading = Ticket.objects.get(system=world.board_row)
    history = world.board.history(twin, reading.cursor)
    assert history.has_more
    [stored] = world.store.carry_out(
        [effects.StoreReading(reading.pk, reading.version, history, world.clock.now())], world.clock.now()
    )
    assert stored
    before = reading.read_at
    reading.refresh_from_db()
    assert (reading.event_count, reading.read_at) == (2, before)
