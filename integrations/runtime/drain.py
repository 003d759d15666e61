"""The loop: claims what is due, runs many steps side by side, and commits what they ask for together.

Remote calls run in threads and overlap, so that a system 50 ms away costs waiting and not throughput.  Everything
that touches the database happens in the loop's own thread; what several steps ask for at the same moment becomes one
transaction, so that the price of a commit is shared.
"""

from __future__ import annotations

import logging
import random as random_module
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DatabaseError, OperationalError

from integrations.connectors.errors import ConnectorError, Garbled, HeldBack, TimedOut
from integrations.engine import effects
from integrations.engine.deliver import deliver_lane
from integrations.engine.ports import ClaimedLane, ClaimedReading, Clock, Context, Room, Store
from integrations.engine.read import read_ticket
from integrations.runtime.calls import carry_out
from integrations.runtime.connectors import Connectors

logger = logging.getLogger(__name__)

# How often to look for new work while lingering, and how long to linger after the last of it.
LOOK_EVERY_S = 0.01
LINGER_S = 1.0
# The share of the calls in flight that one system may take, so that a slow one leaves room for the others.
SHARE_OF_ONE_SYSTEM = 0.75
# Steps under way in a system that did not answer in time, until it does: each keeps a place for the whole time limit.
STEPS_IN_A_SILENT_SYSTEM = 2
# Every so many claims bulk work comes first.
BULK_EVERY = 8
HELD_BACK = "The calls that the system's limit allows at the moment are used up."
# After a step broke in an unforeseen way its ticket is looked at again this much later.
BROKEN_RETRY_S = 60


def _without_room(rooms: Mapping[int, int]) -> list[int]:
    return [system_id for system_id, steps in rooms.items() if not steps]


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)


@dataclass(slots=True)
class Report:
    """What a drain did."""

    steps: int = 0
    calls: int = 0
    transactions: int = 0
    broken: int = 0


@dataclass(slots=True, eq=False)
class _Fiber:
    """One step under way."""

    steps: effects.Steps
    claim: ClaimedLane | ClaimedReading
    requests: tuple[effects.Request, ...] = ()
    answered: int | None = None


@dataclass(slots=True)
class Drain:
    """Works until nothing is due or the time is over."""

    store: Store
    connectors: Connectors
    owner: str
    clock: Clock = field(default_factory=SystemClock)
    random: random_module.Random = field(default_factory=random_module.SystemRandom)
    lease_s: int = 60
    request_timeout_s: float = 20.0
    calls_in_flight: int = 64
    report: Report = field(default_factory=Report)
    _pool: ThreadPoolExecutor | None = None
    _flying: dict[Future, _Fiber] = field(default_factory=dict)
    _asking: deque[_Fiber] = field(default_factory=deque)
    # What was under way when the time was over.
    _left_over: set[_Fiber] = field(default_factory=set)
    _claims: int = 0

    def run(
        self,
        *,
        for_s: float,
        linger_s: float = LINGER_S,
        stop: Callable[[], bool] = lambda: False,
        hand_over: Callable[[], None] = lambda: None,
    ) -> Report:
        """Drain for at most `for_s` seconds; return earlier when nothing was due for `linger_s`.

        When the time is over, what is under way comes to its end.  That may take a while, so that `hand_over` is called
        before it: somebody else has to look for work from there on.  Nobody else may be free, though, when several
        workers wait for a system that does not answer, and so the others' work is claimed here until it has ended.
        """
        started = last_work = time.monotonic()
        look_at = started
        is_handed_over = False
        with ThreadPoolExecutor(self.calls_in_flight, thread_name_prefix="call") as pool:
            self._pool = pool
            while True:
                now = time.monotonic()
                is_in_time = now - started < for_s and not stop()
                if not is_in_time and not is_handed_over:
                    is_handed_over = True
                    self._left_over = set(self._flying.values())
                    hand_over()
                is_open = is_in_time or (self._has_left_over() and not stop())
                if is_open and now >= look_at:
                    found = self._claim()
                    look_at = now if found else now + LOOK_EVERY_S
                    last_work = now if found else last_work
                self._ask_store()
                if self._flying:
                    timeout_s = max(0.0, look_at - time.monotonic()) if is_open else None
                    # With every place taken there is nothing to look for until a call comes back.
                    is_full = len(self._flying) >= self.calls_in_flight
                    self._land(None if is_full else timeout_s)
                    last_work = time.monotonic()
                elif not self._asking:
                    # Nothing was found at the start: no reason to linger for what never began.
                    patience_s = linger_s if self.report.steps else 0.0
                    if not is_open or now - last_work >= patience_s:
                        return self.report
                    time.sleep(LOOK_EVERY_S)

    def _has_left_over(self) -> bool:
        """Whether something still runs that was under way when the time was over."""
        return not self._left_over.isdisjoint(self._flying.values())

    def _claim(self) -> int:
        """Start steps for what is due; returns how many."""
        free = self.calls_in_flight - len(self._flying) - len(self._asking)
        now = self.clock.now()
        purse = self.connectors.purse
        self._share_budgets(now, free)
        flying = Counter(fiber.claim.system_id for fiber in self._flying.values())
        silent = self._silent_rooms(flying)
        if free <= 0 or not self.store.has_work(now, _without_room({**purse.rooms(free), **silent})):
            return 0
        for system_id, error in self.connectors.refresh(now).items():
            self._transact([effects.NoteSystemFailure(system_id, error, now)])
        # Systems opened just now have been asked about by nobody.
        self._share_budgets(now, free)
        room = self._room(free, silent, flying)
        busy = [pk for pk in flying if room.free_share(pk, 0) <= 0] + [*self.connectors.refused]
        lanes, readings = self.store.claim(self.owner, now, self.lease_s, free, busy, room)
        context = Context(self.clock, self.random, self.connectors, self.lease_s, self.request_timeout_s)
        for lane in lanes:
            self._advance(_Fiber(deliver_lane(lane, context), lane), None)
        for reading in readings:
            self._advance(_Fiber(read_ticket(reading, context), reading), None)
        for system_id in [one.system_id for one in lanes] + [one.system_id for one in readings]:
            purse.began(system_id)
        self.report.steps += len(lanes) + len(readings)
        return len(lanes) + len(readings)

    def _silent_rooms(self, flying: Mapping[int, int]) -> dict[int, int]:
        """How many more steps may begin in systems whose last call ran out of time."""
        most = STEPS_IN_A_SILENT_SYSTEM
        return {pk: max(0, most - flying.get(pk, 0)) for pk in self.connectors.silent}

    def _room(self, free: int, silent: Mapping[int, int], flying: Mapping[int, int]) -> Room:
        """What the calls at hand pay for, and of one system a part of the places and no more than it takes.

        Now and then bulk work comes first, however much live work there is.
        """
        purse = self.connectors.purse
        self._claims += 1
        bulk_first = self._claims % BULK_EVERY == 0
        rooms = purse.rooms(free)
        steps = rooms | {pk: min(most, rooms.get(pk, most)) for pk, most in silent.items()}
        share = int(self.calls_in_flight * SHARE_OF_ONE_SYSTEM)
        shares = {pk: min(share, most) for pk, most in self.connectors.steps_at_once.items()}
        return Room(steps, () if bulk_first else purse.without_bulk(), bulk_first, share, shares, flying)

    def _share_budgets(self, now: datetime, free: int) -> None:
        """Report to the shared budgets what was called and told, and ask for what is needed next."""
        requests = self.connectors.purse.due(now, free, lambda pk: self.store.has_work_in(pk, now))
        self._ask_for_calls(requests)

    def _ask_for_calls(self, requests: list[effects.ShareBudget]) -> None:
        if requests:
            asked_at = time.monotonic()
            self.connectors.purse.take(requests, self._transact([*requests]), asked_at)

    def _may_call(self, system_id: int) -> bool:
        purse = self.connectors.purse
        if not purse.may_call(system_id) and (request := purse.ask(system_id, self.clock.now())):
            self._ask_for_calls([request])
        return purse.may_call(system_id)

    def _advance(self, fiber: _Fiber, result: Any) -> None:
        """Resume a step with a result or an error, and send what it yields next on its way."""
        try:
            if isinstance(result, ConnectorError):
                wanted = fiber.steps.throw(result)
            else:
                wanted = fiber.steps.send(result)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - the outermost loop: one broken step stops its own lane only
            self._broken(fiber, error)
            return
        if isinstance(wanted, effects.Call):
            assert self._pool is not None
            if not self._may_call(wanted.system_id):
                wait_s = self.connectors.purse.held(wanted.system_id, self.clock.now())
                self._advance(fiber, HeldBack(HELD_BACK, retry_after_s=wait_s))
                return
            self.report.calls += 1
            self._flying[self._pool.submit(carry_out, wanted, self.connectors, self.clock)] = fiber
            fiber.answered = wanted.system_id
        else:
            fiber.requests = wanted
            self._asking.append(fiber)

    def _ask_store(self) -> None:
        """Carry out what the waiting steps ask for: together, or each alone when together fails."""
        while self._asking:
            batch = list(self._asking)
            self._asking.clear()
            try:
                results = self._transact([request for fiber in batch for request in fiber.requests])
            except OperationalError:
                # The database is away or busy: leases run out by themselves and nothing is half done.
                raise
            except (DatabaseError, ConnectorError, LookupError, ValueError, TypeError, AttributeError):
                logger.warning("batch_failed", exc_info=True, extra={"steps": len(batch)})
                for fiber in batch:
                    self._ask_alone(fiber)
                continue
            taken = iter(results)
            for fiber in batch:
                self._advance(fiber, tuple(next(taken) for _ in fiber.requests))

    def _ask_alone(self, fiber: _Fiber) -> None:
        try:
            results = self._transact(fiber.requests)
        except OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - the outermost loop: one broken step stops its own lane only
            self._broken(fiber, error)
            return
        self._advance(fiber, tuple(results))

    def _transact(self, requests: list[effects.Request] | tuple[effects.Request, ...]) -> list[Any]:
        self.report.transactions += 1
        return self.store.carry_out(requests, self.clock.now())

    def _land(self, timeout_s: float | None) -> None:
        """Take in calls that have come back."""
        done, _ = wait(self._flying, timeout=timeout_s, return_when=FIRST_COMPLETED)
        for future in done:
            fiber = self._flying.pop(future)
            error = future.exception()
            self._note_silence(fiber, error)
            if error is None:
                self._note_answer(fiber)
                self._advance(fiber, future.result())
            elif isinstance(error, ConnectorError):
                self._advance(fiber, error)
            else:
                logger.error("call_broke", exc_info=error)
                broke = Garbled("The call broke in an unforeseen way.", outcome_unknown=True)
                self._advance(fiber, broke)

    def _note_silence(self, fiber: _Fiber, error: BaseException | None) -> None:
        """Remember which systems keep calls waiting for the whole time limit; any answer ends it."""
        if fiber.answered is None:
            return
        if isinstance(error, TimedOut):
            self.connectors.silent.add(fiber.answered)
        elif error is None:
            self.connectors.silent.discard(fiber.answered)

    def _note_answer(self, fiber: _Fiber) -> None:
        if fiber.answered is not None and self.store.is_failing(fiber.answered):
            self._transact([effects.NoteSystemAnswer(fiber.answered)])

    def _broken(self, fiber: _Fiber, cause: Exception) -> None:
        """A step that broke stops its own lane or ticket where people see it, and nothing else."""
        logger.error("step_broke", exc_info=cause, extra={"claim": repr(fiber.claim)})
        self.report.broken += 1
        fiber.steps.close()
        now = self.clock.now()
        error = Garbled("Something unforeseen happened here; the details are in the log.")
        request: effects.Request
        if isinstance(fiber.claim, ClaimedLane):
            request = effects.Park(
                fiber.claim.id, fiber.claim.fence, 0, "unforeseen", error.message, now, None
            )
        else:
            retry_at = now + timedelta(seconds=BROKEN_RETRY_S)
            request = effects.NoteReadFailure(fiber.claim.ticket_id, error, retry_at)
        self._transact([request])
