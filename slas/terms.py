"""Agreements as values, kept in the process until somebody changes one.

The hot path must not read agreements, calendars and matrices for every change that is seen.  They are read once, and
again when the token in the database is another; the token comes along with the query for a ticket's timings, so that
asking costs nothing and an answer is never old.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q, Subquery

from integrations.models import Side
from slas import clock, models
from slas.calendars import ServiceHours, Window
from slas.clock import Kind, Terms
from slas.matrix import Priority

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Agreed:
    """An agreement with all that decides whether it covers a ticket, and its terms."""

    agreement_id: int
    customer_id: int
    provider_id: int
    connection_ids: frozenset[int]
    covers_own: bool
    valid_from_at: datetime
    valid_until_at: datetime | None
    zone: ZoneInfo
    terms: Terms

    def is_in_force(self, at: datetime) -> bool:
        """Whether it is valid at this instant."""
        return self.valid_from_at <= at and (self.valid_until_at is None or at < self.valid_until_at)

    def month_of(self, at: datetime) -> date:
        """The first day of the month in which this instant lies, by the calendar's time zone."""
        return at.astimezone(self.zone).date().replace(day=1)

    def kinds_for(self, sides: Mapping[int, int], connection_id: int, origin_id: int) -> tuple[Kind, ...]:
        """Which clocks it puts on tickets raised on side `origin_id` of a connection; `sides` maps to partners.

        The side that did not raise a ticket answers it.  What the provider raised itself needs no answer from it.
        """
        if self.connection_ids and connection_id not in self.connection_ids:
            return ()
        raised_by = sides.get(origin_id)
        answers = next((partner_id for side_id, partner_id in sides.items() if side_id != origin_id), None)
        is_named = bool(self.connection_ids)
        if answers == self.provider_id and (is_named or raised_by == self.customer_id):
            return (Kind.RESPONSE, Kind.RESOLUTION)
        if self.covers_own and raised_by == self.provider_id and (is_named or answers == self.customer_id):
            return (Kind.RESOLUTION,)
        return ()


Cover = tuple[Agreed, tuple[Kind, ...]]


@dataclass(slots=True)
class Book:
    """All agreements, and who stands on which side of every connection."""

    token: str
    agreements: dict[int, Agreed]
    sides: dict[int, dict[int, int]]
    _covers: dict[tuple[int, int], tuple[Cover, ...]] = field(default_factory=dict)

    def knows(self, connection_id: int, origin_id: int) -> bool:
        """Whether this side was there when the book was written."""
        return origin_id in self.sides.get(connection_id, {})

    def covering(self, connection_id: int, origin_id: int) -> tuple[Cover, ...]:
        """The agreements that cover tickets raised on this side, whenever they are valid."""
        key = (connection_id, origin_id)
        if key not in self._covers:
            sides = self.sides.get(connection_id, {})
            found = [(one, one.kinds_for(sides, *key)) for one in self.agreements.values()]
            self._covers[key] = tuple((agreed, kinds) for agreed, kinds in found if kinds)
        return self._covers[key]


_book: Book | None = None


def current(token: str) -> Book:
    """The book that belongs to a token; read again (about eight queries) when ours has another."""
    global _book
    book = _book
    if book is None or book.token != token:
        book = _book = _read(token)
    return book


def reread(token: str) -> Book:
    """The book, read anew: something turned up that it does not know."""
    global _book
    _book = _read(token)
    return _book


def token_query() -> Subquery:
    """The token as a part of another query; None while nothing was ever agreed."""
    return Subquery(models.TermsVersion.objects.filter(pk=1).values("token")[:1])


def token_now() -> str:
    """The token, in one query."""
    return models.TermsVersion.objects.filter(pk=1).values_list("token", flat=True).first() or ""


def renew_token() -> None:
    """Have every process read its book again, from the end of this transaction on."""
    models.TermsVersion.objects.bulk_create(
        [models.TermsVersion(pk=1, token=uuid.uuid4().hex)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["token"],
    )


def announce_change(agreements: Q) -> None:
    """Terms of these agreements were changed: renew the token, and have their clocks computed again from the start."""
    renew_token()
    models.Agreement.objects.filter(agreements).update(recompute_from=0)


def _read(token: str) -> Book:
    found: dict[int, Agreed] = {}
    rows = models.Agreement.objects.select_related("calendar", "matrix").prefetch_related(
        "connections", "targets", "calendar__hours", "calendar__holidays", "calendar__closures"
    )
    for agreement in rows:
        try:
            found[agreement.pk] = agreed(agreement)
        except ValueError:
            # One agreement that cannot be read must not stop the clocks of the others, nor the synchronisation.
            logger.exception("agreement_unreadable", extra={"agreement_id": agreement.pk})
    sides: dict[int, dict[int, int]] = {}
    for side_id, connection_id, partner_id in Side.objects.values_list(
        "pk", "connection_id", "system__partner_id"
    ):
        sides.setdefault(connection_id, {})[side_id] = partner_id
    return Book(token, found, sides)


def agreed(agreement: models.Agreement) -> Agreed:
    """An agreement as a value; ValueError when its matrix, zone or hours cannot be read."""
    zone = _zone(agreement.calendar.time_zone)
    until = agreement.valid_until
    return Agreed(
        agreement_id=agreement.pk,
        customer_id=agreement.customer_id,
        provider_id=agreement.provider_id,
        connection_ids=frozenset(connection.pk for connection in agreement.connections.all()),
        covers_own=agreement.covers_own,
        valid_from_at=_midnight(agreement.valid_from, zone),
        valid_until_at=None if until is None else _midnight(until, zone),
        zone=zone,
        terms=terms_of(agreement),
    )


def terms_of(agreement: models.Agreement) -> Terms:
    """What the arithmetic needs of an agreement; ValueError as `agreed`."""
    return Terms(
        targets=tuple(
            clock.Target(
                Kind(target.kind),
                Priority(target.priority),
                timedelta(minutes=target.minutes),
                clock.TicketType(target.type) if target.type else None,
            )
            for target in agreement.targets.all()
        ),
        hours=hours_of(agreement.calendar),
        matrix=agreement.matrix.as_value(),
        pauses=frozenset(clock.Status(status) for status in agreement.pause_statuses),
        start=clock.Start(agreement.starts_from),
    )


def hours_of(calendar: models.Calendar) -> ServiceHours:
    """A calendar as a value; ValueError when its zone is unknown."""
    return ServiceHours(
        zone=_zone(calendar.time_zone).key,
        windows=tuple(sorted(Window(one.weekday, one.from_min, one.to_min) for one in calendar.hours.all())),
        holidays=frozenset(one.date for one in calendar.holidays.all()),
        closures=tuple(sorted((one.starts_at, one.ends_at) for one in calendar.closures.all())),
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError) as error:
        raise ValueError(f"{name} is not a time zone.") from error


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
