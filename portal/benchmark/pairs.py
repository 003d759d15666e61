"""What a change costs in remote calls, for every ordered pair of the systems, one by one and under load.

Everything is counted that both systems were asked for until all was at rest again: reading, writing, reading back what
was written, and polling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations

from portal.benchmark import load, runs
from portal.benchmark.field import Field, prepared
from portal.benchmark.work import CHANGES_A_TICKET, WORKS, last_title

MOST_CALLS_A_CHANGE = 3.0


@dataclass(frozen=True, slots=True)
class Counted:
    """One pair: calls for each change, and what they were (`system method route` to how many).

    `lost` are tickets whose last title did not arrive, or that are not there at all; `doubled` are those too many.
    """

    source: str
    target: str
    one_by_one: float
    under_load: float
    calls_one_by_one: Mapping[str, int]
    calls_under_load: Mapping[str, int]
    lost: int
    doubled: int

    @property
    def holds(self) -> bool:
        """Whether no change cost more than three calls, and everything arrived once."""
        return (
            max(self.one_by_one, self.under_load) <= MOST_CALLS_A_CHANGE
            and not self.lost
            and not self.doubled
        )


def all_pairs(kinds: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The ordered pairs of these kinds, or of all."""
    return list(permutations(kinds or tuple(WORKS), 2))


def counted(
    pairs: list[tuple[str, str]], tickets: int, rate: float, say: Callable[[str], None]
) -> Iterator[Counted]:
    """Each pair in a place of its own, one after the other."""
    for pair in pairs:
        say(f"{pair[0]} → {pair[1]}")
        with prepared({}, pair) as field:
            yield _counted(field, tickets, rate)


def _counted(field: Field, tickets: int, rate: float) -> Counted:
    changes = tickets * CHANGES_A_TICKET
    runs.prepare(field, 0)
    single = load.one_by_one(field.left, field.work, tickets, rate, lambda done: _carried(field, done))
    one_by_one = _calls_at_rest(field, single)
    burst = load.burst(field.left, field.work, tickets)
    under_load = _calls_at_rest(field, burst)
    there = [WORKS[field.kinds[1]].title_in(content) for content in field.right.tickets()]
    return Counted(
        *field.kinds,
        one_by_one=round(one_by_one.total() / changes, 2),
        under_load=round(under_load.total() / changes, 2),
        calls_one_by_one=dict(one_by_one),
        calls_under_load=dict(under_load),
        lost=sum(last_title(id_) not in there for id_ in (*single.tickets, *burst.tickets)),
        doubled=max(0, len(there) - 2 * tickets),
    )


def _carried(field: Field, done: load.Done) -> None:
    load.wait_until_carried(runs.deliveries(field, done), field.processes.check, runs.PATIENCE_S)


def _calls_at_rest(field: Field, done: load.Done) -> Counter[str]:
    """What was asked of both systems once nothing is under way any more; counting begins anew."""
    _carried(field, done)
    runs.rest(field)
    found: Counter[str] = Counter()
    for kind, sandbox in zip(field.kinds, (field.left, field.right), strict=True):
        for route, by_status in sandbox.calls()["calls"].items():
            found[f"{kind} {route}"] += sum(by_status.values())
        sandbox.reset_calls()
    return found
