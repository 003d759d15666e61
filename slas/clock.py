"""A ticket's history -> response and resolution clocks, as intervals that show their own arithmetic.  Pure."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a clock measures."""

    RESPONSE = "response"
    RESOLUTION = "resolution"


class State(StrEnum):
    """What a clock is doing."""

    RUNNING = "running"
    PAUSED = "paused"
    # Answered, or resolved.
    STOPPED = "stopped"
    # Closed without an answer or a resolution: there is nothing left to measure, and no time to report.
    ENDED = "ended"


class Status(StrEnum):
    """The data dictionary's words for where a ticket stands."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    ON_HOLD = "on hold"
    RESOLVED = "resolved"
    CLOSED = "closed"


class TicketType(StrEnum):
    """The data dictionary's words for what a ticket is."""

    INCIDENT = "incident"
    SERVICE_REQUEST = "service request"
    CHANGE = "change"
    PROBLEM = "problem"


class What(StrEnum):
    """What a fact is about."""

    OPENED = "opened"
    # When the ticket came to this connection, which may be long after it was opened.
    HANDED_OVER = "handed over"
    STATUS = "status"
    PRIORITY = "priority"
    IMPACT = "impact"
    URGENCY = "urgency"
    TYPE = "type"
    # A comment that the requester can read.
    COMMENT = "comment"


class Start(StrEnum):
    """From when an agreement measures."""

    OPENED = "opened"
    HANDED_OVER = "handed over"


# A resolved or closed ticket is not waiting for anybody, and a new one is what the response clock is there for.
PAUSABLE = (Status.OPEN, Status.PENDING, Status.ON_HOLD)
