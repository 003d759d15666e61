"""Own values that say already what comes in, by the rules of the side that holds them."""

from __future__ import annotations

import pytest

from integrations.canonical import Value
from integrations.mapping.agreement import End, Verdict, verdict
from integrations.mapping.meaning import says, standing
from integrations.mapping.rules import FieldRule, RuleSet, Transform, UpdateMode

OUTGOING = {"To Do": "new", "In Progress": "open", "In Review": "open", "Done": "resolved", "Parked": "open"}
INCOMING = {"new": "To Do", "open": "In Progress", "resolved": "Done", "on hold": "Parked"}


def rules(
    source: str, target: str, values: dict[str, str], mode: UpdateMode = UpdateMode.OVERWRITE
) -> RuleSet:
    return RuleSet(1, 1, (FieldRule(source, target, Transform.VALUE_MAP, mode, values=values),))


SENT, TAKEN = rules("state", "status", OUTGOING), rules("status", "state", INCOMING)


@pytest.mark.parametrize(
    ("told", "own", "is_said"),
    [
        ("open", "In Review", True),
        # Another word for it, or the very value that is written for it, which needs no judging.
        ("new", "In Review", False),
        ("open", "In Progress", False),
        # It is written for “on hold”, so that it says nothing of what was told last.
        ("open", "Parked", False),
        ("open", "Unheard of", False),
        ("open", None, False),
        (None, "In Review", False),
        ("open", ["In Review"], False),
    ],
)
def test_whether_a_value_says_already_what_comes_in(told: Value, own: Value, is_said: bool) -> None:
    assert says(TAKEN.rules[0], SENT, told, own) is is_said


def test_only_what_is_kept_in_step_by_value_maps_of_both_directions_is_judged() -> None:
    once = rules("status", "state", INCOMING, UpdateMode.ONLY_IF_NEW)
    copied = RuleSet(1, 1, (FieldRule("state", "status"),))
    others = rules("phase", "status", OUTGOING)

    found = [
        says(once.rules[0], SENT, "open", "In Review"),
        says(TAKEN.rules[0], copied, "open", "In Review"),
        says(TAKEN.rules[0], others, "open", "In Review"),
    ]

    assert found == [False, False, False]


def test_what_stands_is_told_by_the_receivers_own_fields() -> None:
    present: dict[str, Value] = {"state": "In Review", "title": "one"}

    assert standing(TAKEN, SENT, {"status": "open"}, present) == {"state": "In Review"}
    assert standing(TAKEN, SENT, {"status": "new"}, present) == {}
    assert standing(TAKEN, SENT, {"title": "open"}, present) == {}


def test_two_finer_values_of_one_meaning_agree() -> None:
    desk = {"Asked": "open", "Open": "open", "Closed": "resolved"}
    ends = [
        End({"state": value}, True, number, outgoing, incoming)
        for number, value, outgoing, incoming in (
            (1, "In Review", SENT, TAKEN),
            (2, "Asked", rules("state", "status", desk), rules("status", "state", {"open": "Open"})),
        )
    ]

    assert verdict("status", *ends, lambda system_id, name, value: value) is Verdict.MAPPED
