"""ServiceNow's fields and ours: what a field holds, its values in our words and in ServiceNow's.  Pure.

Names are ServiceNow's own; `type` is ours and tells the table.  A choice is told by its label, because that is what
people know and agree on ("On Hold", not 3), and taken by label or value.  A person is told whole, a group by name.
Left out: what ServiceNow keeps for itself, second names of one thing (`incident_state`), references to its own
inventory, and the `type` that a change request has beside its table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from integrations.canonical import FieldKind, FieldSpec, Value
from integrations.connectors import errors
from integrations.connectors.servicenow import records, texts
from integrations.connectors.servicenow.people import Directory
from integrations.richtext import html
from integrations.richtext.blocks import from_value, is_document

TYPE = "type"
STATE = "state"
# The name of a kind of ticket that everybody knows, by table; another table goes by its own name.
TYPE_NAMES = {"incident": "incident", "problem": "problem", "change_request": "change"}


class Form(StrEnum):
    """How ServiceNow keeps a field."""

    LINE = "line"
    LONG = "long"
    HTML = "html"
    CHOICE = "choice"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    TIME = "time"
    DATE = "date"
    PERSON = "person"
    GROUP = "group"


_KINDS = {
    Form.LINE: FieldKind.TEXT, Form.LONG: FieldKind.RICH_TEXT, Form.HTML: FieldKind.RICH_TEXT,
    Form.CHOICE: FieldKind.CHOICE, Form.BOOLEAN: FieldKind.CHOICE, Form.INTEGER: FieldKind.NUMBER,
    Form.DECIMAL: FieldKind.NUMBER, Form.TIME: FieldKind.DATETIME, Form.DATE: FieldKind.DATETIME,
    Form.PERSON: FieldKind.PERSON, Form.GROUP: FieldKind.CHOICE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """One field of a table.  `choices` are (value, label) pairs in their order; empty means any value."""

    name: str
    label: str
    form: Form
    max_length: int = 0
    choices: tuple[tuple[str, str], ...] = ()
    is_writable: bool = True
    is_required: bool = False

    def label_of(self, raw: str) -> str:
        """The label of a value; the value itself where it has none."""
        return next((label for value, label in self.choices if value == raw), raw)

    def choice(self, text: str) -> tuple[str, str] | None:
        """The choice with this label, in any case of letters, or with this value."""
        folded = text.strip().casefold()
        by_label = (pair for pair in self.choices if pair[1].casefold() == folded)
        by_value = (pair for pair in self.choices if pair[0].casefold() == folded)
        return next(by_label, None) or next(by_value, None)


Shapes = Mapping[str, Shape]


def spec(shape: Shape, groups: Iterable[str] = ()) -> FieldSpec:
    """A field as the protocol describes it."""
    values = tuple(label for _, label in shape.choices)
    if shape.form is Form.BOOLEAN:
        values = ("true", "false")
    elif shape.form is Form.GROUP:
        values = tuple(groups)
    kind = FieldKind.STATUS if shape.name == STATE else _KINDS[shape.form]
    if shape.form is Form.LONG and shape.name != "description":
        # Notes in plain words; only the description is where others keep formatted text.
        kind = FieldKind.TEXT
    return FieldSpec(
        shape.name,
        shape.label,
        kind,
        values,
        shape.max_length if kind in (FieldKind.TEXT, FieldKind.RICH_TEXT) else 0,
        shape.is_writable,
        shape.is_required,
    )


def type_name(table: str) -> str:
    """What kind of ticket a table holds."""
    return TYPE_NAMES.get(table, table)


def table_of(name: object, tables: Iterable[str]) -> str | None:
    """The table for a kind of ticket; None when there is none."""
    text = str(name).strip().casefold()
    return next((table for table in tables if text in (type_name(table), table)), None)


def merged(several: Iterable[Shapes]) -> dict[str, Shape]:
    """The fields of several tables as one list: choices together, the shorter limit, writable where any table is."""
    found: dict[str, Shape] = {}
    for shapes in several:
        for name, shape in shapes.items():
            found[name] = _joined(found[name], shape) if name in found else shape
    return found


def _joined(one: Shape, other: Shape) -> Shape:
    labels = {label.casefold() for _, label in one.choices}
    more = tuple(pair for pair in other.choices if pair[1].casefold() not in labels)
    lengths = [length for length in (one.max_length, other.max_length) if length]
    return replace(
        one,
        choices=one.choices + more,
        max_length=min(lengths, default=0),
        is_writable=one.is_writable or other.is_writable,
        is_required=one.is_required and other.is_required,
    )


# --- Reading ---


def people_ids(shapes: Shapes, one: records.Record) -> list[str]:
    """The ids of everybody and every group that a record names."""
    forms = (Form.PERSON, Form.GROUP)
    return [records.raw(one, name) for name, shape in shapes.items() if shape.form in forms and name in one]


def values_of(shapes: Shapes, table: str, one: records.Record, directory: Directory) -> dict[str, Value]:
    """The fields of a record; those that our account may not see are missing."""
    values: dict[str, Value] = {TYPE: type_name(table)}
    for name, shape in shapes.items():
        if name in one:
            values[name] = neutral(shape, records.raw(one, name), directory)
    return values


def normal(shape: Shape, raw: str) -> str:
    """A value in one form, for telling whether it changed: the audit keeps booleans as digits."""
    if shape.form is Form.BOOLEAN:
        return {"1": "true", "0": "false"}.get(raw, raw)
    return raw


def neutral(shape: Shape, raw: str, directory: Directory) -> Value:
    """A value as ServiceNow keeps it, in our words; None for an empty one."""
    raw = normal(shape, raw)
    if not raw.strip():
        return None
    match shape.form:
        case Form.CHOICE:
            return shape.label_of(raw)
        case Form.LONG:
            return texts.settled_plain(raw, 0) if _is_document(shape) else raw
        case Form.HTML:
            document = html.from_html(raw)
            return document.as_value() if document.blocks else None
        case Form.PERSON:
            return directory.person(raw).as_value()
        case Form.GROUP:
            return directory.group(raw)
        case Form.TIME:
            at = records.time_of(raw)
            return at.isoformat() if at else raw
        case Form.INTEGER | Form.DECIMAL:
            return _number(raw)
        case _:
            return raw


def _is_document(shape: Shape) -> bool:
    return shape.name == "description"


def _number(text: str) -> Value:
    if re.fullmatch(r"[+-]?\d{1,18}", text.replace(",", "")):
        return int(text.replace(",", ""))
    if re.fullmatch(r"[+-]?\d{1,15}\.\d{1,15}", text):
        return float(text)
    return text


# --- Writing ---


def wire(shape: Shape, value: Value) -> str:
    """A value as ServiceNow keeps it; Invalid names the field when it cannot take it.  Not for people and groups."""
    if shape.form is Form.CHOICE and shape.choices:
        return _chosen(shape, value)
    if shape.form is Form.HTML:
        return texts.to_html(value, shape.max_length)
    if shape.form is Form.LONG:
        return texts.to_plain(from_value(value), shape.max_length) if value is not None else ""
    held = settled(shape, value)
    if shape.form is Form.TIME and isinstance(held, str):
        at = records.time_of(held)
        if at is None:
            raise invalid(shape.name, "It is no point in time.")
        return records.glide(at)
    return "" if held is None else str(held)


def _chosen(shape: Shape, value: Value) -> str:
    if value in (None, "", []):
        raise invalid(shape.name, "A choice in ServiceNow cannot be emptied.")
    if found := shape.choice(str(value)):
        return found[0]
    names = ", ".join(f"“{label}”" for _, label in shape.choices[:20])
    raise invalid(shape.name, f"“{value}” is none of its values: {names}.")


def invalid(name: str, why: str) -> errors.Invalid:
    """The error for a value that a field cannot take."""
    return errors.Invalid(f"ServiceNow cannot take the value for “{name}”.  {why}", fields={name: why})


def settled(shape: Shape, value: Value) -> Value:
    """What the field holds after this value was written.  Not for people and groups."""
    match shape.form:
        case Form.LONG:
            if _is_document(shape):
                return texts.settled_plain(value, shape.max_length)
            return texts.to_plain(from_value(value), shape.max_length) or None if value is not None else None
        case Form.HTML:
            document = html.from_html(texts.to_html(value, shape.max_length))
            return document.as_value() if document.blocks else None
        case Form.CHOICE:
            text = str(value).strip() if value not in (None, "", []) else ""
            return (found[1] if (found := shape.choice(text)) else text) or None
        case Form.BOOLEAN:
            return str(value).strip().lower() if value not in (None, "") else None
        case Form.INTEGER | Form.DECIMAL:
            return _number(str(value).strip()) if value not in (None, "") else None
        case Form.TIME:
            at = records.time_of(str(value)) if value else None
            return at.replace(microsecond=0).isoformat() if at else (value or None)
        case Form.DATE:
            return str(value)[:10] if value else None
        case _:
            if isinstance(value, dict) and not is_document(value):
                value = str(value.get("name") or value.get("email") or value.get("id") or "")
            if isinstance(value, list):
                value = ", ".join(str(one) for one in value)
            return texts.one_line(value, shape.max_length) or None
