"""The work: new tickets with three updates each, done by people in the Zendesk sandbox, carried to Jira."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integrations.models import Attempt, Delivery
from integrations.sandbox.client import Sandbox

AGENT = "Mina Berg <mina@mercuri.example>"
UPDATES: tuple[Mapping[str, str], ...] = ({"status": "open"}, {"priority": "urgent"}, {"subject": ""})
CHANGES_A_TICKET = 1 + len(UPDATES)
BATCH = 20
LOOK_EVERY_S = 0.05


@dataclass(slots=True)
class Done:
    """Changes that were made: by ticket and change id, when."""

    made_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    tickets: list[str] = field(default_factory=list)

    def note(self, answer: Mapping[str, Any], at: datetime) -> None:
        """Remember one action's changes."""
        for change in answer["changes"]:
            self.made_at[str(answer["ticket"]), str(change)] = at


def burst(sandbox: Sandbox, tickets: int) -> Done:
    """Everything as fast as the sandbox takes it; each ticket's own changes in their order."""
    done = Done()
    for start in range(0, tickets, BATCH):
        numbers = range(start, min(start + BATCH, tickets))
        _act(sandbox, done, [_creation(number) for number in numbers], creates=True)
    for update in UPDATES:
        for start in range(0, tickets, BATCH):
            _act(sandbox, done, [_update(id_, update) for id_ in done.tickets[start : start + BATCH]])
    return done


def paced(sandbox: Sandbox, tickets: int, rate: float) -> Done:
    """One change after the other, `rate` a second; never two at once."""
    done = Done()
    began = time.monotonic()
    for number, (action, creates) in enumerate(_one_by_one(done, tickets)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        _act(sandbox, done, [action], creates=creates)
    return done


def wait_until_carried(expected: int, check: Callable[[], None], patience_s: float) -> float:
    """Wait until nothing waits any more; the moment (monotonic) of the last delivery.  TimeoutError after a standstill.

    `expected` tickets must have been linked; patience begins anew whenever something moves.
    """
    moved_at, last = time.monotonic(), (-1, -1)
    while True:
        check()
        finished = Delivery.objects.exclude(state__in=("new", "sent")).count()
        waiting = Delivery.objects.waiting().count()
        if (finished, waiting) != last:
            moved_at, last = time.monotonic(), (finished, waiting)
        is_all = finished + waiting >= expected
        if is_all and not waiting:
            return moved_at
        if time.monotonic() - moved_at > patience_s:
            raise TimeoutError(f"{waiting} deliveries wait and {finished} are done; nothing moved any more.")
        time.sleep(LOOK_EVERY_S)


def delays_ms(done: Done) -> list[float]:
    """For every change that was written to the other side: from the agent's click to the remote write, sorted."""
    attempts = Attempt.objects.filter(outcome=Attempt.Result.DONE).order_by("delivery", "number")
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


def _one_by_one(done: Done, tickets: int) -> Iterator[tuple[Mapping[str, Any], bool]]:
    for number in range(tickets):
        yield _creation(number), True
        for update in UPDATES:
            yield _update(done.tickets[number], update), False


def _act(sandbox: Sandbox, done: Done, actions: list[Mapping[str, Any]], *, creates: bool = False) -> None:
    at = datetime.now(UTC)
    for answer in sandbox.act(*actions):
        done.note(answer, at)
        if creates:
            done.tickets.append(str(answer["ticket"]))


def _creation(number: int) -> Mapping[str, Any]:
    return {
        "do": "create",
        "as": AGENT,
        "fields": {"subject": f"Parcel {number} has not arrived", "priority": "normal", "type": "incident"},
        "comment": {
            "html": f"<p>The customer of <b>order {number}</b> asks where it is.</p>",
            "public": True,
        },
    }


def _update(id_: str, update: Mapping[str, str]) -> Mapping[str, Any]:
    fields = {name: value or f"Parcel of ticket {id_} is found" for name, value in update.items()}
    return {"do": "update", "ticket": id_, "as": AGENT, "fields": fields}
