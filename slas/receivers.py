"""What the synchronisation sees -> facts for the clocks.

Called within the engine's transaction, hundreds of times a second.  What no clock needs costs no query.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from integrations.canonical import Value
from integrations.events import SeenChange
from integrations.models import LinkedTicket, Side, Ticket
from slas import models, services, terms
from slas.clock import What
from slas.models import Timing

# Fields of the data dictionary that a clock listens to.
HEARD = {what.value: what for what in (What.STATUS, What.PRIORITY, What.IMPACT, What.URGENCY, What.TYPE)}
# What the engine does not know of its linked ticket: that the next changes are those it began with.
BEGINS = "_slas_begins"


class Answered:
    """Linked tickets of which this process knows the first public answer, so that the next ones cost nothing.

    An answer is forgotten when many newer ones came; then the next comment is recorded once more, which changes
    nothing.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._first: OrderedDict[tuple[int, datetime], datetime] = OrderedDict()

    def covers(self, linked_ticket: LinkedTicket, at: datetime) -> bool:
        """Whether an answer at this time would be news to nobody."""
        first = self._first.get(self._key(linked_ticket))
        return first is not None and first <= at

    def note(self, linked_ticket: LinkedTicket, at: datetime) -> None:
        """Remember an answer that is stored."""
        key = self._key(linked_ticket)
        self._first[key] = min(at, self._first.get(key, at))
        self._first.move_to_end(key)
        while len(self._first) > self.limit:
            self._first.popitem(last=False)

    @staticmethod
    def _key(linked_ticket: LinkedTicket) -> tuple[int, datetime]:
        # With the time, because a database that was emptied counts its keys from one again.
        return linked_ticket.pk, linked_ticket.created_at


answered = Answered(limit=20_000)


def begin(sender: Any, linked_ticket: LinkedTicket, side: Side, ticket: Ticket, **kwargs: Any) -> None:
    """A ticket was linked: its clocks begin.

    When it was handed over, the first changes tell in the source's own time; this moment stands in until they do.
    """
    opened_at = linked_ticket.opened_at or ticket.opened_at or linked_ticket.created_at
    setattr(linked_ticket, BEGINS, True)
    timings = [
        _timing(linked_ticket, side, What.OPENED, "", opened_at),
        _timing(linked_ticket, side, What.HANDED_OVER, "", linked_ticket.created_at),
    ]
    services.record(linked_ticket, timings, timezone.now())


def hear(
    sender: Any,
    linked_ticket: LinkedTicket,
    side: Side,
    ticket: Ticket,
    changes: Sequence[SeenChange],
    **kwargs: Any,
) -> None:
    """Changes were seen in one ticket's history: record what clocks need of them."""
    timings = list(_field_timings(linked_ticket, side, changes))
    answer = None if side.pk == linked_ticket.origin_id else _first_answer(linked_ticket, changes)
    if answer is not None:
        timings.append(_event_timing(linked_ticket, side, What.COMMENT, "", answer))
    if changes and linked_ticket.__dict__.pop(BEGINS, False):
        # The engine tells of a link and of the changes it began with through the same object.
        timings.append(_event_timing(linked_ticket, side, What.HANDED_OVER, "", changes[0]))
    if not timings:
        return
    services.record(linked_ticket, timings, timezone.now())
    if answer is not None:
        at = answer.event.happened_at
        # Only what is really stored may be taken for known.
        transaction.on_commit(lambda: answered.note(linked_ticket, at))


def _field_timings(
    linked_ticket: LinkedTicket, side: Side, changes: Iterable[SeenChange]
) -> Iterable[Timing]:
    for change in changes:
        for name, what in HEARD.items():
            if name in change.values:
                yield _event_timing(linked_ticket, side, what, _text(change.values[name]), change)


def _first_answer(linked_ticket: LinkedTicket, changes: Iterable[SeenChange]) -> SeenChange | None:
    """The earliest change with a comment that the requester can read, unless an earlier one is known."""
    spoken = [change for change in changes if change.public_comments]
    if not spoken:
        return None
    first = min(spoken, key=lambda change: (change.event.happened_at, change.event.position))
    return None if answered.covers(linked_ticket, first.event.happened_at) else first


def _event_timing(
    linked_ticket: LinkedTicket, side: Side, what: What, value: str, change: SeenChange
) -> Timing:
    timing = _timing(linked_ticket, side, what, value, change.event.happened_at)
    timing.event_id = change.event.pk
    timing.position = change.event.position
    return timing


def _timing(linked_ticket: LinkedTicket, side: Side, what: What, value: str, at: datetime) -> Timing:
    return Timing(
        linked_ticket=linked_ticket, side_id=side.pk, what=what.value, value=value, happened_at=at, position=0
    )


def _text(value: Value) -> str:
    return "" if value is None else str(value)[:100]


# --- Changed terms ---


def terms_edited(sender: Any, instance: Any, raw: bool = False, **kwargs: Any) -> None:
    """An agreement, or something that belongs to one, was saved or deleted."""
    if raw:
        return
    match instance:
        case models.Agreement():
            affected = Q(pk=instance.pk)
        case models.Calendar():
            affected = Q(calendar=instance.pk)
        case models.PriorityMatrix():
            affected = Q(matrix=instance.pk)
        case models.Target():
            affected = Q(pk=instance.agreement_id)
        case models.Hours() | models.Holiday() | models.Closure():
            affected = Q(calendar=instance.calendar_id)
        case _:
            raise TypeError(f"{type(instance).__name__} is no part of an agreement.")
    terms.announce_change(affected)


def connections_edited(sender: Any, instance: Any, action: str, **kwargs: Any) -> None:
    """Connections were added to an agreement or taken from it."""
    if action.startswith("post_") and isinstance(instance, models.Agreement):
        terms.announce_change(Q(pk=instance.pk))


def sides_edited(sender: Any, raw: bool = False, **kwargs: Any) -> None:
    """A connection has another side: who answers there may have changed."""
    if not raw:
        terms.renew_token()
