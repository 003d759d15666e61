"""A ticket system in memory for the engine's tests: its own history, its own faults, its own idea of time."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from integrations.canonical import (
    Attachment,
    Change,
    ChangeKind,
    Comment,
    CommentDraft,
    Draft,
    History,
    Person,
    Snapshot,
    TicketHead,
    Value,
    Written,
)
from integrations.connectors import errors, wire
from integrations.connectors.protocol import Basis, Capabilities, TicketWrites
from integrations.richtext import blocks

OUR_ACCOUNT = "account-of-concord"


class FakeClock:
    """A clock that moves when told."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class FakeTicket:
    """What the system itself holds."""

    id: str
    marker: str
    fields: dict[str, Value]
    comments: list[Comment] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    history: list[Change] = field(default_factory=list)
    born_at: datetime | None = None


class FakeSystem:
    """One system.  `faults` holds what happens to the next writes: a fault name or None for a proper answer."""

    def __init__(self, name: str, clock: FakeClock, *, defaults: Mapping[str, Value] | None = None) -> None:
        self.name = name
        self.clock = clock
        self.defaults = dict(defaults or {})
        self.tickets: dict[str, FakeTicket] = {}
        self.faults: deque[str | None] = deque()
        self.read_faults: deque[str | None] = deque()
        self.is_down = False
        self.search_lag_s = 0
        self.gives_markers = True
        self.has_internal_comments = True
        # Changes that one answer of the history holds; 0 means all.
        self.page_size = 0
        # Whether a change is refused that is not built on the present state.
        self.guards = False
        # Files by name, and whether reading one breaks off after the first bytes.
        self.stored: dict[str, bytes] = {}
        self.breaks_off = False
        # A system that keeps less of a file than it took; None for a proper one.
        self.cuts_files_at: int | None = None
        # Statuses that a change to this one has to pass through.
        self.steps: dict[str, list[str]] = {}
        # Whether the next change of fields takes only these steps and then gives no answer.
        self.stops_half_way = False
        self.ticket_writes: TicketWrites | None = None
        self.calls: list[str] = []
        self.late: list[tuple[datetime, Callable[[], Any]]] = []
        self.on_change: Callable[[str], None] = lambda remote_id: None
        self._ids = itertools.count(1)
        self._changes = itertools.count(1)
        self._comments = itertools.count(1)
        self.account_id = OUR_ACCOUNT

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            idempotent_create=False,
            has_internal_comments=self.has_internal_comments,
            late_execution_s=40,
            search_lag_s=self.search_lag_s,
            max_attachment_bytes=10_000_000,
            poll_overlap_s=60,
            guards_writes=self.guards,
            ticket_writes=self.ticket_writes,
        )

    # What people of the partner do.

    def person_creates(self, by: str = "Mina", **fields: Value) -> str:
        return self._create({**self.defaults, **fields}, "", by)

    def person_sets(self, id_: str, by: str = "Mina", **fields: Value) -> None:
        self._set(id_, fields, by, "")

    def edited_silently(self, id_: str, **fields: Value) -> None:
        """Somebody with more rights than is good changes it; no history shows it, and nobody is told."""
        self.tickets[id_].fields.update(fields)

    def person_comments(self, id_: str, text: str, *, by: str = "Mina", is_public: bool = True) -> None:
        self._comment(id_, blocks.from_plain(text).as_value(), by, is_public, "")

    def person_attaches(
        self,
        id_: str,
        name: str,
        content: bytes = b"",
        *,
        by: str = "Mina",
        content_type: str = "text/plain",
        announced: int | None = None,
    ) -> str:
        """Somebody adds a file; `announced` is the size that the system tells of it.  The file's id."""
        size = len(content) if announced is None else announced
        found = self._new_file(id_, name, content_type, content, size)
        self._record(id_, by, ChangeKind.UPDATED, {}, "", attachments=(found,))
        return found.id

    def contents(self, id_: str) -> dict[str, bytes]:
        """The files of a ticket by name."""
        return {name: self.stored[name] for name in self.tickets[id_].files}

    def texts(self, id_: str) -> list[str]:
        """The comments as plain text, in order."""
        return [blocks.from_value(comment.body).plain() for comment in self.tickets[id_].comments]

    # What the connector protocol asks.

    def history(self, remote_id: str, since: str) -> History:
        self._read(f"history {remote_id}")
        if remote_id not in self.tickets:
            raise errors.Gone("It is not there.")
        start = int(since or 0)
        changes = self.tickets[remote_id].history[start:]
        page = changes[: self.page_size or None]
        return History(
            tuple(page),
            str(start + len(page)),
            self._head(remote_id),
            has_more=len(page) < len(changes),
        )

    def read(self, remote_id: str) -> Snapshot:
        self._read(f"read {remote_id}")
        if remote_id not in self.tickets:
            raise errors.Gone("It is not there.")
        ticket = self.tickets[remote_id]
        assert ticket.born_at is not None
        now = self.clock.now()
        return Snapshot(
            self._head(remote_id),
            dict(ticket.fields),
            tuple(ticket.comments),
            tuple(self._files(ticket)),
            ticket.born_at,
            now,
            False,
        )

    def _files(self, ticket: FakeTicket) -> Iterator[Attachment]:
        """The files that the history told of and that are still there."""
        for change in ticket.history:
            yield from (file for file in change.attachments if file.name in ticket.files)

    def find(self, marker: str) -> Written | None:
        self._read("find")
        for ticket in self.tickets.values():
            assert ticket.born_at is not None
            is_indexed = self.clock.now() - ticket.born_at >= timedelta(seconds=self.search_lag_s)
            if ticket.marker == marker and is_indexed:
                return Written(self._head(ticket.id))
        return None

    def create(self, draft: Draft) -> Written:
        def act() -> Written:
            return Written(self._head(self._create({**self.defaults, **draft.fields}, draft.marker, "")))

        return self._write("create", act)

    def update(
        self, remote_id: str, fields: Mapping[str, Value], *, current: Mapping[str, Value], marker: str
    ) -> Written:
        def act() -> Written:
            steps = self.steps.get(str(fields.get("status")), [])
            if self.stops_half_way:
                self.stops_half_way = False
                for step in steps:
                    self._set(remote_id, {"status": step}, "", marker)
                raise errors.TimedOut("No answer.", outcome_unknown=True)
            made = [self._set(remote_id, {"status": step}, "", marker) for step in steps]
            made.append(self._set(remote_id, fields, "", marker))
            return Written(made[-1].head, change_ids=tuple(id_ for one in made for id_ in one.change_ids))

        return self._write(f"update {remote_id} {sorted(fields)}", act)

    def update_on(
        self,
        basis: Basis,
        remote_id: str,
        fields: Mapping[str, Value],
        *,
        current: Mapping[str, Value],
        marker: str,
    ) -> Written:
        since = self.tickets[remote_id].history[int(basis.cursor or 0) :]
        if [change.id for change in since] != [id_ for id_ in basis.own_changes if id_ in _ids(since)]:
            self.calls.append(f"conflict {remote_id}")
            raise errors.Stale("Somebody else changed it meanwhile.", status=412)
        return self.update(remote_id, fields, current=current, marker=marker)

    def comment(self, remote_id: str, draft: CommentDraft) -> Written:
        return self._write(
            f"comment {remote_id}",
            lambda: self._comment(remote_id, draft.body, "", draft.is_public, draft.marker),
        )

    def attach(self, remote_id: str, file: Any) -> Written:
        def act() -> Written:
            content = b"".join(file.chunks)[: self.cuts_files_at]
            found = self._new_file(remote_id, file.name, file.content_type, content, len(content))
            self._record(remote_id, "", ChangeKind.UPDATED, {}, file.marker, attachments=(found,))
            return Written(self._head(remote_id), attachment_id=found.id)

        return self._write(f"attach {remote_id}", act)

    def open_attachment(self, attachment: Attachment) -> Any:
        self._read("open")
        if attachment.locator not in self.stored:
            raise errors.Gone("There is no such file.")
        content = self.stored[attachment.locator]
        for start in range(0, len(content), 4):
            yield content[start : start + 4]
            if self.breaks_off:
                raise errors.Unavailable("The connection broke.")

    def settled(self, field_name: str, value: Value) -> Value:
        return value

    # How it works inside.

    def tick(self) -> None:
        """Carry out what was executed late."""
        due = [act for at, act in self.late if at <= self.clock.now()]
        self.late = [(at, act) for at, act in self.late if at > self.clock.now()]
        for act in due:
            act()

    def _read(self, what: str) -> None:
        self.calls.append(what)
        fault = self.read_faults.popleft() if self.read_faults else None
        if self.is_down or fault == "503":
            raise errors.Unavailable("It is down.", status=503)
        if fault == "gone":
            raise errors.Gone("It is not there.")
        if fault == "401":
            raise errors.Unauthorized("The token has run out.", status=401)

    def _write(self, what: str, act: Callable[[], Written]) -> Written:
        if not wire.may_send():
            raise errors.NotSent("The lease had run down.")
        self.calls.append(what)
        if self.is_down:
            raise errors.Unavailable("It is down.", status=503)
        fault = self.faults.popleft() if self.faults else None
        match fault:
            case "503":
                raise errors.Unavailable("It is busy.", status=503)
            case "429":
                raise errors.RateLimited("Slower, please.", retry_after_s=30)
            case "400":
                raise errors.Invalid("It does not take that value.", fields={"summary": "too odd"})
            case "forbidden":
                raise errors.Forbidden("Our account may not add files.")
            case "lost_before":
                raise errors.TimedOut("No answer.", outcome_unknown=True)
            case "lost_after":
                act()
                raise errors.TimedOut("No answer.", outcome_unknown=True)
            case "late":
                self.late.append((self.clock.now() + timedelta(seconds=35), act))
                raise errors.TimedOut("No answer.", outcome_unknown=True)
        return act()

    def _new_file(self, id_: str, name: str, content_type: str, content: bytes, size: int) -> Attachment:
        self.tickets[id_].files.append(name)
        self.stored[name] = content
        return Attachment(f"f{next(self._comments)}", name, content_type, size, name)

    def _head(self, id_: str) -> TicketHead:
        return TicketHead(id_, f"{self.name}-{id_}", f"https://{self.name}.test/{id_}")

    def _create(self, fields: dict[str, Value], marker: str, by: str) -> str:
        id_ = str(next(self._ids))
        self.tickets[id_] = FakeTicket(id_, marker, dict(fields), born_at=self.clock.now())
        self._record(id_, by, ChangeKind.CREATED, dict(fields), marker)
        return id_

    def _set(self, id_: str, fields: Mapping[str, Value], by: str, marker: str) -> Written:
        ticket = self.tickets[id_]
        changed = {name: value for name, value in fields.items() if ticket.fields.get(name) != value}
        if not changed:
            return Written(self._head(id_))
        ticket.fields.update(changed)
        change = self._record(id_, by, ChangeKind.UPDATED, changed, marker)
        return Written(self._head(id_), change_ids=(change.id,) if self.gives_markers else ())

    def _comment(self, id_: str, body: dict, by: str, is_public: bool, marker: str) -> Written:
        comment = Comment(f"c{next(self._comments)}", body, self._person(by), is_public, self.clock.now())
        self.tickets[id_].comments.append(comment)
        self._record(id_, by, ChangeKind.UPDATED, {}, marker, comments=(comment,))
        return Written(self._head(id_), comment_id=comment.id)

    def _record(
        self, id_: str, by: str, kind: ChangeKind, fields: dict[str, Value], marker: str, **more: Any
    ) -> Change:
        change = Change(
            id=f"h{next(self._changes)}",
            at=self.clock.now(),
            actor=self._person(by),
            kind=kind,
            fields=fields,
            marker=marker if self.gives_markers else "",
            **more,
        )
        self.tickets[id_].history.append(change)
        self.on_change(id_)
        return change

    def _person(self, by: str) -> Person:
        return Person(f"person-{by}", by) if by else Person(OUR_ACCOUNT, "Concord")


def _ids(changes: list[Change]) -> set[str]:
    return {change.id for change in changes}
