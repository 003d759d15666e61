"""The engine's words: states, stamps and the plain values its steps work on.  Pure: no clock, no database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """What a delivery does on the other side."""

    CREATE = "create"
    UPDATE = "update"
    COMMENT = "comment"
    FILE = "file"
    # Puts back a newer value that an older write of ours covered.
    REPAIR = "repair"


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
    """A hybrid logical time: newer wins, the system's key breaks ties the same way everywhere."""

    ms: int
    system_id: int

    def as_value(self) -> list[int]:
        """The JSON form."""
        return [self.ms, self.system_id]


NO_STAMP = Stamp(0, 0)


def stamp_from(value: object) -> Stamp:
    """A stamp from its JSON form; the oldest possible one when there is none."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return Stamp(int(value[0]), int(value[1]))
    return NO_STAMP
