"""Forms about agreements: their terms, targets, priority matrices and calendars."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from integrations.models import Connection, Partner
from portal.access import Someone, may, partners_for
from portal.entering import (
    read_closures,
    read_duration,
    read_holidays,
    read_spans,
    write_closures,
    write_duration,
    write_holidays,
    write_spans,
)
from portal.forms.account import time_zone_choices
from portal.forms.base import StampedForm
from portal.forms.filters import FilterForm, words_field
from slas.calendars import Window
from slas.clock import PAUSABLE
from slas.matrix import LEVELS
from slas.models import (
    Agreement,
    Calendar,
    Hours,
    KindChoice,
    PriorityChoice,
    PriorityMatrix,
    TypeChoice,
)
from slas.services import Goal

Read = TypeVar("Read")

PAUSES = [(one.value, one.value.capitalize()) for one in PAUSABLE]


class AgreementFilter(FilterForm):
    """Words and kind."""

    q = words_field("Name or partner")
    kind = forms.ChoiceField(choices=[("", "Any kind"), *Agreement.Kind.choices])


def parties_for(user: Someone) -> QuerySet[Partner]:
    """Partners that can be a party of the person's agreements: the own ones, and those that exchange with them."""
    own = partners_for(user, "write", "agreements")
    joined = Connection.objects.filter(sides__system__partner__in=own)
    return Partner.objects.filter(Q(pk__in=own) | Q(systems__sides__connection__in=joined)).distinct()


class PartiesForm(forms.Form):
    """Two different partners, at one of which the person may make agreements."""

    customer = forms.ModelChoiceField(Partner.objects.none(), help_text="Who is served.")
    provider = forms.ModelChoiceField(Partner.objects.none(), help_text="Who answers and resolves.")

    def __init__(self, *args: Any, user: Someone, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        for name in ("customer", "provider"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = parties_for(user)

    def clean(self) -> dict[str, Any]:
        """The parties differ, and one of them is the person's to speak for."""
        cleaned = super().clean() or self.cleaned_data
        customer, provider = cleaned.get("customer"), cleaned.get("provider")
        if customer and provider:
            if customer == provider:
                self.add_error("provider", "Customer and provider are two different partners.")
            elif not any(may(self.user, "write", "agreements", one) for one in (customer, provider)):
                self.add_error(None, "Your roles allow agreements only of your own partner.")
        return cleaned


class ReferenceForm(PartiesForm):
    """An agreement with the reference matrix, targets and calendar."""

    kind = forms.ChoiceField(choices=Agreement.Kind.choices)


class AgreementForm(PartiesForm, StampedForm):
    """An agreement's terms, targets apart."""

    name = forms.CharField(max_length=160)
    kind = forms.ChoiceField(choices=Agreement.Kind.choices)
    connections = forms.ModelMultipleChoiceField(
        Connection.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None means all connections between the two.",
    )
    starts_from = forms.ChoiceField(label="Clocks begin", choices=Agreement.StartsFrom.choices)
    covers_own = forms.BooleanField(
        label="Covers also tickets that the provider raised itself", required=False
    )
    calendar = forms.ModelChoiceField(Calendar.objects.all(), label="Service hours", empty_label=None)
    matrix = forms.ModelChoiceField(PriorityMatrix.objects.all(), label="Priority matrix", empty_label=None)
    pause_statuses = forms.MultipleChoiceField(
        label="Clocks pause while the ticket is",
        choices=PAUSES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    goal_percent = forms.DecimalField(
        label="Goal in per cent",
        min_value=0,
        max_value=100,
        decimal_places=2,
        help_text="The share of tickets that have to meet their target.",
    )
    valid_from = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    valid_until = forms.DateField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The first day on which it does not hold any more.",
    )
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))

    field_order = ["name", "kind", "customer", "provider"]

    def __init__(self, *args: Any, agreement: Agreement | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agreement = agreement
        field = self.fields["connections"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = Connection.objects.visible_to(self.user)
        if not field.queryset.exists():
            del self.fields["connections"]

    def clean(self) -> dict[str, Any]:
        """It ends after it begins, and the connections join the two parties."""
        cleaned = super().clean()
        start, end = cleaned.get("valid_from"), cleaned.get("valid_until")
        if start and end and end <= start:
            self.add_error("valid_until", "An agreement ends after it begins.")
        parties = {one.pk for one in (cleaned.get("customer"), cleaned.get("provider")) if one}
        for connection in cleaned.get("connections") or ():
            ends = set(connection.sides.values_list("system__partner", flat=True))
            if len(parties) == 2 and ends != parties:
                self.add_error("connections", f"{connection} does not join these two partners.")
        return cleaned

    def _sentence(self, changed: list[str]) -> str:
        # By their labels: most values are keys of other rows.
        labels = ", ".join(self._label(name) for name in changed if name in self.fields)
        return (
            f"Somebody changed this while you had it open{f': {labels}' if labels else ''}. Nothing is saved yet and "
            "what you typed is still here: look again, then save."
        )

    def clean_name(self) -> str:
        """Names are used once."""
        name = str(self.cleaned_data["name"]).strip()
        other = Agreement.objects.filter(name=name).first()
        if other and other != self.agreement:
            raise ValidationError("An agreement has this name already.")
        return name


def shown_agreement(agreement: Agreement) -> dict[str, Any]:
    """An agreement's terms by the form's field names, in a form that can be signed."""
    return {
        "name": agreement.name,
        "kind": agreement.kind,
        "customer": agreement.customer_id,
        "provider": agreement.provider_id,
        "connections": sorted(agreement.connections.values_list("pk", flat=True)),
        "starts_from": agreement.starts_from,
        "covers_own": agreement.covers_own,
        "calendar": agreement.calendar_id,
        "matrix": agreement.matrix_id,
        "pause_statuses": list(agreement.pause_statuses),
        "goal_percent": f"{agreement.goal_percent:.2f}",
        "valid_from": agreement.valid_from.isoformat(),
        "valid_until": agreement.valid_until.isoformat() if agreement.valid_until else "",
        "note": agreement.note,
    }


class TargetsForm(StampedForm):
    """Targets of one agreement: a cell for every priority and kind, for all types and for each type of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind, priority, type_ in _target_keys():
            label = f"{KindChoice(kind).label}, {PriorityChoice(priority).label.lower()}"
            self.fields[_cell(kind, priority, type_)] = forms.CharField(
                label=label, required=False, max_length=40
            )

    def clean(self) -> dict[str, Any]:
        """Every filled cell is a duration, and answering takes no longer than resolving."""
        cleaned = super().clean()
        self.minutes: dict[tuple[str, str, str], int] = {}
        for key in _target_keys():
            text = cleaned.get(_cell(*key), "")
            if text:
                minutes = _try(self, _cell(*key), partial(read_duration, text))
                if minutes is not None:
                    self.minutes[key] = minutes
        for (kind, priority, type_), minutes in self.minutes.items():
            longest = self.minutes.get((KindChoice.RESOLUTION.value, priority, type_))
            if kind == KindChoice.RESPONSE and longest is not None and minutes > longest:
                self.add_error(_cell(kind, priority, type_), "Answering may not take longer than resolving.")
        return cleaned

    def goals(self) -> list[Goal]:
        """What was entered, for slas.services."""
        return [
            Goal(kind, priority, minutes, type_) for (kind, priority, type_), minutes in self.minutes.items()
        ]

    def tables(self) -> list[tuple[str, bool, list[tuple[str, list[forms.BoundField]]]]]:
        """The cells as tables: one for all types, then one a type; whether it holds anything; a row a priority."""
        found = []
        for type_, label in [("", "All types"), *TypeChoice.choices]:
            rows = [
                (str(priority_label), [self[_cell(kind, priority, type_)] for kind in KindChoice.values])
                for priority, priority_label in PriorityChoice.choices
            ]
            is_filled = any(cell.value() for _, cells in rows for cell in cells)
            found.append((str(label), is_filled or not type_, rows))
        return found


def shown_targets(agreement: Agreement) -> dict[str, Any]:
    """An agreement's targets by the form's field names."""
    shown = {_cell(*key): "" for key in _target_keys()}
    for target in agreement.targets.all():
        shown[_cell(target.kind, target.priority, target.type)] = write_duration(target.minutes)
    return shown


def _target_keys() -> list[tuple[str, str, str]]:
    return [
        (kind, priority, type_)
        for type_ in ("", *TypeChoice.values)
        for priority in PriorityChoice.values
        for kind in KindChoice.values
    ]


def _cell(kind: str, priority: str, type_: str) -> str:
    return "_".join(part.replace(" ", "") for part in ("t", kind, priority, type_) if part)


class MatrixForm(StampedForm):
    """Sixteen choices: urgency down, impact across."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for urgency in LEVELS:
            for impact in LEVELS:
                self.fields[f"p{urgency}{impact}"] = forms.ChoiceField(
                    label=f"Urgency {urgency}, impact {impact}", choices=PriorityChoice.choices
                )

    def table(self) -> list[tuple[int, list[forms.BoundField]]]:
        """The cells, a row for each urgency."""
        return [(urgency, [self[f"p{urgency}{impact}"] for impact in LEVELS]) for urgency in LEVELS]

    def entered_rows(self) -> list[list[str]]:
        """What was chosen, for slas.services."""
        return [[self.cleaned_data[f"p{urgency}{impact}"] for impact in LEVELS] for urgency in LEVELS]


def shown_matrix(rows: list[list[str]]) -> dict[str, Any]:
    """A matrix by the form's field names."""
    return {f"p{urgency}{impact}": rows[urgency - 1][impact - 1] for urgency in LEVELS for impact in LEVELS}


class CalendarForm(StampedForm):
    """A calendar: its zone, the hours of each weekday, holidays and planned closures."""

    name = forms.CharField(max_length=120)
    time_zone = forms.ChoiceField(choices=time_zone_choices)
    holidays = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="One a line: 2026-12-25 Christmas Day. Clocks stand still on these dates.",
    )
    closures = forms.CharField(
        label="Planned closures",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="One a line, in the calendar's zone: 2026-12-01 22:00 – 2026-12-02 04:00 New servers.",
    )
    note = forms.CharField(max_length=300, required=False)

    def __init__(self, *args: Any, calendar: Calendar | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calendar = calendar
        for weekday, label in Hours.Weekday.choices:
            self.fields[f"day{weekday}"] = forms.CharField(
                label=str(label),
                required=False,
                max_length=200,
                widget=forms.TextInput(attrs={"placeholder": "closed"}),
            )
        self.order_fields(["name", "time_zone", *(f"day{weekday}" for weekday in range(7))])

    def clean(self) -> dict[str, Any]:
        """Read what was written; each mistake at its field."""
        cleaned = super().clean()
        self.windows: list[Window] = []
        for weekday in range(7):
            text = cleaned.get(f"day{weekday}", "")
            self.windows += _try(self, f"day{weekday}", partial(read_spans, weekday, text)) or []
        self.entered_holidays = (
            _try(self, "holidays", partial(read_holidays, cleaned.get("holidays", ""))) or []
        )
        if (zone := cleaned.get("time_zone")) in available_timezones():
            text = cleaned.get("closures", "")
            self.entered_closures = _try(self, "closures", partial(read_closures, text, zone)) or []
        return cleaned

    def clean_name(self) -> str:
        """Names are used once."""
        name = str(self.cleaned_data["name"]).strip()
        other = Calendar.objects.filter(name=name).first()
        if other and other != self.calendar:
            raise ValidationError("A calendar has this name already.")
        return name


def shown_calendar(calendar: Calendar) -> dict[str, Any]:
    """A calendar by the form's field names."""
    days: dict[int, list[Window]] = {}
    for row in calendar.hours.all():
        days.setdefault(row.weekday, []).append(Window(row.weekday, row.from_min, row.to_min))
    closures = calendar.closures.values_list("starts_at", "ends_at", "reason")
    return {
        "name": calendar.name,
        "time_zone": calendar.time_zone,
        "holidays": write_holidays(calendar.holidays.values_list("date", "name")),
        "closures": write_closures(closures, calendar.time_zone),
        "note": calendar.note,
        **{f"day{weekday}": write_spans(days.get(weekday, ())) for weekday in range(7)},
    }


def _try(form: forms.Form, name: str, read: Callable[[], Read]) -> Read | None:
    """What was read; None with the sentence at the field when it cannot be."""
    try:
        return read()
    except ValueError as error:
        form.add_error(name, str(error))
        return None
