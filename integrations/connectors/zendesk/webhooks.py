"""Zendesk's web hooks: proving that one is genuine, and reading which tickets it hints at.  Pure.

https://developer.zendesk.com/documentation/webhooks/verifying/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from integrations.connectors.errors import HookRefused
from integrations.connectors.protocol import Hook, HookRequest
from integrations.connectors.zendesk.fields import time_of
from integrations.connectors.zendesk.people import id_of

WINDOW = timedelta(minutes=5)
_SUBJECT = "zen:ticket:"


def verify(request: HookRequest, secrets: Sequence[str]) -> Hook:
    """The hook, when any of the secrets signed it within the last five minutes; HookRefused otherwise."""
    signature = request.headers.get("x-zendesk-webhook-signature", "")
    timestamp = request.headers.get("x-zendesk-webhook-signature-timestamp", "")
    delivery_id = request.headers.get("x-zendesk-webhook-invocation-id", "")
    if not (signature and timestamp and delivery_id):
        raise HookRefused("a header of the signature is missing")
    if not _is_signed(request.body, timestamp, signature, secrets):
        raise HookRefused("the signature does not fit")
    at = time_of(timestamp)
    if at is None or abs(request.received_at - at) > WINDOW:
        raise HookRefused("the signature is too old or too far ahead")
    remote_id, actor_id, happened_at = _hint(request.body)
    # An event about something else is genuine too; refusing it would make Zendesk break off the hook.
    return Hook(delivery_id[:200], (remote_id,) if remote_id else (), actor_id, happened_at)


def _is_signed(body: bytes, timestamp: str, signature: str, secrets: Sequence[str]) -> bool:
    signed = timestamp.encode("utf-8", "replace") + body
    given = signature.encode("utf-8", "replace")
    fits = False
    for secret in secrets:
        if secret:
            # The secret is used as it is written, although it looks like base64.
            digest = hmac.new(secret.encode("utf-8", "replace"), signed, hashlib.sha256).digest()
            fits |= hmac.compare_digest(base64.b64encode(digest), given)
    return fits


def _hint(body: bytes) -> tuple[str, str, datetime | None]:
    """The ticket's number ("" when the event is about something else), who acted, and when by Zendesk's clock."""
    try:
        event = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise HookRefused("the body is not JSON") from error
    if not isinstance(event, dict):
        raise HookRefused("the body is not a JSON object")
    detail = event.get("detail")
    detail = detail if isinstance(detail, dict) else {}
    subject = event.get("subject")
    is_ticket = isinstance(subject, str) and subject.startswith(_SUBJECT)
    if not is_ticket and not str(event.get("type", "")).startswith("zen:event-type:ticket."):
        return "", "", None
    from_subject = id_of(subject.removeprefix(_SUBJECT)) if isinstance(subject, str) else ""
    if not (remote_id := id_of(detail.get("id")) or from_subject):
        raise HookRefused("the body names no ticket")
    at = event.get("time")
    return remote_id, id_of(detail.get("actor_id")), time_of(at) if isinstance(at, str) else None


def steps(url: str) -> tuple[str, ...]:
    """What an administrator of Zendesk does to have web hooks sent to `url`."""
    return (
        "In Zendesk, open Admin Center, then Apps and integrations, then Webhooks, and choose Create webhook.",
        "Choose “Zendesk events” and select the ticket events: created, deleted, restored, comment added, and every "
        "“… changed” event of the fields you exchange.",
        f"Enter the endpoint URL {url}, method POST, format JSON, and leave authentication empty.",
        "Finish, open the webhook again, choose “Reveal secret”, and paste the signing secret here.",
    )
