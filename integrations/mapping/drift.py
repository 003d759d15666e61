"""What changed in a system that rules count on: fields gone, values gone, new demands, shorter limits.  Pure.

Two readings of a system's fields are compared; a change matters where a rule of one of its sides, or the condition
under which its tickets start, uses what changed.  Nothing here looks at a ticket.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from integrations.mapping import steps as workflow
from integrations.mapping.checks import Facts, FieldFacts, template_names, values_written
from integrations.mapping.rules import FieldRule, Grade, Transform, UpdateMode

_ARROW = " → "


class ChangeCode(StrEnum):
    """What happened to a field.  The values are keys of the handbook."""

    FIELD_GONE = "field_gone"
    VALUE_GONE = "value_gone"
    NEWLY_REQUIRED = "newly_required"
    READ_ONLY = "field_read_only"
    KIND_CHANGED = "kind_changed"
    LIMIT_SHORTER = "limit_shorter"
    VALUE_NEW = "value_new"
    STATUS_UNREACHABLE = "status_unreachable"
    STEP_GONE = "step_gone"
    STEP_DEMANDS = "step_demands"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One change of one field.  `value` is the value that went or came; `before` and `after` are words or numbers.

    For a step that went the value is both its ends, see `ends_of`; for new demands `after` names the fields.
    """

    code: ChangeCode
    field: str
    label: str
    value: str = ""
    before: str = ""
    after: str = ""


class Place(StrEnum):
    """Where a side uses a field."""

    OUTGOING = "outgoing"
    INCOMING = "incoming"
    TRIGGER = "trigger"


@dataclass(frozen=True, slots=True)
class Use:
    """One place that a change touches.  `rule` is the rule's number in its set; None for a condition, or where the
    trouble is that no rule is there."""

    place: Place
    rule: int | None = None


@dataclass(frozen=True, slots=True)
class SideRules:
    """What one side of a connection does with its system's fields.

    `opens_here`: the other side's tickets open new ones in this system.  `shared` holds the allowed values of the
    data dictionary, which a copied value may be.
    """

    outgoing: Sequence[FieldRule] = ()
    incoming: Sequence[FieldRule] = ()
    trigger: Mapping[str, Sequence[str]] = field(default_factory=dict)
    opens_here: bool = False
    shared: Mapping[str, Sequence[str]] = field(default_factory=dict)


# --- Comparing ---


def changes(before: Facts, after: Facts) -> list[FieldChange]:
    """What is no longer as it was, field by field.

    A first reading, and one that tells of no field at all, is nothing to compare with: then there is no change.
    """
    if not before or not after:
        return []
    found = []
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            found.append(FieldChange(ChangeCode.FIELD_GONE, name, old.label))
        else:
            found += _changes_of(name, old, new)
    # A field that is new and demanded at once stops new tickets just the same.
    found += [
        FieldChange(ChangeCode.NEWLY_REQUIRED, name, new.label)
        for name, new in after.items()
        if new.is_required and name not in before
    ]
    return found


def _changes_of(name: str, old: FieldFacts, new: FieldFacts) -> Iterator[FieldChange]:
    if new.kind != old.kind and new.kind and old.kind:
        yield FieldChange(ChangeCode.KIND_CHANGED, name, new.label, before=old.kind, after=new.kind)
    if new.is_required and not old.is_required:
        yield FieldChange(ChangeCode.NEWLY_REQUIRED, name, new.label)
    if old.is_writable and not new.is_writable:
        yield FieldChange(ChangeCode.READ_ONLY, name, new.label, after="never")
    elif new.is_create_only and not old.is_create_only:
        yield FieldChange(ChangeCode.READ_ONLY, name, new.label, after="new tickets only")
    if new.max_length and not 0 < old.max_length <= new.max_length:
        yield FieldChange(
            ChangeCode.LIMIT_SHORTER,
            name,
            new.label,
            before=str(old.max_length or ""),
            after=str(new.max_length),
        )
    # A field without a list takes anything: a list that appears or goes is no value gone.
    if old.values and new.values:
        for value in old.values:
            if value not in new.values:
                yield FieldChange(ChangeCode.VALUE_GONE, name, new.label, value)
        for value in new.values:
            if value not in old.values:
                yield FieldChange(ChangeCode.VALUE_NEW, name, new.label, value)
    yield from _step_changes(name, old, new)


def ends_of(change: FieldChange) -> tuple[str, str]:
    """The status from which a way went, and the one to which it led."""
    start, _, end = change.value.partition(_ARROW)
    return start, end


def _step_changes(name: str, old: FieldFacts, new: FieldFacts) -> Iterator[FieldChange]:
    """Ways through the workflow that are gone, and what its steps demand now that they did not."""
    if not old.steps or not new.steps:
        return
    ends = [one for one in new.values if one in old.values]
    for end in ends:
        had = [one for one in old.values if one != end and end in workflow.reached(old.steps, one)]
        gone = [one for one in workflow.without_way(new.steps, new.steps_known, end) if one in had]
        if gone and workflow.is_out_of_reach(new.steps, new.steps_known, end):
            yield FieldChange(ChangeCode.STATUS_UNREACHABLE, name, new.label, end)
            continue
        for start in gone:
            yield FieldChange(ChangeCode.STEP_GONE, name, new.label, f"{start}{_ARROW}{end}")
    before, after = workflow.demands(old.steps), workflow.demands(new.steps)
    for end in ends:
        added = [one for one in after.get(end, ()) if end in before and one not in before[end]]
        if added:
            yield FieldChange(ChangeCode.STEP_DEMANDS, name, new.label, end, after=", ".join(added))


def still_holds(change: FieldChange, now: Facts) -> bool:
    """Whether a change is still so by the latest reading; False once it was undone."""
    facts = now.get(change.field)
    if change.code is ChangeCode.FIELD_GONE:
        return facts is None
    if facts is None:
        # Gone altogether by now, which is a finding of its own.
        return False
    match change.code:
        case ChangeCode.VALUE_GONE:
            return bool(facts.values) and change.value not in facts.values
        case ChangeCode.VALUE_NEW:
            return change.value in facts.values
        case ChangeCode.NEWLY_REQUIRED:
            return facts.is_required
        case ChangeCode.READ_ONLY:
            return not facts.is_writable or facts.is_create_only
        case ChangeCode.KIND_CHANGED:
            return facts.kind != change.before
        case ChangeCode.LIMIT_SHORTER:
            longest = int(change.before or 0)
            return bool(facts.max_length) and not 0 < longest <= facts.max_length
        case ChangeCode.STATUS_UNREACHABLE:
            return change.value in facts.values and workflow.is_out_of_reach(
                facts.steps, facts.steps_known, change.value
            )
        case ChangeCode.STEP_GONE:
            start, end = ends_of(change)
            return start in workflow.without_way(facts.steps, facts.steps_known, end)
        case ChangeCode.STEP_DEMANDS:
            demanded = workflow.demands(facts.steps).get(change.value, ())
            return any(one in demanded for one in change.after.split(", "))


# --- Whom it touches ---


def uses(change: FieldChange, side: SideRules) -> list[Use]:
    """The rules and conditions of a side that a change touches, in their order; none: it does not matter there."""
    found = [
        Use(Place.OUTGOING, number)
        for number, rule in enumerate(side.outgoing)
        if change.field in _read_by(rule) and _touches_sender(change, rule)
    ]
    found += [
        Use(Place.INCOMING, number)
        for number, rule in enumerate(side.incoming)
        if rule.target == change.field and _touches_receiver(change, rule, side)
    ]
    if change.code is ChangeCode.NEWLY_REQUIRED and side.opens_here:
        written = {rule.target for rule in side.incoming}
        found += [] if change.field in written else [Use(Place.INCOMING)]
    if change.field in side.trigger and _touches_trigger(change, side.trigger[change.field]):
        found.append(Use(Place.TRIGGER))
    return found


def _read_by(rule: FieldRule) -> set[str]:
    names = template_names(rule.argument) or [] if rule.transform is Transform.TEMPLATE else []
    return {rule.source, *names}


def _touches_sender(change: FieldChange, rule: FieldRule) -> bool:
    match change.code:
        case ChangeCode.FIELD_GONE | ChangeCode.KIND_CHANGED:
            return True
        case ChangeCode.VALUE_GONE:
            return change.value in rule.values
        case ChangeCode.VALUE_NEW:
            return rule.transform is Transform.VALUE_MAP and change.value not in rule.values
    return False


def _touches_receiver(change: FieldChange, rule: FieldRule, side: SideRules) -> bool:
    match change.code:
        case ChangeCode.FIELD_GONE | ChangeCode.KIND_CHANGED:
            return True
        case ChangeCode.READ_ONLY:
            return change.after == "never" or rule.mode is not UpdateMode.ONLY_IF_NEW
        case ChangeCode.VALUE_GONE:
            return change.value in values_written(rule, side.shared)
        case ChangeCode.STATUS_UNREACHABLE:
            return change.value in values_written(rule, side.shared)
        case ChangeCode.STEP_GONE:
            return ends_of(change)[1] in values_written(rule, side.shared)
        case ChangeCode.STEP_DEMANDS:
            filled = {one.target for one in side.incoming}
            is_filled = all(one in filled for one in change.after.split(", "))
            return change.value in values_written(rule, side.shared) and not is_filled
        case ChangeCode.LIMIT_SHORTER:
            if rule.transform is Transform.CONSTANT:
                return len(rule.argument) > int(change.after)
            return rule.transform in (Transform.COPY, Transform.TEMPLATE)
    return False


def _touches_trigger(change: FieldChange, values: Sequence[str]) -> bool:
    if change.code is ChangeCode.VALUE_GONE:
        return change.value in values
    return change.code in (ChangeCode.FIELD_GONE, ChangeCode.KIND_CHANGED)


def grade_of(change: FieldChange, used: Sequence[Use]) -> Grade:
    """Whether tickets will be stopped by it, or whether it is only worth a look."""
    # What a step demands may have a default of its own.
    if change.code in (ChangeCode.VALUE_NEW, ChangeCode.LIMIT_SHORTER, ChangeCode.STEP_DEMANDS):
        return Grade.LOOK
    # Rules that only read a value that nobody can choose any more are idle, not broken.
    if change.code is ChangeCode.VALUE_GONE and all(use.place is Place.OUTGOING for use in used):
        return Grade.LOOK
    return Grade.BLOCK


# --- Words ---


def sentence(change: FieldChange) -> str:
    """What happened, for people who know the field's label."""
    name = f"“{change.label}”"
    match change.code:
        case ChangeCode.FIELD_GONE:
            return f"The field {name} is gone."
        case ChangeCode.VALUE_GONE:
            return f"{name} no longer takes “{change.value}”."
        case ChangeCode.VALUE_NEW:
            return f"{name} has a new value, “{change.value}”, which no value map knows."
        case ChangeCode.NEWLY_REQUIRED:
            return f"{name} has to be filled in on new tickets now."
        case ChangeCode.READ_ONLY:
            if change.after == "never":
                return f"{name} can no longer be written."
            return f"{name} can be given to new tickets only now."
        case ChangeCode.KIND_CHANGED:
            return f"{name} was {_kind(change.before)} and is {_kind(change.after)} now."
        case ChangeCode.LIMIT_SHORTER:
            was = f"{change.before} before" if change.before else "no limit was known before"
            return f"{name} takes {change.after} characters at most now; {was}."
        case ChangeCode.STATUS_UNREACHABLE:
            return f"{name}: no step of the workflow leads to “{change.value}” any more."
        case ChangeCode.STEP_GONE:
            start, end = ends_of(change)
            return f"{name}: the workflow no longer leads from “{start}” to “{end}”."
        case ChangeCode.STEP_DEMANDS:
            return f"{name}: to reach “{change.value}” a value is demanded now for {change.after}."


def _kind(word: str) -> str:
    return f"“{word.replace('_', ' ')}”"
