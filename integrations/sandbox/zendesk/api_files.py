"""Zendesk's uploads and attachments.

https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/
"""

from __future__ import annotations

from integrations.sandbox.clock import stamp
from integrations.sandbox.wire import Response, empty, json_response
from integrations.sandbox.zendesk import errors
from integrations.sandbox.zendesk.context import Call
from integrations.sandbox.zendesk.state import Desk, File, Upload
from integrations.sandbox.zendesk.views import attachment_value

UPLOAD_S = 3600


def upload(call: Call) -> Response:
    """POST /uploads?filename=: the raw bytes; a token for 60 minutes, to which ?token= adds more files."""
    name = call.request.one("filename")
    if not name:
        return errors.bad_request("The filename parameter is missing", "ParameterMissing")
    now = call.now.timestamp()
    token = call.request.one("token")
    pending = call.desk.uploads.get(token) if token else None
    if token and (pending is None or pending.until < now):
        return errors.not_found()
    if pending is None:
        pending = Upload(call.desk.new_token("upload"), [], now + UPLOAD_S)
        call.desk.uploads[pending.token] = pending
    content_type = call.request.headers.get("content-type", "application/binary")
    file = add_file(call.desk, name, content_type, call.request.body)
    pending.files.append(file)
    value = {
        "token": pending.token,
        "expires_at": stamp(call.now),
        "attachments": [attachment_value(one, call.origin) for one in pending.files],
        "attachment": attachment_value(file, call.origin),
    }
    return json_response({"upload": value}, 201)


def drop_upload(call: Call, token: str) -> Response:
    """DELETE /uploads/{token}"""
    return empty() if call.desk.uploads.pop(token, None) else errors.not_found()


def add_file(desk: Desk, name: str, content_type: str, data: bytes) -> File:
    """Keep a file; its token is not guessable from its number."""
    file = File(desk.next_id(), name, content_type, data, desk.new_token("file"))
    desk.files[file.id] = file
    desk.files_by_token[file.token] = file
    return file


def attachment(call: Call, id_: str) -> Response:
    """GET /attachments/{id}"""
    found = call.desk.files.get(int(id_)) if id_.isdigit() else None
    return (
        json_response({"attachment": attachment_value(found, call.origin)}) if found else errors.not_found()
    )


ROUTES = (
    ("POST", "/uploads", upload),
    ("DELETE", "/uploads/{token}", drop_upload),
    ("GET", "/attachments/{id}", attachment),
)
