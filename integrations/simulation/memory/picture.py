"""One worker's own picture of the configuration, beside the memory that everybody shares."""

from __future__ import annotations

import random as random_module
from datetime import datetime, timedelta
from typing import Any

from integrations.engine.values import ConnectionView, TicketState
from integrations.simulation.memory.shared import Memory
from integrations.simulation.rows import TicketRow

# How old a worker's picture of the configuration may be.
FRESH_FOR = timedelta(seconds=1)


class Picture:
    """What one worker knows of the configuration and of the systems' health, a moment old at most."""

    def __init__(self, memory: Memory, random: random_module.Random) -> None:
        self.memory = memory
        self._random = random
        self._connections: dict[int, ConnectionView] = {}
        self._by_system: dict[int, tuple[ConnectionView, ...]] = {}
        self._loaded_at: datetime | None = None
        self._failing: set[int] = set()

    def is_failing(self, system_id: int) -> bool:
        """Whether the system's last known state is a streak of failures."""
        return system_id in self._failing

    def _load(self, now: datetime) -> None:
        self._connections = dict(self.memory.connections)
        members: dict[int, list[ConnectionView]] = {}
        for view in self._connections.values():
            for side in (view.left, view.right):
                members.setdefault(side.system_id, []).append(view)
        self._by_system = {system_id: tuple(views) for system_id, views in members.items()}
        self._failing = {row.id for row in self.memory.tables.systems.values() if row.fail_streak}
        self._loaded_at = now

    def owns(self, request: Any) -> bool:
        """Whether the claim behind a request still holds."""
        return self.memory.tables.lanes[request.lane_id].fence == request.fence


def state_of(row: TicketRow) -> TicketState:
    """A ticket's row as the engine reads it."""
    return TicketState(
        id=row.id,
        system_id=row.system_id,
        remote_id=row.remote_id,
        cursor=row.cursor,
        version=row.version,
        event_count=row.event_count,
        actual=row.actual,
        winners=dict(row.winners),
        marker=row.marker,
        is_gone=row.is_gone,
        is_followed=row.followed_by is not None,
        is_twin=row.twin_of is not None,
        read_at=row.read_at,
        hinted_at=row.hinted_at,
    )
