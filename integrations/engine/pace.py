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
    """How many of our writes fit into one window."""
    return max(1, limit.count // limit.each)


def may_write_at(writes: Collection[datetime], limit: TicketWrites, now: datetime) -> datetime:
    """When the ticket may be written to again: now, or when the oldest write that counts leaves the window."""
    window = timedelta(seconds=limit.window_s)
    recent = sorted(at for at in writes if at > now - window)
    if len(recent) < allowed(limit):
        return now
    return recent[-allowed(limit)] + window


def reason(limit: TicketWrites) -> str:
    """Why the ticket waits, for people; when it goes on is shown beside it."""
    return f"Waits for the system's limit of {limit.count} updates a ticket in {_span(limit.window_s)}."


def _span(seconds: int) -> str:
    if seconds % 60 == 0:
        return "a minute" if seconds == 60 else f"{seconds // 60} minutes"
    return f"{seconds} seconds"
