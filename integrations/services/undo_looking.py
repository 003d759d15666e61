"""Looks at what undoing would do in a lane: what stands there now, what would be put back, and what somebody edited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from integrations.canonical import Value
from integrations.engine import undo_plan, unread
from integrations.engine.undo_plan import Planned, Verdict, Write
from integrations.engine.undoing import Undone
from integrations.engine.values import DeliveryState, TicketState, stamp_from
from integrations.models import Delivery, Lane, SyncEvent, Ticket, TicketSide, Undo, UndoItem
from integrations.services.comparison import settled_by
from integrations.services.timeline.changes import field_labels
from integrations.services.timeline.fates import what_of
from integrations.store import tickets

State = UndoItem.State
FATES = {Undone.PUT_BACK: State.DONE, Undone.STOOD: State.STOOD, Undone.LEFT: State.LEFT}
MADE = "The ticket was made with this value: nothing stood there before. Correct it in {system}."
MOVED_ON = "The ticket is closed for good and the matter goes on in another one."
GONE = "The ticket is no longer there."
# What cannot be taken back, and what somebody does instead.
INSTEAD = {
    Delivery.Op.CREATE: "A ticket that was made stays: nothing is ever deleted from here. "
    "If it should not be there, close it in {system}.",
    Delivery.Op.COMMENT: "A comment stays: somebody may have read it. Correct or delete it in {system}.",
    Delivery.Op.FILE: "A file stays: somebody may have opened it. Delete it in {system} if it should not be there.",
}


def instead_of_undoing(delivery: Delivery) -> str:
    """What a person does where this kind of delivery cannot be undone; empty where it can."""
    text = INSTEAD.get(Delivery.Op(delivery.operation), "")
    return text.format(system=delivery.lane.system)


def undone_fields(delivery: Delivery) -> list[tuple[str, str]]:
    """Of a delivery that put values back: each field by its label, and what became of it.  Empty for any other."""
    labels = field_labels(delivery.lane.system)
    told = delivery.result.get("undone", {})
    return [(labels.get(name, name), FATES[Undone(fate)].label) for name, fate in told.items()]


def look(undo: Undo, lanes: Sequence[Lane], deliveries: Iterable[Delivery]) -> list[UndoItem]:
    """What undoing these deliveries would do, as items that are not stored yet.  Calls no system.

    A handful of queries for all of the lanes, and one for each field that somebody has touched since.
    """
    by_lane: dict[int, list[Delivery]] = {}
    for delivery in deliveries:
        by_lane.setdefault(delivery.lane_id, []).append(delivery)
    stands = {
        one.linked_ticket_id: one.ticket
        for one in TicketSide.objects.filter(
            linked_ticket__in=[lane.linked_ticket_id for lane in lanes], side=undo.target_id
        ).select_related("ticket")
    }
    looking = _Looking(undo, [ticket for ticket in stands.values() if ticket])
    return [
        item
        for lane in lanes
        for item in looking.at(lane, stands.get(lane.linked_ticket_id), by_lane.get(lane.pk, []))
    ]


class _Looking:
    """What is the same for all lanes of one look."""

    def __init__(self, undo: Undo, known: Sequence[Ticket]) -> None:
        self.undo = undo
        self.system = undo.target.system
        self.labels = field_labels(self.system)
        self.settle = settled_by([self.system])
        self.writes = tickets.open_writes([ticket.pk for ticket in known])

    def at(self, lane: Lane, ticket: Ticket | None, deliveries: Sequence[Delivery]) -> list[UndoItem]:
        """The items of one lane."""
        found = [self._cannot(lane, one) for one in deliveries if one.operation in INSTEAD]
        writes = [_write(one) for one in deliveries if one.wanted and one.operation not in _ADDITIONS]
        writes = [one for one in writes if one.wrote]
        if not any(one.replaced for one in writes):
            return found
        by_id = {one.pk: one for one in deliveries}
        reason = self._unreachable(ticket, [by_id[one.delivery_id] for one in writes])
        if ticket is None or reason:
            found += [
                self._item(lane, by_id[one.delivery_id], name, State.CANNOT, reason=reason)
                for one in writes
                for name in one.replaced
            ]
            return found
        told_again = frozenset(stamp_from(one.stamp) for one in deliveries)
        for planned in undo_plan.plan(writes, self._as_written(ticket), self._settled, told_again=told_again):
            found.append(self._planned(lane, ticket, by_id[planned.write.delivery_id], planned))
        return found

    def _unreachable(self, ticket: Ticket | None, deliveries: Sequence[Delivery]) -> str:
        if ticket is None or ticket.is_gone:
            return GONE
        return "" if all(one.target_id == ticket.pk for one in deliveries) else MOVED_ON

    def _as_written(self, ticket: Ticket) -> TicketState:
        state = tickets.ticket_state(*(getattr(ticket, name) for name in tickets.STATE_FIELDS))
        done = [one for one in self.writes.get(ticket.pk, []) if one.state is DeliveryState.DONE]
        return unread.as_written(state, done)

    def _settled(self, name: str, value: Value) -> Value:
        return self.settle(self.system.pk, name, value)

    def _planned(self, lane: Lane, ticket: Ticket, delivery: Delivery, planned: Planned) -> UndoItem:
        if planned.verdict is Verdict.MADE:
            reason = MADE.format(system=self.system)
            made = self._item(lane, delivery, planned.name, State.CANNOT, ticket=ticket, reason=reason)
            made.stands = planned.stands
            return made
        item = self._item(lane, delivery, planned.name, State(planned.verdict.value), ticket=ticket)
        item.stands, item.put_back = planned.stands, planned.put_back
        item.held = planned.held.as_value() if planned.held else []
        if planned.verdict is Verdict.LEFT:
            note_who(item)
        return item

    def _cannot(self, lane: Lane, delivery: Delivery) -> UndoItem:
        item = self._item(lane, delivery, "", State.CANNOT)
        item.label, item.reason = _with_capital(what_of(delivery))[:200], instead_of_undoing(delivery)
        return item

    def _item(
        self,
        lane: Lane,
        delivery: Delivery,
        name: str,
        state: UndoItem.State,
        *,
        ticket: Ticket | None = None,
        reason: str = "",
    ) -> UndoItem:
        label = (self.labels.get(name) or name.replace("_", " ").capitalize())[:200]
        return UndoItem(
            undo=self.undo,
            lane=lane,
            ticket=ticket,
            delivery=delivery,
            field=name[:200],
            label=label,
            state=state,
            reason=reason,
        )


_ADDITIONS = (Delivery.Op.COMMENT, Delivery.Op.FILE)


def _write(delivery: Delivery) -> Write:
    """What it wrote; of an update only what is known to have replaced something."""
    is_made = delivery.operation == Delivery.Op.CREATE
    wrote = {name: value for name, value in delivery.wanted.items() if is_made or name in delivery.pre_image}
    return Write(
        delivery.pk,
        stamp_from(delivery.stamp),
        wrote,
        {} if is_made else {n: delivery.pre_image[n] for n in wrote},
    )


def _with_capital(words: str) -> str:
    """Not capitalize(), which would change the name of a file."""
    return words[:1].upper() + words[1:]


def note_who(item: UndoItem) -> None:
    """Say who has touched the field since, and when, as the system's own history tells it.  One query."""
    last = (
        SyncEvent.objects.filter(ticket=item.ticket, fields__has_key=item.field)
        .select_related("caused_by")
        .order_by("-position")
        .first()
    )
    if last is None:
        item.reason = "Something else stands there now."
        return
    item.changed_at = last.happened_at
    if last.caused_by is None:
        item.changed_by = last.actor_name
        item.reason = f"{last.actor_name or 'Somebody'} changed it since."[:300]
    elif last.caused_by.operation == Delivery.Op.REVERT:
        item.reason = "It was undone already."
    else:
        item.reason = "A newer change was delivered since."
