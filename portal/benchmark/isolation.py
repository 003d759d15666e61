"""Isolation: how much later changes arrive in one system while another is down the whole time.

Every change of the one source goes to two systems.  The same paced work is carried twice: with both up, and with one of
them down and a backlog at its door.  At the end it comes up again, and what waited has to arrive as well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from integrations.connectors import registry
from integrations.models import Delivery, Lane, System
from integrations.sandbox.client import Sandbox
from integrations.services.connections import STARTS
from portal.benchmark import load, runs
from portal.benchmark.field import Field, prepared
from portal.benchmark.work import WORKS, last_title
from portal.demo import seed

# What the promise allows: the 99th percentile of the others grows by less.
MOST_GROWTH_MS = 1000.0
# Longer than any time limit of ours: the call hangs until we give up.
HANGS_MS = 120_000
# How a system is down, as its sandbox's faults.
WAYS: Mapping[str, Mapping[str, Any]] = {
    "hang": {"latency_ms": HANGS_MS},
    "refuse": {"down": True, "down_as": "drop"},
    "error": {"down": True, "down_as": "503"},
}
UP: Mapping[str, Any] = {"latency_ms": 0, "down": False}
# What is down is left alone for minutes at a time, and found again when the breaker lets a call through.
BACK_WITHIN_S = 900.0
MEASURED = ("zendesk", "jira")


@dataclass(frozen=True, slots=True)
class Delays:
    """From the click in the source to the write in the system that is up; `arrived` of `changes` did."""

    changes: int
    arrived: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Isolated:
    """Both runs, what waited at the door of the system that was down, and what was left of it at the end."""

    down: str
    how: str
    rate: float
    before: Delays
    during: Delays
    waited: int
    seconds_down: float
    caught_up_s: float
    left: int

    @property
    def growth_ms(self) -> float:
        """How much later the slowest hundredth arrived."""
        return round(self.during.p99_ms - self.before.p99_ms, 1)

    @property
    def holds(self) -> bool:
        """Whether the others kept their pace, and nothing was lost anywhere."""
        is_complete = all(one.arrived == one.changes for one in (self.before, self.during))
        return is_complete and not self.left and self.growth_ms < MOST_GROWTH_MS


def isolated(down: str, how: str, tickets: int, rate: float, backlog: int) -> Isolated:
    """Measure in a place of its own; `backlog` tickets wait for the system that is down before the clock starts."""
    with _two_receivers(down) as (field, third, system):
        runs.prepare(field, 0)
        # The same in both runs, and nothing is measured of a worker that is only beginning.
        _wait_for_others(field, system, load.burst(field.left, field.work, backlog))
        before = _delays(field, system, load.paced(field.left, field.work, tickets, rate))
        runs.rest(field)
        third.faults(**WAYS[how])
        began = time.monotonic()
        _wait_for_others(field, system, load.burst(field.left, field.work, backlog))
        during = _delays(field, system, load.paced(field.left, field.work, tickets, rate))
        seconds_down = time.monotonic() - began
        waited = _lanes_to(system).count()
        third.faults(**UP)
        back_at = time.monotonic()
        _wait_until_back(field, system)
        return Isolated(
            down=down,
            how=how,
            rate=rate,
            before=before,
            during=during,
            waited=waited,
            seconds_down=round(seconds_down, 1),
            caught_up_s=round(time.monotonic() - back_at, 1),
            left=_lanes_to(system).count() + _missing(field, third, down),
        )


@contextmanager
def _two_receivers(down: str) -> Iterator[tuple[Field, Sandbox, System]]:
    """The field of every benchmark with a third system that the same tickets go to."""
    with prepared({}, MEASURED) as field:
        child = field.processes.start_sandbox(down, registry.label(down), 0)
        system = seed.ready_system(seed.GLOBAL, down, f"Global {registry.label(down)}", child.sign_in)
        third = child.client()
        source = System.objects.get(partner__name=seed.MERCURI)
        joined = seed.connection_between(source, system, "Customer service to development", STARTS)
        seed.run_connection(joined)
        yield field, third, system


def _delays(field: Field, down: System, done: load.Done) -> Delays:
    _wait_for_others(field, down, done)
    delays = load.delays_ms(done, except_to=down.pk)
    return Delays(
        changes=done.changes,
        arrived=_over(field, down, done),
        p50_ms=round(load.percentile(delays, 0.50), 1),
        p95_ms=round(load.percentile(delays, 0.95), 1),
        p99_ms=round(load.percentile(delays, 0.99), 1),
    )


def _wait_for_others(field: Field, down: System, done: load.Done) -> None:
    """Until everything that was done stands in the system that is up; a standstill ends it."""
    moved_at, last = time.monotonic(), -1
    while (arrived := _over(field, down, done)) < done.changes:
        field.processes.check()
        if arrived != last:
            moved_at, last = time.monotonic(), arrived
        if time.monotonic() - moved_at > runs.PATIENCE_S:
            return
        time.sleep(load.LOOK_EVERY_S)


def _over(field: Field, down: System, done: load.Done) -> int:
    ours = [field.work.prefix + id_ for id_ in done.tickets]
    over = Delivery.objects.filter(event__ticket__remote_id__in=ours, state__in=("done", "superseded"))
    return over.exclude(lane__system=down).count()


def _lanes_to(system: System) -> QuerySet[Lane]:
    return Lane.objects.waiting().filter(system=system)


def _wait_until_back(field: Field, system: System) -> None:
    deadline = time.monotonic() + BACK_WITHIN_S
    while _lanes_to(system).exists() and time.monotonic() < deadline:
        field.processes.check()
        time.sleep(load.LOOK_EVERY_S)


def _missing(field: Field, third: Sandbox, kind: str) -> int:
    """Tickets of the source whose last title does not stand in the system that was down."""
    there = [WORKS[kind].title_in(content) for content in third.tickets()]
    ids = [str(content["id"]) for content in field.left.tickets()]
    return sum(last_title(id_) not in there for id_ in ids)
