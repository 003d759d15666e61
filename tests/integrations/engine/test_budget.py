"""The rules of a budget of calls: what may go, what is kept for live work, and what an answer changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from integrations.connectors.gate import Tidings
from integrations.connectors.rates import Told
from integrations.engine import budget as rules
from integrations.engine.budget import Budget

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def told(**what: object) -> Tidings:
    return Tidings(told=Told(**what))  # type: ignore[arg-type]


def test_without_a_limit_everything_may_go() -> None:
    assert (rules.available(Budget(), NOW), rules.share(Budget(), 5, 3, NOW)) == (None, None)


def test_a_ceiling_holds_in_every_minute_whatever_the_rhythm() -> None:
    budget, went = Budget(ceiling=10), []
    for second in range(600):
        now = later(second)
        count = rules.share(budget, 4, 1, now) or 0
        budget = rules.spent(budget, count, now)
        # The latest that a call may leave.
        went += [second + 2] * count
    assert max(sum(at <= one < at + 60 for one in went) for at in range(600)) == 10
    # All of it is used, but for the seconds in which an allowed call may still leave.
    assert len(went) >= 600 / 65 * 10


def test_work_that_can_wait_leaves_a_fifth_to_live_work() -> None:
    budget = rules.spent(Budget(ceiling=10), 7, NOW)
    assert (rules.available(budget, NOW), rules.for_bulk(budget, NOW)) == (3, 1)
    budget = rules.spent(budget, 1, NOW)
    assert (rules.available(budget, NOW), rules.for_bulk(budget, NOW)) == (2, 0)


def test_one_worker_takes_half_of_what_is_left_and_nothing_when_no_step_can_be_finished() -> None:
    budget = Budget(ceiling=20)
    assert [rules.share(rules.spent(budget, used, NOW), 16, 3, NOW) for used in (0, 10, 17, 18)] == [
        10,
        5,
        3,
        0,
    ]


def test_a_limit_smaller_than_a_step_is_used_all_the_same() -> None:
    assert rules.share(Budget(ceiling=2), 16, 3, NOW) == 1


def test_plenty_left_at_the_vendor_limits_nobody() -> None:
    budget = rules.heard(Budget(), told(limit=700, left=600, resets_at=later(40)), NOW)
    assert rules.available(budget, NOW) is None


def test_what_is_left_at_the_vendor_is_shared_until_it_is_reset() -> None:
    budget = rules.heard(Budget(), told(limit=700, left=30, resets_at=later(40)), NOW)
    budget = rules.spent(budget, 30, later(1))
    assert (rules.available(budget, later(39)), rules.free_at(budget, later(39))) == (0, later(40))
    # Then a tenth a second, until an answer tells more.
    assert rules.available(budget, later(40)) == 70
    budget = rules.spent(budget, 70, later(40))
    assert [rules.available(budget, later(at)) for at in (40.5, 41, 99)] == [35, 70, 630]
    budget = rules.heard(budget, told(limit=700, left=630, resets_at=later(100)), later(50))
    assert rules.available(budget, later(50)) is None


def test_calls_that_an_answer_cannot_have_counted_are_taken_off() -> None:
    budget = rules.spent(Budget(limit=50, left=50, resets_at=later(60)), 12, NOW)
    # Eight were this worker's own, three of them after the request; the others may all be.
    tidings = Tidings(told=Told(50, 40, later(60)), age_s=1.0, unseen=3, counted=8)
    assert rules.heard(budget, tidings, later(1)).left == 40 - 3 - (12 - 8)


def test_a_vendor_that_does_not_tell_what_is_left_is_counted() -> None:
    budget = rules.spent(Budget(), 30, NOW)
    budget = rules.heard(budget, told(limit=100, left=None, resets_at=later(600), window_s=3600), later(1))
    assert (budget.left, rules.available(budget, later(1))) == (70, None)
    budget = rules.spent(budget, 65, later(2))
    assert rules.available(budget, later(2)) == 5


def test_a_limit_holds_through_an_outage_in_which_nobody_answers() -> None:
    budget = rules.heard(Budget(), told(limit=8, left=0, resets_at=later(40)), NOW)
    nothing = Tidings(calls=2)
    for minutes in (2, 60, 600):
        budget = rules.heard(rules.spent(budget, 2, later(60 * minutes)), nothing, later(60 * minutes))
        assert rules.available(budget, later(60 * minutes + 1)) == 6


@pytest.mark.parametrize("window_s", [60, 3600])
def test_a_limit_ends_with_an_answer_that_tells_of_none_a_window_after_the_last_that_did(
    window_s: int,
) -> None:
    budget = rules.heard(Budget(), told(limit=8, left=0, resets_at=later(window_s), window_s=window_s), NOW)
    silent = Tidings(is_silent=True)
    assert rules.heard(budget, silent, later(window_s - 1)) == budget
    budget = rules.heard(budget, silent, later(window_s))
    assert (rules.available(budget, later(window_s)), budget) == (None, Budget(told_at=NOW))


def test_a_limit_of_which_no_answer_tells_any_more_may_be_gone() -> None:
    budget = rules.heard(Budget(), told(limit=100, left=None, window_s=3600), NOW)
    assert [rules.is_told(one, later(at)) for one, at in ((Budget(), 0), (budget, 3599), (budget, 3600))] == [
        False,
        True,
        False,
    ]


def test_a_pause_that_was_asked_for_stops_everything_until_it_is_over() -> None:
    budget = rules.heard(Budget(), told(wait_s=30.0), NOW)
    assert (rules.available(budget, later(29)), rules.free_at(budget, later(29))) == (0, later(30))
    assert rules.available(budget, later(30)) is None


def test_what_was_allowed_and_not_used_comes_back() -> None:
    budget = rules.spent(Budget(ceiling=10, limit=50, left=50, resets_at=later(60)), 10, NOW)
    budget = rules.handed_back(budget, int(NOW.timestamp()), 4, later(2))
    assert (rules.available(budget, later(2)), budget.left, rules.calls_in(budget, 60, later(2))) == (
        4,
        44,
        6,
    )


def test_calls_are_counted_for_a_minute_and_for_an_hour() -> None:
    budget = Budget()
    for minute in range(90):
        budget = rules.spent(budget, minute, later(60 * minute))
    now = later(60 * 89 + 30)
    assert (rules.calls_in(budget, 1, now), rules.calls_in(budget, 60, now)) == (89, sum(range(30, 90)))
    assert len(budget.minutes) <= 61
