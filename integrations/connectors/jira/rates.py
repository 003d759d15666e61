"""Jira's limits as its headers tell them.  Pure.

https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from integrations.connectors.answers import retry_after_s
from integrations.connectors.rates import Told, iso_time, number, told_or_none

# These count one issue or one endpoint and say nothing of the account's budget.
_NARROW = ("jira-per-issue-on-write", "jira-burst-based")


def read_rates(status: int, headers: Mapping[str, str], now: datetime) -> Told | None:
    """What is left of the account's quota."""
    if headers.get("RateLimit-Reason", "") in _NARROW:
        return None
    return told_or_none(
        Told(
            limit=number(headers, "X-RateLimit-Limit"),
            left=number(headers, "X-RateLimit-Remaining"),
            resets_at=iso_time(headers, "X-RateLimit-Reset", now),
            # A refusal is told as an error.
            wait_s=retry_after_s(headers) if status < 400 else None,
        )
    )


def is_for_issue(headers: Mapping[str, str]) -> bool:
    """Whether a refusal counts the writes to one issue, so that everything else may go on."""
    return headers.get("RateLimit-Reason", "") == "jira-per-issue-on-write"
