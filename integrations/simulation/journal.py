"""What was observed in a world while it ran: claims, commits, calls, and what people did.  Checkers read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from integrations.canonical import Change
from integrations.connectors.errors import ConnectorError
from integrations.connectors.rates import Told
from integrations.engine import effects
from integrations.mapping.rules import RuleSet


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken.  `invariant` is its number, `what` a sentence."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


@dataclass(slots=True, eq=False)
class Sent:
    """One remote call on its way.  Times are milliseconds; None is what has not happened.

    `deliveries` are those whose attempt was recorded for it; `pause_known` is the pause of its system that was stored
    when the step asked for the call.
    """

    number: int
    worker: int
    place: int
    call: effects.Call
    asked_ms: int
    claimed_ms: int
    lane_id: int | None = None
    fence: int | None = None
    deliveries: tuple[int, ...] = ()
    marked_fences: tuple[int, ...] = ()
    left_ms: int | None = None
    executed_ms: int | None = None
    answered_ms: int | None = None
    is_too_late: bool = False
    outcome: str = ""
    # What the step was told instead of an answer.
    error: ConnectorError | None = None
    told: Told | None = None
    # Whether the step that asked for it can wait.
    is_bulk: bool = False

    @property
    def is_write(self) -> bool:
        """Whether it changes something."""
        return self.call.send_by is not None


@dataclass(slots=True)
class Committed:
    """A request that was carried out, its result, and the fence that its lane had at that moment."""

    ms: int
    worker: int
    request: effects.Request
    result: Any
    fence: int | None


@dataclass(slots=True)
class Claimed:
    """A lane that a worker was given."""

    ms: int
    worker: int
    lane_id: int
    fence: int
    leased_until: datetime
    due_since_ms: int
    # Whether another worker, alive, held it at that moment by what had been committed.
    was_held: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """A change in a system's own history, and whose doing it was: a person's, or that of one of our calls."""

    ms: int
    place: int
    remote_id: str
    change: Change
    sent: Sent | None
    # The place in order of all that happened anywhere.
    number: int


@dataclass(frozen=True, slots=True)
class Noted:
    """What one transaction stored of a system's health: these failures, or an answer when there are none.

    `until_ms` is until when the system is left alone from then on; None when it is not.
    """

    ms: int
    place: int
    errors: tuple[ConnectorError, ...]
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Hinted:
    """A web hook that was answered: it told of the ticket's first `told` changes, of which `stored` were stored then.

    `is_due`: whether the ticket was to be read now.
    """

    ms: int
    place: int
    remote_id: str
    told: int
    stored: int
    is_due: bool


@dataclass(slots=True)
class Journal:
    """The record of one world."""

    calls: list[Sent] = field(default_factory=list)
    commits: list[Committed] = field(default_factory=list)
    claims: list[Claimed] = field(default_factory=list)
    happened: list[Happened] = field(default_factory=list)
    # (ms, place, until ms, worker): a system asked for a pause, and that was stored.
    pauses: list[tuple[int, int, int, int]] = field(default_factory=list)
    # (ms, place): a person looked after a system that had refused our credentials, and was answered.
    looked_after: list[tuple[int, int]] = field(default_factory=list)
    health: list[Noted] = field(default_factory=list)
    hints: list[Hinted] = field(default_factory=list)
    published: list[tuple[int, int, str, RuleSet]] = field(default_factory=list)
    skipped: list[tuple[int, int]] = field(default_factory=list)
    # (ms, lane, code, whether anything is to be decided in it): somebody found it stopped.
    parked: list[tuple[int, int, str, bool]] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    fences: dict[int, int] = field(default_factory=dict)
    trace: list[str] | None = None

    def violated(self, invariant: str, what: str) -> None:
        """Note a broken promise."""
        self.violations.append(Violation(invariant, what))

    def committed(
        self, ms: int, worker: int, requests: Sequence[effects.Request], results: Sequence[Any]
    ) -> None:
        """Note what one transaction did."""
        for request, result in zip(requests, results, strict=True):
            lane_id = getattr(request, "lane_id", None)
            fence = self.fences.get(lane_id) if lane_id is not None else None
            self.commits.append(Committed(ms, worker, request, result, fence))

    def traced(self, line: str) -> None:
        """Note a line of the trace, where one is wanted."""
        if self.trace is not None:
            self.trace.append(line)


Figures = Mapping[str, int]
