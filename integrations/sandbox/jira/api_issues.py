"""Jira's issue endpoints: create, read, edit, delete, transitions, change log.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/
"""

from __future__ import annotations

from typing import Any

from integrations.sandbox.jira import events, issues
from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.screens import issue_with_steps, transition_with_fields
from integrations.sandbox.jira.state import Issue
from integrations.sandbox.jira.views import View
from integrations.sandbox.wire import Response, empty, json_response

MAX_BULK = 50
MAX_FETCH = 100


def create(call: Call) -> Response:
    """POST /issue"""
    issue = issues.create(call.site, call.body(), call.doing())
    _tell_created(call, issue)
    return json_response(_reference(call, issue), 201)


def _tell_created(call: Call, issue: Issue) -> None:
    call.tell(issue, *events.created(), call.site.api_user)


def _reference(call: Call, issue: Issue) -> dict[str, str]:
    self_ = f"{call.view.origin}/rest/api/{call.view.version}/issue/{issue.id}"
    return {"id": str(issue.id), "key": issue.key, "self": self_}


def create_bulk(call: Call) -> Response:
    """POST /issue/bulk: up to 50, each on its own."""
    wanted = call.body().get("issueUpdates") or []
    if not 1 <= len(wanted) <= MAX_BULK:
        raise Wrong(f"Between 1 and {MAX_BULK} issues can be created at once.")
    made, failed = [], []
    for index, body in enumerate(wanted):
        try:
            issue = issues.create(call.site, body, call.doing())
        except Wrong as error:
            told = {"errorMessages": error.messages, "errors": error.errors}
            failed.append({"status": error.status, "elementErrors": told, "failedElementNumber": index})
        else:
            _tell_created(call, issue)
            made.append(_reference(call, issue))
    return json_response({"issues": made, "errors": failed}, 201 if made else 400)


def read(call: Call, id_: str) -> Response:
    """GET /issue/{id}: all fields unless ?fields= names some."""
    issue = call.issue(id_)
    value = issue_with_steps(call.view, issue, call.listed("fields") or ("*all",), call.listed("expand"))
    if names := call.listed("properties"):
        value["properties"] = _properties(issue, names)
    return json_response(value)


def _properties(issue: Issue, names: list[str]) -> dict[str, Any]:
    return (
        dict(issue.properties)
        if "*all" in names
        else {n: issue.properties[n] for n in names if n in issue.properties}
    )


def fetch_bulk(call: Call) -> Response:
    """POST /issue/bulkfetch"""
    body = call.body()
    wanted = [str(one) for one in body.get("issueIdsOrKeys") or []]
    if len(wanted) > MAX_FETCH:
        raise Wrong(f"At most {MAX_FETCH} issues can be fetched at once.")
    found, missing = [], []
    for id_ in wanted:
        issue = call.site.issue(id_)
        if issue is None:
            missing.append(
                {"id": id_, "errorMessage": "Issue does not exist or you do not have permission to see it."}
            )
        else:
            found.append(
                call.view.issue(issue, body.get("fields") or ("*navigable",), body.get("expand") or ())
            )
    return json_response({"issues": found, "issueErrors": missing})


def edit(call: Call, id_: str) -> Response:
    """PUT /issue/{id}: 204, or 200 with ?returnIssue=true."""
    issue = call.issue(id_)
    before = len(issue.comments)
    body = call.body()
    history = issues.edit(call.site, issue, body, call.doing(body))
    if history is not None:
        call.tell(issue, *events.updated(history), call.site.api_user)
    _tell_comments(call, issue, before)
    if call.request.one("returnIssue") != "true":
        return empty()
    return json_response(call.view.issue(issue, ("*all",), call.listed("expand")))


def _tell_comments(call: Call, issue: Issue, before: int) -> None:
    for comment in issue.comments[before:]:
        call.tell(issue, *events.commented(call.view, issue, comment), call.site.api_user)


def delete(call: Call, id_: str) -> Response:
    """DELETE /issue/{id}"""
    issue = call.issue(id_)
    issues.delete(call.site, issue)
    call.tell(issue, "jira:issue_deleted", {}, call.site.api_user)
    return empty()


def assign(call: Call, id_: str) -> Response:
    """PUT /issue/{id}/assignee"""
    issue = call.issue(id_)
    history = issues.edit(call.site, issue, {"fields": {"assignee": call.body()}}, call.doing())
    if history is not None:
        call.tell(issue, *events.updated(history), call.site.api_user)
    return empty()


# --- Workflow ---


def transitions(call: Call, id_: str) -> Response:
    """GET /issue/{id}/transitions: only what leads out of the present status."""
    issue = call.issue(id_)
    tell = transition_with_fields if "transitions.fields" in call.listed("expand") else View.transition
    only = call.request.one("transitionId")
    found = [one for one in issues.transitions(call.site, issue) if not only or one["id"] == only]
    values = [tell(call.view, one) for one in found]
    return json_response({"expand": "transitions", "transitions": values})


def move(call: Call, id_: str) -> Response:
    """POST /issue/{id}/transitions"""
    issue = call.issue(id_)
    before = len(issue.comments)
    body = call.body()
    history = issues.move(call.site, issue, body, call.doing(body))
    call.tell(issue, *events.updated(history), call.site.api_user)
    _tell_comments(call, issue, before)
    return empty()


# --- Change log ---


def changelog(call: Call, id_: str) -> Response:
    """GET /issue/{id}/changelog: oldest first."""
    issue = call.issue(id_)
    start, size = call.request.number("startAt", 0), min(call.request.number("maxResults", 100), 100)
    chosen = issue.histories[start : start + size]
    total = len(issue.histories)
    self_ = f"{call.view.origin}{call.request.path}?maxResults={size}&startAt="
    value: dict[str, Any] = {
        "self": f"{self_}{start}",
        "maxResults": size,
        "startAt": start,
        "total": total,
        "isLast": start + size >= total,
        "values": [call.view.history(one) for one in chosen],
    }
    if not value["isLast"]:
        value["nextPage"] = f"{self_}{start + size}"
    return json_response(value)


def changelog_by_ids(call: Call, id_: str) -> Response:
    """POST /issue/{id}/changelog/list"""
    issue = call.issue(id_)
    ids = {str(one) for one in call.body().get("changelogIds") or []}
    found = [call.view.history(one) for one in issue.histories if str(one.id) in ids]
    return json_response({"startAt": 0, "maxResults": len(found), "total": len(found), "histories": found})


def changelogs(call: Call) -> Response:
    """POST /changelog/bulkfetch: the histories of up to 1000 issues, of up to 10 fields."""
    body = call.body()
    wanted = [str(one) for one in body.get("issueIdsOrKeys") or []]
    fields = [str(one) for one in body.get("fieldIds") or []]
    if not 1 <= len(wanted) <= 1000 or len(fields) > 10:
        raise Wrong("Between 1 and 1000 issues and at most 10 fields can be asked for.")
    size = min(int(body.get("maxResults") or 1000), 10_000)
    start = int(body.get("nextPageToken") or 0)
    found = [
        (issue, history)
        for id_ in wanted
        if (issue := call.site.issue(id_)) is not None
        for history in issue.histories
        if not fields or any(one["fieldId"] in fields for one in history.items)
    ]
    grouped: dict[int, list[dict[str, Any]]] = {}
    for issue, history in found[start : start + size]:
        grouped.setdefault(issue.id, []).append(call.view.history(history))
    logs = [{"issueId": str(id_), "changeHistories": told} for id_, told in grouped.items()]
    more = start + size < len(found)
    return json_response({"issueChangeLogs": logs} | ({"nextPageToken": str(start + size)} if more else {}))


ROUTES = (
    ("POST", "/issue", create),
    ("POST", "/issue/bulk", create_bulk),
    ("POST", "/issue/bulkfetch", fetch_bulk),
    ("GET", "/issue/{id}", read),
    ("PUT", "/issue/{id}", edit),
    ("DELETE", "/issue/{id}", delete),
    ("PUT", "/issue/{id}/assignee", assign),
    ("GET", "/issue/{id}/transitions", transitions),
    ("POST", "/issue/{id}/transitions", move),
    ("GET", "/issue/{id}/changelog", changelog),
    ("POST", "/issue/{id}/changelog/list", changelog_by_ids),
    ("POST", "/changelog/bulkfetch", changelogs),
)
