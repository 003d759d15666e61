"""One answer of Jira made into a ticket's history: changelog and comments in one order, and the cursor after it.  Pure.

The cursor is a time and the ids seen in the minutes before it, not the highest id: Jira Cloud's nodes draw ids from
blocks of their own, so a later entry may have the lower number, and a transaction may become visible after one that
began later.  Whatever turns up inside that window and was not returned yet is returned then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from integrations.canonical import Attachment, Change, ChangeKind, Comment, Fields, Value
from integrations.connectors import errors
from integrations.connectors.jira import adf, changes
from integrations.connectors.jira.client import PROPERTY, dicts
from integrations.connectors.jira.fields import instant, person

# How long an entry may stay invisible while younger ones can be seen.
WINDOW = timedelta(minutes=5)
# Jira embeds at least this many of the newest entries in an issue; its `total` counts only those embedded, so a full
# page tells nothing about what lies before it.  Search embeds 40 (JRACLOUD-96459), reading one issue 100.
EMBEDDED_ENTRIES = 40
CREATED = "created"
COMMENT_PREFIX = "comment:"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a history was read to: the time of the newest entry, and the ids in the window before it.

    `count` is how many changelog entries are known in all; it only saves calls.
    """

    at: datetime | None = None
    seen: frozenset[str] = field(default_factory=frozenset)
    count: int = 0

    def text(self) -> str:
        """The form that is stored."""
        if self.at is None:
            return ""
        value = {"at": self.at.isoformat(), "seen": sorted(self.seen), "count": self.count}
        return json.dumps(value, separators=(",", ":"))


def read_cursor(text: str) -> Cursor:
    """A stored cursor; one that cannot be read means from the beginning, which repeats changes and loses none."""
    if not text:
        return Cursor()
    try:
        value = json.loads(text)
        seen = frozenset(str(one) for one in value["seen"])
        return Cursor(instant(value["at"]), seen, int(value.get("count", 0)))
    except (ValueError, KeyError, TypeError, RecursionError, errors.Garbled):
        return Cursor()


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue's answer with lists that are known to be long enough for the cursor at hand."""

    raw: Mapping[str, object]
    entries: Sequence[dict]
    comments: Sequence[dict]
    has_all_entries: bool = True

    @property
    def fields(self) -> dict:
        """The issue's fields as Jira gives them."""
        return part(self.raw, "fields")


def part(value: Mapping[str, object], name: str) -> dict:
    """An object inside an answer; an empty one when it is missing."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def embedded_entries(raw: Mapping[str, object], cursor: Cursor) -> tuple[list[dict], bool] | None:
    """The changelog inside an issue's answer and whether it is the whole one.

    None when it may lack entries that the cursor has not passed.
    """
    log = part(raw, "changelog")
    entries = dicts(log.get("histories"))
    told = log.get("total")
    total = max(told if isinstance(told, int) else 0, len(entries))
    if len(entries) < EMBEDDED_ENTRIES and total == len(entries):
        return entries, True
    if cursor.at is None or not entries:
        return None
    # The newest come first; when the oldest of them is before the window, nothing new can be missing.
    reaches_back = min(_created(one) for one in entries) < cursor.at - WINDOW
    new = sum(is_new(cursor, str(one.get("id")), _created(one)) for one in entries)
    return (entries, False) if reaches_back or total == cursor.count + new else None


def embedded_comments(raw: Mapping[str, object]) -> list[dict] | None:
    """The comments inside an issue's answer, or None when there are more than those."""
    page = part(part(raw, "fields"), "comment")
    comments = dicts(page.get("comments"))
    total = page.get("total")
    return None if isinstance(total, int) and total > len(comments) else comments


def settle_entries(raw: Mapping[str, object], entries: Iterable[dict]) -> list[dict]:
    """Changelog entries read after the issue itself: without those that the issue's fields do not show yet.

    They come with the next reading; now they would be given values that are older than they are.
    """
    updated = part(raw, "fields").get("updated")
    if updated is None:
        return list(entries)
    latest = instant(updated)
    return [entry for entry in entries if _created(entry) <= latest]


def is_new(cursor: Cursor, change_id: str, at: datetime) -> bool:
    """Whether a change lies after the cursor."""
    return cursor.at is None or (at >= cursor.at - WINDOW and change_id not in cursor.seen)


def new_comments(comments: Iterable[dict], cursor: Cursor) -> list[dict]:
    """The comments that lie after the cursor."""
    return [
        raw for raw in comments if is_new(cursor, COMMENT_PREFIX + id_of(raw), instant(raw.get("created")))
    ]


def read_history(
    issue: Issue, cursor: Cursor, markers: Mapping[str, str]
) -> tuple[tuple[Change, ...], Cursor]:
    """The changes after `cursor`, oldest first, and the cursor after them.  `markers` by comment id."""
    files = attachments(issue.fields)
    logged = changes.changelog_changes(issue.entries, issue.fields, files)
    found: list[tuple[datetime, int, tuple[int, str], str]] = []
    by_id: dict[str, Change | dict] = {}
    for change in logged.changes:
        found.append((change.at, 1, number(change.id), change.id))
        by_id[change.id] = change
    for raw in issue.comments:
        change_id = COMMENT_PREFIX + id_of(raw)
        found.append((instant(raw.get("created")), 2, number(change_id), change_id))
        by_id[change_id] = raw
    found.sort()
    # Only what is returned is read closely: a ticket may have hundreds of comments.
    new = [
        comment_change(one, markers) if isinstance(one := by_id[change_id], dict) else one
        for at, _, _, change_id in found
        if is_new(cursor, change_id, at)
    ]
    created_at = instant(issue.fields.get("created"))
    if cursor.at is None:
        new.insert(0, created(issue, logged.initial, logged.added, files))
    at = max([created_at, *(entry[0] for entry in found), *([cursor.at] if cursor.at else [])])
    seen = frozenset(change_id for entry_at, _, _, change_id in found if entry_at >= at - WINDOW)
    count = len(logged.changes)
    if not issue.has_all_entries:
        count = cursor.count + sum(is_new(cursor, change.id, change.at) for change in logged.changes)
    return tuple(new), Cursor(at, seen, count)


def created(issue: Issue, initial: Fields, added: frozenset[str], files: Mapping[str, Attachment]) -> Change:
    """The change that Jira does not write down: the ticket's creation, with the values and files it began with."""
    fields = issue.fields
    values: dict[str, Value] = {name: value for name, value in initial.items() if value not in (None, [], "")}
    return Change(
        CREATED,
        instant(fields.get("created")),
        person(fields.get("creator") or fields.get("reporter")),
        ChangeKind.CREATED,
        values,
        attachments=tuple(file for file in files.values() if file.id not in added),
        marker=issue_marker(issue.raw),
    )


def issue_marker(raw: Mapping[str, object]) -> str:
    """The marker in our issue property."""
    return marker_in(part(raw, "properties").get(PROPERTY))


def marker_in(value: object) -> str:
    """The marker in the value of a property of ours."""
    found = value.get("marker") if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def comment_marker(raw: Mapping[str, object]) -> str:
    """The marker in a comment's properties, where the answer holds them."""
    return next(
        (marker_in(one.get("value")) for one in dicts(raw.get("properties")) if one.get("key") == PROPERTY),
        "",
    )


def comment_change(raw: dict, markers: Mapping[str, str]) -> Change:
    """A comment as an entry of the history."""
    comment = read_comment(raw)
    marker = comment_marker(raw) or markers.get(comment.id, "")
    return Change(COMMENT_PREFIX + comment.id, comment.at, comment.author, comments=(comment,), marker=marker)


def read_comment(raw: dict) -> Comment:
    """A comment.  One restricted to a role or group, or internal in a service project, is not public."""
    is_public = raw.get("jsdPublic", True) is True and not raw.get("visibility")
    body = adf.from_adf(raw.get("body")).as_value()
    return Comment(id_of(raw), body, person(raw.get("author")), is_public, instant(raw.get("created")))


def attachments(fields: Mapping[str, object]) -> dict[str, Attachment]:
    """The files on an issue, by id.  The locator is the id: an address from an answer is never followed."""
    found = {}
    for raw in dicts(fields.get("attachment")):
        size = raw.get("size")
        found[id_of(raw)] = Attachment(
            id_of(raw),
            str(raw.get("filename") or "file"),
            str(raw.get("mimeType") or "application/octet-stream"),
            size if isinstance(size, int) else 0,
            id_of(raw),
        )
    return found


def number(change_id: str) -> tuple[int, str]:
    """Sorts ids as the numbers they are."""
    digits = change_id.removeprefix(COMMENT_PREFIX)
    return (int(digits) if digits.isascii() and digits.isdigit() else 0, digits)


def is_done(fields: Mapping[str, object]) -> bool:
    """Whether an issue's status counts as done: the category is Jira's own, the names are the site's."""
    return part(part(fields, "status"), "statusCategory").get("key") == "done"


def id_of(raw: Mapping[str, object]) -> str:
    """The id of an issue, comment or file as text.  Garbled when there is none."""
    found = raw.get("id")
    if not isinstance(found, str | int) or found == "":
        raise errors.Garbled("Jira's answer lacks an id.")
    return str(found)


def _created(raw: Mapping[str, object]) -> datetime:
    return instant(raw.get("created"))
