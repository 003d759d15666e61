"""Jira's admin web hooks, which only administrators may list, create and delete.

https://developer.atlassian.com/cloud/jira/platform/webhooks/#registering-a-webhook-via-the-jira-rest-api-for-admins
"""

from __future__ import annotations

from typing import Any

from integrations.sandbox.jira import events
from integrations.sandbox.jira.context import Call
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import Webhook
from integrations.sandbox.wire import Response, empty, json_response


def webhooks(call: Call) -> Response:
    """GET /rest/webhooks/1.0/webhook"""
    _check_right(call)
    return json_response([_value(call, one) for one in call.site.webhooks.values()])


def create(call: Call) -> Response:
    """POST /rest/webhooks/1.0/webhook; the secret is written once and never shown."""
    _check_right(call)
    body = call.body()
    name, url = str(body.get("name") or ""), str(body.get("url") or "")
    if not name or not url.startswith(("http://", "https://")):
        raise Wrong("The web hook needs a name and an absolute URL.")
    chosen = [str(one) for one in body.get("events") or events.FIRST]
    if unknown := [one for one in chosen if one not in events.ALL]:
        raise Wrong(f"{unknown[0]} is not a valid event.")
    made = call.site.add_webhook(name, url, str(body.get("secret") or ""), chosen)
    made.filters = body.get("filters") or {}
    made.updated = int(call.now.timestamp() * 1000)
    return json_response(_value(call, made), 201)


def webhook(call: Call, id_: str) -> Response:
    """GET and DELETE /rest/webhooks/1.0/webhook/{id}"""
    _check_right(call)
    found = call.site.webhooks.get(int(id_)) if id_.isdigit() else None
    if found is None:
        raise Wrong("The web hook does not exist.", status=404)
    if call.request.method == "DELETE":
        del call.site.webhooks[found.id]
        return empty()
    return json_response(_value(call, found))


def _check_right(call: Call) -> None:
    if "ADMINISTER" in call.site.settings.denied_permissions:
        raise Wrong(
            "You are not authorized to perform this operation. Administrator privileges are required.",
            status=403,
        )


def _value(call: Call, one: Webhook) -> dict[str, Any]:
    user = call.site.api_user
    return {
        "name": one.name,
        "url": one.url,
        "events": one.events,
        "filters": one.filters,
        "excludeBody": False,
        "enabled": one.is_enabled,
        "lastUpdatedUser": user.account_id,
        "lastUpdatedDisplayName": user.name,
        "lastUpdated": one.updated,
        "self": f"{call.view.origin}/rest/webhooks/1.0/webhook/{one.id}",
    }


ROUTES = (
    ("GET", "/webhook", webhooks),
    ("POST", "/webhook", create),
    ("GET", "/webhook/{id}", webhook),
    ("DELETE", "/webhook/{id}", webhook),
)
