"""Jira's limits as its headers tell them.  Pure.

Three limits count at once: points an hour, calls a second to one endpoint, writes to one issue.  Points count apps
alone and not accounts with an API token; an answer that tells of them does so in `Beta-RateLimit`, good answers too.
`X-RateLimit-Limit` and `-Remaining` of a good answer speak of its endpoint's second and have no `-Reset`.  The writes
to one issue are told by no header before they are used up, so that the engine counts them.
https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
https://community.developer.atlassian.com/t/2026-point-based-rate-limits/97828?page=9
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from integrations.connectors.answers import retry_after_s
from integrations.connectors.rates import Told, iso_time, number, told_or_none

# These count one issue or one endpoint and say nothing of the account's budget.
_NARROW = ("jira-per-issue-on-write", "jira-burst-based")
# An endpoint's limit is for one second; with so small a part left calls under way may use it up.
_SECOND_S = 1.0
_SCARCE = 10
_FORESEEN = 10
_PART = re.compile(r"\b([rtqw])=(\d{1,9})\b")


def read_rates(status: int, headers: Mapping[str, str], now: datetime) -> Told | None:
    """What is left of the account's quota.  An endpoint's own limit makes us wait only when it is nearly used up."""
    if headers.get("RateLimit-Reason", "") in _NARROW:
        return None
    limit, left = number(headers, "X-RateLimit-Limit"), number(headers, "X-RateLimit-Remaining")
    resets_at = iso_time(headers, "X-RateLimit-Reset", now)
    if status >= 400:
        # How long to wait is told as an error.
        return told_or_none(Told(limit, left, resets_at))
    wait_s = retry_after_s(headers)
    if (quota := _quota(headers, now)) is not None:
        told = quota
    elif resets_at is not None:
        told = Told(limit, left, resets_at)
    else:
        told = Told()
        if wait_s is None and limit and left is not None and left <= limit // _SCARCE:
            wait_s = _SECOND_S
    return told_or_none(Told(told.limit, told.left, told.resets_at, told.window_s, wait_s))


def _quota(headers: Mapping[str, str], now: datetime) -> Told | None:
    """The points of the hour: `"name";r=left;t=seconds`, and in the policy `q=limit;w=seconds`."""
    for prefix in ("Beta-", ""):
        told = dict(_PART.findall(headers.get(f"{prefix}RateLimit") or ""))
        if "r" in told:
            policy = dict(_PART.findall(headers.get(f"{prefix}RateLimit-Policy") or ""))
            return Told(
                limit=int(policy["q"]) if "q" in policy else None,
                left=int(told["r"]),
                resets_at=now + timedelta(seconds=int(told["t"])) if "t" in told else None,
                window_s=int(policy.get("w", 0)) or None,
            )
    return None


def points(is_write: bool, body: object) -> int:
    """What a call takes of the hour's quota, as far as it is foreseen: 1, and for a question more.

    A question takes one more for each object in its answer.  How many a search finds is known afterwards alone, from
    what its answer tells is left; so are more than a small quota would ever have free at once.
    """
    if is_write:
        return 1
    ids = body.get("ids") if isinstance(body, Mapping) else None
    found = len(ids) if isinstance(ids, list) else 1
    return 1 + min(max(1, found), _FORESEEN)


def is_for_issue(headers: Mapping[str, str]) -> bool:
    """Whether a refusal counts the writes to one issue, so that everything else may go on."""
    return headers.get("RateLimit-Reason", "") == "jira-per-issue-on-write"
