"""What changed between two readings of a system's fields, and which rules that touches."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.canonical import StatusStep
from integrations.mapping import drift
from integrations.mapping.checks import FieldFacts
from integrations.mapping.drift import ChangeCode, FieldChange, Place, SideRules, Use
from integrations.mapping.rules import FieldRule, Grade, Transform, UpdateMode


def facts(**more: Any) -> FieldFacts:
    return FieldFacts(**{"label": "Priority", "kind": "choice", **more})


BEFORE = {"priority": facts(values=("low", "high"))}

CHANGES = [
    ({}, []),
    ({"other": facts()}, [FieldChange(ChangeCode.FIELD_GONE, "priority", "Priority")]),
    (
        {"priority": facts(values=("low", "urgent"))},
        [
            FieldChange(ChangeCode.VALUE_GONE, "priority", "Priority", "high"),
            FieldChange(ChangeCode.VALUE_NEW, "priority", "Priority", "urgent"),
        ],
    ),
    # Without a list anything is taken.
    ({"priority": facts()}, []),
    (
        {"priority": facts(values=("low", "high"), is_required=True)},
        [FieldChange(ChangeCode.NEWLY_REQUIRED, "priority", "Priority")],
    ),
    (
        {**BEFORE, "close_code": facts(label="Close code", is_required=True)},
        [FieldChange(ChangeCode.NEWLY_REQUIRED, "close_code", "Close code")],
    ),
    ({**BEFORE, "close_code": facts()}, []),
    (
        {"priority": facts(values=("low", "high"), is_writable=False)},
        [FieldChange(ChangeCode.READ_ONLY, "priority", "Priority", after="never")],
    ),
    (
        {"priority": facts(values=("low", "high"), is_create_only=True)},
        [FieldChange(ChangeCode.READ_ONLY, "priority", "Priority", after="new tickets only")],
    ),
    (
        {"priority": facts(values=("low", "high"), kind="text")},
        [FieldChange(ChangeCode.KIND_CHANGED, "priority", "Priority", before="choice", after="text")],
    ),
]


@pytest.mark.parametrize(("after", "found"), CHANGES)
def test_two_readings_are_compared_field_by_field(after: Any, found: list[FieldChange]) -> None:
    assert drift.changes(BEFORE, after) == found


def test_a_first_reading_changes_nothing() -> None:
    assert drift.changes({}, BEFORE) == []


@pytest.mark.parametrize(
    ("before", "after", "is_shorter"),
    [(255, 100, True), (0, 100, True), (100, 100, False), (100, 255, False), (100, 0, False)],
)
def test_a_limit_is_a_finding_only_where_it_became_shorter(before: int, after: int, is_shorter: bool) -> None:
    old, new = {"title": facts(max_length=before)}, {"title": facts(max_length=after)}

    codes = [one.code for one in drift.changes(old, new)]

    assert codes == ([ChangeCode.LIMIT_SHORTER] if is_shorter else [])


@pytest.mark.parametrize("after", [after for after, found in CHANGES if found])
def test_a_change_holds_until_it_is_undone(after: Any) -> None:
    for change in drift.changes(BEFORE, after):
        assert drift.still_holds(change, after)
        if change.field in BEFORE:
            assert not drift.still_holds(change, BEFORE)


def test_a_value_of_a_field_that_went_altogether_is_no_longer_told() -> None:
    change = FieldChange(ChangeCode.VALUE_GONE, "priority", "Priority", "high")

    assert not drift.still_holds(change, {"other": facts()})


def mapped(source: str, target: str, values: dict[str, str]) -> FieldRule:
    return FieldRule(source, target, Transform.VALUE_MAP, values=values)


SIDE = SideRules(
    outgoing=[
        mapped("priority", "priority", {"high": "critical"}),
        FieldRule("", "title", Transform.TEMPLATE, argument="{subject} ({priority})"),
    ],
    incoming=[
        FieldRule("title", "subject"),
        mapped("priority", "priority", {"critical": "high"}),
        FieldRule("type", "type"),
        FieldRule("kind", "kind", mode=UpdateMode.ONLY_IF_NEW),
    ],
    trigger={"priority": ["high"], "type": ["bug"]},
    opens_here=True,
    shared={"type": ["incident"]},
)


def change(code: ChangeCode, field: str, **more: str) -> FieldChange:
    return FieldChange(code, field, field.title(), **more)


@pytest.mark.parametrize(
    ("changed", "used", "grade"),
    [
        (
            change(ChangeCode.FIELD_GONE, "priority"),
            [Use(Place.OUTGOING, 0), Use(Place.OUTGOING, 1), Use(Place.INCOMING, 1), Use(Place.TRIGGER)],
            Grade.BLOCK,
        ),
        (change(ChangeCode.FIELD_GONE, "unused"), [], Grade.BLOCK),
        (
            change(ChangeCode.VALUE_GONE, "priority", value="high"),
            [Use(Place.OUTGOING, 0), Use(Place.INCOMING, 1), Use(Place.TRIGGER)],
            Grade.BLOCK,
        ),
        (change(ChangeCode.VALUE_GONE, "priority", value="low"), [], Grade.LOOK),
        # A copied value may be any that the data dictionary knows.
        (change(ChangeCode.VALUE_GONE, "type", value="incident"), [Use(Place.INCOMING, 2)], Grade.BLOCK),
        (change(ChangeCode.VALUE_NEW, "priority", value="urgent"), [Use(Place.OUTGOING, 0)], Grade.LOOK),
        (change(ChangeCode.VALUE_NEW, "priority", value="high"), [], Grade.LOOK),
        (change(ChangeCode.NEWLY_REQUIRED, "close_code"), [Use(Place.INCOMING)], Grade.BLOCK),
        (change(ChangeCode.NEWLY_REQUIRED, "subject"), [], Grade.BLOCK),
        (change(ChangeCode.READ_ONLY, "subject", after="never"), [Use(Place.INCOMING, 0)], Grade.BLOCK),
        (change(ChangeCode.READ_ONLY, "kind", after="never"), [Use(Place.INCOMING, 3)], Grade.BLOCK),
        (change(ChangeCode.READ_ONLY, "kind", after="new tickets only"), [], Grade.BLOCK),
        (change(ChangeCode.LIMIT_SHORTER, "subject", after="50"), [Use(Place.INCOMING, 0)], Grade.LOOK),
        (change(ChangeCode.LIMIT_SHORTER, "priority", after="50"), [], Grade.LOOK),
    ],
)
def test_a_change_touches_the_rules_that_use_it(changed: FieldChange, used: list[Use], grade: Grade) -> None:
    found = drift.uses(changed, SIDE)

    assert found == used
    if used:
        assert drift.grade_of(changed, found) is grade


def test_a_required_field_matters_only_where_tickets_are_opened_from_outside() -> None:
    required = change(ChangeCode.NEWLY_REQUIRED, "close_code")

    assert drift.uses(required, SideRules()) == []


def test_rules_that_only_read_a_value_that_went_are_worth_a_look() -> None:
    gone = change(ChangeCode.VALUE_GONE, "priority", value="high")

    assert drift.grade_of(gone, [Use(Place.OUTGOING, 0)]) is Grade.LOOK


# --- Steps of a workflow ---

STATES = ("new", "open", "done")
WAYS = (("new", "open"), ("open", "done"), ("done", "open"))


def workflow(
    *ways: tuple[str, str], known: tuple[str, ...] = STATES, **demanded: str
) -> dict[str, FieldFacts]:
    steps = tuple(StatusStep(one, other, tuple(demanded.get(other, "").split())) for one, other in ways)
    return {"state": facts(label="State", kind="status", values=STATES, steps=steps, steps_known=known)}


def told(code: ChangeCode, value: str, after: str = "") -> FieldChange:
    return FieldChange(code, "state", "State", value, after=after)


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (workflow(*WAYS), []),
        (workflow(*WAYS, ("new", "done")), []),
        (workflow(*WAYS[:1], WAYS[2]), [told(ChangeCode.STATUS_UNREACHABLE, "done")]),
        # The way back to open is gone; that from new is not.
        (workflow(*WAYS[:2]), [told(ChangeCode.STEP_GONE, "done → open")]),
        (workflow(("new", "done"), *WAYS[1:]), []),
        # Where not all steps are known nothing is said to be gone.
        (workflow(*WAYS[:2], known=("new", "open")), []),
        (workflow(*WAYS[:1], known=()), []),
        (workflow(known=()), []),
        (workflow(*WAYS, done="code notes"), [told(ChangeCode.STEP_DEMANDS, "done", "code, notes")]),
    ],
)
def test_two_readings_of_a_workflow_are_compared_by_where_it_leads(
    after: Any, found: list[FieldChange]
) -> None:
    before = workflow(*WAYS)
    assert drift.changes(before, after) == found
    for change in found:
        assert drift.still_holds(change, after)
        assert not drift.still_holds(change, before)


WRITES = SideRules(
    incoming=[mapped("state", "state", {"resolved": "done", "active": "open"}), FieldRule("code", "code")]
)


@pytest.mark.parametrize(
    ("changed", "is_used", "grade"),
    [
        (told(ChangeCode.STATUS_UNREACHABLE, "done"), True, Grade.BLOCK),
        (told(ChangeCode.STATUS_UNREACHABLE, "new"), False, None),
        (told(ChangeCode.STEP_GONE, "done → open"), True, Grade.BLOCK),
        (told(ChangeCode.STEP_GONE, "open → new"), False, None),
        (told(ChangeCode.STEP_DEMANDS, "done", "code, notes"), True, Grade.LOOK),
        # A rule fills it.
        (told(ChangeCode.STEP_DEMANDS, "done", "code"), False, None),
    ],
)
def test_a_change_of_steps_touches_the_rules_that_write_the_status(
    changed: FieldChange, is_used: bool, grade: Grade | None
) -> None:
    used = drift.uses(changed, WRITES)
    assert used == ([Use(Place.INCOMING, 0)] if is_used else [])
    assert not used or drift.grade_of(changed, used) is grade


@pytest.mark.parametrize("code", ChangeCode)
def test_every_change_has_a_sentence_of_its_own(code: ChangeCode) -> None:
    told = drift.sentence(FieldChange(code, "x", "Priority", "high", "255", "100"))

    assert "“Priority”" in told
    assert told.endswith(".")
