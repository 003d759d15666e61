"""Web hooks: stored once, together with those that arrive at the same time, or refused as a whole."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError

from integrations.canonical import Changed
from integrations.connectors.protocol import Hook
from integrations.models import HookReceipt, LinkedTicket, System, Ticket, TicketSide
from integrations.services import hints
from integrations.store import tickets as store
from tests.factories import make_connection, make_system

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def hook(name: str, *remote_ids: str, actor_id: str = "somebody") -> Hook:
    return Hook(name, remote_ids, actor_id)


def due() -> dict[str, datetime | None]:
    return dict(Ticket.objects.values_list("remote_id", "read_due_at"))


@pytest.fixture
def system(db: None) -> System:
    return make_system()


def test_a_hook_has_its_tickets_read_known_or_not(system: System) -> None:
    Ticket.objects.create(system=system, remote_id="1")

    assert hints.take_hook(system, hook("a", "1", "2"), NOW)

    assert due() == {"1": NOW, "2": NOW}
    assert HookReceipt.objects.values_list("delivery_id", flat=True).get() == "a"
    assert System.objects.get(pk=system.pk).hooked_at == NOW


def test_an_earlier_due_time_stays(system: System) -> None:
    Ticket.objects.create(system=system, remote_id="1", read_due_at=NOW - timedelta(seconds=9))

    hints.take_hook(system, hook("a", "1"), NOW)

    assert due() == {"1": NOW - timedelta(seconds=9)}


def test_a_hook_that_comes_again_changes_nothing(system: System) -> None:
    hints.take_hook(system, hook("a", "1"), NOW)
    Ticket.objects.update(read_due_at=None)

    assert not hints.take_hook(system, hook("a", "1"), NOW)

    assert due() == {"1": None}


@pytest.mark.parametrize("name", ["account-7", "concord@partner.example"])
def test_a_hook_about_our_own_change_is_not_stored_but_shows_that_hooks_arrive(
    system: System, name: str
) -> None:
    system.account_id, system.account_alias = "account-7", "concord@partner.example"

    assert not hints.take_hook(system, hook("a", "1", actor_id=name), NOW)

    assert (due(), HookReceipt.objects.count()) == ({}, 0)
    assert System.objects.get(pk=system.pk).hooked_at == NOW


def test_a_hook_that_names_nobody_counts_as_somebody_elses(system: System) -> None:
    system.account_id = system.account_alias = ""

    assert hints.take_hook(system, hook("a", "1", actor_id=""), NOW)

    assert due() == {"1": NOW}


def test_hooks_that_wait_for_one_another_are_stored_together(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[str]] = []
    monkeypatch.setattr(hints, "_store_hooks", lambda arrivals: batches.append(_taken(arrivals)))
    desk = hints._Desk()
    results: list[bool] = []
    with desk._turn:
        waiting = [
            threading.Thread(target=lambda name=name: results.append(desk.take(_arrival(system, name))))
            for name in "abc"
        ]
        for thread in waiting:
            thread.start()
        while len(desk._arrived) < 3:
            pass
    for thread in waiting:
        thread.join()

    assert ([sorted(batch) for batch in batches], results) == ([["a", "b", "c"]], [True] * 3)


@pytest.mark.parametrize("error", [OperationalError("away"), ValueError("unforeseen")])
def test_when_storing_fails_everybody_who_waited_hears_of_it_and_the_next_is_stored(
    system: System, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(arrivals: list[Any]) -> None:
        raise error

    desk = hints._Desk()
    first, second = _arrival(system, "a"), _arrival(system, "b")
    desk._arrived.append(first)
    with monkeypatch.context() as patch:
        patch.setattr(hints, "_store_hooks", fail)
        with pytest.raises(type(error)):
            desk.take(second)
    assert (first.error, first.is_news) == (error, None)

    assert desk.take(_arrival(system, "c"))
    assert HookReceipt.objects.values_list("delivery_id", flat=True).get() == "c"


def test_the_same_hook_twice_at_the_same_moment_counts_once(system: System) -> None:
    arrivals = [_arrival(system, "a"), _arrival(system, "a"), _arrival(system, "b")]

    hints._store_hooks(arrivals)

    assert [one.is_news for one in arrivals] == [True, False, True]


def test_hooks_of_several_systems_share_a_transaction(
    system: System, django_assert_max_num_queries: Any
) -> None:
    other = make_system()
    arrivals = [_arrival(one, name) for one in (system, other) for name in ("a", "b")]
    System.objects.update(hooked_at=NOW)
    for one in (system, other):
        one.refresh_from_db()

    # The transaction, the receipts, and for each system: lock, mark, add.
    with django_assert_max_num_queries(2 + 1 + 2 * 3):
        hints._store_hooks(arrivals)

    assert [one.is_news for one in arrivals] == [True] * 4


def _arrival(system: System, name: str) -> hints._Arrival:
    return hints._Arrival(system, hook(name, name), NOW)


def _taken(arrivals: list[hints._Arrival]) -> list[str]:
    for one in arrivals:
        one.is_news = True
    return [one.hook.delivery_id for one in arrivals]


def test_a_system_that_answers_again_when_it_is_asked_what_changed_is_well_again(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    system = make_system()
    make_connection(left=system)
    System.objects.exclude(pk=system.pk).update(poll_due_at=NOW + timedelta(hours=1))
    System.objects.filter(pk=system.pk).update(
        fail_streak=3, failure_code="unavailable", failure_message="It does not answer."
    )

    class Well:
        def changed_since(self, cursor: str) -> Changed:
            return Changed(("1",), "after 1", has_more=False)

    monkeypatch.setattr(hints, "open_connector_for", lambda system: Well())

    assert hints.poll_due_systems(NOW) == 1

    found = System.objects.get(pk=system.pk)
    assert (found.fail_streak, found.failure_code, found.failure_message) == (0, "", "")
    assert (found.poll_cursor, found.polled_at, due()) == ("after 1", NOW, {"1": NOW})


def test_polling_has_only_those_read_whose_state_was_not_read_yet(system: System) -> None:
    Ticket.objects.create(system=system, remote_id="read", mark="7")
    Ticket.objects.create(system=system, remote_id="changed", mark="7")
    Ticket.objects.create(system=system, remote_id="no mark", mark="")

    told = store.note_polled(system.pk, {"read": "7", "changed": "8", "no mark": "", "new": "1"}, NOW)

    assert told == 3
    assert due() == {"read": None, "changed": NOW, "no mark": NOW, "new": NOW}


def test_what_was_written_to_a_ticket_in_the_middle_of_a_chain_is_read_back_at_once(
    system: System, settings: Any
) -> None:
    first = make_connection(make_system(), system)
    second = make_connection(system, make_system())
    alone, chained = (Ticket.objects.create(system=system, remote_id=name) for name in ("alone", "chained"))
    for connection, tickets in ((first, [alone, chained]), (second, [chained])):
        side = connection.sides.get(system=system)
        for ticket in tickets:
            linked = LinkedTicket.objects.create(connection=connection, origin=side, updated_at=NOW)
            TicketSide.objects.create(linked_ticket=linked, side=side, ticket=ticket)

    store.expect_read_back([alone.pk, chained.pk], NOW)

    assert due() == {"alone": NOW + timedelta(seconds=settings.SYNC_READ_BACK_S), "chained": NOW}
