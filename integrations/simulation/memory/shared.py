"""What all workers share: the tables, and the configuration as people have set it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from integrations.engine.undo_plan import Planned
from integrations.engine.values import ConnectionView, Operation
from integrations.simulation.rows import AttemptRow, DeliveryRow, LaneRow, Tables, TicketRow


@dataclass(slots=True, eq=False)
class Undoing:
    """What somebody has asked to be undone: one delivery, or all that a version of the rules wrote.

    `items` are what would be put back, until `reverts` are queued.
    """

    subject: tuple[str, int]
    items: list[tuple[LaneRow, TicketRow, Planned]]
    reverts: list[DeliveryRow] = field(default_factory=list)
    is_discarded: bool = False


@dataclass(slots=True)
class Memory:
    """What all workers share: the tables, and the configuration as people have set it."""

    tables: Tables = field(default_factory=Tables)
    connections: dict[int, ConnectionView] = field(default_factory=dict)
    paused_connections: set[int] = field(default_factory=set)
    paused_sides: set[int] = field(default_factory=set)
    # By lane, in their order; and by ticket those whose writes its history has still to show.
    queues: dict[int, list[DeliveryRow]] = field(default_factory=dict)
    unrecognised: dict[int, dict[int, DeliveryRow]] = field(default_factory=dict)
    attempts_of: dict[int, list[AttemptRow]] = field(default_factory=dict)
    lanes_of: dict[tuple[int, int], LaneRow] = field(default_factory=dict)
    linked_of: dict[int, list[int]] = field(default_factory=dict)
    ticket_ids: dict[tuple[int, str], int] = field(default_factory=dict)
    seen_changes: set[tuple[int, str]] = field(default_factory=set)
    creates: dict[int, DeliveryRow] = field(default_factory=dict)
    # Deliveries for which a closed ticket is followed up.
    follows: dict[int, DeliveryRow] = field(default_factory=dict)
    markers: int = 0
    undoings: list[Undoing] = field(default_factory=list)

    def next_id(self, table: Mapping[int, object]) -> int:
        """Keys count from 1 in every table."""
        return len(table) + 1

    def new_marker(self) -> str:
        """A marker that nothing else has."""
        self.markers += 1
        return f"concord-{self.markers}"

    def ticket(self, system_id: int, remote_id: str) -> TicketRow | None:
        """The ticket by its system's key."""
        pk = self.ticket_ids.get((system_id, remote_id))
        return self.tables.tickets[pk] if pk else None

    def add_ticket(self, system_id: int, remote_id: str) -> TicketRow:
        """A ticket that becomes known now."""
        row = TicketRow(self.next_id(self.tables.tickets), system_id, remote_id)
        self.tables.tickets[row.id] = row
        self.ticket_ids[system_id, remote_id] = row.id
        return row

    def note_hints(self, system_id: int, remote_ids: Iterable[str], now: datetime) -> None:
        """These tickets changed, somebody says: read them."""
        for remote_id in dict.fromkeys(remote_ids):
            row = self.ticket(system_id, remote_id) or self.add_ticket(system_id, remote_id)
            read_until(row, now, now)
            row.hinted_at = now

    def note_polled(self, system_id: int, marks: Mapping[str, str], now: datetime) -> None:
        """The system says that these changed: read those whose state is not the one that was read last."""
        known = {remote_id: self.ticket(system_id, remote_id) for remote_id in marks}
        wanted = [
            remote_id
            for remote_id, row in known.items()
            if not marks[remote_id] or row is None or row.mark != marks[remote_id]
        ]
        self.note_hints(system_id, wanted, now)

    def queue(self, lane: LaneRow, row: DeliveryRow, now: datetime, *, is_bulk: bool = False) -> None:
        """Number the delivery at the end of this lane and let the lane wait for it; live work makes the lane live."""
        lane.tail += 1
        row.id = self.next_id(self.tables.deliveries)
        row.lane_id, row.number, row.queued_at = lane.id, lane.tail, now
        self.tables.deliveries[row.id] = row
        self.queues[lane.id].append(row)
        if row.operation is Operation.CREATE:
            self.creates[row.id] = row
        lane.is_bulk = is_bulk and (lane.is_bulk or not lane.waits)
        if not lane.waits:
            lane.waits, lane.waits_since, lane.next_at = True, now, now

    def lane_back(self, lane_id: int) -> LaneRow:
        """The other direction of the same linked ticket."""
        lane = self.tables.lanes[lane_id]
        other = self.connections[lane.connection_id].other(lane.target_side_id)
        return self.lanes_of[lane.linked_id, other.id]

    def callable(self, system_id: int, now: datetime) -> bool:
        """Whether a system may be called now."""
        row = self.tables.systems[system_id]
        return row.is_active and (row.paused_until is None or row.paused_until <= now)

    def runs(self, lane: LaneRow) -> bool:
        """Whether the lane's connection and both of its sides take part."""
        connection = self.connections[lane.connection_id]
        return (
            lane.connection_id not in self.paused_connections
            and connection.left.id not in self.paused_sides
            and connection.right.id not in self.paused_sides
        )


def read_until(row: TicketRow, now: datetime, due: datetime) -> None:
    """Its history is to be read, no later than `due`."""
    row.stale_since = now
    if row.read_due_at is None or row.read_due_at > due:
        row.read_due_at = due
