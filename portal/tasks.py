"""Celery entry points of the portal itself.  Like every task they carry no data."""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from integrations.services import heartbeats
from integrations.watch.conditions import WATCH_SILENT_AFTER
from portal import watching
from portal.drill import run

logger = logging.getLogger(__name__)


@shared_task
def run_drills() -> None:
    """Take the next step of every drill that is due."""
    run.run_due(timezone.now())


@shared_task
def watch() -> None:
    """Walk one round of the watch.  A database that is away is the outer watcher's to tell."""
    now = timezone.now()
    try:
        outer = heartbeats.heard().get(heartbeats.WATCH)
        is_alone = outer is None or now - outer > WATCH_SILENT_AFTER
        # This message came through the broker.  Where another watcher asks it, its word counts: two who see it from
        # different places would otherwise open and close its alert in turns.
        watching.walk(now, broker_answers=True if is_alone else None)
    except OperationalError as error:
        logger.warning("database_away", extra={"task": "watch", "reason": str(error)})
