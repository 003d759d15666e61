"""The delivery at the head of a lane, and the writes that a history has still to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from integrations.engine import effects
from integrations.engine.values import (
    ConnectionView,
    HeadView,
    LaneState,
    OpenWrite,
    Operation,
    TicketState,
    winner_from,
)
from integrations.simulation.memory.picture import Picture, state_of
from integrations.simulation.memory.shared import Memory
from integrations.simulation.rows import DeliveryRow, LaneRow

ADDITIONS = (Operation.COMMENT, Operation.FILE)


class Heads(Picture):
    """Shows a worker the head of its lane."""

    def _load_heads(self, requests: Sequence[effects.LoadHead]) -> list[HeadView | None]:
        heads = [self.load_head(request) for request in requests]
        updated = {
            head.target.id for head in heads if head and head.target and head.operation is Operation.UPDATE
        }
        return [
            replace(head, own_writes=self._own_writes(head.target.id))
            if head and head.target and head.target.id in updated
            else head
            for head in heads
        ]

    def _own_writes(self, ticket_id: int) -> tuple[OpenWrite, ...]:
        rows = self.memory.unrecognised.get(ticket_id, {})
        return tuple(self._open_write(rows[pk]) for pk in sorted(rows))

    def load_head(self, request: effects.LoadHead) -> HeadView | None:
        """The head of a lane still ours; an empty or stopped one is given back."""
        lane = self.memory.tables.lanes[request.lane_id]
        queue = self.memory.queues[lane.id]
        if not self.owns(request) or lane.state is not LaneState.READY or lane.head > lane.tail:
            if self.owns(request):
                lane.owner, lane.leased_until = "", None
            return None
        target = self._target(lane)
        head = queue[lane.head - 1]
        waiting = queue[lane.head : lane.head + request.followers]
        followers = tuple(self._head_view(lane, row, target) for row in waiting)
        return self._head_view(lane, head, target, followers)

    def _target(self, lane: LaneRow) -> TicketState | None:
        pk = self.memory.tables.linked[lane.linked_id].tickets.get(lane.target_side_id)
        return state_of(self.memory.tables.tickets[pk]) if pk else None

    def _head_view(
        self,
        lane: LaneRow,
        row: DeliveryRow,
        target: TicketState | None,
        followers: tuple[HeadView, ...] = (),
    ) -> HeadView:
        is_head = row.number == lane.head
        known = is_head and target is not None and (target.id, row.origin) in self.memory.tables.effects
        view = head_view(self._connections[lane.connection_id], lane, row)
        return replace(
            view, has_effect=known and row.operation in ADDITIONS, target=target, followers=followers
        )

    def _open_write(self, row: DeliveryRow) -> OpenWrite:
        return open_write(self.memory, row)


def open_write(memory: Memory, row: DeliveryRow) -> OpenWrite:
    """A write of ours that its ticket's history has not shown entirely."""
    return OpenWrite(
        delivery_id=row.id,
        connection_id=memory.tables.lanes[row.lane_id].connection_id,
        state=row.state,
        stamp=row.stamp,
        origin=row.origin,
        hops=row.hops,
        marker=row.marker,
        creates=bool(row.unseen.get("creates")),
        fields=row.unseen.get("fields", {}),
        comment=row.unseen.get("comment"),
        file=row.unseen.get("file", ""),
        change_ids=tuple(row.result.get("change_ids", ())),
        comment_id=row.result.get("comment_id", ""),
        attachment_id=row.result.get("attachment_id", ""),
        done_at=row.done_at,
        over={name: winner_from(made_of) for name, made_of in row.unseen.get("over", {}).items()},
        stood=row.unseen.get("stood", {}),
        held=row.unseen.get("held", {}),
        behind=row.unseen.get("behind", {}),
    )


def head_view(connection: ConnectionView, lane: LaneRow, row: DeliveryRow) -> HeadView:
    """A delivery as the engine sees it, without its target."""
    sender = connection.other(lane.target_side_id)
    return HeadView(
        lane_id=lane.id,
        delivery_id=row.id,
        number=row.number,
        operation=row.operation,
        state=row.state,
        marker=row.marker,
        origin=row.origin,
        stamp=row.stamp,
        envelope=row.envelope,
        problem=row.problem,
        wanted=row.wanted,
        is_recognised=row.is_recognised,
        has_effect=False,
        send_by=row.send_by,
        tries=row.tries,
        lane_tries=lane.tries,
        side=connection.side(lane.target_side_id),
        sender=sender,
        target=None,
        source_system_id=sender.system_id,
        linked_ticket_id=lane.linked_id,
        is_told=row.told_at is not None,
        pre_image=row.pre_image,
        follows=row.unseen.get("follows", 0),
        landed=frozenset(row.pre_image).difference(row.unseen.get("fields", ())),
    )
