"""Until when a ticket's history is told: stored with its readings, and asked when a web hook tells of the ticket."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from integrations.canonical import Change, History, Person, TicketHead
from integrations.connectors import errors
from integrations.connectors.protocol import Hook
from integrations.engine.effects import NoteReadFailure, StoreReading
from integrations.models import HookReceipt, System, Ticket
from integrations.services import hints
from integrations.store.django import DjangoStore
from tests.factories import make_system
from tests.integrations.scenes import NOW

pytestmark = pytest.mark.django_db

NOTHING = History((), "1", TicketHead("1", "#1", ""), as_of=NOW)
NEWS = replace(NOTHING, changes=(Change("1", NOW, Person("7", "Ann"), fields={"status": "Open"}),))
EARLIER, LATER = NOW - timedelta(hours=1), NOW + timedelta(seconds=9)


@pytest.fixture
def system() -> System:
    return make_system()


def known(system: System, remote_id: str = "1", **values: Any) -> Ticket:
    return Ticket.objects.create(system=system, remote_id=remote_id, **values)


def store(ticket: Ticket, *histories: History, version: int | None = None) -> datetime | None:
    """Store what readings found, each as the last one; until when the ticket's history is told then."""
    for history in histories:
        ticket.refresh_from_db()
        at = ticket.version if version is None else version
        DjangoStore().carry_out([StoreReading(ticket.pk, at, history, NOW)], NOW)
    ticket.refresh_from_db()
    return ticket.told_until


# --- Reading ---


@pytest.mark.parametrize("history", [NOTHING, NEWS])
def test_a_reading_is_stored_with_its_time(system: System, history: History) -> None:
    assert store(known(system), history) == NOW
    assert store(known(system, "2", told_until=LATER), history) == NOW


@pytest.mark.parametrize("history", [NOTHING, NEWS])
@pytest.mark.parametrize("change", [{"has_more": True}, {"as_of": None}])
def test_a_page_with_more_behind_it_and_one_without_a_time_say_nothing(
    system: System, history: History, change: dict
) -> None:
    assert store(known(system, told_until=EARLIER), replace(history, **change)) == EARLIER


def test_a_reading_that_another_one_overtook_says_nothing(system: System) -> None:
    assert store(known(system), NEWS, version=5) is None


@pytest.mark.parametrize(
    ("error", "until"),
    [
        (errors.Unavailable("It is down."), EARLIER),
        (errors.Forbidden("We may not."), None),
        (errors.Gone("It is not there."), None),
    ],
)
def test_of_a_ticket_that_is_not_shown_to_us_nothing_is_told(
    system: System, error: errors.ConnectorError, until: datetime | None
) -> None:
    ticket = known(system, told_until=EARLIER)
    DjangoStore().carry_out([NoteReadFailure(ticket.pk, error, retry_at=NOW)], NOW)
    ticket.refresh_from_db()
    assert ticket.told_until == until


# --- Web hooks ---


def hook(name: str, happened_at: datetime | None, *remote_ids: str) -> Hook:
    return Hook(name, remote_ids or ("1",), "somebody", happened_at)


def marked() -> dict[str, tuple[datetime | None, datetime | None]]:
    return {one.remote_id: (one.read_due_at, one.hinted_at) for one in Ticket.objects.all()}


def test_a_hook_that_comes_after_what_it_tells_was_read_is_received_and_nothing_is_read(
    system: System,
) -> None:
    known(system, told_until=NOW)

    assert not hints.take_hook(system, hook("late", EARLIER), LATER)

    assert marked() == {"1": (None, None)}
    assert HookReceipt.objects.get().delivery_id == "late"
    assert System.objects.get(pk=system.pk).hooked_at == LATER


@pytest.mark.parametrize(
    ("happened_at", "told_until"), [(NOW, NOW), (LATER, NOW), (None, NOW), (EARLIER, None)]
)
def test_a_hook_of_anything_else_leads_to_a_reading(
    system: System, happened_at: datetime | None, told_until: datetime | None
) -> None:
    known(system, told_until=told_until)

    assert hints.take_hook(system, hook("a", happened_at), LATER)

    assert marked() == {"1": (LATER, LATER)}


def test_a_ticket_that_nobody_knew_is_read_whenever_it_happened(system: System) -> None:
    assert hints.take_hook(system, hook("a", EARLIER), NOW)

    assert marked() == {"1": (NOW, NOW)}


@pytest.mark.parametrize(
    ("times", "due"), [((EARLIER, EARLIER), None), ((EARLIER, LATER), NOW), ((None, EARLIER), NOW)]
)
def test_of_hooks_that_are_stored_together_the_last_event_decides(
    system: System, times: tuple[datetime | None, ...], due: datetime | None
) -> None:
    known(system, told_until=NOW)
    arrivals = [hints._Arrival(system, hook(str(at), at), NOW) for at in {*times}]

    hints._store_hooks(arrivals)

    assert marked() == {"1": (due, due)}


def test_each_ticket_is_judged_by_itself(system: System) -> None:
    other = make_system()
    for where in (system, other):
        known(where, told_until=NOW if where is system else EARLIER)
        known(where, "2")
    arrivals = [hints._Arrival(one, hook("a", EARLIER, "1", "2"), NOW) for one in (system, other)]

    hints._store_hooks(arrivals)

    due = Ticket.objects.filter(read_due_at=NOW).values_list("system", "remote_id")
    assert set(due) == {(system.pk, "2"), (other.pk, "1"), (other.pk, "2")}
    assert [one.is_news for one in arrivals] == [True, True]


def test_the_times_of_all_tickets_are_asked_for_at_once(
    system: System, django_assert_max_num_queries: Any
) -> None:
    for number in range(4):
        known(system, str(number), told_until=NOW)
    System.objects.update(hooked_at=NOW)
    system.refresh_from_db()
    arrivals = [hints._Arrival(system, hook(str(number), EARLIER, str(number)), NOW) for number in range(4)]

    # The transaction, the receipts, the times.
    with django_assert_max_num_queries(2 + 1 + 1):
        hints._store_hooks(arrivals)
