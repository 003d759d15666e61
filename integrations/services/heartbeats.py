"""Signs of life of the background work: who was heard of when."""

from __future__ import annotations

from datetime import datetime

from integrations.models import Heartbeat

TICK, SWEEP, WATCH = "tick", "sweep", "watch"


def beat(name: str, now: datetime) -> None:
    """Leave a sign of life.  One query."""
    if not Heartbeat.objects.filter(name=name).update(at=now):
        Heartbeat.objects.get_or_create(name=name, defaults={"at": now})


def heard() -> dict[str, datetime]:
    """When each part that ever ran was last heard of.  One query."""
    return dict(Heartbeat.objects.values_list("name", "at"))


def forget(name: str) -> bool:
    """Expect a part no more; whether it ever ran."""
    deleted, _ = Heartbeat.objects.filter(name=name).delete()
    return bool(deleted)
