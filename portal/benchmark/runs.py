"""One run: the work at one distance, as a burst for throughput and paced for delay."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from django.db import connection

from integrations.models import Delivery, LinkedTicket
from portal.benchmark import load, meters
from portal.benchmark.field import Field
from portal.benchmark.limit import bare_changes_a_second
from portal.benchmark.work import AGENT, CHANGES_A_TICKET, WORKS, last_title

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """What a burst came to.

    CPU of the worker, of the web server, and of the whole machine with database, sandboxes and what makes the changes;
    memory of the worker group.
    """

    remote_ms: int
    tickets: int
    changes: int
    seconds: float
    changes_a_second: float
    calls_a_change: float
    worker_cpu_ms: float | None
    web_cpu_ms: float | None
    machine_cpu_ms: float | None
    worker_memory_mb: float | None
    linked: int
    lost: int
    doubled: int


@dataclass(frozen=True, slots=True)
class Delay:
    """How long changes took one by one, from the agent's click to the remote write."""

    remote_ms: int
    rate: float
    changes: int
    calls_a_change: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def throughput(field: Field, tickets: int, remote_ms: int) -> Throughput:
    """Make the changes as fast as the sandbox takes them and wait until all are carried."""
    prepare(field, remote_ms)
    linked_before, issues_before, last = LinkedTicket.objects.count(), _count(field), load.last_delivery()
    before = _costs(field)
    began = time.monotonic()
    done = load.burst(field.left, field.work, tickets)
    expected = deliveries(field, done, last)
    check = field.processes.check
    seconds = load.wait_until_carried(expected, check, PATIENCE_S, load.LOOK_SELDOM_S, last) - began
    after = _costs(field)
    changes = tickets * CHANGES_A_TICKET
    made = _count(field) - issues_before
    # What is read once more after everything was carried belongs to what it cost.
    rest(field)
    worker, web, machine = (
        _spent(one, two, changes) for one, two in zip(before.cpu_s, after.cpu_s, strict=True)
    )
    return Throughput(
        remote_ms=remote_ms,
        tickets=tickets,
        changes=changes,
        seconds=round(seconds, 2),
        changes_a_second=round(changes / seconds, 1),
        calls_a_change=round(field.calls() / changes, 2),
        worker_cpu_ms=worker,
        web_cpu_ms=web,
        machine_cpu_ms=machine,
        worker_memory_mb=round(after.memory_bytes / 1e6) if after.memory_bytes else None,
        linked=LinkedTicket.objects.count() - linked_before,
        lost=max(0, tickets - made) + _unequal(field, done),
        doubled=max(0, made - tickets),
    )


def delay(field: Field, tickets: int, rate: float, remote_ms: int) -> Delay:
    """Make the changes one by one at a steady rate."""
    prepare(field, remote_ms)
    last = load.last_delivery()
    done = load.paced(field.left, field.work, tickets, rate)
    load.wait_until_carried(deliveries(field, done, last), field.processes.check, PATIENCE_S, after=last)
    delays = load.delays_ms(done, after=last)
    # What was written is read back some seconds later, and belongs to what it cost.
    rest(field)
    return Delay(
        remote_ms=remote_ms,
        rate=rate,
        changes=len(delays),
        calls_a_change=round(field.calls() / (tickets * CHANGES_A_TICKET), 2),
        p50_ms=round(load.percentile(delays, 0.50), 1),
        p95_ms=round(load.percentile(delays, 0.95), 1),
        p99_ms=round(load.percentile(delays, 0.99), 1),
    )


def limit(field: Field) -> float:
    """Changes a second of the bare loop against the idle sandbox."""
    prepare(field, 0)
    ticket = field.left.act(
        {
            "do": "create",
            "as": AGENT,
            "fields": {"subject": "Limit"},
            "comment": {"text": "-"},
            "hooks": False,
        }
    )[0]["ticket"]
    return round(bare_changes_a_second(field.sign_in, str(ticket)), 1)


def as_json(result: Throughput | Delay) -> dict[str, object]:
    """A result for --json."""
    return {"database": connection.vendor, **asdict(result)}


def rest(field: Field) -> None:
    """Wait until nothing is under way any more, what we wrote has been read back with it."""
    while not field.is_idle():
        field.processes.check()
        time.sleep(0.2)


def prepare(field: Field, remote_ms: int) -> None:
    """Let the last run come to rest, so that nothing of it is counted here."""
    rest(field)
    for sandbox in (field.left, field.right):
        sandbox.faults(latency_ms=remote_ms)
        sandbox.reset_calls()


def deliveries(field: Field, done: load.Done, after: int = 0) -> int:
    """How many there have to be after the one with that key, others' among them.

    Each change of a ticket gives one; the first is its creation.
    """
    prefix = field.work.prefix
    ours = [prefix + id_ for id_ in done.tickets]
    others = Delivery.objects.filter(pk__gt=after).exclude(event__ticket__remote_id__in=ours)
    return others.count() + done.changes


def _count(field: Field) -> int:
    return sum(1 for _ in field.right.tickets())


def _unequal(field: Field, done: load.Done) -> int:
    """Tickets whose last title did not arrive."""
    there = WORKS[field.kinds[1]]
    arrived = {there.title_in(content) for content in field.right.tickets()}
    return sum(last_title(id_) not in arrived for id_ in done.tickets)


@dataclass(frozen=True, slots=True)
class _Costs:
    """What the worker, the web server and the machine have cost so far; None where /proc does not tell."""

    cpu_s: tuple[float | None, float | None, float | None]
    memory_bytes: int


def _costs(field: Field) -> _Costs:
    worker, web = (meters.cost_of_group(field.group(name)) for name in ("worker", "web"))
    cpu_s = (worker.cpu_s if worker else None, web.cpu_s if web else None, meters.machine_cpu_s())
    return _Costs(cpu_s, worker.memory_bytes if worker else 0)


def _spent(before: float | None, after: float | None, changes: int) -> float | None:
    return None if before is None or after is None else round((after - before) / changes * 1000, 2)
