"""The neutral ticket: what every system's tickets have in common.  Pure values; imports nothing of ours.

A connector turns its vendor's answers into these values and back.  Field names inside `fields` are the vendor's own
(`summary`, `custom_field_42`); the mapping joins them to the data dictionary.  Field values are plain JSON: text,
numbers, lists of text for labels, `Person.as_value()` for people, and a rich-text document's `as_value()` for
formatted text, so that they can be stored, compared and shown without knowing the vendor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Value = None | bool | int | float | str | list | dict
Fields = Mapping[str, Value]


class ChangeKind(StrEnum):
    """What one entry of a ticket's history tells."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"


class FieldKind(StrEnum):
    """How a field's value is to be read, compared and shown."""

    TEXT = "text"
    RICH_TEXT = "rich_text"
    CHOICE = "choice"
    STATUS = "status"
    LABELS = "labels"
    PERSON = "person"
    NUMBER = "number"
    DATETIME = "datetime"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as one system knows them.  `id` is that system's own and means nothing elsewhere."""

    id: str
    name: str = ""
    email: str = ""

    def as_value(self) -> dict[str, str]:
        """The JSON form kept in field values."""
        return {"id": self.id, "name": self.name, "email": self.email}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file on a ticket, not its bytes.  `locator` is what the connector needs to open it again."""

    id: str
    name: str
    content_type: str
    size_bytes: int
    locator: str


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment.  `body` is a rich-text document as JSON; `is_public` is never guessed: unknown means internal."""

    id: str
    body: dict
    author: Person
    is_public: bool
    at: datetime
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a ticket's own history, in the order the system itself gives.

    `id` is unique within the ticket and never changes.  `fields` holds the new values, `before` the old ones as far
    as the system tells them.  `marker` is the text we planted with a write of ours, where the system gives it back.
    `at` is the source system's own time.  Files that came without a comment are in `attachments`.
    """

    id: str
    at: datetime
    actor: Person
    kind: ChangeKind = ChangeKind.UPDATED
    fields: Fields = field(default_factory=dict)
    before: Fields = field(default_factory=dict)
    comments: tuple[Comment, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    marker: str = ""


@dataclass(frozen=True, slots=True)
class TicketHead:
    """How people recognise a ticket in its own system."""

    remote_id: str
    key: str
    url: str


@dataclass(frozen=True, slots=True)
class History:
    """What happened to a ticket after a cursor, oldest first, and the cursor that continues after it.

    The cursor is the connector's own text; it never points past a change that is not in `changes`.
    `has_more` is true when the connector stopped at its page limit: ask again with the new cursor.
    `mark` is the state of the ticket that was read, as `Changed.marks` names it; "" where the system does not tell.
    `as_of` is a time by the system's own clock: what happened before it is told, unless there is more; None where that
    is not known.
    """

    changes: tuple[Change, ...]
    cursor: str
    head: TicketHead
    has_more: bool = False
    mark: str = ""
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ticket as it stands now, all its comments and files included: for comparing both sides."""

    head: TicketHead
    fields: Fields
    comments: tuple[Comment, ...]
    attachments: tuple[Attachment, ...]
    created_at: datetime
    updated_at: datetime
    is_closed: bool


@dataclass(frozen=True, slots=True)
class StatusStep:
    """A step of a system's workflow, from one status to another, and the fields that it demands a value for."""

    start: str
    end: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a system: its own name, how people know it, what it takes.

    `values` lists the allowed values of a choice in the system's order; empty means any.  `max_length` counts
    characters; 0 means no limit is known.  `is_create_only` marks what can be given to a new ticket and never changed.
    `steps` are the steps between the values of a status, `steps_known` the values from which all steps are told.
    """

    name: str
    label: str
    kind: FieldKind
    values: tuple[str, ...] = ()
    max_length: int = 0
    is_writable: bool = True
    is_required: bool = False
    is_create_only: bool = False
    steps: tuple[StatusStep, ...] = ()
    steps_known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """Tickets that a system says have changed, and the cursor to continue from.

    `marks` tells for some of them which state it was: no two states of a ticket have the same one.
    """

    remote_ids: tuple[str, ...]
    cursor: str
    has_more: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A ticket to be created.  `marker` is planted where the system can be asked for it again."""

    fields: Fields
    marker: str


@dataclass(frozen=True, slots=True)
class CommentDraft:
    """A comment to be written.  The foreign author's name is already part of `body` where a rule says so."""

    body: dict
    is_public: bool
    marker: str


@dataclass(frozen=True, slots=True)
class FileTrace:
    """What of a file really travelled: SHA-256 of its bytes in hexadecimal, and their number."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What a system says of the files it takes.  `max_bytes` 0: it does not tell; `endings` empty: any, else ".pdf"."""

    max_bytes: int = 0
    endings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What the system said after a write of ours.

    `change_ids` are ids of history entries known to be ours (may be empty: then the history is recognised by marker
    or value).  `comment_id` and `attachment_id` name what was made; `file` is
    filled in by whoever streamed one.
    """

    head: TicketHead
    change_ids: tuple[str, ...] = ()
    comment_id: str = ""
    attachment_id: str = ""
    file: FileTrace | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are in a system and what is missing or too much: the answer of a connection test.

    `alias` is another name by which web hooks call the same account; "" where they use its id.
    """

    id: str
    name: str
    time_zone: str = "UTC"
    problems: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    alias: str = ""
