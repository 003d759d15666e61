"""Reading what a request wants of a ticket, and checking it: nothing is written here.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.sandbox.zendesk.errors import Invalid
from integrations.sandbox.zendesk.people import Doing, user_of
from integrations.sandbox.zendesk.state import (
    CUSTOM_STATUS_IDS,
    GROUP_ID,
    PRIORITIES,
    STATUSES,
    TYPES,
    Desk,
    Ticket,
    User,
)

_STATUS_BY_CUSTOM_ID = {id_: status for status, id_ in CUSTOM_STATUS_IDS.items()}


# In the order in which a Create audit lists them; the recordings show the same fields, some of them with null.
FIELDS = (
    "subject", "requester_id", "priority", "type", "status", "organization_id", "external_id", "assignee_id",
    "group_id", "problem_id", "due_at", "custom_status_id",
)  # fmt: skip


def wanted_comment(wanted: Mapping[str, Any], *, allow_description: bool = True) -> Mapping[str, Any] | None:
    """The comment, or None when there is nothing to say."""
    comment = wanted.get("comment")
    if isinstance(comment, str):
        comment = {"body": comment}
    if isinstance(comment, Mapping) and (comment_text(comment) or comment.get("uploads")):
        return comment
    description = wanted.get("description")
    if allow_description and isinstance(description, str) and description.strip():
        # Still answered by the vendor, as recordings show, though the documentation asks for `comment`.
        return {"body": description}
    return None


def comment_text(comment: Mapping[str, Any]) -> str:
    """The text under any of the names it may have."""
    return str(comment.get("html_body") or comment.get("body") or comment.get("value") or "")


def _whole(value: object) -> int:
    try:
        return int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return 0


def requester_of(desk: Desk, wanted: Mapping[str, Any], doing: Doing) -> User:
    """By id, or by address and made when new; else whoever writes."""
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


def submitter_of(desk: Desk, wanted: Mapping[str, Any], doing: Doing) -> User:
    """Who submits the ticket: whoever was named, else whoever writes."""
    return desk.users.get(_whole(wanted.get("submitter_id"))) or doing.actor


def followup_source(desk: Desk, wanted: Mapping[str, Any]) -> Ticket | None:
    """The closed ticket that a new one follows up."""
    if (id_ := wanted.get("via_followup_source_id")) is None:
        return None
    source = desk.tickets.get(_whole(id_))
    if source is None or source.status != "closed":
        raise Invalid("via_followup_source_id", "Via followup source: is not a closed ticket", "InvalidValue")
    return source


def author_of(desk: Desk, comment: Mapping[str, Any], wanted: Mapping[str, Any], otherwise: User) -> User:
    """Who is shown as the comment\'s author."""
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


def wanted_fields(desk: Desk, ticket: Ticket, wanted: Mapping[str, Any], doing: Doing) -> dict[str, Any]:
    """The named fields, checked; names that Zendesk does not know are ignored, as it ignores them."""
    changed: dict[str, Any] = {}
    for name in FIELDS:
        if name in wanted and name != "requester_id":
            changed[name] = _checked(desk, name, wanted[name])
    if "raw_subject" in wanted and "subject" not in changed:
        changed["subject"] = _checked(desk, "subject", wanted["raw_subject"])
    if "requester_id" in wanted and ticket.audits:
        changed["requester_id"] = requester_of(desk, wanted, doing).id
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
