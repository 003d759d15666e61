"""Agreements between partners: terms, targets, priority matrices and calendars."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal import audit
from portal.access import may, requires
from portal.acting import require_everywhere, trail_of
from portal.agreements import (
    agreement_for,
    calendars_for,
    filtered,
    matrices_for,
    own_matrix,
    require_part,
    save_agreement,
    save_calendar,
    target_tables,
    using,
    with_use,
)
from portal.clocks import agreements_of
from portal.forms.agreements import (
    AgreementFilter,
    AgreementForm,
    CalendarForm,
    MatrixForm,
    ReferenceForm,
    TargetsForm,
    shown_agreement,
    shown_calendar,
    shown_matrix,
    shown_targets,
)
from portal.listing import Column, listing
from slas import services
from slas.models import Agreement, Calendar, PriorityMatrix

COLUMNS = (
    Column("Agreement", "name", "name"),
    Column("Kind", "kind", "kind"),
    Column("Customer", "customer", "customer__name"),
    Column("Provider", "provider", "provider__name"),
    Column("Service hours", "calendar", "calendar__name"),
    Column("Goal", "goal", "goal_percent", "num"),
    Column("Valid", "valid", "valid_from"),
)


@require_safe
@requires("agreements")
def agreement_list(request: HttpRequest) -> HttpResponse:
    """Agreements, and below them the calendars and matrices that they use."""
    form = AgreementFilter(request.GET, request.user)
    rows = filtered(agreements_of(request.user, "agreements"), form.chosen("q"), form.chosen("kind"))
    page = {
        "form": form,
        "listing": listing(
            request, rows.select_related("customer", "provider", "calendar"), COLUMNS, default="name"
        ),
        "calendars": with_use(calendars_for(request.user)),
        "matrices": with_use(matrices_for(request.user)),
        "today": timezone.localdate(),
    }
    return render(request, "portal/agreements/list.html", page)


@require_safe
@requires("agreements")
def agreement_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One agreement: terms, targets, matrix, service hours."""
    agreement = agreement_for(request.user, pk)
    parties = (agreement.customer, agreement.provider)
    page = {
        "agreement": agreement,
        "tables": target_tables(agreement.targets.all()),
        "matrix": agreement.matrix,
        "shown": shown_calendar(agreement.calendar),
        "connections": agreement.connections.all(),
        "may_write": any(may(request.user, "write", "agreements", one) for one in parties),
        "trail": trail_of(agreement, request.user),
    }
    return render(request, "portal/agreements/detail.html", page)


@require_http_methods(["GET", "POST"])
@requires("agreements", "full")
def agreement_add(request: HttpRequest) -> HttpResponse:
    """A new agreement; it begins with the reference targets, which are changed next."""
    if not (Calendar.objects.exists() and PriorityMatrix.objects.exists()):
        messages.info(
            request, "There is no calendar and no matrix to choose from yet: begin with the reference."
        )
        return redirect("agreement_reference")
    usual = {
        "calendar": Calendar.objects.first(),
        "matrix": PriorityMatrix.objects.first(),
        "goal_percent": 95,
    }
    form = AgreementForm(
        request.POST or None, user=request.user, initial={**usual, "valid_from": timezone.localdate()}
    )
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            agreement, changes = save_agreement(form, None)
            services.set_targets(agreement, services.reference_goals())
            audit.record(request.user, "added", agreement, changes, partner=agreement.provider)
        messages.success(request, "Added, with the reference targets. Change them to what was agreed.")
        return redirect("agreement_targets", agreement.pk)
    return _form(request, form, {"title": "Add an agreement"})


@require_http_methods(["GET", "POST"])
@requires("agreements", "full")
def agreement_reference(request: HttpRequest) -> HttpResponse:
    """An agreement with the reference matrix, targets and calendar between two partners, in one step."""
    form = ReferenceForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        entered = form.cleaned_data
        with transaction.atomic():
            known = set(Agreement.objects.values_list("pk", flat=True))
            agreement = services.load_reference(
                entered["customer"], entered["provider"], kind=entered["kind"]
            )
            is_new = agreement.pk not in known
            if is_new:
                audit.record(
                    request.user, "added", agreement, {"terms": "reference"}, partner=agreement.provider
                )
        messages.info(
            request, "Added from the reference." if is_new else "There was one already: this is it."
        )
        return redirect("agreement_detail", agreement.pk)
    intro = "Reference targets: critical answered in 15 min and resolved in 2 h, high 30 min and 8 h, "
    intro += "medium 2 h and 24 h, low 8 h and 72 h, round the clock."
    return _form(request, form, {"title": "Agreement from the reference", "intro": intro})


@require_http_methods(["GET", "POST"])
@requires("agreements", "write")
def agreement_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an agreement's terms; its clocks are computed again in the background."""
    agreement = agreement_for(request.user, pk, "write")
    form = AgreementForm(
        request.POST or None, user=request.user, agreement=agreement, shown=shown_agreement(agreement)
    )
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            agreement, changes = save_agreement(form, agreement)
            _note(request, agreement, changes)
        return redirect("agreement_detail", agreement.pk)
    page = {"title": f"Edit {agreement}", "agreement": agreement, "has_measured": agreement.clocks.exists()}
    return _form(request, form, page)


@require_http_methods(["GET", "POST"])
@requires("agreements", "write")
def agreement_targets(request: HttpRequest, pk: int) -> HttpResponse:
    """Change how long answering and resolving may take."""
    agreement = agreement_for(request.user, pk, "write")
    form = TargetsForm(request.POST or None, shown=shown_targets(agreement))
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            _note(request, agreement, services.set_targets(agreement, form.goals()))
        return redirect("agreement_detail", agreement.pk)
    page = {"form": form, "agreement": agreement}
    return render(request, "portal/agreements/targets.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires("agreements", "write")
def agreement_matrix(request: HttpRequest, pk: int) -> HttpResponse:
    """Change the priority matrix: for this agreement alone, or for all that share it."""
    agreement = agreement_for(request.user, pk, "write")
    matrix, shared = agreement.matrix, using(agreement.matrix)
    form = MatrixForm(request.POST or None, shown=shown_matrix(matrix.rows))
    if request.method == "POST" and form.is_valid():
        rows = form.entered_rows()
        with transaction.atomic():
            if request.POST.get("scope") == "all" or shared.count() == 1:
                require_part(request.user, "write", shared)
                _note(request, agreement, services.edit_matrix(matrix, rows), name="matrix")
            elif rows != matrix.rows:
                _note(request, agreement, {"matrix": [matrix.name, own_matrix(agreement, rows).name]})
        return redirect("agreement_detail", agreement.pk)
    page = {"form": form, "agreement": agreement, "matrix": matrix, "others": shared.exclude(pk=agreement.pk)}
    return render(request, "portal/agreements/matrix.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires("agreements", "write")
def agreement_calendar(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a calendar: service hours, holidays, closures."""
    calendar = get_object_or_404(calendars_for(request.user), pk=pk)
    require_part(request.user, "write", using(calendar))
    form = CalendarForm(request.POST or None, calendar=calendar, shown=shown_calendar(calendar))
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            calendar, changes = save_calendar(form, calendar)
            _note(request, calendar, changes)
        return redirect("agreement_calendar", calendar.pk)
    page = {"form": form, "calendar": calendar, "agreements": using(calendar)}
    return render(request, "portal/agreements/calendar.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires("agreements", "full")
def agreement_calendar_add(request: HttpRequest) -> HttpResponse:
    """A new calendar.  It belongs to nobody yet, so this takes the right at all partners."""
    require_everywhere(request.user, "full", "agreements")
    usual = {f"day{weekday}": "08:00–18:00" for weekday in range(5)} | {
        "time_zone": timezone.get_current_timezone_name()
    }
    form = CalendarForm(request.POST or None, initial=usual)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            calendar, changes = save_calendar(form, None)
            audit.record(request.user, "added", calendar, changes)
        messages.success(request, f"Calendar {calendar} added.")
        return redirect("agreement_list")
    return render(
        request, "portal/agreements/calendar.html", {"form": form}, status=422 if form.errors else 200
    )


@require_POST
@requires("agreements", "full")
def agreement_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an agreement out that never measured anything; one with clocks is ended by its last day instead."""
    agreement = agreement_for(request.user, pk, "full")
    if agreement.clocks.exists():
        messages.error(
            request,
            "It has measured tickets. Give it a last day instead, so that reports stay what they were.",
        )
        return redirect("agreement_detail", pk)
    with transaction.atomic():
        audit.record(request.user, "removed", agreement, partner=agreement.provider)
        agreement.delete()
    messages.success(request, "Removed.")
    return redirect("agreement_list")


def _note(
    request: HttpRequest, obj: Agreement | Calendar, changes: dict[str, Any], *, name: str = ""
) -> None:
    """Write the trail and tell the person; nothing for nothing."""
    if not changes:
        messages.info(request, "Nothing differs.")
        return
    kept = {name: changes} if name else changes
    partner = obj.provider if isinstance(obj, Agreement) else None
    audit.record(request.user, "changed", obj, kept, partner=partner)
    messages.success(request, "Saved. Clocks are computed again with the new terms within the next minutes.")


def _form(request: HttpRequest, form: Any, page: dict[str, Any]) -> HttpResponse:
    return render(
        request, "portal/agreements/edit.html", {**page, "form": form}, status=422 if form.errors else 200
    )


urlpatterns = [
    path("", agreement_list, name="agreement_list"),
    path("add/", agreement_add, name="agreement_add"),
    path("reference/", agreement_reference, name="agreement_reference"),
    path("calendars/add/", agreement_calendar_add, name="agreement_calendar_add"),
    path("calendars/<int:pk>/", agreement_calendar, name="agreement_calendar"),
    path("<int:pk>/", agreement_detail, name="agreement_detail"),
    path("<int:pk>/edit/", agreement_edit, name="agreement_edit"),
    path("<int:pk>/targets/", agreement_targets, name="agreement_targets"),
    path("<int:pk>/matrix/", agreement_matrix, name="agreement_matrix"),
    path("<int:pk>/remove/", agreement_remove, name="agreement_remove"),
]
