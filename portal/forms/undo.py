"""What the list of an undoing is narrowed to."""

from __future__ import annotations

from django import forms
from django.db.models import QuerySet

from integrations.models import UndoItem
from portal.forms.filters import FilterForm, words_field


class UndoFilter(FilterForm):
    """Words and what becomes of it."""

    q = words_field("Ticket or field")
    state = forms.ChoiceField(choices=[("", "All"), *UndoItem.State.choices])

    def narrow(self, items: QuerySet[UndoItem]) -> QuerySet[UndoItem]:
        """The items that fit."""
        if words := self.chosen("q"):
            number = words.upper().removeprefix("LT-")
            found = items.filter(label__icontains=words)
            items = found | items.filter(lane__linked_ticket=int(number)) if number.isdecimal() else found
        return items.filter(state=state) if (state := self.chosen("state")) else items
