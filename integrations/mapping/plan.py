"""Applies a side's rules: what leaves (`release`), what is written on arrival (`receive`).  Pure.

A value that no rule knows is never guessed and never silently dropped: it comes back as a `Problem`, and the lane
waits there until a person has decided.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from integrations.canonical import Fields, Value
from integrations.mapping import files
from integrations.mapping.rules import FieldRule, RuleSet, Transform, UpdateMode
from integrations.richtext import blocks

REDACTED = "[redacted]"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a rule could not tell a value.  `code` is the handbook's; `field` is the field read from."""

    code: str
    field: str
    message: str

    def as_value(self) -> dict[str, str]:
        """The JSON form."""
        return {"code": self.code, "field": self.field, "message": self.message}


@dataclass(frozen=True, slots=True)
class Mapped:
    """What the rules made of some fields."""

    fields: dict[str, Value]
    problem: Problem | None = None


def release(rules: RuleSet, fields: Fields, *, changed: Collection[str] | None = None) -> Mapped:
    """What of a ticket leaves, in the words of the data dictionary.

    Only fields that an outgoing rule names leave.  `fields` is the whole ticket; with `changed` only rules that read
    one of these fields apply, so that a template is filled in completely when one of its fields changes.
    """
    touched = fields.keys() if changed is None else changed
    fields = without_withheld(rules, fields)
    released: dict[str, Value] = {}
    first_problem: Problem | None = None
    for rule in rules.rules:
        if not _reads_any(rule, touched):
            continue
        value, problem = _apply(rule, fields)
        if problem is None:
            released[rule.target] = value
        first_problem = first_problem or problem
    return Mapped(released, first_problem)


def without_withheld(rules: RuleSet, fields: Fields, *, withheld: Collection[str] = ()) -> Fields:
    """The fields, with the names of files that do not leave taken out of texts that show them.

    `withheld` names files that are known to stay for another reason than their name, such as their size.
    """
    if rules.shares_files and not (rules.files.only or rules.files.never or withheld):
        return fields

    def stays(name: str) -> bool:
        return name in withheld or rules.withholds(name=name) is not None

    return {
        name: files.without_names(value, stays) if blocks.is_document(value) else value
        for name, value in fields.items()
    }


def receive(rules: RuleSet, envelope: Fields, *, current: Fields, is_new: bool) -> Mapped:
    """What the receiving side writes into its own fields for an envelope.

    `current` is what its ticket holds now, for the update modes; `is_new` is true while the ticket is being made.
    """
    wanted: dict[str, Value] = {}
    for rule in rules.rules:
        if not (_reads_any(rule, envelope) or (is_new and rule.transform is Transform.CONSTANT)):
            continue
        if rule.mode is UpdateMode.ONLY_IF_NEW and not is_new:
            continue
        if rule.mode is UpdateMode.ONLY_IF_EMPTY and current.get(rule.target) not in (None, "", [], {}):
            continue
        value, problem = _apply(rule, envelope)
        if problem:
            return Mapped(wanted, problem)
        wanted[rule.target] = (
            _appended(current.get(rule.target), value) if rule.mode is UpdateMode.APPEND else value
        )
    return Mapped(wanted)


def compare_value(rules: RuleSet, envelope: Fields, target: str) -> tuple[bool, Value]:
    """Whether an incoming rule writes `target` from this envelope at any time, and the value: for comparing sides."""
    for rule in rules.rules:
        if rule.target == target and rule.mode is UpdateMode.OVERWRITE and rule.source in envelope:
            value, problem = _apply(rule, envelope)
            return problem is None, value
    return False, None


def fields_read(rule: FieldRule) -> tuple[str, ...]:
    """The fields that a rule's value depends on."""
    names = _template_fields(rule.argument) if rule.transform is Transform.TEMPLATE else []
    return tuple(dict.fromkeys([*([rule.source] if rule.source else []), *names]))


def _reads_any(rule: FieldRule, fields: Collection[str]) -> bool:
    if rule.transform is Transform.TEMPLATE:
        return any(name in fields for name in _template_fields(rule.argument)) or rule.source in fields
    return rule.source in fields if rule.source else False


def _apply(rule: FieldRule, fields: Fields) -> tuple[Value, Problem | None]:
    value = fields.get(rule.source)
    match rule.transform:
        case Transform.COPY:
            return value, None
        case Transform.CONSTANT:
            return rule.argument, None
        case Transform.REDACT:
            return REDACTED if value not in (None, "") else value, None
        case Transform.TEMPLATE:
            return _filled(rule.argument, fields), None
        case Transform.VALUE_MAP:
            return _looked_up(rule, value)


def _looked_up(rule: FieldRule, value: Value) -> tuple[Value, Problem | None]:
    if value is None:
        # An empty choice is a value of its own: mapped where the map has a row for it, empty otherwise.
        return rule.values.get(""), None
    if isinstance(value, list):
        return [rule.values[str(one)] for one in value if str(one) in rule.values], None
    if str(value) in rule.values:
        return rule.values[str(value)], None
    return None, Problem(
        "unmapped_value",
        rule.source,
        f"“{rule.source}” holds “{value}”, and the value map has no row for it.",
    )


def _template_fields(template: str) -> list[str]:
    try:
        return [name for _, name, _, _ in string.Formatter().parse(template) if name]
    except ValueError:
        return []


def _filled(template: str, fields: Fields) -> str:
    """`{name}` replaced by the field's text; nothing else of Python's format language is understood."""
    parts = []
    try:
        for literal, name, _, _ in string.Formatter().parse(template):
            parts.append(literal)
            if name:
                parts.append(text_of(fields.get(name)))
    except ValueError:
        return template
    return "".join(parts)


def text_of(value: Value) -> str:
    """Any field value as plain text for people."""
    if value is None:
        return ""
    if blocks.is_document(value):
        return blocks.from_value(value).plain()
    if isinstance(value, dict):
        return str(value.get("name") or value.get("email") or value.get("id") or "")
    if isinstance(value, list):
        return ", ".join(text_of(one) for one in value)
    return str(value)


def _appended(current: Value, value: Value) -> Value:
    have = list(current) if isinstance(current, list) else []
    more = value if isinstance(value, list) else [value]
    return have + [one for one in more if one not in have]


def heading(template: str, comment: Mapping, *, partner: str) -> str:
    """The line above a comment that came from the other side; empty when the rules want none.

    A comment that came a longer way carries the line of its first receiver: who really wrote it, and for whom.
    """
    if not template or comment.get("is_relayed"):
        return ""
    return _filled(template, {"author": str(comment.get("author", "")), "partner": partner})


def headed(body: Mapping, line: str) -> dict:
    """A comment's text with the heading as its first, bold paragraph."""
    if not line:
        return dict(body)
    first = blocks.Document((blocks.Paragraph((blocks.Run(line, ("bold",)),)),)).as_value()
    return {"rich": first["rich"] + list(body.get("rich", []))}
