"""The service levels that Concord recorded, beside what the log itself says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from integrations.models import Connection, LinkedTicket
from portal.replay import arithmetic
from portal.replay.arithmetic import Cell, Figures
from portal.replay.log import Incident
from slas.clock import Kind
from slas.models import Clock
from slas.reports import By, attainment

# Agreement is asked for to the minute, which is how exactly the log tells.
TOLERANCE_MIN = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """One cell, measured and expected."""

    cell: Cell
    measured: Figures | None
    expected: Figures

    @property
    def worst_min(self) -> float | None:
        """The largest difference in minutes; None when counts differ, which no minutes express."""
        if self.measured is None:
            return None
        pairs = list(zip(_minutes(self.measured), _minutes(self.expected), strict=True))
        counts = (self.measured.incidents, self.measured.resolved) == (
            self.expected.incidents,
            self.expected.resolved,
        )
        if not counts or any((one is None) != (other is None) for one, other in pairs):
            return None
        return max(
            (abs(one - other) for one, other in pairs if one is not None and other is not None), default=0.0
        )

    @property
    def agrees(self) -> bool:
        """Whether counts are the same and times agree to the minute."""
        return self.worst_min is not None and self.worst_min < TOLERANCE_MIN


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both tables."""

    by_priority: list[Row]
    by_month: list[Row]

    @property
    def agrees(self) -> bool:
        """Whether every cell does."""
        return all(row.agrees for row in (*self.by_priority, *self.by_month))

    def as_value(self) -> dict[str, Any]:
        """The form for --json."""
        return {
            name: [
                {
                    "cell": list(row.cell),
                    "measured": asdict(row.measured) if row.measured else None,
                    "expected": asdict(row.expected),
                    "worst_min": row.worst_min,
                    "agrees": row.agrees,
                }
                for row in rows
            ]
            for name, rows in (("by_priority", self.by_priority), ("by_month", self.by_month))
        }


def compare(incidents: Sequence[Incident], connection: Connection) -> Comparison:
    """What was recorded for the connection's tickets, cell by cell beside the arithmetic on the log."""
    # One clock of resolution for each ticket: the agreement that came with the connection.
    clocks = Clock.objects.filter(linked_ticket__in=LinkedTicket.objects.filter(connection=connection))
    return Comparison(
        _rows(_measured(clocks, (By.PRIORITY,)), arithmetic.by_priority(incidents)),
        _rows(_measured(clocks, (By.PRIORITY, By.MONTH)), arithmetic.by_priority_and_month(incidents)),
    )


def _measured(clocks: Any, by: tuple[By, ...]) -> dict[Cell, Figures]:
    found = {}
    for line in attainment(clocks, Kind.RESOLUTION, by):
        cell = tuple(f"{part:%Y-%m}" if hasattr(part, "year") else str(part) for part in line.key)
        wall = line.wall
        found[cell] = Figures(
            line.opened,
            line.finished,
            wall.mean_min if wall else None,
            wall.median_min if wall else None,
            wall.p90_min if wall else None,
        )
    return found


def _rows(measured: dict[Cell, Figures], expected: dict[Cell, Figures]) -> list[Row]:
    return [Row(cell, measured.get(cell), figures) for cell, figures in expected.items()]


def _minutes(figures: Figures) -> tuple[float | None, float | None, float | None]:
    return figures.mean_min, figures.median_min, figures.p90_min
