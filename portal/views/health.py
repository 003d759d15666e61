"""What probes ask: is the process alive, and can it serve.  Open to everybody, so it says little."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)


@require_safe
@never_cache
@login_not_required
def alive(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers; touches nothing."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
@login_not_required
def ready(request: HttpRequest) -> HttpResponse:
    """200 when the database can be reached and has every migration, 503 otherwise."""
    answers = {"database": False, "migrations": False}
    try:
        executor = MigrationExecutor(connection)
        answers["database"] = True
        answers["migrations"] = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        logger.exception("database_unreachable")
    return JsonResponse(answers, status=200 if all(answers.values()) else 503)


urlpatterns = [
    path("healthz", alive, name="alive"),
    path("readyz", ready, name="ready"),
]
