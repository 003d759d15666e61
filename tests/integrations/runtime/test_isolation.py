"""A system that keeps calls waiting holds up nobody else: in one worker, and among several."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.connectors.errors import TimedOut, Unavailable
from integrations.connectors.protocol import Capabilities
from integrations.models import Heartbeat, System, SystemBudget
from integrations.runtime.connectors import Connectors
from integrations.runtime.drain import Drain
from integrations.services import heartbeats
from integrations.store import tickets
from integrations.store.django import DjangoStore
from tests.factories import make_system

pytestmark = pytest.mark.django_db(transaction=True)
# Longer than any test takes; a call that is never let go ends the test as a failure instead of blocking it.
PATIENCE_S = 20.0


@dataclass
class Switchboard:
    """Answers the calls of all systems: each reading is noted, and those of some systems are kept waiting."""

    hanging: set[int] = field(default_factory=set)
    let_go: threading.Event = field(default_factory=threading.Event)
    read: list[str] = field(default_factory=list)
    on_read: Callable[[str], None] = lambda remote_id: None
    steps_at_once: dict[int, int] = field(default_factory=dict)

    def open(self, system: System, gate: Any) -> Any:
        board = self

        class Line:
            capabilities = Capabilities(
                False, False, 0, 0, 0, 0, steps_at_once=board.steps_at_once.get(system.pk, 32)
            )

            def history(self, remote_id: str, since: str) -> Any:
                board.read.append(remote_id)
                board.on_read(remote_id)
                if system.pk in board.hanging:
                    board.let_go.wait(PATIENCE_S)
                    raise TimedOut("No answer in time.")
                raise Unavailable("Busy.")

        return Line()


def due(system: System, *names: str) -> None:
    tickets.note_hints(system.pk, list(names), datetime.now(UTC) - timedelta(seconds=1))


def drain_with(board: Switchboard) -> Drain:
    return Drain(DjangoStore(), Connectors(board.open), "worker", calls_in_flight=4)  # type: ignore[arg-type]


def test_work_goes_on_after_the_time_is_over_while_another_systems_call_hangs() -> None:
    """Every process may be waiting like this one: whoever is handed over to has nobody to run in."""
    dead, alive = make_system(kind="jira"), make_system()
    board = Switchboard(hanging={dead.pk})
    board.on_read = lambda remote_id: board.let_go.set() if remote_id == "live" else None
    due(dead, "hangs")

    drain_with(board).run(for_s=0.3, hand_over=lambda: due(alive, "live"))

    assert board.read == ["hangs", "live"]
    assert board.let_go.is_set()


def test_nothing_is_begun_after_the_time_is_over_when_nothing_hangs() -> None:
    alive = make_system()
    board = Switchboard()

    drain_with(board).run(for_s=0.0, hand_over=lambda: due(alive, "later"))

    assert board.read == []


def test_a_system_that_kept_a_call_waiting_gets_few_at_a_time_until_it_answers() -> None:
    dead = make_system(kind="jira")
    board = Switchboard(hanging={dead.pk})
    board.let_go.set()
    drain = drain_with(board)
    due(dead, "first")
    drain.run(for_s=5.0, linger_s=0.0)
    assert drain.connectors.silent == {dead.pk}

    board.let_go.clear()
    due(dead, "a", "b", "c", "d")
    begun: list[int] = []

    def look() -> None:
        begun.append(len(board.read) - 1)
        board.let_go.set()

    drain.run(for_s=0.3, hand_over=look)

    assert begun == [2]


@pytest.mark.parametrize("ceiling", [None, 20])
def test_a_system_that_takes_few_requests_at_a_time_gets_no_more(ceiling: int | None) -> None:
    """Also one whose calls are counted: more of them may be left than it takes at once."""
    narrow = make_system(kind="servicenow")
    board = Switchboard(hanging={narrow.pk}, steps_at_once={narrow.pk: 2})
    drain = drain_with(board)
    if ceiling:
        SystemBudget.objects.update_or_create(system=narrow, defaults={"ceiling": ceiling})
    due(narrow, "a", "b", "c", "d")
    begun: list[int] = []

    def look() -> None:
        begun.append(len(board.read))
        board.let_go.set()

    drain.run(for_s=0.3, hand_over=look)

    assert begun == [2]


def test_one_process_at_a_time_sweeps_and_the_next_begins_when_it_is_done() -> None:
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    lasts = timedelta(seconds=60)
    still = now + timedelta(seconds=59)
    with (
        heartbeats.turn("sweeping", now, lasts) as mine,
        heartbeats.turn("sweeping", still, lasts) as second,
    ):
        pass
    with heartbeats.turn("sweeping", now + timedelta(seconds=1), lasts) as next_one:
        pass
    assert (mine, second, next_one) == (True, False, True)


def test_a_sweep_that_died_keeps_its_turn_no_longer_than_it_may_last() -> None:
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    lasts = timedelta(seconds=60)
    Heartbeat.objects.create(name="sweeping", at=now + lasts)
    with heartbeats.turn("sweeping", now + timedelta(seconds=59), lasts) as early:
        pass
    with heartbeats.turn("sweeping", now + lasts, lasts) as late:
        pass
    assert (early, late) == (False, True)
