"""What checkers look at: the world's journal, its systems and the store's tables, joined where they meet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property

from integrations.engine import effects
from integrations.engine.acknowledgements import is_word
from integrations.engine.values import ConnectionView, DeliveryState, Operation, SideView
from integrations.mapping.rules import RuleSet
from integrations.richtext import blocks
from integrations.simulation import unpromised
from integrations.simulation.journal import Happened, Journal, Sent
from integrations.simulation.rows import DeliveryRow, EventRow, LaneRow, LinkedRow, Tables, TicketRow
from integrations.simulation.systems import OUR_ACCOUNT, SimulatedTicket
from integrations.simulation.world import World

# How the origin of what a person has decided begins.
DECIDED = "conflict:"
# Where a word to a sender says what it is about.
_OF_A_WORD = "In Concord it is change "


class Evidence:
    """One world at rest."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal: Journal = world.journal
        self.tables: Tables = world.stage.tables()
        self.connections: dict[int, ConnectionView] = {view.id: view for view in world.links}

    # Rows.

    def place_of(self, ticket: TicketRow) -> int:
        """Where in the chain a ticket stands."""
        return self.world.places[ticket.system_id]

    def real(self, ticket: TicketRow) -> SimulatedTicket | None:
        """The ticket as its own system has it."""
        return self.world.systems[self.place_of(ticket)].tickets.get(ticket.remote_id)

    def all_of(self, ticket: TicketRow) -> list[SimulatedTicket]:
        """The ticket and the closed ones that it goes on from, as their system has them."""
        found = [ticket]
        while before := [one for one in self.tables.tickets.values() if one.followed_by == found[-1].id]:
            found.append(before[0])
        return [real for one in found if (real := self.real(one))]

    def lane_of(self, delivery: DeliveryRow) -> LaneRow:
        """The lane a delivery waits in."""
        return self.tables.lanes[delivery.lane_id]

    def side(self, lane: LaneRow) -> SideView:
        """The receiving side of a lane."""
        return self.connections[lane.connection_id].side(lane.target_side_id)

    def sender(self, lane: LaneRow) -> SideView:
        """The sending side of a lane."""
        return self.connections[lane.connection_id].other(lane.target_side_id)

    def target(self, lane: LaneRow) -> TicketRow | None:
        """The ticket a lane leads to."""
        pk = self.tables.linked[lane.linked_id].tickets.get(lane.target_side_id)
        return self.tables.tickets[pk] if pk else None

    @cached_property
    def rules(self) -> dict[int, tuple[int, int, str, RuleSet]]:
        """Published rule sets by key: when, which side, which direction, the rules."""
        return {one[3].id: one for one in self.journal.published if one[3].id is not None}

    @cached_property
    def events_of(self) -> dict[int, list[EventRow]]:
        """Events by ticket, in their order."""
        found: dict[int, list[EventRow]] = {}
        for event in self.tables.events.values():
            found.setdefault(event.ticket_id, []).append(event)
        for events in found.values():
            events.sort(key=lambda one: one.position)
        return found

    @cached_property
    def happened_by_change(self) -> dict[tuple[int, str], Happened]:
        """What happened, by place and change."""
        return {(one.place, one.change.id): one for one in self.journal.happened}

    @cached_property
    def deliveries_of(self) -> dict[int, list[DeliveryRow]]:
        """Deliveries by lane, in their order."""
        found: dict[int, list[DeliveryRow]] = {}
        for row in sorted(self.tables.deliveries.values(), key=lambda one: one.number):
            found.setdefault(row.lane_id, []).append(row)
        return found

    @cached_property
    def answers(self) -> set[int]:
        """Deliveries that tell a sender what overtook its change."""
        told = {
            (self._lane_back(one.request.lane_id), answer.stamp, _told(answer.envelope))
            for one in self.journal.commits
            if isinstance(one.request, effects.Finish) and one.result
            for answer in one.request.answers
        }
        repaired = {
            (row.event_id, self.lane_of(row).linked_id, row.stamp)
            for row in self.tables.deliveries.values()
            if row.operation is Operation.REPAIR
        }
        return {
            row.id
            for row in self.tables.deliveries.values()
            if row.operation is Operation.UPDATE
            and (
                (row.lane_id, row.stamp, _told(row.envelope)) in told
                or (row.event_id, self.lane_of(row).linked_id, row.stamp) in repaired
            )
        }

    def _lane_back(self, lane_id: int) -> int:
        lane = self.tables.lanes[lane_id]
        return next(
            one.id
            for one in self.tables.lanes.values()
            if one.linked_id == lane.linked_id and one.id != lane.id
        )

    def is_answer(self, delivery: DeliveryRow) -> bool:
        """Whether it tells a sender what overtook its change or what was decided, or asks about one once more."""
        return delivery.id in self.answers or delivery.origin.startswith(DECIDED) or self.asks_again(delivery)

    def asks_again(self, delivery: DeliveryRow) -> bool:
        """Whether it brings a change once more that was written over an edit of the receiver's."""
        event = self.tables.events.get(delivery.event_id or 0)
        target = self.target(self.lane_of(delivery))
        is_update = delivery.operation is Operation.UPDATE
        return is_update and event is not None and target is not None and event.ticket_id == target.id

    def was_decided(self, delivery: DeliveryRow, name: str) -> bool:
        """Whether what it wrote there is what a person had let stand on that ticket."""
        return any(
            (one.field, one.stands) == (name, delivery.wanted.get(name))
            and one.decided_at is not None
            and (delivery.done_at is None or one.decided_at <= delivery.done_at)
            and self.target(self.tables.lanes[one.lane_id]) is self.target(self.lane_of(delivery))
            for one in self.tables.conflicts.values()
        )

    # What is excused.

    @cached_property
    def causes(self) -> dict[tuple[int, str], int | None]:
        """By place and change, the delivery that it was taken for."""
        place_of = {row.id: self.place_of(row) for row in self.tables.tickets.values()}
        return {
            (place_of[event.ticket_id], event.change.id): event.caused_by
            for event in self.tables.events.values()
        }

    @cached_property
    def unpromised(self) -> dict[Sent, unpromised.Unpromised]:
        """Writes that are judged by less than the whole promise."""
        ends = {key: pk for key, pk in self.causes.items() if pk and self._ends(key, pk)}
        return unpromised.found_in(self.journal, ends)

    def _ends(self, key: tuple[int, str], delivery_id: int) -> bool:
        """Whether a change holds what a delivery wanted: a step on the way to it ends nothing."""
        wanted = self.tables.deliveries[delivery_id].wanted
        return any(
            wanted.get(name) == value for name, value in self.happened_by_change[key].change.fields.items()
        )

    def was_taken_for_ours(self, one: Happened) -> bool:
        """Whether what an automation did under our account was taken for a write of ours, or for a step on the way."""
        by_automation = one.sent is None and one.change.actor.id == OUR_ACCOUNT
        return by_automation and self.causes.get((one.place, one.change.id)) is not None

    @cached_property
    def over_since(self) -> dict[Sent, int]:
        """By write, when it held up its lane no longer although it was still to be carried out.

        Beside what is not promised: an equal write of ours from another lane may have been taken for it.  Nothing tells
        the two apart where no marker does, and what the other did is taken for this one's then.
        """
        taken: dict[int, list[int]] = {}
        for one in self.journal.happened:
            key = (one.place, one.change.id)
            pk = self.causes.get(key)
            if one.sent is not None and pk and pk not in one.sent.deliveries and self._ends(key, pk):
                taken.setdefault(pk, []).append(one.ms)
        over = {sent: one.since_ms for sent, one in self.unpromised.items()}
        for sent in self.journal.calls:
            if sent not in over and sent.executed_ms is not None and sent.deliveries:
                ms = unpromised.ended_ms(sent, taken)
                if ms is not None:
                    over[sent] = ms
        return over

    def is_unpromised(self, sent: Sent) -> bool:
        """Whether a write is one of them."""
        return sent in self.unpromised

    @cached_property
    def deleted(self) -> set[int]:
        """Tickets that somebody deleted: nothing can be expected of them."""
        gone = self.world.deleted
        return {row.id for row in self.tables.tickets.values() if (self.place_of(row), row.remote_id) in gone}

    @cached_property
    def excused(self) -> set[int]:
        """Linked tickets of which a person left something out, or of which one ticket was deleted."""
        skipped = {
            self.lane_of(row).linked_id
            for row in self.tables.deliveries.values()
            if row.state is DeliveryState.SKIPPED and not is_word(row.origin)
        }
        hurt = {
            linked.id for linked in self.tables.linked.values() if self.deleted & set(linked.tickets.values())
        }
        return skipped | hurt

    def pairs(self) -> Iterator[tuple[LinkedRow, ConnectionView, TicketRow, TicketRow]]:
        """Linked tickets of which both sides are there: left, right."""
        for linked in self.tables.linked.values():
            view = self.connections[linked.connection_id]
            left, right = linked.tickets.get(view.left.id), linked.tickets.get(view.right.id)
            if left and right:
                yield linked, view, self.tables.tickets[left], self.tables.tickets[right]

    def now_of(self, side_id: int, direction: str) -> RuleSet:
        """The rules that hold at the end."""
        return [one for one in self.journal.published if one[1] == side_id and one[2] == direction][-1][3]


def last_line(body: Mapping) -> str:
    """A comment's text without the line above it."""
    return blocks.from_value(body).plain().split("\n")[-1]


def stands_alone(text: str) -> bool:
    """Whether a comment's last line is that of a word to a sender: it is for the ticket it stands on."""
    return _OF_A_WORD in text


def _told(envelope: Mapping[str, object]) -> str:
    """What an envelope tells, in one order: a database keeps an object's names in an order of its own.

    In which of its fields it has no say any more was decided later.
    """
    told = {name: value for name, value in envelope.items() if name != "decided"}
    return json.dumps(told, sort_keys=True, default=str)
