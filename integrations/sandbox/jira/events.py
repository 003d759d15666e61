"""The web hooks of a sandboxed Jira: admin web hooks, signed with X-Hub-Signature.

https://developer.atlassian.com/cloud/jira/platform/webhooks/
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from integrations.sandbox.hooks import TIMED_OUT, UNREACHED, Outgoing
from integrations.sandbox.jira.state import Comment, File, History, Issue, Site, User
from integrations.sandbox.jira.views import View

TIMEOUT_S = 20.0
ALL = (
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "comment_created",
    "comment_updated",
    "comment_deleted",
    "attachment_created",
    "attachment_deleted",
)
# What an administrator ticks for a synchronisation; a new file is in jira:issue_updated too.
FIRST = ALL[:6]
Event = tuple[str, dict[str, Any]]

_AGAIN = frozenset((408, 409, 425, 429, UNREACHED, TIMED_OUT))


def tries_again(status: int, headers: Mapping[str, str], attempt: int) -> bool:
    """408, 409, 425, 429, 5xx and a broken connection are tried again up to five times; 400 and 404 never."""
    return attempt < 5 and (status in _AGAIN or status >= 500)


def created() -> Event:
    """A new issue."""
    return "jira:issue_created", {"issue_event_type_name": "issue_created"}


def updated(history: History) -> Event:
    """One entry of the change log."""
    names = {one["field"] for one in history.items}
    kind = (
        "issue_generic"
        if "status" in names
        else "issue_assigned"
        if names == {"assignee"}
        else "issue_updated"
    )
    changelog = {"id": str(history.id), "items": history.items}
    return "jira:issue_updated", {"issue_event_type_name": kind, "changelog": changelog}


def commented(view: View, issue: Issue, comment: Comment, kind: str = "created") -> Event:
    """A comment made, changed or deleted."""
    value = _as_hooks_see(view).comment(comment, issue)
    for name in ("author", "updateAuthor"):
        value[name].pop("emailAddress", None)
    return "comment_" + kind, {"comment": value}


def attached(view: View, file: File, kind: str = "created") -> Event:
    """A file attached or deleted."""
    return "attachment_" + kind, {"attachment": _as_hooks_see(view).file(file)}


def _as_hooks_see(view: View) -> View:
    """Hooks carry the API's version 2, in which texts are text."""
    return View(view.site, view.origin, "2")


def hooks_for(
    site: Site, origin: str, issue: Issue, event: str, content: Mapping[str, Any], actor: User, at_ms: int
) -> Iterator[Outgoing]:
    """The hook of one event for everybody who subscribes to it."""
    receivers = [one for one in site.webhooks.values() if one.is_enabled and event in one.events]
    if not receivers:
        return
    body = _body(site, origin, issue, event, content, actor, at_ms)
    for webhook in receivers:
        identifier = str(uuid.uuid4())
        sign = functools.partial(_headers, webhook.secret, identifier, body)
        yield Outgoing(identifier, event, webhook.url, body, sign)


def _body(
    site: Site, origin: str, issue: Issue, event: str, content: Mapping[str, Any], actor: User, at_ms: int
) -> bytes:
    view = _as_hooks_see(View(site, origin))
    value: dict[str, Any] = {"timestamp": at_ms, "webhookEvent": event}
    if "issue_event_type_name" in content:
        value["issue_event_type_name"] = content["issue_event_type_name"]
    if event.startswith("jira:"):
        value["user"] = view.user(actor, with_mail=False)
        value["issue"] = _issue(view, issue)
    else:
        value["issue"] = _short_issue(view, issue)
    value |= {name: one for name, one in content.items() if name != "issue_event_type_name"}
    return json.dumps(value, ensure_ascii=False).encode()


def _issue(view: View, issue: Issue) -> dict[str, Any]:
    value = view.issue(issue, ("*all", "-comment"))
    for name in ("assignee", "creator", "reporter"):
        if value["fields"][name]:
            value["fields"][name].pop("emailAddress", None)
    del value["expand"]
    return value


def _short_issue(view: View, issue: Issue) -> dict[str, Any]:
    """Comment events carry only a few fields."""
    names = ("summary", "issuetype", "project", "assignee", "priority", "status")
    value = view.issue(issue, names)
    if value["fields"]["assignee"]:
        value["fields"]["assignee"].pop("emailAddress", None)
    del value["expand"]
    return value


def _headers(secret: str, identifier: str, body: bytes, attempt: int) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "User-Agent": "Atlassian Webhook HTTP Client",
        "X-Atlassian-Webhook-Identifier": identifier,
        "X-Atlassian-Webhook-Flow": "Primary",
    }
    if attempt:
        headers["X-Atlassian-Webhook-Retry"] = str(attempt)
    if secret:
        headers["X-Hub-Signature"] = signature(secret, body)
    return headers


def signature(secret: str, body: bytes) -> str:
    """`sha256=` and the hexadecimal HMAC over the raw body; no time is signed."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
