"""When somebody is told of an alert: at once or in a digest, and not in quiet hours.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from integrations.watch.conditions import Severity


class Manner(StrEnum):
    """How news is put together."""

    AT_ONCE = "at_once"
    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Wishes:
    """How somebody wants to be told; times of day are in their own zone.

    Quiet hours may cross midnight; the same time twice, or none, means that there are none.  `critical_at_once`:
    critical alerts wait neither for the digest nor for the end of quiet hours.
    """

    manner: Manner
    zone: ZoneInfo
    digest_at: time = time(8)
    quiet_from: time | None = None
    quiet_until: time | None = None
    critical_at_once: bool = True


def due_at(wishes: Wishes, severity: Severity, now: datetime) -> datetime:
    """When to tell news that comes at `now`, in UTC."""
    if severity == Severity.CRITICAL and wishes.critical_at_once:
        return now
    match wishes.manner:
        case Manner.AT_ONCE:
            found = now
        case Manner.HOURLY:
            found = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        case Manner.DAILY:
            found = next_time(wishes.digest_at, wishes.zone, now)
    return _after_quiet(wishes, found)


def next_time(at: time, zone: ZoneInfo, now: datetime) -> datetime:
    """The next moment after `now` at which it is `at` in the zone, in UTC."""
    here = now.astimezone(zone)
    found = _moment(here.date(), at, zone)
    return found if found > now else _moment(here.date() + timedelta(days=1), at, zone)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)


def _after_quiet(wishes: Wishes, moment: datetime) -> datetime:
    begins, ends = wishes.quiet_from, wishes.quiet_until
    if begins is None or ends is None or begins == ends:
        return moment
    here = moment.astimezone(wishes.zone).time()
    is_quiet = begins <= here < ends if begins < ends else here >= begins or here < ends
    return next_time(ends, wishes.zone, moment) if is_quiet else moment
