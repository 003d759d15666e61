"""Linked tickets as one person may see them: fetching one, finding many, and a row of a list.

Whoever does not see all partners gets what the own side shows: the title and key of the own ticket, because the other
side's may hold what its rules do not release.  Lists stay quick at a million linked tickets: they go by key along an
index, and whoever sees a few partners starts from the table of those partners' tickets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.shortcuts import get_object_or_404

from integrations.models import Connection, Lane, LinkedTicket, Partner, PartnerTicket, TicketSide
from integrations.services.timeline.viewers import Viewer
from portal import ticket_search as search
from portal.access import RESOURCES, Level, Someone, rights_of
from portal.keyset import KeyPage, key_page
from portal.models import User

# A waiting list longer than this is no exception any more, and is read like the whole.
FEW = 5000
# How many are counted exactly; beyond, "more than" is enough and costs nothing.
COUNTED = 1000

# What people choose -> columns of LinkedTicket.  Each has an index.
ORDERS = {
    "latest": ("-updated_at", "-pk"),
    "oldest": ("updated_at", "pk"),
    "newest": ("-pk",),
    "first": ("pk",),
}


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a list is narrowed to.  `queue` is "", "waiting" or "parked"."""

    connection: Connection | None = None
    partner: Partner | None = None
    state: str = ""
    queue: str = ""
    words: str = ""
    order: str = "latest"

    def __bool__(self) -> bool:
        return any((self.connection, self.partner, self.state, self.queue, self.words))


@dataclass(frozen=True, slots=True)
class End:
    """One side of a row: whose, and which ticket; `key` and `url` are empty where the viewer may not know them."""

    partner: str
    kind: str
    key: str
    url: str
    is_there: bool
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A linked ticket in a list."""

    pk: int
    number: str
    title: str
    connection: str
    state: str
    state_label: str
    updated_at: datetime
    opened_at: datetime | None
    ends: tuple[End, ...]
    waiting: int = 0
    is_parked: bool = False
    lanes: Sequence[Lane] = field(default_factory=list)


# --- One ---


def viewer_of(user: Someone, resource: str = "tickets") -> Viewer:
    """Whose own matters the person may read in full, and whether all partners' are to be seen."""
    places = rights_of(user).partner_ids(resource, "read")
    if places is None:
        own = getattr(user, "partner_id", None)
        return Viewer(frozenset() if own is None else frozenset({own}), sees_all=True)
    return Viewer(frozenset(places))


def name_for(person: User | None, viewer: Viewer) -> str:
    """Who did something: the name for the integrator's and the own company's people, the company for others."""
    if person is None:
        return ""
    if viewer.sees_all or person.partner_id in viewer.partner_ids:
        return str(person)
    return str(person.partner or "the service integrator")


def linked_ticket_for(
    user: Someone, pk: int, action: str = "read", resource: str = "tickets"
) -> LinkedTicket:
    """The linked ticket; 404 when it is none of the person's, 403 when its roles there do not allow this."""
    found = get_object_or_404(LinkedTicket.objects.visible_to(user).select_related("connection"), pk=pk)
    require_at_one(user, action, resource, partner_ids_of(found))
    return found


def may_at_one(user: Someone, action: str, resource: str, partner_ids: Iterable[int]) -> bool:
    """Whether the person may do this at one of these partners at least."""
    places = rights_of(user).partner_ids(resource, action)
    return places is None or bool(places & set(partner_ids))


def linked_of(user: Someone, ticket_ids: Iterable[int | None]) -> dict[int, list[LinkedTicket]]:
    """The linked tickets in which these tickets stand, as far as the person may open them.  One query."""
    if rights_of(user).level("tickets") < Level.READ:
        return {}
    sides = TicketSide.objects.filter(
        ticket__in=[key for key in ticket_ids if key], linked_ticket__in=LinkedTicket.objects.visible_to(user)
    )
    found: dict[int, list[LinkedTicket]] = {}
    for one in sides.select_related("linked_ticket").order_by("linked_ticket"):
        found.setdefault(one.ticket_id or 0, []).append(one.linked_ticket)
    return found


def require_at_one(user: Someone, action: str, resource: str, partner_ids: Iterable[int]) -> None:
    """Return when the person may do this at one of these partners; PermissionDenied (403) otherwise."""
    if not may_at_one(user, action, resource, partner_ids):
        raise PermissionDenied(f"Needs {action} on {RESOURCES[resource].lower()}.")


def partner_ids_of(linked_ticket: LinkedTicket) -> list[int]:
    """The partners at both ends."""
    return list(linked_ticket.sides.values_list("side__system__partner", flat=True))


def title_for(linked_ticket: LinkedTicket, sides: Sequence[TicketSide], viewer: Viewer) -> str:
    """The title as the viewer may know it."""
    if viewer.sees_all:
        return linked_ticket.title or linked_ticket.number
    own = [one.ticket for one in sides if one.ticket and one.side.system.partner_id in viewer.partner_ids]
    return next((ticket.title or str(ticket) for ticket in own), linked_ticket.number)


# --- Many ---


def find_page(user: Someone, criteria: Criteria, token: str = "", size: int = 50) -> KeyPage:
    """One page of the linked tickets that the person may see, as rows."""
    viewer = viewer_of(user)
    found, order = _found(user, viewer, criteria)
    return _page(found, order, viewer, token, size)


def find_all(user: Someone, criteria: Criteria, size: int = 500) -> Iterator[Row]:
    """Every linked ticket that the person may see, page after page: memory does not grow with their number."""
    viewer, token = viewer_of(user), ""
    found, order = _found(user, viewer, criteria)
    while True:
        page = _page(found, order, viewer, token, size)
        yield from page.rows
        token = page.next
        if not token:
            return


def _page(found: QuerySet[Any], order: Sequence[str], viewer: Viewer, token: str, size: int) -> KeyPage:
    page = key_page(found, order, token, size)
    keys = [getattr(one, "linked_ticket_id", None) or one.pk for one in page.rows]
    return KeyPage(rows_for(keys, viewer), page.previous, page.next)


def count_up_to(user: Someone, criteria: Criteria, limit: int = COUNTED) -> int:
    """How many there are; `limit` + 1 stands for more."""
    viewer = viewer_of(user)
    if criteria.words:
        # Of what many have, some are enough to know that there are more.
        some, _ = _found(user, viewer, criteria, some_will_do=True)
        if (count := some.order_by()[: limit + 1].count()) > limit:
            return count
    found, _ = _found(user, viewer, criteria)
    return found.order_by()[: limit + 1].count()


def rows_for(keys: Sequence[int], viewer: Viewer) -> list[Row]:
    """These linked tickets as rows, in the order of their keys.  Three queries."""
    found = LinkedTicket.objects.filter(pk__in=keys).select_related("connection").prefetch_related("lanes")
    sides: dict[int, list[TicketSide]] = {}
    for one in (
        TicketSide.objects.filter(linked_ticket__in=keys)
        .select_related("side__system__partner", "ticket")
        # A system's list of fields is long, and no row tells it.
        .defer("side__system__metadata")
        .order_by("side__position")
    ):
        sides.setdefault(one.linked_ticket_id, []).append(one)
    by_key = {linked.pk: _row(linked, sides.get(linked.pk, []), viewer) for linked in found}
    return [by_key[key] for key in keys if key in by_key]


def _row(linked: LinkedTicket, sides: Sequence[TicketSide], viewer: Viewer) -> Row:
    lanes = [lane for lane in linked.lanes.all() if lane.waits]
    return Row(
        pk=linked.pk,
        number=linked.number,
        title=title_for(linked, sides, viewer),
        connection=linked.connection.name,
        state=linked.state,
        state_label=linked.get_state_display(),
        updated_at=linked.updated_at,
        opened_at=linked.opened_at,
        ends=tuple(_end(one, viewer) for one in sides),
        waiting=sum(lane.tail - lane.head + 1 for lane in lanes),
        is_parked=any(lane.state == Lane.State.PARKED for lane in lanes),
        lanes=lanes,
    )


def _end(one: TicketSide, viewer: Viewer) -> End:
    system = one.side.system
    ticket = one.ticket if viewer.sees_all or system.partner_id in viewer.partner_ids else None
    return End(
        partner=system.partner.name,
        kind=system.kind_label,
        key=str(ticket) if ticket else "",
        url=ticket.url if ticket else "",
        is_there=one.ticket_id is not None,
        is_gone=bool(ticket and ticket.is_gone),
    )


def _found(
    user: Someone, viewer: Viewer, criteria: Criteria, *, some_will_do: bool = False
) -> tuple[QuerySet[Any], tuple[str, ...]]:
    """The rows to page through: linked tickets, or the rows of some partners' table that lead to them.

    With `some_will_do` there may be fewer than have the words, where these are many.
    """
    order = ORDERS.get(criteria.order, ORDERS["latest"])
    if viewer.sees_all and criteria.partner is None:
        rows: QuerySet[Any] = LinkedTicket.objects.visible_to(user)
        prefix = ""
    else:
        partners = [criteria.partner.pk] if criteria.partner else sorted(viewer.partner_ids)
        if not viewer.sees_all:
            partners = [pk for pk in partners if pk in viewer.partner_ids]
        rows, prefix = _of_partners(user, partners), "linked_ticket__"
        order = tuple(name.replace("pk", "linked_ticket") for name in order)
    narrowed = rows.filter(**{f"{prefix}{name}": value for name, value in _conditions(criteria).items()})
    if criteria.words:
        narrowed = _with_words(narrowed, prefix, viewer, criteria.words, some_will_do=some_will_do)
    return narrowed, order


def _of_partners(user: Someone, partners: Sequence[int]) -> QuerySet[PartnerTicket]:
    """The partners' own table; a ticket that two of them share comes once."""
    visible = Partner.objects.visible_to(user).filter(pk__in=partners)
    keys = sorted(visible.values_list("pk", flat=True))
    rows = PartnerTicket.objects.filter(partner__in=keys)
    if len(keys) > 1:
        twin = PartnerTicket.objects.filter(linked_ticket=OuterRef("linked_ticket"), partner__in=keys)
        rows = rows.filter(~Exists(twin.filter(partner__lt=OuterRef("partner"))))
    return rows


def _conditions(criteria: Criteria) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    if criteria.connection:
        conditions["connection"] = criteria.connection
    if criteria.state:
        conditions["state"] = criteria.state
    if criteria.queue:
        lanes = Lane.objects.parked() if criteria.queue == "parked" else Lane.objects.waiting()
        keys = lanes.values_list("linked_ticket", flat=True)
        few = list(keys[: FEW + 1])
        conditions["pk__in"] = few if len(few) <= FEW else keys
    return conditions


def _with_words(
    rows: QuerySet[Any], prefix: str, viewer: Viewer, words: str, *, some_will_do: bool
) -> QuerySet[Any]:
    found = search.find(words, viewer)
    if found.is_all or some_will_do:
        return rows.filter(**{f"{prefix}pk__in": found.linked})
    return rows.filter(
        Exists(search.sides_with(words, viewer, OuterRef("linked_ticket" if prefix else "pk")))
    )
