"""Tables as files: CSV, streamed row by row, and XLSX.  What a spreadsheet would take for a formula stays text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import xlsxwriter
from django.http import HttpResponse, StreamingHttpResponse

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# A cell that begins with one of these is a formula, or becomes one when the file is saved and opened again.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
# Rows that are joined to one chunk of the answer.
CHUNK = 200

Cell = str | int | float | datetime | None


def safe(value: Cell) -> Cell:
    """The value as it may stand in a spreadsheet: text that looks like a formula gets an apostrophe in front.

    Numbers stay numbers, so that a negative one can be summed.  Pure.
    """
    if isinstance(value, str) and value.lstrip(" \u00a0\ufeff").startswith(FORMULA_STARTS):
        return "'" + value
    return value


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> StreamingHttpResponse:
    """The rows as CSV (RFC 4180, UTF-8), sent while they are read: memory does not grow with their number."""
    response = StreamingHttpResponse(_csv_chunks(header, rows), content_type="text/csv; charset=utf-8")
    return _as_file(response, f"{name}.csv")


def xlsx_response(
    name: str, title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> HttpResponse:
    """The rows as one sheet with a heading that stays in view; times are in UTC, which Excel does not know of."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(
        stream,
        {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "remove_timezone": True},
    ) as book:
        sheet = book.add_worksheet(title[:31])
        bold, moment = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.write_row(0, 0, header, bold)
        sheet.freeze_panes(1, 0)
        for place, row in enumerate(rows, 1):
            for column, value in enumerate(row):
                if isinstance(value, datetime):
                    sheet.write_datetime(place, column, value, moment)
                elif isinstance(value, str):
                    sheet.write_string(place, column, value)
                elif value is not None:
                    sheet.write_number(place, column, value)
        sheet.autofit()
    return _as_file(HttpResponse(stream.getvalue(), content_type=XLSX), f"{name}.xlsx")


def _as_file(response: Any, name: str) -> Any:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _csv_chunks(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    # Tells Excel that the file is UTF-8.
    buffer.write("\ufeff")
    writer.writerow(header)
    for number, row in enumerate(rows, 1):
        writer.writerow([_as_text(safe(value)) for value in row])
        if number % CHUNK == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _as_text(value: Cell) -> Cell:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
