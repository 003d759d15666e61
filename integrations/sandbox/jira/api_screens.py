"""Jira's fields and the screens they stand on.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-fields/
"""

from __future__ import annotations

from typing import Any

from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.paging import page_of
from integrations.sandbox.jira.schema import FIELD_NAMES, schema_of
from integrations.sandbox.jira.screens import field_meta
from integrations.sandbox.jira.state import ISSUE_TYPES
from integrations.sandbox.wire import Response, json_response

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


def fields(call: Call) -> Response:
    """GET /field"""
    return json_response(_fields(call))


def fields_page(call: Call) -> Response:
    """GET /field/search"""
    kept = ("id", "key", "name", "schema")
    found = [{name: one[name] for name in kept if name in one} for one in _fields(call)]
    return page_of(call, found)


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
    call.check_project(id_or_key)
    found = [call.view.issue_type(id_) for id_, _ in ISSUE_TYPES]
    return json_response({"maxResults": 50, "startAt": 0, "total": len(found), "issueTypes": found})


def create_meta_fields(call: Call, id_or_key: str, type_id: str) -> Response:
    """GET /issue/createmeta/{project}/issuetypes/{type}"""
    call.check_project(id_or_key)
    if type_id not in dict(ISSUE_TYPES):
        raise Wrong(f"Issue type with id '{type_id}' does not exist.", status=404)
    found = [{"fieldId": id_, **meta} for id_, meta in _create_fields(call).items()]
    start, size = call.request.number("startAt", 0), call.request.number("maxResults", 50)
    page = found[start : start + size]
    return json_response({"maxResults": size, "startAt": start, "total": len(found), "fields": page})


def _create_fields(call: Call) -> dict[str, dict[str, Any]]:
    ids = [*_CREATE_SCREEN, *(one["id"] for one in call.site.settings.custom_fields)]
    required = ("summary", "issuetype", "project")
    return {id_: field_meta(call.view, id_, required=id_ in required) for id_ in ids}


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


def edit_meta(call: Call, id_: str) -> Response:
    """GET /issue/{id}/editmeta"""
    call.issue(id_)
    names = ["summary", "description", "priority", "assignee", "labels", "duedate"]
    names += [one["id"] for one in call.site.settings.custom_fields]
    return json_response(
        {"fields": {name: field_meta(call.view, name, required=name == "summary") for name in names}}
    )


ROUTES = (
    ("GET", "/issue/{id}/editmeta", edit_meta),
    ("GET", "/field", fields),
    ("GET", "/field/search", fields_page),
    ("GET", "/issue/createmeta", create_meta),
    ("GET", "/issue/createmeta/{project}/issuetypes", create_meta_types),
    ("GET", "/issue/createmeta/{project}/issuetypes/{type}", create_meta_fields),
)
