"""A burst against a sandbox whose limit is small: it is kept to rather than run into, and everything arrives in order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations.models import Lane, System, SystemBudget, Ticket
from integrations.runtime.worker import Worker
from integrations.services.systems import open_connector_for
from tests.scenarios.test_pairs import Field, Place, opened

pytestmark = pytest.mark.django_db(transaction=True)

# So many times the vendor's window passes until everything has to be there.
WINDOWS = 12


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def refusals(place: Place) -> int:
    """How often the sandbox answered 429."""
    counted = place.desk.sandbox.calls()["calls"].values()
    return sum(statuses.get("429", 0) for statuses in counted)


def pass_time(place: Place, seconds: int) -> None:
    """Let the vendor's window pass, for the sandbox and for what is known of it."""
    place.desk.clock.advance(seconds)
    SystemBudget.objects.filter(system=place.system).update(
        resets_at=timezone.now() - timedelta(seconds=20), not_before=None, seconds={}, minutes={}
    )
    System.objects.update(paused_until=None)
    Ticket.objects.filter(read_due_at__isnull=False).update(read_due_at=timezone.now())
    Lane.objects.filter(waits=True).update(next_at=timezone.now())


def burst(field: Field, left: Place, tickets: int) -> list[str]:
    title = left.desk.case.title
    made = [
        left.act("create", fields={title: f"Ticket {number}", "description": "x"})
        for number in range(tickets)
    ]
    for one in made:
        left.say(one, "first")
        left.say(one, "second")
    return made


@pytest.mark.parametrize(
    ("kind", "limit", "window_s"),
    [
        ("zendesk", {"requests_per_minute": 40}, 60),
        ("azure_devops", {"tstu_limit": 40, "tstu_delay_ms": 0}, 300),
    ],
)
def test_a_small_limit_of_the_account_is_kept_to(kind: str, limit: dict[str, int], window_s: int) -> None:
    left_kind = "jira"
    with opened(left_kind, kind) as field:
        field.join(left_kind, kind)
        left, right = field[left_kind], field[kind]
        right.desk.sandbox.settings(**limit)
        right.desk.clock.advance(window_s)
        made = burst(field, left, 10)
        rounds = 0
        while rounds < WINDOWS:
            Worker(open_connector_for).drain(for_s=20, linger_s=0.2)
            if (
                not Lane.objects.filter(waits=True).exists()
                and not Ticket.objects.filter(event_count=0).exists()
            ):
                break
            rounds += 1
            pass_time(right, window_s)
        assert 0 < rounds < WINDOWS
        right.desk.clock.advance(window_s)
        right.desk.sandbox.settings(**dict.fromkeys(limit, 0))
        told = [right.said(field.there(left_kind, one, kind)) for one in made]
        assert [[text.split("\n")[-1] for text in texts][-2:] for texts in told] == [["first", "second"]] * 10
        assert refusals(right) <= 1
