"""The names and JSON types of Jira's fields."""

from __future__ import annotations

from typing import Any

from integrations.sandbox.jira.state import Site

FIELD_NAMES = {
    "summary": "Summary",
    "description": "Description",
    "environment": "Environment",
    "issuetype": "Issue Type",
    "project": "Project",
    "status": "Status",
    "statuscategorychangedate": "Status Category Changed",
    "priority": "Priority",
    "resolution": "Resolution",
    "resolutiondate": "Resolved",
    "assignee": "Assignee",
    "reporter": "Reporter",
    "creator": "Creator",
    "labels": "Labels",
    "duedate": "Due date",
    "created": "Created",
    "updated": "Updated",
    "attachment": "Attachment",
    "comment": "Comment",
}


_SCHEMAS = {
    "summary": "string",
    "description": "string",
    "environment": "string",
    "issuetype": "issuetype",
    "project": "project",
    "status": "status",
    "statuscategorychangedate": "datetime",
    "priority": "priority",
    "resolution": "resolution",
    "resolutiondate": "datetime",
    "assignee": "user",
    "reporter": "user",
    "creator": "user",
    "duedate": "date",
    "created": "datetime",
    "updated": "datetime",
    "comment": "comments-page",
}


_CUSTOM_TYPES = {
    "select": ("option", "select"),
    "text": ("string", "textfield"),
    "rich_text": ("string", "textarea"),
    "number": ("number", "float"),
}


def schema_of(site: Site, name: str) -> dict[str, Any]:
    """The JSON type of a field."""
    if name == "labels":
        return {"type": "array", "items": "string", "system": "labels"}
    if name == "attachment":
        return {"type": "array", "items": "attachment", "system": "attachment"}
    if name in _SCHEMAS:
        return {"type": _SCHEMAS[name], "system": name}
    custom = next((one for one in site.settings.custom_fields if one["id"] == name), {"type": "text"})
    type_, plugin = _CUSTOM_TYPES[custom["type"]]
    return {
        "type": type_,
        "custom": f"com.atlassian.jira.plugin.system.customfieldtypes:{plugin}",
        "customId": int(name.removeprefix("customfield_")),
    }


def field_name(site: Site, id_: str) -> str:
    """What people call a field."""
    if id_ in FIELD_NAMES:
        return FIELD_NAMES[id_]
    return next((str(one["name"]) for one in site.settings.custom_fields if one["id"] == id_), id_)
