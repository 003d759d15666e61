"""One answer of Jira read as history: order, first values, cursors, files, markers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.canonical import Attachment, Change, ChangeKind, Comment, Person
from integrations.connectors import errors
from integrations.connectors.jira.changes import history_metadata
from integrations.connectors.jira.history import (
    Cursor,
    Issue,
    embedded_comments,
    embedded_entries,
    is_done,
    read_cursor,
    read_history,
    settle_entries,
)
from tests.integrations.connectors.jira.answers import (
    ANN,
    adf,
    at,
    comment,
    entry,
    issue,
    item,
    rich,
    status,
)

ANN_PERSON = Person("acc:ann", "Ann Lee", "ann@example.com")
ANN_VALUE = ANN_PERSON.as_value()


def minute(number: int, second: int = 0) -> datetime:
    return datetime(2026, 3, 1, 10, number, second, tzinfo=UTC)


def read(
    raw: dict, cursor: str = "", markers: dict[str, str] | None = None
) -> tuple[tuple[Change, ...], str]:
    place = read_cursor(cursor)
    embedded, comments = embedded_entries(raw, place), embedded_comments(raw)
    assert embedded is not None
    assert comments is not None
    issue_ = Issue(raw, embedded[0], comments, has_all_entries=embedded[1])
    changes, after = read_history(issue_, place, markers or {})
    return changes, after.text()


def ids(changes: tuple[Change, ...]) -> list[str]:
    return [change.id for change in changes]


# The first reading


def test_a_ticket_without_a_past_is_told_as_created_with_what_it_holds() -> None:
    changes, cursor = read(issue(labels=["b", "a"], properties={"concord": {"marker": "m-1"}}))
    assert changes == (
        Change(
            "created",
            minute(0),
            ANN_PERSON,
            ChangeKind.CREATED,
            {
                "summary": "Link down",
                "description": rich("It broke."),
                "status": "To Do",
                "priority": "Medium",
                "issuetype": "Task",
                "labels": ["a", "b"],
                "reporter": ANN_VALUE,
            },
            marker="m-1",
        ),
    )
    assert json.loads(cursor) == {"at": "2026-03-01T10:00:00+00:00", "seen": [], "count": 0}


def test_first_values_are_the_present_ones_with_the_changelog_taken_back() -> None:
    raw = issue(
        entries=[
            entry(1, 1, item("status", "To Do", "In Progress", "s-To Do", "s-In Progress")),
            entry(
                2,
                2,
                item("summary", "Link down", "Link flaps"),
                item("assignee", None, "Ann Lee", None, "acc:ann"),
                item("labels", "", "net"),
            ),
            entry(3, 3, item("status", "In Progress", "Done", "s-In Progress", "s-Done"),
                  item("resolution", None, "Fixed", None, "1")),
            entry(4, 4, item("customfield_10050", None, "High", None, "77"), item("duedate", None, "2026-04-01 00:00:00.0", None, "2026-04-01")),
        ],
        summary="Link flaps",
        status=status("Done", "done"),
        assignee=ANN,
        labels=["net"],
        resolution={"id": "1", "name": "Fixed"},
        customfield_10050={"id": "77", "value": "High"},
        duedate="2026-04-01",
    )  # fmt: skip
    changes, _ = read(raw)
    assert [(one.id, dict(one.fields), dict(one.before)) for one in changes] == [
        (
            "created",
            {
                "summary": "Link down",
                "description": rich("It broke."),
                "status": "To Do",
                "priority": "Medium",
                "issuetype": "Task",
                "reporter": ANN_VALUE,
            },
            {},
        ),
        ("1", {"status": "In Progress"}, {"status": "To Do"}),
        (
            "2",
            {"summary": "Link flaps", "assignee": ANN_VALUE, "labels": ["net"]},
            {"summary": "Link down", "assignee": None, "labels": []},
        ),
        ("3", {"status": "Done", "resolution": "Fixed"}, {"status": "In Progress", "resolution": None}),
        (
            "4",
            {"customfield_10050": "High", "duedate": "2026-04-01"},
            {"customfield_10050": None, "duedate": None},
        ),
    ]


def test_the_newest_text_of_a_description_keeps_its_form_and_older_ones_are_plain() -> None:
    raw = issue(
        entries=[
            entry(1, 1, item("description", "*one*", "*two*\n\nmore")),
            entry(2, 2, item("description", "*two*\n\nmore", "*three*")),
        ],
        description=adf("three"),
    )
    changes, _ = read(raw)
    assert [one.fields["description"] for one in changes] == [
        rich("*one*"),
        {"rich": [{"p": [{"t": "*two*"}]}, {"p": [{"t": "more"}]}]},
        rich("three"),
    ]


def test_a_renamed_status_is_told_by_its_present_name_where_it_is_the_present_one() -> None:
    renamed = {"id": "5", "name": "Solved", "statusCategory": {"key": "done"}}
    raw = issue(entries=[entry(1, 1, item("status", "Open", "Resolved", "1", "5"))], status=renamed)
    changes, _ = read(raw)
    assert [one.fields["status"] for one in changes] == ["Open", "Solved"]


def test_an_entry_that_disagrees_with_the_issue_is_taken_at_its_word() -> None:
    # The issue was read a moment before this entry was written.
    raw = issue(
        entries=[
            entry(
                1,
                1,
                item("status", "To Do", "Done", "s-To Do", "s-Done"),
                item("summary", "Link down", "Solved"),
            )
        ]
    )
    changes, _ = read(raw)
    assert dict(changes[1].fields) == {"status": "Done", "summary": "Solved"}


def test_entries_of_a_list_are_put_in_and_taken_out_one_by_one() -> None:
    raw = issue(
        entries=[
            entry(
                1, 1, item("components", None, "Core", None, "1"), item("components", None, "Edge", None, "2")
            ),
            entry(2, 2, item("components", "Core", None, "1", None)),
        ],
        components=[{"id": "2", "name": "Edge"}],
    )
    changes, _ = read(raw)
    assert [(one.fields.get("components"), one.before.get("components")) for one in changes] == [
        (None, None),
        (["Core", "Edge"], []),
        (["Edge"], ["Core", "Edge"]),
    ]


def test_numbers_stay_numbers_and_multiple_choices_lists() -> None:
    raw = issue(
        entries=[
            entry(
                1, 1, item("customfield_1", "1.5", "12"), item("customfield_2", "A", "A, B", "[1]", "[1, 2]")
            ),
        ],
        customfield_1=12,
        customfield_2=[{"id": "1", "value": "A"}, {"id": "2", "value": "B"}],
    )
    changes, _ = read(raw)
    assert (changes[0].fields["customfield_1"], changes[0].fields["customfield_2"]) == (1.5, ["A"])
    assert dict(changes[1].fields) == {"customfield_1": 12, "customfield_2": ["A", "B"]}


def test_ranks_links_and_logged_work_are_nobody_elses_business() -> None:
    raw = issue(
        entries=[
            entry(
                1,
                1,
                {**item("customfield_10019", "", "Ranked higher"), "field": "Rank"},
                item("Link", None, "This issue blocks NET-2", None, "NET-2"),
                item("timespent", None, "3600"),
                item("RemoteIssueLink", None, "x"),
            )
        ],
        customfield_10019="0|i0001:",
    )
    changes, _ = read(raw)
    assert dict(changes[1].fields) == {}
    assert "Link" not in changes[0].fields


def test_people_without_an_address_and_entries_without_an_author_are_read() -> None:
    bare = {"accountId": "acc:bare", "displayName": "Bare"}
    raw = issue(
        entries=[{**entry(1, 1, item("assignee", "Old", "Bare", "oldkey", "barekey")), "author": None}],
        assignee=bare,
    )
    raw["changelog"]["histories"][0]["items"][0] |= {
        "tmpFromAccountId": "acc:old",
        "tmpToAccountId": "acc:bare",
    }
    changes, _ = read(raw)
    assert changes[1].actor == Person("")
    assert dict(changes[1].fields) == {"assignee": Person("acc:bare", "Bare").as_value()}
    assert dict(changes[1].before) == {"assignee": Person("acc:old", "Old").as_value()}


# Comments and files


def test_comments_and_entries_come_in_the_order_of_their_times_entries_first() -> None:
    raw = issue(
        entries=[entry(9, 2), entry(11, 1), entry(10, 1)],
        comments=[comment(5, 2, "late"), comment(7, 1, "b"), comment(6, 1, "a"), comment(4, 3, "last")],
    )
    changes, _ = read(raw)
    assert ids(changes) == ["created", "10", "11", "comment:6", "comment:7", "9", "comment:5", "comment:4"]


def test_a_comment_is_a_change_with_its_marker() -> None:
    changes, _ = read(issue(comments=[comment(6, 1, "Hello")]), markers={"6": "m-6"})
    told = Comment("6", rich("Hello"), ANN_PERSON, True, minute(1))
    assert changes[1] == Change("comment:6", minute(1), ANN_PERSON, comments=(told,), marker="m-6")


@pytest.mark.parametrize(
    ("more", "is_public"),
    [
        ({}, True),
        ({"jsdPublic": False}, False),
        ({"visibility": {"type": "role", "value": "Administrators"}}, False),
        ({"jsdPublic": None}, False),
    ],
)
def test_only_a_comment_that_everybody_sees_is_public(more: dict, is_public: bool) -> None:
    changes, _ = read(issue(comments=[comment(6, 1, "Hello", **more)]))
    assert changes[1].comments[0].is_public is is_public


def test_files_are_told_where_they_were_added_and_the_first_ones_with_the_ticket() -> None:
    def file(id_: str, name: str) -> dict:
        return {
            "id": id_,
            "filename": name,
            "mimeType": "text/plain",
            "size": 3,
            "content": "https://evil.example/x",
        }

    raw = issue(
        entries=[
            entry(1, 1, item("Attachment", None, "b.txt", None, "2")),
            entry(2, 2, item("Attachment", None, "gone.txt", None, "3")),
            entry(3, 3, item("Attachment", "gone.txt", None, "3", None)),
        ],
        files=[file("1", "a.txt"), file("2", "b.txt")],
    )
    changes, _ = read(raw)
    first, second = (Attachment(i, n, "text/plain", 3, i) for i, n in (("1", "a.txt"), ("2", "b.txt")))
    assert [(one.id, one.attachments) for one in changes] == [
        ("created", (first,)),
        ("1", (second,)),
        ("2", ()),
        ("3", ()),
    ]


def test_a_change_carries_the_marker_that_was_sent_along_with_it() -> None:
    raw = issue(
        entries=[
            entry(1, 1, item("summary", "a", "Link down"), historyMetadata=history_metadata("m-1")),
            entry(
                2,
                2,
                item("labels", "x", ""),
                historyMetadata={"type": "other", "extraData": {"marker": "no"}},
            ),
        ]
    )
    changes, _ = read(raw)
    assert [one.marker for one in changes] == ["", "m-1", ""]


def test_statuses_that_were_only_passed_on_our_way_are_not_told() -> None:
    ours = {"historyMetadata": history_metadata("m-1")}
    raw = issue(
        entries=[
            entry(1, 1, item("status", "To Do", "In Progress", "s-To Do", "s-In Progress"), **ours),
            entry(2, 2, item("status", "In Progress", "Done", "s-In Progress", "s-Done"), **ours),
            entry(3, 3, item("status", "Done", "To Do", "s-Done", "s-To Do")),
        ]
    )
    changes, _ = read(raw)
    assert [(one.id, one.fields.get("status")) for one in changes[1:]] == [
        ("1", None),
        ("2", "Done"),
        ("3", "To Do"),
    ]


# Cursors


def test_reading_on_from_a_cursor_returns_what_is_new_and_nothing_twice() -> None:
    before = issue(entries=[entry(1, 1)], comments=[comment(5, 2, "a")])
    after = issue(entries=[entry(1, 1), entry(2, 3)], comments=[comment(5, 2, "a"), comment(6, 4, "b")])
    first, cursor = read(before)
    second, cursor = read(after, cursor)
    third, last = read(after, cursor)
    assert (ids(first), ids(second), ids(third)) == (["created", "1", "comment:5"], ["2", "comment:6"], [])
    assert last == cursor


def test_an_entry_that_becomes_visible_late_is_returned_although_its_number_and_time_are_behind() -> None:
    _, cursor = read(issue(entries=[entry(20, 10)]))
    late = issue(entries=[entry(12, 9), entry(20, 10)])
    changes, cursor = read(late, cursor)
    assert ids(changes) == ["12"]
    assert ids(read(late, cursor)[0]) == []


def test_a_deleted_comment_does_not_move_the_cursor_back() -> None:
    _, cursor = read(issue(comments=[comment(5, 20, "a")]))
    _, after = read(issue(), cursor)
    assert read_cursor(after).at == minute(20)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", '{"at": 1}', '{"at": "soon", "seen": []}', "x" * 10_000]
)
def test_a_cursor_that_cannot_be_read_means_from_the_beginning(text: str) -> None:
    assert read_cursor(text) == Cursor()


EVENTS = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=12)


@given(EVENTS, st.lists(st.integers(0, 12), max_size=3))
def test_however_a_history_is_cut_into_readings_each_change_comes_once(
    events: list[tuple[int, bool]], cuts: list[int]
) -> None:
    events = sorted(events, key=lambda one: one[0])

    def seen_after(count: int) -> dict:
        entries = [entry(100 + n, m) for n, (m, is_comment) in enumerate(events[:count]) if not is_comment]
        comments = [
            comment(100 + n, m, "x") for n, (m, is_comment) in enumerate(events[:count]) if is_comment
        ]
        return issue(entries=entries, comments=comments)

    whole = ids(read(seen_after(len(events)))[0])
    told: list[str] = []
    cursor = ""
    for count in [*sorted(cuts), len(events)]:
        changes, cursor = read(seen_after(count), cursor)
        told += ids(changes)
    assert sorted(told) == sorted(whole)
    assert ids(read(seen_after(len(events)), cursor)[0]) == []


# What one answer may lack


def test_a_short_changelog_is_whole() -> None:
    raw = issue(entries=[entry(1, 1)])
    assert embedded_entries(raw, Cursor()) == (raw["changelog"]["histories"], True)


def test_a_changelog_that_says_there_is_more_is_not_trusted() -> None:
    assert embedded_entries(issue(entries=[entry(1, 1)], entry_total=2), Cursor()) is None


def test_a_full_page_is_not_trusted_although_its_total_says_that_this_is_all() -> None:
    full = issue(entries=[entry(n, 1) for n in range(40)])
    assert embedded_entries(full, Cursor()) is None


def test_a_full_page_is_enough_when_it_reaches_back_behind_the_cursor() -> None:
    full = issue(entries=[entry(n, n) for n in range(45)], entry_total=200)
    for cursor, whole in ((Cursor(minute(44)), False), (Cursor(minute(5)), None)):
        found = embedded_entries(full, cursor)
        assert (found and found[1]) is whole


def test_a_full_page_is_enough_when_the_number_of_entries_leaves_no_gap() -> None:
    busy = [entry(n, 10) for n in range(45)]
    cursor = Cursor(minute(10), frozenset(str(n) for n in range(44)), count=244)
    found = embedded_entries(issue(entries=busy, entry_total=245), cursor)
    assert found is not None
    changes, after = read_history(Issue(issue(), found[0], [], has_all_entries=found[1]), cursor, {})
    assert (ids(changes), after.count) == (["44"], 245)
    assert embedded_entries(issue(entries=busy, entry_total=246), cursor) is None
    assert embedded_entries(issue(entries=busy), cursor) is None


def test_comments_that_are_not_all_there_are_noticed() -> None:
    assert embedded_comments(issue(comments=[comment(1, 1, "a")], comment_total=2)) is None
    assert embedded_comments({"fields": {}}) == []


def test_entries_younger_than_the_issue_that_was_read_wait_for_the_next_reading() -> None:
    raw = issue(updated=at(10))
    assert settle_entries(raw, [entry(1, 10), entry(2, 11)]) == [entry(1, 10)]


@pytest.mark.parametrize("broken", [{"created": "soon"}, {"created": None}])
def test_an_entry_without_a_time_is_garbled_not_guessed(broken: dict) -> None:
    with pytest.raises(errors.Garbled):
        read(issue(entries=[{**entry(1, 1), **broken}]))


def test_done_is_a_category_not_a_name() -> None:
    assert is_done({"status": status("Erledigt", "done")})
    assert not is_done({"status": status("Done", "new")})
    assert not is_done({})
