"""What all filter forms have in common: they come from the address, and odd values narrow to nothing in particular."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser

from portal.models import User


class FilterForm(forms.Form):
    """Filters of a list, all optional.  A value that makes no sense is left out rather than complained about."""

    def __init__(self, data: Any, user: User | AnonymousUser | None = None) -> None:
        super().__init__(data)
        self.offer(user)
        for field in self.fields.values():
            field.required = False
        self.is_valid()

    def offer(self, user: User | AnonymousUser | None) -> None:
        """Fill the choices that depend on who asks."""

    def chosen(self, name: str) -> Any:
        """What the person chose; None when nothing, or nothing sensible."""
        return self.cleaned_data.get(name) or None

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter holds."""
        return any(self.cleaned_data.values())


def words_field(hint: str) -> forms.CharField:
    """The filter by words that every list has."""
    return forms.CharField(
        label="Search", max_length=100, widget=forms.TextInput(attrs={"type": "search", "placeholder": hint})
    )
