"""Web hooks of a system: registered at the vendor by its interface, or set up by hand; their secrets."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from integrations.connectors.errors import ConnectorError
from integrations.models import System
from integrations.services import hook_registration as registration
from integrations.services import systems as services
from integrations.services.hook_health import hook_health
from integrations.services.hook_registration import hook_place
from integrations.services.hook_watch import judge_hooks
from integrations.services.refusals import NotPossible
from portal import audit
from portal.access import requires
from portal.acting import act
from portal.forms.systems import HookSecretForm
from portal.views.systems import came_from, fetch_system

# --- At the vendor ---


@require_POST
@requires("systems", "write")
def system_hook_register(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the vendor send web hooks; one that is there and signed with a known secret stays.  Calls the system."""
    return _at_vendor(
        request,
        pk,
        lambda system: registration.register_hooks(system, now=timezone.now()),
        trail="registered the web hook of",
        done="The web hook is registered. The next change there will arrive by it.",
        idle="It was registered already, and nothing had to be changed.",
    )


@require_POST
@requires("systems", "write")
def system_hook_renew(request: HttpRequest, pk: int) -> HttpResponse:
    """Register anew with a new secret; the former one stays accepted.  Calls the system."""
    return _at_vendor(
        request,
        pk,
        lambda system: registration.register_hooks(system, now=timezone.now(), renew=True),
        trail="renewed the web hook of",
        done="The web hook is registered anew with a new secret. The former one is accepted until you end it.",
    )


@require_POST
@requires("systems", "write")
def system_hook_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the vendor send no web hooks any more.  Calls the system."""
    return _at_vendor(
        request,
        pk,
        lambda system: registration.remove_hooks(system, now=timezone.now()),
        trail="removed the web hook of",
        done="The web hook is removed there. Changes are found by asking.",
    )


@require_POST
@requires("systems", "write")
def system_hook_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the vendor which web hooks lead here.  Calls the system."""
    system = fetch_system(request, pk, "write")
    try:
        standing = registration.look_at_hooks(system, now=timezone.now())
    except NotPossible as refusal:
        messages.error(request, refusal.message)
    else:
        judge_hooks(system, now=timezone.now())
        audit.record(request.user, "checked the web hook of", system, {"outcome": standing.state})
        messages.info(request, f"{system.kind_label} says: {standing.get_state_display().lower()}.")
    return _back(request, pk)


def _at_vendor(
    request: HttpRequest,
    pk: int,
    action: Callable[[System], object],
    *,
    trail: str,
    done: str,
    idle: str = "",
) -> HttpResponse:
    """Do it and tell.  Outside a transaction: a secret has to be stored before the vendor uses it."""
    system = fetch_system(request, pk, "write")
    try:
        was_done = action(system) is not False
    except NotPossible as refusal:
        messages.error(request, refusal.message)
        return _back(request, pk)
    if was_done:
        audit.record(request.user, trail, system)
    messages.success(request, done if was_done else idle)
    # What was wrong may be mended by this.
    judge_hooks(system, now=timezone.now())
    return _back(request, pk)


def _back(request: HttpRequest, pk: int) -> HttpResponse:
    return redirect(came_from(request) or reverse("system_detail", args=[pk]))


# --- Secrets and steps by hand ---


@require_safe
@requires("systems", "write")
@never_cache
def system_hooks(request: HttpRequest, pk: int) -> HttpResponse:
    """What the other side's administrator has to do for web hooks to arrive."""
    return _hooks_page(request, fetch_system(request, pk, "write"))


@require_POST
@requires("systems", "write")
@never_cache
def system_hook_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a new secret and show it, this once."""
    system = fetch_system(request, pk, "write")
    with transaction.atomic():
        secret = services.make_hook_secret(system)
        audit.record(request.user, "made a web hook secret for", system)
    # Not a redirect: the secret would have to be kept somewhere readable in between.
    return _hooks_page(request, system, secret=secret)


@require_POST
@requires("systems", "write")
@never_cache
def system_hook_take(request: HttpRequest, pk: int) -> HttpResponse:
    """Store the secret that the system itself has made."""
    system = fetch_system(request, pk, "write")
    form = HookSecretForm(request.POST)
    if not form.is_valid():
        return _hooks_page(request, system, form=form)
    act(
        request,
        lambda: services.take_hook_secret(system, form.cleaned_data["secret"]),
        obj=system,
        trail="entered the web hook secret of",
        done="The secret is stored. The one before it is still accepted.",
    )
    return redirect("system_hooks", pk)


@require_POST
@requires("systems", "write")
def system_hook_drop(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept the former secret no longer."""
    system = fetch_system(request, pk, "write")
    act(
        request,
        lambda: services.drop_previous_hook_secret(system),
        obj=system,
        trail="ended the former web hook secret of",
        done="Only the present secret is accepted now.",
    )
    return redirect("system_hooks", pk)


def _hooks_page(
    request: HttpRequest, system: System, *, secret: str = "", form: HookSecretForm | None = None
) -> HttpResponse:
    place = hook_place(system)
    stored = {one.name: one for one in system.secrets.filter(name__startswith=services.HOOK_SECRET)}
    page = {
        "system": system,
        "hooks": hook_health(system, now=timezone.now()),
        "place": place,
        "address": place.address,
        "secret": secret,
        "form": form or HookSecretForm(),
        "current": stored.get(services.HOOK_SECRET),
        "previous": stored.get(services.PREVIOUS_HOOK_SECRET),
    }
    try:
        steps = services.open_connector_for(system).hook_steps(place.address)
        # What follows an empty line is a script, which has to keep its lines to be pasted.
        page["steps"] = [(words, script) for words, _, script in (one.partition("\n\n") for one in steps)]
    except ConnectorError as error:
        page["trouble"] = error.message
    status = 422 if form is not None and form.errors else 200
    return render(request, "portal/systems/hooks.html", page, status=status)


urlpatterns = [
    path("<int:pk>/hooks/", system_hooks, name="system_hooks"),
    path("<int:pk>/hooks/make/", system_hook_secret, name="system_hook_secret"),
    path("<int:pk>/hooks/enter/", system_hook_take, name="system_hook_take"),
    path("<int:pk>/hooks/drop/", system_hook_drop, name="system_hook_drop"),
    path("<int:pk>/hooks/register/", system_hook_register, name="system_hook_register"),
    path("<int:pk>/hooks/renew/", system_hook_renew, name="system_hook_renew"),
    path("<int:pk>/hooks/remove/", system_hook_remove, name="system_hook_remove"),
    path("<int:pk>/hooks/check/", system_hook_check, name="system_hook_check"),
]
