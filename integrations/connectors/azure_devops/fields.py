"""Azure DevOps' fields and ours: names, values read, values written.  Pure.

The fields that every work item has go by short names (`title`, `status`), all others by their reference names
(`Custom.Impact`).  `description` is what the form of a type shows as such: Repro Steps for bugs, Description elsewhere.
https://learn.microsoft.com/azure/devops/boards/work-items/guidance/work-item-field
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from integrations.canonical import Attachment, FieldKind, Value
from integrations.connectors import errors
from integrations.connectors.azure_devops import files, texts, times
from integrations.connectors.azure_devops.identities import People
from integrations.connectors.azure_devops.process import REPRO_STEPS, Process, TicketType
from integrations.richtext import cutting
from integrations.richtext.blocks import from_value, is_document

DESCRIPTION = "System.Description"
TAGS = "System.Tags"
# A tag carries the marker of a ticket we created: it is the one thing that a query finds at once.
MARKER_TAG = "concord:"
TITLE_CHARS = 255
TAG_CHARS = 400
STRING_CHARS = 255
NAMES: Mapping[str, str] = {
    "System.Title": "title",
    "System.State": "status",
    "System.Reason": "reason",
    "System.WorkItemType": "type",
    TAGS: "tags",
    "System.AssignedTo": "assignee",
    "System.AreaPath": "area",
    "System.IterationPath": "iteration",
    "Microsoft.VSTS.Common.Priority": "priority",
    "Microsoft.VSTS.Common.Severity": "severity",
}
REFERENCES: Mapping[str, str] = {ours: theirs for theirs, ours in NAMES.items()}
KINDS: Mapping[str, FieldKind] = {
    "title": FieldKind.TEXT,
    "status": FieldKind.STATUS,
    "reason": FieldKind.CHOICE,
    "type": FieldKind.CHOICE,
    "tags": FieldKind.LABELS,
    "assignee": FieldKind.PERSON,
    "area": FieldKind.CHOICE,
    "iteration": FieldKind.CHOICE,
    "priority": FieldKind.CHOICE,
    "severity": FieldKind.CHOICE,
    "description": FieldKind.RICH_TEXT,
}
# Consequences of a step through the states.  Told along with it they are no news of their own.
REASONS = ("reason", "Microsoft.VSTS.Common.ResolvedReason")
_TYPES: Mapping[str, FieldKind] = {
    "string": FieldKind.TEXT,
    "plainText": FieldKind.TEXT,
    "treePath": FieldKind.TEXT,
    "html": FieldKind.RICH_TEXT,
    "integer": FieldKind.NUMBER,
    "double": FieldKind.NUMBER,
    "boolean": FieldKind.CHOICE,
    "dateTime": FieldKind.DATETIME,
    "identity": FieldKind.PERSON,
    "picklistString": FieldKind.CHOICE,
    "picklistInteger": FieldKind.CHOICE,
    "picklistDouble": FieldKind.CHOICE,
}
# Written by the system itself whenever something else changes, or by people who only sort a board.
_BY_ITSELF = re.compile(
    r"Microsoft\.VSTS\.Common\.(?:(?:StateChange|Activated|Resolved|Closed)Date|(?:Activated|Resolved|Closed)By"
    r"|StackRank|BacklogPriority)"
)


# --- Names ---


def our_name(reference: str, ticket_type: TicketType) -> str:
    """Our name of a field; "" for what is not exchanged."""
    if reference == (REPRO_STEPS if ticket_type.tells_in_steps else DESCRIPTION):
        return "description"
    if reference in (REPRO_STEPS, DESCRIPTION):
        return reference
    if reference in NAMES:
        return NAMES[reference]
    is_ours = reference.startswith(("System.", "WEF_")) or _BY_ITSELF.fullmatch(reference)
    return "" if is_ours or not reference else reference


def reference_of(name: str, ticket_type: TicketType) -> str:
    """The reference name of a field.  Invalid for what cannot be one."""
    if name == "description":
        return REPRO_STEPS if ticket_type.tells_in_steps else DESCRIPTION
    if name in REFERENCES:
        return REFERENCES[name]
    is_own = our_name(name, ticket_type) == name and name not in NAMES.values()
    if "." not in name or not is_own or not re.fullmatch(r"[\w.-]{1,200}", name):
        raise errors.Invalid(f"Azure DevOps has no field “{name}”.", fields={name: "There is no such field."})
    return name


def kind_of(name: str, process: Process) -> FieldKind | None:
    """How a field's value is to be read; None where neither we nor the project know the field."""
    if name in (DESCRIPTION, REPRO_STEPS):
        return FieldKind.RICH_TEXT
    return KINDS.get(name) or _TYPES.get(process.field_types.get(name, ""))


# --- Reading ---


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the values of one project's work items."""

    process: Process
    people: People

    def value(self, name: str, raw: object) -> Value:
        """A field's value in our form.  Nothing is None, for every field but tags."""
        if name == "tags":
            return labels(raw)
        if raw in (None, "", [], {}):
            return None
        kind = kind_of(name, self.process)
        if kind is FieldKind.PERSON or (kind is None and isinstance(raw, dict)):
            person = self.people.met(raw)
            return person.as_value() if person.id else None
        if kind is FieldKind.RICH_TEXT:
            document = texts.read(raw)
            return document.as_value() if document.blocks else None
        if kind is FieldKind.DATETIME:
            return _time_value(raw)
        if isinstance(raw, dict | list):
            return None
        if kind in (FieldKind.CHOICE, FieldKind.STATUS) or isinstance(raw, bool):
            return choice_text(raw)
        return raw if isinstance(raw, int | float | str) else None

    def values(self, raw: Mapping[str, object]) -> dict[str, Value]:
        """The fields of a work item, its description and tags also where it has none."""
        ticket_type = self.process.type(raw.get("System.WorkItemType"))
        found: dict[str, Value] = {"description": None, "tags": []}
        for reference, value in raw.items():
            if name := our_name(reference, ticket_type):
                found[name] = self.value(name, value)
        return found


def labels(raw: object) -> list[str]:
    """The tags of a text such as `a; b`, without our own."""
    return [tag for tag in all_tags(raw) if not tag.lower().startswith(MARKER_TAG)]


def all_tags(raw: object) -> list[str]:
    """All tags of a text, sorted."""
    parts = raw.split(";") if isinstance(raw, str) else raw if isinstance(raw, list) else []
    words = [one.get("name") if isinstance(one, dict) else one for one in parts]
    return sorted({one.strip() for one in words if isinstance(one, str) and one.strip()}, key=_order)


def _order(tag: str) -> tuple[str, str]:
    return tag.casefold(), tag


def marker_in_tags(raw: object) -> str:
    """The marker among the tags, or ""."""
    found = (tag for tag in all_tags(raw) if tag.lower().startswith(MARKER_TAG))
    return next((tag[len(MARKER_TAG) :] for tag in found), "")


def choice_text(raw: object) -> str:
    """The word for a value to choose: numbers and truth as people write them."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    return str(raw)


def _time_value(raw: object) -> Value:
    at = times.time_of(raw)
    return times.text_of(at) if at else None


def attachments_of(relations: object) -> tuple[Attachment, ...]:
    """The files among a work item's links."""
    links = [one for one in relations if isinstance(one, dict)] if isinstance(relations, list) else []
    return tuple(file for one in links if (file := files.attachment(one)) is not None)


# --- Writing ---


def written(name: str, value: Value | texts.Markup, process: Process, people: People) -> object:
    """What to write for a field's value; "" empties it.  Invalid names what cannot be written."""
    if isinstance(value, texts.Markup):
        return value.html
    kind = kind_of(name, process)
    if name == "tags":
        return "; ".join(settled_tags(value))
    if kind is FieldKind.PERSON:
        return people.written(name, value)
    if kind is FieldKind.RICH_TEXT:
        return texts.written(value) if value is not None else ""
    if is_document(value):
        value = from_value(value).plain()
    if value in (None, "", [], {}):
        if name in ("title", "status"):
            raise errors.RequiredField(
                f"A work item always has a {name}.", fields={name: "It cannot be empty."}
            )
        return ""
    if name == "title":
        return settled_title(value)
    if name == "priority" or process.field_types.get(name) in ("integer", "picklistInteger"):
        return _whole_number(name, value)
    if kind is FieldKind.NUMBER:
        return _number(value)
    if process.field_types.get(name) == "boolean":
        return str(value).strip().lower() in ("true", "yes", "1")
    return _fitted(name, value, process)


def _fitted(name: str, value: Value, process: Process) -> Value:
    """A short text with a mark where it is cut."""
    is_short = isinstance(value, str) and process.field_types.get(name) == "string"
    return cutting.fitted_line(str(value), STRING_CHARS) if is_short else value


def _whole_number(name: str, value: Value) -> int:
    text = choice_text(value).strip()
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise errors.Invalid(
            f"Azure DevOps takes only a whole number for “{name}”.",
            fields={name: "It is not a whole number."},
        )
    return int(text)


def settled(name: str, value: Value, process: Process, people: People) -> Value:
    """What Azure DevOps holds after this value was written."""
    kind = kind_of(name, process)
    if name == "tags":
        return list(settled_tags(value))
    if kind is FieldKind.PERSON:
        return people.settled(value)
    # Before the process was read, a text with markup is taken for what it is.
    if kind is FieldKind.RICH_TEXT or (kind is None and not process.field_types and is_document(value)):
        return texts.settled(value)
    if is_document(value):
        value = from_value(value).plain()
    if value in (None, "", [], {}):
        return None
    if name == "title":
        return settled_title(value)
    if kind is FieldKind.DATETIME:
        return _time_value(value) or value
    if kind is FieldKind.NUMBER:
        return _number(value)
    if kind in (FieldKind.CHOICE, FieldKind.STATUS):
        return choice_text(value).strip() or None
    return _fitted(name, value, process)


def _number(value: Value) -> Value:
    """A number from its text; what is none stays as it is, for the system to refuse."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value.strip()):
        return float(value) if "." in value else int(value)
    return value


def settled_title(value: Value) -> str | None:
    """A title is one line, with a mark where it is cut."""
    return cutting.fitted_line(" ".join(str(value).split()), TITLE_CHARS) or None


def settled_tags(value: Value) -> list[str]:
    """Tags as Azure DevOps keeps them: told apart without regard to capitals, without the signs that part them."""
    words: Iterable[object] = value if isinstance(value, list) else [value] if value else []
    found: dict[str, str] = {}
    for word in words:
        tag = " ".join(re.sub(r"[;,]", " ", str(word)).split())[:TAG_CHARS].strip()
        if tag and not tag.lower().startswith(MARKER_TAG):
            found.setdefault(tag.casefold(), tag)
    return sorted(found.values(), key=_order)


def patch(
    fields: Mapping[str, Value | texts.Markup], ticket_type: TicketType, process: Process, people: People
) -> list[dict[str, object]]:
    """The operations that set these fields."""
    return [
        {
            "op": "add",
            "path": "/fields/" + reference_of(name, ticket_type),
            "value": written(name, value, process, people),
        }
        for name, value in fields.items()
    ]
