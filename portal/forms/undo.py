"""What the lists of undoings are narrowed to: all of them, and the fields of one."""

from __future__ import annotations

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from integrations.models import Connection, System, Undo, UndoItem
from portal.forms.filters import FilterForm, words_field
from portal.models import User


class UndoListFilter(FilterForm):
    """Words, what was undone, where, and how far it is."""

    q = words_field("Ticket, system or person")
    what = forms.ChoiceField(
        choices=[("", "Anything"), ("write", "One write"), ("version", "A version of rules")]
    )
    connection = forms.ModelChoiceField(queryset=Connection.objects.none(), empty_label="All connections")
    system = forms.ModelChoiceField(queryset=System.objects.none(), empty_label="All systems")
    state = forms.ChoiceField(choices=[("", "Any state"), *Undo.State.choices])

    def offer(self, user: User | AnonymousUser | None) -> None:
        """The connections and systems that the person sees."""
        if user is not None:
            self.fields["connection"].queryset = Connection.objects.visible_to(user)  # type: ignore[attr-defined]
            self.fields["system"].queryset = System.objects.visible_to(user)  # type: ignore[attr-defined]

    def narrow(self, undoings: QuerySet[Undo]) -> QuerySet[Undo]:
        """The undoings that fit."""
        if words := self.chosen("q"):
            fits = Q(target__system__name__icontains=words)
            for name in ("username", "first_name", "last_name"):
                fits |= Q(**{f"asked_by__{name}__icontains": words})
            number = words.upper().removeprefix("LT-")
            if number.isdecimal() and len(number) < 19:
                fits |= Q(items__lane__linked_ticket=int(number))
            undoings = undoings.filter(fits).distinct()
        if what := self.chosen("what"):
            undoings = undoings.filter(delivery__isnull=what == "version")
        if connection := self.chosen("connection"):
            undoings = undoings.filter(target__connection=connection)
        if system := self.chosen("system"):
            undoings = undoings.filter(target__system=system)
        return undoings.filter(state=state) if (state := self.chosen("state")) else undoings


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
