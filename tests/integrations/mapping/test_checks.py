"""What is noticed in a version of rules before it is published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from integrations.canonical import StatusStep
from integrations.mapping.checks import (
    FieldFacts,
    check_set,
    lost_values,
    passed,
    restless_values,
    template_names,
)
from integrations.mapping.rules import ConflictPolicy, FieldRule, Finding, Grade, Transform, UpdateMode

OWN = {
    "summary": FieldFacts("Summary", "text", max_length=255, is_required=True),
    "status": FieldFacts("Status", "status", ("To Do", "In Progress", "In Review", "Done")),
    "description": FieldFacts("Description", "rich_text"),
    "text": FieldFacts("First text", "rich_text", is_create_only=True),
    "key": FieldFacts("Key", "text", is_writable=False),
    "assignee": FieldFacts("Assignee", "person"),
    "labels": FieldFacts("Labels", "labels"),
    "priority": FieldFacts("Priority", "choice", ("High", "Low")),
}
DICTIONARY = {
    "title": FieldFacts("Title", "text", max_length=255),
    "status": FieldFacts("Status", "status", ("new", "open", "resolved")),
    "description": FieldFacts("Description", "rich_text"),
    "assignee": FieldFacts("Assignee", "person"),
    "priority": FieldFacts("Priority", "choice", ("critical", "low")),
    "labels": FieldFacts("Labels", "labels"),
}
TITLE_IN = FieldRule("title", "summary")
STATUS_OUT = FieldRule(
    "status",
    "status",
    Transform.VALUE_MAP,
    values={"To Do": "new", "In Progress": "open", "In Review": "open", "Done": "resolved"},
)
STATUS_IN = FieldRule(
    "status",
    "status",
    Transform.VALUE_MAP,
    values={"new": "To Do", "open": "In Progress", "resolved": "Done"},
)


def found(
    *rules: FieldRule, is_outgoing: bool = True, counterpart: tuple[FieldRule, ...] = ()
) -> list[tuple[Grade, int | None, str]]:
    findings = check_set(
        rules, own=OWN, dictionary=DICTIONARY, is_outgoing=is_outgoing, counterpart=counterpart
    )
    return [(one.grade, one.rule, one.message) for one in findings]


def incoming(
    *rules: FieldRule, counterpart: tuple[FieldRule, ...] = ()
) -> list[tuple[Grade, int | None, str]]:
    """Findings about incoming rules, which write the one required field besides."""
    return found(*rules, TITLE_IN, is_outgoing=False, counterpart=counterpart)


def test_rules_that_fit_give_nothing_to_look_at() -> None:
    assert found(FieldRule("summary", "title"), FieldRule("labels", "labels")) == []
    assert incoming(FieldRule("labels", "labels")) == []


def test_a_field_that_has_to_be_filled_in_and_is_not_is_told() -> None:
    assert found(FieldRule("labels", "labels"), is_outgoing=False) == [
        (
            Grade.LOOK,
            None,
            "“Summary” has to be filled in on a new ticket there, and no rule writes it.",
        )
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (FieldRule("", "summary", Transform.TEMPLATE, argument="{title"), "The template has a brace without its partner."),
        (FieldRule("", "summary", Transform.TEMPLATE, argument="Hello"), "The template for “summary” names no field: make it a constant."),
        (FieldRule("", "summary", Transform.TEMPLATE, argument="{titel}"), "The template names “titel”, and there is no such field."),
        (FieldRule("", "priority", Transform.CONSTANT, argument="Urgent"), "“priority” does not know “Urgent”."),
        (FieldRule("", "labels"), "The rule for “labels” does not say what it reads."),
        (FieldRule("title", "key"), "“key” cannot be written."),
        (FieldRule("description", "text"), "“text” can be given to a new ticket and never changed: choose “Only on new tickets”."),
        (FieldRule("description", "description", mode=UpdateMode.APPEND), "“description” is no list that could be appended to."),
        (FieldRule("titel", "labels"), "There is no field “titel” to read from."),
        (FieldRule("title", "nowhere"), "There is no field “nowhere” to write to."),
    ],
)  # fmt: skip
def test_what_cannot_work_blocks(rule: FieldRule, message: str) -> None:
    blocking = [text for grade, _, text in found(rule, is_outgoing=False) if grade is Grade.BLOCK]

    assert blocking == [message]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (FieldRule("priority", "labels"), "“priority” is a choice and “labels” a list of labels: a copy may not be accepted."),
        (FieldRule("priority", "priority"), "“priority” does not know “critical”, “low”: use a value map."),
        (FieldRule("assignee", "assignee"), "People have other accounts on each side: “assignee” is refused for somebody unknown there."),
    ],
)  # fmt: skip
def test_what_may_not_work_is_worth_a_look(rule: FieldRule, message: str) -> None:
    assert incoming(rule) == [(Grade.LOOK, 0, message)]


def test_a_longer_text_is_told_to_be_cut() -> None:
    facts = {"note": FieldFacts("Note", "text"), "summary": FieldFacts("Summary", "text", max_length=20)}

    findings = check_set(
        [FieldRule("note", "summary")],
        own={"summary": facts["summary"]},
        dictionary={"note": facts["note"]},
        is_outgoing=False,
    )

    assert [one.message for one in findings] == ["“summary”: 20 characters are taken: a longer text is cut."]


def test_a_constant_leaves_only_together_with_a_field() -> None:
    assert found(FieldRule("", "labels", Transform.CONSTANT, argument="shop")) == [
        (Grade.BLOCK, 0, "The constant for “labels” never leaves: say with which field it leaves.")
    ]
    assert found(FieldRule("summary", "labels", Transform.CONSTANT, argument="shop")) == []


def test_a_value_map_without_rows_blocks() -> None:
    assert (
        Grade.BLOCK,
        0,
        "The value map for “status” has no rows.",
    ) in found(FieldRule("status", "status", Transform.VALUE_MAP))


def test_two_rules_for_one_field_block() -> None:
    assert found(FieldRule("summary", "title"), FieldRule("summary", "title")) == [
        (Grade.BLOCK, 1, "Two rules write “title”.")
    ]


def test_a_value_that_comes_back_as_another_is_told_once_a_meaning() -> None:
    assert found(STATUS_OUT, counterpart=(STATUS_IN,)) == [
        (Grade.LOOK, 0, "“In Review” leaves as “open”, which comes in as “In Progress”.")
    ]


def test_values_that_would_never_come_to_rest_block() -> None:
    drifting = FieldRule(
        "status",
        "status",
        Transform.VALUE_MAP,
        values={"new": "In Progress", "open": "In Review", "resolved": "Done"},
    )

    assert [one for one in found(STATUS_OUT, counterpart=(drifting,)) if one[0] is Grade.BLOCK] == [
        (Grade.BLOCK, 0, "“status” would never come to rest: “In Progress” comes back as “In Review”.")
    ]


def test_both_directions_are_told_of_the_same_round_trip() -> None:
    assert incoming(STATUS_IN, counterpart=(STATUS_OUT,)) == [
        (Grade.LOOK, 0, "“In Review” leaves as “open”, which comes in as “In Progress”.")
    ]


@pytest.mark.parametrize(
    ("out", "into", "restless", "lost"),
    [
        ({"a": "x"}, {"x": "a"}, [], {}),
        ({"a": "x", "b": "x"}, {"x": "a"}, [], {"x": ["b"]}),
        ({"a": "x", "b": "y"}, {"x": "b", "y": "a"}, [("b", "a"), ("a", "b")], {}),
        ({"a": "x"}, {}, [], {}),
        ({}, {"x": "a"}, [], {}),
    ],
)
def test_ways_out_and_back(
    out: dict[str, str],
    into: dict[str, str],
    restless: list[tuple[str, str]],
    lost: dict[str, list[str]],
) -> None:
    assert restless_values(out, into) == restless
    assert lost_values(out, into) == lost


def test_nothing_is_said_about_fields_that_nobody_knows() -> None:
    findings = check_set([FieldRule("anything", "title")], own={}, dictionary=DICTIONARY, is_outgoing=True)

    assert findings == []


@pytest.mark.parametrize(
    ("template", "names"),
    [("", []), ("a {b} c {d}", ["b", "d"]), ("{{b}}", []), ("{b", None), ("b}", None)],
)
def test_the_fields_of_a_template(template: str, names: list[str] | None) -> None:
    assert template_names(template) == names


def test_what_is_in_order_is_told_too() -> None:
    rules = [STATUS_OUT, FieldRule("summary", "title")]

    assert passed([], rules) == [
        "No field is written by two rules.",
        "Every value of “status” has its row, and finds its way back.",
    ]
    assert passed([Finding(Grade.LOOK, 0, "Look.")], rules) == ["No field is written by two rules."]
    assert passed([Finding(Grade.BLOCK, 1, "Two rules write “title”.")], rules[:1]) == [
        "Every value of “status” has its row, and finds its way back."
    ]
    assert passed([], []) == []


@pytest.mark.parametrize(
    ("rule", "sent", "message"),
    [
        (
            FieldRule("priority", "priority", conflict=ConflictPolicy.OWN),
            True,
            "Neither side would give way on “priority”, so the newest change stands there. "
            "Agree with the other side's steward who gives way.",
        ),
        (
            FieldRule("title", "summary", conflict=ConflictPolicy.OWN),
            False,
            "“summary” is not sent back, so the other side never sees what is changed here: it stays for good.",
        ),
        (
            FieldRule("title", "summary", conflict=ConflictPolicy.PERSON),
            False,
            "“summary” is not sent back, so the other side never sees what is changed here: "
            "somebody is asked every time.",
        ),
        (
            FieldRule("labels", "labels", mode=UpdateMode.APPEND, conflict=ConflictPolicy.PERSON),
            True,
            "“labels”: nothing is replaced by this rule, so nothing is in conflict.",
        ),
        (FieldRule("title", "summary", conflict=ConflictPolicy.OWN), True, ""),
        (FieldRule("priority", "priority", conflict=ConflictPolicy.PERSON), True, ""),
        (FieldRule("priority", "priority"), True, ""),
    ],
)
def test_answers_to_a_conflict_that_settle_nothing_are_told(
    rule: FieldRule, sent: bool, message: str
) -> None:
    findings = check_set(
        [rule],
        own={},
        dictionary={},
        is_outgoing=False,
        counterpart=[FieldRule(rule.target, rule.source)] if sent else [],
        kept_elsewhere={"priority"},
    )

    assert [one.message for one in findings] == ([message] if message else [])


def steps(*ways: tuple[str, str], known: tuple[str, ...]) -> dict[str, FieldFacts]:
    status = replace(OWN["status"], steps=tuple(StatusStep(*one) for one in ways), steps_known=known)
    return {**OWN, "status": status}


def test_statuses_to_which_the_workflow_does_not_lead_are_told_before_a_ticket_has_to_go_there() -> None:
    states = OWN["status"].values
    there = (("To Do", "In Progress"), ("In Progress", "In Review"))

    def told(*ways: tuple[str, str], known: tuple[str, ...] = states) -> list[str]:
        own = steps(*ways, known=known)
        found = check_set([TITLE_IN, STATUS_IN], own=own, dictionary=DICTIONARY, is_outgoing=False)
        return [one.message for one in found if "workflow" in one.message]

    assert told(*there, ("In Review", "Done"), ("Done", "To Do")) == []
    assert told(*there, ("In Review", "To Do"), ("Done", "To Do")) == [
        "The workflow of “Status” has no step that leads to “Done”."
    ]
    assert told(*there, ("In Review", "Done"), ("In Progress", "To Do")) == [
        "The workflow of “Status” has no way from “Done” to “To Do”: "
        "a ticket that has to go there waits for a person.",
        "The workflow of “Status” has no way from “Done” to “In Progress”: "
        "a ticket that has to go there waits for a person.",
    ]
    assert told(*there, known=()) == []
