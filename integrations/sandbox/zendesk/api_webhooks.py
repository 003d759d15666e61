"""Zendesk's web hook endpoints.  https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/"""

from __future__ import annotations

from typing import Any

from integrations.sandbox.clock import stamp
from integrations.sandbox.wire import Response, empty, json_response
from integrations.sandbox.zendesk.context import Call
from integrations.sandbox.zendesk.state import Desk, Webhook
from integrations.sandbox.zendesk.views import webhook_value

MAX_PAGE = 100


def webhooks(call: Call) -> Response:
    """GET /webhooks, in pages as asked for with `page[size]`."""
    size = max(1, min(call.request.number("page[size]", MAX_PAGE), MAX_PAGE))
    after = call.request.one("page[after]")
    later = [one for one in call.desk.webhooks.values() if one.id > after]
    meta: dict[str, Any] = {"has_more": len(later) > size}
    if later:
        meta["after_cursor"] = later[:size][-1].id
    return json_response({"webhooks": [webhook_value(one) for one in later[:size]], "meta": meta})


def create_webhook(call: Call) -> Response:
    """POST /webhooks"""
    wanted = call.wrapped("webhook") or {}
    missing = [
        one for one in ("name", "endpoint", "http_method", "request_format", "status") if not wanted.get(one)
    ]
    if missing:
        problems = [{"code": "InvalidWebhookAttribute", "title": f"{one} is required"} for one in missing]
        return json_response({"errors": problems}, 400)
    made = add_webhook(call.desk, wanted, call.actor.id, stamp(call.now))
    return json_response({"webhook": webhook_value(made)}, 201)


def add_webhook(desk: Desk, wanted: dict[str, Any], actor_id: int, at: str) -> Webhook:
    """A web hook with a new secret, or the one given."""
    made = Webhook(
        f"01SANDBOX{desk.next_id():017d}",
        str(wanted["name"]),
        str(wanted["endpoint"]),
        str(wanted.get("secret") or desk.new_token("secret")),
        [str(one) for one in wanted.get("subscriptions") or []],
        at,
        actor_id,
        status=str(wanted.get("status") or "active"),
        description=wanted.get("description"),
    )
    desk.webhooks[made.id] = made
    return made


def webhook(call: Call, id_: str) -> Response:
    """GET, PUT, PATCH and DELETE /webhooks/{id}"""
    found = call.desk.webhooks.get(id_)
    if found is None:
        return json_response({"errors": [{"code": "WebhookNotFound", "title": "Webhook not found"}]}, 404)
    if call.request.method == "DELETE":
        del call.desk.webhooks[id_]
        return empty()
    if call.request.method in ("PUT", "PATCH"):
        for name, value in (call.wrapped("webhook") or {}).items():
            if name in ("name", "endpoint", "status", "subscriptions", "description"):
                setattr(found, name, value)
        found.updated_at = stamp(call.now)
        return empty()
    return json_response({"webhook": webhook_value(found)})


def signing_secret(call: Call, id_: str) -> Response:
    """GET /webhooks/{id}/signing_secret; POST makes a new one."""
    found = call.desk.webhooks.get(id_)
    if found is None:
        return json_response({"errors": [{"code": "WebhookNotFound", "title": "Webhook not found"}]}, 404)
    if call.request.method == "POST":
        found.secret = call.desk.new_token("secret")
    value = {"signing_secret": {"secret": found.secret, "algorithm": "SHA256"}}
    return json_response(value, 201 if call.request.method == "POST" else 200)


ROUTES = (
    ("GET", "/webhooks", webhooks),
    ("POST", "/webhooks", create_webhook),
    ("GET", "/webhooks/{id}", webhook),
    ("PUT", "/webhooks/{id}", webhook),
    ("PATCH", "/webhooks/{id}", webhook),
    ("DELETE", "/webhooks/{id}", webhook),
    ("GET", "/webhooks/{id}/signing_secret", signing_secret),
    ("POST", "/webhooks/{id}/signing_secret", signing_secret),
)
