"""What a sandboxed Jira holds: people, issues, comments, files, histories.  Plain records; the rules are elsewhere.

Times are milliseconds since 1970, Jira's precision.
"""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

from integrations.sandbox.jira.index import SearchIndex
from integrations.sandbox.jira.settings import JiraSettings

RESOLUTIONS = (
    ("10000", "Done"),
    ("10001", "Won't Do"),
    ("10002", "Duplicate"),
    ("10003", "Cannot Reproduce"),
)
ISSUE_TYPES = (("10002", "Task"), ("10004", "Bug"), ("10005", "Incident"))
PROJECT_ID = "10000"


@dataclass(slots=True)
class User:
    """Somebody with an account."""

    account_id: str
    name: str
    email: str
    time_zone: str = "UTC"
    account_type: str = "atlassian"


@dataclass(slots=True)
class File:
    """An attachment with its bytes."""

    id: str
    name: str
    content_type: str
    data: bytes
    author: User
    created: int
    token: str


@dataclass(slots=True)
class Comment:
    """A comment; its text is ADF."""

    id: str
    author: User
    update_author: User
    body: dict[str, Any]
    created: int
    updated: int
    properties: dict[str, Any] = field(default_factory=dict)
    visibility: dict[str, Any] | None = None

    @property
    def is_public(self) -> bool:
        """A service project's internal note says so in a property, and nowhere else."""
        internal = self.properties.get("sd.public.comment")
        return not (isinstance(internal, dict) and internal.get("internal") is True)


@dataclass(slots=True)
class History:
    """One entry of the change log: items are the vendor's own objects, metadata is what the writer sent along."""

    id: int
    author: User
    created: int
    items: list[dict[str, Any]]
    metadata: dict[str, Any] | None = None


@dataclass(slots=True)
class Issue:
    """An issue with all that hangs on it."""

    id: int
    key: str
    type_id: str
    summary: str
    status: str
    priority_id: str
    creator: User
    reporter: User | None
    created: int
    updated: int
    description: dict[str, Any] | None = None
    environment: dict[str, Any] | None = None
    assignee: User | None = None
    labels: list[str] = field(default_factory=list)
    duedate: str | None = None
    resolution_id: str | None = None
    resolved: int | None = None
    status_changed: int = 0
    custom: dict[str, Any] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    histories: list[History] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    links: list[dict[str, Any]] = field(default_factory=list)
    # When the system last touched it by its own clock, and in what order.
    touched: float = 0.0
    place: int = 0


@dataclass(slots=True)
class Webhook:
    """An admin web hook.  Its secret is written once and never shown."""

    id: int
    name: str
    url: str
    secret: str
    events: list[str]
    filters: dict[str, Any] = field(default_factory=dict)
    is_enabled: bool = True
    updated: int = 0


class Site:
    """Everything in one site."""

    def __init__(self, settings: JiraSettings) -> None:
        self.settings = settings
        self.users: dict[str, User] = {}
        self.users_by_mail: dict[str, User] = {}
        self.issues: dict[int, Issue] = {}
        self.by_key: dict[str, int] = {}
        self.comments: dict[str, tuple[Issue, Comment]] = {}
        self.files: dict[str, tuple[Issue, File]] = {}
        self.files_by_token: dict[str, File] = {}
        self.refs: dict[str, int] = {}
        self.index = SearchIndex()
        self.webhooks: dict[int, Webhook] = {}
        self._webhook_ids = itertools.count(1)
        self._numbers = itertools.count(1)
        self._issue_ids = itertools.count(10001)
        self._ids = itertools.count(10100)
        self._history_ids = itertools.count(10200)
        self._places = itertools.count(1)
        self.api_user = self.add_user("Concord", settings.email, settings.time_zone)

    def add_user(self, name: str, email: str, time_zone: str = "UTC") -> User:
        """A new person; the account id is always the same for the same address."""
        account_id = "712020:" + str(uuid.uuid5(uuid.NAMESPACE_URL, email.lower() or name))
        user = User(account_id, name, email, time_zone)
        self.users[account_id] = user
        if email:
            self.users_by_mail[email.lower()] = user
        return user

    @property
    def is_visible(self) -> bool:
        """Whether our account may see the project at all."""
        return "BROWSE_PROJECTS" not in self.settings.denied_permissions

    def add_webhook(self, name: str, url: str, secret: str, events: list[str]) -> Webhook:
        """One more web hook."""
        made = Webhook(next(self._webhook_ids), name, url, secret, events)
        self.webhooks[made.id] = made
        return made

    def next_id(self) -> str:
        """A new id for a comment, a file or a link."""
        return str(next(self._ids))

    def next_history_id(self) -> int:
        """A new id of the change log; ids grow in the order of changes."""
        return next(self._history_ids)

    def next_issue_id(self) -> tuple[int, str]:
        """A new issue's id and key."""
        return next(self._issue_ids), f"{self.settings.project_key}-{next(self._numbers)}"

    def touch(self, issue: Issue, now: float) -> None:
        """Note that the issue changed just now, and send it to the search index."""
        issue.touched = now
        issue.place = next(self._places)
        self.index.note(issue.id, now, self.settings.search_lag_s, self._indexed)

    def _indexed(self, id_: int) -> tuple[int, dict[str, Any]] | None:
        issue = self.issues.get(id_)
        return (issue.updated, issue.properties) if issue is not None else None

    def issue(self, id_or_key: str) -> Issue | None:
        """The issue by id or key, unless it, or the whole project, is hidden from our account."""
        if not self.is_visible:
            return None
        id_ = int(id_or_key) if id_or_key.isdigit() else self.by_key.get(id_or_key.upper())
        issue = self.issues.get(id_) if id_ is not None else None
        return None if issue is None or issue.key in self.settings.hidden_issues else issue

    def status(self, name: str) -> dict[str, Any]:
        """A status by its name; KeyError when there is none."""
        for one in self.settings.statuses:
            if one["name"] == name:
                return one
        raise KeyError(name)
