"""Jira's comment endpoints.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/
"""

from __future__ import annotations

from integrations.sandbox.jira import events, issues
from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import Comment, Issue
from integrations.sandbox.wire import Response, empty, json_response


def comments(call: Call, id_: str) -> Response:
    """GET /issue/{id}/comment"""
    issue = call.issue(id_)
    start, size = call.request.number("startAt", 0), call.request.number("maxResults", 100)
    ordered = sorted(
        issue.comments, key=lambda one: one.created, reverse=call.request.one("orderBy") == "-created"
    )
    expand = call.listed("expand")
    return json_response(
        {
            "startAt": start,
            "maxResults": size,
            "total": len(ordered),
            "comments": [call.view.comment(one, issue, expand) for one in ordered[start : start + size]],
        }
    )


def add_comment(call: Call, id_: str) -> Response:
    """POST /issue/{id}/comment"""
    issue = call.issue(id_)
    comment = issues.add_comment(call.site, issue, call.body(), call.doing())
    call.tell(issue, *events.commented(call.view, issue, comment), call.site.api_user)
    return json_response(call.view.comment(comment, issue, call.listed("expand")), 201)


def _comment(call: Call, issue: Issue, id_: str) -> Comment:
    found = next((one for one in issue.comments if one.id == id_), None)
    if found is None:
        raise Wrong(f"Can not find a comment for the id: {id_}.", status=404)
    return found


def comment(call: Call, id_: str, comment_id: str) -> Response:
    """GET /issue/{id}/comment/{comment}"""
    issue = call.issue(id_)
    return json_response(call.view.comment(_comment(call, issue, comment_id), issue, call.listed("expand")))


def edit_comment(call: Call, id_: str, comment_id: str) -> Response:
    """PUT /issue/{id}/comment/{comment}"""
    issue = call.issue(id_)
    found = _comment(call, issue, comment_id)
    issues.edit_comment(call.site, issue, found, call.body(), call.doing())
    call.tell(issue, *events.commented(call.view, issue, found, "updated"), call.site.api_user)
    return json_response(call.view.comment(found, issue, call.listed("expand")))


def delete_comment(call: Call, id_: str, comment_id: str) -> Response:
    """DELETE /issue/{id}/comment/{comment}"""
    issue = call.issue(id_)
    found = _comment(call, issue, comment_id)
    issues.delete_comment(call.site, issue, found, call.doing())
    call.tell(issue, *events.commented(call.view, issue, found, "deleted"), call.site.api_user)
    return empty()


def comments_by_ids(call: Call) -> Response:
    """POST /comment/list: comments of any issue by id; ids that do not exist are left out."""
    ids = [str(one) for one in call.body().get("ids") or []]
    if len(ids) > 1000:
        raise Wrong("The number of comment ids must not exceed 1000.")
    expand = call.listed("expand")
    found = [call.site.comments[one] for one in ids if one in call.site.comments]
    values = [call.view.comment(one, issue, expand) for issue, one in found if call.site.issue(issue.key)]
    return json_response(
        {"startAt": 0, "maxResults": 1048576, "total": len(values), "isLast": True, "values": values}
    )


ROUTES = (
    ("GET", "/issue/{id}/comment", comments),
    ("POST", "/issue/{id}/comment", add_comment),
    ("GET", "/issue/{id}/comment/{comment}", comment),
    ("PUT", "/issue/{id}/comment/{comment}", edit_comment),
    ("DELETE", "/issue/{id}/comment/{comment}", delete_comment),
    ("POST", "/comment/list", comments_by_ids),
)
