"""What undoing several writes of one ticket would put back, field by field."""

from __future__ import annotations

import pytest

from integrations.engine.undo_plan import Verdict, Write, plan
from integrations.engine.values import Stamp, TicketState, Winner


def ticket(value: object, stamp: Stamp, winner: object = ...) -> TicketState:
    stands = value if winner is ... else winner
    return TicketState(7, 1, "7", "", 0, 9, {"status": value}, {"status": Winner(stands, stamp)})  # type: ignore[arg-type]


def write(ms: int, wrote: str, replaced: str | None) -> Write:
    return Write(ms, Stamp(ms, 2), {"status": wrote}, {} if replaced is None else {"status": replaced})


@pytest.mark.parametrize(
    ("writes", "stands", "stamp", "verdict", "put_back"),
    [
        # One write, and two that followed each other.
        ([write(5, "Done", "Open")], "Done", Stamp(5, 2), Verdict.OPEN, "Open"),
        ([write(5, "Done", "Open"), write(6, "Wait", "Done")], "Wait", Stamp(6, 2), Verdict.OPEN, "Open"),
        # What the system makes of a value counts as the value.
        ([write(5, "Done ", "Open"), write(6, "Wait", "Done")], "Wait", Stamp(6, 2), Verdict.OPEN, "Open"),
        # Somebody in between: what they had set is put back.
        ([write(5, "Done", "Open"), write(6, "Wait", "Mine")], "Wait", Stamp(6, 2), Verdict.OPEN, "Mine"),
        # Edited since; to another value, and to another and back.
        ([write(5, "Done", "Open")], "Mine", Stamp(9, 1), Verdict.LEFT, "Open"),
        ([write(5, "Done", "Open")], "Done", Stamp(9, 1), Verdict.LEFT, "Open"),
        # Put back already, by whoever.
        ([write(5, "Done", "Open")], "Open", Stamp(9, 1), Verdict.STOOD, "Open"),
        # Set when the ticket was made.
        ([write(5, "Done", None)], "Done", Stamp(5, 2), Verdict.MADE, None),
        ([write(5, "Done", None), write(6, "Wait", "Done")], "Wait", Stamp(6, 2), Verdict.MADE, None),
    ],
)
def test_what_counts_is_the_latest_value_and_what_stood_before_the_first(
    writes: list[Write], stands: str, stamp: Stamp, verdict: Verdict, put_back: str | None
) -> None:
    (planned,) = plan(writes, ticket(stands, stamp), lambda name, value: str(value).strip())
    assert (planned.verdict, planned.put_back, planned.stands) == (verdict, put_back, stands)
    assert planned.write is writes[-1]
    held = Winner(stands, writes[-1].stamp) if verdict is Verdict.OPEN else None
    assert planned.held == held


def test_a_value_that_the_same_version_only_confirmed_is_still_its_own() -> None:
    again = Stamp(8, 2)
    state = ticket("Done", again)
    verdicts = [
        plan([write(5, "Done", "Open")], state, lambda name, value: value, told_again=told)[0].verdict
        for told in (frozenset({again}), frozenset())
    ]
    assert verdicts == [Verdict.OPEN, Verdict.LEFT]


def test_a_newer_value_that_is_on_its_way_back_is_not_covered() -> None:
    state = ticket("Done", Stamp(5, 2), "Mine")
    (planned,) = plan([write(5, "Done", "Open")], state, lambda name, value: value)
    assert planned.verdict is Verdict.LEFT


def test_fields_come_by_their_names_whatever_order_they_were_written_in() -> None:
    one = Write(5, Stamp(5, 2), {"title": "B", "status": "Done"}, {"title": "A", "status": "Open"})
    assert [
        planned.name for planned in plan([one], ticket("Done", Stamp(5, 2)), lambda name, value: value)
    ] == [
        "status",
        "title",
    ]
