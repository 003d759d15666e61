"""The health of systems: failures, the breaker, and the stop when credentials are refused."""

from __future__ import annotations

import random as random_module
from datetime import datetime, timedelta

from django.db.models import Case, F, Q, Value, When

from integrations.connectors.errors import HeldBack, NotSent, RateLimited, Refused, Stale, Unauthorized
from integrations.engine import timing
from integrations.engine.effects import NoteSystemAnswer, NoteSystemFailure
from integrations.models import System


def note_failure(request: NoteSystemFailure, random: random_module.Random, now: datetime) -> None:
    """Count towards the breaker.  A refusal, a conflict or our own guard or budget says nothing about the system's health."""
    error = request.error
    if isinstance(error, NotSent | Stale | Refused | HeldBack):
        return
    if isinstance(error, RateLimited) and error.is_for_ticket:
        # One ticket waits, and everything else may go on.
        return
    system = System.objects.select_for_update(no_key=True).get(pk=request.system_id)
    system.fail_streak += 1
    system.failed_at = now
    if not _is_asked_to_wait(system, now):
        system.failure_code, system.failure_message = error.code, error.message[:500]
    if isinstance(error, Unauthorized):
        system.state = System.State.STOPPED
    elif isinstance(error, RateLimited) and error.retry_after_s:
        # Everybody who shares this account waits, not only the lane that was told to.
        _pause(system, now + timedelta(seconds=error.retry_after_s))
    elif pause_s := timing.breaker_pause_s(system.fail_streak, random):
        _pause(system, now + timedelta(seconds=pause_s))
    system.save(
        update_fields=["fail_streak", "failure_code", "failure_message", "failed_at", "state", "paused_until"]
    )


def note_answer(request: NoteSystemAnswer, now: datetime) -> None:
    """The system answered: the streak is over, but not a pause that it asked for.  Writes only when there was one.

    As long as that pause goes on its reason stays: whatever comes back later of what was under way ends it neither.
    """
    asked_to_wait = Q(failure_code=RateLimited.code, paused_until__gt=now)

    def kept(name: str, default: object) -> Case:
        return Case(When(asked_to_wait, then=F(name)), default=Value(default))

    System.objects.filter(pk=request.system_id, fail_streak__gt=0).update(
        fail_streak=0,
        failure_code=kept("failure_code", ""),
        failure_message=kept("failure_message", ""),
        paused_until=kept("paused_until", None),
    )


def _is_asked_to_wait(system: System, now: datetime) -> bool:
    """Whether a pause that the system itself asked for goes on; its reason stays the one that is known."""
    is_paused = system.paused_until is not None and system.paused_until > now
    return is_paused and system.failure_code == RateLimited.code


def _pause(system: System, until: datetime) -> None:
    if system.paused_until is None or system.paused_until < until:
        system.paused_until = until
