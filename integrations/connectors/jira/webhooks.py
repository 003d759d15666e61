"""Jira's web hooks: proved by their signature, read for the tickets they name.  Pure.

https://developer.atlassian.com/cloud/jira/platform/webhooks/ : an admin web hook with a secret carries
`X-Hub-Signature: sha256=<hex of HMAC-SHA256(secret, raw body)>`.  No time is signed apart from the body's own
`timestamp`, so that is what tells a replay.  Jira repeats a failed delivery 5 to 15 minutes later with its first time
stamp; such a repeat is refused, and polling finds the change.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from datetime import timedelta

from integrations.connectors.errors import HookRefused
from integrations.connectors.protocol import Hook, HookRequest

FRESH_FOR = timedelta(minutes=5)
MAX_BODY_BYTES = 1024 * 1024
# The method in front of a signature names the hash; SHA-1 is not accepted.
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
# A comment's address names its issue, in hooks that bring no issue along.
_ISSUE_IN_ADDRESS = re.compile(r"/issue/([0-9]{1,19})/comment/")
_ID = re.compile(r"[0-9]{1,19}")
_MAX_ID_CHARS = 200


def verify(request: HookRequest, secrets: Sequence[str]) -> Hook:
    """Prove the hook with any of the secrets and read which ticket it names; HookRefused for anything else."""
    _check_signature(request, secrets)
    body = _object(request.body)
    _check_age(request, body)
    return Hook(
        _delivery_id(request),
        _issue_ids(body),
        _actor_id(body),
    )


def _check_signature(request: HookRequest, secrets: Sequence[str]) -> None:
    if len(request.body) > MAX_BODY_BYTES:
        raise HookRefused("the body is larger than 1 MB")
    method, _, signature = request.headers.get("x-hub-signature", "").strip().partition("=")
    algorithm = _HASHES.get(method.lower())
    if algorithm is None or not signature:
        raise HookRefused("there is no signature of a kind we accept")
    # Compared as bytes: text with other letters than ASCII would raise.
    given = signature.strip().lower().encode("utf-8", "replace")
    matches = [
        hmac.compare_digest(hmac.new(secret.encode(), request.body, algorithm).hexdigest().encode(), given)
        for secret in secrets
        if secret
    ]
    if not any(matches):
        raise HookRefused("the signature fits none of the secrets")


def _object(body: bytes) -> dict:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HookRefused("the body is not JSON") from error
    if not isinstance(value, dict):
        raise HookRefused("the body is not a JSON object")
    return value


def _check_age(request: HookRequest, body: dict) -> None:
    stamp = body.get("timestamp")
    if not isinstance(stamp, int) or isinstance(stamp, bool):
        raise HookRefused("the body has no time stamp")
    received_ms = int(request.received_at.timestamp() * 1000)
    if abs(received_ms - stamp) > FRESH_FOR / timedelta(milliseconds=1):
        raise HookRefused("the time stamp is not of these minutes")


def _delivery_id(request: HookRequest) -> str:
    named = request.headers.get("x-atlassian-webhook-identifier", "").strip()
    if named and len(named) <= _MAX_ID_CHARS:
        return named
    return hashlib.sha256(request.body).hexdigest()


def _issue_ids(body: dict) -> tuple[str, ...]:
    """The issue that a hook names; none for those about something else."""
    issue = body.get("issue")
    if isinstance(issue, dict):
        found = str(issue.get("id", ""))
        if not _ID.fullmatch(found):
            raise HookRefused("the issue has no id")
        return (found,)
    comment = body.get("comment")
    address = comment.get("self") if isinstance(comment, dict) else None
    named = _ISSUE_IN_ADDRESS.search(address) if isinstance(address, str) else None
    return (named[1],) if named else ()


def _actor_id(body: dict) -> str:
    """The account that did it.  Hooks about comments name no user, only the comment's author."""
    comment = body.get("comment")
    for holder, name in ((body, "user"), (comment, "updateAuthor"), (comment, "author")):
        user = holder.get(name) if isinstance(holder, dict) else None
        found = user.get("accountId") if isinstance(user, dict) else None
        if isinstance(found, str) and found:
            return found
    return ""


def steps(url: str, project: str) -> tuple[str, ...]:
    """What a Jira administrator has to do for hooks to arrive at `url`."""
    return (
        "Sign in to Jira as a site administrator and open Settings (the cog), System, WebHooks.",
        "Choose “Create a WebHook” and name it “Concord”.",
        f"As URL enter {url}",
        "As Secret enter the secret shown here.  Jira shows it once and never again; keep it nowhere else.",
        f"Under Issue related events restrict it with JQL to the project: project = {project}",
        "Tick Issue: created, updated, deleted; Comment: created, updated, deleted; Attachment: created, deleted.",
        "Leave “Exclude body” off, so that Jira says which ticket changed, and choose Create.",
    )
