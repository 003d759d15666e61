"""Whether there is work, and whether a claim finds any: one answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.models import System
from integrations.store import claims, tickets
from tests.factories import make_system

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 9, 21, 8, 0, tzinfo=UTC)
SOON = NOW + timedelta(seconds=30)
AWAY: dict[str, dict[str, Any]] = {
    "paused": {"paused_until": SOON},
    "stopped": {"state": System.State.STOPPED},
}


def answers(system: System, now: datetime, busy: tuple[int, ...] = ()) -> tuple[bool, bool, int]:
    """Whether there is work anywhere, and in this system, and what a claim takes."""
    told = (claims.has_work(now, busy), claims.has_work_in(system.pk, now))
    return (*told, len(claims.claim("w", now, 60, 10, busy)[1]))


@pytest.mark.parametrize("why", AWAY)
def test_readings_in_a_system_that_may_not_be_called_are_no_work(why: str) -> None:
    system = make_system(kind="jira")
    tickets.note_hints(system.pk, ["A-1", "A-2"], NOW)
    System.objects.update(**AWAY[why])

    assert answers(system, NOW) == (False, False, 0)

    System.objects.update(state=System.State.ACTIVE)
    assert answers(system, SOON) == (True, True, 2)
    # They are taken.
    assert answers(system, SOON) == (False, False, 0)


def test_a_system_that_is_away_hides_no_other_and_one_that_is_busy_is_left_out() -> None:
    away, there = make_system(kind="jira"), make_system(kind="zendesk")
    tickets.note_hints(away.pk, ["A-1"], NOW)
    tickets.note_hints(there.pk, ["7"], NOW)
    System.objects.filter(pk=away.pk).update(paused_until=SOON)

    assert answers(there, NOW, (there.pk,)) == (False, True, 0)
    assert answers(away, NOW, (there.pk,)) == (False, False, 0)
    assert answers(there, NOW) == (True, True, 1)
