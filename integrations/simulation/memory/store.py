"""The store itself: requests that are carried out together, as one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from integrations.connectors.errors import HeldBack, Refused
from integrations.engine import effects
from integrations.simulation.memory.claims import Claims
from integrations.simulation.memory.picture import FRESH_FOR
from integrations.simulation.memory.readings import Readings
from integrations.simulation.memory.systems import Systems


class MemoryStore(Claims, Readings, Systems):
    """One worker's store: its own picture of the configuration, the memory that everybody shares."""

    def carry_out(self, requests: Sequence[effects.Request], now: datetime) -> list[Any]:
        """Do them together and return their results in the same order."""
        if self._loaded_at is None or now - self._loaded_at >= FRESH_FOR:
            self._load(now)
        results: list[Any] = [None] * len(requests)
        for places in _rounds(requests):
            answers = self._together([requests[place] for place in places], now)
            for place, answer in zip(places, answers, strict=True):
                results[place] = answer
        return results

    def _together(self, requests: list[Any], now: datetime) -> Sequence[Any]:
        match requests[0]:
            case effects.LoadHead():
                return self._load_heads(requests)
            case effects.StoreReading():
                return self._store_readings(requests, now)
            case effects.MarkSent():
                return self._mark_sent(requests)
            case effects.StoreCreated():
                return [self._store_created(request, now) for request in requests]
            case effects.StoreFollowUp():
                return [self._store_follow_up(request, now) for request in requests]
            case effects.Finish():
                return self._finish(requests, now)
            case effects.ShareBudget():
                return [self._share(request, now) for request in requests]
            case _:
                return [self._alone(request, now) for request in requests]

    def _alone(self, request: effects.Request, now: datetime) -> Any:
        match request:
            case effects.Release():
                return self._release(request)
            case effects.Withdraw():
                return self._withdraw(request)
            case effects.Park():
                return self._park(request)
            case effects.NoteReadFailure():
                row = self.memory.tables.tickets[request.ticket_id]
                row.read_failures += 0 if isinstance(request.error, HeldBack) else 1
                row.read_due_at = request.retry_at
                row.is_gone = row.is_gone or request.retry_at is None
                if isinstance(request.error, Refused):
                    row.is_refused, row.told_until = True, None
                return None
            case effects.NoteSystemFailure():
                return self._note_failure(request, now)
            case effects.NoteSystemAnswer():
                return self._note_answer(request, now)
            case _:
                raise TypeError(f"The store does not know {type(request).__name__}.")


_ORDER: dict[type, int] = {
    kind: place
    for place, kind in enumerate(
        (
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
    )
}


def _rounds(requests: Sequence[effects.Request]) -> Iterator[list[int]]:
    """The places of requests that are done together: kind by kind, a ticket's second reading by itself."""
    if len(requests) == 1:
        yield [0]
        return
    by_kind: dict[type, list[int]] = {}
    for place, request in enumerate(requests):
        by_kind.setdefault(type(request), []).append(place)
    for kind in sorted(by_kind, key=_ORDER.__getitem__):
        left = by_kind[kind]
        while left:
            taken: set[object] = set()
            now: list[int] = []
            later: list[int] = []
            for place in left:
                request = requests[place]
                key: object = (
                    request.ticket_id if isinstance(request, effects.StoreReading) else f"place {place}"
                )
                (later if key in taken else now).append(place)
                taken.add(key)
            yield now
            left = later
