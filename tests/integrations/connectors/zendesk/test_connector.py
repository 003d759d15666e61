"""What is particular to Zendesk, on its sandbox and against answers that the sandbox never gives."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integrations.canonical import Account, Attachment, ChangeKind, CommentDraft, Draft, Written
from integrations.connectors import errors
from integrations.connectors.protocol import Connector, FileDraft, FollowsUp
from integrations.richtext.blocks import Document, from_plain, from_value
from tests.integrations.connectors.bench import Bench, bench, close, open_at, outcome, recorded
from tests.integrations.connectors.raw_server import Peer, answer, raw_server

IMPACT = "custom_field_360000000001"
SIGN_IN = {"email": "concord@partner.example", "api_token": "token"}


@pytest.fixture
def desk() -> Iterator[Bench]:
    with bench("zendesk") as one:
        yield one


@contextlib.contextmanager
def answering(
    answers: Mapping[str, object] | Callable[[bytes], bytes],
) -> Iterator[tuple[Connector, list[bytes]]]:
    """A connector to a Zendesk that answers `METHOD /path` with these JSON values (the last path part wins)."""
    seen: list[bytes] = []

    def respond(request: bytes) -> bytes:
        if callable(answers):
            return answers(request)
        line = request.split(b"\r\n")[0].decode()
        for start, value in answers.items():
            if line.startswith(start):
                return answer(
                    json.dumps(value).encode(), "201 Created" if line.startswith("POST") else "200 OK"
                )
        return answer(b'{"error": "RecordNotFound"}', "404 Not Found")

    def handle(peer: Peer) -> None:
        while request := peer.read_request():
            seen.append(request)
            peer.send(respond(request))

    with raw_server(handle) as server:
        connector = open_at({**SIGN_IN, "base_url": server.url}, "zendesk")
        yield connector, seen
        close(connector)


def body_of(request: bytes) -> Any:
    return json.loads(request.partition(b"\r\n\r\n")[2])


# --- Signing in ---

ME = {"id": 7, "name": "Concord", "role": "admin", "iana_time_zone": "Europe/Berlin", "suspended": False}


@pytest.mark.parametrize(
    ("change", "count", "words"),
    [
        ({}, 0, ""),
        ({"role": "agent"}, 1, "no administrator"),
        ({"role": "end-user"}, 1, "no agent"),
        ({"role": "brand_new"}, 1, "no agent"),
        ({"suspended": True}, 1, "suspended"),
        ({"only_private_comments": True}, 1, "internal notes only"),
        ({"role": "agent", "ticket_restriction": "groups"}, 2, "groups"),
    ],
)
def test_what_the_account_lacks_is_told_in_sentences(change: dict, count: int, words: str) -> None:
    with answering({"GET /api/v2/users/me": {"user": {**ME, **change}}}) as (connector, _):
        account = connector.check()
    assert (account.id, account.name, account.time_zone) == ("7", "Concord", "Europe/Berlin")
    assert len(account.problems) == count
    assert words in " ".join(account.problems)


def test_nobody_in_particular_is_not_signed_in() -> None:
    """Zendesk answers a request without credentials with a user that has no number."""
    with (
        answering({"GET /api/v2/users/me": {"user": {"id": None, "name": "Anonymous user"}}}) as (
            connector,
            _,
        ),
        pytest.raises(errors.Unauthorized),
    ):
        connector.check()


def test_a_byte_order_mark_and_missing_facts_do_no_harm() -> None:
    def respond(request: bytes) -> bytes:
        return answer(b"\xef\xbb\xbf" + json.dumps({"user": {"id": "7", "role": "admin"}}).encode())

    with answering(respond) as (connector, _):
        assert connector.check() == Account("7", "", "UTC", (), {"role": "admin"})


# --- History ---


def page(*records: dict, after: str | None = None, more: bool = False, **other: Any) -> dict[str, Any]:
    return {"audits": list(records), "meta": {"has_more": more, "after_cursor": after}, **other}


def audit(id_: int, **more: Any) -> dict[str, Any]:
    return {"id": id_, "created_at": "2026-01-01T10:00:00Z", "author_id": 7, "events": [], **more}


def test_history_is_asked_for_by_zendesks_own_cursor() -> None:
    pages = {"": page(audit(1), audit(2), after="two"), "two": page(audit(3), after="three"), "three": page()}

    def respond(request: bytes) -> bytes:
        target = request.split(b" ")[1].decode()
        if "/users/show_many" in target:
            return answer(b'{"users": [{"id": 7, "name": "Ann"}]}')
        if "/ticket_fields" in target:
            return answer(b'{"ticket_fields": []}')
        return answer(json.dumps(pages[target.partition("after%5D=")[2]]).encode())

    with answering(respond) as (connector, seen):
        found, cursors = [], [""]
        for _ in range(4):
            history = connector.history("5", cursors[-1])
            found.append([change.id for change in history.changes])
            cursors.append(history.cursor)
        assert history.head.key == "#5"
    assert found == [["1", "2"], ["3"], [], []]
    assert [json.loads(cursor)["after"] for cursor in cursors[1:]] == ["two", "three", "three", "three"]
    asked = [request.split(b" ")[1].decode() for request in seen if b"/audits" in request]
    assert asked[0] == "/api/v2/tickets/5/audits?page%5Bsize%5D=100&include=users"
    # Four readings, four calls; the person and the fields were asked for once.
    assert (len(asked), len(seen)) == (4, 6)


def test_people_that_come_with_the_audits_cost_no_call() -> None:
    answers = {
        "GET /api/v2/ticket_fields": {"ticket_fields": []},
        "GET /api/v2/tickets/5/audits": page(
            audit(1), users=[{"id": 7, "name": "Ann", "email": "a@x.example"}]
        ),
    }
    with answering(answers) as (connector, seen):
        assert connector.history("5", "").changes[0].actor.name == "Ann"
        assert connector.history("5", "").changes[0].actor.name == "Ann"
    assert len([request for request in seen if b"/audits" in request]) == 2
    assert len(seen) == 3


def test_an_archived_ticket_answers_in_one_piece_and_only_the_new_counts() -> None:
    records: list[dict] = [audit(1), audit(2)]

    def respond(request: bytes) -> bytes:
        if b"/audits" in request:
            return answer(json.dumps({"audits": records, "count": len(records), "next_page": None}).encode())
        return answer(b'{"users": [], "ticket_fields": []}')

    with answering(respond) as (connector, _):
        first = connector.history("5", "")
        records.append(audit(3))
        second = connector.history("5", first.cursor)
        third = connector.history("5", second.cursor)
    assert [[one.id for one in history.changes] for history in (first, second, third)] == [
        ["1", "2"],
        ["3"],
        [],
    ]
    assert [one.kind for one in first.changes + second.changes] == [
        ChangeKind.CREATED, ChangeKind.UPDATED, ChangeKind.UPDATED,
    ]  # fmt: skip


def test_counted_pages_in_place_of_cursors_are_not_trusted() -> None:
    counted = {"audits": [audit(1)], "count": 300, "next_page": "https://x/api/v2/tickets/5/audits?page=2"}
    with answering({"GET /api/v2/tickets/5/audits": counted}) as (connector, _):
        assert isinstance(outcome(lambda: connector.history("5", "")), errors.Garbled)
    endless = {"audits": [audit(1)], "meta": {"has_more": True}}
    with answering({"GET /api/v2/tickets/5/audits": endless}) as (connector, _):
        assert isinstance(outcome(lambda: connector.history("5", "")), errors.Garbled)


def test_a_cursor_that_zendesk_no_longer_takes_costs_a_reading_from_the_start(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.comment(remote_id, "One")
    good = json.loads(desk.connector.history(remote_id, "").cursor)
    desk.comment(remote_id, "Two")
    stale = json.dumps({**good, "after": "no longer valid"})
    found = desk.connector.history(remote_id, stale)
    assert [from_value(one.comments[0].body).plain() for one in found.changes] == ["Two"]
    assert desk.connector.history(remote_id, found.cursor).changes == ()


def test_a_history_is_of_the_time_at_which_its_first_page_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dates = iter(["Thu, 01 Jan 2026 10:00:30 GMT", "Thu, 01 Jan 2026 10:00:50 GMT"])
    pages = iter(
        [page(audit(1), after="two", more=True, users=[{"id": 7}]), page(audit(2), users=[{"id": 7}])]
    )

    def respond(request: bytes) -> bytes:
        if b"/audits" not in request:
            return answer(b'{"ticket_fields": []}')
        return answer(json.dumps(next(pages)).encode(), Date=next(dates))

    monkeypatch.setattr("integrations.connectors.http.time.perf_counter", lambda: 7.0)
    with answering(respond) as (connector, _):
        history = connector.history("5", "")
    assert [one.id for one in history.changes] == ["1", "2"]
    # A second for clocks that differ, three for an update that is not shown yet.
    assert history.as_of == datetime(2026, 1, 1, 10, 0, 26, tzinfo=UTC)


def test_a_very_long_history_comes_in_several_readings(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.connectors.zendesk.connector.MAX_AUDIT_PAGES", 1)
    remote_id = desk.act("create", fields={"subject": "Step 0"})["ticket"]
    for number in range(1, 150):
        desk.act("update", remote_id, fields={"subject": f"Step {number}"})
    first = desk.connector.history(remote_id, "")
    second = desk.connector.history(remote_id, first.cursor)
    assert [len(first.changes), len(second.changes)] == [100, 50]
    assert (first.has_more, second.has_more) == (True, False)


# --- Reading ---


def test_a_ticket_is_read_with_two_calls(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.connector.read(remote_id)
    assert desk.calls(lambda: desk.connector.read(remote_id)) == 2


def test_a_ticket_with_very_many_comments_is_read_to_its_end(desk: Bench) -> None:
    remote_id = desk.act("create", fields={"subject": "Chatty"})["ticket"]
    for number in range(230):
        desk.act("comment", remote_id, comment={"text": f"Line {number}", "public": number % 2 == 0})
    comments = desk.connector.read(remote_id).comments
    assert [from_value(one.body).plain() for one in comments] == [f"Line {number}" for number in range(230)]
    assert [one.is_public for one in comments[:4]] == [True, False, True, False]


def test_a_description_is_the_first_comment_with_its_files(desk: Bench) -> None:
    file = {"name": "a.log", "text": "a line"}
    remote_id = desk.act(
        "create",
        fields={"subject": "Printer"},
        comment={"html": "<p>It <b>burns</b></p>", "public": True},
        file=file,
    )["ticket"]
    ticket, [created] = desk.connector.read(remote_id), desk.changes(remote_id)
    bold = {"rich": [{"p": [{"t": "It "}, {"t": "burns", "m": ["bold"]}]}]}
    assert ticket.fields["description"] == created.fields["description"] == bold
    assert [one.name for one in ticket.attachments] == [one.name for one in created.attachments] == ["a.log"]
    assert (ticket.comments, created.comments) == ((), ())


# --- Writing ---


def test_a_description_cannot_be_changed(desk: Bench) -> None:
    remote_id = desk.ticket()
    error = outcome(lambda: desk.update(remote_id, description=from_plain("Other").as_value()))
    assert isinstance(error, errors.Invalid)
    assert list(error.fields) == ["description"]


def test_a_field_that_is_needed_to_solve_is_named(desk: Bench) -> None:
    desk.sandbox.settings(required_to_solve=[360000000001])
    remote_id = desk.ticket()
    error = outcome(lambda: desk.update(remote_id, status="solved"))
    assert isinstance(error, errors.RequiredField)
    assert list(error.fields) == [IMPACT]


def test_a_ticket_never_goes_back_to_new(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.update(remote_id, status="open")
    assert isinstance(outcome(lambda: desk.update(remote_id, status="new")), errors.NoTransition)


def test_writing_tags_empties_no_drop_down(desk: Bench) -> None:
    remote_id = desk.connector.create(
        desk.draft(tags=["vpn", "impact_low"], **{IMPACT: "impact_high"})
    ).head.remote_id
    assert desk.connector.read(remote_id).fields["tags"] == ["vpn"]
    desk.update(remote_id, tags=["printer", "impact_low"])
    ticket = desk.connector.read(remote_id)
    assert (ticket.fields["tags"], ticket.fields[IMPACT]) == (["printer"], "impact_high")
    assert desk.connector.settled("tags", ["impact_low", "Printer"]) == ["printer"]
    told = desk.changes(remote_id)[-1]
    assert (told.fields, told.before) == ({"tags": ["printer"]}, {"tags": ["vpn"]})
    desk.update(remote_id, **{IMPACT: "impact_low"})
    assert desk.changes(remote_id)[-1].fields == {IMPACT: "impact_low"}


def test_a_requester_is_known_or_made_by_the_mail_address(desk: Bench) -> None:
    rita = {"id": "", "name": "Rita", "email": "rita@customer.example"}
    remote_id = desk.connector.create(desk.draft(requester=rita)).head.remote_id
    found = desk.connector.read(remote_id).fields["requester"]
    assert isinstance(found, dict)
    assert (found["name"], found["email"], bool(found["id"])) == ("Rita", "rita@customer.example", True)
    again = desk.connector.create(desk.draft(requester=found)).head.remote_id
    assert desk.connector.read(again).fields["requester"] == found


def test_an_assignee_is_told_with_the_name_and_taken_away(desk: Bench) -> None:
    remote_id = desk.ticket()
    me = desk.connector.check()
    desk.update(remote_id, assignee={"id": me.id, "name": "", "email": ""})
    told = desk.changes(remote_id)[-1].fields["assignee"]
    assert told == desk.connector.read(remote_id).fields["assignee"]
    assert isinstance(told, dict)
    assert (told["id"], told["name"]) == (me.id, me.name)
    for given in ({"id": me.id, "name": "", "email": ""}, {"id": "", "email": told["email"].upper()}, me.id):
        assert desk.connector.settled("assignee", given) == told
    stranger = {"id": "", "name": "Bo", "email": "bo@nowhere.example"}
    assert desk.connector.settled("assignee", stranger) == stranger
    assert desk.connector.settled("assignee", None) is None
    desk.update(remote_id, assignee=None)
    assert desk.connector.read(remote_id).fields["assignee"] is None


def test_an_update_that_changes_nothing_leaves_no_trace(desk: Bench) -> None:
    remote_id = desk.ticket()
    before = desk.changes(remote_id)
    title = before[0].fields["subject"]
    written = desk.connector.update(remote_id, {"subject": title}, current={}, marker="m-1")
    assert written.change_ids == ()
    assert desk.changes(remote_id) == before


def test_a_placeholder_of_the_partner_stays_words(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.comment(remote_id, "{{ticket.comments_formatted}} {% if x %}")
    held = desk.connector.read(remote_id).comments[0].body
    assert from_value(held).plain() == "{{ticket.comments_formatted}} {% if x %}"


WROTE = {"ticket": {"id": 5}, "audit": {"id": 9, "events": [{"id": 10, "type": "Comment", "public": True}]}}


def test_an_internal_comment_that_zendesk_shows_is_hidden_again_and_refused() -> None:
    """An account that is no agent writes public comments only, whatever it asks for."""
    answers = {"PUT /api/v2/tickets/5/comments/10/make_private": {}, "PUT /api/v2/tickets/5": WROTE}
    draft = CommentDraft(from_plain("Among ourselves").as_value(), False, "m-1")
    with answering(answers) as (connector, seen):
        with pytest.raises(errors.Refused, match="hidden again"):
            connector.comment("5", draft)
        assert [body_of(seen[0])["ticket"]["comment"]["public"]] == [False]
        assert seen[1].startswith(b"PUT /api/v2/tickets/5/comments/10/make_private ")
        public = CommentDraft(draft.body, True, "m-2")
        assert connector.comment("5", public).comment_id == "10"
    assert len(seen) == 3


def test_a_creation_carries_its_marker_three_times_and_says_that_it_is_public() -> None:
    with answering({"POST /api/v2/tickets": {"ticket": {"id": 5}, "audit": {"id": 9, "events": [{}]}}}) as (
        connector,
        seen,
    ):
        description = from_plain("It {{burns}}").as_value()
        written = connector.create(Draft({"subject": "Printer", "description": description}, "m-1"))
    assert written == Written(written.head, ("9",))
    assert b"\r\nIdempotency-Key: m-1\r\n" in seen[0]
    assert body_of(seen[0]) == {
        "ticket": {
            "subject": "Printer",
            "comment": {"html_body": "<p>It \\{{burns}}</p>", "public": True},
            "external_id": "m-1",
            "metadata": {"concord": "m-1"},
        }
    }


def test_an_answer_that_names_no_ticket_leaves_a_creation_unknown() -> None:
    with answering({"POST /api/v2/tickets": {"ticket": {}, "audit": {"id": 9}}}) as (connector, _):
        error = outcome(lambda: connector.create(Draft({"subject": "Printer"}, "m-1")))
    assert isinstance(error, errors.Garbled)
    assert error.outcome_unknown


def test_a_write_costs_exactly_one_call_and_sends_no_stamp(desk: Bench) -> None:
    remote_id = desk.ticket()
    with recorded() as sent:
        desk.connector.update(remote_id, {"priority": "low"}, current={"priority": "high"}, marker="m-1")
    [request] = sent
    assert isinstance(request.body, bytes)
    assert (request.method, request.path) == ("PUT", f"/api/v2/tickets/{remote_id}")
    assert json.loads(request.body) == {"ticket": {"priority": "low", "metadata": {"concord": "m-1"}}}


@pytest.mark.parametrize(
    ("given", "sent"),
    [("text/plain", "text/plain"), ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
     ("", "application/octet-stream"), ("text/plain\r\nX-Evil: 1", "application/octet-stream"),
     ("日本", "application/octet-stream")],
)  # fmt: skip
def test_a_files_type_is_sent_only_when_it_is_one(desk: Bench, given: str, sent: str) -> None:
    remote_id = desk.ticket()
    with recorded() as requests:
        desk.connector.attach(remote_id, FileDraft("a/b\\c\r\nd.txt", given, 1, iter([b"x"]), True, "m-1"))
    assert requests[0].headers["Content-Type"] == sent
    assert requests[0].query == (("filename", "c d.txt"),)


def test_a_file_that_was_uploaded_and_not_attached_can_be_sent_again(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.sandbox.faults(next=[{"match": "POST /api/v2/uploads", "do": "answer_lost"}])
    error = outcome(lambda: desk.attach(remote_id, "a.log", b"a line"))
    assert isinstance(error, errors.Unavailable)
    assert not error.outcome_unknown
    desk.attach(remote_id, "a.log", b"a line")
    assert len(desk.connector.read(remote_id).comments) == 1


def test_malware_is_not_fetched() -> None:
    connector = open_at({**SIGN_IN, "base_url": "https://partner.example"}, "zendesk")
    with pytest.raises(errors.Refused, match="malware"):
        next(connector.open_attachment(Attachment("1", "evil.exe", "x/y", 1, "")))


def test_many_writes_are_slowed_down_as_zendesk_asks(desk: Bench) -> None:
    desk.sandbox.settings(updates_per_ticket_10_min=2)
    remote_id = desk.ticket()
    results = [outcome(lambda: desk.comment(remote_id, "Hello")) for _ in range(3)]
    assert results[:2] == [None, None]
    assert isinstance(results[2], errors.RateLimited)
    assert results[2].retry_after_s
    assert results[2].retry_after_s > 1


# --- What changed ---


def test_the_export_starts_early_enough_and_goes_on_from_its_cursor(desk: Bench) -> None:
    desk.sandbox.settings(incremental_lag_s=60)
    with recorded() as sent:
        first = desk.connector.changed_since("")
        remote_id = desk.ticket()
        held_back = desk.connector.changed_since(first.cursor)
        desk.clock.advance(61)
        found = desk.connector.changed_since(held_back.cursor)
        after = desk.connector.changed_since(found.cursor)
    assert (first.remote_ids, held_back.remote_ids, found.remote_ids, after.remote_ids) == (
        (),
        (),
        (remote_id,),
        (),
    )
    names = [[name for name, _ in request.query] for request in sent if "incremental" in request.path]
    assert names == [["start_time"], ["cursor"], ["cursor"], ["cursor"]]
    assert not any(page.has_more for page in (first, held_back, found, after))


def test_an_export_cursor_that_zendesk_no_longer_takes_starts_from_where_it_was_good(desk: Bench) -> None:
    first = desk.connector.changed_since("")
    remote_id = desk.ticket()
    desk.clock.advance(1)
    good = json.loads(desk.connector.changed_since(first.cursor).cursor)
    stale = json.dumps({**good, "after": "no longer valid"})
    assert desk.connector.changed_since(stale).remote_ids == (remote_id,)


def test_deleted_tickets_are_told_as_changed(desk: Bench) -> None:
    remote_id = desk.ticket()
    cursor = desk.connector.changed_since("").cursor
    desk.act("delete", remote_id)
    desk.clock.advance(1)
    assert remote_id in desk.connector.changed_since(cursor).remote_ids


def test_an_internal_first_comment_stays_internal_in_history_and_in_reading(desk: Bench) -> None:
    made = desk.act(
        "create",
        fields={"subject": "Printer"},
        comment={"text": "The customer is angry", "public": False},
        file={"name": "notes.txt", "text": "x"},
    )
    ticket, changes = desk.connector.read(made["ticket"]), desk.changes(made["ticket"])
    assert ticket.fields["description"] == changes[0].fields["description"] == Document().as_value()
    assert (ticket.attachments, changes[0].attachments) == ((), ())
    assert changes[0].comments == ticket.comments
    [note] = ticket.comments
    assert (note.is_public, from_value(note.body).plain()) == (False, "The customer is angry")
    assert [file.name for file in note.attachments] == ["notes.txt"]


def closed_ticket(desk: Bench) -> str:
    remote_id = desk.connector.create(desk.draft(tags=["vpn"])).head.remote_id
    desk.act("update", remote_id, fields={"status": "solved"})
    desk.act("close_solved", remote_id)
    return remote_id


def test_whatever_is_written_to_a_closed_ticket_is_told_to_go_into_a_follow_up(desk: Bench) -> None:
    remote_id = closed_ticket(desk)
    before = desk.connector.read(remote_id)
    attempts: list[Callable[[], object]] = [
        lambda: desk.connector.update(remote_id, {"priority": "high"}, current={}, marker="m-1"),
        lambda: desk.comment(remote_id, "Still broken"),
        lambda: desk.attach(remote_id, "log.txt", b"x"),
    ]
    found = [outcome(attempt) for attempt in attempts]
    assert [type(error) for error in found] == [errors.Closed] * 3
    assert all("follow-up" in str(error) for error in found)
    # It can be read as ever: it is no deleted ticket.
    assert before.is_closed
    assert desk.connector.read(remote_id) == before


def test_a_follow_up_is_joined_to_the_closed_ticket_and_made_once(desk: Bench) -> None:
    remote_id = closed_ticket(desk)
    connector = desk.connector
    assert isinstance(connector, FollowsUp)
    draft = desk.draft(subject="Still broken", priority="high")
    written = connector.follow_up(remote_id, draft)
    assert connector.follow_up(remote_id, draft).head == written.head
    assert connector.find(draft.marker) is not None
    ticket = connector.read(written.head.remote_id)
    assert (ticket.fields["subject"], ticket.fields["tags"]) == ("Still broken", ["vpn"])
    sources = [one.followup_source_id for one in desk.sandbox.state.desk.tickets.values()]
    assert sources == [None, int(remote_id)]


def test_a_ticket_that_is_not_closed_is_not_followed_up(desk: Bench) -> None:
    remote_id = desk.ticket()
    connector = desk.connector
    assert isinstance(connector, FollowsUp)
    assert isinstance(outcome(lambda: connector.follow_up(remote_id, desk.draft())), errors.Invalid)
    assert isinstance(outcome(lambda: connector.follow_up("../7", desk.draft())), errors.Gone)
    assert len(desk.sandbox.state.desk.tickets) == 1


def test_an_agent_without_the_export_is_told_apart() -> None:
    def respond(request: bytes) -> bytes:
        return answer(
            b'{"error": {"title": "Forbidden", "message": "You do not have access"}}', "403 Forbidden"
        )

    with answering(respond) as (connector, _):
        assert isinstance(outcome(lambda: connector.changed_since("")), errors.Forbidden)


# --- Finding ---


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        ("404 Not Found", b'{"error": "RecordNotFound", "description": "Not found"}', errors.Gone),
        ("403 Forbidden", b'{"error": {"title": "Forbidden", "message": "You do not have access"}}', errors.Forbidden),
        ("403 Forbidden", b"<html>Blocked</html>", errors.Forbidden),
        ("404 Not Found", b"<html>Nothing here</html>", errors.Garbled),
        ("404 Not Found", b'{"error": {"title": "InvalidEndpoint", "message": "Not found"}}', errors.Refused),
        ("401 Unauthorized", b'{"error": "Could not authenticate you"}', errors.Unauthorized),
    ],
)  # fmt: skip
def test_a_deleted_ticket_is_told_apart_from_a_right_that_was_lost(
    status: str, body: bytes, kind: type[errors.ConnectorError]
) -> None:
    with answering(lambda request: answer(body, status)) as (connector, _):
        for do in (
            lambda: connector.history("5", ""),
            lambda: connector.read("5"),
            lambda: connector.update("5", {"subject": "x"}, current={}, marker="m"),
        ):
            assert type(outcome(do)) is kind


def test_only_the_very_marker_counts_and_the_oldest_ticket_wins() -> None:
    tickets = [
        {"id": 9, "external_id": "m-1"}, {"id": 5, "external_id": "m-1"}, {"id": 3, "external_id": "m-10"},
        {"id": 2, "external_id": None}, {"id": "x", "external_id": "m-1"},
    ]  # fmt: skip
    with answering({"GET /api/v2/tickets?external_id=m-1": {"tickets": tickets}}) as (connector, _):
        found = connector.find("m-1")
    assert found is not None
    assert (found.head.remote_id, found.head.key) == ("5", "#5")


# --- Recorded ---


def recordings(shared_data: Path, *names: str) -> list[dict]:
    folder = shared_data / "data/payloads/zendesk/recordings"
    return [
        json.loads(file.read_text()) for name in names for file in sorted(folder.glob(f"zendesk__{name}_2*"))
    ]


def test_every_recorded_write_of_a_ticket_is_understood(shared_data: Path) -> None:
    told = recordings(shared_data, "post_tickets", "put_tickets")
    told = [one for one in told if "ticket" in one["response"]["body"]]
    assert len(told) >= 3
    for one in told:
        value = one["response"]["body"]
        with answering({"POST /api/v2/tickets": value, f"PUT /api/v2/tickets/{value['ticket']['id']}": value}) as (
            connector, _,
        ):  # fmt: skip
            expected = Written(
                connector.create(Draft({"subject": "x"}, "m")).head, (str(value["audit"]["id"]),)
            )
            assert connector.create(Draft({"subject": "x"}, "m")) == expected
            written = connector.update(str(value["ticket"]["id"]), {"subject": "x"}, current={}, marker="m")
        assert written == expected
        assert expected.head.key == f"#{value['ticket']['id']}"


def test_recorded_tickets_comments_and_people_are_read(shared_data: Path) -> None:
    [created] = [
        one["response"]["body"]
        for one in recordings(shared_data, "post_tickets")
        if one["response"]["body"].get("ticket", {}).get("id") == 33
    ]
    [comments] = recordings(shared_data, "get_tickets_comments")
    [me] = recordings(shared_data, "get_users_me")
    answers = {
        "GET /api/v2/tickets/33/comments": comments["response"]["body"],
        "GET /api/v2/tickets/33": created,
        "GET /api/v2/users/me": me["response"]["body"],
        "GET /api/v2/users/show_many": {"users": [{**me["response"]["body"]["user"], "id": 26155588908179}]},
        "GET /api/v2/ticket_fields": {"ticket_fields": []},
    }
    with answering(answers) as (connector, _):
        account = connector.check()
        ticket = connector.read("33")
    assert (account.time_zone, account.problems, account.facts) == ("America/New_York", (), {"role": "admin"})
    assert from_value(ticket.fields["description"]).plain() == "Some comment"
    assert [(one.name, one.size_bytes) for one in ticket.attachments] == [("README.md", 15156)]
    assert ticket.fields["status"] == "new"
    requester = ticket.fields["requester"]
    assert isinstance(requester, dict)
    assert requester["name"] == account.name


def test_recorded_exports_are_read(shared_data: Path) -> None:
    told = recordings(shared_data, "get_incremental_tickets_cursor")
    assert told
    for one in told:
        value = one["response"]["body"]
        with answering({"GET /api/v2/incremental/tickets/cursor": value}) as (connector, _):
            page = connector.changed_since("")
        assert list(page.remote_ids) == list(dict.fromkeys(str(ticket["id"]) for ticket in value["tickets"]))
        assert json.loads(page.cursor)["after"] == value["after_cursor"]
        assert page.has_more is (value["end_of_stream"] is False)


def test_recorded_lists_of_tickets_are_searched(shared_data: Path) -> None:
    for one in recordings(shared_data, "get_tickets"):
        value = one["response"]["body"]
        if "tickets" in value:
            with answering({"GET /api/v2/tickets": value}) as (connector, _):
                assert connector.find("nobody") is None


def test_every_recorded_error_is_an_error_of_ours(shared_data: Path) -> None:
    folder = shared_data / "data/payloads/zendesk/recordings"
    told = [json.loads(file.read_text()) for file in sorted(folder.glob("*_4??__*"))]
    assert len(told) > 10
    for one in told:
        status, value = one["response"]["status"], one["response"]["body"]

        def respond(request: bytes, status: int = status, value: object = value) -> bytes:
            return answer(json.dumps(value).encode(), f"{status} Error")

        with answering(respond) as (connector, _):
            error = outcome(lambda connector=connector: connector.read("1"))  # type: ignore[misc]
        assert isinstance(error, errors.Gone if status == 404 else errors.Invalid)
        assert error.status == status


def test_recorded_fields_are_described(shared_data: Path) -> None:
    records = [one["response"]["body"]["ticket_field"] for one in recordings(shared_data, "*ticket_fields")]
    assert records
    with answering({"GET /api/v2/ticket_fields": {"ticket_fields": records}}) as (connector, _):
        names = [spec.name for spec in connector.fields()]
    assert {f"custom_field_{record['id']}" for record in records if record["active"]} <= set(names)


def test_recorded_uploads_are_attached(shared_data: Path) -> None:
    for one in recordings(shared_data, "post_uploads"):
        value = one["response"]["body"]
        answers = {"POST /api/v2/uploads": value, "PUT /api/v2/tickets/5": WROTE}
        with answering(answers) as (connector, seen):
            written = connector.attach(
                "5", FileDraft("README.md", "text/plain", 1, iter([b"x"]), True, "m-1")
            )
        assert written.attachment_id == str(value["upload"]["attachment"]["id"])
        assert body_of(seen[1])["ticket"]["comment"] == {
            "html_body": "<p>📎 README.md</p>", "public": True, "uploads": [value["upload"]["token"]],
        }  # fmt: skip
