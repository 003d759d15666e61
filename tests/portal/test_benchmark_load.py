"""The benchmark's arithmetic: percentiles, the work of a ticket, and what is remembered of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from portal.benchmark.load import Done, burst, one_by_one, paced, percentile
from portal.benchmark.work import CHANGES_A_TICKET, WORKS

WORK = WORKS["zendesk"]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.5, 7.0),
        ([7.0], 0.99, 7.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([1.0, 2.0, 4.0], 0.5, 2.0),
        ([1.0, 2.0, 4.0], 0.75, 3.0),
        ([1.0, 2.0, 4.0], 0.0, 1.0),
        ([1.0, 2.0, 4.0], 1.0, 4.0),
        ([float(number) for number in range(101)], 0.95, 95.0),
    ],
)
def test_a_percentile_lies_between_its_neighbours(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == pytest.approx(expected)


def test_there_is_no_percentile_of_nothing() -> None:
    assert math.isnan(percentile([], 0.5))


class Notebook:
    """A sandbox that writes down what it is told and numbers tickets and changes."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.told: list[tuple[str, str]] = []

    def act(self, *actions: dict) -> list[dict]:
        self.calls.append(len(actions))
        answers = []
        for action in actions:
            ticket = action.get("ticket") or f"t{len([one for one in self.told if one[0] == 'create'])}"
            self.told.append((action["do"], ticket))
            answers.append({"ticket": ticket, "changes": [f"c{len(self.told)}"]})
        return answers


def test_a_burst_makes_all_tickets_first_and_every_change_of_a_ticket_in_its_order() -> None:
    sandbox = Notebook()

    done = burst(sandbox, WORK, 25)  # type: ignore[arg-type]

    names = [f"t{number}" for number in range(25)]
    assert done.tickets == names
    assert sandbox.told == [("create", name) for name in names] + [
        ("update", name) for _ in range(CHANGES_A_TICKET - 1) for name in names
    ]
    assert sandbox.calls == [20, 5] * CHANGES_A_TICKET
    assert len(done.made_at) == 25 * CHANGES_A_TICKET


def test_the_paced_work_is_one_change_after_the_other() -> None:
    sandbox = Notebook()

    done = paced(sandbox, WORK, 2, rate=1e6)  # type: ignore[arg-type]

    changes = ["create", *["update"] * (CHANGES_A_TICKET - 1)]
    assert sandbox.told == [(do, name) for name in ("t0", "t1") for do in changes]
    assert set(sandbox.calls) == {1}
    assert done.tickets == ["t0", "t1"]


def test_every_change_is_remembered_by_its_ticket() -> None:
    done, at = Done(), datetime(2026, 11, 23, tzinfo=UTC)

    done.note({"ticket": 7, "changes": [1, 2]}, at)

    assert (done.made_at, done.changes) == ({("7", "1"): at, ("7", "2"): at}, 1)


def test_one_by_one_each_change_waits_until_the_one_before_has_arrived() -> None:
    sandbox = Notebook()
    waited: list[tuple[int, int]] = []

    one_by_one(
        sandbox,  # type: ignore[arg-type]
        WORK,
        2,
        1e6,
        lambda done: waited.append((done.changes, len(sandbox.told))),
    )

    assert waited == [(number, number) for number in range(1, 2 * CHANGES_A_TICKET + 1)]
    assert [do for do, _ in sandbox.told] == ["create", *["update"] * (CHANGES_A_TICKET - 1)] * 2
