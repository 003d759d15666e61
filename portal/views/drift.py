"""Drift: what differs without a reason in the rules, what may stay different because somebody said so, and one of them."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from integrations.models import Drift
from integrations.services import drift as services
from portal.access import may, requires
from portal.acting import act, signed_in, trail_of
from portal.bulk import unfinished
from portal.drift import RUNS, counts_for, drift_for, drift_rows, drift_rows_of_all, runs_for
from portal.exports import Cell, csv_response
from portal.forms.drift import AcceptForm, DriftFilter, ExceptionFilter
from portal.listing import Column, in_order, listing
from portal.live import render_live
from portal.tickets import may_at_one, require_at_one, viewer_of

COLUMNS = (
    Column("Ticket", "ticket", "linked_ticket"),
    Column("What differs", "what", "label"),
    Column("Why", "reason", "reason"),
    Column("Missing at", "target", "target__system__partner__name"),
    Column("Would be written"),
    Column("State", "state", "state"),
    Column("Found", "found", "found_at"),
)
EXCEPTIONS = (
    Column("Ticket", "ticket", "linked_ticket"),
    Column("What may differ", "what", "label"),
    Column("At", "target", "target__system__partner__name"),
    Column("Stands there, in place of"),
    Column("Because"),
    Column("Accepted", "accepted", "decided_at"),
)
EXPORTED = (
    *("Ticket", "Connection", "Kind", "What differs", "Why", "Comes from", "Missing at"),
    *("Would be written", "Stands there", "State", "Found", "Accepted or closed because", "By", "At"),
)


@require_safe
@requires("queue")
def drift_list(request: HttpRequest) -> HttpResponse:
    """What differs without a reason in the rules, and the runs that found it."""
    form = DriftFilter(request.GET, request.user)
    viewer = viewer_of(request.user, "queue")
    found = listing(request, form.narrow(drift_for(request.user)), COLUMNS, default="-found")
    page = {
        "form": form,
        "listing": found,
        "rows": drift_rows(found.page, viewer),
        "runs": runs_for(request.user).distinct()[:RUNS],
        "counts": counts_for(request.user),
        "unfinished": list(unfinished(signed_in(request).drift_actions)[:3]),
    }
    return render_live(request, "portal/drift/list.html", "portal/drift/_runs.html", page)


@require_safe
@requires("queue")
def drift_exceptions(request: HttpRequest) -> HttpResponse:
    """What may stay different until a value changes: who said so, when and why."""
    form = ExceptionFilter(request.GET, request.user)
    found = listing(request, form.narrow(drift_for(request.user)), EXCEPTIONS, default="-accepted")
    page = {
        "form": form,
        "listing": found,
        "rows": drift_rows(found.page, viewer_of(request.user, "queue")),
        "counts": counts_for(request.user),
    }
    return render(request, "portal/drift/exceptions.html", page)


@require_safe
@requires("queue")
def drift_export(request: HttpRequest) -> StreamingHttpResponse:
    """The list of drift as a file."""
    narrowed = DriftFilter(request.GET, request.user).narrow(drift_for(request.user))
    found, _ = in_order(request, narrowed, COLUMNS, default="-found")
    return _file(request, "drift", found)


@require_safe
@requires("queue")
def drift_exceptions_export(request: HttpRequest) -> StreamingHttpResponse:
    """The list of exceptions as a file."""
    narrowed = ExceptionFilter(request.GET, request.user).narrow(drift_for(request.user))
    found, _ = in_order(request, narrowed, EXCEPTIONS, default="-accepted")
    return _file(request, "exceptions", found)


def _file(request: HttpRequest, name: str, found: QuerySet[Drift]) -> StreamingHttpResponse:
    viewer = viewer_of(request.user, "queue")

    def rows() -> Iterator[tuple[Cell, ...]]:
        for row in drift_rows_of_all(found, viewer):
            drift = row.drift
            yield (
                drift.linked_ticket.number,
                drift.connection.name,
                drift.get_kind_display(),
                row.what,
                drift.get_reason_display(),
                row.source,
                row.target,
                row.expected,
                row.found,
                drift.get_state_display(),
                drift.found_at,
                row.because,
                row.decided_by,
                drift.decided_at,
            )

    return csv_response(name, EXPORTED, rows())


@require_safe
@requires("queue")
def drift_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One difference: what would be written where, and what to do."""
    return _page(request, _drift(request, pk))


@require_POST
@requires("queue", "write")
def drift_repair(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue what makes both sides agree."""
    drift = _drift(request, pk, "write")
    act(
        request,
        lambda: services.repair(drift, by=request.user, now=timezone.now()),
        obj=drift,
        trail="repaired",
        changes={"what": drift.get_kind_display(), "cause": "reconcile"},
        done="The repair waits in its lane like every other change. The next comparison says whether both sides agree.",
    )
    return redirect("drift_detail", pk)


@require_POST
@requires("queue", "write")
def drift_accept(request: HttpRequest, pk: int) -> HttpResponse:
    """Say why it may stay different."""
    drift = _drift(request, pk, "write")
    form = AcceptForm(request.POST)
    if not form.is_valid():
        return _page(request, drift, form)
    reason = form.cleaned_data["reason"]
    act(
        request,
        lambda: services.accept(drift, reason, by=request.user, now=timezone.now()),
        obj=drift,
        trail="accepted",
        changes={"reason": reason},
        partner=drift.target.system.partner,
        done="Accepted. The certificate names it as an exception until a value changes.",
    )
    return redirect("drift_detail", pk)


@require_POST
@requires("queue", "write")
def drift_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an exception back."""
    drift = _drift(request, pk, "write")
    act(
        request,
        lambda: services.revoke(drift),
        obj=drift,
        trail="revoked",
        changes={"reason": drift.closed_because},
        partner=drift.target.system.partner,
        done="It counts as drift again, and waits for a repair or a new reason.",
        idle="It is no exception any more.",
    )
    return redirect("drift_detail", pk)


def _page(request: HttpRequest, drift: Drift, form: AcceptForm | None = None) -> HttpResponse:
    (row,) = drift_rows([drift], viewer_of(request.user, "queue"))
    partners = [drift.source.system.partner_id, drift.target.system.partner_id]
    page = {
        "drift": drift,
        "row": row,
        "form": form or AcceptForm(),
        "may_act": may_at_one(request.user, "write", "queue", partners),
        "may_see_certificate": may(request.user, "read", "tickets"),
        "trail": trail_of(drift, request.user),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "portal/drift/detail.html", page, status=status)


def _drift(request: HttpRequest, pk: int, action: str = "read") -> Drift:
    """The drift; 404 when its ticket is none of the person's, 403 when its roles there do not allow this."""
    found = Drift.objects.visible_to(request.user).select_related(
        "linked_ticket",
        "connection",
        "source__system__partner",
        "target__system__partner",
        "repair__lane",
        "decided_by__partner",
    )
    drift = get_object_or_404(found, pk=pk)
    partners = [drift.source.system.partner_id, drift.target.system.partner_id]
    require_at_one(request.user, action, "queue", partners)
    return drift


urlpatterns = [
    path("", drift_list, name="drift_list"),
    path("export.csv", drift_export, name="drift_export"),
    path("exceptions/", drift_exceptions, name="drift_exceptions"),
    path("exceptions/export.csv", drift_exceptions_export, name="drift_exceptions_export"),
    path("<int:pk>/", drift_detail, name="drift_detail"),
    path("<int:pk>/repair/", drift_repair, name="drift_repair"),
    path("<int:pk>/accept/", drift_accept, name="drift_accept"),
    path("<int:pk>/revoke/", drift_revoke, name="drift_revoke"),
]
