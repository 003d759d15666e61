"""One worker's share of every system's budget: its gates, and what they report and ask for.

The gates are passed by threads; the purse is carried between them and the database by the thread that has the
database.  A system without a limit costs a question every two seconds and a note of the calls every five.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from integrations.connectors.gate import PLENTY, Gate
from integrations.engine.effects import ShareBudget, Shared

# How long it is believed that a system has no limit.
BELIEVED_S = 2.0
# How long calls may be counted here alone, and how long what was told waits to be shared.
NOTED_EVERY_S = 5.0
URGENT_S = 0.1
# Two questions for more calls of one system are so far apart.
ASKED_EVERY_S = 0.05
# Calls that a step takes, before anybody has counted.
FIRST_COST = 3.0


@dataclass(slots=True)
class _Account:
    """What is known here of one system."""

    gate: Gate
    # Both on the monotonic clock.
    noted_at: float
    asked_at: float = -math.inf
    free_at: datetime | None = None
    is_bulk_free: bool = True
    steps: int = 0
    made_before: int = 0
    cost: float = FIRST_COST
    enough: int = 1
    held: int = 0


class Purse:
    """Kept by a worker for as long as it lives.  `gate` may be called by any thread, the rest by one.

    `clock` is a monotonic one, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._accounts: dict[int, _Account] = {}

    def gate(self, system_id: int) -> Gate:
        """The gate of a system's connector."""
        if system_id not in self._accounts:
            self._accounts[system_id] = _Account(Gate(self._clock, is_shared=True), noted_at=self._clock())
        return self._accounts[system_id].gate

    def due(self, now: datetime, room: int, has_work: Callable[[int], bool]) -> list[ShareBudget]:
        """What is to be reported and asked for before the next claim, which has room for so many steps."""
        at = self._clock()
        requests = []
        for system_id, account in list(self._accounts.items()):
            wanted = self._wanted(account, room, at)
            is_out = wanted and account.free_at is not None and account.free_at > now
            if wanted and (is_out or not has_work(system_id)):
                wanted = 0
            if wanted or self._has_news(account, at):
                requests.append(self._request(system_id, account, wanted))
        return requests

    def ask(self, system_id: int, now: datetime) -> ShareBudget | None:
        """The question for more calls of one system, when a step under way has none left; None if it is too soon."""
        account = self._accounts[system_id]
        is_out = account.free_at is not None and account.free_at > now
        is_soon = self._clock() - account.asked_at < ASKED_EVERY_S
        if (is_out or is_soon) and not account.gate.is_new:
            return None
        return self._request(system_id, account, _need(account), least=max(1, account.gate.short_of))

    def take(self, requests: Sequence[ShareBudget], answers: Sequence[Shared], asked_at: float) -> None:
        """Put away what was allowed.  `asked_at` is the monotonic clock before the question."""
        for request, answer in zip(requests, answers, strict=True):
            account = self._accounts[request.system_id]
            account.asked_at = account.noted_at = asked_at
            account.free_at = answer.free_at
            account.is_bulk_free = answer.bulk
            account.gate.measure(answer.calls, answer.slot, asked_at, is_told=answer.is_told)
            if answer.calls and request.least > 1:
                # A small limit may not allow as many at once as a step takes on average.
                account.enough = min(request.least, answer.calls)

    def may_call(self, system_id: int) -> bool:
        """Whether a remote call may begin: with luck all its requests go through."""
        account = self._accounts.get(system_id)
        if account is None:
            return True
        allowed = account.gate.allowed
        return not account.gate.closed_s and (allowed is None or allowed >= max(1, account.gate.short_of))

    def held(self, system_id: int, now: datetime) -> float:
        """Count a call that was not begun; the seconds after which it is worth trying again."""
        account = self._accounts[system_id]
        account.held += 1
        waits = [account.gate.closed_s, ASKED_EVERY_S]
        if account.free_at is not None:
            waits.append((account.free_at - now).total_seconds())
        return max(waits)

    def began(self, system_id: int) -> None:
        """Count a step, so that the price of one is known."""
        if (account := self._accounts.get(system_id)) is None:
            return
        account.steps += 1
        if account.steps >= PLENTY:
            made = account.gate.made
            account.cost = max(1.0, (made - account.made_before) / account.steps)
            account.steps, account.made_before = 0, made

    def rooms(self, room: int) -> dict[int, int]:
        """How many steps the calls at hand pay for, of systems where they do not pay for `room`."""
        found = {}
        for system_id, account in self._accounts.items():
            allowed = 0 if account.gate.closed_s else account.gate.allowed
            if allowed is not None and allowed < room * account.cost:
                found[system_id] = int(allowed // account.cost) or int(allowed >= account.enough)
        return found

    def without_bulk(self) -> list[int]:
        """Systems that have calls left for live work alone."""
        return [system_id for system_id, account in self._accounts.items() if not account.is_bulk_free]

    def _wanted(self, account: _Account, room: int, at: float) -> int:
        allowed = account.gate.allowed
        if allowed is None and account.asked_at == -math.inf:
            # Nobody has asked yet whether there is a limit.
            allowed = 0
        if allowed is None or room <= 0 or at - account.asked_at < ASKED_EVERY_S:
            return 0
        enough = math.ceil(room * account.cost)
        return min(PLENTY, enough - allowed) if allowed < enough / 2 else 0

    def _has_news(self, account: _Account, at: float) -> bool:
        since = at - account.asked_at
        if account.gate.allowed is None and since > BELIEVED_S:
            return True
        if account.gate.is_new or (account.gate.is_urgent and since > URGENT_S):
            return True
        return at - account.noted_at > NOTED_EVERY_S

    def _request(
        self, system_id: int, account: _Account, wanted: int, least: int | None = None
    ) -> ShareBudget:
        held, account.held = account.held, 0
        needed = _need(account) if least is None else least
        return ShareBudget(system_id, wanted, needed, account.gate.tidings(), held)


def _need(account: _Account) -> int:
    return max(1, math.ceil(account.cost), account.gate.short_of)
