"""What undoing some writes to one ticket would put back, field by field.  Pure.

Several writes of the same field are one: what counts is the latest value, and what stood before the first of them.
Where somebody set the field in between, what they had set is what is put back: it was not written by these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from integrations.canonical import Value
from integrations.engine.values import NO_STAMP, Stamp, TicketState, Winner

Settled = Callable[[str, Value], Value]


@dataclass(frozen=True, slots=True)
class Write:
    """One write to the ticket, in the receiver's own fields.  `replaced` lacks what nothing stood before."""

    delivery_id: int
    stamp: Stamp
    wrote: Mapping[str, Value]
    replaced: Mapping[str, Value]


class Verdict(StrEnum):
    """What undoing would do to a field."""

    OPEN = "open"
    STOOD = "stood"
    LEFT = "left"
    # It was set when the ticket was made: nothing stood there before.
    MADE = "made"


@dataclass(frozen=True, slots=True)
class Planned:
    """One field: the latest of the writes, what stands, what would be put back and what must stand until then."""

    name: str
    write: Write
    verdict: Verdict
    stands: Value
    put_back: Value = None
    held: Winner | None = None


def plan(
    writes: Sequence[Write],
    ticket: TicketState,
    settled: Settled,
    *,
    told_again: frozenset[Stamp] = frozenset(),
) -> list[Planned]:
    """Every field of these writes by its name; the writes are in their order.  `told_again` are stamps with which they were confirmed."""
    names = sorted({name for write in writes for name in write.wrote})
    return [
        _plan_field(name, [one for one in writes if name in one.wrote], ticket, settled, told_again)
        for name in names
    ]


def _plan_field(
    name: str, writes: Sequence[Write], ticket: TicketState, settled: Settled, told_again: frozenset[Stamp]
) -> Planned:
    latest, first = writes[-1], _first(name, writes, settled)
    stands = ticket.actual.get(name)
    if name not in first.replaced:
        return Planned(name, latest, Verdict.MADE, stands)
    put_back = first.replaced[name]
    if stands in (put_back, settled(name, put_back)):
        return Planned(name, latest, Verdict.STOOD, stands, put_back)
    winner = ticket.winners.get(name) or Winner(stands, NO_STAMP)
    is_newest = winner.stamp <= latest.stamp or winner.stamp in told_again
    is_ours = winner.stamp == latest.stamp or stands in (
        latest.wrote[name],
        settled(name, latest.wrote[name]),
    )
    if winner.value != stands or not (is_newest and is_ours):
        return Planned(name, latest, Verdict.LEFT, stands, put_back)
    held = Winner(stands, max(winner.stamp, latest.stamp))
    return Planned(name, latest, Verdict.OPEN, stands, put_back, held)


def _first(name: str, writes: Sequence[Write], settled: Settled) -> Write:
    """The first of the writes at the end that followed each other with nobody in between."""
    place = len(writes) - 1
    while place and name in writes[place].replaced:
        before = writes[place - 1].wrote[name]
        if writes[place].replaced[name] not in (before, settled(name, before)):
            break
        place -= 1
    return writes[place]
