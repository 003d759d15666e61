"""Zendesk's rules for tickets: what creating, updating and deleting does.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.sandbox.zendesk.audits import (
    add_comment,
    forget_external_id,
    make_comment,
    new_audit,
    write_fields,
)
from integrations.sandbox.zendesk.errors import Invalid
from integrations.sandbox.zendesk.people import Doing
from integrations.sandbox.zendesk.state import CUSTOM_STATUS_IDS, Audit, Comment, Desk, Ticket, User
from integrations.sandbox.zendesk.wanted import (
    author_of,
    followup_source,
    requester_of,
    submitter_of,
    wanted_comment,
    wanted_fields,
)

SUBJECT_CHARS = 150


def create(desk: Desk, wanted: Mapping[str, Any], doing: Doing) -> tuple[Ticket, Audit]:
    """Make a ticket; Invalid when a value does not pass."""
    comment = wanted_comment(wanted)
    if comment is None:
        raise Invalid("description", "Description: cannot be blank", "BlankValue")
    requester = requester_of(desk, wanted, doing)
    source = followup_source(desk, wanted)
    ticket = _blank(desk, requester, submitter_of(desk, wanted, doing), source, doing)
    audit = new_audit(desk, ticket, wanted, doing)
    changed = {"subject": None, **wanted_fields(desk, ticket, wanted, doing), "requester_id": requester.id}
    author = author_of(desk, comment, wanted, doing.actor if doing.actor.is_agent else requester)
    made = make_comment(desk, ticket, audit, comment, author, doing)
    _settle_status(desk, ticket, changed, doing, author, made)
    write_fields(desk, ticket, audit, changed, is_new=True)
    # Without a subject Zendesk shows the beginning of the description.
    ticket.subject = ticket.subject or made.body[:SUBJECT_CHARS]
    ticket.description, ticket.is_public = made.body, made.public
    add_comment(desk, ticket, audit, made, comment)
    desk.tickets[ticket.id] = ticket
    if source:
        source.followup_ids.append(ticket.id)
    ticket.made = doing.seconds
    _finish(desk, ticket, audit, doing)
    return ticket, audit


def _blank(desk: Desk, requester: User, submitter: User, source: Ticket | None, doing: Doing) -> Ticket:
    return Ticket(
        desk.next_ticket_id(),
        "",
        "",
        requester.id,
        submitter.id,
        doing.at,
        doing.at,
        doing.channel,
        organization_id=requester.organization_id,
        tags=list(source.tags) if source else [],
        followup_source_id=source.id if source else None,
    )


def update(desk: Desk, ticket: Ticket, wanted: Mapping[str, Any], doing: Doing) -> Audit:
    """Change a ticket; Invalid when a value does not pass.  An update that changes nothing leaves no audit."""
    if ticket.status == "closed":
        raise Invalid("status", "Status: closed prevents ticket update", "ClosedTicket")
    comment = wanted_comment(wanted, allow_description=False)
    audit = new_audit(desk, ticket, wanted, doing)
    changed = wanted_fields(desk, ticket, wanted, doing)
    made = None
    author = doing.actor
    if comment is not None:
        if len(ticket.comments) >= desk.settings.max_comments:
            raise Invalid("base", f"Ticket has reached the limit of {desk.settings.max_comments} comments")
        author = author_of(desk, comment, {}, doing.actor)
        made = make_comment(desk, ticket, audit, comment, author, doing)
    _settle_status(desk, ticket, changed, doing, author, made)
    write_fields(desk, ticket, audit, changed, is_new=False)
    if made is not None and comment is not None:
        add_comment(desk, ticket, audit, made, comment)
    if audit.events or audit.comment:
        ticket.updated_at = doing.at
        _finish(desk, ticket, audit, doing)
    return audit


def delete(desk: Desk, ticket: Ticket, doing: Doing) -> None:
    """Move a ticket to the deleted ones, where it can be restored for 30 days."""
    ticket.status_before_deletion, ticket.status = ticket.status, "deleted"
    ticket.deleted_at, ticket.deleted_by = doing.at, doing.actor.id
    ticket.updated_at = doing.at
    del desk.tickets[ticket.id]
    desk.deleted[ticket.id] = ticket
    forget_external_id(desk, ticket)
    desk.touch(ticket, int(doing.seconds))


def restore(desk: Desk, ticket: Ticket, doing: Doing) -> None:
    """Bring a deleted ticket back as it was."""
    ticket.status, ticket.deleted_at = ticket.status_before_deletion, None
    ticket.updated_at = doing.at
    del desk.deleted[ticket.id]
    desk.tickets[ticket.id] = ticket
    if ticket.external_id:
        desk.by_external_id.setdefault(ticket.external_id, []).append(ticket.id)
    desk.touch(ticket, int(doing.seconds))


def _settle_status(
    desk: Desk, ticket: Ticket, changed: dict[str, Any], doing: Doing, author: User, comment: Comment | None
) -> None:
    """What Zendesk does to the status by itself, and what it asks for before a ticket is solved."""
    if changed.get("status", ticket.status) == "new" and changed.get("assignee_id"):
        _set_status(changed, "open")
    reopens = comment is not None and comment.public and not author.is_agent and "status" not in changed
    if ticket.audits and reopens and ticket.status in ("pending", "solved"):
        _set_status(changed, "open")
    if changed.get("status") == "solved" and ticket.status != "solved":
        _check_required(desk, changed.get("custom", ticket.custom))
        if desk.settings.assign_on_solve and not changed.get("assignee_id", ticket.assignee_id):
            # The account setting "Assign solving agent to unassigned tickets", on by default.
            changed["assignee_id"] = doing.actor.id if doing.actor.is_agent else desk.api_user.id


def _set_status(changed: dict[str, Any], status: str) -> None:
    changed["status"] = status
    changed["custom_status_id"] = CUSTOM_STATUS_IDS[status]


def _check_required(desk: Desk, custom: Mapping[int, Any]) -> None:
    for id_ in desk.settings.required_to_solve:
        if not custom.get(id_):
            definition = desk.field_definition(id_) or {"title": str(id_), "type": "tagger"}
            raise Invalid(
                "base",
                f"{definition['title']}: is required when solving a ticket",
                None,
                ticket_field_id=id_,
                ticket_field_type="Field" + str(definition["type"]).capitalize(),
            )


def _finish(desk: Desk, ticket: Ticket, audit: Audit, doing: Doing) -> None:
    ticket.audits.append(audit)
    desk.touch(ticket, int(doing.seconds))
