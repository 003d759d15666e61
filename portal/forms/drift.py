"""Forms about drift: what the list is narrowed to, why something may differ, and a connection's policy."""

from __future__ import annotations

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from integrations.models import Connection, Drift
from portal.forms.filters import FilterForm, words_field
from portal.models import User

ANY = "any"


class DriftFilter(FilterForm):
    """Words, connection, kind, reason and state; what nobody has decided about unless told otherwise."""

    q = words_field("Ticket or field")
    connection = forms.ModelChoiceField(queryset=Connection.objects.none(), empty_label="All connections")
    kind = forms.ChoiceField(choices=[("", "Anything"), *Drift.KindChoice.choices])
    reason = forms.ChoiceField(choices=[("", "Any reason"), *Drift.ReasonChoice.choices])
    state = forms.ChoiceField(
        choices=[
            ("", "Open"),
            ("queued", "Repair on its way"),
            ("accepted", "Accepted"),
            ("closed", "Closed"),
            (ANY, "Any state"),
        ]
    )

    def offer(self, user: User | AnonymousUser | None) -> None:
        """The connections that the person sees."""
        if user is not None:
            self.fields["connection"].queryset = Connection.objects.visible_to(user)  # type: ignore[attr-defined]

    def narrow(self, drifts: QuerySet[Drift]) -> QuerySet[Drift]:
        """The drift that fits."""
        if words := self.chosen("q"):
            number = words.upper().removeprefix("LT-")
            found = drifts.filter(label__icontains=words, kind=Drift.KindChoice.FIELD)
            drifts = found | drifts.filter(linked_ticket=int(number)) if number.isdecimal() else found
        for name in ("connection", "kind", "reason"):
            if chosen := self.chosen(name):
                drifts = drifts.filter(**{name: chosen})
        state = self.chosen("state") or Drift.State.OPEN
        return drifts if state == ANY else drifts.filter(state=state)


class AcceptForm(forms.Form):
    """Why something may stay different."""

    reason = forms.CharField(
        max_length=300,
        label="Why it may stay different",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: whoever meets it next reads it."},
    )


class PolicyForm(forms.ModelForm):
    """What becomes of drift in a connection."""

    class Meta:
        model = Connection
        fields = ["drift_policy"]
        labels = {"drift_policy": "When both sides differ without a reason"}
        widgets = {"drift_policy": forms.RadioSelect}
