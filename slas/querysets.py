"""Named questions about agreements and clocks.  Imports no model of ours."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

from integrations.querysets import User, partners_of
from slas.clock import State


class CalendarQuerySet(models.QuerySet):
    """Questions about calendars."""

    def with_parts(self) -> Self:
        """Calendars with everything that their arithmetic needs, in three more queries."""
        return self.prefetch_related("hours", "holidays", "closures")


class AgreementQuerySet(models.QuerySet):
    """Questions about agreements."""

    def visible_to(self, user: User) -> Self:
        """Agreements to which a partner of the user is a party; none by default.

        A contract between two partners is not the business of a third, even where that one shares the ticket.
        """
        partners = list(partners_of(user).values_list("pk", flat=True))
        return self.filter(Q(customer__in=partners) | Q(provider__in=partners))

    def in_force(self, on: date) -> Self:
        """Agreements that are valid on a day."""
        return self.filter(Q(valid_until__isnull=True) | Q(valid_until__gt=on), valid_from__lte=on)


class ClockQuerySet(models.QuerySet):
    """Questions about clocks."""

    def visible_to(self, user: User) -> Self:
        """Clocks of tickets that the user may see, under agreements to which a partner of the user is a party."""
        partners = list(partners_of(user).values_list("pk", flat=True))
        ticket: Any = self.model._meta.get_field("linked_ticket").related_model
        shared = ticket._meta.get_field("partner_tickets").related_model.objects
        agreement: Any = self.model._meta.get_field("agreement").related_model
        mine = agreement.objects.visible_to(user)
        return self.filter(
            # Agreements are few: their keys first keep the plan simple at a million clocks.
            Exists(shared.filter(linked_ticket=OuterRef("linked_ticket_id"), partner__in=partners)),
            agreement__in=list(mine.values_list("pk", flat=True)),
        )

    def of_agreements(self, agreements: Iterable[int]) -> Self:
        """Clocks under these agreements."""
        return self.filter(agreement__in=list(agreements))

    def at_work(self) -> Self:
        """Clocks that may still move: running or paused."""
        return self.filter(state__in=(State.RUNNING, State.PAUSED))

    def overdue(self, now: datetime) -> Self:
        """Running clocks that have run out and that nobody has marked as breached yet."""
        return self.filter(state=State.RUNNING, is_breached=False, breaches_at__lt=now)

    def due_before(self, moment: datetime) -> Self:
        """Running clocks that will be breached by then if nothing happens, the most urgent first."""
        return self.filter(state=State.RUNNING, is_breached=False, due_at__lt=moment).order_by("due_at")

    def breached(self) -> Self:
        """Clocks that ran past their target."""
        return self.filter(is_breached=True)
