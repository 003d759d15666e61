"""The engine's Store on Django's database.

On SQLite every transaction begins immediate and is on disk when it ends; on PostgreSQL rows are locked, and claims
skip what another worker holds.  Nothing here calls another system.
"""

from __future__ import annotations

import logging
import random as random_module
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from integrations.engine import effects
from integrations.engine.ports import NO_LIMITS, ClaimedLane, ClaimedReading, Room
from integrations.store import budgets, claims, configuration, heads, lanes, locks, readings, systems

logger = logging.getLogger(__name__)


class DjangoStore:
    """Carries out the engine's requests, several in one transaction."""

    def __init__(self, random: random_module.Random | None = None) -> None:
        self._random = random or random_module.SystemRandom()
        self._config = configuration.Configuration()

    def has_work(self, now: datetime, busy: Collection[int] = ()) -> bool:
        """Whether a claim would find something; takes no lock."""
        return claims.has_work(now, busy)

    def has_work_in(self, system_id: int, now: datetime) -> bool:
        """Whether something is due in one system; takes no lock."""
        return claims.has_work_in(system_id, now)

    def claim(
        self,
        owner: str,
        now: datetime,
        lease_s: int,
        limit: int,
        busy: Collection[int] = (),
        room: Room = NO_LIMITS,
    ) -> tuple[list[ClaimedLane], list[ClaimedReading]]:
        """Lease lanes that are due, and take tickets whose history is due to be read; `limit` of both together."""
        return claims.claim(owner, now, lease_s, limit, busy, room)

    def is_failing(self, system_id: int) -> bool:
        """Whether the system's last known state is a streak of failures."""
        return system_id in self._config.failing

    def carry_out(self, requests: Sequence[effects.Request], now: datetime) -> list[Any]:
        """Do the requests in one transaction and return their results in the same order; all are stored or none.

        Requests of one kind are done together, the kinds in an order that lets each step's own requests follow one
        another: what ends a delivery comes before the next head is loaded.
        """
        if not self._config.is_fresh(now):
            self._config = configuration.load(now, self._config)
        return locks.again_if_sacrificed(
            lambda: self._in_one(requests, now),
            lambda: logger.warning("transaction_sacrificed", extra={"requests": len(requests)}),
        )

    def _in_one(self, requests: Sequence[effects.Request], now: datetime) -> list[Any]:
        results: list[Any] = [None] * len(requests)
        with transaction.atomic():
            locks.take(requests)
            for places in _rounds(requests):
                answers = self._together([requests[place] for place in places], now)
                for place, answer in zip(places, answers, strict=True):
                    results[place] = answer
        return results

    def _together(self, requests: list[Any], now: datetime) -> Sequence[Any]:
        """Requests of one kind."""
        match requests[0]:
            case effects.LoadHead():
                return heads.load_heads(requests, self._config, now)
            case effects.StoreReading():
                return readings.store_readings(requests, self._config, now)
            case effects.StoreCreated():
                return lanes.store_created(requests, now)
            case effects.StoreFollowUp():
                return lanes.store_follow_ups(requests, now)
            case effects.MarkSent():
                return lanes.mark_sent(requests)
            case effects.Finish():
                return lanes.finish(requests, now)
            case effects.ShareBudget():
                return budgets.share(requests, now)
            case _:
                return [self._alone(request, now) for request in requests]

    def _alone(self, request: effects.Request, now: datetime) -> Any:
        match request:
            case effects.Release():
                return lanes.release(request)
            case effects.Withdraw():
                return lanes.withdraw(request)
            case effects.Park():
                return lanes.park(request)
            case effects.NoteReadFailure():
                return readings.note_read_failure(request, now)
            case effects.NoteSystemFailure():
                self._config.failing.add(request.system_id)
                return systems.note_failure(request, self._random, now)
            case effects.NoteSystemAnswer():
                self._config.failing.discard(request.system_id)
                return systems.note_answer(request, now)
            case _:
                raise TypeError(f"The store does not know {type(request).__name__}.")


_ORDER = (
    effects.StoreReading,
    effects.StoreCreated,
    effects.StoreFollowUp,
    effects.MarkSent,
    effects.Finish,
    effects.Release,
    effects.Withdraw,
    effects.Park,
    effects.NoteReadFailure,
    effects.NoteSystemFailure,
    effects.NoteSystemAnswer,
    effects.ShareBudget,
    effects.LoadHead,
)


def _rounds(requests: Sequence[effects.Request]) -> Iterator[list[int]]:
    """The places of requests that may be done together, kind by kind; a ticket's second reading comes by itself."""
    by_kind: dict[type, list[int]] = {}
    for place, request in enumerate(requests):
        by_kind.setdefault(type(request), []).append(place)
    for kind in sorted(by_kind, key=_ORDER.index):
        left = by_kind[kind]
        while left:
            first: dict[int, int] = {}
            for place in left:
                request = requests[place]
                first.setdefault(
                    request.ticket_id if isinstance(request, effects.StoreReading) else place, place
                )
            yield list(first.values())
            left = [place for place in left if place not in first.values()]
