"""Plays the actions into the sandbox, no faster than the pipeline carries them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from integrations.models import Delivery, Lane, Ticket
from integrations.sandbox.client import Sandbox
from portal.replay.life import Action, life_of
from portal.replay.log import Incident

BATCH = 25
# How much may wait before the player holds back: enough to keep the worker busy, little enough to look at.
MOST_WAITING = 400
LOOK_EVERY_S = 0.1


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
    return (
        Delivery.objects.waiting().count()
        + Ticket.objects.filter(read_due_at__isnull=False, event_count=0).count()
    )


def wait_until_quiet(
    sandboxes: Sequence[Sandbox], *, check: Callable[[], None], patience_s: float
) -> Iterator[int]:
    """Yields how much still waits until nothing does; TimeoutError when nothing has moved for `patience_s`."""
    last, moved_at = -1, time.monotonic()
    while True:
        check()
        due = Ticket.objects.filter(read_due_at__isnull=False).count()
        pending = sum(int(sandbox.hooks()["delivery"]["pending"]) for sandbox in sandboxes)
        left = Delivery.objects.waiting().count() + due + pending
        if left != last:
            last, moved_at = left, time.monotonic()
        yield left
        if not left:
            return
        if time.monotonic() - moved_at > patience_s:
            raise TimeoutError(f"{left} changes still wait and nothing moves any more. {_reasons()}")
        time.sleep(LOOK_EVERY_S * 5)


def _reasons() -> str:
    """Why lanes wait, the most frequent reason first."""
    reasons = Lane.objects.filter(waits=True).values_list("system__name", "state", "failure_message")
    counted = Counter(reasons).most_common(5)
    return " ".join(
        f"{count} lanes to {name} are {state}: {message}" for (name, state, message), count in counted
    )
