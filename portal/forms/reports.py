"""The form above the service level report: which clocks count, and what the table has a line for."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.dateformat import format as format_date

from integrations.models import Partner
from portal.clocks import agreements_of
from portal.forms.filters import FilterForm
from portal.models import User
from portal.reports import BYS, KINDS, Scope, clocks_for
from slas.models import Agreement, PriorityChoice, TypeChoice
from slas.reports import By

# What is shown when nobody has chosen: the last year.
USUAL_MONTHS = 12


class ReportFilter(FilterForm):
    """Kind of clock, party, agreement, priority, type, months, and the lines of the table."""

    kind = forms.ChoiceField(label="Measure", choices=KINDS)
    provider = forms.ModelChoiceField(Partner.objects.none(), empty_label="All providers")
    customer = forms.ModelChoiceField(Partner.objects.none(), empty_label="All customers")
    agreement = forms.ModelChoiceField(Agreement.objects.none(), empty_label="All agreements")
    priority = forms.ChoiceField(choices=[("", "All priorities"), *PriorityChoice.choices])
    type = forms.ChoiceField(choices=[("", "All types"), *TypeChoice.choices])
    start = forms.ChoiceField(label="From", choices=[])
    end = forms.ChoiceField(label="To", choices=[])
    by = forms.ChoiceField(label="A line for each", choices=BYS)

    def offer(self, user: User | AnonymousUser | None) -> None:
        """Offer the person's own agreements, their parties, and the months in which clocks began."""
        if user is None:
            return
        agreements = agreements_of(user)
        self._rows("agreement", agreements)
        self._rows("provider", Partner.objects.filter(agreements_as_provider__in=agreements).distinct())
        self._rows("customer", Partner.objects.filter(agreements_as_customer__in=agreements).distinct())
        self.months = _months(user, agreements)
        choices = [(one.isoformat(), format_date(one, "F Y")) for one in reversed(self.months)]
        for name in ("start", "end"):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices
        if self.months:
            self.fields["start"].initial = self.months[-USUAL_MONTHS:][0].isoformat()
            self.fields["end"].initial = self.months[-1].isoformat()
        # Without a choice the form shows what the page counts.
        data: Any = self.data.copy()  # type: ignore[attr-defined]  # a QueryDict
        for name in ("start", "end"):
            if data.get(name) not in dict(choices) and self.months:
                data[name] = self.fields[name].initial
        self.data = data

    def _rows(self, name: str, rows: QuerySet) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows
        if rows.count() < 2:
            del self.fields[name]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the period and the shape of the table was chosen."""
        return any(self.chosen(name) for name in ("provider", "customer", "agreement", "priority", "type"))

    def scope(self) -> Scope:
        """What was chosen, for portal.reports."""
        return Scope(
            kind=self.chosen("kind") or KINDS[0][0],
            provider=self.chosen("provider"),
            customer=self.chosen("customer"),
            agreement=self.chosen("agreement"),
            priority=self.chosen("priority") or "",
            type=self.chosen("type") or "",
            start=_date(self.chosen("start")),
            end=_date(self.chosen("end")),
            by=By(self.chosen("by") or By.PROVIDER),
        )


def _months(user: User | AnonymousUser, agreements: QuerySet[Agreement]) -> list[date]:
    """From the first month in which one of the person's clocks began to the last.  Looked up, agreement by agreement."""
    clocks = clocks_for(user, Scope()).filter(agreement=OuterRef("pk")).values("month")
    ends = agreements.annotate(
        first=Subquery(clocks.order_by("month")[:1]), last=Subquery(clocks.order_by("-month")[:1])
    )
    known = [one for pair in ends.order_by().values_list("first", "last") for one in pair if one]
    found: list[date] = []
    month, last = min(known, default=None), max(known, default=None)
    while month and last and month <= last:
        found.append(month)
        month = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return found


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
