"""How people write terms: durations, service hours, holidays, closures.  Text to values and back.  Pure.

What cannot be read raises ValueError with a sentence that names the line and shows how it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from slas.calendars import DAY_MIN, Window

_DURATION = re.compile(
    r"(?:(?P<days>\d{1,4})\s*d(?:ays?)?)?\s*(?:(?P<hours>\d{1,5})\s*h(?:ours?)?)?\s*"
    r"(?:(?P<minutes>\d{1,6})\s*(?:m|min|minutes?)?)?",
    re.IGNORECASE,
)
_SPAN = re.compile(r"(\d{1,2})[:.](\d{2})\s*[-–—]\s*(\d{1,2})[:.](\d{2})")
# The dashes and blanks that people type between two moments.
_DASH = r"\s+[-–—]\s+"
LONGEST_MIN = 366 * DAY_MIN


def read_duration(text: str) -> int:
    """Minutes from "15", "15 min", "2 h 30 min", "1 d" (24 hours of service time)."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise ValueError(f"“{text.strip()}” is no duration. Write it like 15 min, 2 h 30 min or 3 d.")
    days, hours, minutes = (int(found[name] or 0) for name in ("days", "hours", "minutes"))
    total = days * DAY_MIN + hours * 60 + minutes
    if not 0 < total <= LONGEST_MIN:
        raise ValueError("A target is at least one minute and at most a year.")
    return total


def write_duration(minutes: int | None) -> str:
    """Minutes as people write them: the largest units that lose nothing."""
    if minutes is None:
        return ""
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{rest} min" if rest else ""]
    return " ".join(part for part in parts if part)


def read_spans(weekday: int, text: str) -> list[Window]:
    """Service hours of one weekday from "08:00–12:00, 13:00–17:00"; none from an empty text."""
    windows = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        found = _SPAN.fullmatch(part)
        if not found:
            raise ValueError(
                f"“{part}” are no hours. Write them like 08:00–17:00, several with a comma between."
            )
        from_hour, from_minute, to_hour, to_minute = map(int, found.groups())
        if max(from_minute, to_minute) > 59:
            raise ValueError(f"“{part}” is no time of day.")
        try:
            windows.append(Window(weekday, from_hour * 60 + from_minute, to_hour * 60 + to_minute))
        except ValueError:
            raise ValueError(
                f"“{part}”: times run from 00:00 to 24:00, and the end differs from the beginning."
            ) from None
    starts = [window.from_min for window in windows]
    if len(starts) != len(set(starts)):
        raise ValueError("Two stretches of this day begin at the same time.")
    return windows


def write_spans(windows: Iterable[Window]) -> str:
    """Service hours of one weekday as people write them."""
    return ", ".join(f"{_clock(one.from_min)}–{_clock(one.to_min)}" for one in sorted(windows))


def read_holidays(text: str) -> list[tuple[date, str]]:
    """Holidays from lines like "2026-12-25 Christmas Day"."""
    found: dict[date, str] = {}
    for number, line in _lines(text):
        day, _, name = line.partition(" ")
        try:
            at = date.fromisoformat(day)
        except ValueError:
            raise ValueError(
                f"Line {number}: “{day}” is no date. Write it like 2026-12-25 Christmas Day."
            ) from None
        if at in found:
            raise ValueError(f"Line {number}: {day} is there twice.")
        found[at] = name.strip()[:120]
    return sorted(found.items())


def write_holidays(holidays: Iterable[tuple[date, str]]) -> str:
    """Holidays, one a line."""
    return "\n".join(f"{at.isoformat()} {name}".strip() for at, name in holidays)


def read_closures(text: str, zone: str) -> list[tuple[datetime, datetime, str]]:
    """Planned closures from lines like "2026-12-01 22:00 – 2026-12-02 04:00 New servers", in the calendar's zone."""
    found = []
    for number, line in _lines(text):
        first, *rest = re.split(_DASH, line, maxsplit=1)
        try:
            second = rest[0].split()
            starts_at, ends_at = _moment(first, zone), _moment(" ".join(second[:2]), zone)
        except (IndexError, ValueError):
            raise ValueError(
                f"Line {number} cannot be read. Write it like 2026-12-01 22:00 – 2026-12-02 04:00 New servers."
            ) from None
        if ends_at <= starts_at:
            raise ValueError(f"Line {number}: a closure ends after it starts.")
        found.append((starts_at, ends_at, " ".join(second[2:])[:200]))
    return sorted(found)


def write_closures(closures: Iterable[tuple[datetime, datetime, str]], zone: str) -> str:
    """Planned closures, one a line, in the calendar's zone."""
    tz = ZoneInfo(zone)
    return "\n".join(
        f"{start.astimezone(tz):%Y-%m-%d %H:%M} – {end.astimezone(tz):%Y-%m-%d %H:%M} {reason}".strip()
        for start, end, reason in closures
    )


def _moment(text: str, zone: str) -> datetime:
    return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone))


def _lines(text: str) -> Iterable[tuple[int, str]]:
    return ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
