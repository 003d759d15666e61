"""Drift as one person may see it: of a link that is partly one's own, what stands on the own side.

What was expected and what was found are in the terms of the side that has not got it, so they are that side's own
matter; the other partner learns which field differs, and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from integrations.models import Drift, PartnerTicket, Reconciliation, Side, TicketSide
from integrations.querysets import partners_of
from integrations.services.timeline.viewers import Viewer
from portal.access import Someone, rights_of
from portal.tickets import name_for, title_for

# Runs that are listed beside the drift.
RUNS = 5


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One line of the list.  Texts that the viewer may not know are empty, and `is_shown` is false."""

    drift: Drift
    title: str
    what: str
    source: str
    target: str
    expected: str
    found: str
    because: str
    # Who decided; for another company's people the company.
    decided_by: str
    is_shown: bool


def drift_for(user: Someone, action: str = "read") -> QuerySet[Drift]:
    """Drift at one end of which the person may do this with the queue."""
    found = Drift.objects.visible_to(user)
    places = rights_of(user).partner_ids("queue", action)
    if places is not None:
        own = PartnerTicket.objects.filter(linked_ticket=OuterRef("linked_ticket"), partner__in=places)
        found = found.filter(Exists(own))
    return found.select_related(
        "linked_ticket",
        "connection",
        "source__system__partner",
        "target__system__partner",
        "decided_by__partner",
    )


def counts_for(user: Someone) -> dict[str, int]:
    """How much drift is open, and how much may stay, for the tabs of both lists.  One query."""
    rows = drift_for(user).order_by().values_list("state").annotate(count=Count("pk"))
    return {"open": 0, "accepted": 0} | dict(rows)


def drift_rows(drifts: Iterable[Drift], viewer: Viewer) -> list[DriftRow]:
    """Drift as rows.  One query."""
    found = list(drifts)
    sides: dict[int, list[TicketSide]] = {}
    rows = TicketSide.objects.filter(linked_ticket__in={drift.linked_ticket_id for drift in found})
    # A system's list of fields is long, and no row tells it.
    for one in rows.select_related("side__system__partner", "ticket").defer("side__system__metadata"):
        sides.setdefault(one.linked_ticket_id, []).append(one)
    return [_row(drift, sides[drift.linked_ticket_id], viewer) for drift in found]


def drift_rows_of_all(drifts: QuerySet[Drift], viewer: Viewer, size: int = 500) -> Iterator[DriftRow]:
    """All of them as rows.  A query for each so many: memory does not grow with their number."""
    found = drifts.iterator(chunk_size=size)
    while some := list(islice(found, size)):
        yield from drift_rows(some, viewer)


def runs_for(user: Someone) -> QuerySet[Reconciliation]:
    """Runs over connections and systems of partners that the person sees, the latest first; not single tickets."""
    partners = list(partners_of(user).values_list("pk", flat=True))
    mine = Q(system__partner__in=partners) | Q(connection__sides__system__partner__in=partners)
    found = Reconciliation.objects.filter(mine, linked_ticket=None)
    return found.select_related("connection", "system")


def partners_of_run(run: Reconciliation) -> list[int]:
    """The partners whose tickets a run goes over."""
    if run.system is not None:
        return [run.system.partner_id]
    sides = Side.objects.filter(connection=run.connection)
    return list(sides.values_list("system__partner", flat=True))


def _row(drift: Drift, sides: list[TicketSide], viewer: Viewer) -> DriftRow:
    source, target = drift.source.system, drift.target.system
    is_shown = viewer.sees_all or target.partner_id in viewer.partner_ids
    # Who wrote a comment, and how a file is called, is the sender's to tell.
    knows = viewer.sees_all or source.partner_id in viewer.partner_ids
    is_field = drift.kind == Drift.KindChoice.FIELD
    return DriftRow(
        drift=drift,
        title=title_for(drift.linked_ticket, sides, viewer),
        what=drift.label if is_field or knows else drift.get_kind_display(),
        source=f"{source.kind_label} of {source.partner}",
        target=f"{target.kind_label} of {target.partner}",
        expected=drift.expected if is_shown else "",
        found=drift.found if is_shown else "",
        because=drift.closed_because if is_shown or drift.state == Drift.State.CLOSED else "",
        decided_by=name_for(drift.decided_by, viewer),
        is_shown=is_shown,
    )
