"""The connector against the sandboxed Jira: what only Jira does, and what whole exchanges cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from integrations.canonical import CommentDraft, Draft
from integrations.connectors import errors
from integrations.richtext.blocks import from_plain
from tests.integrations.connectors.bench import Bench, bench, connector_to, outcome


@pytest.fixture
def desk() -> Iterator[Bench]:
    with bench("jira") as one:
        yield one


def person(desk: Bench, ticket: str, **fields: str) -> None:
    desk.act("update", ticket, fields=fields)


def test_an_ordinary_exchange_costs_one_call_a_step(desk: Bench) -> None:
    ticket = desk.ticket()
    cursor = desk.connector.history(ticket, "").cursor
    before = len(desk.exchanges)
    person(desk, ticket, status="In Progress")
    history = desk.connector.history(ticket, cursor)
    current = {"status": "In Progress"}
    desk.connector.update(ticket, {"status": "In Review"}, current=current, marker="m")
    desk.comment(ticket, "On it")
    desk.act("comment", ticket, comment="Thanks")
    history = desk.connector.history(ticket, history.cursor)
    assert [change.fields.get("status", "comment") for change in history.changes] == [
        "In Review",
        "comment",
        "comment",
    ]
    paths = [one.path.rpartition("/")[2] for one in desk.exchanges[before:]]
    assert paths == [ticket, "transitions", "comment", ticket]


def test_where_points_count_a_call_needs_as_many_places_as_it_takes_points(desk: Bench) -> None:
    ticket = desk.ticket()
    desk.comment(ticket, "On it")
    desk.comment(ticket, "Still on it")
    desk.sandbox.settings(points_per_hour=1000)
    connector = connector_to(desk.sandbox, desk.case, desk.exchanges)
    gate = connector._http.gate  # type: ignore[attr-defined]
    # Of the points nobody knew before the first answer.
    connector.read(ticket)
    used, made = desk.sandbox.state.throttle._points[1], gate.made
    # A write of one point, a reading of two, and the question for two comments which this connector did not write.
    connector.comment(ticket, CommentDraft(from_plain("Done"), True, "m"))
    connector.history(ticket, "")
    assert (gate.made - made, desk.sandbox.state.throttle._points[1] - used) == (6, 6)
    gate.measure(1, 1, time.monotonic(), is_told=True)
    assert isinstance(outcome(lambda: connector.read(ticket)), errors.HeldBack)
    assert (gate.allowed, gate.short_of) == (1, 2)
    assert connector.comment(ticket, CommentDraft(from_plain("One point"), True, "n")).comment_id


def test_a_status_without_a_straight_step_is_reached_over_those_that_others_took(desk: Bench) -> None:
    other = desk.ticket()
    for status in ("In Progress", "In Review", "Done"):
        person(desk, other, status=status)
    ticket = desk.ticket()
    cursor = desk.connector.history(ticket, "").cursor
    fresh = connector_to(desk.sandbox, desk.case, desk.exchanges)
    written = fresh.update(ticket, {"status": "Done"}, current={"status": "To Do"}, marker="m")
    changes = desk.connector.history(ticket, cursor).changes
    assert [change.id for change in changes] == list(written.change_ids)
    assert changes[-1].fields == {"status": "Done", "resolution": "Done"}
    assert desk.connector.read(ticket).is_closed


def test_a_status_that_nobody_reached_before_is_found_in_the_workflows_plan(desk: Bench) -> None:
    ticket = desk.ticket()
    cursor = desk.connector.history(ticket, "").cursor
    written = desk.connector.update(ticket, {"status": "Done"}, current={"status": "To Do"}, marker="m")
    changes = desk.connector.history(ticket, cursor).changes
    # Its way was over In Progress and In Review, which are no news to anybody.
    assert [dict(change.fields) for change in changes] == [{}, {}, {"status": "Done", "resolution": "Done"}]
    assert [change.id for change in changes] == list(written.change_ids)
    paths = [one.path for one in desk.exchanges]
    assert paths.count("/rest/api/3/workflows") == 1
    # Nobody had to be looked at, and the plan is known from now on.
    assert not any("search" in path for path in paths)
    another = desk.ticket()
    desk.connector.update(another, {"status": "Done"}, current={"status": "To Do"}, marker="n")
    assert [one.path for one in desk.exchanges].count("/rest/api/3/workflows") == 1


def test_where_nobody_went_before_and_the_plan_is_not_shown_a_person_has_to_go_first(desk: Bench) -> None:
    desk.sandbox.settings(denied_permissions=["ADMINISTER"])
    ticket = desk.ticket()
    desk.connector.history(ticket, "")
    for _ in range(2):
        error = outcome(
            lambda: desk.connector.update(ticket, {"status": "Done"}, current={"status": "To Do"}, marker="m")
        )
        assert isinstance(error, errors.NoTransition)
    # A right that is missing is not asked for again and again.
    assert [one.path for one in desk.exchanges].count("/rest/api/3/workflows") == 1
    with pytest.raises(errors.NoTransition, match="It leads to: “In Progress”"):
        desk.connector.update(
            ticket, {"status": "Done", "summary": "x"}, current={"status": "To Do"}, marker="m"
        )
    assert desk.connector.read(ticket).fields["summary"] == "Printer"


def test_somebody_who_moves_the_ticket_before_us_is_noticed(desk: Bench) -> None:
    ticket = desk.ticket()
    desk.connector.history(ticket, "")
    person(desk, ticket, status="In Progress")
    person(desk, ticket, status="In Review")
    # Our step was from To Do; from where the ticket is now another one leads to the same status.
    desk.connector.update(ticket, {"status": "In Progress"}, current={"status": "To Do"}, marker="m")
    assert desk.connector.read(ticket).fields["status"] == "In Progress"


def test_a_resolution_is_given_where_the_step_asks_for_one(desk: Bench) -> None:
    for given, expected in (({}, "Done"), ({"resolution": "Duplicate"}, "Duplicate")):
        ticket = desk.ticket()
        person(desk, ticket, status="In Review")
        current = desk.connector.history(ticket, "").changes[-1].fields
        desk.connector.update(ticket, {"status": "Done", **given}, current=current, marker="m")
        assert desk.connector.read(ticket).fields["resolution"] == expected


def test_a_creation_whose_answer_was_lost_is_found_by_its_marker(desk: Bench) -> None:
    desk.sandbox.faults(next=[{"match": "POST /rest/api/3/issue", "do": "answer_lost"}])
    with pytest.raises(errors.Unavailable) as caught:
        desk.connector.create(Draft({"summary": "Lost", "description": from_plain("x").as_value()}, "m-lost"))
    assert caught.value.outcome_unknown
    written = desk.connector.find("m-lost")
    assert written is not None
    assert desk.connector.read(written.head.remote_id).fields["summary"] == "Lost"


def test_a_ticket_that_the_index_does_not_know_yet_is_found_after_the_lag() -> None:
    with bench("jira", search_lag_s=30) as desk:
        ticket = desk.connector.create(desk.draft()).head.remote_id
        marker = desk.connector.history(ticket, "").changes[0].marker
        assert desk.connector.find(marker) is None
        desk.clock.advance(31)
        found = desk.connector.find(marker)
        assert found is not None
        assert found.head.remote_id == ticket


def test_a_comment_whose_answer_was_lost_is_known_by_its_marker_to_every_process(desk: Bench) -> None:
    ticket = desk.ticket()
    desk.sandbox.faults(next=[{"match": f"POST /rest/api/3/issue/{ticket}/comment", "do": "answer_lost"}])
    with pytest.raises(errors.Unavailable):
        desk.comment(ticket, "Lost")
    for connector in (desk.connector, connector_to(desk.sandbox, desk.case, desk.exchanges)):
        told = connector.history(ticket, "").changes[-1]
        assert (told.comments[0].body, told.marker) == (from_plain("Lost").as_value(), "marker-2")


def test_a_note_that_only_some_may_read_is_not_public(desk: Bench) -> None:
    ticket = desk.ticket()
    desk.act("comment", ticket, comment={"text": "Between us", "public": False})
    assert [one.is_public for one in desk.connector.read(ticket).comments] == [False]


@pytest.mark.parametrize("count", [39, 40, 101, 230])
def test_a_history_of_any_length_is_read_from_its_first_value_to_its_last(desk: Bench, count: int) -> None:
    ticket = desk.ticket()
    for number in range(count):
        person(desk, ticket, summary=f"Title {number}")
    history = desk.connector.history(ticket, "")
    summaries = [change.fields["summary"] for change in history.changes]
    assert summaries == ["Printer"] + [f"Title {number}" for number in range(count)]
    # However long it is, reading on costs one call.
    person(desk, ticket, summary="Last")
    before = len(desk.exchanges)
    assert [one.fields for one in desk.connector.history(ticket, history.cursor).changes] == [
        {"summary": "Last"}
    ]
    assert len(desk.exchanges) - before == 1


def test_a_file_on_the_media_host_is_read_without_our_credentials() -> None:
    with bench("jira", media_host="localhost") as desk:
        ticket = desk.ticket()
        desk.attach(ticket, "a.txt", b"hello")
        file = desk.connector.read(ticket).attachments[0]
        # The site itself gives the file when it is asked not to send us elsewhere.
        assert b"".join(desk.connector.open_attachment(file)) == b"hello"


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/St_Johns"])
def test_polling_does_not_depend_on_the_accounts_time_zone(zone: str) -> None:
    with bench("jira", time_zone=zone) as desk:
        cursor = desk.connector.changed_since("").cursor
        ticket = desk.act("create", fields={"summary": "x"})["ticket"]
        told = desk.connector.changed_since(cursor)
        assert told.remote_ids == (ticket,)
        assert desk.connector.changed_since(told.cursor).remote_ids == ()
        person(desk, ticket, summary="y")
        assert desk.connector.changed_since(told.cursor).remote_ids == (ticket,)


def test_a_right_that_is_missing_is_said() -> None:
    with bench("jira", denied_permissions=["TRANSITION_ISSUES"]) as desk:
        assert desk.connector.check().problems == (
            "The account may not change a ticket's status (TRANSITION_ISSUES).",
        )


def test_a_ticket_of_a_project_that_we_may_no_longer_see_is_not_taken_for_deleted(desk: Bench) -> None:
    ticket, deleted = desk.ticket(), desk.ticket()
    desk.act("delete", deleted)
    assert isinstance(outcome(lambda: desk.connector.history(deleted, "")), errors.Gone)
    desk.sandbox.settings(denied_permissions=["BROWSE_PROJECTS"])
    assert isinstance(outcome(lambda: desk.connector.history(ticket, "")), errors.Forbidden)
    assert isinstance(outcome(lambda: desk.connector.history(deleted, "")), errors.Forbidden)
    late = CommentDraft(from_plain("Too late").as_value(), True, "m-2")
    for do in (
        lambda: desk.connector.update(ticket, {"summary": "x"}, current={}, marker="m-1"),
        lambda: desk.connector.update(ticket, {"status": "Done"}, current={}, marker="m-1"),
        lambda: desk.connector.comment(ticket, late),
        lambda: desk.attach(ticket, "log.txt", b"x"),
    ):
        assert isinstance(outcome(do), errors.Forbidden)
    assert isinstance(outcome(lambda: desk.connector.changed_since("")), errors.Invalid)
    [problem] = desk.connector.check().problems
    assert "no project" in problem
    desk.sandbox.settings(denied_permissions=[])
    assert desk.connector.history(ticket, "").changes


def test_the_marker_of_a_write_is_told_by_every_process(desk: Bench) -> None:
    ticket = desk.ticket()
    desk.connector.update(ticket, {"summary": "Ours"}, current={}, marker="m-1")
    person(desk, ticket, summary="Theirs")
    desk.connector.update(ticket, {"status": "In Progress"}, current={"status": "To Do"}, marker="m-2")
    fresh = connector_to(desk.sandbox, desk.case, desk.exchanges)
    told = [(change.fields, change.marker) for change in fresh.history(ticket, "").changes[1:]]
    assert told == [
        ({"summary": "Ours"}, "m-1"),
        ({"summary": "Theirs"}, ""),
        ({"status": "In Progress"}, "m-2"),
    ]


def test_a_status_with_a_screen_costs_one_call_after_a_reading(desk: Bench) -> None:
    ticket = desk.ticket()
    for status in ("In Progress", "In Review"):
        person(desk, ticket, status=status)
    desk.connector.history(ticket, "")
    update = {"status": "Done"}
    assert desk.calls(lambda: desk.connector.update(ticket, update, current={}, marker="m")) == 1
    assert desk.connector.read(ticket).fields["resolution"] == "Done"


def test_only_what_nobody_else_gives_has_to_be_mapped(desk: Bench) -> None:
    """The connector gives the type of a new ticket, Jira the priority: neither is demanded of the rules."""
    required = [spec.name for spec in desk.connector.fields() if spec.is_required]
    assert required == ["summary"]


def test_a_busy_ticket_is_waited_for() -> None:
    with bench("jira", limit_writes=True) as desk:
        ticket = desk.ticket()

        def write(number: int) -> object:
            return desk.connector.update(ticket, {"summary": str(number)}, current={}, marker="m")

        refusal = next(error for number in range(200) if (error := outcome(lambda n=number: write(n))))
        assert isinstance(refusal, errors.RateLimited)
        assert refusal.retry_after_s
        assert not refusal.outcome_unknown


def test_one_connector_serves_many_threads(desk: Bench) -> None:
    tickets = [desk.ticket() for _ in range(8)]
    failures: list[errors.ConnectorError] = []

    def work(ticket: str) -> None:
        try:
            cursor = ""
            for step, status in enumerate(("In Progress", "In Review", "In Progress", "To Do")):
                history = desk.connector.history(ticket, cursor)
                cursor = history.cursor
                desk.connector.update(ticket, {"status": status}, current={}, marker=f"s-{step}")
                draft = CommentDraft(from_plain(status).as_value(), True, f"m-{status}")
                desk.connector.comment(ticket, draft)
        except errors.ConnectorError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(ticket,)) for ticket in tickets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    for ticket in tickets:
        statuses = [
            c.fields["status"] for c in desk.connector.history(ticket, "").changes if "status" in c.fields
        ]
        assert statuses == ["To Do", "In Progress", "In Review", "In Progress", "To Do"]
