"""Working time in many zones, against a count minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slas.calendars import (
    ALWAYS,
    NeverOpen,
    ServiceHours,
    Window,
    add,
    between,
    every_day,
    is_open,
    last_within,
    stretches,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = ServiceHours("Europe/Berlin", every_day(8 * 60, 18 * 60, range(5)))
NIGHT = ServiceHours("Europe/Berlin", every_day(22 * 60, 6 * 60))

# Where the clocks change, with a moment nearby: half an hour (Lord Howe), a date that never was (Apia 2011), Ramadan
# (Casablanca), midnight (São Paulo, Beirut), a quarter of an hour off (Chatham), two hours (Troll), never (Kolkata).
TURNS = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 4)),
    ("Australia/Lord_Howe", date(2026, 10, 3)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Pacific/Apia", date(2011, 4, 2)),
    ("Africa/Casablanca", date(2026, 2, 15)),
    ("Africa/Casablanca", date(2026, 3, 22)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Sao_Paulo", date(2018, 2, 18)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Pacific/Chatham", date(2026, 4, 4)),
    ("Antarctica/Troll", date(2026, 3, 29)),
    ("Asia/Kolkata", date(2026, 1, 1)),
    ("UTC", date(2025, 12, 31)),
]


def counted(hours: ServiceHours, start: datetime, end: datetime) -> timedelta:
    """The slow way: look at the wall clock at every minute."""
    zone, minutes = ZoneInfo(hours.zone), 0
    at = start
    while at < end:
        local = at.astimezone(zone)
        minute = local.hour * 60 + local.minute
        shuts = any(since <= at < until for since, until in hours.closures)
        minutes += (
            not shuts and local.date() not in hours.holidays and _is_covered(hours, local.weekday(), minute)
        )
        at += MINUTE
    return minutes * MINUTE


def _is_covered(hours: ServiceHours, weekday: int, minute: int) -> bool:
    for window in hours.windows:
        if window.from_min < window.to_min:
            covered = window.weekday == weekday and window.from_min <= minute < window.to_min
        else:
            evening = window.weekday == weekday and minute >= window.from_min
            morning = (window.weekday + 1) % 7 == weekday and minute < window.to_min
            covered = evening or morning
        if covered:
            return True
    return False


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    """Any week: short and long days, night shifts, overlaps, 24:00."""
    found = []
    for _ in range(draw(st.integers(1, 8))):
        weekday, from_min = draw(st.integers(0, 6)), draw(st.integers(0, 1439))
        to_min = draw(st.integers(0, 1440).filter(lambda minute, begin=from_min: minute != begin))
        found.append(Window(weekday, from_min, to_min))
    return tuple(found)


@st.composite
def cases(draw: st.DrawFn) -> tuple[ServiceHours, datetime]:
    """A calendar, and a moment close to where its zone is difficult."""
    zone, turn = draw(st.sampled_from(TURNS))
    midnight = datetime(turn.year, turn.month, turn.day, tzinfo=UTC)
    start = midnight + draw(st.integers(-3 * 1440, 2 * 1440)) * MINUTE
    holidays = draw(st.frozensets(st.integers(-3, 4).map(lambda days: turn + timedelta(days)), max_size=2))
    closures = tuple(
        (start + first * MINUTE, start + (first + length) * MINUTE)
        for first, length in draw(
            st.lists(st.tuples(st.integers(-600, 4000), st.integers(1, 900)), max_size=3)
        )
    )
    return ServiceHours(zone, draw(windows()), holidays, closures), start


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(0, 4 * 1440))
def test_between_is_what_a_count_of_minutes_gives(
    case: tuple[ServiceHours, datetime], length_min: int
) -> None:
    hours, start = case
    end = start + length_min * MINUTE

    assert between(hours, start, end) == counted(hours, start, end)


@settings(max_examples=400, deadline=None)
@given(cases(), st.integers(0, 50 * 3_600_000_000))
def test_as_much_passes_until_a_due_time_as_was_added(
    case: tuple[ServiceHours, datetime], worked_us: int
) -> None:
    hours, start = case
    worked = timedelta(microseconds=worked_us)

    due, last = add(hours, start, worked), last_within(hours, start, worked)

    assert between(hours, start, due) == worked == between(hours, start, last)
    assert start <= due <= last
    tick = timedelta(microseconds=1)
    # The first such moment, and the last.
    assert not worked or between(hours, start, due - tick) == worked - tick
    assert between(hours, start, last + tick) == worked + tick


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(0, 400 * 86_400_000_000), st.integers(0, 400 * 86_400_000_000))
def test_working_time_adds_up(case: tuple[ServiceHours, datetime], first_us: int, second_us: int) -> None:
    hours, start = case
    middle = start + timedelta(microseconds=first_us)
    end = middle + timedelta(microseconds=second_us)

    assert between(hours, start, middle) + between(hours, middle, end) == between(hours, start, end)


@settings(max_examples=100, deadline=None)
@given(cases(), st.integers(0, 800 * 1440))
def test_the_stretches_are_the_working_time(case: tuple[ServiceHours, datetime], length_min: int) -> None:
    hours, start = case
    end = start + length_min * MINUTE

    found = list(stretches(hours, start, end))

    assert sum((closes - opens for opens, closes in found), timedelta()) == between(hours, start, end)
    edges = [edge for stretch in found for edge in stretch]
    assert edges == sorted(set(edges)), "in order, with a gap between any two"
    assert all(start <= edge <= end for edge in edges)


def at_berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


@pytest.mark.parametrize(
    ("hours", "start", "end", "worked"),
    [
        (OFFICE, at_berlin("2026-11-23T09:00"), at_berlin("2026-11-23T09:30"), 0.5),
        (OFFICE, at_berlin("2026-11-23T17:00"), at_berlin("2026-11-24T09:00"), 2),
        (OFFICE, at_berlin("2026-11-20T17:00"), at_berlin("2026-11-23T09:00"), 2),
        (OFFICE, at_berlin("2026-11-21T00:00"), at_berlin("2026-11-22T23:00"), 0),
        # A night of 8 hours, of 7 in spring and of 9 in autumn.
        (NIGHT, at_berlin("2026-11-23T20:00"), at_berlin("2026-11-24T10:00"), 8),
        (NIGHT, at_berlin("2026-03-28T20:00"), at_berlin("2026-03-29T10:00"), 7),
        (NIGHT, at_berlin("2026-10-24T20:00"), at_berlin("2026-10-25T10:00"), 9),
        # Whole days of 23 and 25 hours.
        (ALWAYS, at_berlin("2026-03-29T00:00"), at_berlin("2026-03-30T00:00"), 23),
        (ALWAYS, at_berlin("2026-10-25T00:00"), at_berlin("2026-10-26T00:00"), 25),
        # 02:30 happens twice.
        (NIGHT, at_berlin("2026-10-25T02:30"), at_berlin("2026-10-25T02:30", fold=1), 1),
    ],
)
def test_working_hours_of_known_days(
    hours: ServiceHours, start: datetime, end: datetime, worked: float
) -> None:
    assert between(hours, start, end) == worked * HOUR


def test_a_date_that_never_was_has_no_working_time() -> None:
    apia = ServiceHours("Pacific/Apia", every_day(0, 1440))
    zone = ZoneInfo("Pacific/Apia")
    start, end = datetime(2011, 12, 29, tzinfo=zone), datetime(2012, 1, 1, tzinfo=zone)

    assert between(apia, start, end) == 2 * 24 * HOUR


def test_a_window_until_midnight_meets_the_next_day() -> None:
    late = ServiceHours("UTC", (Window(0, 20 * 60, 1440), Window(1, 0, 4 * 60)))
    monday = datetime(2026, 11, 23, tzinfo=UTC)

    assert list(stretches(late, monday, monday + timedelta(days=7))) == [
        (monday + 20 * HOUR, monday + 28 * HOUR)
    ]


def test_a_service_across_new_year_is_one_stretch() -> None:
    start, end = datetime(2026, 12, 31, 20, tzinfo=UTC), datetime(2027, 1, 1, 12, tzinfo=UTC)
    night = ServiceHours("UTC", every_day(22 * 60, 6 * 60))

    assert list(stretches(night, start, end)) == [
        (datetime(2026, 12, 31, 22, tzinfo=UTC), datetime(2027, 1, 1, 6, tzinfo=UTC))
    ]


def test_a_holiday_takes_out_its_date_in_the_calendars_own_zone() -> None:
    christmas = ServiceHours("Europe/Berlin", NIGHT.windows, frozenset({date(2026, 12, 25)}))

    # The shift of the 24th ends at midnight, that of the 25th begins at midnight.
    assert list(stretches(christmas, at_berlin("2026-12-24T12:00"), at_berlin("2026-12-26T12:00"))) == [
        (datetime(2026, 12, 24, 21, tzinfo=UTC), datetime(2026, 12, 24, 23, tzinfo=UTC)),
        (datetime(2026, 12, 25, 23, tzinfo=UTC), datetime(2026, 12, 26, 5, tzinfo=UTC)),
    ]


def test_closures_that_overlap_are_taken_out_once() -> None:
    nine = at_berlin("2026-11-23T09:00")
    closed = ServiceHours(
        OFFICE.zone, OFFICE.windows, closures=((nine, nine + 2 * HOUR), (nine + HOUR, nine + 3 * HOUR))
    )

    assert between(closed, nine - HOUR, nine + 4 * HOUR) == 2 * HOUR
    assert add(closed, nine - HOUR, 90 * MINUTE) == nine + 3 * HOUR + 30 * MINUTE


def test_time_used_up_at_closing_is_due_at_closing_and_late_only_after_the_next_opening() -> None:
    friday = at_berlin("2026-11-20T08:00")

    assert add(OFFICE, friday, 10 * HOUR) == at_berlin("2026-11-20T18:00")
    assert last_within(OFFICE, friday, 10 * HOUR) == at_berlin("2026-11-23T08:00")


def test_nothing_added_is_now_even_when_closed() -> None:
    sunday = at_berlin("2026-11-22T12:00")

    assert add(OFFICE, sunday, timedelta()) == sunday
    assert last_within(OFFICE, sunday, timedelta()) == at_berlin("2026-11-23T08:00")


def test_a_month_of_office_hours_ends_on_the_right_day_across_the_change_of_clocks() -> None:
    due = add(OFFICE, at_berlin("2026-10-19T08:00"), 100 * HOUR)

    assert due == at_berlin("2026-10-30T18:00")


def test_whether_it_is_open() -> None:
    moments = ["2026-11-23T07:59", "2026-11-23T08:00", "2026-11-23T17:59", "2026-11-23T18:00"]

    assert [is_open(OFFICE, at_berlin(moment)) for moment in moments] == [False, True, True, False]


def test_a_calendar_without_hours_never_opens() -> None:
    never = ServiceHours("UTC", ())
    now = datetime(2026, 11, 23, tzinfo=UTC)

    assert between(never, now, now + timedelta(days=9)) == timedelta()
    with pytest.raises(NeverOpen):
        add(never, now, MINUTE)


def test_the_round_the_clock_calendar_needs_no_zone() -> None:
    start = at_berlin("2026-10-24T12:00")

    assert add(ALWAYS, start, timedelta(days=1)) == at_berlin("2026-10-25T11:00")
    assert last_within(ALWAYS, start, MINUTE) == add(ALWAYS, start, MINUTE)
    assert list(stretches(ALWAYS, start, start)) == []


@pytest.mark.parametrize("window", [(7, 0, 60), (0, -1, 60), (0, 1440, 10), (0, 0, 1441), (0, 60, 60)])
def test_a_window_outside_the_week_is_refused(window: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"within a week|takes no time"):
        Window(*window)


def test_a_span_backwards_or_without_a_zone_is_refused() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)

    with pytest.raises(ValueError, match="is before"):
        between(OFFICE, now, now - MINUTE)
    with pytest.raises(ValueError, match="no time zone"):
        between(OFFICE, datetime(2026, 11, 23), now)  # noqa: DTZ001  # that is the point
    with pytest.raises(ValueError, match="less than nothing"):
        add(OFFICE, now, -MINUTE)
