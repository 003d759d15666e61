"""Claims: which lanes and readings are due, and who has them in hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from integrations.engine.ports import NO_LIMITS, ClaimedLane, ClaimedReading, Room
from integrations.engine.values import LaneState
from integrations.simulation.memory.picture import Picture
from integrations.simulation.rows import LaneRow, TicketRow

# What bulk work may take of a claim in which it comes first.
BULK_SHARE = 4


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
        """Lease lanes that are due, and take tickets whose history is due to be read: live ones before bulk."""
        found = _Found(self, now, max(0, limit), busy, room)
        if room.bulk_first:
            found.look(is_bulk=True, most=max(1, limit // BULK_SHARE))
            found.look(is_bulk=False, most=limit)
        else:
            found.look(is_bulk=False, most=limit)
            found.look(is_bulk=True, most=limit)
        until = now + timedelta(seconds=lease_s)
        lanes = []
        for lane in found.lanes:
            lane.owner, lane.leased_until = owner, until
            lane.fence += 1
            lanes.append(ClaimedLane(lane.id, lane.fence, lane.system_id, until))
        for row in found.readings:
            row.read_due_at = until
        return lanes, [
            ClaimedReading(row.id, row.system_id, row.remote_id, row.cursor, row.version, row.read_failures)
            for row in found.readings
        ]

    def due_readings(self, now: datetime) -> list[TicketRow]:
        """Tickets whose history is to be read now, the longest waiting first."""
        due: list[tuple[datetime, TicketRow]] = [
            (row.read_due_at, row)
            for row in self.memory.tables.tickets.values()
            if row.read_due_at is not None
            and row.read_due_at <= now
            and self.memory.callable(row.system_id, now)
        ]
        due.sort(key=lambda pair: pair[0])
        return [row for _, row in due]

    def due_lanes(self, now: datetime) -> list[LaneRow]:
        """Lanes that may move now, the longest waiting first."""
        due = [lane for lane in self.memory.tables.lanes.values() if self.is_due(lane, now)]
        due.sort(key=lambda lane: lane.next_at)
        return due

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


class _Found:
    """What a claim has found so far."""

    def __init__(self, claims: Claims, now: datetime, limit: int, busy: Collection[int], room: Room) -> None:
        self.due_lanes, self.due_readings = claims.due_lanes(now), claims.due_readings(now)
        self.limit, self.busy, self.room = limit, busy, room
        self.lanes: list[LaneRow] = []
        self.readings: list[TicketRow] = []
        # Steps found so far in each system.
        self.taken: Counter[int] = Counter()

    def look(self, *, is_bulk: bool, most: int) -> None:
        """Take what is due of one kind: in systems with enough calls together, in the others system by system."""
        limit, room = min(self.limit, len(self.lanes) + len(self.readings) + most), self.room
        left_out = {*self.busy, *room.steps}
        if is_bulk:
            left_out.update(room.without_bulk)
        lanes = [lane for lane in self.due_lanes if lane.is_bulk is is_bulk]
        readings = [] if is_bulk else self.due_readings
        for into, due in ((self.lanes, lanes), (self.readings, readings)):
            wanted = [one for one in due if one.system_id not in left_out]
            self._take(into, wanted, limit)
        for system_id, steps in room.steps.items():
            if not steps or system_id in self.busy or (is_bulk and system_id in room.without_bulk):
                continue
            for into, due in ((self.lanes, lanes), (self.readings, readings)):
                most_here = min(limit, len(self.lanes) + len(self.readings) + steps - self.taken[system_id])
                self._take(into, [one for one in due if one.system_id == system_id], most_here)

    def _take(self, into: list[Any], due: Sequence[Any], limit: int) -> None:
        for one in due:
            if len(self.lanes) + len(self.readings) >= limit:
                return
            if one not in into and self.room.free_share(one.system_id, self.taken[one.system_id]) > 0:
                into.append(one)
                self.taken[one.system_id] += 1
