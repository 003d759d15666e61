"""The health of systems: failures, the breaker, and the stop when credentials are refused."""

from __future__ import annotations

import random as random_module
from datetime import datetime

from django.db.models import QuerySet

from integrations.engine import health
from integrations.engine.effects import NoteSystemAnswer, NoteSystemFailure
from integrations.models import System

_HEALTH = ["fail_streak", "failure_code", "failure_message", "state", "paused_until"]


def note_failure(request: NoteSystemFailure, random: random_module.Random, now: datetime) -> None:
    """Count towards the breaker what says something about the system's health; the rest takes no lock."""
    if health.says_nothing(request.error):
        return
    system = _locked().get(pk=request.system_id)
    before = _health_of(system)
    after = health.after_failure(before, request.error, now, random, started_at=request.started_at)
    if after != before:
        system.failed_at = now
        _save(system, after, "failed_at")


def note_answer(request: NoteSystemAnswer, now: datetime) -> None:
    """The system answered: the streak is over.  Writes only when there was one."""
    if system := _locked().filter(pk=request.system_id, fail_streak__gt=0).first():
        _save(system, health.after_answer(_health_of(system), now))


def _locked() -> QuerySet[System]:
    # The fields that the system has are long, and nobody asks for them here.
    return System.objects.select_for_update(no_key=True).defer("metadata")


def _health_of(system: System) -> health.Health:
    return health.Health(
        streak=system.fail_streak,
        paused_until=system.paused_until,
        code=system.failure_code,
        message=system.failure_message,
        is_stopped=system.state == System.State.STOPPED,
    )


def _save(system: System, after: health.Health, *more: str) -> None:
    system.fail_streak, system.paused_until = after.streak, after.paused_until
    system.failure_code, system.failure_message = after.code, after.message
    if after.is_stopped:
        system.state = System.State.STOPPED
    system.save(update_fields=[*_HEALTH, *more])
