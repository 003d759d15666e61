"""Form fields for what rules say of files: a size in megabytes, and lists of endings and types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from integrations.mapping.files import MEGABYTE, in_words, read_kinds

# More than any of the systems takes by itself.
LARGEST_MB = 2048
EXAMPLE = "Endings and types, such as .pdf, .png or image/*."


class SizeField(forms.DecimalField):
    """A size in megabytes as a person enters it, and in bytes everywhere else; 0 for no limit."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False, min_value=Decimal("0.01"), max_value=LARGEST_MB, decimal_places=2, **kwargs
        )

    def prepare_value(self, value: Any) -> Any:
        """Bytes in megabytes; what was typed stays as it is."""
        if not isinstance(value, int):
            return value
        return f"{value / MEGABYTE:.2f}".rstrip("0").rstrip(".") if value else ""

    def clean(self, value: Any) -> Any:
        """The size in bytes."""
        entered = super().clean(value)
        return 0 if entered is None else int(entered * MEGABYTE)


class KindsField(forms.CharField):
    """Endings and types with commas between them, and a list of them everywhere else."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            max_length=2000,
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        """A list in one line; what was typed stays as it is."""
        return in_words(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """The list; a word that is neither an ending nor a type is named."""
        kinds, strange = read_kinds(super().clean(value))
        if strange:
            names = ", ".join(f"“{word}”" for word in strange[:5])
            raise ValidationError(
                f"{names}: neither an ending nor a type. Write .pdf, application/pdf or image/*."
            )
        return list(kinds)
