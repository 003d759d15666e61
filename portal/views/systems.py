"""Systems: partners' ticket tools, their credentials, tests and health."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.connectors import registry
from integrations.models import Partner, System, SystemFinding
from integrations.services import budgets, metadata
from integrations.services import systems as services
from integrations.services.hook_health import hook_health
from integrations.services.hook_registration import hook_place
from integrations.services.mappings import files_taken
from integrations.services.refusals import NotPossible
from portal import audit
from portal.access import may, partners_for, require, requires
from portal.acting import act, trail_of
from portal.exports import csv_response
from portal.forms.base import attempt, succeeds
from portal.forms.systems import CeilingForm, FieldFilter, KindForm, SystemFilter, SystemForm, shown_of
from portal.listing import WIDE, Column, in_order, listing
from portal.queue import lanes_to

COLUMNS = (
    Column("Name", "name", "name"),
    Column("Partner", "partner", "partner__name"),
    Column("Product", "kind", "kind"),
    Column("Environment", "environment", "environment", WIDE),
    Column("State", "state", "state"),
    Column("Tested", "tested", "checked_at", WIDE),
    Column("Last change seen", "polled", "polled_at", WIDE),
)
EXPORTED = (
    "Name",
    "Partner",
    "Product",
    "Address",
    "Environment",
    "State",
    "Failure",
    "Tested",
    "Last web hook",
    "Last asked",
)


# --- Lists ---


@require_safe
@requires("systems")
def system_list(request: HttpRequest) -> HttpResponse:
    """Ticket tools of the partners whose systems the reader may see."""
    form = SystemFilter(request.GET, request.user)
    found = listing(request, _found(request, form), COLUMNS, default="partner")
    return render(request, "portal/systems/list.html", {"listing": found, "form": form})


@require_safe
@requires("systems")
def system_export(request: HttpRequest) -> HttpResponseBase:
    """The same list as a file."""
    found = _found(request, SystemFilter(request.GET, request.user))
    rows, _ = in_order(request, found, COLUMNS, default="partner")
    return csv_response(
        "systems",
        EXPORTED,
        (
            (
                one.name,
                one.partner.name,
                one.kind_label,
                one.base_url,
                one.get_environment_display(),
                one.get_state_display(),
                one.failure_message,
                one.checked_at,
                one.hooked_at,
                one.polled_at,
            )
            for one in rows.iterator()
        ),
    )


def _found(request: HttpRequest, form: SystemFilter) -> QuerySet[System]:
    readable = partners_for(request.user, "read", "systems")
    found = System.objects.visible_to(request.user).filter(partner__in=readable).select_related("partner")
    return form.narrow(found)


# --- One system ---


@require_safe
@requires("systems")
def system_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One system: does it answer, what is it allowed, who uses it."""
    system = fetch_system(request, pk)
    stored = {secret.name: secret for secret in system.secrets.all()}
    specs = services.settings_of(system.kind)
    page: dict[str, Any] = {
        "system": system,
        "credentials": [(spec, stored.get(spec.name)) for spec in specs if spec.is_secret],
        "settings": [
            (spec.label, system.settings.get(spec.name, "")) for spec in specs if not spec.is_secret
        ],
        "hook_secret": stored.get(services.HOOK_SECRET),
        "sides": system.sides.select_related("connection").order_by("connection__name"),
        "field_count": len(system.metadata.get("fields", [])),
        "files": files_taken(system),
        "tells_files": bool(system.takes_files.max_bytes),
        "findings": SystemFinding.objects.live()
        .filter(system=system)
        .order_by("-state", "grade", "-found_at"),
        "now": timezone.now(),
        "waiting": _waiting(request, system),
        "hooks": hook_health(system, now=timezone.now()),
        "place": hook_place(system),
        "budget": budgets.standing(system, now=timezone.now()),
        "trail": trail_of(system, request.user),
    }
    return render(request, "portal/systems/detail.html", page)


def _waiting(request: HttpRequest, system: System) -> int:
    """The lanes that wait for a system which takes no calls, or fails; of one that does well they are gone in a moment."""
    is_well = system.state == System.State.ACTIVE and not system.failure_code
    return 0 if is_well or not may(request.user, "read", "queue") else lanes_to(request.user, system)


@require_safe
@requires("systems")
def system_fields(request: HttpRequest, pk: int) -> HttpResponse:
    """The fields that the system told of, with what they take, narrowed as the address says."""
    system = fetch_system(request, pk)
    known = system.metadata.get("fields", [])
    form = FieldFilter(request.GET)
    findings: dict[str, list[SystemFinding]] = {}
    for one in SystemFinding.objects.live().filter(system=system):
        findings.setdefault(one.field, []).append(one)
    page = {
        "system": system,
        "form": form,
        "fields": [(field, findings.pop(field["name"], [])) for field in form.narrow(known)],
        "workflow": metadata.workflow_of(system),
        "field_count": len(known),
        # What is gone has no row to stand in.
        "gone": [one for name in findings for one in findings[name] if one.code == "field_gone"],
    }
    return render(request, "portal/systems/fields.html", page)


@require_POST
@requires("systems", "write")
def system_refresh(request: HttpRequest, pk: int) -> HttpResponse:
    """Read the fields anew, at once.  Waits for the other system."""
    system = fetch_system(request, pk, "write")
    try:
        found = metadata.refresh_metadata(system, now=timezone.now())
    except NotPossible as refusal:
        messages.error(request, refusal.message)
        return redirect("system_fields", pk)
    audit.record(request.user, "read the fields of", system, {"findings": len(found)} if found else None)
    count = len(system.metadata["fields"])
    told = f"{count:,} field{'' if count == 1 else 's'} read."
    if found:
        messages.warning(request, f"{told} {_new_findings(len(found))}")
        return redirect("system_detail", pk)
    messages.success(request, f"{told} Nothing that a rule uses has changed.")
    return redirect("system_fields", pk)


def _new_findings(count: int) -> str:
    return "1 finding is new." if count == 1 else f"{count:,} findings are new."


# --- Adding and changing ---


@require_safe
@requires("systems", "full")
def system_add(request: HttpRequest) -> HttpResponse:
    """Whose system, and which product: what is asked next depends on it."""
    partners = partners_for(request.user, "full", "systems")
    asked = request.GET if "kind" in request.GET else None
    form = KindForm(asked, partners=partners, initial={"partner": request.GET.get("partner")})
    if form.is_valid():
        chosen = form.cleaned_data
        return redirect(f"{reverse('system_add_kind', args=[chosen['kind']])}?partner={chosen['partner'].pk}")
    status = 422 if form.errors else 200
    return render(request, "portal/systems/add.html", {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
@requires("systems", "full")
@transaction.atomic
def system_add_kind(request: HttpRequest, kind: str) -> HttpResponse:
    """Add a system of this kind to the partner that the address names."""
    partner = _partner_asked_for(request)
    if kind not in registry.CONNECTORS:
        raise Http404
    initial = {
        "environment": System.Environment.SANDBOX.value,
        "name": f"{partner.name} {registry.label(kind)}",
    }
    form = SystemForm(request.POST or None, kind=kind, initial=initial)
    if form.is_valid():
        system = attempt(form, lambda: services.add_system(partner, kind, form.data_for_service()))
        if system:
            audit.record(request.user, "added", system, audit.changed_fields({}, shown_of(system)))
            messages.success(request, f"{system} is added. Test it before it is used.")
            return redirect("system_detail", system.pk)
    page = {"form": form, "partner": partner, "kind_label": registry.label(kind)}
    return render(request, "portal/systems/edit.html", page, status=422 if form.errors else 200)


def _partner_asked_for(request: HttpRequest) -> Partner:
    """The partner that `?partner=` names; 404 and 403 as ever."""
    key = request.GET.get("partner", "")
    if not key.isdecimal():
        raise Http404
    partner = get_object_or_404(Partner.objects.visible_to(request.user), pk=int(key[:18]))
    require(request.user, "full", "systems", partner)
    return partner


@require_http_methods(["GET", "POST"])
@requires("systems", "write")
@transaction.atomic
def system_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a system's address, settings and credentials."""
    system = fetch_system(request, pk, "write", lock=request.method == "POST")
    shown = shown_of(system)
    stored = {secret.name: secret for secret in system.secrets.all()}
    form = SystemForm(request.POST or None, kind=system.kind, stored=stored, shown=shown)
    if form.is_valid():
        data = form.data_for_service()
        if succeeds(form, lambda: services.change_system(system, data)):
            changes = audit.changed_fields(shown, shown_of(system))
            # That a credential was replaced is worth keeping; the credential is not.
            changes |= {name: ["stored", "replaced"] for name in data.secrets}
            if changes:
                audit.record(request.user, "changed", system, changes)
            messages.success(request, "Saved. Test it, to see that it still answers.")
            return redirect(came_from(request) or reverse("system_detail", args=[system.pk]))
    page = {
        "form": form,
        "came_from": came_from(request),
        "partner": system.partner,
        "kind_label": system.kind_label,
    }
    page["system"] = System.objects.select_related("partner").get(pk=pk)
    return render(request, "portal/systems/edit.html", page, status=422 if form.errors else 200)


# --- Running ---


@require_POST
@requires("systems", "write")
def system_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign in, read account, rights and fields.  Waits for the other system, for as long as its limit allows."""
    system = fetch_system(request, pk, "write")
    tested = services.test_system(system, now=timezone.now())
    audit.record(request.user, "tested", system, {"outcome": tested.code or "answered"})
    if not tested.is_ok:
        messages.error(request, f"{system} did not pass the test: {tested.message}")
    elif tested.problems:
        messages.warning(request, f"{tested.message} There is something to look at below.")
    else:
        messages.success(request, tested.message)
    return redirect("system_detail", pk)


@require_POST
@requires("systems", "write")
def system_pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Call it no more."""
    system = fetch_system(request, pk, "write")
    act(
        request,
        lambda: services.pause_system(system),
        obj=system,
        trail="paused",
        done=f"{system} is paused. Changes are collected and delivered when it is resumed.",
    )
    return redirect("system_detail", pk)


@require_POST
@requires("systems", "write")
def system_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Call it again."""
    system = fetch_system(request, pk, "write")
    act(
        request,
        lambda: services.resume_system(system),
        obj=system,
        trail="resumed",
        done=f"{system} is called again.",
    )
    return redirect("system_detail", pk)


@require_POST
@requires("systems", "write")
def system_ceiling(request: HttpRequest, pk: int) -> HttpResponse:
    """Allow so many calls a minute, or as many as the vendor does."""
    system = fetch_system(request, pk, "write")
    form = CeilingForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"{form.errors['ceiling'][0]}")
        return redirect("system_detail", pk)
    ceiling = form.cleaned_data["ceiling"]
    before = budgets.standing(system, now=timezone.now()).ceiling
    act(
        request,
        lambda: budgets.set_ceiling(system, ceiling),
        obj=system,
        trail="changed",
        changes={"calls a minute at most": [before, ceiling]},
        done=f"At most {ceiling} calls a minute from here on."
        if ceiling
        else "Only the vendor's own limit counts from here on.",
    )
    return redirect("system_detail", pk)


@require_http_methods(["GET", "POST"])
@requires("systems", "full")
def system_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a system that nothing ever used, after asking."""
    system = fetch_system(request, pk, "full")
    if request.method == "POST":
        name = str(system)
        try:
            with transaction.atomic():
                audit.record(request.user, "discarded", system)
                services.discard_system(system)
        except NotPossible as refusal:
            messages.error(request, refusal.message)
            return redirect("system_detail", pk)
        messages.success(request, f"{name} is discarded, with its credentials.")
        return redirect("system_list")
    return render(request, "portal/systems/discard.html", {"system": system})


# --- Fetching ---


def came_from(request: HttpRequest) -> str:
    """The page of ours that `?next=` names, to go back to; empty for none, and for anybody else's."""
    address = request.GET.get("next", "")
    return address if url_has_allowed_host_and_scheme(address, allowed_hosts=None) else ""


def fetch_system(request: HttpRequest, pk: int, action: str = "read", *, lock: bool = False) -> System:
    """The system; 404 when it is none of the person's, 403 when its roles there do not allow this."""
    systems = System.objects.visible_to(request.user).select_related("partner", "hook_standing")
    if lock:
        systems = systems.select_for_update(of=("self",))
    system = get_object_or_404(systems, pk=pk)
    require(request.user, action, "systems", system.partner)
    return system


urlpatterns = [
    path("", system_list, name="system_list"),
    path("export.csv", system_export, name="system_export"),
    path("add/", system_add, name="system_add"),
    path("add/<slug:kind>/", system_add_kind, name="system_add_kind"),
    path("<int:pk>/", system_detail, name="system_detail"),
    path("<int:pk>/edit/", system_edit, name="system_edit"),
    path("<int:pk>/fields/", system_fields, name="system_fields"),
    path("<int:pk>/fields/refresh/", system_refresh, name="system_refresh"),
    path("<int:pk>/test/", system_test, name="system_test"),
    path("<int:pk>/pause/", system_pause, name="system_pause"),
    path("<int:pk>/resume/", system_resume, name="system_resume"),
    path("<int:pk>/ceiling/", system_ceiling, name="system_ceiling"),
    path("<int:pk>/discard/", system_discard, name="system_discard"),
]
