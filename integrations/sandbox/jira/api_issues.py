"""Jira's issue endpoints: create, read, edit, transitions, comments, change log, files, properties, links."""

from __future__ import annotations

from typing import Any

from integrations.sandbox.jira import events, issues
from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import Comment, Issue
from integrations.sandbox.multipart import NotMultipart, parts
from integrations.sandbox.wire import Response, empty, json_response

MAX_BULK = 50
MAX_FETCH = 100
MAX_FILES = 60


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
    value = call.view.issue(issue, call.listed("fields") or ("*all",), call.listed("expand"))
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
    history = issues.edit(call.site, issue, call.body(), call.doing())
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


def edit_meta(call: Call, id_: str) -> Response:
    """GET /issue/{id}/editmeta"""
    call.issue(id_)
    names = ["summary", "description", "priority", "assignee", "labels", "duedate"]
    names += [one["id"] for one in call.site.settings.custom_fields]
    return json_response(
        {"fields": {name: call.view.field_meta(name, required=name == "summary") for name in names}}
    )


# --- Workflow ---


def transitions(call: Call, id_: str) -> Response:
    """GET /issue/{id}/transitions: only what leads out of the present status."""
    issue = call.issue(id_)
    with_fields = "transitions.fields" in call.listed("expand")
    only = call.request.one("transitionId")
    found = [one for one in issues.transitions(call.site, issue) if not only or one["id"] == only]
    values = [call.view.transition(one, with_fields=with_fields) for one in found]
    return json_response({"expand": "transitions", "transitions": values})


def move(call: Call, id_: str) -> Response:
    """POST /issue/{id}/transitions"""
    issue = call.issue(id_)
    before = len(issue.comments)
    history = issues.move(call.site, issue, call.body(), call.doing())
    call.tell(issue, *events.updated(history), call.site.api_user)
    _tell_comments(call, issue, before)
    return empty()


# --- Comments ---


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


# --- Files ---


def attach(call: Call, id_: str) -> Response:
    """POST /issue/{id}/attachments"""
    if call.request.headers.get("x-atlassian-token", "").lower() not in ("no-check", "nocheck"):
        return Response(403, b"XSRF check failed", "text/html;charset=UTF-8")
    issue = call.issue(id_)
    try:
        form = parts(call.request.headers.get("content-type", ""), call.request.body)
    except NotMultipart as error:
        raise Wrong(str(error), status=415) from error
    files = [one for one in form if one.name == "file"]
    if len(files) > MAX_FILES or any(
        len(one.data) > call.site.settings.max_attachment_bytes for one in files
    ):
        raise Wrong("The attachment is larger than the site allows.", status=413)
    made = []
    for one in files:
        doing = call.doing()
        file, history = issues.attach(call.site, issue, one.filename, one.content_type, one.data, doing)
        call.tell(issue, *events.attached(call.view, file), call.site.api_user)
        call.tell(issue, *events.updated(history), call.site.api_user)
        made.append(call.view.file(file))
    return json_response(made)


def attachment(call: Call, id_: str) -> Response:
    """GET /attachment/{id}"""
    _, file = call.site.files.get(id_) or _no_file(id_)
    value = call.view.file(file)
    value["id"] = int(file.id)
    return json_response(value)


def delete_attachment(call: Call, id_: str) -> Response:
    """DELETE /attachment/{id}"""
    issue, file = call.site.files.get(id_) or _no_file(id_)
    history = issues.delete_file(call.site, issue, file, call.doing())
    call.tell(issue, *events.attached(call.view, file, "deleted"), call.site.api_user)
    if history is not None:
        call.tell(issue, *events.updated(history), call.site.api_user)
    return empty()


def _no_file(id_: str) -> Any:
    raise Wrong(f"The attachment with id '{id_}' does not exist", status=404)


def attachment_content(call: Call, id_: str) -> Response:
    """GET /attachment/content/{id}: 303 to the media host, or the bytes with ?redirect=false."""
    _, file = call.site.files.get(id_) or _no_file(id_)
    if call.request.one("redirect", "true") == "false":
        return file_response(call.request.headers.get("range", ""), file.data, file.content_type)
    host = call.request.headers.get("host", "localhost")
    if media_host := call.site.settings.media_host:
        host = media_host + (f":{port}" if (port := host.rpartition(":")[2]).isdigit() else "")
    return Response(303, b"", "", (("Location", f"http://{host}/media/{file.token}"),))


def file_response(range_: str, data: bytes, content_type: str) -> Response:
    """The bytes, or the part of them that a Range header asks for."""
    if not range_.startswith("bytes=") or "," in range_:
        return Response(200, data, content_type, (("Accept-Ranges", "bytes"),))
    first, _, last = range_[6:].partition("-")
    start = int(first) if first.isdigit() else max(0, len(data) - int(last or 0))
    end = int(last) + 1 if first.isdigit() and last.isdigit() else len(data)
    if start >= len(data):
        return Response(416, b"", content_type, (("Content-Range", f"bytes */{len(data)}"),))
    part = data[start:end]
    shown = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
    return Response(206, part, content_type, (("Content-Range", shown), ("Accept-Ranges", "bytes")))


# --- Properties and links ---


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
    ("POST", "/issue", create),
    ("POST", "/issue/bulk", create_bulk),
    ("POST", "/issue/bulkfetch", fetch_bulk),
    ("GET", "/issue/{id}", read),
    ("PUT", "/issue/{id}", edit),
    ("DELETE", "/issue/{id}", delete),
    ("PUT", "/issue/{id}/assignee", assign),
    ("GET", "/issue/{id}/editmeta", edit_meta),
    ("GET", "/issue/{id}/transitions", transitions),
    ("POST", "/issue/{id}/transitions", move),
    ("GET", "/issue/{id}/comment", comments),
    ("POST", "/issue/{id}/comment", add_comment),
    ("GET", "/issue/{id}/comment/{comment}", comment),
    ("PUT", "/issue/{id}/comment/{comment}", edit_comment),
    ("DELETE", "/issue/{id}/comment/{comment}", delete_comment),
    ("POST", "/comment/list", comments_by_ids),
    ("GET", "/comment/{id}/properties", comment_properties),
    ("GET", "/comment/{id}/properties/{key}", comment_property),
    ("PUT", "/comment/{id}/properties/{key}", comment_property),
    ("DELETE", "/comment/{id}/properties/{key}", comment_property),
    ("GET", "/issue/{id}/changelog", changelog),
    ("POST", "/issue/{id}/changelog/list", changelog_by_ids),
    ("POST", "/changelog/bulkfetch", changelogs),
    ("POST", "/issue/{id}/attachments", attach),
    ("GET", "/attachment/{id}", attachment),
    ("DELETE", "/attachment/{id}", delete_attachment),
    ("GET", "/attachment/content/{id}", attachment_content),
    ("GET", "/issue/{id}/properties", properties),
    ("GET", "/issue/{id}/properties/{key}", issue_property),
    ("PUT", "/issue/{id}/properties/{key}", issue_property),
    ("DELETE", "/issue/{id}/properties/{key}", issue_property),
    ("GET", "/issue/{id}/remotelink", remote_links),
    ("POST", "/issue/{id}/remotelink", set_remote_link),
    ("DELETE", "/issue/{id}/remotelink", delete_remote_link),
    ("DELETE", "/issue/{id}/remotelink/{link}", delete_remote_link),
)
