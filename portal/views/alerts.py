"""Alerts: what goes wrong now, what happens next, and who has it in hand."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from integrations.models import Alert
from integrations.querysets import AlertQuerySet
from integrations.services import alerts as services
from integrations.services import heartbeats
from knowledgebase.search import articles_for
from portal.access import may, requires, rights_of
from portal.acting import act, trail_of
from portal.alerts import alert_for, partners_of, visible_alerts
from portal.exports import csv_response
from portal.forms.alerts import AlertFilter, TakeInHandForm
from portal.listing import WIDE, Column, in_order, listing
from portal.queue import lane_rows, reachable
from portal.tickets import linked_of, viewer_of

COLUMNS = (
    Column("Alert", "message", "message"),
    Column("Severity", "severity", "severity"),
    Column("About", "about", "subject", WIDE),
    Column("State", "state", "state"),
    Column("Since", "since", "since", WIDE),
)
EXPORTED = (
    "Alert",
    "Condition",
    "Severity",
    "System",
    "Connection",
    "State",
    "Since",
    "Noticed",
    "Acknowledged",
    "By",
    "What is done",
    "Closed",
)
LANES_SHOWN = 20
TWINS_SHOWN = 20


@require_safe
@requires("alerts")
def alert_list(request: HttpRequest) -> HttpResponse:
    """Alerts that the reader may see, the worst first."""
    form = AlertFilter(request.GET, request.user)
    page: dict[str, Any] = {
        "listing": listing(request, _found(request, form), COLUMNS, default="-severity"),
        "form": form,
    }
    if rights_of(request.user).partner_ids("alerts", "read") is None:
        page |= {"is_operators": True, "watched_at": heartbeats.heard().get(heartbeats.WATCH)}
    return render(request, "portal/alerts/list.html", page)


@require_safe
@requires("alerts")
def alert_export(request: HttpRequest) -> HttpResponseBase:
    """The same list as a file."""
    found = _found(request, AlertFilter(request.GET, request.user))
    rows, _ = in_order(request, found, COLUMNS, default="-severity")
    return csv_response(
        "alerts",
        EXPORTED,
        (
            (
                one.message,
                one.get_code_display(),
                one.get_severity_display(),
                str(one.system or ""),
                str(one.connection or ""),
                one.get_state_display(),
                one.since,
                one.opened_at,
                one.acknowledged_at,
                str(one.acknowledged_by or ""),
                one.acknowledged_reason,
                one.closed_at,
            )
            for one in rows.iterator()
        ),
    )


@require_safe
@requires("alerts")
def alert_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: since when, what happens next, the handbook's entry, and who has it in hand."""
    return _page(request, alert_for(request.user, pk))


@require_POST
@requires("alerts", "write")
def alert_acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that somebody has it in hand."""
    alert = alert_for(request.user, pk, "write")
    form = TakeInHandForm(request.POST)
    if not form.is_valid():
        return _page(request, alert, form)
    reason = form.cleaned_data["reason"]
    partners = partners_of(alert)
    act(
        request,
        lambda: services.acknowledge(alert, reason, by=request.user, now=timezone.now()),
        obj=alert,
        trail="acknowledged",
        changes={"reason": reason},
        # What concerns both sides of a connection names no partner.
        partner=partners[0] if len(partners) == 1 else None,
        done="You have it in hand. It is told again if it gets worse, and closes by itself.",
        idle="Nothing to do: it is closed, or somebody else has it in hand.",
    )
    return redirect("alert_detail", pk)


def _page(request: HttpRequest, alert: Alert, form: TakeInHandForm | None = None) -> HttpResponse:
    user = request.user
    partners = partners_of(alert)
    page: dict[str, Any] = {
        "alert": alert,
        "partners": partners,
        "form": form or TakeInHandForm(),
        "article": articles_for([alert.code]).get(alert.code),
        "may_acknowledge": visible_alerts(user, "write").filter(pk=alert.pk).exists(),
        "may_open_system": alert.system is not None and may(user, "read", "systems", alert.system.partner),
        "trail": trail_of(alert, user),
    }
    if alert.is_live:
        twins = list(services.twins_of(alert, timezone.now())[:TWINS_SHOWN])
        doubled = list(services.doubled_of(alert, timezone.now())[:TWINS_SHOWN])
        linked = linked_of(user, [*(one.twin_of_id for one in twins), *(one.ticket_id for one in doubled)])
        page["twins"] = [(one, linked.get(one.twin_of_id or 0, [])) for one in twins]
        page["doubled"] = [(one, linked.get(one.ticket_id, [])) for one in doubled]
    if alert.is_about_lanes and alert.is_live and may(user, "read", "queue"):
        lanes = services.lanes_of(alert).filter(pk__in=reachable(user).values("pk"))
        rows = list(lanes[:LANES_SHOWN])
        page["lanes"] = lane_rows(rows, viewer_of(user, "queue"), now=timezone.now())
        page["lane_count"] = lanes.count()
    return render(request, "portal/alerts/detail.html", page, status=422 if form and form.errors else 200)


def _found(request: HttpRequest, form: AlertFilter) -> AlertQuerySet:
    found = visible_alerts(request.user).select_related(
        "system__partner", "endpoint__partner", "connection", "acknowledged_by"
    )
    return form.narrow(found)


urlpatterns = [
    path("", alert_list, name="alert_list"),
    path("export.csv", alert_export, name="alert_export"),
    path("<int:pk>/", alert_detail, name="alert_detail"),
    path("<int:pk>/acknowledge/", alert_acknowledge, name="alert_acknowledge"),
]
