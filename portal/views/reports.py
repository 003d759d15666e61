"""Service levels: the report, its exports, and the tickets behind each of its numbers."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.access import may, requires
from portal.exports import csv_response, xlsx_response
from portal.forms.reports import ReportFilter
from portal.keyset import key_page
from portal.reports import (
    BYS,
    EXPORTED,
    OUTCOME_WORDS,
    OUTCOMES,
    clocks_behind,
    export_rows,
    key_words,
    report,
    table,
)
from portal.tickets import rows_for, viewer_of
from slas.reports import By
from slas.services import live


@require_safe
@requires("reports")
def report_list(request: HttpRequest) -> HttpResponse:
    """Attainment by partner, priority and month; every number leads to its tickets."""
    form = ReportFilter(request.GET, request.user)
    scope = form.scope()
    page = {"form": form, "scope": scope, "report": report(request.user, scope)}
    return render(request, "portal/reports/list.html", page | {"by_label": dict(BYS)[scope.by.value]})


@require_safe
@requires("reports")
def report_export(request: HttpRequest, format: str) -> HttpResponseBase:
    """The table as a file, with its numbers as numbers."""
    scope = ReportFilter(request.GET, request.user).scope()
    header = (dict(BYS)[scope.by.value], *EXPORTED)
    rows = export_rows(table(request.user, scope))
    name = f"service-levels-{scope.kind}-by-{scope.by.value}"
    if format == "xlsx":
        return xlsx_response(name, f"{scope.kind.capitalize()} by {scope.by.value}", header, rows)
    return csv_response(name, header, rows)


@require_safe
@requires("reports")
def report_tickets(request: HttpRequest) -> HttpResponse:
    """The tickets that a number of the report counts, the latest first."""
    form = ReportFilter(request.GET, request.user)
    scope = form.scope()
    bys, keys = _line_asked(request)
    outcome = request.GET.get("outcome", "opened")
    if outcome not in OUTCOMES:
        raise Http404("There is no such number in the report.")
    clocks = clocks_behind(request.user, scope, bys, keys, outcome).select_related("agreement")
    page = key_page(clocks, ("-pk",), request.GET.get("page", ""))
    # The number is about service levels; the ticket itself may need another right.
    tickets = {
        row.pk: row for row in rows_for([one.linked_ticket_id for one in page.rows], viewer_of(request.user))
    }
    found = {
        "scope": scope,
        "words": [*(key_words(by, key) for by, key in zip(bys, keys, strict=True)), OUTCOME_WORDS[outcome]],
        "count": clocks.count(),
        "page": page,
        "rows": [(tickets.get(one.clock.linked_ticket_id), one) for one in live(page.rows, timezone.now())],
        "back": urlencode(scope.query()),
        "opens_tickets": may(request.user, "read", "tickets"),
    }
    return render(request, "portal/reports/tickets.html", found)


def _line_asked(request: HttpRequest) -> tuple[list[By], list[str]]:
    """The line of the table that was clicked; 404 for one that no table has."""
    lines, keys = request.GET.getlist("line"), request.GET.getlist("key")
    try:
        bys = [By(one) for one in lines]
        for by, key in zip(bys, keys, strict=True):
            if by is By.MONTH:
                date.fromisoformat(key)
            key_words(by, key)
    except ValueError as error:
        raise Http404("There is no such line in the report.") from error
    return bys, keys


urlpatterns = [
    path("", report_list, name="report_list"),
    path("export.csv", report_export, {"format": "csv"}, name="report_csv"),
    path("export.xlsx", report_export, {"format": "xlsx"}, name="report_xlsx"),
    path("tickets/", report_tickets, name="report_tickets"),
]
