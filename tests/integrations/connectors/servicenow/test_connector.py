"""The ServiceNow connector on its sandbox: what the contract suite cannot ask of every vendor."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from integrations.canonical import ChangeKind, CommentDraft, Draft, FileLimits
from integrations.connectors import errors
from integrations.connectors.protocol import Connector, FileDraft
from integrations.connectors.servicenow import batch
from integrations.richtext.blocks import from_plain, from_value
from tests.integrations.connectors.bench import Bench, bench, close, open_at, outcome, recorded

TABLES = "incident, problem, change_request"


@contextlib.contextmanager
def connected(desk: Bench, **more: str) -> Iterator[Connector]:
    """One more connector to the bench's sandbox, with other settings."""
    told = desk.sandbox.state.sign_in()
    given = {name: told[word] for name, word in desk.case.sign_in.items()} | more
    connector = open_at(given, "servicenow", desk.exchanges)
    try:
        yield connector
    finally:
        close(connector)


@pytest.fixture
def snow() -> Iterator[Bench]:
    with bench("servicenow") as desk:
        yield desk


def said(desk: Bench, remote_id: str) -> list[tuple[str, bool]]:
    comments = desk.connector.read(remote_id).comments
    return [(from_value(one.body).plain(), one.is_public) for one in comments]


def body(text: str) -> dict[str, Any]:
    return from_plain(text).as_value()


# --- What our account may do ---


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"roles": []}, ["sn_incident_write would do", ""]),
        ({"roles": ["sn_incident_read"]}, ["No role of the account's is known to write to incident"]),
        ({"closed_tables": ["sys_audit"]}, ["may not read sys_audit, so that changes are told only as far"]),
        ({"closed_tables": ["sys_journal_field"]}, ["may not read sys_journal_field, so it sees neither"]),
        ({"hidden_tables": ["sys_choice", "sys_dictionary"]}, ["sys_choice", "sys_dictionary"]),
        ({"closed_tables": ["incident"]}, ["may not read the table incident"]),
        ({"time_zone": "US/Pacific"}, ["time zone in ServiceNow is US/Pacific.  Set it to GMT"]),
    ],
)  # fmt: skip
def test_what_the_account_lacks_is_told_in_a_sentence(settings: dict[str, Any], words: list[str]) -> None:
    with bench("servicenow", **settings) as desk:
        problems = desk.connector.check().problems
        assert len(problems) >= len([one for one in words if one])
        for one in words:
            assert one in " ".join(problems)


def test_a_right_that_is_more_than_needed_is_told_but_is_no_problem() -> None:
    with bench("servicenow", roles=["admin"]) as desk:
        account = desk.connector.check()
        assert account.problems == ()
        assert "more than Concord needs" in account.facts["too wide"]


def test_a_table_that_does_not_exist_is_told(snow: Bench) -> None:
    with connected(snow, tables="incident, u_request") as connector:
        assert ["u_request" in one for one in connector.check().problems].count(True) >= 1


@pytest.mark.parametrize("name", ["../sys_user", "Incident!", "a b"])
def test_a_name_that_can_be_no_table_is_refused(snow: Bench, name: str) -> None:
    with pytest.raises(errors.Refused), connected(snow, tables=name):
        pass


def test_an_instance_that_sleeps_is_waited_for(snow: Bench) -> None:
    remote_id = snow.ticket()
    snow.sandbox.settings(hibernating=True)
    error = outcome(lambda: snow.connector.history(remote_id, ""))
    assert type(error) is errors.Garbled


# --- Several tables ---


def test_each_kind_of_ticket_has_its_table(snow: Bench) -> None:
    with connected(snow, tables=TABLES) as connector:
        made = {}
        for type_ in ("problem", "change", "incident", None):
            fields = {"short_description": "x", **({"type": type_} if type_ else {})}
            marker = snow.marker()
            made[type_] = connector.create(Draft(fields, marker)).head
            found = connector.find(marker)
            assert found is not None
            assert found.head == made[type_]
        assert {type_: head.remote_id.partition(":")[0] for type_, head in made.items()} == {
            "problem": "problem", "change": "change_request", "incident": "incident", None: "incident",
        }  # fmt: skip
        heads = [made[type_] for type_ in ("problem", "change")]
        assert [connector.read(one.remote_id).fields["type"] for one in heads] == ["problem", "change"]
        assert [connector.history(one.remote_id, "").changes[0].fields["type"] for one in heads] == [
            "problem", "change",
        ]  # fmt: skip
        error = outcome(lambda: connector.create(Draft({"short_description": "x", "type": "story"}, "m-9")))
        assert isinstance(error, errors.Invalid)
        assert set(error.fields) == {"type"}
        error = outcome(
            lambda: connector.update(heads[0].remote_id, {"type": "change"}, current={}, marker="m-10")
        )
        assert isinstance(error, errors.Invalid)
        specs = {spec.name: spec for spec in connector.fields()}
        assert specs["type"].values == ("incident", "problem", "change")
        assert specs["type"].is_create_only
        assert {"In Progress", "Root Cause Analysis", "Implement"} <= set(specs["state"].values)


def test_what_changed_in_any_table_comes_in_one_call(snow: Bench) -> None:
    with connected(snow, tables=TABLES) as connector:
        cursor = connector.changed_since("").cursor
        made = {
            connector.create(Draft({"short_description": "x", "type": type_}, type_)).head.remote_id
            for type_ in ("incident", "problem", "change")
        }
        before = len(snow.exchanges)
        page = connector.changed_since(cursor)
        assert len(snow.exchanges) - before == 1
        assert set(page.remote_ids) == made
        # What is in the overlap is known already.
        assert connector.changed_since(page.cursor).remote_ids == ()


def test_a_step_that_the_state_model_does_not_allow_is_told_as_one(snow: Bench) -> None:
    with connected(snow, tables="change_request") as connector:
        remote_id = connector.create(Draft({"short_description": "x"}, "m-1")).head.remote_id
        error = outcome(
            lambda: connector.update(remote_id, {"state": "Review"}, current={"state": "New"}, marker="m-2")
        )
        assert isinstance(error, errors.NoTransition)
        assert error.status == 403


def test_a_changes_priority_is_written_as_it_stands(snow: Bench) -> None:
    with connected(snow, tables="change_request") as connector:
        remote_id = connector.create(Draft({"short_description": "x"}, "m-1")).head.remote_id
        connector.update(remote_id, {"priority": "2 - High"}, current={}, marker="m-2")
        assert connector.read(remote_id).fields["priority"] == "2 - High"


# --- Writing ---


def test_a_write_is_known_by_the_number_of_its_update(snow: Bench) -> None:
    remote_id = snow.ticket()
    cursor = snow.connector.history(remote_id, "").cursor
    written = snow.connector.update(remote_id, {"short_description": "Ours"}, current={}, marker="m-1")
    assert [one.id for one in snow.connector.history(remote_id, cursor).changes] == list(written.change_ids)
    # Nothing changed, so the last update is not taken for this write.
    again = snow.connector.update(remote_id, {"short_description": "Ours"}, current={}, marker="m-2")
    assert again.change_ids == ()
    snow.act("update", remote_id, fields={"short_description": "Theirs"})
    theirs = snow.connector.update(remote_id, {"short_description": "Theirs"}, current={}, marker="m-3")
    assert theirs.change_ids == ()


def test_the_demands_of_this_instance_are_read_and_met_before_the_write() -> None:
    policy = {"table": "incident", "name": "Tier", "condition": "stateIN6,7", "mandatory": ["u_service_tier"]}
    with bench("servicenow", data_policies=[policy]) as desk:
        remote_id = desk.ticket()
        calls = desk.calls(lambda: outcome(lambda: desk.connector.update(
            remote_id, {"state": "Resolved"}, current={"state": "New"}, marker="m-1"
        )))  # fmt: skip
        assert calls == 0
        desk.update(remote_id, state="Resolved", u_service_tier="Gold")
        fields = desk.connector.read(remote_id).fields
        assert (fields["state"], fields["u_service_tier"], fields["close_code"]) == ("Resolved", "Gold", None)


def test_a_ticket_is_resolved_with_the_code_that_this_instance_has() -> None:
    codes = [["Solved (Permanently)", "Solved (Permanently)"], ["Not Solved", "Not Solved"]]
    with bench("servicenow", choices={"incident.close_code": codes}) as desk:
        remote_id = desk.ticket()
        desk.update(remote_id, state="Resolved")
        assert desk.connector.read(remote_id).fields["close_code"] == "Solved (Permanently)"


def test_a_title_is_cut_where_this_instance_would_cut_it_but_so_that_it_shows() -> None:
    with bench("servicenow", max_lengths={"incident.short_description": 20}) as desk:
        remote_id = desk.connector.create(
            desk.draft(short_description="A rather long title of ours")
        ).head.remote_id
        held = desk.connector.read(remote_id).fields["short_description"]
        assert held == "A rather long… [cut]"
        assert desk.connector.settled("short_description", "A rather long title of ours") == held


def test_what_servicenow_does_not_keep_is_refused_and_not_taken_for_done() -> None:
    kept_back = ["incident.short_description", "incident.work_notes"]
    with bench("servicenow", unwritable_fields=kept_back) as desk:
        remote_id = desk.act("create", fields={"short_description": "Theirs"})["ticket"]
        desk.connector.history(remote_id, "")
        lost = outcome(
            lambda: desk.connector.update(remote_id, {"short_description": "Ours"}, current={}, marker="m-1")
        )
        assert type(lost) is errors.Forbidden
        assert "“short_description”" in lost.message
        desk.clock.advance(60)
        silent = outcome(
            lambda: desk.connector.comment(remote_id, CommentDraft(body("Among ourselves"), False, "m-2"))
        )
        assert type(silent) is errors.Forbidden
        desk.connector.comment(remote_id, CommentDraft(body("For all"), True, "m-3"))
        assert said(desk, remote_id) == [("For all", True)]


def test_two_comments_alike_are_two_comments(snow: Bench) -> None:
    remote_id = snow.ticket()
    draft = CommentDraft(body("Any news?"), True, "m-1")
    ids = {snow.connector.comment(remote_id, draft).comment_id for _ in range(2)}
    assert len(snow.connector.read(remote_id).comments) == 2
    assert ids <= {one.id for one in snow.connector.read(remote_id).comments}


def test_a_file_of_a_type_that_is_not_allowed_is_refused() -> None:
    with bench("servicenow", attachment_extensions="txt,png") as desk:
        remote_id = desk.ticket()
        desk.attach(remote_id, "log.txt", b"a line")
        error = outcome(lambda: desk.attach(remote_id, "run.exe", b"MZ"))
        assert isinstance(error, errors.Invalid)
        assert set(error.fields) == {"file"}
        assert [one.name for one in desk.connector.read(remote_id).attachments] == ["log.txt"]


def test_a_file_travels_in_one_call_and_is_known_by_its_id(snow: Bench) -> None:
    remote_id = snow.ticket()
    draft = FileDraft("../etc/pass wd", "text/x; odd=\r\n1", 1, iter([b"x"]), True, "m-1")
    written = snow.connector.attach(remote_id, draft)
    (change,) = snow.changes(remote_id)[1:]
    (file,) = change.attachments
    assert (file.id, file.name, file.content_type) == (
        written.attachment_id,
        "pass wd",
        "application/octet-stream",
    )
    assert change.id in written.change_ids


# --- Reading ---


def test_people_and_groups_are_told_by_name_and_asked_for_once(snow: Bench) -> None:
    remote_id = snow.ticket()
    cursor = snow.connector.history(remote_id, "").cursor
    snow.act("update", remote_id, fields={"assigned_to": "nina.network", "assignment_group": "Network"})
    found = snow.connector.history(remote_id, cursor).changes[0]
    assert found.fields["assignment_group"] == "Network"
    person = found.fields["assigned_to"]
    assert isinstance(person, dict)
    assert (person["name"], person["email"]) == ("Nina Network", "nina@partner.example")
    assert (found.actor.id, found.actor.name) == ("ada.agent", "Ada Agent")
    assert snow.connector.read(remote_id).fields["assigned_to"] == person
    assert snow.calls(lambda: snow.connector.history(remote_id, cursor)) == 1
    assert snow.connector.settled("assigned_to", {"id": "", "email": "Nina@partner.example"}) == person
    snow.update(remote_id, assigned_to={"id": "", "name": "Nina", "email": "nina@partner.example"})
    assert snow.connector.read(remote_id).fields["assigned_to"] == person


@pytest.mark.parametrize("settings", [{"closed_tables": ["sys_audit"]}, {"hidden_tables": ["sys_audit"]}])
def test_without_the_audit_every_change_is_still_told(settings: dict[str, Any]) -> None:
    with bench("servicenow", **settings) as desk:
        remote_id = desk.ticket()
        cursor = desk.connector.history(remote_id, "").cursor
        desk.act("update", remote_id, fields={"state": "In Progress"})
        desk.act(
            "update",
            remote_id,
            fields={"short_description": "Fire"},
            comment={"text": "Seen", "public": True},
        )
        page = desk.connector.history(remote_id, cursor)
        assert [dict(one.fields) for one in page.changes] == [
            {"short_description": "Fire", "state": "In Progress"}, {}
        ]  # fmt: skip
        assert [len(one.comments) for one in page.changes] == [0, 1]
        assert {one.kind for one in page.changes} == {ChangeKind.UPDATED}
        assert desk.connector.history(remote_id, page.cursor).changes == ()


def test_comments_that_cannot_be_read_stop_the_ticket_and_are_not_taken_for_none() -> None:
    with bench("servicenow", closed_tables=["sys_journal_field"]) as desk:
        remote_id = desk.ticket()
        assert type(outcome(lambda: desk.connector.history(remote_id, ""))) is errors.Forbidden
        assert type(outcome(lambda: desk.connector.read(remote_id))) is errors.Forbidden
        # A comment can be written all the same; only its id is not known then.
        written = desk.connector.comment(remote_id, CommentDraft(body("Seen"), True, "m-1"))
        assert (written.comment_id, written.change_ids) == ("", ())


def test_files_that_cannot_be_read_are_told_once_and_stop_nothing() -> None:
    with bench("servicenow", closed_tables=["sys_attachment"]) as desk:
        assert any("files are not carried" in one for one in desk.connector.check().problems)
        _, cursor = ids_of(desk.connector, "")
        remote_id = desk.ticket()
        assert ids_of(desk.connector, cursor)[0] == [remote_id]
        desk.comment(remote_id, "Seen")
        assert len(desk.changes(remote_id)) == 2
        assert said(desk, remote_id) == [("Seen", True)]


def test_a_deleted_ticket_and_one_we_may_no_longer_see_are_told_apart(snow: Bench) -> None:
    deleted, hidden = snow.ticket(), snow.ticket()
    snow.act("delete", deleted)
    snow.sandbox.settings(hidden_records=[hidden.partition(":")[2]])
    gone = outcome(lambda: snow.connector.history(deleted, ""))
    assert type(gone) is errors.Gone
    assert gone.message == "The ticket was deleted in ServiceNow."
    lost = outcome(lambda: snow.connector.read(hidden))
    assert type(lost) is errors.Forbidden
    never = outcome(lambda: snow.connector.read("incident:" + "0" * 32))
    assert type(never) is errors.Gone


def test_a_closed_ticket_is_closed_and_takes_nothing_more(snow: Bench) -> None:
    remote_id = snow.ticket()
    snow.update(remote_id, state="Closed")
    assert snow.connector.read(remote_id).is_closed
    error = outcome(lambda: snow.update(remote_id, short_description="x"))
    assert type(error) is errors.Forbidden


def test_an_instance_without_the_batch_interface_is_asked_one_by_one(snow: Bench) -> None:
    remote_id = snow.ticket()
    snow.act("comment", remote_id, comment={"text": "Theirs", "public": True})
    everything = snow.changes(remote_id)
    snow.sandbox.faults(next=[{"match": "POST /api/now/v1/batch", "do": "404", "times": 3}])
    with connected(snow) as connector, recorded() as sent:
        assert list(connector.history(remote_id, "").changes) == everything
        written = connector.comment(remote_id, CommentDraft(body("Ours"), True, "m-1"))
        assert written.comment_id
        # Refused once, it is not asked for again.
        assert [one.path for one in sent].count(batch.PATH) == 1
    assert said(snow, remote_id) == [("Theirs", True), ("Ours", True)]


def test_where_a_rule_counts_every_part_of_a_call_is_counted_and_needs_its_place(snow: Bench) -> None:
    remote_id = snow.ticket()
    snow.sandbox.settings(requests_per_hour=1000)
    with connected(snow) as connector:
        gate = connector._http.gate  # type: ignore[attr-defined]
        before = sum(snow.sandbox.server.calls.counts.values())
        # Nobody knew of the rule; what it counted is found out from the first answer on.
        connector.history(remote_id, "")
        connector.history(remote_id, "")
        counted = len(snow.sandbox.state.limits._passed.popitem()[1])
        assert gate.made == counted > sum(snow.sandbox.server.calls.counts.values()) - before
        gate.measure(2, 1, time.monotonic(), is_told=True)
        error = outcome(lambda: connector.history(remote_id, ""))
        assert isinstance(error, errors.HeldBack)
        assert gate.made == counted
        assert gate.short_of > 2


# --- What changed ---


def ids_of(connector: Connector, cursor: str) -> tuple[list[str], str]:
    found: list[str] = []
    while True:
        page = connector.changed_since(cursor)
        found += page.remote_ids
        cursor = page.cursor
        if not page.has_more:
            return found, cursor


def test_very_many_changes_of_one_second_are_all_told_once(snow: Bench) -> None:
    cursor = snow.connector.changed_since("").cursor
    made = {snow.ticket() for _ in range(450)}
    found, cursor = ids_of(snow.connector, cursor)
    assert (set(found), len(found)) == (made, 450)
    assert ids_of(snow.connector, cursor)[0] == []


def test_what_moves_between_two_pages_hides_nothing(snow: Bench) -> None:
    cursor = snow.connector.changed_since("").cursor
    made = []
    for _ in range(230):
        snow.clock.advance(1)
        made.append(snow.ticket())
    first = snow.connector.changed_since(cursor)
    assert first.has_more
    # These leave the first page, so that all behind them move up.
    for remote_id in made[:20]:
        snow.act("update", remote_id, fields={"state": "In Progress"})
    rest, _ = ids_of(snow.connector, first.cursor)
    assert sorted([*first.remote_ids, *rest]) == sorted([*made, *made[:20]])


def test_pages_emptied_by_access_rules_are_no_end(snow: Bench) -> None:
    cursor = snow.connector.changed_since("").cursor
    hidden = [snow.ticket().partition(":")[2] for _ in range(260)]
    # Behind all of them, for the order is that of time.
    snow.clock.advance(1)
    last = snow.ticket()
    snow.sandbox.settings(hidden_records=hidden)
    assert ids_of(snow.connector, cursor)[0] == [last]


def test_a_new_file_alone_is_a_change(snow: Bench) -> None:
    remote_id = snow.ticket()
    _, cursor = ids_of(snow.connector, snow.connector.changed_since("").cursor)
    snow.clock.advance(600)
    snow.act("attach", remote_id, file={"name": "log.txt", "text": "a line"})
    assert ids_of(snow.connector, cursor)[0] == [remote_id]


@pytest.mark.parametrize("zone", ["US/Pacific", "Asia/Tokyo"])
def test_nothing_is_missed_where_servicenow_reads_our_times_in_another_zone(zone: str) -> None:
    with bench("servicenow", time_zone=zone, literals_in_user_zone=True) as desk:
        _, cursor = ids_of(desk.connector, "")
        remote_id = desk.act("create", fields={"short_description": "Theirs"})["ticket"]
        found, cursor = ids_of(desk.connector, cursor)
        assert found == [remote_id]
        history = desk.connector.history(remote_id, "")
        desk.act("comment", remote_id, comment={"text": "More", "public": True})
        assert ids_of(desk.connector, cursor)[0] == [remote_id]
        (change,) = desk.connector.history(remote_id, history.cursor).changes
        assert from_value(change.comments[0].body).plain() == "More"


def test_the_endings_that_the_instance_takes_are_told(snow: Bench) -> None:
    snow.sandbox.settings(attachment_extensions="pdf, .PNG,txt,")

    assert snow.connector.file_limits() == FileLimits(1024**3, (".pdf", ".png", ".txt"))  # type: ignore[attr-defined]


def test_properties_that_an_account_may_not_read_tell_no_limit(snow: Bench) -> None:
    snow.sandbox.settings(closed_tables=["sys_properties"])

    assert snow.connector.file_limits() == FileLimits()  # type: ignore[attr-defined]
