"""Stops a linked ticket on which two automations fight, in the transaction that would queue the next answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db.models import F

from integrations.engine.fights import MOST_RETURNS, WITHIN, Fact, Fight, find_fight
from integrations.events import lane_parked
from integrations.mapping.plan import text_of
from integrations.models import Attempt, Delivery, Lane, SyncEvent, TicketSide
from integrations.statements import Question, update_many

# The handbook's key.
CODE = "amplification"
# A chain goes to and fro, so half of it is in each lane; with fewer there in the time nothing needs to be read.
IN_EACH_LANE = MOST_RETURNS // 2 - 2
# Changes of one ticket that are looked at; a fight's last minute is among them.
LOOKED_AT = 200
# A case is not longer than this many systems.
MOST_TICKETS = 16


def stop_fights(lanes: Sequence[Lane], queued: Collection[int], now: datetime) -> list[Lane]:
    """Park the lanes of every linked ticket on which a fight goes on; returns them.

    `lanes` are locked by the caller, both of each linked ticket; in those of `queued` something was put just now.
    A lane that is empty, or empties with what a worker has in hand, is left alone: it would be parked with nothing in
    it for a person to decide about.  No query while lanes are short; one while not both were busy in the last minute.
    """
    by_ticket: dict[int, list[Lane]] = {}
    for lane in lanes:
        if lane.tail > IN_EACH_LANE and lane.state == Lane.State.READY:
            by_ticket.setdefault(lane.linked_ticket_id, []).append(lane)
    pairs = {linked_id: pair for linked_id, pair in by_ticket.items() if len(pair) == 2}
    busy = Counter(
        pk
        for (pk,) in _queued_lately(
            lanes=[lane.pk for pair in pairs.values() for lane in pair],
            since=now - WITHIN,
        )
    )
    parked: list[Lane] = []
    for linked_id, pair in pairs.items():
        if all(busy[lane.pk] >= IN_EACH_LANE for lane in pair) and (fight := fight_on(linked_id)):
            stops = [lane for lane in pair if lane.pk in queued or (lane.waits and not lane.owner)]
            parked += _park(stops, _sentence(pair, fight))
    return parked


def fight_on(linked_ticket_id: int) -> Fight | None:
    """The latest fight in which a linked ticket takes part, found in what was seen; also after it was stopped."""
    seen: list[tuple] = []
    for ticket_id in sorted(_case(linked_ticket_id)):
        rows = SyncEvent.objects.filter(ticket=ticket_id).order_by("-position")
        told = rows.values_list("pk", "ticket_id", "fields", "seen_at", "caused_by_id")
        seen += [row for row in told[:LOOKED_AT] if row[2]]
    sources = _sources([cause for *_, cause in seen if cause is not None])
    facts = [
        Fact(pk, ticket_id, frozenset(fields), seen_at, sources.get(cause, frozenset()))
        for pk, ticket_id, fields, seen_at, cause in seen
    ]
    fight = find_fight(sorted(facts, key=lambda fact: fact.id))
    own = set(TicketSide.objects.filter(linked_ticket=linked_ticket_id).values_list("ticket_id", flat=True))
    return fight if fight and own & {one.fact.ticket_id for one in fight.returns} else None


def _sources(delivery_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """The changes that each of these deliveries brought, and those that went out in the same write with it."""
    attempts = Attempt.objects.filter(delivery__in=delivery_ids)
    writes: dict[tuple[int, datetime], set[int]] = {}
    for delivery_id, lane_id, began in attempts.values_list("delivery", "delivery__lane", "started_at"):
        writes.setdefault((lane_id, began), set()).add(delivery_id)
    # What goes out together begins at the same moment.
    together = Attempt.objects.filter(
        delivery__lane__in={lane_id for lane_id, _ in writes}, started_at__in={began for _, began in writes}
    ).values_list("delivery__lane", "started_at", "delivery__event")
    brought: dict[tuple[int, datetime], set[int]] = {}
    for lane_id, began, event_id in together:
        if event_id is not None:
            brought.setdefault((lane_id, began), set()).add(event_id)
    found: dict[int, set[int]] = {}
    for write, ids in writes.items():
        for delivery_id in ids:
            found.setdefault(delivery_id, set()).update(brought.get(write, ()))
    return {delivery_id: frozenset(events) for delivery_id, events in found.items()}


def _case(linked_ticket_id: int) -> set[int]:
    """The tickets of the whole case: a fight may go on across a system in the middle."""
    found: set[int] = set()
    fresh: Collection[int] = _stand_in([linked_ticket_id])
    while fresh and len(found) < MOST_TICKETS:
        found |= set(fresh)
        linked = TicketSide.objects.filter(ticket__in=fresh).values_list("linked_ticket_id", flat=True)
        fresh = _stand_in(linked) - found
    return found


def _stand_in(linked_ticket_ids: Iterable[int]) -> set[int]:
    rows = TicketSide.objects.filter(linked_ticket__in=list(linked_ticket_ids), ticket__isnull=False)
    return set(rows.values_list("ticket_id", flat=True))


def _park(lanes: Sequence[Lane], message: str) -> Sequence[Lane]:
    for lane in lanes:
        lane.state, lane.failure_code, lane.failure_message = Lane.State.PARKED, CODE, message
    update_many(
        Lane,
        ("state", "failure_code", "failure_message"),
        [(lane.pk, (lane.state, lane.failure_code, lane.failure_message)) for lane in lanes],
    )
    for lane in lanes:
        lane_parked.send(Lane, lane=lane)
    return lanes


def _sentence(pair: Sequence[Lane], fight: Fight) -> str:
    """What goes to and fro, in the words that both sides share: nothing of it that was not released."""
    events = [one.fact.id for one in fight.returns]
    said: dict[str, dict[int, Counter[str]]] = {}
    rows = Delivery.objects.filter(lane__in=[lane.pk for lane in pair], event__in=events)
    for lane_id, envelope in rows.values_list("lane_id", "envelope"):
        for name, value in envelope.get("fields", {}).items():
            by_lane = said.setdefault(name, {lane.pk: Counter() for lane in pair})
            by_lane[lane_id][text_of(value)[:60]] += 1
    first = (
        f"Two automations undo each other {len(fight.returns)} times in {fight.lasted.total_seconds():.0f} s"
    )
    name = max(said, key=lambda one: sum(values.total() for values in said[one].values()), default="")
    values = [
        f"“{most[0][0]}”" for counted in said.get(name, {}).values() if (most := counted.most_common(1))
    ]
    what = f": one sets “{name}” to {', the other to '.join(values)}" if values else ""
    return f"{first}{what}. Nothing more is written on this linked ticket until a person has decided."[:500]


_queued_lately = Question(
    lambda lanes, since: (
        Delivery.objects.filter(
            lane__in=lanes, number__gt=F("lane__tail") - IN_EACH_LANE - 2, queued_at__gte=since
        )
        .order_by()
        .values_list("lane_id")
    )
)
