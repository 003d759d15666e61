"""What the demo prints is readable, in a narrow terminal too."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from portal.demo import report
from portal.demo.seed import PEOPLE
from portal.demo.stage import Row
from portal.demo.verdict import Check

AT = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)


def console(width: int) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=width, highlight=False), file


def test_a_step_is_a_row_with_all_that_was_noted() -> None:
    out, file = console(150)

    report.StoryTable(out).row(
        Row(AT, "Mercuri Zendesk", "Mara Lund", "raises “A [b]”", "Infinity Jira: a new issue", 0.234)
    )

    row = file.getvalue()
    for cell in ("Mercuri Zendesk", "Mara Lund", "raises “A [b]”", "Infinity Jira: a new issue", "0.2 s"):
        assert cell in row
    assert row.count("\n") == 1


def test_columns_stand_below_their_names() -> None:
    out, file = console(150)
    table = report.StoryTable(out)

    table.head()
    table.row(Row(AT, "Where", "Who", "What", "Arrived", 1.0))

    _, head, _, row = file.getvalue().splitlines()
    for name in ("Where", "Who", "What", "Arrived"):
        assert head.index(name) == row.index(name)


def test_a_narrow_terminal_wraps_sentences_and_cuts_nothing() -> None:
    out, file = console(80)

    report.StoryTable(out).row(
        Row(
            AT, "Mercuri Zendesk", "Mara Lund", "raises a matter of many words", "Infinity Jira: arrived", 0.2
        )
    )

    lines = file.getvalue().splitlines()
    assert len(lines) > 1
    words = " ".join(lines).split()
    for word in ("raises", "matter", "words", "Infinity", "arrived", "0.2"):
        assert word in words


def test_a_verdict_tells_what_failed_and_how_many() -> None:
    out, file = console(150)

    report.show_verdict(out, [Check("This holds"), Check("That does not", ("It is 1 and should be 2.",))])

    text = file.getvalue()
    assert "✓ This holds" in text
    assert "✗ That does not\n    It is 1 and should be 2." in text
    assert "1 of 2 checks failed." in text


def test_a_verdict_over_what_holds_says_so() -> None:
    out, file = console(150)

    report.show_verdict(out, [Check("This holds")])

    assert "All 1 checks hold." in file.getvalue()


def test_everybody_is_told_with_the_password_and_the_addresses() -> None:
    out, file = console(150)

    report.show_sign_in(
        out,
        "http://127.0.0.1:8000",
        "concord-12345678",
        {"The queue": "http://127.0.0.1:8000/queue/"},
        {"Infinity Jira": "http://127.0.0.1:8102"},
    )

    text = file.getvalue()
    for person in PEOPLE:
        assert person.username in text
    assert "concord-12345678" in text
    assert "http://127.0.0.1:8000/ " in text
    assert "http://127.0.0.1:8000/queue/  The queue" in text
    assert "http://127.0.0.1:8102/" in text
