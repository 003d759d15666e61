"""How people write terms: what is read, what is refused and in which words."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from portal.entering import (
    read_closures,
    read_duration,
    read_holidays,
    read_spans,
    write_closures,
    write_duration,
    write_holidays,
    write_spans,
)
from slas.calendars import Window


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("15", 15),
        ("15 min", 15),
        ("2h", 120),
        ("2 h 30 min", 150),
        ("1 d", 1440),
        ("1d 2h 3m", 1563),
        (" 4 Hours ", 240),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, minutes: int) -> None:
    assert read_duration(text) == minutes


def test_a_duration_that_was_written_reads_back() -> None:
    assert [write_duration(one) for one in (15, 120, 150, 4320, None)] == [
        "15 min",
        "2 h",
        "2 h 30 min",
        "72 h",
        "",
    ]
    assert all(read_duration(write_duration(minutes)) == minutes for minutes in range(1, 5000, 7))


def test_hours_of_a_day_are_read_and_written() -> None:
    windows = read_spans(4, "8:00-12:00, 13.00–17:30,22:00 – 06:00")

    assert windows == [Window(4, 480, 720), Window(4, 780, 1050), Window(4, 1320, 360)]
    assert write_spans(windows) == "08:00–12:00, 13:00–17:30, 22:00–06:00"
    assert read_spans(0, " ") == []
    assert write_spans(read_spans(6, "00:00–24:00")) == "00:00–24:00"


def test_holidays_are_read_in_any_order_and_written_by_date() -> None:
    holidays = read_holidays("2026-12-25 Christmas Day\n\n2026-01-01\n")

    assert holidays == [(date(2026, 1, 1), ""), (date(2026, 12, 25), "Christmas Day")]
    assert write_holidays(holidays) == "2026-01-01\n2026-12-25 Christmas Day"


def test_closures_are_in_the_zone_of_the_calendar() -> None:
    text = "2026-12-01 22:00 – 2026-12-02 04:00 New servers"

    closures = read_closures(text, "Europe/Berlin")

    in_utc = [(one.astimezone(UTC), other.astimezone(UTC), reason) for one, other, reason in closures]
    assert in_utc == [
        (datetime(2026, 12, 1, 21, 0, tzinfo=UTC), datetime(2026, 12, 2, 3, 0, tzinfo=UTC), "New servers")
    ]
    assert write_closures(in_utc, "Europe/Berlin") == text


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda: read_duration("soon"), "“soon” is no duration. Write it like 15 min, 2 h 30 min or 3 d."),
        (lambda: read_duration(""), "“” is no duration. Write it like 15 min, 2 h 30 min or 3 d."),
        (lambda: read_duration("0"), "A target is at least one minute and at most a year."),
        (lambda: read_duration("400 d"), "A target is at least one minute and at most a year."),
        (
            lambda: read_spans(0, "8 to 5"),
            "“8 to 5” are no hours. Write them like 08:00–17:00, several with a comma between.",
        ),
        (lambda: read_spans(0, "08:00–17:60"), "“08:00–17:60” is no time of day."),
        (
            lambda: read_spans(0, "08:00–25:00"),
            "“08:00–25:00”: times run from 00:00 to 24:00, and the end differs from the beginning.",
        ),
        (
            lambda: read_spans(0, "08:00–12:00, 08:00–17:00"),
            "Two stretches of this day begin at the same time.",
        ),
        (
            lambda: read_holidays("2026-12-25\n24.12.2026 Eve"),
            "Line 2: “24.12.2026” is no date. Write it like 2026-12-25 Christmas Day.",
        ),
        (lambda: read_holidays("2026-12-25\n2026-12-25"), "Line 2: 2026-12-25 is there twice."),
        (
            lambda: read_closures("tomorrow", "UTC"),
            "Line 1 cannot be read. Write it like 2026-12-01 22:00 – 2026-12-02 04:00 New servers.",
        ),
        (
            lambda: read_closures("2026-12-02 04:00 – 2026-12-01 22:00", "UTC"),
            "Line 1: a closure ends after it starts.",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(read: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        read()
