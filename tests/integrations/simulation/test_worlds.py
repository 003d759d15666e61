"""Whole worlds on the engine's own steps: whatever happens in them, every promise is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from integrations.simulation.campaign import run_many, run_one, smallest
from integrations.simulation.profiles import PROFILES, schedule_of
from integrations.simulation.schedule import Fault, LinkSetup, Op, Schedule, SystemSetup, from_json
from integrations.simulation.world import Options, World

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*.jsonl"))
KEPT = [line for path in SEEDS for line in path.read_text(encoding="utf-8").splitlines() if line]

# How many schedules of each kind a run of the tests lives through; `manage.py simulate` takes more.
LIVED = {
    "base": 60,
    "hot": 20,
    "frozen": 20,
    "stale looks": 20,
    "late looks": 20,
    "stale ends": 20,
    "skewed": 10,
    "isolation": 4,
    "outage": 1,
    "beyond": 20,
    "undone": 20,
    "fights": 6,
    "limits": 8,
    "own edits": 10,
    "cut off": 8,
    "conflicts": 20,
    "closed": 20,
    "refused": 20,
}


def broken(schedule: Schedule) -> list[str]:
    """The promises that this schedule breaks."""
    return [str(violation) for violation in run_one(schedule).violations]


@pytest.mark.parametrize("profile", LIVED)
def test_random_schedules_break_no_promise(profile: str) -> None:
    outcomes = run_many(profile, range(LIVED[profile]))
    assert {one.seed: [str(v) for v in one.violations] for one in outcomes if one.violations} == {}
    assert sum(one.figures["deliveries"] for one in outcomes) > 5 * LIVED[profile]


@pytest.mark.parametrize("kept", KEPT)
def test_what_once_broke_a_promise_breaks_none_any_more(kept: str) -> None:
    assert broken(from_json(kept)) == []


def test_a_schedule_is_the_same_whenever_it_is_drawn_and_kept() -> None:
    for profile in PROFILES:
        schedule = schedule_of(7, profile)
        assert schedule_of(7, profile) == schedule
        assert from_json(schedule.as_json()) == schedule


def test_the_same_schedule_takes_the_same_course() -> None:
    courses = []
    for _ in range(2):
        world = World(schedule_of(3, "hot"), options=Options(trace=True))
        world.run()
        courses.append(world.journal.trace)
    assert courses[0] == courses[1]
    assert len(courses[0] or ()) > 500


STORY = Schedule(
    seed=1,
    profile="base",
    span_ms=60_000,
    systems=(SystemSetup("desk"), SystemSetup("board", gives_markers=False, gives_change_ids=False)),
    links=(LinkSetup(),),
    workers=2,
    calls_in_flight=4,
    ops=(
        Op(0, "raise", (0, "t0")),
        Op(20_000, "set", (0, 0, "title", "t1")),
        Op(20_010, "comment", (0, 0, True, "c1")),
        Op(20_020, "comment", (1, 0, True, "c2")),
        Op(20_030, "file", (1, 0, "f1")),
    ),
    faults=(),
)


def points() -> int:
    """How many points of one kind or another a worker passes in the story."""
    world = World(STORY, options=Options(trace=True))
    world.run()
    return len([line for line in world.journal.trace or () if " worker " in line])


@pytest.mark.parametrize("kind", ["kill", "freeze"])
@pytest.mark.parametrize(
    "point", ["claim", "before_call", "leaving", "after_call", "before_commit", "after_commit"]
)
def test_a_worker_may_be_stopped_at_every_point_where_it_waits(kind: str, point: str) -> None:
    failures = {}
    for nth in range(60):
        fault = Fault(0, f"{kind}:{point}", ms=90_000 if kind == "freeze" else 0, nth=nth)
        if found := broken(replace(STORY, faults=(fault,))):
            failures[nth] = found
    assert failures == {}
    assert points() < 60 * 6


@pytest.mark.parametrize(
    "fault",
    [
        "busy_503",
        "limited_429",
        "lost_request",
        "lost_response",
        "late",
        "reset",
        "garbled",
        "refused_400",
        "unauthorized",
    ],
)
def test_every_call_may_fail_in_every_way(fault: str) -> None:
    failures = {}
    for place in range(2):
        for nth in range(12):
            one = Fault(0, fault, place, ms=5_000, nth=nth)
            if found := broken(replace(STORY, faults=(one,))):
                failures[place, nth] = found
    assert failures == {}


def test_a_failing_schedule_is_made_small() -> None:
    large = schedule_of(1, "base")
    small = smallest(large, "I2", mutant="probe")
    assert any(violation.invariant == "I2" for violation in run_one(small, mutant="probe").violations)
    assert broken(small) == []
    assert (len(small.ops), len(small.faults)) <= (3, 2)
    assert small.history().count("\n") == len(small.ops) + len(small.faults)
