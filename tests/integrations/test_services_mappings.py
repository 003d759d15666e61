"""Drafting, changing, checking, publishing and bringing back a side's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from integrations.mapping.rules import FieldRule as Rule
from integrations.mapping.rules import RuleSet, Transform
from integrations.models import FieldRule, MappingSet, Side, ValueMap
from integrations.richtext.losses import CUT
from integrations.services import mappings
from integrations.services.comparison import settled_by
from integrations.services.mappings import (
    add_rule,
    change_options,
    change_rule,
    change_values,
    delete_rule,
    discard_draft,
    draft_rules,
    move_rule,
    publish_mapping,
    roll_back_mapping,
    rule_of,
    rules_of,
)
from integrations.services.refusals import NotPossible
from integrations.services.trials import Sample, Trial, try_rules
from tests.factories import make_connection, make_user
from tests.integrations import scenes

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def side() -> Side:
    """Mercuri's side of a connection with the shipped rules."""
    found = make_connection().sides.select_related("system", "connection").first()
    assert found is not None
    return found


def read(version: MappingSet) -> RuleSet:
    return rules_of(MappingSet.objects.prefetch_related("rules__value_map__pairs").get(pk=version.pk))


def targets(version: MappingSet) -> list[str]:
    return [rule.target for rule in read(version).rules]


def versions(side: Side) -> list[tuple[int, str, str]]:
    found = MappingSet.objects.filter(side=side, direction="outgoing").order_by("version")
    return list(found.values_list("version", "state", "note"))


def published(side: Side) -> MappingSet:
    return MappingSet.objects.get(side=side, direction="outgoing", state="published")


def stored(draft: MappingSet, target: str) -> FieldRule:
    return FieldRule.objects.select_related("value_map", "mapping_set").get(mapping_set=draft, target=target)


def test_a_draft_is_a_copy_of_what_holds(side: Side) -> None:
    draft = draft_rules(side, "outgoing")

    assert versions(side) == [(1, "published", "Template for Zendesk"), (2, "draft", "")]
    assert replace(read(draft), id=1, version=1) == replace(read(published(side)), id=1)
    maps = ValueMap.objects.filter(mapping_set=draft)
    assert not maps.filter(rules__mapping_set=published(side)).exists()


def test_there_is_one_draft_a_direction(side: Side) -> None:
    assert draft_rules(side, "outgoing") == draft_rules(side, "outgoing")
    assert draft_rules(side, "incoming") != draft_rules(side, "outgoing")


def test_changing_a_draft_leaves_what_is_published_alone(side: Side) -> None:
    before = read(published(side))
    draft = draft_rules(side, "outgoing")

    change_values(stored(draft, "status"), {"new": "open"})
    delete_rule(stored(draft, "labels"))
    change_options(draft, shares_files=False)

    assert read(published(side)) == before


def test_a_rule_is_added_at_the_end_with_its_value_map(side: Side) -> None:
    draft = draft_rules(side, "outgoing")

    rule = Rule(
        "custom_field_360000000003", "impact", Transform.VALUE_MAP, values={"everybody": "1", "one": "4"}
    )
    added = add_rule(draft, rule)

    assert targets(draft)[-1] == "impact"
    assert rule_of(added) == rule
    assert added.value_map is not None
    assert added.value_map.name == "impact"


def test_a_field_is_written_by_one_rule(side: Side) -> None:
    draft = draft_rules(side, "outgoing")

    with pytest.raises(NotPossible) as refusal:
        add_rule(draft, Rule("type", "title"))

    assert (refusal.value.field, refusal.value.message) == ("target", "Another rule writes “title” already.")


def test_a_rule_that_needs_its_value_map_no_longer_loses_it(side: Side) -> None:
    draft = draft_rules(side, "outgoing")

    change_rule(stored(draft, "priority"), Rule("priority", "priority"))

    assert stored(draft, "priority").value_map is None
    assert sorted(ValueMap.objects.filter(mapping_set=draft).values_list("name", flat=True)) == [
        "status",
        "type",
    ]


def test_a_value_map_that_two_rules_use_is_not_changed_under_the_other(side: Side) -> None:
    draft = draft_rules(side, "outgoing")
    first, second = stored(draft, "priority"), stored(draft, "type")
    second.value_map = first.value_map
    second.save(update_fields=["value_map"])

    change_values(stored(draft, "priority"), {"urgent": "high"})

    assert rule_of(stored(draft, "priority")).values == {"urgent": "high"}
    assert rule_of(stored(draft, "type")).values["urgent"] == "critical"


@pytest.mark.parametrize(
    ("target", "up", "moved", "order"),
    [
        ("title", True, False, ["title", "description", "status"]),
        ("description", True, True, ["description", "title", "status"]),
        ("title", False, True, ["description", "title", "status"]),
    ],
)
def test_a_rule_moves_one_place(side: Side, target: str, up: bool, moved: bool, order: Sequence[str]) -> None:
    draft = draft_rules(side, "outgoing")

    assert move_rule(stored(draft, target), up=up) is moved
    assert targets(draft)[:3] == order


def test_a_published_version_is_never_altered(side: Side) -> None:
    holds = published(side)
    rule = stored(holds, "title")

    for change in (
        lambda: add_rule(holds, Rule("type", "impact")),
        lambda: change_rule(rule, Rule("type", "title")),
        lambda: delete_rule(rule),
        lambda: move_rule(rule, up=False),
        lambda: change_options(holds, shares_files=False),
        lambda: discard_draft(holds),
        lambda: publish_mapping(holds, by=None, now=NOW),
    ):
        with pytest.raises(NotPossible, match="never altered"):
            change()


def test_a_draft_that_is_gone_is_told(side: Side) -> None:
    draft = draft_rules(side, "outgoing")
    discard_draft(MappingSet.objects.get(pk=draft.pk))

    with pytest.raises(NotPossible, match="thrown away"):
        change_options(draft, shares_files=False)
    assert versions(side) == [(1, "published", "Template for Zendesk")]


def test_an_unknown_option_is_a_mistake_of_ours(side: Side) -> None:
    with pytest.raises(TypeError):
        change_options(draft_rules(side, "outgoing"), version=7)


def test_publishing_retires_what_held_and_keeps_who_and_when(side: Side) -> None:
    person, draft = make_user(), draft_rules(side, "outgoing")

    publish_mapping(draft, by=person, now=NOW, note=" Impact too ")

    draft.refresh_from_db()
    assert versions(side) == [(1, "retired", "Template for Zendesk"), (2, "published", "Impact too")]
    assert (draft.published_by, draft.published_at) == (person, NOW)


def test_what_a_check_blocks_is_not_published(side: Side) -> None:
    draft = draft_rules(side, "outgoing")
    change_values(stored(draft, "status"), {"new": "brand new"})

    with pytest.raises(NotPossible) as refusal:
        publish_mapping(draft, by=None, now=NOW)

    assert refusal.value.message == "It cannot be published yet. “status” does not know “brand new”."
    assert versions(side)[-1] == (2, "draft", "")


def test_an_earlier_version_is_brought_back_as_a_new_one(side: Side) -> None:
    first = published(side)
    draft = draft_rules(side, "outgoing")
    delete_rule(stored(draft, "labels"))
    change_options(draft, shares_files=False)
    publish_mapping(draft, by=None, now=NOW)
    first.refresh_from_db()

    copy = roll_back_mapping(first, by=None, now=NOW)

    assert versions(side) == [
        (1, "retired", "Template for Zendesk"),
        (2, "retired", ""),
        (3, "published", "Version 1 again"),
    ]
    assert replace(read(copy), id=1, version=1) == replace(read(first), id=1)


def test_only_a_version_that_held_before_is_brought_back(side: Side) -> None:
    for version in (published(side), draft_rules(side, "outgoing")):
        with pytest.raises(NotPossible, match="held before"):
            roll_back_mapping(version, by=None, now=NOW)


def test_a_version_that_no_longer_fits_is_not_brought_back(side: Side) -> None:
    first = published(side)
    publish_mapping(draft_rules(side, "outgoing"), by=None, now=NOW)
    side.connection.dictionary.filter(name="labels").delete()
    first.refresh_from_db()

    with pytest.raises(NotPossible, match="Version 1 no longer fits"):
        roll_back_mapping(first, by=None, now=NOW)
    assert [state for _, state, _ in versions(side)] == ["retired", "published"]


def test_checks_see_the_other_direction_of_the_same_side_only(side: Side) -> None:
    findings = mappings.check(published(side))

    assert [one.message for one in findings] == [
        "“title”: 255 characters are agreed on: the other side may cut a longer text.",
        "“new” leaves as “new”, which comes in as “open”.",
    ]


# --- Trying rules on a real ticket ---


def test_outgoing_rules_are_tried_on_the_latest_ticket() -> None:
    left, right = make_connection().sides.select_related("system__partner", "connection")
    scenes.matter(left, right, left_fields={"subject": "Old"}, number=1)
    fields = {"subject": "Orders are charged twice", "status": "hold", "priority": "odd", "tags": ["a", "b"]}
    scenes.matter(left, right, left_fields=fields, number=2, at=NOW.replace(hour=13))

    trial = try_rules(published(left), read(published(left)))

    assert trial == Trial(
        "#2",
        "Orders are charged twice",
        (
            Sample("Orders are charged twice", "Orders are charged twice"),
            Sample(),
            Sample("hold", "on hold"),
            Sample("odd", problem="“priority” holds “odd”, and the value map has no row for it."),
            Sample(),
            Sample("a, b", "a, b"),
        ),
    )


def test_a_ticket_can_be_named() -> None:
    left, right = make_connection().sides.select_related("system__partner", "connection")
    scenes.matter(left, right, left_fields={"subject": "Old"}, number=1)
    scenes.matter(left, right, left_fields={"subject": "New"}, number=2)

    named = try_rules(published(left), read(published(left)), key="#1")

    assert named is not None
    assert named.samples[0] == Sample("Old", "Old")
    assert try_rules(published(left), read(published(left)), key="#3") is None


def test_a_trial_tells_what_a_text_would_lose_in_the_own_system() -> None:
    left, right = make_connection().sides.select_related("system__partner", "connection")
    matter = scenes.matter(left, right, left_fields={}, right_fields={})
    scenes.queued(matter.to_right, envelope={"fields": {"title": "word " * 100}})
    incoming = MappingSet.objects.select_related("side").get(
        side=right, direction="incoming", state="published"
    )

    trial = try_rules(incoming, read(incoming), settled=settled_by([right.system]))

    assert trial is not None
    assert trial.samples[0].lost == (CUT,)


def test_incoming_rules_are_tried_on_what_came_in() -> None:
    left, right = make_connection().sides.select_related("system__partner", "connection")
    matter = scenes.matter(left, right, left_fields={"subject": "Secret of Mercuri"}, right_fields={})
    scenes.queued(matter.to_right, envelope={"fields": {"title": "Charged twice", "status": "new"}})
    scenes.queued(matter.to_right, envelope={"fields": {"status": "open"}})
    incoming = MappingSet.objects.select_related("side").get(
        side=right, direction="incoming", state="published"
    )

    trial = try_rules(incoming, read(incoming))

    assert trial is not None
    assert trial.samples[:3] == (
        Sample("Charged twice", "Charged twice"),
        Sample(),
        Sample("open", "In Progress"),
    )


def test_without_a_ticket_there_is_nothing_to_try(side: Side) -> None:
    assert try_rules(published(side), read(published(side))) is None
