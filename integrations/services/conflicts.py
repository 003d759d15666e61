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
from integrations.engine import texts
from integrations.engine.values import ConnectionView, SideView, Stamp, Winner, stamp_from
from integrations.mapping import plan as mapping
from integrations.mapping.rules import FieldRule, RuleSet
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
    here: SideView
    there: SideView
    target: Ticket
    source: Ticket | None
    rule: FieldRule | None
    queued: list[Delivery]

    @property
    def winner(self) -> Winner:
        """What should stand at the receiver."""
        winners = tickets.winners_from(self.target.winners, self.target.actual)
        name = self.conflict.field
        return winners.get(name) or Winner(self.target.actual.get(name), Stamp(0, 0))

    @property
    def source_id(self) -> int:
        """The sender's ticket."""
        return self.source.pk if self.source else 0

    @property
    def latest(self) -> Delivery:
        """The sender's last word: the change queued last that carries the field."""
        return self.queued[-1]

    def carried(self) -> tuple[Value, str]:
        """The sender's last value in the receiver's words, or why there is none."""
        if self.rule is None:
            return None, "The rules do not write this field any more. Retry the delivery."
        one = RuleSet(id=None, version=0, rules=(self.rule,))
        fields = self.latest.envelope["fields"]
        mapped = mapping.receive(one, fields, current=self.target.actual, is_new=False)
        if mapped.problem:
            return None, mapped.problem.message
        return mapped.fields.get(self.conflict.field), ""

    def merged(self) -> Value:
        """Both texts in one, the receiver's where both changed the same paragraph; else its own value."""
        own, (came, problem) = self.winner.value, self.carried()
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

    def token(self) -> str:
        """Which two values a person was shown."""
        stamp = self.winner.stamp
        return f"{stamp.ms}.{stamp.system_id}.{self.latest.number}"


def case_of(conflict: Conflict, *, now: datetime) -> Case | None:
    """An open conflict with both values; None when it is not open any more.  Reads only."""
    if not Conflict.objects.open().filter(pk=conflict.pk).exists():
        return None
    place = _place(conflict, configuration.load(now), locks=False)
    if place is None:
        return None
    came_here, problem = place.carried()
    own_shared = mapping.release(
        place.here.outgoing, {**place.target.actual, conflict.field: place.winner.value}
    ).fields.get(conflict.shared)
    return Case(
        conflict,
        _came(place),
        _own(place, own_shared),
        place.token(),
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
        if token and token != place.token():
            return Result(
                lane.pk, False, "One of the two values has changed meanwhile. Look at them once more."
            )
        value, refusal = _chosen(place, choice, text)
        if refusal:
            return Result(lane.pk, False, refusal)
        _decide(place, choice, value, by=by, now=now, reason=reason)
        if place.back and (twin := _twin(place)):
            _close_twin(twin, choice, config, by=by, now=now, reason=reason)
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
    rule = next((one for one in here.incoming.rules if one.target == conflict.field), None)
    queued = [
        one
        for one in lane.deliveries.filter(number__gte=lane.head, operation=Delivery.Op.UPDATE)
        .select_related("event")
        .order_by("number")
        if one.pk == delivery.pk or _carries(one, conflict, rule)
    ]
    back = next((one for one in rows if one.pk != lane.pk), None)
    source = found.get(by_side.get(there.id, 0))
    return _Place(conflict, lane, back, here, there, target, source, rule, queued)


def _carries(delivery: Delivery, conflict: Conflict, rule: FieldRule | None) -> bool:
    names = mapping.fields_read(rule) if rule else (conflict.shared,)
    return any(name in delivery.envelope.get("fields", {}) for name in names)


def _state(ticket: Ticket) -> Any:
    row = Ticket.objects.filter(pk=ticket.pk).values_list(*tickets.STATE_FIELDS).get()
    return tickets.ticket_state(*row)


def _came(place: _Place) -> Version:
    # What is only told again was set by somebody before.
    edits = [one.event for one in place.queued if one.event and one.event.ticket_id == place.source_id]
    event = edits[-1] if edits else None
    shared = place.latest.envelope["fields"].get(place.conflict.shared)
    own_names = [
        name
        for rule in place.there.outgoing.rules
        if rule.target == place.conflict.shared
        for name in mapping.fields_read(rule)
    ]
    own = next((event.fields[name] for name in own_names if event and name in event.fields), shared)
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
    value = place.winner.value
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
        return place.carried()
    if choice == Choice.OWN:
        return place.winner.value, ""
    if choice == Choice.TEXT and blocks.is_document(text):
        return text, ""
    return None, "Choose which value is to stand."


def _decide(place: _Place, choice: str, value: Value, *, by: Any, now: datetime, reason: str) -> None:
    conflict, name = place.conflict, place.conflict.field
    own, (came, _) = place.winner, place.carried()
    known = _known_stamps(place)
    stamp = Stamp(max(one.ms for one in known) + 1, place.here.system_id)
    target = place.target
    winners = tickets.winners_from(target.winners, target.actual)
    target.winners = tickets.winners_value({**winners, name: Winner(value, stamp)}, target.actual)
    target.save(update_fields=["winners"])
    _leave_out(place.queued, name)
    conflict.decided_at, conflict.decided_by, conflict.choice = now, by, choice
    conflict.reason = reason.strip()[:300]
    conflict.came, conflict.own, conflict.stands = came, own.value, value
    conflict.save(update_fields=["decided_at", "decided_by", "choice", "reason", "came", "own", "stands"])
    if target.actual.get(name) != value:
        fields = {name: value}
        _put(
            place.lane,
            place,
            "repair",
            {"fields": fields, **texts.as_bases(target.actual, fields)},
            stamp,
            now,
        )
    if place.back:
        _tell(place, place.back, value, stamp, max(known), now)


def _known_stamps(place: _Place) -> list[Stamp]:
    """Of everything that either side holds of the field, or that is under way to here."""
    known = [place.winner.stamp, *(stamp_from(one.stamp) for one in place.queued)]
    if place.source:
        winners = place.source.winners
        shared = place.conflict.shared
        sent = [r for r in place.there.outgoing.rules if r.target == shared]
        names = {name for rule in sent for name in mapping.fields_read(rule)}
        names |= {r.target for r in place.there.incoming.rules if shared in mapping.fields_read(r)}
        known += [stamp_from(winners[name]) for name in sorted(names) if name in winners]
    return known


def _leave_out(queued: Sequence[Delivery], name: str) -> None:
    for delivery in queued:
        decided = list(dict.fromkeys([*delivery.envelope.get("decided", ()), name]))
        delivery.envelope = {**delivery.envelope, "decided": decided}
        delivery.save(update_fields=["envelope"])


def _tell(place: _Place, back: Lane, value: Value, stamp: Stamp, known: Stamp, now: datetime) -> None:
    """To the sender what stands, in the words that the receiver's rules release."""
    name = place.conflict.field
    fields = {**place.target.actual, name: value}
    mapped = mapping.release(place.here.outgoing, fields, changed=[name])
    if not mapped.fields and not mapped.problem:
        return
    envelope: dict[str, Any] = {
        "fields": mapped.fields,
        "changed": [name],
        **rules.seen_by_answer(place.here, place.there, mapped.fields, known),
    }
    problem = mapped.problem.as_value() if mapped.problem else {}
    _put(back, place, "update", envelope, stamp, now, problem=problem, outgoing_id=place.here.outgoing.id)


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
        origin=f"conflict:{place.conflict.pk}",
        stamp=stamp.as_value(),
        envelope=dict(envelope),
        problem=dict(problem or {}),
        outgoing_id=outgoing_id,
    )
    queues.put(lane, delivery, now)
    lane.save(update_fields=list(queues.QUEUED))
    delivery.save()


# --- Where both sides ask ---


def _twin(place: _Place) -> Conflict | None:
    """The same question, asked at the other side about the same field."""
    assert place.back is not None
    open_there = Conflict.objects.open().filter(delivery__lane=place.back.pk, shared=place.conflict.shared)
    return open_there.select_related("delivery").first()


def _close_twin(
    twin: Conflict, choice: str, config: Configuration, *, by: Any, now: datetime, reason: str
) -> None:
    """One answer is enough: what was decided here comes there as a change that had seen both."""
    place = _place(twin, config, locks=True)
    if place is None:
        return
    mirrored = {Choice.CAME.value: Choice.OWN.value, Choice.OWN.value: Choice.CAME.value}
    # What was decided is queued there already, and stands.
    earlier = [one for one in place.queued if not one.origin.startswith("conflict:")]
    _leave_out(earlier, twin.field)
    twin.decided_at, twin.decided_by, twin.reason = now, by, reason.strip()[:300]
    twin.choice = mirrored.get(str(choice), Choice.TEXT.value)
    twin.save(update_fields=["decided_at", "decided_by", "choice", "reason"])
    if not Conflict.objects.open().filter(delivery=twin.delivery_id).exists():
        queue.retry_lanes([place.lane.pk], now=now)
