"""Domain events: what others may want to know of the synchronisation.

Sent inside the transaction that records the fact, so that a receiver's own rows are written together with it or not
at all.  Receivers must be quick and must not call other systems.  Times are the source system's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from django.dispatch import Signal

from integrations.canonical import Value
from integrations.models import LinkedTicket, Side, SyncEvent, Ticket


@dataclass(frozen=True, slots=True)
class SeenChange:
    """One change seen in a ticket's own history, and what it means in the words of the data dictionary.

    `values` holds the dictionary fields that changed (`status`, `priority`, `impact`, ...), as far as the side's
    outgoing rules know them.  `public_comments` counts comments that customers can read.
    """

    event: SyncEvent
    values: Mapping[str, Value]
    public_comments: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What one reading of a ticket's history told about one of its linked tickets.

    `side` is where the ticket stands, `changes` are in the ticket's own order.  Our own writes coming back are not
    among them: a status set in Jira counts at Jira's time, not again when it arrives in Zendesk.  With `is_new` the
    link was made by this reading, and `changes` are those that it began with.
    """

    linked_ticket: LinkedTicket
    side: Side
    ticket: Ticket
    changes: Sequence[SeenChange]
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    """A ticket is gone from its system, or back in it; `values` are what it says then in the words of the dictionary.

    `at` is the system's own time where its history told, and otherwise when we found out.
    """

    linked_ticket: LinkedTicket
    side: Side
    ticket: Ticket
    at: datetime
    is_gone: bool
    values: Mapping[str, Value] = field(default_factory=dict)


class AlertNews(StrEnum):
    """What is told of an alert."""

    OPENED = "opened"
    WORSENED = "worsened"
    CLOSED = "closed"


# news: list[News], of several readings at once; a linked ticket may occur more than once
histories_read = Signal()
# news: list[Presence]
presence_changed = Signal()
# lane: Lane
lane_parked = Signal()
lane_resumed = Signal()
# alert: Alert; news: AlertNews; at: datetime
alert_told = Signal()
