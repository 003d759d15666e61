"""The last day of each of a system's credentials."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms


class ExpiryForm(forms.Form):
    """One day a credential; empty for unknown.  `days`: the credential's name -> its label and the day as stored."""

    def __init__(self, data: Any = None, *, days: Mapping[str, tuple[str, date | None]]) -> None:
        super().__init__(data)
        for name, (label, day) in days.items():
            self.fields[name] = forms.DateField(
                label=f"{label} runs out on",
                required=False,
                initial=day,
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
                help_text="The last day on which it holds. Leave it empty where it never runs out.",
            )
