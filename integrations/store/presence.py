"""Tickets that are gone from their system, or back in it: told to whoever measures them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from integrations.canonical import Value
from integrations.events import Presence, presence_changed
from integrations.mapping import plan as mapping
from integrations.models import LinkedTicket, Ticket, TicketSide
from integrations.store.configuration import Configuration


def tell_gone(ticket: Ticket, at: datetime) -> None:
    """A ticket is not there any more; one query."""
    _tell([Presence(one.linked_ticket, one.side, ticket, at, is_gone=True) for one in _sides_of([ticket])])


def tell_changed(moved: Sequence[tuple[Ticket, datetime]], config: Configuration) -> None:
    """Tickets went or came back, each at this moment.  One query, and none where there are none."""
    if not moved:
        return
    moments = {ticket.pk: (ticket, at) for ticket, at in moved}
    news = []
    for one in _sides_of([ticket for ticket, _ in moved]):
        ticket, at = moments[one.ticket_id or 0]
        values = {} if ticket.is_gone else _says(one, ticket, config)
        news.append(Presence(one.linked_ticket, one.side, ticket, at, ticket.is_gone, values))
    _tell(news)


def _says(one: TicketSide, ticket: Ticket, config: Configuration) -> Mapping[str, Value]:
    side = config.connections[one.linked_ticket.connection_id].side(one.side_id)
    return mapping.release(side.outgoing, ticket.actual).fields


def _sides_of(tickets: Sequence[Ticket]) -> Sequence[TicketSide]:
    return list(TicketSide.objects.filter(ticket__in=tickets).select_related("linked_ticket", "side"))


def _tell(news: list[Presence]) -> None:
    if news:
        presence_changed.send(LinkedTicket, news=news)
