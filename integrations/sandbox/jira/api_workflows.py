"""Jira's plan of a workflow, which only administrators may read.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-workflows/#api-rest-api-3-workflows-post
"""

from __future__ import annotations

import uuid
from typing import Any

from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import ISSUE_TYPES, PROJECT_ID
from integrations.sandbox.wire import Response, json_response

# Jira writes the categories in capitals here, and in small letters and other words elsewhere.
CATEGORIES = {"new": "TODO", "indeterminate": "IN_PROGRESS", "done": "DONE"}
NAME = "Incident workflow"


def workflows(call: Call) -> Response:
    """POST /workflows: the workflows of pairs of a project and an issue type; every type has the same one here."""
    if "ADMINISTER" in call.site.settings.denied_permissions:
        raise Wrong("You must have the 'Administer Jira' permission to perform this operation.", status=403)
    pairs = call.body().get("projectAndIssueTypes")
    types = {id_ for id_, _ in ISSUE_TYPES}
    for pair in pairs if isinstance(pairs, list) else []:
        if str(pair.get("projectId")) != PROJECT_ID or str(pair.get("issueTypeId")) not in types:
            raise Wrong("The project or the issue type was not found.")
    found = [_workflow(call)] if pairs else []
    return json_response({"statuses": _statuses(call) if found else [], "workflows": found})


def _reference(name: str) -> str:
    """What the answer calls a status by; it means nothing elsewhere."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _statuses(call: Call) -> list[dict[str, Any]]:
    return [
        {
            "id": one["id"],
            "statusReference": _reference(one["name"]),
            "name": one["name"],
            "statusCategory": CATEGORIES[one["category"]],
            "description": "",
            "scope": {"type": "GLOBAL"},
        }
        for one in call.site.settings.statuses
    ]


def _workflow(call: Call) -> dict[str, Any]:
    settings = call.site.settings
    first = {
        "id": "1",
        "name": "Create",
        "type": "INITIAL",
        "toStatusReference": _reference(settings.statuses[0]["name"]),
        "links": [],
    }
    steps = [
        {
            "id": one["id"],
            "name": one["name"],
            "type": "DIRECTED",
            "toStatusReference": _reference(one["to"]),
            "links": [
                {"fromStatusReference": _reference(start), "fromPort": 0, "toPort": 0}
                for start in one["from"]
            ],
        }
        for one in settings.transitions
    ]
    rest = {"description": "", "actions": [], "validators": [], "triggers": [], "properties": {}}
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, NAME)),
        "name": NAME,
        "description": "",
        "isEditable": True,
        "scope": {"type": "GLOBAL"},
        "version": {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, NAME + "1")), "versionNumber": 1},
        "statuses": [
            {"statusReference": _reference(one["name"]), "properties": {}} for one in settings.statuses
        ],
        "transitions": [{**one, **rest} for one in (first, *steps)],
    }


ROUTES = (("POST", "/workflows", workflows),)
