"""Jira's endpoints about the site: the server, people, the project, priorities, statuses."""

from __future__ import annotations

from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.paging import page_of
from integrations.sandbox.jira.state import ISSUE_TYPES, RESOLUTIONS
from integrations.sandbox.wire import Response, json_response

_PERMISSIONS = (
    "BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "DELETE_ISSUES", "TRANSITION_ISSUES", "ASSIGN_ISSUES",
    "RESOLVE_ISSUES", "ADD_COMMENTS", "EDIT_OWN_COMMENTS", "EDIT_ALL_COMMENTS", "CREATE_ATTACHMENTS", "LINK_ISSUES",
    "MODIFY_REPORTER", "ADMINISTER", "ADMINISTER_PROJECTS", "BULK_CHANGE",
)  # fmt: skip


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
    if key := call.request.one("projectKey"):
        call.check_project(key)
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


def projects(call: Call) -> Response:
    """GET /project/search"""
    keys = call.listed("keys")
    found = [call.view.project()] if not keys or call.site.settings.project_key in keys else []
    return page_of(call, found)


def all_projects(call: Call) -> Response:
    """GET /project"""
    return json_response([call.view.project()])


def project(call: Call, id_or_key: str) -> Response:
    """GET /project/{id}"""
    call.check_project(id_or_key)
    types = [call.view.issue_type(id_) for id_, _ in ISSUE_TYPES]
    return json_response({**call.view.project(), "description": "", "issueTypes": types})


def project_statuses(call: Call, id_or_key: str) -> Response:
    """GET /project/{id}/statuses"""
    call.check_project(id_or_key)
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
    return page_of(call, [call.view.priority(one["id"]) for one in call.site.settings.priorities])


def resolutions(call: Call) -> Response:
    """GET /resolution"""
    return json_response([call.view.resolution(id_) for id_, _ in RESOLUTIONS])


def resolutions_page(call: Call) -> Response:
    """GET /resolution/search"""
    return page_of(call, [call.view.resolution(id_) for id_, _ in RESOLUTIONS])


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
    return page_of(call, sorted({label for one in call.site.issues.values() for label in one.labels}))


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
)
