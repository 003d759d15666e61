"""Jira's three limits: points an hour, calls a second to one endpoint, writes to one issue; each counts by itself.

Points count apps alone, so that an account with an API token is free of them unless a setting says otherwise.  Good
answers tell of the points and of the endpoint's second, and of an issue's writes nothing.
https://developer.atlassian.com/cloud/jira/platform/rate-limiting/ , and for the headers of good answers
https://community.developer.atlassian.com/t/2026-point-based-rate-limits/97828?page=9
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from integrations.sandbox.jira.errors import too_many
from integrations.sandbox.jira.settings import JiraSettings
from integrations.sandbox.limits import Limits
from integrations.sandbox.wire import Response

HOUR_S = 3600
# Writes to one issue: so many in so many seconds.
ISSUE_WRITES = ((20, 2), (100, 30))
_A_SECOND = {"GET": 100, "POST": 100, "PUT": 50, "DELETE": 50}
_A_SECOND_OF = {
    ("GET", "/issue/{id}"): 150,
    ("GET", "/issue/{id}/changelog"): 200,
    ("GET", "/attachment/content/{id}"): 300,
}
_WRITES = frozenset(("POST", "PUT", "DELETE"))
# Questions although they are posted.
_QUESTIONS = ("/search", "/comment/list", "/issue/bulkfetch", "/changelog/bulkfetch", "/workflows")


class Throttle:
    """What one site has counted."""

    def __init__(self) -> None:
        self._limits = Limits()
        self._points: tuple[int, int] = (0, 0)

    def refused(
        self, settings: JiraSettings, method: str, pattern: str, issue: str, now: datetime
    ) -> Response | None:
        """The refusal of a call that is over one of the limits; else it is counted, and None.

        `issue` is the id of the issue that it names, "" where it names none.
        """
        seconds = now.timestamp()
        if settings.points_per_hour and self._used(seconds) >= settings.points_per_hour:
            ends = (int(seconds) // HOUR_S + 1) * HOUR_S
            return too_many(
                int(ends - seconds) + 1, "jira-quota-tenant-based", settings.points_per_hour, _iso(ends)
            )
        if settings.limit_bursts:
            allowed = _a_second(method, pattern)
            if self._limits.over(f"{method} {pattern}", allowed, 1, seconds) is not None:
                return too_many(1, "jira-burst-based", allowed, _iso(int(seconds) + 1))
        if settings.limit_writes and issue and method in _WRITES:
            for allowed, window_s in ISSUE_WRITES:
                wait = self._limits.over(f"{window_s} s {issue}", allowed, window_s, seconds)
                if wait is not None:
                    return too_many(wait, "jira-per-issue-on-write", allowed, _iso(int(seconds) + wait))
        return None

    def marked(
        self, settings: JiraSettings, method: str, pattern: str, response: Response, now: datetime
    ) -> Response:
        """The answer with the headers that tell what is left; its points are counted."""
        seconds = now.timestamp()
        headers: list[tuple[str, str]] = []
        if limit := settings.points_per_hour:
            used = self._used(seconds) + points(method, pattern, response)
            self._points = (int(seconds) // HOUR_S, used)
            left = max(0, limit - used)
            headers += [
                ("Beta-RateLimit-Policy", f'"tenant-app-quota";q={limit};w={HOUR_S}'),
                ("Beta-RateLimit", f'"tenant-app-quota";r={left};t={HOUR_S - int(seconds) % HOUR_S}'),
            ]
            if left < limit / 5:
                headers.append(("X-Beta-RateLimit-NearLimit", "true"))
        if settings.limit_bursts:
            allowed = _a_second(method, pattern)
            left = allowed - self._limits.used(f"{method} {pattern}", 1, seconds)
            headers += [("X-RateLimit-Limit", str(allowed)), ("X-RateLimit-Remaining", str(max(0, left)))]
        return response.with_headers(*headers)

    def _used(self, seconds: float) -> int:
        hour, used = self._points
        return used if hour == int(seconds) // HOUR_S else 0


def points(method: str, pattern: str, response: Response) -> int:
    """What a call costs: 1 for a write, and for a question 1 more for each object in its answer."""
    if method in _WRITES and not pattern.startswith(_QUESTIONS):
        return 1
    try:
        told = json.loads(response.body)
    except ValueError:
        return 1
    lists = [one for one in told.values() if isinstance(one, list)] if isinstance(told, dict) else [told]
    return 1 + max(1, *(len(one) for one in lists)) if lists else 2


def _a_second(method: str, pattern: str) -> int:
    return _A_SECOND_OF.get((method, pattern)) or _A_SECOND.get(method, 100)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
