"""The form in which somebody says which of two values is to stand."""

from __future__ import annotations

from typing import Any

from django import forms

from integrations.models import Conflict


class DecisionForm(forms.Form):
    """Which value stands, and why.  `merged` is a text made of both, to be edited; None for anything but texts."""

    choice = forms.ChoiceField(
        label="Which value is to stand?",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose which value is to stand."},
    )
    text = forms.CharField(
        label="A text made of both",
        required=False,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text="Only what you change here loses its formatting.",
    )
    reason = forms.CharField(
        label="Why?",
        max_length=300,
        help_text="Both companies' staff and the audit trail keep it. It is not sent to anybody.",
        error_messages={"required": "Say why this value is to stand."},
    )
    token = forms.CharField(widget=forms.HiddenInput)

    def __init__(
        self,
        data: Any = None,
        *,
        prefix: str,
        token: str,
        came: str,
        own: str,
        merged: str | None,
        can_take: bool,
    ) -> None:
        super().__init__(data or None, prefix=prefix, initial={"token": token, "text": merged or ""})
        choices = [(Conflict.Choice.CAME.value, f"Take the value of {came}")] if can_take else []
        choices.append((Conflict.Choice.OWN.value, f"Keep the value of {own}"))
        if merged is None:
            del self.fields["text"]
        else:
            choices.append((Conflict.Choice.TEXT.value, "Take the text below"))
        chosen = self.fields["choice"]
        assert isinstance(chosen, forms.ChoiceField)
        chosen.choices = choices
        self.order_fields(["choice", "text", "reason", "token"])

    def clean(self) -> dict[str, Any]:
        """A text that is to stand has to say something."""
        entered = super().clean() or self.cleaned_data
        if entered.get("choice") == Conflict.Choice.TEXT and not (entered.get("text") or "").strip():
            self.add_error("text", "Write the text that is to stand.")
        return entered
