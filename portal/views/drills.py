"""Outage drills: begin one for a connection of sandboxes, watch it, and hand over its signed record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.models import Connection, System
from portal import audit
from portal.access import partners_for, requires
from portal.acting import act, trail_of
from portal.drill.places import NoSandbox, sandbox_of
from portal.drill.run import cancel
from portal.exports import csv_response
from portal.forms.drills import DrillFilter, DrillForm
from portal.listing import WIDE, Column, listing
from portal.live import render_live
from portal.models import Drill, User
from portal.views.connections import may_run

COLUMNS = (
    Column("Drill", "number", "pk"),
    Column("Connection", "connection", "connection__name"),
    Column("Away", "away", "stopped_system__name", WIDE),
    Column("State", "state", "state"),
    Column("Begun", "asked", "asked_at", WIDE),
)
EXPORTED = ("Happened", "Who", "In", "What", "To", "Applied", "Waited, seconds", "Outcome", "Ticket")
# Events on the page; the record has all of them.
SHOWN = 200


@require_safe
@requires("connections")
def drill_list(request: HttpRequest) -> HttpResponse:
    """Every drill of the reader's connections, the latest first."""
    form = DrillFilter(request.GET, request.user)
    found = listing(request, form.narrow(_visible(request)), COLUMNS, default="-asked")
    return render(request, "portal/drills/list.html", {"listing": found, "form": form})


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
def drill_add(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what is to go wrong, and begin."""
    connection = get_object_or_404(Connection.objects.visible_to(request.user), pk=pk)
    if not may_run(request, connection, "full"):
        raise PermissionDenied("Needs full on connections at its partners.")
    systems = (
        System.objects.filter(sides__connection=connection)
        .select_related("partner")
        .order_by("sides__position")
    )
    refusal = _refusal(connection, systems)
    form = DrillForm(request.POST or None, systems)
    if not refusal and form.is_valid():
        drill = Drill.objects.create(
            connection=connection,
            stopped_system=form.cleaned_data["away"],
            how=form.cleaned_data["how"],
            outage_s=form.cleaned_data["minutes"] * 60,
            tickets=form.cleaned_data["tickets"],
            changes=form.cleaned_data["changes"],
            asked_by=cast(User, request.user),
        )
        away = {"away": str(drill.stopped_system), "minutes": form.cleaned_data["minutes"]}
        audit.record(request.user, "began an outage drill of", connection, away)
        messages.success(request, "The drill begins. This page follows it.")
        return redirect("drill_detail", drill.pk)
    page = {"connection": connection, "form": form, "refusal": refusal}
    return render(request, "portal/drills/add.html", page, status=422 if form.errors else 200)


@require_safe
@requires("connections")
def drill_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """How far it is; afterwards what happened, when it was applied, and in which order."""
    drill = _drill(request, pk)
    events = list(_events(drill))
    page = {
        "drill": drill,
        "percent": 100 * drill.done // max(1, drill.changes),
        "verdict": drill.verdict,
        "document": drill.record.get("document", {}),
        "signature": drill.record.get("signature", {}),
        "events": events[:SHOWN],
        "more": max(0, len(events) - SHOWN),
        "may_run": may_run(request, drill.connection, "full"),
        "trail": trail_of(drill, request.user),
    }
    pages = ("portal/drills/detail.html", "portal/drills/_progress.html")
    return render_live(request, *pages, page, is_over=drill.is_over)


@require_POST
@requires("connections", "full")
def drill_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring the system back at once and end the drill without a record."""
    drill = _drill(request, pk)
    if not may_run(request, drill.connection, "full"):
        raise PermissionDenied("Needs full on connections at its partners.")
    act(
        request,
        lambda: cancel(drill, timezone.now()),
        obj=drill,
        trail="cancelled",
        done=f"{drill} is cancelled, and {drill.stopped_system} is back.",
        idle="It is over already.",
    )
    return redirect("drill_detail", pk)


@require_safe
@requires("connections")
def drill_record(request: HttpRequest, pk: int) -> HttpResponse:
    """The signed record as a file."""
    drill = _recorded(request, pk)
    body = json.dumps(drill.record, indent=2, ensure_ascii=False)
    name = f"outage-drill-{drill.pk}.json"
    return HttpResponse(
        body,
        content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_safe
@requires("connections")
def drill_export(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The events as a table."""
    drill = _recorded(request, pk)
    names = ("happened", "who", "in", "what", "to", "applied", "waited_s", "fate", "ticket")
    return csv_response(
        f"outage-drill-{drill.pk}", EXPORTED, ([event[name] for name in names] for event in _events(drill))
    )


def _events(drill: Drill) -> Iterator[dict[str, Any]]:
    """The events of all tickets in the order in which they happened, their times as times."""
    document = drill.record.get("document", {})
    events = [
        {
            **event,
            "ticket": ticket["number"],
            "linked_id": ticket["number"].removeprefix("LT-"),
            "happened": parse_datetime(event["happened"]),
            "applied": parse_datetime(event["applied"]) if event["applied"] else None,
        }
        for ticket in document.get("tickets", ())
        for event in ticket["events"]
    ]
    yield from sorted(events, key=lambda event: event["happened"])


def _refusal(connection: Connection, systems: QuerySet[System]) -> str:
    """Why this connection cannot be drilled now; empty when it can."""
    if connection.state != Connection.State.ACTIVE:
        return "The connection is not active: activate or resume it first."
    if Drill.objects.running().filter(connection=connection).exists():
        return "A drill of this connection is under way."
    for system in systems:
        try:
            with closing(sandbox_of(system)):
                pass
        except NoSandbox as reason:
            return str(reason)
    return ""


def _visible(request: HttpRequest) -> QuerySet[Drill]:
    readable = partners_for(request.user, "read", "connections")
    connections = Connection.objects.visible_to(request.user).filter(sides__system__partner__in=readable)
    found = Drill.objects.filter(connection__in=connections.values("pk"))
    return found.select_related("connection", "stopped_system__partner", "asked_by")


def _drill(request: HttpRequest, pk: int) -> Drill:
    return get_object_or_404(_visible(request), pk=pk)


def _recorded(request: HttpRequest, pk: int) -> Drill:
    drill = _drill(request, pk)
    if not drill.record:
        raise Http404("There is no record yet.")
    return drill


urlpatterns = [
    path("drills/", drill_list, name="drill_list"),
    path("<int:pk>/drill/", drill_add, name="drill_add"),
    path("drills/<int:pk>/", drill_detail, name="drill_detail"),
    path("drills/<int:pk>/cancel/", drill_cancel, name="drill_cancel"),
    path("drills/<int:pk>/record.json", drill_record, name="drill_record"),
    path("drills/<int:pk>/events.csv", drill_export, name="drill_export"),
]
