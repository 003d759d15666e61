"""Rate limits: how many calls a window of time allows, counted by name."""

from __future__ import annotations

from collections import deque


class Limits:
    """Sliding windows.  Only calls that were let through count."""

    def __init__(self) -> None:
        self._passed: dict[str, deque[float]] = {}

    def over(self, name: str, allowed: int, window_s: float, now: float) -> int | None:
        """None when the call may pass (and is counted), else the seconds to wait; `allowed` 0 is no limit."""
        if not allowed:
            return None
        passed = self._passed.setdefault(name, deque())
        while passed and passed[0] <= now - window_s:
            passed.popleft()
        if len(passed) >= allowed:
            return max(1, int(passed[0] + window_s - now + 0.999))
        passed.append(now)
        return None

    def used(self, name: str, window_s: float, now: float) -> int:
        """How many calls the window holds."""
        return sum(1 for at in self._passed.get(name, ()) if at > now - window_s)

    def clear(self) -> None:
        """Forget all calls."""
        self._passed.clear()
