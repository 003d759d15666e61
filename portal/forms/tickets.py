"""The form above the list of linked tickets: what it is narrowed to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from integrations.models import Connection, LinkedTicket, Partner
from portal.access import may, partners_for
from portal.forms.filters import FilterForm, words_field
from portal.models import User
from portal.tickets import Criteria

QUEUE_CHOICES = [("", "Any queue"), ("waiting", "Something waits"), ("parked", "Needs a person")]
ORDER_CHOICES = [
    ("latest", "Latest change first"),
    ("oldest", "Oldest change first"),
    ("newest", "Newest ticket first"),
    ("first", "Oldest ticket first"),
]


class TicketFilter(FilterForm):
    """Words, connection, partner, state, queue and order.  What a person may not see is no choice."""

    q = words_field("LT-12, a key such as INF-7, or three letters and more")
    connection = forms.ModelChoiceField(Connection.objects.none(), empty_label="All connections")
    partner = forms.ModelChoiceField(Partner.objects.none(), empty_label="All partners")
    state = forms.ChoiceField(choices=[("", "Any state"), *LinkedTicket.State.choices])
    queue = forms.ChoiceField(choices=QUEUE_CHOICES)
    order = forms.ChoiceField(choices=ORDER_CHOICES)

    def offer(self, user: User | AnonymousUser | None) -> None:
        """Offer the person's own connections and partners; where there is only one, there is nothing to choose."""
        if user is None:
            return
        self._offer_rows("connection", Connection.objects.visible_to(user))
        self._offer_rows("partner", partners_for(user, "read", "tickets"))
        if not may(user, "read", "queue"):
            del self.fields["queue"]

    def _offer_rows(self, name: str, rows: QuerySet[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows
        if rows.count() < 2:
            del self.fields[name]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the order was chosen."""
        return bool(self.criteria())

    def criteria(self) -> Criteria:
        """What was chosen, for portal.tickets."""
        return Criteria(
            connection=self.chosen("connection"),
            partner=self.chosen("partner"),
            state=self.chosen("state") or "",
            queue=self.chosen("queue") or "",
            words=(self.chosen("q") or "").strip(),
            order=self.chosen("order") or "latest",
        )
