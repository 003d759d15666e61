"""Azure DevOps' attachment endpoints: bytes are sent first, and hung on a work item by a link afterwards.

https://learn.microsoft.com/rest/api/azure/devops/wit/attachments
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from integrations.sandbox.azure_devops import errors, items
from integrations.sandbox.azure_devops.context import Call
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.state import File
from integrations.sandbox.wire import Response, json_response

_RANGE = re.compile(r"^bytes (\d+)-(\d+)/(\d+)$")


def upload(call: Call) -> Response:
    """POST /wit/attachments?fileName=: 201; with ?uploadType=Chunked the bytes follow."""
    call.check_right("write", "Edit work items in this node")
    name = call.request.one("fileName") or "attachment"
    chunked = call.request.one("uploadType").lower() == "chunked"
    file = items.add_file(call.organization, name, b"" if chunked else call.request.body, call.doing())
    if chunked:
        file.expected = -1
    return json_response(_reference(call, file), 201)


def _reference(call: Call, file: File) -> dict[str, Any]:
    url = f"{call.view.project_base}/_apis/wit/attachments/{file.id}?fileName={quote(file.name)}"
    return {"id": file.id, "url": url}


def upload_chunk(call: Call, id_: str) -> Response:
    """PUT /wit/attachments/{id}: the next bytes of a chunked upload, in their order."""
    file = _find(call, id_)
    found = _RANGE.match(call.request.headers.get("content-range", ""))
    if found is None or file.expected is None:
        raise errors.bad_argument("The Content-Range header is missing or cannot be used.")
    start, end, total = (int(one) for one in found.groups())
    body = call.request.body
    if start != len(file.data) or end - start + 1 != len(body):
        message = f"The offset {start} is incorrect; {len(file.data)} was expected."
        raise Wrong(message, "WorkItemAttachmentIncorrectOffsetException")
    if total > call.organization.settings.max_attachment_bytes:
        raise items.too_large()
    file.data += body
    file.expected = total if len(file.data) < total else None
    return json_response(_reference(call, file), 200)


def _find(call: Call, id_: str) -> File:
    found = call.organization.files.get(id_.lower())
    if found is None:
        raise Wrong(f"The attachment {id_} does not exist.", "AttachmentNotFoundException", 404)
    return found


def download(call: Call, id_: str) -> Response:
    """GET /wit/attachments/{id}: the bytes, with ?download=true as a file to keep."""
    file = _find(call, id_)
    name = call.request.one("fileName") or file.name
    headers: tuple[tuple[str, str], ...] = ()
    if call.flag("download"):
        shown = f"attachment; filename*=UTF-8''{quote(name)}"
        headers = (("Content-Disposition", shown),)
    return Response(200, bytes(file.data), "application/octet-stream", headers)


ROUTES = (
    ("POST", "/wit/attachments", upload),
    ("GET", "/wit/attachments/{id}", download),
    ("PUT", "/wit/attachments/{id}", upload_chunk),
)
