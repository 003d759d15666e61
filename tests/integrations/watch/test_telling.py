"""When somebody is told: tables of wishes and moments, in the person's own zone."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from integrations.watch.conditions import Severity
from integrations.watch.telling import Manner, Wishes, due_at

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = {"quiet_from": time(22), "quiet_until": time(7)}


def utc(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("manner", "values", "severity", "now", "due"),
    [
        ("at_once", {}, Severity.NOTICE, utc(23, 12, 5), utc(23, 12, 5)),
        ("hourly", {}, Severity.WARNING, utc(23, 12, 5), utc(23, 13)),
        ("hourly", {}, Severity.WARNING, utc(23, 12), utc(23, 13)),
        # Eight o'clock in Berlin is seven in winter.
        ("daily", {}, Severity.WARNING, utc(23, 12, 5), utc(24, 7)),
        ("daily", {}, Severity.WARNING, utc(23, 6, 59), utc(23, 7)),
        ("daily", {}, Severity.WARNING, utc(23, 7), utc(24, 7)),
        # The night in which the clocks go forward, and the one in which they go back.
        ("daily", {}, Severity.WARNING, utc(28, 12, month=3), utc(29, 6, month=3)),
        ("daily", {}, Severity.WARNING, utc(24, 12, month=10), utc(25, 7, month=10)),
        ("at_once", NIGHT, Severity.WARNING, utc(23, 20, 59), utc(23, 20, 59)),
        ("at_once", NIGHT, Severity.WARNING, utc(23, 21), utc(24, 6)),
        ("at_once", NIGHT, Severity.WARNING, utc(24, 5, 59), utc(24, 6)),
        ("at_once", NIGHT, Severity.WARNING, utc(24, 6), utc(24, 6)),
        ("hourly", NIGHT, Severity.WARNING, utc(23, 20, 30), utc(24, 6)),
        (
            "at_once",
            {"quiet_from": time(12), "quiet_until": time(13)},
            Severity.NOTICE,
            utc(23, 11, 30),
            utc(23, 12),
        ),
        ("at_once", {"quiet_from": time(9), "quiet_until": time(9)}, Severity.NOTICE, utc(23, 8), utc(23, 8)),
        ("at_once", {"quiet_from": time(22)}, Severity.NOTICE, utc(23, 22), utc(23, 22)),
        # What is critical wakes people, unless they said otherwise.
        ("daily", NIGHT, Severity.CRITICAL, utc(23, 23), utc(23, 23)),
        ("at_once", {**NIGHT, "critical_at_once": False}, Severity.CRITICAL, utc(23, 23), utc(24, 6)),
    ],
)
def test_somebody_is_told_when_they_wish(
    manner: str, values: dict[str, Any], severity: Severity, now: datetime, due: datetime
) -> None:
    assert due_at(Wishes(Manner(manner), BERLIN, **values), severity, now) == due
