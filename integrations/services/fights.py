"""Who fights on a linked ticket: which field, which values, which account at which side, carried by whose rules.

Explained from what was seen, at any time after it was stopped; reads the database only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from integrations.mapping.plan import text_of
from integrations.models import Delivery, LinkedTicket, Side, SyncEvent, System
from integrations.services.timeline.changes import field_labels
from integrations.store.guard import CODE as AMPLIFICATION
from integrations.store.guard import fight_on

__all__ = ["AMPLIFICATION", "Contender", "Explanation", "explain"]

LONGEST_VALUE = 80


@dataclass(frozen=True, slots=True)
class Contender:
    """One end of a fight: what is set there again and again, and by which account of that system.

    `version` is the one of the side's own outgoing rules that carried it on; 0 where no rule of this link did.
    """

    system: System
    field: str
    values: tuple[str, ...]
    accounts: tuple[str, ...]
    times: int
    version: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A fight: its ends, how often it went to and fro, and when."""

    contenders: tuple[Contender, ...]
    times: int
    began_at: datetime
    ended_at: datetime


def explain(linked_ticket: LinkedTicket) -> Explanation | None:
    """The latest fight on this linked ticket, or None.  A few queries; changes nothing."""
    fight = fight_on(linked_ticket.pk)
    if fight is None:
        return None
    fields = {one.fact.id: one.name for one in fight.returns}
    seen: dict[int, list[SyncEvent]] = {}
    events = SyncEvent.objects.filter(pk__in=fields).select_related("ticket__system__partner")
    for event in events.order_by("pk"):
        seen.setdefault(event.ticket.system_id, []).append(event)
    versions = _versions(linked_ticket, fields)
    return Explanation(
        contenders=tuple(
            _contender(found, fields, versions.get(system_id, 0)) for system_id, found in seen.items()
        ),
        times=len(fight.returns),
        began_at=fight.returns[0].fact.seen_at,
        ended_at=fight.returns[-1].fact.seen_at,
    )


def _contender(events: list[SyncEvent], fields: dict[int, str], version: int) -> Contender:
    system = events[0].ticket.system
    (name, times), *_ = Counter(fields[event.pk] for event in events).most_common(1)
    values = Counter(text_of(event.fields.get(name))[:LONGEST_VALUE] for event in events)
    accounts = Counter(event.actor_name or event.actor_id for event in events)
    return Contender(
        system=system,
        field=field_labels(system).get(name, name),
        values=tuple(value for value, _ in values.most_common(3)),
        accounts=tuple(account for account, _ in accounts.most_common(3) if account),
        times=times,
        version=version,
    )


def _versions(linked_ticket: LinkedTicket, events: dict[int, str]) -> dict[int, int]:
    """The versions of the rules that carried these changes, by the sender's system."""
    sides = {side.pk: side for side in Side.objects.filter(connection=linked_ticket.connection_id)}
    rows = Delivery.objects.filter(lane__linked_ticket=linked_ticket, event__in=list(events))
    found: dict[int, int] = {}
    for side_id, version in rows.order_by("pk").values_list("outgoing__side", "outgoing__version"):
        if side_id in sides:
            found[sides[side_id].system_id] = version
    return found
