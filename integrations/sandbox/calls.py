"""What was asked of a sandbox: counters by route, and the last requests for the operator's page."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

KEPT = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it was answered.  `status` is 0 when the connection was cut instead.

    `retry_after_s` is the wait that the answer asked for; 0 where it asked for none.
    """

    at: str
    method: str
    path: str
    status: int
    ms: float
    fault: str = ""
    retry_after_s: float = 0


class CallLog:
    """Counts by `METHOD route status`, and the last requests."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, int]] = Counter()
        self.last: deque[Call] = deque(maxlen=KEPT)

    def note(self, route: str, call: Call) -> None:
        """Remember one request."""
        self.counts[call.method, route, call.status] += 1
        self.last.append(call)

    def reset(self) -> None:
        """Forget everything."""
        self.counts.clear()
        self.last.clear()

    def as_value(self) -> dict[str, object]:
        """`calls` by "METHOD route" with their statuses, `total`, and the `last` ones, newest first."""
        calls: dict[str, dict[str, int]] = {}
        for (method, route, status), count in sorted(self.counts.items()):
            calls.setdefault(f"{method} {route}", {})[str(status)] = count
        return {
            "total": sum(self.counts.values()),
            "calls": calls,
            "last": [
                {
                    "at": c.at,
                    "method": c.method,
                    "path": c.path,
                    "status": c.status,
                    "ms": c.ms,
                    "fault": c.fault,
                    "retry_after_s": c.retry_after_s,
                }
                for c in reversed(self.last)
            ],
        }
