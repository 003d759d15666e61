"""Everybody locks lanes before tickets, so that two transactions on one linked ticket wait for each other in turn."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from integrations.canonical import Change, History, Person, TicketHead
from integrations.connectors.protocol import Hook
from integrations.engine.effects import StoreReading
from integrations.models import HookReceipt, Lane, Ticket
from integrations.services import hints
from integrations.store.django import DjangoStore
from integrations.store.locks import DEADLOCK, SACRIFICES
from tests.factories import make_system
from tests.integrations.scenes import NOW, Matter, matter, mercuri_and_infinity
from tests.integrations.test_store_deadlock import Ended

pytestmark = pytest.mark.django_db(transaction=True)


def reading(ticket: Ticket) -> StoreReading:
    change = Change("2", NOW, Person(id="somebody", name="Ann"), fields={"status": "Done"})
    history = History((change,), "2", TicketHead(ticket.remote_id, "INF-1", "https://x.test"))
    return StoreReading(ticket.pk, ticket.version, history, NOW)


def store_reading(found: Matter, results: list[Any]) -> None:
    try:
        results.extend(DjangoStore().carry_out([reading(found.right_ticket)], NOW))
    finally:
        connection.close()


def wait_until_somebody_waits() -> None:
    """Until another connection to this database waits for a lock."""
    with connection.cursor() as cursor:
        while True:
            # Within a transaction it would tell the same again and again.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
def test_a_reading_that_waits_for_a_lane_leaves_its_ticket_to_who_holds_the_lane() -> None:
    found = matter(*mercuri_and_infinity(), left_fields={}, right_fields={"status": "Open"})
    results: list[Any] = []
    thread = threading.Thread(target=store_reading, args=(found, results))
    with transaction.atomic():
        Lane.objects.select_for_update(no_key=True).get(pk=found.to_right.pk)
        thread.start()
        wait_until_somebody_waits()
        # The end of a delivery goes on to the ticket: it would wait a second for PostgreSQL to end one of both.
        Ticket.objects.select_for_update(nowait=True).get(pk=found.right_ticket.pk)
    thread.join(timeout=30)

    found.right_ticket.refresh_from_db()
    assert (results, found.right_ticket.actual) == ([True], {"status": "Done"})


@pytest.mark.parametrize(("times", "is_taken"), [(1, True), (SACRIFICES, True), (SACRIFICES + 1, False)])
def test_web_hooks_whose_transaction_was_sacrificed_are_stored_again(
    monkeypatch: pytest.MonkeyPatch, times: int, is_taken: bool
) -> None:
    system, left, mark = make_system(), [times], hints.tickets.mark_hinted

    def sacrificed(*args: Any, **kwargs: Any) -> None:
        mark(*args, **kwargs)
        if left[0]:
            left[0] -= 1
            raise OperationalError("ended") from Ended(DEADLOCK)

    monkeypatch.setattr(hints.tickets, "mark_hinted", sacrificed)
    hook = Hook("a", ("1",), "somebody")
    if is_taken:
        assert hints.take_hook(system, hook, NOW)
    else:
        with pytest.raises(OperationalError):
            hints.take_hook(system, hook, NOW)

    stored = HookReceipt.objects.count(), Ticket.objects.filter(remote_id="1", read_due_at=NOW).count()
    assert stored == ((1, 1) if is_taken else (0, 0))
