"""What every connector promises, asked of each one on its vendor's sandbox, and again while things go wrong."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.canonical import ChangeKind, CommentDraft, Draft, FieldKind
from integrations.connectors import errors, http, registry
from integrations.connectors.protocol import FileDraft, HookRequest, RegistersHooks, TellsFileLimits
from integrations.engine.hints import is_told
from integrations.richtext import blocks, cutting
from integrations.richtext.blocks import from_plain
from integrations.sandbox.system import System
from integrations.sandbox.wire import Request, Response
from tests.integrations.connectors.bench import (
    CASES,
    Bench,
    Sent,
    bench,
    close,
    connector_to,
    open_at,
    outcome,
    recorded,
)
from tests.integrations.connectors.raw_server import Peer, answer, raw_server
from tests.integrations.sandbox.openapi import Document
from tests.integrations.sandbox.openapi import Exchange as Described
from tests.integrations.sandbox.receiver import Arrived, Receiver

NOW = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
ODD_NAMES = [
    "report.txt", "障害 レポート.pdf", "no extension", "a b (1)&,;='.log", "naïve+100%.txt", "README", "x" * 120 + ".bin"
]  # fmt: skip


def test_every_registered_kind_is_asked(kind: str) -> None:
    connector = registry.connector_class(kind)
    assert kind in CASES
    assert connector.kind == kind
    assert (kind, connector.label) in registry.labels()
    assert sum(spec.is_secret for spec in connector.settings) >= 1
    assert {spec.name for spec in connector.settings} >= {"base_url"}


def test_a_kind_that_nobody_knows_is_refused() -> None:
    with pytest.raises(errors.Refused):
        registry.open_connector("lotus_notes", {})
    assert registry.label("lotus_notes") == "lotus_notes"


def test_a_missing_setting_is_named(kind: str) -> None:
    with pytest.raises(errors.Refused, match="Address"):
        registry.open_connector(kind, {})


# --- Who we are, what there is ---


def test_signing_in_tells_who_we_are_and_that_nothing_is_missing(desk: Bench) -> None:
    account = desk.connector.check()
    assert account.id
    assert account.name
    assert account.problems == ()


def test_wrong_credentials_stop_the_system(desk: Bench) -> None:
    told = desk.sandbox.state.sign_in()
    wrong = {spec.name: "wrong" for spec in desk.connector.settings if spec.is_secret}
    given_ = {name: told[word] for name, word in desk.case.sign_in.items()} | wrong
    connector = open_at(given_, desk.case.kind)
    some_id = desk.case.some_id
    for ask in (
        connector.check,
        lambda: connector.history(some_id, ""),
        lambda: connector.create(desk.draft()),
    ):
        assert isinstance(outcome(ask), errors.Unauthorized)
    close(connector)


def test_the_fields_are_told_with_their_values(desk: Bench) -> None:
    specs = {spec.name: spec for spec in desk.connector.fields()}
    assert len(specs) == len(desk.connector.fields())
    assert specs[desk.case.title].kind is FieldKind.TEXT
    assert specs["description"].kind is FieldKind.RICH_TEXT
    assert specs[desk.case.status].kind is FieldKind.STATUS
    assert set(desk.case.journey) <= set(specs[desk.case.status].values)
    for name, values in desk.case.values.items():
        spec = specs[name]
        assert spec.is_writable, name
        if spec.values and spec.kind is FieldKind.CHOICE:
            assert set(values) <= set(spec.values), name


# --- Creating and reading ---


def test_what_is_created_is_what_is_read(desk: Bench) -> None:
    values = {name: pair[0] for name, pair in desk.case.values.items()}
    draft = desk.draft(**values)
    written = desk.connector.create(draft)
    ticket = desk.connector.read(written.head.remote_id)
    expected = {name: desk.connector.settled(name, value) for name, value in draft.fields.items()}
    assert {name: ticket.fields[name] for name in expected} == expected
    assert (ticket.head.remote_id, ticket.comments, ticket.attachments) == (written.head.remote_id, (), ())
    assert not ticket.is_closed
    assert written.head.key
    assert written.head.url.startswith(desk.sandbox.url)
    assert ticket.created_at <= ticket.updated_at


def test_a_ticket_without_words_can_be_created(desk: Bench) -> None:
    written = desk.connector.create(Draft({desk.case.title: "Only a title"}, desk.marker()))
    assert desk.connector.read(written.head.remote_id).fields[desk.case.title] == "Only a title"


def test_history_and_reading_tell_the_same(desk: Bench) -> None:
    values = {name: pair[0] for name, pair in desk.case.values.items()}
    remote_id = desk.connector.create(desk.draft(**values)).head.remote_id
    desk.update(remote_id, **{desk.case.title: "Changed"})
    desk.comment(remote_id, "Seen")
    desk.attach(remote_id, "log.txt", b"a line")
    ticket, changes = desk.connector.read(remote_id), desk.changes(remote_id)
    told = desk.current(remote_id)
    assert {name: told[name] for name in (*values, "description")} == {
        name: ticket.fields[name] for name in (*values, "description")
    }
    assert [comment for change in changes for comment in change.comments] == list(ticket.comments)
    names = [file.name for change in changes for file in change.attachments]
    names += [file.name for comment in ticket.comments for file in comment.attachments]
    assert names == ["log.txt"]


def test_a_ticket_is_read_by_the_number_that_people_know(desk: Bench) -> None:
    desk.ticket()
    head = desk.connector.create(desk.draft(**{desk.case.title: "The second"})).head
    number = desk.connector.read(head.remote_id).head.key.lstrip("#")
    for known_as in (number, number.lower()):
        found = desk.connector.read(known_as)
        assert (found.head.remote_id, found.fields[desk.case.title]) == (head.remote_id, "The second")
    for unknown in ("INC9999999", "999999", "NO-1", "^ORnumber!=1", "x:y"):
        assert isinstance(outcome(lambda unknown=unknown: desk.connector.read(unknown)), errors.Refused)  # type: ignore[misc]


def test_a_created_ticket_is_found_by_its_marker_and_no_other(desk: Bench) -> None:
    draft = desk.draft()
    assert desk.connector.find(draft.marker) is None
    written = desk.connector.create(draft)
    desk.connector.create(desk.draft())
    found = desk.connector.find(draft.marker)
    assert found is not None
    assert found.head == written.head
    assert desk.connector.find(draft.marker + "0") is None


def test_the_creation_carries_our_marker(desk: Bench) -> None:
    draft = desk.draft()
    remote_id = desk.connector.create(draft).head.remote_id
    assert desk.changes(remote_id)[0].marker == draft.marker


def test_a_repeated_creation_gives_the_first_ticket_where_that_is_promised_and_only_there(
    desk: Bench,
) -> None:
    draft = desk.draft()
    changed = Draft({**draft.fields, desk.case.title: "Other words"}, draft.marker)
    heads = [desk.connector.create(again).head for again in (draft, draft, changed)]
    # Where it makes another ticket each time, the engine has to look for the first before it asks again.
    tickets = 1 if desk.connector.capabilities.idempotent_create else 3
    assert len({head.remote_id for head in heads}) == len(list(desk.sandbox.tickets())) == tickets


# --- History ---


def people_work(desk: Bench) -> str:
    """The partner's people on one ticket of theirs; its id."""
    first, second = desk.case.values[desk.case.title]
    remote_id = desk.act("create", fields={desk.case.title: first, "description": "It burns."})["ticket"]
    desk.act("update", remote_id, fields={desk.case.title: second})
    desk.act("comment", remote_id, comment={"text": "One", "public": True})
    desk.act("update", remote_id, fields={desk.case.status: desk.case.journey[0]})
    desk.act("attach", remote_id, file={"name": "log.txt", "text": "a line"})
    desk.act("comment", remote_id, comment={"text": "Two", "public": True})
    return str(remote_id)


def test_history_comes_in_the_order_of_the_source_with_the_creation_first(desk: Bench) -> None:
    remote_id = people_work(desk)
    first, second = desk.case.values[desk.case.title]
    changes = desk.changes(remote_id)
    assert changes[0].kind is ChangeKind.CREATED
    assert {change.kind for change in changes[1:]} == {ChangeKind.UPDATED}
    assert changes[0].fields[desk.case.title] == first
    assert blocks.from_value(changes[0].fields["description"]).plain() == "It burns."
    assert [change.at for change in changes] == sorted(change.at for change in changes)
    steps = []
    for change in changes[1:]:
        steps += [
            (name, change.fields[name])
            for name in (desk.case.title, desk.case.status)
            if name in change.fields
        ]
        steps += [("file", file.name) for file in change.attachments]
        for comment in change.comments:
            steps += [("file", file.name) for file in comment.attachments] or [
                ("comment", blocks.from_value(comment.body).plain())
            ]
    assert steps == [
        (desk.case.title, second),
        ("comment", "One"),
        (desk.case.status, desk.case.journey[0]),
        ("file", "log.txt"),
        ("comment", "Two"),
    ]


def test_history_tells_who_and_what_was_there_before(desk: Bench) -> None:
    remote_id = people_work(desk)
    changed = next(change for change in desk.changes(remote_id)[1:] if desk.case.title in change.fields)
    assert changed.before[desk.case.title] == desk.case.values[desk.case.title][0]
    assert changed.actor.id
    assert changed.actor.name
    assert changed.actor.id != desk.connector.check().id


def test_the_cursor_goes_on_without_a_repetition_or_a_gap(desk: Bench) -> None:
    remote_id = desk.act("create", fields={desk.case.title: "Step 0"})["ticket"]
    cursor, seen = "", []
    for number in range(1, 8):
        page = desk.connector.history(remote_id, cursor)
        seen += page.changes
        cursor = page.cursor
        # Asked again, the same cursor gives the same answer; the new one gives nothing yet.
        assert desk.connector.history(remote_id, cursor).changes == ()
        do = [
            {"fields": {desk.case.title: f"Step {number}"}},
            {"comment": {"text": f"Step {number}", "public": True}},
        ][number % 2]
        desk.act("update", remote_id, **do)
    seen += desk.connector.history(remote_id, cursor).changes
    everything = desk.changes(remote_id)
    assert seen == everything
    assert len({change.id for change in everything}) == len(everything) >= 8
    another = connector_to(desk.sandbox, desk.case, [])
    assert list(another.history(remote_id, cursor).changes) == seen[-1:]
    close(another)


def test_a_long_history_is_read_to_its_end(desk: Bench) -> None:
    remote_id = desk.act("create", fields={desk.case.title: "Step 0"})["ticket"]
    for number in range(1, 251):
        do = (
            {"fields": {desk.case.title: f"Step {number}"}}
            if number % 2
            else {"comment": {"text": f"Step {number}", "public": True}}
        )
        desk.act("update", remote_id, **do)
    titles = []
    for change in desk.changes(remote_id):
        titles += [change.fields[desk.case.title]] if desk.case.title in change.fields else []
        titles += [blocks.from_value(comment.body).plain() for comment in change.comments]
    assert titles == [f"Step {number}" for number in range(251)]


def test_a_cursor_that_makes_no_sense_starts_from_the_beginning(desk: Bench) -> None:
    remote_id = people_work(desk)
    everything = desk.changes(remote_id)
    for odd in ("nonsense", "{}", "[]", "null", '{"after": 5, "last": []}', "\x00"):
        assert desk.changes(remote_id, odd) == everything


def test_reading_on_costs_one_call_and_so_does_a_write(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.connector.check()
    desk.connector.fields()
    cursor = desk.connector.history(remote_id, "").cursor
    body = from_plain("Seen").as_value()
    title = {desk.case.title: "Changed"}
    assert {
        "history": desk.calls(lambda: desk.connector.history(remote_id, cursor)),
        "update": desk.calls(lambda: desk.connector.update(remote_id, title, current={}, marker="m-1")),
        "comment": desk.calls(lambda: desk.connector.comment(remote_id, CommentDraft(body, True, "m-2"))),
        "history after our own writes": desk.calls(lambda: desk.connector.history(remote_id, cursor)),
    } == {"history": 1, "update": 1, "comment": 1, "history after our own writes": 1}


def test_a_ticket_that_was_deleted_is_gone(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.act("delete", remote_id)
    body = from_plain("Too late").as_value()
    attempts: list[Callable[[], object]] = [
        lambda: desk.connector.history(remote_id, ""),
        lambda: desk.connector.read(remote_id),
        lambda: desk.connector.update(remote_id, {desk.case.title: "x"}, current={}, marker="m-1"),
        lambda: desk.connector.comment(remote_id, CommentDraft(body, True, "m-2")),
        lambda: desk.attach(remote_id, "log.txt", b"x"),
    ]
    assert [type(outcome(attempt)) for attempt in attempts] == [errors.Gone] * len(attempts)


@pytest.mark.parametrize(
    "remote_id", ["0", "999999999", "", "abc", "../users/me", "1/../../x", "1?x=y", "１"]
)
def test_a_ticket_that_never_was_is_gone(desk: Bench, remote_id: str) -> None:
    with recorded() as sent:
        assert isinstance(outcome(lambda: desk.connector.history(remote_id, "")), errors.Refused)
        assert isinstance(outcome(lambda: desk.connector.read(remote_id)), errors.Refused)
    # Whatever the id, it stays one segment of the path.
    assert not any("/users/me" in request.path or "/../" in request.path for request in sent)


# --- Writing ---


def test_every_field_can_be_written_and_is_told_as_written(desk: Bench) -> None:
    remote_id = desk.ticket()
    for name, pair in desk.case.values.items():
        for value in pair:
            cursor = desk.connector.history(remote_id, "").cursor
            marker = desk.update(remote_id, **{name: value})
            settled = desk.connector.settled(name, value)
            assert desk.connector.read(remote_id).fields[name] == settled, name
            told = desk.changes(remote_id, cursor)
            assert [change.fields[name] for change in told if name in change.fields] == [settled], name
            assert {change.marker for change in told} <= {marker, ""}


def test_several_fields_are_written_together(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.update(remote_id, **{name: pair[0] for name, pair in desk.case.values.items()})
    ticket = desk.connector.read(remote_id)
    assert {name: ticket.fields[name] for name in desk.case.values} == {
        name: desk.connector.settled(name, pair[0]) for name, pair in desk.case.values.items()
    }


def test_a_field_can_be_emptied(desk: Bench) -> None:
    for name, pair in desk.case.values.items():
        if name in (desk.case.title, *desk.case.kept):
            continue
        remote_id = desk.connector.create(desk.draft(**{name: pair[0]})).head.remote_id
        desk.update(remote_id, **{name: [] if isinstance(pair[0], list) else None})
        assert not desk.connector.read(remote_id).fields.get(name), name


def test_what_is_settled_stays_settled(desk: Bench) -> None:
    for name, pair in {**desk.case.values, "description": (from_plain("a\n\nb").as_value(), "c")}.items():
        for value in pair:
            once = desk.connector.settled(name, value)
            assert desk.connector.settled(name, once) == once, name


def test_a_status_goes_the_way_of_the_workflow(desk: Bench) -> None:
    remote_id = desk.ticket()
    seen = []
    name = desk.case.status
    for status in desk.case.journey:
        desk.update(remote_id, **{name: status})
        seen.append(desk.connector.read(remote_id).fields[name])
    assert tuple(seen) == desk.case.journey
    told = [change.fields[name] for change in desk.changes(remote_id)[1:] if name in change.fields]
    assert [status for status in told if status in desk.case.journey][-1] == desk.case.journey[-1]


def test_a_value_that_is_not_allowed_is_refused_with_the_field_named(desk: Bench) -> None:
    remote_id = desk.ticket()
    error = outcome(lambda: desk.update(remote_id, priority="whatever"))
    assert isinstance(error, errors.Invalid)
    assert "priority" in error.fields
    assert not error.outcome_unknown


def test_a_field_that_does_not_exist_is_refused(desk: Bench) -> None:
    remote_id = desk.ticket()
    assert isinstance(outcome(lambda: desk.update(remote_id, no_such_field="x")), errors.Invalid)


RICH = blocks.Document(
    (
        blocks.Heading(2, (blocks.Run("Findings"),)),
        blocks.Paragraph(
            (
                blocks.Run("It "),
                blocks.Run("really", ("bold", "italic")),
                blocks.Run(" burns, see "),
                blocks.Run("the log", ("link",), "https://example.com/?a=1&b=2"),
                blocks.LineBreak(),
                blocks.Run("and {{ticket.id}} <b>&amp; 日本語 \U0001f525"),
            )
        ),
        blocks.BulletList(
            (
                blocks.Item((blocks.Paragraph((blocks.Run("one"),)),)),
                blocks.Item((blocks.Paragraph((blocks.Run("two"),)),)),
            )
        ),
        blocks.CodeBlock("if x < 1:\n    y = '&'"),
        blocks.Quote((blocks.Paragraph((blocks.Run("said"),)),)),
        blocks.Rule(),
        blocks.Table(
            (
                (blocks.Cell((blocks.Paragraph((blocks.Run("A"),)),), True),),
                (blocks.Cell((blocks.Paragraph((blocks.Run("1"),)),)),),
            )
        ),
    )
)


def test_rich_text_arrives_as_the_connector_says_it_will(desk: Bench) -> None:
    value = RICH.as_value()
    remote_id = desk.connector.create(desk.draft(description=value)).head.remote_id
    desk.connector.comment(remote_id, CommentDraft(value, True, desk.marker()))
    ticket = desk.connector.read(remote_id)
    settled = desk.connector.settled("description", value)
    settled_comment = desk.connector.settled("comment", value)
    assert ticket.fields["description"] == settled
    assert ticket.comments[0].body == settled_comment
    assert blocks.from_value(settled_comment).plain() == RICH.plain()
    # Where a description is plain text, an address stands behind the words that lead to it.
    assert blocks.from_value(settled).plain().replace(" (https://example.com/?a=1&b=2)", "") == RICH.plain()


# --- Comments ---


def test_public_and_internal_comments_are_kept_apart(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.comment(remote_id, "For everybody")
    internal = outcome(lambda: desk.comment(remote_id, "Among ourselves", is_public=False))
    expected = [("For everybody", True)]
    if desk.connector.capabilities.has_internal_comments:
        assert internal is None
        expected.append(("Among ourselves", False))
    else:
        assert isinstance(internal, errors.Refused)
    told = [comment for change in desk.changes(remote_id) for comment in change.comments]
    for comments in (told, desk.connector.read(remote_id).comments):
        shown = [(blocks.from_value(one.body).plain(), one.is_public) for one in comments]
        assert shown == expected


def test_a_comment_of_ours_is_known_by_its_id_and_its_marker(desk: Bench) -> None:
    remote_id = desk.ticket()
    draft = CommentDraft(from_plain("Seen").as_value(), True, desk.marker())
    written = desk.connector.comment(remote_id, draft)
    change = desk.changes(remote_id)[-1]
    assert change.comments[0].id == written.comment_id
    assert change.id in written.change_ids
    assert change.marker == (draft.marker if desk.case.tells_markers else "")
    assert change.actor.id == desk.connector.check().id


def test_a_very_long_comment_is_never_cut_without_a_word(desk: Bench) -> None:
    remote_id = desk.ticket()
    text = "\n\n".join(f"Line {number} " + "x" * 90 for number in range(2_000))
    desk.comment(remote_id, text)
    comment = desk.connector.read(remote_id).comments[0].body
    held = blocks.from_value(comment).plain()
    assert held == text.replace("\n\n", "\n") or held.endswith(cutting.MARK)
    assert comment == desk.connector.settled("comment", blocks.from_plain(text).as_value())


def test_a_very_long_title_and_description_are_cut_with_a_mark(desk: Bench) -> None:
    """Never refused, never cut in silence, and known as what was written when they come back."""
    title = " ".join(f"word{number}" for number in range(60))
    lines = [f"Line {number} " + "x" * 90 for number in range(12_000)]
    description = blocks.from_plain("\n\n".join(lines)).as_value()
    wanted = {desk.case.title: title, "description": description}
    remote_id = desk.connector.create(desk.draft(**wanted)).head.remote_id
    held = desk.connector.read(remote_id).fields
    assert held[desk.case.title] == desk.connector.settled(desk.case.title, title)
    assert held["description"] == desk.connector.settled("description", description)
    assert held[desk.case.title] == title or cutting.is_cut(held[desk.case.title])
    assert cutting.is_cut(held["description"])
    assert desk.connector.settled("description", held["description"]) == held["description"]


def test_a_comment_in_the_second_of_a_change_of_status_is_told(desk: Bench) -> None:
    remote_id = desk.ticket()
    since = desk.connector.history(remote_id, "").cursor
    ticket = {"ticket": remote_id.removeprefix(desk.case.prefix)}
    status = desk.case.journey[0]
    desk.sandbox.act(
        {"do": "comment", **ticket, "comment": {"text": "Before", "public": True}},
        {"do": "update", **ticket, "fields": {desk.case.status: status}},
        {"do": "comment", **ticket, "comment": {"text": "After", "public": True}},
    )
    changes = desk.changes(remote_id, since)
    told = [blocks.from_value(one.body).plain() for change in changes for one in change.comments]
    assert told == ["Before", "After"]
    assert [one.fields[desk.case.status] for one in changes if desk.case.status in one.fields] == [status]


def test_five_thousand_comments_are_read_in_their_order(desk: Bench) -> None:
    remote_id = desk.ticket()
    since = desk.connector.history(remote_id, "").cursor
    ticket = remote_id.removeprefix(desk.case.prefix)
    desk.sandbox.act(
        *(
            {"do": "comment", "ticket": ticket, "comment": f"Comment {number}", "hooks": False}
            for number in range(4_999)
        )
    )
    told = [comment for change in desk.changes(remote_id, since) for comment in change.comments]
    assert [blocks.from_value(one.body).plain() for one in told] == [f"Comment {n}" for n in range(4_999)]
    assert list(desk.connector.read(remote_id).comments) == told


def test_a_comment_of_64_kb_arrives_whole_or_says_that_it_was_cut(desk: Bench) -> None:
    remote_id = desk.ticket()
    sizes = (32_000, 64 * 1024, 200_000)
    for size in sizes:
        desk.comment(remote_id, "x" * size)
    held = [blocks.from_value(one.body).plain() for one in desk.connector.read(remote_id).comments]
    for size, text in zip(sizes, held, strict=True):
        assert text == "x" * size or text.endswith(cutting.MARK)


# --- Files ---


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_arrives_with_its_name_and_every_byte(desk: Bench, name: str) -> None:
    remote_id = desk.ticket()
    content = bytes(range(256)) * 300
    desk.attach(remote_id, name, content, "application/octet-stream")
    files = [file for change in desk.changes(remote_id) for file in change.attachments]
    files += [file for c in desk.changes(remote_id) for comment in c.comments for file in comment.attachments]
    assert [(file.name, file.size_bytes) for file in files] == [(name, len(content))]
    assert b"".join(desk.connector.open_attachment(files[0])) == content


def test_a_file_of_the_partners_people_is_read_with_every_byte(desk: Bench) -> None:
    content = bytes(range(256)) * 10
    file = {"name": "障害 (1).bin", "base64": base64.b64encode(content).decode(), "content_type": "image/png"}
    remote_id = desk.act("create", fields={desk.case.title: "With a file"})["ticket"]
    desk.act("attach", remote_id, file=file)
    changes = desk.changes(remote_id)
    found = [file for change in changes for file in change.attachments]
    found += [file for change in changes for comment in change.comments for file in comment.attachments]
    assert [(one.name, one.content_type, one.size_bytes) for one in found] == [
        (
            "障害 (1).bin",
            # Where no type is kept, the name has to tell it.
            "image/png" if desk.case.keeps_types else "application/octet-stream",
            len(content),
        )
    ]
    assert b"".join(desk.connector.open_attachment(found[0])) == content


def test_an_empty_file_is_a_file_too(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.attach(remote_id, "empty.txt", b"")
    ticket = desk.connector.read(remote_id)
    files = [*ticket.attachments, *(file for comment in ticket.comments for file in comment.attachments)]
    assert [(file.name, file.size_bytes) for file in files] == [("empty.txt", 0)]


def test_a_file_over_the_limit_is_refused_before_anything_is_sent(desk: Bench) -> None:
    remote_id = desk.ticket()
    size = desk.connector.capabilities.max_attachment_bytes + 1

    def chunks() -> Iterator[bytes]:
        pytest.fail("the file was read")
        yield b""

    draft = FileDraft("big.bin", "text/plain", size, chunks(), True, desk.marker())
    assert desk.calls(lambda: outcome(lambda: desk.connector.attach(remote_id, draft))) == 0
    assert isinstance(outcome(lambda: desk.connector.attach(remote_id, draft)), errors.TooLarge)


def test_a_limit_that_the_system_tells_is_the_one_that_it_keeps(desk: Bench) -> None:
    connector = desk.connector
    if not isinstance(connector, TellsFileLimits):
        assert desk.case.kind in ("azure_devops", "zendesk")
        return
    remote_id = desk.ticket()
    for megabytes in (2, 3):
        desk.sandbox.settings(max_attachment_bytes=megabytes * 1024 * 1024)
        limit = connector.file_limits().max_bytes
        assert limit == megabytes * 1024 * 1024
        desk.attach(remote_id, f"{megabytes}.bin", bytes(limit))
        with pytest.raises(errors.TooLarge):
            desk.attach(remote_id, "more.bin", bytes(limit + 1))


def test_an_internal_file_never_becomes_public(desk: Bench) -> None:
    remote_id = desk.ticket()
    draft = FileDraft("secret.txt", "text/plain", 3, iter([b"abc"]), False, desk.marker())
    error = outcome(lambda: desk.connector.attach(remote_id, draft))
    ticket = desk.connector.read(remote_id)
    if error is None:
        assert desk.connector.capabilities.has_internal_comments
        assert [comment.is_public for comment in ticket.comments] == [False]
    else:
        assert isinstance(error, errors.Refused)
        assert (ticket.attachments, ticket.comments) == ((), ())


def test_a_file_that_ends_too_early_leaves_nothing_behind(desk: Bench) -> None:
    remote_id = desk.ticket()
    before = desk.connector.read(remote_id)
    draft = FileDraft("half.txt", "text/plain", 100, iter([b"x" * 50]), True, desk.marker())
    error = outcome(lambda: desk.connector.attach(remote_id, draft))
    assert isinstance(error, errors.Unavailable)
    assert not error.outcome_unknown
    after = desk.connector.read(remote_id)
    assert (after.comments, after.attachments) == (before.comments, before.attachments)


# --- What changed ---


def changed_ids(desk: Bench, cursor: str) -> tuple[set[str], str]:
    found: set[str] = set()
    while True:
        page = desk.connector.changed_since(cursor)
        found |= set(page.remote_ids)
        cursor = page.cursor
        if not page.has_more:
            return found, cursor


def test_what_changed_is_told_whoever_changed_it(desk: Bench) -> None:
    _, cursor = changed_ids(desk, "")
    assert changed_ids(desk, "")[0] == set()
    theirs = desk.act("create", fields={desk.case.title: "Theirs"})["ticket"]
    ours = desk.ticket()
    desk.clock.advance(1)
    found, cursor = changed_ids(desk, cursor)
    assert found == {theirs, ours}
    desk.clock.advance(3600)
    desk.act("comment", theirs, comment={"text": "More", "public": True})
    desk.clock.advance(1)
    found, cursor = changed_ids(desk, cursor)
    assert theirs in found
    # Overlapping is fine, missing is not; a cursor that makes no sense starts anew.
    assert isinstance(desk.connector.changed_since("nonsense").remote_ids, tuple)


def test_very_many_changes_are_told_page_by_page(desk: Bench) -> None:
    _, cursor = changed_ids(desk, "")
    made = {
        desk.act("create", fields={desk.case.title: f"Ticket {number}"})["ticket"] for number in range(230)
    }
    desk.clock.advance(1)
    assert changed_ids(desk, cursor)[0] == made


def test_a_state_that_was_read_has_the_mark_that_polling_gives_it(desk: Bench) -> None:
    """Where both name states: two that are alike are the same, and what anybody did since makes another."""
    _, cursor = changed_ids(desk, "")
    remote_id = desk.act("create", fields={desk.case.title: "One"})["ticket"]
    marks = []
    for do, more in (
        ("update", {"fields": {desk.case.title: "Two"}}),
        ("comment", {"comment": {"text": "More", "public": True}}),
        ("attach", {"file": {"name": "a.txt", "text": "a line"}}),
    ):
        before = desk.connector.history(remote_id, "")
        desk.act(do, remote_id, **more)
        desk.clock.advance(1)
        polled = desk.connector.changed_since(cursor)
        after = desk.connector.history(remote_id, "")
        marks.append((before.mark, polled.marks.get(remote_id, ""), after.mark))
    if desk.case.kind in ("jira", "azure_devops"):
        assert all(polled == read != earlier for earlier, polled, read in marks)
    else:
        assert not any(read for _, _, read in marks)


# --- Web hooks ---


def test_a_hook_about_a_write_of_ours_names_our_account(desk: Bench) -> None:
    account = desk.connector.check()
    with Receiver() as receiver:
        desk.sandbox.hooks(url=receiver.url, secret="s3cret")
        remote_id = desk.ticket()
        desk.update(remote_id, **{desk.case.title: "Ours"})
        desk.update(remote_id, **{desk.case.status: desk.case.journey[0]})
        desk.comment(remote_id, "Our comment")
        desk.attach(remote_id, "a.txt", b"a line")
        assert desk.sandbox.state.hooks.wait_idle(5)
        read = [desk.connector.verify_hook(as_request(desk, one), ["s3cret"]) for one in receiver.arrived]
    assert read
    assert {one.actor_id for one in read} <= {account.id, account.alias} - {""}


@pytest.fixture
def hooks(desk: Bench) -> Iterator[tuple[str, list[Arrived]]]:
    """Real web hooks of one change: the ticket's id, and what arrived."""
    with Receiver() as receiver:
        desk.sandbox.hooks(url=receiver.url, secret="s3cret-old")
        remote_id = people_work(desk)
        desk.sandbox.state.hooks.wait_idle(5)
        yield remote_id, list(receiver.arrived)


def test_what_hooks_tell_counts_as_told_by_a_later_history_where_the_vendor_tells_of_what_time_it_is(
    desk: Bench, hooks: tuple[str, list[Arrived]]
) -> None:
    remote_id, arrived = hooks
    times = [desk.connector.verify_hook(as_request(desk, one), ["s3cret-old"]).happened_at for one in arrived]
    at_once = desk.connector.history(remote_id, "").as_of
    desk.clock.advance(60)
    later = desk.connector.history(remote_id, "").as_of

    told = [all(is_told(at, as_of) for at in times) for as_of in (at_once, later)]
    assert told == [False, desk.case.kind in ("zendesk", "azure_devops")]


REGISTERING = sorted(
    kind for kind in registry.CONNECTORS if issubclass(registry.connector_class(kind), RegistersHooks)
)


@pytest.fixture(params=REGISTERING)
def registering(request: pytest.FixtureRequest) -> Iterator[tuple[Bench, RegistersHooks]]:
    """Each kind that registers web hooks by its interface, on its sandbox."""
    with bench(str(request.param)) as desk:
        assert isinstance(desk.connector, RegistersHooks)
        yield desk, desk.connector


def active_events(hooks: RegistersHooks, url: str) -> list[str]:
    return sorted(one.event for one in hooks.registered_hooks(url) if one.is_active)


def test_registering_twice_makes_one_whose_hooks_are_proven(
    registering: tuple[Bench, RegistersHooks],
) -> None:
    desk, hooks = registering
    with Receiver() as receiver:
        assert hooks.registered_hooks(receiver.url) == ()
        hooks.register_hook(receiver.url, "first")
        made = hooks.register_hook(receiver.url, "second")
        assert active_events(hooks, receiver.url) == sorted(hooks.hook_events())
        remote_id = people_work(desk)
        assert desk.sandbox.state.hooks.wait_idle(5)
        told = [desk.connector.verify_hook(as_request(desk, one), [made.secret]) for one in receiver.arrived]
        hooks.unregister_hooks(receiver.url)
        assert hooks.registered_hooks(receiver.url) == ()
    assert {one.remote_ids for one in told} == {(remote_id,)}


def test_renewing_leaves_one_that_the_former_secret_does_not_prove(
    registering: tuple[Bench, RegistersHooks],
) -> None:
    desk, hooks = registering
    with Receiver() as receiver:
        former = hooks.register_hook(receiver.url, "first")
        made = hooks.register_hook(receiver.url, "second", renew=True)
        assert active_events(hooks, receiver.url) == sorted(hooks.hook_events())
        people_work(desk)
        assert desk.sandbox.state.hooks.wait_idle(5)
        [hook, *_] = receiver.arrived
    assert desk.connector.verify_hook(as_request(desk, hook), [made.secret])
    with pytest.raises(errors.HookRefused):
        desk.connector.verify_hook(as_request(desk, hook), [former.secret])


def test_a_registration_whose_answer_was_lost_is_found_by_the_next(
    registering: tuple[Bench, RegistersHooks],
) -> None:
    desk, hooks = registering
    url = "https://concord.example/hooks/abc"
    desk.sandbox.faults(next=[{"match": "POST", "do": "answer_lost"}])
    lost = outcome(lambda: hooks.register_hook(url, "secret"))
    assert lost is not None
    assert lost.outcome_unknown
    assert len(hooks.registered_hooks(url)) == 1
    hooks.register_hook(url, "secret")
    assert active_events(hooks, url) == sorted(hooks.hook_events())


def as_request(desk: Bench, hook: Arrived) -> HookRequest:
    return HookRequest(hook.headers, hook.body, desk.clock.now())


def test_a_genuine_hook_names_its_ticket_and_no_two_are_alike(
    desk: Bench, hooks: tuple[str, list[Arrived]]
) -> None:
    remote_id, arrived = hooks
    read = [desk.connector.verify_hook(as_request(desk, hook), ["", "new", "s3cret-old"]) for hook in arrived]
    assert len(read) >= 4
    assert {hook.remote_ids for hook in read} == {(remote_id,)}
    assert len({hook.delivery_id for hook in read}) == len(read)
    assert all(hook.actor_id for hook in read)


def test_a_changed_hook_is_refused_or_where_none_is_signed_hints_at_one_ticket_at_most(
    desk: Bench, hooks: tuple[str, list[Arrived]]
) -> None:
    hook = hooks[1][0]
    for position in range(0, len(hook.body), 7):
        flipped = bytearray(hook.body)
        flipped[position] ^= 1
        request = as_request(desk, Arrived(hook.headers, bytes(flipped)))
        try:
            read = desk.connector.verify_hook(request, ["s3cret-old"])
        except errors.HookRefused:
            continue
        # The way it comes is what protects it; a hint is all that it can be.
        assert not desk.case.signs_hooks
        assert len(read.remote_ids) <= 1


def test_a_hook_with_another_secret_or_without_headers_is_refused(
    desk: Bench, hooks: tuple[str, list[Arrived]]
) -> None:
    hook = hooks[1][0]
    for secrets in ([], [""], ["other"], ["s3cret-old "], ["", ""]):
        with pytest.raises(errors.HookRefused):
            desk.connector.verify_hook(as_request(desk, hook), secrets)
    proofs = [{name} for name in hook.headers if "signature" in name]
    if not desk.case.signs_hooks:
        # The secret itself comes along, in either of two places.
        proofs = [{"authorization", "x-concord-secret"} & set(hook.headers)]
    assert all(proofs)
    for names in proofs:
        for value in (None, "", "x", "sha256=", "sha256=zz", "é", "\ud800", "sha1=" + "0" * 40):
            headers = {k: v for k, v in hook.headers.items() if k not in names}
            headers |= dict.fromkeys(names, value) if value is not None else {}
            with pytest.raises(errors.HookRefused):
                desk.connector.verify_hook(HookRequest(headers, hook.body, desk.clock.now()), ["s3cret-old"])


def test_a_hook_that_is_played_again_later_is_refused_or_known(
    desk: Bench, hooks: tuple[str, list[Arrived]]
) -> None:
    hook = hooks[1][0]
    if not desk.case.signs_hooks:
        read = [desk.connector.verify_hook(as_request(desk, hook), ["s3cret-old"]) for _ in range(2)]
        # Its time is not proven; what was taken once is known by its id.
        assert read[0].delivery_id == read[1].delivery_id
        return
    for late in (timedelta(hours=1), timedelta(days=400), timedelta(hours=-1)):
        request = HookRequest(hook.headers, hook.body, desk.clock.now() + late)
        with pytest.raises(errors.HookRefused):
            desk.connector.verify_hook(request, ["s3cret-old"])


ODD_BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    (
                        "detail issue id subject type user timestamp key webhookEvent table sys_id updated_by "
                        "eventType resource workItemId revision url revisedBy fields"
                    ).split()
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=150, deadline=None)
@given(body=ODD_BODIES, headers=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3))
def test_no_hook_whatever_its_body_ends_in_anything_but_a_refusal(
    body: bytes, headers: dict[str, str]
) -> None:
    for kind in registry.CONNECTORS:
        connector = open_at(
            {**dict.fromkeys(CASES[kind].sign_in, "x"), "base_url": "https://x.example"}, kind
        )
        request = HookRequest({**headers, **CASES[kind].proof(body, "secret", NOW)}, body, NOW)
        with contextlib.suppress(errors.HookRefused):
            connector.verify_hook(request, ["secret"])


def test_the_steps_for_an_administrator_name_the_address(desk: Bench) -> None:
    steps = desk.connector.hook_steps("https://concord.example/hooks/abc")
    assert len(steps) >= 2
    assert "https://concord.example/hooks/abc" in " ".join(steps)


# --- While things go wrong ---


def do_read(desk: Bench, remote_id: str) -> object:
    return desk.connector.history(remote_id, "")


def do_update(desk: Bench, remote_id: str) -> object:
    return desk.connector.update(remote_id, {desk.case.title: "Changed"}, current={}, marker="fault-1")


def do_comment(desk: Bench, remote_id: str) -> object:
    return desk.connector.comment(remote_id, CommentDraft(from_plain("Seen").as_value(), True, "fault-1"))


def do_create(desk: Bench, remote_id: str) -> object:
    return desk.connector.create(Draft({desk.case.title: "Changed"}, "fault-1"))


def effects(desk: Bench, remote_id: str) -> int:
    """How often the write with the marker `fault-1` was carried out, as the sandbox itself holds it."""
    tickets = list(desk.sandbox.tickets())
    made = len(tickets) - 1
    ticket = desk.connector.read(remote_id)
    return made + (ticket.fields[desk.case.title] == "Changed") + len(ticket.comments)


def shows(desk: Bench, remote_id: str, do: Callable[[Bench, str], object]) -> bool:
    """Whether the write can be found again, the way the engine looks for it."""
    if do is do_create:
        return desk.connector.find("fault-1") is not None
    changes = desk.changes(remote_id)
    if do is do_comment:
        # By its marker, or by its words where no marker comes back.
        marker = "fault-1" if desk.case.tells_markers else ""
        words = desk.connector.settled("comment", from_plain("Seen").as_value())
        return [
            comment.body for change in changes if change.marker == marker for comment in change.comments
        ] == [words]
    return any(change.fields.get(desk.case.title) == "Changed" for change in changes[1:])


WRITES = [do_update, do_comment, do_create]
FAULTS: list[tuple[str, type[errors.ConnectorError], bool, bool]] = [
    # the fault, the error, whether a write is then unknown, whether it was carried out
    ("reset", errors.Unavailable, True, False),
    ("answer_lost", errors.Unavailable, True, True),
    ("truncated", errors.Unavailable, True, True),
    ("slow", errors.TimedOut, True, True),
    ("429", errors.RateLimited, False, False),
    ("503", errors.RateLimited, False, False),
    ("500", errors.Unavailable, True, False),
    ("502", errors.Unavailable, True, False),
    ("401", errors.Unauthorized, False, False),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
@pytest.mark.parametrize("do", WRITES, ids=lambda do: do.__name__)
def test_a_write_that_meets_a_fault_says_what_is_known(
    kind: str, do: Callable[[Bench, str], object], fault: tuple[str, type[errors.ConnectorError], bool, bool]
) -> None:
    name, error_type, is_unknown, is_done = fault
    with bench(kind, timeout_s=0.5 if name == "slow" else 5.0) as desk:
        remote_id = desk.ticket()
        desk.connector.history(remote_id, "")
        methods = ("POST", "PUT", "PATCH")
        desk.sandbox.faults(next=[{"match": method, "do": name, "ms": 900} for method in methods])
        error = outcome(lambda: do(desk, remote_id))
        desk.sandbox.faults(next=[])
        if name == "truncated" and (kind, do) == ("jira", do_update):
            # Jira answers an edit without a body: nothing that matters is cut off.
            assert (error, shows(desk, remote_id, do)) == (None, True)
            return
        assert isinstance(error, error_type)
        assert error.outcome_unknown is is_unknown
        assert isinstance(error, errors.Unauthorized | errors.Unavailable)
        if isinstance(error, errors.RateLimited):
            assert error.retry_after_s == 1
        if name == "slow":
            # The sandbox answers late; what it did is there by then.
            desk.sandbox.ready()
        assert effects(desk, remote_id) == is_done
        assert shows(desk, remote_id, do) is is_done


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
def test_a_reading_that_meets_a_fault_can_simply_be_repeated(
    kind: str, fault: tuple[str, type[errors.ConnectorError], bool, bool]
) -> None:
    name, error_type, _, _ = fault
    with bench(kind, timeout_s=0.5 if name == "slow" else 5.0) as desk:
        remote_id = people_work(desk)
        everything = desk.changes(remote_id)
        # Twice: a reading on an idle connection may be sent again once.
        desk.sandbox.faults(
            next=[{"match": method, "do": name, "times": 2, "ms": 900} for method in desk.case.reads_by]
        )
        error = outcome(lambda: do_read(desk, remote_id))
        desk.sandbox.faults(next=[])
        assert isinstance(error, error_type)
        assert not error.outcome_unknown
        assert desk.changes(remote_id) == everything


def test_a_system_that_is_down_is_unavailable_and_nothing_is_done(desk: Bench) -> None:
    remote_id = desk.ticket()
    for down_as in ("drop", "503"):
        desk.sandbox.faults(down=True, down_as=down_as)
        for do in (do_read, *WRITES):
            assert isinstance(outcome(lambda do=do: do(desk, remote_id)), errors.Unavailable)  # type: ignore[misc]
        desk.sandbox.faults(down=False)
    assert effects(desk, remote_id) == 0


def test_a_write_waits_for_the_guard(desk: Bench) -> None:
    remote_id = desk.ticket()
    with http.guarded(lambda: False):
        for do in WRITES:
            assert isinstance(outcome(lambda do=do: do(desk, remote_id)), errors.NotSent)  # type: ignore[misc]
    assert effects(desk, remote_id) == 0


PAGES: list[tuple[str, bytes]] = [
    ("a sign-in page", answer(b"<html><title>Sign in</title></html>", Content_Type="text/html")),
    ("a sign-in page with 203", answer(b"<html>Sign in</html>", "203 Other", Content_Type="text/html")),
    ("a redirect to sign in", answer(b"", "302 Found", Location="https://sign-in.example/")),
    ("an empty body", answer(b"")),
    ("a number", answer(b"5")),
    ("a list", answer(b"[]")),
    ("an empty object", answer(b"{}")),
    ("half an object", answer(b'{"ticket": {"id": 1, ')),
    ("no text", answer(b"\xff\xfe\x00")),
    ("a page of a proxy", answer(b"<html>Blocked</html>", "403 Forbidden", Content_Type="text/html")),
    (
        "a page instead of the interface",
        answer(b"<html>Not here</html>", "404 Not Found", Content_Type="text/html"),
    ),
    ("an odd error", answer(b'{"error": {"a": [null]}, "errorMessages": 5, "errors": [1]}', "422 No")),
    ("an error that is a list", answer(b"[[[[]]]]", "400 Bad")),
    ("an error of numbers", answer(b'{"details": {"5": {"a": 1}}, "errors": {"x": null}}', "400 Bad")),
]


def everything_there_is(connector: Any) -> list[tuple[str, Callable[[], object]]]:
    """Every call of a connector by a name."""
    body = from_plain("Seen").as_value()
    case = CASES[connector.kind]
    some_id = case.some_id

    def attach() -> object:
        return connector.attach(some_id, FileDraft("a.txt", "text/plain", 1, iter([b"x"]), True, "m"))

    return [
        ("check", connector.check),
        ("fields", connector.fields),
        ("history", lambda: connector.history(some_id, "")),
        ("read", lambda: connector.read(some_id)),
        ("changed", lambda: connector.changed_since("")),
        ("find", lambda: connector.find("m")),
        ("create", lambda: connector.create(Draft({case.title: "x"}, "m"))),
        (
            "update",
            lambda: connector.update(
                some_id, {"priority": case.values["priority"][0]}, current={}, marker="m"
            ),
        ),
        ("comment", lambda: connector.comment(some_id, CommentDraft(body, True, "m"))),
        ("attach", attach),
    ]


def test_a_page_to_sign_in_tells_that_the_credentials_are_refused(kind: str) -> None:
    for page in ("a sign-in page with 203", "a redirect to sign in"):
        with raw_server(always(dict(PAGES)[page])) as server:
            connector = open_at({**dict.fromkeys(CASES[kind].sign_in, "x"), "base_url": server.url}, kind)
            for name, call in everything_there_is(connector):
                error = outcome(call)
                assert isinstance(error, errors.Unauthorized), (page, name, error)
                assert error.message.endswith(".")
            close(connector)


def always(page: bytes) -> Callable[[Peer], None]:
    """The same answer to everything."""

    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.send(page)

    return handle


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page[0])
def test_whatever_comes_back_ends_in_an_error_of_ours(kind: str, page: tuple[str, bytes]) -> None:
    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.send(page[1])

    with raw_server(handle) as server:
        connector = open_at({**dict.fromkeys(CASES[kind].sign_in, "x"), "base_url": server.url}, kind)
        for _, call in everything_there_is(connector):
            error = outcome(call)
            assert not isinstance(error, errors.Gone) or page[0] != "a page instead of the interface"
        close(connector)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "ticket audit audits events comments users user meta has_more after_cursor id type field_name value "
                "public html_body body attachments created_at author_id metadata custom fields changelog histories "
                "items issues key names schema values isLast total comment created author toString to "
                "result serviced_requests status_code headers sys_id value element "
                "rev revisedBy revisedDate newValue oldValue relations added comments workItems referenceName".split()
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=60, deadline=None)
@given(value=VALUES)
def test_no_shape_of_json_breaks_a_connector(value: object) -> None:
    """The runtime turns what a connector did not foresee into Garbled; that is the second net, this is the first."""

    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.send(answer(json.dumps(value).encode(), Content_Type="application/json"))

    for kind in registry.CONNECTORS:
        with raw_server(handle) as server:
            connector = open_at({**dict.fromkeys(CASES[kind].sign_in, "x"), "base_url": server.url}, kind)
            for _, call in everything_there_is(connector):
                outcome(call)
            close(connector)


def test_a_byte_order_mark_in_front_of_every_answer_does_no_harm(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote_id = people_work(desk)
    everything, stands = desk.changes(remote_id), desk.connector.read(remote_id)
    original = type(desk.sandbox.state).answer

    def marked(system: System, request: Request) -> tuple[Response, str]:
        response, route = original(system, request)
        is_json = response.content_type.startswith("application/json") and response.body
        return replace(response, body=b"\xef\xbb\xbf" + response.body) if is_json else response, route

    monkeypatch.setattr(type(desk.sandbox.state), "answer", marked)
    fresh = connector_to(desk.sandbox, desk.case, desk.exchanges)
    assert fresh.check().id
    assert fresh.fields() == desk.connector.fields()
    assert fresh.read(remote_id) == stands
    assert fresh.history(remote_id, "").changes == tuple(everything)
    fresh.comment(remote_id, CommentDraft(from_plain("Störung 障害").as_value(), True, "bom"))
    assert blocks.from_value(fresh.read(remote_id).comments[-1].body).plain() == "Störung 障害"
    close(fresh)


# --- What we send ---


def test_everything_we_send_is_described_by_the_vendors_own_document(kind: str, shared_data: Path) -> None:
    document = Document(shared_data / CASES[kind].api)
    with recorded() as sent, bench(kind) as desk:
        desk.connector.check()
        desk.connector.fields()
        values = {name: pair[0] for name, pair in desk.case.values.items()}
        remote_id = desk.connector.create(desk.draft(**values)).head.remote_id
        desk.update(remote_id, **{name: pair[1] for name, pair in desk.case.values.items()})
        for status in desk.case.journey:
            desk.update(remote_id, **{desk.case.status: status})
        desk.comment(remote_id, "Seen")
        desk.attach(remote_id, "log.txt", b"a line")
        desk.act("comment", remote_id, comment={"text": "Theirs", "public": True})
        desk.changes(remote_id)
        desk.connector.read(remote_id)
        desk.connector.find("marker-1")
        changed_ids(desk, changed_ids(desk, "")[1])
    problems = [
        problem
        for request in sent
        for one in unfolded(request)
        for problem in request_problems(document, one)
    ]
    assert [one for one in problems if one not in BEYOND_THE_DOCUMENT.get(kind, ())] == []
    assert len(sent) > 15


# What the vendor has and the trimmed document at hand leaves out.
BEYOND_THE_DOCUMENT = {
    # https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-workflows/#api-rest-api-3-workflows-post
    "jira": ("POST /rest/api/3/workflows is not described",),
}


def unfolded(request: Sent) -> list[Sent]:
    """A request and, where it is a batch of several, those inside."""
    if not request.path.endswith("/batch") or not isinstance(request.body, bytes):
        return [request]
    inner = []
    for one in json.loads(request.body)["rest_requests"]:
        path, _, query = one["url"].partition("?")
        headers = {pair["name"]: pair["value"] for pair in one["headers"]}
        body = base64.b64decode(one["body"]) if "body" in one else None
        inner.append(Sent(one["method"], path, tuple(parse_qsl(query)), headers, body))
    return [request, *inner]


def request_problems(document: Document, request: Sent) -> list[str]:
    """What the document says against a request: its address, its parameters, its body."""
    route = document.route(request.path)
    operation = document.document["paths"].get(route, {}).get(request.method.lower())
    if operation is None:
        return [f"{request.method} {request.path} is not described"]
    shared = document.document["paths"][route].get("parameters", [])
    known = set()
    for parameter in [*shared, *operation.get("parameters", [])]:
        if "$ref" in parameter:
            parameter = document.document["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        known.add(parameter["name"])
    odd = {name for name, _ in request.query if name not in known and name.partition("[")[0] not in known}
    is_json = request.headers.get("Content-Type", "").startswith("application/json")
    body = json.loads(request.body) if is_json and isinstance(request.body, bytes | str) else None
    answered = Described(request.method, request.path, body, 200, None)
    found = [one for one in document.problems(answered) if "is not described" not in one]
    return [f"{request.method} {route}: the parameter {name}" for name in sorted(odd)] + found


def test_a_person_named_in_a_text_is_plain_words_there_and_is_told_of_nothing(desk: Bench) -> None:
    """Whom another company names is a stranger here, even where an account has the same name or id."""
    mine = desk.connector.check()
    named = blocks.Paragraph((blocks.Run("Ask "), blocks.Mention(mine.name, mine.id), blocks.Run(".")))
    text = blocks.Document((named,)).as_value()
    remote_id = desk.connector.create(desk.draft(description=text)).head.remote_id
    desk.connector.comment(remote_id, CommentDraft(text, True, desk.marker()))
    held = desk.connector.read(remote_id)
    for value in (held.fields["description"], held.comments[-1].body):
        assert blocks.from_value(value).plain() == f"Ask @{mine.name}."
        assert "mention" not in json.dumps(value)
    there = repr(list(desk.sandbox.tickets()))
    assert mine.name in there
    assert "data-vss-mention" not in there
    assert "'type': 'mention'" not in there
