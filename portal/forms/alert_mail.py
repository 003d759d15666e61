"""What somebody wants to be told of by mail."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from integrations.models import System
from portal.access import partners_for
from portal.models import AlertSubscription, User


class SubscriptionForm(forms.ModelForm):
    """One person's subscription.  Partners and systems are offered as far as the person may see their alerts."""

    class Meta:
        model = AlertSubscription
        fields = [
            "is_on",
            "min_severity",
            "partners",
            "systems",
            "manner",
            "digest_at",
            "quiet_from",
            "quiet_until",
            "critical_at_once",
        ]
        widgets = {
            "manner": forms.RadioSelect,
            "min_severity": forms.RadioSelect,
            "partners": forms.CheckboxSelectMultiple,
            "systems": forms.CheckboxSelectMultiple,
            "digest_at": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "quiet_from": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "quiet_until": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }
        help_texts = {
            "partners": "None chosen: all that you may see.",
            "systems": "Besides the partners; none chosen, and no partner: all that you may see.",
            "quiet_from": "What comes in quiet hours is told when they end.",
        }

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        partners = partners_for(user, "read", "alerts")
        self.fields["partners"].queryset = partners  # type: ignore[attr-defined]
        self.fields["systems"].queryset = System.objects.filter(partner__in=partners)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Quiet hours have two ends, and mail needs an address."""
        cleaned = super().clean() or self.cleaned_data
        if bool(cleaned.get("quiet_from")) != bool(cleaned.get("quiet_until")):
            raise ValidationError("Quiet hours need a beginning and an end.")
        if cleaned.get("is_on") and not self.user.email:
            raise ValidationError("Your account has no mail address yet. Enter it under Account first.")
        return cleaned
