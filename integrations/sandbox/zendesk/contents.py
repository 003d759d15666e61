"""A sandboxed Zendesk told to others than the vendor's API: to whoever compares, and to the operator."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from integrations.sandbox.system import Choice, Entry, Row
from integrations.sandbox.zendesk.state import PRIORITIES, STATUSES, Desk, Ticket


def ticket_content(desk: Desk, ticket: Ticket) -> dict[str, Any]:
    """One ticket in comparable form."""
    people = desk.users
    names = ("subject", "description", "status", "priority", "type", "external_id", "tags", "due_at")
    fields: dict[str, Any] = {name: getattr(ticket, name) for name in names}
    fields["requester"] = people[ticket.requester_id].email
    fields["assignee"] = people[ticket.assignee_id].email if ticket.assignee_id else None
    for one in desk.settings.custom_fields:
        fields[str(one["id"])] = ticket.custom.get(one["id"])
    return {
        "id": str(ticket.id),
        "key": str(ticket.id),
        "status": ticket.status,
        "description": ticket.description,
        "fields": fields,
        "comments": [
            {
                "id": str(one.id),
                "author": people[one.author_id].name,
                "public": one.public,
                "body": one.html_body,
                "text": one.body,
                "created_at": one.created_at,
            }
            for one in ticket.comments
        ],
        "attachments": [
            {"name": file.name, "size": len(file.data), "sha256": hashlib.sha256(file.data).hexdigest()}
            for comment in ticket.comments
            for file in comment.files
        ],
        "history_length": len(ticket.audits),
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
    }


def rows(desk: Desk, words: str, offset: int, limit: int) -> tuple[Sequence[Row], int]:
    """Tickets that hold the words, newest change first, and how many there are."""
    words = words.lower()
    found = [
        one
        for one in desk.tickets.values()
        if not words or words in f"{one.id} {one.subject} {one.status} {one.external_id or ''}".lower()
    ]
    found.sort(key=lambda one: one.place, reverse=True)
    rows = [
        Row(str(one.id), f"#{one.id}", one.subject, one.status, one.priority or "", one.updated_at)
        for one in found[offset : offset + limit]
    ]
    return rows, len(found)


def history(desk: Desk, ticket: Ticket) -> Sequence[Entry]:
    """The audits for people, oldest first; ids say nothing to them and are left out."""
    told = []
    for audit in ticket.audits:
        items = [
            (
                _field_label(desk, one["field_name"]),
                _shown(one.get("previous_value")),
                _shown(one["value"]),
            )
            for one in audit.events
            if not one["field_name"].endswith("_id") or one["field_name"] == "assignee_id"
        ]
        if audit.comment is not None:
            kind = "comment" if audit.comment.public else "internal note"
            items.insert(0, (kind, "", audit.comment.body[:120]))
        told.append((audit.created_at, desk.users[audit.author_id].name, items))
    return told


def _field_label(desk: Desk, name: str) -> str:
    known = desk.field_definition(int(name)) if name.isdigit() else None
    return str(known["title"]) if known else name


def choices(desk: Desk, *, is_new: bool) -> Sequence[Choice]:
    """What a form offers; a new ticket cannot be closed."""
    return (
        Choice("subject", "Subject"),
        Choice("status", "Status", STATUSES[:5] if is_new else STATUSES),
        Choice("priority", "Priority", PRIORITIES),
        *(
            Choice(str(one["id"]), one["title"], tuple(option["value"] for option in one["options"]))
            for one in desk.settings.custom_fields
        ),
    )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "" if value is None else str(value)
