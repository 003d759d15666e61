"""The operator's pages: what they show, what their forms do, and that nothing from a ticket becomes markup."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.integrations.sandbox.vendor import Vendor, vendor

NASTY = '<script>alert("x")</script>'
TITLE = {
    "zendesk": "subject",
    "jira": "summary",
    "servicenow": "short_description",
    "azure_devops": "System.Title",
}


@pytest.fixture(params=list(TITLE))
def either(request: pytest.FixtureRequest) -> Iterator[Vendor]:
    with vendor(request.param) as one:
        yield one


def read(one: Vendor, path: str) -> str:
    response = requests.get(one.sandbox.url + path, timeout=10)
    assert response.status_code == 200, response.text
    return response.text


def post(one: Vendor, what: str, files: Any = None, **form: str) -> requests.Response:
    """Send a form and follow its redirect."""
    return requests.post(f"{one.sandbox.url}/_sandbox/do/{what}", data=form, files=files, timeout=10)


def created(one: Vendor, title: str = "VPN is down") -> str:
    return str(
        one.sandbox.act({"do": "create", "fields": {TITLE[one.kind]: title}, "comment": "Since noon"})[0][
            "ticket"
        ]
    )


def test_the_list_says_that_no_partner_is_touched_and_how_to_sign_in(either: Vendor) -> None:
    page = read(either, "/")

    assert all(words in page for words in ("Sandbox: no partner is touched.", *either.sign_in.values()))


def test_the_list_is_searched_and_paged(either: Vendor) -> None:
    for number in range(30):
        created(either, f"Printer {number:02}")
    created(either, "VPN is down")

    def titles(path: str) -> list[str]:
        page = read(either, path)
        return [f"{n:02}" for n in range(30) if f"Printer {n:02}" in page]

    assert titles("/") == [f"{n:02}" for n in range(6, 30)]
    assert titles("/?page=2") == [f"{n:02}" for n in range(6)]
    assert titles("/?q=printer+07") == ["07"]


def test_a_ticket_is_shown_under_the_vendors_own_address_too(either: Vendor) -> None:
    id_ = created(either)
    address = {
        "zendesk": f"/agent/tickets/{id_}",
        "jira": "/browse/INC-1",
        "servicenow": f"/nav_to.do?uri=incident.do?sys_id={id_}",
        "azure_devops": f"/partner/Support/_workitems/edit/{id_}",
    }[either.kind]

    assert all("VPN is down" in read(either, path) for path in (f"/_sandbox/tickets/{id_}", address))


def test_nothing_from_a_ticket_becomes_markup(either: Vendor) -> None:
    id_ = created(either, NASTY)
    either.sandbox.act(
        {"do": "comment", "ticket": id_, "as": f"{NASTY} <a@b.example>", "comment": {"text": NASTY}},
        {"do": "attach", "ticket": id_, "file": {"name": NASTY, "text": "x"}},
    )

    pages = [
        read(either, path) for path in ("/", f"/_sandbox/tickets/{id_}", f"/?q={NASTY}", f"/?said={NASTY}")
    ]

    assert [page.count("<script") for page in pages] == [0, 0, 0, 0]


def test_pages_may_load_nothing_and_be_framed_by_nobody(either: Vendor) -> None:
    policy = requests.get(either.sandbox.url, timeout=10).headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_the_form_creates_a_ticket(either: Vendor) -> None:
    form = {
        f"field.{TITLE[either.kind]}": "VPN is down",
        "comment": "Since noon",
        "as": "Rita <rita@partner.example>",
    }

    page = post(either, "create", **form)

    (ticket,) = either.sandbox.tickets()
    assert (page.url, "Created." in page.text) == (
        f"{either.sandbox.url}/_sandbox/tickets/{ticket['id']}?said=Created.",
        True,
    )
    assert [(one["author"], one["text"]) for one in ticket["comments"]] == [("Rita", "Since noon")]


def test_the_forms_comment_publicly_and_internally(either: Vendor) -> None:
    id_ = created(either)

    post(either, "comment", ticket=id_, comment="To all")
    post(either, "comment", ticket=id_, comment="To us", internal="1")

    told = [(one["text"], one["public"]) for one in either.sandbox.ticket(id_)["comments"]]
    internal = [("To us", False)] if either.sandbox.state.has_internal_comments else []
    assert told == [("Since noon", True), ("To all", True), *internal]


def test_what_cannot_be_said_internally_is_not_offered_so(either: Vendor) -> None:
    page = read(either, f"/_sandbox/tickets/{created(either)}")

    assert ('name="internal"' in page) is (either.kind != "azure_devops")


def test_the_form_changes_fields(either: Vendor) -> None:
    id_ = created(either)
    changes = {
        "zendesk": {"status": "pending", "priority": "high"},
        "jira": {"status": "In Progress", "priority": "High"},
        "servicenow": {"state": "2", "impact": "1", "assignment_group": "Network"},
        "azure_devops": {"System.State": "Active", "Custom.Impact": "High"},
    }[either.kind] | {TITLE[either.kind]: "VPN is slow"}

    post(either, "update", ticket=id_, **{f"field.{name}": value for name, value in changes.items()})

    fields = either.sandbox.ticket(id_)["fields"]
    assert {name: fields[name] for name in changes} == changes


def test_the_form_attaches_a_file(either: Vendor) -> None:
    id_ = created(either)

    post(either, "attach", files={"file": ("log.txt", b"a line", "text/plain")}, ticket=id_)

    assert [(one["name"], one["size"]) for one in either.sandbox.ticket(id_)["attachments"]] == [
        ("log.txt", 6)
    ]


def test_deleting_asks_to_be_sure(either: Vendor) -> None:
    id_ = created(either)

    assert "I mean it" in post(either, "delete", ticket=id_).text
    assert len(list(either.sandbox.tickets())) == 1
    post(either, "delete", ticket=id_, sure="1")
    assert list(either.sandbox.tickets()) == []


def test_beginning_anew_asks_to_be_sure_and_leaves_nothing(either: Vendor) -> None:
    created(either)
    post(either, "faults", latency_ms="1")
    post(either, "hooks", url="http://127.0.0.1:9/", secret="s")

    assert "I mean it" in post(either, "reset").text
    assert len(list(either.sandbox.tickets())) == 1
    assert "It is as it was at its start." in post(either, "reset", sure="1").text
    system = either.sandbox.state
    assert (list(either.sandbox.tickets()), system.faults.faults.latency_ms) == ([], 0)
    assert system.hook_settings()["url"] == ""


def test_what_the_vendor_refuses_is_said(either: Vendor) -> None:
    page = post(either, "comment", ticket="999", comment="Hello")

    assert (page.status_code, "There is no" in page.text) == (404, True)


def test_the_faults_are_set_and_taken_away(either: Vendor) -> None:
    post(either, "faults", down="1", latency_ms="20", rate_429="0.5", hook_lost="0.25")
    faults = either.sandbox.faults()
    assert (faults["down"], faults["latency_ms"], faults["rate_429"], faults["hook_lost"]) == (
        True,
        20,
        0.5,
        0.25,
    )

    post(either, "heal")
    assert not either.sandbox.faults()["down"]


def test_web_hooks_are_sent_where_the_form_says(either: Vendor) -> None:
    page = post(either, "hooks", url="http://127.0.0.1:9/hooks", secret="quiet")

    assert (either.sandbox.hooks()["url"], "quiet" in page.text) == ("http://127.0.0.1:9/hooks", True)


def test_the_last_requests_are_shown(either: Vendor) -> None:
    either("GET", "/nothing/here")

    assert "/nothing/here" in read(either, "/")


def test_another_sites_page_cannot_send_a_form(either: Vendor) -> None:
    answer = requests.post(
        f"{either.sandbox.url}/_sandbox/do/faults",
        data={"down": "1"},
        headers={"Origin": "https://evil.example"},
        timeout=10,
    )

    assert (answer.status_code, either.sandbox.faults()["down"]) == (403, False)


def test_a_ticket_that_is_not_there_is_a_404(either: Vendor) -> None:
    assert requests.get(f"{either.sandbox.url}/_sandbox/tickets/999", timeout=10).status_code == 404


def test_servicenow_tells_one_update_as_one_entry_and_offers_the_next_states(servicenow: Vendor) -> None:
    (made,) = servicenow.sandbox.act(
        {"do": "create", "table": "change_request", "fields": {"short_description": "A new router"}}
    )
    form = {"field.state": "-4", "field.risk": "2"}

    page = post(servicenow, "update", ticket=made["ticket"], **form).text

    assert "<h2>History (1)</h2>" in page
    assert all(words in page for words in ("Assess", "Authorize", "Canceled"))
    assert not any(words in page for words in ("Scheduled", "Implement"))
