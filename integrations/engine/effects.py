"""What a step asks for: remote calls and store requests.  Pure values; a runtime carries them out.

A step is a generator.  It yields a `Call` and is resumed with its result, or with the ConnectorError thrown in; or it
yields a tuple of store requests, which are carried out together in one transaction, and is resumed with the tuple of
their results.  The same steps run in production and under simulation.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from integrations.canonical import Attachment, CommentDraft, Draft, Fields, History, Value, Written
from integrations.connectors.errors import ConnectorError
from integrations.connectors.gate import Tidings
from integrations.connectors.protocol import Basis
from integrations.engine.values import Answer, DeliveryState, Outcome, Question, Stamp, Word

# Remote calls.


@dataclass(frozen=True, slots=True)
class Call:
    """A remote call in one system.  A write carries `send_by`: after it the bytes must not leave any more."""

    system_id: int
    send_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadHistory(Call):
    """-> History.  What happened to a ticket after the cursor."""

    remote_id: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class FindTicket(Call):
    """-> Written | None.  The ticket that carries our marker."""

    marker: str = ""


@dataclass(frozen=True, slots=True)
class CreateTicket(Call):
    """-> Written."""

    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class FollowUp(Call):
    """-> Written.  Create the ticket that goes on from a closed one."""

    closed_id: str = ""
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class UpdateTicket(Call):
    """-> Written.  With a `basis` the system refuses it when anything else happened to the ticket."""

    remote_id: str = ""
    fields: Fields | None = None
    current: Fields | None = None
    marker: str = ""
    basis: Basis | None = None


@dataclass(frozen=True, slots=True)
class AddComment(Call):
    """-> Written."""

    remote_id: str = ""
    draft: CommentDraft | None = None


@dataclass(frozen=True, slots=True)
class CarryFile(Call):
    """-> Written, with the trace of the bytes.  The file is opened in `source_system_id` and streamed to the target.

    `limit_bytes` is what the system and its side's rules take; 0 where neither says anything.  `text` is what the file
    holds where it comes from no system: the whole of a text that was cut.
    """

    remote_id: str = ""
    source_system_id: int = 0
    attachment: Attachment | None = None
    is_public: bool = False
    marker: str = ""
    limit_bytes: int = 0
    text: str | None = None


# Store requests.  Each names the lane's fence where one worker alone may do it; a stale fence gives False or None.


@dataclass(frozen=True, slots=True)
class Request:
    """Something the store is asked to do inside one transaction."""


@dataclass(frozen=True, slots=True)
class StoreReading(Request):
    """-> bool: stored.  False when another reading got there first.

    The store loads a TicketView now, after the history was fetched, so that a write of ours which the history shows
    is known; hands both to `reading.plan_reading`; and stores the plan, the cursor with it.
    """

    ticket_id: int
    version: int
    history: History
    started_at: datetime


@dataclass(frozen=True, slots=True)
class NoteReadFailure(Request):
    """-> None.  The ticket is read again later."""

    ticket_id: int
    error: ConnectorError
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class LoadHead(Request):
    """-> HeadView | None: the head of the lane, or None when the claim is stale or nothing waits.

    With `followers` up to so many deliveries that wait right behind it come along.
    """

    lane_id: int
    fence: int
    followers: int = 0


@dataclass(frozen=True, slots=True)
class MarkSent(Request):
    """-> bool.  Write-ahead: the attempt is recorded before any byte may leave.

    `number` counts the delivery's attempts from 1.  `unseen` is what the receiver's history will have to show:
    `{"fields": {...}, "comment": {...}, "file": name, "creates": true}`; `{"over": {field: [ms, system, text]}}`
    beside it tells which texts those in `fields` were merged into, `{"stood": {field: ...}}`
    what a write was decided on where a rule asks for it, `{"held": {field: value}}` over what those of an undoing are
    put back.  `{"follows": key of a closed ticket}` alone: the
    attempt was to create the ticket that goes on from that one; false as well, and nothing is recorded, while another
    delivery makes it or has made it.  For a note in the place of a file `wanted` is
    `{"stand_in": StandIn.as_value()}`.
    """

    lane_id: int
    fence: int
    delivery_id: int
    number: int
    target_id: int | None
    wanted: Mapping[str, Value]
    unseen: Mapping[str, Any]
    pre_image: Mapping[str, Value]
    incoming_id: int | None
    at: datetime
    send_by: datetime


@dataclass(frozen=True, slots=True)
class StoreCreated(Request):
    """-> bool.  The ticket exists on the other side; the delivery stays at the head until its fields are equal."""

    lane_id: int
    fence: int
    delivery_id: int
    written: Written
    at: datetime


@dataclass(frozen=True, slots=True)
class StoreFollowUp(Request):
    """-> bool.  A ticket goes on from the closed one: every linked ticket that stood on that stands on it now.

    The delivery waits at the head of its lane, to be written to the new ticket.  May be repeated.
    """

    lane_id: int
    fence: int
    delivery_id: int
    closed_ticket_id: int
    marker: str
    written: Written
    at: datetime


@dataclass(frozen=True, slots=True)
class Finish(Request):
    """-> bool.  The delivery is over; the lane moves on.

    `accepted` are fields that already held what was wanted: they take the delivery's stamp, or the one in
    `accepted_stamps`.  False as well, and nothing is stored, when the delivery
    is not the head of its lane or when the ticket no longer holds what is accepted without a write: then it was
    decided on something that has changed meanwhile, and the step looks again.  `answers` go back to the sender.
    `lost` is kept with the result: by the field's common name, what its text lost on the way, in sentences.  `files` are envelopes of
    texts that were cut; each is queued as a delivery of its own at the end of the lane.
    `undone` is kept with the result: what became of each field of an undoing.
    """

    lane_id: int
    fence: int
    delivery_id: int
    state: DeliveryState
    at: datetime
    written: Written | None = None
    accepted: Mapping[str, Value] | None = None
    accepted_stamps: Mapping[str, Stamp] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()
    word: Word | None = None
    reason: str = ""
    lost: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: tuple[Mapping[str, Any], ...] = ()
    undone: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release(Request):
    """-> bool.  Give the lane back; it is due again at `next_at`.

    `waits_for` is a code and a sentence for people where it waits although nothing failed.  With `outcome` the attempts under way end like that; `unknown` keeps the deliveries in state sent.
    """

    lane_id: int
    fence: int
    next_at: datetime
    at: datetime
    outcome: Outcome | None = None
    delivery_ids: tuple[int, ...] = ()
    error: ConnectorError | None = None
    waits_for: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Withdraw(Request):
    """-> bool.  The system refused what these went out with: their attempts are over, and nothing of them is there.

    The lane stays with the worker, who tries the first of them by itself.
    """

    lane_id: int
    fence: int
    delivery_ids: tuple[int, ...]
    at: datetime
    error: ConnectorError


@dataclass(frozen=True, slots=True)
class Park(Request):
    """-> bool.  The lane waits for a person; the reason is shown with its handbook entry.

    `questions` are what has to be decided where both sides changed something.  `word` is queued in the lane back: the
    delivery counts as told then.
    """

    lane_id: int
    fence: int
    delivery_id: int
    code: str
    message: str
    at: datetime
    error: ConnectorError | None = None
    questions: tuple[Question, ...] = ()
    word: Word | None = None


@dataclass(frozen=True, slots=True)
class NoteSystemFailure(Request):
    """-> None.  Counts towards the breaker; `Unauthorized` stops the system until a person has looked.

    `started_at` is when what failed began: what was under way when a pause began does not count.
    """

    system_id: int
    error: ConnectorError
    started_at: datetime


@dataclass(frozen=True, slots=True)
class NoteSystemAnswer(Request):
    """-> None.  The system answered: its streak of failures is over."""

    system_id: int


@dataclass(frozen=True, slots=True)
class ShareBudget(Request):
    """-> Shared.  Report what was called and told, and ask for `wanted` more calls, or none if not `least`.

    `held` is how many were not let through.  With `is_bulk` they are all for work that can wait.
    """

    system_id: int
    wanted: int
    least: int
    tidings: Tidings
    held: int = 0
    is_bulk: bool = False


@dataclass(frozen=True, slots=True)
class Shared:
    """What one worker may call: `calls` more, or None for as many as come.

    `bulk` says whether work that can wait may use them, `slot` is where they are counted, `free_at` is when it is
    worth asking again.  `is_told`: the system itself tells of a limit.
    """

    calls: int | None
    bulk: bool
    slot: int
    free_at: datetime
    is_told: bool = False


Effect = Call | tuple[Request, ...]
Steps = Generator[Effect, Any, None]
