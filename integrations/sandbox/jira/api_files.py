"""Jira's attachment endpoints.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-attachments/
"""

from __future__ import annotations

from integrations.sandbox.jira import events, issues
from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import File, Issue
from integrations.sandbox.multipart import NotMultipart, parts
from integrations.sandbox.wire import Response, empty, json_response

MAX_FILES = 60


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
    _, file = _file(call, id_)
    value = call.view.file(file)
    value["id"] = int(file.id)
    return json_response(value)


def settings(call: Call) -> Response:
    """GET /attachment/meta"""
    return json_response({"enabled": True, "uploadLimit": call.site.settings.max_attachment_bytes})


def delete_attachment(call: Call, id_: str) -> Response:
    """DELETE /attachment/{id}"""
    issue, file = _file(call, id_)
    history = issues.delete_file(call.site, issue, file, call.doing())
    call.tell(issue, *events.attached(call.view, file, "deleted"), call.site.api_user)
    if history is not None:
        call.tell(issue, *events.updated(history), call.site.api_user)
    return empty()


def _file(call: Call, id_: str) -> tuple[Issue, File]:
    if id_ not in call.site.files:
        raise Wrong(f"The attachment with id '{id_}' does not exist", status=404)
    return call.site.files[id_]


def attachment_content(call: Call, id_: str) -> Response:
    """GET /attachment/content/{id}: 303 to the media host, or the bytes with ?redirect=false."""
    _, file = _file(call, id_)
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


ROUTES = (
    ("POST", "/issue/{id}/attachments", attach),
    ("GET", "/attachment/meta", settings),
    ("GET", "/attachment/{id}", attachment),
    ("DELETE", "/attachment/{id}", delete_attachment),
    ("GET", "/attachment/content/{id}", attachment_content),
)
