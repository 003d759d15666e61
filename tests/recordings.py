"""Audit logs as the replay reads them, written by us: rows for the tests of single rules, whole logs for replays."""

from __future__ import annotations

import csv
import io
import lzma
import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

Row = dict[str, str]

ROW: Mapping[str, str] = {
    "number": "INC0000001",
    "incident_state": "New",
    "opened_at": "1/2/2016 08:00",
    "sys_updated_at": "1/2/2016 08:05",
    "sys_updated_by": "Updated by 1",
    "category": "Category 1",
    "priority": "3 - Moderate",
    "assignment_group": "Group 1",
    "resolved_at": "?",
    "closed_at": "?",
}

# What is recorded of an incident after `New`; None is a change that no ticket shows.
LIVES: tuple[tuple[str | None, ...], ...] = (
    ("Active", "Resolved", "Closed"),
    ("Active", "Awaiting User Info", "Active", "Resolved", "Closed"),
    ("Active", None, "Awaiting Vendor", None, "Resolved", "Resolved", "Closed"),
    ("Active", "Resolved", "Active", "Resolved", "Closed"),
    ("Awaiting Problem", "New", "Active", "Resolved", "Closed"),
    ("Resolved", None, "Closed"),
)
PRIORITIES = ("1 - Critical", "2 - High", "3 - Moderate", "4 - Low")


def row(**values: str) -> Row:
    """A row that is in order, with these values instead."""
    return {**ROW, **values}


def text_of(rows: Iterable[Mapping[str, str]]) -> str:
    """The rows as the text of a file."""
    kept = list(rows)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(kept[0]))
    writer.writeheader()
    writer.writerows(kept)
    return file.getvalue()


def write(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """A log with these rows, packed if the name ends in `.xz`; returns its path."""
    content = text_of(rows).encode()
    path.write_bytes(lzma.compress(content) if path.suffix == ".xz" else content)
    return path


def log(incidents: int) -> list[Row]:
    """A log of so many incidents, about five rows each: every kind of life, always the same."""
    dice = random.Random(20160229)
    return [row for number in range(incidents) for row in _incident(number, dice)]


def _incident(number: int, dice: random.Random) -> Iterator[Row]:
    opened = datetime(2016, 2, 29, 8) + timedelta(minutes=number * 97)  # noqa: DTZ001
    life = LIVES[number % len(LIVES)]
    states = ["New"]
    for state in life:
        states.append(state or states[-1])
    # Some stand in Resolved without ever having been resolved.
    is_resolved = number % 10 != 9
    # Times tie now and then, as they do in recorded logs.
    times = [opened + timedelta(minutes=5)]
    for _ in life:
        times.append(times[-1] + timedelta(minutes=dice.choice((0, 7, 64, 611))))
    last_resolved = max(at for state, at in zip(states, times, strict=True) if state == "Resolved")
    priority, group = dice.choice(PRIORITIES), dice.randint(1, 9)
    for change, state, at in zip(("New", *life), states, times, strict=True):
        # What is resolved keeps its priority, as in the logs that ServiceNow writes.
        if change and change != "Closed" and dice.random() < 0.3:
            priority = dice.choice(PRIORITIES)
        if change and dice.random() < 0.3:
            group = dice.randint(1, 9)
        yield row(
            number=f"INC{number + 1:07}",
            incident_state=state,
            opened_at=_time(opened),
            sys_updated_at=_time(at),
            sys_updated_by=f"Updated by {dice.randint(1, 20)}",
            category=f"Category {number % 7}",
            priority=priority,
            assignment_group=f"Group {group}" if number % 8 else "?",
            resolved_at=_time(last_resolved) if is_resolved else "?",
            closed_at=_time(times[-1]),
        )


def _time(at: datetime) -> str:
    return f"{at.day}/{at.month}/{at.year} {at:%H:%M}"
