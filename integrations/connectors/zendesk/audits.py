"""A ticket's audits as changes.  Pure, but for names that `people` already looked up.

https://developer.zendesk.com/documentation/ticketing/reference-guides/ticket-audit-events-reference/ asks to pass
over events one does not know, and so this does: such an audit is a change of nothing, but it keeps its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from integrations.canonical import Attachment, Change, ChangeKind, Comment, Value
from integrations.connectors import errors
from integrations.connectors.zendesk import fields, texts
from integrations.connectors.zendesk.fields import FieldTags
from integrations.connectors.zendesk.people import People, id_of
from integrations.richtext.blocks import Document

# Where our marker stands in the metadata of a write, and so in the audit's `metadata.custom`.
MARKER = "concord"
_COMMENTS = ("Comment", "VoiceComment")
_FIELDS = ("Create", "Change")


def person_ids(audits: Iterable[dict]) -> list[str]:
    """The ids of everybody these audits name."""
    found = []
    for audit in audits:
        found.append(id_of(audit.get("author_id")))
        for event in events_of(audit):
            found.append(id_of(event.get("author_id")))
            if event.get("field_name") in fields.PEOPLE:
                found += [id_of(event.get("value")), id_of(event.get("previous_value"))]
    return found


def changes(
    audits: Sequence[dict], people: People, field_tags: FieldTags, *, from_start: bool
) -> tuple[Change, ...]:
    """The audits as changes, in their order.  `from_start` is true when the first of them made the ticket."""
    hidden = hidden_comments(audits)
    found: list[Change] = []
    at: datetime | None = None
    for index, audit in enumerate(audits):
        # An unreadable time takes the place of the one before: the order is what counts.
        at = fields.time_of(audit.get("created_at")) or at
        if at is None:
            raise errors.Garbled("A change in Zendesk's history has no time.")
        change = _change(audit, at, people, hidden, is_first=from_start and index == 0)
        found.append(_without_field_tags(change, field_tags))
    return tuple(found)


def _without_field_tags(change: Change, field_tags: FieldTags) -> Change:
    """The change with people's own tags alone; the tags of a field come as that field."""
    if "tags" not in change.fields:
        return change
    values, before = dict(change.fields), dict(change.before)
    values["tags"] = field_tags.labels(values["tags"])
    if "tags" in before:
        before["tags"] = field_tags.labels(before["tags"])
        if before["tags"] == values["tags"]:
            del values["tags"], before["tags"]
    return replace(change, fields=values, before=before)


def _change(audit: dict, at: datetime, people: People, hidden: frozenset[str], *, is_first: bool) -> Change:
    id_ = id_of(audit.get("id"))
    if not id_:
        raise errors.Garbled("A change in Zendesk's history has no number.")
    author = audit.get("author_id")
    values: dict[str, Value] = {}
    before: dict[str, Value] = {}
    comments: list[Comment] = []
    attachments: tuple[Attachment, ...] = ()
    for event in events_of(audit):
        if event.get("type") in _FIELDS and (name := fields.our_name(event.get("field_name"))):
            values[name] = fields.our_value(name, event.get("value"), people)
            if event.get("type") == "Change":
                before.setdefault(name, fields.our_value(name, event.get("previous_value"), people))
        elif event.get("type") in _COMMENTS:
            is_description = is_first and "description" not in values
            if is_description:
                values["description"] = description(event, hidden)
            if is_description and is_public(event, hidden):
                # The ticket's description, and no comment besides.
                attachments = fields.attachments_of(event)
            else:
                comments.append(comment(event, at, people, author, hidden))
    return Change(
        id_,
        at,
        people.named(author),
        _kind(values, before, is_first=is_first),
        values,
        before,
        tuple(comments),
        attachments,
        marker_of(audit),
    )


def _kind(values: dict[str, Value], before: dict[str, Value], *, is_first: bool) -> ChangeKind:
    if is_first:
        return ChangeKind.CREATED
    if values.get("status") == "deleted":
        return ChangeKind.DELETED
    return ChangeKind.RESTORED if before.get("status") == "deleted" else ChangeKind.UPDATED


def description(first: dict, hidden: frozenset[str]) -> Value:
    """The description that a ticket's first comment makes: its text, or an empty one when it is not public.

    An agent may open a ticket with an internal note.  A description goes to every partner, so the note must not be
    one: it is told as the internal comment that it is, with its files, and the ticket has no description.
    """
    return (texts.from_record(first) if is_public(first, hidden) else Document()).as_value()


def is_public(record: dict, hidden: frozenset[str]) -> bool:
    """Whether a comment is public: only where Zendesk says so in so many words, and took nothing back."""
    return record.get("public") is True and id_of(record.get("id")) not in hidden


def comment(record: dict, at: datetime, people: People, author: object, hidden: frozenset[str]) -> Comment:
    """A comment record."""
    return Comment(
        id_of(record.get("id")),
        texts.from_record(record).as_value(),
        people.named(record.get("author_id") or author),
        is_public(record, hidden),
        at,
        fields.attachments_of(record),
    )


def hidden_comments(audits: Iterable[dict]) -> frozenset[str]:
    """Comments that a later audit made internal: what was public for a while is not carried any more."""
    return frozenset(
        id_of(event.get("comment_id"))
        for audit in audits
        for event in events_of(audit)
        if event.get("type") == "CommentPrivacyChange" and event.get("public") is not True
    )


def comment_events(audit: dict) -> list[dict]:
    """The comments in an audit, as records."""
    return [event for event in events_of(audit) if event.get("type") in _COMMENTS]


def events_of(audit: dict) -> list[dict]:
    """The events of an audit."""
    events = audit.get("events")
    return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def marker_of(audit: dict) -> str:
    """The marker we planted with the write that made this audit."""
    metadata = audit.get("metadata")
    custom = metadata.get("custom") if isinstance(metadata, dict) else None
    marker = custom.get(MARKER) if isinstance(custom, dict) else None
    return marker if isinstance(marker, str) else ""
