"""Azure DevOps' service hooks, set up through its interface: one subscription for each kind of event.

The account needs the right to edit subscriptions, which project administrators have; without it Forbidden is raised and
the steps are for a person.
https://learn.microsoft.com/rest/api/azure/devops/hooks/subscriptions
"""

from __future__ import annotations

from integrations.connectors import errors
from integrations.connectors.azure_devops.client import Project
from integrations.connectors.http import Answer
from integrations.connectors.protocol import RegisteredHook

PATH = "/_apis/hooks/subscriptions"
EVENTS = (
    "workitem.created", "workitem.updated", "workitem.commented", "workitem.deleted", "workitem.restored",
)  # fmt: skip
USER = "concord"
# On probation Azure DevOps still sends, only less.
_ALIVE = ("enabled", "onProbation")


def registered(project: Project, url: str) -> tuple[RegisteredHook, ...]:
    """The subscriptions to this address, the oldest first.  Azure DevOps never tells their secrets.  May be repeated."""
    params = {"publisherId": "tfs", "consumerId": "webHooks", "consumerActionId": "httpRequest"}
    answer = project.call("GET", PATH, params=params)
    value = answer.json()
    found = value.get("value") if isinstance(value, dict) else value
    if not isinstance(found, list):
        raise answer.garbled("Azure DevOps' answer has no list of subscriptions.")
    ours = [
        one
        for one in found
        if isinstance(one, dict) and _address(one) == url and isinstance(one.get("id"), str)
    ]
    ours.sort(key=lambda one: str(one.get("createdDate") or ""))
    return tuple(
        RegisteredHook(one["id"], url, one.get("status") in _ALIVE, event=str(one.get("eventType") or ""))
        for one in ours
    )


def register(project: Project, project_id: str, url: str, secret: str) -> RegisteredHook:
    """Subscribe to every kind of event, and take away what led to the address before.

    A secret is written once and never shown, so that an old subscription cannot be told from a good one.  The new ones
    come first: for a moment both send, which does no harm, while a gap would lose changes until the next poll.
    """
    before = registered(project, url)
    # A subscription whose answer was lost is one of those that the next registration takes away.
    made = [_subscribe(project, project_id, event, url, secret) for event in EVENTS]
    for one in before:
        _delete(project, one.id)
    return RegisteredHook(",".join(made), url, is_active=True, secret=secret)


def unregister(project: Project, url: str) -> None:
    """Take all subscriptions to this address away.  May be repeated."""
    for one in registered(project, url):
        _delete(project, one.id)


def _subscribe(project: Project, project_id: str, event: str, url: str, secret: str) -> str:
    body = {
        "publisherId": "tfs",
        "eventType": event,
        "resourceVersion": "1.0",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": {"projectId": project_id},
        "consumerInputs": {
            "url": url,
            "basicAuthUsername": USER,
            "basicAuthPassword": secret,
            "resourceDetailsToSend": "all",
            "messagesToSend": "none",
            "detailedMessagesToSend": "none",
        },
    }
    answer = project.call("POST", PATH, json_body=body, expect=(200, 201))
    return _id(answer)


def _id(answer: Answer) -> str:
    found = answer.object().get("id")
    if not isinstance(found, str) or not found:
        raise answer.garbled("Azure DevOps' answer does not say which subscription it made.")
    return found


def _delete(project: Project, id_: str) -> None:
    try:
        project.call("DELETE", f"{PATH}/{id_}", expect=(200, 204))
    except errors.Refused as error:
        if error.status != 404:
            raise
        # Somebody was quicker.


def _address(record: dict) -> str:
    inputs = record.get("consumerInputs")
    found = inputs.get("url") if isinstance(inputs, dict) else None
    return found if isinstance(found, str) else ""
