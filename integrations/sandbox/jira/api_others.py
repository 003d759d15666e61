"""Jira's other endpoints: the server, people, the project, fields, priorities, statuses, create screens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integrations.sandbox.jira import events
from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import ISSUE_TYPES, PROJECT_ID, RESOLUTIONS
from integrations.sandbox.jira.views import FIELD_NAMES, schema_of
from integrations.sandbox.wire import Response, empty, json_response

_PERMISSIONS = (
    "BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "DELETE_ISSUES", "TRANSITION_ISSUES", "ASSIGN_ISSUES",
    "RESOLVE_ISSUES", "ADD_COMMENTS", "EDIT_OWN_COMMENTS", "EDIT_ALL_COMMENTS", "CREATE_ATTACHMENTS", "LINK_ISSUES",
    "MODIFY_REPORTER", "ADMINISTER", "ADMINISTER_PROJECTS", "BULK_CHANGE",
)  # fmt: skip
_CREATE_SCREEN = (
    "summary",
    "issuetype",
    "project",
    "description",
    "priority",
    "assignee",
    "reporter",
    "labels",
    "duedate",
)
_NOT_ORDERABLE = frozenset(
    ("created", "updated", "resolutiondate", "statuscategorychangedate", "creator", "status")
)


def server_info(call: Call) -> Response:
    """GET /serverInfo"""
    return json_response(
        {
            "baseUrl": call.view.origin,
            "version": "1001.0.0-SNAPSHOT",
            "versionNumbers": [1001, 0, 0],
            "deploymentType": "Cloud",
            "buildNumber": 100300,
            "buildDate": "2026-01-15T00:00:00.000+0000",
            "serverTime": call.view.time(int(call.now.timestamp() * 1000)),
            "scmInfo": "sandbox",
            "serverTitle": "Jira sandbox",
            "serverTimeZone": call.site.settings.time_zone,
        }
    )


def myself(call: Call) -> Response:
    """GET /myself"""
    value = call.view.user(call.site.api_user) or {}
    groups = {"size": 0, "items": []}
    return json_response(
        {
            **value,
            "locale": "en_US",
            "groups": groups,
            "applicationRoles": groups,
            "expand": "groups,applicationRoles",
        }
    )


def user(call: Call) -> Response:
    """GET /user?accountId="""
    found = call.site.users.get(call.request.one("accountId"))
    if found is None:
        raise Wrong("Specified user does not exist or you do not have required permissions", status=404)
    return json_response(call.view.user(found))


def users(call: Call) -> Response:
    """GET /user/search and /user/assignable/search"""
    words = call.request.one("query").lower()
    found = [
        one for one in call.site.users.values() if words in one.name.lower() or words in one.email.lower()
    ]
    start, size = call.request.number("startAt", 0), call.request.number("maxResults", 50)
    return json_response([call.view.user(one) for one in found[start : start + size]])


def my_permissions(call: Call) -> Response:
    """GET /mypermissions?permissions="""
    names = call.listed("permissions")
    if not names:
        raise Wrong("The 'permissions' query parameter is required.")
    if unknown := [name for name in names if name not in _PERMISSIONS]:
        raise Wrong(f"Unrecognized permission: {unknown[0]}")
    denied = call.site.settings.denied_permissions
    told = {
        name: {
            "id": str(at),
            "key": name,
            "name": name.replace("_", " ").capitalize(),
            "type": "GLOBAL" if name in ("ADMINISTER", "BULK_CHANGE") else "PROJECT",
            "description": "",
            "havePermission": name not in denied,
        }
        for at, name in enumerate(_PERMISSIONS, 10)
        if name in names
    }
    return json_response({"permissions": told})


def _project(call: Call, id_or_key: str) -> None:
    if id_or_key not in (PROJECT_ID, call.site.settings.project_key):
        raise Wrong(f"No project could be found with key '{id_or_key}'.", status=404)


def projects(call: Call) -> Response:
    """GET /project/search"""
    keys = call.listed("keys")
    found = [call.view.project()] if not keys or call.site.settings.project_key in keys else []
    return _page(call, found)


def all_projects(call: Call) -> Response:
    """GET /project"""
    return json_response([call.view.project()])


def project(call: Call, id_or_key: str) -> Response:
    """GET /project/{id}"""
    _project(call, id_or_key)
    types = [call.view.issue_type(id_) for id_, _ in ISSUE_TYPES]
    return json_response({**call.view.project(), "description": "", "issueTypes": types})


def project_statuses(call: Call, id_or_key: str) -> Response:
    """GET /project/{id}/statuses"""
    _project(call, id_or_key)
    statuses = [call.view.status(one["name"]) for one in call.site.settings.statuses]
    kept = ("self", "id", "name", "subtask")
    types = [{name: call.view.issue_type(id_)[name] for name in kept} for id_, _ in ISSUE_TYPES]
    return json_response([{**one, "statuses": statuses} for one in types])


def issue_types(call: Call) -> Response:
    """GET /issuetype and /issuetype/project"""
    return json_response([call.view.issue_type(id_) for id_, _ in ISSUE_TYPES])


def priorities(call: Call) -> Response:
    """GET /priority"""
    return json_response([call.view.priority(one["id"]) for one in call.site.settings.priorities])


def priorities_page(call: Call) -> Response:
    """GET /priority/search"""
    return _page(call, [call.view.priority(one["id"]) for one in call.site.settings.priorities])


def resolutions(call: Call) -> Response:
    """GET /resolution"""
    return json_response([call.view.resolution(id_) for id_, _ in RESOLUTIONS])


def resolutions_page(call: Call) -> Response:
    """GET /resolution/search"""
    return _page(call, [call.view.resolution(id_) for id_, _ in RESOLUTIONS])


def statuses(call: Call) -> Response:
    """GET /status"""
    return json_response([call.view.status(one["name"]) for one in call.site.settings.statuses])


def status_categories(call: Call) -> Response:
    """GET /statuscategory"""
    found = {
        one["category"]: call.view.status(one["name"])["statusCategory"]
        for one in call.site.settings.statuses
    }
    return json_response(list(found.values()))


def labels(call: Call) -> Response:
    """GET /label"""
    return _page(call, sorted({label for one in call.site.issues.values() for label in one.labels}))


def _page(call: Call, values: Sequence[Any]) -> Response:
    start, size = call.request.number("startAt", 0), call.request.number("maxResults", 50)
    return json_response(
        {
            "self": f"{call.view.origin}{call.request.path}",
            "maxResults": size,
            "startAt": start,
            "total": len(values),
            "isLast": start + size >= len(values),
            "values": list(values[start : start + size]),
        }
    )


# --- Fields and screens ---


def fields(call: Call) -> Response:
    """GET /field"""
    return json_response(_fields(call))


def fields_page(call: Call) -> Response:
    """GET /field/search"""
    kept = ("id", "key", "name", "schema")
    found = [{name: one[name] for name in kept if name in one} for one in _fields(call)]
    return _page(call, found)


def _fields(call: Call) -> list[dict[str, Any]]:
    values = []
    for id_, name in FIELD_NAMES.items():
        values.append(_field(call, id_, name, is_custom=False))
    for one in call.site.settings.custom_fields:
        values.append(_field(call, one["id"], one["name"], is_custom=True))
    return values


def _field(call: Call, id_: str, name: str, *, is_custom: bool) -> dict[str, Any]:
    clauses = [f"cf[{id_.removeprefix('customfield_')}]", name] if is_custom else [id_]
    return {
        "id": id_,
        "key": id_,
        "name": name,
        "custom": is_custom,
        "orderable": id_ not in _NOT_ORDERABLE,
        "navigable": id_ not in ("comment", "attachment"),
        "searchable": True,
        "clauseNames": clauses,
        "schema": schema_of(call.site, id_),
    }


def create_meta_types(call: Call, id_or_key: str) -> Response:
    """GET /issue/createmeta/{project}/issuetypes"""
    _project(call, id_or_key)
    found = [call.view.issue_type(id_) for id_, _ in ISSUE_TYPES]
    return json_response({"maxResults": 50, "startAt": 0, "total": len(found), "issueTypes": found})


def create_meta_fields(call: Call, id_or_key: str, type_id: str) -> Response:
    """GET /issue/createmeta/{project}/issuetypes/{type}"""
    _project(call, id_or_key)
    if type_id not in dict(ISSUE_TYPES):
        raise Wrong(f"Issue type with id '{type_id}' does not exist.", status=404)
    found = [{"fieldId": id_, **meta} for id_, meta in _create_fields(call).items()]
    start, size = call.request.number("startAt", 0), call.request.number("maxResults", 50)
    page = found[start : start + size]
    return json_response({"maxResults": size, "startAt": start, "total": len(found), "fields": page})


def _create_fields(call: Call) -> dict[str, dict[str, Any]]:
    ids = [*_CREATE_SCREEN, *(one["id"] for one in call.site.settings.custom_fields)]
    required = ("summary", "issuetype", "project")
    return {id_: call.view.field_meta(id_, required=id_ in required) for id_ in ids}


def create_meta(call: Call) -> Response:
    """GET /issue/createmeta: the older form, which clients still use."""
    keys = call.listed("projectKeys")
    with_fields = "projects.issuetypes.fields" in call.listed("expand")
    types = [
        call.view.issue_type(id_) | ({"fields": _create_fields(call)} if with_fields else {})
        for id_, _ in ISSUE_TYPES
    ]
    wanted = not keys or call.site.settings.project_key in keys
    found = [{**call.view.project(), "issuetypes": types}] if wanted else []
    return json_response({"expand": "projects", "projects": found})


# --- Admin web hooks ---


def webhooks(call: Call) -> Response:
    """GET /rest/webhooks/1.0/webhook"""
    kept = call.site.webhook
    return json_response([_webhook(call, kept)] if kept["url"] else [])


def create_webhook(call: Call) -> Response:
    """POST /rest/webhooks/1.0/webhook; the secret is written once and never shown."""
    body = call.body()
    call.site.webhook = {
        "url": str(body.get("url") or ""),
        "secret": str(body.get("secret") or ""),
        "events": [str(one) for one in body.get("events") or events.FIRST],
    }
    return json_response(_webhook(call, call.site.webhook), 201)


def delete_webhook(call: Call, id_: str) -> Response:
    """DELETE /rest/webhooks/1.0/webhook/{id}"""
    call.site.webhook = {"url": "", "secret": "", "events": []}
    return empty()


def _webhook(call: Call, kept: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "Concord",
        "url": kept["url"],
        "events": kept["events"],
        "enabled": True,
        "self": f"{call.view.origin}/rest/webhooks/1.0/webhook/1",
    }


ROUTES = (
    ("GET", "/serverInfo", server_info),
    ("GET", "/myself", myself),
    ("GET", "/user", user),
    ("GET", "/user/search", users),
    ("GET", "/user/assignable/search", users),
    ("GET", "/mypermissions", my_permissions),
    ("GET", "/project", all_projects),
    ("GET", "/project/search", projects),
    ("GET", "/project/{id}", project),
    ("GET", "/project/{id}/statuses", project_statuses),
    ("GET", "/issuetype", issue_types),
    ("GET", "/issuetype/project", issue_types),
    ("GET", "/priority", priorities),
    ("GET", "/priority/search", priorities_page),
    ("GET", "/resolution", resolutions),
    ("GET", "/resolution/search", resolutions_page),
    ("GET", "/status", statuses),
    ("GET", "/statuscategory", status_categories),
    ("GET", "/label", labels),
    ("GET", "/field", fields),
    ("GET", "/field/search", fields_page),
    ("GET", "/issue/createmeta", create_meta),
    ("GET", "/issue/createmeta/{project}/issuetypes", create_meta_types),
    ("GET", "/issue/createmeta/{project}/issuetypes/{type}", create_meta_fields),
)
WEBHOOK_ROUTES = (
    ("GET", "/webhook", webhooks),
    ("POST", "/webhook", create_webhook),
    ("DELETE", "/webhook/{id}", delete_webhook),
)
