"""A system's budget of calls, shared by all workers: what may go now, and what an answer says is left.  Pure.

Two limits count: the ceiling that staff set for a system, in calls a minute, and what the vendor tells in the headers
of its answers.  Calls are allowed in small numbers before they leave, and count from then on; so a ceiling holds
across any number of workers.  Bulk work leaves a part of every limit to live work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from integrations.connectors.gate import PLENTY, RECENT_S, VALID_S, Tidings
from integrations.connectors.rates import Told
from integrations.engine.effects import ShareBudget, Shared

MINUTE_S = 60
# Where some calls are left, but too few for a step, it is worth asking again after this.
GATHERS_FOR = timedelta(milliseconds=300)
# A call that was allowed may leave somewhat later, and a slot is a whole second.
COUNTED_S = MINUTE_S + math.ceil(VALID_S) + 1
MINUTES_KEPT = 60
# The part of a limit that bulk work leaves to live work.
RESERVE = 0.2
# After a limit was reset nobody knows yet what is left: so large a part of it may be used every second until an answer tells.
PROBE = 0.1


@dataclass(frozen=True, slots=True)
class Budget:
    """One system's budget as the database holds it.

    `ceiling` is ours, in calls a minute.  `limit`, `left`, `resets_at`, `window_s` are the vendor's, `left` less what
    was allowed since.  No call before `not_before`.  `seconds` and `minutes` count calls by their moment since 1970.
    """

    ceiling: int | None = None
    limit: int | None = None
    left: int | None = None
    resets_at: datetime | None = None
    window_s: int | None = None
    not_before: datetime | None = None
    told_at: datetime | None = None
    seconds: Mapping[int, int] = field(default_factory=dict)
    minutes: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Cap:
    """One limit: how large it is, how much of it may be used now, and when there may be more."""

    size: int
    left: int
    more_at: datetime


def available(budget: Budget, now: datetime) -> int | None:
    """How many calls may be allowed now; None where nothing limits them yet."""
    if _asked_to_wait(budget, now):
        return 0
    return (
        max(0, min((cap.left for cap in _caps(budget, now)), default=0)) if _has_caps(budget, now) else None
    )


def is_told(budget: Budget, now: datetime) -> bool:
    """Whether the system tells of a limit of its own; one of which no answer has told for a window may be gone.

    It is kept to until an answer came that tells of none: during an outage nobody answers, and afterwards it holds.
    """
    if budget.limit is None or budget.told_at is None:
        return False
    return now < max(
        budget.told_at + timedelta(seconds=budget.window_s or MINUTE_S), budget.resets_at or budget.told_at
    )


def for_bulk(budget: Budget, now: datetime) -> int | None:
    """The same for work that can wait: a part of every limit is kept for live work."""
    if _asked_to_wait(budget, now):
        return 0
    if not _has_caps(budget, now):
        return None
    return max(0, min(cap.left - math.ceil(cap.size * RESERVE) for cap in _caps(budget, now)))


def free_at(budget: Budget, now: datetime) -> datetime:
    """When calls may go again: now, if some may go now."""
    at = [now]
    if budget.not_before and budget.not_before > now:
        at.append(budget.not_before)
    at += [cap.more_at for cap in _caps(budget, now) if cap.left <= 0]
    return max(at)


def share(budget: Budget, wanted: int, least: int, now: datetime) -> int | None:
    """How many of `wanted` calls one worker is allowed: not all that is left while others may want some too.

    With fewer than `least` nothing could be finished; then none are given, so that enough can gather.
    """
    left = available(budget, now)
    if left is None:
        return None
    least = min([least, *(max(1, cap.size // 2) for cap in _caps(budget, now))])
    if not wanted or left < least:
        return 0
    return min(wanted, max(least, math.ceil(left / 2)))


def spent(budget: Budget, count: int, now: datetime) -> Budget:
    """The budget after so many calls were allowed or made."""
    return _counted(budget, int(now.timestamp()), count, now)


def handed_back(budget: Budget, slot: int, count: int, now: datetime) -> Budget:
    """The budget after allowances of that second were not used."""
    return _counted(budget, slot, -count, now)


def heard(budget: Budget, tidings: Tidings, now: datetime) -> Budget:
    """The budget after an answer told what is left; calls that it cannot have counted yet are taken off."""
    told = tidings.told
    if told is None:
        is_gone = tidings.is_silent and budget.limit is not None and not is_told(budget, now)
        return replace(budget, limit=None, left=None, resets_at=None, window_s=None) if is_gone else budget
    sent_at = now - timedelta(seconds=tidings.age_s)
    if told.wait_s:
        until = sent_at + timedelta(seconds=told.wait_s)
        budget = replace(budget, not_before=max(until, budget.not_before or until))
    if told.limit is None and told.left is None:
        return budget
    limit = told.limit or budget.limit or told.left
    left = _left(budget, told, tidings, sent_at, now)
    return replace(
        budget,
        limit=limit,
        left=left,
        resets_at=told.resets_at,
        window_s=told.window_s or budget.window_s,
        told_at=now,
    )


def answered(budget: Budget, request: ShareBudget, now: datetime) -> tuple[Budget, Shared]:
    """The budget after one worker has reported and asked, and what it is allowed."""
    tidings = request.tidings
    if tidings.calls:
        budget = spent(budget, tidings.calls, now)
    for slot, count in tidings.unused:
        budget = handed_back(budget, slot, count, now)
    budget = heard(budget, tidings, now)
    calls = share(budget, request.wanted, request.least, now)
    left_for_bulk = for_bulk(budget, now)
    if request.is_bulk and left_for_bulk == 0:
        calls = 0
    at = free_at(budget, now)
    if calls == 0 and request.wanted:
        at = max(at, now + GATHERS_FOR)
    if calls:
        budget = spent(budget, calls, now)
    return budget, Shared(
        calls,
        bulk=left_for_bulk is None or left_for_bulk > 0,
        slot=int(now.timestamp()),
        free_at=at,
        is_told=is_told(budget, now),
    )


def calls_in(budget: Budget, minutes: int, now: datetime) -> int:
    """Calls in the last so many minutes; of one minute exactly, of more by whole minutes."""
    if minutes == 1:
        return _since(budget, now - timedelta(seconds=MINUTE_S))
    first = int(now.timestamp()) // MINUTE_S - minutes
    return max(0, sum(count for minute, count in budget.minutes.items() if minute > first))


def _left(budget: Budget, told: Told, tidings: Tidings, sent_at: datetime, now: datetime) -> int | None:
    if told.left is not None:
        recent = _since(budget, sent_at - timedelta(seconds=RECENT_S))
        return max(0, told.left - tidings.unseen - max(0, recent - tidings.counted))
    if told.limit is None or told.window_s is None:
        return None
    # The vendor does not say: what we have used of this window is all that is known.
    begun = (told.resets_at or now) - timedelta(seconds=told.window_s)
    if begun > now:
        # Its clock is ahead of ours.
        begun = now - timedelta(seconds=told.window_s)
    first = int(begun.timestamp()) // MINUTE_S
    return told.limit - sum(count for minute, count in budget.minutes.items() if minute >= first)


def _caps(budget: Budget, now: datetime) -> Iterator[_Cap]:
    if budget.ceiling is not None:
        yield _ceiling(budget, budget.ceiling, now)
    if budget.limit is not None and budget.left is not None:
        resets_at = _resets_at(budget, budget.limit, now)
        if now >= resets_at:
            yield _after_reset(budget, budget.limit, resets_at, now)
        elif budget.left < max(budget.limit // 4, PLENTY):
            yield _Cap(budget.limit, budget.left, resets_at)


def _after_reset(budget: Budget, limit: int, resets_at: datetime, now: datetime) -> _Cap:
    """A tenth at once and a tenth more every second, until an answer tells; some vendors tell only what is scarce.

    Calls of the last minute are counted: those before it were answered by nobody.
    """
    elapsed_s = (now - resets_at).total_seconds()
    probe = min(limit, int(max(1, int(limit * PROBE)) * (1 + elapsed_s)))
    since = max(resets_at, now - timedelta(seconds=MINUTE_S))
    return _Cap(limit, probe - _since(budget, since), now + timedelta(seconds=1))


def _has_caps(budget: Budget, now: datetime) -> bool:
    return any(True for _ in _caps(budget, now))


def _ceiling(budget: Budget, ceiling: int, now: datetime) -> _Cap:
    first = int(now.timestamp()) - COUNTED_S
    counted = {second: count for second, count in budget.seconds.items() if second >= first and count > 0}
    left = ceiling - sum(counted.values())
    oldest = min(counted, default=int(now.timestamp()))
    more_at = datetime.fromtimestamp(oldest + COUNTED_S + 1, UTC)
    return _Cap(ceiling, left, more_at)


def _resets_at(budget: Budget, limit: int, now: datetime) -> datetime:
    if budget.resets_at is not None:
        return budget.resets_at
    return (budget.told_at or now) + timedelta(seconds=budget.window_s or MINUTE_S)


def _since(budget: Budget, at: datetime) -> int:
    first = math.floor(at.timestamp())
    return max(0, sum(count for second, count in budget.seconds.items() if second >= first))


def _asked_to_wait(budget: Budget, now: datetime) -> bool:
    return budget.not_before is not None and budget.not_before > now


def _counted(budget: Budget, slot: int, count: int, now: datetime) -> Budget:
    second, minute = int(now.timestamp()), slot // MINUTE_S
    seconds = {at: many for at, many in budget.seconds.items() if at >= second - COUNTED_S}
    minutes = {at: many for at, many in budget.minutes.items() if at > second // MINUTE_S - MINUTES_KEPT - 1}
    if slot >= second - COUNTED_S:
        seconds[slot] = seconds.get(slot, 0) + count
    minutes[minute] = minutes.get(minute, 0) + count
    return replace(
        budget,
        left=None if budget.left is None else budget.left - count,
        seconds=seconds,
        minutes=minutes,
    )
