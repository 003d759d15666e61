"""Budgets of calls between their rows and the pure rules; each worker's share is taken under the row's lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from integrations.engine import budget as rules
from integrations.engine.budget import Budget
from integrations.engine.effects import ShareBudget, Shared
from integrations.models import SystemBudget
from integrations.statements import Question, insert_many, update_many

_PLAIN = ("ceiling", "limit", "left", "resets_at", "window_s", "not_before", "told_at")
_NOTED = ("limit", "left", "resets_at", "window_s", "not_before", "told_at", "seconds", "minutes")
_HELD = ("held", "held_at")
# The columns' own types end here; the numbers of a slip of the vendor's must fit.
_MOST = 2_000_000_000


def share(requests: Sequence[ShareBudget], now: datetime) -> list[Shared]:
    """Note what was called and told, and allow each worker its share.  Writes only what there is to write."""
    systems = sorted({request.system_id for request in requests})
    known = {row[0]: row for row in _read(systems=systems)}
    if any(_writes(request, known.get(request.system_id), now) for request in requests):
        missing = [pk for pk in systems if pk not in known]
        insert_many([SystemBudget(system_id=pk) for pk in missing], ignores_doubles=True)
        # Locked in the order of their keys, and nothing else is locked after them.
        known = {row[0]: row for row in _lock(systems=systems)}
    budgets = {pk: _budget(row) for pk, row in known.items()}
    held: dict[int, int] = {}
    answers = []
    for request in requests:
        pk = request.system_id
        held[pk] = held.get(pk, 0) + request.held
        budgets[pk], answer = rules.answered(budgets.get(pk, Budget()), request, now)
        answers.append(answer)
    changed = [pk for pk, row in known.items() if budgets[pk] != _budget(row)]
    update_many(SystemBudget, _NOTED, [(known[pk][1], _noted(budgets[pk])) for pk in changed])
    noticed = [pk for pk, count in held.items() if count]
    update_many(
        SystemBudget, _HELD, [(known[pk][1], (_more(known[pk][2], held[pk], now), now)) for pk in noticed]
    )
    return answers


def budget_of(row: SystemBudget) -> Budget:
    """A stored budget as the rules' value."""
    plain = {name: getattr(row, name) for name in _PLAIN}
    return Budget(**plain, seconds=_numbers(row.seconds), minutes=_numbers(row.minutes))


def _writes(request: ShareBudget, row: tuple | None, now: datetime) -> bool:
    tidings = request.tidings
    if tidings.calls or tidings.unused or tidings.told or request.held:
        return True
    return bool(request.wanted) and row is not None and rules.available(_budget(row), now) is not None


def _budget(row: tuple) -> Budget:
    _, _, _, seconds, minutes, *plain = row
    values = dict(zip(_PLAIN, plain, strict=True))
    return Budget(**values, seconds=_numbers(seconds), minutes=_numbers(minutes))


def _noted(budget: Budget) -> tuple[object, ...]:
    left = None if budget.left is None else max(-_MOST, min(budget.left, _MOST))
    budget = replace(budget, left=left)
    texts = {name: _texts(getattr(budget, name)) for name in ("seconds", "minutes")}
    return tuple(texts.get(name, getattr(budget, name)) for name in _NOTED)


def _more(held: Mapping[str, int], count: int, now: datetime) -> dict[str, int]:
    minute = int(now.timestamp()) // rules.MINUTE_S
    kept = {at: many for at, many in _numbers(held).items() if at > minute - rules.MINUTES_KEPT}
    kept[minute] = kept.get(minute, 0) + count
    return _texts(kept)


def _numbers(stored: Mapping[str, int]) -> dict[int, int]:
    # JSON knows names alone.
    return {int(at): count for at, count in stored.items()}


def _texts(counted: Mapping[int, int]) -> dict[str, int]:
    return {str(at): count for at, count in counted.items() if count}


_COLUMNS = ("system_id", "pk", "held", "seconds", "minutes", *_PLAIN)
_read = Question(lambda systems: SystemBudget.objects.filter(system__in=systems).values_list(*_COLUMNS))
_lock = Question(
    lambda systems: (
        SystemBudget.objects.filter(system__in=systems)
        .select_for_update()
        .order_by("system_id")
        .values_list(*_COLUMNS)
    )
)
