"""What a store holds, as plain rows: the in-memory store's own tables, and the form in which any store is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from integrations.canonical import Change, Value
from integrations.engine.budget import Budget
from integrations.engine.values import DeliveryState, LaneState, Operation, Outcome, Stamp, Winner


@dataclass(slots=True)
class SystemRow:
    """A system's health."""

    id: int
    account_id: str
    is_active: bool = True
    paused_until: datetime | None = None
    fail_streak: int = 0
    failure_code: str = ""


@dataclass(slots=True)
class TicketRow:
    """One system's ticket."""

    id: int
    system_id: int
    remote_id: str
    cursor: str = ""
    version: int = 0
    event_count: int = 0
    actual: dict[str, Value] = field(default_factory=dict)
    winners: dict[str, Winner] = field(default_factory=dict)
    marker: str = ""
    is_gone: bool = False
    # Its system has not shown it to us when it was read last.
    is_refused: bool = False
    # The ticket that the same create of ours has made as well.
    twin_of: int | None = None
    # The ticket that goes on from this closed one.
    followed_by: int | None = None
    mark: str = ""
    stale_since: datetime | None = None
    hinted_at: datetime | None = None
    read_due_at: datetime | None = None
    read_at: datetime | None = None
    told_until: datetime | None = None
    read_failures: int = 0


@dataclass(slots=True)
class LinkedRow:
    """The same matter on both sides; `tickets` by side, without an entry where there is none yet."""

    id: int
    connection_id: int
    origin_side_id: int
    tickets: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class LaneRow:
    """One linked ticket, one direction."""

    id: int
    linked_id: int
    target_side_id: int
    connection_id: int
    system_id: int
    next_at: datetime
    state: LaneState = LaneState.READY
    head: int = 1
    tail: int = 0
    waits: bool = False
    waits_since: datetime | None = None
    fence: int = 0
    owner: str = ""
    leased_until: datetime | None = None
    tries: int = 0
    failure_code: str = ""
    # What waits in it can wait: nobody is there who has just done it.
    is_bulk: bool = False


@dataclass(slots=True)
class EventRow:
    """A change seen."""

    id: int
    ticket_id: int
    position: int
    change: Change
    caused_by: int | None
    seen_at: datetime
    is_double: bool = False


@dataclass(slots=True)
class DeliveryRow:
    """One change on its way."""

    id: int
    lane_id: int
    number: int
    event_id: int | None
    operation: Operation
    marker: str
    origin: str
    stamp: Stamp
    hops: int
    envelope: Mapping
    problem: Mapping
    outgoing_id: int | None
    queued_at: datetime
    state: DeliveryState = DeliveryState.NEW
    target_id: int | None = None
    wanted: Mapping[str, Value] = field(default_factory=dict)
    unseen: Mapping = field(default_factory=dict)
    is_recognised: bool = True
    pre_image: Mapping[str, Value] = field(default_factory=dict)
    send_by: datetime | None = None
    tries: int = 0
    result: Mapping = field(default_factory=dict)
    incoming_id: int | None = None
    done_at: datetime | None = None
    reason: str = ""
    told_at: datetime | None = None


@dataclass(slots=True)
class AttemptRow:
    """One try to write a delivery."""

    delivery_id: int
    number: int
    fence: int
    started_at: datetime
    outcome: Outcome = Outcome.STARTED
    ended_at: datetime | None = None


@dataclass(slots=True)
class ConflictRow:
    """A field of the receiver about which a person is asked before a delivery goes on, and the answer."""

    id: int
    delivery_id: int
    lane_id: int
    field: str
    shared: str
    asked_at: datetime
    decided_at: datetime | None = None
    choice: str = ""
    # The value that is to stand at the receiver; None as well where the same was decided at the other side.
    stands: Value = None


@dataclass(slots=True)
class FactRow:
    """A change that counts for a linked ticket's clocks, as the service levels are told of it."""

    linked_id: int
    side_id: int
    event_id: int
    happened_at: datetime
    values: Mapping[str, Value]
    public_comments: int


@dataclass(slots=True)
class Tables:
    """Everything a store holds."""

    systems: dict[int, SystemRow] = field(default_factory=dict)
    tickets: dict[int, TicketRow] = field(default_factory=dict)
    linked: dict[int, LinkedRow] = field(default_factory=dict)
    lanes: dict[int, LaneRow] = field(default_factory=dict)
    events: dict[int, EventRow] = field(default_factory=dict)
    deliveries: dict[int, DeliveryRow] = field(default_factory=dict)
    attempts: list[AttemptRow] = field(default_factory=list)
    # The delivery that made a source fact take effect on a ticket.
    effects: dict[tuple[int, str], int] = field(default_factory=dict)
    conflicts: dict[int, ConflictRow] = field(default_factory=dict)
    facts: list[FactRow] = field(default_factory=list)
    budgets: dict[int, Budget] = field(default_factory=dict)
