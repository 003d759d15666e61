"""A ticket's audits as changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integrations.canonical import Attachment, Change, ChangeKind, Comment, Person
from integrations.connectors import errors
from integrations.connectors.zendesk import audits
from integrations.connectors.zendesk.fields import FieldTags
from integrations.connectors.zendesk.people import People
from integrations.richtext.blocks import from_plain, from_value

AT = datetime(2026, 1, 1, 10, tzinfo=UTC)
ANN = Person("7", "Ann Lee", "ann@partner.example")
BO = Person("8", "Bo")
PEOPLE = People(lambda ids: [])
PEOPLE.meet([{"id": 7, "name": "Ann Lee", "email": "ann@partner.example"}, {"id": 8, "name": "Bo"}])
FILE = {"id": 5, "file_name": "a.log", "content_type": "text/plain", "size": 3, "content_url": "https://x/a"}


def audit(id_: int, *events: dict, **more: Any) -> dict[str, Any]:
    return {"id": id_, "created_at": "2026-01-01T10:00:00Z", "author_id": 7, "events": list(events), **more}


def comment(id_: int, text: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "type": "Comment",
        "author_id": 7,
        "html_body": f"<p>{text}</p>",
        "public": True,
        **more,
    }


def create(name: str, value: object) -> dict[str, Any]:
    return {"type": "Create", "field_name": name, "value": value}


def change(name: str, value: object, before: object) -> dict[str, Any]:
    return {"type": "Change", "field_name": name, "value": value, "previous_value": before}


def read(*records: dict, from_start: bool = False, field_tags: FieldTags | None = None) -> tuple[Change, ...]:
    return audits.changes(records, PEOPLE, field_tags or FieldTags(), from_start=from_start)


def text(words: str) -> dict:
    return from_plain(words).as_value()


def test_the_first_audit_makes_the_ticket_and_its_comment_is_the_description() -> None:
    found = read(
        audit(
            1,
            comment(11, "It burns", attachments=[FILE]),
            create("subject", "Printer"), create("status", "new"), create("requester_id", "8"),
            create("tags", ["b", "a"]), create("360001", "impact_high"), create("external_id", "m-1"),
            {"type": "Notification", "body": "mail"},
            metadata={"custom": {"concord": "m-1", "other": 1}, "system": {}},
        ),
        from_start=True,
    )  # fmt: skip
    assert found == (
        Change(
            "1", AT, ANN, ChangeKind.CREATED,
            {
                "description": text("It burns"), "subject": "Printer", "status": "new", "requester": BO.as_value(),
                "tags": ["a", "b"], "custom_field_360001": "impact_high",
            },
            {}, (), (Attachment("5", "a.log", "text/plain", 3, "https://x/a"),), "m-1",
        ),
    )  # fmt: skip


@pytest.mark.parametrize("public", [False, None, "true", 1])
def test_a_first_comment_that_is_not_public_is_an_internal_comment_and_no_description(public: object) -> None:
    found = read(
        audit(1, comment(11, "Between us", public=public, attachments=[FILE]), create("subject", "Printer")),
        from_start=True,
    )
    file = Attachment("5", "a.log", "text/plain", 3, "https://x/a")
    assert found == (
        Change(
            "1", AT, ANN, ChangeKind.CREATED, {"description": text(""), "subject": "Printer"},
            comments=(Comment("11", text("Between us"), ANN, False, AT, (file,)),),
        ),
    )  # fmt: skip


def test_a_first_comment_that_was_made_internal_later_is_no_description_either() -> None:
    created, hidden = read(
        audit(1, comment(11, "Oops")),
        audit(2, {"type": "CommentPrivacyChange", "comment_id": 11, "public": False}),
        from_start=True,
    )
    assert created.fields == {"description": text("")}
    assert [(one.id, one.is_public) for one in created.comments] == [("11", False)]
    assert (hidden.fields, hidden.comments) == ({}, ())


def test_a_public_comment_beside_an_internal_first_one_does_not_become_the_description() -> None:
    [created] = read(audit(1, comment(11, "Between us", public=False), comment(12, "Hello")), from_start=True)
    assert created.fields == {"description": text("")}
    assert [(one.id, one.is_public) for one in created.comments] == [("11", False), ("12", True)]


def test_later_audits_are_updates_with_comments_of_their_own() -> None:
    found = read(
        audit(
            2,
            comment(21, "Seen", author_id=8, public=False, attachments=[FILE]),
            change("status", "open", "new"),
        ),
        audit(3, {"type": "Notification"}, {"type": "BrandNewEvent", "field_name": "subject", "value": "x"}),
    )
    body = text("Seen")
    file = Attachment("5", "a.log", "text/plain", 3, "https://x/a")
    assert found == (
        Change("2", AT, ANN, fields={"status": "open"}, before={"status": "new"},
               comments=(Comment("21", body, BO, False, AT, (file,)),)),
        Change("3", AT, ANN),
    )  # fmt: skip


@pytest.mark.parametrize("public", [False, None, "true", 1, [], {}])
def test_a_comment_is_public_only_when_zendesk_says_so_in_so_many_words(public: object) -> None:
    assert not read(audit(2, comment(21, "Seen", public=public)))[0].comments[0].is_public


def test_a_comment_that_was_made_internal_later_was_never_public_for_us() -> None:
    found = read(
        audit(2, comment(21, "Oops"), comment(22, "Fine")),
        audit(3, {"type": "CommentPrivacyChange", "comment_id": 21, "public": False}),
        audit(4, {"type": "CommentPrivacyChange", "comment_id": 22, "public": True}),
    )
    assert [one.is_public for one in found[0].comments] == [False, True]


def test_a_field_that_changed_twice_in_one_audit_ends_with_the_last_and_begins_with_the_first() -> None:
    found = read(audit(2, change("status", "open", "new"), change("status", "pending", "open")))
    assert (found[0].fields, found[0].before) == ({"status": "pending"}, {"status": "new"})


@pytest.mark.parametrize(
    ("value", "before", "kind"),
    [("deleted", "open", ChangeKind.DELETED), ("open", "deleted", ChangeKind.RESTORED)],
)
def test_deletion_and_restoring_are_told_where_the_audits_know_them(
    value: str, before: str, kind: ChangeKind
) -> None:
    assert read(audit(2, change("status", value, before)))[0].kind is kind


def test_tags_of_a_field_come_as_that_field_and_not_as_tags() -> None:
    field_tags = FieldTags(frozenset({"custom_field_1"}), frozenset({"impact_high", "impact_low"}))
    found = read(
        audit(
            2,
            change("tags", ["a", "impact_low"], ["a", "impact_high"]),
            change("1", "impact_low", "impact_high"),
        ),
        audit(3, change("tags", ["b", "impact_low"], ["a", "impact_low"])),
        field_tags=field_tags,
    )
    assert [(one.fields, one.before) for one in found] == [
        ({"custom_field_1": "impact_low"}, {"custom_field_1": "impact_high"}),
        ({"tags": ["b"]}, {"tags": ["a"]}),
    ]


def test_an_unreadable_time_takes_the_one_before_and_none_at_all_is_garbled() -> None:
    assert [one.at for one in read(audit(1), audit(2, created_at="soon"), audit(3, created_at=None))] == [
        AT
    ] * 3
    with pytest.raises(errors.Garbled):
        read(audit(1, created_at="soon"))


@pytest.mark.parametrize("id_", [None, "", "x", -1, []])
def test_an_audit_without_a_number_is_garbled(id_: Any) -> None:
    with pytest.raises(errors.Garbled):
        read(audit(id_))


@pytest.mark.parametrize(
    "odd",
    [{"events": None}, {"events": [None, 5, {}]}, {"metadata": None}, {"metadata": {"custom": []}},
     {"metadata": {"custom": {"concord": 5}}}, {"author_id": None}, {"author_id": {"id": 7}}],
)  # fmt: skip
def test_odd_shapes_are_tolerated(odd: dict) -> None:
    [found] = read({**audit(2), **odd})
    assert (found.fields, found.comments, found.marker) == ({}, (), "")


def test_everybody_an_audit_names_is_known_beforehand() -> None:
    records = [
        audit(
            1,
            comment(11, "x", author_id=8),
            create("assignee_id", "9"),
            change("requester_id", 10, {"id": 11}),
        ),
        {"id": 2},
    ]
    assert [id_ for id_ in audits.person_ids(records) if id_] == ["7", "8", "9", "10", "11"]


# --- Recorded ---


def test_every_recorded_history_is_read(shared_data: Path) -> None:
    """All tickets in the recordings of the account-wide list, each with its own audits in order."""
    tickets: dict[int, list[dict]] = {}
    for file in sorted((shared_data / "data/payloads/zendesk/recordings").glob("*ticket_audits*")):
        for one in json.loads(file.read_text())["response"]["body"]["audits"]:
            records = tickets.setdefault(one["ticket_id"], [])
            if one["id"] not in [known["id"] for known in records]:
                records.append(one)
    assert tickets
    for records in tickets.values():
        found = read(*records, from_start=True)
        assert [one.id for one in found] == [str(record["id"]) for record in records]
        assert [one.kind for one in found][:1] == [ChangeKind.CREATED]
        assert all(one.actor.id for one in found)
        assert from_value(found[0].fields["description"]).plain()
        assert found[0].fields["subject"]
    first = read(*tickets[1], from_start=True)
    assert first[0].fields["tags"] == ["sample", "support", "zendesk"]
    assert from_value(first[0].fields["description"]).plain().startswith("Hi there,\nI’m sending an email")
    assert (first[1].fields, first[1].before) == (
        {"type": "incident", "priority": "normal"}, {"type": None, "priority": None},
    )  # fmt: skip
