"""What is particular to Azure DevOps, on its sandbox and against answers that the sandbox never gives."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integrations.canonical import ChangeKind, CommentDraft, Draft, FieldKind
from integrations.connectors import errors
from integrations.connectors.azure_devops import client
from integrations.connectors.azure_devops.connector import AzureDevOpsConnector
from integrations.connectors.gate import Gate
from integrations.connectors.http import Http
from integrations.connectors.protocol import Basis, FileDraft, HookRequest, RegistersHooks
from integrations.richtext import html
from integrations.richtext.blocks import Paragraph, Run, from_plain, from_value
from tests.integrations.connectors.bench import (
    LOOPBACK,
    Bench,
    bench,
    close,
    connector_to,
    open_at,
    outcome,
    recorded,
)
from tests.integrations.connectors.raw_server import Peer, answer, raw_server
from tests.integrations.sandbox.openapi import Document, Exchange
from tests.integrations.sandbox.receiver import Arrived, Receiver

SIGN_IN = {"project": "Support", "api_token": "token"}
BODY = from_plain("Seen").as_value()
PAGE = b"<!DOCTYPE html><html><head><title>Azure DevOps Services | Sign In</title></head></html>"


@pytest.fixture
def desk() -> Iterator[Bench]:
    with bench("azure_devops") as one:
        yield one


@contextlib.contextmanager
def answering(*answers: bytes) -> Iterator[AzureDevOpsConnector]:
    """A connector to an Azure DevOps that gives these answers in their order, the last one again and again."""
    left = list(answers)

    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.send(left.pop(0) if len(left) > 1 else left[0])

    with raw_server(handle) as server:
        connector = open_at({**SIGN_IN, "base_url": server.url}, "azure_devops")
        assert isinstance(connector, AzureDevOpsConnector)
        yield connector
        close(connector)


def change(desk: Bench, **settings: Any) -> None:
    desk.sandbox.settings(**settings)


def theirs(desk: Bench, **fields: Any) -> str:
    return str(desk.act("create", fields={"title": "Theirs", **fields})["ticket"])


# --- Who we are ---


@pytest.mark.parametrize("status", ["203", "302", "401"])
def test_a_sign_in_page_means_that_the_token_is_wrong(desk: Bench, status: str) -> None:
    change(desk, wrong_sign_in=status)
    told = desk.sandbox.state.sign_in()
    connector = open_at({"base_url": told["url"], "project": "Support", "api_token": "wrong"}, "azure_devops")
    assert isinstance(outcome(connector.check), errors.Unauthorized)
    close(connector)


@pytest.mark.parametrize(
    "page",
    [
        answer(PAGE, "203 Non-Authoritative Information", Content_Type="text/html"),
        answer(PAGE, "302 Found", Content_Type="text/html", Location="https://login.example/"),
        answer(b"Access Denied: The Personal Access Token used has expired.", "401 Unauthorized"),
    ],
)
def test_a_page_for_people_is_never_taken_for_data(page: bytes) -> None:
    with answering(page) as connector:
        for call in (connector.check, connector.fields, lambda: connector.history("1", "")):
            assert isinstance(outcome(call), errors.Unauthorized)


def test_an_expired_token_is_told_as_such(desk: Bench) -> None:
    change(desk, token_expired=True)
    error = outcome(desk.connector.check)
    assert isinstance(error, errors.Unauthorized)
    assert error.message == "The personal access token has expired."


def test_the_connection_test_tells_what_is_missing(desk: Bench) -> None:
    told = desk.sandbox.state.sign_in()
    sign_in = {"base_url": told["url"], "project": told["project"], "api_token": told["token"]}

    def problems(**settings: str) -> tuple[str, ...]:
        connector = open_at({**sign_in, **settings}, "azure_devops")
        account = connector.check()
        close(connector)
        # Who we are is known whatever is missing.
        assert (account.id, account.name) == (desk.connector.check().id, desk.connector.check().name)
        return account.problems

    assert problems() == ()
    assert problems(project="Nowhere") == (
        "There is no project “Nowhere” in this organisation, or the account may not see it.",
    )
    assert problems(work_item_type="Incident") == (
        "The project has no type of work item called “Incident”.  It has: “Bug”, “User Story”, “Task”, “Issue”.",
    )
    change(desk, required_fields=[{"type": "Bug", "state": "", "field": "Custom.Impact"}])
    assert problems() == (
        "A new Bug is not taken as Concord makes it: Azure DevOps demands a value for “Custom.Impact”.",
    )
    change(desk, required_fields=[], denied=["write"])
    (problem,) = problems()
    assert problem.startswith("The account may not create and change work items")
    assert list(desk.sandbox.tickets()) == []


def test_an_account_that_may_bypass_the_rules_is_told_that_this_is_too_much(desk: Bench) -> None:
    assert "too wide" not in desk.connector.check().facts
    change(desk, denied=[])
    assert "bypass" in desk.connector.check().facts["too wide"]
    assert list(desk.sandbox.tickets()) == []


# --- Fields ---


def test_the_fields_are_told_with_kinds_values_and_limits(desk: Bench) -> None:
    specs = {one.name: one for one in desk.connector.fields()}
    assert (specs["title"].max_length, specs["title"].is_required) == (255, True)
    assert specs["status"].values == ("New", "Active", "Resolved", "Closed")
    assert specs["priority"].values == ("1", "2", "3", "4")
    assert specs["severity"].values == ("1 - Critical", "2 - High", "3 - Medium", "4 - Low")
    assert specs["type"].values == ("Bug", "User Story", "Task", "Issue")
    assert {name for name, one in specs.items() if one.is_create_only} == {"type"}
    assert specs["area"].values == ("Support", "Support\\Network", "Support\\Design")
    assert specs["description"].label == "Repro Steps"
    assert specs["Custom.PartnerNotes"].kind is FieldKind.RICH_TEXT
    assert specs["assignee"].kind is FieldKind.PERSON
    # What only the system writes is nobody's to map.
    assert not {name for name in specs if name.startswith("System.") and name != "System.Description"}
    assert not {name for name in specs if name.endswith(("Date", "By")) and not name.endswith("DueDate")}


def test_a_description_is_where_the_type_shows_it(desk: Bench) -> None:
    text = from_plain("It burns").as_value()
    for type_, field in (("Bug", "Microsoft.VSTS.TCM.ReproSteps"), ("Task", "System.Description")):
        draft = Draft({"title": "x", "description": text, "type": type_}, desk.marker())
        remote_id = desk.connector.create(draft).head.remote_id
        (held,) = [one for one in desk.sandbox.tickets() if one["id"] == remote_id]
        assert (held["type"], "It burns" in held["fields"][field]) == (type_, True)
        assert desk.connector.read(remote_id).fields["description"] == text
        desk.update(remote_id, description=from_plain("It smokes").as_value())
        assert desk.current(remote_id)["description"] == from_plain("It smokes").as_value()


def test_a_type_is_given_once(desk: Bench) -> None:
    remote_id = desk.ticket()
    error = outcome(lambda: desk.update(remote_id, type="Task"))
    assert isinstance(error, errors.Invalid)
    assert set(error.fields) == {"type"}
    unknown = outcome(lambda: desk.connector.create(desk.draft(type="Incident")))
    assert isinstance(unknown, errors.Invalid)
    assert set(unknown.fields) == {"type"}


def test_a_field_that_the_type_lacks_is_named(desk: Bench) -> None:
    remote_id = desk.connector.create(desk.draft(type="Task")).head.remote_id
    error = outcome(lambda: desk.update(remote_id, severity="2 - High"))
    assert isinstance(error, errors.Invalid)
    assert "Microsoft.VSTS.Common.Severity" in error.detail


# --- People ---


def test_a_person_is_written_by_address_and_told_back_as_known(desk: Bench) -> None:
    remote_id = theirs(desk, assignee="devin@partner.example")
    known = desk.current(remote_id)["assignee"]
    assert isinstance(known, dict)
    assert (known["name"], known["email"]) == ("Devin Developer", "devin@partner.example")
    desk.update(remote_id, assignee=None)
    assert desk.connector.read(remote_id).fields.get("assignee") is None
    wanted = {"id": "77", "name": "D.", "email": "Devin@partner.example"}
    desk.update(remote_id, assignee=wanted)
    assert desk.connector.settled("assignee", wanted) == known
    assert desk.connector.read(remote_id).fields["assignee"] == known


@pytest.mark.parametrize(
    "person",
    [{"id": "77", "name": "Stranger", "email": ""}, {"id": "77", "name": "S", "email": "s@example.org"}, {}],
)
def test_nobody_is_cleared_for_being_unknown(desk: Bench, person: dict) -> None:
    remote_id = theirs(desk, assignee="devin@partner.example")
    before = desk.connector.read(remote_id).fields["assignee"]
    error = outcome(lambda: desk.update(remote_id, assignee=person))
    if person:
        assert isinstance(error, errors.Invalid)
        assert "assignee" in error.fields
    assert desk.connector.read(remote_id).fields.get("assignee") == before


# --- Changes ---


def test_a_change_on_top_of_somebody_elses_is_refused_until_it_was_read(desk: Bench) -> None:
    remote_id = desk.ticket()
    current = desk.current(remote_id)
    desk.act("update", remote_id, fields={"title": "Theirs"})
    error = outcome(lambda: desk.connector.update(remote_id, {"title": "Ours"}, current=current, marker="m"))
    assert isinstance(error, errors.Stale)
    assert not error.outcome_unknown
    assert desk.connector.read(remote_id).fields["title"] == "Theirs"
    desk.update(remote_id, title="Ours")
    assert desk.connector.read(remote_id).fields["title"] == "Ours"


def test_what_was_read_is_the_basis_and_not_what_this_process_remembers(desk: Bench) -> None:
    remote_id = desk.ticket()
    read = desk.connector.history(remote_id, "")
    current = desk.current(remote_id)
    own = [
        id_
        for title in ("One", "Two")
        for id_ in desk.connector.update(remote_id, {"title": title}, current=current, marker="m").change_ids
    ]

    def write(basis: Basis, title: str) -> errors.ConnectorError | None:
        return outcome(
            lambda: desk.connector.update_on(  # type: ignore[attr-defined]
                basis, remote_id, {"title": title}, current=current, marker="m"
            )
        )

    assert isinstance(write(Basis(read.cursor), "Ours"), errors.Stale)
    assert isinstance(write(Basis(read.cursor, tuple(own[1:])), "Ours"), errors.Stale)
    assert desk.connector.read(remote_id).fields["title"] == "Two"
    assert write(Basis(read.cursor, tuple(reversed(own))), "Three") is None
    desk.act("update", remote_id, fields={"title": "Theirs"})
    # Another reading of the same ticket, by somebody who has not judged it yet.
    desk.connector.history(remote_id, "")
    assert isinstance(write(Basis(read.cursor, tuple(own)), "Ours"), errors.Stale)
    assert desk.connector.read(remote_id).fields["title"] == "Theirs"


def test_a_comment_does_not_lift_the_guard_over_somebody_elses_change(desk: Bench) -> None:
    remote_id = desk.ticket()
    current = desk.current(remote_id)
    desk.act("update", remote_id, fields={"title": "Theirs"})
    desk.comment(remote_id, "Ours")
    error = outcome(lambda: desk.connector.update(remote_id, {"title": "Ours"}, current=current, marker="m"))
    assert isinstance(error, errors.Stale)


def test_our_own_writes_keep_the_guard_in_step(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.changes(remote_id)
    for number in range(3):
        desk.connector.update(remote_id, {"title": f"Step {number}"}, current={}, marker="m")
        desk.comment(remote_id, f"Step {number}")
        desk.attach(remote_id, f"{number}.txt", b"x")
    assert desk.connector.read(remote_id).fields["title"] == "Step 2"


def test_a_change_that_changes_nothing_makes_no_revision(desk: Bench) -> None:
    remote_id = desk.ticket()
    current = desk.current(remote_id)
    written = desk.connector.update(remote_id, {"title": current["title"]}, current=current, marker="m")
    assert written.change_ids == ()


def test_a_revision_of_ours_is_known_by_its_number(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.changes(remote_id)
    written = desk.connector.update(remote_id, {"title": "x", "priority": "1"}, current={}, marker="m")
    assert written.change_ids == (desk.changes(remote_id)[-1].id,)


def test_nobody_is_mailed_of_fields_and_everybody_of_comments(desk: Bench) -> None:
    with recorded() as sent:
        remote_id = desk.ticket()
        desk.update(remote_id, title="x")
        desk.comment(remote_id, "Hi")
        desk.attach(remote_id, "a.txt", b"x")
    quiet = [
        dict(one.query).get("suppressNotifications")
        for one in sent
        if one.method in ("PATCH", "POST") and "attachments" not in one.path
    ]
    assert quiet == ["true", "true", None, "true"]


def test_an_account_without_the_right_to_write_quietly_writes_aloud(desk: Bench) -> None:
    forbidden = answer(
        b'{"message": "Access Denied: needs Suppress notifications", "typeKey": "PermissionDeniedException"}',
        "403 Forbidden",
    )
    made = answer(b'{"id": 7, "rev": 1, "fields": {}}')
    types = answer(b'{"value": [{"name": "Bug", "states": [{"name": "New"}]}]}')
    with answering(types, answer(b'{"value": []}'), forbidden, made) as connector, recorded() as sent:
        for _ in range(2):
            assert connector.create(Draft({"title": "x"}, "m")).head.remote_id == "7"
    quiet = [dict(one.query).get("suppressNotifications") for one in sent if one.method == "POST"]
    assert quiet == ["true", None, None]


# --- Steps through the states ---


def test_a_way_over_other_states_is_taken_where_there_is_no_step(desk: Bench) -> None:
    rules = [{"type": "Bug", "from": "New", "to": one} for one in ("Resolved", "Closed")]
    change(desk, blocked_transitions=rules)
    remote_id = desk.ticket()
    current = desk.current(remote_id)
    written = desk.connector.update(
        remote_id, {"status": "Closed", "title": "Done"}, current=current, marker="m"
    )
    changes = desk.changes(remote_id)[1:]
    assert [(one.id, dict(one.fields)) for one in changes] == [
        ("2", {"status": "Active"}),
        ("3", {"status": "Closed", "title": "Done"}),
    ]
    assert written.change_ids == ("2", "3")


def test_a_state_that_cannot_be_reached_is_refused_before_anything_is_written(desk: Bench) -> None:
    rules = [{"type": "Bug", "from": one, "to": "Closed"} for one in ("New", "Active", "Resolved")]
    change(desk, blocked_transitions=rules)
    remote_id = desk.ticket()
    error = outcome(lambda: desk.update(remote_id, status="Closed", title="x"))
    assert isinstance(error, errors.NoTransition)
    assert "“Active”" in error.message
    unknown = outcome(lambda: desk.update(remote_id, status="Doing"))
    assert isinstance(unknown, errors.NoTransition)
    assert "It has: “New”, “Active”, “Resolved”, “Closed”." in unknown.message
    assert len(desk.changes(remote_id)) == 1


def test_what_a_rule_demands_is_told_before_anything_is_written(desk: Bench) -> None:
    change(desk, required_fields=[{"type": "Bug", "state": "Resolved", "field": "Custom.Impact"}])
    remote_id = desk.ticket()
    error = outcome(lambda: desk.update(remote_id, status="Resolved", title="x"))
    assert isinstance(error, errors.RequiredField)
    assert set(error.fields) == {"Custom.Impact"}
    assert len(desk.changes(remote_id)) == 1
    desk.update(remote_id, **{"status": "Resolved", "Custom.Impact": "High"})
    assert desk.connector.read(remote_id).fields["status"] == "Resolved"


def test_a_step_costs_one_call_more_the_first_time_only(desk: Bench) -> None:
    first, second = desk.ticket(), desk.ticket()
    costs = []
    for remote_id in (first, second):
        current = desk.current(remote_id)
        costs.append(
            desk.calls(
                lambda remote_id=remote_id, current=current: desk.connector.update(  # type: ignore[misc]
                    remote_id, {"status": "Active"}, current=current, marker="m"
                )
            )
        )
    assert costs == [2, 1]


def test_a_reason_that_a_step_demands_is_filled_in() -> None:
    types = {
        "value": [
            {
                "name": "Bug",
                "states": [
                    {"name": "Active", "category": "InProgress"},
                    {"name": "Resolved", "category": "Resolved"},
                ],
                "transitions": {"Active": [{"to": "Resolved"}]},
            }
        ]
    }
    reason = "Microsoft.VSTS.Common.ResolvedReason"
    fields = {
        "value": [{"referenceName": reason, "defaultValue": None, "allowedValues": ["Fixed", "Deferred"]}]
    }
    broken = {
        "message": "TF401320",
        "typeKey": "RuleValidationException",
        "customProperties": {
            "RuleValidationErrors": [
                {"fieldReferenceName": reason, "fieldStatusFlags": "required, invalidEmpty"}
            ]
        },
    }
    item = {"id": 7, "rev": 2, "fields": {}}

    def said(value: object, status: str = "200 OK") -> bytes:
        return answer(json.dumps(value).encode(), status)

    answers = [said(types), said({"value": []}), said(broken, "400 Bad Request"), said(fields), said(item)]
    with answering(*answers) as connector, recorded() as sent:
        current = {"status": "Active", "type": "Bug"}
        connector.update("7", {"status": "Resolved"}, current=current, marker="m")
    writes = [(dict(one.query).get("validateOnly"), _json(one.body)) for one in sent if one.method == "PATCH"]
    state = {"op": "add", "path": "/fields/System.State", "value": "Resolved"}
    filled = [{"op": "add", "path": f"/fields/{reason}", "value": "Fixed"}, state]
    assert writes == [("true", [state]), ("true", filled), (None, filled)]


def test_a_way_that_breaks_off_half_way_leaves_the_outcome_open() -> None:
    types = {
        "value": [
            {
                "name": "Bug",
                "states": [{"name": one, "category": "InProgress"} for one in ("New", "Active", "Resolved")],
                "transitions": {"New": [{"to": "Active"}], "Active": [{"to": "Resolved"}]},
            }
        ]
    }
    item = {"id": 7, "rev": 2, "fields": {}}
    told: list[Any] = [types, {"value": []}, item, item, item]
    said = [answer(json.dumps(one).encode()) for one in told]
    busy = answer(b'{"message": "TF400733"}', "429 Too Many Requests", Retry_After="3")
    with answering(*said, busy) as connector:
        current = {"status": "New", "type": "Bug"}
        error = outcome(lambda: connector.update("7", {"status": "Resolved"}, current=current, marker="m"))
    assert isinstance(error, errors.RateLimited)
    # The first step was taken, so this is no write that did not happen.
    assert error.outcome_unknown


# --- Comments and files ---


def test_an_edited_comment_keeps_its_number_and_is_not_told_twice(desk: Bench) -> None:
    remote_id = theirs(desk)
    made = desk.act("comment", remote_id, comment={"text": "Good"})
    desk.act("edit_comment", remote_id, comment_id=made["comment"], comment={"text": "Better"})
    told = [comment for change in desk.changes(remote_id) for comment in change.comments]
    assert [(one.id, from_value(one.body).plain()) for one in told] == [(made["comment"], "Better")]
    assert list(desk.connector.read(remote_id).comments) == told


def test_a_comment_that_was_taken_away_is_not_carried(desk: Bench) -> None:
    remote_id = theirs(desk)
    made = desk.act("comment", remote_id, comment={"text": "The password is 1234"})
    desk.act("comment", remote_id, comment={"text": "Oops"})
    desk.act("delete_comment", remote_id, comment_id=made["comment"])
    told = [comment for change in desk.changes(remote_id) for comment in change.comments]
    assert [from_value(one.body).plain() for one in told] == ["Oops"]


def test_a_markdown_comment_is_read_with_its_markup(desk: Bench) -> None:
    remote_id = theirs(desk)
    desk.act("comment", remote_id, comment={"markdown": "It is **hot**, see [log](https://example.com/a)"})
    (comment,) = [one for change in desk.changes(remote_id) for one in change.comments]
    (paragraph,) = from_value(comment.body).blocks
    assert isinstance(paragraph, Paragraph)
    assert [one.marks for one in paragraph.inlines if isinstance(one, Run)] == [(), ("bold",), (), ("link",)]
    assert from_value(comment.body).plain() == "It is hot, see log"


def test_nobody_is_mentioned_and_a_mention_is_read_as_words(desk: Bench) -> None:
    remote_id = theirs(desk)
    mention = '<div>Ask <a href="#" data-vss-mention="version:2.0,7">@Ann Lee</a> and <a data-vss-mention="x">@Bo</a></div>'
    desk.act("comment", remote_id, comment={"html": mention})
    (comment,) = [one for change in desk.changes(remote_id) for one in change.comments]
    assert from_value(comment.body).plain() == "Ask @Ann Lee and @Bo"
    desk.connector.comment(remote_id, CommentDraft(comment.body, True, desk.marker()))
    (held,) = desk.sandbox.tickets()
    assert "data-vss-mention" not in held["comments"][-1]["body"]


def test_a_comment_of_another_worker_of_ours_keeps_its_marker(desk: Bench) -> None:
    remote_id = desk.ticket()
    marker = desk.comment(remote_id, "Seen")
    another = connector_to(desk.sandbox, desk.case, [])
    change_ = another.history(remote_id, "").changes[-1]
    close(another)
    assert (change_.marker, from_value(change_.comments[0].body).plain()) == (marker, "Seen")


def test_a_comment_without_words_says_so(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.comment(remote_id, "")
    (comment,) = desk.connector.read(remote_id).comments
    assert comment.body == desk.connector.settled("comment", from_plain("").as_value())
    assert from_value(comment.body).plain() == "(no text)"


def test_many_comments_are_all_told(desk: Bench) -> None:
    remote_id = theirs(desk)
    for number in range(230):
        desk.act("comment", remote_id, comment={"text": f"Comment {number}"})
    told = [comment for change in desk.changes(remote_id) for comment in change.comments]
    assert [from_value(one.body).plain() for one in told] == [f"Comment {number}" for number in range(230)]
    assert len({one.id for one in told}) == 230
    assert list(desk.connector.read(remote_id).comments) == told
    cursor = desk.connector.history(remote_id, "").cursor
    desk.act("comment", remote_id, comment={"text": "One more"})
    assert desk.calls(lambda: desk.connector.history(remote_id, cursor)) <= 3


def test_a_file_is_known_by_id_and_marker_and_a_lost_upload_leaves_nothing(desk: Bench) -> None:
    remote_id = desk.ticket()
    desk.sandbox.faults(next=[{"match": "POST", "do": "answer_lost"}])
    draft = FileDraft("a.txt", "text/plain", 1, iter([b"x"]), True, "m-1")
    error = outcome(lambda: desk.connector.attach(remote_id, draft))
    assert isinstance(error, errors.Unavailable)
    assert not error.outcome_unknown
    assert desk.connector.read(remote_id).attachments == ()
    desk.sandbox.faults(next=[{"match": "PATCH", "do": "answer_lost"}])
    again = FileDraft("a.txt", "text/plain", 1, iter([b"x"]), True, "m-1")
    error = outcome(lambda: desk.connector.attach(remote_id, again))
    assert error is not None
    assert error.outcome_unknown
    found = [change for change in desk.changes(remote_id) if change.marker == "m-1"]
    assert [[file.name for file in change.attachments] for change in found] == [["a.txt"]]
    written = desk.connector.attach(remote_id, FileDraft("b.txt", "text/plain", 1, iter([b"x"]), True, "m-2"))
    last = desk.changes(remote_id)[-1]
    assert (written.attachment_id, written.change_ids) == (last.attachments[0].id, (last.id,))


# --- Gone or hidden ---


def test_a_deleted_work_item_is_gone_and_one_that_we_may_not_see_is_not(desk: Bench) -> None:
    deleted, hidden = theirs(desk), theirs(desk)
    desk.act("delete", deleted)
    change(desk, hidden_items=[int(hidden)])
    gone = outcome(lambda: desk.connector.history(deleted, ""))
    assert isinstance(gone, errors.Gone)
    assert "recycle bin" in gone.message
    unseen = outcome(lambda: desk.connector.history(hidden, ""))
    assert isinstance(unseen, errors.Forbidden)
    assert "may no longer see it" in unseen.message


def test_a_deletion_is_told_to_whoever_polls_and_a_restoration_is_in_the_history(desk: Bench) -> None:
    cursor = desk.connector.changed_since("").cursor
    remote_id = theirs(desk)
    desk.act("delete", remote_id)
    page = desk.connector.changed_since(cursor)
    assert page.remote_ids == (remote_id,)
    desk.act("restore", remote_id)
    assert [one.kind for one in desk.changes(remote_id)] == [
        ChangeKind.CREATED,
        ChangeKind.DELETED,
        ChangeKind.RESTORED,
    ]


def test_a_link_from_another_work_item_does_not_confuse_the_history(desk: Bench) -> None:
    left, right = desk.ticket(), desk.ticket()
    cursor = desk.connector.history(left, "").cursor
    url = f"{desk.sandbox.state.sign_in()['url']}/_apis/wit/workItems/{left}"
    link = {"op": "add", "path": "/relations/-", "value": {"rel": "System.LinkTypes.Related", "url": url}}
    client.change_item(desk.connector._project, right, [link])  # type: ignore[attr-defined]
    page = desk.connector.history(left, cursor)
    assert page.changes == ()
    desk.act("update", left, fields={"title": "Still here"})
    onward = desk.connector.history(left, page.cursor)
    assert [dict(one.fields) for one in onward.changes] == [{"title": "Still here"}]
    # The guard goes by the revision, which the link did not change.
    desk.update(left, title="Ours")


# --- What changed ---


def test_changes_of_the_same_moment_are_told_page_by_page(desk: Bench) -> None:
    cursor = desk.connector.changed_since("").cursor
    made = {
        str(desk.sandbox.act({"do": "create", "fields": {"title": str(number)}})[0]["ticket"])
        for number in range(client.PAGE_SIZE + 30)
    }
    first = desk.connector.changed_since(cursor)
    second = desk.connector.changed_since(first.cursor)
    assert (first.has_more, second.has_more) == (True, False)
    assert len(first.remote_ids) == client.PAGE_SIZE
    assert set(first.remote_ids) | set(second.remote_ids) == made


def test_a_watermark_that_is_no_longer_taken_costs_only_repetitions(desk: Bench) -> None:
    desk.connector.changed_since("")
    remote_id = theirs(desk)
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    page = desk.connector.changed_since(json.dumps({"token": "expired", "since": since}))
    assert page.remote_ids == (remote_id,)


# --- What comes back ---


def test_a_byte_order_mark_and_identities_as_texts_are_read() -> None:
    item = {
        "id": 7,
        "rev": 3,
        "fields": {
            "System.WorkItemType": "Bug",
            "System.Title": "障害",
            "System.State": "Halb fertig",
            "System.AssignedTo": "Ann Lee <ann@example.com>",
            "System.CreatedDate": "2026-03-01T10:00:00.1234567Z",
            "System.ChangedDate": "2026-03-01T12:00:00+02:00",
            "Custom.Odd": {"deep": [1]},
            "Custom.Flag": True,
        },
    }
    types = answer(b"\xef\xbb\xbf" + json.dumps({"value": [{"name": "Bug"}]}).encode())
    body = answer(b"\xef\xbb\xbf" + json.dumps(item).encode())
    with answering(types, answer(b'{"value": []}'), body, answer(b'{"comments": []}')) as connector:
        ticket = connector.read("7")
    assert ticket.fields == {
        "type": "Bug",
        "title": "障害",
        "status": "Halb fertig",
        "assignee": {"id": "ann@example.com", "name": "Ann Lee", "email": "ann@example.com"},
        "description": None,
        "tags": [],
        "Custom.Odd": None,
        "Custom.Flag": "true",
    }
    assert ticket.created_at == datetime(2026, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)
    assert ticket.updated_at == datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [b"", b'{"id": 7, "rev": 2, "fie', b"[]", b'{"id": "7", "rev": 2, "fields": {}}', b'{"id": 7, "rev": 2}'],
)
def test_an_answer_to_a_write_that_cannot_be_read_leaves_the_outcome_open(body: bytes) -> None:
    types = answer(b'{"value": [{"name": "Bug"}]}')
    with answering(types, answer(b'{"value": []}'), answer(body)) as connector:
        error = outcome(lambda: connector.create(Draft({"title": "x"}, "m")))
        assert isinstance(error, errors.Garbled)
        assert error.outcome_unknown
        error = outcome(lambda: connector.comment("7", CommentDraft(BODY, True, "m")))
        assert isinstance(error, errors.Garbled)
        assert error.outcome_unknown


def test_an_answer_that_was_held_back_makes_the_next_call_wait() -> None:
    now = [100.0]
    slow = answer(b'{"workItems": []}', Retry_After="30")

    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.send(slow)

    with raw_server(handle) as server:
        http = Http(server.url, allowed_private_hosts=LOOPBACK, gate=Gate(lambda: now[0]))
        connector = AzureDevOpsConnector({**SIGN_IN, "base_url": server.url}, http)
        assert connector.find("m") is None
        now[0] += 10
        error = outcome(lambda: connector.find("m"))
        assert isinstance(error, errors.RateLimited)
        assert (error.retry_after_s, error.outcome_unknown) == (20, False)
        now[0] += 20
        assert connector.find("m") is None
        http.close()


def test_a_budget_that_runs_low_is_told_before_anything_is_refused(desk: Bench) -> None:
    desk.connector.check()
    change(desk, tstu_limit=1, tstu_delay_ms=0)
    found = [outcome(desk.connector.fields) for _ in range(4)]
    assert {type(one) for one in found} <= {errors.HeldBack, type(None)}
    slowed = [one for one in found if isinstance(one, errors.RateLimited)]
    assert slowed
    assert all(one.retry_after_s and one.retry_after_s > 0 for one in slowed)
    # Waiting is ours: nothing is sent meanwhile.
    assert desk.calls(lambda: outcome(desk.connector.fields)) == 0


def test_a_tag_that_only_begins_like_the_marker_is_another_ticket(desk: Bench) -> None:
    desk.act("create", fields={"title": "Copy", "System.Tags": "concord:m-12"})
    desk.act("create", fields={"title": "Copy", "System.Tags": "concord:m-1x; CONCORD:M-1"})
    assert desk.connector.find("m-1") is None
    made = desk.connector.create(Draft({"title": "Ours", "tags": ["a"]}, "m-1"))
    found = desk.connector.find("m-1")
    assert found is not None
    assert (found.head, found.change_ids) == (made.head, made.change_ids)
    ticket = desk.connector.read(made.head.remote_id)
    assert ticket.fields["tags"] == ["a"]


# --- Service hooks through the interface ---


def test_service_hooks_are_set_up_once_for_every_kind_of_event(desk: Bench) -> None:
    connector = desk.connector
    assert isinstance(connector, RegistersHooks)
    with Receiver() as receiver:
        assert connector.registered_hooks(receiver.url) == ()
        connector.register_hook(receiver.url, "old")
        made = connector.register_hook(receiver.url, "s3cret")
        standing = connector.registered_hooks(receiver.url)
        assert [one.is_active for one in standing] == [True] * 5
        assert ",".join(one.id for one in standing) == made.id
        assert {one.secret for one in standing} == {""}
        assert made.secret == "s3cret"
        remote_id = theirs(desk)
        desk.act("comment", remote_id, comment={"text": "Hi"})
        desk.sandbox.state.hooks.wait_idle(5)
        read = [connector.verify_hook(_request(desk, one), ["s3cret"]) for one in receiver.arrived]
        assert {one.remote_ids for one in read} == {(remote_id,)}
        assert len(read) == 3
        connector.unregister_hooks(receiver.url)
        assert connector.registered_hooks(receiver.url) == ()


def test_an_account_that_may_not_set_up_service_hooks_is_told(desk: Bench) -> None:
    change(desk, denied=["hooks"])
    assert isinstance(desk.connector, RegistersHooks)
    connector = desk.connector
    assert isinstance(outcome(lambda: connector.register_hook("https://x.example/h", "s")), errors.Forbidden)


def test_what_service_hooks_are_set_up_with_is_described_by_the_vendors_own_document(
    desk: Bench, shared_data: Path
) -> None:
    document = Document(shared_data / "contracts/azure-devops-hooks.trimmed.json")
    connector = desk.connector
    assert isinstance(connector, RegistersHooks)
    with recorded() as sent:
        connector.register_hook("https://concord.example/hooks/a", "s3cret")
        connector.unregister_hooks("https://concord.example/hooks/a")
    hooks = [one for one in sent if "/hooks/" in one.path]
    assert {one.method for one in hooks} == {"GET", "POST", "DELETE"}
    for one in hooks:
        route = document.route(one.path)
        assert route is not None
        assert one.method.lower() in document.document["paths"][route]
        body = _json(one.body) if one.body else None
        assert document.problems(Exchange(one.method, one.path, body, 200, None)) == []


def _json(body: object) -> Any:
    assert isinstance(body, str | bytes)
    return json.loads(body)


def _request(desk: Bench, hook: Arrived) -> HookRequest:
    return HookRequest(hook.headers, hook.body, desk.clock.now())


def test_an_edited_paragraph_leaves_the_markup_around_it_as_somebody_made_it(
    desk: Bench,
) -> None:
    red = '<p style="color:red">It burns.</p>'
    person = '<p>Ask <a href="#" data-vss-mention="version:2.0,ann">@Ann Lee</a>.</p>'
    remote_id = desk.ticket()
    own = f"<div>{red}{person}<p>Thanks.</p></div>"
    desk.sandbox.act({"do": "update", "ticket": remote_id, "fields": {"description": own}})
    held = desk.connector.read(remote_id).fields
    desk.connector.history(remote_id, "")
    text = html.to_html(from_value(held["description"])).replace("Thanks.", "Thank you.")
    wanted = {"description": html.from_html(text).as_value()}
    desk.connector.update(remote_id, wanted, current=held, marker=desk.marker())
    item = desk.connector.read(remote_id).fields
    raw = client.item(desk.connector._project, remote_id)["fields"]  # type: ignore[attr-defined]
    assert item == {**held, **wanted}
    texts = [value for value in raw.values() if isinstance(value, str) and "burns" in value]
    assert texts == [f"<div>{red}{person}<p>Thank you.</p></div>"]
