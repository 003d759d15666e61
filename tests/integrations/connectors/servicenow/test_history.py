"""ServiceNow's audit, journal and files made into one history, also where the audit is incomplete."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from integrations.canonical import Change
from integrations.connectors.servicenow import history, metadata
from integrations.connectors.servicenow.history import Cursor, Told, read_cursor, read_history
from integrations.connectors.servicenow.people import Directory

SHAPES = metadata.usual(["incident"]).tables["incident"].shapes
NOBODY = Directory(lambda table, query, columns: [])


def record(number: int = 0, second: int = 0, **values: str) -> dict:
    return {
        "sys_id": "1",
        "short_description": "Printer",
        "state": "1",
        "impact": "3",
        "correlation_id": "m-1",
        **values,
        "sys_mod_count": str(number),
        "sys_created_on": "2026-01-01 10:00:00",
        "sys_created_by": "concord",
        "sys_updated_on": f"2026-01-01 10:00:{second:02}",
        "sys_updated_by": "ann",
    }


def row(number: int, name: str, before: str, after: str, second: int = 0) -> dict:
    return {
        "fieldname": name,
        "oldvalue": before,
        "newvalue": after,
        "user": "ann",
        "record_checkpoint": str(number),
        "sys_created_on": f"2026-01-01 10:00:{second or number:02}",
    }


def entry(id_: str, text: str, second: int, element: str = "comments") -> dict:
    at = f"2026-01-01 10:00:{second:02}"
    return {"sys_id": id_, "element": element, "value": text, "sys_created_on": at, "sys_created_by": "bob"}


def read(
    one: dict, audit: list[dict] | None = None, journal: list[dict] | None = None, since: Cursor | None = None
) -> tuple[list[Change], Cursor]:
    told = Told("incident", one, audit or [], journal or [], [])
    found, after = read_history(told, since or Cursor(), SHAPES, NOBODY)
    # What is stored is what goes on.
    assert read_cursor(after.text()) == after
    return list(found), after


def summary(changes: list[Change]) -> list[tuple[str, dict, dict]]:
    return [(one.id, dict(one.fields), dict(one.before)) for one in changes]


def test_the_ticket_begins_with_what_it_held_at_first() -> None:
    found, _ = read(
        record(2, 2, short_description="Fire", state="2"),
        [
            row(1, "state", "1", "2"),
            row(2, "short_description", "Printer", "Fire"),
            row(2, "active", "1", "0"),
        ],
    )
    first = {"type": "incident", "short_description": "Printer", "state": "New", "impact": "3 - Low"}
    assert summary(found) == [
        ("created", first, {}),
        ("update:1", {"state": "In Progress"}, {"state": "New"}),
        ("update:2", {"short_description": "Fire"}, {"short_description": "Printer"}),
    ]
    assert (found[0].marker, found[0].actor.id, found[1].actor.id) == ("m-1", "concord", "ann")


def test_comments_of_one_second_come_in_the_order_of_their_updates() -> None:
    audit = [row(1, "comments", "", "b", 1), row(2, "work_notes", "", "a", 1), row(2, "state", "1", "2", 1)]
    journal = [entry("j1", "a", 1, "work_notes"), entry("j2", "b", 1)]
    found, _ = read(record(2, 1, state="2"), audit, journal)
    assert [one.id for one in found] == ["created", "update:2", "entry:j2", "entry:j1"]
    assert [comment.is_public for one in found for comment in one.comments] == [True, False]


@pytest.mark.parametrize("element", ["work_notes", "comments_and_work_notes", "Comments", ""])
def test_only_what_stands_under_comments_is_public(element: str) -> None:
    found, _ = read(record(), [], [entry("j1", "a", 1, element)])
    assert not found[-1].comments[0].is_public


def test_without_an_audit_the_difference_is_told() -> None:
    _, cursor = read(record())
    found, cursor = read(record(3, 30, state="6", impact="1"), since=cursor)
    assert summary(found) == [("update:3", {"state": "Resolved", "impact": "1 - High"}, {})]
    assert found[0].at == datetime(2026, 1, 1, 10, 0, 30, tzinfo=UTC)
    assert read(record(3, 30, state="6", impact="1"), since=cursor)[0] == []


def test_a_field_that_is_not_audited_is_told_with_the_update_it_came_in() -> None:
    _, cursor = read(record())
    found, _ = read(record(1, 1, state="2", impact="1"), [row(1, "state", "1", "2")], since=cursor)
    assert summary(found) == [("update:1", {"state": "In Progress", "impact": "1 - High"}, {"state": "New"})]


def test_an_audit_row_that_comes_late_is_not_told_twice() -> None:
    _, cursor = read(record())
    found, cursor = read(record(2, 2, state="6"), [row(1, "state", "1", "2")], since=cursor)
    assert [one.fields["state"] for one in found] == ["In Progress", "Resolved"]
    late = [row(1, "state", "1", "2"), row(2, "state", "2", "6")]
    assert read(record(2, 2, state="6"), late, since=cursor)[0] == []


def test_an_audit_read_after_a_further_update_does_not_go_back() -> None:
    """The record is read first; what happens between the two questions is in the audit alone."""
    _, cursor = read(record())
    audit = [row(1, "state", "1", "2"), row(2, "state", "2", "6")]
    found, cursor = read(record(1, 1, state="2"), audit, since=cursor)
    assert [one.fields["state"] for one in found] == ["In Progress", "Resolved"]
    assert read(record(2, 2, state="6"), since=cursor)[0] == []


def test_what_such_an_audit_did_not_show_yet_is_told_later() -> None:
    _, cursor = read(record())
    found, cursor = read(record(0), [row(1, "state", "1", "2")], since=cursor)
    assert summary(found) == [("update:1", {"state": "In Progress"}, {"state": "New"})]
    found, cursor = read(record(1, 1, state="2", impact="1"), since=cursor)
    assert [dict(one.fields) for one in found] == [{"impact": "1 - High"}]
    assert found[0].id.startswith("update:1:")
    assert read(record(1, 1, state="2", impact="1"), since=cursor)[0] == []


def test_a_field_that_is_hidden_for_a_while_is_no_change() -> None:
    _, cursor = read(record())
    hidden = record(1, 1, state="2")
    del hidden["impact"]
    found, cursor = read(hidden, [row(1, "state", "1", "2")], since=cursor)
    assert summary(found) == [("update:1", {"state": "In Progress"}, {"state": "New"})]
    assert read(record(1, 1, state="2"), since=cursor)[0] == []


def test_rows_that_make_no_sense_are_left_to_the_difference() -> None:
    _, cursor = read(record())
    odd = [
        {**row(1, "state", "1", "2"), "record_checkpoint": ""},
        {**row(1, "impact", "3", "1"), "sys_created_on": "soon"},
        {},
    ]
    found, _ = read(record(1, 1, state="2", impact="1"), odd, since=cursor)
    assert summary(found) == [("update:1", {"state": "In Progress", "impact": "1 - High"}, {})]


def test_a_comment_that_becomes_visible_late_is_told_once() -> None:
    _, cursor = read(record(1, 40), [], [entry("j2", "later", 40)])
    journal = [entry("j1", "earlier", 20), entry("j2", "later", 40)]
    found, cursor = read(record(1, 40), [], journal, since=cursor)
    assert [one.id for one in found] == ["entry:j1"]
    assert read(record(1, 40), [], journal, since=cursor)[0] == []


def test_the_cursor_knows_the_window_before_the_newest_entry_only() -> None:
    old = {**entry("j0", "old", 0), "sys_created_on": "2026-01-01 09:00:00"}
    _, cursor = read(record(1, 40), [], [old, entry("j1", "new", 40)])
    assert cursor.seen == {"entry:j1"}
    assert cursor.since == datetime(2026, 1, 1, 9, 55, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[]", "null", "5", '{"at": 5}', '{"number": "x", "at": "", "seen": 1}']
)
def test_a_cursor_that_makes_no_sense_is_the_beginning(text: str) -> None:
    assert history.read_cursor(text) == Cursor()
