"""Files for spreadsheets: nothing in them becomes a formula, and they are sent while they are read."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from portal.exports import CHUNK, Cell, csv_response, safe, xlsx_response

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def text_of(chunks: Iterator[bytes]) -> str:
    return b"".join(chunks).decode()


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+49 30", "-2", "@SUM(A1)", "\t=1", "\r=1", "  =cmd|' /C calc'!A0", "\u00a0=1", "\ufeff=1"],
)
def test_a_text_that_looks_like_a_formula_stays_text(text: str) -> None:
    assert safe(text) == "'" + text


@pytest.mark.parametrize("value", ["LT-12", "a = b", "", None, -3, 2.5, AT])
def test_everything_else_is_left_as_it_is(value: Cell) -> None:
    assert safe(value) == value


def test_csv_keeps_commas_quotes_and_line_ends_inside_a_cell() -> None:
    response = csv_response("tickets", ["Title", "At"], [('Say "no", twice\nplease', AT), ("=1", None)])

    text = text_of(response.streaming_content)  # type: ignore[arg-type]

    assert response["Content-Disposition"] == 'attachment; filename="tickets.csv"'
    assert list(csv.reader(io.StringIO(text.removeprefix("\ufeff")))) == [
        ["Title", "At"],
        ['Say "no", twice\nplease', "2026-11-23T12:00:00+00:00"],
        ["'=1", ""],
    ]


def test_csv_is_sent_while_the_rows_are_read() -> None:
    read = []

    def rows() -> Iterator[tuple[int]]:
        for number in range(3 * CHUNK):
            read.append(number)
            yield (number,)

    chunks = iter(csv_response("numbers", ["Number"], rows()).streaming_content)  # type: ignore[arg-type]
    next(chunks)

    assert len(read) == CHUNK


def test_xlsx_holds_numbers_as_numbers_and_formulas_as_text() -> None:
    rows: list[tuple[Cell, ...]] = [
        ("=HYPERLINK(1)", 3, 0.5, AT, None),
        ("https://x.example", -1, None, None, ""),
    ]
    response = xlsx_response("report", "By provider", ["Name", "n", "share", "at", "note"], rows)

    with zipfile.ZipFile(io.BytesIO(response.content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        texts = book.read("xl/sharedStrings.xml").decode()

    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    assert "<v>0.5</v>" in sheet
    assert "=HYPERLINK(1)" in texts
