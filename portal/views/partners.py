"""Partners: the list, one partner with its systems and people, adding and changing one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from integrations.models import Connection, Partner, Side, System
from integrations.services import partners as services
from portal import audit
from portal.access import may, require, requires
from portal.acting import require_everywhere, trail_of
from portal.exports import csv_response
from portal.forms.base import attempt, succeeds
from portal.forms.partners import LAYER_FIELDS, PartnerFilter, PartnerForm, shown_of
from portal.listing import WIDE, Column, count_beside, in_order, listing
from portal.members import memberships_for
from portal.models import User

COLUMNS = (
    Column("Name", "name", "name"),
    Column("Layers"),
    Column("Contact", "contact", "contact", WIDE),
    Column("Systems", "systems", "system_count", "num"),
    Column("People", "people", "people_count", f"num {WIDE}"),
    Column("Since", "since", "created_at", WIDE),
)
EXPORTED = (
    "Name",
    "Customer",
    "Service integrator",
    "Service provider",
    "Contact",
    "Systems",
    "People",
    "Since",
)


@require_safe
@requires("partners")
def partner_list(request: HttpRequest) -> HttpResponse:
    """Companies that take part, as far as the reader may see them."""
    form = PartnerFilter(request.GET)
    found = listing(request, _found(request, form), COLUMNS, default="name")
    return render(request, "portal/partners/list.html", {"listing": found, "form": form})


@require_safe
@requires("partners")
def partner_export(request: HttpRequest) -> HttpResponseBase:
    """The same list as a file."""
    rows, _ = in_order(request, _found(request, PartnerFilter(request.GET)), COLUMNS, default="name")
    return csv_response(
        "partners",
        EXPORTED,
        (
            (
                one.name,
                *("yes" if getattr(one, field) else "no" for field in LAYER_FIELDS.values()),
                one.contact,
                one.system_count,
                one.people_count,
                one.created_at,
            )
            for one in rows.iterator()
        ),
    )


def _found(request: HttpRequest, form: PartnerFilter) -> QuerySet[Partner]:
    found = Partner.objects.visible_to(request.user).annotate(
        system_count=count_beside(System.objects.all(), "partner"),
        people_count=count_beside(User.objects.all(), "partner"),
    )
    if words := form.chosen("q"):
        found = found.filter(Q(name__icontains=words) | Q(contact__icontains=words))
    if layer := form.chosen("layer"):
        found = found.filter(**{LAYER_FIELDS[layer]: True})
    return found


@require_safe
@requires("partners")
def partner_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One partner: who it is, its systems, its connections, its people."""
    partner = _partner(request, pk)
    page: dict[str, Any] = {"partner": partner, "trail": trail_of(partner, request.user)}
    if may(request.user, "read", "systems", partner):
        page["systems"] = partner.systems.order_by("name")
    if may(request.user, "read", "connections", partner):
        mine = Side.objects.filter(connection=OuterRef("pk"), system__partner=partner)
        page["connections"] = (
            Connection.objects.filter(Exists(mine))
            .prefetch_related("sides__system__partner")
            .order_by("name")
        )
    if may(request.user, "read", "members", partner):
        page["people"] = partner.people.prefetch_related(memberships_for(request.user)).order_by("username")
    return render(request, "portal/partners/detail.html", page)


@require_http_methods(["GET", "POST"])
@requires("partners", "full")
@transaction.atomic
def partner_add(request: HttpRequest) -> HttpResponse:
    """Add a company.  Only somebody who may do so at all partners: a new one is nobody's yet."""
    require_everywhere(request.user, "full", "partners")
    form = PartnerForm(request.POST or None)
    if form.is_valid() and (partner := attempt(form, lambda: services.add_partner(form.data_for_service()))):
        audit.record(request.user, "added", partner, _as_changes({}, shown_of(partner)))
        messages.success(request, f"{partner} is added. Its systems come next.")
        return redirect("partner_detail", partner.pk)
    return _form_page(request, form, None)


@require_http_methods(["GET", "POST"])
@requires("partners", "write")
@transaction.atomic
def partner_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what is known of a company."""
    partner = _partner(request, pk, "write", lock=request.method == "POST")
    shown = shown_of(partner)
    form = PartnerForm(request.POST or None, shown=shown)
    if form.is_valid() and succeeds(form, lambda: services.change_partner(partner, form.data_for_service())):
        changes = _as_changes(shown, shown_of(partner))
        if changes:
            audit.record(request.user, "changed", partner, changes)
        messages.success(request, "Saved.")
        return redirect("partner_detail", partner.pk)
    partner.refresh_from_db()
    return _form_page(request, form, partner)


def _form_page(request: HttpRequest, form: PartnerForm, partner: Partner | None) -> HttpResponse:
    status = 422 if form.errors else 200
    return render(request, "portal/partners/edit.html", {"form": form, "partner": partner}, status=status)


def _partner(request: HttpRequest, pk: int, action: str = "read", *, lock: bool = False) -> Partner:
    """The partner; 404 when it is none of the person's, 403 when its roles there do not allow this."""
    partners = Partner.objects.visible_to(request.user)
    partner = get_object_or_404(partners.select_for_update() if lock else partners, pk=pk)
    require(request.user, action, "partners", partner)
    return partner


def _as_changes(before: dict, after: dict) -> dict:
    """For the trail: layers in words."""
    worded = [
        {**one, "layers": [Partner.Layer(layer).label for layer in one["layers"]]} if one else one
        for one in (before, after)
    ]
    return audit.changed_fields(*worded)


urlpatterns = [
    path("", partner_list, name="partner_list"),
    path("export.csv", partner_export, name="partner_export"),
    path("add/", partner_add, name="partner_add"),
    path("<int:pk>/", partner_detail, name="partner_detail"),
    path("<int:pk>/edit/", partner_edit, name="partner_edit"),
]
