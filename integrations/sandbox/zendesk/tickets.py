"""Zendesk's rules for tickets: what creating and updating does to fields, tags, status, comments and the audit.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.zendesk import texts
from integrations.sandbox.zendesk.errors import Invalid
from integrations.sandbox.zendesk.state import (
    BRAND_ID,
    CUSTOM_STATUS_IDS,
    FORM_ID,
    GROUP_ID,
    PRIORITIES,
    STATUSES,
    TYPES,
    Audit,
    Comment,
    Desk,
    File,
    Ticket,
    User,
)

SUBJECT_CHARS = 150
_STATUS_BY_CUSTOM_ID = {id_: status for status, id_ in CUSTOM_STATUS_IDS.items()}

# In the order in which a Create audit lists them; the recordings show the same fields, some of them with null.
_FIELDS = (
    "subject", "requester_id", "priority", "type", "status", "organization_id", "external_id", "assignee_id",
    "group_id", "problem_id", "due_at", "custom_status_id",
)  # fmt: skip
_ALWAYS_IN_CREATE = frozenset(("subject", "requester_id", "priority", "type", "status", "custom_status_id"))


@dataclass(frozen=True, slots=True)
class Doing:
    """Who writes, when (the vendor's text), how far the clock is (seconds), and over which channel."""

    actor: User
    at: str
    seconds: float
    channel: str = "api"
    client: str = ""


def create(desk: Desk, wanted: Mapping[str, Any], doing: Doing) -> tuple[Ticket, Audit]:
    """Make a ticket; Invalid when a value does not pass."""
    comment = _wanted_comment(wanted)
    if comment is None:
        raise Invalid("description", "Description: cannot be blank", "BlankValue")
    requester = _requester(desk, wanted, doing)
    source = _followup_source(desk, wanted)
    submitter = desk.users.get(_whole(wanted.get("submitter_id"))) or doing.actor
    ticket = Ticket(
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
    audit = _new_audit(desk, ticket, wanted, doing)
    changed = _wanted_fields(desk, ticket, wanted, doing)
    changed["requester_id"] = requester.id
    changed.setdefault("subject", None)
    author = _author(desk, comment, wanted, requester if not doing.actor.is_agent else doing.actor)
    made = _make_comment(desk, ticket, audit, comment, author, doing, is_first=True)
    _settle_status(desk, ticket, changed, doing, author, made)
    _write_fields(desk, ticket, audit, changed, is_new=True)
    if not ticket.subject:
        # Without a subject Zendesk shows the beginning of the description.
        ticket.subject = made.body[:SUBJECT_CHARS]
    ticket.description = made.body
    ticket.is_public = made.public
    _add_comment(desk, ticket, audit, made, comment)
    desk.tickets[ticket.id] = ticket
    if source:
        source.followup_ids.append(ticket.id)
    ticket.made = doing.seconds
    _finish(desk, ticket, audit, doing)
    return ticket, audit


def update(desk: Desk, ticket: Ticket, wanted: Mapping[str, Any], doing: Doing) -> Audit:
    """Change a ticket; Invalid when a value does not pass.  An update that changes nothing leaves no audit."""
    if ticket.status == "closed":
        raise Invalid("status", "Status: closed prevents ticket update", "ClosedTicket")
    comment = _wanted_comment(wanted, allow_description=False)
    audit = _new_audit(desk, ticket, wanted, doing)
    changed = _wanted_fields(desk, ticket, wanted, doing)
    made = None
    author = doing.actor
    if comment is not None:
        if len(ticket.comments) >= desk.settings.max_comments:
            raise Invalid("base", f"Ticket has reached the limit of {desk.settings.max_comments} comments")
        author = _author(desk, comment, {}, doing.actor)
        made = _make_comment(desk, ticket, audit, comment, author, doing)
    _settle_status(desk, ticket, changed, doing, author, made)
    _write_fields(desk, ticket, audit, changed, is_new=False)
    if made is not None and comment is not None:
        _add_comment(desk, ticket, audit, made, comment)
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
    _forget_external_id(desk, ticket)
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


def user_of(desk: Desk, name: str, email: str, at: str, role: str = "end-user") -> User:
    """The person with this address, made when there is none yet; a person without an address goes by name."""
    if email and (known := desk.users_by_mail.get(email.lower())):
        return known
    if not email:
        known = next((one for one in desk.users.values() if one.name == name and not one.email), None)
        if known:
            return known
    return desk.add_user(name or email.partition("@")[0], email, role, at)


# --- What is wanted ---


def _wanted_comment(wanted: Mapping[str, Any], *, allow_description: bool = True) -> Mapping[str, Any] | None:
    comment = wanted.get("comment")
    if isinstance(comment, str):
        comment = {"body": comment}
    if isinstance(comment, Mapping) and (_comment_text(comment) or comment.get("uploads")):
        return comment
    description = wanted.get("description")
    if allow_description and isinstance(description, str) and description.strip():
        # Still answered by the vendor, as recordings show, though the documentation asks for `comment`.
        return {"body": description}
    return None


def _comment_text(comment: Mapping[str, Any]) -> str:
    return str(comment.get("html_body") or comment.get("body") or comment.get("value") or "")


def _whole(value: object) -> int:
    try:
        return int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return 0


def _requester(desk: Desk, wanted: Mapping[str, Any], doing: Doing) -> User:
    if (id_ := wanted.get("requester_id")) is not None:
        found = desk.users.get(_whole(id_))
        if found is None:
            raise Invalid("requester", "Requester: is invalid", "InvalidValue")
        return found
    person = wanted.get("requester")
    if isinstance(person, Mapping):
        email, name = str(person.get("email") or ""), str(person.get("name") or "")
        if not email:
            raise Invalid("requester", "Requester: Email:  cannot be blank", "BlankValue")
        if not name and email.lower() not in desk.users_by_mail:
            raise Invalid("requester", "Requester: Name:  is too short (minimum is 1 character)")
        return user_of(desk, name, email, doing.at)
    return doing.actor


def _followup_source(desk: Desk, wanted: Mapping[str, Any]) -> Ticket | None:
    if (id_ := wanted.get("via_followup_source_id")) is None:
        return None
    source = desk.tickets.get(_whole(id_))
    if source is None or source.status != "closed":
        raise Invalid("via_followup_source_id", "Via followup source: is not a closed ticket", "InvalidValue")
    return source


def _author(desk: Desk, comment: Mapping[str, Any], wanted: Mapping[str, Any], otherwise: User) -> User:
    if (id_ := comment.get("author_id")) is not None:
        found = desk.users.get(_whole(id_))
        if found is None:
            raise Invalid("comment", "Author: is invalid", "InvalidValue")
        return found
    if wanted.get("requester_id") is not None and wanted.get("submitter_id") is None:
        # https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/
        # A new ticket's description is the requester's unless the comment or the submitter says otherwise.
        return desk.users.get(_whole(wanted["requester_id"]), otherwise)
    if wanted.get("submitter_id") is not None:
        return desk.users.get(_whole(wanted["submitter_id"]), otherwise)
    return otherwise


def _wanted_fields(desk: Desk, ticket: Ticket, wanted: Mapping[str, Any], doing: Doing) -> dict[str, Any]:
    """The named fields, checked; names that Zendesk does not know are ignored, as it ignores them."""
    changed: dict[str, Any] = {}
    for name in _FIELDS:
        if name in wanted and name != "requester_id":
            changed[name] = _checked(desk, name, wanted[name])
    if "raw_subject" in wanted and "subject" not in changed:
        changed["subject"] = _checked(desk, "subject", wanted["raw_subject"])
    if "requester_id" in wanted and ticket.audits:
        changed["requester_id"] = _requester(desk, wanted, doing).id
    if isinstance(mail := wanted.get("assignee_email"), str):
        assignee = desk.users_by_mail.get(mail.lower())
        changed["assignee_id"] = _checked(desk, "assignee_id", assignee.id if assignee else 0)
    if "custom_status_id" in changed:
        changed["status"] = _STATUS_BY_CUSTOM_ID[changed["custom_status_id"]]
    elif "status" in changed and changed["status"] in CUSTOM_STATUS_IDS:
        changed["custom_status_id"] = CUSTOM_STATUS_IDS[changed["status"]]
    if changed.get("status") == "new" and ticket.audits and ticket.status != "new":
        # "Once a ticket's status has been changed from New, it can never be set back to New."
        raise Invalid("status", "Status: cannot be changed to new", "InvalidValue")
    _take_tags(ticket, wanted, changed)
    _take_custom_fields(desk, ticket, wanted, changed)
    return changed


def _checked(desk: Desk, name: str, value: Any) -> Any:
    allowed: dict[str, tuple[str, ...]] = {"status": STATUSES, "priority": PRIORITIES, "type": TYPES}
    label = name.removesuffix("_id").replace("_", " ").capitalize()
    if name in allowed:
        if value in ("", None) and name != "status":
            return None
        if value not in allowed[name]:
            raise Invalid(name, f"{label}: {value} is not included in the list", "InvalidValue")
    elif name == "assignee_id" and value is not None:
        person = desk.users.get(_whole(value))
        if person is None or not person.is_agent:
            raise Invalid("assignee", "Assignee: is invalid", "InvalidValue")
        return person.id
    elif name == "custom_status_id":
        if _whole(value) not in _STATUS_BY_CUSTOM_ID:
            raise Invalid("custom_status_id", "Custom status: is invalid", "InvalidValue")
        return _whole(value)
    elif name == "group_id" and value is not None and _whole(value) != GROUP_ID:
        raise Invalid("group", "Group: is invalid", "InvalidValue")
    elif name == "external_id" and value is not None:
        return str(value)
    elif name == "subject":
        return "" if value is None else str(value)
    return value


def _take_tags(ticket: Ticket, wanted: Mapping[str, Any], changed: dict[str, Any]) -> None:
    tags: list[str] | None = None
    if isinstance(wanted.get("tags"), list | str):
        tags = _tags(wanted["tags"])
    if added := _tags(wanted.get("additional_tags") or []):
        tags = (ticket.tags if tags is None else tags) + added
    if removed := _tags(wanted.get("remove_tags") or []):
        tags = [tag for tag in (ticket.tags if tags is None else tags) if tag not in removed]
    if tags is not None:
        changed["tags"] = sorted(set(tags))


def _tags(value: object) -> list[str]:
    """Tags are lower case and have no blanks: `Big Deal` becomes `big_deal`; a text is split at blanks."""
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return ["_".join(str(word).lower().split()) for word in words if str(word).strip()]


def _take_custom_fields(
    desk: Desk, ticket: Ticket, wanted: Mapping[str, Any], changed: dict[str, Any]
) -> None:
    """A drop-down's value is a tag: setting the field sets the tag, taking the tag away empties the field."""
    custom = dict(ticket.custom)
    tags = list(changed.get("tags", ticket.tags))
    given = wanted.get("custom_fields") or wanted.get("fields") or []
    if isinstance(given, Mapping):
        given = [{"id": id_, "value": value} for id_, value in given.items()]
    for entry in given:
        definition = desk.field_definition(_whole(entry.get("id")))
        if definition is None:
            continue
        value = _custom_value(definition, entry.get("value"))
        if definition["type"] == "tagger":
            own = {option["value"] for option in definition["options"]}
            tags = [tag for tag in tags if tag not in own] + ([value] if value else [])
        custom[definition["id"]] = value
    if "tags" in changed:
        for definition in desk.settings.custom_fields:
            if definition["type"] == "tagger":
                own_tags = [option["value"] for option in definition["options"] if option["value"] in tags]
                custom[definition["id"]] = own_tags[-1] if own_tags else None
    if custom != ticket.custom:
        changed["custom"] = custom
    if sorted(set(tags)) != ticket.tags or "tags" in changed:
        changed["tags"] = sorted(set(tags))


def _custom_value(definition: Mapping[str, Any], value: Any) -> Any:
    if value in ("", None):
        return None
    if definition["type"] == "tagger" and value not in [option["value"] for option in definition["options"]]:
        raise Invalid(
            "base",
            f"{definition['title']}: {value} is an invalid value",
            "InvalidValue",
            ticket_field_id=definition["id"],
            ticket_field_type="FieldTagger",
        )
    return value


# --- What follows ---


def _settle_status(
    desk: Desk, ticket: Ticket, changed: dict[str, Any], doing: Doing, author: User, comment: Comment | None
) -> None:
    """What Zendesk does to the status by itself, and what it asks for before a ticket is solved."""
    status = changed.get("status", ticket.status)
    if status == "new" and changed.get("assignee_id"):
        _set_status(changed, "open")
    reopens = comment is not None and comment.public and not author.is_agent and "status" not in changed
    if ticket.audits and reopens and ticket.status in ("pending", "solved"):
        _set_status(changed, "open")
    if changed.get("status") == "solved" and ticket.status != "solved":
        for id_ in desk.settings.required_to_solve:
            if not changed.get("custom", ticket.custom).get(id_):
                definition = desk.field_definition(id_) or {"title": str(id_), "type": "tagger"}
                raise Invalid(
                    "base",
                    f"{definition['title']}: is required when solving a ticket",
                    None,
                    ticket_field_id=id_,
                    ticket_field_type="Field" + str(definition["type"]).capitalize(),
                )
        if desk.settings.assign_on_solve and not changed.get("assignee_id", ticket.assignee_id):
            # The account setting "Assign solving agent to unassigned tickets", on by default.
            changed["assignee_id"] = doing.actor.id if doing.actor.is_agent else desk.api_user.id


def _set_status(changed: dict[str, Any], status: str) -> None:
    changed["status"] = status
    changed["custom_status_id"] = CUSTOM_STATUS_IDS[status]


def _write_fields(desk: Desk, ticket: Ticket, audit: Audit, changed: dict[str, Any], *, is_new: bool) -> None:
    for name in _FIELDS:
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
        _forget_external_id(desk, ticket)
        if value:
            desk.by_external_id.setdefault(value, []).append(ticket.id)
    _event(desk, audit, "Change", name, _event_value(value), _event_value(before))
    setattr(ticket, name, value)


def _forget_external_id(desk: Desk, ticket: Ticket) -> None:
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


def _new_audit(desk: Desk, ticket: Ticket, wanted: Mapping[str, Any], doing: Doing) -> Audit:
    metadata = wanted.get("metadata")
    custom = dict(metadata) if isinstance(metadata, Mapping) else {}
    # The audit gives back what was sent as ticket.metadata under metadata.custom.
    custom = custom.get("custom", custom) if isinstance(custom.get("custom"), Mapping) else custom
    system = {"client": doing.client, "ip_address": "127.0.0.1"} if doing.client else {}
    return Audit(desk.next_id(), ticket.id, doing.at, doing.actor.id, doing.channel, custom, system)


def _make_comment(
    desk: Desk,
    ticket: Ticket,
    audit: Audit,
    wanted: Mapping[str, Any],
    author: User,
    doing: Doing,
    *,
    is_first: bool = False,
) -> Comment:
    """The comment, not yet on the ticket.  Whoever is no agent cannot write an internal note."""
    if wanted.get("html_body"):
        made = texts.from_html(str(wanted["html_body"]))
    else:
        made = texts.from_body(_comment_text(wanted), is_agent=author.is_agent)
    public = wanted.get("public")
    if not isinstance(public, bool):
        # "The default value for later comments is that of the ticket's first comment."
        public = True if is_first or not ticket.comments else ticket.comments[0].public
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


def _add_comment(
    desk: Desk, ticket: Ticket, audit: Audit, comment: Comment, wanted: Mapping[str, Any]
) -> None:
    ticket.comments.append(comment)
    audit.comment = comment
    for token in _tokens(wanted.get("uploads")):
        # A token's files move to the comment; it cannot be used again.
        desk.uploads.pop(token, None)


def _finish(desk: Desk, ticket: Ticket, audit: Audit, doing: Doing) -> None:
    ticket.audits.append(audit)
    desk.touch(ticket, int(doing.seconds))
