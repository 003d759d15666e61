"""Mechanisms towards a system that is slow, limits its calls or does not answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest import mock

from integrations.engine import health, timing
from integrations.simulation import workers
from integrations.simulation.memory import Memory, MemoryStore
from integrations.simulation.mutants.mutant import Mutant


def _no_pause(*args: Any) -> float:
    return 0.0


def _ignores_pauses(memory: Memory, system_id: int, now: Any) -> bool:
    return memory.tables.systems[system_id].is_active


_share = MemoryStore._share


def _shares_with_nobody(store: MemoryStore, request: Any, now: Any) -> Any:
    """Each worker has the whole budget to itself."""
    shared = store.memory.tables.budgets
    own = store.__dict__.setdefault("own_budgets", {})
    for system_id, budget in shared.items():
        own.setdefault(system_id, budget)
    with mock.patch.object(store.memory.tables, "budgets", own):
        return _share(store, request, now)


def _for_ever(streak: int, random: Any) -> float:
    return 1e8 if streak >= timing.FAILURES_TO_OPEN else 0.0


_after_failure = health.after_failure


def _counts_every_failure(*given: Any, started_at: datetime) -> health.Health:
    """Whatever fails counts, as if it had been begun when all pauses were over."""
    return _after_failure(*given, started_at=datetime.max.replace(tzinfo=UTC))


SYSTEMS = (
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
        "room for others",
        "one system takes only a share of the calls in flight",
        "isolation",
        frozenset({"I12"}),
        ((workers, "SHARE_OF_ONE_SYSTEM", 99), (timing, "breaker_pause_s", _no_pause)),  # type: ignore[arg-type]
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
)
