"""Who held a matter when: histories worked out by hand, and that the segments always add up to the whole."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from slas.clock import Status
from slas.custody import REQUESTER, Move, Segment, Stop, Why, segments

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DESK, BOARD, PLANT = 1, 2, 3
CHAIN = (Stop(DESK, None), Stop(BOARD, DESK), Stop(PLANT, BOARD))


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def opened(minute: int, ticket: int = DESK) -> Move:
    return Move(at(minute), ticket, Why.OPENED if ticket == DESK else Why.HANDED_OVER)


def status(minute: int, ticket: int, value: Status) -> Move:
    return Move(at(minute), ticket, Why.STATUS, value)


def minutes(found: tuple[Segment, ...]) -> list[tuple[int, int, int]]:
    """Holder, and from which minute to which."""
    return [
        (one.holder, int((one.from_at - START).seconds / 60), int((one.to_at - START).seconds / 60))
        for one in found
    ]


def test_a_matter_goes_from_hand_to_hand_and_back() -> None:
    moves = [
        opened(0),
        opened(10, BOARD),
        opened(25, PLANT),
        status(40, PLANT, Status.RESOLVED),
        status(45, BOARD, Status.RESOLVED),
        status(50, DESK, Status.RESOLVED),
    ]

    assert minutes(segments(CHAIN, moves, at(90))) == [
        (DESK, 0, 10),
        (BOARD, 10, 25),
        (PLANT, 25, 40),
        (BOARD, 40, 45),
        (DESK, 45, 50),
    ]


def test_pending_gives_it_back_to_the_one_before() -> None:
    moves = [
        opened(0),
        opened(10, BOARD),
        status(20, BOARD, Status.PENDING),
        status(30, BOARD, Status.OPEN),
        status(40, DESK, Status.PENDING),
        status(45, DESK, Status.OPEN),
    ]

    assert minutes(segments(CHAIN, moves, at(60))) == [
        (DESK, 0, 10),
        (BOARD, 10, 20),
        (DESK, 20, 30),
        (BOARD, 30, 40),
        (REQUESTER, 40, 45),
        (BOARD, 45, 60),
    ]


def test_a_matter_that_is_opened_again_leaves_a_gap_while_it_was_over() -> None:
    moves = [opened(0), status(10, DESK, Status.RESOLVED), status(30, DESK, Status.OPEN)]

    assert minutes(segments(CHAIN, moves, at(40))) == [(DESK, 0, 10), (DESK, 30, 40)]


def test_a_ticket_that_is_gone_holds_nothing() -> None:
    moves = [opened(0), opened(10, BOARD), Move(at(20), BOARD, Why.GONE), Move(at(30), BOARD, Why.RESTORED)]

    assert minutes(segments(CHAIN, moves, at(40))) == [
        (DESK, 0, 10),
        (BOARD, 10, 20),
        (DESK, 20, 30),
        (BOARD, 30, 40),
    ]


def test_of_two_that_it_was_handed_to_the_later_one_holds_it_first() -> None:
    fork = (Stop(DESK, None), Stop(BOARD, DESK), Stop(PLANT, DESK))
    moves = [opened(0), opened(10, BOARD), opened(20, PLANT), status(30, PLANT, Status.CLOSED)]

    assert minutes(segments(fork, moves, at(40))) == [
        (DESK, 0, 10),
        (BOARD, 10, 20),
        (PLANT, 20, 30),
        (BOARD, 30, 40),
    ]


def test_nothing_is_held_before_the_first_ticket_is_opened() -> None:
    assert segments(CHAIN, [opened(10, BOARD)], at(40)) == ()
    assert segments(CHAIN, [opened(10)], at(10)) == ()


def test_every_boundary_names_the_move_that_made_it() -> None:
    move = Move(at(20), BOARD, Why.STATUS, Status.PENDING, event=77)

    found = segments(CHAIN, [opened(0), opened(10, BOARD), move], at(30))

    assert found[-1] == Segment(DESK, at(20), at(30), move)


_moves = st.lists(
    st.builds(
        Move,
        at=st.integers(1, 600).map(at),
        ticket=st.sampled_from([DESK, BOARD, PLANT]),
        why=st.sampled_from(list(Why)),
        status=st.one_of(st.none(), st.sampled_from(list(Status))),
        order=st.integers(0, 3),
    ),
    max_size=30,
)


@given(_moves, st.randoms())
def test_the_segments_add_up_to_the_time_the_matter_was_open(moves: list[Move], dice: object) -> None:
    first = opened(0)
    until = at(601)
    found = segments(CHAIN, [first, *moves], until)
    # By the minute, by asking at every one: who holds it then?
    open_minutes = sum(
        bool(
            held := segments(CHAIN, [first, *(one for one in moves if one.at <= at(minute))], at(minute + 1))
        )
        and held[-1].to_at == at(minute + 1)
        for minute in range(0, 601, 7)
    )
    covered = sum(any(one.from_at <= at(minute) < one.to_at for one in found) for minute in range(0, 601, 7))
    shuffled = [*moves, first]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]

    assert covered == open_minutes
    assert all(one.from_at < one.to_at for one in found)
    assert all(one.to_at <= other.from_at for one, other in itertools.pairwise(found))
    assert all(
        one.holder != other.holder or one.to_at < other.from_at for one, other in itertools.pairwise(found)
    )
