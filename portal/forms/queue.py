"""Forms of the queue: what it is narrowed to, what is done to many lanes at once, and skipping deliveries."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from integrations.models import Connection, Lane, Partner, System
from portal.access import partners_for
from portal.forms.filters import FilterForm, words_field
from portal.models import QueueAction, User
from portal.queue import OLDEST, QueueCriteria, systems_met_by

STATES = [
    ("", "Any state"),
    (Lane.State.PARKED.value, "Needs a person"),
    ("failing", "Tried in vain, tried again"),
    ("unknown", "Outcome unknown"),
    (Lane.State.HELD.value, "Held"),
    (Lane.State.READY.value, "May move"),
]
AGE_CHOICES = [
    ("", "Any age"),
    ("15m", "15 minutes and more"),
    ("1h", "1 hour and more"),
    ("24h", "24 hours and more"),
]
ORDER_CHOICES = [
    (OLDEST, "Longest wait first"),
    ("newest", "Shortest wait first"),
    ("next", "Next attempt first"),
]


class QueueFilter(FilterForm):
    """Words, state, age, connection, receiving partner and its system, and the order; the reason comes by a link."""

    q = words_field("Title, key or LT number")
    state = forms.ChoiceField(choices=STATES)
    age = forms.ChoiceField(choices=AGE_CHOICES, label="Waits for")
    connection = forms.ModelChoiceField(Connection.objects.none(), empty_label="All connections")
    partner = forms.ModelChoiceField(Partner.objects.none(), label="Receiver", empty_label="All partners")
    system = forms.ModelChoiceField(System.objects.none(), label="Its system", empty_label="All systems")
    order = forms.ChoiceField(choices=ORDER_CHOICES)
    code = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def offer(self, user: User | AnonymousUser | None) -> None:
        """Offer the person's own connections, partners and the systems these exchange with; one is no choice."""
        if user is None:
            return
        self._offer_rows("connection", Connection.objects.visible_to(user))
        self._offer_rows("partner", partners_for(user, "read", "queue"))
        self._offer_rows("system", systems_met_by(user))

    def _offer_rows(self, name: str, rows: QuerySet[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows
        if rows.count() < 2:
            del self.fields[name]

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter holds; the order is none."""
        return bool(self.criteria())

    def criteria(self) -> QueueCriteria:
        """What was chosen, for portal.queue."""
        return QueueCriteria(
            state=self.chosen("state") or "",
            connection=self.chosen("connection"),
            partner=self.chosen("partner"),
            system=self.chosen("system"),
            code=self.chosen("code") or "",
            age=self.chosen("age") or "",
            words=self.chosen("q") or "",
            order=self.chosen("order") or OLDEST,
        )

    def in_words(self) -> str:
        """What was chosen, for the record of what was done to all of it."""
        labels = [
            f"{field.label}: {self._label_of(field)}"
            for field in self.visible_fields()
            if field.name != "order"
            if self.chosen(field.name)
        ]
        if code := self.chosen("code"):
            labels.append(f"Reason: {code.replace('_', ' ')}")
        return "; ".join(labels)

    def _label_of(self, field: forms.BoundField) -> str:
        chosen = self.chosen(field.name)
        return dict(getattr(field.field, "_choices", [])).get(chosen, str(chosen))


class ActForm(forms.Form):
    """Retry, hold, resume, skip or decide: some lanes by their keys, or all that the list is narrowed to."""

    action = forms.ChoiceField(choices=QueueAction.Act.choices)
    lanes = forms.TypedMultipleChoiceField(coerce=int, required=False)
    scope = forms.ChoiceField(choices=[("", "Chosen"), ("all", "All")], required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        # Keys of lanes are checked against what the person may act on, not against a list in the form.
        chosen = self.fields["lanes"]
        assert isinstance(chosen, forms.TypedMultipleChoiceField)
        chosen.choices = [(key, key) for key in data.getlist("lanes") if key.isdecimal() and len(key) < 19]

    def clean(self) -> dict[str, Any]:
        """Something has to be chosen."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and not cleaned.get("lanes") and cleaned.get("scope") != "all":
            self.add_error(None, "Choose at least one lane.")
        return cleaned


class SkipForm(forms.Form):
    """Leaving out one delivery: why, and, where it may have arrived already, that this is known."""

    reason = forms.CharField(
        label="Why is it left out?",
        max_length=300,
        help_text="Both companies' staff and the audit trail keep it. It is not sent to anybody.",
        error_messages={"required": "Say why it is skipped."},
    )
    even_if_unverified = forms.BooleanField(
        label="It may have arrived already; nobody needs to know", required=False
    )
    next = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, may_have_arrived: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_have_arrived:
            del self.fields["even_if_unverified"]
