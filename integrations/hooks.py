"""Web hooks from the partners' systems: prove, record, answer.  Milliseconds, and nothing of the body is believed."""

from __future__ import annotations

import functools
import logging

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from integrations import tasks
from integrations.connectors.errors import HookRefused
from integrations.connectors.protocol import Connector, HookRequest
from integrations.models import System
from integrations.services import hints
from integrations.services.systems import hook_secrets, open_connector_for

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024


# The signature is the proof of origin; there is no session and no cookie to protect.
@csrf_exempt
@login_not_required
@require_POST
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """Take one web hook: 202 once it is stored, 401 when it is not proven, 503 when we cannot store it.

    Never 410, and never a 4xx for trouble of our own: vendors stop sending after those.
    """
    try:
        system = System.objects.filter(hook_token=token).first()
        if system is None:
            return JsonResponse({"error": "No system has this web hook address."}, status=404)
        body = request.body if int(request.headers.get("Content-Length") or 0) <= MAX_BODY_BYTES else None
        if body is None:
            return JsonResponse({"error": "The web hook's body is larger than 1 MB."}, status=413)
        now = timezone.now()
        headers = {name.lower(): value for name, value in request.headers.items()}
        proven = _connector(system).verify_hook(HookRequest(headers, body, now), _secrets(system))
        if hints.take_hook(system, proven, now):
            transaction.on_commit(tasks.wake)
    except HookRefused as refusal:
        logger.warning("hook_refused", extra={"system_id": system.pk, "reason": refusal.reason})
        return JsonResponse({"error": "The web hook's signature does not prove where it comes from."}, status=401)
    except DatabaseError:
        logger.exception("hook_not_stored")
        return JsonResponse({"error": "Concord cannot store anything at the moment. Please send it again."}, status=503)
    return JsonResponse({"status": "taken"}, status=202)


def _connector(system: System) -> Connector:
    return _opened(system.kind, system.base_url, str(sorted(system.settings.items())), system.pk)


@functools.lru_cache(maxsize=256)
def _opened(_kind: str, _base_url: str, _settings: str, pk: int) -> Connector:
    """An open connector, kept while the system's settings are the same; verifying calls nobody."""
    return open_connector_for(System.objects.get(pk=pk))


def _secrets(system: System) -> list[str]:
    return hook_secrets(system)
