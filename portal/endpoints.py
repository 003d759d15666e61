"""Which endpoints of outgoing web hooks a person may look after: their partner's own; the operator's are the operators'."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from integrations.models import HookEndpoint
from integrations.querysets import EndpointQuerySet
from portal.access import Someone, rights_of


def visible_endpoints(user: Someone) -> EndpointQuerySet:
    """Endpoints at whose partner the person has full control of alerts; none by default."""
    places = rights_of(user).partner_ids("alerts", "full")
    endpoints: EndpointQuerySet = HookEndpoint.objects.select_related("partner")
    return endpoints if places is None else endpoints.of_partners(list(places))


def endpoint_for(user: Someone, pk: int) -> HookEndpoint:
    """The endpoint; 404 when it is none of the person's."""
    return get_object_or_404(visible_endpoints(user), pk=pk)
