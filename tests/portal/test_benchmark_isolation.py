"""The verdict on isolation: the others keep their pace, and nothing is lost anywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from integrations.sandbox.faults import Faults
from portal.benchmark.isolation import MEASURED, UP, WAYS, Delays, Isolated
from portal.benchmark.work import WORKS

KEPT = Isolated(
    down="servicenow",
    how="hang",
    rate=10.0,
    before=Delays(200, 200, 40.0, 60.0, 100.0),
    during=Delays(200, 200, 50.0, 300.0, 1099.0),
    waited=80,
    seconds_down=60.0,
    caught_up_s=30.0,
    left=0,
)


def test_growth_is_told_of_the_slowest_hundredth() -> None:
    assert (KEPT.growth_ms, KEPT.holds) == (999.0, True)


@pytest.mark.parametrize(
    "broken",
    [
        replace(KEPT, during=replace(KEPT.during, p99_ms=1100.0)),
        replace(KEPT, during=replace(KEPT.during, p99_ms=float("nan"))),
        replace(KEPT, during=replace(KEPT.during, arrived=199)),
        replace(KEPT, before=replace(KEPT.before, arrived=199)),
        replace(KEPT, left=1),
    ],
)
def test_isolation_is_broken_by_a_second_or_by_anything_missing(broken: Isolated) -> None:
    assert not broken.holds


def test_every_way_of_being_down_is_one_the_sandbox_knows_and_can_be_ended() -> None:
    for way in WAYS.values():
        down = Faults(**way)
        assert replace(down, **UP) == replace(Faults(), down_as=down.down_as)


def test_what_is_measured_is_not_what_is_down() -> None:
    assert sorted(set(WORKS) - set(MEASURED)) == ["azure_devops", "servicenow"]
