"""How values are put for people: durations in words, the tone of a state, an entry of a timeline.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# State -> (tone, icon).  Colour never speaks alone: the badge has its word.
TONES: dict[str, str] = {
    **dict.fromkeys(
        [
            "active",
            "ready",
            "ok",
            "met",
            "done",
            "delivered",
            "published",
            "applied",
            "green",
            "linked",
            "succeeded",
        ],
        "green",
    ),
    **dict.fromkeys(["new", "sent", "running", "open", "in_progress", "waiting", "trying"], "azure"),
    **dict.fromkeys(
        ["paused", "at_risk", "held", "retrying", "pending", "degraded", "draft", "reviewed"], "orange"
    ),
    **dict.fromkeys(
        ["parked", "broken", "breached", "failed", "refused", "stopped", "missing", "conflict"], "red"
    ),
}
PLAIN_TONE = "secondary"


@dataclass(frozen=True, slots=True)
class Chip:
    """A small label below a timeline entry: a system, a file, a rule."""

    label: str
    tone: str = PLAIN_TONE


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened, for `portal/_timeline.html`.  `text` is escaped; an entry shows icon or initials."""

    at: datetime
    title: str
    context: str = ""
    text: str = ""
    icon: str = ""
    initials: str = ""
    tone: str = "blue"
    chips: Sequence[Chip] = ()
    note: str = ""
    url: str = ""


def tone_of(state: str) -> str:
    """The colour of a state's badge; grey for what is over or unknown."""
    return TONES.get(str(state).lower().replace(" ", "_").replace("-", "_"), PLAIN_TONE)


def duration_words(value: timedelta | float | None) -> str:
    """A duration (or seconds) in its two largest units: "45 s", "11 min", "1 h 46 min", "3 d 4 h"; "–" for None.

    Cut, not rounded: a clock that shows "0 min left" must not be past its time.
    """
    if value is None:
        return "–"
    seconds = int(value.total_seconds() if isinstance(value, timedelta) else value)
    sign, seconds = ("−", -seconds) if seconds < 0 else ("", seconds)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes == 0:
        return f"{sign}{seconds} s"
    if hours == 0:
        return f"{sign}{minutes} min"
    if days == 0:
        return f"{sign}{hours} h {minutes % 60} min" if minutes % 60 else f"{sign}{hours} h"
    return f"{sign}{days} d {hours % 24} h" if hours % 24 else f"{sign}{days} d"


def ago_words(moment: datetime, now: datetime) -> str:
    """How far from `now`: "just now", "4 min ago", "in 2 h"."""
    distance = now - moment
    if abs(distance) < timedelta(seconds=5):
        return "just now"
    if distance < timedelta():
        return f"in {duration_words(-distance)}"
    return f"{duration_words(distance)} ago"
