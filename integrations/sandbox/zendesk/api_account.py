"""Zendesk's endpoints about the account: people, groups, brands, fields, statuses."""

from __future__ import annotations

from typing import Any

from integrations.sandbox.clock import stamp
from integrations.sandbox.wire import Response, json_response
from integrations.sandbox.zendesk import errors
from integrations.sandbox.zendesk.context import Call
from integrations.sandbox.zendesk.errors import Invalid
from integrations.sandbox.zendesk.paging import page_of
from integrations.sandbox.zendesk.state import (
    BRAND_ID,
    FORM_ID,
    GROUP_ID,
    ORGANIZATION_ID,
    User,
)
from integrations.sandbox.zendesk.views import (
    custom_status_values,
    ticket_field_values,
    user_value,
)

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
)
