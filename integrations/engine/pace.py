"""How fast one ticket may be written to: systems count the writes to a ticket, and we wait rather than be refused.  Pure.

While a lane waits, updates that come in meanwhile gather behind its head and go out with it in one write.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from integrations.connectors.protocol import TicketWrites

# The reason people see; also the handbook's.
CODE = "ticket_limit"


def allowed(limit: TicketWrites) -> int:
    """How many of our writes fit into the window that takes fewest."""
    return min(count for count, _ in limit.windows)


def may_write_at(writes: Collection[datetime], limit: TicketWrites, now: datetime) -> datetime:
    """When the ticket may be written to again: now, or when so many writes have left every window that one fits."""
    return max(_room_at(writes, count, timedelta(seconds=span_s), now) for count, span_s in limit.windows)


def _room_at(writes: Collection[datetime], count: int, window: timedelta, now: datetime) -> datetime:
    recent = sorted(at for at in writes if at > now - window)
    return now if len(recent) < count else recent[-count] + window


def reason(limit: TicketWrites) -> str:
    """Why the ticket waits, for people; when it goes on is shown beside it."""
    more = "".join(f" and {count} in {_span(seconds)}" for count, seconds in limit.also)
    return f"Waits for the system's limit of {limit.count} updates a ticket in {_span(limit.window_s)}{more}."


def _span(seconds: int) -> str:
    if seconds % 60 == 0:
        return "a minute" if seconds == 60 else f"{seconds // 60} minutes"
    return f"{seconds} seconds"
