"""The engine's Store on Django's database.

On SQLite every transaction begins immediate and is on disk when it ends; on PostgreSQL rows are locked, and claims
skip what another worker holds.  Nothing here calls another system.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from integrations.engine import effects
from integrations.engine.ports import ClaimedLane, ClaimedReading
from integrations.store import claims, configuration, lanes, readings, systems


class DjangoStore:
    """Carries out the engine's requests, several in one transaction."""

    def __init__(self, random: random_module.Random | None = None) -> None:
        self._random = random or random_module.SystemRandom()
        self._config = configuration.Configuration()

    def has_work(self, now: datetime) -> bool:
        """Whether a claim would find something; takes no lock."""
        return claims.has_work(now)

    def claim_lanes(
        self, owner: str, now: datetime, lease_s: int, limit: int, busy: Collection[int] = ()
    ) -> list[ClaimedLane]:
        """Lease lanes that are due."""
        return claims.claim_lanes(owner, now, lease_s, limit, busy)

    def claim_readings(
        self, now: datetime, lease_s: int, limit: int, busy: Collection[int] = ()
    ) -> list[ClaimedReading]:
        """Take tickets whose history is due to be read."""
        return claims.claim_readings(now, lease_s, limit, busy)

    def is_failing(self, system_id: int) -> bool:
        """Whether the system's last known state is a streak of failures."""
        return system_id in self._config.failing

    def carry_out(self, requests: Sequence[effects.Request], now: datetime) -> list[Any]:
        """Do the requests in order in one transaction; either all of them are stored or none."""
        if not self._config.is_fresh(now):
            self._config = configuration.load(now)
        with transaction.atomic():
            return [self._carry_out(request, now) for request in requests]

    def _carry_out(self, request: effects.Request, now: datetime) -> Any:
        match request:
            case effects.LoadHead():
                return lanes.load_head(request, self._config)
            case effects.StoreReading():
                return readings.store_reading(request, self._config, now)
            case effects.MarkSent():
                return lanes.mark_sent(request)
            case effects.Finish():
                return lanes.finish(request, now)
            case effects.StoreCreated():
                return lanes.store_created(request, now)
            case effects.Release():
                return lanes.release(request)
            case effects.Park():
                return lanes.park(request)
            case effects.NoteReadFailure():
                return readings.note_read_failure(request, now)
            case effects.NoteSystemFailure():
                self._config.failing.add(request.system_id)
                return systems.note_failure(request, self._random, now)
            case effects.NoteSystemAnswer():
                self._config.failing.discard(request.system_id)
                return systems.note_answer(request)
            case _:
                raise TypeError(f"The store does not know {type(request).__name__}.")
