"""What a sandboxed Zendesk holds: people, tickets, audits, comments, files.  Plain records; the rules are elsewhere.

Times are the vendor's own text, `2026-01-01T10:00:00Z`: second precision is part of how Zendesk behaves.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from dataclasses import dataclass, field
from typing import Any

from integrations.sandbox.zendesk.settings import ZendeskSettings

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
TYPES = ("problem", "incident", "question", "task")
GROUP_ID = 360000100001
ORGANIZATION_ID = 360000200001
BRAND_ID = 360000300001
FORM_ID = 360000400001
CUSTOM_STATUS_IDS = {status: 360000500001 + index for index, status in enumerate(STATUSES[:5])}


@dataclass(slots=True)
class User:
    """Somebody known to the account."""

    id: int
    name: str
    email: str
    role: str
    created_at: str
    updated_at: str
    time_zone: str = "UTC"
    organization_id: int | None = ORGANIZATION_ID
    external_id: str | None = None

    @property
    def is_agent(self) -> bool:
        """Whether this person works for the account, and is no customer of it."""
        return self.role in ("agent", "admin")


@dataclass(slots=True)
class File:
    """An attachment with its bytes."""

    id: int
    name: str
    content_type: str
    data: bytes
    token: str


@dataclass(slots=True)
class Upload:
    """Files waiting to be attached; `until` is when the token ends (seconds)."""

    token: str
    files: list[File]
    until: float


@dataclass(slots=True)
class Comment:
    """A comment in the forms that Zendesk keeps."""

    id: int
    audit_id: int
    author_id: int
    body: str
    html_body: str
    plain_body: str
    public: bool
    files: tuple[File, ...]
    created_at: str


@dataclass(slots=True)
class Audit:
    """One update with everything it changed.  `comment` stands at its place among the events, which is the first."""

    id: int
    ticket_id: int
    created_at: str
    author_id: int
    channel: str
    custom: dict[str, Any]
    system: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    comment: Comment | None = None


@dataclass(slots=True)
class Ticket:
    """A ticket with all that hangs on it."""

    id: int
    subject: str
    description: str
    requester_id: int
    submitter_id: int
    created_at: str
    updated_at: str
    channel: str = "api"
    status: str = "new"
    custom_status_id: int = CUSTOM_STATUS_IDS["new"]
    priority: str | None = None
    type: str | None = None
    external_id: str | None = None
    assignee_id: int | None = None
    group_id: int | None = None
    organization_id: int | None = ORGANIZATION_ID
    problem_id: int | None = None
    due_at: str | None = None
    is_public: bool = True
    tags: list[str] = field(default_factory=list)
    custom: dict[int, Any] = field(default_factory=dict)
    followup_source_id: int | None = None
    followup_ids: list[int] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)
    # When the system last touched it (seconds) and the place of that touch in the desk's log; the incremental
    # export goes by these, not by updated_at.
    generated: int = 0
    place: int = 0
    made: float = 0.0
    deleted_at: str | None = None
    deleted_by: int = 0
    status_before_deletion: str = ""


@dataclass(slots=True)
class Webhook:
    """A web hook with its secret."""

    id: str
    name: str
    endpoint: str
    secret: str
    subscriptions: list[str]
    created_at: str
    created_by: int
    status: str = "active"
    http_method: str = "POST"
    request_format: str = "json"
    description: str | None = None
    authentication: dict[str, Any] | None = None
    updated_at: str | None = None


@dataclass(slots=True)
class Remembered:
    """What an Idempotency-Key stands for, until when."""

    until: float
    request: bytes
    body: bytes


class Desk:
    """Everything in one account."""

    def __init__(self, settings: ZendeskSettings, now: str) -> None:
        self.settings = settings
        self.users: dict[int, User] = {}
        self.users_by_mail: dict[str, User] = {}
        self.tickets: dict[int, Ticket] = {}
        self.deleted: dict[int, Ticket] = {}
        self.by_external_id: dict[str, list[int]] = {}
        self.refs: dict[str, int] = {}
        self.uploads: dict[str, Upload] = {}
        self.files: dict[int, File] = {}
        self.files_by_token: dict[str, File] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.remembered: dict[str, Remembered] = {}
        # (generated, ticket id) of every touch in order; entries that a later touch replaced are skipped by readers.
        self.log: list[tuple[int, int]] = []
        # Text that Zendesk would have run as a placeholder: (ticket id, the text).  A connector that lets foreign
        # text through unescaped shows up here.
        self.placeholders: list[tuple[int, str]] = []
        self._ids = itertools.count(9_000_000_000_001)
        self._ticket_ids = itertools.count(settings.first_ticket_id)
        self.api_user = self.add_user("Concord", settings.email, "admin", now)
        self.api_user.time_zone = settings.time_zone

    def next_id(self) -> int:
        """A new id for anything but a ticket; ids grow in the order of events."""
        return next(self._ids)

    def new_token(self, kind: str) -> str:
        """A text that nobody can guess from another one."""
        raw = hashlib.sha256(f"{self.settings.token} {kind} {self.next_id()}".encode()).digest()
        return base64.urlsafe_b64encode(raw[:18]).decode()

    def next_ticket_id(self) -> int:
        """A new ticket number."""
        return next(self._ticket_ids)

    def add_user(self, name: str, email: str, role: str, now: str) -> User:
        """A new person."""
        user = User(self.next_id(), name, email, role, now, now)
        self.users[user.id] = user
        if email:
            self.users_by_mail[email.lower()] = user
        return user

    def touch(self, ticket: Ticket, seconds: int) -> None:
        """Note that the ticket changed just now, for the incremental export."""
        ticket.generated = seconds
        ticket.place = len(self.log)
        self.log.append((seconds, ticket.id))

    def field_definition(self, id_: int) -> dict[str, Any] | None:
        """A custom field by its id."""
        return next((one for one in self.settings.custom_fields if one["id"] == id_), None)
