"""Every answer of the sandboxes, and every request the walk makes, fits the vendor's OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from integrations.sandbox.jira import system as jira_system
from integrations.sandbox.jira.api_search import Search
from integrations.sandbox.servicenow import system as servicenow_system
from integrations.sandbox.zendesk import system as zendesk_system
from tests.integrations.sandbox.openapi import Document, described
from tests.integrations.sandbox.vendor import Vendor, vendor

# Null in the vendors' own recorded answers, though their documents do not allow it.
NULL = {
    "zendesk": frozenset(
        "alias default_group_id details forum_topic_id height notes recipient satisfaction_rating signature value "
        "width".split()
    ),
    "jira": frozenset(("from", "fromString", "to", "toString")),
    "servicenow": frozenset(),
}
# What the recorded answer contradicts in another way.
KNOWN = {"PUT /api/v2/deleted_tickets/{ticket_id}/restore 200: : {} is not of type 'string'"}

TEXT = {
    "type": "doc",
    "version": 1,
    "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}],
}


def walk_zendesk(zendesk: Vendor) -> None:
    """Ask for everything the sandbox serves."""
    zendesk.get("/users/me")
    me = zendesk.get("/users")["users"][0]["id"]
    zendesk.get(f"/users/{me}")
    zendesk.get("/users/search", query="concord")
    zendesk.get("/users/show_many", ids=str(me))
    zendesk.send("POST", "/users", {"user": {"name": "Rita Requester", "email": "rita@partner.example"}})
    zendesk.send(
        "POST", "/users/create_or_update", {"user": {"name": "Rita", "email": "rita@partner.example"}}
    )
    for path in (
        "/groups",
        "/brands",
        "/ticket_fields",
        "/ticket_forms",
        "/custom_statuses",
        "/job_statuses",
    ):
        zendesk.get(path)
    zendesk.get("/groups/360000100001")
    zendesk.get("/organizations/360000200001")
    zendesk.get("/ticket_fields/360000000001")
    upload = zendesk(
        "POST", "/uploads?filename=log.txt", data=b"a line", headers={"Content-Type": "text/plain"}
    ).json()
    spare = zendesk("POST", "/uploads?filename=spare.txt", data=b"x").json()["upload"]["token"]
    zendesk.send("DELETE", f"/uploads/{spare}")
    comment = {"html_body": "<p>It is down</p>", "uploads": [upload["upload"]["token"]]}
    ticket = {
        "subject": "Down",
        "comment": comment,
        "priority": "high",
        "type": "incident",
        "tags": ["vpn"],
        "external_id": "ours-1",
        "custom_fields": [{"id": 360000000001, "value": "impact_high"}],
    }
    id_ = zendesk.send("POST", "/tickets", {"ticket": ticket})["ticket"]["id"]
    zendesk.get(f"/attachments/{upload['upload']['attachment']['id']}")
    zendesk.send(
        "PUT", f"/tickets/{id_}", {"ticket": {"status": "solved", "comment": {"body": "x", "public": False}}}
    )
    audits = zendesk.get(f"/tickets/{id_}/audits")["audits"]
    zendesk.get(f"/tickets/{id_}/audits", **{"page[size]": "1"})
    zendesk.get(f"/tickets/{id_}/audits/{audits[0]['id']}")
    for path in ("", "/comments", "/comments/count", "/tags"):
        zendesk.get(f"/tickets/{id_}{path}")
    for method in ("POST", "PUT", "DELETE"):
        zendesk.send(method, f"/tickets/{id_}/tags", {"tags": ["a"]})
    zendesk.get("/tickets", external_id="ours-1")
    zendesk.get("/tickets/count")
    zendesk.get("/tickets/show_many", ids=str(id_))
    zendesk.send("POST", "/tickets/create_many", {"tickets": [{"comment": {"body": "one of many"}}]})
    job = zendesk.send("PUT", f"/tickets/update_many?ids={id_}", {"ticket": {"priority": "low"}})[
        "job_status"
    ]["id"]
    zendesk.get(f"/job_statuses/{job}")
    imported = {"subject": "Old", "comments": [{"value": "once", "created_at": "2020-01-01T00:00:00Z"}]}
    zendesk.send("POST", "/imports/tickets", {"ticket": imported})
    zendesk.clock.advance(120)
    zendesk.get("/incremental/tickets/cursor", start_time="0")
    zendesk.get("/search", query="type:ticket status:solved")
    zendesk.get("/search/count", query="type:ticket")
    zendesk.send("DELETE", f"/tickets/{id_}")
    zendesk.get("/deleted_tickets")
    zendesk.send("PUT", f"/deleted_tickets/{id_}/restore")
    zendesk.send("DELETE", f"/tickets/destroy_many?ids={id_}")


def walk_jira(jira: Vendor) -> None:
    """Ask for everything the sandbox serves."""
    plain = (
        "/serverInfo /myself /user/search /user/assignable/search?project=INC /project/search /project/INC "
        "/project/INC/statuses /issuetype /issuetype/project?projectId=10000 /priority /priority/search /resolution "
        "/resolution/search /status /statuscategory /label /field /field/search "
        "/mypermissions?permissions=EDIT_ISSUES,ADMINISTER /issue/createmeta/INC/issuetypes "
        "/issue/createmeta/INC/issuetypes/10002"
    )
    for path in plain.split():
        jira.get(path)
    jira.get("/user", accountId=jira.get("/myself")["accountId"])
    fields = {
        "project": {"key": "INC"},
        "issuetype": {"name": "Bug"},
        "summary": "Down",
        "description": TEXT,
        "labels": ["vpn"],
        "customfield_10050": {"value": "High"},
    }
    properties = [{"key": "concord", "value": {"marker": "m-1"}}]
    key = jira.send("POST", "/issue", {"fields": fields, "properties": properties})["key"]
    id_ = jira.send("POST", "/issue/bulk", {"issueUpdates": [{"fields": fields}, {"fields": {}}]})["issues"][
        0
    ]["id"]
    jira(
        "PUT",
        f"/issue/{key}?returnIssue=true&expand=changelog",
        {"fields": {"summary": "Up", "priority": {"id": "1"}}},
    )
    jira.send("PUT", f"/issue/{key}", {"update": {"labels": [{"add": "dns"}]}})
    jira.send("PUT", f"/issue/{key}/assignee", {"accountId": jira.get("/myself")["accountId"]})
    jira.get(f"/issue/{key}/editmeta")
    transition = jira.get(f"/issue/{key}/transitions", expand="transitions.fields")["transitions"][0]["id"]
    jira.send("POST", f"/issue/{key}/transitions", {"transition": {"id": transition}})
    made = jira.send(
        "POST", f"/issue/{key}/comment?expand=properties", {"body": TEXT, "properties": properties}
    )["id"]
    jira.get(f"/issue/{key}/comment", expand="renderedBody")
    jira.get(f"/issue/{key}/comment/{made}")
    jira.send("POST", "/comment/list?expand=properties", {"ids": [int(made)]})
    jira.send("PUT", f"/issue/{key}/comment/{made}", {"body": TEXT})
    jira.send("PUT", f"/comment/{made}/properties/seen", {"by": "us"})
    jira.get(f"/comment/{made}/properties")
    jira.get(f"/comment/{made}/properties/seen")
    jira.send("DELETE", f"/comment/{made}/properties/seen")
    jira.send("DELETE", f"/issue/{key}/comment/{made}")
    upload = {"file": ("log.txt", b"a line", "text/plain")}
    file = jira(
        "POST", f"/issue/{key}/attachments", files=upload, headers={"X-Atlassian-Token": "no-check"}
    ).json()[0]
    jira.get("/attachment/meta")
    jira.get(f"/attachment/{file['id']}")
    jira("GET", f"/attachment/content/{file['id']}")
    jira.get(f"/issue/{key}", expand="changelog,names,renderedFields,transitions", properties="*all")
    jira.send("POST", "/issue/bulkfetch", {"issueIdsOrKeys": [key, id_, "INC-99"], "fields": ["summary"]})
    history = jira.get(f"/issue/{key}/changelog")["values"][0]["id"]
    jira.send("POST", f"/issue/{key}/changelog/list", {"changelogIds": [int(history)]})
    jira.send("POST", "/changelog/bulkfetch", {"issueIdsOrKeys": [key], "fieldIds": ["status"]})
    jira.get(f"/issue/{key}/properties")
    jira.send("PUT", f"/issue/{key}/properties/other", {"a": 1})
    jira.get(f"/issue/{key}/properties/concord")
    jira.send("DELETE", f"/issue/{key}/properties/other")
    link = {"globalId": "ours-1", "object": {"url": "https://concord.example/t/1", "title": "Ticket 1"}}
    link_id = jira.send("POST", f"/issue/{key}/remotelink", link)["id"]
    jira.get(f"/issue/{key}/remotelink")
    jira.send("DELETE", f"/issue/{key}/remotelink/{link_id}")
    jira.send("POST", f"/issue/{key}/remotelink", link)
    jira.send("DELETE", f"/issue/{key}/remotelink?globalId=ours-1")
    jira("GET", "/search", params={"jql": "project = INC"})
    jira("POST", "/search", {"jql": "project = INC"})
    jira.get("/search/jql", jql="project = INC", fields="summary,status", expand="changelog", maxResults="1")
    jira.send(
        "POST", "/search/jql", {"jql": "updated >= -5m", "fields": ["*all"], "reconcileIssues": [int(id_)]}
    )
    jira.send("POST", "/search/approximate-count", {"jql": "project = INC"})
    jira.send("DELETE", f"/attachment/{file['id']}")
    jira.send("DELETE", f"/issue/{key}")


def walk_servicenow(servicenow: Vendor) -> None:
    """Ask for everything the sandbox serves, each table in each form."""
    carl = servicenow.get("/table/sys_user", user_name="carl.caller")["result"][0]["sys_id"]
    fields = {"short_description": "Down", "caller_id": carl, "comments": "It is down", "impact": 1}
    for table in ("incident", "problem", "change_request"):
        record = servicenow.send("POST", f"/table/{table}", fields)["result"]["sys_id"]
    record = servicenow.send("POST", "/table/incident?sysparm_display_value=all", fields)["result"]["sys_id"][
        "value"
    ]
    path = f"/table/incident/{record}"
    servicenow.send("PATCH", path, {"work_notes": "On it", "state": "2"})
    servicenow.send("PUT", path, {"urgency": "1"})
    owner = f"table_name=incident&table_sys_id={record}"
    text = {"Content-Type": "text/plain"}
    file = servicenow("POST", f"/attachment/file?{owner}&file_name=a.txt", data=b"x", headers=text).json()
    form = {"table_name": "incident", "table_sys_id": record}
    servicenow("POST", "/attachment/upload", data=form, files={"uploadFile": ("b.txt", b"x", "text/plain")})
    for table in servicenow.sandbox.state.instance.tables:
        for how in ("false", "true", "all"):
            for links in ("false", "true"):
                servicenow.get(
                    f"/table/{table}", sysparm_display_value=how, sysparm_exclude_reference_link=links
                )
    servicenow.get(path, sysparm_fields="number,caller_id.email,caller_id.company")
    servicenow.get("/attachment", sysparm_query=owner.replace("&", "^"))
    servicenow.get(f"/attachment/{file['result']['sys_id']}")
    servicenow("GET", file["result"]["download_link"])
    asked = [{"id": "1", "method": "GET", "url": f"/api/now{path}"}]
    servicenow.send("POST", "/v1/batch", {"batch_request_id": "1", "rest_requests": asked})
    for refused in ("/table/nothing", f"/table/incident/{'0' * 32}", "/attachment/nothing"):
        assert servicenow("GET", refused).status_code >= 400
    assert servicenow("PATCH", path, {"state": "6"}).status_code == 403
    assert servicenow("DELETE", path).status_code == 403
    servicenow.send("DELETE", f"/attachment/{file['result']['sys_id']}")
    servicenow.sandbox.settings(roles=["admin"], requests_per_hour=1)
    servicenow.send("DELETE", path)
    assert servicenow("GET", path).status_code == 429
    servicenow.session.auth = None
    assert servicenow("GET", path).status_code == 401


@pytest.mark.parametrize(
    ("kind", "walk"), [("zendesk", walk_zendesk), ("jira", walk_jira), ("servicenow", walk_servicenow)]
)
def test_every_exchange_fits_the_vendors_document(
    shared_data: Path, kind: str, walk: Callable[[Vendor], None]
) -> None:
    (path,) = (shared_data / "contracts").glob(f"{kind}.*.json")
    document = Document(path, NULL[kind])
    with vendor(kind) as one:
        walk(one)
        exchanges = one.session.exchanges

    assert sorted({problem for each in exchanges for problem in document.problems(each)} - KNOWN) == []
    visited = {(each.method, document.route(each.path) or "") for each in exchanges}
    assert sorted((unnamed(described(document)) & served(kind)) - unnamed(visited)) == []


def served(kind: str) -> set[tuple[str, str]]:
    """The methods and paths of a sandbox."""
    if kind == "zendesk":
        return unnamed({(method, "/api/v2" + path) for method, path, _ in zendesk_system.ROUTES})
    if kind == "servicenow":
        return unnamed({(method, "/api/now" + path) for method, path, _ in servicenow_system.ROUTES})
    routes = (*jira_system.ROUTES, *Search().routes)
    return unnamed({(method, "/rest/api/3" + path) for method, path, _ in routes})


def unnamed(routes: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Without the names in braces, which everybody chooses differently."""
    return {(method, re.sub(r"{[^}]*}", "{}", path)) for method, path in routes}
