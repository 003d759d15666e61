"""Why a field of a linked ticket holds what it holds: event, rule version, value; and why a value did not move.

Read from the journal alone, newest first; changes nothing.  Each direction is told by itself, as a few steps in the
order in which they happened, so that whoever asks finds the first one that went another way than expected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from integrations.mapping.agreement import rule_to
from integrations.mapping.plan import text_of
from integrations.mapping.rules import ConflictPolicy, FieldRule, RuleSet, Transform, UpdateMode
from integrations.models import (
    Conflict,
    Delivery,
    DictionaryField,
    Lane,
    LinkedTicket,
    MappingSet,
    Side,
    SyncEvent,
    TicketSide,
)
from integrations.services.timeline.viewers import Viewer
from integrations.services.undone import standing
from integrations.services.waiting import by_an_end
from integrations.store.configuration import rule_set_of

# Changes looked at for the latest one of a field: older ones say nothing about what stands there now.
LOOKED_AT = 500
# No company's own matter: what only people who see all partners are told.
STAFF = 0


class End(StrEnum):
    """How a direction ended."""

    ARRIVED = "arrived"
    EQUAL = "stood there already"
    UNDER_WAY = "on its way"
    STUCK = "waits for a person"
    HELD = "held"
    OVERTAKEN = "overtaken"
    NOT_SENT = "not sent"
    NOT_TAKEN = "not taken"
    LEFT_OUT = "left out"
    # It came, and somebody there put back what it had replaced.
    UNDONE = "undone"
    NO_CHANGE = "never changed there"
    # For whoever may not know more.
    NOTHING = "nothing has come"


# What a sender's own people may know of the end, and the ends at which the receiver has it.
_TOLD = frozenset(
    {
        End.ARRIVED,
        End.EQUAL,
        End.STUCK,
        End.OVERTAKEN,
        End.NOT_SENT,
        End.NOT_TAKEN,
        End.LEFT_OUT,
        End.UNDONE,
        End.NO_CHANGE,
    }
)
_CAME = frozenset({End.ARRIVED, End.EQUAL, End.NOT_TAKEN, End.UNDONE})


@dataclass(frozen=True, slots=True)
class Step:
    """One step in a sentence.  `at` is when it happened; `delivery_id` and `mapping_set_id` lead to what it speaks of.

    `partner_id` is the company whose matter it is: its values, its rules, or what its system answered.  `code` is the
    handbook's, of a failure.
    """

    partner_id: int
    text: str
    at: datetime | None = None
    delivery_id: int | None = None
    mapping_set_id: int | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Direction:
    """What became of the latest change of the field on one side."""

    sender: Side
    receiver: Side
    end: End
    steps: tuple[Step, ...]

    def seen_by(self, viewer: Viewer) -> Direction:
        """As much of it as this viewer may know: its own company's steps, and of the other's nothing but the end.

        A change that has not come yet is nobody's business but the sender's.  That it waits for a person must not stay
        hidden from who sent it.
        """
        if viewer.sees_all:
            return self
        steps = tuple(step for step in self.steps if step.partner_id in viewer.partner_ids)
        is_sender = self.sender.system.partner_id in viewer.partner_ids
        if is_sender:
            if self.end is End.STUCK and len(steps) < len(self.steps):
                steps += (self._for_the_sender(),)
            return replace(self, steps=steps, end=self.end if self.end in _TOLD else End.UNDER_WAY)
        if self.end in _CAME:
            return replace(self, steps=steps)
        return replace(self, steps=(), end=End.NOTHING)

    def _for_the_sender(self) -> Step:
        """In the place of what only staff are told of a lane that waits for a person."""
        sender, receiver = self.sender.system.partner_id, self.receiver.system.partner
        if self.steps[-1].code:
            return Step(sender, f"{receiver} has to look at it; until then it waits.")
        return Step(sender, "An earlier change of this ticket waits for a person; order is kept.")


@dataclass(frozen=True, slots=True)
class Explanation:
    """The field on both sides, and both directions."""

    field: DictionaryField
    directions: tuple[Direction, ...]


def explain(linked: LinkedTicket, field: DictionaryField, *, now: datetime) -> Explanation:
    """What became of the latest change of this field in each direction.  A fixed number of queries; changes nothing."""
    sides = list(
        linked.sides.select_related("side__system__partner", "ticket").order_by("side__position", "pk")
    )
    return Explanation(
        field,
        tuple(
            _Telling(linked, field, sender, receiver, now).direction()
            for sender, receiver in (sides, sides[::-1])
        ),
    )


class _Telling:
    """One direction of one field."""

    def __init__(
        self,
        linked: LinkedTicket,
        field: DictionaryField,
        sender: TicketSide,
        receiver: TicketSide,
        now: datetime,
    ) -> None:
        self.linked = linked
        self.field = field
        self.now = now
        self.sender, self.receiver = sender, receiver
        self.own, self.other = sender.side.system.partner_id, receiver.side.system.partner_id
        self.here, self.there = sender.side.system.partner.name, receiver.side.system.partner.name

    def direction(self) -> Direction:
        """Follow the latest change as far as it went."""
        end, steps = self._follow()
        return Direction(self.sender.side, self.receiver.side, end, tuple(steps))

    def _follow(self) -> tuple[End, list[Step]]:
        outgoing = self._published(self.sender.side, MappingSet.Direction.OUTGOING)
        rule = _rule_to(outgoing, self.field.name)
        if rule is None:
            text = f"No rule of {self.here} sends {self.field.label.lower()}: it stays inside."
            return End.NOT_SENT, [Step(self.own, text, mapping_set_id=outgoing.id if outgoing else None)]
        delivery = self._delivery()
        if delivery is not None and delivery.state in (Delivery.State.NEW, Delivery.State.SENT):
            # What waits is what people ask about, also where a write of ours came to the field since.
            return self._sent(delivery)
        event = self._event(rule)
        if delivery is None or (event is not None and _is_later(event, delivery)):
            return self._not_sent(outgoing, rule, event)
        return self._sent(delivery)

    # What was never sent.

    def _not_sent(
        self, outgoing: RuleSet | None, rule: FieldRule, event: SyncEvent | None
    ) -> tuple[End, list[Step]]:
        if event is None:
            return End.NO_CHANGE, [
                Step(
                    self.own,
                    f"{self.here} has not changed it since the tickets were linked, so there was nothing to send.",
                )
            ]
        steps = [self._happened(event, rule)]
        cause = event.caused_by
        if cause is not None and cause.lane.linked_ticket_id == self.linked.pk:
            steps.append(
                Step(
                    self.own,
                    f"That was our own write of what came from {self.there}, and nothing goes back to where it came from.",
                    delivery_id=cause.pk,
                )
            )
            return End.NOT_SENT, steps
        if event.happened_at < self.linked.created_at:
            steps.append(
                Step(
                    self.own,
                    "It happened before the tickets were linked; the new ticket began with what stood then.",
                )
            )
        else:
            version = outgoing.version if outgoing else 0
            text = (
                f"The rules that held then sent nothing of it. Version {version}, which holds now, would: "
                "the next change of it travels."
            )
            steps.append(Step(self.own, text, mapping_set_id=outgoing.id if outgoing else None))
        return End.NOT_SENT, steps

    # What was sent.

    def _sent(self, delivery: Delivery) -> tuple[End, list[Step]]:
        steps = []
        if conflict := _decided_by(delivery):
            steps.append(Step(self.own, _decision(conflict), conflict.decided_at, conflict.delivery_id))
        elif delivery.event is not None:
            steps.append(self._happened(delivery.event, _rule_to(_rules(delivery.outgoing), self.field.name)))
        if delivery.problem:
            text, code = str(delivery.problem.get("message", "")), str(delivery.problem.get("code", ""))
            steps.append(Step(self.own, text, delivery_id=delivery.pk, code=code))
            return End.STUCK, steps
        sent = text_of(delivery.envelope.get("fields", {}).get(self.field.name))
        text = f"{self.here} released it as “{sent}”{_version(delivery.outgoing)}."
        steps.append(Step(self.own, text, delivery.queued_at, delivery.pk, delivery.outgoing_id))
        end, last = self._received(delivery)
        if end in (End.ARRIVED, End.EQUAL) and (undone := self._undone(delivery)):
            return End.UNDONE, [*steps, last, undone]
        return end, [*steps, last]

    def _undone(self, delivery: Delivery) -> Step | None:
        """Who put back what it had replaced, while that stands."""
        incoming = _rules(delivery.incoming) or self._published(
            self.receiver.side, MappingSet.Direction.INCOMING
        )
        into = (
            next((one for one in incoming.rules if one.source == self.field.name), None) if incoming else None
        )
        sent = _rule_to(self._published(self.sender.side, MappingSet.Direction.OUTGOING), self.field.name)
        undone = standing(self.linked, [self.sender, self.receiver])[self.receiver.side_id]
        one = undone.get(into.target) if into else None
        if one is None or not one.covers(self.field.name, _sources(sent) if sent else ()):
            return None
        text = (
            f"{one.by or 'Somebody'} undid that write at {self.there}: "
            f"it differs on purpose until {self.here} changes it again."
        )
        return Step(self.other, text, one.at, one.delivery_id)

    def _received(self, delivery: Delivery) -> tuple[End, Step]:
        match delivery.state:
            case Delivery.State.SUPERSEDED | Delivery.State.DONE if conflict := self._conflict(delivery):
                at = conflict.decided_at
                return End.OVERTAKEN, Step(self.other, _decision(conflict), at, delivery.pk)
            case Delivery.State.SUPERSEDED:
                text = f"A newer value stood at {self.there} when it came, and it was not written."
                return End.OVERTAKEN, Step(self.other, text, delivery.done_at, delivery.pk)
            case Delivery.State.SKIPPED:
                why = delivery.skipped_reason or "no reason was given"
                return End.LEFT_OUT, Step(
                    STAFF, f"Somebody left it out: {why}", delivery.done_at, delivery.pk
                )
            case Delivery.State.DONE:
                return self._done(delivery)
        return self._waits(delivery)

    def _done(self, delivery: Delivery) -> tuple[End, Step]:
        incoming = _rules(delivery.incoming) or self._published(
            self.receiver.side, MappingSet.Direction.INCOMING
        )
        rule = (
            next((one for one in incoming.rules if one.source == self.field.name), None) if incoming else None
        )
        key = incoming.id if incoming else None
        if rule is None:
            text = f"No rule of {self.there} takes it: it is told, and nothing is written."
            return End.NOT_TAKEN, Step(self.other, text, delivery.done_at, delivery.pk, key)
        if rule.target in delivery.wanted:
            written = text_of(delivery.wanted[rule.target])
            text = f"{self.there} wrote “{written}” to {rule.target}{_version(delivery.incoming)}."
            return End.ARRIVED, Step(self.other, text, delivery.done_at, delivery.pk, key)
        mode = _MODES.get(rule.mode)
        if mode and delivery.operation != Delivery.Op.CREATE:
            return End.NOT_TAKEN, Step(
                self.other, f"{self.there} {mode}.", delivery.done_at, delivery.pk, key
            )
        if rule.conflict is ConflictPolicy.OWN and _was_answered(delivery):
            text = f"{self.there} had changed it too, and by its rules its own change stands: {self.here} was told."
            return End.OVERTAKEN, Step(self.other, text, delivery.done_at, delivery.pk, key)
        text = f"{self.there} had that value already, or a newer one: nothing had to be written."
        return End.EQUAL, Step(self.other, text, delivery.done_at, delivery.pk, key)

    def _waits(self, delivery: Delivery) -> tuple[End, Step]:
        lane, code = delivery.lane, ""
        if delivery.number > lane.head:
            ahead = delivery.number - lane.head
            text = f"It waits behind {ahead} earlier change{'s' if ahead > 1 else ''} of this ticket; order is kept."
        elif lane.state == Lane.State.HELD:
            text = "Somebody holds its lane: nothing leaves until it is resumed."
        elif lane.failure_message:
            text, code = lane.failure_message, lane.failure_code
        elif delivery.state == Delivery.State.SENT:
            text = f"It was sent, and whether it arrived is being verified in {self.there}'s own history."
        else:
            text = self._standstill(lane) or "It is about to be written."
        end = {Lane.State.PARKED: End.STUCK, Lane.State.HELD: End.HELD}.get(
            Lane.State(lane.state), End.UNDER_WAY
        )
        return end, Step(STAFF, text, delivery.queued_at, delivery.pk, code=code)

    def _standstill(self, lane: Lane) -> str:
        """Why nothing of the lane can move at all."""
        reason = by_an_end(lane, (self.sender.side, self.receiver.side), self.now)
        return reason.words if reason else lane.system.failure_message

    # Looking things up.

    def _conflict(self, delivery: Delivery) -> Conflict | None:
        """The decision about this field that the delivery waited for, or that was taken while it waited."""
        if not delivery.envelope.get("decided"):
            return None
        decided = Conflict.objects.filter(
            delivery__lane=delivery.lane_id, shared=self.field.name, decided_at__isnull=False
        ).select_related("decided_by")
        return decided.filter(delivery__number__lte=delivery.number).order_by("-delivery__number").first()

    def _happened(self, event: SyncEvent, rule: FieldRule | None) -> Step:
        names = _sources(rule) if rule else ()
        values = [text_of(event.fields[name]) for name in names if name in event.fields]
        what = f" to “{values[0]}”" if values else ""
        who = event.actor_name or "Somebody"
        return Step(self.own, f"{who} set it{what} at {self.here}.", event.happened_at)

    def _event(self, rule: FieldRule) -> SyncEvent | None:
        """The latest change of what the rule reads, among the latest changes of the sender's ticket."""
        if self.sender.ticket_id is None:
            return None
        names = set(_sources(rule))
        events = SyncEvent.objects.filter(ticket=self.sender.ticket_id).select_related("caused_by__lane")
        return next(
            (one for one in events.order_by("-position")[:LOOKED_AT] if names & set(one.fields)), None
        )

    def _delivery(self) -> Delivery | None:
        """The latest delivery that carried the field, or stopped because of it."""
        deliveries = (
            Delivery.objects.filter(lane__linked_ticket=self.linked.pk, lane__target=self.receiver.side_id)
            .exclude(operation__in=(Delivery.Op.COMMENT, Delivery.Op.FILE, *Delivery.OF_RECEIVER))
            .select_related(
                "event", "lane__system", "lane__connection", "lane__linked_ticket", "outgoing", "incoming"
            )
            .order_by("-number")
        )
        return next((one for one in deliveries[:LOOKED_AT] if self._carries(one)), None)

    def _carries(self, delivery: Delivery) -> bool:
        if self.field.name in delivery.envelope.get("fields", {}):
            return True
        rule = _rule_to(_rules(delivery.outgoing), self.field.name) if delivery.problem else None
        return rule is not None and delivery.problem.get("field") in _sources(rule)

    def _published(self, side: Side, direction: str) -> RuleSet | None:
        return _rules(
            MappingSet.objects.prefetch_related("rules__value_map__pairs")
            .filter(side=side, direction=direction, state=MappingSet.State.PUBLISHED)
            .first()
        )


_MODES = {
    UpdateMode.ONLY_IF_NEW: "takes it only for a new ticket",
    UpdateMode.ONLY_IF_EMPTY: "takes it only where the field is empty, and it was not",
}


def _decided_by(delivery: Delivery) -> Conflict | None:
    """The decision that this delivery carries to the other side, if it carries one."""
    kind, _, key = delivery.origin.partition(":")
    if kind != "conflict":
        return None
    return Conflict.objects.select_related("decided_by").filter(pk=int(key)).first()


def _decision(conflict: Conflict) -> str:
    who = str(conflict.decided_by or "Somebody")
    why = f": {conflict.reason}" if conflict.reason else "."
    what = {
        Conflict.Choice.CAME: "the value that came stands",
        Conflict.Choice.OWN: "the value that stood there stands",
        Conflict.Choice.TEXT: "a text made of both stands",
    }[Conflict.Choice(conflict.choice)]
    return f"Both sides had changed it, and {who} decided that {what}{why}"


def _was_answered(delivery: Delivery) -> bool:
    """Whether the sender was told of another value instead."""
    back = Delivery.objects.filter(
        lane__linked_ticket=delivery.lane.linked_ticket_id, event=delivery.event_id, origin=delivery.origin
    )
    return back.exclude(lane=delivery.lane_id).exists()


def _is_later(event: SyncEvent, delivery: Delivery) -> bool:
    if delivery.event is None or delivery.event.ticket_id != event.ticket_id:
        return False
    return event.position > delivery.event.position


def _rules(mapping_set: MappingSet | None) -> RuleSet | None:
    return rule_set_of(mapping_set) if mapping_set else None


def _rule_to(rules: RuleSet | None, name: str) -> FieldRule | None:
    return rule_to(rules, name) if rules else None


def _sources(rule: FieldRule) -> Sequence[str]:
    return tuple(_read_by(rule))


def _read_by(rule: FieldRule) -> Iterator[str]:
    if rule.source:
        yield rule.source
    if rule.transform is Transform.TEMPLATE:
        yield from (part.split("}")[0] for part in rule.argument.split("{")[1:])


def _version(mapping_set: MappingSet | None) -> str:
    return f", by version {mapping_set.version} of its rules" if mapping_set else ""
