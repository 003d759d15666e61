"""Celery's entrances.  A task carries no data: it is a wake-up, and the database is the only queue.

Losing one costs a second at most (the beat sends the next), a doubled one finds nothing to claim.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from integrations.runtime.wakes import Waker
from integrations.runtime.worker import Worker
from integrations.services import heartbeats, hints, hook_watch, metadata, reconciliation, undo
from integrations.services.systems import open_connector_for

logger = logging.getLogger(__name__)

# A tick that finds work stays for this long, so that the sweep gets its turn in between.
TICK_FOR_S = 10.0
# A spell of bulk work is short, so that ticks get their turn in between.
RECONCILE_FOR_S = 4.0
UNDO_FOR_S = 2.0
# Longer than a task may run.
SWEEP_TURN = timedelta(seconds=settings.SYNC_LANE_LEASE_S)
# Between two wake-ups sent from one process: the tick that is awake sees the rest by itself.
WAKE_EVERY_S = 0.1


@functools.cache
def worker() -> Worker:
    """This process's worker."""
    return Worker(open_connector_for)


@shared_task
def tick() -> None:
    """Carry on with everything that is due."""
    with _database_may_be_away("tick"):
        heartbeats.beat(heartbeats.TICK, timezone.now())
        worker().drain(for_s=TICK_FOR_S, hand_over=wake)


@shared_task
def sweep() -> None:
    """Ask systems for changes that no web hook told of, tidy up, and read one system's fields and hooks if due.

    One at a time: several that wait for a system which does not answer would keep every process from delivering.
    """
    now = timezone.now()
    with _database_may_be_away("sweep"), heartbeats.turn(heartbeats.SWEEPING, now, SWEEP_TURN) as is_ours:
        if not is_ours:
            return
        heartbeats.beat(heartbeats.SWEEP, now)
        if hints.poll_due_systems(now):
            wake()
        hints.forget_old_receipts(now)
        metadata.refresh_next_due(now)
        hook_watch.watch_next_due(now)


@shared_task
def reconcile() -> None:
    """Begin what is to be compared at this hour of the night, and carry on with what was begun."""
    with _database_may_be_away("reconcile"):
        reconciliation.begin_nightly(timezone.now())
        if reconciliation.carry_on(for_s=RECONCILE_FOR_S):
            # What it queued is delivered by a tick.
            wake()


@shared_task
def carry_on_undoing() -> None:
    """Look at what is to be undone, queue what was confirmed, and note what has arrived."""
    with _database_may_be_away("carry_on_undoing"):
        if undo.carry_on(for_s=UNDO_FOR_S):
            wake()


def _send_tick() -> None:
    try:
        tick.apply_async(expires=5, retry=False)
    except OSError:
        logger.warning("broker_away", exc_info=True)
    except tick.OperationalError:
        logger.warning("broker_away", exc_info=True)


_waker = Waker(_send_tick, WAKE_EVERY_S)


def wake() -> None:
    """Send a tick, at once or a moment after the last one.  A broker that is away costs a second, not the fact."""
    _waker.wake()


@contextlib.contextmanager
def _database_may_be_away(task: str) -> Iterator[None]:
    """A database that is away or too busy ends the task quietly.

    Leases run out, and the next task goes on where this one stopped.
    """
    try:
        yield
    except OperationalError as error:
        logger.warning("database_away", extra={"task": task, "reason": str(error)})
