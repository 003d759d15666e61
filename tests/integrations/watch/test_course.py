"""How an alert goes on: opens, worsens, clears up, closes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from integrations.watch.course import CLEAR_FOR, Course, Step, next_step

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
A_MOMENT = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("alert", "stage", "step"),
    [
        (None, 1, Step.OPEN),
        (None, None, Step.STAY),
        (Course(1, None), 1, Step.STAY),
        (Course(1, None), 2, Step.WORSEN),
        # The oldest lane went, the next is younger: no news.
        (Course(3, None), 1, Step.STAY),
        (Course(1, None), None, Step.BEGIN_CLEARING),
        (Course(1, NOW - CLEAR_FOR + A_MOMENT), None, Step.STAY),
        (Course(1, NOW - CLEAR_FOR), None, Step.CLOSE),
        # It came back in time: the same alert goes on.
        (Course(1, NOW - A_MOMENT), 1, Step.STAY),
        (Course(1, NOW - A_MOMENT), 2, Step.WORSEN),
    ],
)
def test_an_alert_goes_on(alert: Course | None, stage: int | None, step: Step) -> None:
    assert next_step(alert, stage, NOW) == step
