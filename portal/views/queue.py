"""The queue: lanes that wait and why, one delivery with its attempts, and what people do about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from integrations.models import Delivery, Lane, LinkedTicket
from integrations.services import queue as service
from integrations.services.budgets import holding_of, holdings
from integrations.services.comparison import settled_by
from integrations.services.deliveries import Contents, contents_of, preview
from integrations.services.timeline.fates import what_of
from integrations.services.undo_looking import instead_of_undoing, undone_fields
from integrations.services.waiting import is_outcome_unknown, reason_of, verified_until
from knowledgebase.search import article_for
from portal import audit
from portal.access import may, require, requires
from portal.bulk import MOST, shared_page, unfinished
from portal.conflicts import answers_of, questions_of
from portal.exports import Cell, csv_response
from portal.forms.conflicts import DecisionForm
from portal.forms.queue import ActForm, QueueFilter, SkipForm
from portal.live import render_live
from portal.models import QueueAction, User
from portal.queue import (
    LaneRow,
    actable,
    codes_for,
    delivery_for,
    ends_of,
    find_all,
    groups_of,
    known_failure,
    lane_page,
    lane_rows,
    lanes_for,
)
from portal.queue_actions import Act, carry_on, do, hits_of, meant, plan, right_for
from portal.tickets import viewer_of

EXPORT_HEADER = (
    *(
        "Ticket",
        "Title",
        "Sender",
        "Sender's system",
        "Receiver",
        "Receiver's system",
        "What waits",
        "Changes",
    ),
    *("Waits since", "State", "Outcome unknown", "Why it waits", "Next attempt", "Tries"),
    *("Reason", "What was said", "Handbook"),
)


@require_safe
@requires("queue")
def delivery_list(request: HttpRequest) -> HttpResponse:
    """Lanes that wait: which ticket, which direction, what and how much, since when, why, and until when."""
    now = timezone.now()
    form = QueueFilter(request.GET, request.user)
    criteria = form.criteria()
    unfolded = [int(key) for key in request.GET.getlist("unfolded") if key.isdecimal() and len(key) < 19]
    # Looking for words may take a moment: once for both.
    lanes = lanes_for(request.user, criteria, now=now)
    groups = groups_of(lanes, criteria, unfolded, now=now)
    viewer, token = viewer_of(request.user, "queue"), request.GET.get("page", "")
    page = {
        "form": form,
        "criteria": criteria,
        "groups": groups,
        "unfolded": unfolded,
        "page": lane_page(lanes, viewer, criteria.order, token, now=now, without=groups.folded),
        "count": groups.count,
        "most": MOST,
        "codes": codes_for(request.user),
        "unfinished": list(unfinished(_who(request).queue_actions)[:3]),
        "may_skip": may(request.user, "full", "queue"),
    }
    return render_live(request, "portal/queue/list.html", "portal/queue/_rows.html", page)


@require_safe
@requires("queue")
def delivery_export(request: HttpRequest) -> StreamingHttpResponse:
    """All that the list is narrowed to, folded systems too, as CSV."""
    criteria = QueueFilter(request.GET, request.user).criteria()
    rows = (_cells(row) for row in find_all(request.user, criteria, now=timezone.now()))
    return csv_response("queue", EXPORT_HEADER, rows)


def _cells(row: LaneRow) -> tuple[Cell, ...]:
    lane = row.lane
    return (
        *(lane.linked_ticket.number, row.title),
        *(row.sender, row.sender_system, row.receiver, row.receiver_system),
        *(row.what, row.count, lane.waits_since, lane.get_state_display()),
        "yes" if row.is_outcome_unknown else "no",
        *(row.reason.words, row.reason.until, lane.tries, lane.failure_code, row.failure),
        row.article.title if row.article else "",
    )


@require_POST
@requires("queue", "write")
def delivery_act(request: HttpRequest) -> HttpResponse:
    """Retry, hold, resume or decide the chosen lanes at once; all that fit, and whatever is skipped, are shown first."""
    form = ActForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
        return _back(request)
    act, now, lane_ids = form.cleaned_data["action"], timezone.now(), form.cleaned_data["lanes"]
    if form.cleaned_data["scope"] != "all" and act != Act.SKIP:
        _tell(request, do(_who(request), act, lane_ids, now=now))
        return _back(request)
    require(request.user, right_for(act), "queue")
    narrowed = "The lanes chosen"
    if form.cleaned_data["scope"] == "all":
        chosen = QueueFilter(request.POST, request.user)
        narrowed = chosen.in_words() or "The whole queue"
        fitting = lanes_for(request.user, chosen.criteria(), now=now)
        found = meant(fitting, act, now=now).order_by("waits_since", "pk")
        lane_ids = list(found.values_list("pk", flat=True)[: MOST + 1])
    return redirect("queue_action", plan(_who(request), act, lane_ids, narrowed=narrowed, now=now).pk)


@require_safe
@requires("queue", "write")
def queue_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Before it begins, what would be hit; then how far it is; at the end what came of it, lane by lane."""
    action = _action(request, pk)
    page = _action_page(request, action)
    return render_live(request, "portal/queue/action.html", "portal/queue/_action.html", page)


@require_POST
@requires("queue", "write")
def queue_action_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin, or do the next lanes."""
    action = _action(request, pk)
    require(request.user, right_for(action.act), "queue")
    now = timezone.now()
    if action.started_at is None and action.act == Act.SKIP:
        form = SkipForm(request.POST, may_have_arrived=True)
        if not form.is_valid():
            page = _action_page(request, action) | {"skip_form": form}
            return render(request, "portal/queue/action.html", page, status=422)
        action.reason = form.cleaned_data["reason"]
        action.even_if_unverified = form.cleaned_data["even_if_unverified"]
        action.save(update_fields=["reason", "even_if_unverified"])
    if action.ended_at is None:
        carry_on(_who(request), action, now=now)
    if "HX-Request" in request.headers:
        action.refresh_from_db()
        return render(request, "portal/queue/_action.html", _action_page(request, action))
    return redirect("queue_action", action.pk)


@require_POST
@requires("queue", "write")
def queue_action_drop(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget an action that did not begin; what is left of one that began is left as it is."""
    action = _action(request, pk)
    if action.started_at is None:
        action.delete()
        messages.info(request, "Nothing was done.")
    else:
        QueueAction.objects.filter(pk=action.pk, ended_at=None).update(ended_at=timezone.now())
        messages.info(request, "Stopped. What was not done yet is left as it is.")
    return redirect("delivery_list")


def _action(request: HttpRequest, pk: int) -> QueueAction:
    return get_object_or_404(QueueAction, pk=pk, asked_by=_who(request))


def _action_page(request: HttpRequest, action: QueueAction) -> dict:
    shared = shared_page(action, action.lanes, request.GET, "queue_action")
    keys = [one.lane_id for one in shared["page"].rows]
    lanes = Lane.objects.select_related("linked_ticket__connection").in_bulk(keys)
    shown = lane_rows(list(lanes.values()), viewer_of(request.user, "queue"), now=timezone.now())
    by_lane = {row.lane.pk: row for row in shown}
    return shared | {
        "noun": "lane",
        "hits": hits_of(action) if action.started_at is None else [],
        "rows": [(one, by_lane[one.lane_id]) for one in shared["page"].rows if one.lane_id in by_lane],
        "skip_form": SkipForm(may_have_arrived=True),
    }


def _who(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _tell(request: HttpRequest, results: Sequence[service.Result]) -> None:
    """One sentence for one lane; for many how often each was the answer."""
    if not results:
        messages.info(request, "There is nothing left to act on: somebody was quicker.")
    for (is_done, text), count in Counter((one.is_done, one.message) for one in results).items():
        words = text if len(results) == 1 else f"{count:,} lane{'' if count == 1 else 's'}: {text}"
        (messages.success if is_done else messages.warning)(request, words)


@require_safe
@requires("queue")
def delivery_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One delivery: what it carries, what it would write, its attempts, and what can be done."""
    return render(request, "portal/queue/detail.html", detail_page(request, delivery_for(request.user, pk)))


@require_POST
@requires("queue", "full")
def delivery_skip(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave out one delivery with a reason.  Full control, because a company's information goes nowhere then."""
    delivery = delivery_for(request.user, pk, "full")
    form = SkipForm(request.POST, may_have_arrived=delivery.state == Delivery.State.SENT)
    if not form.is_valid():
        page = detail_page(request, delivery) | {"skip_form": form}
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


def detail_page(request: HttpRequest, delivery: Delivery, *, refused: DecisionForm | None = None) -> dict:
    """What the page of a delivery shows this person: each company's own words only to that company."""
    lane, viewer = delivery.lane, viewer_of(request.user, "queue")
    receiver_id = lane.system.partner_id
    sender_id = next((one for one in ends_of(lane) if one != receiver_id), receiver_id)
    is_head = lane.waits and delivery.number == lane.head
    is_of_receiver = delivery.operation in Delivery.OF_RECEIVER
    now = timezone.now()
    sides = lane.connection.sides.select_related("system__partner")
    holding = holding_of(lane, holdings({lane.system_id}, now=now), now)
    sees_receiver = viewer.sees_all or receiver_id in viewer.partner_ids
    page = {
        "delivery": delivery,
        "lane": lane,
        "what": what_of(delivery),
        "contents": contents_of(delivery) if sees_receiver or not is_of_receiver else Contents(),
        "is_head": is_head,
        "is_waiting": lane.waits and delivery.number >= lane.head,
        "ahead": max(delivery.number - lane.head, 0),
        "reason": reason_of(lane, delivery, list(sides), holding, now) if is_head else None,
        "is_outcome_unknown": is_outcome_unknown(delivery),
        "verified_until": verified_until(delivery, lane.system.kind)
        if is_outcome_unknown(delivery)
        else None,
        "article": article_for(lane.failure_code) if is_head else None,
        "failure": known_failure(lane, delivery, viewer, sender_id, receiver_id) if is_head else "",
        "may_act": _may_at(request, "write", lane),
        "may_undo": delivery.state == Delivery.State.DONE and may(request.user, "full", "undo", receiver_id),
        "instead": instead_of_undoing(delivery),
        "is_of_receiver": is_of_receiver,
        "undone": undone_fields(delivery) if sees_receiver else [],
        "may_skip": is_head and _may_at(request, "full", lane),
        "skip_form": SkipForm(may_have_arrived=delivery.state == Delivery.State.SENT),
        "questions": questions_of(delivery, request.user, viewer, now=timezone.now(), refused=refused),
        "answers": answers_of(delivery, viewer),
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
    path("export/", delivery_export, name="delivery_export"),
    path("actions/<int:pk>/", queue_action, name="queue_action"),
    path("actions/<int:pk>/run/", queue_action_run, name="queue_action_run"),
    path("actions/<int:pk>/drop/", queue_action_drop, name="queue_action_drop"),
    path("<int:pk>/", delivery_detail, name="delivery_detail"),
    path("<int:pk>/skip/", delivery_skip, name="delivery_skip"),
]
