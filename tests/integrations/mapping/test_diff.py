"""What is told about two versions of a side's rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from integrations.mapping.diff import Difference, Kind, differences, in_words, widens
from integrations.mapping.files import MEGABYTE, FilePolicy
from integrations.mapping.rules import NO_RULES, ConflictPolicy, FieldRule, RuleSet, Transform, UpdateMode

TITLE = FieldRule("subject", "title")
STATUS = FieldRule("status", "status", Transform.VALUE_MAP, values={"new": "new", "": "open"})
TAGS = FieldRule("tags", "labels")


def version(*rules: FieldRule) -> RuleSet:
    return replace(NO_RULES, rules=rules)


def test_versions_that_say_the_same_differ_in_nothing() -> None:
    assert differences(version(TITLE, STATUS), version(STATUS, TITLE)) == []


def test_added_removed_and_changed_rules_are_told_by_the_field_they_write() -> None:
    before = version(TITLE, STATUS)
    after = version(
        replace(TITLE, source="topic", transform=Transform.REDACT, mode=UpdateMode.ONLY_IF_NEW),
        TAGS,
    )

    assert differences(before, after) == [
        Difference(
            "title",
            Kind.CHANGED,
            (
                ("Reads", "subject", "topic"),
                ("How", "Copy", "Redact"),
                ("When", "Overwrite", "Only on new tickets"),
            ),
        ),
        Difference(
            "status",
            Kind.REMOVED,
            (("Rule", "Value map of status with new → new, (empty) → open", ""),),
        ),
        Difference("labels", Kind.ADDED, (("Rule", "", "Copy of tags"),)),
    ]


def test_whose_change_stands_is_told_in_words() -> None:
    after = replace(TITLE, conflict=ConflictPolicy.PERSON)

    assert differences(version(TITLE), version(after)) == [
        Difference(
            "title",
            Kind.CHANGED,
            (("When both changed it", "The newest change stands", "A person decides"),),
        )
    ]
    assert in_words(after) == "Copy of subject (both changed it: a person decides)"


def test_each_value_that_changed_is_told() -> None:
    after = replace(STATUS, values={"new": "open", "hold": "on hold"})

    assert differences(version(STATUS), version(after)) == [
        Difference(
            "status",
            Kind.CHANGED,
            (
                ("Value “new”", "new", "open"),
                ("The empty value", "open", ""),
                ("Value “hold”", "", "on hold"),
            ),
        )
    ]


def test_options_are_told_in_words() -> None:
    after = replace(
        NO_RULES,
        shares_internal_comments=True,
        comment_heading="From {partner}",
        notes_refusals=True,
        tells_reasons=True,
    )

    assert differences(NO_RULES, after) == [
        Difference("Internal comments leave", Kind.CHANGED, (("Setting", "no", "yes"),)),
        Difference("Line above a comment", Kind.CHANGED, (("Setting", "", "From {partner}"),)),
        Difference(
            "The other side is told why a change is not taken here", Kind.CHANGED, (("Setting", "no", "yes"),)
        ),
        Difference(
            "A note says what the other side has not taken", Kind.CHANGED, (("Setting", "no", "yes"),)
        ),
    ]


def test_what_changed_about_files_is_told_in_words() -> None:
    before = replace(NO_RULES, files=FilePolicy(0, (), (".exe", ".js")))
    after = replace(NO_RULES, files=FilePolicy(10 * MEGABYTE, (".pdf",), (".js", ".exe")))

    assert differences(before, after) == [
        Difference("Which files", Kind.CHANGED, (("Largest", "", "10 MB"), ("Only these", "", ".pdf")))
    ]
    assert differences(after, NO_RULES) == [
        Difference(
            "Which files",
            Kind.CHANGED,
            (("Largest", "10 MB", ""), ("Only these", ".pdf", ""), ("Never these", ".js, .exe", "")),
        )
    ]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (FilePolicy(10), FilePolicy(20), ["Larger files"]),
        (FilePolicy(10), FilePolicy(), ["Larger files"]),
        (FilePolicy(), FilePolicy(10), []),
        (FilePolicy(20), FilePolicy(10), []),
        (FilePolicy(never=(".exe", ".js")), FilePolicy(never=(".js",)), ["More kinds of files"]),
        (FilePolicy(never=(".js",)), FilePolicy(never=(".exe", ".js")), []),
        (FilePolicy(only=(".pdf",)), FilePolicy(), ["More kinds of files"]),
        (FilePolicy(only=(".pdf",)), FilePolicy(only=(".pdf", ".png")), ["More kinds of files"]),
        (FilePolicy(only=(".pdf", ".png")), FilePolicy(only=(".pdf",)), []),
        (FilePolicy(), FilePolicy(only=(".pdf",)), []),
    ],
)
def test_that_more_files_leave_is_told(before: FilePolicy, after: FilePolicy, told: list[str]) -> None:
    old, new = replace(NO_RULES, files=before), replace(NO_RULES, files=after)

    assert widens(old, new) == told
    assert widens(replace(old, shares_files=False), new) == ["Files leave"]
    assert widens(old, replace(new, shares_files=False)) == []


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (version(TITLE), []),
        (version(TITLE, TAGS), ["labels"]),
        (version(replace(TITLE, target="description")), []),
        (replace(version(TITLE), shares_internal_comments=True), ["Internal comments leave"]),
        (
            replace(version(TITLE), tells_reasons=True),
            ["The other side is told why a change is not taken here"],
        ),
        (version(replace(TITLE, argument="x", transform=Transform.TEMPLATE)), ["title"]),
    ],
)
def test_what_leaves_in_addition_is_told(after: RuleSet, told: list[str]) -> None:
    assert widens(version(TITLE), after) == told


def test_a_field_that_was_redacted_and_is_copied_leaves_in_addition() -> None:
    redacted = version(replace(TITLE, transform=Transform.REDACT))

    assert widens(redacted, version(TITLE)) == ["title"]
    assert widens(version(TITLE), redacted) == []
    assert widens(version(), redacted) == ["title"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (TITLE, "Copy of subject"),
        (FieldRule("", "x", Transform.CONSTANT, argument="shop"), "Constant “shop”"),
        (replace(TAGS, mode=UpdateMode.APPEND), "Copy of tags (append to list)"),
    ],
)
def test_a_rule_in_one_line(rule: FieldRule, words: str) -> None:
    assert in_words(rule) == words
