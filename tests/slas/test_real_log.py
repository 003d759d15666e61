"""A year of real incidents: our clocks and reports against numbers that others computed from the same log.

The log is a ServiceNow audit trail, read here as a connector would: each row a change at its own time.  What it calls
the resolution is `resolved_at`; rows in the state Resolved at other times are not what ServiceNow kept in the end, so
they count as work going on.
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest

from integrations.models import LinkedTicket
from slas import reports, services
from slas.clock import Kind
from slas.models import Clock, Timing
from slas.reports import By, Line
from tests.slas.scenes import Scene, agree

NOW = datetime(2018, 1, 1, tzinfo=UTC)
WORDS = {
    "New": "new",
    "Active": "open",
    "Resolved": "open",
    "Closed": "closed",
    "Awaiting User Info": "pending",
    "Awaiting Vendor": "on hold",
    "Awaiting Problem": "on hold",
    "Awaiting Evidence": "pending",
}
# How that company derives priorities; levels 1 to 3 only.
ITS_MATRIX = [[1, 2, 3, 4], [2, 3, 4, 4], [3, 4, 4, 4], [4, 4, 4, 4]]
ITS_WORDS = {"1 - Critical": "critical", "2 - High": "high", "3 - Moderate": "medium", "4 - Low": "low"}


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)


def incidents(path: Path) -> Iterator[list[dict[str, str]]]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for _, rows in groupby(csv.DictReader(file), key=itemgetter("number")):
            yield list(rows)


def timings(scene: Scene, ticket: LinkedTicket, rows: list[dict[str, str]]) -> Iterator[Timing]:
    """What the engine would have recorded: fields when they change, in the log's order."""
    known: dict[str, str] = {}
    for position, row in enumerate(rows, 1):
        is_resolution = row["incident_state"] == "Resolved" and row["resolved_at"] == row["sys_updated_at"]
        status = "resolved" if is_resolution else WORDS[row["incident_state"]]
        # A ticket is as it was created from its opening on, whenever that was typed in.
        is_creation = position == 1 and not is_resolution
        at = moment(row["opened_at"] if is_creation else row["sys_updated_at"])
        for what, value in (("status", status), ("impact", row["impact"]), ("urgency", row["urgency"])):
            if known.get(what) != value:
                known[what] = value
                yield Timing(
                    linked_ticket=ticket,
                    side=scene.right,
                    what=what,
                    value=value,
                    happened_at=at,
                    position=position,
                )


@pytest.fixture
def _log(scene: Scene, shared_data: Path) -> None:
    agreement = agree(scene, valid_from=date(2015, 1, 1))
    services.edit_matrix(agreement.matrix, ITS_MATRIX)
    every = list(incidents(shared_data / "data" / "incident_event_log.csv.xz"))
    opened = [moment(rows[0]["opened_at"]) for rows in every]
    tickets = LinkedTicket.objects.bulk_create(
        LinkedTicket(connection=scene.connection, origin=scene.left, opened_at=at, updated_at=at)
        for at in opened
    )
    facts = [
        Timing(linked_ticket=ticket, side=scene.left, what="opened", happened_at=at, position=0)
        for ticket, at in zip(tickets, opened, strict=True)
    ]
    for ticket, rows in zip(tickets, every, strict=True):
        facts.extend(timings(scene, ticket, rows))
    Timing.objects.bulk_create(facts)
    services.recompute_all(NOW)


def numbers(row: dict[str, str]) -> list[str]:
    return [row[name] for name in ("incidents", "with_resolved_at", "mean_h", "median_h", "p90_h")]


def shown(line: Line) -> list[str]:
    spread = line.wall
    times = [spread.mean_min, spread.median_min, spread.p90_min] if spread else []
    return [str(line.opened), str(line.finished), *(f"{minutes / 60:.4f}" for minutes in times)] + [""] * (
        3 - len(times)
    )


@pytest.mark.usefixtures("_log")
def test_the_reports_of_a_real_year_are_those_of_the_reference(shared_data: Path) -> None:
    lines = reports.attainment(Clock.objects.all(), Kind.RESOLUTION, [By.PRIORITY, By.MONTH])
    totals = reports.attainment(Clock.objects.all(), Kind.RESOLUTION, [By.PRIORITY])

    with (shared_data / "data" / "sla_oracle.csv").open(encoding="utf-8") as file:
        expected = {(ITS_WORDS[row["priority"]], row["month"]): numbers(row) for row in csv.DictReader(file)}
    with (shared_data / "data" / "sla_oracle_by_priority.csv").open(encoding="utf-8") as file:
        expected_totals = {ITS_WORDS[row["priority"]]: numbers(row) for row in csv.DictReader(file)}

    assert {(line.key[0], f"{line.key[1]:%Y-%m}"): shown(line) for line in lines} == expected
    assert {line.key[0]: shown(line) for line in totals} == expected_totals
    # No line left out, and in order.
    assert [line.key for line in lines] == sorted(
        (line.key for line in lines), key=lambda key: (list(expected_totals).index(str(key[0])), key[1])
    )
