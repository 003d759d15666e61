"""Runs many schedules and adds up what happened.  One process; whoever has several of them gives each its seeds."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from integrations.simulation.checks import judge
from integrations.simulation.journal import Violation
from integrations.simulation.minimise import minimised
from integrations.simulation.mutants import BY_NAME, Mutant
from integrations.simulation.profiles import schedule_of
from integrations.simulation.schedule import Schedule
from integrations.simulation.stage import MemoryStage, Stage
from integrations.simulation.world import Options, World


@dataclass(slots=True)
class Outcome:
    """What became of one schedule."""

    seed: int
    figures: Counter[str]
    violations: list[Violation] = field(default_factory=list)
    # Where another store took another course than the one in memory; empty when it took the same.
    difference: str = ""


def run_one(schedule: Schedule, *, stage: Stage | None = None, mutant: str = "") -> Outcome:
    """Live through one schedule and judge it."""
    off = BY_NAME[mutant] if mutant else None
    with off.switched_off() if off else contextlib.nullcontext():
        options = off.options if off else Options()
        world = World(schedule, stage, options)
        return _outcome(schedule, world)


def _outcome(schedule: Schedule, world: World) -> Outcome:
    world.run()
    violations = judge(world)
    figures = world.journal.figures
    figures["deliveries"] = len(world.stage.tables().deliveries)
    figures["simulated s"] = world.clock.ms // 1000
    return Outcome(schedule.seed, figures, violations)


def run_on_both(schedule: Schedule, stage: Stage) -> Outcome:
    """Live through one schedule on this stage and on the one in memory, judge the former and compare their courses.

    Keys of the stage's rows have to count from one, as those in memory do.
    """
    stored = World(schedule, stage, Options(trace=True))
    remembered = World(schedule, MemoryStage(), Options(trace=True))
    outcome = _outcome(schedule, stored)
    remembered.run()
    outcome.difference = first_difference(stored.journal.trace or [], remembered.journal.trace or [])
    return outcome


def first_difference(stored: Sequence[str], remembered: Sequence[str]) -> str:
    """The first line in which two courses differ, of both."""
    for number, (one, other) in enumerate(zip_longest(stored, remembered, fillvalue="its end"), start=1):
        if one != other:
            return f"line {number}: {one}\n  in memory: {other}"
    return ""


def run_many(
    profile: str, seeds: Iterable[int], *, mutant: str = "", make_stage: Callable[[], Stage] | None = None
) -> list[Outcome]:
    """Live through the schedules of these seeds, one after the other."""
    return [
        run_one(schedule_of(seed, profile), stage=make_stage() if make_stage else None, mutant=mutant)
        for seed in seeds
    ]


def caught_by(mutant: Mutant, *, within: int, first_seed: int = 0) -> tuple[int, Violation] | None:
    """The first schedule in which a checker notices that the mechanism is off, and what it says; None if none does."""
    for seed in range(first_seed, first_seed + within):
        outcome = run_one(schedule_of(seed, mutant.profile), mutant=mutant.name)
        for violation in outcome.violations:
            if violation.invariant in mutant.breaks:
                return seed, violation
    return None


def smallest(schedule: Schedule, invariant: str, *, mutant: str = "") -> Schedule:
    """The smallest schedule found that breaks the same invariant."""

    def still_fails(candidate: Schedule) -> bool:
        outcome = run_one(candidate, mutant=mutant)
        return any(violation.invariant == invariant for violation in outcome.violations)

    return minimised(schedule, still_fails)
