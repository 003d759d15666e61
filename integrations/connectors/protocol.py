"""What a connector must do.  The engine asks `Capabilities` instead of testing for a vendor's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol, runtime_checkable

from integrations.canonical import (
    Account,
    Attachment,
    Changed,
    CommentDraft,
    Draft,
    Fields,
    FieldSpec,
    FileLimits,
    History,
    Snapshot,
    Value,
    Written,
)
from integrations.connectors.errors import FileTooLarge
from integrations.connectors.http import Http

# What is read of a file at most.  Whether so much may be written is for the receiving side to say.
MAX_READ_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class TicketWrites:
    """How many writes to one ticket a system takes: `count` in `window_s` seconds.  One of ours may cost `each`.

    `also` are longer windows that count besides, as (count, seconds).
    """

    count: int
    window_s: int
    each: int = 1
    also: tuple[tuple[int, int], ...] = ()

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """All windows, as how many of our own writes fit into so many seconds."""
        counted = ((self.count, self.window_s), *self.also)
        return tuple((max(1, count // self.each), seconds) for count, seconds in counted)

    @property
    def longest_s(self) -> int:
        """After so many seconds a write counts nowhere any more."""
        return max(seconds for _, seconds in self.windows)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a system can do and how far it can be trusted to be quick.

    `late_execution_s`: the longest time after our time limit that the system may still carry a request out.
    `search_lag_s`: how long a new ticket may be missing from the search that finds it by marker.
    `idempotent_create`: a repeated create with the same marker gives the first ticket again.
    `has_internal_comments`: internal notes exist; a comment that is not public is refused elsewhere.
    `guards_writes`: a change is refused when the ticket is no longer as it was read; see `GuardsWrites`.
    `steps`: fields that are led through a workflow, so that the present value decides how another is reached.
    `ticket_writes`: the limit for writes to one ticket, where there is one.
    `steps_at_once`: so many of one worker's steps may be under way there, each with one request at a time.
    """

    idempotent_create: bool
    has_internal_comments: bool
    late_execution_s: int
    search_lag_s: int
    max_attachment_bytes: int
    poll_overlap_s: int
    guards_writes: bool = False
    steps: frozenset[str] = frozenset({"status"})
    ticket_writes: TicketWrites | None = None
    steps_at_once: int = 32


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """One thing the form for a system asks.  A secret is write-only and stored encrypted.

    `is_chosen`: a person thought it up, so that not even its end may be shown.
    """

    name: str
    label: str
    help: str = ""
    is_secret: bool = False
    is_required: bool = True
    default: str = ""
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class HookRequest:
    """A web hook as it came in.  Header names are lower case; `body` is the raw bytes that were signed."""

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Hook:
    """What a proven web hook hints at: these tickets changed, done by this account.

    `delivery_id` is the same when the vendor sends it again.  `happened_at` is the system's own time of what it tells,
    not earlier than it really was; None where it names none, or where `History.as_of` is never known.  Nothing else of
    the body is ever used.
    """

    delivery_id: str
    remote_ids: tuple[str, ...]
    actor_id: str = ""
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RegisteredHook:
    """A web hook as the other system has it.  `secret` is "" where the system does not tell it.

    `event` is what it tells of where each kind of event takes a web hook of its own, and "" where one tells of all.
    """

    id: str
    url: str
    is_active: bool
    secret: str = field(default="", repr=False)
    event: str = ""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a change is built on: the history read up to `cursor`, and changes of our own that followed it."""

    cursor: str
    own_changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileDraft:
    """A file to be written.  `chunks` may be read once; `marker` is planted where the system allows it.

    `limit_bytes`: the largest file that the system takes, as it told us; 0 where it was not asked.
    """

    name: str
    content_type: str
    size_bytes: int
    chunks: Iterator[bytes]
    is_public: bool
    marker: str
    limit_bytes: int = 0

    def check_size(self, usual_bytes: int) -> None:
        """FileTooLarge when it is larger than the system says, or than such systems usually take."""
        limit_bytes = self.limit_bytes or usual_bytes
        if self.size_bytes > limit_bytes:
            raise FileTooLarge(f"The system takes files up to {limit_bytes // 1024 // 1024} MB.")


class Connector(Protocol):
    """One partner's system, opened with that partner's settings.

    Every method may raise ConnectorError and nothing else.  A method that writes is called only after an attempt has
    been recorded; when it raises with `outcome_unknown`, the caller looks for the effect before it tries again.
    All times in answers are aware and in UTC.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    settings: ClassVar[Sequence[SettingSpec]]

    def __init__(self, settings: Mapping[str, str], http: Http) -> None: ...

    def check(self) -> Account:
        """Sign in and tell who we are and what is missing.  May be repeated."""
        ...

    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields of the tickets we exchange, read from the system.  May be repeated."""
        ...

    def history(self, remote_id: str, since: str) -> History:
        """Changes after the cursor `since` ("" from the beginning), in the system's own order.  May be repeated."""
        ...

    def read(self, remote_id: str) -> Snapshot:
        """The ticket as it stands now.  `remote_id` may be the number that people know.  May be repeated."""
        ...

    def changed_since(self, cursor: str) -> Changed:
        """Tickets changed after the cursor ("" = start now, minus the overlap).  Overlaps; may be repeated."""
        ...

    def create(self, draft: Draft) -> Written:
        """Create a ticket carrying `draft.marker`."""
        ...

    def update(self, remote_id: str, fields: Fields, *, current: Fields, marker: str) -> Written:
        """Set these fields.  `current` is what the ticket is known to hold, for choosing a workflow step."""
        ...

    def comment(self, remote_id: str, draft: CommentDraft) -> Written:
        """Add a comment; internal stays internal or raises Refused, it never becomes public."""
        ...

    def attach(self, remote_id: str, file: FileDraft) -> Written:
        """Add a file, streamed."""
        ...

    def open_attachment(self, attachment: Attachment) -> Iterator[bytes]:
        """The file's bytes in chunks.  Credentials never go to another host.  May be repeated."""
        ...

    def find(self, marker: str) -> Written | None:
        """The ticket that was created with this marker, or None.  May lag by `search_lag_s`.  May be repeated."""
        ...

    def settled(self, field: str, value: Value) -> Value:
        """What the system will hold after `value` is written to `field`: cut, trimmed, its markup's round trip.

        `comment` stands for a comment's body, `file` for a file's name.

        Pure; used to tell "already equal" from "differs"."""
        ...

    def verify_hook(self, request: HookRequest, secrets: Sequence[str]) -> Hook:
        """Prove a web hook with any of the secrets and read which tickets it names, or raise HookRefused.  Pure."""
        ...

    def hook_steps(self, url: str) -> tuple[str, ...]:
        """What the partner's administrator has to do for web hooks to arrive at `url`, step by step.  Pure.

        What follows an empty line in a step is a script to be pasted as it is.
        """
        ...


@runtime_checkable
class RegistersHooks(Protocol):
    """What a connector offers besides, where our account may set up web hooks through the system's interface.

    Forbidden tells that it may not; then `hook_steps` are for a person.
    """

    def hook_events(self) -> tuple[str, ...]:
        """The events of which each takes a web hook of its own; ("",) where one tells of all.  Pure."""
        ...

    def registered_hooks(self, url: str) -> tuple[RegisteredHook, ...]:
        """The web hooks to this very address: to see whether ours is there and alive.  May be repeated."""
        ...

    def register_hook(self, url: str, secret: str, *, renew: bool = False) -> RegisteredHook:
        """Have web hooks sent to `url`, signed; one is left to that address, whatever was there.  May be repeated.

        `secret` is what the hooks are signed with where the system takes one; elsewhere it makes its own, and keeps it
        unless `renew` is asked for.  Either way the answer holds the one in use.  What is there is looked up first, so
        that one whose answer was lost is found.
        """
        ...

    def unregister_hooks(self, url: str) -> None:
        """Take all web hooks to this address away.  May be repeated."""
        ...


@runtime_checkable
class GuardsWrites(Protocol):
    """What a connector offers besides, where the system compares before it sets (`Capabilities.guards_writes`)."""

    def update_on(
        self, basis: Basis, remote_id: str, fields: Fields, *, current: Fields, marker: str
    ) -> Written:
        """Set these fields; Stale, and nothing is written, when anything but `basis` happened to the ticket."""
        ...


@runtime_checkable
class TellsFileLimits(Protocol):
    """What a connector offers besides, where the system tells which files it takes.

    Where it does not, or keeps it from our account, `Capabilities.max_attachment_bytes` is what such systems usually
    take.
    """

    def file_limits(self) -> FileLimits:
        """What the system says today.  May be repeated."""
        ...


@runtime_checkable
class FollowsUp(Protocol):
    """What a connector offers besides, where a closed ticket can be followed up by a new one joined to it."""

    def follow_up(self, closed_id: str, draft: Draft) -> Written:
        """Create the ticket that goes on from a closed one, carrying `draft.marker`."""
        ...
