"""Zendesk's ticket endpoints: create, read, update, comments, audits, tags, deletion, export, search."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from integrations.sandbox.wire import Response, empty, json_response
from integrations.sandbox.zendesk import errors, events, export, search, tickets
from integrations.sandbox.zendesk.context import Call
from integrations.sandbox.zendesk.paging import page_of
from integrations.sandbox.zendesk.state import Audit, Comment, Remembered, Ticket
from integrations.sandbox.zendesk.views import audit_value, listed_comment_value, ticket_value, user_value

MAX_MANY = 100
# https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency
IDEMPOTENCY_S = 2 * 3600


def _with_audit(call: Call, ticket: Ticket, audit: Audit) -> dict[str, Any]:
    return {"ticket": ticket_value(call.desk, ticket, call.origin), "audit": audit_value(audit, call.origin)}


def create(call: Call) -> Response:
    """POST /tickets, with the answer remembered under an Idempotency-Key for two hours."""
    key = call.request.headers.get("idempotency-key")
    if not key:
        return _create(call)
    now = call.now.timestamp()
    digest = hashlib.sha256(call.request.body).digest()
    known = call.desk.remembered.get(key)
    if known is not None and known.until > now:
        if known.request != digest:
            return errors.bad_request(
                "Request parameters do not match the first request made with this idempotency key",
                "IdempotentRequestError",
            )
        return Response(201, known.body, headers=(("x-idempotency-lookup", "hit"),))
    response = _create(call)
    if response.status == 201:
        call.desk.remembered[key] = Remembered(now + IDEMPOTENCY_S, digest, response.body)
    return response.with_headers(("x-idempotency-lookup", "miss"))


def _create(call: Call) -> Response:
    wanted = call.wrapped("ticket")
    if wanted is None:
        return errors.bad_request("The ticket parameter is missing", "ParameterMissing")
    ticket, audit = tickets.create(call.desk, wanted, call.doing())
    call.tell(ticket, events.of_audit(audit, is_new=True, each=True), call.actor.id)
    location = f"{call.origin}/api/v2/tickets/{ticket.id}.json"
    return json_response(_with_audit(call, ticket, audit), 201, (("Location", location),))


def show(call: Call, id_: str) -> Response:
    """GET /tickets/{id}"""
    ticket = call.ticket(id_)
    value: dict[str, Any] = {"ticket": ticket_value(call.desk, ticket, call.origin)}
    people = (ticket.requester_id, ticket.submitter_id, ticket.assignee_id or ticket.requester_id)
    return json_response(value | _users_beside(call, people))


def _users_beside(call: Call, ids: Iterable[int]) -> dict[str, Any]:
    """The people with these ids, where the request asks for them with `include=users`.

    https://developer.zendesk.com/documentation/ticketing/using-the-zendesk-api/side_loading/
    """
    if "users" not in call.request.one("include").split(","):
        return {}
    return {"users": [user_value(call.desk.users[one], call.origin) for one in sorted(set(ids))]}


def show_many(call: Call) -> Response:
    """GET /tickets/show_many?ids="""
    ids = [one for one in call.request.one("ids").split(",") if one]
    if len(ids) > MAX_MANY:
        return errors.bad_request("You may request at most 100 tickets", "TooManyIds")
    found = [ticket for id_ in ids if (ticket := call.find_ticket(id_.strip())) is not None]
    values = [ticket_value(call.desk, one, call.origin) for one in found]
    return json_response({"tickets": values, "next_page": None, "previous_page": None, "count": len(values)})


def index(call: Call) -> Response:
    """GET /tickets, also by ?external_id="""
    desk = call.desk
    if external_id := call.request.one("external_id"):
        found = [desk.tickets[id_] for id_ in desk.by_external_id.get(external_id, ())]
    else:
        found = list(desk.tickets.values())
    return page_of(
        call.request, "tickets", found, lambda one: one.id, lambda one: ticket_value(desk, one, call.origin)
    )


def count(call: Call) -> Response:
    """GET /tickets/count"""
    refreshed = call.now.isoformat()
    return json_response({"count": {"value": len(call.desk.tickets), "refreshed_at": refreshed}})


def update(call: Call, id_: str) -> Response:
    """PUT /tickets/{id}"""
    ticket = call.ticket(id_)
    wanted = call.wrapped("ticket")
    if wanted is None:
        return errors.bad_request("The ticket parameter is missing", "ParameterMissing")
    if (refused := _over_limit(call, ticket)) is not None:
        return refused
    if (late := _stale(ticket, wanted)) is not None:
        return late
    audit = tickets.update(call.desk, ticket, wanted, call.doing())
    each = call.desk.settings.events == "each"
    call.tell(ticket, events.of_audit(audit, is_new=False, each=each), call.actor.id)
    return json_response(_with_audit(call, ticket, audit))


def _over_limit(call: Call, ticket: Ticket) -> Response | None:
    """ "Update ticket: 30 updates per 10 minutes per user per ticket", and so many a minute for the account."""
    settings, now = call.desk.settings, call.now.timestamp()
    name = f"update {call.actor.id} {ticket.id}"
    wait = call.limits.over(name, settings.updates_per_ticket_10_min, 600, now)
    if wait is None:
        wait = call.limits.over("updates", settings.updates_per_minute, 60, now)
    return None if wait is None else errors.too_many(wait, "Rate limit for ticket updates exceeded")


def _stale(ticket: Ticket, wanted: dict[str, Any]) -> Response | None:
    """A safe update is refused when the ticket changed after `updated_stamp`.

    `safe_update: false` acts like true, as the documentation warns; only leaving it out forces the update.
    """
    if "safe_update" not in wanted:
        return None
    stamp = str(wanted.get("updated_stamp") or "")
    if not stamp:
        return errors.bad_request("updated_stamp is required with safe_update", "ParameterMissing")
    return errors.conflict() if _plain_stamp(stamp) != ticket.updated_at else None


def _plain_stamp(text: str) -> str:
    return text.replace("+00:00", "Z").partition(".")[0].removesuffix("Z") + "Z"


def delete(call: Call, id_: str) -> Response:
    """DELETE /tickets/{id}"""
    ticket = call.ticket(id_)
    tickets.delete(call.desk, ticket, call.doing())
    call.tell(ticket, [("soft_deleted", {})], call.actor.id)
    return empty()


def deleted_index(call: Call) -> Response:
    """GET /deleted_tickets"""

    def view(one: Ticket) -> dict[str, Any]:
        actor = call.desk.users[one.deleted_by]
        return {
            "id": one.id,
            "subject": one.subject,
            "actor": {"id": actor.id, "name": actor.name},
            "deleted_at": one.deleted_at,
            "previous_state": one.status_before_deletion,
        }

    found = list(call.desk.deleted.values())
    return page_of(call.request, "deleted_tickets", found, lambda one: one.id, view)


def restore(call: Call, id_: str) -> Response:
    """PUT /deleted_tickets/{id}/restore"""
    ticket = call.desk.deleted.get(int(id_)) if id_.isdigit() else None
    if ticket is None:
        return errors.not_found()
    tickets.restore(call.desk, ticket, call.doing())
    call.tell(ticket, [("undeleted", {})], call.actor.id)
    return json_response({})


def comments(call: Call, id_: str) -> Response:
    """GET /tickets/{id}/comments"""
    ticket = call.ticket(id_)
    audits = {audit.id: audit for audit in ticket.audits}

    def view(one: Comment) -> dict[str, Any]:
        return listed_comment_value(one, audits[one.audit_id], call.origin)

    def beside(chosen: Sequence[Comment]) -> dict[str, Any]:
        return _users_beside(call, (one.author_id for one in chosen))

    return page_of(call.request, "comments", ticket.comments, lambda one: one.id, view, beside)


def comments_count(call: Call, id_: str) -> Response:
    """GET /tickets/{id}/comments/count"""
    ticket = call.ticket(id_)
    return json_response({"count": {"value": len(ticket.comments), "refreshed_at": call.now.isoformat()}})


def audits(call: Call, id_: str) -> Response:
    """GET /tickets/{id}/audits"""
    ticket = call.ticket(id_)

    def view(one: Audit) -> dict[str, Any]:
        return audit_value(one, call.origin)

    def beside(chosen: Sequence[Audit]) -> dict[str, Any]:
        authors = (one.comment.author_id for one in chosen if one.comment)
        return _users_beside(call, (*(one.author_id for one in chosen), *authors))

    return page_of(call.request, "audits", ticket.audits, lambda one: one.id, view, beside)


def audit(call: Call, id_: str, audit_id: str) -> Response:
    """GET /tickets/{id}/audits/{audit_id}"""
    found = next((one for one in call.ticket(id_).audits if str(one.id) == audit_id), None)
    return json_response({"audit": audit_value(found, call.origin)}) if found else errors.not_found()


def tags(call: Call, id_: str) -> Response:
    """GET, POST, PUT and DELETE /tickets/{id}/tags: read, set, add, remove."""
    ticket = call.ticket(id_)
    method = call.request.method
    if method != "GET":
        body = call.request.json() if call.request.body else {"tags": call.request.one("tags").split(",")}
        if (late := _stale(ticket, body)) is not None:
            return late
        name = {"POST": "tags", "PUT": "additional_tags", "DELETE": "remove_tags"}[method]
        made = tickets.update(call.desk, ticket, {name: body.get("tags", [])}, call.doing())
        call.tell(ticket, events.of_audit(made, is_new=False, each=True), call.actor.id)
    return json_response({"tags": ticket.tags}, 201 if method == "POST" else 200)


def exported(call: Call) -> Response:
    """GET /incremental/tickets/cursor"""
    return export.answer(call.desk, call.limits, call.request, call.now.timestamp())


def searched(call: Call) -> Response:
    """GET /search"""
    return search.answer(call.desk, call.request, call.now.timestamp())


def searched_count(call: Call) -> Response:
    """GET /search/count"""
    found = search.find(call.desk, call.request.one("query"), call.now.timestamp())
    return json_response({"count": len(found)})


ROUTES = (
    ("POST", "/tickets", create),
    ("GET", "/tickets", index),
    ("GET", "/tickets/count", count),
    ("GET", "/tickets/show_many", show_many),
    ("GET", "/tickets/{id}", show),
    ("PUT", "/tickets/{id}", update),
    ("DELETE", "/tickets/{id}", delete),
    ("GET", "/tickets/{id}/comments", comments),
    ("GET", "/tickets/{id}/comments/count", comments_count),
    ("GET", "/tickets/{id}/audits", audits),
    ("GET", "/tickets/{id}/audits/{audit_id}", audit),
    ("GET", "/tickets/{id}/tags", tags),
    ("POST", "/tickets/{id}/tags", tags),
    ("PUT", "/tickets/{id}/tags", tags),
    ("DELETE", "/tickets/{id}/tags", tags),
    ("GET", "/deleted_tickets", deleted_index),
    ("PUT", "/deleted_tickets/{id}/restore", restore),
    ("GET", "/incremental/tickets/cursor", exported),
    ("GET", "/search", searched),
    ("GET", "/search/count", searched_count),
)
