"""People of a connection: who was met on either side, and who is whom."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST

from integrations.models import Connection, PersonPair
from integrations.services import people as services
from portal import audit
from portal.access import may, requires
from portal.acting import act
from portal.forms.base import attempt
from portal.forms.people import PairForm


@require_http_methods(["GET", "POST"])
@requires("connections", "full")
def person_list(request: HttpRequest, pk: int) -> HttpResponse:
    """The people whom nobody has paired yet, the pairs, and a form for one more."""
    connection = _connection(request, pk)
    sides = {side.position: side.system for side in connection.sides.all()}
    form = PairForm(
        request.POST or None,
        met={position: services.people_met(system) for position, system in sides.items()},
        labels={position: system.name for position, system in sides.items()},
    )
    if form.is_valid():
        with transaction.atomic():
            pair = attempt(
                form, lambda: services.pair_people(connection, form.person("left"), form.person("right"))
            )
            if pair is not None:
                audit.record(request.user, "paired people in", connection, {"people": str(pair)})
        if pair is not None:
            messages.success(request, f"{pair}: the same person from now on.")
            return redirect("person_list", pk)
    unpaired = services.unpaired(connection)
    page = {
        "connection": connection,
        "form": form,
        "strangers": [(system, unpaired[position]) for position, system in sorted(sides.items())],
        "systems": [system for _, system in sorted(sides.items())],
        "pairs": connection.people.all(),
    }
    return render(request, "portal/people/list.html", page, status=422 if form.errors else 200)


@require_POST
@requires("connections", "full")
def person_part(request: HttpRequest, pk: int, pair_pk: int) -> HttpResponse:
    """Say that two are not the same person after all."""
    connection = _connection(request, pk)
    pair = get_object_or_404(PersonPair, connection=connection, pk=pair_pk)
    act(
        request,
        lambda: bool(pair.delete()),
        obj=connection,
        trail="parted people in",
        changes={"people": str(pair)},
        done="Parted. Fields with them stay as they are.",
    )
    return redirect("person_list", pk)


def _connection(request: HttpRequest, pk: int) -> Connection:
    """The connection; 404 when none of its sides is the person's, 403 without the right at both partners."""
    found = Connection.objects.visible_to(request.user).prefetch_related("sides__system__partner")
    connection = get_object_or_404(found, pk=pk)
    if not all(
        may(request.user, "full", "connections", side.system.partner) for side in connection.sides.all()
    ):
        raise PermissionDenied("Needs full control of connections at both partners.")
    return connection


urlpatterns = [
    path("<int:pk>/people/", person_list, name="person_list"),
    path("<int:pk>/people/<int:pair_pk>/part/", person_part, name="person_part"),
]
