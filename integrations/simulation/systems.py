"""A ticket system as the simulator has it: tickets, their own history, and what makes each vendor different.

It behaves and remembers; faults of the network between it and us are none of its business.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from integrations.canonical import (
    Attachment,
    Change,
    ChangeKind,
    Comment,
    CommentDraft,
    Draft,
    History,
    Person,
    TicketHead,
    Value,
    Written,
)
from integrations.connectors import errors
from integrations.connectors.protocol import Basis, Capabilities, FileDraft
from integrations.engine.ports import Clock

OUR_ACCOUNT = "account-of-concord"


@dataclass(frozen=True, slots=True)
class Automation:
    """A rule of the system's own that runs under our account: when `field` becomes `value`, `sets` happens too."""

    field: str
    value: Value
    sets: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Traits:
    """What one system does differently from another.

    `steps`: statuses that a change to this one has to pass through.  `guards_writes`: a write is refused as stale when
    anything happened to the ticket that the writer does not know of.  `gives_marks`: it names a ticket's state.
    `dates_answers`: it tells of what time its history is.  `skew_s`: how far its clock is ahead of ours.  `limits`: how
    many characters a field keeps.  `page_size`: changes that one answer of its history holds; 0 means all.
    """

    name: str
    defaults: Mapping[str, Value] = field(default_factory=dict)
    gives_markers: bool = True
    gives_change_ids: bool = True
    guards_writes: bool = False
    gives_marks: bool = True
    dates_answers: bool = True
    search_lag_s: int = 0
    late_execution_s: int = 40
    skew_s: float = 0.0
    page_size: int = 0
    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    automations: tuple[Automation, ...] = ()


@dataclass(slots=True)
class SimulatedTicket:
    """What the system itself holds."""

    id: str
    marker: str
    fields: dict[str, Value]
    born_at: datetime
    comments: list[Comment] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)
    history: list[Change] = field(default_factory=list)
    is_deleted: bool = False
    # It takes nothing more, from anybody.
    is_closed: bool = False


class SimulatedSystem:
    """One system.  Every method that changes a ticket does so at once and completely, or raises and does nothing."""

    def __init__(self, traits: Traits, clock: Clock) -> None:
        self.traits = traits
        self.clock = clock
        self.tickets: dict[str, SimulatedTicket] = {}
        # Told of every change: the ticket, the change.
        self.on_change: Callable[[str, Change], None] = lambda remote_id, change: None
        # Whether an automation of its own is at work, which nobody but the system itself has asked for.
        self.is_automating = False
        self._ids = itertools.count(1)
        self._changes = itertools.count(1)
        self._parts = itertools.count(1)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.traits.name

    @property
    def capabilities(self) -> Capabilities:
        """What the engine is told about it."""
        return Capabilities(
            idempotent_create=False,
            has_internal_comments=True,
            late_execution_s=self.traits.late_execution_s,
            search_lag_s=self.traits.search_lag_s,
            max_attachment_bytes=10_000_000,
            poll_overlap_s=60,
            guards_writes=self.traits.guards_writes,
        )

    # What people of the partner do.

    def person_creates(self, by: str = "Mina", /, **fields: Value) -> str:
        """Somebody raises a ticket; its key."""
        return self._make({**self.traits.defaults, **fields}, "", by)

    def person_sets(self, id_: str, by: str = "Mina", /, **fields: Value) -> Change | None:
        """Somebody changes fields; None when they held these values already."""
        return self._set(id_, fields, by, "")

    def person_comments(self, id_: str, body: dict, *, by: str = "Mina", is_public: bool = True) -> Change:
        """Somebody adds a comment."""
        return self._comment(id_, body, by, is_public, "")[1]

    def person_attaches(self, id_: str, name: str, by: str = "Mina") -> Change:
        """Somebody adds a file."""
        return self._attach(id_, name, "text/plain", by, "")[1]

    def person_deletes(self, id_: str, by: str = "Mina") -> Change:
        """Somebody deletes the ticket."""
        self.tickets[id_].is_deleted = True
        return self._record(id_, by, ChangeKind.DELETED, {}, "")

    def person_restores(self, id_: str, by: str = "Mina") -> Change:
        """Somebody brings the ticket back."""
        self.tickets[id_].is_deleted = False
        return self._record(id_, by, ChangeKind.RESTORED, {}, "")

    def closes(self, id_: str) -> None:
        """The system closes the ticket for ever; its history does not tell."""
        self.tickets[id_].is_closed = True

    # What the connector protocol asks.

    def history(self, remote_id: str, since: str) -> History:
        """Changes after the cursor, a page at a time."""
        ticket = self.tickets.get(remote_id)
        if ticket is None:
            raise errors.Gone("It is not there.")
        start = int(since or 0)
        end = len(ticket.history)
        if self.traits.page_size:
            end = min(end, start + self.traits.page_size)
        return History(
            tuple(ticket.history[start:end]),
            str(end),
            self._head(remote_id),
            has_more=end < len(ticket.history),
            mark=self.mark(remote_id),
            as_of=self._time() if self.traits.dates_answers else None,
        )

    def mark(self, remote_id: str) -> str:
        """The name of a ticket's present state, "" where the system has none."""
        return f"rev {len(self.tickets[remote_id].history)}" if self.traits.gives_marks else ""

    def find(self, marker: str) -> Written | None:
        """The ticket that was created with this marker, once the search knows it."""
        for ticket in self.tickets.values():
            is_indexed = self.clock.now() - ticket.born_at >= timedelta(seconds=self.traits.search_lag_s)
            if ticket.marker == marker and is_indexed:
                return Written(self._head(ticket.id))
        return None

    def create(self, draft: Draft) -> Written:
        """Make a ticket that carries the draft's marker."""
        fields = {name: self.settled(name, value) for name, value in draft.fields.items()}
        return Written(self._head(self._make({**self.traits.defaults, **fields}, draft.marker, "")))

    def follow_up(self, closed_id: str, draft: Draft) -> Written:
        """Make the ticket that goes on from a closed one."""
        if not self.tickets[closed_id].is_closed:
            raise errors.Invalid("It is not closed.")
        return self.create(draft)

    def update_on(
        self,
        basis: Basis,
        remote_id: str,
        fields: Mapping[str, Value],
        *,
        current: Mapping[str, Value],
        marker: str,
    ) -> Written:
        """Set fields, unless anything else happened to the ticket."""
        since = self._living(remote_id).history[int(basis.cursor or 0) :]
        if any(change.id not in basis.own_changes for change in since):
            raise errors.Stale("Somebody changed it in between.")
        return self.update(remote_id, fields, current=current, marker=marker)

    def update(
        self, remote_id: str, fields: Mapping[str, Value], *, current: Mapping[str, Value], marker: str
    ) -> Written:
        """Set fields, by way of the steps that a status has to take."""
        ticket = self._living(remote_id)
        settled = {name: self.settled(name, value) for name, value in fields.items()}
        wanted = settled.get("status")
        steps = self.traits.steps.get(str(wanted), ()) if ticket.fields.get("status") != wanted else ()
        made = [self._set(remote_id, {"status": step}, "", marker) for step in steps]
        made.append(self._set(remote_id, settled, "", marker))
        ids = tuple(change.id for change in made if change)
        return Written(self._head(remote_id), change_ids=ids if self.traits.gives_change_ids else ())

    def comment(self, remote_id: str, draft: CommentDraft) -> Written:
        """Add a comment."""
        self._living(remote_id)
        id_, _ = self._comment(remote_id, draft.body, "", draft.is_public, draft.marker)
        return Written(self._head(remote_id), comment_id=id_)

    def attach(self, remote_id: str, file: FileDraft) -> Written:
        """Add a file."""
        self._living(remote_id)
        id_, _ = self._attach(remote_id, file.name, file.content_type, "", file.marker)
        return Written(self._head(remote_id), attachment_id=id_)

    def settled(self, field_name: str, value: Value) -> Value:
        """What it will hold after this was written."""
        limit = self.traits.limits.get(field_name, 0)
        return value[:limit] if limit and isinstance(value, str) else value

    # How it works inside.

    def _living(self, id_: str) -> SimulatedTicket:
        ticket = self.tickets.get(id_)
        if ticket is None or ticket.is_deleted:
            raise errors.Gone("It is not there.")
        if ticket.is_closed:
            raise errors.Closed("It is closed.")
        return ticket

    def _head(self, id_: str) -> TicketHead:
        return TicketHead(id_, f"{self.name}-{id_}", f"https://{self.name}.test/{id_}")

    def _make(self, fields: dict[str, Value], marker: str, by: str) -> str:
        id_ = str(next(self._ids))
        self.tickets[id_] = SimulatedTicket(id_, marker, dict(fields), born_at=self.clock.now())
        self._record(id_, by, ChangeKind.CREATED, dict(fields), marker)
        return id_

    def _set(self, id_: str, fields: Mapping[str, Value], by: str, marker: str) -> Change | None:
        ticket = self.tickets[id_]
        changed = {name: value for name, value in fields.items() if ticket.fields.get(name) != value}
        if not changed:
            return None
        before = {name: ticket.fields.get(name) for name in changed}
        ticket.fields.update(changed)
        change = self._record(id_, by, ChangeKind.UPDATED, changed, marker, before=before)
        for automation in self.traits.automations:
            if changed.get(automation.field) == automation.value:
                self.is_automating = True
                self._set(id_, automation.sets, "", "")
                self.is_automating = False
        return change

    def _comment(self, id_: str, body: dict, by: str, is_public: bool, marker: str) -> tuple[str, Change]:
        comment = Comment(f"c{next(self._parts)}", body, self._person(by), is_public, self._time())
        self.tickets[id_].comments.append(comment)
        return comment.id, self._record(id_, by, ChangeKind.UPDATED, {}, marker, comments=(comment,))

    def _attach(self, id_: str, name: str, content_type: str, by: str, marker: str) -> tuple[str, Change]:
        file = Attachment(f"f{next(self._parts)}", name, content_type, 0, name)
        self.tickets[id_].files.append(file)
        return file.id, self._record(id_, by, ChangeKind.UPDATED, {}, marker, attachments=(file,))

    def _record(
        self,
        id_: str,
        by: str,
        kind: ChangeKind,
        fields: Mapping[str, Value],
        marker: str,
        *,
        before: Mapping[str, Value] | None = None,
        comments: tuple[Comment, ...] = (),
        attachments: tuple[Attachment, ...] = (),
    ) -> Change:
        change = Change(
            id=f"h{next(self._changes)}",
            at=self._time(),
            actor=self._person(by),
            kind=kind,
            fields=fields,
            before=before or {},
            comments=comments,
            attachments=attachments,
            marker=marker if self.traits.gives_markers else "",
        )
        self.tickets[id_].history.append(change)
        self.on_change(id_, change)
        return change

    def _time(self) -> datetime:
        skew_s = self.traits.skew_s
        return self.clock.now() + timedelta(seconds=skew_s) if skew_s else self.clock.now()

    def _person(self, by: str) -> Person:
        return Person(f"person-{by}", by) if by else Person(OUR_ACCOUNT, "Concord")
