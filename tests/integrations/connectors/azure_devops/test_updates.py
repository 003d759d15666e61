"""Updates and comments made into a history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.canonical import Change, ChangeKind, Comment, Person
from integrations.connectors import errors
from integrations.connectors.azure_devops import comments, texts
from integrations.connectors.azure_devops.cursors import FeedCursor, HistoryCursor
from integrations.connectors.azure_devops.fields import Reader
from integrations.connectors.azure_devops.identities import People
from integrations.connectors.azure_devops.process import REPRO_STEPS, Process, TicketType
from integrations.connectors.azure_devops.updates import Page, changes, read_all, read_page
from integrations.richtext.blocks import Document, Paragraph, Run, from_plain, from_value

ANN = {"id": "A1", "displayName": "Ann Lee", "uniqueName": "ann@example.com"}
BUG = TicketType("Bug", {"New": "Proposed"}, {}, frozenset((REPRO_STEPS,)))
PROCESS = Process({"Bug": BUG, "Task": TicketType("Task")}, {"Custom.Notes": "html"})
NEVER = "9999-01-01T00:00:00Z"


def at(second: int) -> str:
    return f"2026-03-01T10:00:{second:02}.5Z"


def update(number: int, rev: int | None = None, **more: Any) -> dict[str, Any]:
    """An update; `fields` maps a name to its old and new value."""
    fields = more.pop("fields", {})
    told = {
        name: {
            key: value for key, value in zip(("oldValue", "newValue"), pair, strict=True) if value is not None
        }
        for name, pair in fields.items()
    }
    if rev is None:
        told |= {"System.ChangedDate": {"newValue": at(number)}, "System.Rev": {"newValue": number}}
    return {
        "id": number,
        "rev": rev or number,
        "revisedBy": ANN,
        "revisedDate": NEVER,
        **({"fields": told} if told else {}),
        **more,
    }


def first(**fields: Any) -> dict[str, Any]:
    given = {"System.WorkItemType": "Bug", "System.Title": "VPN", "System.State": "New", **fields}
    return update(1, fields={name: (None, value) for name, value in given.items()})


def told(
    *records: dict[str, Any],
    start: HistoryCursor | None = None,
    of: Mapping[int, Comment | None] | None = None,
) -> list[Change]:
    people, begin = People(), start or HistoryCursor()
    page = read_page(records, begin, people.met)
    assert page is not None
    return list(changes(page, begin, Reader(PROCESS, people), of or {}))


def test_the_first_update_is_the_creation_with_the_values_it_began_with() -> None:
    (change,) = told(
        first(
            **{"System.Tags": "b; concord:m-1; a", "System.Reason": "New", REPRO_STEPS: "<div>It burns</div>"}
        )
    )
    assert change == Change(
        "1",
        datetime(2026, 3, 1, 10, 0, 1, 500_000, tzinfo=UTC),
        Person("a1", "Ann Lee", "ann@example.com"),
        ChangeKind.CREATED,
        {
            "type": "Bug",
            "title": "VPN",
            "status": "New",
            "tags": ["a", "b"],
            "description": from_plain("It burns").as_value(),
        },
        marker="m-1",
    )


def test_an_update_tells_new_and_old_values_and_nothing_the_system_writes_by_itself() -> None:
    fields = {
        "System.Title": ("VPN", "VPN is down"),
        "System.State": ("New", "Active"),
        "System.Reason": ("New", "Approved"),
        "Microsoft.VSTS.Common.Priority": (2, 1),
        "Microsoft.VSTS.Common.StateChangeDate": (at(1), at(2)),
        "Microsoft.VSTS.Common.ActivatedBy": (None, ANN),
        "System.Watermark": (1, 2),
        "WEF_1_Kanban.Column": ("New", "Active"),
        "Custom.Notes": ("<b>x</b>", None),
    }
    change = told(first(), update(2, fields=fields))[1]
    assert (change.id, change.kind) == ("2", ChangeKind.UPDATED)
    assert change.fields == {
        "title": "VPN is down",
        "status": "Active",
        "priority": "1",
        "Custom.Notes": None,
    }
    assert {name: value for name, value in change.before.items() if name != "Custom.Notes"} == {
        "title": "VPN",
        "status": "New",
        "priority": "2",
    }
    assert from_value(change.before["Custom.Notes"]).plain() == "x"


def test_a_reason_alone_is_news() -> None:
    assert told(first(), update(2, fields={"System.Reason": ("Fixed", "Deferred")}))[1].fields == {
        "reason": "Deferred"
    }


def test_what_says_nothing_to_us_is_left_out_and_the_cursor_passes_it() -> None:
    people = People()
    page = read_page([first(), update(2, fields={"System.Watermark": (1, 2)})], HistoryCursor(), people.met)
    assert page is not None
    assert [one.id for one in changes(page, HistoryCursor(), Reader(PROCESS, people), {})] == ["1"]
    assert page.cursor == HistoryCursor(2, 2, 2, "Bug")


def test_our_tag_alone_is_no_change() -> None:
    assert (
        len(
            told(
                first(**{"System.Tags": "a; concord:m-1"}),
                update(2, fields={"System.Tags": ("a; concord:m-1", "a")}),
            )
        )
        == 1
    )


def test_an_update_that_makes_no_revision_has_a_place_of_its_own() -> None:
    link = {"rel": "System.LinkTypes.Related", "url": "https://x/_apis/wit/workItems/7", "attributes": {}}
    people = People()
    records = [
        first(),
        update(2, 1, relations={"added": [link]}),
        update(3, 2, fields={"System.Title": ("VPN", "X")}),
    ]
    page = read_page(records, HistoryCursor(), people.met)
    assert page is not None
    assert [(step.change_id, step.makes_revision) for step in page.steps] == [
        ("1", True),
        ("1.2", False),
        ("2", True),
    ]
    assert page.cursor == HistoryCursor(3, 3, 2, "Bug")
    assert [one.id for one in changes(page, HistoryCursor(), Reader(PROCESS, people), {})] == ["1", "2"]


def test_a_file_is_news_with_its_marker() -> None:
    guid = "0AE2A5B1-0000-4000-8000-00000000000F"
    link = {
        "rel": "AttachedFile",
        "url": f"https://dev.azure.com/x/_apis/wit/attachments/{guid}?fileName=a.png",
        "attributes": {"name": "障害 (1).png", "resourceSize": 5, "comment": "concord:m-7"},
    }
    other = {"rel": "Hyperlink", "url": "https://example.com", "attributes": {"comment": "x"}}
    (change,) = told(first(), update(2, relations={"added": [other, link]}))[1:]
    assert change.marker == "m-7"
    assert [
        (one.id, one.name, one.content_type, one.size_bytes, one.locator) for one in change.attachments
    ] == [(guid.lower(), "障害 (1).png", "image/png", 5, guid.lower())]


def test_deletion_and_restoration_are_told_as_such() -> None:
    kinds = [
        change.kind
        for change in told(
            first(),
            update(2, fields={"System.IsDeleted": (None, True)}),
            update(3, fields={"System.IsDeleted": (True, None)}),
        )
    ]
    assert kinds == [ChangeKind.CREATED, ChangeKind.DELETED, ChangeKind.RESTORED]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"fields": {"System.ChangedDate": {"newValue": at(5)}}}, 5),
        (
            {
                "fields": {
                    "System.ChangedDate": {"newValue": NEVER},
                    "System.AuthorizedDate": {"newValue": at(6)},
                }
            },
            6,
        ),
        ({"relations": {"added": [{"attributes": {"resourceCreatedDate": at(7)}}]}}, 7),
        # No time of its own: the one before it, not the one at which the next revision came.
        ({"revisedDate": at(59)}, 1),
        ({"relations": {"added": "x"}, "fields": []}, 1),
    ],
)
def test_a_change_happened_when_it_was_made(record: dict, expected: int) -> None:
    people = People()
    page = read_page([first(), {"id": 2, "rev": 2, **record}], HistoryCursor(), people.met)
    assert page is not None
    assert page.steps[1].at.second == expected


def test_the_type_in_the_cursor_tells_where_the_description_is() -> None:
    changed = {REPRO_STEPS: ("a", "b"), "System.Description": ("c", "d")}
    for type_, expected in (("Bug", "b"), ("Task", "d")):
        start = HistoryCursor(1, 1, 1, type_)
        (change,) = told(first(), update(2, fields=changed), start=start)
        assert from_value(change.fields["description"]).plain() == expected


def test_a_cursor_that_is_not_where_it_was_makes_all_be_read() -> None:
    people = People()
    cursor = HistoryCursor(5, 4, 3, "Bug")
    assert read_page([], cursor, people.met) is None
    assert read_page([update(6)], cursor, people.met) is None
    page = read_all(
        [first(), update(4), update(5), update(7, fields={"System.Title": ("a", "b")})], cursor, people.met
    )
    assert [step.id for step in page.steps] == [7]
    assert page.cursor == HistoryCursor(7, 4, 7, "Bug")


@pytest.mark.parametrize(
    "record", [{}, {"id": "1", "rev": 1}, {"id": True, "rev": 1}, {"id": 1}, {"id": 0, "rev": 1}]
)
def test_an_update_without_a_number_cannot_be_read(record: dict) -> None:
    with pytest.raises(errors.Garbled):
        read_page([record], HistoryCursor(), People().met)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"update": 1}',
        '{"update": true, "count": 1, "rev": 1, "type": ""}',
        "[" * 100_000,
    ],
)
def test_a_cursor_that_makes_no_sense_is_the_beginning(text: str) -> None:
    assert HistoryCursor.read(text) == HistoryCursor()


def test_cursors_are_read_as_they_were_kept() -> None:
    history = HistoryCursor(7, 6, 5, "Bug")
    feed = FeedCursor("123", datetime(2026, 1, 1, tzinfo=UTC))
    assert HistoryCursor.read(history.text()) == history
    assert FeedCursor.read(feed.text(), datetime(2020, 1, 1, tzinfo=UTC)) == feed


# --- Comments ---


def commented(number: int, text: str) -> dict[str, Any]:
    return update(number, fields={"System.History": (None, text)})


def record(number: int, second: int, text: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "version": 1,
        "text": text,
        "createdBy": ANN,
        "createdDate": at(second),
        "modifiedDate": at(second),
        **more,
    }


def joined(updates: list[dict], records: list[dict]) -> dict[int, tuple[str, str] | None]:
    people = People()
    page = read_page([first(), *updates], HistoryCursor(), people.met)
    assert isinstance(page, Page)
    found = comments.join(page.steps, records, people.met)
    return {rev: (one.id, from_value(one.body).plain()) if one else None for rev, one in found.items()}


def test_each_comment_is_joined_to_its_revision_by_time_and_words() -> None:
    assert joined(
        [commented(2, "<div>One</div>"), commented(3, "<div>Two</div>")],
        [
            record(11, 3, "<div>Two</div>"),
            record(10, 2, "<div>One, edited later</div>", version=2, modifiedDate=at(40)),
        ],
    ) == {2: ("10", "One, edited later"), 3: ("11", "Two")}


def test_comments_of_the_same_moment_are_told_apart_by_their_words() -> None:
    assert joined([commented(2, "B"), commented(3, "A")], [record(10, 2, "A"), record(11, 3, "B")]) == {
        2: ("11", "B"),
        3: ("10", "A"),
    }


def test_however_many_comments_came_at_once_each_text_is_read_twice_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[int] = []
    of_comment = texts.of_comment

    def counted(one: dict) -> Document:
        read.append(one["id"])
        return of_comment(one)

    monkeypatch.setattr(texts, "of_comment", counted)
    numbers = range(2, 60)
    said = joined(
        [{**commented(number, f"Line {number}"), "revisedDate": at(5)} for number in numbers],
        [record(1_000 - number, 5, f"Line {number}") for number in numbers],
    )
    assert len(said) == len(numbers)
    assert max(read.count(number) for number in read) == 2


def test_a_comment_that_was_taken_away_is_not_carried() -> None:
    assert joined([commented(2, "Secret")], [record(10, 2, "", isDeleted=True)]) == {2: None}


def test_an_edit_is_no_new_comment() -> None:
    records = [record(10, 2, "Better", version=2, modifiedDate=at(30))]
    assert joined([commented(2, "Good"), commented(30, "Better")], records) == {2: ("10", "Better"), 30: None}


def test_a_comment_without_a_record_is_told_all_the_same() -> None:
    assert joined([commented(2, "Said")], []) == {2: ("rev:2", "Said")}


def test_a_markdown_comment_is_read_as_azure_devops_shows_it() -> None:
    one = record(
        10,
        2,
        "**Hot**, [log](https://example.com)",
        format="markdown",
        renderedText="<p><strong>Hot</strong></p>",
    )
    comment = comments.read(one, People().met)
    assert comment.body == Document((Paragraph((Run("Hot", ("bold",)),)),)).as_value()
    bare = comments.read({**one, "renderedText": None}, People().met)
    assert from_value(bare.body).plain() == "Hot, log"


def test_every_comment_is_public_because_there_is_no_other_kind() -> None:
    assert comments.read(record(10, 2, "Hi"), People().met).is_public is True


@pytest.mark.parametrize(
    "broken", [{"id": None}, {"id": "7"}, {"createdDate": "yesterday"}, {"createdDate": NEVER}]
)
def test_a_comment_without_number_or_time_cannot_be_read(broken: dict) -> None:
    with pytest.raises(errors.Garbled):
        comments.read({**record(10, 2, "Hi"), **broken}, People().met)
