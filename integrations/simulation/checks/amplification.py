"""Amplification: rules of two systems that undo each other's changes through us are stopped, and people are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from integrations.engine.fights import MOST_RETURNS, WITHIN
from integrations.simulation.evidence import Evidence
from integrations.simulation.journal import Happened
from integrations.simulation.systems import OUR_ACCOUNT

# The code that people see, with its entry in the handbook.
CODE = "amplification"
WITHIN_MS = int(WITHIN.total_seconds() * 1000)
# What was under way on the other side when the lanes were stopped, and the one that is read when it has happened.
UNDER_WAY = 3


@dataclass(frozen=True, slots=True)
class _Return:
    """Somebody else's change over a value of ours, and when those before it in its chain happened."""

    happened: Happened
    moments: tuple[int, ...]


def no_fight_goes_on(evidence: Evidence) -> Iterator[str]:
    """I4: no chain of answers to answers of ours is longer in a minute than machines need to be known by."""
    for one in _returns(evidence):
        lately = [ms for ms in one.moments if ms > one.happened.ms - WITHIN_MS]
        if len(lately) > MOST_RETURNS + 1 + UNDER_WAY:
            yield f"{one.happened.change.id} in {one.happened.place} is answer {len(lately)} within a minute"
            return


def a_fight_is_told(evidence: Evidence) -> Iterator[str]:
    """I4: where two rules fought, somebody was asked; and where none did, nobody was bothered."""
    longest = max(
        (len([ms for ms in one.moments if ms > one.happened.ms - WITHIN_MS]) for one in _returns(evidence)),
        default=0,
    )
    told = [one for one in evidence.journal.parked if one[2] == CODE]
    if longest > MOST_RETURNS + UNDER_WAY and not told:
        yield f"a fight went to and fro {longest} times in a minute, and nobody was told"
    if told and longest < MOST_RETURNS // 2:
        yield f"lane {told[0][1]} was stopped for a fight, and the longest was {longest}"


def _returns(evidence: Evidence) -> Iterator[_Return]:
    """Every such change, told by the systems' own histories and by which event each write of ours came from."""
    last: dict[tuple[int, str, str], Happened] = {}
    # By the place and key of a change: the chain that led to it.
    chains: dict[tuple[int, str], tuple[int, ...]] = {}
    for one in evidence.journal.happened:
        key = (one.place, one.change.id)
        if one.sent is not None:
            chains[key] = _led_to(evidence, one, chains)
        else:
            found: tuple[int, ...] = ()
            for name in one.change.fields:
                covered = last.get((one.place, one.remote_id, name))
                if covered is not None and covered.sent is not None and one.change.actor.id != OUR_ACCOUNT:
                    before = chains.get((covered.place, covered.change.id), ())
                    found = max(found, (*before, one.ms), key=len)
            if found:
                chains[key] = found
                yield _Return(one, found)
        for name in one.change.fields:
            last[one.place, one.remote_id, name] = one


def _led_to(
    evidence: Evidence, one: Happened, chains: dict[tuple[int, str], tuple[int, ...]]
) -> tuple[int, ...]:
    assert one.sent is not None
    found: tuple[int, ...] = ()
    for pk in one.sent.deliveries:
        event_id = evidence.tables.deliveries[pk].event_id
        event = evidence.tables.events.get(event_id) if event_id else None
        if event is not None:
            place = evidence.place_of(evidence.tables.tickets[event.ticket_id])
            found = max(found, chains.get((place, event.change.id), ()), key=len)
    return found
