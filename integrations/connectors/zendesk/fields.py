"""Zendesk's ticket fields and ours: reading records, describing fields, making the body of a write.  Pure.

Our names are Zendesk's own, except for people (`assignee`, `requester`, not `assignee_id`) and custom fields
(`custom_field_360001`).  The description is the first comment where that one is public, else empty.  Status is the category text, whatever custom statuses an account has beside it.
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#json-format
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from integrations.canonical import Attachment, FieldKind, Fields, FieldSpec, StatusStep, Value
from integrations.connectors import errors
from integrations.connectors.zendesk import texts
from integrations.connectors.zendesk.people import People, id_of
from integrations.richtext.blocks import from_value, is_document

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
TYPES = ("question", "incident", "problem", "task")
CHOICES = {"status": STATUSES, "priority": PRIORITIES, "type": TYPES}
PEOPLE = {"assignee_id": "assignee", "requester_id": "requester"}
CUSTOM = "custom_field_"

_PLAIN = ("subject", "status", "priority", "type", "tags")
# The type of a custom field, as far as it is not simply text.
_KINDS = {
    "tagger": FieldKind.CHOICE, "multiselect": FieldKind.LABELS, "integer": FieldKind.NUMBER,
    "decimal": FieldKind.NUMBER, "date": FieldKind.DATETIME,
}  # fmt: skip
# System fields by their type, and the name we give them.
_SYSTEM = {
    "subject": ("subject", FieldKind.TEXT), "description": ("description", FieldKind.RICH_TEXT),
    "status": ("status", FieldKind.STATUS), "priority": ("priority", FieldKind.CHOICE),
    "tickettype": ("type", FieldKind.CHOICE), "assignee": ("assignee", FieldKind.PERSON),
}  # fmt: skip
# What is no custom field although it is in the list: kept in other ways or of no use to a partner.
_LEFT_OUT = frozenset(("group", "custom_status", "basic_priority", "ticket_form", "brand", "organization"))


# --- Reading ---


def our_name(name: object) -> str:
    """Our name of a field that an audit names; "" for what we do not exchange."""
    if not isinstance(name, str):
        return ""
    if name.isascii() and name.isdigit():
        return CUSTOM + name
    if name == "current_tags":
        return "tags"
    return name if name in _PLAIN else PEOPLE.get(name, "")


def our_value(name: str, value: object, people: People) -> Value:
    """A field's value as Zendesk tells it, in our form.  Nothing is None, for every field but labels."""
    if name in PEOPLE.values():
        return people.value(value)
    if name == "tags":
        return _tags(value)
    if name in CHOICES:
        return value.lower() if isinstance(value, str) and value else None
    if value is None or isinstance(value, bool | int | float | str | list):
        return value if value not in ("", []) else None
    return str(value)


def ticket_values(ticket: Mapping, people: People) -> dict[str, Value]:
    """The fields of a ticket record, without its description."""
    values = {name: our_value(name, ticket.get(name), people) for name in _PLAIN}
    values |= {ours: our_value(ours, ticket.get(theirs), people) for theirs, ours in PEOPLE.items()}
    custom = ticket.get("custom_fields")
    for entry in custom if isinstance(custom, list) else ():
        if isinstance(entry, dict) and (id_ := id_of(entry.get("id"))):
            values[CUSTOM + id_] = our_value(CUSTOM + id_, entry.get("value"), people)
    return values


def person_ids(ticket: Mapping) -> list[str]:
    """The ids of everybody a ticket's fields name."""
    return [id_of(ticket.get(name)) for name in PEOPLE]


def _tags(value: object) -> list[str]:
    if isinstance(value, str):
        return sorted(set(value.split()))
    return sorted({tag for tag in value if isinstance(tag, str)}) if isinstance(value, list) else []


def time_of(value: object) -> datetime | None:
    """A time in UTC from ISO 8601 or Unix seconds; None when it makes no sense."""
    try:
        if isinstance(value, str):
            at = datetime.fromisoformat(value.strip())
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def attachments_of(record: Mapping) -> tuple[Attachment, ...]:
    """The files of a comment.  Pictures inside the text are not listed by Zendesk unless asked for."""
    found = record.get("attachments")
    return (
        tuple(_attachment(one) for one in found if isinstance(one, dict)) if isinstance(found, list) else ()
    )


def _attachment(record: dict) -> Attachment:
    size, name, kind = record.get("size"), record.get("file_name"), record.get("content_type")
    url = record.get("content_url")
    return Attachment(
        id_of(record.get("id")),
        name if isinstance(name, str) and name else "file",
        kind if isinstance(kind, str) and kind else "application/octet-stream",
        size if isinstance(size, int) else 0,
        # Without an address the file can be named but not opened: what Zendesk holds for malware stays there.
        url if isinstance(url, str) and record.get("malware_scan_result") != "malware_found" else "",
    )


# --- Describing ---


def field_specs(records: Iterable[Mapping]) -> tuple[FieldSpec, ...]:
    """What an account's tickets hold, in the order of its form."""
    rows = [record for record in records if record.get("active") is not False]
    specs = [_with_steps(_spec(record), rows) for record in rows]
    found = {spec.name: spec for spec in specs if spec is not None}
    found.setdefault("subject", FieldSpec("subject", "Subject", FieldKind.TEXT))
    found.setdefault("requester", FieldSpec("requester", "Requester", FieldKind.PERSON))
    found.setdefault("tags", FieldSpec("tags", "Tags", FieldKind.LABELS))
    return tuple(found.values())


def _with_steps(spec: FieldSpec | None, records: Iterable[Mapping]) -> FieldSpec | None:
    """The status field with Zendesk's own steps: to new nothing leads back, from closed nothing leads on.

    Closing is for Zendesk's own automations.  An account may demand fields of a ticket that is to be solved.
    https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/
    """
    if spec is None or spec.name != "status":
        return spec
    required = tuple(
        sorted(one.name for record in records if record.get("required") is True and (one := _spec(record)))
    )
    working = [one for one in spec.values if one not in ("new", "closed")]
    steps = [
        StatusStep(start, end, required if end == "solved" else ())
        for start in spec.values
        for end in working
        if start not in (end, "closed")
    ]
    steps += [StatusStep("solved", "closed")] if "closed" in spec.values and "solved" in spec.values else []
    return replace(spec, steps=tuple(steps), steps_known=spec.values)


def _spec(record: Mapping) -> FieldSpec | None:
    type_, title = record.get("type"), record.get("title")
    label = title if isinstance(title, str) else ""
    if not isinstance(type_, str) or type_ in _LEFT_OUT:
        return None
    if type_ in _SYSTEM:
        name, kind = _SYSTEM[type_]
        values = _options(record.get("system_field_options"))
        if name in CHOICES:
            # The list leaves out what an agent cannot choose by hand; a ticket can still hold it.
            values = tuple(one for one in CHOICES[name] if one in values or name == "status") or CHOICES[name]
        if name == "description":
            return FieldSpec(name, label or name, kind, is_create_only=True)
        return FieldSpec(name, label or name, kind, values)
    if not (id_ := id_of(record.get("id"))):
        return None
    kind = _KINDS.get(type_, FieldKind.TEXT)
    values = ("true", "false") if type_ == "checkbox" else _options(record.get("custom_field_options"))
    return FieldSpec(CUSTOM + id_, label or CUSTOM + id_, kind, values)


def _options(options: object) -> tuple[str, ...]:
    if not isinstance(options, list):
        return ()
    return tuple(
        one["value"]
        for one in options
        if isinstance(one, dict) and isinstance(one.get("value"), str) and one["value"]
    )


@dataclass(frozen=True, slots=True)
class FieldTags:
    """Custom fields whose values Zendesk keeps among the ticket's tags: drop-downs, multiple choices, checkboxes.

    https://support.zendesk.com/hc/en-us/articles/4408886624410 : choosing a value adds its tag, and taking the tag
    away empties the field.  So these tags are no labels: they are left out of `tags` in both directions.
    """

    names: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()

    def labels(self, tags: Value) -> Value:
        """The tags that people gave, without the fields' own."""
        return [tag for tag in tags if tag not in self.values] if isinstance(tags, list) else tags

    def kept(self, current: Fields) -> dict[str, Value]:
        """The fields that would be emptied if tags were written without them."""
        return {name: value for name, value in current.items() if name in self.names and value}


def field_tags(records: Iterable[Mapping]) -> FieldTags:
    """Which fields of an account keep their values among the tags."""
    names: set[str] = set()
    values: set[str] = set()
    for record in records:
        own = _options(record.get("custom_field_options"))
        tag = record.get("tag")
        own += (tag,) if isinstance(tag, str) and tag else ()
        if own and (id_ := id_of(record.get("id"))):
            names.add(CUSTOM + id_)
            values.update(own)
    return FieldTags(frozenset(names), frozenset(values))


# --- Writing ---


def write_body(fields: Fields) -> dict[str, object]:
    """The body that sets these fields, without the description; Invalid names what Zendesk cannot take."""
    body: dict[str, object] = {}
    custom: list[dict[str, object]] = []
    for name, value in fields.items():
        if name in PEOPLE.values():
            body |= _person_body(name, value)
        elif name == "tags":
            body["tags"] = settled_tags(value)
        elif name in _PLAIN:
            body[name] = settled(name, value)
        elif name.startswith(CUSTOM) and (id_ := id_of(name.removeprefix(CUSTOM))):
            custom.append({"id": int(id_), "value": settled(name, value)})
        elif name != "description":
            raise errors.Invalid(f"Zendesk has no field “{name}”.", fields={name: "There is no such field."})
    if "status" in body and body["status"] is None:
        raise errors.RequiredField(
            "A Zendesk ticket always has a status.", fields={"status": "It cannot be empty."}
        )
    return {**body, "custom_fields": custom} if custom else body


def _person_body(name: str, value: Value) -> dict[str, object]:
    """A person by number, or by mail address for somebody Zendesk may know under it."""
    person = value if isinstance(value, dict) else {"id": value} if value else {}
    email, full_name = person.get("email"), person.get("name")
    if id_ := id_of(person.get("id")):
        return {f"{name}_id": int(id_)}
    if email and name == "assignee":
        return {"assignee_email": email}
    if email:
        return {"requester": {"name": full_name or email, "email": email}}
    if value in (None, "", {}) and name == "assignee":
        return {"assignee_id": None}
    raise errors.Invalid(
        f"Zendesk needs the mail address of the {name}.", fields={name: "The mail address is missing."}
    )


def settled(name: str, value: Value) -> Value:
    """What Zendesk holds after this value was written."""
    # A comment's text is no field, but it is settled like one.
    if name in ("description", "comment"):
        return texts.settled(value)
    if name == "tags":
        return list(settled_tags(value))
    if is_document(value) and name not in PEOPLE.values():
        value = from_value(value).plain()
    if name == "subject":
        return " ".join(value.split()) or None if isinstance(value, str) else value
    if name in CHOICES and isinstance(value, str):
        return value.strip().lower() or None
    return None if value in ("", []) else value


def settled_tags(value: Value) -> list[str]:
    """Tags as Zendesk keeps them: lower case, without blanks, sorted, each once."""
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return sorted({tag for word in words if (tag := re.sub(r"\s+", "_", str(word).strip().lower()))})
