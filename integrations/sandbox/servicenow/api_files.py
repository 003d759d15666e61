"""ServiceNow's Attachment API.

https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_AttachmentAPI.html
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from integrations.sandbox.multipart import NotMultipart, parts
from integrations.sandbox.servicenow import errors, query
from integrations.sandbox.servicenow.context import Call
from integrations.sandbox.servicenow.errors import Failed
from integrations.sandbox.servicenow.paging import cut
from integrations.sandbox.servicenow.processes import Doing, is_closed
from integrations.sandbox.servicenow.state import Instance, Record
from integrations.sandbox.servicenow.views import Shown
from integrations.sandbox.wire import Response, empty, json_response

DEFAULT_LIMIT = 1000


def files(call: Call) -> Response:
    """GET /attachment"""
    name, reader = call.table("sys_attachment").name, call.reader
    chosen = query.parse(call.request.one("sysparm_query"), name, reader)
    page, headers = cut(call.request, query.run(chosen, name, reader), DEFAULT_LIMIT)
    told = [_value(call, one) for one in page if _is_visible(call, one)]
    return json_response({"result": told}, headers=tuple(headers))


def show(call: Call, id_: str) -> Response:
    """GET /attachment/{sys_id}"""
    return json_response({"result": _value(call, _file(call, id_))})


def download(call: Call, id_: str) -> Response:
    """GET /attachment/{sys_id}/file"""
    record = _file(call, id_)
    # Headers carry no other letters than these; JSON writes the rest as escapes.
    told = json.dumps(_value(call, record), separators=(",", ":"))
    content_type = record["content_type"] or "application/octet-stream"
    return Response(200, call.instance.files[record.id], content_type, (("X-Attachment-Metadata", told),))


def upload(call: Call) -> Response:
    """POST /attachment/file: the raw bytes."""
    content_type = call.request.headers.get("content-type", "")
    if not content_type:
        raise Failed(400, "Content-Type is missing", "The Content-Type header is mandatory")
    one = call.request.one
    return _attached(
        call, one("table_name"), one("table_sys_id"), one("file_name"), content_type, call.request.body
    )


def upload_form(call: Call) -> Response:
    """POST /attachment/upload: a form whose last part is the file."""
    try:
        found = parts(call.request.headers.get("content-type", ""), call.request.body)
    except NotMultipart as error:
        raise Failed(400, "Failed to parse the multipart request", str(error)) from error
    values = {one.name: one.data.decode("utf-8", "replace") for one in found if not one.filename}
    if not found or not found[-1].filename:
        raise Failed(400, "Invalid multipart request", "The file must be the last part")
    file = found[-1]
    table, id_ = values.get("table_name", ""), values.get("table_sys_id", "")
    return _attached(call, table, id_, file.filename, file.content_type, file.data)


def _attached(call: Call, table: str, id_: str, name: str, content_type: str, data: bytes) -> Response:
    if not (table and id_ and name):
        raise Failed(400, "Missing parameter", "table_name, table_sys_id and file_name are mandatory")
    owner = call.record(table, id_)
    doing = call.doing()
    if not call.may_write(owner.table) or (is_closed(owner.table, owner["state"]) and not doing.is_admin):
        raise errors.denied("Insert")
    _check(call.instance, name, data)
    record = attach(call.instance, owner, name, content_type, data, doing)
    call.tell(record, call.actor)
    location = f"{call.request.origin}/api/now/attachment/{record.id}"
    return json_response({"result": _value(call, record)}, 201, (("Location", location),))


def _check(instance: Instance, name: str, data: bytes) -> None:
    settings = instance.settings
    if len(data) > settings.max_attachment_bytes:
        limit = settings.max_attachment_bytes
        raise Failed(413, "Request Entity Too Large", f"The file is larger than {limit} bytes")
    allowed = [one.strip().lower() for one in settings.attachment_extensions.split(",") if one.strip()]
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if allowed and extension not in allowed:
        raise Failed(400, "Invalid file type", f"File type {extension or '(none)'} is not allowed: {name}")


def attach(
    instance: Instance, owner: Record, name: str, content_type: str, data: bytes, doing: Doing
) -> Record:
    """Keep a file.  The record it hangs on does not change by that, not even its time of update."""
    who = doing.user["user_name"]
    values = {
        "file_name": name,
        "content_type": content_type,
        "size_bytes": str(len(data)),
        "size_compressed": str(len(data)),
        "compressed": "true",
        "state": "available",
        "chunk_size_bytes": "700000",
        "hash": hashlib.sha256(data).hexdigest(),
        "table_name": owner.table,
        "table_sys_id": owner.id,
        "sys_created_on": doing.at,
        "sys_created_by": who,
        "sys_updated_on": doing.at,
        "sys_updated_by": who,
        "sys_mod_count": "0",
    }
    record = instance.add("sys_attachment", values, doing.seconds)
    instance.files[record.id] = data
    return record


def remove(call: Call, id_: str) -> Response:
    """DELETE /attachment/{sys_id}"""
    record = _file(call, id_)
    if record["sys_created_by"] != call.actor["user_name"] and "admin" not in call.roles:
        raise errors.denied("Delete")
    call.instance.remove(record)
    return empty()


def _file(call: Call, id_: str) -> Record:
    record = call.record("sys_attachment", id_)
    if not _is_visible(call, record):
        raise errors.no_record()
    return record


def _is_visible(call: Call, record: Record) -> bool:
    """A file is as visible as what it hangs on."""
    table = record["table_name"]
    owner = call.instance.record(table, record["table_sys_id"]) if table in call.instance.tables else None
    return call.is_visible(record) and (owner is None or call.is_visible(owner))


def _value(call: Call, record: Record) -> dict[str, Any]:
    value = call.view.record(record, Shown())
    return {**value, "download_link": f"{call.request.origin}/api/now/attachment/{record.id}/file"}


ROUTES = (
    ("GET", "/attachment", files),
    ("POST", "/attachment/file", upload),
    ("POST", "/attachment/upload", upload_form),
    ("GET", "/attachment/{sys_id}", show),
    ("GET", "/attachment/{sys_id}/file", download),
    ("DELETE", "/attachment/{sys_id}", remove),
)
