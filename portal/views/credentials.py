"""When a system's credentials run out: the days, entered by hand, since none of the vendors tells them."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods

from integrations.services import systems as services
from portal import audit
from portal.access import requires
from portal.forms.credentials import ExpiryForm
from portal.views.systems import fetch_system


@require_http_methods(["GET", "POST"])
@requires("systems", "write")
@transaction.atomic
def system_expiry(request: HttpRequest, pk: int) -> HttpResponse:
    """Enter the last day on which each credential holds."""
    system = fetch_system(request, pk, "write", lock=request.method == "POST")
    labels = {spec.name: spec.label for spec in services.settings_of(system.kind)}
    # A secret for web hooks is ours, and holds until somebody makes another.
    stored = [one for one in system.secrets.order_by("name") if one.name in labels]
    form = ExpiryForm(
        request.POST or None, days={one.name: (labels[one.name], one.expires_on) for one in stored}
    )
    if form.is_valid():
        before = {one.name: one.expires_on for one in stored}
        after = {name: form.cleaned_data[name] for name in before}
        for name, day in after.items():
            services.set_expiry(system, name, day)
        if changes := audit.changed_fields(before, after):
            audit.record(request.user, "entered the last days of", system, {"runs_out": changes})
        messages.success(request, "Saved. Reminders come 30, 14, 7 and 1 days before.")
        return redirect("system_detail", pk)
    page = {"system": system, "form": form, "has_credentials": bool(stored)}
    return render(request, "portal/systems/expiry.html", page, status=422 if form.errors else 200)


urlpatterns = [path("<int:pk>/credentials/", system_expiry, name="system_expiry")]
