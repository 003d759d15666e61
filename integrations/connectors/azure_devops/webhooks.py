"""Azure DevOps' service hooks: proving that one is genuine, and reading which work item it hints at.  Pure.

They are not signed.  A secret comes along instead, as the password of Basic authentication or in a header of ours; the
way is https, so nobody else reads it.  A hook that is played again has the id it had and is taken once.
https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence

from integrations.connectors.azure_devops import times
from integrations.connectors.azure_devops.identities import person_of
from integrations.connectors.errors import HookRefused
from integrations.connectors.protocol import Hook, HookRequest

HEADER = "x-concord-secret"
MAX_BODY_BYTES = 1024 * 1024
_MAX_ID_CHARS = 200
_IN_ADDRESS = re.compile(r"/(?:workItems|recyclebin)/([0-9]{1,19})(?:[/?#]|$)", re.IGNORECASE)


def verify(request: HookRequest, secrets: Sequence[str]) -> Hook:
    """The hook, when it brings any of the secrets; HookRefused otherwise."""
    if len(request.body) > MAX_BODY_BYTES:
        raise HookRefused("the body is larger than 1 MB")
    if not _brings(request.headers, secrets):
        raise HookRefused("none of the secrets came along")
    event = _object(request.body)
    resource = event.get("resource")
    resource = resource if isinstance(resource, dict) else {}
    if not str(event.get("eventType") or "").startswith("workitem."):
        # About something else; refusing it would make Azure DevOps put the subscription on probation.
        return Hook(_delivery_id(event, request.body), ())
    remote_id = _remote_id(event, resource)
    return Hook(
        _delivery_id(event, request.body),
        (remote_id,) if remote_id else (),
        _actor_id(resource),
        # When it was noticed there, which is not before it happened.
        times.time_of(event.get("createdDate")),
    )


def _brings(headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    given = [headers.get(HEADER, "").encode("utf-8", "replace"), _password(headers.get("authorization", ""))]
    fits = False
    for secret in secrets:
        for one in given:
            # Digests are of one length, so that the time says nothing about the secret's.
            mine, theirs = (
                hashlib.sha256(text).digest() for text in (secret.encode("utf-8", "replace"), one)
            )
            fits |= bool(secret) and hmac.compare_digest(mine, theirs)
    return fits


def _password(authorization: str) -> bytes:
    scheme, _, text = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(text.strip().encode("ascii"), validate=True).partition(b":")[2]
    except (ValueError, binascii.Error):
        return b""


def _object(body: bytes) -> dict:
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise HookRefused("the body is not JSON") from error
    if not isinstance(value, dict):
        raise HookRefused("the body is not a JSON object")
    return value


def _delivery_id(event: dict, body: bytes) -> str:
    """The event's own id; it is the same when Azure DevOps sends it again."""
    found, subscription, number = (event.get(name) for name in ("id", "subscriptionId", "notificationId"))
    if isinstance(found, str) and 0 < len(found) <= _MAX_ID_CHARS:
        return found
    if isinstance(subscription, str) and isinstance(number, int) and len(subscription) <= _MAX_ID_CHARS // 2:
        return f"{subscription}:{number}"[:_MAX_ID_CHARS]
    return hashlib.sha256(body).hexdigest()


def _remote_id(event: dict, resource: dict) -> str:
    """The work item.  Of an update `id` is the update's own number, and `workItemId` is 0 in a test."""
    revision = resource.get("revision")
    is_update = "workItemId" in resource or str(event.get("eventType")) == "workitem.updated"
    places = [resource.get("workItemId"), revision.get("id") if isinstance(revision, dict) else None]
    places += [] if is_update else [resource.get("id")]
    for one in places:
        if isinstance(one, int) and not isinstance(one, bool) and 0 < one < 10**19:
            return str(one)
    url = resource.get("url")
    found = _IN_ADDRESS.search(url) if isinstance(url, str) else None
    return found[1] if found else ""


def _actor_id(resource: dict) -> str:
    revision = resource.get("revision")
    fields = [one.get("fields") for one in (resource, revision) if isinstance(one, dict)]
    named = [one.get("System.ChangedBy") for one in fields if isinstance(one, dict)]
    for identity in (resource.get("revisedBy"), *named):
        if person := person_of(identity):
            return person.id[:_MAX_ID_CHARS]
    return ""


def steps(url: str, project: str) -> tuple[str, ...]:
    """What an administrator of the project does to have service hooks sent to `url`."""
    return (
        f"Sign in to Azure DevOps as an administrator of the project “{project}” and open Project settings, Service hooks.",
        "Choose the plus sign (Create subscription), the service “Web Hooks”, and Next.",
        "Trigger on this type of event: “Work item updated”.  Leave area path, type, tag and field at [Any], and choose Next.",
        f"As URL enter {url}",
        "Leave the user name at “concord” and enter the secret shown here as Basic authentication password.  "
        f"Or enter it under HTTP headers as {HEADER}:SECRET, with the secret in place of SECRET.",
        "Leave “Resource details to send” at All, set both kinds of messages to send to None, and leave the version at 1.0.",
        "Choose Test, see that it succeeds, and choose Finish.",
        "Do the same for “Work item created”, “Work item commented on”, “Work item deleted” and “Work item restored”.",
    )
