"""Both sides of a linked ticket beside each other, judged by both sides' rules."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.canonical import Fields, Value
from integrations.models import FieldRule
from integrations.services.comparison import Counts, FieldRow, Verdict, agreed_values, compare, settled_by
from tests.integrations import scenes
from tests.integrations.scenes import Matter

pytestmark = pytest.mark.django_db

TO_AGREED = {"urgent": "critical", "high": "critical", "low": "low"}
FROM_AGREED = {"critical": "Highest", "low": "Low"}
TO_JIRA = {"Highest": "critical", "Low": "low", "Medium": "low"}
FROM_JIRA = {"critical": "urgent", "low": "low"}


def matter(left: Fields, right: Fields | None) -> Matter:
    """Two-way title and priority, a one-way status, a labels list that is only added to, and an own assignee."""
    sides = scenes.mercuri_and_infinity()
    scenes.dictionary(
        sides[0], title="Title", priority="Priority", status="Status", labels="Labels", assignee="Assignee"
    )
    scenes.publish(
        sides[0],
        "outgoing",
        {
            "title": "subject",
            "priority": ("priority", TO_AGREED),
            "status": "status",
            "labels": "tags",
            "assignee": "assignee",
        },
    )
    scenes.publish(sides[0], "incoming", {"subject": "title", "priority": ("priority", FROM_JIRA)})
    scenes.publish(sides[1], "outgoing", {"title": "summary", "priority": ("priority", TO_JIRA)})
    scenes.publish(
        sides[1],
        "incoming",
        {
            "summary": "title",
            "priority": ("priority", FROM_AGREED),
            "state": "status",
            "labels": FieldRule(source="labels", mode="append"),
        },
    )
    return scenes.matter(*sides, left_fields=left, right_fields=right)


LEFT = {
    "subject": "Charged twice",
    "priority": "urgent",
    "status": "open",
    "tags": ["vip"],
    "assignee": "Ann",
}
RIGHT = {"summary": "Charged twice", "priority": "Highest", "state": "open", "labels": ["vip", "shop"]}


def verdicts(left: Fields, right: Fields | None, **settings: Any) -> dict[str, Verdict]:
    found = compare(matter(left, right).linked, **settings)
    return {row.name: row.verdict for row in found.rows}


def test_every_field_of_the_dictionary_is_shown_on_both_sides_with_a_verdict() -> None:
    found = compare(matter(LEFT, RIGHT).linked)

    assert found.rows == (
        FieldRow("title", "Title", "Charged twice", "Charged twice", "Charged twice", Verdict.EQUAL),
        FieldRow("priority", "Priority", "urgent", "Highest", "critical", Verdict.MAPPED),
        FieldRow("status", "Status", "open", "open", "open", Verdict.EQUAL),
        FieldRow("labels", "Labels", "vip", "vip, shop", "vip", Verdict.OWN),
        FieldRow("assignee", "Assignee", "Ann", "", "Ann", Verdict.OWN),
    )
    assert found.differing == 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        # High is sent as critical, which Infinity writes as Highest; back, Highest would be urgent.
        ("high", "Highest"),
        # Medium comes back as low, although low is never written as Medium.
        ("low", "Medium"),
    ],
)
def test_values_that_agree_in_one_direction_agree(left: str, right: str) -> None:
    found = verdicts(LEFT | {"priority": left}, RIGHT | {"priority": right})

    assert found["priority"] is Verdict.MAPPED


@pytest.mark.parametrize(
    ("left", "right", "field", "verdict"),
    [
        ({"subject": "Charged"}, {}, "title", Verdict.DIFFERS),
        ({"priority": "low"}, {}, "priority", Verdict.DIFFERS),
        # Neither side's map has a row for it.
        ({"priority": "normal"}, {"priority": "Trivial"}, "priority", Verdict.DIFFERS),
        ({}, {"state": "closed"}, "status", Verdict.ONE_WAY),
        ({"subject": None}, {"summary": ""}, "title", Verdict.DIFFERS),
        ({"subject": ""}, {"summary": ""}, "title", Verdict.EQUAL),
    ],
)
def test_what_the_rules_cannot_make_of_one_another_differs(
    left: Fields, right: Fields, field: str, verdict: Verdict
) -> None:
    assert verdicts(LEFT | left, RIGHT | right)[field] is verdict


def test_an_empty_field_on_both_sides_is_no_difference() -> None:
    assert verdicts({"subject": "Charged twice"}, {"summary": "Charged twice"}) == {
        "title": Verdict.EQUAL,
        "priority": Verdict.EQUAL,
        "status": Verdict.EQUAL,
        "labels": Verdict.OWN,
        "assignee": Verdict.OWN,
    }


def test_a_text_that_the_other_system_cuts_is_not_called_different() -> None:
    def cut(system_id: int, field: str, value: Value) -> Value:
        return str(value)[:7] if field == "summary" else value

    one = matter(LEFT, RIGHT | {"summary": "Charged"})

    assert compare(one.linked).rows[0].verdict is Verdict.DIFFERS
    assert compare(one.linked, settled=cut).rows[0].verdict is Verdict.MAPPED


def test_a_ticket_that_is_not_made_yet_is_not_compared() -> None:
    found = compare(matter(LEFT, None).linked)

    assert {row.verdict for row in found.rows} == {Verdict.ABSENT}
    assert [row.left for row in found.rows] == ["Charged twice", "urgent", "open", "vip", "Ann"]


def test_a_difference_that_is_being_delivered_says_so() -> None:
    one = matter(LEFT | {"subject": "Charged three times"}, RIGHT)
    scenes.arrived(one.to_right, scenes.seen(one.left_ticket), envelope={"fields": {"status": "open"}})
    scenes.queued(one.to_right, envelope={"fields": {"title": "Charged three times"}, "changed": ["subject"]})

    rows = {row.name: row for row in compare(one.linked).rows}

    assert (rows["title"].verdict, rows["title"].is_under_way) == (Verdict.DIFFERS, True)
    assert not rows["status"].is_under_way


def test_comments_and_files_are_counted_on_both_sides() -> None:
    one = matter(LEFT, RIGHT)
    scenes.seen(one.left_ticket, comments=[scenes.comment("Hello", files=["trace.txt"])])
    scenes.seen(one.left_ticket, comments=[scenes.comment("Between us", is_public=False)])
    scenes.seen(one.left_ticket, attachments=[scenes.file("bill.pdf")])
    scenes.seen(one.right_ticket, fields={"summary": "Charged twice"})

    found = compare(one.linked)

    assert (found.left_counts, found.right_counts) == (Counts(1, 1, 2), Counts())


def test_the_comparison_costs_the_same_whatever_the_rules(django_assert_num_queries: Any) -> None:
    one = matter(LEFT, RIGHT)

    # Sides, published sets, rules, value maps, pairs, what is under way, dictionary, changes with comments or
    # files, deliveries of files.
    with django_assert_num_queries(10):
        compare(one.linked)


def test_one_side_alone_tells_its_values_in_the_words_of_the_dictionary() -> None:
    one = matter(LEFT | {"priority": "normal"}, RIGHT)
    left, right = one.linked.sides.order_by("side__position")

    # The map has no row for “normal”: nothing is guessed.
    assert agreed_values(left) == {
        "title": "Charged twice",
        "priority": "",
        "status": "open",
        "labels": "vip",
        "assignee": "Ann",
    }
    assert agreed_values(right) == {"title": "Charged twice", "priority": "critical"}


def test_the_connectors_tell_what_a_system_makes_of_a_value() -> None:
    one = matter(LEFT, RIGHT)
    jira = one.right.system

    settled = settled_by([jira])

    assert settled(jira.pk, "summary", "x" * 300) == "x" * 248 + "… [cut]"
    assert settled(one.left.system_id, "subject", "x" * 300) == "x" * 300
