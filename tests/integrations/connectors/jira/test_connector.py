"""The connector's calls: how many, in which order, with what in them, and what becomes of odd answers."""

from __future__ import annotations

import json

import pytest

from integrations.canonical import (
    Attachment,
    Changed,
    CommentDraft,
    Draft,
    Snapshot,
    TicketHead,
    Written,
)
from integrations.connectors import errors
from integrations.connectors.jira.connector import MAX_ATTACHMENT_BYTES, JiraConnector
from integrations.connectors.protocol import FileDraft
from tests.integrations.connectors.jira.answers import (
    ANN,
    ME,
    adf,
    at,
    comment,
    entry,
    issue,
    item,
    rich,
    status,
    transition,
)
from tests.integrations.connectors.jira.conftest import Site, Ticking

HEAD = "/issue/10001"
RESOLUTION = {"required": True, "allowedValues": [{"name": "Done"}, {"name": "Duplicate"}]}


def head(site: Site) -> TicketHead:
    return TicketHead("10001", "NET-1", f"{site.url}/browse/NET-1")


def long_issue() -> dict:
    return issue(entries=[entry(n, n) for n in range(45)])


# Reading


def test_a_history_costs_one_call(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(entries=[entry(1, 1)], comments=[comment(5, 2, "a")]))
    history = jira.history("10001", "")
    assert [change.id for change in history.changes] == ["created", "1", "comment:5"]
    assert history.head == head(site)
    assert not history.has_more
    assert site.calls() == ["GET /issue/10001"]
    assert site.asked[0].query == {
        "fields": "*all,-worklog,-watches,-votes,-issuelinks,-subtasks,-timetracking,-progress,-aggregateprogress",
        "expand": "changelog,transitions,transitions.fields",
        "properties": "concord",
    }


def test_a_long_changelog_is_read_page_by_page(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, long_issue())
    pages = [entry(n, n % 50) for n in range(150)]
    site.on("GET", HEAD + "/changelog", {"values": pages[:100], "total": 150, "isLast": False})
    site.on("GET", HEAD + "/changelog", {"values": pages[100:], "total": 150, "isLast": True})
    history = jira.history("10001", "")
    assert len(history.changes) == 151
    assert site.calls() == ["GET /issue/10001"] + ["GET /issue/10001/changelog"] * 2
    assert [one.query["startAt"] for one in site.asked[1:]] == ["0", "100"]


def test_a_long_changelog_costs_one_call_once_the_cursor_is_among_the_newest(
    jira: JiraConnector, site: Site
) -> None:
    site.on("GET", HEAD, issue(entries=[entry(1, 40)]))
    cursor = jira.history("10001", "").cursor
    site.answers.clear()
    site.on("GET", HEAD, issue(entries=[entry(n, n) for n in range(45)], entry_total=500))
    assert [change.id for change in jira.history("10001", cursor).changes] == [str(n) for n in range(35, 45)]
    assert site.calls() == ["GET /issue/10001"] * 2


def test_more_comments_than_jira_embeds_are_read_from_their_own_list(jira: JiraConnector, site: Site) -> None:
    all_comments = [comment(n, n, "x") for n in range(3)]
    site.on("GET", HEAD, issue(comments=all_comments[:2], comment_total=3))
    site.on("GET", HEAD + "/comment", {"comments": all_comments, "total": 3})
    history = jira.history("10001", "")
    assert [change.id for change in history.changes] == ["created", "comment:0", "comment:1", "comment:2"]
    assert len(jira.read("10001").comments) == 3


BROWSES = {"permissions": {"BROWSE_PROJECTS": {"havePermission": True}}}


@pytest.mark.parametrize(
    ("status", "rights", "kind"),
    [
        (200, BROWSES, errors.Gone),
        (200, {"permissions": {"BROWSE_PROJECTS": {"havePermission": False}}}, errors.Forbidden),
        (200, {"permissions": {}}, errors.Forbidden),
        (404, {"errorMessages": ["No project could be found with key 'NET'."]}, errors.Forbidden),
        (400, {"errorMessages": ["The project is not valid."]}, errors.Forbidden),
        # Where that question has no answer either, nothing is known of the ticket.
        (503, {}, errors.Unavailable),
        (200, {"permissions": None}, errors.Forbidden),
    ],
)
def test_a_missing_ticket_was_deleted_only_where_its_project_can_still_be_seen(
    jira: JiraConnector, site: Site, status: int, rights: object, kind: type[errors.ConnectorError]
) -> None:
    site.on("GET", "/mypermissions", rights, status=status)
    for do in (lambda: jira.history("10001", ""), lambda: jira.read("10001")):
        with pytest.raises(kind) as raised:
            do()
        assert type(raised.value) is kind
    assert site.asked[1].query == {"projectKey": "NET", "permissions": "BROWSE_PROJECTS"}


def test_a_ticket_as_it_stands_costs_one_call(jira: JiraConnector, site: Site) -> None:
    file = {"id": "7", "filename": "a.txt", "mimeType": "text/plain", "size": 3}
    site.on(
        "GET", HEAD, issue(files=[file], status=status("Done", "done"), customfield_1=None, customfield_2=5)
    )
    assert jira.read("10001") == Snapshot(
        head(site),
        {
            "summary": "Link down",
            "description": rich("It broke."),
            "status": "Done",
            "priority": "Medium",
            "issuetype": "Task",
            "labels": [],
            "assignee": None,
            "reporter": {"id": "acc:ann", "name": "Ann Lee", "email": "ann@example.com"},
            "resolution": None,
            "duedate": None,
            "customfield_2": 5,
        },
        (),
        (Attachment("7", "a.txt", "text/plain", 3, "7"),),
        jira.read("10001").created_at,
        jira.read("10001").updated_at,
        is_closed=True,
    )


# Markers of comments


def test_a_comment_of_ours_is_known_by_what_we_remember(jira: JiraConnector, site: Site) -> None:
    site.on("POST", HEAD + "/comment", comment(5, 1, "Hi", ME), 201)
    site.on("GET", HEAD, issue(comments=[comment(5, 1, "Hi", ME), comment(6, 2, "Yes")]))
    jira.comment("10001", CommentDraft(rich("Hi"), True, "m-1"))
    history = jira.history("10001", "")
    assert [change.marker for change in history.changes] == ["", "m-1", ""]
    assert site.calls() == ["POST /issue/10001/comment", "GET /issue/10001"]


def test_a_comment_of_ours_that_we_do_not_remember_is_asked_for_once(jira: JiraConnector, site: Site) -> None:
    site.on(
        "GET", HEAD, issue(comments=[comment(5, 1, "Hi", ME), comment(6, 2, "Yes"), comment(7, 3, "Ok", ME)])
    )
    marked = {**comment(5, 1, "Hi", ME), "properties": [{"key": "concord", "value": {"marker": "m-1"}}]}
    site.on("POST", "/comment/list", {"values": [marked, comment(7, 3, "Ok", ME)]})
    for _ in range(2):
        assert [change.marker for change in jira.history("10001", "").changes] == ["", "m-1", "", ""]
    assert site.calls() == ["GET /issue/10001", "POST /comment/list", "GET /issue/10001"]
    assert site.asked[1].json == {"ids": [5, 7]}
    assert site.asked[1].query == {"expand": "properties"}


def test_a_comment_that_jira_did_not_answer_about_is_asked_for_again(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(comments=[comment(5, 1, "Hi", ME)]))
    marked = {**comment(5, 1, "Hi", ME), "properties": [{"key": "concord", "value": {"marker": "m-1"}}]}
    site.on("POST", "/comment/list", {"values": []})
    site.on("POST", "/comment/list", {"values": [marked]})
    assert [jira.history("10001", "").changes[1].marker for _ in range(2)] == ["", "m-1"]


def test_without_addresses_we_ask_who_we_are_once(jira: JiraConnector, site: Site) -> None:
    nameless = {key: value for key, value in ANN.items() if key != "emailAddress"}
    site.on("GET", "/myself", ME)
    site.on("GET", HEAD, issue(comments=[comment(6, 2, "Yes", nameless), comment(7, 3, "No", nameless)]))
    for _ in range(2):
        jira.history("10001", "")
    assert site.calls() == ["GET /issue/10001", "GET /myself", "GET /issue/10001"]


# Creating and finding


def test_a_ticket_is_created_in_one_call_with_its_marker(jira: JiraConnector, site: Site) -> None:
    site.on("POST", "/issue", {"id": "10001", "key": "NET-1", "self": "x"}, 201)
    fields = {
        "summary": "Link\ndown",
        "description": rich("It broke."),
        "priority": "High",
        "labels": ["net work"],
        "assignee": {"id": "acc:ann", "name": "Ann", "email": ""},
        "status": "Done",
        "resolution": "Done",
        "duedate": None,
    }
    written = jira.create(Draft(fields, "m-1"))
    assert written == Written(head(site), change_ids=("created",))
    assert site.calls() == ["POST /issue"]
    assert site.asked[0].json == {
        "fields": {
            "summary": "Link down",
            "description": adf("It broke."),
            "priority": {"name": "High"},
            "labels": ["net_work"],
            "assignee": {"accountId": "acc:ann"},
            "project": {"key": "NET"},
            "issuetype": {"name": "Task"},
        },
        "properties": [{"key": "concord", "value": {"marker": "m-1"}}],
    }


def test_a_draft_may_name_another_type(jira: JiraConnector, site: Site) -> None:
    site.on("POST", "/issue", {"id": "10001", "key": "NET-1"}, 201)
    jira.create(Draft({"summary": "x", "issuetype": "Bug"}, "m-1"))
    assert site.asked[0].json["fields"]["issuetype"] == {"name": "Bug"}


def test_custom_fields_are_written_by_their_shape_which_is_asked_for_once(
    jira: JiraConnector, site: Site
) -> None:
    def meta(number: int, **schema: str) -> dict:
        return {"fieldId": f"customfield_{number}", "name": str(number), "schema": schema}

    textarea = "com.atlassian.jira.plugin.system.customfieldtypes:textarea"
    site.on(
        "GET", "/issue/createmeta/NET/issuetypes", {"issueTypes": [{"id": "7", "name": "task"}], "total": 1}
    )
    site.on(
        "GET",
        "/issue/createmeta/NET/issuetypes/7",
        {
            "fields": [
                meta(1, type="option"),
                meta(2, type="array", items="option"),
                meta(3, type="string", custom=textarea),
                meta(4, type="user"),
                meta(5, type="datetime"),
                meta(6, type="number"),
                meta(7, type="option-with-child"),
                meta(8, type="array", items="string"),
                meta(9, type="string"),
                meta(10, type="date"),
            ],
            "total": 10,
        },
    )
    site.on("GET", HEAD, {"id": "10001", "fields": {"customfield_3": None}})
    site.on("PUT", HEAD, None, 204)
    values = {
        "customfield_1": "High",
        "customfield_2": ["A", "B"],
        "customfield_3": rich("words"),
        "customfield_4": {"id": "acc:ann", "name": "", "email": ""},
        "customfield_5": "2026-03-01T10:00:00+00:00",
        "customfield_6": 5,
        "customfield_7": "Net - Core",
        "customfield_8": ["x"],
        "customfield_9": rich("line"),
        "customfield_10": "2026-03-01T00:00:00+00:00",
    }
    for _ in range(2):
        jira.update("10001", values, current={}, marker="")
    assert site.asked[-1].json == {
        "fields": {
            "customfield_1": {"value": "High"},
            "customfield_2": [{"value": "A"}, {"value": "B"}],
            "customfield_3": adf("words"),
            "customfield_4": {"accountId": "acc:ann"},
            "customfield_5": "2026-03-01T10:00:00.000+0000",
            "customfield_6": 5,
            "customfield_7": {"value": "Net", "child": {"value": "Core"}},
            "customfield_8": ["x"],
            "customfield_9": "line",
            "customfield_10": "2026-03-01",
        }
    }
    assert site.calls().count("GET /issue/createmeta/NET/issuetypes/7") == 1


def test_a_person_known_by_address_is_looked_up_once(jira: JiraConnector, site: Site) -> None:
    site.on(
        "GET", "/user/assignable/search", [{"accountId": "acc:ann2", "emailAddress": "ann2@example.com"}, ANN]
    )
    site.on("PUT", HEAD, None, 204)
    for _ in range(2):
        ann = {"id": "", "name": "Ann Lee", "email": "Ann@example.com"}
        jira.update("10001", {"assignee": ann}, current={}, marker="")
    assert site.asked[-1].json == {"fields": {"assignee": {"accountId": "acc:ann"}}}
    assert site.calls() == ["GET /user/assignable/search", "PUT /issue/10001", "PUT /issue/10001"]


@pytest.mark.parametrize(
    "person",
    [{"id": "", "name": "Nobody", "email": "nobody@example.com"}, {"id": "", "name": "Nobody", "email": ""}],
)
def test_a_person_without_an_account_here_is_refused_before_anything_is_written(
    jira: JiraConnector, site: Site, person: dict
) -> None:
    # Two people hide their addresses; neither is taken for the one we look for.
    hidden = [{"accountId": "acc:1", "displayName": "A"}, {"accountId": "acc:2", "displayName": "B"}]
    site.on("GET", "/user/assignable/search", hidden)
    with pytest.raises(errors.Invalid) as caught:
        jira.update("10001", {"assignee": person}, current={}, marker="")
    assert caught.value.fields == {"assignee": "unknown person"}
    assert not [call for call in site.calls() if call.startswith("PUT")]


def found(*markers: str) -> dict:
    return {
        "issues": [
            {"id": str(10001 + n), "key": f"NET-{n + 1}", "properties": {"concord": {"marker": marker}}}
            for n, marker in enumerate(markers)
        ],
        "isLast": True,
    }


def test_a_ticket_is_found_by_its_exact_marker(jira: JiraConnector, site: Site) -> None:
    site.on("POST", "/search/jql", found("M-1", "m-1"))
    written = jira.find("m-1")
    assert written is not None
    assert written.head.key == "NET-2"
    assert site.asked[0].json == {
        "jql": 'project = "NET" AND issue.property[concord].marker = "m-1"',
        "fields": ["created"],
        "maxResults": 1000,
        "properties": ["concord"],
    }


def test_where_properties_cannot_be_searched_our_own_tickets_are_looked_through(
    jira: JiraConnector, site: Site
) -> None:
    site.on("POST", "/search/jql", {"errorMessages": ["Field does not exist"], "errors": {}}, 400)
    site.on("POST", "/search/jql", {**found("other"), "isLast": False, "nextPageToken": "p2"})
    site.on("POST", "/search/jql", found("more", "m-1"))
    written = jira.find("m-1")
    assert written is not None
    assert written.head.remote_id == "10002"
    assert [one.json.get("nextPageToken") for one in site.asked] == [None, None, "p2"]
    assert site.asked[1].json["jql"] == (
        'project = "NET" AND creator = currentUser() AND created >= "-30d" ORDER BY created DESC'
    )


def test_a_marker_that_is_nowhere_is_not_found(jira: JiraConnector, site: Site) -> None:
    site.on("POST", "/search/jql", found("other"))
    assert jira.find("m-1") is None
    assert len(site.asked) == 2


def test_not_found_is_never_said_when_no_search_was_taken(jira: JiraConnector, site: Site) -> None:
    site.on("POST", "/search/jql", {"errorMessages": ["No"], "errors": {}}, 400)
    with pytest.raises(errors.Invalid):
        jira.find("m-1")


# Changing


def test_fields_cost_one_call_and_carry_the_marker(jira: JiraConnector, site: Site) -> None:
    site.on("PUT", HEAD, None, 204)
    written = jira.update(
        "10001", {"summary": "New", "description": None, "labels": []}, current={}, marker="m-2"
    )
    assert written.head == TicketHead("10001", "", f"{site.url}/secure/ViewIssue.jspa?id=10001")
    assert site.calls() == ["PUT /issue/10001"]
    assert site.asked[0].json == {
        "fields": {"summary": "New", "description": None, "labels": []},
        "historyMetadata": {"type": "concord", "extraData": {"marker": "m-2"}},
    }


def test_a_status_costs_one_call_after_a_reading(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("11", "In Progress"), transition("12", "Done")]))
    site.on("POST", HEAD + "/transitions", None, 204)
    jira.history("10001", "")
    written = jira.update("10001", {"status": "done"}, current={"status": "To Do"}, marker="m-2")
    assert written == Written(head(site))
    assert site.calls() == ["GET /issue/10001", "POST /issue/10001/transitions"]
    assert site.asked[1].json == {
        "transition": {"id": "12"},
        "historyMetadata": {"type": "concord", "extraData": {"marker": "m-2"}},
    }


def test_the_status_it_has_already_costs_no_call(jira: JiraConnector, site: Site) -> None:
    jira.update("10001", {"status": "Done"}, current={"status": "done"}, marker="m-2")
    assert site.calls() == []


@pytest.mark.parametrize("because", ["time", "status"])
def test_steps_that_may_be_stale_are_read_anew(
    jira: JiraConnector, site: Site, ticking: Ticking, because: str
) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("11", "Done")]))
    site.on("GET", HEAD, issue(transitions=[transition("21", "Done")], status=status("In Progress")))
    site.on("POST", HEAD + "/transitions", None, 204)
    jira.history("10001", "")
    present = "To Do" if because == "time" else "In Progress"
    ticking.seconds = 121 if because == "time" else 0
    jira.update("10001", {"status": "Done"}, current={"status": present}, marker="")
    assert site.calls()[1:] == ["GET /issue/10001", "POST /issue/10001/transitions"]
    assert site.asked[-1].json == {"transition": {"id": "21"}}


def test_a_step_that_jira_no_longer_takes_is_looked_up_once_more(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("11", "Done")]))
    site.on("GET", HEAD, issue(transitions=[transition("31", "Done", {"resolution": RESOLUTION})]))
    site.on("POST", HEAD + "/transitions", {"errorMessages": ["Not valid"], "errors": {}}, 400)
    site.on("POST", HEAD + "/transitions", None, 204)
    jira.history("10001", "")
    jira.update("10001", {"status": "Done"}, current={"status": "To Do"}, marker="")
    assert site.asked[-1].json == {"transition": {"id": "31"}, "fields": {"resolution": {"name": "Done"}}}


def test_a_step_that_somebody_took_before_us_is_no_error(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("11", "Done")]))
    site.on("GET", HEAD, issue(status=status("Done", "done")))
    site.on("POST", HEAD + "/transitions", {"errorMessages": ["Not valid"], "errors": {}}, 400)
    jira.history("10001", "")
    jira.update("10001", {"status": "Done"}, current={"status": "To Do"}, marker="")
    assert site.calls()[1:] == ["POST /issue/10001/transitions", "GET /issue/10001"]


def test_a_step_that_is_refused_for_good_is_tried_once(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("11", "Done")]))
    site.on("POST", HEAD + "/transitions", {"errorMessages": ["A condition failed"], "errors": {}}, 400)
    jira.history("10001", "")
    with pytest.raises(errors.Invalid):
        jira.update("10001", {"status": "Done"}, current={"status": "To Do"}, marker="")
    assert site.calls().count("POST /issue/10001/transitions") == 1


def test_fields_on_the_steps_screen_go_with_it_and_the_rest_before_it(
    jira: JiraConnector, site: Site
) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("12", "Done", {"resolution": RESOLUTION})]))
    site.on("PUT", HEAD, None, 204)
    site.on("POST", HEAD + "/transitions", None, 204)
    jira.history("10001", "")
    fields = {"status": "Done", "resolution": "Duplicate", "summary": "New"}
    jira.update("10001", fields, current={"status": "To Do"}, marker="")
    assert site.calls()[1:] == ["PUT /issue/10001", "POST /issue/10001/transitions"]
    assert site.asked[1].json == {"fields": {"summary": "New"}}
    assert site.asked[2].json == {"transition": {"id": "12"}, "fields": {"resolution": {"name": "Duplicate"}}}


def test_a_demanded_field_without_a_default_stops_before_anything_is_written(
    jira: JiraConnector, site: Site
) -> None:
    screen = {"resolution": RESOLUTION, "customfield_9": {"required": True}}
    site.on("GET", HEAD, issue(transitions=[transition("12", "Done", screen)]))
    jira.history("10001", "")
    with pytest.raises(errors.RequiredField) as caught:
        jira.update("10001", {"status": "Done", "summary": "New"}, current={"status": "To Do"}, marker="")
    assert list(caught.value.fields) == ["customfield_9"]
    assert "customfield_9" in caught.value.message
    assert site.calls() == ["GET /issue/10001"]


def test_a_demand_that_the_screen_did_not_tell_is_met_and_remembered(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("12", "Done")]))
    demand = {"errorMessages": [], "errors": {"resolution": "Resolution is required."}}
    site.on("POST", HEAD + "/transitions", demand, 400)
    site.on("POST", HEAD + "/transitions", None, 204)
    for _ in range(2):
        jira.history("10001", "")
        jira.update("10001", {"status": "Done"}, current={"status": "To Do"}, marker="")
    sent = [one.json.get("fields") for one in site.asked if one.method == "POST"]
    assert sent == [None, {"resolution": {"name": "Done"}}, {"resolution": {"name": "Done"}}]


def test_a_demand_for_something_without_a_default_is_told(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("12", "Done")]))
    demand = {"errorMessages": [], "errors": {"customfield_9": "Cause is required."}}
    site.on("POST", HEAD + "/transitions", demand, 400)
    jira.history("10001", "")
    with pytest.raises(errors.RequiredField):
        jira.update("10001", {"status": "Done"}, current={"status": "To Do"}, marker="")


def test_a_status_without_a_way_names_those_that_can_be_reached(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("11", "In Progress"), transition("12", "Waiting")]))
    site.on("POST", "/search/jql", {"issues": [], "isLast": True})
    jira.history("10001", "")
    with pytest.raises(errors.NoTransition) as caught:
        jira.update("10001", {"status": "Done", "summary": "New"}, current={"status": "To Do"}, marker="")
    assert caught.value.message == (
        "Jira's workflow has no step from the ticket's present status to “Done”.  "
        "It leads to: “In Progress”, “Waiting”."
    )
    assert "PUT /issue/10001" not in site.calls()


def test_a_way_that_other_tickets_took_is_followed_step_by_step(jira: JiraConnector, site: Site) -> None:
    def stand(name: str, *steps: dict, entries: list[dict] | None = None) -> dict:
        return issue(status=status(name), transitions=list(steps), entries=entries)

    site.on("GET", HEAD, stand("To Do", transition("1", "Working")))
    site.on("GET", HEAD, stand("To Do", transition("1", "Working")))
    site.on(
        "GET",
        HEAD,
        stand("Working", transition("2", "To Do"), transition("3", "Done", {"resolution": RESOLUTION})),
    )
    ours = [
        entry(1, 1, item("status", "To Do", "Working")),
        entry(2, 2, item("status", "Working", "Done")),
    ]
    site.on("GET", HEAD, stand("Done", entries=ours))
    elsewhere = issue(
        status=status("Done"),
        entries=[
            entry(8, 1, item("status", "To Do", "Working")),
            entry(9, 2, item("status", "Working", "Done")),
        ],
    )
    site.on("POST", "/search/jql", {"issues": [elsewhere], "isLast": True})
    site.on("POST", HEAD + "/transitions", None, 204)
    jira.history("10001", "")
    written = jira.update("10001", {"status": "Done"}, current={"status": "To Do"}, marker="m")
    assert written.change_ids == ("1", "2")
    steps = [one.json for one in site.asked if one.path.endswith("/transitions")]
    assert [(one["transition"]["id"], one.get("fields")) for one in steps] == [
        ("1", None),
        ("3", {"resolution": {"name": "Done"}}),
    ]
    search = next(one.json for one in site.asked if one.path.endswith("/search/jql"))
    assert search["jql"] == 'project = "NET" AND issuetype = "Task" AND status = "Done" ORDER BY updated DESC'


def test_a_way_that_ends_in_between_goes_no_further(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("1", "Working")]))
    site.on("GET", HEAD, issue(transitions=[transition("1", "Working")]))
    site.on("GET", HEAD, issue(status=status("Working"), transitions=[transition("2", "To Do")]))
    elsewhere = issue(entries=[entry(8, 1, item("status", "Working", "Done"))])
    site.on("POST", "/search/jql", {"issues": [elsewhere], "isLast": True})
    site.on("POST", HEAD + "/transitions", None, 204)
    jira.history("10001", "")
    with pytest.raises(errors.NoTransition):
        jira.update("10001", {"status": "Done"}, current={"status": "To Do"}, marker="m")
    assert site.calls().count("POST /issue/10001/transitions") == 1
    assert site.calls().count("POST /search/jql") == 1


def test_a_way_never_leads_back_to_where_the_ticket_was(jira: JiraConnector, site: Site) -> None:
    start = issue(transitions=[transition("1", "Active"), transition("2", "Review")])
    site.on("GET", HEAD, start)
    site.on("GET", HEAD, start)
    site.on("GET", HEAD, issue(status=status("Active"), transitions=[transition("3", "To Do")]))
    elsewhere = issue(
        entries=[entry(8, 1, item("status", "Active", "Done")), entry(9, 2, item("status", "Review", "Done"))]
    )
    site.on("POST", "/search/jql", {"issues": [elsewhere], "isLast": True})
    site.on("POST", HEAD + "/transitions", None, 204)
    jira.history("10001", "")
    with pytest.raises(errors.NoTransition, match="It leads to: “To Do”"):
        jira.update("10001", {"status": "Done"}, current={"status": "To Do"}, marker="m")
    assert site.calls().count("POST /issue/10001/transitions") == 1


def test_after_a_step_the_steps_known_before_are_forgotten(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("11", "Waiting"), transition("12", "Done")]))
    site.on("GET", HEAD, issue(status=status("Waiting"), transitions=[transition("22", "Done")]))
    site.on("POST", HEAD + "/transitions", None, 204)
    jira.history("10001", "")
    for wanted in ("Waiting", "Done"):
        jira.update("10001", {"status": wanted}, current={}, marker="")
    steps = [one.json["transition"]["id"] for one in site.asked if one.method == "POST"]
    assert steps == ["11", "22"]


def test_a_step_that_fails_after_the_edit_leaves_the_outcome_open(jira: JiraConnector, site: Site) -> None:
    site.on("GET", HEAD, issue(transitions=[transition("11", "Done")]))
    site.on("PUT", HEAD, None, 204)
    site.on("POST", HEAD + "/transitions", None, 429, {"Retry-After": "7"})
    jira.history("10001", "")
    with pytest.raises(errors.RateLimited) as caught:
        jira.update("10001", {"status": "Done", "summary": "x"}, current={"status": "To Do"}, marker="")
    assert (caught.value.outcome_unknown, caught.value.retry_after_s) == (True, 7)
    with pytest.raises(errors.RateLimited) as caught:
        jira.update("10001", {"status": "Done"}, current={"status": "To Do"}, marker="")
    assert not caught.value.outcome_unknown


# Comments and files


def test_a_comment_costs_one_call_and_carries_its_marker(jira: JiraConnector, site: Site) -> None:
    site.on("POST", HEAD + "/comment", comment(5, 1, "Hi", ME), 201)
    written = jira.comment("10001", CommentDraft(rich("Hi"), True, "m-3"))
    assert (written.comment_id, written.change_ids) == ("5", ("comment:5",))
    assert site.asked[0].json == {
        "body": adf("Hi"),
        "properties": [{"key": "concord", "value": {"marker": "m-3"}}],
    }


def test_a_comment_without_words_says_so(jira: JiraConnector, site: Site) -> None:
    site.on("POST", HEAD + "/comment", comment(5, 1, "Hi", ME), 201)
    jira.comment("10001", CommentDraft({"rich": []}, True, "m-3"))
    assert site.asked[0].json["body"] == adf("(no text)")


def test_an_internal_comment_never_leaves(jira: JiraConnector, site: Site) -> None:
    with pytest.raises(errors.Refused):
        jira.comment("10001", CommentDraft(rich("Hi"), False, "m-3"))
    with pytest.raises(errors.Refused):
        jira.attach("10001", FileDraft("a.txt", "text/plain", 3, iter([b"abc"]), False, "m-4"))
    assert site.calls() == []


def test_a_file_is_sent_in_one_call_as_a_form(jira: JiraConnector, site: Site) -> None:
    site.on("POST", HEAD + "/attachments", [{"id": "7", "filename": "a.txt", "size": 5}])
    written = jira.attach(
        "10001", FileDraft('a "b".txt', "text/plain", 5, iter([b"he", b"llo"]), True, "m-4")
    )
    assert written.attachment_id == "7"
    sent = site.asked[0]
    boundary = sent.headers["Content-Type"].partition("boundary=")[2]
    assert sent.headers["X-Atlassian-Token"] == "no-check"
    assert sent.body.decode() == (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="a %22b%22.txt"\r\n'
        "Content-Type: text/plain\r\n\r\n"
        "hello\r\n"
        f"--{boundary}--\r\n"
    )


def test_a_file_over_the_limit_is_not_begun(jira: JiraConnector, site: Site) -> None:
    with pytest.raises(errors.TooLarge):
        jira.attach("10001", FileDraft("a", "text/plain", MAX_ATTACHMENT_BYTES + 1, iter([]), True, "m"))
    assert site.calls() == []


def test_an_answer_without_the_file_leaves_the_outcome_open(jira: JiraConnector, site: Site) -> None:
    site.on("POST", HEAD + "/attachments", [])
    with pytest.raises(errors.Garbled) as caught:
        jira.attach("10001", FileDraft("a", "text/plain", 1, iter([b"x"]), True, "m"))
    assert caught.value.outcome_unknown


def test_a_file_is_read_without_following_addresses_from_answers(jira: JiraConnector, site: Site) -> None:
    site.on("GET", "/attachment/content/7", b"hello")
    assert b"".join(jira.open_attachment(Attachment("7", "a.txt", "text/plain", 5, "7"))) == b"hello"
    assert site.asked[0].query == {"redirect": "false"}


def test_a_file_is_not_fetched_from_a_private_host_that_nobody_allowed(
    jira: JiraConnector, site: Site
) -> None:
    site.on(
        "GET", "/attachment/content/7", None, 303, {"Location": site.url.replace("127.0.0.1", "localhost")}
    )
    with pytest.raises(errors.ConnectorError):
        b"".join(jira.open_attachment(Attachment("7", "a.txt", "text/plain", 5, "7")))
    assert len(site.asked) == 1


@pytest.mark.parametrize("hostile", ["../../secret", "7/../8", "7?x=1", "%2e%2e"])
def test_an_id_from_elsewhere_cannot_leave_its_place_in_the_path(
    jira: JiraConnector, site: Site, hostile: str
) -> None:
    with pytest.raises(errors.Refused):
        jira.read(hostile)
    assert site.asked[0].path.startswith("/rest/api/3/issue/")
    assert "/" not in site.asked[0].path.removeprefix("/rest/api/3/issue/")


# Polling


def search_page(*updated: tuple[str, str], token: str = "") -> dict:
    page: dict = {
        "issues": [{"id": id_, "fields": {"updated": when}} for id_, when in updated],
        "isLast": not token,
    }
    return {**page, "nextPageToken": token} if token else page


def test_polling_names_a_ticket_once_for_every_change(jira: JiraConnector, site: Site) -> None:
    recent = "2026-03-01T11:59:30.000+0000"
    site.on("POST", "/search/jql", search_page(("1", recent), ("2", recent)))
    site.on("POST", "/search/jql", search_page(("1", recent), ("2", "2026-03-01T11:59:50.000+0000")))
    first = jira.changed_since("")
    second = jira.changed_since(first.cursor)
    assert (first.remote_ids, second.remote_ids) == (("1", "2"), ("2",))
    assert site.asked[0].json == {
        "jql": 'project = "NET" AND updated >= "-3m" ORDER BY updated ASC',
        "fields": ["updated"],
        "maxResults": 100,
    }


def test_polling_goes_through_the_pages_of_one_search(jira: JiraConnector, site: Site) -> None:
    site.on("POST", "/search/jql", search_page(("1", at(1)), token="p2"))
    site.on("POST", "/search/jql", search_page(("2", at(2))))
    first = jira.changed_since("")
    assert (first.remote_ids, first.has_more) == (("1",), True)
    second = jira.changed_since(first.cursor)
    assert second == Changed(("2",), '{"since":"2026-03-01T12:00:00+00:00","seen":{}}', has_more=False)
    assert site.asked[1].json["jql"] == site.asked[0].json["jql"]
    assert site.asked[1].json["nextPageToken"] == "p2"


def test_a_search_whose_pages_have_expired_begins_again(jira: JiraConnector, site: Site) -> None:
    site.on("POST", "/search/jql", search_page(("1", at(1)), token="p2"))
    site.on("POST", "/search/jql", {"errorMessages": ["The token has expired"], "errors": {}}, 400)
    site.on("POST", "/search/jql", search_page(("1", at(1)), ("2", at(2))))
    cursor = jira.changed_since("").cursor
    assert jira.changed_since(cursor).remote_ids == ("2",)
    assert "nextPageToken" not in site.asked[2].json


def test_a_search_that_jira_refuses_is_told(jira: JiraConnector, site: Site) -> None:
    site.on("POST", "/search/jql", {"errorMessages": ["No such project"], "errors": {}}, 400)
    with pytest.raises(errors.Invalid):
        jira.changed_since("")


# The connection test and the fields


def rights(*denied: str) -> dict:
    names = (
        "BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "TRANSITION_ISSUES", "ADD_COMMENTS", "CREATE_ATTACHMENTS",
        "ASSIGN_ISSUES",
    )  # fmt: skip
    return {"permissions": {name: {"havePermission": name not in denied} for name in names}}


def test_a_working_connection_has_no_problems(jira: JiraConnector, site: Site) -> None:
    site.on("GET", "/myself", {**ME, "timeZone": "Europe/Berlin"})
    site.on("GET", "/mypermissions", rights())
    site.on(
        "GET", "/issue/createmeta/NET/issuetypes", {"issueTypes": [{"id": "7", "name": "Task"}], "total": 1}
    )
    account = jira.check()
    assert (account.id, account.name, account.time_zone, account.problems) == (
        "acc:concord",
        "Concord",
        "Europe/Berlin",
        (),
    )
    assert len(site.calls()) == 3


def test_what_is_missing_is_said_in_sentences(jira: JiraConnector, site: Site) -> None:
    site.on("GET", "/myself", ME)
    site.on("GET", "/mypermissions", rights("ADD_COMMENTS"))
    site.on(
        "GET", "/issue/createmeta/NET/issuetypes", {"issueTypes": [{"id": "8", "name": "Bug"}], "total": 1}
    )
    assert jira.check().problems == (
        "The account may not comment on tickets (ADD_COMMENTS).",
        "The project has no type of ticket called “Task”.  It has: “Bug”.",
    )


def test_a_project_that_cannot_be_seen_is_said(jira: JiraConnector, site: Site) -> None:
    site.on("GET", "/myself", ME)
    assert jira.check().problems == (
        "There is no project “NET” in this Jira, or the account may not see it.",
    )


def test_a_wrong_token_is_unauthorized(jira: JiraConnector, site: Site) -> None:
    site.on("GET", "/myself", b"Client must be authenticated", 401)
    with pytest.raises(errors.Unauthorized):
        jira.check()


# Odd answers


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>Log in</html>",
        b"[]",
        json.dumps({"id": "10001"}).encode(),
        json.dumps({"id": "10001", "fields": []}).encode(),
        json.dumps(issue(created=None)).encode(),
        json.dumps({**issue(), "id": None}).encode(),
    ],
)
def test_an_answer_of_another_shape_is_garbled_and_nothing_else(
    jira: JiraConnector, site: Site, answer: bytes
) -> None:
    site.on("GET", HEAD, answer)
    with pytest.raises(errors.Garbled):
        jira.history("10001", "")
    with pytest.raises(errors.Garbled):
        jira.read("10001")
