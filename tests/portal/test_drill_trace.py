"""What a drill calls applied, lost, doubled and out of order, on histories worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from portal.drill.trace import COMMENT, FILE, Fact, Fate, Sight, trace

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def at(minutes: int) -> datetime:
    """So many minutes after nine."""
    return START + timedelta(minutes=minutes)


def fact(minute: int, what: str, value: str) -> Fact:
    return Fact(at(minute), "Mara", what, value, f"{what}: {value}")


def sight(minute: int, what: str, value: str, *, is_ours: bool = True) -> Sight:
    return Sight(at(minute), what, value, is_ours)


def outcome(facts: list[Fact], sights: list[Sight], *, steps_in: str = "") -> tuple[list[tuple], int, int]:
    found = trace(facts, sights, steps_in=steps_in)
    return [(one.fate, one.place) for one in found.traced], found.doubled, found.out_of_order


def test_changes_that_arrive_in_their_order_are_applied_once() -> None:
    facts = [fact(1, "title", "A"), fact(2, COMMENT, "one"), fact(3, "title", "B"), fact(4, FILE, "a.txt")]
    sights = [
        sight(9, "title", "A"),
        sight(9, COMMENT, "Mara:\n\none"),
        sight(10, "title", "B"),
        sight(11, FILE, "a.txt"),
    ]

    assert outcome(facts, sights) == (
        [(Fate.APPLIED, 0), (Fate.APPLIED, 1), (Fate.APPLIED, 2), (Fate.APPLIED, 3)],
        0,
        0,
    )
    assert [one.waited_s for one in trace(facts, sights).traced] == [480, 420, 420, 420]


def test_a_change_that_the_receiver_does_not_show_is_lost() -> None:
    facts = [fact(1, "title", "A"), fact(2, COMMENT, "one"), fact(3, FILE, "a.txt")]

    assert outcome(facts, [sight(9, "title", "B")]) == ([(Fate.LOST, None)] * 3, 0, 0)
    # Somebody there may have written the same words.
    assert outcome(facts[1:2], [sight(9, COMMENT, "one", is_ours=False)])[0] == [(Fate.LOST, None)]


def test_what_is_written_twice_is_doubled() -> None:
    facts = [fact(1, "title", "A"), fact(2, "title", "B"), fact(3, COMMENT, "one")]
    sights = [
        sight(9, "title", "A"),
        sight(10, "title", "B"),
        sight(11, "title", "A"),
        sight(12, COMMENT, "one"),
        sight(13, COMMENT, "one"),
    ]

    assert outcome(facts, sights)[1:] == (2, 0)
    assert trace(facts, sights).traced[2].copies == 2


def test_a_value_that_stands_already_asks_for_nothing() -> None:
    facts = [fact(1, "priority", "High"), fact(2, "priority", "High"), fact(3, "priority", "Low")]
    sights = [sight(9, "priority", "High"), sight(10, "priority", "Low")]

    assert outcome(facts, sights) == (
        [(Fate.APPLIED, 0), (Fate.NOTHING_TO_DO, None), (Fate.APPLIED, 1)],
        0,
        0,
    )


def test_values_in_another_order_are_told() -> None:
    facts = [fact(1, "title", "A"), fact(2, "title", "B")]

    assert outcome(facts, [sight(9, "title", "B"), sight(10, "title", "A")])[2] == 1


def test_a_comment_that_overtakes_another_change_is_told() -> None:
    facts = [fact(1, "title", "A"), fact(2, COMMENT, "one")]

    assert outcome(facts, [sight(9, COMMENT, "one"), sight(10, "title", "A")])[2] == 1
    # A clock that only knows seconds leaves them equal.
    assert outcome(facts, [sight(9, COMMENT, "one"), sight(9, "title", "A")])[2] == 0


def test_a_workflows_own_steps_are_not_doubled() -> None:
    facts = [fact(1, "status", "Active"), fact(2, "status", "New"), fact(3, "status", "Done")]
    sights = [
        sight(9, "status", "Active"),
        sight(10, "status", "New"),
        # On the way from New to Done.
        sight(11, "status", "Active"),
        sight(11, "status", "Done"),
    ]

    assert outcome(facts, sights, steps_in="status")[1] == 0
    assert outcome(facts, sights)[1] == 1


def test_a_note_in_a_files_place_counts_for_the_file() -> None:
    facts = [fact(1, FILE, "a.txt")]
    note = sight(9, COMMENT, "The file “a.txt” stays in Mercuri's system. It is too large.")

    assert outcome(facts, [note]) == ([(Fate.NOTED, 0)], 0, 0)
