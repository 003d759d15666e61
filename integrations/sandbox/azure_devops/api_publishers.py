"""Azure DevOps' service hook endpoints that tell what there is: publishers with their events, and consumers.

https://learn.microsoft.com/rest/api/azure/devops/hooks
"""

from __future__ import annotations

from typing import Any

from integrations.sandbox.azure_devops import errors, events
from integrations.sandbox.azure_devops.context import Call
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.wire import Response, json_response

VERSIONS = ("1.0", "2.0", "3.1-preview.3", "5.1-preview.3")
SECRET = ("basicAuthPassword", "httpHeaders")
_NAMES = {
    events.CREATED: "Work item created",
    events.UPDATED: "Work item updated",
    events.COMMENTED: "Work item commented on",
    events.DELETED: "Work item deleted",
    events.RESTORED: "Work item restored",
}
_PUBLISHER_INPUTS = ("projectId", "areaPath", "workItemType", "tag", "linksChanged")
_CONSUMER_INPUTS = (
    "url",
    "acceptUntrustedCerts",
    "httpHeaders",
    "basicAuthUsername",
    "basicAuthPassword",
    "resourceDetailsToSend",
    "messagesToSend",
    "detailedMessagesToSend",
)


def publishers(call: Call) -> Response:
    """GET /hooks/publishers"""
    return json_response(call.view.collection([_publisher(call)]))


def publisher(call: Call, id_: str) -> Response:
    """GET /hooks/publishers/{publisherId}"""
    _check_publisher(id_)
    return json_response(_publisher(call))


def publishers_query(call: Call) -> Response:
    """POST /hooks/publishersquery"""
    body = call.body()
    wanted = body.get("publisherIds") or ["tfs"]
    return json_response({**body, "results": [_publisher(call)] if "tfs" in wanted else []})


def _check_publisher(id_: str) -> None:
    if id_ != "tfs":
        raise Wrong(
            f"The publisher '{id_}' does not exist.", "PublisherNotFoundException", 404, space=errors.HOOKS
        )


def _publisher(call: Call) -> dict[str, Any]:
    return {
        "id": "tfs",
        "name": "Azure DevOps Services",
        "description": "Publishes Azure DevOps events",
        "url": f"{call.view.base}/_apis/hooks/publishers/tfs",
        "supportedEvents": [_event_type(call, kind) for kind in events.ALL],
        "inputDescriptors": [_input("projectId")],
    }


def event_types(call: Call, id_: str) -> Response:
    """GET /hooks/publishers/{publisherId}/eventtypes"""
    _check_publisher(id_)
    return json_response(call.view.collection(_event_type(call, kind) for kind in events.ALL))


def event_type(call: Call, id_: str, kind: str) -> Response:
    """GET /hooks/publishers/{publisherId}/eventtypes/{eventTypeId}"""
    _check_publisher(id_)
    if kind not in events.ALL:
        raise Wrong(
            f"The event type '{kind}' does not exist.", "EventTypeNotFoundException", 404, space=errors.HOOKS
        )
    return json_response(_event_type(call, kind))


def _event_type(call: Call, kind: str) -> dict[str, Any]:
    more = {events.UPDATED: ("changedFields",), events.COMMENTED: ("commentPattern",)}.get(kind, ())
    return {
        "publisherId": "tfs",
        "id": kind,
        "url": f"{call.view.base}/_apis/hooks/publishers/tfs/eventTypes/{kind}",
        "name": _NAMES[kind],
        "description": _NAMES[kind],
        "supportedResourceVersions": list(VERSIONS),
        "inputDescriptors": [_input(name) for name in (*_PUBLISHER_INPUTS, *more)],
    }


def _input(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "inputMode": "passwordBox" if name == "basicAuthPassword" else "textBox",
        "isConfidential": name in SECRET,
        "useInDefaultDescription": False,
        "validation": {"dataType": "string", "isRequired": name == "url"},
        "hasDynamicValueInformation": False,
    }


def consumers(call: Call) -> Response:
    """GET /hooks/consumers"""
    return json_response(call.view.collection([_consumer(call)]))


def consumer(call: Call, id_: str) -> Response:
    """GET /hooks/consumers/{consumerId}"""
    _check_consumer(id_)
    return json_response(_consumer(call))


def actions(call: Call, id_: str) -> Response:
    """GET /hooks/consumers/{consumerId}/actions"""
    _check_consumer(id_)
    return json_response(call.view.collection(_consumer(call)["actions"]))


def action(call: Call, id_: str, action_id: str) -> Response:
    """GET /hooks/consumers/{consumerId}/actions/{consumerActionId}"""
    _check_consumer(id_)
    if action_id != "httpRequest":
        raise Wrong(
            f"The action '{action_id}' does not exist.",
            "ConsumerActionNotFoundException",
            404,
            space=errors.HOOKS,
        )
    return json_response(_consumer(call)["actions"][0])


def _check_consumer(id_: str) -> None:
    if id_ != "webHooks":
        raise Wrong(
            f"The consumer '{id_}' does not exist.", "ConsumerNotFoundException", 404, space=errors.HOOKS
        )


def _consumer(call: Call) -> dict[str, Any]:
    url = f"{call.view.base}/_apis/hooks/consumers/webHooks"
    return {
        "id": "webHooks",
        "url": url,
        "name": "Web Hooks",
        "description": "Provides event communication via HTTP.",
        "informationUrl": "https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks",
        "authenticationType": "none",
        "inputDescriptors": [],
        "actions": [
            {
                "id": "httpRequest",
                "consumerId": "webHooks",
                "url": f"{url}/actions/httpRequest",
                "name": "Post via HTTP",
                "description": "This action posts a JSON object representation of the event to the specified URL.",
                "supportedEventTypes": ["*"],
                "inputDescriptors": [_input(name) for name in _CONSUMER_INPUTS],
                "supportedResourceVersions": {},
                "allowResourceVersionOverride": True,
            }
        ],
    }


ROUTES = (
    ("GET", "/hooks/publishers", publishers),
    ("GET", "/hooks/publishers/{publisherId}", publisher),
    ("POST", "/hooks/publishersquery", publishers_query),
    ("GET", "/hooks/publishers/{publisherId}/eventtypes", event_types),
    ("GET", "/hooks/publishers/{publisherId}/eventtypes/{eventTypeId}", event_type),
    ("GET", "/hooks/consumers", consumers),
    ("GET", "/hooks/consumers/{consumerId}", consumer),
    ("GET", "/hooks/consumers/{consumerId}/actions", actions),
    ("GET", "/hooks/consumers/{consumerId}/actions/{consumerActionId}", action),
)
