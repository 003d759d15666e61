"""The workflow that a status field tells of: which status is reached from which, and what a step demands.  Pure.

A workflow is known as far as a system tells it: of some statuses all steps, of others none.  Nothing is said of a way
that may lead over a status of which the steps are not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from integrations.canonical import StatusStep


def reached(steps: Iterable[StatusStep], start: str) -> frozenset[str]:
    """The statuses that can be reached from one, by one step or by several; itself only over others."""
    onward: dict[str, set[str]] = {}
    for step in steps:
        onward.setdefault(step.start, set()).add(step.end)
    found: set[str] = set()
    open_ends = {start}
    while open_ends:
        ends = set().union(*(onward.get(one, set()) for one in open_ends))
        open_ends = ends - found
        found |= ends
    return frozenset(found)


def without_way(steps: Sequence[StatusStep], known: Iterable[str], end: str) -> tuple[str, ...]:
    """The statuses from which surely no way leads to `end`, in the order of `known`: whose steps are all known."""
    told = tuple(known)
    found = []
    for start in told:
        ends = reached(steps, start)
        if start != end and end not in ends and ends <= set(told):
            found.append(start)
    return tuple(found)


def is_out_of_reach(steps: Sequence[StatusStep], known: Sequence[str], end: str) -> bool:
    """Whether no other status leads to `end`, as far as all of them are known."""
    others = [one for one in known if one != end]
    return bool(others) and len(without_way(steps, known, end)) == len(others)


def demands(steps: Iterable[StatusStep]) -> Mapping[str, tuple[str, ...]]:
    """For each status that is led to, the fields that a step to it demands, sorted."""
    found: dict[str, set[str]] = {}
    for step in steps:
        found.setdefault(step.end, set()).update(step.requires)
    return {end: tuple(sorted(names)) for end, names in found.items()}
