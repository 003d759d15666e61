"""Attainment: how many tickets were opened, answered and resolved, how fast, and whether in time.

Every report is one pass over clocks: grouped by the database where it can compute what is asked (percentiles are
PostgreSQL's), otherwise streamed, so that a million clocks are never held as objects.  Percentiles interpolate linearly between neighbours, as
numpy and PostgreSQL's percentile_cont do.  Nothing is written.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from django.db import connections
from django.db.models import Aggregate, Avg, Count, Field, Q, QuerySet

from slas.clock import Kind, State
from slas.matrix import Priority
from slas.models import Clock

MINUTE_S = 60
PORTION = 10_000
FINISHED = Q(state=State.STOPPED)
AT_WORK = Q(state__in=(State.RUNNING, State.PAUSED))
BREACHED = Q(is_breached=True)
MET = Q(state=State.STOPPED, is_breached=False, target_s__isnull=False)


class By(StrEnum):
    """What a report has a line for."""

    PROVIDER = "provider"
    CUSTOMER = "customer"
    AGREEMENT = "agreement"
    PRIORITY = "priority"
    TYPE = "type"
    # The month in which the clock began: as a rule, in which the ticket was opened.
    MONTH = "month"


class Times(StrEnum):
    """Which durations a report tells of."""

    NONE = "none"
    SERVICE = "service"
    ALL = "all"


_COLUMNS = {
    By.PROVIDER: "agreement__provider__name",
    By.CUSTOMER: "agreement__customer__name",
    By.AGREEMENT: "agreement__name",
    By.PRIORITY: "priority",
    By.TYPE: "type",
    By.MONTH: "month",
}

# Words, except for months (the first day of each).
Key = tuple[str | date, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """How durations are spread, in minutes."""

    mean_min: float
    median_min: float
    p90_min: float


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report.

    `opened` counts every clock that began, `finished` those answered or resolved, `at_work` those that still run or
    are paused; the others were closed without.  `wall` and `service` tell how long the finished ones took, from the
    opening on the wall clock and in service time less pauses; None when there are none.
    """

    key: Key
    opened: int
    finished: int
    at_work: int
    met: int
    breached: int
    wall: Spread | None
    service: Spread | None

    @property
    def judged(self) -> int:
        """How many have a verdict: met, or breached whether finished or not."""
        return self.met + self.breached

    @property
    def share_met(self) -> float | None:
        """Part of the judged ones that was in time, 0 to 1; None when none is judged."""
        return self.met / self.judged if self.judged else None


def attainment(
    clocks: QuerySet[Clock], kind: Kind, by: Sequence[By] = (), times: Times = Times.ALL
) -> list[Line]:
    """One line for each combination of `by` that occurs, in the order of its keys, priorities by their rank.

    `clocks` says which ones count (`Clock.objects.visible_to(user)`); without `by` there is one line, if any.
    Counting a million takes a moment, putting their durations in order some more: `times` says which are wanted.
    """
    rows = clocks.filter(kind=kind.value).order_by()
    columns = [_COLUMNS[one] for one in by]
    if connections[rows.db].vendor == "postgresql" or times is Times.NONE:
        lines = _grouped(rows, columns, times)
    else:
        lines = _streamed(rows, columns, times)
    return sorted(
        lines, key=lambda line: [_rank(one, value) for one, value in zip(by, line.key, strict=True)]
    )


def total(clocks: QuerySet[Clock], kind: Kind, times: Times = Times.ALL) -> Line:
    """Everything in one line, also when there is nothing."""
    found = attainment(clocks, kind, times=times)
    return found[0] if found else Line((), 0, 0, 0, 0, 0, None, None)


def behind(clocks: QuerySet[Clock], kind: Kind, by: Sequence[By], key: Key) -> QuerySet[Clock]:
    """The clocks that a line counts: what a number opens when somebody asks where it comes from."""
    wanted = {_COLUMNS[one]: value for one, value in zip(by, key, strict=True)}
    return clocks.filter(kind=kind.value, **wanted)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, interpolated linearly; ValueError for no values."""
    if not ordered:
        raise ValueError("There is no percentile of nothing.")
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _rank(by: By, value: str | date) -> tuple[int, str]:
    if by is By.PRIORITY:
        ranks = {priority.value: priority.rank for priority in Priority}
        # Tickets without a priority come last.
        return ranks.get(str(value), len(ranks) + 1), ""
    return 0, value.isoformat() if isinstance(value, date) else value


# --- The database groups by itself ---


class _Percentiles(Aggregate):
    """PostgreSQL's percentile_cont of an expression, for the median and the ninetieth at once: put in order once."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY %(expressions)s)"
    # An array, which comes as a list without a field of PostgreSQL's own.
    output_field = Field()


_COUNTS = {
    "opened_n": Count("pk"),
    "finished_n": Count("pk", filter=FINISHED),
    "at_work_n": Count("pk", filter=AT_WORK),
    "met_n": Count("pk", filter=MET),
    "breached_n": Count("pk", filter=BREACHED),
}
_SPREADS = {
    "wall": {
        "wall_mean": Avg("wall_s", filter=FINISHED),
        "wall_percentiles": _Percentiles("wall_s", filter=FINISHED),
    },
    "service": {
        "service_mean": Avg("elapsed_s", filter=FINISHED),
        "service_percentiles": _Percentiles("elapsed_s", filter=FINISHED),
    },
}
_TOLD: Mapping[Times, tuple[str, ...]] = {
    Times.NONE: (),
    Times.SERVICE: ("service",),
    Times.ALL: ("wall", "service"),
}


def _grouped(rows: QuerySet[Clock], columns: Sequence[str], times: Times) -> Iterable[Line]:
    numbers: dict[str, Aggregate] = {**_COUNTS}
    for name in _TOLD[times]:
        numbers |= _SPREADS[name]
    # Grouping by a constant makes a total a group like any other: none when there are no rows.
    found = rows.values(*columns).annotate(**numbers) if columns else [rows.aggregate(**numbers)]
    for row in found:
        if not row["opened_n"]:
            continue
        yield Line(
            key=tuple(row[column] for column in columns),
            opened=row["opened_n"],
            finished=row["finished_n"],
            at_work=row["at_work_n"],
            met=row["met_n"],
            breached=row["breached_n"],
            wall=_spread(row, "wall"),
            service=_spread(row, "service"),
        )


def _spread(row: dict[str, Any], name: str) -> Spread | None:
    if row.get(f"{name}_mean") is None:
        return None
    seconds = (row[f"{name}_mean"], *row[f"{name}_percentiles"])
    return Spread(*(float(one) / MINUTE_S for one in seconds))


# --- Elsewhere the rows are streamed ---


@dataclass(slots=True)
class _Tally:
    """What has been counted of one line so far; durations take eight bytes each."""

    opened: int = 0
    at_work: int = 0
    met: int = 0
    breached: int = 0
    wall_s: array[int] = field(default_factory=lambda: array("q"))
    service_s: array[int] = field(default_factory=lambda: array("q"))

    def line(self, key: Key) -> Line:
        """The finished line."""
        return Line(
            key=key,
            opened=self.opened,
            finished=len(self.service_s),
            at_work=self.at_work,
            met=self.met,
            breached=self.breached,
            wall=_spread_of(self.wall_s),
            service=_spread_of(self.service_s),
        )


def _streamed(rows: QuerySet[Clock], columns: Sequence[str], times: Times) -> Iterable[Line]:
    tallies: dict[Key, _Tally] = {}
    fields = ("state", "is_breached", "target_s", "wall_s", "elapsed_s")
    for *key, state, is_breached, target_s, wall_s, elapsed_s in rows.values_list(*columns, *fields).iterator(
        chunk_size=PORTION
    ):
        tally = tallies.get(tuple(key))
        if tally is None:
            tally = tallies[tuple(key)] = _Tally()
        tally.opened += 1
        tally.breached += is_breached
        if state == State.STOPPED:
            tally.met += not is_breached and target_s is not None
            tally.service_s.append(elapsed_s)
            if times is Times.ALL:
                tally.wall_s.append(wall_s)
        else:
            tally.at_work += state != State.ENDED
    return [tally.line(key) for key, tally in tallies.items()]


def _spread_of(seconds: array[int]) -> Spread | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    mean = sum(ordered) / len(ordered)
    numbers = (mean, percentile(ordered, 0.5), percentile(ordered, 0.9))
    return Spread(*(number / MINUTE_S for number in numbers))
