"""Connections: which systems exchange tickets, how each side stands, and the switches of both."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.models import Connection, Lane, LinkedTicket, Side, System
from integrations.services import connections as services
from integrations.services import findings
from integrations.services.drift import open_drift
from integrations.services.mappings import field_facts
from integrations.services.refusals import NotPossible
from portal import audit
from portal.access import may, partners_for, require, requires, rights_of
from portal.acting import act, trail_of
from portal.connections import cards_of, preview_of
from portal.exports import csv_response
from portal.forms.base import attempt, succeeds
from portal.forms.connections import (
    ConnectionFilter,
    ConnectionForm,
    NewConnectionForm,
    PairForm,
    PauseForm,
    SideForm,
    shown_of,
    shown_of_side,
)
from portal.forms.drift import PolicyForm
from portal.listing import WIDE, Column, count_beside, in_order, listing

COLUMNS = (
    Column("Name", "name", "name"),
    Column("Joins", css=WIDE),
    Column("State", "state", "state"),
    Column("Linked tickets", "tickets", "ticket_count", "num"),
    Column("Waiting", "waiting", "waiting_count", "num"),
    Column("For a person", "parked", "parked_count", "num"),
)
EXPORTED = (
    "Name",
    "State",
    "One side",
    "Other side",
    "Linked tickets",
    "Waiting",
    "Wait for a person",
    "Since",
)


# --- Lists ---


@require_safe
@requires("connections")
def connection_list(request: HttpRequest) -> HttpResponse:
    """Who exchanges tickets with whom, as far as the reader takes part."""
    form = ConnectionFilter(request.GET, request.user)
    found = listing(request, _found(request, form), COLUMNS, default="name")
    return render(request, "portal/connections/list.html", {"listing": found, "form": form})


@require_safe
@requires("connections")
def connection_export(request: HttpRequest) -> HttpResponseBase:
    """The same list as a file."""
    found = _found(request, ConnectionFilter(request.GET, request.user))
    rows, _ = in_order(request, found, COLUMNS, default="name")
    return csv_response(
        "connections",
        EXPORTED,
        (
            (
                one.name,
                one.get_state_display(),
                *(f"{side.system.partner}: {side.system}" for side in one.sides.all()),
                one.ticket_count,
                one.waiting_count,
                one.parked_count,
                one.created_at,
            )
            for one in rows
        ),
    )


def _found(request: HttpRequest, form: ConnectionFilter) -> QuerySet[Connection]:
    readable = partners_for(request.user, "read", "connections")
    mine = Side.objects.filter(system__partner__in=readable).values("connection")
    found = Connection.objects.visible_to(request.user).filter(pk__in=mine)
    waiting = Lane.objects.filter(waits=True)
    found = found.annotate(
        ticket_count=count_beside(LinkedTicket.objects.all(), "connection"),
        waiting_count=count_beside(waiting, "connection"),
        parked_count=count_beside(waiting.filter(state=Lane.State.PARKED), "connection"),
    ).prefetch_related("sides__system__partner")
    return form.narrow(found)


# --- Opening ---


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
def connection_add(request: HttpRequest) -> HttpResponse:
    """Choose two systems, then say how the two sides begin, with the rules that ship for them in view."""
    offered = System.objects.visible_to(request.user).filter(
        partner__in=partners_for(request.user, "full", "connections")
    )
    asked = request.GET if "left" in request.GET else None
    pair = PairForm(asked, systems=offered.select_related("partner").order_by("partner__name", "name"))
    if pair.is_valid():
        left, right = pair.cleaned_data["left"], pair.cleaned_data["right"]
        if succeeds(pair, lambda: services.refuse_ring(left, right)):
            return _open(request, left, right)
    page = {"form": pair, "has_two": offered.count() > 1}
    return render(request, "portal/connections/add.html", page, status=422 if pair.errors else 200)


def _open(request: HttpRequest, left: System, right: System) -> HttpResponse:
    data = request.POST or None
    form = NewConnectionForm(data, initial={"name": f"{left.name} – {right.name}"})
    sides = [
        SideForm(data, prefix=prefix, facts=field_facts(system), initial={"starts": prefix == "left"})
        for prefix, system in (("left", left), ("right", right))
    ]
    # Every form is asked, so that all that is wrong is told at once.
    answers = [one.is_valid() for one in (form, *sides)]
    if all(answers):
        connection = attempt(form, lambda: _store(request, form, left, right, sides))
        if connection:
            messages.success(
                request, f"{connection} is open, as a draft. Nothing travels before you activate it."
            )
            return redirect("connection_detail", connection.pk)
    page = {
        "form": form,
        "ends": [
            (system, side, preview_of(system)) for system, side in zip((left, right), sides, strict=True)
        ],
    }
    has_errors = any(one.errors for one in (form, *sides))
    return render(request, "portal/connections/open.html", page, status=422 if has_errors else 200)


@transaction.atomic
def _store(
    request: HttpRequest, form: NewConnectionForm, left: System, right: System, sides: Sequence[SideForm]
) -> Connection:
    connection = services.open_connection(
        form.cleaned_data["name"],
        left,
        right,
        left_side=sides[0].data_for_service(),
        right_side=sides[1].data_for_service(),
        template=form.cleaned_data["template"],
        note=form.cleaned_data["note"],
        by=request.user,
        now=timezone.now(),
    )
    joins = {"joins": f"{left.partner}: {left} ↔ {right.partner}: {right}"}
    audit.record(request.user, "opened", connection, joins)
    return connection


# --- One connection ---


@require_safe
@requires("connections")
def connection_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Both sides as they stand, what they agreed on, and what travels."""
    connection = _connection(request, pk)
    sides = list(connection.sides.all())
    cards = cards_of(sides, request.user)
    page = {
        "connection": connection,
        "cards": cards,
        "dictionary": connection.dictionary.all(),
        "ticket_count": LinkedTicket.objects.filter(connection=connection).count(),
        "may_run": may_run(request, connection, "full"),
        "may_reconcile": may_run(request, connection, "write"),
        "drift_count": open_drift([connection.pk]).get(connection.pk, 0),
        "policy": PolicyForm(instance=connection),
        "is_stuck": any(card.side.is_paused or card.side.system.state != "active" for card in cards),
        "trail": trail_of(connection, request.user),
    }
    return render(request, "portal/connections/detail.html", page)


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
@transaction.atomic
def connection_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change name and note."""
    connection = _connection(request, pk, "full", lock=request.method == "POST")
    shown = shown_of(connection)
    form = ConnectionForm(request.POST or None, shown=shown)
    if form.is_valid():
        name, note = form.cleaned_data["name"], form.cleaned_data["note"]
        if succeeds(form, lambda: services.rename_connection(connection, name, note)):
            if changes := audit.changed_fields(shown, shown_of(connection)):
                audit.record(request.user, "changed", connection, changes)
            messages.success(request, "Saved.")
            return redirect("connection_detail", pk)
        connection.refresh_from_db()
    page = {"form": form, "connection": connection}
    return render(request, "portal/connections/edit.html", page, status=422 if form.errors else 200)


@require_POST
@requires("connections", "full")
def connection_activate(request: HttpRequest, pk: int) -> HttpResponse:
    """Let tickets begin to travel."""
    connection = _connection(request, pk, "full")
    done = f"{connection} is active. Tickets that fit are opened on the other side from now on."
    act(
        request,
        lambda: services.activate_connection(connection),
        obj=connection,
        trail="activated",
        done=done,
    )
    return redirect("connection_detail", pk)


@require_POST
@requires("connections", "full")
def connection_pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Let nothing travel."""
    connection = _connection(request, pk, "full")
    done = f"{connection} is paused. Changes are collected and travel when it is resumed."
    act(request, lambda: services.pause_connection(connection), obj=connection, trail="paused", done=done)
    return redirect("connection_detail", pk)


@require_POST
@requires("connections", "full")
def connection_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Let everything travel again."""
    connection = _connection(request, pk, "full")
    done = f"{connection} is resumed. What was collected is delivered now, in order."
    act(request, lambda: services.resume_connection(connection), obj=connection, trail="resumed", done=done)
    return redirect("connection_detail", pk)


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
@transaction.atomic
def connection_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a connection that never carried a ticket, after asking."""
    connection = _connection(request, pk, "full")
    if request.method == "POST":
        name = str(connection)
        try:
            with transaction.atomic():
                audit.record(request.user, "discarded", connection)
                services.discard_connection(connection)
        except NotPossible as refusal:
            messages.error(request, refusal.message)
            return redirect("connection_detail", pk)
        messages.success(request, f"{name} is discarded. Both systems are as they were.")
        return redirect("connection_list")
    return render(request, "portal/connections/discard.html", {"connection": connection})


# --- One side ---


@require_http_methods(["GET", "POST"])
@requires("mappings", "write")
@transaction.atomic
def connection_side_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change which tickets of a side open one on the other: a rule of that side, so its own people's matter."""
    side = _side(request, pk, "write", "mappings", lock=request.method == "POST")
    shown = shown_of_side(side)
    form = SideForm(request.POST or None, facts=field_facts(side.system), shown=shown)
    if form.is_valid():
        services.change_side(side, form.data_for_service())
        findings.review(side.system, now=timezone.now())
        if changes := audit.changed_fields(shown, shown_of_side(side)):
            audit.record(
                request.user, "changed what starts at", side.connection, changes, partner=side.system.partner
            )
        messages.success(request, "Saved. It holds for tickets that change from now on.")
        return redirect("connection_detail", side.connection_id)
    page = {"form": form, "side": side}
    return render(request, "portal/connections/side_edit.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires("connections", "write")
def connection_side_pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one side out, with a reason that the other partner reads."""
    side = _side(request, pk, "write", "connections")
    form = PauseForm(request.POST or None)
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        act(
            request,
            lambda: services.pause_side(side, reason),
            obj=side.connection,
            trail=f"paused the side of {side.system}",
            changes={"reason": reason},
            partner=side.system.partner,
            done=f"{side.system} is paused in this connection. Changes are collected.",
            idle="It is paused already.",
        )
        return redirect("connection_detail", side.connection_id)
    page = {"form": form, "side": side}
    return render(request, "portal/connections/side_pause.html", page, status=422 if form.errors else 200)


@require_POST
@requires("connections", "write")
def connection_side_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one side take part again."""
    side = _side(request, pk, "write", "connections")
    act(
        request,
        lambda: services.resume_side(side),
        obj=side.connection,
        trail=f"resumed the side of {side.system}",
        partner=side.system.partner,
        done=f"{side.system} takes part again. What was collected is delivered now, in order.",
        idle="It is not paused.",
    )
    return redirect("connection_detail", side.connection_id)


# --- Fetching ---


def may_run(request: HttpRequest, connection: Connection, action: str) -> bool:
    """Whether the person may do this to the connection as a whole: at both of its partners."""
    places = rights_of(request.user).partner_ids("connections", action)
    return places is None or {side.system.partner_id for side in connection.sides.all()} <= places


def _connection(request: HttpRequest, pk: int, action: str = "read", *, lock: bool = False) -> Connection:
    """The connection; 404 when none of its sides is the person's, 403 when its roles there do not allow this.

    Reading takes the right at one of its partners, everything else at both.
    """
    found = Connection.objects.visible_to(request.user).prefetch_related("sides__system__partner")
    connection = get_object_or_404(found.select_for_update() if lock else found, pk=pk)
    if action == "read":
        partners = [side.system.partner for side in connection.sides.all()]
        is_allowed = any(may(request.user, "read", "connections", one) for one in partners)
    else:
        is_allowed = may_run(request, connection, action)
    if not is_allowed:
        raise PermissionDenied(f"Needs {action} on connections at its partners.")
    return connection


def _side(request: HttpRequest, pk: int, action: str, resource: str, *, lock: bool = False) -> Side:
    """The side; 404 when its connection is none of the person's, 403 when it is another partner's side."""
    found = Side.objects.filter(connection__in=Connection.objects.visible_to(request.user))
    found = found.select_related("connection", "system__partner")
    side = get_object_or_404(found.select_for_update(of=("self",)) if lock else found, pk=pk)
    require(request.user, action, resource, side.system.partner)
    return side


urlpatterns = [
    path("", connection_list, name="connection_list"),
    path("export.csv", connection_export, name="connection_export"),
    path("add/", connection_add, name="connection_add"),
    path("<int:pk>/", connection_detail, name="connection_detail"),
    path("<int:pk>/edit/", connection_edit, name="connection_edit"),
    path("<int:pk>/activate/", connection_activate, name="connection_activate"),
    path("<int:pk>/pause/", connection_pause, name="connection_pause"),
    path("<int:pk>/resume/", connection_resume, name="connection_resume"),
    path("<int:pk>/discard/", connection_discard, name="connection_discard"),
    path("sides/<int:pk>/edit/", connection_side_edit, name="connection_side_edit"),
    path("sides/<int:pk>/pause/", connection_side_pause, name="connection_side_pause"),
    path("sides/<int:pk>/resume/", connection_side_resume, name="connection_side_resume"),
]
