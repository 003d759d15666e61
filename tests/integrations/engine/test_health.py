"""What failures and answers say of a system's health."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from integrations.connectors.errors import (
    ConnectorError,
    HeldBack,
    NotSent,
    RateLimited,
    Refused,
    Stale,
    Unauthorized,
    Unavailable,
)
from integrations.engine.health import Health, after_answer, after_failure
from integrations.engine.timing import FAILURES_TO_OPEN

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DOWN = Unavailable("It is down.")


def failed(health: Health, error: ConnectorError = DOWN, *, at_s: float = 0, after_s: float = 0) -> Health:
    """What is left of a health when something fails that was begun `after_s` before."""
    now = NOW + timedelta(seconds=at_s)
    started_at = now - timedelta(seconds=after_s)
    return after_failure(health, error, now, random.Random(1), started_at=started_at)


def opened() -> Health:
    health = Health()
    for _ in range(FAILURES_TO_OPEN):
        health = failed(health)
    return health


@pytest.mark.parametrize(
    "error",
    [
        NotSent("Not sent."),
        Stale("Somebody was quicker."),
        Refused("It does not want it."),
        HeldBack("The budget is used up.", retry_after_s=5),
        RateLimited("This ticket was written too often.", retry_after_s=600, is_for_ticket=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_says_nothing_of_the_system_leaves_its_health_as_it_is(error: ConnectorError) -> None:
    health = failed(Health())
    assert failed(health, error) == health


def test_the_breaker_stays_closed_until_enough_failures_came_in_a_row() -> None:
    health = Health()
    for _ in range(FAILURES_TO_OPEN - 1):
        health = failed(health)
    assert health == Health(streak=FAILURES_TO_OPEN - 1, code=DOWN.code, message="It is down.")


def test_what_was_under_way_when_a_pause_began_neither_counts_nor_makes_it_longer() -> None:
    health = opened()
    for _ in range(20):
        health = failed(health, at_s=1)
    assert health == opened()


def test_what_was_under_way_does_not_count_either_when_its_answer_fails_to_come_after_the_pause() -> None:
    health = opened()
    assert health.paused_until
    pause_s = (health.paused_until - NOW).total_seconds()
    assert failed(health, at_s=pause_s + 1, after_s=pause_s + 2) == health
    assert failed(health, at_s=pause_s + 2, after_s=1).streak == health.streak + 1


def test_a_pause_that_is_asked_for_by_what_was_under_way_is_no_further_failure() -> None:
    asked = RateLimited("Slower, please.", retry_after_s=400)
    assert failed(opened(), asked, at_s=1, after_s=2).streak == opened().streak


def test_each_try_in_vain_after_a_pause_makes_the_next_one_grow_up_to_five_minutes() -> None:
    health, now_s, longest = Health(), 0.0, []
    for _ in range(FAILURES_TO_OPEN):
        health = failed(health)
    for _ in range(6):
        later = NOW + timedelta(seconds=now_s + 1000)
        found = [
            after_failure(health, DOWN, later, random.Random(seed), started_at=later) for seed in range(200)
        ]
        pauses = [
            (one.paused_until - NOW).total_seconds() - now_s - 1000 for one in found if one.paused_until
        ]
        longest.append(max(pauses))
        assert min(pauses) >= 2
        health, now_s = found[0], now_s + 1000
    assert [round(one, -1) for one in longest] == [60, 120, 240, 300, 300, 300]


def test_a_pause_that_the_system_asks_for_is_kept_by_everybody_and_outlasts_our_own() -> None:
    asked = RateLimited("Slower, please.", retry_after_s=400)
    health = failed(opened(), asked, at_s=1)
    assert (health.code, health.paused_until) == (RateLimited.code, NOW + timedelta(seconds=401))
    assert failed(health, at_s=2) == health
    assert after_answer(health, NOW + timedelta(seconds=2)) == health
    assert after_answer(health, NOW + timedelta(seconds=402)) == Health()


def test_refused_credentials_stop_the_system_whatever_comes_in_later() -> None:
    health = failed(opened(), Unauthorized("The password is wrong."), at_s=1)
    assert (health.is_stopped, health.code) == (True, Unauthorized.code)
    assert failed(health, at_s=2) == health
    assert after_answer(health, NOW + timedelta(days=1)) == health


def test_an_answer_ends_the_pause_that_we_took_by_ourselves() -> None:
    assert after_answer(opened(), NOW) == Health()
