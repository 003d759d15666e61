"""Whether the background work goes on, for the banner, the bell, the overview and whoever probes from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, IntegerField, Subquery, Value
from django.db.models.functions import Coalesce

from integrations.models import Heartbeat
from integrations.services.heartbeats import TICK
from integrations.watch.conditions import WORKER_SILENT_AFTER
from portal.access import Someone
from portal.alerts import visible_alerts


@dataclass(frozen=True, slots=True)
class Background:
    """Whether a worker runs, when it was last heard of (None: never), and how many alerts nobody has in hand."""

    is_running: bool
    seen_at: datetime | None
    open_alerts: int


def background(user: Someone, now: datetime) -> Background:
    """For the top of every page.  One query, answered from two short indexes."""
    mine = visible_alerts(user).open().order_by().annotate(all=Value(1)).values("all")
    count = mine.annotate(count=Count("pk")).values("count")
    row = (
        Heartbeat.objects.filter(name=TICK)
        .annotate(alerts=Coalesce(Subquery(count, output_field=IntegerField()), 0))
        .values_list("at", "alerts")
        .first()
    )
    if row is None:
        # Where no worker ever ran the banner says more than a number.
        return Background(False, None, 0)
    at, alerts = row
    return Background(now - at < WORKER_SILENT_AFTER, at, alerts)
