"""A system's pause: what ends it, and what does not."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from integrations.connectors.errors import ConnectorError, RateLimited, TimedOut, Unauthorized, Unavailable
from integrations.engine.effects import NoteSystemAnswer, NoteSystemFailure
from integrations.engine.timing import FAILURES_TO_OPEN
from integrations.models import System
from integrations.store import systems
from tests.factories import make_system

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def fail(
    system: System, error: ConnectorError, now: datetime = NOW, *, started_at: datetime | None = None
) -> None:
    systems.note_failure(NoteSystemFailure(system.pk, error, started_at or now), random.Random(1), now)


def test_an_answer_does_not_end_the_pause_that_a_system_asked_for() -> None:
    system = make_system()
    fail(system, RateLimited("Slower, please.", retry_after_s=60))
    # Calls that were under way come back one after the other.
    fail(system, Unavailable("It is busy."), NOW + timedelta(seconds=1))
    systems.note_answer(NoteSystemAnswer(system.pk), NOW + timedelta(seconds=2))
    system.refresh_from_db()
    assert (system.failure_code, system.paused_until) == (RateLimited.code, NOW + timedelta(seconds=60))
    systems.note_answer(NoteSystemAnswer(system.pk), NOW + timedelta(seconds=61))
    system.refresh_from_db()
    assert (system.fail_streak, system.failure_code, system.paused_until) == (0, "", None)


def test_nothing_that_was_under_way_ends_the_pause_that_a_system_asked_for() -> None:
    system = make_system()
    fail(system, RateLimited("Slower, please.", retry_after_s=60))
    for second in (2, 4, 6):
        systems.note_answer(NoteSystemAnswer(system.pk), NOW + timedelta(seconds=second))
        fail(system, Unavailable("It is busy."), NOW + timedelta(seconds=second + 1))
    system.refresh_from_db()
    assert (system.failure_code, system.paused_until) == (RateLimited.code, NOW + timedelta(seconds=60))
    systems.note_answer(NoteSystemAnswer(system.pk), NOW + timedelta(seconds=61))
    system.refresh_from_db()
    assert (system.fail_streak, system.failure_code, system.paused_until) == (0, "", None)


def test_an_answer_ends_the_pause_that_we_took_by_ourselves() -> None:
    system = make_system()
    for _ in range(6):
        fail(system, Unavailable("It is down."))
    system.refresh_from_db()
    assert system.paused_until is not None
    systems.note_answer(NoteSystemAnswer(system.pk), NOW + timedelta(seconds=2))
    system.refresh_from_db()
    assert (system.fail_streak, system.failure_code, system.paused_until) == (0, "", None)


def test_the_calls_that_one_outage_cuts_off_grow_the_pause_once() -> None:
    system = make_system()
    for _ in range(20):
        fail(system, Unavailable("The connection broke."))
    system.refresh_from_db()
    assert system.fail_streak == FAILURES_TO_OPEN
    assert system.paused_until is not None
    assert timedelta(seconds=2) <= system.paused_until - NOW <= timedelta(seconds=30)


def test_an_answer_that_was_under_way_does_not_hide_why_a_system_was_stopped() -> None:
    system = make_system()
    fail(system, Unauthorized("The password is wrong."))
    fail(system, Unavailable("It is busy."), NOW + timedelta(seconds=1))
    systems.note_answer(NoteSystemAnswer(system.pk), NOW + timedelta(seconds=2))
    system.refresh_from_db()
    assert (system.state, system.failure_code, system.failure_message) == (
        System.State.STOPPED,
        Unauthorized.code,
        "The password is wrong.",
    )


def test_what_was_under_way_when_a_pause_began_does_not_count_when_it_fails_after_that() -> None:
    system = make_system()
    for _ in range(FAILURES_TO_OPEN):
        fail(system, Unavailable("It is down."))
    fail(system, TimedOut("It does not answer."), NOW + timedelta(minutes=1), started_at=NOW)
    system.refresh_from_db()
    assert system.fail_streak == FAILURES_TO_OPEN
    fail(system, TimedOut("It does not answer."), NOW + timedelta(minutes=1))
    system.refresh_from_db()
    assert system.fail_streak == FAILURES_TO_OPEN + 1
