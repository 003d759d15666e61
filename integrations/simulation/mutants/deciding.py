"""Mechanisms of conflicts: whose value stands, who decides, and who hears of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integrations.engine import conflicts, decisions
from integrations.mapping import meaning
from integrations.simulation.mutants.mutant import Mutant


def _finds_no_conflict(*given: Any, **named: Any) -> conflicts.Found:
    return conflicts.NOTHING


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


DECIDING = (
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
)
