"""Mechanisms of writing: recorded before, sent by one alone, looked for where the answer was lost, in order."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from integrations.engine import deliver, effects, following, reading, timing
from integrations.engine.values import DeliveryState, HeadView, Stamp
from integrations.simulation.memory import MemoryStore
from integrations.simulation.mutants.mutant import Mutant
from integrations.simulation.world import Options


def _marks_nothing(store: MemoryStore, requests: list[effects.MarkSent]) -> list[bool]:
    return [store.owns(request) for request in requests]


_load_head = MemoryStore.load_head


def _forgets_that_it_was_sent(store: MemoryStore, request: effects.LoadHead) -> HeadView | None:
    head = _load_head(store, request)
    return replace(head, state=DeliveryState.NEW) if head and head.state is DeliveryState.SENT else head


def _takes_the_next_when_one_fails(store: MemoryStore, request: effects.LoadHead) -> HeadView | None:
    lane = store.memory.tables.lanes[request.lane_id]
    if lane.tries and lane.head < lane.tail and store.owns(request):
        queue = store.memory.queues[lane.id]
        queue[lane.head - 1], queue[lane.head] = queue[lane.head], queue[lane.head - 1]
    return _load_head(store, request)


def _owns_anything(store: MemoryStore, request: Any) -> bool:
    return True


def _no_settling(*args: Any) -> float:
    return 0.0


def _does_not_pull(step: Any, target: Any) -> Generator[effects.Effect, Any, HeadView | None]:
    (head,) = yield (effects.LoadHead(step.lane.id, step.lane.fence, 9),)
    step.head = head
    return head


def _source_time_only(system_id: int, winners: Any, change: Any, found: Any) -> Stamp:
    return Stamp(int(change.at.timestamp() * 1000), system_id)


_settle_fields = reading._settle_fields


def _repairs_nothing(*args: Any) -> dict:
    _settle_fields(*args)
    return {}


_is_due = MemoryStore.is_due


def _ignores_leases(store: MemoryStore, lane: Any, now: Any) -> bool:
    return _is_due(store, replace(lane, leased_until=None), now)


def _looks_at_the_clock(step: Any) -> bool:
    return bool(step.context.clock.now() < step._settles_at())


def _any_number(store: MemoryStore, request: Any, lane: Any, row: Any) -> bool:
    return True


def _only_the_number(store: MemoryStore, request: Any, lane: Any, row: Any) -> bool:
    return bool(row.number == lane.head)


_finish = MemoryStore._finish


def _takes_no_stamps(store: MemoryStore, requests: list[effects.Finish], now: Any) -> list[bool]:
    return _finish(store, [replace(request, accepted=None) for request in requests], now)


def _makes_it_again(step: Any, closed: Any) -> Any:
    """Creates once more what may have been created."""
    return step._follow_up(closed)


def _nobody_else(*given: Any) -> set[int]:
    return set()


WRITING = (
    Mutant(
        "write-ahead",
        "record the attempt before any byte may leave",
        "base",
        frozenset({"I2", "I8", "I9"}),
        ((MemoryStore, "_mark_sent", _marks_nothing),),
    ),
    Mutant(
        "probe",
        "look for a write whose answer was lost before it is sent again",
        "base",
        frozenset({"I2"}),
        ((MemoryStore, "load_head", _forgets_that_it_was_sent),),
    ),
    Mutant(
        "settle",
        "wait until a lost write can no longer turn up by itself",
        "base",
        frozenset({"I2", "I4"}),
        ((timing, "settle_s", _no_settling),),
    ),
    Mutant(
        "fresh look",
        "decide that something is not there by a look begun after it could still turn up",
        "late looks",
        frozenset({"I2", "I4"}),
        ((deliver._Delivering, "_may_still_turn_up", _looks_at_the_clock),),
    ),
    Mutant(
        "fence",
        "store nothing for a claim that is over",
        "hot",
        frozenset({"I7"}),
        ((MemoryStore, "owns", _owns_anything),),
    ),
    Mutant(
        "guard place",
        "ask the guard when the connection stands, right before the bytes leave",
        "frozen",
        frozenset({"I2", "I3", "I7"}),
        options=Options(guards_early=True),
    ),
    Mutant(
        "lease",
        "one worker alone has a lane in hand",
        "hot",
        frozenset({"I7"}),
        ((MemoryStore, "is_due", _ignores_leases),),
    ),
    Mutant(
        "pull before push",
        "read the receiver's history before writing to it",
        "hot",
        frozenset({"I5"}),
        ((deliver._Delivering, "_pull", _does_not_pull),),
    ),
    Mutant(
        "stamps",
        "what is built on a known value is newer than it, whatever the clocks say",
        "skewed",
        frozenset({"I5"}),
        ((reading, "_stamp", _source_time_only),),
    ),
    Mutant(
        "repair",
        "put back a newer value that an older write of ours has covered",
        "hot",
        frozenset({"I5"}),
        ((reading, "_settle_fields", _repairs_nothing),),
    ),
    Mutant(
        "wait for order",
        "what failed stays at the head of its lane",
        "base",
        frozenset({"I1", "I3"}),
        (
            (MemoryStore, "load_head", _takes_the_next_when_one_fails),
            (MemoryStore, "is_current", _any_number),
        ),
    ),
    Mutant(
        "current end",
        "end no delivery on a look at something that has changed",
        "stale ends",
        frozenset({"I5"}),
        ((MemoryStore, "is_current", _only_the_number),),
    ),
    Mutant(
        "equal takes the stamp",
        "a value that stands there already takes the newer stamp",
        "coincidence",
        frozenset({"I5"}),
        ((MemoryStore, "_finish", _takes_no_stamps),),
    ),
    Mutant(
        "follow-ups are found",
        "look for the ticket that goes on from a closed one before it is made again",
        "closed",
        frozenset({"I2"}),
        ((following.Following, "_look_for_follow_up", _makes_it_again),),
    ),
    Mutant(
        "one makes it",
        "only one lane at a time makes the ticket that goes on from a closed one",
        "closed",
        frozenset({"I2"}),
        ((MemoryStore, "followed", _nobody_else),),
    ),
)
