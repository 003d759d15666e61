"""Service levels told from the log alone: small tables by hand, and a whole year against other people's numbers."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portal.replay.arithmetic import NAMES, Cell, Figures, by_priority, by_priority_and_month
from portal.replay.log import Incident, Row, read_log

OPENED = datetime(2016, 2, 29, 23, 30, tzinfo=UTC)


def incident(minutes: float | None, priority: str = "4 - Low", opened: datetime = OPENED) -> Incident:
    resolved = None if minutes is None else opened + timedelta(minutes=minutes)
    rows = [
        Row(line, "Active", one, "Group 1", "Category 1", "Updated by 1", opened)
        for line, one in enumerate(("2 - High", priority), 2)
    ]
    return Incident("INC1", opened, resolved, None, tuple(rows))


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([None, None], Figures(2, 0, None, None, None)),
        ([7], Figures(1, 1, 7.0, 7.0, 7.0)),
        ([10, None, 20], Figures(3, 2, 15.0, 15.0, 19.0)),
        # Between the ninth and the tenth of eleven there is the tenth itself.
        ([*range(0, 110, 10)], Figures(11, 11, 50.0, 50.0, 90.0)),
        ([40, 10, 30, 20], Figures(4, 4, 25.0, 25.0, 37.0)),
    ],
)
def test_figures_count_everything_and_measure_what_was_resolved(
    minutes: list[float | None], expected: Figures
) -> None:
    assert by_priority([incident(one) for one in minutes]) == {("low",): expected}


def test_an_incident_counts_for_its_last_priority_and_the_month_of_its_opening() -> None:
    march = OPENED + timedelta(minutes=30)
    incidents = [incident(60), incident(120, opened=march), incident(60, "1 - Critical", march)]

    assert list(by_priority(incidents)) == [("critical",), ("low",)]
    assert list(by_priority_and_month(incidents)) == [
        ("critical", "2016-03"),
        ("low", "2016-02"),
        ("low", "2016-03"),
    ]


def hours(figures: Figures) -> list[str]:
    """As the reference writes it: hours to four decimals, nothing where there is no number."""
    minutes = (figures.mean_min, figures.median_min, figures.p90_min)
    times = ["" if one is None else f"{one / 60:.4f}" for one in minutes]
    return [str(figures.incidents), str(figures.resolved), *times]


def reference(path: Path, *columns: str) -> dict[Cell, list[str]]:
    def cell(row: Mapping[str, str]) -> Cell:
        return (NAMES[row["priority"]], *(row[column] for column in columns))

    with path.open(encoding="utf-8") as file:
        return {
            cell(row): [
                row[name] for name in ("incidents", "with_resolved_at", "mean_h", "median_h", "p90_h")
            ]
            for row in csv.DictReader(file)
        }


def test_a_real_year_comes_to_the_numbers_of_the_reference(shared_data: Path) -> None:
    incidents = read_log(shared_data / "data" / "incident_event_log.csv.xz")
    data = shared_data / "data"

    totals = {cell: hours(figures) for cell, figures in by_priority(incidents).items()}
    months = {cell: hours(figures) for cell, figures in by_priority_and_month(incidents).items()}

    assert totals == reference(data / "sla_oracle_by_priority.csv")
    assert months == reference(data / "sla_oracle.csv", "month")
