"""The overview: the first page after signing in, different by what a person may see."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal import overview
from portal.access import may, rights_of
from portal.live import render_live
from portal.queue import standing_for


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Does the work go on, what waits for a person, which service levels are close, which systems are well.

    Open to everybody who signed in; each part asks for its own right.
    """
    user, now = request.user, timezone.now()
    page = {"now": now, "is_stranger": not rights_of(user).levels}
    if may(user, "read", "queue"):
        page |= {
            "standing": standing_for(user),
            "parked": overview.waiting_for_people(user, now),
            "today": overview.today(user, now),
        }
    if may(user, "read", "alerts"):
        page["alerts"] = overview.alerts(user)
    if may(user, "read", "connections"):
        page["connections"] = overview.connections_health(user)
    if may(user, "read", "systems"):
        page["findings"] = overview.findings(user)
    if may(user, "read", "reports") and may(user, "read", "tickets"):
        page["at_risk"] = overview.at_risk(user, now)
    if may(user, "read", "tickets"):
        page["latest"] = overview.latest(user)
    return render_live(request, "portal/home/overview.html", "portal/home/_overview.html", page)


urlpatterns = [path("", home, name="home")]
