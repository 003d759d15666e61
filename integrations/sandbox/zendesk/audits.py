"""Writing to a ticket so that its audit tells it: fields, tags, comments.

https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.sandbox.zendesk import texts
from integrations.sandbox.zendesk.errors import Invalid
from integrations.sandbox.zendesk.people import Doing
from integrations.sandbox.zendesk.state import BRAND_ID, FORM_ID, Audit, Comment, Desk, File, Ticket, User
from integrations.sandbox.zendesk.wanted import FIELDS, comment_text

_ALWAYS_IN_CREATE = frozenset(("subject", "requester_id", "priority", "type", "status", "custom_status_id"))


def write_fields(desk: Desk, ticket: Ticket, audit: Audit, changed: dict[str, Any], *, is_new: bool) -> None:
    """Write the changed fields; each change is an event."""
    for name in FIELDS:
        if is_new:
            _create_field(desk, ticket, audit, name, changed)
        elif name in changed and changed[name] != getattr(ticket, name):
            _change_field(desk, ticket, audit, name, changed[name])
    if is_new:
        _event(desk, audit, "Create", "brand_id", str(BRAND_ID))
        _event(desk, audit, "Create", "ticket_form_id", str(FORM_ID))
    if "tags" in changed and (is_new or changed["tags"] != ticket.tags):
        _tag_event(desk, ticket, audit, changed["tags"], is_new=is_new)
        ticket.tags = changed["tags"]
    for id_, value in changed.get("custom", {}).items():
        before = ticket.custom.get(id_)
        if value != before:
            if is_new:
                _event(desk, audit, "Create", str(id_), value)
            else:
                _event(desk, audit, "Change", str(id_), value, before)
    ticket.custom = changed.get("custom", ticket.custom)


def _create_field(desk: Desk, ticket: Ticket, audit: Audit, name: str, changed: Mapping[str, Any]) -> None:
    if name in changed and changed[name] is not None:
        setattr(ticket, name, changed[name])
    value = getattr(ticket, name)
    if name == "external_id" and value:
        desk.by_external_id.setdefault(value, []).append(ticket.id)
    if value is not None or name in _ALWAYS_IN_CREATE:
        _event(desk, audit, "Create", name, _event_value(value))


def _change_field(desk: Desk, ticket: Ticket, audit: Audit, name: str, value: Any) -> None:
    before = getattr(ticket, name)
    if name == "external_id":
        forget_external_id(desk, ticket)
        if value:
            desk.by_external_id.setdefault(value, []).append(ticket.id)
    _event(desk, audit, "Change", name, _event_value(value), _event_value(before))
    setattr(ticket, name, value)


def forget_external_id(desk: Desk, ticket: Ticket) -> None:
    """The ticket is found by its external id no more."""
    ids = desk.by_external_id.get(ticket.external_id or "", [])
    if ticket.id in ids:
        ids.remove(ticket.id)


def _tag_event(desk: Desk, ticket: Ticket, audit: Audit, tags: list[str], *, is_new: bool) -> None:
    if is_new:
        if tags:
            _event(desk, audit, "Create", "tags", list(tags))
    else:
        _event(desk, audit, "Change", "tags", list(tags), list(ticket.tags))


def _event_value(value: Any) -> Any:
    """Audits write ids as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_NO_BEFORE = object()


def _event(desk: Desk, audit: Audit, type_: str, field: str, value: Any, before: Any = _NO_BEFORE) -> None:
    event = {"id": desk.next_id(), "type": type_, "value": value, "field_name": field}
    if before is not _NO_BEFORE:
        event["previous_value"] = before
    audit.events.append(event)


def new_audit(desk: Desk, ticket: Ticket, wanted: Mapping[str, Any], doing: Doing) -> Audit:
    """An empty audit with the metadata that was sent."""
    metadata = wanted.get("metadata")
    custom = dict(metadata) if isinstance(metadata, Mapping) else {}
    # The audit gives back what was sent as ticket.metadata under metadata.custom.
    custom = custom.get("custom", custom) if isinstance(custom.get("custom"), Mapping) else custom
    system: dict[str, Any] = {}
    if doing.client:
        place = {"location": "Sandbox", "latitude": 0.0, "longitude": 0.0}
        system = {"client": doing.client, "ip_address": "127.0.0.1", **place}
    return Audit(desk.next_id(), ticket.id, doing.at, doing.actor.id, doing.channel, custom, system)


def make_comment(
    desk: Desk,
    ticket: Ticket,
    audit: Audit,
    wanted: Mapping[str, Any],
    author: User,
    doing: Doing,
) -> Comment:
    """The comment, not yet on the ticket.  Whoever is no agent cannot write an internal note."""
    if wanted.get("html_body"):
        made = texts.from_html(str(wanted["html_body"]))
    else:
        made = texts.from_body(comment_text(wanted), is_agent=author.is_agent)
    public = wanted.get("public")
    if not isinstance(public, bool):
        # "The default value for later comments is that of the ticket's first comment."
        public = ticket.comments[0].public if ticket.comments else True
    files = _attached(desk, wanted.get("uploads"), doing)
    desk.placeholders.extend((ticket.id, text) for text in made.placeholders)
    at = str(wanted.get("created_at") or doing.at)
    return Comment(
        desk.next_id(),
        audit.id,
        author.id,
        made.body,
        made.html_body,
        made.plain_body,
        public or not author.is_agent,
        files,
        at,
    )


def _attached(desk: Desk, tokens: object, doing: Doing) -> tuple[File, ...]:
    files: list[File] = []
    for token in _tokens(tokens):
        upload = desk.uploads.get(token)
        if upload is None or upload.until < doing.seconds:
            raise Invalid("base", "Upload token is invalid or has expired", "InvalidValue")
        files += upload.files
    return tuple(files)


def _tokens(value: object) -> list[str]:
    return (
        [value] if isinstance(value, str) else [str(one) for one in value] if isinstance(value, list) else []
    )


def add_comment(
    desk: Desk, ticket: Ticket, audit: Audit, comment: Comment, wanted: Mapping[str, Any]
) -> None:
    """Put a made comment on the ticket."""
    ticket.comments.append(comment)
    audit.comment = comment
    for token in _tokens(wanted.get("uploads")):
        # A token's files move to the comment; it cannot be used again.
        desk.uploads.pop(token, None)
