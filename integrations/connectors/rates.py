"""What an answer tells of a system's limits on calls, as one value whatever the vendor's headers are called.  Pure.

Every answer is read, those with status 200 too: they tell what is left before anything is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

# No vendor counts over more than a day; a number beyond is somebody's mistake.
_LATEST_S = 86_400
_MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class Told:
    """The account's limit as one answer tells it; None is what it does not say.

    `limit` calls in `window_s` seconds, `left` of them until `resets_at`.  `wait_s`: for so long the system asks us to
    stay away, although it may have answered.  `delay_s`: for so long it held this answer back.
    """

    limit: int | None = None
    left: int | None = None
    resets_at: datetime | None = None
    window_s: int | None = None
    wait_s: float | None = None
    delay_s: float | None = None


# A vendor's reader of headers: (status, headers, now) -> what they tell, or None where they tell nothing.
RatesReader = Callable[[int, Mapping[str, str], datetime], Told | None]
# As how many calls a request counts: (whether it writes, its JSON body) -> calls.
Pricer = Callable[[bool, object], int]


def told_or_none(told: Told) -> Told | None:
    """The value itself, or None when it says nothing."""
    return None if told == Told(window_s=told.window_s) else told


def number(headers: Mapping[str, str], name: str) -> int | None:
    """A whole number from 0 on; None where the header is missing or holds something else."""
    text = (headers.get(name) or headers.get(name.lower()) or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    return min(int(text), _MOST)


def seconds(headers: Mapping[str, str], name: str) -> float | None:
    """A length of time in seconds, with or without a fraction."""
    text = (headers.get(name) or headers.get(name.lower()) or "").strip()
    if not text.isascii() or not text.replace(".", "", 1).isdigit() or len(text) > 16:
        return None
    return min(float(text), float(_LATEST_S))


def unix_time(headers: Mapping[str, str], name: str, now: datetime) -> datetime | None:
    """A moment given in seconds since 1970, if it lies within a day from now."""
    text = (headers.get(name) or headers.get(name.lower()) or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    return _sane(datetime.fromtimestamp(int(text), UTC), now)


def iso_time(headers: Mapping[str, str], name: str, now: datetime) -> datetime | None:
    """A moment in ISO 8601, UTC where no zone is given, if it lies within a day from now."""
    try:
        at = datetime.fromisoformat((headers.get(name) or headers.get(name.lower()) or "").strip())
    except ValueError:
        return None
    return _sane(at if at.tzinfo else at.replace(tzinfo=UTC), now)


def _sane(at: datetime, now: datetime) -> datetime | None:
    return at if abs((at - now).total_seconds()) <= _LATEST_S else None
