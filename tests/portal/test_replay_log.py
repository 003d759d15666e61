"""Reading a recorded audit log: what is kept of it, and that a damaged one is refused whole, in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portal.replay.log import Incident, LogDamaged, Row, read_log
from tests import recordings
from tests.recordings import row, text_of


def moment(day: int, hour: int, minute: int) -> datetime:
    return datetime(2016, 2, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize("name", ["log.csv", "log.csv.xz"])
def test_incidents_come_with_their_rows_in_the_order_of_the_file(tmp_path: Path, name: str) -> None:
    path = recordings.write(
        tmp_path / name,
        [
            row(),
            row(number="INC0000002", priority="1 - Critical", category="?", assignment_group="?"),
            row(
                incident_state="Resolved",
                sys_updated_at="1/2/2016 08:05",
                resolved_at="1/2/2016 08:05",
                closed_at="9/2/2016 12:00",
            ),
        ],
    )

    first = Row(2, "New", "3 - Moderate", "Group 1", "Category 1", "Updated by 1", moment(1, 8, 5))
    second = Row(3, "New", "1 - Critical", "?", "?", "Updated by 1", moment(1, 8, 5))
    third = Row(4, "Resolved", "3 - Moderate", "Group 1", "Category 1", "Updated by 1", moment(1, 8, 5))
    assert read_log(path) == [
        Incident("INC0000001", moment(1, 8, 0), moment(1, 8, 5), moment(9, 12, 0), (first, third)),
        Incident("INC0000002", moment(1, 8, 0), None, None, (second,)),
    ]


def test_only_the_first_incidents_are_taken_when_so_many_are_asked_for(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "log.csv", recordings.log(5))

    assert [one.number for one in read_log(path, 2)] == ["INC0000001", "INC0000002"]
    assert len(read_log(path, 9)) == 5


def test_a_byte_order_mark_and_further_columns_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("\ufeff" + text_of([row(made_sla="true")]), encoding="utf-8")

    assert [one.number for one in read_log(path)] == ["INC0000001"]


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("number", "?", "Line 3, column number: it is empty."),
        ("number", " ", "Line 3, column number: it is empty."),
        ("incident_state", "-100", "Line 3, column incident_state: “-100” is not known."),
        ("incident_state", "", "Line 3, column incident_state: it is empty."),
        ("priority", "5 - Planning", "Line 3, column priority: “5 - Planning” is not known."),
        (
            "sys_updated_at",
            "31/2/2016 08:00",
            "Line 3, column sys_updated_at: “31/2/2016 08:00” is not a time like 29/2/2016 01:16.",
        ),
        ("sys_updated_at", "?", "Line 3, column sys_updated_at: it is empty."),
        ("opened_at", "?", "Line 3, column opened_at: it is empty."),
        (
            "opened_at",
            "2016-02-01 08:00",
            "Line 3, column opened_at: “2016-02-01 08:00” is not a time like 29/2/2016 01:16.",
        ),
        (
            "resolved_at",
            "soon",
            "Line 3, column resolved_at: “soon” is not a time like 29/2/2016 01:16.",
        ),
        ("closed_at", "1/13/2016 08:00", "Line 3, column closed_at: “1/13/2016 08:00” is not a time like 29/2/2016 01:16."),
        (
            "resolved_at",
            "1/2/2016 07:59",
            "Line 3, column resolved_at: INC0000001 was resolved before it was opened.",
        ),
    ],
)  # fmt: skip
def test_a_damaged_value_is_named_by_line_and_column(
    tmp_path: Path, column: str, value: str, complaint: str
) -> None:
    path = recordings.write(tmp_path / "log.csv", [row(), row(**{column: value})])

    with pytest.raises(LogDamaged) as caught:
        read_log(path)

    assert str(caught.value) == complaint


def test_a_damaged_line_after_the_incidents_that_were_asked_for_is_refused_all_the_same(
    tmp_path: Path,
) -> None:
    path = recordings.write(tmp_path / "log.csv.xz", [row(), row(number="INC0000002", priority="low")])

    with pytest.raises(LogDamaged, match="Line 3, column priority"):
        read_log(path, 1)


def without_a_column(text: str) -> str:
    return text.replace("priority", "urgency")


def with_a_short_line(text: str) -> str:
    return text + "INC0000001,New,1/2/2016 08:00\r\n"


def with_a_long_line(text: str) -> str:
    return text.rstrip() + ",more\r\n"


def with_a_gigantic_value(text: str) -> str:
    return text + "x" * 200_000 + "\r\n"


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (without_a_column, "Line 1: the column priority is missing."),
        (with_a_short_line, "Line 3, column sys_updated_at: the line ends before it."),
        (with_a_long_line, "Line 2: there are more values than columns."),
        (with_a_gigantic_value, "Line 3: field larger than field limit (131072)."),
        (lambda text: text.splitlines()[0], "Line 2: there is not a single incident."),
        (lambda text: "", "Line 1: the column number is missing."),
    ],
)
def test_a_damaged_shape_is_named_by_its_line(
    tmp_path: Path, damage: Callable[[str], str], complaint: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_text(damage(text_of([row()])))

    with pytest.raises(LogDamaged) as caught:
        read_log(path)

    assert str(caught.value) == complaint


def test_a_packed_log_that_was_cut_off_is_refused_whole(tmp_path: Path) -> None:
    path = recordings.write(tmp_path / "log.csv.xz", recordings.log(400))
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(LogDamaged, match=r"^log\.csv\.xz cannot be read to its end: "):
        read_log(path)


@pytest.mark.parametrize(("name", "content"), [("log.csv.xz", b"number,"), ("log.csv", b"number,\xff\xfe")])
def test_what_is_no_text_of_that_kind_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(LogDamaged, match=r"cannot be read to its end: "):
        read_log(tmp_path / name)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(LogDamaged) as caught:
        read_log(tmp_path / "none.csv")

    assert str(caught.value) == f"There is no file {tmp_path / 'none.csv'}."


def test_a_folder_is_refused_like_any_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LogDamaged, match="cannot be read to its end"):
        read_log(tmp_path)
