"""Service levels worked out from the log alone, by code that shares nothing with the service levels app.  Pure.

One incident is all rows of its number; its final state is its last row; month is that of opened_at; minutes are
resolved_at − opened_at on the wall clock; percentiles interpolate linearly between neighbours.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from portal.replay.log import Incident

NAMES = {"1 - Critical": "critical", "2 - High": "high", "3 - Moderate": "medium", "4 - Low": "low"}

Cell = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """One cell of the table.  Minutes are None when nothing in it was resolved."""

    incidents: int
    resolved: int
    mean_min: float | None
    median_min: float | None
    p90_min: float | None


def by_priority(incidents: Iterable[Incident]) -> dict[Cell, Figures]:
    """A cell for each priority."""
    return _table(incidents, lambda one: (NAMES[one.priority],))


def by_priority_and_month(incidents: Iterable[Incident]) -> dict[Cell, Figures]:
    """A cell for each priority and month of opening (`2016-02`)."""
    return _table(incidents, lambda one: (NAMES[one.priority], f"{one.opened_at:%Y-%m}"))


def _table(incidents: Iterable[Incident], key: Callable[[Incident], Cell]) -> dict[Cell, Figures]:
    cells: dict[Cell, list[float | None]] = {}
    for incident in incidents:
        minutes = None
        if incident.resolved_at is not None:
            minutes = (incident.resolved_at - incident.opened_at).total_seconds() / 60
        cells.setdefault(key(incident), []).append(minutes)
    return {cell: _figures(minutes) for cell, minutes in sorted(cells.items())}


def _figures(minutes: list[float | None]) -> Figures:
    known = sorted(one for one in minutes if one is not None)
    if not known:
        return Figures(len(minutes), 0, None, None, None)
    deciles = statistics.quantiles(known, n=10, method="inclusive") if len(known) > 1 else [known[0]]
    return Figures(len(minutes), len(known), statistics.fmean(known), statistics.median(known), deciles[-1])
