"""Signs of life of the background work: who was heard of when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from integrations.models import Heartbeat

TICK, SWEEP, WATCH = "tick", "sweep", "watch"
# Its moment is when the turn ends by itself, should whoever has it die.
SWEEPING = "sweeping"


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


@contextmanager
def turn(name: str, now: datetime, lasts: timedelta) -> Iterator[bool]:
    """Whether it is ours to do: one of all processes has its turn, until it leaves the block or `lasts` is over.  Two
    queries."""
    Heartbeat.objects.get_or_create(name=name, defaults={"at": now})
    until = now + lasts
    is_ours = bool(Heartbeat.objects.filter(name=name, at__lte=now).update(at=until))
    try:
        yield is_ours
    finally:
        if is_ours:
            Heartbeat.objects.filter(name=name, at=until).update(at=now)
