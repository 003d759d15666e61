"""Makes a failing schedule small: fewer edits, fewer faults, fewer workers, simpler systems, as long as it still fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from integrations.simulation.schedule import LinkSetup, Op, Schedule, SystemSetup

# What people do to a connection: these name it first.
OF_LINKS = frozenset({"publish", "pause side", "pause connection", "hold", "undo version"})

StillFails = Callable[[Schedule], bool]

# So many runs at most: a schedule that is somewhat too long now is better than the shortest one tomorrow.
MOST_RUNS = 600


def minimised(schedule: Schedule, still_fails: StillFails) -> Schedule:
    """A schedule in which nothing can be left out any more, found by leaving out ever smaller parts.

    `still_fails` runs a schedule and tells whether it breaks the same promise; it must be true of `schedule`.
    """
    runs = 0

    def fails(candidate: Schedule) -> bool:
        nonlocal runs
        runs += 1
        return runs <= MOST_RUNS and still_fails(candidate)

    before = None
    while before != schedule and runs < MOST_RUNS:
        before = schedule
        for name in ("faults", "ops"):
            schedule = _fewer(schedule, name, fails)
        for simpler in _simpler(schedule):
            if fails(simpler):
                schedule = simpler
    return schedule


def _fewer(schedule: Schedule, name: str, fails: StillFails) -> Schedule:
    """Leave out parts of one list: halves first, single entries last."""
    kept: list[Any] = list(getattr(schedule, name))
    size = max(1, len(kept) // 2)
    while kept:
        start = 0
        while start < len(kept):
            shorter = kept[:start] + kept[start + size :]
            if fails(_with(schedule, name, shorter)):
                kept = shorter
            else:
                start += size
        if size == 1:
            break
        size //= 2
    return _with(schedule, name, kept)


def _with(schedule: Schedule, name: str, entries: Sequence[Any]) -> Schedule:
    if name == "ops":
        return replace(schedule, ops=tuple(entries))
    return replace(schedule, faults=tuple(entries))


def _simpler(schedule: Schedule) -> list[Schedule]:
    """The same schedule with one thing less that is particular."""
    found = [replace(schedule, workers=workers) for workers in range(1, schedule.workers)]
    if len(schedule.systems) > 2:
        # Places that are gone leave their edits without a ticket, which is why those go first.
        ops = tuple(op for op in schedule.ops if not _is_of(op, len(schedule.links) - 1))
        found.append(replace(schedule, systems=schedule.systems[:-1], links=schedule.links[:-1], ops=ops))
    for place, system in enumerate(schedule.systems):
        usual = SystemSetup(system.kind)
        for name in SystemSetup.__dataclass_fields__:
            if getattr(system, name) != getattr(usual, name):
                simple = replace(system, **{name: getattr(usual, name)})
                systems = (*schedule.systems[:place], simple, *schedule.systems[place + 1 :])
                found.append(replace(schedule, systems=systems))
    for place, link in enumerate(schedule.links):
        if link != LinkSetup():
            links = (*schedule.links[:place], LinkSetup(), *schedule.links[place + 1 :])
            found.append(replace(schedule, links=links))
    return found


def _is_of(op: Op, link: int) -> bool:
    """Whether somebody does something to this connection."""
    return op.kind in OF_LINKS and op.args[0] == link
