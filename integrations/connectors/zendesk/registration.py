"""Zendesk's event web hooks, set up through its interface; administrators may.

https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.connectors.protocol import RegisteredHook

API = "/api/v2/webhooks"
NAME = "Concord"
MAX_PAGES = 50
# Whatever tells of a change that a history shows.  Each is only a hint to read the ticket.
EVENTS = tuple(
    "zen:event-type:ticket." + name
    for name in (
        "created", "comment_added", "comment_made_private", "status_changed", "priority_changed", "type_changed",
        "subject_changed", "tags_changed", "custom_field_changed", "requester_changed", "agent_assignment_changed",
        "soft_deleted", "undeleted",
    )
)  # fmt: skip
_ID = re.compile(r"[0-9A-Za-z]{1,64}")


def registered(http: Http, url: str) -> tuple[RegisteredHook, ...]:
    """The event web hooks to this address, without their secrets, oldest first.  May be repeated."""
    # Zendesk's ids begin with the time they were made at.
    return tuple(sorted(_listed(http, url), key=lambda one: one.id))


def register(http: Http, url: str, *, renew: bool = False) -> RegisteredHook:
    """The one web hook to this address, with the secret that Zendesk signs it with.

    One that is there and active is kept, so that its secret stays good; others to the same address are taken away.
    With `renew` it gives way to a new one, as a secret that is reset would at once make those on their way false.
    """
    there = registered(http, url)
    kept = None if renew else next((one for one in there if one.is_active), None)
    kept = kept or _create(http, url)
    for one in there:
        if one.id != kept.id:
            _delete(http, one.id)
    # What we listen to may have grown since it was made.
    http.request(
        "PATCH", f"{API}/{kept.id}", json_body={"webhook": {"subscriptions": list(EVENTS)}}, expect=(200, 204)
    )
    return RegisteredHook(kept.id, kept.url, True, signing_secret(http, kept.id))


def unregister(http: Http, url: str) -> None:
    """Take all event web hooks to this address away.  May be repeated."""
    for one in registered(http, url):
        _delete(http, one.id)


def signing_secret(http: Http, id_: str) -> str:
    """What Zendesk signs this web hook with.  May be repeated."""
    answer = http.request("GET", f"{API}/{id_}/signing_secret")
    value = answer.object().get("signing_secret")
    secret = value.get("secret") if isinstance(value, dict) else None
    if not isinstance(secret, str) or not secret:
        raise answer.garbled("Zendesk's answer holds no signing secret.")
    return secret


def _create(http: Http, url: str) -> RegisteredHook:
    body = {
        "name": NAME,
        "endpoint": url,
        "http_method": "POST",
        "request_format": "json",
        "status": "active",
        "subscriptions": list(EVENTS),
    }
    # One whose answer was lost is found by its address when this is tried again.
    answer = http.request("POST", API, json_body={"webhook": body}, expect=(200, 201))
    made = next(_ours([answer.object().get("webhook")], url), None)
    if made is None:
        raise answer.garbled("Zendesk's answer does not say which web hook it made.")
    return made


def _delete(http: Http, id_: str) -> None:
    try:
        http.request("DELETE", f"{API}/{id_}", expect=(200, 204))
    except errors.Gone:
        # Somebody was quicker.
        return


def _listed(http: Http, url: str) -> Iterator[RegisteredHook]:
    after = ""
    for _ in range(MAX_PAGES):
        params = {"page[size]": "100", **({"page[after]": after} if after else {})}
        answer = http.request("GET", API, params=params)
        value = answer.object()
        records = value.get("webhooks")
        if not isinstance(records, list):
            raise answer.garbled("Zendesk's answer holds no list of webhooks.")
        yield from _ours(records, url)
        meta = value.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        following = meta.get("after_cursor")
        after = following if isinstance(following, str) else ""
        if meta.get("has_more") is not True or not after:
            return
    raise errors.Garbled("Zendesk's list of webhooks did not end.")


def _ours(records: list, url: str) -> Iterator[RegisteredHook]:
    for record in records:
        if not isinstance(record, dict) or record.get("endpoint") != url:
            continue
        id_, told = record.get("id"), record.get("subscriptions")
        # A web hook that a trigger of the partner's uses is theirs, wherever it leads.
        is_event_hook = isinstance(told, list) and "conditional_ticket_events" not in told
        if isinstance(id_, str) and _ID.fullmatch(id_) and is_event_hook:
            yield RegisteredHook(id_, url, record.get("status") == "active")
