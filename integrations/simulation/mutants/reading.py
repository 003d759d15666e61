"""Mechanisms of reading: what is ours, what is news, what is told onward, and what leaves at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from integrations.canonical import History
from integrations.engine import echo, reading, setting_fields
from integrations.mapping import plan as mapping
from integrations.simulation.memory import MemoryStore, fights
from integrations.simulation.mutants.mutant import Mutant
from integrations.simulation.stage import MemoryStage
from integrations.simulation.systems import SimulatedSystem

_open_write = MemoryStore._open_write


def _forgets_the_connection(store: MemoryStore, row: Any) -> Any:
    return replace(_open_write(store, row), connection_id=0)


def _answers_nobody(*args: Any, **named: Any) -> tuple:
    return ()


def _overlooks(*given: Any) -> None:
    """Finds nothing in particular."""


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


_tell = MemoryStore._tell


def _uses_our_clock(store: MemoryStore, plan: Any, events: Any, begun: Any) -> None:
    before = len(store.memory.tables.facts)
    _tell(store, plan, events, begun)
    for fact in store.memory.tables.facts[before:]:
        fact.happened_at = store.memory.tables.events[fact.event_id].seen_at


READING = (
    Mutant(
        "echo",
        "send nothing back over the connection it came by",
        "base",
        frozenset({"I2", "I4"}),
        ((MemoryStore, "_open_write", _forgets_the_connection),),
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
        "sources' times",
        "service levels count from the source's own clock",
        "base",
        frozenset({"I17"}),
        ((MemoryStore, "_tell", _uses_our_clock),),
    ),
)
