"""A system's health: what a failure says of it, how long it is left alone, and what an answer ends.  Pure."""

from __future__ import annotations

import random as random_module
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from integrations.connectors.errors import (
    ConnectorError,
    HeldBack,
    NotSent,
    RateLimited,
    Refused,
    Stale,
    Unauthorized,
)
from integrations.engine import timing


@dataclass(frozen=True, slots=True)
class Health:
    """How a system does, as far as its answers tell.

    `streak` counts failures in a row, each pause once however many calls were under way when it began.
    """

    streak: int = 0
    # No call before this moment.
    paused_until: datetime | None = None
    # The last failure; empty while all is well.
    code: str = ""
    message: str = ""
    # Credentials were refused: nothing is tried until a person has looked.
    is_stopped: bool = False

    def is_paused(self, now: datetime) -> bool:
        """Whether no call may be made yet."""
        return self.paused_until is not None and self.paused_until > now

    def is_asked_to_wait(self, now: datetime) -> bool:
        """Whether a pause that the system itself asked for goes on."""
        return self.is_paused(now) and self.code == RateLimited.code


def says_nothing(error: ConnectorError) -> bool:
    """Whether a failure says nothing of its system's health: a refusal, a conflict, our own guard or budget.

    Nor does a pause that is asked for one ticket: it waits, and everything else may go on.
    """
    if isinstance(error, NotSent | Stale | Refused | HeldBack):
        return True
    return isinstance(error, RateLimited) and error.is_for_ticket


def after_failure(
    before: Health,
    error: ConnectorError,
    now: datetime,
    random: random_module.Random,
    *,
    started_at: datetime,
) -> Health:
    """The health after this failure; the same one when the failure says nothing of it.

    Beside `says_nothing` that is the failure of what started before the system was stopped, or before a pause was over:
    it was under way when that began, even if nobody answered it until after the pause.  Counted, a dozen calls that one
    short outage cuts off would grow the pause as an outage of hours does.  To be noted once for each call.
    """
    if before.is_stopped or says_nothing(error):
        return before
    message = error.message[:500]
    if isinstance(error, Unauthorized):
        return Health(before.streak + 1, before.paused_until, error.code, message, is_stopped=True)
    asked_s = error.retry_after_s if isinstance(error, RateLimited) else None
    was_under_way = before.is_paused(started_at)
    if was_under_way and not asked_s:
        return before
    streak = before.streak + (0 if was_under_way else 1)
    # Everybody who shares this account waits, not only the lane that was told to.
    pause_s = asked_s or timing.breaker_pause_s(streak, random)
    until = before.paused_until
    if pause_s:
        until = max(until or now, now + timedelta(seconds=pause_s))
    return replace(before, streak=streak, paused_until=until, code=error.code, message=message)


def after_answer(before: Health, now: datetime) -> Health:
    """The health after an answer: all is well, unless it is stopped or has asked for a pause that still goes on.

    Whatever comes back of what was under way ends neither, nor the reason.  May be repeated.
    """
    return before if before.is_stopped or before.is_asked_to_wait(now) else Health()
