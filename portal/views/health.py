"""What probes ask: is the process alive, and can it serve.  Open to everybody, so it says little."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from integrations.services import heartbeats
from integrations.watch.conditions import Background, Condition, judge_background

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
    answers = _database()
    return JsonResponse(answers, status=200 if all(answers.values()) else 503)


@require_safe
@never_cache
@login_not_required
def health(request: HttpRequest) -> HttpResponse:
    """200 while the portal serves and its work goes on, 503 otherwise; for monitoring outside of Concord.

    `worker`, `sweep` and `watch` say how many seconds ago each was last heard of, null for never.  A watcher that is
    away is reported and fails nothing: the work goes on without it.
    """
    now = timezone.now()
    answers = _database()
    parts: dict[str, Any] = {name: {"ok": is_well} for name, is_well in answers.items()}
    if all(answers.values()):
        beats = heartbeats.heard()
        verdict = judge_background(
            Background(beats.get(heartbeats.TICK), beats.get(heartbeats.SWEEP), beats.get(heartbeats.WATCH)),
            now,
        )
        wrong = {one.code for one in verdict.standings}
        for name, beat, code in (
            ("worker", heartbeats.TICK, Condition.WORKER_AWAY),
            ("sweep", heartbeats.SWEEP, Condition.SWEEP_AWAY),
            ("watch", heartbeats.WATCH, Condition.WATCH_AWAY),
        ):
            at = beats.get(beat)
            age_s = None if at is None else round((now - at).total_seconds())
            is_well = code not in wrong and (at is not None or name == "watch")
            parts[name] = {"ok": is_well, "age_s": age_s}
    is_well = all(part["ok"] for name, part in parts.items() if name != "watch")
    body = {"status": "ok" if is_well else "failing", "checks": parts}
    return JsonResponse(body, status=200 if is_well else 503)


def _database() -> dict[str, bool]:
    answers = {"database": False, "migrations": False}
    try:
        executor = MigrationExecutor(connection)
        answers["database"] = True
        answers["migrations"] = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        logger.exception("database_unreachable")
    return answers


urlpatterns = [
    path("healthz", alive, name="alive"),
    path("readyz", ready, name="ready"),
    path("health", health, name="health"),
]
