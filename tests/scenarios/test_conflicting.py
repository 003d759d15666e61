"""Both companies change a title without having seen the other's change, between any two systems, over real HTTP."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from django.utils import timezone

from integrations.models import Conflict, Delivery, Lane, MappingSet, Ticket
from integrations.runtime.worker import Worker
from integrations.services.conflicts import Choice, case_of, decide_conflict
from integrations.services.mappings import draft_rules, publish_mapping
from integrations.services.systems import open_connector_for
from tests.scenarios.test_pairs import KINDS, ROUNDS, Field, opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


class Titles:
    """A linked ticket whose titles both companies change at once."""

    def __init__(self, places: Field, left: str, right: str) -> None:
        self.places = places
        self.here, self.there = places[left], places[right]
        places.join(left, right)
        self.own = self.here.act(
            "create", fields={self.here.desk.case.title: "No parcel", "description": "Since Monday."}
        )
        places.settle()
        self.other = places.there(left, self.own, right)

    def rule(self, policy: str) -> None:
        """What the right side does where both changed its title."""
        side = self.there.system.sides.get()
        draft = draft_rules(side, MappingSet.Direction.INCOMING)
        assert draft.rules.filter(source="title").update(conflict=policy)
        publish_mapping(draft, by=None, now=timezone.now())
        # A worker takes note of new rules after a moment, a new worker at once.
        self.places.worker = Worker(open_connector_for)

    def both_change(self, here: str, there: str) -> None:
        """Neither has heard of the other's change when it makes its own."""
        self.here.act("update", self.own, fields={self.here.desk.case.title: here})
        self.there.act("update", self.other, fields={self.there.desk.case.title: there})

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

    def titles(self) -> list[object]:
        return [self.here.title(self.own), self.there.title(self.other)]


@pytest.mark.parametrize(("left", "right"), [*combinations(KINDS, 2), *combinations(KINDS[::-1], 2)])
def test_what_a_person_or_a_rule_decides_stands_on_both_sides(left: str, right: str) -> None:
    with opened(left, right) as places:
        both = Titles(places, left, right)

        both.rule("person")
        both.both_change("Parcel is late", "Parcel is lost")
        both.arrive()
        asked = Conflict.objects.open().get()
        case = case_of(asked, now=timezone.now())
        assert case is not None
        assert (case.came.own, case.own.own) == ("Parcel is late", "Parcel is lost")
        # Nothing was written over what stands there while somebody is asked.
        assert both.there.title(both.other) == "Parcel is lost"
        decide_conflict(asked, Choice.CAME, by=None, now=timezone.now(), token=case.token)
        places.settle()
        assert both.titles() == ["Parcel is late"] * 2

        both.both_change("Late again", "Lost again")
        both.arrive()
        decide_conflict(Conflict.objects.open().get(), Choice.OWN, by=None, now=timezone.now())
        places.settle()
        assert both.titles() == ["Lost again"] * 2

        both.rule("own")
        both.both_change("Late at last", "Lost at last")
        places.settle()
        assert both.titles() == ["Lost at last"] * 2
        assert not Conflict.objects.open().exists()
        assert not Delivery.objects.waiting().exists()
