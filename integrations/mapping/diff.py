"""What differs between two versions of a side's rules, in words for people.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from integrations.mapping.files import FilePolicy, size_in_words
from integrations.mapping.files import in_words as in_words_of_kinds
from integrations.mapping.rules import ConflictPolicy, FieldRule, RuleSet, Transform, UpdateMode


class Kind(StrEnum):
    """What became of a rule."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One rule or option that differs.  `changes` are (what, before, after); empty text where there was nothing."""

    name: str
    kind: Kind
    changes: tuple[tuple[str, str, str], ...]


TRANSFORM_WORDS: Mapping[Transform, str] = {
    Transform.COPY: "Copy",
    Transform.VALUE_MAP: "Value map",
    Transform.TEMPLATE: "Template",
    Transform.CONSTANT: "Constant",
    Transform.REDACT: "Redact",
}
MODE_WORDS: Mapping[UpdateMode, str] = {
    UpdateMode.OVERWRITE: "Overwrite",
    UpdateMode.ONLY_IF_EMPTY: "Only if empty",
    UpdateMode.ONLY_IF_NEW: "Only on new tickets",
    UpdateMode.APPEND: "Append to list",
}
CONFLICT_WORDS: Mapping[ConflictPolicy, str] = {
    ConflictPolicy.NEWEST: "The newest change stands",
    ConflictPolicy.OWN: "This side's own change stands",
    ConflictPolicy.PERSON: "A person decides",
}
OPTION_WORDS: Mapping[str, str] = {
    "shares_public_comments": "Public comments leave",
    "shares_internal_comments": "Internal comments leave",
    "shares_files": "Files leave",
    "comment_heading": "Line above a comment",
    "comments_become_public": "Comments from outside become public",
    "tells_reasons": "The other side is told why a change is not taken here",
    "notes_refusals": "A note says what the other side has not taken",
}


def differences(before: RuleSet, after: RuleSet) -> list[Difference]:
    """What changed from one version to the other: rules by the field they write, then options.

    The order of rules is told only where nothing else tells it apart: each rule writes a field of its own, so the
    order changes no result.
    """
    olds = {rule.target: rule for rule in before.rules}
    news = {rule.target: rule for rule in after.rules}
    found = []
    for target in dict.fromkeys([*olds, *news]):
        old, new = olds.get(target), news.get(target)
        if old is None and new is not None:
            found.append(Difference(target, Kind.ADDED, _facts("", new)))
        elif new is None and old is not None:
            found.append(Difference(target, Kind.REMOVED, _facts(old, "")))
        elif old is not None and new is not None and old != new:
            found.append(Difference(target, Kind.CHANGED, _changes(old, new)))
    return [*found, *_option_differences(before, after), *_file_differences(before.files, after.files)]


def widens(before: RuleSet, after: RuleSet) -> list[str]:
    """What would leave after the change and did not before: fields, and kinds of comments and files."""
    openly = {_reads(rule) for rule in before.rules if rule.transform is not Transform.REDACT}
    hidden = {_reads(rule) for rule in before.rules}
    new = [
        rule.target
        for rule in after.rules
        # That a field is filled in left already with its value; the value did not leave with that.
        if _reads(rule) not in (hidden if rule.transform is Transform.REDACT else openly)
    ]
    options = [
        OPTION_WORDS[name]
        for name in ("shares_public_comments", "shares_internal_comments", "shares_files", "tells_reasons")
        if getattr(after, name) and not getattr(before, name)
    ]
    return [*new, *options, *_wider_files(before, after)]


def _wider_files(before: RuleSet, after: RuleSet) -> list[str]:
    """What becomes of files that left already; that they leave at all is told as an option."""
    old, new = before.files, after.files
    if not (before.shares_files and after.shares_files):
        return []
    found = []
    if old.max_bytes and not 0 < new.max_bytes <= old.max_bytes:
        found.append("Larger files")
    if (old.only and not (new.only and set(new.only) <= set(old.only))) or set(old.never) - set(new.never):
        found.append("More kinds of files")
    return found


def _reads(rule: FieldRule) -> tuple[str, str]:
    return rule.source, rule.argument


def _facts(old: FieldRule | str, new: FieldRule | str) -> tuple[tuple[str, str, str], ...]:
    def words(rule: FieldRule | str) -> str:
        return "" if isinstance(rule, str) else in_words(rule)

    return (("Rule", words(old), words(new)),)


def in_words(rule: FieldRule) -> str:
    """A rule in one line."""
    parts = [TRANSFORM_WORDS[rule.transform]]
    if rule.source:
        parts.append(f"of {rule.source}")
    if rule.argument:
        parts.append(f"“{rule.argument}”")
    if rule.values:
        parts.append(f"with {_values_in_words(rule.values)}")
    if rule.mode is not UpdateMode.OVERWRITE:
        parts.append(f"({MODE_WORDS[rule.mode].lower()})")
    if rule.conflict is not ConflictPolicy.NEWEST:
        parts.append(f"(both changed it: {CONFLICT_WORDS[rule.conflict].lower()})")
    return " ".join(parts)


def _values_in_words(values: Mapping[str, str]) -> str:
    return ", ".join(f"{source or '(empty)'} → {target}" for source, target in values.items())


def _changes(old: FieldRule, new: FieldRule) -> tuple[tuple[str, str, str], ...]:
    found: list[tuple[str, str, str]] = []
    if old.source != new.source:
        found.append(("Reads", old.source, new.source))
    if old.transform != new.transform:
        found.append(("How", TRANSFORM_WORDS[old.transform], TRANSFORM_WORDS[new.transform]))
    if old.argument != new.argument:
        found.append(("Text", old.argument, new.argument))
    if old.mode != new.mode:
        found.append(("When", MODE_WORDS[old.mode], MODE_WORDS[new.mode]))
    if old.conflict != new.conflict:
        found.append(("When both changed it", CONFLICT_WORDS[old.conflict], CONFLICT_WORDS[new.conflict]))
    for value in dict.fromkeys([*old.values, *new.values]):
        if old.values.get(value) != new.values.get(value):
            before, after = old.values.get(value, ""), new.values.get(value, "")
            found.append((f"Value “{value}”" if value else "The empty value", before, after))
    return tuple(found)


def _option_differences(before: RuleSet, after: RuleSet) -> Sequence[Difference]:
    return [
        Difference(
            words, Kind.CHANGED, (("Setting", _option(getattr(before, name)), _option(getattr(after, name))),)
        )
        for name, words in OPTION_WORDS.items()
        if getattr(before, name) != getattr(after, name)
    ]


def _file_differences(before: FilePolicy, after: FilePolicy) -> list[Difference]:
    changes = []
    if before.max_bytes != after.max_bytes:
        changes.append(("Largest", _size(before.max_bytes), _size(after.max_bytes)))
    for what, old, new in (
        ("Only these", before.only, after.only),
        ("Never these", before.never, after.never),
    ):
        if set(old) != set(new):
            changes.append((what, in_words_of_kinds(old), in_words_of_kinds(new)))
    return [Difference("Which files", Kind.CHANGED, tuple(changes))] if changes else []


def _size(size_bytes: int) -> str:
    return size_in_words(size_bytes) if size_bytes else ""


def _option(value: bool | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
