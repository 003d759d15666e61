"""A drawing of stretches of time, a line each: what the SVG in `portal/tickets/_drawing.html` is made of.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, LEFT, RIGHT, ROW, TOP, BOTTOM = 1240, 220, 20, 40, 26, 26
STEPS = [
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 360, 720, 1440, 2880, 10080, 43200)
]
MOST_TICKS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a line; `x` and `width` in its units."""

    x: float
    width: float
    fill: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line with its word, or a tick of the axis."""

    x: float
    at: datetime
    label: str = ""
    stroke: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a clock, or a company."""

    y: float
    label: str
    below: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Stretches along one axis of time.  Coordinates of an SVG `width` wide and `height` high; lines begin at `left`."""

    width: int
    height: int
    left: int
    lines: tuple[Line, ...]
    ticks: tuple[Mark, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """Time along the drawing."""

    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Where a moment lies."""
        share = (min(max(at, self.start), self.end) - self.start) / (self.end - self.start)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self) -> tuple[Mark, ...]:
        """Round moments, few enough to be read."""
        span = self.end - self.start
        step = next((one for one in STEPS if span / one <= MOST_TICKS), span / MOST_TICKS)
        seconds = step.total_seconds()
        first = datetime.fromtimestamp(-(-self.start.timestamp() // seconds) * seconds, tz=self.start.tzinfo)
        count = int((self.end - first) / step) + 1
        return tuple(Mark(self.x(first + step * place), first + step * place) for place in range(count))
