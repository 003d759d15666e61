"""Azure DevOps' endpoints about the process: work item types, their fields and states, areas, iterations, tags.

https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-types
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

from integrations.sandbox.azure_devops import errors, rules
from integrations.sandbox.azure_devops.context import Call
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.process import ItemType, State
from integrations.sandbox.azure_devops.schema import Field
from integrations.sandbox.azure_devops.views import LINK_NAMES, node_id
from integrations.sandbox.wire import Response, json_response

_NODES = uuid.UUID("0d4fe52a-2f4b-4f2a-8f2e-6e6f5c6f9b11")
_PICKLISTS = {"picklistString": "string", "picklistInteger": "integer", "identity": "string"}


def _type(call: Call, name: str) -> ItemType:
    found = call.organization.schema.type(name)
    if found is None:
        raise errors.no_type(name, call.organization.settings.project)
    return found


# --- Types ---


def types(call: Call) -> Response:
    """GET /wit/workitemtypes"""
    return json_response(
        call.view.collection(_type_value(call, one) for one in call.organization.schema.types)
    )


def type_(call: Call, name: str) -> Response:
    """GET /wit/workitemtypes/{type}"""
    return json_response(_type_value(call, _type(call, name)))


def _type_value(call: Call, one: ItemType) -> dict[str, Any]:
    instances = [_instance(call, one, field) for field in call.organization.schema.fields_of(one)]
    return {
        "name": one.name,
        "referenceName": one.reference,
        "description": "",
        "color": one.color,
        "icon": {
            "id": "icon_clipboard",
            "url": f"{call.view.base}/_apis/wit/workItemIcons/icon_clipboard?color={one.color}&v=2",
        },
        "isDisabled": False,
        "xmlForm": "",
        "fields": instances,
        "fieldInstances": instances,
        "transitions": _transitions(call, one),
        "states": [_state_value(state) for state in one.states],
        "_links": {"self": {"href": call.view.type_url(one)}},
        "url": call.view.type_url(one),
    }


def _state_value(one: State) -> dict[str, Any]:
    return {"name": one.name, "color": one.color, "category": one.category}


def _transitions(call: Call, one: ItemType) -> dict[str, list[dict[str, Any]]]:
    """From each state to itself and all others, except where a rule forbids it; from nothing to the first."""
    blocked = {
        (rule["from"], rule["to"])
        for rule in call.organization.settings.blocked_transitions
        if rule["type"] == one.name
    }
    found = {"": [{"to": one.states[0].name, "actions": None}]}
    for before in one.states:
        found[before.name] = [
            {"to": after.name, "actions": None}
            for after in one.states
            if (before.name, after.name) not in blocked
        ]
    return found


def type_fields(call: Call, name: str) -> Response:
    """GET /wit/workitemtypes/{type}/fields"""
    one = _type(call, name)
    found = call.organization.schema.fields_of(one)
    return json_response(call.view.collection(_instance(call, one, field, call.expand()) for field in found))


def type_field(call: Call, name: str, field_name: str) -> Response:
    """GET /wit/workitemtypes/{type}/fields/{field}"""
    one = _type(call, name)
    field = call.organization.schema.find(field_name)
    if field is None or not call.organization.schema.has(one, field):
        raise errors.no_field(field_name)
    return json_response(_instance(call, one, field, call.expand()))


def _instance(call: Call, one: ItemType, field: Field, expand: str = "none") -> dict[str, Any]:
    always = rules.required_in(call.organization, one, "")
    value: dict[str, Any] = {
        **call.view.field_reference(field),
        "alwaysRequired": field.reference in ("System.Title", "System.State", *always),
        "helpText": None,
        "defaultValue": None if field.default is None else str(field.default),
        "dependentFields": [],
    }
    if field.reference == "System.State":
        value["defaultValue"] = one.states[0].name
    if expand in ("allowedvalues", "all"):
        value["allowedValues"] = _allowed(call, one, field)
    return {name: one for name, one in value.items() if one is not None or name == "defaultValue"}


def _allowed(call: Call, one: ItemType, field: Field) -> list[Any]:
    if field.reference == "System.State":
        return [state.name for state in one.states]
    if field.reference == "System.Reason":
        return sorted({reason for found in one.reasons.values() for reason in found})
    if field.is_identity and not field.read_only:
        return [
            call.view.identity(person) for person in call.organization.people.values() if person.is_active
        ]
    return [str(value) for value in field.values]


def states(call: Call, name: str) -> Response:
    """GET /wit/workitemtypes/{type}/states"""
    return json_response(call.view.collection(_state_value(one) for one in _type(call, name).states))


def categories(call: Call) -> Response:
    """GET /wit/workitemtypecategories"""
    names = {
        "Microsoft.BugCategory": ("Bug Category", ("Bug",)),
        "Microsoft.RequirementCategory": ("Requirement Category", ("User Story", "Issue")),
        "Microsoft.TaskCategory": ("Task Category", ("Task",)),
    }
    found = []
    for reference, (name, wanted) in names.items():
        members = [one for one in call.organization.schema.types if one.name in wanted]
        if members:
            told = [{"name": one.name, "url": call.view.type_url(one)} for one in members]
            url = f"{call.view.project_base}/_apis/wit/workItemTypeCategories/{reference}"
            found.append(
                {
                    "name": name,
                    "referenceName": reference,
                    "defaultWorkItemType": told[0],
                    "workItemTypes": told,
                    "url": url,
                }
            )
    return json_response(call.view.collection(found))


# --- Fields ---


def fields(call: Call) -> Response:
    """GET /wit/fields"""
    return json_response(
        call.view.collection(_field_value(call, one) for one in call.organization.schema.fields.values())
    )


def field(call: Call, name: str) -> Response:
    """GET /wit/fields/{fieldNameOrRefName}"""
    found = call.organization.schema.find(name)
    if found is None:
        raise Wrong(
            f"TF51535: Cannot find field {name}.", "WorkItemTrackingFieldDefinitionNotFoundException", 404
        )
    return json_response(_field_value(call, found))


def _field_value(call: Call, one: Field) -> dict[str, Any]:
    is_picklist = one.type.startswith("picklist")
    value: dict[str, Any] = {
        "name": one.name,
        "referenceName": one.reference,
        "description": None,
        "type": _PICKLISTS.get(one.type, one.type),
        "usage": "workItem",
        "readOnly": one.read_only,
        "canSortBy": one.type not in ("html", "history", "plainText"),
        "isQueryable": True,
        "supportedOperations": [
            {"referenceName": "SupportedOperations.Equals", "name": "="},
            {"referenceName": "SupportedOperations.NotEquals", "name": "<>"},
        ],
        "isIdentity": one.is_identity,
        "isPicklist": is_picklist,
        "isPicklistSuggested": False,
        "isLocked": False,
        "url": f"{call.view.base}/_apis/wit/fields/{one.reference}",
    }
    if is_picklist:
        value["picklistId"] = str(uuid.uuid5(_NODES, one.reference))
    del value["description"]
    return value


# --- Areas, iterations, tags, kinds of links ---


def nodes(call: Call) -> Response:
    """GET /wit/classificationnodes: both roots, or the nodes in ?ids="""
    roots = [_root(call, "area"), _root(call, "iteration")]
    if wanted := call.listed("ids"):
        every = [node for root in roots for node in (root, *root["children"])]
        found = [_shallow(one) for one in every if str(one["id"]) in wanted]
        return json_response(call.view.collection(found))
    deep = call.request.number("$depth", 0) > 0
    return json_response(call.view.collection(one if deep else _shallow(one) for one in roots))


def node(call: Call, group: str, *path: str) -> Response:
    """GET /wit/classificationnodes/{structureGroup}/{path}"""
    kind = {"areas": "area", "iterations": "iteration"}.get(group.lower())
    found = _root(call, kind) if kind else None
    if found is not None and path:
        found = next((one for one in found["children"] if one["name"].lower() == path[0].lower()), None)
    if found is None or len(path) > 1:
        message = f"The classification node {'/'.join((group, *path))} does not exist."
        raise Wrong(message, "WorkItemTrackingTreeNodeNotFoundException", 404)
    deep = call.request.number("$depth", 0) > 0
    return json_response(found if deep or "children" not in found else _shallow(found))


def _shallow(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "children"}


def _root(call: Call, kind: str) -> dict[str, Any]:
    settings = call.organization.settings
    below = settings.areas if kind == "area" else settings.iterations
    root = _node(call, kind, "")
    return root | {"hasChildren": bool(below), "children": [_node(call, kind, name) for name in below]}


def _node(call: Call, kind: str, name: str) -> dict[str, Any]:
    project, group = call.organization.settings.project, kind.capitalize()
    root = f"{call.view.project_base}/_apis/wit/classificationNodes/{group}s"
    url = f"{root}/{quote(name)}" if name else root
    path = f"{project}\\{name}" if name else project
    return {
        "id": node_id(call.organization, kind, path),
        "identifier": str(uuid.uuid5(_NODES, f"{kind} {path}")),
        "name": name or project,
        "structureType": kind,
        "hasChildren": False,
        "path": f"\\{project}\\{group}" + (f"\\{name}" if name else ""),
        "_links": {"self": {"href": url}, **({"parent": {"href": root}} if name else {})},
        "url": url,
    }


def tags(call: Call) -> Response:
    """GET /wit/tags"""
    names: dict[str, str] = {}
    for item in call.organization.items.values():
        for one in str(item.fields.get("System.Tags", "")).split("; "):
            if one:
                names.setdefault(one.lower(), one)
    found = []
    for name in sorted(names.values(), key=str.lower):
        id_ = str(uuid.uuid5(_NODES, f"tag {name.lower()}"))
        found.append({"id": id_, "name": name, "url": f"{call.view.project_base}/_apis/wit/tags/{id_}"})
    return json_response(call.view.collection(found))


def relation_types(call: Call) -> Response:
    """GET /wit/workitemrelationtypes"""
    resources = {"AttachedFile": "Attached File", "Hyperlink": "Hyperlink", "ArtifactLink": "Artifact Link"}
    found = [
        {
            "referenceName": reference,
            "name": name,
            "attributes": {
                "usage": "resourceLink" if reference in resources else "workItemLink",
                "editable": False,
                "enabled": True,
            },
            "url": f"{call.view.base}/_apis/wit/workItemRelationTypes/{reference}",
        }
        for reference, name in {**LINK_NAMES, **resources}.items()
    ]
    return json_response(call.view.collection(found))


ROUTES = (
    ("GET", "/wit/workitemtypes", types),
    ("GET", "/wit/workitemtypes/{type}", type_),
    ("GET", "/wit/workitemtypes/{type}/fields", type_fields),
    ("GET", "/wit/workitemtypes/{type}/fields/{field}", type_field),
    ("GET", "/wit/workitemtypes/{type}/states", states),
    ("GET", "/wit/workitemtypecategories", categories),
    ("GET", "/wit/fields", fields),
    ("GET", "/wit/fields/{fieldNameOrRefName}", field),
    ("GET", "/wit/classificationnodes", nodes),
    ("GET", "/wit/classificationnodes/{structureGroup}", node),
    ("GET", "/wit/classificationnodes/{structureGroup}/{path}", node),
    ("GET", "/wit/classificationnodes/{structureGroup}/{path}/{path}", node),
    ("GET", "/wit/tags", tags),
    ("GET", "/wit/workitemrelationtypes", relation_types),
)
