"""What Jira's fields take, from its create metadata: for the mapping's choice of fields and values.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from integrations.canonical import FieldKind, FieldSpec
from integrations.connectors.jira.fields import (
    RICH_FIELDS,
    SUMMARY_LENGTH,
    TEXT_LENGTH,
    Shape,
    choice_word,
    described,
)

_KINDS = {
    "string": FieldKind.TEXT, "number": FieldKind.NUMBER, "date": FieldKind.DATETIME, "datetime": FieldKind.DATETIME,
    "user": FieldKind.PERSON, "option": FieldKind.CHOICE, "option-with-child": FieldKind.CHOICE,
    "priority": FieldKind.CHOICE, "resolution": FieldKind.CHOICE, "issuetype": FieldKind.CHOICE,
    "version": FieldKind.CHOICE, "component": FieldKind.CHOICE, "group": FieldKind.CHOICE,
}  # fmt: skip
_LIST_ITEMS = ("string", "option", "version", "component", "group")
# The connector fills these by itself.
_OURS = ("project", "attachment", "issuelinks", "comment")
# Jira demands these of a new ticket, and the connector gives them where the rules do not: nobody has to map them.
_GIVEN = ("issuetype",)


def specs(metadata: Iterable[dict]) -> Iterator[FieldSpec]:
    """The fields in Jira's create metadata that we can exchange."""
    for name, entry, shape in described(metadata):
        if name in _OURS or (kind := _kind(name, shape)) is None:
            continue
        operations = entry.get("operations")
        yield FieldSpec(
            name,
            str(entry.get("name") or name),
            kind,
            values=_allowed(entry.get("allowedValues")),
            max_length=_max_length(name, kind, shape),
            is_writable=not isinstance(operations, list) or "set" in operations,
            is_required=name not in _GIVEN
            and entry.get("required") is True
            and entry.get("hasDefaultValue") is not True,
        )


def _kind(name: str, shape: Shape) -> FieldKind | None:
    if name in RICH_FIELDS or "textarea" in shape.custom:
        return FieldKind.RICH_TEXT
    if shape.type == "array":
        return FieldKind.LABELS if shape.items in _LIST_ITEMS else None
    return _KINDS.get(shape.type)


def _max_length(name: str, kind: FieldKind, shape: Shape) -> int:
    if name == "summary" or "textfield" in shape.custom:
        return SUMMARY_LENGTH
    return TEXT_LENGTH if kind is FieldKind.RICH_TEXT else 0


def _allowed(raw: object) -> tuple[str, ...]:
    """The allowed values' words, those of a cascading choice with their children."""
    found: list[str] = []
    for entry in raw if isinstance(raw, list) else ():
        if not isinstance(entry, dict) or (word := choice_word(entry)) is None:
            continue
        found.append(word)
        children = entry.get("children")
        found += [
            f"{word} - {c['value']}" for c in (children if isinstance(children, list) else ()) if "value" in c
        ]
    return tuple(found)
