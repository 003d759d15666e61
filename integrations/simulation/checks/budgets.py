"""Budgets of calls: what staff allow and what systems take, shared by all workers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from integrations.simulation.clock import MINUTE
from integrations.simulation.evidence import Evidence
from integrations.simulation.limits import WINDOW_S


def ceilings_are_kept(evidence: Evidence) -> Iterator[str]:
    """I11: in no minute more calls leave for a system than staff allow, from all workers together."""
    for place, setup in enumerate(evidence.world.schedule.systems):
        if not setup.ceiling:
            continue
        lately: deque[int] = deque()
        for left_ms in sorted(_left(evidence, place)):
            lately.append(left_ms)
            while lately[0] <= left_ms - MINUTE:
                lately.popleft()
            if len(lately) > setup.ceiling:
                yield f"{len(lately)} calls left for system {place} in the minute before {left_ms}, {setup.ceiling} may"
                break


def limits_are_respected(evidence: Evidence) -> Iterator[str]:
    """I11: where a system tells what it takes, hardly a call is in vain; elsewhere no more than were under way."""
    schedule = evidence.world.schedule
    many = schedule.workers * schedule.calls_in_flight
    for place, setup in enumerate(schedule.systems):
        refused: Counter[int] = Counter()
        for sent in evidence.journal.calls:
            if sent.place == place and sent.outcome == "over the limit" and sent.left_ms is not None:
                refused[sent.left_ms // (WINDOW_S * 1000)] += 1
        most = max(refused.values(), default=0)
        if most > (schedule.workers if setup.tells_limit else many):
            yield f"system {place} refused {most} calls in one minute, and tells its limit: {setup.tells_limit}"


def _left(evidence: Evidence, place: int) -> Iterator[int]:
    return (
        sent.left_ms for sent in evidence.journal.calls if sent.place == place and sent.left_ms is not None
    )
