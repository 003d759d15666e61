"""Claims: which lanes and readings are due, and who has them in hand."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from integrations.engine.ports import NO_LIMITS, ClaimedLane, ClaimedReading, Room
from integrations.engine.values import LaneState
from integrations.simulation.memory.picture import Picture
from integrations.simulation.rows import LaneRow, TicketRow


class Claims(Picture):
    """Leases lanes, and takes tickets whose history is due to be read."""

    def has_work(self, now: datetime, busy: Collection[int] = ()) -> bool:
        """Whether a claim would find something."""
        tables = self.memory.tables
        return any(
            row.read_due_at is not None
            and row.read_due_at <= now
            and row.system_id not in busy
            and self.memory.callable(row.system_id, now)
            for row in tables.tickets.values()
        ) or any(lane.system_id not in busy and self.is_due(lane, now) for lane in tables.lanes.values())

    def has_work_in(self, system_id: int, now: datetime) -> bool:
        """Whether something is due in one system."""
        others = [other for other in self.memory.tables.systems if other != system_id]
        return self.has_work(now, others)

    def claim(
        self,
        owner: str,
        now: datetime,
        lease_s: int,
        limit: int,
        busy: Collection[int] = (),
        room: Room = NO_LIMITS,
    ) -> tuple[list[ClaimedLane], list[ClaimedReading]]:
        """Lease lanes that are due, and take tickets whose history is due to be read."""
        tables = self.memory.tables
        until = now + timedelta(seconds=lease_s)
        due = [
            lane for lane in tables.lanes.values() if lane.system_id not in busy and self.is_due(lane, now)
        ]
        due.sort(key=lambda lane: lane.next_at)
        lanes = []
        for lane in due[: max(0, limit)]:
            lane.owner, lane.leased_until = owner, until
            lane.fence += 1
            lanes.append(ClaimedLane(lane.id, lane.fence, lane.system_id, until))
        readings: list[tuple[datetime, TicketRow]] = [
            (row.read_due_at, row)
            for row in tables.tickets.values()
            if row.read_due_at is not None
            and row.read_due_at <= now
            and row.system_id not in busy
            and self.memory.callable(row.system_id, now)
        ]
        readings.sort(key=lambda pair: pair[0])
        claimed = []
        for _, row in readings[: max(0, limit - len(lanes))]:
            row.read_due_at = until
            claimed.append(
                ClaimedReading(
                    row.id, row.system_id, row.remote_id, row.cursor, row.version, row.read_failures
                )
            )
        return lanes, claimed

    def is_due(self, lane: LaneRow, now: datetime) -> bool:
        """Whether the lane may move now."""
        return (
            lane.waits
            and lane.state is LaneState.READY
            and lane.next_at <= now
            and (lane.leased_until is None or lane.leased_until <= now)
            and self.memory.callable(lane.system_id, now)
            and self.memory.runs(lane)
        )
