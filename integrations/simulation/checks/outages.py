"""Outages: a system that failed is tried again soon, and the longer it is away the more seldom."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.connectors.errors import (
    ConnectorError,
    HeldBack,
    NotSent,
    RateLimited,
    Refused,
    Stale,
)
from integrations.engine.timing import FAILURES_TO_OPEN
from integrations.simulation.clock import MINUTE, SECOND, milliseconds
from integrations.simulation.evidence import Evidence

# What the first pause of a system that failed so many times in a row lasts at most, and any later one.
FIRST_PAUSE_MS = 30 * SECOND
LONGEST_PAUSE_MS = 5 * MINUTE
# A few tries of a lane put its own next one off by so much.
AGAIN_MS = 20 * SECOND


def pauses_grow_by_tries_alone(evidence: Evidence) -> Iterator[str]:
    """I13: only tries in vain make the breaker's pauses longer, not the calls that were under way when one began."""
    failed = {id(sent.error): sent for sent in evidence.journal.calls if sent.error is not None}
    tries: dict[int, int] = {}
    # By place: until when it is left alone, and whether it asked for that itself.
    left_alone: dict[int, tuple[int, bool]] = {}
    for one in evidence.journal.health:
        until_ms, is_asked = left_alone.get(one.place, (0, False))
        if not one.errors:
            if one.until_ms is None:
                tries[one.place], left_alone[one.place] = 0, (0, False)
            continue
        for error in one.errors:
            sent = failed.get(id(error))
            if _counts(error) and (sent is None or (sent.left_ms or 0) >= until_ms):
                tries[one.place] = tries.get(one.place, 0) + 1
        is_asked = (is_asked and until_ms > one.ms) or any(_asks(error) for error in one.errors)
        left_alone[one.place] = (one.until_ms or 0, is_asked)
        longest_ms = _longest(tries.get(one.place, 0))
        if one.until_ms is None or one.until_ms <= until_ms or is_asked:
            continue
        if one.until_ms - one.ms > longest_ms:
            yield (
                f"system {one.place} is left alone for {(one.until_ms - one.ms) / SECOND:.0f} s"
                f" after {tries.get(one.place, 0)} tries in vain, and {longest_ms / SECOND:.0f} s is the most"
            )


def what_was_left_alone_is_called_again(evidence: Evidence) -> Iterator[str]:
    """I13: when a pause is over and something waits for the system, it is called soon."""
    if evidence.world.schedule.profile != "cut off":
        return
    left_ms: dict[int, list[int]] = {}
    for sent in evidence.journal.calls:
        left_ms.setdefault(sent.place, []).append(sent.left_ms or 0)
    over = {(one.place, one.until_ms) for one in evidence.journal.health if one.until_ms}
    for place, until_ms in sorted(over):
        again_ms = min((ms for ms in left_ms[place] if ms >= until_ms), default=None)
        if (again_ms or until_ms + AGAIN_MS + 1) - until_ms > AGAIN_MS and _waits(evidence, place, until_ms):
            yield f"something waited for system {place} after its pause until {until_ms}, called at {again_ms}"


def _waits(evidence: Evidence, place: int, ms: int) -> bool:
    return any(
        evidence.world.places[evidence.lane_of(row).system_id] == place
        and milliseconds(row.queued_at) < ms
        and (row.done_at is None or milliseconds(row.done_at) > ms + AGAIN_MS)
        for row in evidence.tables.deliveries.values()
    )


def _counts(error: ConnectorError) -> bool:
    """Whether a failure says anything of the system."""
    if isinstance(error, NotSent | Stale | Refused | HeldBack):
        return False
    return not (isinstance(error, RateLimited) and error.is_for_ticket)


def _asks(error: ConnectorError) -> bool:
    return isinstance(error, RateLimited) and bool(error.retry_after_s) and _counts(error)


def _longest(tries: int) -> int:
    if tries < FAILURES_TO_OPEN:
        return 0
    return min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - FAILURES_TO_OPEN))
