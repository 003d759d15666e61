"""Web hooks from the partners' systems: prove, record, answer.  Milliseconds, and nothing of the body is believed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from integrations import tasks
from integrations.connectors.errors import ConnectorError, HookRefused
from integrations.connectors.protocol import Connector, HookRequest
from integrations.models import System
from integrations.services import hints
from integrations.services.systems import hook_secrets, open_connector_for

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Known:
    """A system, its open connector and its secrets, believed for a moment."""

    system: System
    connector: Connector
    secrets: list[str]
    loaded_at: datetime


# By hook address.  A web hook has to be answered in milliseconds, and a system's settings change once a month.
_known: dict[str, _Known] = {}
_KNOWN_FOR = timedelta(seconds=2)


# The signature is the proof of origin; there is no session and no cookie to protect.
@csrf_exempt
@login_not_required
@require_POST
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """Take one web hook: 202 once it is stored, 401 when it is not proven, 503 when we cannot store it.

    Never 410, and never a 4xx for trouble of our own: vendors stop sending after those.
    """
    now = timezone.now()
    try:
        known = _look_up(token, now)
        if known is None:
            return JsonResponse({"error": "No system has this web hook address."}, status=404)
        if int(request.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:
            return JsonResponse({"error": "The web hook's body is larger than 1 MB."}, status=413)
        headers = {name.lower(): value for name, value in request.headers.items()}
        proven = known.connector.verify_hook(HookRequest(headers, request.body, now), known.secrets)
        if hints.take_hook(known.system, proven, now):
            tasks.wake()
    except HookRefused as refusal:
        logger.warning("hook_refused", extra={"hook": token[:6], "reason": refusal.reason})
        return JsonResponse(
            {"error": "The web hook's signature does not prove where it comes from."}, status=401
        )
    except (DatabaseError, ConnectorError):
        # ConnectorError: a credential cannot be opened.  The vendor sends again, and polling finds the change.
        logger.exception("hook_not_stored")
        return JsonResponse(
            {"error": "Concord cannot take anything at the moment. Please send it again."}, status=503
        )
    return JsonResponse({"status": "taken"}, status=202)


def _look_up(token: str, now: datetime) -> _Known | None:
    known = _known.get(token)
    if known is None or now - known.loaded_at > _KNOWN_FOR:
        system = System.objects.filter(hook_token=token).first()
        if system is None:
            return None
        known = _Known(system, open_connector_for(system), hook_secrets(system), now)
        _known[token] = known
    return known
