"""Jira's search index: it follows the issues some time later, unless it is asked to reconcile.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/ : search after a write is only
eventually consistent; ids in `reconcileIssues` are read as they are.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# An issue's update time (ms) and properties as they are now; None when it is gone.
Reader = Callable[[int], tuple[int, dict[str, Any]] | None]


class SearchIndex:
    """Which issues are found, their update time as far as the index knows it, and the values of their properties."""

    def __init__(self) -> None:
        self.updated: dict[int, int] = {}
        self._by_time: list[tuple[int, int]] = []
        self._by_value: dict[tuple[str, str, str], set[int]] = {}
        self._values: dict[int, list[tuple[str, str, str]]] = {}
        self._waiting: deque[tuple[float, int]] = deque()
        self._read: Reader = lambda _: None

    def note(self, id_: int, now: float, lag_s: float, read: Reader) -> None:
        """An issue changed; it is indexed at once without a lag."""
        self._read = read
        if lag_s > 0:
            self._waiting.append((now + lag_s, id_))
        else:
            self.refresh(id_)

    def catch_up(self, now: float, reconcile: Iterable[int] = ()) -> None:
        """Index what is due by now, and `reconcile` whatever is due."""
        while self._waiting and self._waiting[0][0] <= now:
            self.refresh(self._waiting.popleft()[1])
        for id_ in reconcile:
            self.refresh(id_)

    def refresh(self, id_: int) -> None:
        """Index one issue as it is now."""
        before = self.updated.pop(id_, None)
        if before is not None:
            place = bisect.bisect_left(self._by_time, (before, id_))
            del self._by_time[place]
        for key in self._values.pop(id_, ()):
            self._by_value[key].discard(id_)
        known = self._read(id_)
        if known is None:
            return
        updated, properties = known
        self.updated[id_] = updated
        bisect.insort(self._by_time, (updated, id_))
        self._values[id_] = keys = [
            key for name, value in properties.items() for key in _flat(name, "", value)
        ]
        for key in keys:
            self._by_value.setdefault(key, set()).add(id_)

    def since(self, at: int) -> list[int]:
        """Ids of issues updated at or after this time."""
        return [id_ for _, id_ in self._by_time[bisect.bisect_left(self._by_time, (at, 0)) :]]

    def with_value(self, name: str, path: str, value: str) -> set[int]:
        """Ids of issues whose property holds this value at this path."""
        return self._by_value.get((name, path, value), set())


def _flat(name: str, path: str, value: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(name, f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(name, path, inner)
    elif value is not None:
        yield name, path, str(value).lower() if isinstance(value, bool) else str(value)
