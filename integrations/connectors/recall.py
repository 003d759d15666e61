"""What a connector remembers between calls, so that it need not ask again: bounded, short-lived, thread-safe."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
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


class Asking(Generic[Held]):
    """One question at a time: who asks while it is under way waits for its answer or error, and asks nothing."""

    def __init__(self, ask: Callable[[], Held]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._under_way: Future[Held] | None = None

    def answer(self) -> Held:
        """What the question gives; raises what it raises."""
        with self._lock:
            is_ours = self._under_way is None
            found: Future[Held] = self._under_way or Future()
            self._under_way = found
        if is_ours:
            try:
                found.set_result(self._ask())
            except BaseException as error:  # noqa: BLE001 - told to everybody who waits, us among them
                found.set_exception(error)
            finally:
                with self._lock:
                    self._under_way = None
        return found.result()
