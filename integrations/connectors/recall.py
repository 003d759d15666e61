"""What a connector remembers between calls, so that it need not ask again: bounded, short-lived, thread-safe."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Held = TypeVar("Held")


class Recall(Generic[Key, Held]):
    """The last `size` things, each for `seconds` after it was put.  Losing one costs a call, never a wrong answer."""

    def __init__(self, size: int, seconds: float, clock: Callable[[], float]) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._held: OrderedDict[Key, tuple[float, Held]] = OrderedDict()

    def put(self, key: Key, held: Held) -> None:
        """Remember, in the place of what was there."""
        with self._lock:
            self._held[key] = (self._clock() + self._seconds, held)
            self._held.move_to_end(key)
            while len(self._held) > self._size:
                self._held.popitem(last=False)

    def get(self, key: Key) -> Held | None:
        """What was put, if it is still fresh."""
        with self._lock:
            until, held = self._held.get(key, (0.0, None))
            if held is not None and until <= self._clock():
                del self._held[key]
                return None
            return held

    def drop(self, key: Key) -> None:
        """Forget."""
        with self._lock:
            self._held.pop(key, None)
