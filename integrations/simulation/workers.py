"""A worker process in virtual time: claims, runs steps side by side, commits what they ask for together.

It does what `integrations.runtime.drain` does, and may be killed or frozen wherever that would wait.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from integrations.connectors.errors import ConnectorError, Garbled, HeldBack, NotSent, RateLimited
from integrations.connectors.rates import Told
from integrations.engine import effects
from integrations.engine.deliver import deliver_lane
from integrations.engine.ports import NO_LIMITS, ClaimedLane, ClaimedReading, Room
from integrations.engine.purse import Purse
from integrations.engine.read import read_ticket
from integrations.simulation.clock import milliseconds
from integrations.simulation.journal import Claimed, Sent

if TYPE_CHECKING:
    from integrations.simulation.world import World

LEASE_S = 60
# How soon to look again where work waits for calls alone.
LOOK_AGAIN_MS = 300
# Every so many claims work that can wait comes first.
BULK_EVERY = 8
# The share of the calls in flight that one system may take.
SHARE_OF_ONE_SYSTEM = 0.75


@dataclass(slots=True, eq=False)
class Fiber:
    """One step under way."""

    steps: effects.Steps
    claim: ClaimedLane | ClaimedReading
    claimed_ms: int
    requests: tuple[effects.Request, ...] = ()
    marked: tuple[effects.MarkSent, ...] = ()


class Worker:
    """One process.  What it holds in memory is gone when it is killed."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.store = world.stage.open_store(world.chance)
        self.is_alive = True
        self.frozen_until = 0
        self.flying: dict[Fiber, int] = {}
        self.asking: deque[Fiber] = deque()
        self.is_committing = False
        # Until when a system asked to be left alone, as this process has heard it.
        self.closed_until: dict[int, int] = {}
        self._look_ms: int | None = None
        # Only where calls are limited: everywhere else a worker that asks has nothing to gain.
        self.purse: Purse | None = None
        self._claims = 0
        if world.has_limits:
            self.purse = Purse(lambda: world.clock.ms / 1000)
            for system_id in world.keys:
                self.purse.gate(system_id)

    # Time.

    def later(self, ms: int, act: Callable[[], None]) -> None:
        """Do something so much later, unless killed by then; not before thawing."""
        self.world.agenda.after(ms, lambda: self._act(act))

    def _act(self, act: Callable[[], None]) -> None:
        if not self.is_alive:
            return
        now = self.world.clock.ms
        if now < self.frozen_until:
            self.world.agenda.at(self.frozen_until, lambda: self._act(act))
            return
        act()

    def pass_point(self, point: str, go_on: Callable[[], None]) -> None:
        """Go on, unless this is where the worker is killed or frozen."""
        world = self.world
        fault = world.mishaps.of_point(point, world.clock.ms)
        if fault is None:
            go_on()
        elif fault.kind.startswith("kill"):
            world.journal.figures["kills"] += 1
            world.journal.traced(f"{world.clock.ms} worker {self.number} killed {point}")
            self.die()
        else:
            world.journal.figures["freezes"] += 1
            world.journal.traced(f"{world.clock.ms} worker {self.number} frozen {point}")
            self.frozen_until = max(self.frozen_until, world.clock.ms + fault.ms)
            self.later(0, go_on)

    def die(self) -> None:
        """Everything in memory is gone; another process takes the place."""
        self.is_alive = False
        for fiber in [*self.flying, *self.asking]:
            fiber.steps.close()
        self.world.replace(self)

    # Claims.

    def look_within(self, ms: int) -> None:
        """See to it that the worker looks for work no later than this."""
        at = self.world.clock.ms + ms
        if self._look_ms is not None and self._look_ms <= at:
            return
        self._look_ms = at
        self.later(ms, lambda: self._look(at))

    def _look(self, at: int) -> None:
        if self._look_ms != at:
            return
        self._look_ms = None
        world = self.world
        now = world.clock.now()
        free = world.schedule.calls_in_flight - len(self.flying) - len(self.asking)
        if free <= 0:
            # When a place gets free the worker looks again by itself.
            return
        if world.is_database_down():
            self.look_within(1_000)
            return
        room = self._share_budgets(free) if self.purse else NO_LIMITS
        if not self.store.has_work(now, [pk for pk, steps in room.steps.items() if not steps]):
            if room.steps and self.store.has_work(now):
                self.look_within(LOOK_AGAIN_MS)
            self._look_when_due()
            return
        lanes, readings = self.store.claim(
            f"worker {self.number}", now, LEASE_S, free, self._busy_systems(), room
        )
        if self.purse:
            for system_id in [one.system_id for one in lanes] + [one.system_id for one in readings]:
                self.purse.began(system_id)
        world.note_claims(self, lanes)
        world.journal.traced(
            f"{world.clock.ms} worker {self.number} claims {world.names.of(lanes)} {world.names.of(readings)}"
        )
        if not lanes and not readings:
            self._look_when_due()
            return
        claimed_ms = world.clock.ms
        self.pass_point("claim", lambda: self._start(lanes, readings, claimed_ms))

    def _look_when_due(self) -> None:
        due = self.world.stage.next_due(self.world.clock.now())
        if due is not None:
            self.look_within(max(1, milliseconds(due) - self.world.clock.ms))

    def _start(self, lanes: list[ClaimedLane], readings: list[ClaimedReading], claimed_ms: int) -> None:
        context = self.world.context
        for lane in lanes:
            self._advance(Fiber(deliver_lane(lane, context), lane, claimed_ms), None)
        for reading in readings:
            self._advance(Fiber(read_ticket(reading, context), reading, claimed_ms), None)
        self.look_within(10)

    def _busy_systems(self) -> list[int]:
        limit = self.world.schedule.calls_in_flight * SHARE_OF_ONE_SYSTEM
        counts = Counter(fiber.claim.system_id for fiber in self.flying)
        return [system_id for system_id, count in counts.items() if count >= limit]

    # Budgets.

    def _share_budgets(self, free: int) -> Room:
        """Report what was called and told, ask for what is needed next, and tell what the calls at hand pay for."""
        assert self.purse is not None
        now = self.world.clock.now()
        self._ask_for_calls(self.purse.due(now, free, lambda pk: self.store.has_work_in(pk, now)))
        self._claims += 1
        is_bulk_first = self._claims % BULK_EVERY == 0
        return Room(self.purse.rooms(free), () if is_bulk_first else self.purse.without_bulk(), is_bulk_first)

    def _ask_for_calls(self, requests: Sequence[effects.ShareBudget]) -> None:
        if not (self.purse and requests):
            return
        world = self.world
        answers = self.store.carry_out(requests, world.clock.now())
        world.committed(self, requests, answers)
        self.purse.take(requests, answers, world.clock.ms / 1000)

    def _may_call(self, system_id: int) -> bool:
        if self.purse is None:
            return True
        if not self.purse.may_call(system_id) and not self.world.is_database_down():
            if request := self.purse.ask(system_id, self.world.clock.now()):
                self._ask_for_calls([request])
        return self.purse.may_call(system_id)

    # Steps.

    def _advance(self, fiber: Fiber, result: Any) -> None:
        if not self.is_alive:
            return
        world = self.world
        try:
            if isinstance(result, ConnectorError):
                wanted = fiber.steps.throw(result)
            else:
                wanted = fiber.steps.send(result)
        except StopIteration:
            self.look_within(1)
            return
        except Exception as error:  # noqa: BLE001 - what breaks a step is what we want to hear of
            world.broke(fiber, error)
            self._park_broken(fiber)
            return
        if isinstance(wanted, effects.Call):
            wait_ms = self.closed_until.get(wanted.system_id, 0) - world.clock.ms
            if wait_ms > 0:
                self._advance(fiber, HeldBack("It asked us to slow down.", retry_after_s=wait_ms / 1000))
                return
            if self.purse and not self._may_call(wanted.system_id):
                held_s = self.purse.held(wanted.system_id, world.clock.now())
                self._advance(fiber, HeldBack("The calls are used up.", retry_after_s=held_s))
                return
            self.flying[fiber] = wanted.system_id
            sent = world.asked(self, fiber, wanted)
            self.pass_point("before_call", lambda: self._connect(fiber, sent))
        else:
            fiber.requests = wanted
            self.asking.append(fiber)
            self._ask()

    def _park_broken(self, fiber: Fiber) -> None:
        """Stop the lane of a step that broke where people see it."""
        now = self.world.clock.now()
        request: effects.Request
        if isinstance(fiber.claim, ClaimedLane):
            request = effects.Park(fiber.claim.id, fiber.claim.fence, 0, "unforeseen", "It broke.", now)
        else:
            request = effects.NoteReadFailure(fiber.claim.ticket_id, Garbled("It broke."), now)
        self.world.committed(self, [request], self.store.carry_out([request], now))

    # Calls.

    def _connect(self, fiber: Fiber, sent: Sent) -> None:
        self.later(
            self.world.network.connecting_ms(),
            lambda: self.pass_point("leaving", lambda: self._leave(fiber, sent)),
        )

    def _leave(self, fiber: Fiber, sent: Sent) -> None:
        world = self.world
        if not world.guard_lets_pass(sent):
            self._land(fiber, sent, NotSent("The lease had run down."))
            return
        if self.purse:
            try:
                self.purse.gate(sent.call.system_id).enter()
            except HeldBack as error:
                self._land(fiber, sent, error)
                return
        world.network.leave(sent, lambda ms, result: self._will_land(ms, fiber, sent, result))

    def _will_land(self, ms: int, fiber: Fiber, sent: Sent, result: Any) -> None:
        self.later(ms, lambda: self._land(fiber, sent, result))

    def _land(self, fiber: Fiber, sent: Sent, result: Any) -> None:
        def go_on() -> None:
            world = self.world
            sent.answered_ms = world.clock.ms
            sent.error = result if isinstance(result, ConnectorError) else None
            self.flying.pop(fiber, None)
            world.answered(sent, result)
            if self.purse and sent.left_ms is not None:
                self._hear(sent, result)
            if isinstance(result, RateLimited) and not isinstance(result, HeldBack) and result.retry_after_s:
                until = world.clock.ms + int(result.retry_after_s * 1000)
                self.closed_until[sent.call.system_id] = until
            if not isinstance(result, ConnectorError) and self.store.is_failing(sent.call.system_id):
                request = effects.NoteSystemAnswer(sent.call.system_id)
                if not world.is_database_down():
                    world.committed(self, [request], self.store.carry_out([request], world.clock.now()))
            self._advance(fiber, result)

        self.pass_point("after_call", go_on)

    def _hear(self, sent: Sent, result: Any) -> None:
        """Note what the answer told of the system's limit; what the others have to know they are told at once."""
        assert self.purse is not None
        assert sent.left_ms is not None
        gate = self.purse.gate(sent.call.system_id)
        wait_s = result.retry_after_s if isinstance(result, RateLimited) else None
        told = sent.told or (Told(wait_s=wait_s) if wait_s else None)
        if not isinstance(result, ConnectorError) or isinstance(result, RateLimited):
            gate.hear(told, sent.left_ms / 1000)
        if told is None and not isinstance(result, ConnectorError):
            gate.hear_nothing(sent.left_ms / 1000)
        if gate.is_new or gate.is_urgent:
            self.look_within(1)

    # Commits.

    def _ask(self) -> None:
        """Begin a transaction with what is asked for by then, unless one is under way."""
        if not self.is_committing:
            self.is_committing = True
            self.later(
                self.world.network.random.randint(1, 6),
                lambda: self.pass_point("before_commit", self._commit),
            )

    def _commit(self) -> None:
        world = self.world
        if world.is_database_down():
            # The loop ends with the error; leases run out by themselves and nothing is half done.
            world.journal.figures["commits refused"] += 1
            self.die()
            return
        batch = list(self.asking)
        self.asking.clear()
        requests = [request for fiber in batch for request in fiber.requests]
        results = self.store.carry_out(requests, world.clock.now())
        world.committed(self, requests, results)
        self.pass_point("after_commit", lambda: self._distribute(batch, results))
        world.nudge()

    def _distribute(self, batch: list[Fiber], results: list[Any]) -> None:
        self.is_committing = False
        taken = iter(results)
        for fiber in batch:
            answers = tuple(next(taken) for _ in fiber.requests)
            marks = tuple(
                request
                for request, answer in zip(fiber.requests, answers, strict=True)
                if isinstance(request, effects.MarkSent) and answer
            )
            if marks:
                fiber.marked = marks
            self._advance(fiber, answers)
        if self.asking:
            self._ask()


def claimed(worker: Worker, lane: ClaimedLane, due_since_ms: int, *, was_held: bool) -> Claimed:
    """The journal's note of a claim."""
    return Claimed(
        worker.world.clock.ms,
        worker.number,
        lane.id,
        lane.fence,
        lane.leased_until,
        due_since_ms,
        was_held,
    )
