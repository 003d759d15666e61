"""Azure DevOps' service hook endpoints: subscriptions and their deliveries.

https://learn.microsoft.com/rest/api/azure/devops/hooks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from integrations.sandbox.azure_devops import errors, events
from integrations.sandbox.azure_devops.api_publishers import SECRET, VERSIONS
from integrations.sandbox.azure_devops.context import Call
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.events import Event
from integrations.sandbox.azure_devops.state import Notification, Subscription
from integrations.sandbox.azure_devops.views import time_text
from integrations.sandbox.wire import Response, empty, json_response

MASK = "********"


def refused(message: str, status: int = 400) -> Wrong:
    """A refusal of the service hooks service."""
    key = "SubscriptionInputException" if status == 400 else "SubscriptionNotFoundException"
    return Wrong(message, key, status, space=errors.HOOKS, event=4501)


def _check(call: Call) -> None:
    call.check_right("hooks", "Edit subscription")


# --- Subscriptions ---


def create(call: Call) -> Response:
    """POST /hooks/subscriptions"""
    _check(call)
    at = int(call.now.timestamp() * 1000)
    person = call.organization.api_user
    one = Subscription(call.organization.next_guid("subscription"), "", "", {}, {}, person, at, at)
    _take(call, one, call.body())
    call.organization.subscriptions[one.id] = one
    return json_response(value_of(call, one))


def _take(call: Call, one: Subscription, body: Mapping[str, Any]) -> None:
    """Check what was sent and put it into the subscription."""
    kind = body.get("eventType")
    if body.get("publisherId") != "tfs":
        raise refused(f"The publisher '{body.get('publisherId')}' does not exist.")
    if kind not in events.ALL:
        raise refused(f"The event type '{kind}' is not supported by publisher 'tfs'.")
    if (body.get("consumerId"), body.get("consumerActionId")) != ("webHooks", "httpRequest"):
        raise refused("The consumer and action are not available here; there are webHooks and httpRequest.")
    publisher = {str(k): str(v) for k, v in (body.get("publisherInputs") or {}).items() if v is not None}
    consumer = {str(k): str(v) for k, v in (body.get("consumerInputs") or {}).items() if v is not None}
    for name in SECRET:
        # Whoever reads a subscription and writes it back sends the mask: that keeps the secret.
        if consumer.get(name) == MASK:
            consumer[name] = one.consumer_inputs.get(name, "")
    parts = urlsplit(consumer.get("url", ""))
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise refused("The value for input 'url' is not a valid URI.")
    project = publisher.get("projectId", "")
    if project and project != call.organization.project_id:
        raise refused(f"The project '{project}' does not exist.")
    if (version := str(body.get("resourceVersion") or "1.0")) not in VERSIONS:
        raise refused(f"The resource version '{version}' is not supported by event type '{kind}'.")
    one.event_type, one.resource_version = str(kind), version
    one.publisher_inputs = {"tfsSubscriptionId": one.id, **publisher}
    one.consumer_inputs = consumer


def value_of(call: Call, one: Subscription) -> dict[str, Any]:
    """A subscription without its secrets."""
    url = f"{call.view.base}/_apis/hooks/subscriptions/{one.id}"
    person = call.view.identity(one.created_by)
    return {
        "id": one.id,
        "url": url,
        "status": one.status,
        "publisherId": "tfs",
        "eventType": one.event_type,
        "subscriber": None,
        "resourceVersion": one.resource_version,
        "eventDescription": one.publisher_inputs.get("workItemType") or "Any work item type",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "actionDescription": "To host " + urlsplit(one.consumer_inputs["url"]).netloc,
        "probationRetries": str(one.probation),
        "createdBy": person,
        "createdDate": time_text(one.created),
        "modifiedBy": person,
        "modifiedDate": time_text(one.modified),
        "publisherInputs": one.publisher_inputs,
        "consumerInputs": {
            name: MASK if name in SECRET and value else value for name, value in one.consumer_inputs.items()
        },
        "_links": {
            "self": {"href": url},
            "consumer": {"href": f"{call.view.base}/_apis/hooks/consumers/webHooks"},
            "actions": {"href": f"{call.view.base}/_apis/hooks/consumers/webHooks/actions"},
            "notifications": {"href": f"{url}/notifications"},
            "publisher": {"href": f"{call.view.base}/_apis/hooks/publishers/tfs"},
        },
    }


def listed(call: Call) -> Response:
    """GET /hooks/subscriptions"""
    _check(call)
    given = {
        name: call.request.one(name)
        for name in ("publisherId", "eventType", "consumerId", "consumerActionId")
    }
    return json_response(call.view.collection(_matching(call, given)))


def _matching(call: Call, given: Mapping[str, str]) -> list[dict[str, Any]]:
    told = [value_of(call, one) for one in call.organization.subscriptions.values()]
    return [one for one in told if all(not wanted or one[name] == wanted for name, wanted in given.items())]


def query(call: Call) -> Response:
    """POST /hooks/subscriptionsquery: with conditions on the inputs of both ends."""
    _check(call)
    body = call.body()
    names = ("publisherId", "eventType", "consumerId", "consumerActionId")
    found = _matching(call, {name: str(body.get(name) or "") for name in names})
    for filters, inputs in (
        ("publisherInputFilters", "publisherInputs"),
        ("consumerInputFilters", "consumerInputs"),
    ):
        for each in body.get(filters) or []:
            conditions = each.get("conditions") or []
            found = [one for one in found if all(_fits(one[inputs], condition) for condition in conditions)]
    kept = {name: value for name, value in body.items() if value is not None}
    return json_response({**kept, "results": found})


def _fits(inputs: Mapping[str, str], condition: Mapping[str, Any]) -> bool:
    present, wanted = inputs.get(str(condition.get("inputId")), ""), str(condition.get("inputValue", ""))
    if not condition.get("caseSensitive"):
        present, wanted = present.lower(), wanted.lower()
    return (present == wanted) is (str(condition.get("operator", "equals")).lower() != "notequals")


def _find(call: Call, id_: str) -> Subscription:
    _check(call)
    found = call.organization.subscriptions.get(id_.lower())
    if found is None:
        raise refused(f"The subscription with ID '{id_}' does not exist.", 404)
    return found


def read(call: Call, id_: str) -> Response:
    """GET /hooks/subscriptions/{subscriptionId}"""
    return json_response(value_of(call, _find(call, id_)))


def replace(call: Call, id_: str) -> Response:
    """PUT /hooks/subscriptions/{subscriptionId}: all of it anew; status may be enabled or disabledByUser."""
    one = _find(call, id_)
    body = call.body()
    status = str(body.get("status") or "enabled")
    if status not in ("enabled", "disabledByUser", one.status):
        raise refused(f"The status '{status}' cannot be set.")
    _take(call, one, body)
    if status == "enabled":
        one.probation = 0
    one.status, one.modified = status, int(call.now.timestamp() * 1000)
    return json_response(value_of(call, one))


def delete(call: Call, id_: str) -> Response:
    """DELETE /hooks/subscriptions/{subscriptionId}"""
    del call.organization.subscriptions[_find(call, id_).id]
    return empty()


# --- Deliveries ---


def notifications(call: Call, id_: str) -> Response:
    """GET /hooks/subscriptions/{subscriptionId}/notifications: the newest first"""
    one = _find(call, id_)
    status, result = call.request.one("status"), call.request.one("result")
    found = [
        note
        for note in reversed(one.notifications)
        if status in ("", note.status) and result in ("", note.result)
    ]
    most = call.request.number("maxResults", 100)
    return json_response(call.view.collection(_notification(one, note) for note in found[:most]))


def notification(call: Call, id_: str, number: str) -> Response:
    """GET /hooks/subscriptions/{subscriptionId}/notifications/{notificationId}: with what was sent and answered"""
    one = _find(call, id_)
    found = next((note for note in one.notifications if str(note.id) == number), None)
    if found is None:
        raise refused(f"The notification with ID '{number}' does not exist.", 404)
    return json_response(_notification(one, found, with_details=True))


def _notification(one: Subscription, note: Notification, *, with_details: bool = False) -> dict[str, Any]:
    at = time_text(note.created)
    value: dict[str, Any] = {
        "id": note.id,
        "subscriptionId": one.id,
        "subscriberId": "00000000-0000-0000-0000-000000000000",
        "eventId": note.event["id"],
        "status": note.status,
        "result": note.result,
        "createdDate": at,
        "modifiedDate": at,
    }
    if with_details:
        event = {
            name: one
            for name, one in note.event.items()
            if name not in ("subscriptionId", "notificationId") and one is not None
        }
        value["details"] = {
            "eventType": one.event_type,
            "event": event,
            "publisherId": "tfs",
            "consumerId": "webHooks",
            "consumerActionId": "httpRequest",
            "publisherInputs": one.publisher_inputs,
            "consumerInputs": {
                name: MASK if name in SECRET and value else value
                for name, value in one.consumer_inputs.items()
            },
            "queuedDate": at,
            "requestAttempts": 1,
            "response": f"Status code: {note.answered}" if note.answered > 0 else "",
        }
    return value


def test(call: Call) -> Response:
    """POST /hooks/testnotifications: an event of the kind is sent, as it would be for the newest work item."""
    _check(call)
    body = call.body()
    details = body.get("details") or {}
    at = int(call.now.timestamp() * 1000)
    one = Subscription(
        "00000000-0000-0000-0000-000000000000", "", "", {}, {}, call.organization.api_user, at, at
    )
    known = call.organization.subscriptions.get(str(body.get("subscriptionId") or "").lower())
    if known is not None:
        one.consumer_inputs = dict(known.consumer_inputs)
    _take(call, one, {**details, "resourceVersion": details.get("resourceVersion") or "1.0"})
    item = max(call.organization.items.values(), key=lambda each: each.place, default=None)
    if item is None:
        raise refused("There is no work item to make a test notification of.")
    update = item.updates[-1]
    comment = item.comments[-1] if item.comments else None
    call.send_to(one, Event(one.event_type, item, update, comment))
    return json_response(_notification(one, one.notifications[-1], with_details=True))


ROUTES = (
    ("POST", "/hooks/subscriptions", create),
    ("GET", "/hooks/subscriptions", listed),
    ("POST", "/hooks/subscriptionsquery", query),
    ("GET", "/hooks/subscriptions/{subscriptionId}", read),
    ("PUT", "/hooks/subscriptions/{subscriptionId}", replace),
    ("DELETE", "/hooks/subscriptions/{subscriptionId}", delete),
    ("GET", "/hooks/subscriptions/{subscriptionId}/notifications", notifications),
    ("GET", "/hooks/subscriptions/{subscriptionId}/notifications/{notificationId}", notification),
    ("POST", "/hooks/testnotifications", test),
)
