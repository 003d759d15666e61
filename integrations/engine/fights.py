"""Recognises two automations that undo each other's changes through us.  Pure.

Counting writes would stop what merely drains after an outage: five hundred queued edits are five hundred writes, and
none of them answers another.  So returns are counted instead.  A return is a change by somebody else that covers, in
the receiver's own history, a value that we had written there; a chain of returns is one in which each led to the write
that the next one covered.  A backlog has no chain, however long it is, because every covering change needs a write of
ours to have landed before it; people who disagree make one a few links long in a minute; only machines make it longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# More returns than this in one chain, within this time, are no disagreement between people.
MOST_RETURNS = 20
WITHIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Fact:
    """A change of fields in a ticket's history.

    `sources` are the changes it came from, when it is a write of ours: several where they went out together, so that
    somebody's edit of another field, carried by the same write, does not hide that the rest answers.
    """

    id: int
    ticket_id: int
    fields: frozenset[str]
    seen_at: datetime
    sources: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Return:
    """One change that covered a value of ours: in the field `name` of which ticket, and the return that led to it."""

    fact: Fact
    name: str
    depth: int
    before: Return | None = field(default=None, repr=False)

    def back(self, steps: int) -> Return | None:
        """The return so many steps earlier in the chain; None when the chain is shorter."""
        found: Return | None = self
        for _ in range(steps):
            if found is None:
                return None
            found = found.before
        return found

    def chain(self) -> tuple[Return, ...]:
        """The returns that led here, oldest first, this one last."""
        found: list[Return] = []
        one: Return | None = self
        while one is not None:
            found.append(one)
            one = one.before
        return tuple(reversed(found))


@dataclass(frozen=True, slots=True)
class Fight:
    """A chain of returns that is too long for people, oldest first."""

    returns: tuple[Return, ...]

    @property
    def lasted(self) -> timedelta:
        """From its first return to its last."""
        return self.returns[-1].fact.seen_at - self.returns[0].fact.seen_at


def find_fight(facts: Iterable[Fact]) -> Fight | None:
    """The latest fight in these changes, or None.  `facts` are in the order in which they were stored.

    A write of ours is stored after the change it came from, so one pass is enough.  May be repeated.
    """
    last: dict[tuple[int, str], Fact] = {}
    led: dict[int, Return | None] = {}
    latest: Return | None = None
    for fact in facts:
        if fact.sources:
            led[fact.id] = _longest(led.get(source) for source in sorted(fact.sources))
        else:
            led[fact.id] = found = _return(fact, last, led)
            if found is not None and _is_fight(found):
                latest = found
        last |= {(fact.ticket_id, name): fact for name in fact.fields}
    if latest is None:
        return None
    return Fight(latest.chain()[-(MOST_RETURNS + 1) :])


def _return(
    fact: Fact, last: Mapping[tuple[int, str], Fact], led: Mapping[int, Return | None]
) -> Return | None:
    """What this change covers of ours, the longest chain first; None when it covers nothing of ours."""
    found: Return | None = None
    for name in sorted(fact.fields):
        covered = last.get((fact.ticket_id, name))
        if covered is None or not covered.sources:
            continue
        before = led.get(covered.id)
        depth = before.depth + 1 if before else 1
        if found is None or depth > found.depth:
            found = Return(fact, name, depth, before)
    return found


def _longest(chains: Iterable[Return | None]) -> Return | None:
    return max((one for one in chains if one is not None), key=lambda one: one.depth, default=None)


def _is_fight(latest: Return) -> bool:
    first = latest.back(MOST_RETURNS)
    return first is not None and latest.fact.seen_at - first.fact.seen_at <= WITHIN
