"""A wrong version is published, writes to every ticket, and is undone: all is as before but for what people edited."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone

from integrations.canonical import Value
from integrations.models import Delivery, FieldRule, MappingSet, Side, Undo, ValuePair
from integrations.runtime.worker import Worker
from integrations.services import undo
from integrations.services.mappings import draft_rules, publish_mapping
from integrations.services.systems import open_connector_for
from integrations.store.tickets import note_hints
from tests.scenarios.test_pairs import KINDS, Field, Place, opened
from tests.scenarios.words import NAMES, chosen, set_by_people, written
from tests.scenarios.words import held as held_in_words

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


FIRST = {"title": "No parcel", "description": "Since Monday.", "status": "at work", "priority": "high"}
THEN = {"title": "Parcel is late", "description": "Since June.", "status": "done", "priority": "low"}
LATER = {"title": "Parcel is lost", "description": "Since July.", "status": "at work", "priority": "critical"}

EDITED = {"title": "As we see it", "description": "Since May.", "status": "at work", "priority": "low"}


class Pair:
    """A linked ticket of two companies, written to field by field."""

    def __init__(self, places: Field, left: str, right: str) -> None:
        self.places, self.connection = places, places.join(left, right)
        self.here, self.there = places[left], places[right]
        # A Zendesk description is the first comment, which nobody edits.
        self.names = [name for name in FIRST if name != "description" or "zendesk" not in (left, right)]
        first = {name: word for name, word in FIRST.items() if name != "status"}
        self.own = self.here.act("create", fields=set_by_people(left, **first))
        places.settle()
        self.other = places.there(left, self.own, right)
        self.set(status=FIRST["status"])

    def set(self, **words: str) -> None:
        """The left company's people set this one after the other, and it arrives."""
        for name, word in words.items():
            self.here.act("update", self.own, fields=set_by_people(self.here.kind, **{name: word}))
        self.places.settle()

    def written(self, name: str) -> Delivery:
        """The last write of a field to the right company's ticket."""
        own = NAMES[self.there.kind][name]
        found = Delivery.objects.filter(target__remote_id=self.other, lane__system=self.there.system)
        return found.filter(wanted__has_key=own).exclude(operation="create").latest("number")

    def undo(self, *asked: Undo) -> list[set[str]]:
        """Look, confirm where there is something to confirm, and carry it out; what became of the fields of each."""
        for _ in range(2):
            for one in asked:
                carried_on(self.places, one)
                if one.state == "ready" and one.items.filter(state="open").exists():
                    assert undo.confirm(one, now=timezone.now())
        return [set(one.items.values_list("state", flat=True)) for one in asked]

    def holds(self, here: Mapping[str, str], there: Mapping[str, Value]) -> None:
        """What both tickets hold, also after both were read again: nothing comes of an undoing at the other side."""
        left = chosen(self.here.kind, **{name: here[name] for name in self.names})
        for _ in range(2):
            assert held_in_words(self.here, self.own, *self.names) == left
            assert held_in_words(self.there, self.other, *self.names) == there
            before = self.histories()
            for place, ticket in ((self.here, self.own), (self.there, self.other)):
                note_hints(place.system.pk, [ticket], timezone.now())
            self.places.settle()
            assert self.histories() == before

    def histories(self) -> list[list[Any]]:
        return [self.here.desk.changes(self.own), self.there.desk.changes(self.other)]

    def arrived(self, words: Mapping[str, str]) -> dict[str, Value]:
        """What the right ticket holds for what the left company's people have set."""
        return written(self.there.kind, self.here.kind, **{name: words[name] for name in self.names})


@pytest.mark.parametrize(("left", "right"), list(permutations(KINDS, 2)))
def test_a_write_of_any_field_is_undone_unless_somebody_has_edited_it_since(left: str, right: str) -> None:
    with opened(left, right) as places:
        pair = Pair(places, left, right)
        assert held_in_words(pair.there, pair.other, *pair.names) == pair.arrived(FIRST)
        pair.set(**{name: THEN[name] for name in pair.names})
        assert held_in_words(pair.there, pair.other, *pair.names) == pair.arrived(THEN)

        writes = [pair.written(name) for name in pair.names]
        assert len({one.pk for one in writes}) == len(pair.names)
        asked = [undo.begin_with_delivery(one, by=None, now=timezone.now()) for one in writes]
        assert pair.undo(*asked) == [{"done"}] * len(asked)
        pair.holds(THEN, pair.arrived(FIRST))

        # The same once more, and the right company's people edit every field before it is undone.
        pair.set(**{name: LATER[name] for name in pair.names})
        pair.set(status="done")
        writes = [pair.written(name) for name in pair.names]
        edits = {name: EDITED[name] for name in pair.names}
        pair.there.act("update", pair.other, fields=set_by_people(right, **edits))
        places.settle()
        ours = held_in_words(pair.here, pair.own, *pair.names)
        theirs = chosen(right, **edits)
        # Where there is one word for the work, they have put the old status back themselves.
        is_old = theirs["status"] == writes[pair.names.index("status")].pre_image[NAMES[right]["status"]]
        expected = [{"stood" if name == "status" and is_old else "left"} for name in pair.names]
        asked = [undo.begin_with_delivery(one, by=None, now=timezone.now()) for one in writes]
        assert pair.undo(*asked) == expected
        assert held_in_words(pair.there, pair.other, *pair.names) == theirs
        assert held_in_words(pair.here, pair.own, *pair.names) == ours


@pytest.mark.parametrize(("left", "right"), list(permutations(KINDS, 2)))
def test_all_that_a_version_wrote_is_undone_between_any_two_systems(left: str, right: str) -> None:
    with opened(left, right) as places:
        pair = Pair(places, left, right)
        version = draft_rules(pair.connection.sides.get(system=pair.there.system), "incoming")
        publish_mapping(version, by=None, now=timezone.now())
        # A worker that has just come up has read no rules yet.
        places.worker = Worker(open_connector_for)
        for words in (THEN, LATER):
            pair.set(**{name: words[name] for name in pair.names})
        assert held_in_words(pair.there, pair.other, *pair.names) == pair.arrived(LATER)

        [fates] = pair.undo(undo.begin_with_version(version, by=None, now=timezone.now()))

        # The second write has brought the status back already.
        assert fates == {"done", "stood"}
        pair.holds(LATER, pair.arrived(FIRST))
