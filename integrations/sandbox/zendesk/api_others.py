"""Zendesk's other endpoints: people, files, fields, statuses, and web hooks."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from integrations.sandbox.clock import stamp
from integrations.sandbox.wire import Response, empty, json_response
from integrations.sandbox.zendesk import errors
from integrations.sandbox.zendesk.context import Call
from integrations.sandbox.zendesk.errors import Invalid
from integrations.sandbox.zendesk.paging import page_of
from integrations.sandbox.zendesk.state import (
    BRAND_ID,
    FORM_ID,
    GROUP_ID,
    ORGANIZATION_ID,
    Desk,
    File,
    Upload,
    User,
    Webhook,
)
from integrations.sandbox.zendesk.views import (
    attachment_value,
    custom_status_values,
    ticket_field_values,
    user_value,
    webhook_value,
)

UPLOAD_S = 3600

# --- People ---


def me(call: Call) -> Response:
    """GET /users/me"""
    return json_response({"user": user_value(call.actor, call.origin)})


def user(call: Call, id_: str) -> Response:
    """GET /users/{id}"""
    found = call.desk.users.get(int(id_)) if id_.isdigit() else None
    return json_response({"user": user_value(found, call.origin)}) if found else errors.not_found()


def users(call: Call) -> Response:
    """GET /users"""
    found = list(call.desk.users.values())
    return page_of(call.request, "users", found, lambda one: one.id, lambda one: user_value(one, call.origin))


def users_many(call: Call) -> Response:
    """GET /users/show_many?ids="""
    ids = [int(one) for one in call.request.one("ids").split(",") if one.isdigit()]
    found = [user_value(call.desk.users[one], call.origin) for one in ids if one in call.desk.users]
    return json_response({"users": found, "next_page": None, "previous_page": None, "count": len(found)})


def users_search(call: Call) -> Response:
    """GET /users/search, by ?query= or ?external_id="""
    words = call.request.one("query").removeprefix("email:").strip('"').lower()
    external_id = call.request.one("external_id")

    def fits(one: User) -> bool:
        if external_id:
            return one.external_id == external_id
        return words in one.name.lower() or words == one.email.lower()

    found = [user_value(one, call.origin) for one in call.desk.users.values() if fits(one)]
    return json_response({"users": found, "next_page": None, "previous_page": None, "count": len(found)})


def create_user(call: Call) -> Response:
    """POST /users and POST /users/create_or_update"""
    wanted = call.wrapped("user")
    if wanted is None or not str(wanted.get("name") or ""):
        raise Invalid("name", "Name:  is too short (minimum is 1 character)")
    email = str(wanted.get("email") or "")
    known = call.desk.users_by_mail.get(email.lower()) if email else None
    if known is not None and call.request.path.rpartition("/")[2].startswith("users"):
        raise Invalid("email", f"Email: {email} is already being used by another user", "DuplicateValue")
    now = stamp(call.now)
    found = known or call.desk.add_user(str(wanted["name"]), email, "end-user", now)
    found.name, found.updated_at = str(wanted["name"]), now
    found.role = str(wanted.get("role") or found.role)
    found.external_id = wanted.get("external_id", found.external_id)
    return json_response({"user": user_value(found, call.origin)}, 200 if known else 201)


def groups(call: Call) -> Response:
    """GET /groups"""
    return json_response({"groups": [_group(call)], "next_page": None, "previous_page": None, "count": 1})


def group(call: Call, id_: str) -> Response:
    """GET /groups/{id}"""
    return json_response({"group": _group(call)}) if id_ == str(GROUP_ID) else errors.not_found()


def _group(call: Call) -> dict[str, Any]:
    return _named(call, "groups", GROUP_ID, "Support") | {
        "description": "",
        "default": True,
        "deleted": False,
        "is_public": True,
    }


def organization(call: Call, id_: str) -> Response:
    """GET /organizations/{id}"""
    if id_ != str(ORGANIZATION_ID):
        return errors.not_found()
    return json_response({"organization": _named(call, "organizations", ORGANIZATION_ID, "Partner")})


def brands(call: Call) -> Response:
    """GET /brands"""
    brand = _named(call, "brands", BRAND_ID, "Partner") | {
        "subdomain": "partner",
        "active": True,
        "default": True,
    }
    return json_response({"brands": [brand], "next_page": None, "previous_page": None, "count": 1})


def _named(call: Call, kind: str, id_: int, name: str) -> dict[str, Any]:
    long_ago = "2024-01-01T00:00:00Z"
    url = f"{call.origin}/api/v2/{kind}/{id_}.json"
    return {"url": url, "id": id_, "name": name, "created_at": long_ago, "updated_at": long_ago}


# --- Fields ---


def ticket_fields(call: Call) -> Response:
    """GET /ticket_fields"""
    found = ticket_field_values(call.desk, call.origin)
    return page_of(call.request, "ticket_fields", found, lambda one: int(one["id"]), lambda one: one)


def ticket_field(call: Call, id_: str) -> Response:
    """GET /ticket_fields/{id}"""
    found = next((one for one in ticket_field_values(call.desk, call.origin) if str(one["id"]) == id_), None)
    return json_response({"ticket_field": found}) if found else errors.not_found()


def ticket_forms(call: Call) -> Response:
    """GET /ticket_forms"""
    ids = [one["id"] for one in ticket_field_values(call.desk, call.origin)]
    form = _named(call, "ticket_forms", FORM_ID, "Default") | {
        "display_name": "Default",
        "active": True,
        "default": True,
        "ticket_field_ids": ids,
    }
    return json_response({"ticket_forms": [form], "next_page": None, "previous_page": None, "count": 1})


def custom_statuses(call: Call) -> Response:
    """GET /custom_statuses"""
    return json_response({"custom_statuses": custom_status_values()})


# --- Files ---


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
        pending = Upload(_token(call.desk, "upload"), [], now + UPLOAD_S)
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
    file = File(desk.next_id(), name, content_type, data, _token(desk, "file"))
    desk.files[file.id] = file
    desk.files_by_token[file.token] = file
    return file


def _token(desk: Desk, kind: str) -> str:
    raw = hashlib.sha256(f"{desk.settings.token} {kind} {desk.next_id()}".encode()).digest()
    return base64.urlsafe_b64encode(raw[:18]).decode()


def attachment(call: Call, id_: str) -> Response:
    """GET /attachments/{id}"""
    found = call.desk.files.get(int(id_)) if id_.isdigit() else None
    return (
        json_response({"attachment": attachment_value(found, call.origin)}) if found else errors.not_found()
    )


# --- Web hooks ---


def webhooks(call: Call) -> Response:
    """GET /webhooks"""
    found = [webhook_value(one) for one in call.desk.webhooks.values()]
    return json_response({"webhooks": found, "meta": {"has_more": False}})


def create_webhook(call: Call) -> Response:
    """POST /webhooks"""
    wanted = call.wrapped("webhook") or {}
    missing = [
        one for one in ("name", "endpoint", "http_method", "request_format", "status") if not wanted.get(one)
    ]
    if missing:
        problems = [{"code": "InvalidWebhookAttribute", "title": f"{one} is required"} for one in missing]
        return json_response({"errors": problems}, 400)
    made = add_webhook(call.desk, wanted, call.actor.id, stamp(call.now))
    return json_response({"webhook": webhook_value(made)}, 201)


def add_webhook(desk: Desk, wanted: dict[str, Any], actor_id: int, at: str) -> Webhook:
    """A web hook with a new secret, or the one given."""
    made = Webhook(
        f"01SANDBOX{desk.next_id():017d}",
        str(wanted["name"]),
        str(wanted["endpoint"]),
        str(wanted.get("secret") or _token(desk, "secret")),
        [str(one) for one in wanted.get("subscriptions") or []],
        at,
        actor_id,
        status=str(wanted.get("status") or "active"),
        description=wanted.get("description"),
    )
    desk.webhooks[made.id] = made
    return made


def webhook(call: Call, id_: str) -> Response:
    """GET, PUT, PATCH and DELETE /webhooks/{id}"""
    found = call.desk.webhooks.get(id_)
    if found is None:
        return json_response({"errors": [{"code": "WebhookNotFound", "title": "Webhook not found"}]}, 404)
    if call.request.method == "DELETE":
        del call.desk.webhooks[id_]
        return empty()
    if call.request.method in ("PUT", "PATCH"):
        for name, value in (call.wrapped("webhook") or {}).items():
            if name in ("name", "endpoint", "status", "subscriptions", "description"):
                setattr(found, name, value)
        found.updated_at = stamp(call.now)
        return empty()
    return json_response({"webhook": webhook_value(found)})


def signing_secret(call: Call, id_: str) -> Response:
    """GET /webhooks/{id}/signing_secret; POST makes a new one."""
    found = call.desk.webhooks.get(id_)
    if found is None:
        return json_response({"errors": [{"code": "WebhookNotFound", "title": "Webhook not found"}]}, 404)
    if call.request.method == "POST":
        found.secret = _token(call.desk, "secret")
    value = {"signing_secret": {"secret": found.secret, "algorithm": "SHA256"}}
    return json_response(value, 201 if call.request.method == "POST" else 200)


ROUTES = (
    ("GET", "/users/me", me),
    ("GET", "/users", users),
    ("POST", "/users", create_user),
    ("POST", "/users/create_or_update", create_user),
    ("GET", "/users/search", users_search),
    ("GET", "/users/show_many", users_many),
    ("GET", "/users/{id}", user),
    ("GET", "/groups", groups),
    ("GET", "/groups/{id}", group),
    ("GET", "/organizations/{id}", organization),
    ("GET", "/brands", brands),
    ("GET", "/ticket_fields", ticket_fields),
    ("GET", "/ticket_fields/{id}", ticket_field),
    ("GET", "/ticket_forms", ticket_forms),
    ("GET", "/custom_statuses", custom_statuses),
    ("POST", "/uploads", upload),
    ("DELETE", "/uploads/{token}", drop_upload),
    ("GET", "/attachments/{id}", attachment),
    ("GET", "/webhooks", webhooks),
    ("POST", "/webhooks", create_webhook),
    ("GET", "/webhooks/{id}", webhook),
    ("PUT", "/webhooks/{id}", webhook),
    ("PATCH", "/webhooks/{id}", webhook),
    ("DELETE", "/webhooks/{id}", webhook),
    ("GET", "/webhooks/{id}/signing_secret", signing_secret),
    ("POST", "/webhooks/{id}/signing_secret", signing_secret),
)
