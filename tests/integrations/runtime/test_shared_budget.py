"""Several workers share one budget: together they never call more than it allows, and live work goes first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection

from integrations.connectors.errors import HeldBack
from integrations.connectors.rates import Told
from integrations.engine.ports import Room
from integrations.models import System, SystemBudget, Ticket
from integrations.runtime.drain import BULK_EVERY
from integrations.runtime.shared_gate import SharedGate
from integrations.store import claims, tickets
from tests.factories import make_system
from tests.integrations.runtime.clockwork import NOW, WorkerAtTheClock, shared

CEILING = 60


def most_in_a_minute(moments: Sequence[float]) -> int:
    return max(sum(at <= other < at + 60 for other in moments) for at in moments)


ROUNDS = [step / 4 for step in range(800)]


def judge(workers: Sequence[WorkerAtTheClock]) -> None:
    went = sorted(moment for one in workers for moment in one.went)
    assert most_in_a_minute(went) <= CEILING
    # What is allowed is used, by both of them.
    assert len(went) >= 3 * CEILING
    assert min(len(one.went) for one in workers) >= CEILING // 2


@pytest.mark.django_db
def test_two_workers_in_turn_stay_under_the_ceiling() -> None:
    system = make_system(kind="jira")
    SystemBudget.objects.create(system=system, ceiling=CEILING)
    workers = [WorkerAtTheClock(system) for _ in range(2)]
    for at in ROUNDS:
        for one in workers if at % 1 else reversed(workers):
            one.round(at)
    judge(workers)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="in memory SQLite has no second connection")
@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_stay_under_the_ceiling() -> None:
    system = make_system(kind="jira")
    SystemBudget.objects.create(system=system, ceiling=CEILING)
    workers = [WorkerAtTheClock(system) for _ in range(2)]
    together = threading.Barrier(2)

    def work(one: WorkerAtTheClock) -> None:
        try:
            for at in ROUNDS:
                together.wait(timeout=60)
                one.round(at)
        except BaseException:
            together.abort()
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(one,)) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert [one.at for one in workers] == [ROUNDS[-1]] * 2
    judge(workers)


@pytest.mark.django_db
def test_what_one_worker_is_told_holds_for_the_others() -> None:
    system = make_system(kind="zendesk")
    first, second = WorkerAtTheClock(system), WorkerAtTheClock(system)
    for one in (first, second):
        one.round(1.0, calls=1)
    resets_at = NOW + timedelta(seconds=40)
    first.gate.hear(Told(700, 0, resets_at, 60), 1.0)
    for step in range(5, 160):
        first.round(step / 4)
        second.round(step / 4)
    # What had been begun before anybody knew; from the next question on nothing.
    assert [at for at in (*first.went, *second.went) if 3.5 <= at < 40] == []
    budget = SystemBudget.objects.get(system=system)
    assert (budget.limit, budget.resets_at) == (700, resets_at)
    assert budget.left is not None
    assert budget.left <= 0


@pytest.mark.django_db
def test_a_limit_that_nobody_knew_is_shared_before_the_next_call_begins() -> None:
    system = make_system(kind="servicenow")
    worker = WorkerAtTheClock(system)
    worker.round(0.0, calls=5)
    assert worker.purse.may_call(system.pk)
    worker.gate.hear(Told(limit=20, window_s=3600), 0.0)
    # Neither what begins now nor what is in the middle of its requests goes on.
    assert not worker.purse.may_call(system.pk)
    with pytest.raises(HeldBack):
        worker.gate.enter()
    request = worker.purse.ask(system.pk, NOW)
    assert request is not None
    worker.purse.take([request], shared([request], NOW), 0.0)
    assert worker.purse.may_call(system.pk)
    for step in range(400):
        worker.round(step / 40)
    assert len(worker.went) == 20


@pytest.mark.django_db
def test_a_connector_of_its_own_keeps_to_a_limit_from_the_answer_on_that_told_of_it() -> None:
    system = make_system(kind="servicenow")
    gate = SharedGate(system.pk)
    gate.enter()
    gate.hear(Told(limit=20, window_s=3600), 0.0)
    went = 1
    with contextlib.suppress(HeldBack):
        while went < 40:
            gate.enter()
            went += 1
    assert went == 20


@pytest.mark.django_db
def test_a_pause_asked_for_in_a_good_answer_holds_for_all_workers() -> None:
    system = make_system(kind="azure_devops")
    first, second = WorkerAtTheClock(system), WorkerAtTheClock(system)
    first.round(0.0, calls=1)
    first.gate.hear(Told(wait_s=30.0), 0.0)
    first.round(1.0)
    second.round(1.5)
    assert (first.went, second.went) == ([0.0], [])
    for step in range(6, 140):
        second.round(step / 4)
    assert min(second.went) >= 30.0


@pytest.mark.django_db
def test_a_connector_of_its_own_takes_from_the_same_budget() -> None:
    system = make_system(kind="jira")
    SystemBudget.objects.create(system=system, ceiling=6)
    gates = [SharedGate(system.pk), SharedGate(system.pk)]
    went = 0
    for _ in range(10):
        for gate in gates:
            try:
                gate.enter()
            except HeldBack:
                continue
            went += 1
    assert went == 6


@pytest.mark.django_db
def test_a_connector_for_bulk_work_leaves_a_fifth_to_live_work() -> None:
    system = make_system(kind="jira")
    SystemBudget.objects.create(system=system, ceiling=10)
    for gate, expected in ((SharedGate(system.pk, is_bulk=True), 8), (SharedGate(system.pk), 2)):
        went = 0
        with contextlib.suppress(HeldBack):
            while went < 20:
                gate.enter()
                went += 1
        assert went == expected


@pytest.mark.django_db
def test_a_system_without_a_limit_is_only_counted() -> None:
    system = make_system(kind="jira")
    worker = WorkerAtTheClock(system)
    for step in range(40):
        worker.round(step / 4, calls=3)
    assert len(worker.went) == 120
    budget = SystemBudget.objects.get(system=system)
    counted = sum(budget.minutes.values())
    assert (counted > 50, budget.ceiling, budget.limit, budget.left) == (True, None, None, None)


def due(system: System, names: Sequence[str], *, is_bulk: bool) -> None:
    tickets.note_hints(system.pk, list(names), NOW - timedelta(minutes=is_bulk), is_bulk=is_bulk)


def claimed(limit: int, room: Room) -> str:
    _, readings = claims.claim("w", NOW, 60, limit, (), room)
    return "".join(one.remote_id for one in readings)


@pytest.mark.django_db
def test_live_work_is_claimed_before_bulk_work_that_has_waited_longer() -> None:
    system = make_system(kind="jira")
    due(system, "ab", is_bulk=True)
    due(system, "xy", is_bulk=False)
    assert [claimed(3, Room()), claimed(3, Room())] == ["xya", "b"]


@pytest.mark.django_db
def test_bulk_work_gets_its_turn_however_much_live_work_there_is() -> None:
    system = make_system(kind="jira")
    due(system, "ab", is_bulk=True)
    due(system, "xy", is_bulk=False)
    assert claimed(1, Room(bulk_first=True)) == "a"


@pytest.mark.django_db
def test_a_live_hint_is_read_with_the_next_claim_however_much_bulk_work_waits() -> None:
    system = make_system(kind="jira")
    due(system, [f"bulk {number}" for number in range(1000)], is_bulk=True)
    for bulk_first in (False, True):
        for places in (2, 16):
            live = f"live {bulk_first} {places}"
            due(system, [live], is_bulk=False)
            _, readings = claims.claim("w", NOW, 60, places, (), Room(bulk_first=bulk_first))
            assert live in [one.remote_id for one in readings]


@pytest.mark.django_db
def test_bulk_work_goes_on_under_constant_live_load_and_live_work_waits_for_none_of_it() -> None:
    system = make_system(kind="jira")
    due(system, [f"bulk {number}" for number in range(1000)], is_bulk=True)
    places, bulk = 16, 0
    for number in range(1, 5 * BULK_EVERY + 1):
        # As much live work as there are places, every time.
        due(system, [f"live {number} {place}" for place in range(places)], is_bulk=False)
        _, readings = claims.claim("w", NOW, 60, places, (), Room(bulk_first=number % BULK_EVERY == 0))
        assert len(readings) == places
        bulk += sum(one.remote_id.startswith("bulk") for one in readings)
    assert bulk == 5 * (places // claims.BULK_SHARE)


@pytest.mark.django_db
def test_a_small_budget_takes_few_steps_and_leaves_the_other_systems_alone() -> None:
    small, other = make_system(kind="jira"), make_system()
    due(small, "abcd", is_bulk=False)
    due(other, "wxyz", is_bulk=False)
    assert claimed(8, Room({small.pk: 2})) == "wxyzab"
    assert claimed(8, Room({small.pk: 0})) == ""
    assert claimed(8, Room()) == "cd"


@pytest.mark.django_db
def test_no_system_takes_more_than_its_share_and_the_rest_is_for_the_others() -> None:
    full, other = make_system(kind="jira"), make_system()
    due(full, "abcdef", is_bulk=False)
    due(other, "wx", is_bulk=False)
    Ticket.objects.filter(system=other).update(read_due_at=NOW)
    assert claimed(4, Room(share=3, under_way={full.pk: 1})) == "abwx"
    assert claimed(4, Room(share=3, under_way={full.pk: 3})) == ""
    assert claimed(1, Room(share=3, shares={full.pk: 2}, under_way={full.pk: 2})) == ""
    assert claimed(4, Room(share=3, shares={full.pk: 1})) == "c"
    assert claimed(4, Room(share=3)) == "def"


@pytest.mark.django_db
def test_the_reserve_of_a_budget_is_for_live_work() -> None:
    system, other = make_system(kind="jira"), make_system()
    due(system, "ab", is_bulk=True)
    due(other, "w", is_bulk=True)
    due(system, "x", is_bulk=False)
    assert claimed(8, Room(without_bulk=[system.pk])) == "xw"


@pytest.mark.django_db
def test_a_live_reason_makes_a_reading_live_and_a_bulk_one_leaves_it_so() -> None:
    system = make_system(kind="jira")
    for name, reasons in (("a", (True, False)), ("b", (False, True)), ("c", (True, True))):
        for is_bulk in reasons:
            due(system, name, is_bulk=is_bulk)
    found = dict(Ticket.objects.values_list("remote_id", "read_is_bulk"))
    assert found == {"a": False, "b": False, "c": True}
