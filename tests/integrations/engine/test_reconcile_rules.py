"""The comparison itself, as a pure function: what counts as drift and what is an exception, case by case."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.canonical import Attachment, Comment, Person, Value
from integrations.engine.reconcile import Carried, Exempt, Place, Reason, examine
from integrations.engine.values import DeliveryState, Stamp, Winner
from integrations.mapping.agreement import End
from integrations.mapping.rules import FieldRule, RuleSet, Transform, UpdateMode
from integrations.richtext import blocks

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DONE = DeliveryState.DONE


def rules(*found: FieldRule, **more: Any) -> RuleSet:
    return RuleSet(1, 1, found, **more)


COPY_OUT, COPY_IN = FieldRule("own", "title"), FieldRule("title", "own")
SENDS, TAKES = rules(COPY_OUT), rules(COPY_IN)


def place(
    system: int,
    actual: dict[str, Value] | None = None,
    *,
    out: RuleSet = SENDS,
    into: RuleSet = TAKES,
    **more: Any,
) -> Place:
    held = actual or {}
    return Place(End(held, True, system, out, into), **{"known": held, **more})


def as_written(system: int, field: str, value: Value) -> Value:
    return value


def found(left: Place, right: Place) -> tuple[list[tuple[Any, ...]], list[Exempt]]:
    result = examine(["title"], left, right, as_written)
    return (
        [(one.key, one.from_left, one.reason, one.expected, one.found) for one in result.drifts],
        [one.why for one in result.exceptions],
    )


def winner(ms: int, system: int) -> dict[str, Winner]:
    return {"own": Winner("x", Stamp(ms, system))}


def test_the_newer_of_two_recorded_values_counts() -> None:
    left = place(1, {"own": "a"}, winners=winner(5, 1))
    right = place(2, {"own": "b"}, winners=winner(9, 2))

    assert found(left, right) == ([("title", False, Reason.NOT_THERE, "b", "a")], [])


def test_the_side_that_changed_without_a_word_counts_whatever_is_newer() -> None:
    left = place(1, {"own": "a"}, known={"own": "b"}, winners=winner(5, 1))
    right = place(2, {"own": "b"}, winners=winner(9, 2))

    assert found(left, right) == ([("title", True, Reason.UNRECORDED, "a", "b")], [])


@pytest.mark.parametrize(
    ("out", "into", "why"),
    [
        (rules(COPY_OUT), rules(FieldRule("title", "own", mode=UpdateMode.ONLY_IF_NEW)), Exempt.ONLY_IF_NEW),
        (
            rules(COPY_OUT),
            rules(FieldRule("title", "own", mode=UpdateMode.ONLY_IF_EMPTY)),
            Exempt.ONLY_IF_EMPTY,
        ),
        (rules(COPY_OUT), rules(FieldRule("title", "own", mode=UpdateMode.APPEND)), Exempt.APPEND),
        (rules(), rules(COPY_IN), Exempt.NO_RULE),
        (
            rules(FieldRule("own", "title", Transform.VALUE_MAP, values={"z": "y"})),
            rules(COPY_IN),
            Exempt.NO_ROW,
        ),
    ],
)
def test_what_the_rules_let_differ_is_named(out: RuleSet, into: RuleSet, why: Exempt) -> None:
    left = place(1, {"own": "a"}, out=out, into=rules())
    right = place(2, {"own": "b"}, out=rules(), into=into)

    assert found(left, right) == ([], [why])


def test_a_value_in_one_direction_that_never_arrived_is_drift() -> None:
    left = place(1, {"own": "a"}, into=rules(), winners=winner(9, 1))
    right = place(2, {"own": "b"}, out=rules(), winners=winner(5, 1))

    assert found(left, right) == ([("title", True, Reason.NOT_THERE, "a", "b")], [])


def said(text: str, id_: str, *, is_public: bool = True) -> Comment:
    return Comment(id_, blocks.from_plain(text).as_value(), Person("p"), is_public, NOW)


def carried(text: str, made: str, **more: Any) -> Carried:
    body = blocks.from_plain(text).as_value()
    return Carried(**{"state": DONE, "made": made, "body": body, "source": body, **more})


def test_comments_are_judged_by_order_text_and_who_may_read_them() -> None:
    left = place(
        1,
        comments=[said(text, text) for text in ("one", "two", "three", "four", "five", "six")],
        carried={
            "one": carried("one", "r1"),
            "two": carried("two", "r2"),
            "three": carried("three", "r3", is_public=False),
            "four": carried("four", "r4"),
            "five": carried("five", "", state=DeliveryState.SKIPPED),
        },
        recorded=frozenset({"one", "two", "three", "four", "five"}),
    )
    right = place(
        2,
        comments=[said("two", "r2"), said("one", "r1"), said("three", "r3"), said("four, edited", "r4")],
        ours=frozenset({"r1", "r2", "r3", "r4"}),
    )

    result = examine([], left, right, as_written)

    assert [(one.key, one.reason, one.can_be_repaired) for one in result.drifts] == [
        ("two", Reason.ORDER, False),
        ("three", Reason.VISIBILITY, False),
        ("six", Reason.UNRECORDED, True),
    ]
    assert [(one.key, one.why) for one in result.exceptions] == [
        ("four", Exempt.EDITED),
        ("five", Exempt.LEFT_OUT),
    ]
    assert result.comments == 1


def file(name: str, id_: str, size: int) -> Attachment:
    return Attachment(id_, name, "text/plain", size, "")


def test_files_are_judged_by_name_and_by_the_size_that_travelled() -> None:
    names = ("whole", "cut", "noted", "gone", "kept")
    left = place(
        1,
        files=[file(name, name, 100) for name in names],
        carried={
            "whole": Carried(DONE, "r1", size_bytes=90),
            "cut": Carried(DONE, "r2"),
            "noted": Carried(DONE, "c1"),
            "gone": Carried(DONE, "r3"),
        },
        recorded=frozenset(names),
        withheld=frozenset({"kept"}),
    )
    right = place(
        2,
        files=[file("whole", "r1", 90), file("cut", "r2", 7)],
        comments=[said("It stays with the sender.", "c1")],
        ours=frozenset({"r1", "r2", "c1"}),
    )

    result = examine([], left, right, as_written)

    assert [(one.key, one.reason, one.expected, one.found, one.needs_a_person) for one in result.drifts] == [
        ("cut", Reason.NOT_THERE, "cut, 100 bytes", "cut, 7 bytes", True),
        ("gone", Reason.REMOVED, "gone", "", True),
    ]
    assert [(one.key, one.why) for one in result.exceptions] == [
        ("noted", Exempt.STAND_IN),
        ("kept", Exempt.NOT_SHARED),
    ]
    assert result.files == 1
