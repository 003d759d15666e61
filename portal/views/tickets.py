"""Linked tickets: the list, its export, and one matter with everything that happened on both sides."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from integrations.models import DictionaryField, LinkedTicket, TicketSide
from integrations.services import tickets as service
from integrations.services.explaining import explain
from integrations.services.tickets import Answer
from integrations.services.timeline.viewers import Viewer
from portal import audit
from portal.access import may, partners_for, requires
from portal.case import case_of, parties_of
from portal.clocks import soonest_of
from portal.exports import Cell, csv_response
from portal.forms.tickets import TicketFilter
from portal.live import render_live
from portal.ticket_page import ticket_page
from portal.tickets import (
    COUNTED,
    Row,
    count_up_to,
    find_all,
    find_page,
    linked_ticket_for,
    title_for,
    viewer_of,
)


@require_safe
@requires("tickets")
def ticket_list(request: HttpRequest) -> HttpResponse:
    """Linked tickets, narrowed, ordered and paged by what the address says."""
    form = TicketFilter(request.GET, request.user)
    criteria = form.criteria()
    found = find_page(request.user, criteria, request.GET.get("page", ""))
    sees_clocks = may(request.user, "read", "reports")
    clocks = soonest_of(request.user, [row.pk for row in found.rows], timezone.now()) if sees_clocks else {}
    page = {
        "form": form,
        "criteria": criteria,
        "page": found,
        "rows": [(row, clocks.get(row.pk)) for row in found.rows],
        "sees_clocks": sees_clocks,
        "count": count_up_to(request.user, criteria),
        "counted": COUNTED,
        "sees_queue": may(request.user, "read", "queue"),
    }
    return render_live(request, "portal/tickets/list.html", "portal/tickets/_rows.html", page)


EXPORT_HEADER = (
    *("Number", "Title", "Connection", "State"),
    *("Left partner", "Left system", "Left ticket", "Right partner", "Right system", "Right ticket"),
    *("Opened", "Last change"),
)


@require_safe
@requires("tickets")
def ticket_export(request: HttpRequest) -> StreamingHttpResponse:
    """The list as it is narrowed now, all of it, as CSV."""
    criteria = TicketFilter(request.GET, request.user).criteria()
    sees_queue = may(request.user, "read", "queue")
    header = (*EXPORT_HEADER, "Waiting", "Needs a person") if sees_queue else EXPORT_HEADER
    rows = (tuple(_cells(row, sees_queue)) for row in find_all(request.user, criteria))
    return csv_response("linked-tickets", header, rows)


def _cells(row: Row, sees_queue: bool) -> Iterator[Cell]:
    yield from (row.number, row.title, row.connection, row.state_label)
    for end in row.ends:
        yield from (end.partner, end.kind, end.key)
    yield from (row.opened_at, row.updated_at)
    if sees_queue:
        yield from (row.waiting, "yes" if row.is_parked else "no")


@require_safe
@requires("tickets")
def ticket_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One matter: both records, the timeline, and for those who see both sides the comparison and the queue."""
    linked = linked_ticket_for(request.user, pk)
    found = ticket_page(
        linked,
        viewer_of(request.user),
        now=timezone.now(),
        older_than=request.GET.get("older", ""),
        user=request.user,
    )
    return render_live(request, "portal/tickets/detail.html", "portal/tickets/_detail.html", {"page": found})


@require_safe
@requires("tickets")
def ticket_case(request: HttpRequest, pk: int) -> HttpResponse:
    """The whole matter over all companies.  Who sees all partners can look at it through one company's eyes."""
    linked = linked_ticket_for(request.user, pk)
    viewer = viewer_of(request.user)
    parties = parties_of(linked, viewer, user=request.user)
    eyes = request.GET.get("as", "")
    seen_as = next((name for key, name in parties if str(key) == eyes), "")
    own = Viewer(frozenset({int(eyes)}), is_borrowed=int(eyes) not in viewer.partner_ids) if seen_as else None
    older_than = request.GET.get("older", "")
    case = case_of(linked, own or viewer, user=request.user, now=timezone.now(), older_than=older_than)
    page = {
        "linked": linked,
        "title": linked.title if viewer.sees_all else title_for(linked, _sides(linked), viewer),
        "case": case,
        # What the timeline's template reads.
        "page": {"timeline": case.timeline, "raised_by": linked.origin.system.partner.name, "linked": linked},
        "parties": parties,
        "seen_as": seen_as,
        "eyes": eyes,
    }
    return render_live(request, "portal/tickets/case.html", "portal/tickets/_case.html", page)


def _sides(linked: LinkedTicket) -> list[TicketSide]:
    return list(linked.sides.select_related("side__system__partner", "ticket"))


@require_safe
@requires("tickets")
def ticket_why(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Why one field holds what it holds on both sides, or why its value did not move."""
    linked = linked_ticket_for(request.user, pk)
    field = get_object_or_404(DictionaryField, connection=linked.connection_id, name=name)
    viewer = viewer_of(request.user)
    told = explain(linked, field, now=timezone.now())
    page = {
        "linked": linked,
        "title": title_for(linked, _sides(linked), viewer),
        "field": field,
        "directions": [direction.seen_by(viewer) for direction in told.directions],
        "sees_queue": may(request.user, "read", "queue"),
        # Rules are opened by their own partner's people, and by those who may read all partners' rules.
        "readable_rules": set(partners_for(request.user, "read", "mappings").values_list("pk", flat=True)),
    }
    return render(request, "portal/tickets/why.html", page)


@require_POST
@requires("tickets", "write")
def ticket_pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Let nothing of this matter travel."""
    linked = linked_ticket_for(request.user, pk, "write")
    return _done(request, linked, "paused", service.pause_ticket(linked))


@require_POST
@requires("tickets", "write")
def ticket_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a paused matter travel again."""
    linked = linked_ticket_for(request.user, pk, "write")
    return _done(request, linked, "resumed", service.resume_ticket(linked))


@require_POST
@requires("tickets", "write")
def ticket_synchronise(request: HttpRequest, pk: int) -> HttpResponse:
    """Have both systems read at once."""
    linked = linked_ticket_for(request.user, pk, "write")
    return _done(request, linked, "synchronised", service.synchronise_now(linked, now=timezone.now()))


def _done(request: HttpRequest, linked: LinkedTicket, action: str, answer: Answer) -> HttpResponse:
    if answer.is_done:
        audit.record(request.user, action, linked)
    (messages.success if answer.is_done else messages.warning)(request, answer.message)
    return redirect("ticket_detail", linked.pk)


urlpatterns = [
    path("", ticket_list, name="ticket_list"),
    path("export.csv", ticket_export, name="ticket_export"),
    path("<int:pk>/", ticket_detail, name="ticket_detail"),
    path("<int:pk>/case/", ticket_case, name="ticket_case"),
    path("<int:pk>/why/<slug:name>/", ticket_why, name="ticket_why"),
    path("<int:pk>/pause/", ticket_pause, name="ticket_pause"),
    path("<int:pk>/resume/", ticket_resume, name="ticket_resume"),
    path("<int:pk>/synchronise/", ticket_synchronise, name="ticket_synchronise"),
]
