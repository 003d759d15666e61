"""Forms with which people sign in and set their portal up."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils import timezone

from portal import throttle
from portal.models import User


class SignInForm(AuthenticationForm):
    """User name and password, with a pause after repeated failures."""

    error_messages = {
        "invalid_login": "User name and password do not match. Both tell capital letters from small ones.",
        "inactive": "This account has been closed. Ask your administrator.",
        "locked": "Too many failed attempts. Try again in %(minutes)s.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name"

    def clean(self) -> dict[str, Any]:
        """Check the password, unless there have been too many failures lately; count a failure."""
        username = self.cleaned_data.get("username") or ""
        if not username or not self.cleaned_data.get("password"):
            return self.cleaned_data
        assert self.request is not None
        now, address = timezone.now(), throttle.address_of(self.request)
        wait = throttle.locked_for(username, address, now=now)
        if wait:
            # Before the password is looked at: while locked, a right guess must look like a wrong one.
            minutes = -(-wait.total_seconds() // 60)
            text = "1 minute" if minutes <= 1 else f"{minutes:.0f} minutes"
            raise ValidationError(self.error_messages["locked"], code="locked", params={"minutes": text})
        try:
            cleaned = super().clean()
        except ValidationError:
            throttle.note_failure(username, address, now=now)
            raise
        throttle.note_success(username)
        return cleaned


def time_zone_choices() -> list[tuple[str, str]]:
    """The world's time zones by city; the technical aliases are left out."""
    zones = (
        name
        for name in available_timezones()
        if "/" in name and not name.startswith(("Etc/", "posix/", "right/"))
    )
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in sorted(zones))]


class AccountForm(forms.ModelForm):
    """What people decide about their own portal."""

    time_zone = forms.ChoiceField(choices=time_zone_choices, help_text="All times are shown in this zone.")

    class Meta:
        model = User
        fields = ["first_name", "last_name", "email", "time_zone", "theme"]
        widgets = {"theme": forms.RadioSelect}
