"""The way to a new connection: two systems, their checks, the rules, the first ticket.  Every step can be left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.connectors import registry
from integrations.models import ConnectionDraft, System
from integrations.services import sandboxes
from integrations.services import systems as system_services
from integrations.services import wizard as services
from integrations.services.hook_registration import hook_place
from integrations.services.mappings import field_facts
from integrations.services.refusals import NotPossible
from portal import audit
from portal.access import may, partners_for, require, requires, rights_of
from portal.connections import preview_of
from portal.forms.base import attempt, succeeds
from portal.forms.connections import NewConnectionForm, SideForm, shown_of_side
from portal.forms.systems import KindForm, SystemForm, shown_of
from portal.forms.wizard import ChosenSystemForm, FirstTicketForm, SandboxForm
from portal.tickets import rows_for, viewer_of

SIDES = {"left": "One side", "right": "Other side"}
LABELS = {**SIDES, "rules": "Rules", "first": "First ticket", "done": "On its way"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step as the bar above the pages shows it; `url` is empty while it is out of reach."""

    label: str
    url: str
    is_here: bool
    is_done: bool


# --- Beginning and resuming ---


@require_safe
@requires("connections", "full")
def wizard_list(request: HttpRequest) -> HttpResponse:
    """Connections on their way, to go on with; and a new one."""
    drafts = [
        (draft, LABELS[services.next_step(draft)]) for draft in _visible(request).filter(finished_at=None)
    ]
    return render(request, "portal/wizard/list.html", {"drafts": drafts})


@require_POST
@requires("connections", "full")
def wizard_begin(request: HttpRequest) -> HttpResponse:
    """A new connection on its way."""
    draft = services.begin_draft(by=request.user, now=timezone.now())
    return redirect("wizard_system", draft.pk, "left")


@require_safe
@requires("connections", "full")
def wizard_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Lead to the first step that is still to be done."""
    draft = _draft(request, pk)
    return redirect(_address(draft, services.next_step(draft)))


@require_POST
@requires("connections", "full")
def wizard_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget what was chosen so far."""
    draft = _draft(request, pk)
    with transaction.atomic():
        audit.record(request.user, "gave up", draft)
        services.discard_draft(draft)
    messages.success(request, "Given up. Systems that were added stay.")
    return redirect("wizard_list")


# --- A system for each side ---


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
def wizard_system(request: HttpRequest, pk: int, position: str) -> HttpResponse:
    """Choose one of the systems there are, add one, or use a sandbox for now."""
    draft = _draft(request, pk)
    _require_position(position)
    partners = partners_for(request.user, "full", "systems")
    offers = sandboxes.offered() if partners else []
    chosen = ChosenSystemForm(
        request.POST if "system" in request.POST else None,
        systems=_offered(request),
        initial={"system": getattr(draft, f"{position}_id")},
    )
    sandbox = SandboxForm(
        request.POST if "partner" in request.POST else None,
        partners=partners,
        offers=[(one.url, one.label) for one in offers],
        auto_id="sandbox_%s",
        initial={"url": offers[0].url if offers else ""},
    )
    if chosen.is_valid():
        system = chosen.cleaned_data["system"]
        if succeeds(chosen, lambda: services.choose_system(draft, position, system, now=timezone.now())):
            return redirect("wizard_check", draft.pk, position)
    if sandbox.is_valid() and succeeds(sandbox, lambda: _use_sandbox(request, draft, position, sandbox)):
        return redirect("wizard_check", draft.pk, position)
    page = {
        "form": chosen,
        "kinds": KindForm(partners=partners) if partners else None,
        "sandbox": sandbox if offers else None,
        "may_add": bool(partners),
    }
    is_wrong = chosen.errors or sandbox.errors
    return _page(request, draft, position, "system", page, status=422 if is_wrong else 200)


@transaction.atomic
def _use_sandbox(request: HttpRequest, draft: ConnectionDraft, position: str, form: SandboxForm) -> System:
    partner = form.cleaned_data["partner"]
    system, is_new = sandboxes.use_sandbox(partner, form.cleaned_data["url"])
    if is_new:
        audit.record(request.user, "added", system, audit.changed_fields({}, shown_of(system)))
    services.choose_system(draft, position, system, now=timezone.now())
    return system


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
def wizard_new_system(request: HttpRequest, pk: int, position: str) -> HttpResponse:
    """Address and credentials of a system that is not there yet; which one, the address says."""
    draft = _draft(request, pk)
    _require_position(position)
    partners = partners_for(request.user, "full", "systems")
    asked = KindForm(request.GET, partners=partners)
    if not asked.is_valid():
        messages.error(request, "Choose the partner and the product of the new system.")
        return redirect("wizard_system", pk, position)
    partner, kind = asked.cleaned_data["partner"], asked.cleaned_data["kind"]
    require(request.user, "full", "systems", partner)
    initial = {"environment": "sandbox", "name": f"{partner.name} {registry.label(kind)}"}
    form = SystemForm(request.POST or None, kind=kind, initial=initial)
    if form.is_valid() and succeeds(form, lambda: _add(request, draft, position, partner, kind, form)):
        return redirect("wizard_check", pk, position)
    page = {"form": form, "partner": partner, "kind_label": registry.label(kind)}
    return _page(request, draft, position, "new_system", page, status=422 if form.errors else 200)


@transaction.atomic
def _add(
    request: HttpRequest, draft: ConnectionDraft, position: str, partner: Any, kind: str, form: SystemForm
) -> System:
    system = system_services.add_system(partner, kind, form.data_for_service())
    audit.record(request.user, "added", system, audit.changed_fields({}, shown_of(system)))
    services.choose_system(draft, position, system, now=timezone.now())
    return system


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
def wizard_check(request: HttpRequest, pk: int, position: str) -> HttpResponse:
    """Address, sign-in, rights and fields of the chosen system, as it answers now."""
    draft = _draft(request, pk)
    _require_position(position)
    system = getattr(draft, position)
    if system is None:
        return redirect("wizard_system", pk, position)
    may_test = may(request.user, "write", "systems", system.partner)
    if request.method == "POST":
        require(request.user, "write", "systems", system.partner)
        tested = system_services.test_system(system, now=timezone.now())
        audit.record(request.user, "tested", system, {"outcome": tested.code or "answered"})
        return redirect("wizard_check", pk, position)
    fields = system.metadata.get("fields", [])
    page = {
        "system": system,
        "may_test": may_test,
        "may_edit": may_test,
        "is_ready": services.is_ready(system),
        "is_tested": system.checked_at is not None,
        "fields": fields[:12],
        "field_count": len(fields),
        "place": hook_place(system),
        "next": "right" if position == "left" else "rules",
    }
    return _page(request, draft, position, "check", page)


def _offered(request: HttpRequest) -> QuerySet[System]:
    offered = System.objects.visible_to(request.user).filter(
        partner__in=partners_for(request.user, "full", "connections")
    )
    return offered.select_related("partner").order_by("partner__name", "name")


# --- Rules ---


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
def wizard_rules(request: HttpRequest, pk: int) -> HttpResponse:
    """Who opens tickets for whom, and the rules that ship for these products."""
    draft = _draft(request, pk)
    if draft.left is None or draft.right is None:
        return redirect("wizard_resume", pk)
    data = request.POST or None
    form = NewConnectionForm(data, initial=_named(draft))
    sides = [
        SideForm(data, prefix=prefix, facts=field_facts(system), initial=_side_initial(draft, prefix))
        for prefix, system in (("left", draft.left), ("right", draft.right))
    ]
    answers = [one.is_valid() for one in (form, *sides)]
    if all(answers) and succeeds(form, lambda: _open(request, draft, form, sides)):
        return redirect("wizard_first", pk)
    ends = [
        (system, side, preview_of(system))
        for system, side in zip((draft.left, draft.right), sides, strict=True)
    ]
    has_errors = any(one.errors for one in (form, *sides))
    return _page(
        request, draft, "rules", "rules", {"form": form, "ends": ends}, status=422 if has_errors else 200
    )


def _named(draft: ConnectionDraft) -> dict[str, Any]:
    if draft.connection is not None:
        return {"name": draft.connection.name, "note": draft.connection.note, "template": True}
    return {"name": f"{draft.left} – {draft.right}", "template": True}


def _side_initial(draft: ConnectionDraft, position: str) -> dict[str, Any]:
    if draft.connection is not None:
        return shown_of_side(draft.connection.sides.get(position=position))
    return {"starts": position == "left"}


@transaction.atomic
def _open(
    request: HttpRequest, draft: ConnectionDraft, form: NewConnectionForm, sides: Sequence[SideForm]
) -> object:
    connection = services.open_drafted(
        draft,
        form.cleaned_data["name"],
        left_side=sides[0].data_for_service(),
        right_side=sides[1].data_for_service(),
        template=form.cleaned_data["template"],
        note=form.cleaned_data["note"],
        by=request.user,
        now=timezone.now(),
    )
    assert draft.left
    assert draft.right
    joins = {"joins": f"{draft.left.partner}: {draft.left} ↔ {draft.right.partner}: {draft.right}"}
    audit.record(request.user, "opened", connection, joins)
    return connection


# --- The first ticket ---


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
def wizard_first(request: HttpRequest, pk: int) -> HttpResponse:
    """Pick a ticket, see what would arrive, then activate the connection with it."""
    draft = _draft(request, pk)
    if draft.connection is None:
        return redirect("wizard_resume", pk)
    try:
        side = services.starting_side(draft)
    except NotPossible as refusal:
        messages.error(request, refusal.message)
        return redirect("wizard_rules", pk)
    data = request.POST or (request.GET if "number" in request.GET else None)
    form = FirstTicketForm(data)
    first = None
    if form.is_valid():
        number = form.cleaned_data["number"]
        first = attempt(form, lambda: services.look_at_first(side, number))
    if request.method == "POST" and first is not None:
        looked_at = first
        if succeeds(form, lambda: _send(request, draft, side, looked_at)):
            return redirect("wizard_done", pk)
    page = {"form": form, "side": side, "first": first, "other": _other(draft, side)}
    return _page(request, draft, "first", "first", page, status=422 if form.errors else 200)


@transaction.atomic
def _send(request: HttpRequest, draft: ConnectionDraft, side: Any, first: services.FirstTicket) -> None:
    services.send_first(draft, side, first, now=timezone.now())
    audit.record(request.user, "activated", draft.connection, {"first ticket": first.key})  # type: ignore[arg-type]


def _other(draft: ConnectionDraft, side: Any) -> System | None:
    return draft.right if side.position == "left" else draft.left


@require_safe
@requires("connections", "full")
def wizard_done(request: HttpRequest, pk: int) -> HttpResponse:
    """The first ticket on its way, until it has arrived."""
    draft = _draft(request, pk)
    if not draft.first_remote_id or draft.connection is None:
        return redirect("wizard_resume", pk)
    linked = services.followed(draft)
    rows = rows_for([linked.pk], viewer_of(request.user)) if linked else []
    row = rows[0] if rows else None
    has_arrived = row is not None and all(end.key for end in row.ends)
    page = {
        "row": row,
        "has_arrived": has_arrived,
        "awaits_change": linked is None and services.awaits_change(draft),
        "parked": linked.lanes.filter(waits=True, state="parked").first() if linked else None,
        "may_read_tickets": may(request.user, "read", "tickets"),
    }
    if "HX-Request" not in request.headers:
        return _page(request, draft, "done", "done", page)
    part = render(request, "portal/wizard/_travelling.html", {**page, "draft": draft})
    if has_arrived:
        # The page loaded anew asks no more.
        part["HX-Refresh"] = "true"
    return part


# --- What all steps share ---


def _page(
    request: HttpRequest,
    draft: ConnectionDraft,
    step: str,
    template: str,
    page: dict[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    shared = {"draft": draft, "position": step, "steps": _steps(draft, step), "step_label": LABELS[step]}
    return render(request, f"portal/wizard/{template}.html", {**shared, **page}, status=status)


def _steps(draft: ConnectionDraft, here: str) -> list[Step]:
    reached = services.STEPS.index(services.next_step(draft))
    is_over = draft.finished_at is not None
    return [
        Step(
            label=LABELS[name],
            # What runs is changed on its own pages.
            url=_address(draft, name) if number <= reached and not is_over else "",
            is_here=name == here,
            is_done=number < reached,
        )
        for number, name in enumerate(services.STEPS)
    ]


def _address(draft: ConnectionDraft, step: str) -> str:
    if step in SIDES:
        chosen = getattr(draft, f"{step}_id")
        return reverse("wizard_check" if chosen else "wizard_system", args=[draft.pk, step])
    return reverse(f"wizard_{step}", args=[draft.pk])


def _require_position(position: str) -> None:
    if position not in SIDES:
        raise Http404


def _visible(request: HttpRequest) -> QuerySet[ConnectionDraft]:
    """Drafts of the person's own, and everybody's for who runs connections at all partners."""
    found = ConnectionDraft.objects.select_related(
        "left__partner", "right__partner", "connection", "begun_by"
    )
    if rights_of(request.user).partner_ids("connections", "full") is None:
        return found
    return found.filter(Q(begun_by=request.user.pk))


def _draft(request: HttpRequest, pk: int) -> ConnectionDraft:
    """The draft; 404 for another person's, 403 when a right at one of its partners is gone."""
    draft = get_object_or_404(_visible(request), pk=pk)
    for system in (draft.left, draft.right):
        if system is not None and not may(request.user, "full", "connections", system.partner):
            raise PermissionDenied("Needs full control of connections at both partners.")
    return draft


urlpatterns = [
    path("", wizard_list, name="wizard_list"),
    path("begin/", wizard_begin, name="wizard_begin"),
    path("<int:pk>/", wizard_resume, name="wizard_resume"),
    path("<int:pk>/discard/", wizard_discard, name="wizard_discard"),
    path("<int:pk>/rules/", wizard_rules, name="wizard_rules"),
    path("<int:pk>/first/", wizard_first, name="wizard_first"),
    path("<int:pk>/done/", wizard_done, name="wizard_done"),
    path("<int:pk>/<str:position>/", wizard_system, name="wizard_system"),
    path("<int:pk>/<str:position>/new/", wizard_new_system, name="wizard_new_system"),
    path("<int:pk>/<str:position>/check/", wizard_check, name="wizard_check"),
]
