"""Zendesk Support's REST interface, version 2: one function a call.  No rules here, only addresses and shapes.

Every function may raise ConnectorError.  Records stay JSON as Zendesk gives them; what they mean is said in `fields`
and `audits`.  Reading may be repeated; what must not be repeated blindly says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from integrations.connectors import errors
from integrations.connectors.http import Answer, Http, SizedBody

API = "/api/v2"
PAGE_SIZE = 100
USERS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its records, people named beside them, and where the next page begins ("" = unknown).

    `asked_at`: when it was asked for, by Zendesk's clock; see `Answer.asked_at`.
    """

    records: tuple[dict, ...]
    users: tuple[dict, ...]
    after: str
    has_more: bool
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TicketAnswer:
    """What a write of a ticket answers: the ticket, and the audit it made (empty when nothing changed)."""

    ticket: dict
    audit: dict


# https://developer.zendesk.com/api-reference/ticketing/users/users/#show-self
def me(http: Http) -> dict:
    """The user we sign in as."""
    answer = http.request("GET", f"{API}/users/me")
    return _record(answer, "user")


# https://developer.zendesk.com/api-reference/ticketing/users/users/#show-many-users
def users(http: Http, ids: Sequence[str]) -> tuple[dict, ...]:
    """These users (at most 100); those that do not exist are missing."""
    answer = http.request("GET", f"{API}/users/show_many", params={"ids": ",".join(ids[:USERS_AT_ONCE])})
    return _records(answer, "users")


# https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/#list-ticket-fields
def ticket_fields(http: Http) -> tuple[dict, ...]:
    """All fields of tickets, in their order on the form.  Without paging Zendesk answers every one at once."""
    return _records(http.request("GET", f"{API}/ticket_fields"), "ticket_fields")


# https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#show-ticket
def ticket(http: Http, ticket_id: str) -> tuple[dict, tuple[dict, ...]]:
    """A ticket, and the people on it."""
    answer = http.request("GET", f"{API}/tickets/{_number(ticket_id)}", params={"include": "users"})
    return _record(answer, "ticket"), _side_loaded(answer)


# https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#list-tickets
def tickets_by_external_id(http: Http, external_id: str) -> tuple[dict, ...]:
    """Tickets with this external id.  It is not unique; archived tickets are missing."""
    answer = http.request("GET", f"{API}/tickets", params={"external_id": external_id})
    return _records(answer, "tickets")


# https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/#list-audits-for-a-ticket
def audits(http: Http, ticket_id: str, after: str) -> Page:
    """A page of a ticket's audits, oldest first, after the cursor `after` ("" = from the first).

    Archived tickets are answered in one piece, without cursors.
    """
    answer = http.request("GET", f"{API}/tickets/{_number(ticket_id)}/audits", params=_paging(after, "users"))
    return _page(answer, "audits")


# https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#list-comments
def comments(http: Http, ticket_id: str, after: str) -> Page:
    """A page of a ticket's comments, oldest first."""
    answer = http.request(
        "GET", f"{API}/tickets/{_number(ticket_id)}/comments", params=_paging(after, "users")
    )
    return _page(answer, "comments")


# https://developer.zendesk.com/documentation/ticketing/managing-tickets/using-the-incremental-export-api/
def changed_tickets(http: Http, *, start_time: int = 0, cursor: str = "") -> Page:
    """Tickets changed after a time (Unix, at least a minute ago) or a cursor; the last minute is never answered."""
    params: dict[str, str | int] = {"cursor": cursor} if cursor else {"start_time": start_time}
    answer = http.request("GET", f"{API}/incremental/tickets/cursor", params=params)
    value = answer.object()
    after = value.get("after_cursor")
    # A missing end mark counts as the end: asking on and on would use up the ten calls a minute that are allowed.
    return Page(_records(answer, "tickets"), (), _text(after), value.get("end_of_stream") is False)


# https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket
# https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency
def create_ticket(http: Http, body: Mapping[str, object], key: str) -> TicketAnswer:
    """Create a ticket.  Within two hours the same `key` and body give the first ticket again."""
    answer = http.request(
        "POST",
        f"{API}/tickets",
        json_body={"ticket": body},
        headers={"Idempotency-Key": key},
        expect=(200, 201),
    )
    return _written(answer)


# https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket
def update_ticket(http: Http, ticket_id: str, body: Mapping[str, object]) -> TicketAnswer:
    """Change a ticket or comment on it.  Fields may be set again; a comment must not be sent again blindly."""
    answer = http.request("PUT", f"{API}/tickets/{_number(ticket_id)}", json_body={"ticket": body})
    return _written(answer)


# https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#make-comment-private
def make_comment_private(http: Http, ticket_id: str, comment_id: str) -> None:
    """Turn a public comment into an internal note.  May be repeated."""
    path = f"{API}/tickets/{_number(ticket_id)}/comments/{_number(comment_id)}/make_private"
    http.request("PUT", path, expect=(200, 204))


# https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/#upload-files
def upload(http: Http, name: str, content_type: str, body: SizedBody) -> tuple[str, dict]:
    """Bring a file to Zendesk: the token that attaches it within an hour, and its record.

    Nobody sees the file until the token is used, so a lost answer leaves nothing behind that counts.
    """
    answer = http.request(
        "POST",
        f"{API}/uploads",
        params={"filename": name},
        data=body,
        headers={"Content-Type": content_type},
        expect=(200, 201),
        is_write=False,
    )
    record = _record(answer, "upload")
    token = _text(record.get("token"))
    if not token:
        raise answer.garbled("Zendesk's answer to a file names no token.")
    attachment = record.get("attachment")
    return token, attachment if isinstance(attachment, dict) else {}


# https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/
def attachment_content(http: Http, url: str, limit_bytes: int) -> AbstractContextManager[Iterator[bytes]]:
    """A file's bytes in chunks.  The address may be on another host, which gets no credentials."""
    return http.stream(url, limit_bytes=limit_bytes)


def _paging(after: str, include: str) -> dict[str, str | int]:
    params: dict[str, str | int] = {"page[size]": PAGE_SIZE, "include": include}
    return {**params, "page[after]": after} if after else params


def _page(answer: Answer, name: str) -> Page:
    value = answer.object()
    meta = value.get("meta")
    if not isinstance(meta, dict):
        if value.get("next_page"):
            # Counted pages instead of cursors: reading on by position could skip what is added meanwhile.
            raise answer.garbled("Zendesk answered with counted pages where cursors were asked for.")
        meta = {}
    after = _text(meta.get("after_cursor"))
    has_more = meta.get("has_more") is True
    if has_more and not after:
        raise answer.garbled("Zendesk's list goes on, but it does not say where.")
    return Page(_records(answer, name), _side_loaded(answer), after, has_more, answer.asked_at())


def _written(answer: Answer) -> TicketAnswer:
    ticket, audit = _record(answer, "ticket"), answer.object().get("audit")
    if not isinstance(ticket.get("id"), int | str):
        raise answer.garbled("Zendesk's answer to a write does not say which ticket it was.")
    return TicketAnswer(ticket, audit if isinstance(audit, dict) else {})


def _side_loaded(answer: Answer) -> tuple[dict, ...]:
    found = answer.object().get("users")
    return tuple(one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _record(answer: Answer, name: str) -> dict:
    record = answer.object().get(name)
    if not isinstance(record, dict):
        raise answer.garbled(f"Zendesk's answer holds no {name}.")
    return record


def _records(answer: Answer, name: str) -> tuple[dict, ...]:
    records = answer.object().get(name)
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise answer.garbled(f"Zendesk's answer holds no list of {name}.")
    return tuple(records)


def _number(id_: str) -> str:
    """One segment of a path: ids are numbers, so that a text from elsewhere can never climb out of it."""
    if not (id_.isascii() and id_.isdigit()):
        raise errors.Gone("There is no such ticket in Zendesk: its tickets have numbers.")
    return id_


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
