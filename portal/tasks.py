"""Celery entry points of the portal itself, one line of work each."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from portal.drill import run


@shared_task
def run_drills() -> None:
    """Take the next step of every drill that is due."""
    run.run_due(timezone.now())
