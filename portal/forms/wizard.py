"""Forms of the way to a new connection: a system for each side, and the number of the first ticket."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from integrations.models import Partner, System
from portal.forms.connections import SystemChoice


class ChosenSystemForm(forms.Form):
    """One of the systems there are."""

    system = forms.ModelChoiceField(queryset=System.objects.none())

    def __init__(self, *args: Any, systems: QuerySet[System], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["system"] = SystemChoice(
            queryset=systems,
            empty_label="Choose a system",
            error_messages={"required": "Choose a system, or add one below."},
        )


class SandboxForm(forms.Form):
    """Whose system a sandbox is to play."""

    partner = forms.ModelChoiceField(
        queryset=Partner.objects.none(),
        empty_label="Choose the partner",
        label="Whose system it plays",
        error_messages={"required": "Choose the partner whose system it plays."},
    )
    url = forms.ChoiceField(
        label="Sandbox",
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose a sandbox.",
            "invalid_choice": "This sandbox does not answer any more.",
        },
    )

    def __init__(
        self, *args: Any, partners: QuerySet[Partner], offers: list[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].queryset = partners  # type: ignore[attr-defined]
        self.fields["url"].choices = offers  # type: ignore[attr-defined]


class FirstTicketForm(forms.Form):
    """The number of a ticket, as its own people know it."""

    number = forms.CharField(
        max_length=100,
        label="Number of a recent ticket",
        help_text="As people there know it, such as INF-7 or 35.",
        error_messages={"required": "Enter the number of a ticket."},
    )
