"""Jira's field values and the neutral ones, in both directions, and what each field takes.  Pure.

Neutral: choices and statuses by name, people as `Person.as_value()`, labels and multiple choices as a sorted list, formatted text as a
rich-text document, times as ISO 8601 in UTC, everything else as Jira has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from integrations.canonical import Person, Value
from integrations.connectors import errors
from integrations.connectors.jira import adf
from integrations.connectors.jira.adf_nesting import clean_text
from integrations.richtext import blocks, cutting
from integrations.richtext.blocks import Block, Document

SUMMARY_LENGTH = 255
TEXT_LENGTH = 32_767
RICH_FIELDS = ("description", "environment")
PERSON_FIELDS = ("assignee", "reporter")
CHOICE_FIELDS = ("priority", "issuetype", "resolution")
NAMED_LIST_FIELDS = ("components", "fixVersions", "versions")
SYSTEM_FIELDS = (
    "summary", "status", *CHOICE_FIELDS, *PERSON_FIELDS, "labels", "duedate", *RICH_FIELDS, *NAMED_LIST_FIELDS,
)  # fmt: skip

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)")


@dataclass(frozen=True, slots=True)
class Shape:
    """How Jira writes a custom field: the `type`, `items` and `custom` of its schema."""

    type: str
    items: str = ""
    custom: str = ""


class _Unreadable:
    """Marks a value whose meaning we do not know (a sprint, a development panel): it is left out."""


UNREADABLE = _Unreadable()


def neutral_fields(raw: Mapping[str, object]) -> dict[str, Value]:
    """The neutral values of an issue's fields; custom fields without a value are left out."""
    values: dict[str, Value] = {}
    for name, value in raw.items():
        if name not in SYSTEM_FIELDS and not (
            name.startswith("customfield_") and value not in (None, "", [])
        ):
            continue
        read = neutral(name, value)
        if not isinstance(read, _Unreadable):
            values[name] = read
    return values


def neutral(name: str, raw: object) -> Value | _Unreadable:
    """One field's neutral value; UNREADABLE when Jira's value is of a kind that nobody could write elsewhere."""
    if name in RICH_FIELDS:
        document = adf.from_adf(raw)
        return document.as_value() if document.blocks else None
    if name == "labels":
        return clean_labels(raw)
    if name in PERSON_FIELDS:
        return person(raw).as_value() if raw else None
    match raw:
        case None | bool() | int() | float():
            return raw
        case str():
            return neutral_time(raw) if is_time(raw) else raw or None
        case dict():
            return _neutral_object(raw)
        case list():
            texts = [choice_word(entry) for entry in raw]
            return UNREADABLE if None in texts else sorted({text for text in texts if text})
        case _:
            return UNREADABLE


def _neutral_object(raw: dict) -> Value | _Unreadable:
    if raw.get("type") == "doc":
        document = adf.from_adf(raw)
        return document.as_value() if document.blocks else None
    if "accountId" in raw:
        return person(raw).as_value()
    text = choice_word(raw)
    return UNREADABLE if text is None else text


def choice_word(entry: object) -> str | None:
    """The word people know a choice by; a cascading choice is "parent - child", as Jira's own history writes it."""
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, dict):
        return None
    word = next(
        (entry[key] for key in ("value", "name", "displayName") if isinstance(entry.get(key), str)), None
    )
    child = entry.get("child")
    if word is not None and isinstance(child, dict) and isinstance(child.get("value"), str):
        return f"{word} - {child['value']}"
    return word


def person(raw: object) -> Person:
    """A user of Jira; the address is missing where that person's privacy settings hide it."""
    if not isinstance(raw, dict):
        return Person(raw if isinstance(raw, str) else "")
    return Person(
        str(raw.get("accountId") or raw.get("key") or raw.get("name") or ""),
        str(raw.get("displayName") or raw.get("name") or ""),
        str(raw.get("emailAddress") or ""),
    )


def instant(raw: object) -> datetime:
    """A time of Jira's, aware and in UTC.  Garbled when it is none."""
    try:
        at = datetime.fromisoformat(str(raw))
    except ValueError as error:
        raise errors.Garbled(
            "Jira's answer holds a time that cannot be read.", detail=str(raw)[:60]
        ) from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def is_time(text: str) -> bool:
    """Whether a text is a point in time as Jira writes it."""
    return _TIME.fullmatch(text) is not None


def neutral_time(raw: str) -> str:
    """A time of Jira's as ISO 8601 text in UTC."""
    return instant(raw).isoformat()


def clean_summary(value: object) -> str:
    """One line of at most 255 characters, with a mark where it is cut.

    DefectDojo's dojo/jira/helper.py knows the same two limits.
    """
    return cutting.fitted_line(" ".join(clean_text(_plain(value)).split()), SUMMARY_LENGTH)


def fitted(document: Document) -> Document:
    """As much of a text as Jira takes, with a mark where it is cut."""
    return cutting.fitted(document, _letters, TEXT_LENGTH, gap=2)


def _letters(found: tuple[Block, ...]) -> int:
    """How long a text is for Jira, told a bit too large: signs of lists and tables count."""
    return sum(len(Document((block,)).plain()) + 2 for block in found)


def clean_labels(value: object) -> list[str]:
    """Labels as Jira holds them: without blanks inside (it refuses those), each once, sorted."""
    entries = value if isinstance(value, list | tuple) else str(value or "").split()
    return sorted({"_".join(clean_text(str(entry)).split()) for entry in entries} - {""})


def settled(name: str, value: Value, shape: Shape | None = None) -> Value:
    """What Jira holds after `value` was written to field `name`; of a custom field as far as its shape is known."""
    if name == "summary":
        return clean_summary(value)
    if name == "labels":
        return clean_labels(value)
    if name in RICH_FIELDS or blocks.is_document(value):
        document = adf.settled(fitted(blocks.from_value(value)))
        return document.as_value() if document.blocks else None
    if isinstance(value, list):
        return sorted({clean_text(str(entry)) for entry in value} - {""})
    if isinstance(value, str):
        if is_time(value):
            return neutral_time(value)
        text = clean_text(value)
        return (cutting.fitted_line(text, SUMMARY_LENGTH) if _is_line(shape) else text) or None
    return value


def _is_line(shape: Shape | None) -> bool:
    return shape is not None and "textfield" in shape.custom


def jira_value(name: str, value: Value, shape: Shape | None = None) -> object:
    """Jira's form of a neutral value.  `shape` is needed for custom fields.  Raises Invalid for a person unknown."""
    if name == "summary":
        return clean_summary(value)
    if name == "labels":
        return clean_labels(value)
    if value is None or value == "":
        return [] if name in NAMED_LIST_FIELDS or (shape and shape.type == "array") else None
    if name in RICH_FIELDS or (shape is not None and "textarea" in shape.custom):
        document = fitted(blocks.from_value(value))
        return adf.to_adf(document) if document.blocks else None
    if name in PERSON_FIELDS or (shape is not None and shape.type == "user"):
        return {"accountId": account_id(name, value)}
    if name in CHOICE_FIELDS:
        return {"name": str(value)}
    if name in NAMED_LIST_FIELDS:
        return [{"name": entry} for entry in _texts(value)]
    if blocks.is_document(value):
        value = clean_text(blocks.from_value(value).plain())
    if _is_line(shape) and isinstance(value, str):
        return cutting.fitted_line(value, SUMMARY_LENGTH)
    return _custom(value, shape) if shape is not None else value


def _custom(value: Value, shape: Shape) -> object:
    key = _WORD_KEYS.get(shape.items if shape.type == "array" else shape.type)
    if shape.type == "array":
        texts = _texts(value)
        return [{key: text} for text in texts] if key else texts
    if shape.type == "option-with-child":
        parent, _, child = str(value).partition(" - ")
        return {"value": parent, "child": {"value": child}} if child else {"value": parent}
    if shape.type == "datetime":
        return instant(value).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    if shape.type == "date":
        return str(value)[:10]
    return {key: str(value)} if key else value


# By which word Jira knows a choice of these types.
_WORD_KEYS = {
    "option": "value", "priority": "name", "resolution": "name", "issuetype": "name", "version": "name",
    "component": "name", "group": "name", "project": "key",
}  # fmt: skip


def account_id(name: str, value: Value) -> str:
    """The account id in a person value.  Raises Invalid when there is none: names are not unique."""
    found = value.get("id") if isinstance(value, dict) else value
    if not isinstance(found, str) or not found:
        raise errors.Invalid(
            f"The person for “{name}” has no account in this Jira.", fields={name: "unknown person"}
        )
    return found


def _texts(value: Value) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def shapes(metadata: Iterable[dict]) -> dict[str, Shape]:
    """The shapes of all fields in Jira's create metadata."""
    return {name: shape for name, _, shape in described(metadata)}


def described(metadata: Iterable[dict]) -> Iterator[tuple[str, dict, Shape]]:
    """Name, entry and shape of every field in Jira's create metadata."""
    for entry in metadata:
        raw = entry.get("schema")
        schema = raw if isinstance(raw, dict) else {}
        name = entry.get("fieldId") or entry.get("key")
        if isinstance(name, str):
            parts = (str(schema.get(key) or "") for key in ("type", "items", "custom"))
            yield name, entry, Shape(*parts)


def _plain(value: object) -> str:
    return blocks.from_value(value).plain() if blocks.is_document(value) else str(value or "")
