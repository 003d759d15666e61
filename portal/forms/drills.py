"""Forms about outage drills: what is to go wrong, for how long, and what the list is narrowed to."""

from __future__ import annotations

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from integrations.models import Connection, System
from portal.forms.filters import FilterForm
from portal.models import Drill, User

LONGEST_MIN = 240
MOST_CHANGES = 2000


class DrillForm(forms.Form):
    """What a drill is to do."""

    away = forms.ModelChoiceField(
        label="Which system is away",
        queryset=System.objects.none(),
        empty_label=None,
        widget=forms.RadioSelect,
    )
    how = forms.ChoiceField(
        label="What goes wrong",
        choices=[
            (Drill.How.CUT, "The connection to it is cut: its people go on working"),
            (Drill.How.DOWN, "The system is down: nobody can work there"),
        ],
        widget=forms.RadioSelect,
        initial=Drill.How.CUT,
    )
    minutes = forms.IntegerField(
        label="For how many minutes",
        min_value=1,
        max_value=LONGEST_MIN,
        initial=2,
        help_text="Two hours show what a long evening does; two minutes show the same in less time.",
    )
    tickets = forms.IntegerField(label="Tickets", min_value=1, max_value=50, initial=5)
    changes = forms.IntegerField(
        label="Changes while it is away", min_value=1, max_value=MOST_CHANGES, initial=40
    )

    def __init__(self, data: object, systems: QuerySet[System]) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["away"].queryset = systems  # type: ignore[attr-defined]
        self.fields["away"].initial = systems.last()


class DrillFilter(FilterForm):
    """Connection and state."""

    connection = forms.ModelChoiceField(queryset=Connection.objects.none(), empty_label="All connections")
    state = forms.ChoiceField(choices=[("", "Any state"), *Drill.State.choices])

    def offer(self, user: User | AnonymousUser | None) -> None:
        """The connections that the person sees."""
        if user is not None:
            visible = Connection.objects.visible_to(user)
            self.fields["connection"].queryset = visible  # type: ignore[attr-defined]

    def narrow(self, drills: QuerySet[Drill]) -> QuerySet[Drill]:
        """The drills that fit."""
        if connection := self.chosen("connection"):
            drills = drills.filter(connection=connection)
        if state := self.chosen("state"):
            drills = drills.filter(state=state)
        return drills
