"""What is handed in to the engine: a clock, chance, the facts about systems, and the store.  Protocols only."""

from __future__ import annotations

import math
import random as random_module
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from integrations.canonical import Value
from integrations.connectors.protocol import Capabilities
from integrations.engine.effects import Request


class Clock(Protocol):
    """Tells the time; aware, UTC."""

    def now(self) -> datetime: ...


class Systems(Protocol):
    """What the engine asks about systems without calling them."""

    def capabilities(self, system_id: int) -> Capabilities: ...

    def follows_up(self, system_id: int) -> bool:
        """Whether a closed ticket of the system can be followed up by a new one."""
        ...

    def settled(self, system_id: int, field: str, value: Value) -> Value: ...


@dataclass(frozen=True, slots=True)
class ClaimedLane:
    """A lane that this worker alone may work on until `leased_until`."""

    id: int
    fence: int
    system_id: int
    leased_until: datetime


@dataclass(frozen=True, slots=True)
class ClaimedReading:
    """A ticket whose history this worker is to read."""

    ticket_id: int
    system_id: int
    remote_id: str
    cursor: str
    version: int
    failures: int


@dataclass(frozen=True, slots=True)
class Room:
    """What a claim may take: so many `steps` in each of these systems, and no bulk work in those.

    `bulk_first`: this time bulk work has its turn before live work, so that it gets a share whatever comes in.
    `share` is how many steps any one system may have under way, those in `under_way` among them: whatever waits for it,
    there is room for the others.  Those in `shares` have a smaller one.
    """

    steps: Mapping[int, int] = field(default_factory=dict)
    without_bulk: Collection[int] = ()
    bulk_first: bool = False
    share: int | None = None
    shares: Mapping[int, int] = field(default_factory=dict)
    under_way: Mapping[int, int] = field(default_factory=dict)

    def free_share(self, system_id: int, taken: int) -> float:
        """How many more steps a system may have of which so many were taken; infinite where it has no share."""
        share = self.shares.get(system_id, self.share)
        return math.inf if share is None else share - self.under_way.get(system_id, 0) - taken


NO_LIMITS = Room()


class Store(Protocol):
    """Durable state.  Every call is one transaction.  `busy` names systems that are to be left out of a claim."""

    def has_work(self, now: datetime, busy: Collection[int] = ()) -> bool: ...

    def has_work_in(self, system_id: int, now: datetime) -> bool: ...

    def claim(
        self,
        owner: str,
        now: datetime,
        lease_s: int,
        limit: int,
        busy: Collection[int],
        room: Room = NO_LIMITS,
    ) -> tuple[list[ClaimedLane], list[ClaimedReading]]: ...

    def is_failing(self, system_id: int) -> bool: ...

    def carry_out(self, requests: Sequence[Request], now: datetime) -> list[Any]:
        """Do them in order in one transaction and return their results in the same order."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may use.  `lease_s` must exceed `request_timeout_s` by more than the margin."""

    clock: Clock
    random: random_module.Random
    systems: Systems
    lease_s: int = 60
    request_timeout_s: float = 20.0
