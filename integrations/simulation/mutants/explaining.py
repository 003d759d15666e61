"""Mechanisms by which every effect can be explained and undone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integrations.engine import effects, undoing
from integrations.engine.values import Winner
from integrations.simulation.memory import MemoryStore
from integrations.simulation.mutants.mutant import Mutant

_judge = MemoryStore._judge


def _forgets_versions(store: MemoryStore, request: Any) -> Any:
    plan = _judge(store, request)
    plan.deliveries = [replace(one, outgoing_id=1) for one in plan.deliveries]
    return plan


_mark_sent = MemoryStore._mark_sent


def _keeps_wrong_values(store: MemoryStore, requests: list[effects.MarkSent]) -> list[bool]:
    wrong = [
        replace(one, pre_image={name: f"not {value}" for name, value in one.pre_image.items()})
        for one in requests
    ]
    return _mark_sent(store, wrong)


def _explains_nothing(store: MemoryStore, requests: list[effects.MarkSent]) -> list[bool]:
    return _mark_sent(store, [replace(one, incoming_id=None) for one in requests])


def _always(*given: Any) -> bool:
    return True


def _is_what_was_written(written: Winner, *given: Any, **named: Any) -> Winner:
    return written


EXPLAINING = (
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
)
