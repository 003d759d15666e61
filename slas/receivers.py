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
from integrations.events import News, Presence, SeenChange
from integrations.models import LinkedTicket
from slas import models, services, terms
from slas.clock import Status, What
from slas.models import Timing

# Fields of the data dictionary that a clock listens to.
HEARD = {what.value: what for what in (What.STATUS, What.PRIORITY, What.IMPACT, What.URGENCY, What.TYPE)}


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

    def note_all(self, answers: Iterable[tuple[LinkedTicket, datetime]]) -> None:
        """Remember several answers that are stored."""
        for linked_ticket, at in answers:
            self.note(linked_ticket, at)

    @staticmethod
    def _key(linked_ticket: LinkedTicket) -> tuple[int, datetime]:
        # With the time, because a database that was emptied counts its keys from one again.
        return linked_ticket.pk, linked_ticket.created_at


answered = Answered(limit=20_000)


def hear(sender: Any, news: Sequence[News], **kwargs: Any) -> None:
    """Histories were read: record what clocks need of them."""
    timings: dict[int, list[Timing]] = {}
    linked: dict[int, LinkedTicket] = {}
    answers: list[tuple[LinkedTicket, datetime]] = []
    for told in news:
        found = [*_beginning(told), *_field_timings(told)]
        answer = None if told.side.pk == told.linked_ticket.origin_id else _first_answer(told)
        if answer is not None:
            found.append(_event_timing(told, What.COMMENT, "", answer))
            answers.append((told.linked_ticket, answer.event.happened_at))
        if found:
            linked[told.linked_ticket.pk] = told.linked_ticket
            timings.setdefault(told.linked_ticket.pk, []).extend(found)
    if not timings:
        return
    services.record(
        list(linked.values()), [one for found in timings.values() for one in found], timezone.now()
    )
    if answers:
        # Only what is really stored may be taken for known.
        transaction.on_commit(lambda: answered.note_all(answers))


def hear_presence(sender: Any, news: Sequence[Presence], **kwargs: Any) -> None:
    """A requester's ticket is gone: nothing is left to measure until it is back.

    One that is gone from the answering side's system stops nothing: the requester still waits.
    """
    timings = [_presence_timing(told) for told in news if told.side.pk == told.linked_ticket.origin_id]
    if timings:
        services.record([one.linked_ticket for one in timings], timings, timezone.now())


def _presence_timing(told: Presence) -> Timing:
    status = Status.CLOSED.value if told.is_gone else _text(told.values.get(What.STATUS.value) or "open")
    return Timing(
        linked_ticket=told.linked_ticket,
        side_id=told.side.pk,
        what=What.STATUS.value,
        value=status,
        happened_at=told.at,
        # No event of the ticket has so high a place.
        position=int(told.at.timestamp()),
    )


def _beginning(told: News) -> Iterable[Timing]:
    """A ticket was linked: when it was opened, and when it was handed over, in the source's own time.

    Where no change tells of the hand-over the moment of linking stands in.
    """
    if not told.is_new:
        return
    linked_ticket = told.linked_ticket
    opened_at = linked_ticket.opened_at or told.ticket.opened_at or linked_ticket.created_at
    yield _timing(told, What.OPENED, "", opened_at)
    yield _timing(told, What.HANDED_OVER, "", linked_ticket.created_at)
    if told.changes:
        yield _event_timing(told, What.HANDED_OVER, "", told.changes[0])


def _field_timings(told: News) -> Iterable[Timing]:
    for change in told.changes:
        for name, what in HEARD.items():
            if name in change.values:
                yield _event_timing(told, what, _text(change.values[name]), change)


def _first_answer(told: News) -> SeenChange | None:
    """The earliest change with a comment that the requester can read, unless an earlier one is known."""
    spoken = [change for change in told.changes if change.public_comments]
    if not spoken:
        return None
    first = min(spoken, key=lambda change: (change.event.happened_at, change.event.position))
    return None if answered.covers(told.linked_ticket, first.event.happened_at) else first


def _event_timing(told: News, what: What, value: str, change: SeenChange) -> Timing:
    timing = _timing(told, what, value, change.event.happened_at)
    timing.event_id = change.event.pk
    timing.position = change.event.position
    return timing


def _timing(told: News, what: What, value: str, at: datetime) -> Timing:
    return Timing(
        linked_ticket=told.linked_ticket,
        side_id=told.side.pk,
        what=what.value,
        value=value,
        happened_at=at,
        position=0,
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
