"""Safety mechanisms switched off, one at a time, to see that the checkers notice.  For tests and `simulate --mutants`.

Nothing in the engine knows of this: a mutant replaces a function for as long as a world is run with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from integrations.canonical import History
from integrations.engine import (
    acknowledgements,
    conflicts,
    decisions,
    deliver,
    echo,
    effects,
    following,
    health,
    reading,
    setting_fields,
    timing,
    undoing,
)
from integrations.engine.carrying import Carrying
from integrations.engine.values import DeliveryState, HeadView, Stamp, Winner
from integrations.mapping import meaning
from integrations.mapping import plan as mapping
from integrations.simulation import workers
from integrations.simulation.memory import Memory, MemoryStore, fights
from integrations.simulation.stage import MemoryStage
from integrations.simulation.systems import SimulatedSystem
from integrations.simulation.world import Options

Patch = tuple[Any, str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mechanism switched off: what it is for, where that shows, and which invariants should be seen to break."""

    name: str
    what: str
    profile: str
    breaks: frozenset[str]
    patches: tuple[Patch, ...] = ()
    options: Options = field(default_factory=Options)

    @contextlib.contextmanager
    def switched_off(self) -> Iterator[None]:
        """Without the mechanism inside this block."""
        with contextlib.ExitStack() as stack:
            for owner, name, instead in self.patches:
                stack.enter_context(mock.patch.object(owner, name, instead))
            yield


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


_open_write = MemoryStore._open_write


def _forgets_the_connection(store: MemoryStore, row: Any) -> Any:
    return replace(_open_write(store, row), connection_id=0)


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


def _answers_nobody(*args: Any, **named: Any) -> tuple:
    return ()


def _looks_at_the_clock(step: Any) -> bool:
    return bool(step.context.clock.now() < step._settles_at())


def _any_number(store: MemoryStore, request: Any, lane: Any, row: Any) -> bool:
    return True


def _only_the_number(store: MemoryStore, request: Any, lane: Any, row: Any) -> bool:
    return bool(row.number == lane.head)


_finish = MemoryStore._finish


def _overlooks(*given: Any) -> None:
    """Finds nothing in particular."""


def _takes_no_stamps(store: MemoryStore, requests: list[effects.Finish], now: Any) -> list[bool]:
    return _finish(store, [replace(request, accepted=None) for request in requests], now)


_judge = MemoryStore._judge


def _passes_an_event(store: MemoryStore, request: Any) -> Any:
    """The cursor moves as if all had been stored."""
    known = request.history.changes[:-1] if request.ticket_id > 1 else request.history.changes
    return _judge(store, replace(request, history=replace(request.history, changes=known)))


def _takes_no_hints(stage: MemoryStage, system_id: int, remote_id: str, now: Any, happened_at: Any) -> None:
    """The web hook is answered and forgotten."""


_history = SimulatedSystem.history


def _is_dated_too_late(system: SimulatedSystem, remote_id: str, since: str) -> History:
    told = _history(system, remote_id, since)
    return replace(told, as_of=told.as_of and told.as_of + timedelta(seconds=3))


_release = mapping.release


def _releases_everything(rules: Any, fields: Any, *, changed: Any = None) -> Any:
    mapped = _release(rules, fields, changed=changed)
    return mapping.Mapped({**mapped.fields, "private": fields.get("private")}, mapped.problem)


def _forgets_versions(store: MemoryStore, request: Any) -> Any:
    plan = _judge(store, request)
    plan.deliveries = [replace(one, outgoing_id=1) for one in plan.deliveries]
    return plan


_tell = MemoryStore._tell


def _uses_our_clock(store: MemoryStore, plan: Any, events: Any, begun: Any) -> None:
    before = len(store.memory.tables.facts)
    _tell(store, plan, events, begun)
    for fact in store.memory.tables.facts[before:]:
        fact.happened_at = store.memory.tables.events[fact.event_id].seen_at


_mark_sent = MemoryStore._mark_sent


def _keeps_wrong_values(store: MemoryStore, requests: list[effects.MarkSent]) -> list[bool]:
    wrong = [
        replace(one, pre_image={name: f"not {value}" for name, value in one.pre_image.items()})
        for one in requests
    ]
    return _mark_sent(store, wrong)


def _ignores_pauses(memory: Memory, system_id: int, now: Any) -> bool:
    return memory.tables.systems[system_id].is_active


def _explains_nothing(store: MemoryStore, requests: list[effects.MarkSent]) -> list[bool]:
    return _mark_sent(store, [replace(one, incoming_id=None) for one in requests])


def _always(*given: Any) -> bool:
    return True


def _is_what_was_written(written: Winner, *given: Any, **named: Any) -> Winner:
    return written


_share = MemoryStore._share


def _shares_with_nobody(store: MemoryStore, request: Any, now: Any) -> Any:
    """Each worker has the whole budget to itself."""
    shared = store.memory.tables.budgets
    own = store.__dict__.setdefault("own_budgets", {})
    for system_id, budget in shared.items():
        own.setdefault(system_id, budget)
    with mock.patch.object(store.memory.tables, "budgets", own):
        return _share(store, request, now)


def _finds_no_conflict(*given: Any, **named: Any) -> conflicts.Found:
    return conflicts.NOTHING


def _for_ever(streak: int, random: Any) -> float:
    return 1e8 if streak >= timing.FAILURES_TO_OPEN else 0.0


_found_in = conflicts.found_in


def _asks_nobody(*given: Any, **named: Any) -> conflicts.Found:
    return replace(_found_in(*given, **named), asked=())


_decided = decisions.decided


def _tells_nobody(*given: Any, **named: Any) -> decisions.Decision:
    return replace(_decided(*given, **named), answer=None)


def _takes_none_back(envelope: Any, *fields: str) -> dict:
    """What was decided about still has its say."""
    return dict(envelope)


def _leaves_the_sender_its_say(dispute: Any) -> list[str]:
    """The sender's rules judge by themselves what comes to it."""
    return []


def _says_nothing(*given: Any) -> bool:
    return False


def _has_no_words(dispute: Any) -> dict[str, Any]:
    """The sender is told in what the receiver's rules make of its value."""
    return {}


def _makes_it_again(step: Any, closed: Any) -> Any:
    """Creates once more what may have been created."""
    return step._follow_up(closed)


def _nobody_else(*given: Any) -> set[int]:
    return set()


def _tells_no_sender(*given: Any) -> None:
    return None


_not_taken = acknowledgements.not_taken


def _tells_again(head: HeadView, *given: Any) -> Any:
    """Tells whenever the lane stops."""
    return _not_taken(replace(head, is_told=False), *given)


def _goes_on(cause: Any) -> bool:
    """Whatever a write of ours left goes on, as long as it has not travelled too far."""
    return cause is not None and cause.hops >= reading.MAX_HOPS


def _parks_instead(step: Any, sent: Any, error: Any) -> Any:
    """Asks a person, as for any other change."""
    return step._park(error.code, error.message, error)


_after_failure = health.after_failure


def _counts_every_failure(*given: Any, started_at: datetime) -> health.Health:
    """Whatever fails counts, as if it had been begun when all pauses were over."""
    return _after_failure(*given, started_at=datetime.max.replace(tzinfo=UTC))


MUTANTS: tuple[Mutant, ...] = (
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
        "echo",
        "send nothing back over the connection it came by",
        "base",
        frozenset({"I2", "I4"}),
        ((MemoryStore, "_open_write", _forgets_the_connection),),
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
        "fights",
        "rules of two systems that undo each other's changes through us are stopped",
        "fights",
        frozenset({"I4"}),
        ((fights, "stop_fights", _overlooks),),
    ),
    Mutant(
        "answers",
        "tell a sender what overtook its change",
        "hot",
        frozenset({"I5"}),
        ((setting_fields, "answers_to", _answers_nobody), (reading, "winners_told", _answers_nobody)),
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
        "second tickets",
        "a ticket that a late create made as well is linked with nothing",
        "beyond",
        frozenset({"I2"}),
        ((MemoryStore, "_mark_twin", _overlooks),),
    ),
    Mutant(
        "second effects",
        "a comment or file that is carried out again is nobody's news",
        "beyond",
        frozenset({"I2"}),
        ((echo, "find_again", _overlooks),),
    ),
    Mutant(
        "every event is stored",
        "the cursor moves with the events it passes",
        "base",
        frozenset({"I8", "I10"}),
        ((MemoryStore, "_judge", _passes_an_event),),
    ),
    Mutant(
        "hints are kept",
        "a web hook that was answered leads to a reading",
        "base",
        frozenset({"I8"}),
        ((MemoryStage, "note_hint", _takes_no_hints),),
    ),
    Mutant(
        "told before",
        "a web hook leads to no reading only where what it tells was read before",
        "base",
        frozenset({"I8"}),
        ((SimulatedSystem, "history", _is_dated_too_late),),
    ),
    Mutant(
        "allow-list",
        "only what an outgoing rule names leaves",
        "base",
        frozenset({"I6"}),
        ((mapping, "release", _releases_everything),),
    ),
    Mutant(
        "pauses",
        "leave a system alone for as long as it asks",
        "base",
        frozenset({"I11"}),
        ((Memory, "callable", _ignores_pauses),),
    ),
    Mutant(
        "shared budget",
        "workers take calls out of one budget, whatever each of them has made",
        "limits",
        frozenset({"I11"}),
        ((MemoryStore, "_share", _shares_with_nobody),),
    ),
    Mutant(
        "own edits",
        "where the receiver's rules keep its own edit, that stands",
        "own edits",
        frozenset({"I5"}),
        ((conflicts, "found_in", _finds_no_conflict),),
    ),
    Mutant(
        "a person decides",
        "where the receiver's rules ask, nothing is written over its own edit before somebody has decided",
        "conflicts",
        frozenset({"I5"}),
        ((conflicts, "found_in", _asks_nobody),),
    ),
    Mutant(
        "decisions are told",
        "what was decided goes to the sender as well",
        "conflicts",
        frozenset({"I5"}),
        ((decisions, "decided", _tells_nobody),),
    ),
    Mutant(
        "decisions are final",
        "a change that was decided about has no say in the field any more",
        "conflicts",
        frozenset({"I5", "I13"}),
        ((decisions, "without", _takes_none_back),),
    ),
    Mutant(
        "one answer is enough",
        "the other side's rules do not judge once more what a person has decided",
        "conflicts",
        frozenset({"I5"}),
        ((decisions, "asked_back", _leaves_the_sender_its_say),),
    ),
    Mutant(
        "the sender's own words",
        "a sender's value that was let stand is told to it as it was set there",
        "conflicts",
        frozenset({"I5"}),
        ((decisions, "_own_words", _has_no_words),),
    ),
    Mutant(
        "what is said already",
        "a value that says already what comes in is not written over",
        "coincidence",
        frozenset({"I5"}),
        ((meaning, "says", _says_nothing),),
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
    Mutant(
        "room for others",
        "one system takes only a share of the calls in flight",
        "isolation",
        frozenset({"I12"}),
        ((workers, "SHARE_OF_ONE_SYSTEM", 99), (timing, "breaker_pause_s", _no_settling)),  # type: ignore[arg-type]
    ),
    Mutant(
        "outages end",
        "a system that failed is tried again by itself",
        "base",
        frozenset({"I13"}),
        ((timing, "breaker_pause_s", _for_ever),),
    ),
    Mutant(
        "one failure for all",
        "what was under way when a pause began counts once for all",
        "cut off",
        frozenset({"I13"}),
        ((health, "after_failure", _counts_every_failure),),
    ),
    Mutant(
        "pinned versions",
        "a delivery names the version of the rules it was made with",
        "base",
        frozenset({"I14"}),
        ((MemoryStore, "_judge", _forgets_versions),),
    ),
    Mutant(
        "explained effects",
        "an attempt names the version of the receiver's rules",
        "base",
        frozenset({"I15"}),
        ((MemoryStore, "_mark_sent", _explains_nothing),),
    ),
    Mutant(
        "what was replaced",
        "an attempt keeps the value that stood there before",
        "base",
        frozenset({"I16"}),
        ((MemoryStore, "_mark_sent", _keeps_wrong_values),),
    ),
    Mutant(
        "compare and revert",
        "an undoing puts a value back only where what we wrote still stands",
        "undone",
        frozenset({"I16"}),
        ((undoing, "still_stands", _always),),
    ),
    Mutant(
        "undoing gives way",
        "an edit that an undoing covered, because it came between its look and its write, stands again",
        "undone",
        frozenset({"I16"}),
        ((undoing, "with_covered", _is_what_was_written),),
    ),
    Mutant(
        "senders are told",
        "whoever sent what a system does not take hears of it",
        "refused",
        frozenset({"I15"}),
        ((acknowledgements, "not_taken", _tells_no_sender),),
    ),
    Mutant(
        "told once",
        "a lane that stops again for the same change tells nothing again",
        "refused",
        frozenset({"I15"}),
        ((acknowledgements, "not_taken", _tells_again),),
    ),
    Mutant(
        "words go no further",
        "what a sender is told on its ticket is told to nobody else",
        "refused",
        frozenset({"I2"}),
        ((reading, "_goes_no_further", _goes_on),),
    ),
    Mutant(
        "words stop no lane",
        "a word that a system does not take is left out",
        "refused",
        frozenset({"I12"}),
        ((Carrying, "_give_up", _parks_instead),),
    ),
    Mutant(
        "sources' times",
        "service levels count from the source's own clock",
        "base",
        frozenset({"I17"}),
        ((MemoryStore, "_tell", _uses_our_clock),),
    ),
)
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
