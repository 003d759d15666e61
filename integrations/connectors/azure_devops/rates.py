"""Azure DevOps' limits as its headers tell them.  Pure.

Before it refuses anything Azure DevOps delays answers and says so in them: `Retry-After` with status 200.  Whoever
goes on is slowed down more.  https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from integrations.connectors.answers import retry_after_s
from integrations.connectors.rates import Told, number, seconds, told_or_none, unix_time

# Use is counted over a sliding window of five minutes.
WINDOW_S = 300
# A delay beyond this would be somebody's mistake; the vendor's own are up to half a minute.
LONGEST_WAIT_S = 120.0


def read_rates(status: int, headers: Mapping[str, str], now: datetime) -> Told | None:
    """The account's use of one resource.  Headers come only when it is near its limit."""
    wait_s = retry_after_s(headers) if status < 400 else None
    return told_or_none(
        Told(
            limit=number(headers, "X-RateLimit-Limit"),
            left=number(headers, "X-RateLimit-Remaining"),
            resets_at=unix_time(headers, "X-RateLimit-Reset", now),
            window_s=WINDOW_S,
            wait_s=None if wait_s is None else min(wait_s, LONGEST_WAIT_S),
            delay_s=seconds(headers, "X-RateLimit-Delay"),
        )
    )
