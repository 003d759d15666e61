"""The engine's words: states, stamps and the plain values its steps work on.  Pure: no clock, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from integrations.canonical import Value
from integrations.mapping.files import ANY_FILE, FilePolicy
from integrations.mapping.people import Acquaintance
from integrations.mapping.rules import RuleSet


class Operation(StrEnum):
    """What a delivery does on the other side."""

    CREATE = "create"
    UPDATE = "update"
    COMMENT = "comment"
    FILE = "file"
    # Puts back a newer value that an older write of ours covered.
    REPAIR = "repair"
    # Puts back what a write of ours replaced, where that write still stands.
    REVERT = "revert"


# What sets fields of a ticket that is there.
FIELD_WRITES = frozenset({Operation.UPDATE, Operation.REPAIR, Operation.REVERT})


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    NEW = "new"
    # The bytes may have left; what became of them is not known until the receiver's history tells.
    SENT = "sent"
    DONE = "done"
    # A newer change of the same fields got there first.
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"


class LaneState(StrEnum):
    """Whether a lane may move."""

    READY = "ready"
    PARKED = "parked"
    HELD = "held"


class Outcome(StrEnum):
    """How an attempt ended."""

    STARTED = "started"
    DONE = "done"
    RETRY = "retry"
    UNKNOWN = "unknown"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """A hybrid logical time: newer wins; the system's key breaks ties the same way everywhere."""

    ms: int
    system_id: int

    def as_value(self) -> list[int]:
        """The JSON form."""
        return [self.ms, self.system_id]


NO_STAMP = Stamp(0, 0)


def stamp_from(value: object) -> Stamp:
    """A stamp from its JSON form; the oldest possible one when there is none."""
    if isinstance(value, list | tuple) and len(value) >= 2:
        return Stamp(int(value[0]), int(value[1]))
    return NO_STAMP


@dataclass(frozen=True, slots=True)
class Winner:
    """The value of a field that should stand, and its stamp."""

    value: Value
    stamp: Stamp

    def as_value(self) -> list:
        """The JSON form: the stamp's, and the value behind it."""
        return [*self.stamp.as_value(), self.value]


def winner_from(stored: Sequence) -> Winner:
    """A winner from its JSON form."""
    return Winner(stored[2], stamp_from(stored))


@dataclass(frozen=True, slots=True)
class SideView:
    """One side of a connection with its published rules.  `trigger` is in the side's own field names.

    `person_fields` are its system's fields that hold a person; `people` tells who the other side's people are here.
    `takes_files` is what its system says of files, whatever the rules are.
    """

    id: int
    system_id: int
    partner_name: str
    starts: bool
    trigger: Mapping[str, tuple[str, ...]]
    outgoing: RuleSet
    incoming: RuleSet
    person_fields: frozenset[str] = frozenset()
    people: tuple[Acquaintance, ...] = ()
    takes_files: FilePolicy = ANY_FILE


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection as the engine reads it.  `collects` is false only for a draft: a paused one still collects."""

    id: int
    collects: bool
    left: SideView
    right: SideView

    def side(self, side_id: int) -> SideView:
        """The side with this key."""
        return self.left if self.left.id == side_id else self.right

    def other(self, side_id: int) -> SideView:
        """The side opposite to this key."""
        return self.right if self.left.id == side_id else self.left

    def side_in(self, system_id: int) -> SideView | None:
        """The side in this system, if it takes part."""
        return next((side for side in (self.left, self.right) if side.system_id == system_id), None)


@dataclass(frozen=True, slots=True)
class TicketState:
    """What is known of one system's ticket."""

    id: int
    system_id: int
    remote_id: str
    cursor: str
    version: int
    event_count: int
    actual: Mapping[str, Value]
    winners: Mapping[str, Winner]
    marker: str = ""
    is_gone: bool = False
    # When the last reading began, and when somebody last told that the ticket had changed.
    read_at: datetime | None = None
    hinted_at: datetime | None = None
    # Another ticket goes on from this closed one.
    is_followed: bool = False
    # A create of ours that was carried out too late made it, beside the ticket that is linked.
    is_twin: bool = False


@dataclass(frozen=True, slots=True)
class LinkState:
    """A linked ticket seen from one of its tickets."""

    linked_ticket_id: int
    connection_id: int
    side_id: int
    other_side_id: int


@dataclass(frozen=True, slots=True)
class OpenWrite:
    """A write of ours to a ticket that its history has not shown entirely yet.

    `fields` are the settled values still expected; `over` tells of texts that were merged which text, with its stamp,
    they were merged into, `stood` on what a write was decided where a rule asks for it; `comment` is the body expected (None when nothing is), `file` the
    name; `creates` is true until the ticket's creation was seen.  The ids are known once the system has answered.
    """

    delivery_id: int
    connection_id: int
    state: DeliveryState
    stamp: Stamp
    origin: str
    hops: int
    marker: str
    creates: bool = False
    fields: Mapping[str, Value] = field(default_factory=dict)
    comment: Mapping | None = None
    file: str = ""
    change_ids: tuple[str, ...] = ()
    comment_id: str = ""
    attachment_id: str = ""
    done_at: datetime | None = None
    over: Mapping[str, Winner] = field(default_factory=dict)
    stood: Mapping[str, Mapping] = field(default_factory=dict)
    # Of a write that puts values back: what has to stand there until then.
    held: Mapping[str, Value] = field(default_factory=dict)
    # Values that were taken for this write's, and may have been steps of another write: it may still come behind that.
    behind: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TicketView:
    """Everything a reading of a ticket is judged by.  Loaded after the history was fetched, never before."""

    ticket: TicketState
    account_id: str
    connections: tuple[ConnectionView, ...]
    links: tuple[LinkState, ...]
    open_writes: tuple[OpenWrite, ...]
    # Writes whose traces were seen before, where a change may be another trace of one: with what they left.
    spent: tuple[OpenWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class HeadView:
    """The delivery at the head of a lane and everything needed to carry it out.

    `followers` are those that wait right behind it, as far as they were asked for.
    `own_writes` are those of ours to the target that its history has not shown entirely, where that may matter.
    `recent_writes` are the moments at which the target was written to, where there are enough of them to matter.
    """

    lane_id: int
    delivery_id: int
    number: int
    operation: Operation
    state: DeliveryState
    marker: str
    origin: str
    stamp: Stamp
    envelope: Mapping
    problem: Mapping
    wanted: Mapping[str, Value]
    is_recognised: bool
    has_effect: bool
    send_by: datetime | None
    tries: int
    lane_tries: int
    side: SideView
    sender: SideView
    target: TicketState | None
    source_system_id: int
    linked_ticket_id: int = 0
    # Its sender was told on its own ticket that it was not taken.
    is_told: bool = False
    # The closed ticket for which the last attempt was to create the one that goes on from it; 0 for any other attempt.
    follows: int = 0
    followers: tuple[HeadView, ...] = ()
    own_writes: tuple[OpenWrite, ...] = ()
    recent_writes: tuple[datetime, ...] = ()
    # What the attempts so far may have replaced, and the fields of them that the target's history has shown.
    pre_image: Mapping[str, Value] = field(default_factory=dict)
    landed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked: the receiver's field, and the field of the data dictionary it is written from."""

    field: str
    shared: str


@dataclass(frozen=True, slots=True)
class StandIn:
    """Why a note stands in the place of a file: the handbook's code and a sentence for people."""

    code: str
    message: str

    def as_value(self) -> dict[str, str]:
        """The JSON form."""
        return {"code": self.code, "message": self.message}


def stand_in_from(stored: object) -> StandIn | None:
    """A reason from its JSON form; None when there is none."""
    if not isinstance(stored, Mapping) or not stored:
        return None
    return StandIn(str(stored["code"]), str(stored["message"]))


@dataclass(frozen=True, slots=True)
class Answer:
    """An update to be queued in the lane back to the sender.  `stamp` is that of the values that stand."""

    stamp: Stamp
    envelope: Mapping
    problem: Mapping
    outgoing_id: int | None


@dataclass(frozen=True, slots=True)
class Word:
    """A comment to be queued in the lane back to the sender.  `outgoing_id` is the version of the rules that let it leave."""

    envelope: Mapping
    outgoing_id: int | None
