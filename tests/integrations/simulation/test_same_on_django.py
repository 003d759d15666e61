"""The same schedules on the store that production uses take the same course, step by step."""

from __future__ import annotations

import pytest

from integrations.services.simulated_stage import DjangoStage
from integrations.simulation.checks import judge
from integrations.simulation.profiles import schedule_of
from integrations.simulation.stage import MemoryStage, Stage
from integrations.simulation.world import Options, World

# Keys count from one on every database, so that the names of things come out alike.
pytestmark = pytest.mark.django_db(transaction=True, reset_sequences=True)

# The database takes a hundred times as long: `manage.py simulate --store django` takes more.
LIVED = [
    ("base", 0),
    ("base", 2),
    ("base", 5),
    ("hot", 1),
    ("coincidence", 2),
    ("undone", 1),
    ("undone", 4),
    ("fights", 2),
    ("limits", 5),
    ("own edits", 1),
]


def course(profile: str, seed: int, stage: Stage) -> tuple[list[str], list[str]]:
    """Every claim, call and transaction of a world, and the promises that it broke."""
    world = World(schedule_of(seed, profile), stage, Options(trace=True))
    world.run()
    return world.journal.trace or [], [str(violation) for violation in judge(world)]


@pytest.mark.parametrize(("profile", "seed"), LIVED)
def test_both_stores_give_the_same_answers_to_every_request(profile: str, seed: int) -> None:
    stage = DjangoStage()
    try:
        stored, broken = course(profile, seed, stage)
    finally:
        stage.close()
    remembered, _ = course(profile, seed, MemoryStage())
    for number, (one, other) in enumerate(zip(stored, remembered, strict=False)):
        assert one == other, f"line {number}"
    assert len(stored) == len(remembered)
    assert broken == []
