"""Endpoints that are told by signed web hook: add one, change its secret, test it, see what was sent, send it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.models import HookEndpoint, HookMessage
from integrations.services import endpoints as services
from portal import audit
from portal.access import requires, signed_in
from portal.acting import act, require_everywhere, trail_of
from portal.endpoints import endpoint_for, visible_endpoints
from portal.exports import csv_response
from portal.forms.base import attempt, succeeds
from portal.forms.endpoints import EndpointFilter, EndpointForm, MessageFilter, NewEndpointForm
from portal.listing import WIDE, Column, in_order, listing

COLUMNS = (
    Column("Endpoint", "name", "name"),
    Column("Whose matters", "partner", "partner__name", WIDE),
    Column("State", "state", "state"),
    Column("Last taken", "taken", "answered_at", WIDE),
)
MESSAGES = (
    Column("Event", "kind", "kind"),
    Column("State", "state", "state"),
    Column("Tries", "tries", "tries", "num"),
    Column("Noted", "noted", "created_at", WIDE),
    Column("", "", "", ""),
)
EXPORTED = ("Endpoint", "Partner", "Address", "Events", "State", "Failing since", "Last taken")
MESSAGES_A_PAGE = 20


@require_safe
@requires("alerts", "full")
def endpoint_list(request: HttpRequest) -> HttpResponse:
    """Endpoints that the reader looks after."""
    form = EndpointFilter(request.GET, request.user)
    found = listing(request, form.narrow(visible_endpoints(request.user)), COLUMNS, default="name")
    return render(request, "portal/endpoints/list.html", {"listing": found, "form": form})


@require_safe
@requires("alerts", "full")
def endpoint_export(request: HttpRequest) -> HttpResponseBase:
    """The same list as a file."""
    found = EndpointFilter(request.GET, request.user).narrow(visible_endpoints(request.user))
    rows, _ = in_order(request, found, COLUMNS, default="name")
    return csv_response(
        "endpoints",
        EXPORTED,
        (
            (
                one.name,
                str(one.partner or ""),
                one.url,
                ", ".join(one.events),
                one.get_state_display(),
                one.failing_since,
                one.answered_at,
            )
            for one in rows.iterator()
        ),
    )


@require_http_methods(["GET", "POST"])
@requires("alerts", "full")
@never_cache
def endpoint_add(request: HttpRequest) -> HttpResponse:
    """Add an endpoint; its secret is shown once."""
    user = signed_in(request)
    form = NewEndpointForm(request.POST or None, user=user)
    if form.is_valid():
        data = form.cleaned_data
        partner = data["partner"]
        if partner is None:
            require_everywhere(user, "full", "alerts")
        with transaction.atomic():
            made = attempt(
                form,
                lambda: services.add_endpoint(
                    partner, data["name"], data["url"], data["events"], now=timezone.now()
                ),
            )
            if made:
                changes = audit.changed_fields({}, _shown(made[0]))
                audit.record(user, "added", made[0], changes, partner=partner)
        if made:
            return _page(request, made[0], secret=made[1])
    return render(request, "portal/endpoints/edit.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires("alerts", "full")
@transaction.atomic
def endpoint_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change name, address and what it is told of."""
    endpoint = endpoint_for(request.user, pk)
    shown = _shown(endpoint)
    form = EndpointForm(request.POST or None, shown=shown)
    if form.is_valid():
        data = form.cleaned_data
        if succeeds(
            form, lambda: services.change_endpoint(endpoint, data["name"], data["url"], data["events"])
        ):
            if changes := audit.changed_fields(shown, _shown(endpoint)):
                audit.record(request.user, "changed", endpoint, changes)
            messages.success(request, "Saved.")
            return redirect("endpoint_detail", pk)
    page = {"form": form, "endpoint": HookEndpoint.objects.get(pk=pk)}
    return render(request, "portal/endpoints/edit.html", page, status=422 if form.errors else 200)


def _shown(endpoint: HookEndpoint) -> dict[str, Any]:
    return {"name": endpoint.name, "url": endpoint.url, "events": list(endpoint.events)}


@require_safe
@requires("alerts", "full")
def endpoint_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One endpoint: its state, its secrets' ages, and every message."""
    return _page(request, endpoint_for(request.user, pk))


def _page(request: HttpRequest, endpoint: HookEndpoint, *, secret: str = "") -> HttpResponse:
    form = MessageFilter(request.GET, request.user)
    found = form.narrow(HookMessage.objects.filter(endpoint=endpoint))
    kinds = dict(HookMessage.Kind.choices)
    page = {
        "endpoint": endpoint,
        "secret": secret,
        "now": timezone.now(),
        "secrets": endpoint.secrets.all(),
        "events": [kinds.get(one, one) for one in endpoint.events],
        "form": form,
        "listing": listing(request, found, MESSAGES, default="-noted", per_page=MESSAGES_A_PAGE),
        "trail": trail_of(endpoint, request.user),
    }
    return render(request, "portal/endpoints/detail.html", page)


# --- Secrets ---


@require_POST
@requires("alerts", "full")
@never_cache
def endpoint_rotate(request: HttpRequest, pk: int) -> HttpResponse:
    """A new secret, shown once; the one before it signs beside it for a day."""
    endpoint = endpoint_for(request.user, pk)
    with transaction.atomic():
        secret = services.rotate_secret(endpoint, now=timezone.now())
        audit.record(request.user, "made a new secret for", endpoint)
    return _page(request, endpoint, secret=secret)


@require_POST
@requires("alerts", "full")
def endpoint_end_former(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign with the newest secret alone."""
    return _do(
        request,
        pk,
        services.end_former_secrets,
        trail="ended the former secrets of",
        done="Only the newest secret signs from here on.",
    )


# --- Running ---


@require_POST
@requires("alerts", "full")
def endpoint_pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Send nothing for a while."""
    return _do(
        request, pk, services.pause_endpoint, trail="paused", done="Paused. Messages are kept and sent later."
    )


@require_POST
@requires("alerts", "full")
def endpoint_resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Send again, what was kept first."""
    return _do(
        request,
        pk,
        lambda endpoint: services.resume_endpoint(endpoint, now=timezone.now()),
        trail="resumed",
        done="Resumed. What was kept is sent within a minute.",
    )


def _do(
    request: HttpRequest, pk: int, action: Callable[[HookEndpoint], bool], *, trail: str, done: str
) -> HttpResponse:
    endpoint = endpoint_for(request.user, pk)
    act(request, lambda: action(endpoint), obj=endpoint, trail=trail, done=done)
    return redirect("endpoint_detail", pk)


@require_POST
@requires("alerts", "full")
def endpoint_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a test event now.  Waits for the endpoint, some seconds at most."""
    endpoint = endpoint_for(request.user, pk)
    message = services.send_test(endpoint, now=timezone.now())
    audit.record(request.user, "tested", endpoint, {"outcome": message.problem or "taken"})
    _tell(request, message)
    return redirect("endpoint_detail", pk)


@require_POST
@requires("alerts", "full")
def endpoint_resend(request: HttpRequest, pk: int, message_pk: int) -> HttpResponse:
    """Send one message once more, under its own id."""
    endpoint = endpoint_for(request.user, pk)
    message = get_object_or_404(
        HookMessage.objects.select_related("endpoint"), pk=message_pk, endpoint=endpoint
    )
    services.resend(message, now=timezone.now())
    audit.record(request.user, "sent a web hook again to", endpoint, {"message": message.message_id})
    _tell(request, message)
    return redirect("endpoint_detail", pk)


def _tell(request: HttpRequest, message: HookMessage) -> None:
    if message.state == HookMessage.State.DELIVERED:
        messages.success(request, f"It was taken, with status {message.status}.")
    else:
        messages.error(request, f"It was not taken: {message.problem} It is tried again by itself.")


@require_http_methods(["GET", "POST"])
@requires("alerts", "full")
def endpoint_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete an endpoint with its secrets and messages, after asking."""
    endpoint = endpoint_for(request.user, pk)
    if request.method == "POST":
        with transaction.atomic():
            audit.record(request.user, "discarded", endpoint)
            services.discard_endpoint(endpoint)
        messages.success(request, f"{endpoint.name} is discarded.")
        return redirect("endpoint_list")
    return render(request, "portal/endpoints/discard.html", {"endpoint": endpoint})


urlpatterns = [
    path("", endpoint_list, name="endpoint_list"),
    path("export.csv", endpoint_export, name="endpoint_export"),
    path("add/", endpoint_add, name="endpoint_add"),
    path("<int:pk>/", endpoint_detail, name="endpoint_detail"),
    path("<int:pk>/edit/", endpoint_edit, name="endpoint_edit"),
    path("<int:pk>/secret/", endpoint_rotate, name="endpoint_rotate"),
    path("<int:pk>/secret/end-former/", endpoint_end_former, name="endpoint_end_former"),
    path("<int:pk>/pause/", endpoint_pause, name="endpoint_pause"),
    path("<int:pk>/resume/", endpoint_resume, name="endpoint_resume"),
    path("<int:pk>/test/", endpoint_test, name="endpoint_test"),
    path("<int:pk>/messages/<int:message_pk>/", endpoint_resend, name="endpoint_resend"),
    path("<int:pk>/discard/", endpoint_discard, name="endpoint_discard"),
]
