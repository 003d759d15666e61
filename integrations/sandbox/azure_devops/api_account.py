"""Azure DevOps' endpoints about the organisation: who we are, projects, teams and their members.

https://learn.microsoft.com/rest/api/azure/devops/core
"""

from __future__ import annotations

from typing import Any

from integrations.sandbox.azure_devops import errors, locations
from integrations.sandbox.azure_devops.context import Call
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.wire import Response, json_response

_LONG_AGO = "2024-01-01T00:00:00Z"


def resource_areas(call: Call) -> Response:
    """GET /resourceAreas: here, everything is at the organisation's own address."""
    return json_response(call.view.collection(_area(call, *one) for one in locations.AREAS))


def resource_area(call: Call, id_: str) -> Response:
    """GET /resourceAreas/{areaId}"""
    found = next((one for one in locations.AREAS if one[0] == id_.lower()), None)
    return json_response(_area(call, *found) if found else None)


def _area(call: Call, id_: str, name: str) -> dict[str, Any]:
    return {"id": id_, "name": name, "locationUrl": f"{call.view.base}/"}


def connection_data(call: Call) -> Response:
    """GET /connectionData: whose token this is."""
    person = call.organization.api_user
    value = {
        "id": person.id,
        "descriptor": f"Microsoft.IdentityModel.Claims.ClaimsIdentity;{person.email}",
        "subjectDescriptor": person.descriptor,
        "providerDisplayName": person.name,
        "isActive": True,
        "properties": {"Account": {"$type": "System.String", "$value": person.email}},
        "resourceVersion": 2,
        "metaTypeId": 0,
    }
    return json_response(
        {
            "authenticatedUser": value,
            "authorizedUser": value,
            "instanceId": call.organization.id,
            "deploymentId": call.organization.id,
            "deploymentType": "hosted",
            "locationServiceData": {
                "serviceOwner": "00025394-6065-48ca-87d9-7f5672854ef7",
                "defaultAccessMappingMoniker": "HostGuidAccessMapping",
                "lastChangeId": 1,
                "lastChangeId64": 1,
            },
        }
    )


def profile(call: Call, id_: str) -> Response:
    """GET /profile/profiles/{id}"""
    person = call.organization.api_user if id_ == "me" else call.organization.people.get(id_)
    if person is None:
        raise Wrong(
            f"Could not find profile {id_}.", "ProfileDoesNotExistException", 404, space=errors.WEB_API
        )
    return json_response(
        {
            "displayName": person.name,
            "publicAlias": person.id,
            "emailAddress": person.email,
            "coreRevision": 1,
            "timeStamp": _LONG_AGO,
            "id": person.id,
            "revision": 1,
        }
    )


# --- Projects and teams ---


def projects(call: Call) -> Response:
    """GET /projects"""
    return json_response(call.view.collection([_project(call)]))


def project(call: Call, id_: str) -> Response:
    """GET /projects/{projectId}"""
    _check_project(call, id_)
    value = _project(call)
    if call.flag("includeCapabilities"):
        value["capabilities"] = {
            "processTemplate": {"templateName": call.organization.settings.process},
            "versioncontrol": {"sourceControlType": "Git"},
        }
    value["defaultTeam"] = {name: _team(call)[name] for name in ("id", "name", "url")}
    return json_response(value)


def _check_project(call: Call, id_: str) -> None:
    if id_.lower() not in (call.organization.project_id, call.organization.settings.project.lower()):
        raise errors.no_project(id_)


def _project(call: Call) -> dict[str, Any]:
    return {
        "id": call.organization.project_id,
        "name": call.organization.settings.project,
        "url": f"{call.view.base}/_apis/projects/{call.organization.project_id}",
        "state": "wellFormed",
        "revision": 11,
        "visibility": "private",
        "lastUpdateTime": _LONG_AGO,
    }


def _team(call: Call) -> dict[str, Any]:
    name = f"{call.organization.settings.project} Team"
    return {
        "id": call.organization.team_id,
        "name": name,
        "url": f"{call.view.base}/_apis/projects/{call.organization.project_id}/teams/{call.organization.team_id}",
        "description": "The default project team.",
        "identityUrl": f"{call.view.origin}/_apis/Identities/{call.organization.team_id}",
        "projectName": call.organization.settings.project,
        "projectId": call.organization.project_id,
    }


def teams(call: Call, id_: str = "") -> Response:
    """GET /teams and GET /projects/{projectId}/teams"""
    if id_:
        _check_project(call, id_)
    return json_response(call.view.collection([_team(call)]))


def team(call: Call, id_: str, team_id: str) -> Response:
    """GET /projects/{projectId}/teams/{teamId}"""
    _check_project(call, id_)
    _check_team(call, team_id)
    return json_response(_team(call))


def _check_team(call: Call, id_: str) -> None:
    if id_.lower() not in (call.organization.team_id, f"{call.organization.settings.project} Team".lower()):
        message = f"The team with id '{id_}' does not exist."
        raise Wrong(message, "TeamNotFoundException", 404, space=errors.CORE, event=3000)


def members(call: Call, id_: str, team_id: str) -> Response:
    """GET /projects/{projectId}/teams/{teamId}/members: those who have left are not among them."""
    _check_project(call, id_)
    _check_team(call, team_id)
    found = [one for one in call.organization.people.values() if one.is_active]
    start, size = call.request.number("$skip", 0), call.request.number("$top", 100)
    told = [{"identity": call.view.identity(one)} for one in found[start : start + size]]
    return json_response(call.view.collection(told))


ROUTES = (
    ("GET", "/resourceareas", resource_areas),
    ("GET", "/resourceareas/{areaId}", resource_area),
    ("GET", "/connectiondata", connection_data),
    ("GET", "/profile/profiles/{id}", profile),
    ("GET", "/projects", projects),
    ("GET", "/projects/{projectId}", project),
    ("GET", "/projects/{projectId}/teams", teams),
    ("GET", "/projects/{projectId}/teams/{teamId}", team),
    ("GET", "/projects/{projectId}/teams/{teamId}/members", members),
    ("GET", "/teams", teams),
)
