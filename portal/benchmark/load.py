"""The work: new tickets with three updates each, done by people in one sandbox, carried to the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Max

from integrations.models import Attempt, Delivery
from integrations.querysets import DeliveryQuerySet
from integrations.sandbox.client import Sandbox
from portal.benchmark.work import CHANGES_A_TICKET, Work

BATCH = 20
LOOK_EVERY_S = 0.05
# Under load: counting what waits takes from the time of those who are measured.
LOOK_SELDOM_S = 0.25


@dataclass(slots=True)
class Done:
    """Changes that were made: by ticket and change id, when."""

    made_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    tickets: list[str] = field(default_factory=list)
    changes: int = 0

    def note(self, answer: Mapping[str, Any], at: datetime) -> None:
        """Remember one action's changes."""
        self.changes += 1
        for change in answer["changes"]:
            self.made_at[str(answer["ticket"]), str(change)] = at


def burst(sandbox: Sandbox, work: Work, tickets: int) -> Done:
    """Everything as fast as the sandbox takes it; each ticket's own changes in their order."""
    done = Done()
    for start in range(0, tickets, BATCH):
        numbers = range(start, min(start + BATCH, tickets))
        _act(sandbox, done, [work.creation(number) for number in numbers], creates=True)
    for step in range(CHANGES_A_TICKET - 1):
        for start in range(0, tickets, BATCH):
            some = done.tickets[start : start + BATCH]
            _act(sandbox, done, [work.updates(id_)[step] for id_ in some])
    return done


def paced(sandbox: Sandbox, work: Work, tickets: int, rate: float) -> Done:
    """One change after the other, `rate` a second; never two at once."""
    done, pace = Done(), _Pace(rate)
    for number in range(tickets):
        pace.wait()
        _act(sandbox, done, [work.creation(number)], creates=True)
        for update in work.updates(done.tickets[-1]):
            pace.wait()
            _act(sandbox, done, [update])
    return done


def one_by_one(
    sandbox: Sandbox, work: Work, tickets: int, rate: float, carried: Callable[[Done], object]
) -> Done:
    """Each change only when `carried` tells that the one before has arrived, and at most `rate` a second."""
    done = Done()
    for number in range(tickets):
        _act_and_wait(sandbox, done, work.creation(number), rate, carried, creates=True)
        for update in work.updates(done.tickets[-1]):
            _act_and_wait(sandbox, done, update, rate, carried)
    return done


def _act_and_wait(
    sandbox: Sandbox,
    done: Done,
    action: Mapping[str, Any],
    rate: float,
    carried: Callable[[Done], object],
    *,
    creates: bool = False,
) -> None:
    began = time.monotonic()
    _act(sandbox, done, [action], creates=creates)
    carried(done)
    time.sleep(max(0.0, began + 1 / rate - time.monotonic()))


class _Pace:
    """Lets one thing after the other through, `rate` a second from the first one on."""

    def __init__(self, rate: float) -> None:
        self._rate, self._count, self._began = rate, 0, time.monotonic()

    def wait(self) -> None:
        time.sleep(max(0.0, self._began + self._count / self._rate - time.monotonic()))
        self._count += 1


def last_delivery() -> int:
    """The key of the latest delivery, 0 without any."""
    return int(Delivery.objects.aggregate(last=Max("pk"))["last"] or 0)


def wait_until_carried(
    expected: int,
    check: Callable[[], None],
    patience_s: float,
    look_every_s: float = LOOK_EVERY_S,
    after: int = 0,
) -> float:
    """Wait until nothing waits any more; the moment (monotonic) of the last delivery.  TimeoutError after a standstill.

    `expected` deliveries later than the one with the key `after` must have been made: whoever watches does not count a
    million that are there already, which would take from the time of those who are measured.  Patience begins anew
    whenever something moves.
    """
    since = Delivery.objects.filter(pk__gt=after)
    moved_at, last = time.monotonic(), (-1, -1)
    while True:
        check()
        finished = since.exclude(state__in=("new", "sent")).count()
        waiting = Delivery.objects.waiting().count()
        if (finished, waiting) != last:
            moved_at, last = time.monotonic(), (finished, waiting)
        is_all = finished + waiting >= expected
        if is_all and not waiting:
            return _last_end(since, moved_at)
        if time.monotonic() - moved_at > patience_s:
            raise TimeoutError(f"{waiting} deliveries wait and {finished} are done; nothing moved any more.")
        time.sleep(look_every_s)


def _last_end(since: DeliveryQuerySet, seen_at: float) -> float:
    """When the last delivery ended; it was seen some time later."""
    ended_at = since.aggregate(last=Max("done_at"))["last"]
    if ended_at is None:
        return seen_at
    return min(seen_at, time.monotonic() - (datetime.now(UTC) - ended_at).total_seconds())


def delays_ms(done: Done, *, except_to: int | None = None, after: int = 0) -> list[float]:
    """For every change that was written to the other side: from the agent's click to the remote write, sorted.

    What was written to the system `except_to` is left out, and deliveries up to the one with the key `after`.
    """
    attempts = Attempt.objects.filter(outcome=Attempt.Result.DONE, delivery__gt=after).order_by(
        "delivery", "number"
    )
    if except_to is not None:
        attempts = attempts.exclude(delivery__lane__system=except_to)
    rows = attempts.values_list(
        "delivery_id", "ended_at", "delivery__event__change_id", "delivery__event__ticket__remote_id"
    )
    first: dict[int, float] = {}
    for delivery_id, ended_at, change_id, remote_id in rows:
        made_at = done.made_at.get((remote_id, change_id))
        if made_at is not None and ended_at is not None and delivery_id not in first:
            first[delivery_id] = (ended_at - made_at).total_seconds() * 1000
    return sorted(first.values())


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of sorted values lies, interpolated; nan for none."""
    if not values:
        return float("nan")
    place = (len(values) - 1) * share
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def _act(sandbox: Sandbox, done: Done, actions: list[Mapping[str, Any]], *, creates: bool = False) -> None:
    at = datetime.now(UTC)
    for answer in sandbox.act(*actions):
        done.note(answer, at)
        if creates:
            done.tickets.append(str(answer["ticket"]))
