"""Deciding a conflict: which of two values stands on both sides."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST

from integrations.services.conflicts import case_of, decide_conflict
from portal import audit
from portal.access import requires
from portal.conflicts import conflict_for, form_for, text_from
from portal.queue import delivery_for
from portal.views.queue import detail_page


@require_POST
@requires("queue", "write")
def conflict_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one value stand.  Whoever comes second, or decides about values that have changed since, is told so."""
    conflict, now = conflict_for(request.user, pk), timezone.now()
    delivery = delivery_for(request.user, conflict.delivery_id)
    case = case_of(conflict, now=now)
    if case is None:
        result = decide_conflict(conflict, "", by=request.user, now=now)
        messages.warning(request, result.message)
        return redirect("delivery_detail", delivery.pk)
    form = form_for(case, request.POST)
    if not form.is_valid():
        page = detail_page(request, delivery, refused=form)
        return render(request, "portal/queue/detail.html", page, status=422)
    entered = form.cleaned_data
    result = decide_conflict(
        conflict,
        entered["choice"],
        by=request.user,
        now=now,
        reason=entered["reason"],
        text=text_from(case, entered["text"]) if entered.get("text") else None,
        token=entered["token"],
    )
    if result.is_done:
        facts = {"field": conflict.shared, "stands": entered["choice"], "reason": entered["reason"]}
        lane = delivery.lane
        audit.record(request.user, "decided", lane.linked_ticket, facts, partner=lane.system.partner)
    (messages.success if result.is_done else messages.warning)(request, result.message)
    return redirect("delivery_detail", delivery.pk)


urlpatterns = [path("<int:pk>/decide/", conflict_decide, name="conflict_decide")]
