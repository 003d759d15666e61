"""Virtual time: milliseconds since the world began, and the moments that the engine reads."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def moment(ms: int) -> datetime:
    """The moment so many milliseconds after the beginning."""
    return START + timedelta(milliseconds=ms)


def milliseconds(at: datetime) -> int:
    """How long after the beginning a moment lies; a part of a millisecond counts as a whole one."""
    return -((START - at) // timedelta(milliseconds=1))


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.ms = 0
        self._shown = START
        self._shown_ms = 0

    def now(self) -> datetime:
        """This moment, aware, UTC."""
        if self._shown_ms != self.ms:
            self._shown, self._shown_ms = moment(self.ms), self.ms
        return self._shown


class Agenda:
    """What happens when: the next event is always the earliest one, and of two at the same time the older one."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, ms: int, act: Callable[[], None]) -> None:
        """Let something happen so many milliseconds from now."""
        self.at(self.clock.ms + ms, act)

    def at(self, ms: int, act: Callable[[], None]) -> None:
        """Let something happen at this time, or now when that has passed."""
        self._count += 1
        heapq.heappush(self._events, (max(ms, self.clock.ms), self._count, act))

    def next(self) -> bool:
        """Move the clock to the next event and let it happen; false when there is none."""
        if not self._events:
            return False
        self.clock.ms, _, act = heapq.heappop(self._events)
        act()
        return True
