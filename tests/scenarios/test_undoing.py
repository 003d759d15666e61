"""A wrong version is published, writes to every ticket, and is undone: all is as before but for what people edited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations.canonical import Value
from integrations.models import FieldRule, MappingSet, Side, Undo, ValuePair
from integrations.runtime.worker import Worker
from integrations.services import undo
from integrations.services.mappings import draft_rules
from integrations.services.systems import open_connector_for
from tests.scenarios.test_pairs import Field, Place, opened

pytestmark = pytest.mark.django_db(transaction=True)

TICKETS = 12


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def wrong_version(side: Side) -> MappingSet:
    """The receiver's rules with each priority taken for its neighbour."""
    draft = draft_rules(side, "incoming")
    pairs = list(
        ValuePair.objects.filter(value_map=draft.rules.get(source="priority").value_map).order_by("pk")
    )
    targets = [pair.target for pair in pairs]
    for pair, target in zip(pairs, [*targets[1:], targets[0]], strict=True):
        pair.target = target
        pair.save()
    # Publishing would see this mistake; what one that it does not see writes is undone in the same way.
    MappingSet.objects.filter(side=side, direction="incoming", state="published").update(state="retired")
    draft.state = MappingSet.State.PUBLISHED
    draft.save()
    return draft


def priorities(place: Place) -> tuple[str, list[str]]:
    """A system's own field of the priority, and its values as far as the rules know them."""
    rule = FieldRule.objects.get(
        mapping_set__side__system=place.system,
        mapping_set__direction="outgoing",
        mapping_set__state="published",
        target="priority",
    )
    return rule.source, list(
        ValuePair.objects.filter(value_map=rule.value_map).values_list("source", flat=True)
    )


def held(place: Place, ticket: str) -> Mapping[str, Value]:
    return place.desk.connector.read(ticket).fields


def carried_on(places: Field, one: Undo) -> None:
    """Work on it until it has ended."""
    for _ in range(20):
        Undo.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        undo.carry_on(for_s=20)
        places.settle()
        one.refresh_from_db()
        if not one.is_moving:
            return
    raise AssertionError(one.state)


@pytest.mark.parametrize(("left", "right"), [("zendesk", "jira"), ("jira", "azure_devops")])
def test_a_wrong_version_is_undone_but_for_what_people_edited(left: str, right: str) -> None:
    with opened(left, right) as places:
        connection = places.join(left, right)
        here, there = places[left], places[right]
        title = here.desk.case.title
        own = [
            here.act(
                "create", fields={title: f"Parcel {n}", "description": f"Since Monday.\n\nIt is parcel {n}."}
            )
            for n in range(TICKETS)
        ]
        places.settle()
        twins = [places.there(left, one, right) for one in own]
        before = [held(there, twin) for twin in twins]
        field, values = priorities(here)

        wrong = wrong_version(connection.sides.get(system=there.system))
        # A worker that has just come up has read no rules yet.
        places.worker = Worker(open_connector_for)
        for number, one in enumerate(own):
            value = next(v for v in values if v != held(here, one).get(field))
            here.act(
                "update",
                one,
                fields={
                    title: f"Parcel {number} is late",
                    "description": f"Since Monday.\n\nIt is still parcel {number}.",
                    field: value,
                },
            )
        places.settle()
        sent = [held(here, one) for one in own]
        written = [held(there, twin) for twin in twins]
        assert all(now != then for now, then in zip(written, before, strict=True))
        there.act("update", twins[3], fields={there.desk.case.title: "A person's own words"})
        places.settle()

        one = undo.begin_with_version(wrong, by=None, now=timezone.now())
        carried_on(places, one)
        assert one.state == "ready"
        assert undo.confirm(one, now=timezone.now())
        there.act("update", twins[5], fields={there.desk.case.title: "Words in the meantime"})
        carried_on(places, one)

        expected = [dict(fields) for fields in before]
        expected[3][there.desk.case.title] = "A person's own words"
        expected[5][there.desk.case.title] = "Words in the meantime"
        assert [held(there, twin) for twin in twins] == expected
        assert [fields for n, fields in enumerate(held(here, one) for one in own) if n not in (3, 5)] == [
            fields for n, fields in enumerate(sent) if n not in (3, 5)
        ]
        assert one.state == "ended"
        assert set(one.items.values_list("state", flat=True)) == {"done", "left"}
        assert one.items.filter(state="left").count() == 2
