"""Forms about alerts: what the list is narrowed to, and what is done about one."""

from __future__ import annotations

from django import forms
from django.contrib.auth.models import AnonymousUser

from integrations.models import Alert, Partner
from integrations.querysets import AlertQuerySet
from portal.access import partners_for
from portal.forms.filters import FilterForm, words_field
from portal.models import User

ANY = "any"


class AlertFilter(FilterForm):
    """Words, partner, condition, severity and state; those that still hold unless told otherwise."""

    q = words_field("Words of the alert")
    partner = forms.ModelChoiceField(queryset=Partner.objects.none(), empty_label="All partners")
    code = forms.ChoiceField(label="Condition", choices=[("", "Anything"), *Alert.Code.choices])
    severity = forms.ChoiceField(
        label="At least",
        choices=[("", "Any severity"), *((str(v), n) for v, n in Alert.SeverityChoice.choices)],
    )
    state = forms.ChoiceField(
        choices=[
            ("", "Still holds"),
            ("open", "Open"),
            ("acknowledged", "Acknowledged"),
            ("closed", "Closed"),
            (ANY, "Any state"),
        ]
    )

    def offer(self, user: User | AnonymousUser | None) -> None:
        """The partners whose alerts the person may read."""
        if user is not None:
            self.fields["partner"].queryset = partners_for(user, "read", "alerts")  # type: ignore[attr-defined]

    def narrow(self, alerts: AlertQuerySet) -> AlertQuerySet:
        """The alerts that fit."""
        if words := self.chosen("q"):
            alerts = alerts.filter(message__icontains=words)
        if partner := self.chosen("partner"):
            alerts = alerts.of_partners([partner.pk])
        if code := self.chosen("code"):
            alerts = alerts.filter(code=code)
        if severity := self.chosen("severity"):
            alerts = alerts.filter(severity__gte=int(severity))
        state = self.chosen("state")
        if state == ANY:
            return alerts
        return alerts.filter(state=state) if state else alerts.live()


class TakeInHandForm(forms.Form):
    """What is done about an alert."""

    reason = forms.CharField(
        max_length=300,
        label="What is done about it",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say what is done: whoever is told of it next reads it."},
    )
