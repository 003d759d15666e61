"""Forms about connections: which two systems, who opens tickets, and for which."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from integrations.canonical import FieldKind
from integrations.mapping.checks import FieldFacts
from integrations.models import Connection, Partner, Side, System
from integrations.services.connections import SideData
from portal.access import partners_for
from portal.forms.base import StampedForm
from portal.forms.filters import FilterForm, words_field
from portal.models import User

CONDITIONS = 3
# What a condition can sensibly be about: fields with few values.
CONDITION_KINDS = (FieldKind.CHOICE, FieldKind.STATUS, FieldKind.LABELS)


class PairForm(forms.Form):
    """Which two systems are joined."""

    left = forms.ModelChoiceField(queryset=System.objects.none(), empty_label="Choose a system")
    right = forms.ModelChoiceField(queryset=System.objects.none(), empty_label="Choose a system")

    def __init__(self, *args: Any, systems: QuerySet[System], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("left", "right"):
            self.fields[name] = SystemChoice(queryset=systems, empty_label="Choose a system")
        self.fields["left"].label = "One system"
        self.fields["right"].label = "The other system"


class SystemChoice(forms.ModelChoiceField):
    """A system with its partner's name, which people know better."""

    def label_from_instance(self, obj: System) -> str:
        """Partner, name and product."""
        return f"{obj.partner}: {obj.name} ({obj.kind_label})"


class ConnectionForm(StampedForm):
    """What people call a connection."""

    name = forms.CharField(max_length=160)
    note = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What was agreed. Both partners read it.",
    )


class NewConnectionForm(ConnectionForm):
    """A name, and how the two sides begin."""

    template = forms.BooleanField(
        label="Begin with the rules that ship for these products",
        required=False,
        initial=True,
        help_text="Each side changes its own afterwards. Without them nothing is exchanged until rules are published.",
    )


class SideForm(StampedForm):
    """Whether tickets of one side open one on the other, and which."""

    starts = forms.BooleanField(label="New tickets here open a ticket on the other side", required=False)

    def __init__(self, *args: Any, facts: Mapping[str, FieldFacts], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.facts = facts
        self.trigger: dict[str, list[str]] = {}
        for number in range(1, CONDITIONS + 1):
            self.fields[f"field_{number}"] = self._field_choice(number)
            self.fields[f"values_{number}"] = forms.CharField(
                label=f"Condition {number}: is one of",
                required=False,
                max_length=500,
                widget=forms.TextInput(attrs={"placeholder": "urgent, high"}),
            )

    def _field_choice(self, number: int) -> forms.Field:
        label = f"Condition {number}: field"
        if not self.facts:
            # Not asked for its fields yet: people may know a name all the same.
            return forms.CharField(
                label=label,
                required=False,
                max_length=120,
                widget=forms.TextInput(attrs={"placeholder": "a field, such as priority"}),
            )
        choices = [(name, facts.label) for name, facts in self.facts.items() if facts.kind in CONDITION_KINDS]
        kept = self.initial.get(f"field_{number}")
        if kept and kept not in dict(choices):
            choices.append((kept, kept))
        return forms.ChoiceField(label=label, required=False, choices=[("", "every ticket"), *choices])

    @property
    def conditions(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The conditions' fields in pairs, for the template."""
        return [(self[f"field_{number}"], self[f"values_{number}"]) for number in range(1, CONDITIONS + 1)]

    def clean(self) -> dict[str, Any]:
        """Join fields and values to the trigger; every half condition is told at its place."""
        for number in range(1, CONDITIONS + 1):
            name = self.cleaned_data.get(f"field_{number}") or ""
            values = split_values(self.cleaned_data.get(f"values_{number}") or "")
            try:
                self._check_condition(name, values)
            except ValidationError as error:
                self.add_error(f"values_{number}", error)
                continue
            if name:
                self.trigger[name] = values
        return super().clean()

    def _check_condition(self, name: str, values: Sequence[str]) -> None:
        if name and not values:
            raise ValidationError("Say which values open a ticket, separated by commas.")
        if values and not name:
            raise ValidationError("Choose the field that these values belong to.")
        if name in self.trigger:
            raise ValidationError("There is a condition on this field already: put the values together.")
        known = self.facts[name].values if name in self.facts else ()
        unknown = [value for value in values if known and value not in known]
        if unknown:
            raise ValidationError(f"There is no {join_values(unknown)} here. It has {join_values(known)}.")

    def data_for_service(self) -> SideData:
        """What was entered, as the service takes it."""
        return SideData(starts=self.cleaned_data["starts"], trigger=self.trigger)


def split_values(text: str) -> list[str]:
    """Values separated by commas; one that holds a comma stands in double quotes.  Pure."""
    rows = csv.reader([text.replace("\n", ",")], skipinitialspace=True)
    return [value.strip() for row in rows for value in row if value.strip()]


def join_values(values: Iterable[str]) -> str:
    """The reverse of `split_values`.  Pure."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(values)
    return buffer.getvalue().replace(",", ", ") if '"' not in buffer.getvalue() else buffer.getvalue()


def shown_of_side(side: Side) -> dict[str, Any]:
    """The side's values by the form's field names."""
    shown: dict[str, Any] = {"starts": side.starts}
    conditions = list(side.trigger.items())
    for number in range(1, CONDITIONS + 1):
        name, values = conditions[number - 1] if number <= len(conditions) else ("", [])
        shown[f"field_{number}"], shown[f"values_{number}"] = name, join_values(values) if values else ""
    return shown


def shown_of(connection: Connection) -> dict[str, Any]:
    """The connection's values by the form's field names."""
    return {"name": connection.name, "note": connection.note}


class PauseForm(forms.Form):
    """Why a side pauses."""

    reason = forms.CharField(
        max_length=300,
        label="Why",
        help_text="The other partner reads it.",
        error_messages={"required": "Say why: the other partner reads it."},
    )


class ConnectionFilter(FilterForm):
    """What the list of connections is narrowed to."""

    q = words_field("Name or system")
    partner = forms.ModelChoiceField(queryset=Partner.objects.none(), empty_label="All partners")
    state = forms.ChoiceField(choices=[("", "All states"), *Connection.State.choices])

    def offer(self, user: User | AnonymousUser | None) -> None:
        """The partners whose connections the person may read."""
        if user is not None:
            self.fields["partner"].queryset = partners_for(user, "read", "connections")  # type: ignore[attr-defined]

    def narrow(self, connections: QuerySet[Connection]) -> QuerySet[Connection]:
        """The connections that fit."""
        if words := self.chosen("q"):
            connections = connections.filter(
                Q(name__icontains=words)
                | Q(pk__in=Side.objects.filter(system__name__icontains=words).values("connection"))
            )
        if partner := self.chosen("partner"):
            connections = connections.filter(
                pk__in=Side.objects.filter(system__partner=partner).values("connection")
            )
        if state := self.chosen("state"):
            connections = connections.filter(state=state)
        return connections
