"""The queue: lanes that wait and why, one delivery with its attempts, and what people do about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from integrations.models import Connection, Delivery, Lane, LinkedTicket
from integrations.services import queue as service
from integrations.services.comparison import settled_by
from integrations.services.deliveries import Contents, contents_of, preview
from integrations.services.timeline import what_of
from knowledgebase.search import article_for
from portal import audit
from portal.access import requires
from portal.forms.queue import ActForm, QueueFilter, SkipForm
from portal.live import render_live
from portal.queue import (
    MOST,
    actable,
    codes_for,
    delivery_for,
    ends_of,
    known_failure,
    lane_page,
    lanes_for,
    standing_for,
)
from portal.tickets import viewer_of

ACTIONS = {"retry": service.retry_lanes, "hold": service.hold_lanes, "resume": service.resume_lanes}
# Up to here every matter has its own entry in the trail.
FEW = 20
PAST = {"retry": "retried", "hold": "held", "resume": "resumed"}


@require_safe
@requires("queue")
def delivery_list(request: HttpRequest) -> HttpResponse:
    """Lanes that wait: which ticket, which direction, what and how much, since when, and why."""
    form = QueueFilter(request.GET, request.user)
    criteria = form.criteria()
    page = {
        "form": form,
        "criteria": criteria,
        "page": lane_page(request.user, criteria, request.GET.get("page", ""), now=timezone.now()),
        "count": lanes_for(request.user, criteria).count(),
        "most": MOST,
        "codes": codes_for(request.user),
        "standing": standing_for(request.user),
    }
    return render_live(request, "portal/queue/list.html", "portal/queue/_rows.html", page)


@require_POST
@requires("queue", "write")
def delivery_act(request: HttpRequest) -> HttpResponse:
    """Retry, hold or resume the chosen lanes, or all that the list is narrowed to; says what came of it."""
    form = ActForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
        return _back(request)
    lane_ids = form.cleaned_data["lanes"]
    if form.cleaned_data["scope"] == "all":
        criteria = QueueFilter(request.POST, request.user).criteria()
        lane_ids = list(lanes_for(request.user, criteria).values_list("pk", flat=True)[:MOST])
    results = _act(request, form.cleaned_data["action"], actable(request.user, lane_ids), timezone.now())
    _tell(request, results)
    return _back(request)


def _act(request: HttpRequest, action: str, lane_ids: Sequence[int], now: datetime) -> list[service.Result]:
    """Do it, and write the trail: of each matter for a few lanes, of each connection for many."""
    results = ACTIONS[action](lane_ids, now=now)
    changed = [result.lane_id for result in results if result.is_done]
    lanes = Lane.objects.filter(pk__in=changed).select_related(
        "linked_ticket", "connection", "system__partner"
    )
    if len(changed) <= FEW:
        for lane in lanes:
            facts = {"lane": f"the queue to {lane.system}"}
            audit.record(request.user, PAST[action], lane.linked_ticket, facts, partner=lane.system.partner)
        return results
    by_connection: dict[Connection, list[str]] = {}
    for lane in lanes:
        by_connection.setdefault(lane.connection, []).append(lane.linked_ticket.number)
    for connection, numbers in by_connection.items():
        audit.record(
            request.user, PAST[action], connection, {"lanes": len(numbers), "tickets": sorted(numbers)}
        )
    return results


def _tell(request: HttpRequest, results: Sequence[service.Result]) -> None:
    """One sentence for one lane; for many how often each was the answer."""
    if not results:
        messages.info(request, "There is nothing left to act on: somebody was quicker.")
    for (is_done, text), count in Counter((one.is_done, one.message) for one in results).items():
        words = text if len(results) == 1 else f"{count} lane{'' if count == 1 else 's'}: {text}"
        (messages.success if is_done else messages.warning)(request, words)


@require_safe
@requires("queue")
def delivery_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One delivery: what it carries, what it would write, its attempts, and what can be done."""
    return render(request, "portal/queue/detail.html", _detail(request, delivery_for(request.user, pk)))


@require_POST
@requires("queue", "full")
def delivery_skip(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave out one delivery with a reason.  Full control, because a company's information goes nowhere then."""
    delivery = delivery_for(request.user, pk, "full")
    form = SkipForm(request.POST, may_have_arrived=delivery.state == Delivery.State.SENT)
    if not form.is_valid():
        page = _detail(request, delivery) | {"skip_form": form}
        return render(request, "portal/queue/detail.html", page, status=422)
    result = service.skip_delivery(
        delivery,
        form.cleaned_data["reason"],
        now=timezone.now(),
        even_if_unverified=form.cleaned_data.get("even_if_unverified", False),
    )
    if result.is_done:
        facts = {
            "lane": f"#{delivery.number} to {delivery.lane.system}",
            "reason": form.cleaned_data["reason"],
        }
        linked: LinkedTicket = delivery.lane.linked_ticket
        audit.record(request.user, "skipped", linked, facts, partner=delivery.lane.system.partner)
    (messages.success if result.is_done else messages.warning)(request, result.message)
    return redirect("delivery_detail", delivery.pk)


def _detail(request: HttpRequest, delivery: Delivery) -> dict:
    """What the page of a delivery shows this person: each company's own words only to that company."""
    lane, viewer = delivery.lane, viewer_of(request.user, "queue")
    receiver_id = lane.system.partner_id
    sender_id = next((one for one in ends_of(lane) if one != receiver_id), receiver_id)
    is_head = lane.waits and delivery.number == lane.head
    is_repair = delivery.operation == Delivery.Op.REPAIR
    sees_receiver = viewer.sees_all or receiver_id in viewer.partner_ids
    page = {
        "delivery": delivery,
        "lane": lane,
        "what": what_of(delivery),
        # A repair speaks of the receiver's own values.
        "contents": contents_of(delivery) if sees_receiver or not is_repair else Contents(),
        "is_head": is_head,
        "is_waiting": lane.waits and delivery.number >= lane.head,
        "ahead": max(delivery.number - lane.head, 0),
        "article": article_for(lane.failure_code) if is_head else None,
        "failure": known_failure(lane, delivery, viewer, sender_id, receiver_id) if is_head else "",
        "may_act": _may_at(request, "write", lane),
        "may_skip": is_head and _may_at(request, "full", lane),
        "skip_form": SkipForm(may_have_arrived=delivery.state == Delivery.State.SENT),
    }
    if sees_receiver:
        page |= {
            "preview": preview(delivery, settled_by([delivery.lane.system])),
            "attempts": list(delivery.attempts.order_by("-number")),
        }
    return page


def _may_at(request: HttpRequest, action: str, lane: Lane) -> bool:
    return bool(actable(request.user, [lane.pk], action))


def _back(request: HttpRequest) -> HttpResponse:
    """To the page where the button was, or to the queue."""
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if is_ours else "delivery_list")


urlpatterns = [
    path("", delivery_list, name="delivery_list"),
    path("act/", delivery_act, name="delivery_act"),
    path("<int:pk>/", delivery_detail, name="delivery_detail"),
    path("<int:pk>/skip/", delivery_skip, name="delivery_skip"),
]
