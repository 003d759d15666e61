"""Whether what a web hook tells is in a ticket's history as it was read last.  Pure.

Both times are the other system's own: how far its clock is from ours does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def is_told(happened_at: datetime | None, told_until: datetime | None) -> bool:
    """Whether a history told until then holds what happened at that time; what happened at that very moment may not
    be in it.  What has no time may have happened at any.
    """
    return happened_at is not None and told_until is not None and happened_at < told_until


def latest(times: Iterable[datetime | None]) -> datetime | None:
    """The time of the last of several things that happened; None when one of them has no time."""
    found = list(times)
    known = [at for at in found if at is not None]
    return max(known) if known and len(known) == len(found) else None


def told_from_now(before: datetime | None, as_of: datetime | None, *, has_more: bool) -> datetime | None:
    """Until when a ticket's history is told once a reading of it is stored.

    The last reading counts, also when its time is earlier: that clock was put back.  One that does not know its time,
    or ends before there is no more, leaves what was told.
    """
    return before if as_of is None or has_more else as_of
