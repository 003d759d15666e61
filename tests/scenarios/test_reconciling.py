"""Any two systems are compared after a story in real HTTP: they agree, until somebody edits one behind our back."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from django.utils import timezone

from integrations.models import Connection, Drift, Examination, LinkedTicket, Reconciliation
from integrations.services import reconciliation
from tests.scenarios.test_pairs import KINDS, Field, Place, opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def compared(places: Field) -> Examination:
    """The one linked ticket, compared anew; what that queued has arrived."""
    linked = LinkedTicket.objects.get()
    for _ in range(10):
        run = reconciliation.reconcile_ticket(linked, by=None, now=timezone.now())
        run = run or Reconciliation.objects.latest("asked_at")
        Reconciliation.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        reconciliation.carry_on(for_s=30)
        places.settle()
        run.refresh_from_db()
        if run.state == "ended":
            break
        again = {key: (tries, timezone.now().isoformat()) for key, (tries, _) in run.again.items()}
        Reconciliation.objects.filter(pk=run.pk).update(again=again)
    assert (run.state, run.unread) == ("ended", 0), Examination.objects.first()
    return Examination.objects.get()


def edit_silently(place: Place, ticket: str, title: str) -> None:
    """Another title in the system's own storage, and no word of it in its history."""
    system = place.desk.sandbox.state
    with system.lock:
        match place.kind:
            case "zendesk":
                system.desk.tickets[int(ticket)].subject = title
            case "jira":
                system.site.issues[int(ticket)].summary = title
            case _:
                raise NotImplementedError(place.kind)


@pytest.mark.parametrize(("left", "right"), list(combinations(KINDS, 2)))
def test_both_sides_agree_after_a_story(left: str, right: str) -> None:
    with opened(left, right) as places:
        places.join(left, right)
        here, there = places[left], places[right]
        title = here.desk.case.title
        own = here.act("create", fields={title: "Parcels do not arrive", "description": "Since Monday."})
        places.settle()
        other = places.there(left, own, right)
        here.say(own, "The customer calls again.")
        here.move(own, here.desk.case.journey[0])
        here.act("update", own, fields={title: "Parcels arrive late"})
        here.act("attach", own, file={"name": "receipt.txt", "text": "a line"})
        places.settle()
        there.say(other, "We look at it.")
        places.settle()

        found = compared(places)

        assert [(one.label, one.reason, one.expected, one.found) for one in Drift.objects.all()] == []
        assert found.agrees
        assert {"title", "status", "priority"} <= set(found.body["fields"])
        assert found.body["comments"] == 2


@pytest.mark.parametrize(("left", "right", "edited"), [("zendesk", "jira", 0), ("zendesk", "jira", 1)])
def test_an_edit_behind_our_back_is_found_within_one_cycle_and_carried_over(
    left: str, right: str, edited: int
) -> None:
    with opened(left, right) as places:
        places.join(left, right)
        own = places[left].act(
            "create", fields={places[left].desk.case.title: "No parcel", "description": "."}
        )
        places.settle()
        ends = [(places[left], own), (places[right], places.there(left, own, right))]
        assert compared(places).agrees

        edit_silently(*ends[edited], "Behind our back")

        assert not compared(places).agrees
        assert [(one.label, one.reason, one.expected, one.found) for one in Drift.objects.all()] == [
            ("Title", "unrecorded", "Behind our back", "No parcel")
        ]
        Connection.objects.update(drift_policy="repair")
        compared(places)
        assert [place.title(ticket) for place, ticket in ends] == ["Behind our back"] * 2
        assert compared(places).agrees
