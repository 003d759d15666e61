"""A worker that calls one system as often as it is let, at moments that a test tells.

As a program it is a process of its own: it reads moments from its standard input and answers each with the calls that
it made.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import django
from django.db import transaction

if __name__ == "__main__":
    django.setup()

from integrations.connectors.errors import HeldBack
from integrations.connectors.gate import Gate
from integrations.engine.effects import ShareBudget, Shared
from integrations.engine.purse import Purse
from integrations.models import System
from integrations.store import budgets

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass(slots=True)
class WorkerAtTheClock:
    """A worker that calls one system as often as it is let, at moments that the test tells."""

    system: System
    at: float = 0.0
    went: list[float] = field(default_factory=list)
    purse: Purse = field(init=False)
    gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self.purse = Purse(lambda: self.at)
        self.gate = self.purse.gate(self.system.pk)

    def round(self, at: float, calls: int = 20) -> None:
        """Ask if it is time to, and then call."""
        self.at = at
        now = NOW + timedelta(seconds=at)
        requests = self.purse.due(now, 16, lambda _: True)
        if requests:
            self.purse.take(requests, shared(requests, now), at)
        for _ in range(calls):
            try:
                self.gate.enter()
            except HeldBack:
                return
            self.went.append(at)


def shared(requests: Sequence[ShareBudget], now: datetime) -> list[Shared]:
    with transaction.atomic():
        return budgets.share(requests, now)


if __name__ == "__main__":
    worker = WorkerAtTheClock(System.objects.get())
    for line in sys.stdin:
        before = len(worker.went)
        worker.round(float(line))
        print(len(worker.went) - before, flush=True)  # noqa: T201
