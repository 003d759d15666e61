"""Both sides change a field without having seen the other's change: the newest, the own side, or a person decides."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import transaction

from integrations.engine import effects
from integrations.models import Conflict, Delivery, FieldRule, Lane, ValueMap, ValuePair
from integrations.services import queue
from integrations.services.conflicts import Choice, case_of, decide_conflict, take_newest
from tests.integrations.engine.world import World, writes

pytestmark = pytest.mark.django_db


class Pair:
    """A desk and a board with one linked ticket; each side's people may change the same fields."""

    def __init__(
        self,
        *,
        board: str = "newest",
        desk: str = "newest",
        seed: int = 1,
        rows: Sequence[tuple[str, str, str, str]] = (),
    ) -> None:
        """`rows` are more rows of the status: whose, in which direction, from what, to what."""
        self.world = world = World(seed=seed)
        for kind, direction, source, target in rows:
            maps = ValueMap.objects.filter(mapping_set__side__system__name=kind)
            one = maps.get(mapping_set__direction=direction)
            ValuePair.objects.create(value_map=one, source=source, target=target)
        for row, policy in ((world.board_row, board), (world.desk_row, desk)):
            FieldRule.objects.filter(mapping_set__side__system=row, mapping_set__direction="incoming").update(
                conflict=policy
            )
        self.raised = world.desk.person_creates(subject="one", status="new")
        world.run()
        self.twin = world.twin(world.desk_row, self.raised)

    def both_change(self, *, first: str = "board") -> None:
        """Both set the subject, a second apart, and neither hears of the other before."""
        self.world.hints_arrive = False
        edits = {
            "board": lambda: self.world.board.person_sets(self.twin, by="Ines", summary="from the board"),
            "desk": lambda: self.world.desk.person_sets(self.raised, by="Mina", subject="from the desk"),
        }
        edits[first]()
        self.world.clock.advance(1)
        edits["desk" if first == "board" else "board"]()
        self.world.hints_arrive = True
        self.world.hint(self.world.desk_row, self.raised)
        self.world.hint(self.world.board_row, self.twin)

    def subjects(self) -> tuple[object, object]:
        """What the desk and the board hold."""
        return (
            self.world.desk.tickets[self.raised].fields["subject"],
            self.world.board.tickets[self.twin].fields["summary"],
        )

    def asked(self) -> Conflict:
        """The one open question."""
        return Conflict.objects.open().get()

    def decide(self, choice: str, **more: Any) -> str:
        """Answer it."""
        result = decide_conflict(self.asked(), choice, by=None, now=self.world.clock.now(), **more)
        assert result.is_done, result.message
        return result.message


@pytest.mark.parametrize(
    ("board", "first", "stands"),
    [
        ("newest", "board", "from the desk"),
        ("newest", "desk", "from the board"),
        ("own", "board", "from the board"),
        ("own", "desk", "from the board"),
    ],
)
def test_both_sides_end_with_the_value_that_the_rule_says(board: str, first: str, stands: str) -> None:
    pair = Pair(board=board)
    pair.both_change(first=first)
    pair.world.run()
    assert pair.subjects() == (stands, stands)
    assert pair.world.waiting() == []


@pytest.mark.parametrize("policy", ["own", "person"])
def test_a_change_made_after_the_other_sides_had_arrived_is_no_conflict(policy: str) -> None:
    pair = Pair(board=policy)
    pair.world.board.person_sets(pair.twin, summary="from the board")
    pair.world.run()
    # The desk's clock is far behind: only the order in its history tells.
    pair.world.clock.advance(-600)
    pair.world.desk.person_sets(pair.raised, subject="an answer to that")
    pair.world.clock.advance(600)
    pair.world.run()
    assert pair.subjects() == ("an answer to that", "an answer to that")
    assert pair.world.waiting() == []


def test_changes_of_one_side_after_one_another_are_no_conflict() -> None:
    pair = Pair(board="person")
    for text in ("two", "three", "four"):
        pair.world.desk.person_sets(pair.raised, subject=text)
        pair.world.run()
    assert pair.subjects() == ("four", "four")
    pair.world.board.person_sets(pair.twin, summary="five")
    pair.world.run()
    pair.world.board.person_sets(pair.twin, summary="six")
    pair.world.run()
    assert pair.subjects() == ("six", "six")
    assert pair.world.waiting() == []


def test_nothing_is_recorded_or_read_in_addition_where_no_rule_asks() -> None:
    pair = Pair()
    pair.both_change()
    pair.world.run()
    envelopes = Delivery.objects.filter(operation="update").values_list("envelope", flat=True)
    assert all("seen" not in envelope for envelope in envelopes)
    assert not any("stood" in unseen for unseen in Delivery.objects.values_list("unseen", flat=True))


@pytest.mark.parametrize("first", ["board", "desk"])
@pytest.mark.parametrize(
    ("choice", "stands"), [(Choice.CAME, "from the desk"), (Choice.OWN, "from the board")]
)
def test_a_person_decides_whichever_came_first(first: str, choice: str, stands: str) -> None:
    pair = Pair(board="person")
    pair.both_change(first=first)
    pair.world.run()
    assert pair.world.waiting() == [("parked", "conflict")]
    assert pair.world.board.tickets[pair.twin].fields["summary"] == "from the board"
    case = case_of(pair.asked(), now=pair.world.clock.now())
    assert case is not None
    assert (case.came.shared, case.came.by, case.own.own, case.own.by) == (
        *("from the desk", "Mina"),
        *("from the board", "Ines"),
    )
    pair.decide(choice, token=case.token, reason="The customer said so.")
    pair.world.run()
    assert pair.subjects() == (stands, stands)
    assert pair.world.waiting() == []
    asked = Conflict.objects.get()
    assert (asked.choice, asked.reason, asked.came, asked.own, asked.stands) == (
        *(choice, "The customer said so."),
        *("from the desk", "from the board", stands),
    )
    # What comes after the decision goes its way again.
    pair.world.desk.person_sets(pair.raised, subject="later")
    pair.world.run()
    assert pair.subjects() == ("later", "later")


def test_what_waits_behind_a_conflict_keeps_its_order() -> None:
    pair = Pair(board="person")
    pair.both_change()
    pair.world.desk.person_comments(pair.raised, "Read this.")
    pair.world.desk.person_sets(pair.raised, by="Mina", subject="from the desk, again")
    pair.world.run()
    assert pair.world.board.texts(pair.twin) == []
    case = case_of(pair.asked(), now=pair.world.clock.now())
    assert case is not None
    # The sender's last word is what is decided about.
    assert case.came.shared == "from the desk, again"
    pair.decide(Choice.CAME)
    pair.world.run()
    assert pair.world.board.texts(pair.twin) == ["Mina\nRead this."]
    assert pair.subjects() == ("from the desk, again", "from the desk, again")
    assert pair.world.waiting() == []


def test_two_people_decide_at_once_and_the_second_is_told() -> None:
    pair = Pair(board="person")
    pair.both_change()
    pair.world.run()
    asked, now = pair.asked(), pair.world.clock.now()
    assert decide_conflict(asked, Choice.CAME, by=None, now=now).is_done
    second = decide_conflict(asked, Choice.OWN, by=None, now=now)
    assert (second.is_done, second.message) == (False, "Somebody was quicker and has decided already.")
    pair.world.run()
    assert pair.subjects() == ("from the desk", "from the desk")


def test_a_decision_about_values_that_have_changed_meanwhile_is_not_taken() -> None:
    pair = Pair(board="person")
    pair.both_change()
    pair.world.run()
    case = case_of(pair.asked(), now=pair.world.clock.now())
    assert case is not None
    pair.world.board.person_sets(pair.twin, summary="the board, once more")
    pair.world.run()
    result = decide_conflict(pair.asked(), Choice.OWN, by=None, now=pair.world.clock.now(), token=case.token)
    assert not result.is_done
    pair.decide(Choice.OWN)
    pair.world.run()
    assert pair.subjects() == ("the board, once more", "the board, once more")


def test_an_edit_after_the_decision_and_before_it_is_carried_out_stands_or_asks_again() -> None:
    pair = Pair(board="person")
    pair.both_change()
    pair.world.run()
    pair.decide(Choice.CAME)
    pair.world.board.person_sets(pair.twin, summary="the board, too late to be seen")
    pair.world.run()
    assert pair.subjects() == ("the board, too late to be seen", "the board, too late to be seen")
    assert pair.world.waiting() == []


@pytest.mark.parametrize("policy", ["newest", "own", "person"])
def test_a_finer_value_of_the_same_meaning_is_no_conflict_and_stays(policy: str) -> None:
    pair = Pair(board=policy, rows=[("board", "outgoing", "In Review", "open")])
    world = pair.world
    world.hints_arrive = False
    world.board.person_sets(pair.twin, status="In Review")
    world.clock.advance(1)
    world.desk.person_sets(pair.raised, status="open")
    world.hints_arrive = True
    world.hint(world.desk_row, pair.raised)
    world.hint(world.board_row, pair.twin)
    world.run()

    def statuses() -> tuple[object, object]:
        desk, board = world.desk.tickets[pair.raised], world.board.tickets[pair.twin]
        return desk.fields["status"], board.fields["status"]

    assert statuses() == ("open", "In Review")
    assert not Conflict.objects.exists()
    # What means something else is written, and the way back leads to the one that is written for it.
    for status, stands in (("solved", "Done"), ("open", "In Progress")):
        world.desk.person_sets(pair.raised, status=status)
        world.run()
        assert statuses() == (status, stands)
    assert world.waiting() == []


@pytest.mark.parametrize("first", ["board", "desk"])
def test_the_senders_value_that_was_let_stand_comes_back_in_its_own_words(first: str) -> None:
    # The board has one word for two of the desk's.
    rows = [("desk", "outgoing", "pending", "pending"), ("board", "incoming", "pending", "In Progress")]
    pair = Pair(board="person", rows=rows)
    world = pair.world
    world.hints_arrive = False
    edits = {
        "board": lambda: world.board.person_sets(pair.twin, status="Done"),
        "desk": lambda: world.desk.person_sets(pair.raised, by="Mina", status="pending"),
    }
    for one in (first, "desk" if first == "board" else "board"):
        edits[one]()
        world.clock.advance(1)
    world.hints_arrive = True
    world.hint(world.desk_row, pair.raised)
    world.hint(world.board_row, pair.twin)
    world.run()
    case = case_of(pair.asked(), now=world.clock.now())
    assert case is not None
    assert (case.came.own, case.came.by, case.own.own) == ("pending", "Mina", "Done")
    pair.decide(Choice.CAME, token=case.token)
    world.run()

    desk, board = world.desk.tickets[pair.raised].fields, world.board.tickets[pair.twin].fields
    assert (desk["status"], board["status"]) == ("pending", "In Progress")
    assert world.waiting() == []


def test_where_both_sides_ask_a_person_one_answer_is_enough() -> None:
    pair = Pair(board="person", desk="person")
    pair.both_change()
    pair.world.run()
    assert pair.world.waiting() == [("parked", "conflict")] * 2
    open_ones = Conflict.objects.open()
    at_board = open_ones.get(delivery__lane__system=pair.world.board_row)
    assert decide_conflict(at_board, Choice.OWN, by=None, now=pair.world.clock.now()).is_done
    pair.world.run()
    assert pair.subjects() == ("from the board", "from the board")
    assert pair.world.waiting() == []
    assert sorted(Conflict.objects.values_list("choice", flat=True)) == ["came", "own"]


def test_a_decision_that_is_itself_in_question_by_then_gives_way_to_the_next_one() -> None:
    pair = Pair(board="person", desk="person")
    pair.both_change()
    pair.world.run()
    at_board = Conflict.objects.open().get(delivery__lane__system=pair.world.board_row)
    now = pair.world.clock.now()
    assert decide_conflict(at_board, Choice.OWN, by=None, now=now).is_done
    # Before the decision gets there, by a clock that is far behind.
    pair.world.clock.advance(-600)
    pair.world.desk.person_sets(pair.raised, subject="once more")
    pair.world.clock.advance(600)
    pair.world.hint(pair.world.desk_row, pair.raised)
    pair.world.run()
    assert pair.world.waiting() == [("parked", "conflict")] * 2
    again = Conflict.objects.open().get(delivery__lane__system=pair.world.board_row)
    assert decide_conflict(again, Choice.CAME, by=None, now=pair.world.clock.now()).is_done
    pair.world.run()
    assert pair.subjects() == ("once more", "once more")
    assert pair.world.waiting() == []


@pytest.mark.parametrize(("desk", "first"), [("person", "board"), ("own", "desk")])
def test_what_was_decided_is_not_judged_again_by_the_rules_of_the_other_side(desk: str, first: str) -> None:
    pair = Pair(board="person", desk=desk)
    to_desk = Lane.objects.get(system=pair.world.desk_row)
    queue.hold_lanes([to_desk.pk], now=pair.world.clock.now())
    pair.both_change(first=first)
    pair.world.run()
    pair.decide(Choice.OWN)
    # Only now the board's edit comes to the desk, and the decision behind it.
    queue.resume_lanes([to_desk.pk], now=pair.world.clock.now())
    pair.world.run()
    assert pair.subjects() == ("from the board", "from the board")
    assert pair.world.waiting() == []
    assert Conflict.objects.count() == 1


def test_the_newest_of_both_is_taken_for_many_at_once() -> None:
    pair = Pair(board="person")
    pair.both_change(first="desk")
    pair.world.run()
    lane = Lane.objects.get(system=pair.world.board_row)
    (result,) = take_newest([lane.pk], now=pair.world.clock.now(), by=None)
    assert result.is_done
    pair.world.run()
    assert pair.subjects() == ("from the board", "from the board")


@pytest.mark.parametrize(("policy", "stands"), [("own", "from the board"), ("person", "from the board")])
def test_an_edit_that_came_between_the_look_and_the_write_is_not_lost(policy: str, stands: str) -> None:
    pair = Pair(board=policy)
    world = pair.world

    def the_board_changes(effect: Any) -> bool:
        if isinstance(effect, effects.UpdateTicket) and effect.system_id == world.board_row.pk:
            world.kill_before = lambda effect: False
            world.clock.advance(-120)
            world.board.person_sets(pair.twin, by="Ines", summary="from the board")
            world.clock.advance(120)
        return False

    world.kill_before = the_board_changes
    world.desk.person_sets(pair.raised, by="Mina", subject="from the desk")
    world.run()
    assert world.board.tickets[pair.twin].fields["summary"] == stands
    if policy == "person":
        assert world.waiting() == [("parked", "conflict")]
        pair.decide(Choice.CAME)
        world.run()
        stands = "from the desk"
    assert pair.subjects() == (stands, stands)
    assert world.waiting() == []


@pytest.mark.parametrize("policy", ["own", "person"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_conflict_survives_a_kill_wherever_the_engine_waits(policy: str, when: str) -> None:
    for point in itertools.count(1):
        with transaction.atomic():
            was_killed = _killed_at(point, policy, when)
            transaction.set_rollback(True)
        if not was_killed:
            assert point > 8
            return


def _killed_at(point: int, policy: str, when: str) -> bool:
    """Plays a conflict and kills the worker at one point; whether it got that far."""
    pair = Pair(board=policy)
    world, reached = pair.world, itertools.count(1)
    killed: list[Any] = []

    def kill(effect: Any) -> bool:
        if next(reached) == point:
            killed.append(effect)
            return True
        return False

    setattr(world, f"kill_{when}", kill)
    pair.both_change()
    world.run()
    if policy == "person":
        pair.decide(Choice.CAME)
        world.run()
    stands = "from the board" if policy == "own" else "from the desk"
    assert (pair.subjects(), world.waiting()) == ((stands, stands), [])
    return bool(killed)


@pytest.mark.parametrize(
    "policies",
    [
        ("own", "newest"),
        ("newest", "own"),
        ("own", "own"),
        ("person", "newest"),
        ("person", "person"),
        ("own", "person"),
    ],
)
@pytest.mark.parametrize("seed", range(6))
def test_both_sides_agree_after_any_schedule(policies: tuple[str, str], seed: int) -> None:
    chance = random.Random(f"{policies} {seed}")
    pair = Pair(board=policies[0], desk=policies[1], seed=seed)
    world = pair.world
    for number in range(12):
        world.hints_arrive = chance.random() < 0.6
        fake, id_, title, status = chance.choice(
            [
                (world.desk, pair.raised, "subject", ["new", "open", "solved"]),
                (world.board, pair.twin, "summary", ["To Do", "In Progress", "Done"]),
            ]
        )
        skew = chance.choice([0, 0, -600, 400])
        world.clock.advance(skew)
        fake.person_sets(id_, **{title: f"{fake.name} {number}", "status": chance.choice(status)})
        world.clock.advance(-skew)
        if chance.random() < 0.3:
            chance.choice([world.desk, world.board]).faults.extend(
                chance.choices(["lost_after", "lost_before", "late", "503"], k=2)
            )
        world.clock.advance(chance.choice([0.1, 2, 30]))
        if chance.random() < 0.5:
            world.run(hours=chance.choice([0.001, 0.02]))
        if chance.random() < 0.3:
            _decide_all(world, chance)
    world.hints_arrive = True
    world.hint(world.desk_row, pair.raised)
    world.hint(world.board_row, pair.twin)
    for _ in range(30):
        world.run()
        if not _decide_all(world, chance):
            break
    desk, board = world.desk.tickets[pair.raised].fields, world.board.tickets[pair.twin].fields
    words = {"new": "To Do", "open": "In Progress", "solved": "Done"}
    assert (desk["subject"], words[desk["status"]]) == (board["summary"], board["status"])
    assert world.waiting() == []
    assert len(writes(world.board.calls)) + len(writes(world.desk.calls)) < 150


def _decide_all(world: World, chance: random.Random) -> int:
    asked = list(Conflict.objects.open().select_related("delivery"))
    for conflict in asked:
        decide_conflict(conflict, chance.choice([Choice.CAME, Choice.OWN]), by=None, now=world.clock.now())
    return len(asked)
