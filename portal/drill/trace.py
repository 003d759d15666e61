"""Follows what people did in one system through the other system's own history.  Pure: no clock, no database.

Neither side of the comparison is the engine's own record.  A fact is what the sender's history tells, put into the
receiver's terms by the rules of both sides; a sight is what the receiver's history tells.  Every fact has to be seen
once, and in the order in which the facts happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from integrations.canonical import Value

COMMENT, FILE = "comment", "file"


class Fate(StrEnum):
    """What became of one fact in the receiver's system."""

    APPLIED = "applied"
    # The value stood there already: a person would have had nothing to do either.
    NOTHING_TO_DO = "nothing to do"
    # A note tells where the file is, and why it does not travel.
    NOTED = "a note in its place"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a person did.  `what` is a field's name there, COMMENT or FILE; `value` what has to be seen of it.

    `told` says it in words.
    """

    at: datetime
    who: str
    what: str
    value: Value
    told: str


@dataclass(frozen=True, slots=True)
class Sight:
    """Something the receiver's history shows.  `is_ours`: written by our account."""

    at: datetime
    what: str
    value: Value
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Traced:
    """A fact and when it was applied; `place` is that of its sight in the receiver's history."""

    fact: Fact
    fate: Fate
    applied_at: datetime | None = None
    place: int | None = None
    copies: int = 1

    @property
    def waited_s(self) -> float | None:
        """Seconds from the fact to its effect, by the two systems' own clocks."""
        return None if self.applied_at is None else (self.applied_at - self.fact.at).total_seconds()


@dataclass(frozen=True, slots=True)
class Trace:
    """All facts of one sender about one ticket, in the order they happened, with the counts."""

    traced: tuple[Traced, ...]
    doubled: int
    out_of_order: int

    @property
    def lost(self) -> int:
        """Facts that the receiver's history does not show."""
        return sum(one.fate is Fate.LOST for one in self.traced)


def trace(facts: Sequence[Fact], sights: Sequence[Sight], *, steps_in: str = "") -> Trace:
    """Find every fact among the sights.

    `steps_in` names the field whose values a workflow may pass through on its way: such steps are not counted as
    doubled.  The result holds one entry a fact, in the order given.
    """
    fields = {one.what for one in facts if one.what not in (COMMENT, FILE)}
    found: dict[int, Traced] = {}
    doubled, swapped = 0, set[int]()
    for name in sorted(fields):
        mine = [(place, one) for place, one in enumerate(facts) if one.what == name]
        part = _trace_field(mine, _of(sights, name), passes_steps=name == steps_in)
        found |= part.found
        doubled += part.doubled
        swapped |= part.swapped
    for place, fact in enumerate(facts):
        if fact.what in (COMMENT, FILE):
            found[place] = _trace_addition(fact, sights)
            doubled += found[place].copies - 1
    traced = tuple(found[place] for place in range(len(facts)))
    return Trace(traced, doubled, len(swapped | _overtaken(traced)))


@dataclass(slots=True)
class _Part:
    found: dict[int, Traced]
    doubled: int = 0
    # The numbers of facts that something later got in front of.
    swapped: set[int] = field(default_factory=set)


def _of(sights: Sequence[Sight], name: str) -> list[tuple[int, Sight]]:
    return [(place, one) for place, one in enumerate(sights) if one.what == name]


def _trace_field(
    facts: Sequence[tuple[int, Fact]], sights: Sequence[tuple[int, Sight]], *, passes_steps: bool
) -> _Part:
    part = _Part({})
    used: dict[int, Value] = {}
    start, standing = 0, _NOTHING
    for number, fact in facts:
        if fact.value == standing:
            # Whatever the system was told before stands there: this changes nothing.
            part.found[number] = Traced(fact, Fate.NOTHING_TO_DO)
            continue
        index = next((i for i in range(start, len(sights)) if sights[i][1].value == fact.value), None)
        if index is None:
            earlier = next((i for i in range(start) if sights[i][1].value == fact.value), None)
            if earlier is None or earlier in used:
                part.found[number] = Traced(fact, Fate.LOST)
                continue
            # It is there, but something that happened later got there first.
            part.swapped.add(number)
            index = earlier
        place, sight = sights[index]
        used[index] = fact.value
        part.found[number] = Traced(fact, Fate.APPLIED, sight.at, place)
        start, standing = max(start, index + 1), fact.value
    part.doubled = sum(_written_again(used, sights, passes_steps=passes_steps))
    return part


_NOTHING: Value = object()  # type: ignore[assignment]  # no value is equal to it


def _written_again(
    used: Mapping[int, Value], sights: Sequence[tuple[int, Sight]], *, passes_steps: bool
) -> Iterator[bool]:
    """Sights of ours that show once more what a fact's own sight has shown before."""
    shown: list[Value] = []
    for index, (_, sight) in enumerate(sights):
        if index in used:
            shown.append(used[index])
        elif sight.is_ours and shown:
            yield sight.value == shown[-1] if passes_steps else sight.value in shown


def _trace_addition(fact: Fact, sights: Sequence[Sight]) -> Traced:
    """A comment or a file, by its own unmistakable text or name."""
    places = [
        place
        for place, one in enumerate(sights)
        if one.is_ours and one.what == fact.what and _shows(one.value, fact)
    ]
    if places:
        first = places[0]
        return Traced(fact, Fate.APPLIED, sights[first].at, first, len(places))
    if fact.what == FILE:
        notes = [
            place
            for place, one in enumerate(sights)
            if one.is_ours and one.what == COMMENT and f"“{fact.value}”" in str(one.value)
        ]
        if notes:
            return Traced(fact, Fate.NOTED, sights[notes[0]].at, notes[0], len(notes))
    return Traced(fact, Fate.LOST)


def _shows(value: Value, fact: Fact) -> bool:
    # The receiver's rules may put the author's name above a comment.
    return value == fact.value if fact.what == FILE else str(fact.value) in str(value)


def _overtaken(traced: Sequence[Traced]) -> set[int]:
    """Facts applied before one that happened earlier; the systems' clocks may be as coarse as a second."""
    found: set[int] = set()
    latest: datetime | None = None
    for number, one in enumerate(traced):
        if one.applied_at is None:
            continue
        if latest is not None and one.applied_at < latest:
            found.add(number)
        latest = one.applied_at if latest is None else max(latest, one.applied_at)
    return found
