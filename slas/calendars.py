"""Service hours and the arithmetic of working time.  Pure: no clock, no database.

An instant counts as service time exactly when the wall clock in the calendar's time zone shows a time inside a window
of that weekday, on a date that is no holiday, outside every closure.  Everything is computed in UTC from that one
sentence, so that a day on which the clocks change has 23 or 25 hours, a repeated hour counts twice and a skipped
date (Apia, 30 December 2011) not at all.  Python itself subtracts two times of the same zone on the wall: a trap.

Results are exact to the microsecond.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MIN = 24 * 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = DAY_MIN * MINUTE_US
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# 1 January 1970 was a Thursday; Monday is 0.
EPOCH_WEEKDAY = 3
# Where adding gives up: no calendar that somebody means is closed for so long.
HORIZON_YEARS = 60


class NeverOpen(ValueError):
    """The calendar does not open for long enough to hold the working time asked for."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Service hours on a weekday (Monday is 0), in minutes after midnight.

    1440 is 24:00.  An end before the beginning is a night shift that ends on the next day.
    """

    weekday: int
    from_min: int
    to_min: int

    def __post_init__(self) -> None:
        if not (0 <= self.weekday <= 6 and 0 <= self.from_min < DAY_MIN and 0 <= self.to_min <= DAY_MIN):
            raise ValueError(f"{self} is not within a week.")
        if self.from_min == self.to_min:
            raise ValueError(f"{self} takes no time.")


@dataclass(frozen=True, slots=True)
class ServiceHours:
    """When somebody is there: windows of a week in a time zone, holidays (local dates), closures (UTC pairs)."""

    zone: str
    windows: tuple[Window, ...]
    holidays: frozenset[date] = frozenset()
    closures: tuple[tuple[datetime, datetime], ...] = ()


def every_day(from_min: int, to_min: int, weekdays: range = range(7)) -> tuple[Window, ...]:
    """The same window on each of these weekdays."""
    return tuple(Window(weekday, from_min, to_min) for weekday in weekdays)


ALWAYS = ServiceHours("UTC", every_day(0, DAY_MIN))


def between(hours: ServiceHours, start: datetime, end: datetime) -> timedelta:
    """The service time from `start` to `end` (aware, any zone); ValueError when `end` is before `start`."""
    first, last = _us(start), _us(end)
    if last < first:
        raise ValueError(f"{end} is before {start}.")
    if _is_always(hours):
        return (last - first) * MICROSECOND
    year, last_year = _utc_year(first), _utc_year(last)
    worked = _year(hours, last_year).worked_before(last) - _year(hours, year).worked_before(first)
    for whole_year in range(year, last_year):
        worked += _year(hours, whole_year).total
    return worked * MICROSECOND


def add(hours: ServiceHours, start: datetime, worked: timedelta) -> datetime:
    """The first instant (UTC) at which `worked` service time has passed since `start`.

    For a time that is used up at closing time this is closing time, not the next opening.  ValueError when `worked`
    is negative, NeverOpen when the calendar does not hold that much.
    """
    return _reach(hours, start, worked, past=False)


def last_within(hours: ServiceHours, start: datetime, worked: timedelta) -> datetime:
    """The last instant (UTC) at which no more than `worked` service time has passed since `start`.

    For a time that is used up at closing time this is the next opening: until then nothing more is used.  Errors as
    `add`; NeverOpen also when the calendar never opens again.
    """
    return _reach(hours, start, worked, past=True)


def stretches(hours: ServiceHours, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of service time (UTC) from `start` to `end`, in order, adjacent ones joined."""
    first, last = _us(start), _us(end)
    if _is_always(hours):
        if first < last:
            yield _at(first), _at(last)
        return
    waiting: tuple[int, int] | None = None
    for year in range(_utc_year(first), _utc_year(last) + 1):
        for opens, closes in _year(hours, year).clipped(first, last):
            if waiting and waiting[1] == opens:
                waiting = (waiting[0], closes)
                continue
            if waiting:
                yield _at(waiting[0]), _at(waiting[1])
            waiting = (opens, closes)
    if waiting:
        yield _at(waiting[0]), _at(waiting[1])


def is_open(hours: ServiceHours, at: datetime) -> bool:
    """Whether service time is running at this instant."""
    return between(hours, at, at + MICROSECOND) > timedelta(0)


# --- Inside: microseconds since 1970, one block of intervals a UTC year ---


@dataclass(frozen=True, slots=True)
class _Year:
    """The service time of one UTC year: intervals, and how much lies before each of them."""

    starts: array[int]
    ends: array[int]
    before: array[int]
    total: int

    def worked_before(self, at: int) -> int:
        """Service time of this year before `at`."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        return self.before[index] + min(at, self.ends[index]) - self.starts[index]

    def reach(self, worked: int, *, past: bool) -> int | None:
        """When so much of this year has been worked; None when the year does not hold it.

        With `past` the last such instant (any more would be too much), otherwise the first.
        """
        if worked > self.total or (past and worked == self.total):
            return None
        find = bisect_right if past else bisect_left
        index = max(find(self.before, worked) - 1, 0)
        return self.starts[index] + worked - self.before[index]

    def clipped(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The intervals between two instants."""
        for index in range(max(bisect_right(self.starts, first) - 1, 0), bisect_left(self.starts, last)):
            opens, closes = max(self.starts[index], first), min(self.ends[index], last)
            if opens < closes:
                yield opens, closes


def _reach(hours: ServiceHours, start: datetime, worked: timedelta, *, past: bool) -> datetime:
    begin, need = _us(start), worked // MICROSECOND
    if need < 0:
        raise ValueError(f"{worked} is less than nothing.")
    if _is_always(hours) or (need == 0 and not past):
        return _at(begin + need)
    first = _utc_year(begin)
    need += _year(hours, first).worked_before(begin)
    for year in range(first, min(first + HORIZON_YEARS, 9999)):
        block = _year(hours, year)
        found = block.reach(need, past=past)
        if found is not None:
            return _at(found)
        need -= block.total
    raise NeverOpen(f"The calendar does not open for {worked} within {HORIZON_YEARS} years of {start}.")


@lru_cache(maxsize=256)
def _is_always(hours: ServiceHours) -> bool:
    if hours.holidays or hours.closures:
        return False
    return all(pieces == ((0, DAY_US),) for pieces in _pieces(hours.windows))


@lru_cache(maxsize=256)
def _year(hours: ServiceHours, year: int) -> _Year:
    first, last = _us(datetime(year, 1, 1, tzinfo=UTC)), _us(datetime(year + 1, 1, 1, tzinfo=UTC))
    intervals = _without(_joined(_open(hours, first, last)), _closed(hours))
    starts, ends, before = array("q"), array("q"), array("q")
    total = 0
    for opens, closes in intervals:
        starts.append(opens)
        ends.append(closes)
        before.append(total)
        total += closes - opens
    return _Year(starts, ends, before, total)


def _open(hours: ServiceHours, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Open intervals from `first` to `last`: local windows, moved to UTC offset by offset."""
    pieces = _pieces(hours.windows)
    holidays = {day.toordinal() - EPOCH_ORDINAL for day in hours.holidays}
    for since, until, offset in _offsets(ZoneInfo(hours.zone), first, last):
        for day in range((since + offset) // DAY_US, (until + offset - 1) // DAY_US + 1):
            if day in holidays:
                continue
            midnight = day * DAY_US - offset
            for from_us, to_us in pieces[(day + EPOCH_WEEKDAY) % 7]:
                opens, closes = max(midnight + from_us, since), min(midnight + to_us, until)
                if opens < closes:
                    yield opens, closes


def _pieces(windows: tuple[Window, ...]) -> list[tuple[tuple[int, int], ...]]:
    """Per weekday the windows that fall on it, night shifts cut at midnight, overlapping ones joined."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(7)]
    for window in windows:
        if window.to_min > window.from_min:
            found[window.weekday].append((window.from_min * MINUTE_US, window.to_min * MINUTE_US))
            continue
        found[window.weekday].append((window.from_min * MINUTE_US, DAY_US))
        if window.to_min:
            found[(window.weekday + 1) % 7].append((0, window.to_min * MINUTE_US))
    return [tuple(_joined(iter(sorted(pieces)))) for pieces in found]


def _offsets(zone: ZoneInfo, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Stretches `(since, until, offset)` in which the zone keeps its distance from UTC."""
    since, offset = first, _offset(zone, first)
    for lower in range(first, last, DAY_US):
        for changed in _changes(zone, lower, min(lower + DAY_US, last)):
            yield since, changed, offset
            since, offset = changed, _offset(zone, changed)
    yield since, last, offset


def _changes(zone: ZoneInfo, lower: int, upper: int) -> Iterator[int]:
    """The seconds between the two at which the offset changes.  A change undone within a day goes unseen."""
    if _offset(zone, lower) == _offset(zone, upper):
        return
    if upper - lower <= SECOND_US:
        yield upper
        return
    middle = (lower + upper) // 2 // SECOND_US * SECOND_US
    yield from _changes(zone, lower, middle)
    yield from _changes(zone, middle, upper)


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = _at(at).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // MICROSECOND


def _closed(hours: ServiceHours) -> list[tuple[int, int]]:
    return list(_joined(iter(sorted((_us(start), _us(end)) for start, end in hours.closures if start < end))))


def _joined(intervals: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Touching and overlapping neighbours as one; the input is in order of its starts."""
    waiting: tuple[int, int] | None = None
    for opens, closes in intervals:
        if waiting is None:
            waiting = (opens, closes)
        elif opens <= waiting[1]:
            waiting = (waiting[0], max(waiting[1], closes))
        else:
            yield waiting
            waiting = (opens, closes)
    if waiting is not None:
        yield waiting


def _without(
    intervals: Iterator[tuple[int, int]], closed: list[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """The intervals less the closed ones; both in order, neither overlapping itself."""
    for opens, closes in intervals:
        since = opens
        for shut, reopened in closed:
            if shut >= closes:
                break
            if reopened <= since:
                continue
            if shut > since:
                yield since, shut
            since = reopened
        if since < closes:
            yield since, closes


def _us(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone.")
    # Through UTC: two times of one zone would be subtracted on the wall.
    return (at.astimezone(UTC) - EPOCH) // MICROSECOND


def _at(us: int) -> datetime:
    return EPOCH + us * MICROSECOND


def _utc_year(us: int) -> int:
    return _at(us).year
