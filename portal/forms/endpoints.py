"""Forms about endpoints of outgoing web hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from integrations.models import HookEndpoint, HookMessage, Partner
from integrations.querysets import EndpointQuerySet
from integrations.watch.webhooks import EventType
from portal.access import partners_for, rights_of
from portal.forms.base import StampedForm
from portal.forms.filters import FilterForm, words_field
from portal.models import User

EVENTS = [one for one in HookMessage.Kind.choices if one[0] != EventType.TEST.value]


class EndpointForm(StampedForm):
    """Name, address and what it is told of."""

    name = forms.CharField(max_length=120, help_text="How people call it, such as “On-call pager”.")
    url = forms.CharField(
        label="Address",
        max_length=500,
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Gets a POST for each event, signed by the Standard Webhooks specification.",
    )
    events = forms.MultipleChoiceField(
        label="Is told of",
        choices=EVENTS,
        widget=forms.CheckboxSelectMultiple,
        help_text="Only types, times and numbers are sent. Whoever wants more asks the API with rights of their own.",
    )


class NewEndpointForm(EndpointForm):
    """The same with whose matters it is told of; for all partners only where the person's role reaches all."""

    partner = forms.ModelChoiceField(label="Whose matters", queryset=Partner.objects.none(), required=False)
    field_order = ["partner", "name", "url", "events"]

    def __init__(self, data: Any = None, *, user: User, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        field = self.fields["partner"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = partners_for(user, "full", "alerts")
        reaches_all = rights_of(user).partner_ids("alerts", "full") is None
        field.empty_label = "All partners, and Concord itself" if reaches_all else None
        field.required = not reaches_all


class EndpointFilter(FilterForm):
    """Words and state."""

    q = words_field("Name or address")
    state = forms.ChoiceField(choices=[("", "Any state"), *HookEndpoint.State.choices])

    def narrow(self, endpoints: EndpointQuerySet) -> EndpointQuerySet:
        """The endpoints that fit."""
        if words := self.chosen("q"):
            endpoints = endpoints.filter(name__icontains=words) | endpoints.filter(url__icontains=words)
        if state := self.chosen("state"):
            endpoints = endpoints.filter(state=state)
        return endpoints


class MessageFilter(FilterForm):
    """Event and state of messages."""

    kind = forms.ChoiceField(label="Event", choices=[("", "Any event"), *HookMessage.Kind.choices])
    state = forms.ChoiceField(choices=[("", "Any state"), *HookMessage.State.choices])

    def narrow(self, messages: Any) -> Any:
        """The messages that fit."""
        chosen = {name: value for name in ("kind", "state") if (value := self.chosen(name))}
        return messages.filter(**chosen)
