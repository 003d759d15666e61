"""Whether one field agrees on both sides of a link, in the receiver's terms.  Pure.

What counts is not whether two values are the same text but whether the rules of both sides make one of the other:
`in_right(out_left(left)) == right`, or the same the other way round; or whether both have one meaning, where the
receiver's is a finer one that is never written there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from integrations.canonical import Value
from integrations.mapping.meaning import says
from integrations.mapping.people import Acquaintance, with_local_people
from integrations.mapping.plan import compare_value, release, text_of
from integrations.mapping.rules import FieldRule, RuleSet, UpdateMode
from integrations.richtext.blocks import from_value, is_document
from integrations.richtext.merge import says_the_same

# What a system will hold after a value is written to a field: system id, field, value.
Settle = Callable[[int, str, Value], Value]


class Verdict(StrEnum):
    """How one field's two values stand to each other."""

    EQUAL = "equal"
    # Not the same text, but the rules make one of the other.
    MAPPED = "mapped"
    DIFFERS = "differs"
    # Goes in one direction only, and the receiving side has changed it since.
    ONE_WAY = "one-way"
    # Put back at the receiver, and the sender has not changed it since.
    UNDONE = "undone"
    # No rule keeps the two in step: each side has its own.
    OWN = "own value"
    # The ticket does not exist on the other side yet.
    ABSENT = "not there yet"


@dataclass(frozen=True, slots=True)
class End:
    """One side with what its ticket holds and what it published.

    `person_fields` are its system's fields that hold a person; `people` tells who the other side's people are here.
    """

    actual: Mapping[str, Value]
    exists: bool
    system_id: int
    outgoing: RuleSet
    incoming: RuleSet
    person_fields: frozenset[str] = frozenset()
    people: tuple[Acquaintance, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the sender's field becomes at the receiver.

    `released` is the value in the words of the data dictionary, `value` in the receiver's own.  `is_told` is false
    where the rules cannot tell: no row in a value map, or nobody there for a person.
    """

    out: FieldRule
    into: FieldRule
    released: Value
    value: Value
    holds: bool
    is_told: bool = True


def own_value(end: End, name: str) -> str:
    """What a side holds, in its own words: in the field it sends from, else in the one it writes to."""
    own = own_field(end, name)
    return text_of(end.actual.get(own)) if own else ""


def own_field(end: End, name: str) -> str:
    """The side's own field for one of the data dictionary's; empty when no rule of the side names it."""
    sent = rule_to(end.outgoing, name)
    own = sent.source if sent else ""
    return own or next((rule.target for rule in end.incoming.rules if rule.source == name), "")


def verdict(name: str, left: End, right: End, settled: Settle) -> Verdict:
    """How the two sides' values of a field of the data dictionary stand to each other."""
    if not (left.exists and right.exists):
        return Verdict.ABSENT
    forth, back = arrival(name, left, right, settled), arrival(name, right, left, settled)
    if (forth and forth.holds) or (back and back.holds):
        return Verdict.EQUAL if own_value(left, name) == own_value(right, name) else Verdict.MAPPED
    if forth is None and back is None:
        return Verdict.OWN
    return Verdict.ONE_WAY if forth is None or back is None else Verdict.DIFFERS


def arrival(name: str, sender: End, receiver: End, settled: Settle) -> Arrival | None:
    """What the sender's value becomes at the receiver, and whether it holds it; None where no rules carry the field."""
    out, into = rule_to(sender.outgoing, name), rule_from(receiver.incoming, name)
    if out is None or into is None:
        return None
    released = release(replace(sender.outgoing, rules=(out,)), sender.actual)
    held = receiver.actual.get(into.target)
    if name not in released.fields:
        # Nothing to send: an empty field, or a value without a row in the value map.
        empty = not released.problem and not text_of(held)
        return Arrival(out, into, None, None, empty, is_told=not released.problem)
    writes, value = compare_value(receiver.incoming, released.fields, into.target)
    said = released.fields[name]
    if not writes:
        return Arrival(out, into, said, None, False, is_told=False)
    local = with_local_people({into.target: value}, receiver.person_fields, receiver.people)
    if into.target not in local:
        return Arrival(out, into, said, None, not text_of(value) and not text_of(held), is_told=False)
    if says(into, receiver.outgoing, said, held):
        return Arrival(out, into, said, held, True)
    value = settled(receiver.system_id, into.target, local[into.target])
    return Arrival(out, into, said, value, _same(held, value, into.target in receiver.person_fields))


def _same(held: Value, value: Value, is_person: bool) -> bool:
    if is_person and isinstance(held, dict) and isinstance(value, dict):
        # A person is the same whatever they are called meanwhile.
        return held.get("id") == value.get("id")
    if is_document(held) and is_document(value):
        # A text is the same by its words: each system keeps boxes, tables and people of its own.
        return says_the_same(from_value(held), from_value(value))
    return held == value


def rule_to(rules: RuleSet, name: str) -> FieldRule | None:
    """The outgoing rule that fills a field of the data dictionary."""
    return next((rule for rule in rules.rules if rule.target == name), None)


def rule_from(rules: RuleSet, name: str) -> FieldRule | None:
    """The rule that keeps a field of the receiver in step.  Rules for new tickets, empty fields and lists do not."""
    return next(
        (rule for rule in rules.rules if rule.source == name and rule.mode is UpdateMode.OVERWRITE), None
    )
