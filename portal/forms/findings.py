"""Forms about findings: what the list is narrowed to, and why nothing is done about one."""

from __future__ import annotations

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from integrations.models import Partner, SystemFinding
from portal.access import partners_for
from portal.forms.filters import FilterForm, words_field
from portal.models import User

ANY = "any"


class FindingFilter(FilterForm):
    """Words, partner, what happened and state; those that nobody has looked after unless told otherwise."""

    q = words_field("Field, value or system")
    partner = forms.ModelChoiceField(queryset=Partner.objects.none(), empty_label="All partners")
    code = forms.ChoiceField(label="What happened", choices=[("", "Anything"), *SystemFinding.Code.choices])
    state = forms.ChoiceField(
        choices=[
            ("", "Open"),
            ("acknowledged", "Acknowledged"),
            ("closed", "Closed"),
            (ANY, "Any state"),
        ]
    )

    def offer(self, user: User | AnonymousUser | None) -> None:
        """The partners whose systems the person may read."""
        if user is not None:
            self.fields["partner"].queryset = partners_for(user, "read", "systems")  # type: ignore[attr-defined]

    def narrow(self, findings: QuerySet[SystemFinding]) -> QuerySet[SystemFinding]:
        """The findings that fit."""
        if words := self.chosen("q"):
            findings = findings.filter(message__icontains=words) | findings.filter(
                system__name__icontains=words
            )
        if partner := self.chosen("partner"):
            findings = findings.filter(system__partner=partner)
        if code := self.chosen("code"):
            findings = findings.filter(code=code)
        state = self.chosen("state") or SystemFinding.State.OPEN
        return findings if state == ANY else findings.filter(state=state)


class AcknowledgeForm(forms.Form):
    """Why a finding may stay as it is."""

    reason = forms.CharField(
        max_length=300,
        label="Why nothing is to be done",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: whoever meets it next reads it."},
    )
