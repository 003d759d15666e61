"""Undoing one write or what a version wrote: what would be put back, the confirmation, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from integrations.mapping.plan import text_of
from integrations.models import MappingSet, Undo, UndoItem
from integrations.services import undo as services
from integrations.services.refusals import NotPossible
from integrations.tasks import wake
from portal import audit
from portal.access import may, partners_for, require, requires
from portal.acting import act, trail_of
from portal.exports import Cell, csv_response
from portal.forms.undo import UndoFilter, UndoListFilter
from portal.listing import WIDE, Column, count_beside, in_order, listing
from portal.live import render_live
from portal.queue import delivery_for

COLUMNS = (
    Column("Ticket", "ticket", "lane__linked_ticket"),
    Column("Field", "field", "label"),
    Column("Stands now", css=WIDE),
    Column("Would be put back", css=WIDE),
    Column("Outcome", "state", "state"),
)
# Once somebody has confirmed it: what stood there when it was looked at.
BEGUN = (*COLUMNS[:2], Column("Stood there", css=WIDE), Column("Old value", css=WIDE), COLUMNS[4])
EXPORTED = (
    "Ticket",
    "In the system",
    "Field",
    "Stands",
    "Old value",
    "Outcome",
    "Reason",
    "Changed by",
    "Changed at",
)
LISTED = (
    Column("What", "what", "mapping_set"),
    Column("In", "system", "target__system__name"),
    Column("Fields", "fields", "fields"),
    Column("State", "state", "state"),
    Column("Asked for", "asked", "asked_at"),
)
LIST_EXPORTED = (
    *("What", "Connection", "Partner", "System", "State", "Asked for", "By", "Confirmed", "Ended"),
    *("Fields", "Put back", "Left alone"),
)
# How long a page may take to look at what it asks about; the worker goes on with the rest.
AT_ONCE_S = 2.0


@require_safe
@requires("undo")
def undo_list(request: HttpRequest) -> HttpResponse:
    """What was undone, or looked at, in the systems whose undoings the reader may see."""
    form = UndoListFilter(request.GET, request.user)
    found = listing(request, form.narrow(_visible(request)), LISTED, default="-asked")
    return render(request, "portal/undo/list.html", {"listing": found, "form": form})


@require_safe
@requires("undo")
def undo_list_export(request: HttpRequest) -> StreamingHttpResponse:
    """The same list as a file."""
    narrowed = UndoListFilter(request.GET, request.user).narrow(_visible(request))
    found, _ = in_order(request, narrowed, LISTED, default="-asked")

    def rows() -> Iterator[tuple[Cell, ...]]:
        for undo in found.iterator(chunk_size=500):
            system = undo.target.system
            yield (
                *(undo.scope, undo.target.connection.name, system.partner.name, system.name),
                *(undo.get_state_display(), undo.asked_at, str(undo.asked_by or "")),
                *(undo.confirmed_at, undo.ended_at, undo.fields, undo.put_back, undo.left),
            )

    return csv_response("undoings", LIST_EXPORTED, rows())


@require_POST
@requires("undo", "full")
def delivery_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Look at what undoing one delivery would do."""
    delivery = delivery_for(request.user, pk)
    require(request.user, "full", "undo", delivery.lane.system.partner)
    begun = _begin(
        request, lambda: services.begin_with_delivery(delivery, by=request.user, now=timezone.now())
    )
    return redirect("undo_detail", begun.pk) if begun else redirect("delivery_detail", pk)


@require_POST
@requires("undo", "full")
def mapping_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Look at what undoing all that a version wrote would do.  Asks for the right where it wrote."""
    visible = MappingSet.objects.visible_to(request.user).select_related("side__connection")
    mapping_set = get_object_or_404(visible, pk=pk)
    require(request.user, "full", "undo", services.receiver_of(mapping_set).system.partner)
    begun = _begin(
        request, lambda: services.begin_with_version(mapping_set, by=request.user, now=timezone.now())
    )
    return redirect("undo_detail", begun.pk) if begun else redirect("mapping_detail", pk)


def _begin(request: HttpRequest, action: Callable[[], Undo]) -> Undo | None:
    try:
        with transaction.atomic():
            begun = action()
            audit.record(
                request.user,
                "looked at undoing",
                begun,
                {"what": begun.scope},
                partner=begun.target.system.partner,
            )
    except NotPossible as refusal:
        messages.error(request, refusal.message)
        return None
    services.work_on(begun, until=time.monotonic() + AT_ONCE_S)
    return begun


@require_safe
@requires("undo")
def undo_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What would be put back and what not, how far it is, or what became of it."""
    undo = _undo(request, pk)
    form = UndoFilter(request.GET)
    counts = dict(undo.items.order_by().values_list("state").annotate(count=Count("pk")))
    is_begun = undo.state not in (Undo.State.LOOKING, Undo.State.READY)
    page: dict[str, Any] = {
        "undo": undo,
        "form": form,
        "listing": listing(
            request, form.narrow(_items(undo)), BEGUN if is_begun else COLUMNS, default="ticket"
        ),
        "counts": [
            (state.value, state.label, counts[state]) for state in UndoItem.State if counts.get(state)
        ],
        "open": counts.get(UndoItem.State.OPEN, 0),
        "tickets": undo.items.order_by().values("lane__linked_ticket").distinct().count(),
        "waiting": services.still_waiting(undo.mapping_set) if undo.mapping_set else 0,
        "may_act": may(request.user, "full", "undo", undo.target.system.partner),
        "trail": trail_of(undo, request.user),
    }
    is_over = not undo.is_moving
    return render_live(request, "portal/undo/detail.html", "portal/undo/_body.html", page, is_over=is_over)


@require_safe
@requires("undo")
def undo_export(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The same list as a file."""
    undo = _undo(request, pk)
    found, _ = in_order(request, UndoFilter(request.GET).narrow(_items(undo)), COLUMNS, default="ticket")

    def rows() -> Iterator[tuple[Cell, ...]]:
        for item in found.iterator(chunk_size=500):
            yield (
                item.lane.linked_ticket.number,
                str(item.ticket or ""),
                item.label,
                text_of(item.stands),
                text_of(item.put_back),
                item.get_state_display(),
                item.reason,
                item.changed_by,
                item.changed_at,
            )

    return csv_response(f"undo-{undo.pk}", EXPORTED, rows())


@require_POST
@requires("undo", "full")
def undo_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue what was looked at."""
    undo = _undo(request, pk, "full")
    if act(
        request,
        lambda: services.confirm(undo, now=timezone.now()),
        obj=undo,
        trail="undid",
        changes={"what": undo.scope, "fields": undo.items.filter(state=UndoItem.State.OPEN).count()},
        partner=undo.target.system.partner,
        done="It is queued. What somebody edits before its turn is left alone.",
        idle="It is not waiting to be confirmed.",
    ):
        services.work_on(undo, until=time.monotonic() + AT_ONCE_S)
        wake()
    return redirect("undo_detail", pk)


@require_POST
@requires("undo", "full")
def undo_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave everything as it is."""
    undo = _undo(request, pk, "full")
    act(
        request,
        lambda: services.discard(undo, now=timezone.now()),
        obj=undo,
        trail="decided against undoing",
        changes={"what": undo.scope},
        partner=undo.target.system.partner,
        done="Nothing is undone.",
        idle="It was confirmed already.",
    )
    return redirect("undo_detail", pk)


def _items(undo: Undo) -> QuerySet[UndoItem]:
    return undo.items.select_related("lane__linked_ticket", "ticket", "delivery", "revert")


def _visible(request: HttpRequest) -> QuerySet[Undo]:
    readable = partners_for(request.user, "read", "undo")
    found = Undo.objects.visible_to(request.user).filter(target__system__partner__in=readable)
    items, back = UndoItem.objects.exclude(field=""), [UndoItem.State.DONE, UndoItem.State.STOOD]
    return found.select_related(
        "target__system__partner",
        "target__connection",
        "mapping_set__side__system__partner",
        "delivery__lane__linked_ticket",
        "asked_by",
    ).annotate(
        fields=count_beside(items, "undo"),
        put_back=count_beside(items.filter(state__in=back), "undo"),
        left=count_beside(items.filter(state=UndoItem.State.LEFT), "undo"),
    )


def _undo(request: HttpRequest, pk: int, action: str = "read") -> Undo:
    """The undoing; 404 when the system it writes to is none of the person's, 403 without the right there."""
    found = Undo.objects.visible_to(request.user).select_related(
        "target__system__partner",
        "mapping_set__side__system__partner",
        "delivery__lane__linked_ticket",
        "asked_by",
    )
    undo = get_object_or_404(found, pk=pk)
    require(request.user, action, "undo", undo.target.system.partner)
    return undo


urlpatterns = [
    path("queue/<int:pk>/undo/", delivery_undo, name="delivery_undo"),
    path("mappings/<int:pk>/undo/", mapping_undo, name="mapping_undo"),
    path("undo/", undo_list, name="undo_list"),
    path("undo/export.csv", undo_list_export, name="undo_list_export"),
    path("undo/<int:pk>/", undo_detail, name="undo_detail"),
    path("undo/<int:pk>/export.csv", undo_export, name="undo_export"),
    path("undo/<int:pk>/confirm/", undo_confirm, name="undo_confirm"),
    path("undo/<int:pk>/discard/", undo_discard, name="undo_discard"),
]
