"""Plays the actions into the sandbox, no faster than the pipeline carries them."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from integrations.models import Delivery, Lane, System, Ticket
from integrations.sandbox.client import Sandbox
from portal.replay.life import Action, life_of
from portal.replay.log import Incident

BATCH = 25
# How much may wait before the player holds back: enough to keep the worker busy, little enough to look at.
MOST_WAITING = 400
LOOK_EVERY_S = 0.1
DATABASE_AWAY_S = 60.0


def in_recorded_order(incidents: Sequence[Incident]) -> list[Action]:
    """The actions of all incidents as they came in real time; the order inside an incident is its own."""
    actions = [action for incident in incidents for action in life_of(incident)]
    # Stable: equal times keep the incident's own order.
    return sorted(actions, key=lambda action: action.at)


def play(
    actions: Sequence[Action], sandbox: Sandbox, *, speed: float, check: Callable[[], None]
) -> Iterator[int]:
    """Send everything; yields how many actions are done after each batch.

    `speed` 0 sends as fast as the pipeline takes it, otherwise so many times faster than it was recorded.
    """
    began, first = time.monotonic(), actions[0].at
    done = 0
    for start in range(0, len(actions), 1 if speed else BATCH):
        batch = actions[start : start + (1 if speed else BATCH)]
        if speed:
            ahead_s = (batch[0].at - first).total_seconds() / speed - (time.monotonic() - began)
            time.sleep(max(0.0, ahead_s))
        while _waiting() > MOST_WAITING:
            check()
            time.sleep(LOOK_EVERY_S)
        check()
        sandbox.act(*_acts(batch))
        done += len(batch)
        yield done


def _acts(batch: Sequence[Action]) -> list[Mapping[str, Any]]:
    return [action.act for action in batch]


def _waiting() -> int:
    return _looked_up(
        lambda: (
            Delivery.objects.waiting().count()
            + Ticket.objects.filter(read_due_at__isnull=False, event_count=0).count()
        )
    )


def _looked_up(count: Callable[[], int]) -> int:
    """The count, as soon as the database answers: it may be restarted in the middle of a replay, like everything else."""
    deadline = time.monotonic() + DATABASE_AWAY_S
    while True:
        try:
            return count()
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_EVERY_S)


def wait_until_quiet(
    sandboxes: Sequence[Sandbox], *, check: Callable[[], None], patience_s: float
) -> Iterator[int]:
    """Yields how much still waits until nothing does; TimeoutError when nothing has moved for `patience_s`.

    Where web hooks did not arrive (the portal was away for longer than they are sent again), everything is at rest only
    after every system was asked what changed.
    """
    last, moved_at = -1, time.monotonic()
    asked_at: datetime | None = None
    while True:
        check()
        delivery = [sandbox.hooks()["delivery"] for sandbox in sandboxes]
        left = sum(int(one["pending"]) for one in delivery) + _looked_up(_open)
        if left != last:
            last, moved_at = left, time.monotonic()
        yield left
        if not left:
            if not any(int(one[name]) for one in delivery for name in ("failed", "lost")):
                return
            if asked_at is None:
                asked_at = _ask_every_system()
            elif _looked_up(functools.partial(_not_asked_since, asked_at)) == 0:
                return
        if time.monotonic() - moved_at > patience_s:
            raise TimeoutError(f"{left} changes still wait and nothing moves any more. {_reasons()}")
        time.sleep(LOOK_EVERY_S * 5)


def _ask_every_system() -> datetime:
    """Let every system be asked now what changed; the moment."""
    now = timezone.now()
    System.objects.update(poll_due_at=now)
    return now


def _not_asked_since(moment: datetime) -> int:
    """How many systems in use have not been asked since then."""
    in_use = System.objects.filter(sides__isnull=False).distinct()
    return in_use.exclude(polled_at__gt=moment).count()


def _open() -> int:
    return Delivery.objects.waiting().count() + Ticket.objects.filter(read_due_at__isnull=False).count()


def _reasons() -> str:
    """Why lanes wait, the most frequent reason first."""
    reasons = Lane.objects.filter(waits=True).values_list("system__name", "state", "failure_message")
    counted = Counter(reasons).most_common(5)
    return " ".join(
        f"{count} lanes to {name} are {state}: {message}" for (name, state, message), count in counted
    )
