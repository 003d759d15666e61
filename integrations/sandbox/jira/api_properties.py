"""What others may pin to issues and comments: entity properties, and links to other systems.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-properties/ and
https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-remote-links/
"""

from __future__ import annotations

from typing import Any

from integrations.sandbox.jira import issues
from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import Comment, Issue
from integrations.sandbox.wire import Response, empty, json_response


def properties(call: Call, id_: str) -> Response:
    """GET /issue/{id}/properties"""
    issue = call.issue(id_)
    base = f"{call.view.origin}/rest/api/{call.view.version}/issue/{issue.id}/properties/"
    return json_response({"keys": [{"self": base + key, "key": key} for key in issue.properties]})


def issue_property(call: Call, id_: str, key: str) -> Response:
    """GET, PUT and DELETE /issue/{id}/properties/{key}"""
    issue = call.issue(id_)
    response = _property(call, issue.properties, key)
    if call.request.method != "GET":
        call.site.touch(issue, call.now.timestamp())
    return response


def comment_properties(call: Call, id_: str) -> Response:
    """GET /comment/{id}/properties"""
    _, found = _any_comment(call, id_)
    base = f"{call.view.origin}/rest/api/{call.view.version}/comment/{id_}/properties/"
    return json_response({"keys": [{"self": base + key, "key": key} for key in found.properties]})


def comment_property(call: Call, id_: str, key: str) -> Response:
    """GET, PUT and DELETE /comment/{id}/properties/{key}"""
    _, found = _any_comment(call, id_)
    return _property(call, found.properties, key)


def _any_comment(call: Call, id_: str) -> tuple[Issue, Comment]:
    if id_ not in call.site.comments:
        raise Wrong(f"Can not find a comment for the id: {id_}.", status=404)
    return call.site.comments[id_]


def _property(call: Call, kept: dict[str, Any], key: str) -> Response:
    if call.request.method == "PUT":
        is_new = issues.set_property(kept, key, call.request.json())
        return json_response({}, 201 if is_new else 200)
    if key not in kept:
        raise Wrong(f"Property with key {key} not found.", status=404)
    if call.request.method == "DELETE":
        del kept[key]
        return empty()
    return json_response({"key": key, "value": kept[key]})


def remote_links(call: Call, id_: str) -> Response:
    """GET /issue/{id}/remotelink, all or by ?globalId="""
    issue = call.issue(id_)
    global_id = call.request.one("globalId")
    found = [one for one in issue.links if not global_id or one.get("globalId") == global_id]
    values = [_link(call, issue, one) for one in found]
    if global_id:
        if not values:
            raise Wrong(f"No remote link with global id '{global_id}'.", status=404)
        return json_response(values[0])
    return json_response(values)


def _link(call: Call, issue: Issue, link: dict[str, Any]) -> dict[str, Any]:
    base = f"{call.view.origin}/rest/api/{call.view.version}/issue/{issue.id}/remotelink"
    return {"self": f"{base}/{link['id']}", **link}


def set_remote_link(call: Call, id_: str) -> Response:
    """POST /issue/{id}/remotelink: replaces the link with the same globalId, absent parts become null."""
    issue = call.issue(id_)
    body = call.body()
    target = body.get("object")
    if not isinstance(target, dict) or not target.get("url") or not target.get("title"):
        raise Wrong(errors={"object": "'url' and 'title' are required."})
    known = next(
        (one for one in issue.links if body.get("globalId") and one.get("globalId") == body["globalId"]), None
    )
    link: dict[str, Any] = {
        name: body[name] for name in ("globalId", "application", "relationship", "object") if name in body
    }
    link["id"] = known["id"] if known else int(call.site.next_id())
    if known:
        issue.links.remove(known)
    issue.links.append(link)
    call.site.touch(issue, call.now.timestamp())
    value = {"id": link["id"], "self": _link(call, issue, link)["self"]}
    return json_response(value, 200 if known else 201)


def delete_remote_link(call: Call, id_: str, link_id: str = "") -> Response:
    """DELETE /issue/{id}/remotelink/{link}, or by ?globalId="""
    issue = call.issue(id_)
    global_id = call.request.one("globalId")
    kept = [
        one
        for one in issue.links
        if str(one["id"]) != link_id and (link_id or one.get("globalId") != global_id)
    ]
    if len(kept) == len(issue.links):
        raise Wrong("No such remote link.", status=404)
    issue.links = kept
    return empty()


ROUTES = (
    ("GET", "/comment/{id}/properties", comment_properties),
    ("GET", "/comment/{id}/properties/{key}", comment_property),
    ("PUT", "/comment/{id}/properties/{key}", comment_property),
    ("DELETE", "/comment/{id}/properties/{key}", comment_property),
    ("GET", "/issue/{id}/properties", properties),
    ("GET", "/issue/{id}/properties/{key}", issue_property),
    ("PUT", "/issue/{id}/properties/{key}", issue_property),
    ("DELETE", "/issue/{id}/properties/{key}", issue_property),
    ("GET", "/issue/{id}/remotelink", remote_links),
    ("POST", "/issue/{id}/remotelink", set_remote_link),
    ("DELETE", "/issue/{id}/remotelink", delete_remote_link),
    ("DELETE", "/issue/{id}/remotelink/{link}", delete_remote_link),
)
