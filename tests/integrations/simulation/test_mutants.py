"""Every checker can fail, and every safety mechanism is needed: switched off, a checker notices."""

from __future__ import annotations

import pytest

from integrations.simulation.campaign import caught_by, run_one
from integrations.simulation.checks import CHECKS
from integrations.simulation.mutants import MUTANTS, Mutant
from integrations.simulation.profiles import schedule_of

# Where to begin to look for the ones that rarely show; `simulate --mutants` begins at 0.
FROM = {"guard place": 140, "stamps": 20, "undoing gives way": 140, "the sender's own words": 440}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_without_a_safety_mechanism_a_promise_is_broken(mutant: Mutant) -> None:
    assert caught_by(mutant, within=60, first_seed=FROM.get(mutant.name, 0))


def test_every_invariant_is_broken_by_some_mutant() -> None:
    assert {invariant for invariant, _ in CHECKS} == {one for mutant in MUTANTS for one in mutant.breaks}


def test_a_mutant_is_gone_when_its_world_is_over() -> None:
    run_one(schedule_of(0), mutant="echo")
    assert run_one(schedule_of(0)).violations == []
