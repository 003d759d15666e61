"""How an alert goes on when its condition is looked at again: opens, gets worse, clears up, closes.  Pure.

A condition that is gone for a moment and comes back is the same alert: it closes only after it has been clear for a
while, so that what flaps does not ring every minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

CLEAR_FOR = timedelta(minutes=2)


class Step(StrEnum):
    """What happens to an alert now."""

    OPEN = "open"
    WORSEN = "worsen"
    STAY = "stay"
    BEGIN_CLEARING = "begin_clearing"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Course:
    """As much of an alert as its course depends on."""

    stage: int
    cleared_at: datetime | None


def next_step(alert: Course | None, stage: int | None, now: datetime) -> Step:
    """The step for a live alert (None: there is none) whose condition holds at `stage` (None: holds no longer)."""
    if stage is not None:
        if alert is None:
            return Step.OPEN
        return Step.WORSEN if stage > alert.stage else Step.STAY
    if alert is None:
        return Step.STAY
    if alert.cleared_at is None:
        return Step.BEGIN_CLEARING
    return Step.CLOSE if now - alert.cleared_at >= CLEAR_FOR else Step.STAY
