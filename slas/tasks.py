"""Celery entry points, one line of work each.  What can wait lets tickets go first."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from integrations.services import live_work
from slas import services


@shared_task
def sweep_clocks() -> None:
    """Mark clocks that ran out, and continue what changed terms left to compute."""
    services.sweep(timezone.now(), pace=services.Pace(lambda: live_work.is_due(timezone.now())))
