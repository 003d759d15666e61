"""What people do about conflicts: look at both values, and decide which one stands.

A decision is a fact of its own: it is stamped newer than everything that both sides had changed by then, stands at the
receiver from that moment, and goes to both systems through their lanes like any other change.  The delivery that had
asked goes on without the field, and so do the changes of the field that were queued behind it: whoever decided has
seen them.  What somebody changes after that is newer, or asks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from integrations.canonical import Value
from integrations.engine import conflicts as rules
from integrations.engine import decisions, texts
from integrations.engine.decisions import Dispute, Waiting
from integrations.engine.values import ConnectionView, Question, SideView, Stamp, stamp_from
from integrations.mapping import plan as mapping
from integrations.models import Conflict, Delivery, Lane, SyncEvent, System, Ticket, TicketSide
from integrations.richtext import blocks
from integrations.services import queue
from integrations.services.queue import Result
from integrations.store import configuration, queues, tickets
from integrations.store.configuration import Configuration

Choice = Conflict.Choice
# Why a lane waits in which somebody has to decide.
CODE = rules.CODE


@dataclass(frozen=True, slots=True)
class Version:
    """One side's value: as that side's people see it, as it was released, and who set it when; `by` may be unknown."""

    partner: str
    system: System
    own: Value
    shared: Value
    by: str
    at: datetime | None
    is_text: bool


@dataclass(frozen=True, slots=True)
class Case:
    """An open conflict as it stands now.  `token` changes when either side changes its value again."""

    conflict: Conflict
    came: Version
    own: Version
    token: str
    merged: Value
    # The sender's value in the receiver's words; None with a sentence where the rules have none.
    came_here: Value
    problem: str


@dataclass(slots=True)
class _Place:
    """Everything locked and loaded that a decision is made from."""

    conflict: Conflict
    lane: Lane
    back: Lane | None
    target: Ticket
    source: Ticket | None
    queued: list[Delivery]
    dispute: Dispute

    @property
    def here(self) -> SideView:
        """The receiver."""
        return self.dispute.here

    @property
    def there(self) -> SideView:
        """The sender."""
        return self.dispute.there

    @property
    def source_id(self) -> int:
        """The sender's ticket."""
        return self.source.pk if self.source else 0

    @property
    def latest(self) -> Delivery:
        """The sender's last word: the change queued last that carries the field."""
        return self.queued[-1]

    def merged(self) -> Value:
        """Both texts in one, the receiver's where both changed the same paragraph; else its own value."""
        own, (came, problem) = self.dispute.winner.value, self.dispute.carried()
        base = (self.latest.envelope.get("base") or {}).get(self.conflict.shared)
        if problem or not (blocks.is_document(own) and blocks.is_document(came) and blocks.is_document(base)):
            return own
        state = _state(self.target)
        made = texts.merged(
            {self.conflict.field: came},
            {self.conflict.field: base},
            state,
            lambda name, value: value,
            newer=frozenset(),
        )
        return made[self.conflict.field].value if self.conflict.field in made else own


def case_of(conflict: Conflict, *, now: datetime) -> Case | None:
    """An open conflict with both values; None when it is not open any more.  Reads only."""
    if not Conflict.objects.open().filter(pk=conflict.pk).exists():
        return None
    place = _place(conflict, configuration.load(now), locks=False)
    if place is None:
        return None
    came_here, problem = place.dispute.carried()
    own_shared = mapping.release(
        place.here.outgoing, {**place.target.actual, conflict.field: place.dispute.winner.value}
    ).fields.get(conflict.shared)
    return Case(
        conflict,
        _came(place),
        _own(place, own_shared),
        place.dispute.token(),
        place.merged(),
        came_here,
        problem,
    )


def decide_conflict(
    conflict: Conflict,
    choice: str,
    *,
    by: Any,
    now: datetime,
    reason: str = "",
    text: Value = None,
    token: str = "",
) -> Result:
    """Let one value stand on both sides.  Not done, with a sentence, when somebody was quicker.

    `token` is what `case_of` gave: with it nothing is decided about values that have changed since.  `text` is the
    receiver's text made of both, for `Choice.TEXT`.  A second decision finds nothing to decide.
    """
    with transaction.atomic():
        config = configuration.load(now)
        place = _place(conflict, config, locks=True)
        if place is None:
            return Result(conflict.delivery.lane_id, False, _too_late(conflict))
        lane = place.lane
        if token and token != place.dispute.token():
            return Result(
                lane.pk, False, "One of the two values has changed meanwhile. Look at them once more."
            )
        value, refusal = _chosen(place, choice, text)
        if refusal:
            return Result(lane.pk, False, refusal)
        is_told = _decide(place, choice, value, by=by, now=now, reason=reason)
        if is_told and (twin := _twin(place)):
            _close_twin(twin, conflict, choice, config, by=by, now=now, reason=reason)
        left = Conflict.objects.open().filter(delivery=conflict.delivery_id).count()
        if left:
            return Result(lane.pk, True, f"Decided. {left} more to decide about this change.")
        queue.retry_lanes([lane.pk], now=now)
    return Result(lane.pk, True, "Decided. It goes to both sides now.")


def is_own_newest(case: Case) -> bool:
    """Whether the receiver's value was set last; the receiver's also where neither can be told.  Pure."""
    return case.came.at is None or (case.own.at is not None and case.own.at >= case.came.at)


def take_newest(lane_ids: Iterable[int], *, now: datetime, by: Any) -> list[Result]:
    """Decide every open conflict of these lanes for the value that was set last; one result a lane."""
    results = []
    for lane_id in dict.fromkeys(lane_ids):
        result = Result(lane_id, False, "Nothing is to be decided in this lane.")
        for conflict in Conflict.objects.open().filter(delivery__lane=lane_id).select_related("delivery"):
            case = case_of(conflict, now=now)
            if case is None:
                continue
            choice = Choice.OWN if is_own_newest(case) else Choice.CAME
            result = decide_conflict(
                conflict, choice, by=by, now=now, reason="The newest of both", token=case.token
            )
        results.append(result)
    return results


# --- Looking ---


def _place(conflict: Conflict, config: Configuration, *, locks: bool) -> _Place | None:
    """What the decision is made from; None when the conflict is not open any more."""
    delivery = conflict.delivery
    linked = delivery.lane.linked_ticket_id
    lanes = Lane.objects.filter(linked_ticket=linked).order_by("pk")
    sides = TicketSide.objects.filter(linked_ticket=linked, ticket__isnull=False)
    stood = Ticket.objects.filter(sides__in=sides).order_by("pk")
    if locks:
        # Lanes before tickets, as whoever ends a delivery does.
        lanes, stood = lanes.select_for_update(), stood.select_for_update(of=("self",))
    rows = list(lanes)
    lane = next(one for one in rows if one.pk == delivery.lane_id)
    if not Conflict.objects.open().filter(pk=conflict.pk).exists():
        return None
    by_side = {side.side_id: side.ticket_id or 0 for side in sides}
    found = {ticket.pk: ticket for ticket in stood}
    view: ConnectionView = config.connections[lane.connection_id]
    here, there = view.side(lane.target_id), view.other(lane.target_id)
    target = found.get(by_side.get(here.id, 0))
    if target is None:
        return None
    question = Question(conflict.field, conflict.shared)
    queued = [
        one
        for one in lane.deliveries.filter(number__gte=lane.head, operation=Delivery.Op.UPDATE)
        .select_related("event")
        .order_by("number")
        if one.pk == delivery.pk or decisions.carries(here, question, one.envelope)
    ]
    back = next((one for one in rows if one.pk != lane.pk), None)
    source = found.get(by_side.get(there.id, 0))
    dispute = Dispute(
        question,
        here,
        there,
        target.actual,
        tickets.winners_from(target.winners, target.actual),
        tickets.winners_from(source.winners, source.actual) if source else {},
        [
            Waiting(one.number, stamp_from(one.stamp), one.envelope, _set_at(source, one.event))
            for one in queued
        ],
    )
    return _Place(conflict, lane, back, target, source, queued, dispute)


def _set_at(source: Ticket | None, event: SyncEvent | None) -> Mapping[str, Value]:
    """What was set at the sender; what is only told again was set by somebody before."""
    return event.fields if source and event and event.ticket_id == source.pk else {}


def _state(ticket: Ticket) -> Any:
    row = Ticket.objects.filter(pk=ticket.pk).values_list(*tickets.STATE_FIELDS).get()
    return tickets.ticket_state(*row)


def _came(place: _Place) -> Version:
    said, shared = place.dispute.said, place.latest.envelope["fields"].get(place.conflict.shared)
    event = next((one.event for one in place.queued if said and one.number == said.number), None)
    names = decisions.sent_from(place.there, place.dispute.question)
    own = next((value for name, value in said.own.items() if name in names), shared) if said else shared
    by, at = (event.actor_name, event.happened_at) if event else ("", None)
    return Version(
        place.there.partner_name,
        System.objects.get(pk=place.there.system_id),
        own,
        shared,
        by,
        at,
        blocks.is_document(shared),
    )


def _own(place: _Place, shared: Value) -> Version:
    """The receiver's value and who set it: the last change of the field that was not a delivery of this very lane."""
    value = place.dispute.winner.value
    events = SyncEvent.objects.filter(ticket=place.target.pk, fields__has_key=place.conflict.field)
    event = events.exclude(caused_by__lane=place.lane.pk).order_by("-position").first()
    return Version(
        place.here.partner_name,
        System.objects.get(pk=place.here.system_id),
        value,
        shared,
        event.actor_name if event else "",
        event.happened_at if event else None,
        blocks.is_document(value),
    )


def _too_late(conflict: Conflict) -> str:
    fresh = Conflict.objects.select_related("decided_by").get(pk=conflict.pk)
    if fresh.decided_at is None:
        return "There is nothing to decide any more: the change does not wait for it."
    return f"{fresh.decided_by or 'Somebody'} was quicker and has decided already."


# --- Deciding ---


def _chosen(place: _Place, choice: str, text: Value) -> tuple[Value, str]:
    """The value that is to stand at the receiver, or why it cannot."""
    if choice == Choice.CAME:
        return place.dispute.carried()
    if choice == Choice.OWN:
        return place.dispute.winner.value, ""
    if choice == Choice.TEXT and blocks.is_document(text):
        return text, ""
    return None, "Choose which value is to stand."


def _decide(place: _Place, choice: str, value: Value, *, by: Any, now: datetime, reason: str) -> bool:
    """Store the decision; whether the sender is told of it: its rules of today may release nothing."""
    conflict, name, target = place.conflict, place.conflict.field, place.target
    own, (came, _) = place.dispute.winner, place.dispute.carried()
    decision = decisions.decided(place.dispute, value, is_senders=choice == Choice.CAME)
    winners = {**place.dispute.winners, name: decision.winner}
    target.winners = tickets.winners_value(winners, target.actual)
    target.save(update_fields=["winners"])
    _leave_out(place.queued, name)
    if place.back and decision.answer:
        _leave_out(_queued_back(place.back, conflict), *decisions.asked_back(place.dispute))
    conflict.decided_at, conflict.decided_by, conflict.choice = now, by, choice
    conflict.reason = reason.strip()[:300]
    conflict.came, conflict.own, conflict.stands = came, own.value, value
    conflict.save(update_fields=["decided_at", "decided_by", "choice", "reason", "came", "own", "stands"])
    stamp, answer = decision.winner.stamp, decision.answer
    if decision.repair is not None:
        _put(place.lane, place, "repair", decision.repair, stamp, now)
    if place.back and answer:
        _put(
            *(place.back, place, "update", answer.envelope, stamp, now),
            problem=answer.problem,
            outgoing_id=answer.outgoing_id,
        )
    return bool(place.back and answer)


def _leave_out(queued: Sequence[Delivery], *names: str) -> None:
    for delivery in queued if names else ():
        delivery.envelope = decisions.without(delivery.envelope, *names)
        delivery.save(update_fields=["envelope"])


def _queued_back(back: Lane, conflict: Conflict) -> list[Delivery]:
    """The receiver's own changes of the field that have not come to the sender yet."""
    queued = back.deliveries.filter(number__gte=back.head, operation=Delivery.Op.UPDATE).order_by("number")
    return [one for one in queued if conflict.shared in one.envelope["fields"]]


def _put(
    lane: Lane,
    place: _Place,
    operation: str,
    envelope: Mapping,
    stamp: Stamp,
    now: datetime,
    *,
    problem: Mapping | None = None,
    outgoing_id: int | None = None,
) -> None:
    delivery = Delivery(
        event=place.conflict.delivery.event,
        operation=operation,
        marker=queues.new_marker(),
        origin=_origin(place.conflict),
        stamp=stamp.as_value(),
        envelope=dict(envelope),
        problem=dict(problem or {}),
        outgoing_id=outgoing_id,
    )
    queues.put(lane, delivery, now)
    lane.save(update_fields=list(queues.QUEUED))
    delivery.save()


def _origin(conflict: Conflict) -> str:
    """By what its decision is known in both lanes."""
    return f"conflict:{conflict.pk}"


# --- Where both sides ask ---


def _twin(place: _Place) -> Conflict | None:
    """The same question, asked at the other side about the same field."""
    assert place.back is not None
    open_there = Conflict.objects.open().filter(delivery__lane=place.back.pk, shared=place.conflict.shared)
    return open_there.select_related("delivery").first()


def _close_twin(
    twin: Conflict,
    decided: Conflict,
    choice: str,
    config: Configuration,
    *,
    by: Any,
    now: datetime,
    reason: str,
) -> None:
    """One answer is enough: what was decided here comes there as a change that had seen both."""
    place = _place(twin, config, locks=True)
    if place is None:
        return
    mirrored = {Choice.CAME.value: Choice.OWN.value, Choice.OWN.value: Choice.CAME.value}
    # What was decided just now is queued there already, and stands; an earlier decision may be in question itself.
    earlier = [one for one in place.queued if one.origin != _origin(decided)]
    _leave_out(earlier, twin.field)
    twin.decided_at, twin.decided_by, twin.reason = now, by, reason.strip()[:300]
    twin.choice = mirrored.get(str(choice), Choice.TEXT.value)
    twin.save(update_fields=["decided_at", "decided_by", "choice", "reason"])
    if not Conflict.objects.open().filter(delivery=twin.delivery_id).exists():
        queue.retry_lanes([place.lane.pk], now=now)
