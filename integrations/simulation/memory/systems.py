"""The health of systems: streaks of failures, pauses, and who waits for a person."""

from __future__ import annotations

from datetime import datetime, timedelta

from integrations.connectors.errors import HeldBack, NotSent, RateLimited, Refused, Stale, Unauthorized
from integrations.engine import effects, timing
from integrations.engine.budget import Budget, answered
from integrations.simulation.memory.picture import Picture
from integrations.simulation.rows import SystemRow


class Systems(Picture):
    """Counts failures, and leaves systems alone."""

    def _note_failure(self, request: effects.NoteSystemFailure, now: datetime) -> None:
        error = request.error
        if isinstance(error, NotSent | Stale | Refused | HeldBack):
            return
        if isinstance(error, RateLimited) and error.is_for_ticket:
            return
        system = self.memory.tables.systems[request.system_id]
        system.fail_streak += 1
        is_paused = system.paused_until is not None and system.paused_until > now
        if not (is_paused and system.failure_code == RateLimited.code):
            system.failure_code = error.code
        if isinstance(error, Unauthorized):
            system.is_active = False
        elif isinstance(error, RateLimited) and error.retry_after_s:
            _pause(system, now + timedelta(seconds=error.retry_after_s))
        elif pause_s := timing.breaker_pause_s(system.fail_streak, self._random):
            _pause(system, now + timedelta(seconds=pause_s))

    def _share(self, request: effects.ShareBudget, now: datetime) -> effects.Shared:
        """Note what was called and told, and allow the worker its share."""
        budgets = self.memory.tables.budgets
        before = budgets.get(request.system_id, Budget())
        budgets[request.system_id], answer = answered(before, request, now)
        return answer


def _pause(system: SystemRow, until: datetime) -> None:
    if system.paused_until is None or system.paused_until < until:
        system.paused_until = until
