"""Reads a recorded ServiceNow audit log and refuses it whole when any line is damaged.  Pure but for the file.

One row is one change of one incident; rows of an incident stand in the order of its history.  Times have no zone and
are taken as UTC; `?` means that nothing was recorded.
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

TIME_FORMAT = "%d/%m/%Y %H:%M"
MISSING = "?"
COLUMNS = (
    "number",
    "incident_state",
    "opened_at",
    "sys_updated_at",
    "sys_updated_by",
    "category",
    "priority",
    "assignment_group",
    "resolved_at",
    "closed_at",
)
STATES = frozenset(
    (
        "New",
        "Active",
        "Awaiting User Info",
        "Awaiting Problem",
        "Awaiting Vendor",
        "Awaiting Evidence",
        "Resolved",
        "Closed",
    )
)
PRIORITIES = ("1 - Critical", "2 - High", "3 - Moderate", "4 - Low")


class LogDamaged(Exception):
    """The file cannot be used; the message names line and column."""


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded change."""

    line: int
    state: str
    priority: str
    group: str
    category: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident with its rows in the file's order."""

    number: str
    opened_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    rows: tuple[Row, ...]

    @property
    def priority(self) -> str:
        """The final priority: the last row's."""
        return self.rows[-1].priority


def read_log(path: Path, incidents: int | None = None) -> list[Incident]:
    """The first `incidents` of the log, in the order in which they appear, or all.  LogDamaged for any bad line.

    The whole file is read and checked before anything is returned, so that a bad line near the end imports nothing.
    """
    try:
        with _opened(path) as lines:
            found = list(_incidents(lines))
    except FileNotFoundError as error:
        raise LogDamaged(f"There is no file {path}.") from error
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise LogDamaged(f"{path.name} cannot be read to its end: {error}.") from error
    return found if incidents is None else found[:incidents]


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _incidents(lines: Iterable[str]) -> Iterator[Incident]:
    reader = csv.DictReader(lines)
    names = reader.fieldnames or []
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise LogDamaged(f"Line 1: the column {missing[0]} is missing.")
    grouped: dict[str, list[tuple[int, Mapping[str, str]]]] = {}
    try:
        for record in reader:
            _check_width(reader.line_num, record)
            number = _text(reader.line_num, record, "number")
            grouped.setdefault(number, []).append((reader.line_num, record))
    except csv.Error as error:
        # The outer reader still stands at the line before.
        raise LogDamaged(f"Line {reader.reader.line_num}: {error}.") from error
    if not grouped:
        raise LogDamaged("Line 2: there is not a single incident.")
    for number, records in grouped.items():
        yield _incident(number, records)


def _incident(number: str, records: list[tuple[int, Mapping[str, str]]]) -> Incident:
    rows: list[Row] = []
    for line, record in records:
        rows.append(
            Row(
                line=line,
                state=_choice(line, record, "incident_state", STATES),
                priority=_choice(line, record, "priority", PRIORITIES),
                group=record["assignment_group"],
                category=record["category"],
                by=record["sys_updated_by"],
                at=_required_time(line, record, "sys_updated_at"),
            )
        )
    line, last = records[-1]
    # Every row holds the final values of these; the last one is as good as any.
    opened_at = _required_time(line, last, "opened_at")
    resolved_at, closed_at = _time(line, last, "resolved_at"), _time(line, last, "closed_at")
    if resolved_at is not None and resolved_at < opened_at:
        raise LogDamaged(f"Line {line}, column resolved_at: {number} was resolved before it was opened.")
    return Incident(number, opened_at, resolved_at, closed_at, tuple(rows))


def _check_width(line: int, record: Mapping[str | None, object]) -> None:
    if None in record:
        raise LogDamaged(f"Line {line}: there are more values than columns.")
    short = next((str(name) for name, value in record.items() if value is None), None)
    if short is not None:
        raise LogDamaged(f"Line {line}, column {short}: the line ends before it.")


def _text(line: int, record: Mapping[str, str], column: str) -> str:
    value = record[column].strip()
    if not value or value == MISSING:
        raise LogDamaged(f"Line {line}, column {column}: it is empty.")
    return value


def _choice(line: int, record: Mapping[str, str], column: str, known: Iterable[str]) -> str:
    value = _text(line, record, column)
    if value not in known:
        raise LogDamaged(f"Line {line}, column {column}: “{value}” is not known.")
    return value


def _required_time(line: int, record: Mapping[str, str], column: str) -> datetime:
    _text(line, record, column)
    found = _time(line, record, column)
    assert found is not None
    return found


def _time(line: int, record: Mapping[str, str], column: str) -> datetime | None:
    value = record[column].strip()
    if value == MISSING or not value:
        return None
    try:
        return datetime.strptime(value, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise LogDamaged(
            f"Line {line}, column {column}: “{value}” is not a time like 29/2/2016 01:16."
        ) from error
