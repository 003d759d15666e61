"""Reconciliation: the runs that compare both sides, and the certificate of a link."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from integrations.models import Connection, Drift, Examination, LinkedTicket, Reconciliation, System
from integrations.services import reconciliation as services
from integrations.services.certificates import Certificate, certificate_of, signer
from portal import audit
from portal.access import may, require, requires, rights_of
from portal.acting import act
from portal.drift import drift_for, drift_rows, partners_of_run, runs_for
from portal.forms.drift import PolicyForm
from portal.live import render_live
from portal.tickets import linked_ticket_for, require_at_one, viewer_of

BEGUN = "Both systems are read and compared now. This takes a moment for each ticket."
RUNNING = "A comparison is under way already."


# --- Runs ---


@require_POST
@requires("tickets", "write")
def ticket_reconcile(request: HttpRequest, pk: int) -> HttpResponse:
    """Have both sides of one linked ticket compared."""
    linked = linked_ticket_for(request.user, pk, "write")
    _begin(request, linked, services.reconcile_ticket)
    return redirect("ticket_certificate", pk)


@require_POST
@requires("connections", "write")
def connection_reconcile(request: HttpRequest, pk: int) -> HttpResponse:
    """Have all linked tickets of a connection compared."""
    connection = _connection(request, pk, "write")
    _begin(request, connection, services.reconcile_connection)
    return redirect("drift_list")


@require_POST
@requires("connections", "full")
@transaction.atomic
def connection_drift_policy(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a connection repair drift by itself, or ask."""
    connection = _connection(request, pk, "full")
    before = connection.get_drift_policy_display()
    form = PolicyForm(request.POST, instance=connection)
    if form.is_valid():
        form.save()
        after = connection.get_drift_policy_display()
        if before != after:
            audit.record(request.user, "changed", connection, {"drift": [before, after]})
        messages.success(request, "Saved.")
    else:
        messages.error(request, "Choose one of the two.")
    return redirect("connection_detail", pk)


@require_POST
@requires("systems", "write")
def system_reconcile(request: HttpRequest, pk: int) -> HttpResponse:
    """Have all linked tickets compared that stand in a system."""
    system = get_object_or_404(System.objects.visible_to(request.user), pk=pk)
    require(request.user, "write", "systems", system.partner)
    _begin(request, system, services.reconcile_system)
    return redirect("system_detail", pk)


@require_POST
@requires("queue", "write")
def reconciliation_stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a run end where it is."""
    run = get_object_or_404(runs_for(request.user).distinct(), pk=pk)
    require_at_one(request.user, "write", "queue", partners_of_run(run))
    done = "Stopped. What it has found stays."
    act(request, lambda: services.stop(run, now=timezone.now()), obj=run, trail="stopped", done=done)
    return redirect("drift_list")


def _begin(request: HttpRequest, obj: Any, begin: Callable[..., Reconciliation | None]) -> None:
    act(
        request,
        lambda: begin(obj, by=request.user, now=timezone.now()) is not None,
        obj=obj,
        trail="reconciled",
        done=BEGUN,
        idle=RUNNING,
    )


def _connection(request: HttpRequest, pk: int, action: str) -> Connection:
    """The connection; 404 when it is none of the person's, 403 unless the right is there at both of its partners."""
    found = Connection.objects.visible_to(request.user).prefetch_related("sides__system")
    connection = get_object_or_404(found, pk=pk)
    places = rights_of(request.user).partner_ids("connections", action)
    if places is not None and not {side.system.partner_id for side in connection.sides.all()} <= places:
        raise PermissionDenied(f"Needs {action} on connections at its partners.")
    return connection


# --- Certificates ---


@require_safe
@requires("tickets")
def ticket_certificate(request: HttpRequest, pk: int) -> HttpResponse:
    """What both sides of a link agree on, with the exceptions, as this reader may have it."""
    linked = linked_ticket_for(request.user, pk)
    found = _certificate(request, linked)
    run = Reconciliation.objects.filter(linked_ticket=linked, state=Reconciliation.State.RUNNING).first()
    sees_drift = may(request.user, "read", "queue")
    live = drift_for(request.user).filter(linked_ticket=linked).exclude(state=Drift.State.CLOSED)
    rows = drift_rows(live, viewer_of(request.user, "queue")) if sees_drift else []
    page = {
        "linked": linked,
        "certificate": found,
        "run": run,
        "problem": "" if found else _problem(linked),
        "fingerprint": signer().fingerprints[0],
        "drifts": [row for row in rows if row.drift.state != Drift.State.ACCEPTED],
        "accepted": [row for row in rows if row.drift.state == Drift.State.ACCEPTED],
    }
    return render_live(request, "portal/drift/certificate.html", "portal/drift/_certificate.html", page)


@require_safe
@requires("tickets")
def ticket_certificate_file(request: HttpRequest, pk: int) -> HttpResponse:
    """The certificate as a signed file."""
    found = _certificate(request, linked_ticket_for(request.user, pk))
    if found is None:
        raise Http404("The two sides were never compared.")
    name = f"certificate-{found.linked_ticket.number}-{found.as_of:%Y%m%d-%H%M%S}.json"
    return HttpResponse(
        json.dumps(found.signed(), indent=2, ensure_ascii=False),
        content_type="application/json; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _certificate(request: HttpRequest, linked: LinkedTicket) -> Certificate | None:
    return certificate_of(linked, viewer_of(request.user))


def _problem(linked: LinkedTicket) -> str:
    examination = Examination.objects.filter(linked_ticket=linked).first()
    return examination.problem if examination else ""


urlpatterns = [
    path("drift/runs/<int:pk>/stop/", reconciliation_stop, name="reconciliation_stop"),
    path("tickets/<int:pk>/reconcile/", ticket_reconcile, name="ticket_reconcile"),
    path("tickets/<int:pk>/certificate/", ticket_certificate, name="ticket_certificate"),
    path("tickets/<int:pk>/certificate.json", ticket_certificate_file, name="ticket_certificate_file"),
    path("connections/<int:pk>/reconcile/", connection_reconcile, name="connection_reconcile"),
    path("connections/<int:pk>/drift-policy/", connection_drift_policy, name="connection_drift_policy"),
    path("systems/<int:pk>/reconcile/", system_reconcile, name="system_reconcile"),
]
