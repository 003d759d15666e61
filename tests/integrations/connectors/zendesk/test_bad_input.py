"""What Zendesk should not send and does: odd times, people, values and marks, and very much of everything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.canonical import CommentDraft, Person
from integrations.connectors import errors
from integrations.richtext import cutting
from integrations.richtext.blocks import Document, from_plain, from_value
from tests.integrations.connectors.bench import bench, outcome
from tests.integrations.connectors.raw_server import answer
from tests.integrations.connectors.zendesk.test_connector import answering

TICKET = {
    "id": 5, "subject": "Printer", "status": "open", "priority": "high", "type": "incident", "tags": ["a"],
    "requester_id": 7, "assignee_id": None, "custom_fields": [],
    "created_at": "2026-01-01T10:00:00Z", "updated_at": "2026-01-02T10:00:00Z",
}  # fmt: skip
COMMENT = {
    "id": 1,
    "public": True,
    "html_body": "<p>It burns</p>",
    "author_id": 7,
    "created_at": "2026-01-01T10:00:00Z",
}


def desk_with(ticket: object = TICKET, comments: object = (COMMENT,), **more: object) -> dict[str, object]:
    return {
        "GET /api/v2/tickets/5/comments": {"comments": comments, "meta": {"has_more": False}},
        "GET /api/v2/tickets/5": {"ticket": ticket, "users": [{"id": 7, "name": "Ann"}]},
        "GET /api/v2/ticket_fields": {"ticket_fields": []},
        **more,
    }


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("2026-01-01T10:00:00+05:30", datetime(2026, 1, 1, 4, 30, tzinfo=UTC)),
        ("2026-01-01T10:00:00.123456789Z", datetime(2026, 1, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2026-01-01T10:00:00", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        (1767261600, datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("soon", None),
        (None, None),
        ({}, None),
    ],
)
def test_a_time_of_any_zone_is_read_in_utc_and_no_time_is_garbled(told: object, at: datetime | None) -> None:
    with answering(desk_with({**TICKET, "created_at": told})) as (connector, _):
        if at is None:
            assert isinstance(outcome(lambda: connector.read("5")), errors.Garbled)
        else:
            assert connector.read("5").created_at == at


def test_values_that_nobody_knew_before_are_told_as_they_are() -> None:
    odd = {
        **TICKET, "status": "QUANTUM", "priority": "P0", "type": 5, "tags": "b a", "subject": None,
        "custom_fields": [{"id": 1, "value": ["x", "y"]}, {"id": "2", "value": {"odd": 1}}, {"id": None}, 7, {"id": 3}],
    }  # fmt: skip
    with answering(desk_with(odd)) as (connector, _):
        ticket = connector.read("5")
    assert {name: ticket.fields[name] for name in ("status", "priority", "type", "tags", "subject")} == {
        "status": "quantum", "priority": "p0", "type": None, "tags": ["a", "b"], "subject": None,
    }  # fmt: skip
    assert ticket.fields["custom_field_1"] == ["x", "y"]
    assert ticket.fields["custom_field_2"] == "{'odd': 1}"
    assert ticket.fields["custom_field_3"] is None
    assert not ticket.is_closed


@pytest.mark.parametrize(
    ("author", "person"),
    [
        (7, Person("7", "Ann")), ("7", Person("7", "Ann")), ({"id": 7}, Person("7", "Ann")),
        ({"id": "9", "name": "Bo"}, Person("9", "Bo")), (None, Person("")), ("ann", Person("")), (-1, Person("")),
        (True, Person("")),
    ],
)  # fmt: skip
def test_somebody_is_read_from_a_number_a_text_or_an_object(author: object, person: Person) -> None:
    comments = [COMMENT, {**COMMENT, "id": 2, "author_id": author}]
    answers = desk_with(comments=comments, **{"GET /api/v2/users/show_many": {"users": []}})
    with answering(answers) as (connector, _):
        assert [one.author for one in connector.read("5").comments] == [person]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b'{"ticket": {"id": 5, ',
        b"<html>Sign in</html>",
        b"\xff",
        b'{"ticket": [5]}',
    ],
)
def test_what_is_no_ticket_is_garbled(body: bytes) -> None:
    with answering(lambda request: answer(body)) as (connector, _):
        for do in (
            lambda: connector.read("5"),
            lambda: connector.history("5", ""),
            lambda: connector.changed_since(""),
            lambda: connector.find("m"),
        ):
            assert isinstance(outcome(do), errors.Garbled)
        error = outcome(lambda: connector.comment("5", CommentDraft(from_plain("x").as_value(), True, "m")))
        assert isinstance(error, errors.Garbled)
        assert error.outcome_unknown


def test_a_byte_order_mark_and_half_letters_do_no_harm() -> None:
    odd: dict[str, Any] = {**TICKET, "subject": "Störung \ud83d\x00障害"}

    def respond(request: bytes) -> bytes:
        found = next(value for start, value in desk_with(odd).items() if request.startswith(start.encode()))
        return answer(b"\xef\xbb\xbf" + json.dumps(found).encode())

    with answering(respond) as (connector, _):
        assert connector.read("5").fields["subject"] == "Störung 障害"


@pytest.mark.parametrize("status", ["203 Non-Authoritative Information", "302 Found", "200 OK"])
def test_a_page_to_sign_in_is_never_taken_for_data(status: str) -> None:
    page = answer(b"<!DOCTYPE html><title>Sign in</title>", status, Content_Type="text/html")
    with answering(lambda request: page) as (connector, _):
        error = outcome(lambda: connector.read("5"))
    assert isinstance(error, errors.Garbled if status.startswith("200") else errors.Unauthorized)


def test_a_comment_of_64_kb_arrives_whole_or_says_that_it_was_cut() -> None:
    with bench("zendesk") as desk:
        ticket = desk.ticket()
        for size in (65_000, 70_000, 200_000):
            desk.comment(ticket, "x" * size)
        held = [from_value(one.body).plain() for one in desk.connector.read(ticket).comments]
    assert held[0] == "x" * 65_000
    assert [one.endswith(cutting.MARK) for one in held] == [False, True, True]
    assert all(len(one) > 65_000 for one in held[1:])


def test_after_five_thousand_comments_one_more_is_refused() -> None:
    with bench("zendesk") as desk:
        ticket = desk.ticket()
        acts = [
            {"do": "comment", "ticket": ticket, "comment": f"Comment {n}", "hooks": False}
            for n in range(4_999)
        ]
        desk.sandbox.act(*acts)
        assert isinstance(outcome(lambda: desk.comment(ticket, "One too many")), errors.TooLarge)


def test_a_ticket_without_any_comment_has_no_description() -> None:
    with answering(desk_with(comments=[])) as (connector, _):
        assert connector.read("5").fields["description"] == Document().as_value()
