"""Moments that chance hardly ever brings about, arranged: a few edits and mishaps within the same seconds.

Where exactly they meet is still left to chance, so that each schedule tries another place.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from integrations.simulation.clock import SECOND
from integrations.simulation.schedule import Fault, Op, SystemSetup
from integrations.simulation.vocabulary import WORDS

# A late write turns up this long after it left, the longest that is still within everything we wait for.
LATEST_MS = 59 * SECOND
# How many matters there are to be edited at once.
MATTERS = 16


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens in it, in a world of these systems."""

    systems: tuple[SystemSetup, ...]
    ops: tuple[Op, ...]
    faults: tuple[Fault, ...]


def stale_look(random: random_module.Random, systems: tuple[SystemSetup, ...], at_ms: int) -> Moment:
    """A worker looks for a lost addition before it turns up, stands still, and decides when it could not any more."""
    place = random.randrange(len(systems) - 1)
    here, there = random.sample((place, place + 1), 2)
    op = random.choice(
        (Op(at_ms, "comment", (here, 0, True, f"m{at_ms}")), Op(at_ms, "file", (here, 0, f"m{at_ms}.txt")))
    )
    stands_ms = random.randint(30, 34) * SECOND
    begins_ms = at_ms + random.randint(50, 58) * SECOND
    faults = (
        Fault(at_ms, "late", there, LATEST_MS),
        Fault(begins_ms, "freeze:after_commit", ms=stands_ms, nth=random.randint(0, 1)),
    )
    return Moment(systems, (op,), faults)


def stale_end(random: random_module.Random, systems: tuple[SystemSetup, ...], at_ms: int) -> Moment:
    """A worker finds a value in its place and stands still; by a clock that is behind somebody sets another one."""
    place = random.randrange(len(systems) - 1)
    here, there = random.sample((place, place + 1), 2)
    found = list(systems)
    found[here], found[there] = replace(found[here], skew_s=0), replace(found[there], skew_s=-600)
    one, other = random.sample(("new", "open", "pending"), 2)

    def sets(ms: int, where: int, meaning: str) -> Op:
        return Op(ms, "set", (where, 0, "status", WORDS[systems[where].kind].status[meaning]))

    ops = (
        sets(at_ms, there, one),
        sets(at_ms + random.randint(0, 500), here, one),
        sets(at_ms + random.randint(6, 12) * SECOND, there, other),
    )
    begins_ms = at_ms + random.randint(200, 3 * SECOND)
    stands = Fault(begins_ms, "freeze:after_commit", ms=random.randint(15, 35) * SECOND)
    return Moment(tuple(found), ops, (stands,))


def cut_off(random: random_module.Random, systems: tuple[SystemSetup, ...], at_ms: int) -> Moment:
    """Many tickets are edited within a few seconds, and the system that all of it goes to is away for a moment."""
    place = random.randrange(len(systems) - 1)
    here, there = random.sample((place, place + 1), 2)
    ops = tuple(
        Op(at_ms + random.randint(0, 4 * SECOND), "set", (here, matter, "title", f"m{at_ms}-{matter}"))
        for matter in range(MATTERS)
    )
    kind = random.choice(("outage", "silence"))
    begins_ms = at_ms + random.randint(500, 2 * SECOND)
    away = Fault(begins_ms, kind, there, random.randint(2, 12) * SECOND)
    return Moment(systems, ops, (away,))


def closing(random: random_module.Random, systems: tuple[SystemSetup, ...], at_ms: int) -> Moment:
    """A ticket is closed for ever, its neighbours go on talking at once, and something of what follows goes wrong."""
    closes = [place for place, one in enumerate(systems) if one.closes]
    there = closes[0] if closes else random.randrange(len(systems))
    found = list(systems)
    found[there] = replace(found[there], closes=True)
    ops = [Op(at_ms + random.randint(-500, 100), "close", (there, 0))]
    for here in (there - 1, there + 1):
        if 0 <= here < len(systems):
            ms = at_ms + random.randint(0, 900)
            ops.append(Op(ms, "comment", (here, 0, True, f"m{at_ms}-{here}")))
    kind = random.choice(("lost_response", "late", "lost_request", "reset", "busy_503"))
    late_ms = random.randint(1, LATEST_MS) if kind == "late" else 0
    # Of the writes it is the refused one, the new ticket, or what is written to that.
    wrong = Fault(at_ms, kind, there, late_ms, nth=random.randint(0, 2))
    killed = Fault(at_ms, f"kill:{random.choice(('before_commit', 'after_call'))}", nth=random.randint(0, 9))
    return Moment(tuple(found), tuple(ops), random.choice(((wrong,), (killed,), (wrong, killed))))


MOMENTS: dict[str, Callable[[random_module.Random, tuple[SystemSetup, ...], int], Moment]] = {
    "stale look": stale_look,
    "stale end": stale_end,
    "cut off": cut_off,
    "closing": closing,
}


def arranged(
    random: random_module.Random, names: Sequence[str], systems: tuple[SystemSetup, ...], span_ms: int
) -> Moment:
    """All of these, one after the other, each with its own part of the time; empty for none."""
    ops: tuple[Op, ...] = ()
    faults: tuple[Fault, ...] = ()
    for number, name in enumerate(names):
        share_ms = span_ms // len(names)
        at_ms = number * share_ms + random.randint(share_ms // 10, share_ms // 3)
        moment = MOMENTS[name](random, systems, at_ms)
        systems, ops, faults = moment.systems, ops + moment.ops, faults + moment.faults
    return Moment(systems, ops, faults)
