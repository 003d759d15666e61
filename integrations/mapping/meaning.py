"""Own values that say already what comes in.  Pure.

Several own values may have one meaning, of which one is written for it: a Jira issue “In Review” is open, and for “open”
“In Progress” is written.  Whoever chose the other one has said no less, so the same meaning from the other side leaves
it as it stands.
"""

from __future__ import annotations

from integrations.canonical import Fields, Value
from integrations.mapping.rules import FieldRule, RuleSet, Transform, UpdateMode


def says(incoming: FieldRule, outgoing: RuleSet, told: Value, own: Value) -> bool:
    """Whether the receiver's `own` value has the meaning `told`, so that `incoming` need not write another for it.

    Only of values that this rule never writes, which the receiver's own people have chosen.  What is written for one
    meaning and sent as another says nothing of what was told last: a ticket that was resolved, and by its side's rules
    is open to others, is opened again.
    """
    if (
        told is None
        or incoming.transform is not Transform.VALUE_MAP
        or incoming.mode is not UpdateMode.OVERWRITE
    ):
        return False
    if own is None or isinstance(own, list | dict) or str(own) in incoming.values.values():
        return False
    return any(
        rule.transform is Transform.VALUE_MAP
        and (rule.source, rule.target) == (incoming.target, incoming.source)
        and rule.values.get(str(own)) == str(told)
        for rule in outgoing.rules
    )


def standing(incoming: RuleSet, outgoing: RuleSet, told: Fields, present: Fields) -> dict[str, Value]:
    """The receiver's fields that say already what they are told, as they stand."""
    return {
        rule.target: present[rule.target]
        for rule in incoming.rules
        if rule.source in told
        and rule.target in present
        and says(rule, outgoing, told[rule.source], present[rule.target])
    }
