"""Clients written by others work against the sandboxes as they do against the vendors.

`jira` (BSD), `pysnc` (MIT, ServiceNow's own) and `zenpy` (GPL, so a test tool only) are the witnesses: nobody here
wrote what they expect.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from jira import JIRA, JIRAError
from pysnc import ServiceNowClient
from pysnc.exceptions import AuthenticationException, NotFoundException, RoleException
from requests.adapters import HTTPAdapter
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket

from tests.integrations.sandbox.vendor import NOON, Vendor, basic, vendor

TEXT = {
    "type": "doc",
    "version": 1,
    "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}],
}


@pytest.fixture
def site() -> Iterator[Vendor]:
    """A Jira whose files are on another host, as the vendor's are: the client keeps its credentials to itself."""
    with vendor("jira", search_lag_s=0, media_host="localhost") as one:
        yield one


@pytest.fixture
def jira_client(site: Vendor) -> Iterator[JIRA]:
    options = {"server": site.sandbox.url, "rest_api_version": "3"}
    auth = (site.sign_in["email"], site.sign_in["token"])
    client = JIRA(options=options, basic_auth=auth, max_retries=0)
    yield client
    client.close()


class _Detour(HTTPAdapter):
    """Sends what is meant for the vendor's address to the sandbox, as a proxy that ends TLS would.

    zenpy knows an answer by the address it asked, so that is put back afterwards.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        meant = str(request.url)
        parts = urlsplit(meant)
        request.url = self._url + parts.path + (f"?{parts.query}" if parts.query else "")
        request.headers.update({"Host": parts.netloc, "X-Forwarded-Proto": parts.scheme})
        response = super().send(request, *args, **kwargs)
        request.url = response.url = meant
        return response


@pytest.fixture
def snow(servicenow: Vendor) -> Iterator[ServiceNowClient]:
    """ServiceNow's own client, whose user may delete."""
    servicenow.sandbox.settings(roles=["itil", "itil_admin"])
    with contextlib.closing(requests.Session()) as session:
        session.mount("https://", _Detour(servicenow.sandbox.url))
        session.auth = basic("servicenow", servicenow.sign_in)
        yield ServiceNowClient("https://partner.example", session, auto_retry=False)


@pytest.fixture
def zenpy(zendesk: Vendor) -> Iterator[Zenpy]:
    with contextlib.closing(requests.Session()) as session:
        session.mount("https://", _Detour(zendesk.sandbox.url))
        yield Zenpy(
            subdomain="partner",
            email=zendesk.sign_in["email"],
            token=zendesk.sign_in["token"],
            session=session,
        )


def _new_issue(client: JIRA, summary: str = "VPN is down") -> Any:
    return client.create_issue(project="INC", summary=summary, issuetype={"name": "Task"}, description=TEXT)


def test_the_jira_client_creates_and_reads(jira_client: JIRA) -> None:
    issue = _new_issue(jira_client)

    again = jira_client.issue(issue.key)
    told = (
        again.fields.summary,
        again.fields.status.name,
        again.fields.priority.name,
        again.fields.creator.displayName,
    )
    assert told == ("VPN is down", "To Do", "Medium", "Concord")


def test_the_jira_client_updates(jira_client: JIRA) -> None:
    issue = _new_issue(jira_client)

    issue.update(summary="VPN is slow", priority={"name": "High"}, labels=[{"add": "vpn"}])

    again = jira_client.issue(issue.key, expand="changelog")
    assert (again.fields.summary, again.fields.priority.name, again.fields.labels) == (
        "VPN is slow",
        "High",
        ["vpn"],
    )
    changed = {item.field: (item.fromString, item.toString) for item in again.changelog.histories[0].items}
    assert changed == {
        "summary": ("VPN is down", "VPN is slow"),
        "priority": ("Medium", "High"),
        "labels": ("", "vpn"),
    }


def test_the_jira_client_comments(jira_client: JIRA) -> None:
    issue = _new_issue(jira_client)

    made = jira_client.add_comment(issue, TEXT)

    assert [(one.id, one.body.content[0].content[0].text) for one in jira_client.comments(issue)] == [
        (made.id, "Hello")
    ]


def test_the_jira_client_follows_the_workflow(jira_client: JIRA) -> None:
    issue = _new_issue(jira_client)

    for step in ("Start", "Send to review"):
        jira_client.transition_issue(issue, step)
    with pytest.raises(JIRAError, match="Resolution is required"):
        jira_client.transition_issue(issue, "Done")
    jira_client.transition_issue(issue, "Done", fields={"resolution": {"name": "Duplicate"}})

    again = jira_client.issue(issue.key)
    assert (again.fields.status.name, again.fields.resolution.name) == ("Done", "Duplicate")


def test_the_jira_client_attaches_and_downloads(jira_client: JIRA, tmp_path: Any) -> None:
    issue = _new_issue(jira_client)
    path = tmp_path / "räumliches log.txt"
    path.write_bytes(b"line one\nline two\n" * 1000)

    jira_client.add_attachment(issue, str(path))

    (file,) = jira_client.issue(issue.key).fields.attachment
    assert (file.filename, file.size, file.get()) == (path.name, 18_000, path.read_bytes())


def test_the_jira_client_finds_what_changed_since(site: Vendor, jira_client: JIRA) -> None:
    for number in range(3):
        _new_issue(jira_client, f"Old {number}")
    site.clock.advance(3600)
    for number in range(120):
        _new_issue(jira_client, f"New {number}")

    found = jira_client.enhanced_search_issues(
        'project = INC AND updated >= "2026-03-02 12:30" ORDER BY updated ASC', maxResults=0, fields="summary"
    )

    assert [one.fields.summary for one in found] == [f"New {number}" for number in reversed(range(120))]


def test_the_jira_client_is_told_that_an_issue_is_not_there(jira_client: JIRA) -> None:
    with pytest.raises(JIRAError) as told:
        jira_client.issue("INC-99")

    assert (told.value.status_code, "permission to see it" in told.value.text) == (404, True)


def test_zenpy_creates_and_reads(zendesk: Vendor, zenpy: Zenpy) -> None:
    made = zenpy.tickets.create(
        Ticket(subject="VPN is down", comment=Comment(body="Since noon"), priority="high")
    )

    again = zenpy.tickets(id=made.ticket.id)
    told = (again.subject, again.description, again.priority, again.status, again.requester.email)
    assert told == ("VPN is down", "Since noon", "high", "new", zendesk.sign_in["email"])


def test_zenpy_updates_and_comments(zenpy: Zenpy) -> None:
    ticket = zenpy.tickets.create(Ticket(subject="VPN is down", comment=Comment(body="Since noon"))).ticket
    ticket.status = "pending"
    ticket.comment = Comment(html_body="<p>Only <b>for us</b></p>", public=False)

    audit = zenpy.tickets.update(ticket).audit

    changed = {one["field_name"]: one["value"] for one in audit.events if one["type"] == "Change"}
    assert (zenpy.tickets(id=ticket.id).status, changed["status"]) == ("pending", "pending")
    assert [(one.body, one.public) for one in zenpy.tickets.comments(ticket=ticket.id)] == [
        ("Since noon", True),
        ("Only for us", False),
    ]


def test_zenpy_reads_the_audits_over_pages(zenpy: Zenpy) -> None:
    ticket = zenpy.tickets.create(Ticket(subject="VPN is down", comment=Comment(body="Since noon"))).ticket
    for number in range(150):
        ticket.subject = f"Down {number}"
        ticket = zenpy.tickets.update(ticket).ticket

    assert len(list(zenpy.tickets.audits(ticket=ticket.id))) == 151


def test_zenpy_attaches(zenpy: Zenpy, tmp_path: Any) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"line one\n")
    ticket = zenpy.tickets.create(Ticket(subject="VPN is down", comment=Comment(body="Since noon"))).ticket

    with path.open("rb") as file_object:
        upload = zenpy.attachments.upload(file_object, target_name="log.txt")
    ticket.comment = Comment(body="See the log", uploads=[upload.token])
    zenpy.tickets.update(ticket)

    (file,) = list(zenpy.tickets.comments(ticket=ticket.id))[-1].attachments
    zenpy.attachments.download(file.id, str(tmp_path / "again.txt"))
    assert (file.file_name, file.size, (tmp_path / "again.txt").read_bytes()) == ("log.txt", 9, b"line one\n")


def test_zenpy_reads_what_changed_since(zendesk: Vendor, zenpy: Zenpy) -> None:
    for number in range(3):
        zenpy.tickets.create(Ticket(subject=f"Ticket {number}", comment=Comment(body="x")))
    zendesk.clock.advance(61)
    zenpy.tickets.create(Ticket(subject="Too new", comment=Comment(body="x")))

    found = zenpy.tickets.incremental(start_time=datetime(2026, 3, 2, 11, tzinfo=UTC), paginate_by_time=False)

    assert [one.subject for one in found] == ["Ticket 0", "Ticket 1", "Ticket 2"]


def test_zenpy_searches(zenpy: Zenpy) -> None:
    zenpy.tickets.create(Ticket(subject="VPN is down", comment=Comment(body="x"), external_id="ours-1"))
    zenpy.tickets.create(Ticket(subject="DNS is down", comment=Comment(body="x")))

    assert [one.subject for one in zenpy.search(type="ticket", external_id="ours-1")] == ["VPN is down"]


def test_zenpy_finds_by_external_id_and_deletes(zenpy: Zenpy) -> None:
    zenpy.tickets.create(Ticket(subject="VPN is down", comment=Comment(body="x"), external_id="ours-1"))
    (ticket,) = list(zenpy.tickets(external_id="ours-1"))

    zenpy.tickets.delete(ticket)

    assert list(zenpy.tickets(external_id="ours-1")) == []
    assert NOON.year == ticket.created.year


def _new_incident(snow: ServiceNowClient, **fields: str) -> Any:
    record = snow.GlideRecord("incident")
    record.initialize()
    for name, value in {"short_description": "VPN is down", **fields}.items():
        record.set_value(name, value)
    assert record.insert()
    return record


def _read_incident(snow: ServiceNowClient, record: Any) -> Any:
    again = snow.GlideRecord("incident")
    assert again.get(str(record.sys_id))
    return again


def test_pysnc_creates_and_reads_with_display_values(servicenow: Vendor, snow: ServiceNowClient) -> None:
    carl = servicenow.get("/table/sys_user", user_name="carl.caller")["result"][0]["sys_id"]

    again = _read_incident(snow, _new_incident(snow, caller_id=carl, impact="1", urgency="1"))

    told = [
        (again.get_value(name), again.get_display_value(name)) for name in ("priority", "caller_id", "state")
    ]
    assert told == [("1", "1 - Critical"), (carl, "Carl Caller"), ("1", "New")]


def test_pysnc_updates_and_comments(servicenow: Vendor, snow: ServiceNowClient) -> None:
    record = _new_incident(snow)
    record.short_description = "VPN is slow"
    record.comments = "On it"
    record.work_notes = "Router again"

    assert record.update()

    again = _read_incident(snow, record)
    assert (
        again.get_value("short_description"),
        again.get_value("comments"),
        again.get_value("sys_mod_count"),
    ) == (
        "VPN is slow",
        "",
        "1",
    )
    assert "Concord (Additional comments)\nOn it" in again.get_display_value("comments")
    entries = snow.GlideRecord("sys_journal_field")
    entries.add_query("element_id", str(record.sys_id))
    entries.order_by("element")
    entries.query()
    assert [(str(one.element), str(one.value)) for one in entries] == [
        ("comments", "On it"),
        ("work_notes", "Router again"),
    ]


def test_pysnc_finds_over_pages_what_changed_since(servicenow: Vendor, snow: ServiceNowClient) -> None:
    for number in range(3):
        _new_incident(snow, short_description=f"Old {number}")
    servicenow.clock.advance(60)
    servicenow.sandbox.act(
        *({"do": "create", "fields": {"short_description": f"New {number:03}"}} for number in range(120))
    )

    found = snow.GlideRecord("incident", batch_size=50)
    found.add_query("sys_updated_on", ">=", "2026-03-02 12:00:30")
    found.add_active_query()
    found.order_by("short_description")
    found.query()

    assert found.get_row_count() == 120
    assert [str(one.short_description) for one in found] == [f"New {number:03}" for number in range(120)]


def test_pysnc_asks_for_one_or_the_other(snow: ServiceNowClient) -> None:
    for title, impact in (("A", "1"), ("B", "2"), ("C", "3")):
        _new_incident(snow, short_description=title, impact=impact)

    found = snow.GlideRecord("incident")
    found.add_query("impact", "1").add_or_condition("short_description", "CONTAINS", "C")
    found.add_null_query("assigned_to")
    found.order_by_desc("short_description")
    found.limit = 5
    found.fields = ["short_description", "opened_by.user_name"]
    found.query()

    assert [(str(one.short_description), one.get_value("opened_by.user_name")) for one in found] == [
        ("C", "concord"),
        ("A", "concord"),
    ]


def test_pysnc_attaches_lists_downloads_and_deletes_files(snow: ServiceNowClient, tmp_path: Any) -> None:
    record = _new_incident(snow)
    record.add_attachment("log.txt", b"line one\nline two\n", content_type="text/plain")

    (file,) = list(record.get_attachments())

    kept = (file.file_name, file.size_bytes, file.content_type)
    assert kept == ("log.txt", "18", "text/plain")
    assert (file.read(), file.write_to(tmp_path / "again.txt").read_bytes()) == (b"line one\nline two\n",) * 2
    file.delete()
    assert len(record.get_attachments()) == 0


def test_pysnc_deletes_one_and_many(snow: ServiceNowClient) -> None:
    first = _new_incident(snow)
    for number in range(4):
        _new_incident(snow, correlation_id=f"ours-{number}")

    assert first.delete()
    many = snow.GlideRecord("incident")
    many.add_query("correlation_id", "IN", "ours-0,ours-1,ours-2")
    assert many.delete_multiple()

    left = snow.GlideRecord("incident")
    left.query()
    assert [str(one.correlation_id) for one in left] == ["ours-3"]
    assert not snow.GlideRecord("incident").get(str(first.sys_id))


def test_pysnc_changes_many_at_once(snow: ServiceNowClient) -> None:
    for number in range(3):
        _new_incident(snow, correlation_id=f"ours-{number}")
    many = snow.GlideRecord("incident")
    many.query()
    for one in many:
        one.urgency = "1"

    assert many.update_multiple()

    again = snow.GlideRecord("incident")
    again.add_query("urgency", "1")
    again.query()
    assert again.get_row_count() == 3


def test_pysnc_is_told_why_it_may_not(servicenow: Vendor, snow: ServiceNowClient) -> None:
    record = _new_incident(snow)
    record.state = "6"
    with pytest.raises(RoleException, match="Data Policy Exception"):
        record.update()

    servicenow.sandbox.settings(roles=["itil"])
    with pytest.raises(RoleException, match="Delete Failed due to security constraints"):
        record.delete()

    servicenow.sandbox.settings(hidden_records=[str(record.number)])
    with pytest.raises(NotFoundException, match="No Record found"):
        record.update()

    servicenow.sandbox.settings(password="another")
    with pytest.raises(AuthenticationException, match="User Not Authenticated"):
        record.update()
