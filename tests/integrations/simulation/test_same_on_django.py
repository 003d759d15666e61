"""The same schedules on the store that production uses take the same course, step by step."""

from __future__ import annotations

import pytest

from integrations.services.simulated_stage import DjangoStage
from integrations.simulation.campaign import first_difference, run_on_both
from integrations.simulation.profiles import schedule_of

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
    ("cut off", 0),
    ("conflicts", 5),
    ("conflicts", 472),
    ("conflicts", 1131),
    ("closed", 1),
    ("closed", 176),
]


@pytest.mark.parametrize(("profile", "seed"), LIVED)
def test_both_stores_give_the_same_answers_to_every_request(profile: str, seed: int) -> None:
    stage = DjangoStage()
    try:
        outcome = run_on_both(schedule_of(seed, profile), stage)
    finally:
        stage.close()
    assert (outcome.difference, outcome.violations) == ("", [])


@pytest.mark.parametrize(
    ("stored", "difference"),
    [
        (["claim 1", "read 1"], ""),
        (["claim 1", "read 2"], "line 2: read 2\n  in memory: read 1"),
        (["claim 1"], "line 2: its end\n  in memory: read 1"),
        (["claim 1", "read 1", "read 2"], "line 3: read 2\n  in memory: its end"),
    ],
)
def test_the_first_line_in_which_two_courses_differ_is_told(stored: list[str], difference: str) -> None:
    assert first_difference(stored, ["claim 1", "read 1"]) == difference
