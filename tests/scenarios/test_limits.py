"""A burst against a sandbox whose limit is small: it is kept to rather than run into, and everything arrives in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from integrations.models import Attempt, Lane, System, SystemBudget, Ticket
from integrations.runtime.worker import Worker
from integrations.sandbox.calls import Call
from integrations.sandbox.clock import SetClock, parse_time
from integrations.services.systems import open_connector_for
from tests.scenarios.test_pairs import Field, Place, opened

pytestmark = pytest.mark.django_db(transaction=True)

# So many times the vendor's window passes until everything has to be there.
WINDOWS = 12


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


class MovedClock(SetClock):
    """The machine's clock, moved forward by hand."""

    def now(self) -> datetime:
        return datetime.now(UTC) + (super().now() - _BEGIN)

    def __init__(self) -> None:
        super().__init__(_BEGIN)


_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def begin(place: Place, limit: dict[str, int], window_s: int) -> deque[Call]:
    """Limit the place's system from a fresh window on; its own log of all calls from here."""
    place.desk.clock = place.desk.sandbox.state.clock = MovedClock()
    place.desk.sandbox.settings(**limit)
    place.desk.clock.advance(window_s)
    place.desk.sandbox.server.calls.last = deque()
    return place.desk.sandbox.server.calls.last


def refusals(log: Sequence[Call]) -> list[Call]:
    return [call for call in log if call.status == 429]


def undercut(log: Sequence[Call]) -> list[tuple[Call, Call]]:
    """Calls that came although an answer before them had asked for a wait that was not over.

    What came in the same second may have been under way.
    """
    calls = [(parse_time(call.at), call) for call in log]
    return [
        (asked, call)
        for place, (at, asked) in enumerate(calls)
        if asked.retry_after_s
        for came, call in calls[place + 1 :]
        if 1 < (came - at).total_seconds() < asked.retry_after_s - 1
    ]


def pass_time(place: Place, seconds: int) -> None:
    """Let the vendor's window pass, for the sandbox and for what is known of it."""
    place.desk.clock.advance(seconds)
    gone = timedelta(seconds=seconds)
    SystemBudget.objects.filter(system=place.system).update(
        resets_at=timezone.now() - timedelta(seconds=20), not_before=None, seconds={}, minutes={}
    )
    Attempt.objects.update(started_at=F("started_at") - gone, ended_at=F("ended_at") - gone)
    System.objects.update(paused_until=None)
    Ticket.objects.filter(read_due_at__isnull=False).update(read_due_at=timezone.now())
    Lane.objects.filter(waits=True).update(next_at=timezone.now())


def arrive(place: Place, window_s: int) -> int:
    """Work until everything is there; how many windows had to pass for it, WINDOWS when it did not arrive."""
    for rounds in range(WINDOWS):
        Worker(open_connector_for).drain(for_s=20, linger_s=1.2)
        if not Lane.objects.filter(waits=True).exists() and not Ticket.objects.filter(event_count=0).exists():
            return rounds
        pass_time(place, window_s)
    return WINDOWS


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


def last_words(field: Field, left: Place, made: Sequence[str], right: Place) -> list[list[str]]:
    """The last line of each comment on the other side."""
    told = [right.said(field.there(left.kind, one, right.kind)) for one in made]
    return [[text.split("\n")[-1] for text in texts] for texts in told]


@pytest.mark.parametrize(
    ("kind", "limit", "window_s"),
    [
        ("zendesk", {"requests_per_minute": 40}, 60),
        ("servicenow", {"requests_per_hour": 60}, 3600),
        ("azure_devops", {"tstu_limit": 40, "tstu_delay_ms": 0}, 300),
        # Ten creates, twenty comments and a reading of each ticket take 40 at the least.
        ("jira", {"points_per_hour": 30}, 3600),
    ],
)
def test_a_small_limit_of_the_account_is_kept_to(kind: str, limit: dict[str, int], window_s: int) -> None:
    left_kind = "zendesk" if kind == "jira" else "jira"
    with opened(left_kind, kind) as field:
        field.join(left_kind, kind)
        left, right = field[left_kind], field[kind]
        log = begin(right, limit, window_s)
        made = burst(field, left, 10)
        assert 0 < arrive(right, window_s) < WINDOWS
        right.desk.clock.advance(window_s)
        right.desk.sandbox.settings(**dict.fromkeys(limit, 0))
        told = last_words(field, left, made, right)
        assert [texts[-2:] for texts in told] == [["first", "second"]] * 10
        assert len(refusals(log)) <= 1
        assert undercut(log) == []


def test_a_busy_issue_is_written_to_no_faster_than_jira_takes() -> None:
    said = [f"number {count}" for count in range(70)]
    with opened("zendesk", "jira") as field:
        field.join("zendesk", "jira")
        left, right = field["zendesk"], field["jira"]
        log = begin(right, {"limit_writes": True, "limit_bursts": True}, 30)
        (made,) = burst(field, left, 1)
        for text in said:
            left.say(made, text)
        # Seventy comments are more than half a minute takes.
        assert 0 < arrive(right, 30) < WINDOWS
        assert last_words(field, left, [made], right) == [["first", "second", *said]]
        assert refusals(log) == []
