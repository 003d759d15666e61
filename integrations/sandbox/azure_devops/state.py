"""What a sandboxed Azure DevOps holds: people, work items with all revisions, comments, files, subscriptions.

Plain records; the rules are elsewhere.  Times are milliseconds since 1970.
"""

from __future__ import annotations

import base64
import itertools
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.sandbox.azure_devops.process import ItemType
from integrations.sandbox.azure_devops.schema import Schema
from integrations.sandbox.azure_devops.settings import AzureDevOpsSettings

_SPACE = uuid.UUID("8f1c9d5e-1f0e-4f0a-9d53-0a4f5f3a8c11")
KEPT_NOTIFICATIONS = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the organisation."""

    id: str
    name: str
    email: str
    is_active: bool = True

    @property
    def descriptor(self) -> str:
        """The name that the identity service knows a person by."""
        return "aad." + base64.urlsafe_b64encode(self.id.encode()).decode().rstrip("=")

    @property
    def combined(self) -> str:
        """The form of older API versions: `Name <address>`."""
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Relation:
    """A link of a work item.  `target` is a file's id, a work item's id, or an address."""

    id: int
    rel: str
    target: str
    at: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CommentRef:
    """Which version of which comment a revision is about."""

    comment_id: int
    version: int
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """A work item as it was: all its fields and links."""

    rev: int
    by: Person
    at: int
    watermark: int
    fields: Mapping[str, Any]
    relations: tuple[Relation, ...]
    comment: CommentRef | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """One step of the history.  A link between work items makes a step and no revision."""

    id: int
    rev: int
    by: Person
    at: int
    makes_revision: bool
    added: tuple[Relation, ...] = ()
    removed: tuple[Relation, ...] = ()
    updated: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class CommentVersion:
    """A comment as it was."""

    version: int
    text: str
    format: str
    by: Person
    at: int
    is_deleted: bool = False


@dataclass(slots=True)
class Comment:
    """A comment with all its versions."""

    id: int
    item_id: int
    versions: list[CommentVersion]
    created_in: int

    @property
    def now(self) -> CommentVersion:
        """The comment as it is."""
        return self.versions[-1]


@dataclass(slots=True)
class File:
    """An uploaded file; `expected` is its size while a chunked upload is under way."""

    id: str
    name: str
    data: bytearray
    by: Person
    created: int
    expected: int | None = None


@dataclass(slots=True)
class WorkItem:
    """A work item: its revisions, the steps between them, and what hangs on it."""

    id: int
    type: ItemType
    revisions: list[Revision] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    # Links as they are now: those between work items change without a revision.
    relations: list[Relation] = field(default_factory=list)
    is_deleted: bool = False
    # When the system last touched it by its own clock, and in what order.
    touched: float = 0.0
    place: int = 0

    @property
    def now(self) -> Revision:
        """The newest revision."""
        return self.revisions[-1]

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields as they are."""
        return self.now.fields

    @property
    def title(self) -> str:
        """What it is about."""
        return str(self.fields.get("System.Title", ""))

    @property
    def status(self) -> str:
        """The name of its state."""
        return str(self.fields["System.State"])


@dataclass(slots=True)
class Notification:
    """One delivery of a service hook, as the subscription's history shows it."""

    id: int
    event: Mapping[str, Any]
    created: int
    status: str = "queued"
    result: str = "pending"
    answered: int = 0


@dataclass(slots=True)
class Subscription:
    """A service hook: which events, which filters, and where to."""

    id: str
    event_type: str
    resource_version: str
    publisher_inputs: dict[str, str]
    consumer_inputs: dict[str, str]
    created_by: Person
    created: int
    modified: int
    status: str = "enabled"
    probation: int = 0
    notifications: deque[Notification] = field(
        default_factory=lambda: deque[Notification](maxlen=KEPT_NOTIFICATIONS)
    )
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next_number(self) -> int:
        """A new number for a notification; each subscription counts its own."""
        return next(self._numbers)


class Organization:
    """Everything in one organisation with one project."""

    def __init__(self, settings: AzureDevOpsSettings) -> None:
        self.people: dict[str, Person] = {}
        self.people_by_mail: dict[str, Person] = {}
        self.items: dict[int, WorkItem] = {}
        # Every revision in the order of the watermarks, for the feed; those of destroyed work items stay.
        self.log: list[tuple[int, Revision]] = []
        self.comments: dict[int, Comment] = {}
        self.files: dict[str, File] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.refs: dict[str, int] = {}
        self._item_ids = itertools.count(1)
        self._comment_ids = itertools.count(1001)
        self._relation_ids = itertools.count(5001)
        self._watermarks = itertools.count(11)
        self._places = itertools.count(1)
        self._guids = itertools.count(1)
        self.take(settings)

    def take(self, settings: AzureDevOpsSettings) -> None:
        """Go by other settings from now on; what is there stays."""
        self.settings = settings
        self.schema = Schema(settings)
        self.api_user = self.add_person("Concord", settings.email)
        for one in settings.people:
            self.add_person(one["name"], one["email"], is_active=bool(one.get("active", True)))

    @property
    def id(self) -> str:
        """The organisation's id."""
        return str(uuid.uuid5(_SPACE, f"organization {self.settings.organization}"))

    @property
    def project_id(self) -> str:
        """The project's id; it stays when the project is renamed."""
        return str(uuid.uuid5(_SPACE, f"project of {self.settings.organization}"))

    @property
    def team_id(self) -> str:
        """The id of the project's only team."""
        return str(uuid.uuid5(_SPACE, f"team of {self.settings.organization}"))

    def add_person(self, name: str, email: str, *, is_active: bool = True) -> Person:
        """A new person; the id is always the same for the same address."""
        person = Person(str(uuid.uuid5(_SPACE, email.lower() or name)), name, email, is_active)
        self.people[person.id] = person
        self.people_by_mail[email.lower()] = person
        return person

    def find_person(self, text: str) -> Person | None:
        """A person by `Name <address>`, address, id, descriptor, or a name that only one bears."""
        words = text.strip()
        if words.endswith(">") and "<" in words:
            words = words.rpartition("<")[2].removesuffix(">")
        found = self.people_by_mail.get(words.lower()) or self.people.get(words.lower())
        if found is not None:
            return found
        named = [one for one in self.people.values() if words in (one.name, one.descriptor)]
        return named[0] if len(named) == 1 else None

    def item(self, id_: int) -> WorkItem | None:
        """The work item, unless it is deleted or hidden from our account."""
        item = self.items.get(id_)
        return None if item is None or item.is_deleted or id_ in self.settings.hidden_items else item

    def next_item_id(self) -> int:
        """A new work item's id."""
        return next(self._item_ids)

    def next_comment_id(self) -> int:
        """A new comment's id; comments of all work items are counted together."""
        return next(self._comment_ids)

    def next_relation_id(self) -> int:
        """A new link's id."""
        return next(self._relation_ids)

    def next_watermark(self) -> int:
        """The number of a revision among those of all work items."""
        return next(self._watermarks)

    def next_guid(self, kind: str) -> str:
        """A new id for a file or a subscription: always the same ones in the same order."""
        return str(uuid.uuid5(_SPACE, f"{kind} {next(self._guids)} of {self.settings.organization}"))

    def touch(self, item: WorkItem, now: float) -> None:
        """Note that the work item changed just now."""
        item.touched = now
        item.place = next(self._places)
