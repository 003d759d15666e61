"""The limit on calls that a system may have: it counts those that arrive, minute by minute."""

from __future__ import annotations

from datetime import datetime, timedelta

from integrations.connectors.rates import Told

WINDOW_S = 60


class CallLimit:
    """Takes `limit` calls a minute by the system's own count; 0 for as many as come."""

    def __init__(self, limit: int, *, is_told: bool) -> None:
        self.limit = limit
        self.is_told = is_told
        self._minute = -1
        self._count = 0

    def takes(self, now: datetime) -> bool:
        """Count a call that arrives; whether it is still within the limit."""
        if not self.limit:
            return True
        minute = int(now.timestamp()) // WINDOW_S
        if minute != self._minute:
            self._minute, self._count = minute, 0
        self._count += 1
        return self._count <= self.limit

    def wait_s(self, now: datetime) -> float:
        """For how long a call that was refused has to wait."""
        return (self._resets_at(now) - now).total_seconds()

    def told(self, now: datetime, *, wait_s: float | None = None) -> Told | None:
        """What the headers of an answer tell; None where it has none."""
        if not (self.is_told and self.limit):
            return Told(wait_s=wait_s) if wait_s else None
        left = max(0, self.limit - self._count)
        return Told(self.limit, left, self._resets_at(now), WINDOW_S, wait_s)

    def _resets_at(self, now: datetime) -> datetime:
        return now + timedelta(seconds=WINDOW_S - now.timestamp() % WINDOW_S)
