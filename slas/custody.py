"""Who held a matter when: its way through the companies cut into segments that add up to the whole.  Pure.

The rule, in the words of the data dictionary.  Whoever raised the matter holds it until it is handed over, that is,
until a ticket of it stands in the next system.  From then on the one further along holds it, as long as that ticket is
neither resolved nor closed nor gone.  “Pending” waits for whoever raised it: the matter is back at the one before, and
for the first ticket with the requester outside.  It ends when the first ticket is resolved or closed; a ticket that is
opened again takes the matter up again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from slas.clock import Status

# Holds a matter whose first ticket waits for whoever raised it: somebody outside.
REQUESTER = 0

_DONE = frozenset({Status.RESOLVED, Status.CLOSED})


class Why(StrEnum):
    """What made the matter change hands."""

    OPENED = "opened"
    HANDED_OVER = "handed over"
    STATUS = "status"
    GONE = "gone"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Stop:
    """One ticket of the matter.  `parent` is the ticket it was handed over from; None for the first."""

    key: int
    parent: int | None


@dataclass(frozen=True, slots=True)
class Move:
    """Something that happened to a ticket, at its own system's time.  `event` leads to it; `order` breaks ties."""

    at: datetime
    ticket: int
    why: Why
    status: Status | None = None
    event: int | None = None
    order: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch in which one ticket's company (or the REQUESTER) held the matter, and the move that began it."""

    holder: int
    from_at: datetime
    to_at: datetime
    move: Move

    @property
    def length(self) -> timedelta:
        """How long, on the wall clock."""
        return self.to_at - self.from_at


def segments(stops: Sequence[Stop], moves: Iterable[Move], until: datetime) -> tuple[Segment, ...]:
    """The matter from its first ticket's opening to `until`, without gaps while it is open.

    Two segments that follow one another have different holders.  While the first ticket is resolved there is none.
    The result does not depend on the order in which the moves are given.  May be repeated.
    """
    standing = _Standing({stop.key: stop for stop in stops})
    found: list[Segment] = []
    holder: int | None = None
    begun: Move | None = None
    for move in sorted(moves, key=lambda one: (one.at, one.order, one.ticket)):
        if move.at > until:
            break
        standing.take(move)
        after = standing.holder()
        if after == holder:
            continue
        if holder is not None and begun is not None and move.at > begun.at:
            found.append(Segment(holder, begun.at, move.at, begun))
        holder, begun = after, move
    if holder is not None and begun is not None and until > begun.at:
        found.append(Segment(holder, begun.at, until, begun))
    return tuple(_joined(found))


def _joined(found: Sequence[Segment]) -> list[Segment]:
    """Moves of one instant may lead back to the holder before: then nothing changed hands."""
    joined: list[Segment] = []
    for one in found:
        last = joined[-1] if joined else None
        if last is not None and last.holder == one.holder and last.to_at == one.from_at:
            joined[-1] = Segment(last.holder, last.from_at, one.to_at, last.move)
        else:
            joined.append(one)
    return joined


class _Standing:
    """Where every ticket stands while the moves pass by."""

    def __init__(self, stops: Mapping[int, Stop]) -> None:
        self.stops = stops
        # In the order in which they were handed over, the last one foremost.
        self.there: list[int] = []
        self.status: dict[int, Status] = {}
        self.gone: set[int] = set()

    def take(self, move: Move) -> None:
        """Let one thing happen."""
        if move.ticket not in self.stops:
            return
        if move.why in (Why.OPENED, Why.HANDED_OVER) and move.ticket not in self.there:
            self.there.append(move.ticket)
        if move.why is Why.GONE:
            self.gone.add(move.ticket)
        if move.why is Why.RESTORED:
            self.gone.discard(move.ticket)
        if move.status is not None:
            self.status[move.ticket] = move.status

    def holder(self) -> int | None:
        """Who holds the matter now; None while it is over or has not begun."""
        first = next((key for key in self.there if self.stops[key].parent is None), None)
        if first is None or not self._works(first):
            return None
        return self._down(first, before=REQUESTER)

    def _down(self, key: int, before: int) -> int:
        """The holder at this ticket or further along; `before` is who has it back when this one waits."""
        if self.status.get(key) is Status.PENDING:
            return before
        onward = [one for one in reversed(self.there) if self.stops[one].parent == key and self._works(one)]
        return self._down(onward[0], before=key) if onward else key

    def _works(self, key: int) -> bool:
        return key not in self.gone and self.status.get(key) not in _DONE
