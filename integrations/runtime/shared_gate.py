"""The gate of a connector that its own thread opens: it goes to the database for every few calls by itself."""

from __future__ import annotations

import threading
import time

from django.db import transaction
from django.utils import timezone

from integrations.connectors.gate import Gate, Tidings
from integrations.engine.effects import ShareBudget
from integrations.store import budgets

# Calls allowed at once, and how often a system without a limit is asked about again.
BLOCK = 2
BELIEVED_S = 1.0


class SharedGate(Gate):
    """For polling, tests of a system and what people ask for: few calls, each in a thread that has the database."""

    def __init__(self, system_id: int, *, is_bulk: bool = False) -> None:
        super().__init__(is_shared=True)
        self._is_bulk = is_bulk
        self._system_id = system_id
        self._turn = threading.Lock()
        self._asked_at: float | None = None

    def enter(self, count: int = 1) -> None:
        """Take one call of the system's budget, or one that counts as several; HeldBack when none is left."""
        with self._turn:
            now = time.monotonic()
            is_old = self._asked_at is None or now - self._asked_at > BELIEVED_S
            allowed = self.allowed
            if is_old if allowed is None else allowed < count:
                self._ask(now, count)
        super().enter(count)

    def _ask(self, asked_at: float, count: int) -> None:
        tidings: Tidings = self.tidings()
        request = ShareBudget(self._system_id, max(BLOCK, count), count, tidings, is_bulk=self._is_bulk)
        with transaction.atomic():
            (answer,) = budgets.share([request], timezone.now())
        self._asked_at = asked_at
        self.measure(answer.calls, answer.slot, asked_at, is_told=answer.is_told)
