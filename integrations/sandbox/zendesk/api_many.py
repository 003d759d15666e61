"""Zendesk's endpoints for many tickets at once: bulk jobs and the import.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integrations.sandbox.wire import Response, json_response
from integrations.sandbox.zendesk import errors, events, tickets
from integrations.sandbox.zendesk.context import Call
from integrations.sandbox.zendesk.errors import Invalid
from integrations.sandbox.zendesk.views import ticket_value

MAX_MANY = 100


def create_many(call: Call) -> Response:
    """POST /tickets/create_many: done at once, told by a job."""
    wanted = call.request.json().get("tickets")
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= MAX_MANY:
        return errors.bad_request("Between 1 and 100 tickets are allowed", "TooManyValues")
    return _job(call, [_create_one(call, index, one) for index, one in enumerate(wanted)])


def _create_one(call: Call, index: int, wanted: dict[str, Any]) -> dict[str, Any]:
    try:
        ticket, made = tickets.create(call.desk, wanted, call.doing())
    except Invalid as error:
        return _failed(index, 0, "create", "TicketCreateFailed", str(error))
    call.tell(ticket, events.of_audit(made, is_new=True, each=True), call.actor.id)
    return {"index": index, "id": ticket.id, "account_id": call.desk.settings.account_id}


def _failed(index: int, id_: int, action: str, error: str, details: str) -> dict[str, Any]:
    return {"index": index, "id": id_, "action": action, "success": False, "error": error, "details": details}


def update_many(call: Call) -> Response:
    """PUT /tickets/update_many: the same change for ?ids=, or an array of tickets; always as safe updates."""
    body = call.request.json()
    if ids := call.request.one("ids"):
        wanted = [{**(body.get("ticket") or {}), "id": id_} for id_ in ids.split(",")]
    else:
        wanted = body.get("tickets") or []
    if not 1 <= len(wanted) <= MAX_MANY:
        return errors.bad_request("Between 1 and 100 tickets are allowed", "TooManyValues")
    return _job(call, [_update_one(call, index, one) for index, one in enumerate(wanted)])


def _update_one(call: Call, index: int, wanted: dict[str, Any]) -> dict[str, Any]:
    id_ = str(wanted.get("id", ""))
    ticket = call.find_ticket(id_)
    if ticket is None:
        return _failed(index, int(id_) if id_.isdigit() else 0, "update", "TicketNotFound", "Not found")
    try:
        made = tickets.update(call.desk, ticket, wanted, call.doing())
    except Invalid as error:
        return _failed(index, ticket.id, "update", "TicketUpdateFailed", str(error))
    call.tell(ticket, events.of_audit(made, is_new=False, each=True), call.actor.id)
    return {"id": ticket.id, "action": "update", "status": "Updated", "success": True}


def destroy_many(call: Call) -> Response:
    """DELETE /tickets/destroy_many?ids="""
    found = [one for id_ in call.request.one("ids").split(",") if (one := call.find_ticket(id_)) is not None]
    for ticket in found:
        tickets.delete(call.desk, ticket, call.doing())
        call.tell(ticket, [("soft_deleted", {})], call.actor.id)
    return _job(
        call, [{"id": one.id, "action": "delete", "success": True, "status": "Deleted"} for one in found]
    )


def _job(call: Call, results: list[dict[str, Any]]) -> Response:
    """The job is done when this answers; the first answer says "queued" all the same, as the vendor's does."""
    id_ = f"V3-{call.desk.next_id():032x}"
    url = f"{call.origin}/api/v2/job_statuses/{id_}.json"
    done = {
        "id": id_,
        "job_type": "Bulk Update Ticket",
        "url": url,
        "total": len(results),
        "progress": len(results),
        "status": "completed",
        "message": f"Completed at {call.now:%Y-%m-%d %H:%M:%S} +0000",
        "results": results,
    }
    call.desk.jobs[id_] = done
    queued = {**done, "progress": None, "status": "queued", "message": None, "results": None}
    del queued["results"]
    return json_response({"job_status": queued})


def job_status(call: Call, id_: str) -> Response:
    """GET /job_statuses/{id}"""
    job = call.desk.jobs.get(id_)
    return json_response({"job_status": job}) if job else errors.not_found()


def job_statuses(call: Call) -> Response:
    """GET /job_statuses"""
    return json_response(
        {"job_statuses": list(call.desk.jobs.values()), "meta": {"has_more": False}, "links": {"next": None}}
    )


def import_one(call: Call) -> Response:
    """POST /imports/tickets: with its own times, telling nobody.

    https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_import/
    """
    wanted = call.wrapped("ticket")
    if wanted is None:
        return errors.bad_request("The ticket parameter is missing", "ParameterMissing")
    listed = [
        _imported(one)
        for one in wanted.get("comments") or ([wanted["comment"]] if "comment" in wanted else [])
    ]
    if not listed and wanted.get("description"):
        listed = [{"body": str(wanted["description"])}]
    doing = call.doing()
    made_at = str(wanted.get("created_at") or doing.at)
    first = {**wanted, "comment": listed[0] if listed else None}
    ticket, _ = tickets.create(call.desk, first, replace(doing, at=made_at))
    closed = ticket.status == "closed"
    if closed:
        ticket.status = "solved"
    for one in listed[1:]:
        at = str(one.get("created_at") or made_at)
        tickets.update(call.desk, ticket, {"comment": one}, replace(doing, at=at))
    if closed:
        ticket.status = "closed"
    ticket.updated_at = str(wanted.get("updated_at") or ticket.updated_at)
    return json_response({"ticket": ticket_value(call.desk, ticket, call.origin)}, 201)


def _imported(comment: dict[str, Any]) -> dict[str, Any]:
    return {**comment, "body": comment.get("body") or comment.get("value")}


ROUTES = (
    ("POST", "/tickets/create_many", create_many),
    ("PUT", "/tickets/update_many", update_many),
    ("DELETE", "/tickets/destroy_many", destroy_many),
    ("GET", "/job_statuses", job_statuses),
    ("GET", "/job_statuses/{id}", job_status),
    ("POST", "/imports/tickets", import_one),
)
