"""A ticket's history -> response and resolution clocks, as intervals that show their own arithmetic.  Pure.

A clock is never counted up: it is derived from facts, each at its source system's own time, whenever somebody asks.
Facts may therefore come late, twice or in any order, and the answer is the same.

The rules, after ITIL:

- Both clocks begin when the ticket was opened (or handed over, where the agreement says so).  What a source dates
  before that, because its clock is slow, counts at the beginning.
- The response clock stops at the first sign of the answering side: a comment that the requester can read, or a status
  other than "new" set by somebody there.  Comments and statuses of the requester's own side are no answer.
- The resolution clock stops while the status is "resolved".  Any later status but "closed" reopens it: it continues
  where it stopped, and the time between counts neither as used nor as paused.
- Both pause in the statuses that the agreement names, whatever happens to priority and target meanwhile.
- Closed without having been resolved ends a clock without a time; so does, for the response clock, a ticket that the
  requester resolved or closed before anybody answered.  Reopened, it runs on.
- The target is that of the priority and type that hold now, or held when the clock stopped, and applies to all the
  time used since the beginning.  Which one applied when is in the intervals.
- A clock is breached when more service time was used than the target allows.  Pauses and hours outside the calendar
  use none, so that nothing can be breached in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from slas import calendars, matrix
from slas.calendars import ALWAYS, NeverOpen, ServiceHours
from slas.matrix import Matrix, Priority

ZERO = timedelta(0)


class Kind(StrEnum):
    """What a clock measures."""

    RESPONSE = "response"
    RESOLUTION = "resolution"


class State(StrEnum):
    """What a clock is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    # Answered, or resolved.
    STOPPED = "stopped"
    # Closed without an answer or a resolution: there is nothing left to measure, and no time to report.
    ENDED = "ended"


class Status(StrEnum):
    """The data dictionary's words for where a ticket stands."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    ON_HOLD = "on hold"
    RESOLVED = "resolved"
    CLOSED = "closed"


# A resolved or closed ticket is not waiting for anybody, and a new one is what the response clock is there for.
PAUSABLE = (Status.OPEN, Status.PENDING, Status.ON_HOLD)


class TicketType(StrEnum):
    """The data dictionary's words for what a ticket is."""

    INCIDENT = "incident"
    SERVICE_REQUEST = "service request"
    CHANGE = "change"
    PROBLEM = "problem"


class What(StrEnum):
    """What a fact is about."""

    OPENED = "opened"
    # When the ticket came to this connection, which may be long after it was opened.
    HANDED_OVER = "handed over"
    STATUS = "status"
    PRIORITY = "priority"
    IMPACT = "impact"
    URGENCY = "urgency"
    TYPE = "type"
    # A comment that the requester can read.
    COMMENT = "comment"


class Start(StrEnum):
    """From when an agreement measures."""

    OPENED = "opened"
    HANDED_OVER = "handed over"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to a ticket, at the source's own time.

    `position` is its place among facts of the same time; `by_provider` tells the answering side from the requester's;
    `event_id` leads back to the change that told it.
    """

    at: datetime
    what: What
    value: str = ""
    by_provider: bool = False
    position: int = 0
    event_id: int | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"{self.at} has no time zone.")


@dataclass(frozen=True, slots=True)
class Target:
    """How much service time is allowed; without a type for all types that have no target of their own."""

    kind: Kind
    priority: Priority
    allowed: timedelta
    type: TicketType | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What of an agreement the arithmetic needs."""

    targets: tuple[Target, ...] = ()
    hours: ServiceHours = ALWAYS
    matrix: Matrix = matrix.REFERENCE
    pauses: frozenset[Status] = frozenset({Status.PENDING, Status.ON_HOLD})
    start: Start = Start.OPENED


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch in which nothing changed: what the clock did, why, and which target applied.

    `cause` is the fact that began it.  `service_time` is what of it falls into service hours: used while running,
    not used while paused or stopped.  The last interval has no end; its service time is counted up to the moment of
    the question, and is zero once the clock has stopped.
    """

    state: State
    from_at: datetime
    to_at: datetime | None
    why: str
    cause: Fact
    service_time: timedelta
    priority: Priority | None
    type: TicketType | None
    target: timedelta | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A clock at the moment of the question; `intervals` explain every number.

    `due_at` is when the target is used up, for a stopped clock when it would have been; it is unknown while paused.
    `breaches_at` is the last moment that is still in time: later than `due_at` when service hours end in between.
    It is given for a clock that runs or is breached.
    """

    kind: Kind
    state: State
    started_at: datetime
    stopped_at: datetime | None
    elapsed: timedelta
    paused: timedelta
    target: timedelta | None
    due_at: datetime | None
    breaches_at: datetime | None
    is_breached: bool
    priority: Priority | None
    type: TicketType | None
    intervals: tuple[Interval, ...]

    @property
    def remaining(self) -> timedelta | None:
        """Service time left, negative when breached; None without a target."""
        return None if self.target is None else self.target - self.elapsed

    @property
    def wall(self) -> timedelta | None:
        """From the beginning to the (last) answer or resolution on the wall clock; None without one."""
        if self.state is not State.STOPPED or self.stopped_at is None:
            return None
        return self.stopped_at - self.started_at

    @property
    def is_met(self) -> bool:
        """Whether it stopped in time; without a target it is neither met nor breached."""
        return self.state is State.STOPPED and self.target is not None and not self.is_breached


def measure(facts: Iterable[Fact], terms: Terms, kind: Kind, now: datetime) -> Measurement | None:
    """What a clock shows at `now`; None when nothing is known of the ticket.

    Repeatable: the same facts in any order, also twice, give the same answer.  `now` counts no earlier than the last
    fact, because a fact has happened even when its source's clock is fast.
    """
    # In UTC, because Python compares two times of one zone on the wall, where an hour repeats in autumn.
    ordered = sorted({_in_utc(fact) for fact in facts}, key=_order)
    if not ordered:
        return None
    started_at = _start_of(ordered, terms.start)
    run = _Run(terms, kind)
    for fact in ordered:
        run.take(fact, max(fact.at, started_at))
    until = max(now, started_at, ordered[-1].at)
    return run.measurement(started_at, until)


def _in_utc(fact: Fact) -> Fact:
    return fact if fact.at.tzinfo is UTC else replace(fact, at=fact.at.astimezone(UTC))


def _start_of(ordered: Sequence[Fact], start: Start) -> datetime:
    """When a clock over these facts begins; the earliest fact stands in for an opening that nobody told."""
    times: dict[What, datetime] = {}
    for fact in ordered:
        times.setdefault(fact.what, fact.at)
    opened = times.get(What.OPENED, ordered[0].at)
    if start is Start.HANDED_OVER:
        return max(opened, times.get(What.HANDED_OVER, opened))
    return opened


def _order(fact: Fact) -> tuple[datetime, int, bool, bool, str, str, int]:
    """Source time, then the place in the source's history; the rest only makes ties the same everywhere.

    What can stop a clock comes last in its change, so that it is judged by the priority set with it.
    """
    stops = fact.what in (What.STATUS, What.COMMENT)
    return (fact.at, fact.position, fact.by_provider, stops, fact.what, fact.value, fact.event_id or 0)


def target_for(
    terms: Terms, kind: Kind, priority: Priority | None, ticket_type: TicketType | None
) -> timedelta | None:
    """The time allowed: the type's own target, else the one for all types; None when there is none."""
    allowed = {
        target.type: target.allowed
        for target in terms.targets
        if target.kind is kind and target.priority is priority
    }
    return allowed.get(ticket_type, allowed.get(None))


# --- Reading values ---

_STATUS_WORDS = {
    **{status.value: status for status in Status},
    "hold": Status.ON_HOLD,
    "onhold": Status.ON_HOLD,
    "in progress": Status.OPEN,
    "waiting": Status.PENDING,
    "solved": Status.RESOLVED,
    "done": Status.RESOLVED,
    "canceled": Status.CLOSED,
    "cancelled": Status.CLOSED,
}

_TYPE_WORDS = {
    **{ticket_type.value: ticket_type for ticket_type in TicketType},
    "bug": TicketType.INCIDENT,
    "request": TicketType.SERVICE_REQUEST,
    "service request with approvals": TicketType.SERVICE_REQUEST,
    "change request": TicketType.CHANGE,
}


def parse_status(value: object) -> Status | None:
    """A status from "on hold", "On-Hold", "on_hold"; None for a word that the dictionary does not know.

    A clock runs in an unknown status: waiting has to be said.
    """
    return _STATUS_WORDS.get(_plain(value))


def parse_type(value: object) -> TicketType | None:
    """A type from "Incident", "bug", "service_request"; None for a word that the dictionary does not know."""
    return _TYPE_WORDS.get(_plain(value))


def _plain(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return " ".join(value.lower().replace("_", " ").replace("-", " ").split())


# --- The run through the facts ---


@dataclass(slots=True)
class _Standing:
    """What holds of the ticket after the facts so far."""

    status: Status | None = Status.NEW
    is_answered: bool = False
    is_settled: bool = False
    named: Priority | None = None
    impact: int | None = None
    urgency: int | None = None
    type: TicketType | None = None

    def priority(self, table: Matrix) -> Priority | None:
        """By the matrix where both impact and urgency are known, otherwise as the source has it."""
        if self.impact is not None and self.urgency is not None:
            return matrix.priority_of(table, impact=self.impact, urgency=self.urgency)
        return self.named


@dataclass(slots=True)
class _Open:
    """An interval whose end is not known yet."""

    state: State
    from_at: datetime
    why: str
    cause: Fact
    priority: Priority | None
    type: TicketType | None


class _Run:
    """One pass over the facts of one clock, in their order."""

    def __init__(self, terms: Terms, kind: Kind) -> None:
        self.terms = terms
        self.kind = kind
        self.standing = _Standing()
        self.open: _Open | None = None
        self.done: list[_Open] = []

    def take(self, fact: Fact, at: datetime) -> None:
        """Let one fact have its effect at `at`."""
        before = self.open.state if self.open else None
        state, why = self._effect(fact, before)
        if self.open and before is state and before in (State.STOPPED, State.ENDED):
            # What is changed afterwards does not rewrite what a stopped clock was judged by.
            return
        priority, ticket_type = self.standing.priority(self.terms.matrix), self.standing.type
        if self.open is None:
            self.open = _Open(state, at, why, fact, priority, ticket_type)
            return
        if (self.open.state, self.open.priority, self.open.type) == (state, priority, ticket_type):
            return
        if self.open.from_at == at and before is state:
            # A ticket that is opened with a priority was opened: that is why the clock runs.
            self.open.priority, self.open.type = priority, ticket_type
            return
        if self.open.from_at != at:
            self.done.append(self.open)
        self.open = _Open(state, at, why, fact, priority, ticket_type)

    def _effect(self, fact: Fact, before: State | None) -> tuple[State, str]:
        """The state after a fact, and in a few words why."""
        standing = self.standing
        why = _news(fact)
        match fact.what:
            case What.STATUS:
                standing.status = parse_status(fact.value)
                if standing.status is Status.RESOLVED:
                    standing.is_settled = True
                elif standing.status is not Status.CLOSED:
                    standing.is_settled = False
                if fact.by_provider and standing.status is not Status.NEW:
                    standing.is_answered = True
            case What.COMMENT:
                standing.is_answered = standing.is_answered or fact.by_provider
            case What.PRIORITY:
                standing.named = matrix.parse_priority(fact.value)
            case What.IMPACT:
                standing.impact = matrix.parse_level(fact.value)
            case What.URGENCY:
                standing.urgency = matrix.parse_level(fact.value)
            case What.TYPE:
                standing.type = parse_type(fact.value)
            case What.OPENED | What.HANDED_OVER:
                pass
        state = self._state()
        if before in (State.STOPPED, State.ENDED) and state in (State.RUNNING, State.PAUSED):
            why = f"reopened, {why}"
        if state is State.ENDED:
            why = f"{why}, without {'an answer' if self.kind is Kind.RESPONSE else 'having been resolved'}"
        return state, why

    def _state(self) -> State:
        standing = self.standing
        if self.kind is Kind.RESPONSE and standing.is_answered:
            return State.STOPPED
        if standing.status in (Status.RESOLVED, Status.CLOSED):
            is_stopped = self.kind is Kind.RESOLUTION and standing.is_settled
            return State.STOPPED if is_stopped else State.ENDED
        return State.PAUSED if standing.status in self.terms.pauses else State.RUNNING

    def measurement(self, started_at: datetime, until: datetime) -> Measurement:
        """Everything a clock shows, once the last fact has been taken."""
        assert self.open is not None
        last = self.open
        is_over = last.state in (State.STOPPED, State.ENDED)
        intervals = self._intervals(until)
        used = dict.fromkeys(State, ZERO)
        for interval in intervals:
            used[interval.state] += interval.service_time
        elapsed = used[State.RUNNING]
        target = target_for(self.terms, self.kind, last.priority, last.type)
        is_breached = target is not None and elapsed > target
        due_at, breaches_at = self._due(intervals, target, elapsed)
        return Measurement(
            kind=self.kind,
            state=last.state,
            started_at=started_at,
            stopped_at=last.from_at if is_over else None,
            elapsed=elapsed,
            paused=used[State.PAUSED],
            target=target,
            due_at=due_at,
            breaches_at=breaches_at if is_breached or last.state is State.RUNNING else None,
            is_breached=is_breached,
            priority=last.priority,
            type=last.type,
            intervals=intervals,
        )

    def _intervals(self, until: datetime) -> tuple[Interval, ...]:
        """All intervals with their ends and service times."""
        assert self.open is not None
        pieces = [*self.done, self.open]
        ends = [piece.from_at for piece in pieces[1:]]
        found = []
        for piece, end in zip(pieces, [*ends, None], strict=True):
            is_over = end is None and piece.state in (State.STOPPED, State.ENDED)
            worked = ZERO if is_over else calendars.between(self.terms.hours, piece.from_at, end or until)
            found.append(
                Interval(
                    state=piece.state,
                    from_at=piece.from_at,
                    to_at=end,
                    why=piece.why,
                    cause=piece.cause,
                    service_time=worked,
                    priority=piece.priority,
                    type=piece.type,
                    target=target_for(self.terms, self.kind, piece.priority, piece.type),
                )
            )
        return tuple(found)

    def _due(
        self, intervals: tuple[Interval, ...], target: timedelta | None, elapsed: timedelta
    ) -> tuple[datetime | None, datetime | None]:
        """When the target is used up, and the last moment that is still in time."""
        if target is None:
            return None, None
        hours, left = self.terms.hours, target
        due_at = None
        for interval in intervals:
            if interval.state is not State.RUNNING:
                continue
            if due_at is None and interval.service_time >= left:
                due_at = calendars.add(hours, interval.from_at, left)
            if interval.service_time > left or interval.to_at is None:
                due_at = due_at or _add(hours, interval.from_at, left)
                return due_at, _last_within(hours, interval.from_at, left)
            left -= interval.service_time
        last = intervals[-1]
        if due_at is None and last.state is not State.PAUSED:
            due_at = _add(hours, last.from_at, left)
        return due_at, None


def _news(fact: Fact) -> str:
    match fact.what:
        case What.OPENED:
            return "opened"
        case What.HANDED_OVER:
            return "handed over"
        case What.COMMENT:
            return "answered by a comment" if fact.by_provider else "the requester commented"
        case _:
            return f"{fact.what} became “{fact.value}”"


def _add(hours: ServiceHours, start: datetime, worked: timedelta) -> datetime | None:
    try:
        return calendars.add(hours, start, worked)
    except NeverOpen:
        return None


def _last_within(hours: ServiceHours, start: datetime, worked: timedelta) -> datetime | None:
    try:
        return calendars.last_within(hours, start, worked)
    except NeverOpen:
        return None
