"""The form that says who is whom: somebody met on each side, or an id typed where somebody was never met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from integrations.canonical import Person


class PairForm(forms.Form):
    """One person on each side."""

    def __init__(
        self, *args: Any, met: Mapping[str, Mapping[str, Person]], labels: Mapping[str, str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.met = met
        for position in ("left", "right"):
            choices = [(key, _words(person)) for key, person in met[position].items()]
            self.fields[position] = forms.ChoiceField(
                label=f"In {labels[position]}", required=False, choices=[("", "Somebody met"), *choices]
            )
            self.fields[f"{position}_id"] = forms.CharField(
                label=f"Or an id in {labels[position]}", required=False, max_length=200
            )

    def person(self, position: str) -> Person:
        """Who was chosen or typed on one side; without an id when nobody was."""
        typed = self.cleaned_data[f"{position}_id"].strip()
        chosen = typed or self.cleaned_data[position]
        return self.met[position].get(chosen, Person(chosen))


def _words(person: Person) -> str:
    return f"{person.name or person.id} ({person.email})" if person.email else person.name or person.id
