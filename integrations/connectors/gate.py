"""The gate in front of one system: how many calls may still go through, and what its answers told of its limits.

Threads that call a system share its gate; what workers share lies in the database, and whoever runs the threads carries
it between the two.  Nothing here waits: a call that may not go now is told when it may.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from integrations.connectors import errors
from integrations.connectors.rates import Told

# A call that is allowed has to leave within this time, so that it is counted where it belongs.
VALID_S = 2.0
# An answer may be about calls that were allowed so long before its own request left.
RECENT_S = VALID_S + 1.0
# How soon to ask again where nobody knows when calls are allowed again.
SOON_S = 1.0
# While so many calls are left nobody has to ask for them: fewer than this may be under way in all workers together.
PLENTY = 64


@dataclass(slots=True)
class Allowance:
    """Calls that were allowed at one moment: `count` are left until `ends_at` on the monotonic clock."""

    slot: int
    count: int
    ends_at: float


@dataclass(frozen=True, slots=True)
class Tidings:
    """What a gate has to report.

    `calls` were made without an allowance; `unused` are allowances that ran out, slot and number.  `told` is the
    latest that was told, by an answer whose request left `age_s` seconds ago: `unseen` calls of this gate may have
    come after it, and `counted` of those allowed in the moments before it have been counted in it.  `is_silent`: the
    latest good answer told of no limit.
    """

    calls: int = 0
    unused: tuple[tuple[int, int], ...] = ()
    told: Told | None = None
    age_s: float = 0.0
    unseen: int = 0
    counted: int = 0
    is_silent: bool = False


class Gate:
    """Thread-safe.  Open until somebody sets a measure; closed while the system asks us to stay away.

    `is_shared`: somebody reports what is told and sets measures.  Then a limit that nobody knew, and of which little
    may be left, closes the gate until it has been reported: several steps at once would run into it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, is_shared: bool = False) -> None:
        self._clock = clock
        self._is_shared = is_shared
        self._lock = threading.Lock()
        self._allowances: deque[Allowance] = deque()
        self._is_measured = False
        self._closed_until = 0.0
        self._calls = 0
        self._made = 0
        self._told: Told | None = None
        self._told_at = 0.0
        self._limit: int | None = None
        self._is_told = self._is_silent = False
        self._short_of = 0
        self._is_urgent = self._is_new = False
        # When calls left, and what was allowed, for as long as an answer may be about it.
        self._left_at: deque[float] = deque(maxlen=4 * PLENTY)
        self._given: deque[tuple[float, int]] = deque(maxlen=PLENTY)

    def enter(self, count: int = 1) -> None:
        """Take one call; HeldBack when it may not go now.  Counts it.

        `count`: as so many the system counts it.  It goes with all of them or not at all.
        """
        with self._lock:
            now = self._clock()
            if now < self._closed_until:
                raise errors.HeldBack(
                    "The system asked us to slow down.", retry_after_s=self._closed_until - now
                )
            if not self._is_measured:
                self._note(count, now)
                self._calls += count
                return
            valid = [one for one in self._allowances if now < one.ends_at]
            if sum(one.count for one in valid) < count:
                self._short_of = max(self._short_of, count)
                raise errors.HeldBack(
                    "The calls that the system's limit allows at the moment are used up.",
                    retry_after_s=SOON_S,
                )
            self._note(count, now)
            if count >= self._short_of:
                self._short_of = 0
            for allowance in valid:
                taken = min(count, allowance.count)
                allowance.count -= taken
                count -= taken

    def _note(self, count: int, now: float) -> None:
        self._made += count
        self._left_at.extend([now] * count)

    def hear(self, told: Told | None, sent_at: float) -> None:
        """Note what an answer told; `sent_at` is when its request left, on the monotonic clock."""
        if told is None:
            return
        with self._lock:
            if told.wait_s:
                self._closed_until = max(self._closed_until, self._clock() + told.wait_s)
            if sent_at >= self._told_at:
                is_new = self._limit != told.limit
                self._told, self._told_at, self._limit = told, sent_at, told.limit
                self._is_silent = self._is_silent and told.limit is None
                self._is_new = self._is_new or is_new
                self._is_urgent = self._is_urgent or is_new or bool(told.wait_s) or is_scarce(told)
                self._is_measured = self._is_measured or (self._is_shared and is_new and is_scarce(told))

    def hear_nothing(self, sent_at: float) -> None:
        """Note a good answer that told of no limit; `sent_at` as in `hear`."""
        with self._lock:
            self._is_silent = self._is_silent or sent_at > self._told_at

    def count(self, calls: int) -> None:
        """Count calls that went inside one that was let through, and that the system counts by themselves."""
        with self._lock:
            self._calls += calls
            self._note(calls, self._clock())

    def measure(self, count: int | None, slot: int, started_at: float, *, is_told: bool = False) -> None:
        """Allow `count` more calls, or with None as many as come.  `started_at` is when they were asked for.

        `is_told`: the system itself tells of a limit, as far as any worker knows.
        """
        with self._lock:
            self._is_told = is_told
            self._is_measured = count is not None
            if count is None:
                self._allowances.clear()
            elif count:
                self._allowances.append(Allowance(slot, count, started_at + VALID_S))
                self._given.append((started_at, count))

    def close(self, wait_s: float) -> None:
        """Let nothing through for so many seconds."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + wait_s)

    @property
    def closed_s(self) -> float:
        """For how many seconds more nothing goes through."""
        return max(0.0, self._closed_until - self._clock())

    @property
    def allowed(self) -> int | None:
        """How many calls may go now; None for as many as come."""
        with self._lock:
            if not self._is_measured:
                return None
            now = self._clock()
            return sum(one.count for one in self._allowances if now < one.ends_at)

    @property
    def short_of(self) -> int:
        """How many calls have to be allowed at once for what was held back last; 0 where nothing waits for many."""
        return self._short_of

    @property
    def is_told(self) -> bool:
        """Whether the system tells of a limit of its own, so that it counts calls."""
        with self._lock:
            return self._is_told or (self._told is not None and self._told.limit is not None)

    @property
    def made(self) -> int:
        """Calls that went through so far."""
        return self._made

    @property
    def is_urgent(self) -> bool:
        """Whether something was told that the other workers have to know now."""
        return self._is_urgent

    @property
    def is_new(self) -> bool:
        """Whether a limit was told of which nobody knew: it is to be reported at once."""
        return self._is_new

    def tidings(self) -> Tidings:
        """What is to be reported; it is reported once."""
        with self._lock:
            now = self._clock()
            over = [one for one in self._allowances if now >= one.ends_at or not one.count]
            for one in over:
                self._allowances.remove(one)
            if self._calls:
                self._given.append((now, self._calls))
            unused = tuple((one.slot, one.count) for one in over if one.count)
            found = Tidings(self._calls, unused, is_silent=self._is_silent)
            if self._told is not None:
                found = self._with_told(found, self._told, now)
            self._calls, self._told = 0, None
            self._is_urgent = self._is_new = self._is_silent = False
            return found

    def _with_told(self, found: Tidings, told: Told, now: float) -> Tidings:
        unspent = sum(one.count for one in self._allowances)
        given = sum(count for at, count in self._given if at > self._told_at - RECENT_S)
        after = sum(1 for at in self._left_at if at > self._told_at)
        return replace(found, told=told, age_s=now - self._told_at, unseen=after + unspent, counted=given)


def is_scarce(told: Told) -> bool:
    """Whether so little is left that workers have to share it."""
    if told.limit is None:
        return False
    return told.left is None or told.left < max(told.limit // 4, PLENTY)
