"""The service hooks of a sandboxed Azure DevOps: who subscribes to an event, and what is sent to them.

https://learn.microsoft.com/azure/devops/service-hooks/events and
https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks
"""

from __future__ import annotations

import base64
import html
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.azure_devops.state import (
    Comment,
    Notification,
    Organization,
    Person,
    Subscription,
    Update,
    WorkItem,
)
from integrations.sandbox.azure_devops.texts import text_of
from integrations.sandbox.azure_devops.views import View, time_text
from integrations.sandbox.hooks import TIMED_OUT, UNREACHED, Outgoing

TIMEOUT_S = 20.0
CREATED, UPDATED = "workitem.created", "workitem.updated"
COMMENTED, DELETED, RESTORED = "workitem.commented", "workitem.deleted", "workitem.restored"
ALL = (CREATED, UPDATED, COMMENTED, DELETED, RESTORED)
_AGAIN = frozenset((408, 502, 503, 504, UNREACHED, TIMED_OUT))
_VERBS = {
    CREATED: "created",
    UPDATED: "updated",
    COMMENTED: "commented on",
    DELETED: "deleted",
    RESTORED: "restored",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a work item."""

    kind: str
    item: WorkItem
    update: Update
    comment: Comment | None = None

    @property
    def actor(self) -> Person:
        """Who did it."""
        return self.update.by


def of_update(item: WorkItem, update: Update) -> Iterator[Event]:
    """The events of one step: a comment raises its own beside the one of the update."""
    yield Event(UPDATED, item, update)
    ref = item.revisions[update.rev - 1].comment if update.makes_revision else None
    if ref is not None and ref.version == 1:
        comment = next(one for one in item.comments if one.id == ref.comment_id)
        yield Event(COMMENTED, item, update, comment)


def tries_again(status: int, headers: Mapping[str, str], attempt: int) -> bool:
    """408, 502, 503, 504 and a broken connection are tried again up to eight times; nothing else is."""
    return attempt < 8 and status in _AGAIN


# --- Who is told ---


def wants(organization: Organization, view: View, one: Subscription, event: Event) -> bool:
    """Whether a subscription is about this event."""
    if one.event_type != event.kind or one.status not in ("enabled", "onProbation"):
        return False
    inputs = one.publisher_inputs
    if inputs.get("projectId") not in (None, "", organization.project_id):
        return False
    if inputs.get("workItemType") not in (None, "", event.item.type.name):
        return False
    area = str(event.item.fields["System.AreaPath"]).lower()
    wanted = inputs.get("areaPath", "").strip("\\").lower()
    if wanted and area != wanted and not area.startswith(wanted + "\\"):
        return False
    return _fits_change(view, inputs, event)


def _fits_change(view: View, inputs: Mapping[str, str], event: Event) -> bool:
    if event.kind == UPDATED and (names := inputs.get("changedFields")):
        changed = view.update(event.item, event.update).get("fields", {})
        return any(name.strip() in changed for name in names.split(","))
    if event.kind == COMMENTED and (pattern := inputs.get("commentPattern")):
        return event.comment is not None and pattern.lower() in event.comment.now.text.lower()
    return True


# --- What is sent ---


def hook_for(view: View, one: Subscription, event: Event, at_ms: int) -> Outgoing:
    """One delivery, noted in the subscription's history."""
    number = one.next_number()
    value = envelope(view, one, event, number, at_ms)
    note = Notification(number, value, at_ms)
    one.notifications.append(note)
    body = json.dumps(value, ensure_ascii=False).encode()
    headers = headers_of(one)
    return Outgoing(
        value["id"],
        event.kind,
        one.consumer_inputs["url"],
        body,
        lambda _: headers,
        lambda status: settle(one, note, status),
    )


def settle(one: Subscription, note: Notification, status: int) -> None:
    """What a delivery's end means for its subscription: 410 ends it at once, other failures put it on probation.

    Runs in the thread that delivers, and only sets values.
    """
    note.answered = status
    note.status = "completed"
    note.result = "succeeded" if 200 <= status < 300 else "failed"
    if status == 410:
        one.status = "disabledBySystem"
    elif note.result == "succeeded":
        if one.status == "onProbation":
            one.status, one.probation = "enabled", 0
    elif one.status in ("enabled", "onProbation"):
        one.probation += 1
        one.status = "onProbation" if one.probation < 8 else "disabledBySystem"


def headers_of(one: Subscription) -> dict[str, str]:
    """Basic auth and the headers that the subscription asks for: all that shows who sends."""
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "VSServices/1.0 (sandbox)"}
    inputs = one.consumer_inputs
    for line in inputs.get("httpHeaders", "").replace("\r", "").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers[name.strip()] = value.strip()
    user, password = inputs.get("basicAuthUsername", ""), inputs.get("basicAuthPassword", "")
    if user or password:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return headers


def envelope(view: View, one: Subscription, event: Event, number: int, at_ms: int) -> dict[str, Any]:
    """The body.  Version 1.0 tells people as `Name <address>`, later ones as objects."""
    version = one.resource_version
    told = View(view.organization, view.origin, as_objects=not version.startswith(("1.", "2.", "3.")))
    inputs = one.consumer_inputs
    value: dict[str, Any] = {
        "subscriptionId": one.id,
        "notificationId": number,
        "id": str(uuid.uuid4()),
        "eventType": event.kind,
        "publisherId": "tfs",
        "message": _kept(_message(told, event, ""), inputs.get("messagesToSend", "all")),
        "detailedMessage": _kept(
            _message(told, event, _details(event)), inputs.get("detailedMessagesToSend", "all")
        ),
        "resource": _resource(told, event, inputs.get("resourceDetailsToSend", "all")),
        "resourceVersion": version,
        "resourceContainers": {
            name: {"id": id_, "baseUrl": f"{view.base}/"}
            for name, id_ in (
                ("collection", view.organization.id),
                ("account", view.organization.id),
                ("project", view.organization.project_id),
            )
        },
        # Seven digits, as the vendor's clock has.
        "createdDate": time_text(at_ms).removesuffix("Z").partition(".")[0] + f".{at_ms % 1000:03}1251Z",
    }
    return value


def _message(view: View, event: Event, details: str) -> dict[str, str]:
    item, name = event.item, event.actor.name
    label = f"{item.type.name} #{item.id}"
    href = f"{view.base}/web/wi.aspx?pcguid={view.organization.id}&id={item.id}"
    rest = f"({item.title}) {_VERBS[event.kind]} by {name}"
    lines = [line for line in details.split("\n") if line]
    items = "".join(f"\r\n<li>{html.escape(line)}</li>" for line in lines)
    return {
        "text": f"{label} {rest}\r\n({href})"
        + ("\r\n\r\n" + "".join(f"- {line}\r\n" for line in lines) if lines else ""),
        "html": f'<a href="{html.escape(href)}">{label}</a> {html.escape(rest)}'
        + (f"<ul>{items}</ul>" if lines else ""),
        "markdown": f"[{label}]({href}) {rest}"
        + ("\r\n\r\n" + "".join(f"* {line}\r\n" for line in lines) if lines else ""),
    }


def _details(event: Event) -> str:
    fields = event.item.fields
    if event.comment is not None:
        return f"Comment: {text_of(event.comment.now.text)}"
    if event.kind == UPDATED:
        return f"State: {event.item.status}"
    person = fields.get("System.AssignedTo")
    assigned = person.name if isinstance(person, Person) else ""
    return f"State: {event.item.status}\nAssigned to: {assigned}"


def _kept(message: dict[str, str], which: str) -> dict[str, str] | None:
    if which == "none":
        return None
    return message if which in ("", "all") else {which: message.get(which, "")}


def _resource(view: View, event: Event, details: str) -> dict[str, Any] | None:
    """`none` is nothing at all, `minimal` only says where to look."""
    if details == "none":
        return None
    item = event.item
    if event.kind != UPDATED:
        url = view.item_url(item)
        return {"id": item.id, "url": url} if details == "minimal" else view.item(item)
    value = view.update(item, event.update)
    if details == "minimal":
        return {"id": value["id"], "url": value["url"]}
    value["revision"] = view.item(item, item.revisions[event.update.rev - 1], expand="relations")
    return value
