"""Forms of the queue: what it is narrowed to, what is done to many lanes at once, and skipping one delivery."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from integrations.models import Connection, Lane, Partner
from portal.access import partners_for
from portal.forms.filters import FilterForm
from portal.models import User
from portal.queue import QueueCriteria

STATES = [
    ("", "Any state"),
    (Lane.State.PARKED.value, "Needs a person"),
    ("failing", "Tried in vain, tried again"),
    (Lane.State.HELD.value, "Held"),
    (Lane.State.READY.value, "May move"),
]


class QueueFilter(FilterForm):
    """State, connection and receiving partner; the reason comes by a link."""

    state = forms.ChoiceField(choices=STATES)
    connection = forms.ModelChoiceField(Connection.objects.none(), empty_label="All connections")
    partner = forms.ModelChoiceField(Partner.objects.none(), label="Receiver", empty_label="All partners")
    code = forms.CharField(max_length=40, widget=forms.HiddenInput)

    def offer(self, user: User | AnonymousUser | None) -> None:
        """Offer the person's own connections and partners; where there is only one, there is nothing to choose."""
        if user is None:
            return
        self._offer_rows("connection", Connection.objects.visible_to(user))
        self._offer_rows("partner", partners_for(user, "read", "queue"))

    def _offer_rows(self, name: str, rows: QuerySet[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows
        if rows.count() < 2:
            del self.fields[name]

    def criteria(self) -> QueueCriteria:
        """What was chosen, for portal.queue."""
        return QueueCriteria(
            state=self.chosen("state") or "",
            connection=self.chosen("connection"),
            partner=self.chosen("partner"),
            code=self.chosen("code") or "",
        )


class ActForm(forms.Form):
    """Retry, hold or resume: some lanes by their keys, or all that the list is narrowed to."""

    ACTIONS = [("retry", "Retry"), ("hold", "Hold"), ("resume", "Resume")]

    action = forms.ChoiceField(choices=ACTIONS)
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
