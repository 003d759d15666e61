"""Wake-ups from one process: never more often than so much, and never one too few.

A wake-up that follows another at once is not left out but sent a little later: the one before may have found nothing
yet of what this one is about.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# Runs something so many seconds later.
Later = Callable[[float, Callable[[], None]], object]


def by_timer(delay_s: float, do: Callable[[], None]) -> None:
    """Do it later in a thread that does not keep the process alive."""
    timer = threading.Timer(delay_s, do)
    timer.daemon = True
    timer.start()


class Waker:
    """Sends at most one wake-up every `every_s` seconds, the last of several among them.  Thread-safe."""

    def __init__(
        self,
        send: Callable[[], None],
        every_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        later: Later = by_timer,
    ) -> None:
        self._send = send
        self._every_s = every_s
        self._clock = clock
        self._later = later
        # When the latest wake-up was sent, or is going to be: a moment, so that a process that was forked while one
        # waited is not silent for ever.
        self._sent_at = float("-inf")
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Send one now, or as soon as it may be sent; nothing when one is waiting already."""
        with self._lock:
            now = self._clock()
            if self._sent_at > now:
                return
            wait_s = self._sent_at + self._every_s - now
            self._sent_at = now + max(0.0, wait_s)
        if wait_s > 0:
            self._later(wait_s, self._send)
        else:
            self._send()
