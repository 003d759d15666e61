"""Where a sandbox gets the time from: the real clock, or one that a test or a drill sets by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The sandbox's idea of now; always aware and in UTC."""

    def now(self) -> datetime: ...


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """The moment it was last moved to."""
        return self._at

    def set(self, at: datetime) -> None:
        """Move it to `at`, backwards too."""
        self._at = at.astimezone(UTC)

    def advance(self, seconds: float) -> None:
        """Move it forward."""
        self._at += timedelta(seconds=seconds)


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time; one without a zone is UTC.  ValueError when it is not a time."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def stamp(at: datetime) -> str:
    """The time with seconds, as Zendesk writes it: `2026-01-01T10:00:00Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
