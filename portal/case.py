"""A case: all linked tickets of one matter across systems, as one story; and who held it when.

Linked tickets belong together where a ticket stands in two of them: what Mercuri and Infinity share and what Infinity
and Global share is one matter.  Everybody follows it as far as their own rights go.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from integrations.mapping.agreement import rule_to
from integrations.mapping.plan import release
from integrations.mapping.rules import RuleSet
from integrations.models import LinkedTicket, MappingSet, Side, SyncEvent, System, TicketSide
from integrations.services.comparison import compare, settled_by
from integrations.services.mappings import rules_of
from integrations.services.timeline.entries import Entry, Timeline
from integrations.services.timeline.onward import tell_onward
from integrations.services.timeline.timelines import place_of, timeline
from integrations.services.timeline.viewers import Viewer
from portal.access import Someone
from portal.clocks import Card, clocks_of
from portal.drawing import BOTTOM, LEFT, ROW, TOP, WIDTH, Bar, Drawing, Line, Mark, Scale
from portal.presentation import duration_words
from portal.ticket_page import Record, record_of
from slas.clock import Status
from slas.custody import Move, Segment, Stop, Why, segments

# A matter goes through a handful of systems; more than this is no matter any more.
MOST_LINKS = 20
ENTRIES = 50
FILLS = ("#4299e1", "#ae3ec9", "#2fb344", "#f76707", "#206bc4", "#d63939")
OUTSIDE = "Whoever raised it"


@dataclass(frozen=True, slots=True)
class Held:
    """A stretch of the matter in words: who held it, from when to when, and what made it theirs."""

    partner: str
    system: str
    from_at: datetime
    to_at: datetime
    is_now: bool
    why: str

    @property
    def length(self) -> timedelta:
        """How long."""
        return self.to_at - self.from_at


@dataclass(frozen=True, slots=True)
class Case:
    """Everything on the page of a case."""

    links: Sequence[LinkedTicket]
    records: Sequence[Record]
    timeline: Timeline
    cards: Sequence[Card] = ()
    held: Sequence[Held] = ()
    totals: Sequence[tuple[str, timedelta]] = ()
    drawing: Drawing | None = None
    # The companies through whose eyes it can be looked at.
    parties: Sequence[tuple[int, str]] = ()


def links_of(linked: LinkedTicket, user: Someone, viewer: Viewer) -> list[LinkedTicket]:
    """The linked tickets of the case that the person may follow, this one among them, the oldest first."""
    visible = LinkedTicket.objects.visible_to(user)
    if not viewer.sees_all:
        visible = visible.filter(partner_tickets__partner__in=viewer.partner_ids).distinct()
    found: set[int] = {linked.pk}
    edge = {linked.pk}
    while edge and len(found) < MOST_LINKS:
        tickets = TicketSide.objects.filter(linked_ticket__in=edge, ticket__isnull=False).values("ticket")
        beside = TicketSide.objects.filter(ticket__in=tickets).exclude(linked_ticket__in=found)
        edge = set(visible.filter(pk__in=beside.values("linked_ticket")).values_list("pk", flat=True))
        found |= edge
    return list(
        LinkedTicket.objects.filter(pk__in=sorted(found)[:MOST_LINKS])
        .select_related("connection", "origin")
        .order_by("created_at", "pk")
    )


def case_of(
    linked: LinkedTicket, viewer: Viewer, *, user: Someone, now: datetime, older_than: str = ""
) -> Case:
    """The case of a linked ticket as this viewer may see it; a fixed number of queries for each linked ticket."""
    links = links_of(linked, user, viewer)
    sides = _sides(links)
    records = _records(links, sides, viewer)
    told = _merged(links, viewer, now, older_than)
    if not viewer.sees_all:
        return Case(links, records, told)
    cards = [card for one in links for card in clocks_of(user, one, now)[0]]
    tickets = {one.ticket_id: one for one in sides if one.ticket_id}
    stops = _stops(links, sides)
    found = segments(stops, _moves(links, sides, {one.key for one in stops if one.parent is None}), now)
    held = [_held(one, tickets, now) for one in found]
    return Case(
        links,
        records,
        told,
        cards,
        held,
        _totals(held),
        _drawing(held, now),
        _parties(sides),
    )


def parties_of(linked: LinkedTicket, viewer: Viewer, *, user: Someone) -> list[tuple[int, str]]:
    """The companies through whose eyes this viewer may look at the case, by key and name; only for who sees all."""
    return _parties(_sides(links_of(linked, user, viewer))) if viewer.sees_all else []


def _parties(sides: Sequence[TicketSide]) -> list[tuple[int, str]]:
    partners = {one.side.system.partner_id: one.side.system.partner.name for one in sides}
    return sorted(partners.items(), key=lambda pair: pair[1])


def _sides(links: Sequence[LinkedTicket]) -> list[TicketSide]:
    found = TicketSide.objects.filter(linked_ticket__in=links).select_related(
        "side__system__partner", "ticket", "linked_ticket"
    )
    order = {one.pk: place for place, one in enumerate(links)}
    return sorted(found, key=lambda one: (order[one.linked_ticket_id], one.side.position))


def _records(links: Sequence[LinkedTicket], sides: Sequence[TicketSide], viewer: Viewer) -> list[Record]:
    """Every system's ticket once, in the order in which the matter reached them."""
    comparisons = (
        {one.pk: compare(one, settled=settled_by(_systems(one, sides))) for one in links}
        if viewer.sees_all
        else {}
    )
    lanes = {(lane.linked_ticket_id, lane.target_id): lane for one in links for lane in one.lanes.all()}
    found: dict[tuple[int, int | None], Record] = {}
    for one in sides:
        key = (one.side.system_id, one.ticket_id)
        record = record_of(
            one, viewer, lanes.get((one.linked_ticket_id, one.side_id)), comparisons.get(one.linked_ticket_id)
        )
        known = found.get(key)
        if known is None or (record.lane and record.lane.waits):
            found[key] = record
    return list(found.values())


def _systems(linked: LinkedTicket, sides: Sequence[TicketSide]) -> list[System]:
    return [one.side.system for one in sides if one.linked_ticket_id == linked.pk]


# --- One story ---


def _merged(links: Sequence[LinkedTicket], viewer: Viewer, now: datetime, older_than: str) -> Timeline:
    """The timelines of all links as one, every change once with all the deliveries that followed from it.

    Those over the next connection, too: a case says where the matter waits, however far it has come.
    """
    case = [one.pk for one in links]
    found: dict[int, Entry] = {}
    has_more = False
    for one in links:
        part = timeline(one, viewer, now=now, older_than=older_than, limit=ENTRIES, case=case)
        has_more = has_more or bool(part.older)
        for entry in part.entries:
            known = found.setdefault(entry.event_id, entry)
            if known is not entry:
                known.sent += entry.sent
    entries = sorted(found.values(), key=lambda entry: (entry.at, entry.event_id), reverse=True)
    shown = entries[:ENTRIES]
    tell_onward(shown, case, viewer, now=now)
    goes_on = shown and (has_more or len(entries) > ENTRIES)
    return Timeline(shown, place_of(shown[-1].at, shown[-1].event_id) if goes_on else "")


# --- Who held it ---


def _stops(links: Sequence[LinkedTicket], sides: Sequence[TicketSide]) -> list[Stop]:
    parents: dict[int, int | None] = {}
    for _, raised, other in _ends(links, sides):
        if raised.ticket_id is not None:
            parents.setdefault(raised.ticket_id, None)
        if other.ticket_id is not None and parents.get(other.ticket_id) is None:
            parents[other.ticket_id] = raised.ticket_id
    return [Stop(key, parent) for key, parent in parents.items()]


def _ends(
    links: Sequence[LinkedTicket], sides: Sequence[TicketSide]
) -> Iterator[tuple[LinkedTicket, TicketSide, TicketSide]]:
    """Each link with the end where it was raised and the other one."""
    for linked in links:
        pair = [one for one in sides if one.linked_ticket_id == linked.pk]
        raised = next(one for one in pair if one.side_id == linked.origin_id)
        yield linked, raised, next(one for one in pair if one is not raised)


def _moves(links: Sequence[LinkedTicket], sides: Sequence[TicketSide], firsts: Collection[int]) -> list[Move]:
    """What happened to the tickets that can make the matter change hands, at the sources' own times.

    `firsts` are the tickets that nobody handed over.
    """
    moves: list[Move] = []
    for linked, raised, other in _ends(links, sides):
        if raised.ticket is not None and raised.ticket.pk in firsts:
            at = raised.ticket.opened_at or linked.opened_at or linked.created_at
            moves.append(Move(at, raised.ticket.pk, Why.OPENED))
        if other.ticket is not None:
            at = other.ticket.opened_at or linked.created_at
            moves.append(Move(at, other.ticket.pk, Why.HANDED_OVER, order=1))
    return [*moves, *_changes(sides)]


_GONE = {SyncEvent.Kind.DELETED.value: Why.GONE, SyncEvent.Kind.RESTORED.value: Why.RESTORED}


def _changes(sides: Sequence[TicketSide]) -> Iterator[Move]:
    """Status changes in the words of the data dictionary, deletions and restorations."""
    rules = {one.side_id: _outgoing(one.side) for one in sides}
    by_ticket: dict[int, list[TicketSide]] = {}
    wanted = Q(kind__in=list(_GONE))
    for one in sides:
        source = _status_field(rules[one.side_id])
        if one.ticket_id and source:
            by_ticket.setdefault(one.ticket_id, []).append(one)
            wanted |= Q(ticket=one.ticket_id, fields__has_key=source)
    tickets = [one.ticket_id for one in sides if one.ticket_id]
    for event in SyncEvent.objects.filter(wanted, ticket__in=tickets).order_by("ticket", "position"):
        if why := _GONE.get(event.kind):
            yield Move(event.happened_at, event.ticket_id, why, event=event.pk, order=2)
        for one in by_ticket.get(event.ticket_id, ()):
            status = _status(rules[one.side_id], event)
            if status is not None:
                yield Move(event.happened_at, event.ticket_id, Why.STATUS, status, event.pk, order=2)
                break


def _outgoing(side: Side) -> RuleSet | None:
    published = (
        MappingSet.objects.filter(side=side, direction=MappingSet.Direction.OUTGOING, state="published")
        .prefetch_related("rules__value_map__pairs")
        .first()
    )
    return rules_of(published) if published else None


def _status_field(rules: RuleSet | None) -> str:
    rule = rule_to(rules, "status") if rules else None
    return rule.source if rule else ""


def _status(rules: RuleSet | None, event: SyncEvent) -> Status | None:
    if rules is None:
        return None
    told = release(rules, event.fields, changed=[_status_field(rules)]).fields.get("status")
    return Status(told) if told in list(Status) else None


def _held(one: Segment, tickets: Mapping[int, TicketSide], now: datetime) -> Held:
    side = tickets.get(one.holder)
    cause = tickets.get(one.move.ticket)
    return Held(
        partner=side.side.system.partner.name if side else OUTSIDE,
        system=f"{side.side.system.kind_label} {side.ticket}" if side else "outside",
        from_at=one.from_at,
        to_at=one.to_at,
        is_now=one.to_at == now,
        why=_why(one.move, cause),
    )


def _why(move: Move, cause: TicketSide | None) -> str:
    where = f"{cause.ticket} at {cause.side.system.partner}" if cause else "a ticket"
    match move.why:
        case Why.OPENED:
            return f"{where} was opened"
        case Why.HANDED_OVER:
            return f"handed over: {where} was made"
        case Why.GONE:
            return f"{where} was deleted"
        case Why.RESTORED:
            return f"{where} was restored"
    return f"{where} became “{move.status}”"


def _totals(held: Sequence[Held]) -> list[tuple[str, timedelta]]:
    """How long each company held it in all, the longest first."""
    found: dict[str, timedelta] = {}
    for one in held:
        found[one.partner] = found.get(one.partner, timedelta()) + one.length
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def _drawing(held: Sequence[Held], now: datetime) -> Drawing | None:
    """A line for each company, in the order in which they came to hold it; nothing of a matter just opened."""
    if not held or held[-1].to_at - held[0].from_at < timedelta(minutes=1):
        return None
    start, end = held[0].from_at, held[-1].to_at
    scale = Scale(start, end + (end - start) * 0.03)
    companies = list(dict.fromkeys((one.partner, one.system) for one in held))
    lines = tuple(
        Line(
            TOP + ROW * place,
            partner,
            system,
            tuple(_bars(held, partner, system, scale, FILLS[place % len(FILLS)])),
        )
        for place, (partner, system) in enumerate(companies)
    )
    marks = (Mark(scale.x(now), now, "now", "#d63939"),) if held[-1].is_now else ()
    return Drawing(WIDTH, TOP + ROW * len(lines) + BOTTOM, LEFT, lines, scale.ticks(), marks)


def _bars(held: Sequence[Held], partner: str, system: str, scale: Scale, fill: str) -> Iterator[Bar]:
    for one in held:
        if (one.partner, one.system) == (partner, system):
            x = scale.x(one.from_at)
            yield Bar(
                x,
                round(max(scale.x(one.to_at) - x, 1.5), 1),
                fill,
                f"{partner} for {duration_words(one.length)}: {one.why}",
            )
