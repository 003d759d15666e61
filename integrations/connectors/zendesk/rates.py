"""Zendesk's limits as its headers tell them.  Pure.

https://developer.zendesk.com/api-reference/introduction/rate-limits/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from integrations.connectors.answers import retry_after_s
from integrations.connectors.rates import Told, number, seconds, told_or_none

WINDOW_S = 60
_ENDPOINT = re.compile(r"total=(\d{1,9});\s*remaining=(\d{1,9})(?:;\s*resets=(\d{1,9}))?")
# Headers of one endpoint's own limit, such as `zendesk-ratelimit-tickets-index`.
_PREFIX = "zendesk-ratelimit-"


def read_rates(status: int, headers: Mapping[str, str], now: datetime) -> Told | None:
    """The account's calls a minute.  An endpoint's own limit makes us wait only when it is used up."""
    left = number(headers, "X-Rate-Limit-Remaining")
    if left is None:
        left = number(headers, "ratelimit-remaining")
    limit = number(headers, "X-Rate-Limit") or number(headers, "ratelimit-limit")
    reset_s = seconds(headers, "ratelimit-reset")
    told = Told(
        limit=limit,
        left=left,
        resets_at=now + timedelta(seconds=WINDOW_S if reset_s is None else reset_s) if limit else None,
        window_s=WINDOW_S,
        # A refusal is told as an error, and says for itself whether it is about one ticket.
        wait_s=retry_after_s(headers) if status < 400 else None,
    )
    if status < 400 and told.wait_s is None and (wait_s := _used_up_s(headers)) is not None:
        told = Told(told.limit, told.left, told.resets_at, told.window_s, wait_s)
    return told_or_none(told)


def _used_up_s(headers: Mapping[str, str]) -> float | None:
    """The seconds until an endpoint answers again whose own limit is used up."""
    for name, text in headers.items():
        if name.lower().startswith(_PREFIX) and (found := _ENDPOINT.search(text)):
            if int(found[2]) == 0 and found[3]:
                return min(float(found[3]), float(WINDOW_S))
    return None
