"""Throttling by use: a busy account is slowed down first, with its answers still 200, and refused later.

https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits .  A call counts as one unit here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from integrations.sandbox.limits import Limits
from integrations.sandbox.wire import Response

WINDOW_S = 300
_NAME = "account"


@dataclass(frozen=True, slots=True)
class Use:
    """The use of one account at a moment; `limit` 0 is no limit at all."""

    limits: Limits
    limit: int
    now: float

    def refused(self) -> int | None:
        """Count this call; the seconds to wait when even delays have not helped."""
        return self.limits.over(_NAME, 2 * self.limit, WINDOW_S, self.now)

    def marked(self, response: Response, delay_s: float) -> Response:
        """The answer with the headers that tell how much is left, and held back when nothing is."""
        if not self.limit:
            return response
        used = self.limits.used(_NAME, WINDOW_S, self.now)
        if used <= self.limit // 2:
            return response
        is_over = used > self.limit
        delay_s = delay_s if is_over else 0.0
        headers = [
            ("X-RateLimit-Resource", "Core/TSTUs"),
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(max(0, self.limit - used))),
            ("X-RateLimit-Reset", str(int(self.now) + WINDOW_S)),
        ]
        if is_over:
            headers.append(("X-RateLimit-Delay", f"{delay_s:.3f}"))
            if all(name != "Retry-After" for name, _ in response.headers):
                # How long to wait so that the use falls below the limit again.
                headers.append(("Retry-After", str(max(1, WINDOW_S * (used - self.limit) // used))))
        return replace(response.with_headers(*headers), delay_s=delay_s)
