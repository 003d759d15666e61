"""Everything that can be known of a version of rules before it is published: gaps, clashes, ways that do not lead back.

Pure.  A side sees its own rules in both directions and the data dictionary, never the other side's rules, so the
checks use no more than that.  What blocks would stop tickets; what is worth a look is for people to decide.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from integrations.canonical import FieldKind, StatusStep
from integrations.mapping import steps as workflow
from integrations.mapping.plan import fields_read
from integrations.mapping.rules import (
    ConflictPolicy,
    FieldRule,
    Finding,
    Grade,
    Transform,
    UpdateMode,
    check_rules,
)


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """What is known of one field, of a system or of the data dictionary.  `values` empty: any; length 0: no limit.

    `steps` lead from one status to another; from those in `steps_known` there are no others.
    """

    label: str
    kind: str = ""
    values: tuple[str, ...] = ()
    max_length: int = 0
    is_writable: bool = True
    is_required: bool = False
    is_create_only: bool = False
    steps: tuple[StatusStep, ...] = ()
    steps_known: tuple[str, ...] = ()


Facts = Mapping[str, FieldFacts]


def check_set(
    rules: Sequence[FieldRule],
    *,
    own: Facts,
    dictionary: Facts,
    is_outgoing: bool,
    counterpart: Sequence[FieldRule] = (),
    kept_elsewhere: Collection[str] = (),
) -> list[Finding]:
    """All findings about one direction of a side, worst first.

    `counterpart` are the side's rules in the other direction, for what goes out and comes back.  An empty `own` means
    that the system was never asked for its fields; then nothing is said about them.  `kept_elsewhere` are the fields
    of the data dictionary in which the other side keeps its own edit when both changed one: no more is known of it.
    """
    findings = check_rules(
        rules,
        own_fields={name: facts.values for name, facts in own.items()},
        dictionary={name: facts.values for name, facts in dictionary.items()},
        is_outgoing=is_outgoing,
    )
    sources, targets = (own, dictionary) if is_outgoing else (dictionary, own)
    for number, rule in enumerate(rules):
        findings += _about_argument(number, rule, sources, targets, is_outgoing=is_outgoing)
        findings += _about_target(
            number, rule, sources.get(rule.source), targets.get(rule.target), is_outgoing=is_outgoing
        )
    if not is_outgoing:
        findings += _unfilled(rules, own)
        findings += _about_conflicts(rules, counterpart, kept_elsewhere)
        for number, rule in enumerate(rules):
            findings += _about_steps(number, rule, own.get(rule.target), dictionary)
    outgoing, incoming = (rules, counterpart) if is_outgoing else (counterpart, rules)
    findings += _round_trips(rules, outgoing, incoming)
    return sorted(findings, key=_worst_first)


def passed(findings: Iterable[Finding], rules: Sequence[FieldRule]) -> list[str]:
    """What was checked and found in order, in sentences: so that a page without findings says why."""
    bad = {finding.rule for finding in findings}
    good = []
    if rules and not any(finding.message.startswith("Two rules") for finding in findings):
        good.append("No field is written by two rules.")
    for number, rule in enumerate(rules):
        if rule.transform is Transform.VALUE_MAP and number not in bad:
            good.append(f"Every value of “{rule.source}” has its row, and finds its way back.")
    return good


def _worst_first(finding: Finding) -> tuple[str, int]:
    return finding.grade, -1 if finding.rule is None else finding.rule


# --- One rule ---


def _about_argument(
    number: int, rule: FieldRule, sources: Facts, targets: Facts, *, is_outgoing: bool
) -> Iterator[Finding]:
    """Templates that cannot be filled in, constants that the target does not know, rules without a source."""
    if rule.transform is Transform.TEMPLATE:
        names = template_names(rule.argument)
        if names is None:
            yield Finding(Grade.BLOCK, number, "The template has a brace without its partner.")
            return
        if not names and not rule.source:
            yield Finding(
                Grade.BLOCK, number, f"The template for “{rule.target}” names no field: make it a constant."
            )
        for name in names:
            if sources and name not in sources:
                yield Finding(
                    Grade.BLOCK, number, f"The template names “{name}”, and there is no such field."
                )
        return
    if rule.transform is Transform.CONSTANT:
        known = targets[rule.target].values if rule.target in targets else ()
        if known and rule.argument not in known:
            yield Finding(Grade.BLOCK, number, f"“{rule.target}” does not know “{rule.argument}”.")
        if is_outgoing and not rule.source:
            yield Finding(
                Grade.BLOCK,
                number,
                f"The constant for “{rule.target}” never leaves: say with which field it leaves.",
            )
        return
    if not rule.source:
        yield Finding(Grade.BLOCK, number, f"The rule for “{rule.target}” does not say what it reads.")
    if rule.transform is Transform.VALUE_MAP and not rule.values:
        yield Finding(Grade.BLOCK, number, f"The value map for “{rule.target}” has no rows.")


def template_names(template: str) -> list[str] | None:
    """The fields that a template names; None when its braces do not match."""
    try:
        return [name for _, name, _, _ in string.Formatter().parse(template) if name]
    except ValueError:
        return None


def _about_target(
    number: int,
    rule: FieldRule,
    source: FieldFacts | None,
    target: FieldFacts | None,
    *,
    is_outgoing: bool,
) -> Iterator[Finding]:
    if target is None:
        return
    if not target.is_writable:
        yield Finding(Grade.BLOCK, number, f"“{rule.target}” cannot be written.")
    if target.is_create_only and rule.mode is not UpdateMode.ONLY_IF_NEW:
        yield Finding(
            Grade.BLOCK,
            number,
            f"“{rule.target}” can be given to a new ticket and never changed: choose “Only on new tickets”.",
        )
    if rule.mode is UpdateMode.APPEND and target.kind and target.kind != FieldKind.LABELS:
        yield Finding(Grade.BLOCK, number, f"“{rule.target}” is no list that could be appended to.")
    if source is None or rule.transform is not Transform.COPY:
        return
    if target.max_length and not 0 < source.max_length <= target.max_length:
        where = (
            "agreed on: the other side may cut a longer text"
            if is_outgoing
            else "taken: a longer text is cut"
        )
        yield Finding(Grade.LOOK, number, f"“{rule.target}”: {target.max_length} characters are {where}.")
    if source.kind and target.kind and not _may_be_copied(source.kind, target.kind):
        yield Finding(
            Grade.LOOK,
            number,
            f"“{rule.source}” is {_kind_words(source.kind)} and “{rule.target}” {_kind_words(target.kind)}: "
            "a copy may not be accepted.",
        )
    if target.kind == FieldKind.PERSON:
        yield Finding(
            Grade.LOOK,
            number,
            f"People have other accounts on each side: “{rule.target}” is refused for somebody unknown there.",
        )
    missing = [value for value in source.values if target.values and value not in target.values]
    if missing:
        names = ", ".join(f"“{value}”" for value in missing)
        yield Finding(Grade.LOOK, number, f"“{rule.target}” does not know {names}: use a value map.")


_TEXTS = {FieldKind.TEXT, FieldKind.RICH_TEXT}
_WORDS = {
    FieldKind.TEXT: "a text",
    FieldKind.RICH_TEXT: "a formatted text",
    FieldKind.CHOICE: "a choice",
    FieldKind.STATUS: "a status",
    FieldKind.LABELS: "a list of labels",
    FieldKind.PERSON: "a person",
    FieldKind.NUMBER: "a number",
    FieldKind.DATETIME: "a time",
}


def _may_be_copied(source: str, target: str) -> bool:
    return (
        source == target
        or {source, target} <= _TEXTS
        # Plain words fit into a line of text; the other way round they have to be a known value.
        or (target == FieldKind.TEXT and source in (FieldKind.CHOICE, FieldKind.STATUS, FieldKind.NUMBER))
    )


def _kind_words(kind: str) -> str:
    try:
        return _WORDS[FieldKind(kind)]
    except ValueError:
        return kind


def _about_conflicts(
    rules: Sequence[FieldRule], outgoing: Sequence[FieldRule], kept_elsewhere: Collection[str]
) -> Iterator[Finding]:
    """Answers to "both sides changed it" that settle nothing, or more than was probably meant."""
    sent = {rule.target for rule in outgoing}
    for number, rule in enumerate(rules):
        read = fields_read(rule)
        if rule.conflict is ConflictPolicy.NEWEST or not read:
            continue
        if rule.mode in (UpdateMode.APPEND, UpdateMode.ONLY_IF_NEW):
            yield Finding(
                Grade.LOOK,
                number,
                f"“{rule.target}”: nothing is replaced by this rule, so nothing is in conflict.",
            )
        elif rule.conflict is ConflictPolicy.OWN and any(name in kept_elsewhere for name in read):
            yield Finding(
                Grade.LOOK,
                number,
                f"Neither side would give way on “{read[0]}”, so the newest change stands there. "
                "Agree with the other side's steward who gives way.",
            )
        elif not any(name in sent for name in read):
            ends = (
                "it stays for good" if rule.conflict is ConflictPolicy.OWN else "somebody is asked every time"
            )
            yield Finding(
                Grade.LOOK,
                number,
                f"“{rule.target}” is not sent back, so the other side never sees what is changed here: {ends}.",
            )


def _unfilled(rules: Sequence[FieldRule], own: Facts) -> Iterator[Finding]:
    written = {rule.target for rule in rules}
    for name, facts in own.items():
        if facts.is_required and name not in written:
            yield Finding(
                Grade.LOOK,
                None,
                f"“{facts.label}” has to be filled in on a new ticket there, and no rule writes it.",
            )


def values_written(rule: FieldRule, shared: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The values that a rule may write, each once; `shared` are those of the data dictionary's fields."""
    match rule.transform:
        case Transform.VALUE_MAP:
            return list(dict.fromkeys(rule.values.values()))
        case Transform.CONSTANT:
            return [rule.argument]
        case Transform.COPY:
            return shared.get(rule.source, ())
    return ()


def _about_steps(number: int, rule: FieldRule, target: FieldFacts | None, shared: Facts) -> Iterator[Finding]:
    """Statuses that the other system's workflow does not lead to, from anywhere or from one that we write."""
    if target is None or not target.steps_known:
        return
    lists = {name: facts.values for name, facts in shared.items()}
    written = [one for one in values_written(rule, lists) if one in target.values]
    for value in written:
        if workflow.is_out_of_reach(target.steps, target.steps_known, value):
            yield Finding(
                Grade.LOOK, number, f"The workflow of “{target.label}” has no step that leads to “{value}”."
            )
            continue
        starts = workflow.without_way(target.steps, target.steps_known, value)
        if stuck := [one for one in starts if one in written]:
            names = " or ".join(f"“{one}”" for one in stuck)
            yield Finding(
                Grade.LOOK,
                number,
                f"The workflow of “{target.label}” has no way from {names} to “{value}”: "
                "a ticket that has to go there waits for a person.",
            )


# --- Out and back ---


def _round_trips(
    checked: Sequence[FieldRule], outgoing: Sequence[FieldRule], incoming: Sequence[FieldRule]
) -> Iterator[Finding]:
    """What becomes of a value that goes out and comes back by the same field.

    A value that is only read differently on its return is worth a look.  A value that we write ourselves and that
    becomes another one on every round would never come to rest, and that blocks.
    """
    back = {rule.target: rule for rule in incoming if rule.transform is Transform.VALUE_MAP}
    for out in outgoing:
        into = back.get(out.source)
        if out.transform is not Transform.VALUE_MAP or into is None or into.source != out.target:
            continue
        number = next(index for index, rule in enumerate(checked) if rule in (out, into))
        restless = restless_values(out.values, into.values)
        if restless:
            yield Finding(
                Grade.BLOCK,
                number,
                f"“{out.source}” would never come to rest: "
                + "; ".join(f"“{value}” comes back as “{next_}”" for value, next_ in restless)
                + ".",
            )
        for shared, values in lost_values(out.values, into.values).items():
            names = " and ".join(f"“{value}”" for value in values)
            verb = "leaves" if len(values) == 1 else "leave"
            yield Finding(
                Grade.LOOK,
                number,
                f"{names} {verb} as “{shared}”, which comes in as “{into.values[shared]}”.",
            )


def restless_values(out: Mapping[str, str], into: Mapping[str, str]) -> list[tuple[str, str]]:
    """Values that we would write and that come back as another one: (written, comes back as)."""
    found = []
    for value in dict.fromkeys(into.values()):
        shared = out.get(value)
        if shared is not None and shared in into and into[shared] != value:
            found.append((value, into[shared]))
    return found


def lost_values(out: Mapping[str, str], into: Mapping[str, str]) -> dict[str, list[str]]:
    """Own values that are never written because another own value stands for their meaning, by that meaning."""
    written = set(into.values())
    lost: dict[str, list[str]] = {}
    for value, shared in out.items():
        if shared in into and into[shared] != value and value not in written:
            lost.setdefault(shared, []).append(value)
    return lost
