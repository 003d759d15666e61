"""Only what is explicitly not promised is judged by less, and only under its exact circumstances."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from integrations.canonical import Change, ChangeKind, Person
from integrations.engine import effects
from integrations.simulation.campaign import run_one
from integrations.simulation.clock import START, moment
from integrations.simulation.journal import Happened, Journal, Sent
from integrations.simulation.schedule import from_json
from integrations.simulation.systems import OUR_ACCOUNT
from integrations.simulation.unpromised import FORESTALLED, TAKEN, TOO_LATE, found_in

SEEDS = Path(__file__).parent / "seeds"


def a_write(
    *deliveries: int, claimed: int, left: int, executed: int | None, is_too_late: bool = False
) -> Sent:
    """A write of these deliveries; milliseconds."""
    call = effects.UpdateTicket(1, START + timedelta(hours=1), remote_id="1", fields={"status": "open"})
    return Sent(
        *(1, 1, 0, call, claimed, claimed),
        deliveries=deliveries,
        left_ms=left,
        executed_ms=executed,
        is_too_late=is_too_late,
    )


def an_automation(ms: int) -> Happened:
    """What a rule of the system did under our account at that moment."""
    person = Person(OUR_ACCOUNT, "Concord")
    change = Change(
        id=f"h{ms}", at=moment(ms), actor=person, kind=ChangeKind.UPDATED, fields={"status": "open"}
    )
    return Happened(ms, 0, "1", change, None, 0)


def excused(journal: Journal, causes: dict[tuple[int, str], int | None] | None = None) -> list[tuple]:
    """Why and from when on which of the writes is excused; None for one that is not."""
    found = found_in(journal, causes or {})
    return [(found[sent].why, found[sent].since_ms) if sent in found else None for sent in journal.calls]


def test_a_write_under_way_while_an_earlier_one_of_the_same_delivery_turns_up_too_late_is_excused() -> None:
    late = a_write(1, claimed=0, left=10, executed=200_000, is_too_late=True)
    again = a_write(1, claimed=190_000, left=190_100, executed=220_000)
    assert excused(Journal(calls=[late, again])) == [(TOO_LATE, 10), (FORESTALLED, 200_000)]


@pytest.mark.parametrize(
    ("claimed", "executed"),
    [(200_001, 220_000), (150_000, 199_999)],
    ids=["it was there to be seen", "it came after"],
)
def test_what_turned_up_before_or_after_excuses_nothing(claimed: int, executed: int) -> None:
    late = a_write(1, claimed=0, left=10, executed=200_000, is_too_late=True)
    other = a_write(1, claimed=claimed, left=claimed + 100, executed=executed)
    assert excused(Journal(calls=[late, other])) == [(TOO_LATE, 10), None]


def test_a_write_in_time_excuses_no_second_one() -> None:
    writes = [
        a_write(1, claimed=0, left=10, executed=50_000),
        a_write(1, claimed=40_000, left=40_100, executed=60_000),
        a_write(2, claimed=40_000, left=40_100, executed=60_000),
    ]
    assert excused(Journal(calls=writes)) == [None, None, None]


def test_a_write_that_carries_something_else_as_well_is_not_excused() -> None:
    late = a_write(1, claimed=0, left=10, executed=200_000, is_too_late=True)
    both = a_write(1, 2, claimed=190_000, left=190_100, executed=220_000)
    assert excused(Journal(calls=[late, both])) == [(TOO_LATE, 10), None]


def test_a_write_is_excused_when_an_automation_was_taken_for_it_while_it_was_under_way() -> None:
    write = a_write(1, claimed=0, left=10, executed=50_000)
    journal = Journal(calls=[write], happened=[an_automation(30_000)])
    assert excused(journal, {(0, "h30000"): 1}) == [(TAKEN, 30_000)]
    # Taken for news, or for somebody else's write; or before there was a write it could be taken for.
    assert excused(journal, {(0, "h30000"): None}) == [None]
    assert excused(journal, {(0, "h30000"): 2}) == [None]
    later = Journal(
        calls=[a_write(1, claimed=30_001, left=30_010, executed=50_000)], happened=journal.happened
    )
    assert excused(later, {(0, "h30000"): 1}) == [None]


@pytest.mark.parametrize(
    ("kept", "counts"),
    [
        ("taken_for_an_automation", [{TAKEN: 1}]),
        ("forestalled", [{TOO_LATE: 2, FORESTALLED: 1}, {TOO_LATE: 2, FORESTALLED: 1}]),
    ],
)
def test_what_is_not_promised_is_counted(kept: str, counts: list[dict[str, int]]) -> None:
    lines = (SEEDS / f"{kept}.jsonl").read_text(encoding="utf-8").splitlines()
    outcomes = [run_one(from_json(line)) for line in lines]
    told = [
        {
            name.removeprefix("not promised: "): count
            for name, count in one.figures.items()
            if name.startswith("not promised")
        }
        for one in outcomes
    ]
    assert told == counts
