"""A system's page shows its budget of calls, and the queue says which limit a lane waits for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.models import SystemBudget
from integrations.services import budgets
from integrations.services.refusals import NotPossible
from tests.factories import make_system

pytestmark = pytest.mark.django_db


def test_the_standing_tells_what_is_left_until_when_and_what_had_to_wait() -> None:
    now = timezone.now()
    second = int(now.timestamp())
    system = make_system()
    SystemBudget.objects.create(
        system=system,
        ceiling=300,
        limit=700,
        left=0,
        window_s=60,
        resets_at=now + timedelta(seconds=40),
        told_at=now,
        seconds={str(second - 90): 4, str(second - 5): 8},
        minutes={str(second // 60): 8, str(second // 60 - 3): 4, str(second // 60 - 70): 99},
        held={str(second // 60): 2, str(second // 60 - 70): 50},
    )
    told = budgets.standing(system, now=now)
    assert (told.ceiling, told.limit, told.left, told.span) == (300, 700, 0, "a minute")
    assert (told.last_minute, told.last_hour, told.held) == (8, 12, 2)
    assert told.holding == budgets.Holding(
        "Waits for the system's limit of 700 calls a minute.", now + timedelta(seconds=40)
    )


def test_a_system_that_nobody_limits_holds_nothing_back() -> None:
    told = budgets.standing(make_system(), now=timezone.now())
    assert (told.limit, told.ceiling, told.last_hour, told.holding) == (None, None, 0, None)


@pytest.mark.parametrize("ceiling", [0, 9, 100_001])
def test_a_ceiling_that_makes_no_sense_is_refused_at_its_field(ceiling: int) -> None:
    with pytest.raises(NotPossible) as refused:
        budgets.set_ceiling(make_system(), ceiling)
    assert refused.value.field == "ceiling"


def test_a_ceiling_is_set_and_taken_away() -> None:
    system = make_system()
    found = [budgets.set_ceiling(system, ceiling).ceiling for ceiling in (50, 70, None)]
    assert (found, SystemBudget.objects.count()) == ([50, 70, None], 1)
