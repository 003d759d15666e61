"""The web hooks of a sandboxed Zendesk: which events an update raises, their envelope, and the signature.

https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/ and
https://developer.zendesk.com/documentation/webhooks/verifying/
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from integrations.sandbox.clock import stamp
from integrations.sandbox.hooks import TIMED_OUT, Outgoing
from integrations.sandbox.zendesk.state import Audit, Comment, Desk, Ticket, Webhook

PREFIX = "zen:event-type:ticket."
TIMEOUT_S = 12.0
KINDS = {
    "subject": "subject_changed",
    "status": "status_changed",
    "priority": "priority_changed",
    "type": "type_changed",
    "external_id": "external_id_changed",
    "requester_id": "requester_changed",
    "organization_id": "organization_changed",
    "assignee_id": "agent_assignment_changed",
    "group_id": "group_assignment_changed",
    "tags": "tags_changed",
    "custom_status_id": "custom_status_changed",
    "due_at": "task_due_at_changed",
    "problem_id": "problem_link_changed",
}
_UPPER = frozenset(("status", "priority", "type"))

Event = tuple[str, dict[str, Any]]


def tries_again(status: int, headers: Mapping[str, str], attempt: int) -> bool:
    """409 is tried again three times, a time limit five times, 429 and 503 when they ask for under a minute."""
    if status == TIMED_OUT:
        return attempt < 5
    if status == 409:
        return attempt < 3
    wait = headers.get("retry-after", "")
    return status in (429, 503) and wait.isdigit() and int(wait) < 60 and attempt < 3


def of_audit(audit: Audit, *, is_new: bool, each: bool) -> list[Event]:
    """The events of one update: created alone for a new ticket, else one a changed aspect, or only the first."""
    if is_new:
        return [("created", {})]
    found = list(_changes(audit))
    return found if each else found[:1]


def _changes(audit: Audit) -> Iterator[Event]:
    if audit.comment is not None:
        yield "comment_added", {"comment": _comment(audit.comment)}
        for file in audit.comment.files:
            yield (
                "attachment_linked_to_comment",
                {
                    "attachment": {
                        "content_type": file.content_type,
                        "filename": file.name,
                        "id": str(file.id),
                    },
                    "comment": {"id": str(audit.comment.id), "is_public": audit.comment.public},
                },
            )
    for event in audit.events:
        name = event["field_name"]
        current, previous = event["value"], event.get("previous_value")
        if name in _UPPER:
            current, previous = _upper(current), _upper(previous)
        if name in KINDS:
            yield KINDS[name], {"current": current, "previous": previous}
        elif name.isdigit():
            yield "custom_field_changed", {"current": current, "previous": previous, "field": {"id": name}}


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _comment(comment: Comment) -> dict[str, Any]:
    return {
        "author": {"id": str(comment.author_id), "is_staff": True},
        "body": comment.body,
        "id": str(comment.id),
        "is_public": comment.public,
    }


def envelope(
    desk: Desk, ticket: Ticket, event: Event, actor_id: int, now: datetime, place: tuple[int, int]
) -> dict[str, Any]:
    """The body of one hook.  Ids are text here and numbers in the API, and choices are in capitals."""
    kind, content = event
    meta = {
        "version": 0,
        "sequence": {"id": f"{ticket.id}-{ticket.place}", "position": place[0], "total": place[1]},
    }
    return {
        "account_id": desk.settings.account_id,
        "detail": {
            "actor_id": str(actor_id),
            "assignee_id": _text(ticket.assignee_id),
            "brand_id": "360000300001",
            "created_at": ticket.created_at,
            "custom_status": str(ticket.custom_status_id),
            "description": ticket.description,
            "external_id": ticket.external_id,
            "form_id": "360000400001",
            "group_id": _text(ticket.group_id),
            "id": str(ticket.id),
            "is_public": ticket.is_public,
            "organization_id": _text(ticket.organization_id),
            "priority": _upper(ticket.priority),
            "requester_id": str(ticket.requester_id),
            "status": _upper(ticket.status),
            "subject": ticket.subject,
            "submitter_id": str(ticket.submitter_id),
            "tags": ticket.tags,
            "type": _upper(ticket.type),
            "updated_at": ticket.updated_at,
            "via": {"channel": "web_service" if ticket.channel == "api" else ticket.channel},
        },
        "event": {"meta": meta, **content},
        "id": str(uuid.uuid4()),
        "subject": f"zen:ticket:{ticket.id}",
        "time": now.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
        "type": PREFIX + kind,
        "zendesk_event_version": "2022-11-06",
    }


def _text(id_: int | None) -> str | None:
    return None if id_ is None else str(id_)


def hooks_for(
    desk: Desk, ticket: Ticket, events: list[Event], actor_id: int, now: datetime
) -> Iterator[Outgoing]:
    """One hook for each event and active web hook that subscribes to it."""
    receivers = [one for one in desk.webhooks.values() if one.status == "active"]
    if not receivers:
        return
    for position, event in enumerate(events, 1):
        kind = PREFIX + event[0]
        body: bytes | None = None
        for webhook in receivers:
            if kind not in webhook.subscriptions:
                continue
            if body is None:
                value = envelope(desk, ticket, event, actor_id, now, (position, len(events)))
                body = json.dumps(value, ensure_ascii=False).encode()
            invocation = _invocation_id(desk)
            headers = functools.partial(_headers, desk.settings.account_id, webhook, invocation, body)
            yield Outgoing(invocation, kind, webhook.endpoint, body, headers)


def _invocation_id(desk: Desk) -> str:
    return f"01SANDBOX{desk.next_id():017d}"


def _headers(account_id: int, webhook: Webhook, invocation: str, body: bytes, attempt: int) -> dict[str, str]:
    # The time that is signed is the real one: the receiver compares it with its own clock.
    timestamp = stamp(datetime.now(UTC))
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Zendesk Webhook",
        "X-Zendesk-Account-Id": str(account_id),
        "X-Zendesk-Webhook-Id": webhook.id,
        "X-Zendesk-Webhook-Invocation-Id": invocation,
        "X-Zendesk-Webhook-Signature": signature(webhook.secret, timestamp, body),
        "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Base64 of the HMAC-SHA256 over the timestamp followed by the raw body."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
