"""What the store does when the database ends its transaction so that another can go on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from integrations.engine.effects import NoteSystemAnswer
from integrations.models import Ticket
from integrations.store.django import DjangoStore
from integrations.store.locks import DEADLOCK, SACRIFICES
from tests.factories import make_system

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTS = (NoteSystemAnswer(1),)


class Ended(Exception):
    """What the database's driver raises."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("ended")
        self.sqlstate = sqlstate


class FailingStore(DjangoStore):
    """Fails the first times, as if the database had ended the transaction."""

    def __init__(self, times: int, sqlstate: str) -> None:
        super().__init__()
        self.left, self.sqlstate = times, sqlstate

    def _together(self, requests: list[Any], now: Any) -> Sequence[Any]:
        if not self.left:
            return ["done"]
        self.left -= 1
        raise OperationalError("ended") from Ended(self.sqlstate)


@pytest.mark.parametrize("times", [1, SACRIFICES])
def test_a_sacrificed_transaction_is_done_again(times: int) -> None:
    assert FailingStore(times, DEADLOCK).carry_out(REQUESTS, timezone.now()) == ["done"]


def test_it_is_not_done_again_for_ever() -> None:
    with pytest.raises(OperationalError):
        FailingStore(SACRIFICES + 1, DEADLOCK).carry_out(REQUESTS, timezone.now())


def test_a_database_that_is_away_is_not_asked_again() -> None:
    store = FailingStore(1, "57P01")

    with pytest.raises(OperationalError):
        store.carry_out(REQUESTS, timezone.now())


class CrossingStore(DjangoStore):
    """Locks two tickets in the given order, and the second only when the other store has its first."""

    def __init__(self, keys: Sequence[int], meeting: threading.Barrier) -> None:
        super().__init__()
        self.keys, self.meeting, self.has_met = keys, meeting, False

    def _together(self, requests: list[Any], now: Any) -> Sequence[Any]:
        first, second = self.keys
        Ticket.objects.select_for_update().get(pk=first)
        if not self.has_met:
            # They meet once; whoever comes back has the way to itself.
            self.has_met = True
            self.meeting.wait(timeout=10)
        Ticket.objects.select_for_update().get(pk=second)
        return ["done"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
def test_two_stores_that_wait_for_each_other_both_come_to_their_end() -> None:
    system = make_system()
    one, other = (Ticket.objects.create(system=system, remote_id=name).pk for name in ("1", "2"))
    meeting = threading.Barrier(2)
    results: list[list[str]] = []

    def work(keys: Sequence[int]) -> None:
        try:
            results.append(CrossingStore(keys, meeting).carry_out(REQUESTS, timezone.now()))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(keys,)) for keys in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert results == [["done"], ["done"]]
