"""Which tickets changed: the searches, and the place between two of them.  Pure.

Jira searches by the minute and in the account's time zone, so the start is given as minutes before now: that needs no
zone, and no hour is read twice or never when the clocks change.  The index lags behind, so every search begins two
minutes early; a ticket that was named with the same `updated` before is not named again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from integrations.connectors import errors
from integrations.connectors.jira.client import PROPERTY
from integrations.connectors.jira.fields import instant

OVERLAP = timedelta(minutes=2)
# What a search may return again next time: the overlap, rounding to minutes, and some for clocks that differ.
REMEMBERED = OVERLAP + timedelta(minutes=3)
MAX_REMEMBERED = 1_000
# How far back a cursor reaches that cannot be read.
SAFE_START = timedelta(days=1)
# An unknown outcome is looked into within minutes, after a long outage within days.
MARKER_DAYS = 30


@dataclass(frozen=True, slots=True)
class Place:
    """Where polling stands: changes before `since` are known.

    `seen` maps tickets to the `updated` they were named with.  Between the pages of one search, `page_token` and `jql`
    continue it and `started` is when it began.
    """

    since: datetime
    seen: Mapping[str, str] = field(default_factory=dict)
    page_token: str = ""
    jql: str = ""
    started: datetime | None = None

    def text(self) -> str:
        """The form that is stored."""
        value: dict[str, object] = {"since": self.since.isoformat(), "seen": dict(self.seen)}
        if self.page_token and self.started is not None:
            value |= {"page": self.page_token, "jql": self.jql, "started": self.started.isoformat()}
        return json.dumps(value, separators=(",", ":"))

    def from_the_start(self) -> Place:
        """The same place without the page: for a search whose page token has expired."""
        return Place(self.since, self.seen)


def read_place(text: str, now: datetime) -> Place:
    """A stored place; an empty text is now, one that cannot be read a day ago."""
    if not text:
        return Place(now)
    try:
        value = json.loads(text)
        seen = {str(key): str(one) for key, one in value["seen"].items()}
        place = Place(instant(value["since"]), seen)
        if "page" in value:
            place = Place(place.since, seen, str(value["page"]), str(value["jql"]), instant(value["started"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, errors.Garbled):
        return Place(now - SAFE_START)
    return place


def changed_jql(project: str, place: Place, now: datetime) -> str:
    """The search for what changed since a place; within a search, that same search."""
    if place.page_token:
        return place.jql
    minutes = math.ceil((now - place.since + OVERLAP) / timedelta(minutes=1)) + 1
    return f'project = {quoted(project)} AND updated >= "-{max(minutes, 1)}m" ORDER BY updated ASC'


def next_place(
    place: Place, jql: str, page: Mapping[str, object], now: datetime
) -> tuple[tuple[str, ...], Place]:
    """The tickets on a page that are news, and the place after it."""
    started = place.started or now
    seen = dict(place.seen)
    ids: list[str] = []
    for issue in _issues(page):
        issue_id, updated = str(issue.get("id", "")), mark_of(issue)
        if not issue_id or (updated and seen.get(issue_id) == updated):
            continue
        seen[issue_id] = updated
        ids.append(issue_id)
    token = page.get("nextPageToken")
    if isinstance(token, str) and token and page.get("isLast") is not True:
        return tuple(ids), Place(place.since, seen, token, jql, started)
    return tuple(ids), Place(started, _recent(seen, started - REMEMBERED))


def mark_of(issue: Mapping[str, object]) -> str:
    """What names the state of an issue: the time of its last change, to the millisecond; "" where it is not told."""
    fields = issue.get("fields")
    return str(fields.get("updated") or "") if isinstance(fields, dict) else ""


def _recent(seen: Mapping[str, str], limit: datetime) -> dict[str, str]:
    kept = sorted(
        (updated, issue_id) for issue_id, updated in seen.items() if updated and instant(updated) >= limit
    )
    return {issue_id: updated for updated, issue_id in kept[-MAX_REMEMBERED:]}


def _issues(page: Mapping[str, object]) -> list[dict]:
    issues = page.get("issues")
    if not isinstance(issues, list):
        raise errors.Garbled("Jira's answer to a search holds no tickets.")
    return [issue for issue in issues if isinstance(issue, dict)]


def property_jql(project: str, marker: str) -> str:
    """The search for a marker in our property; sites without an app that has it indexed refuse it or find nothing."""
    return f"project = {quoted(project)} AND issue.property[{PROPERTY}].marker = {quoted(marker)}"


def own_tickets_jql(project: str) -> str:
    """The search for the tickets our account made lately, newest first."""
    return (
        f'project = {quoted(project)} AND creator = currentUser() AND created >= "-{MARKER_DAYS}d" '
        "ORDER BY created DESC"
    )


def arrived_jql(project: str, issue_type: str, status: str) -> str:
    """The search for tickets of a type that are in a status, the last ones first."""
    return (
        f"project = {quoted(project)} AND issuetype = {quoted(issue_type)} AND status = {quoted(status)} "
        "ORDER BY updated DESC"
    )


def quoted(text: str) -> str:
    """A text inside JQL's quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
