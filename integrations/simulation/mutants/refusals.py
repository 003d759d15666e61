"""Mechanisms by which a sender hears what was not taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integrations.engine import acknowledgements, reading
from integrations.engine.carrying import Carrying
from integrations.engine.values import HeadView
from integrations.simulation.mutants.mutant import Mutant


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


REFUSALS = (
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
)
