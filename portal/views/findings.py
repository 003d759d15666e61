"""Findings: what changed in partners' systems under their rules, and what somebody decided about it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from integrations.models import SystemFinding
from integrations.services import findings as services
from portal.access import may, partners_for, require, requires
from portal.acting import act, trail_of
from portal.forms.findings import AcknowledgeForm, FindingFilter
from portal.listing import WIDE, Column, listing
from portal.tickets import rows_for, viewer_of

COLUMNS = (
    Column("Finding", "message", "message"),
    Column("System", "system", "system__name", WIDE),
    Column("What it does", "grade", "grade"),
    Column("Open tickets", "tickets", "ticket_count", "num"),
    Column("Found", "found", "found_at", WIDE),
)
TICKETS_SHOWN = 20


@require_safe
@requires("systems")
def finding_list(request: HttpRequest) -> HttpResponse:
    """What changed in the systems that the reader may see, what stops tickets first."""
    form = FindingFilter(request.GET, request.user)
    found = listing(request, form.narrow(_visible(request)), COLUMNS, default="grade")
    return render(request, "portal/findings/list.html", {"listing": found, "form": form})


@require_safe
@requires("systems")
def finding_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One finding: the rules and the open tickets it touches, and what to do."""
    return _page(request, _finding(request, pk))


@require_POST
@requires("systems", "write")
def finding_acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that somebody knows, and why nothing is done."""
    finding = _finding(request, pk, "write")
    form = AcknowledgeForm(request.POST)
    if not form.is_valid():
        return _page(request, finding, form)
    reason = form.cleaned_data["reason"]
    act(
        request,
        lambda: services.acknowledge(finding, reason, by=request.user, now=timezone.now()),
        obj=finding,
        trail="acknowledged",
        changes={"reason": reason},
        partner=finding.system.partner,
        done="Acknowledged. It closes by itself when it holds no longer.",
        idle="Nothing to do: it is closed, or somebody else has acknowledged it.",
    )
    return redirect("finding_detail", pk)


def _page(request: HttpRequest, finding: SystemFinding, form: AcknowledgeForm | None = None) -> HttpResponse:
    user, partner = request.user, finding.system.partner
    is_live = finding.state != SystemFinding.State.CLOSED
    touched = services.touched_by(finding) if is_live else []
    page: dict[str, Any] = {
        "finding": finding,
        "form": form or AcknowledgeForm(),
        "is_live": is_live,
        "may_read_rules": may(user, "read", "mappings", partner),
        "touched": touched,
        "trail": trail_of(finding, user),
    }
    if is_live and not finding.is_about_hooks and may(user, "read", "tickets", partner):
        tickets = services.tickets_of(finding, touched)
        keys = list(tickets.values_list("pk", flat=True)[:TICKETS_SHOWN])
        page |= {"tickets": rows_for(keys, viewer_of(user)), "ticket_count": tickets.count()}
    status = 422 if form is not None and form.errors else 200
    return render(request, "portal/findings/detail.html", page, status=status)


def _visible(request: HttpRequest) -> QuerySet[SystemFinding]:
    readable = partners_for(request.user, "read", "systems")
    found = SystemFinding.objects.visible_to(request.user).filter(system__partner__in=readable)
    return found.select_related("system__partner", "acknowledged_by")


def _finding(request: HttpRequest, pk: int, action: str = "read") -> SystemFinding:
    """The finding; 404 when its system is none of the person's, 403 when its roles there do not allow this."""
    found = SystemFinding.objects.visible_to(request.user).select_related(
        "system__partner", "acknowledged_by"
    )
    finding = get_object_or_404(found, pk=pk)
    require(request.user, action, "systems", finding.system.partner)
    return finding


urlpatterns = [
    path("", finding_list, name="finding_list"),
    path("<int:pk>/", finding_detail, name="finding_detail"),
    path("<int:pk>/acknowledge/", finding_acknowledge, name="finding_acknowledge"),
]
