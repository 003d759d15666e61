"""Both companies change the same fields without having seen the other's change, between any two systems, over real HTTP."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone

from integrations.models import Conflict, Delivery, Lane, MappingSet, Ticket
from integrations.runtime.worker import Worker
from integrations.services.conflicts import Choice, case_of, decide_conflict
from integrations.services.mappings import draft_rules, publish_mapping
from integrations.services.systems import open_connector_for
from integrations.store.tickets import note_hints
from tests.scenarios.test_pairs import KINDS, ROUNDS, Field, opened
from tests.scenarios.words import CHOSEN, chosen, held, set_by_people, written, written_by_us

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = {"title": "No parcel", "description": "Since Monday.", "priority": "high"}
HERE = {"title": "Parcel is late", "description": "Since June.", "status": "at work", "priority": "low"}
THERE = {"title": "Parcel is lost", "description": "Since July.", "status": "done", "priority": "critical"}


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


class Both:
    """Linked tickets of two companies that change the same fields at once."""

    def __init__(self, places: Field, left: str, right: str) -> None:
        self.places = places
        self.here, self.there = places[left], places[right]
        # A Zendesk description is the first comment, which nobody edits.
        self.names = [name for name in HERE if name != "description" or "zendesk" not in (left, right)]
        places.join(left, right)

    def begin(self) -> None:
        """A new ticket, and its twin."""
        self.own = self.here.act("create", fields=set_by_people(self.here.kind, **FIRST))
        self.places.settle()
        self.other = self.places.there(self.here.kind, self.own, self.there.kind)

    def rule(self, policy: str) -> None:
        """What the right side does where both changed a field."""
        draft = draft_rules(self.there.system.sides.get(), MappingSet.Direction.INCOMING)
        assert draft.rules.filter(source__in=self.names).update(conflict=policy)
        publish_mapping(draft, by=None, now=timezone.now())
        # A worker takes note of new rules after a moment, a new worker at once.
        self.places.worker = Worker(open_connector_for)

    def both_change(self, *, last: str = "here") -> None:
        """Neither has heard of the other's change when it makes its own."""
        clocks = self.here.desk.clock, self.there.desk.clock
        behind = (clocks[0].now() - clocks[1].now()).total_seconds()
        clocks[behind > 0].advance(abs(behind))
        for one in ("there", "here") if last == "here" else ("here", "there"):
            place, ticket, words = (
                (self.here, self.own, HERE) if one == "here" else (self.there, self.other, THERE)
            )
            place.act(
                "update",
                ticket,
                fields=set_by_people(place.kind, **{name: words[name] for name in self.names}),
            )
            for clock in clocks:
                clock.advance(5)

    def arrive(self) -> None:
        """Let everything arrive that does not wait for a person."""
        for _ in range(ROUNDS):
            self.places.worker.drain(for_s=30, linger_s=0)
            soon = timezone.now() + timedelta(minutes=5)
            waiting = Ticket.objects.filter(read_due_at__isnull=False, read_due_at__lte=soon)
            due = Lane.objects.filter(waits=True, state=Lane.State.READY)
            if not waiting.exists() and not due.exists():
                return
            waiting.update(read_due_at=timezone.now())
            due.update(next_at=timezone.now())

    def decide(self, choice: str) -> None:
        """Somebody answers everything that is asked, as it is shown."""
        asked = list(Conflict.objects.open())
        assert sorted(one.shared for one in asked) == sorted(self.names)
        for one in asked:
            case = case_of(one, now=timezone.now())
            assert case is not None
            words = HERE[one.shared], THERE[one.shared]
            shown = CHOSEN[self.here.kind], CHOSEN[self.there.kind]
            if one.shared != "description":
                assert (case.came.own, case.own.own) == (
                    shown[0].get(words[0], words[0]),
                    shown[1].get(words[1], words[1]),
                )
            # Nothing is written over what stands there while somebody is asked.
            assert written_by_us(self.there, self.other, *self.names) == []
            assert decide_conflict(one, choice, by=None, now=timezone.now(), token=case.token).is_done

    def stands(self, whose: str) -> None:
        """That side's values are on both sides, it was not written to at all, and nothing more comes of it."""
        for _ in range(2):
            self.places.settle()
            words = {name: (HERE if whose == "here" else THERE)[name] for name in self.names}
            here, there = self.here.kind, self.there.kind
            expected = (
                (chosen(here, **words), written(there, here, **words), self.here, self.own)
                if whose == "here"
                else (written(here, there, **words), chosen(there, **words), self.there, self.other)
            )
            assert held(self.here, self.own, *self.names) == expected[0]
            assert held(self.there, self.other, *self.names) == expected[1]
            assert written_by_us(expected[2], expected[3], *self.names) == []
            for place, ticket in ((self.here, self.own), (self.there, self.other)):
                note_hints(place.system.pk, [ticket], timezone.now())
        loser = (self.there, self.other) if whose == "here" else (self.here, self.own)
        fields = [name for one in written_by_us(*loser, *self.names) for name in one]
        assert sorted(fields) == sorted(self.names)
        assert not Conflict.objects.open().exists()
        assert not Delivery.objects.waiting().exists()


@pytest.mark.parametrize(("left", "right"), list(permutations(KINDS, 2)))
def test_what_a_rule_or_a_person_decides_stands_on_both_sides(left: str, right: str) -> None:
    with opened(left, right) as places:
        both = Both(places, left, right)

        for newest in ("here", "there"):
            both.begin()
            both.both_change(last=newest)
            both.stands(newest)

        both.rule("own")
        both.begin()
        both.both_change()
        both.stands("there")

        both.rule("person")
        for choice, whose in ((Choice.CAME, "here"), (Choice.OWN, "there")):
            both.begin()
            both.both_change()
            both.arrive()
            both.decide(choice)
            both.stands(whose)
