"""The control API: acts in order, state in pages, settings, clock, reset, and who may use it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from integrations.sandbox.client import SandboxError
from tests.integrations.sandbox.vendor import Vendor, basic, vendor

TITLE = {
    "zendesk": "subject",
    "jira": "summary",
    "servicenow": "short_description",
    "azure_devops": "System.Title",
}
MYSELF = {
    "zendesk": "/users/me",
    "jira": "/myself",
    "servicenow": "/table/sys_user",
    "azure_devops": "/projects",
}


@pytest.fixture(params=list(TITLE))
def either(request: pytest.FixtureRequest) -> Iterator[Vendor]:
    with vendor(request.param) as one:
        yield one


def creation(one: Vendor, title: str, **more: Any) -> dict[str, Any]:
    return {"do": "create", "fields": {TITLE[one.kind]: title}, **more}


def test_a_sandbox_says_that_it_is_ready_and_how_to_sign_in(either: Vendor) -> None:
    told = either.sandbox.ready()

    address = either.sandbox.url + ("/partner" if either.kind == "azure_devops" else "")
    assert (told["ready"], told["kind"], told["sign_in"]["url"]) == (True, either.kind, address)
    assert either("GET", MYSELF[either.kind]).status_code == 200


# --- Acts ---


def test_zendesk_acts_become_audits_with_their_own_times(zendesk: Vendor) -> None:
    done = zendesk.sandbox.act(
        {
            "do": "create",
            "ref": "t",
            "as": "Rita <rita@partner.example>",
            "at": "2025-01-01T10:00:00Z",
            "fields": {"subject": "VPN is down", "impact": "impact_high", "360000000002": "urgency_low"},
            "comment": {"html": "<p>Since <b>noon</b></p>"},
        },
        {
            "do": "update",
            "ref": "t",
            "as": "Ada <ada@partner.example>",
            "at": "2025-01-01T11:00:00+01:00",
            "fields": {"status": "open", "priority": "high"},
            "comment": {"text": "For us", "public": False},
            "file": {"name": "log.bin", "base64": base64.b64encode(b"\x00\x01").decode()},
        },
        {"do": "comment", "ticket": 1, "comment": "To all"},
    )

    (ticket,) = zendesk.sandbox.tickets()
    audits = zendesk.get("/tickets/1/audits")["audits"]
    assert [one["ticket"] for one in done] == ["1"] * 3
    assert [one["changes"] for one in done] == [[str(one["id"])] for one in audits]
    assert [one["created_at"] for one in audits] == [
        "2025-01-01T10:00:00Z",
        "2025-01-01T10:00:00Z",
        "2026-03-02T12:00:00Z",
    ]
    assert [(one["author"], one["text"], one["public"]) for one in ticket["comments"]] == [
        ("Rita", "Since noon", True),
        ("Ada", "For us", False),
        ("Ada", "To all", True),
    ]
    assert {
        name: ticket["fields"][name] for name in ("360000000001", "360000000002", "priority", "requester")
    } == {
        "360000000001": "impact_high",
        "360000000002": "urgency_low",
        "priority": "high",
        "requester": "rita@partner.example",
    }
    assert [(one["name"], one["size"]) for one in ticket["attachments"]] == [("log.bin", 2)]
    assert (ticket["history_length"], ticket["created_at"]) == (3, "2025-01-01T10:00:00Z")


def test_jira_acts_become_entries_of_the_change_log(jira: Vendor) -> None:
    document = {"type": "doc", "version": 1, "content": [{"type": "rule"}]}
    done = jira.sandbox.act(
        {
            "do": "create",
            "ref": "t",
            "as": "Rita <rita@partner.example>",
            "at": "2025-01-01T10:00:00Z",
            "fields": {
                "summary": "VPN is down",
                "description": "Since noon",
                "impact": "High",
                "priority": "Low",
            },
        },
        {
            "do": "update",
            "ref": "t",
            "at": "2025-01-01T11:00:00Z",
            "fields": {"status": "Done", "resolution": "Duplicate", "assignee": "Ada <ada@partner.example>"},
            "comment": {"adf": document},
        },
        {
            "do": "update",
            "ticket": "INC-1",
            "fields": {"status": "To Do"},
            "comment": {"text": "x", "public": False},
        },
        {"do": "attach", "ref": "t", "file": {"name": "a.txt", "text": "ä"}},
    )

    (ticket,) = jira.sandbox.tickets()
    entries = jira.get("/issue/INC-1/changelog")["values"]
    assert [one["changes"] for one in done] == [[], *([one["id"]] for one in entries)]
    assert [one["created"] for one in entries][:2] == [
        "2025-01-01T11:00:00.000+0000",
        "2026-03-02T12:00:00.000+0000",
    ]
    assert {one["field"]: one["toString"] for one in entries[0]["items"]} == {
        "assignee": "Ada",
        "resolution": "Duplicate",
        "status": "Done",
    }
    assert (ticket["description"], ticket["fields"]["customfield_10050"], ticket["fields"]["reporter"]) == (
        "Since noon",
        "High",
        "rita@partner.example",
    )
    assert [(one["body"] == document, one["public"]) for one in ticket["comments"]] == [
        (True, True),
        (False, False),
    ]
    assert (ticket["status"], ticket["fields"]["resolution"], ticket["attachments"][0]["size"]) == (
        "To Do",
        None,
        2,
    )


def test_acts_end_at_the_first_that_cannot_be_done(either: Vendor) -> None:
    with pytest.raises(SandboxError, match=r"Action 1: .*The 1 actions before it were done"):
        either.sandbox.act(
            creation(either, "one"), {"do": "comment", "ticket": 99, "comment": "x"}, creation(either, "two")
        )

    assert len(list(either.sandbox.tickets())) == 1


@pytest.mark.parametrize(
    "action",
    [
        {"do": "dance"},
        {},
        "no action",
        {"do": "create", "at": "yesterday"},
        {"do": "create", "fields": {"priority": "Enormous"}},
        {"do": "create", "file": {"name": "x", "base64": "***"}},
        {"do": "update", "ref": "unknown"},
        {"do": "create", "fields": ["no", "fields"]},
    ],
)
def test_an_act_that_makes_no_sense_is_refused_with_a_reason(either: Vendor, action: Any) -> None:
    with pytest.raises(SandboxError, match=r"Action 0: \S"):
        either.sandbox.act(action)


def test_jira_has_no_way_back_from_deleting(jira: Vendor) -> None:
    jira.sandbox.act({"do": "create", "ref": "t"}, {"do": "delete", "ref": "t"})

    with pytest.raises(SandboxError, match="nothing a person can do in Jira"):
        jira.sandbox.act({"do": "restore", "ref": "t"})


def test_a_status_that_is_not_there_is_refused_with_those_that_are(jira: Vendor) -> None:
    jira.sandbox.act({"do": "create", "ref": "t"})

    with pytest.raises(SandboxError, match="there are To Do, In Progress, In Review, Done"):
        jira.sandbox.act({"do": "update", "ref": "t", "fields": {"status": "Closed"}})


# --- State ---


def test_the_state_comes_in_pages(either: Vendor) -> None:
    either.sandbox.act(*(creation(either, str(number)) for number in range(7)))

    titles = [one["fields"][TITLE[either.kind]] for one in either.sandbox.tickets(page=3)]

    assert titles == [str(number) for number in range(7)]
    assert either.sandbox.calls()["total"] == 0


def test_the_state_of_some_tickets_and_since_a_time(either: Vendor) -> None:
    done = either.sandbox.act(*(creation(either, str(number)) for number in range(3)))
    ids = [one["ticket"] for one in done]
    either.clock.advance(60)
    either.sandbox.act({"do": "comment", "ticket": ids[1], "comment": "x", "at": "2020-01-01T00:00:00Z"})

    assert [one["id"] for one in either.sandbox.tickets([ids[2], ids[0], "999999"])] == [ids[0], ids[2]]
    assert [one["id"] for one in either.sandbox.tickets(since="2026-03-02T12:00:30Z")] == [ids[1]]
    assert either.sandbox.ticket(ids[1])["comments"][-1]["text"] == "x"
    with pytest.raises(KeyError):
        either.sandbox.ticket("999999")


# --- Settings, clock, reset ---


def test_settings_are_told_and_changed(either: Vendor) -> None:
    assert either.sandbox.settings(retry_delays_s=[7.0])["retry_delays_s"] == [7.0]

    for wrong, about in (({"colour": 1}, "Unknown settings: colour"), ({"token": 7}, "takes a value like")):
        with pytest.raises(SandboxError, match=about):
            either.sandbox.settings(**wrong)


def test_a_new_secret_is_needed_at_once(either: Vendor) -> None:
    path = MYSELF[either.kind]
    before = either("GET", path).status_code
    names = ("password", "username") if either.kind == "servicenow" else ("token", "email")
    either.sandbox.settings(**dict(zip(names, ("another", "other@sandbox.example"), strict=True)))

    after = either("GET", path).status_code
    either.session.auth = basic(either.kind, either.sandbox.state.sign_in())

    # Azure DevOps shows a page to sign in on, and calls it a success.
    refused = 203 if either.kind == "azure_devops" else 401
    assert (before, after, either("GET", path).status_code) == (200, refused, 200)


def test_a_workflow_that_names_no_status_is_refused(jira: Vendor) -> None:
    step = {"id": "1", "name": "Close", "from": ["To Do"], "to": "Closed", "screen": []}

    with pytest.raises(SandboxError, match="'Close' names the status 'Closed'"):
        jira.sandbox.settings(transitions=[step])


def test_the_clock_is_set_moved_and_let_go(either: Vendor) -> None:
    assert either.sandbox.clock(now="2030-01-01T00:00:00+01:00")["now"] == "2029-12-31T23:00:00+00:00"
    assert either.sandbox.clock(advance_s=90)["now"] == "2029-12-31T23:01:30+00:00"
    assert either.sandbox.clock()["real"] is False
    assert either.sandbox.clock(real=True)["real"] is True
    with pytest.raises(SandboxError, match="not an ISO 8601 time"):
        either.sandbox.clock(now="noon")


def test_a_reset_leaves_nothing_but_the_settings(either: Vendor) -> None:
    either.sandbox.settings(retry_delays_s=[7.0])
    either.sandbox.act(creation(either, "one"))
    either.sandbox.faults(down=True)
    either.sandbox.hooks(url="http://127.0.0.1:9/")

    either.sandbox.reset()

    assert list(either.sandbox.tickets()) == []
    assert (
        either.sandbox.faults()["down"],
        either.sandbox.hooks()["url"],
        either.sandbox.settings()["retry_delays_s"],
    ) == (
        False,
        "",
        [7.0],
    )
    first = {"zendesk": "1", "jira": "INC-1", "servicenow": "INC0010001", "azure_devops": "1"}
    assert either.sandbox.act(creation(either, "again"))[0]["key"] == first[either.kind]


def test_workers_and_events_of_hooks_are_set(either: Vendor) -> None:
    # The business rule of ServiceNow knows no kinds of events.
    known = {
        "zendesk": ["zen:event-type:ticket.created"],
        "jira": ["jira:issue_created"],
        "azure_devops": ["workitem.created"],
    }.get(either.kind)

    told = either.sandbox.hooks(url="http://127.0.0.1:9/", secret="s", workers=4, events=known)

    assert (told["url"], told.get("events"), told["secret"], either.sandbox.state.hooks.workers) == (
        "http://127.0.0.1:9/",
        known,
        "s",
        4,
    )


# --- Who may use it ---


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        # A name that leads here from outside: a page of another site in a browser on this machine.
        ({"Host": "rebound.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_only_this_machine_and_no_foreign_page_may_use_it(
    either: Vendor, headers: dict[str, str], status: int
) -> None:
    address = either.sandbox.url + "/_sandbox/reset"

    assert requests.post(address, json={}, headers=headers, timeout=5).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("DELETE", "state", None, 405),
        ("POST", "faults", b"{", 400),
        ("POST", "faults", b"[]", 422),
        ("POST", "faults", b'{"wrong": 1}', 422),
        ("POST", "act", b"{}", 422),
        ("GET", "state?since=noon", None, 422),
        ("GET", "nothing", None, 404),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    either: Vendor, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = requests.request(method, f"{either.sandbox.url}/_sandbox/{path}", data=body, timeout=5)

    assert answer.status_code == status


def test_the_vendors_own_surface_knows_nothing_of_it(either: Vendor) -> None:
    unknown = 400 if either.kind == "servicenow" else 404
    assert either("GET", either.sandbox.url + "/api/v2/_sandbox/state").status_code == unknown
