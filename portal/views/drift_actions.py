"""Repairing, accepting or revoking many differences: what it touches, how far it is, and what came of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.access import requires
from portal.acting import signed_in
from portal.bulk import shared_page, unfinished
from portal.drift import drift_for, drift_rows
from portal.drift_actions import Act, carry_on, hits_of, plan
from portal.forms.drift import AcceptForm, DriftActForm, DriftFilter, ExceptionFilter
from portal.live import render_live
from portal.models import DriftAction
from portal.tickets import viewer_of


@require_POST
@requires("queue", "write")
def drift_act(request: HttpRequest) -> HttpResponse:
    """Write down which differences are meant: those chosen, or all that the list is narrowed to."""
    form = DriftActForm(request.POST)
    is_revoking = request.POST.get("action") == Act.REVOKE
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
        return redirect("drift_exceptions" if is_revoking else "drift_list")
    found, narrowed = drift_for(request.user, "write"), "The differences chosen"
    if form.cleaned_data["scope"] == "all":
        chosen = (ExceptionFilter if is_revoking else DriftFilter)(request.POST, request.user)
        found, narrowed = chosen.narrow(found), chosen.in_words() or chosen.EVERYTHING
    else:
        found = found.filter(pk__in=form.cleaned_data["drifts"])
    act, now = form.cleaned_data["action"], timezone.now()
    action = plan(signed_in(request), act, found, narrowed=narrowed, now=now)
    return redirect("drift_action", action.pk)


@require_safe
@requires("queue", "write")
def drift_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Before it begins, what would be touched; then how far it is; at the end what came of it, one by one."""
    page = _page(request, _action(request, pk))
    return render_live(request, "portal/drift/action.html", "portal/drift/_action.html", page)


@require_POST
@requires("queue", "write")
def drift_action_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin, or do the next ones."""
    action = _action(request, pk)
    if action.started_at is None and action.act == Act.ACCEPT:
        form = AcceptForm(request.POST)
        if not form.is_valid():
            page = _page(request, action) | {"accept_form": form}
            return render(request, "portal/drift/action.html", page, status=422)
        action.reason = form.cleaned_data["reason"]
        action.save(update_fields=["reason"])
    if action.ended_at is None:
        carry_on(signed_in(request), action, now=timezone.now())
    if "HX-Request" in request.headers:
        action.refresh_from_db()
        return render(request, "portal/drift/_action.html", _page(request, action))
    return redirect("drift_action", action.pk)


@require_POST
@requires("queue", "write")
def drift_action_drop(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget an action that did not begin; what is left of one that began is left as it is."""
    action = _action(request, pk)
    back = _list_of(action)
    if action.started_at is None:
        action.delete()
        messages.info(request, "Nothing was done.")
    else:
        unfinished(signed_in(request).drift_actions).filter(pk=action.pk).update(ended_at=timezone.now())
        messages.info(request, "Stopped. What was not done yet is left as it is.")
    return redirect(back)


def _action(request: HttpRequest, pk: int) -> DriftAction:
    return get_object_or_404(DriftAction, pk=pk, asked_by=signed_in(request))


def _page(request: HttpRequest, action: DriftAction) -> dict[str, Any]:
    shared = shared_page(action, action.items, request.GET, "drift_action")
    drifts = drift_for(request.user).filter(pk__in=[one.drift_id for one in shared["page"].rows])
    shown = {row.drift.pk: row for row in drift_rows(drifts, viewer_of(request.user, "queue"))}
    return shared | {
        "noun": "difference",
        "list": reverse(_list_of(action)),
        "hits": hits_of(action) if action.started_at is None else [],
        "rows": [(one, shown[one.drift_id]) for one in shared["page"].rows if one.drift_id in shown],
        "accept_form": AcceptForm(),
    }


def _list_of(action: DriftAction) -> str:
    """The list from which its differences were chosen."""
    return "drift_exceptions" if action.act == Act.REVOKE else "drift_list"


urlpatterns = [
    path("act/", drift_act, name="drift_act"),
    path("actions/<int:pk>/", drift_action, name="drift_action"),
    path("actions/<int:pk>/run/", drift_action_run, name="drift_action_run"),
    path("actions/<int:pk>/drop/", drift_action_drop, name="drift_action_drop"),
]
