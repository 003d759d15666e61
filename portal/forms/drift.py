"""Forms about drift: what the list is narrowed to, why something may differ, and a connection's policy."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from integrations.models import Connection, Drift
from portal.forms.filters import FilterForm, words_field
from portal.models import DriftAction, User

ANY = "any"


class DriftFilter(FilterForm):
    """Words, connection, kind, reason and state; what nobody has decided about unless told otherwise."""

    EVERYTHING = "All open drift"

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
        return self.in_state(drifts)

    def in_state(self, drifts: QuerySet[Drift]) -> QuerySet[Drift]:
        """Those in the state that is asked for."""
        state = self.chosen("state") or Drift.State.OPEN
        return drifts if state == ANY else drifts.filter(state=state)

    def in_words(self) -> str:
        """What was chosen, for the record of what was done to all of it."""
        return "; ".join(
            f"{field.label}: {self._label_of(field)}"
            for field in self.visible_fields()
            if self.chosen(field.name)
        )

    def _label_of(self, field: forms.BoundField) -> str:
        chosen = self.chosen(field.name)
        return dict(getattr(field.field, "_choices", [])).get(chosen, str(chosen))


class ExceptionFilter(DriftFilter):
    """Words, connection, kind and reason, of what may stay different."""

    EVERYTHING = "All exceptions"

    def offer(self, user: User | AnonymousUser | None) -> None:
        """Without the state: it is always the same."""
        super().offer(user)
        del self.fields["state"]

    def in_state(self, drifts: QuerySet[Drift]) -> QuerySet[Drift]:
        """What somebody accepted."""
        return drifts.filter(state=Drift.State.ACCEPTED)


class DriftActForm(forms.Form):
    """Repair, accept or revoke: some by their keys, or all that the list is narrowed to."""

    action = forms.ChoiceField(choices=DriftAction.Act.choices)
    drifts = forms.TypedMultipleChoiceField(coerce=int, required=False)
    scope = forms.ChoiceField(choices=[("", "Chosen"), ("all", "All")], required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        # Keys are checked against what the person may decide about, not against a list in the form.
        chosen = self.fields["drifts"]
        assert isinstance(chosen, forms.TypedMultipleChoiceField)
        chosen.choices = [(key, key) for key in data.getlist("drifts") if key.isdecimal() and len(key) < 19]

    def clean(self) -> dict[str, Any]:
        """Something has to be chosen."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and not cleaned.get("drifts") and cleaned.get("scope") != "all":
            self.add_error(None, "Choose at least one difference.")
        return cleaned


class AcceptForm(forms.Form):
    """Why something may stay different."""

    reason = forms.CharField(
        max_length=300,
        label="Why it may stay different",
        help_text="The audit trail keeps it, and the people of the company where it stands read it.",
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
