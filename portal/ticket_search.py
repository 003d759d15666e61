"""Finding tickets by what people type: the number of a linked ticket, a ticket's key in its own system, or words.

The words are looked up in an index of all titles, of which a reader gets those of the own systems.  Where many have
them they are no help: then the list is walked in its order and asked one by one, which finds a page soon.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, QuerySet

from integrations.models import System, Ticket, TicketSide, TicketTitle
from integrations.services.timeline.viewers import Viewer

# Tickets with the words up to which they are looked at one by one.
FEW = 5000


@dataclass(frozen=True, slots=True)
class Found:
    """The linked tickets that have what was typed: some of them by their keys, and whether these are all."""

    linked: list[int]
    is_all: bool = True


def find(words: str, viewer: Viewer) -> Found:
    """Linked tickets with these words, that number or that key in what the viewer may read.  Four queries."""
    words = words.strip()
    if number := number_of(words):
        return Found([number])
    own: dict[str, Any] = {}
    if not viewer.sees_all:
        systems = System.objects.filter(partner__in=viewer.partner_ids)
        own = {"system__in": list(systems.values_list("pk", flat=True))}
    keyed = Ticket.objects.filter(key__in=sorted({words, words.upper(), words.lower()}), **own)
    titled = TicketTitle.objects.containing(words).filter(**own)
    both = [list(rows.values_list("pk", flat=True)[: FEW + 1]) for rows in (keyed, titled)]
    tickets = {pk for some in both for pk in some[:FEW]}
    sides = TicketSide.objects.filter(ticket__in=tickets).values_list("linked_ticket", flat=True)
    is_all = all(len(some) <= FEW for some in both)
    return Found(sorted(set(sides)) if tickets else [], is_all)


def number_of(words: str) -> int | None:
    """The number in LT-12; None for anything else."""
    number = re.fullmatch(r"lt-(\d{1,18})", words.strip(), re.IGNORECASE)
    return int(number[1]) if number else None


def sides_with(words: str, viewer: Viewer, linked: OuterRef | Sequence[int]) -> QuerySet[TicketSide]:
    """The sides of one linked ticket, or of these, that have the words or the key and that the viewer may read."""
    words = words.strip()
    one = isinstance(linked, OuterRef)
    sides = TicketSide.objects.filter(**{"linked_ticket" if one else "linked_ticket__in": linked})
    if not viewer.sees_all:
        sides = sides.filter(side__system__partner__in=viewer.partner_ids)
    return sides.filter(Q(ticket__key__iexact=words) | Q(ticket__title__icontains=words))
