"""Jira's admin web hooks, set up through its interface; only a site administrator may.

Not the dynamic ones of /rest/api/3/webhook: those are for apps and expire after thirty days.
https://developer.atlassian.com/cloud/jira/platform/webhooks/#registering-a-webhook-via-the-jira-rest-api-for-admins
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.connectors.jira.client import dicts
from integrations.connectors.jira.polling import quoted
from integrations.connectors.protocol import RegisteredHook

API = "/rest/webhooks/1.0/webhook"
NAME = "Concord"
# Every change of a ticket and its comments; a file added or removed is a change of its ticket.
EVENTS = (
    "jira:issue_created", "jira:issue_updated", "jira:issue_deleted",
    "comment_created", "comment_updated", "comment_deleted",
)  # fmt: skip
_NUMBER = re.compile(r"/webhook/([0-9]{1,19})/?")


def registered(http: Http, url: str) -> tuple[RegisteredHook, ...]:
    """The web hooks to this address, oldest first.  Jira never tells their secrets.  May be repeated."""
    value = http.request("GET", API).json()
    if not isinstance(value, list):
        raise errors.Garbled("Jira's answer has no list where one was expected.")
    return tuple(sorted(_ours(value, url), key=lambda one: int(one.id)))


def register(http: Http, url: str, secret: str, project: str) -> RegisteredHook:
    """Create a web hook for the project's tickets, and take away those that led to the address before.

    A secret is written once and never shown, so that an old hook cannot be told from a good one.  The new one comes
    first: for a moment both are told, which does no harm, while a gap would lose changes until the next poll.
    """
    before = registered(http, url)
    body = {
        "name": NAME,
        "url": url,
        "secret": secret,
        "events": list(EVENTS),
        "filters": {"issue-related-events-section": f"project = {quoted(project)}"},
        "excludeBody": False,
    }
    # A hook whose answer was lost is one of those that the next registration takes away.
    answer = http.request("POST", API, json_body=body, expect=(200, 201))
    made = next(_ours([answer.object()], url), None)
    if made is None:
        raise answer.garbled("Jira's answer does not say which web hook it made.")
    for one in before:
        _delete(http, one.id)
    return RegisteredHook(made.id, made.url, made.is_active, secret)


def unregister(http: Http, url: str) -> None:
    """Take all web hooks to this address away.  May be repeated."""
    for one in registered(http, url):
        _delete(http, one.id)


def _delete(http: Http, id_: str) -> None:
    try:
        http.request("DELETE", f"{API}/{id_}", expect=(200, 204))
    except errors.Gone:
        # Somebody was quicker.
        return


def _ours(values: list, url: str) -> Iterator[RegisteredHook]:
    for value in dicts(values):
        address = value.get("self")
        # Only the number is taken from an address that an answer names; the rest of it is never followed.
        number = _NUMBER.search(address) if isinstance(address, str) else None
        if number and value.get("url") == url:
            yield RegisteredHook(number[1], url, value.get("enabled") is True)
