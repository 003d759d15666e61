"""The health of systems: streaks of failures, pauses, and who waits for a person."""

from __future__ import annotations

from datetime import datetime

from integrations.engine import effects, health
from integrations.engine.budget import Budget, answered
from integrations.simulation.memory.picture import Picture
from integrations.simulation.rows import SystemRow


class Systems(Picture):
    """Counts failures, and leaves systems alone."""

    def _note_failure(self, request: effects.NoteSystemFailure, now: datetime) -> None:
        self._failing.add(request.system_id)
        row = self.memory.tables.systems[request.system_id]
        before, started_at = _health_of(row), request.started_at
        _keep(row, health.after_failure(before, request.error, now, self._random, started_at=started_at))

    def _note_answer(self, request: effects.NoteSystemAnswer, now: datetime) -> None:
        self._failing.discard(request.system_id)
        row = self.memory.tables.systems[request.system_id]
        if row.fail_streak:
            _keep(row, health.after_answer(_health_of(row), now))

    def _share(self, request: effects.ShareBudget, now: datetime) -> effects.Shared:
        """Note what was called and told, and allow the worker its share."""
        budgets = self.memory.tables.budgets
        before = budgets.get(request.system_id, Budget())
        budgets[request.system_id], answer = answered(before, request, now)
        return answer


def _health_of(row: SystemRow) -> health.Health:
    return health.Health(row.fail_streak, row.paused_until, row.failure_code, is_stopped=not row.is_active)


def _keep(row: SystemRow, after: health.Health) -> None:
    row.fail_streak, row.paused_until, row.failure_code = after.streak, after.paused_until, after.code
    row.is_active = not after.is_stopped
