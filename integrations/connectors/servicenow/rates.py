"""ServiceNow's limits as its headers tell them.  Pure.

There is none unless an administrator made a rate limit rule; its headers tell no remainder, so that what is left has
to be counted.
https://www.servicenow.com/docs/r/api-reference/rest-api-explorer/inbound-REST-API-rate-limiting.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from integrations.connectors.answers import retry_after_s
from integrations.connectors.rates import Told, number, told_or_none, unix_time

WINDOW_S = 3600


def read_rates(status: int, headers: Mapping[str, str], now: datetime) -> Told | None:
    """The calls an hour that a rule allows."""
    return told_or_none(
        Told(
            limit=number(headers, "X-RateLimit-Limit"),
            left=0 if status == 429 else number(headers, "X-RateLimit-Remaining"),
            resets_at=unix_time(headers, "X-RateLimit-Reset", now),
            window_s=WINDOW_S,
            wait_s=retry_after_s(headers) if status < 400 else None,
        )
    )
