"""What is worth an alert, as tables of facts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from integrations.watch.conditions import (
    Background,
    Condition,
    Expiry,
    LaneGroup,
    Severity,
    Standing,
    Subject,
    SystemFacts,
    judge,
    judge_background,
    judge_expiries,
    judge_lanes,
    judge_system,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


# --- The background work ---


@pytest.mark.parametrize(
    ("tick", "sweep", "watch", "broker", "codes"),
    [
        (1, 5, 30, True, set()),
        # Nobody ever started a watcher, so none is missed.
        (1, 5, None, None, set()),
        (60, 5, None, None, set()),
        (61, 5, None, None, {Condition.WORKER_AWAY}),
        (None, None, None, None, {Condition.WORKER_AWAY}),
        # The cause and not its effect.
        (600, 600, None, None, {Condition.WORKER_AWAY}),
        (1, 121, None, None, {Condition.SWEEP_AWAY}),
        (1, None, None, None, {Condition.SWEEP_AWAY}),
        (1, 5, 899, None, set()),
        (1, 5, 901, None, {Condition.WATCH_AWAY}),
        (1, 5, 5, False, {Condition.BROKER_AWAY}),
        (600, 600, 901, False, {Condition.WORKER_AWAY, Condition.WATCH_AWAY, Condition.BROKER_AWAY}),
    ],
)
def test_parts_that_fell_silent_are_missed(
    tick: int | None, sweep: int | None, watch: int | None, broker: bool | None, codes: set[Condition]
) -> None:
    heard = [None if one is None else ago(seconds=one) for one in (tick, sweep, watch)]

    verdict = judge_background(Background(*heard, broker_answers=broker), NOW)

    assert {one.code for one in verdict.standings} == codes


def test_a_broker_that_nobody_asked_is_not_judged() -> None:
    verdict = judge_background(Background(NOW, NOW, None), NOW)

    assert verdict.unjudged == {Condition.BROKER_AWAY}


def test_the_workers_silence_began_with_its_last_beat() -> None:
    [standing] = judge_background(Background(ago(hours=3), None, None), NOW).standings

    assert (standing.since, standing.severity) == (ago(hours=3), Severity.CRITICAL)


# --- Systems ---


def facts(**values: Any) -> SystemFacts:
    known: dict[str, Any] = {
        "pk": 7,
        "name": "Infinity Jira",
        "is_active": True,
        "is_stopped": False,
        "fail_streak": 0,
        "failed_at": None,
        "failing_since": None,
        "polled_at": ago(minutes=1),
        "poll_every": MINUTE,
        "has_sides": True,
    }
    return SystemFacts(**{**known, **values})


@pytest.mark.parametrize(
    ("values", "code", "severity", "stage"),
    [
        ({}, None, None, None),
        ({"polled_at": None}, None, None, None),
        ({"polled_at": ago(minutes=15)}, None, None, None),
        ({"polled_at": ago(minutes=16)}, Condition.POLL_STALLED, Severity.WARNING, 1),
        # Asked every ten minutes, it may be quiet for fifty.
        ({"polled_at": ago(minutes=50), "poll_every": 10 * MINUTE}, None, None, None),
        (
            {"polled_at": ago(minutes=51), "poll_every": 10 * MINUTE},
            Condition.POLL_STALLED,
            Severity.WARNING,
            1,
        ),
        ({"polled_at": ago(days=1), "has_sides": False}, None, None, None),
        ({"fail_streak": 4}, None, None, None),
        ({"fail_streak": 5}, Condition.SYSTEM_FAILING, Severity.WARNING, 1),
        (
            {"fail_streak": 50, "failing_since": ago(minutes=59)},
            Condition.SYSTEM_FAILING,
            Severity.WARNING,
            1,
        ),
        ({"fail_streak": 50, "failing_since": ago(hours=1)}, Condition.SYSTEM_FAILING, Severity.CRITICAL, 2),
        ({"fail_streak": 50, "failing_since": ago(days=1)}, Condition.SYSTEM_FAILING, Severity.CRITICAL, 3),
        # Not asked because it fails: one alert.
        ({"fail_streak": 5, "polled_at": ago(days=1)}, Condition.SYSTEM_FAILING, Severity.WARNING, 1),
        ({"is_active": False, "is_stopped": True}, Condition.CREDENTIALS_REFUSED, Severity.CRITICAL, 1),
        # A person paused it.
        ({"is_active": False, "fail_streak": 9, "polled_at": ago(days=9)}, None, None, None),
    ],
)
def test_a_system_is_judged_by_its_cause(
    values: dict[str, Any], code: Condition | None, severity: Severity | None, stage: int | None
) -> None:
    found = judge_system(facts(**values), NOW)

    told = (found.code, found.severity, found.stage) if found else (None, None, None)
    assert told == (code, severity, stage)


# --- Credentials ---


def expiring(days: int, *, label: str = "API token", system: int = 7) -> Expiry:
    return Expiry(system, "Infinity Jira", label, NOW.date() + timedelta(days=days))


@pytest.mark.parametrize(
    ("days", "stage", "severity", "words"),
    [
        (31, None, None, ""),
        (30, 1, Severity.NOTICE, "runs out in 30 days"),
        (15, 1, Severity.NOTICE, "runs out in 15 days"),
        (14, 2, Severity.NOTICE, "runs out in 14 days"),
        (7, 3, Severity.WARNING, "runs out in 7 days"),
        (2, 3, Severity.WARNING, "runs out in 2 days"),
        (1, 4, Severity.CRITICAL, "runs out in 1 day"),
        (0, 5, Severity.CRITICAL, "runs out today"),
        (-1, 5, Severity.CRITICAL, "ran out 1 day ago"),
        (-9, 5, Severity.CRITICAL, "ran out 9 days ago"),
    ],
)
def test_a_credential_is_reminded_of_at_30_14_7_and_1_days(
    days: int, stage: int | None, severity: Severity | None, words: str
) -> None:
    found = judge_expiries([expiring(days)], NOW)

    told = [(one.stage, one.severity, one.message) for one in found]
    assert told == ([(stage, severity, f"API token of Infinity Jira {words}.")] if stage else [])


def test_of_several_credentials_of_a_system_the_first_to_run_out_is_told() -> None:
    found = judge_expiries([expiring(9), expiring(3, label="Password"), expiring(20, system=8)], NOW)

    assert [(one.subject.system, one.message) for one in found] == [
        (7, "Password of Infinity Jira runs out in 3 days."),
        (8, "API token of Infinity Jira runs out in 20 days."),
    ]


def test_a_reminder_began_thirty_days_before_the_day() -> None:
    [found] = judge_expiries([Expiry(7, "Jira", "Token", date(2026, 12, 1))], NOW)

    assert found.since == datetime(2026, 11, 1, tzinfo=UTC)


# --- Lanes ---


def group(state: str, age: timedelta, *, count: int = 2, is_explained: bool = False) -> LaneGroup:
    return LaneGroup(3, 7, "Mercuri – Infinity", "Jira of Infinity", state, count, NOW - age, is_explained)


@pytest.mark.parametrize(
    ("state", "age", "is_explained", "told"),
    [
        ("parked", 14 * MINUTE, False, None),
        ("parked", 15 * MINUTE, False, (Condition.LANES_PARKED, 1, Severity.NOTICE)),
        ("parked", 59 * MINUTE, False, (Condition.LANES_PARKED, 1, Severity.NOTICE)),
        ("parked", HOUR, False, (Condition.LANES_PARKED, 2, Severity.WARNING)),
        ("parked", DAY, False, (Condition.LANES_PARKED, 3, Severity.CRITICAL)),
        # Never dropped by age.
        ("parked", 400 * DAY, False, (Condition.LANES_PARKED, 3, Severity.CRITICAL)),
        # A person is needed whatever the system does.
        ("parked", HOUR, True, (Condition.LANES_PARKED, 2, Severity.WARNING)),
        ("ready", 14 * MINUTE, False, None),
        ("ready", 15 * MINUTE, False, (Condition.LANES_WAITING, 1, Severity.WARNING)),
        ("ready", HOUR, False, (Condition.LANES_WAITING, 2, Severity.WARNING)),
        ("ready", DAY, False, (Condition.LANES_WAITING, 3, Severity.CRITICAL)),
        ("ready", DAY, True, None),
        ("held", 23 * HOUR, False, None),
        ("held", DAY, False, (Condition.LANES_HELD, 1, Severity.NOTICE)),
    ],
)
def test_lanes_ring_at_their_ages(
    state: str, age: timedelta, is_explained: bool, told: tuple[Condition, int, Severity] | None
) -> None:
    found = judge_lanes([group(state, age, is_explained=is_explained)], NOW)

    assert [(one.code, one.stage, one.severity) for one in found] == ([told] if told else [])


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 lane to Jira of Infinity waits for a person."),
        (40, "40 lanes to Jira of Infinity wait for a person."),
    ],
)
def test_a_thousand_lanes_are_one_alert_that_counts_them(count: int, words: str) -> None:
    [found] = judge_lanes([group("parked", HOUR, count=count)], NOW)

    assert (found.message, found.subject, found.since) == (
        words,
        Subject(system=7, connection=3),
        NOW - HOUR,
    )


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 lane to Jira of Infinity held for more than a day."),
        (3, "3 lanes to Jira of Infinity held, the oldest for more than a day."),
    ],
)
def test_of_many_held_lanes_only_the_oldest_is_said_to_be_held_for_a_day(count: int, words: str) -> None:
    assert [one.message for one in judge_lanes([group("held", DAY, count=count)], NOW)] == [words]


# --- All together ---


def test_while_no_worker_runs_its_effects_are_neither_told_nor_taken_for_mended() -> None:
    hooks = Standing(Condition.HOOK_OFF, Subject(system=7), NOW, Severity.WARNING, "Off.")

    verdict = judge(
        Background(ago(hours=1), ago(hours=1), None),
        [facts(polled_at=ago(hours=1)), facts(pk=8, fail_streak=9)],
        [expiring(3)],
        [group("ready", HOUR), group("parked", HOUR)],
        [hooks],
        NOW,
    )

    assert [one.code for one in verdict.standings] == [
        Condition.WORKER_AWAY,
        Condition.CREDENTIAL_EXPIRES,
        Condition.LANES_PARKED,
        Condition.HOOK_OFF,
    ]
    assert verdict.unjudged == {
        Condition.BROKER_AWAY,
        Condition.SWEEP_AWAY,
        Condition.POLL_STALLED,
        Condition.LANES_WAITING,
        Condition.SYSTEM_FAILING,
    }


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        (Subject(), "portal"),
        (Subject(system=7), "system:7"),
        (Subject(system=7, connection=3), "system:7/connection:3"),
    ],
)
def test_a_subject_has_one_word(subject: Subject, key: str) -> None:
    assert subject.key == key
