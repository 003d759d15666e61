"""What each of several deliveries still has to do with one ticket, and which of them one write can carry.  Pure.

A ticket that changes faster than its twin can be written to, or that has waited out an outage, has several updates in
its lane.  Systems count writes to one ticket (Zendesk 30 in ten minutes, Jira 20 in two seconds), so updates that
follow one another go out in one write as long as no two of them want the same field: then every value that was ever
set is still written, in its order, and nothing that somebody could see is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from integrations.canonical import Value
from integrations.engine import conflicts, texts, undoing
from integrations.engine.ports import Systems
from integrations.engine.values import (
    NO_STAMP,
    DeliveryState,
    HeadView,
    Operation,
    Question,
    Stamp,
    TicketState,
    Winner,
)
from integrations.mapping import meaning
from integrations.mapping import plan as mapping
from integrations.mapping.people import with_local_people
from integrations.mapping.rules import UpdateMode
from integrations.richtext.blocks import is_document

# At most so many deliveries go out in one write, the head among them.
MOST_IN_ONE_WRITE = 10


@dataclass(frozen=True, slots=True)
class Share:
    """One delivery's part: `open` is still to be written, `equal` stands there already, the rest was overtaken.

    Of `open`, `over` holds the texts that were merged: what stood there, with the stamp of what it becomes.  Of `equal`,
    `told` are the texts that are something else than the sender has, with the stamp that they take.  The receiver's own
    value that stands by its rules is found among them as well.  `questions` are for a person to decide first.
    """

    head: HeadView
    wanted: Mapping[str, Value]
    open: Mapping[str, Value]
    equal: Mapping[str, Value]
    over: Mapping[str, Winner] = field(default_factory=dict)
    told: Mapping[str, Winner] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()

    @property
    def accepted(self) -> Mapping[str, Value]:
        """The values that take a stamp without a write of their own.

        An old value that somebody has put back already stays theirs.
        """
        if self.head.operation is Operation.REVERT:
            return {}
        return self.equal if not self.open else {name: self.equal[name] for name in self.told}

    @property
    def overtaken(self) -> tuple[str, ...]:
        """The fields in which a newer value stands."""
        return tuple(name for name in self.wanted if name not in self.open and name not in self.equal)

    @property
    def end(self) -> DeliveryState:
        """Where the delivery stands once `open` is written."""
        is_over = bool(self.overtaken or self.head.envelope.get("decided"))
        if is_over and not (self.open or self.equal or self.head.landed):
            return DeliveryState.SUPERSEDED
        return DeliveryState.DONE

    @property
    def undone(self) -> Mapping[str, str]:
        """What became of each field of an undoing once `open` is written; empty for anything else."""
        if self.head.operation is not Operation.REVERT:
            return {}
        return undoing.told(self.head, sent={*self.open, *self.head.landed}, equal=self.equal)

    def asked(self) -> dict[str, Value]:
        """All that the delivery wants written: `open`, and what an attempt before brought there already."""
        return {**self._of_landed(self.head.wanted), **self.open}

    def replaces(self, target: TicketState) -> dict[str, Value]:
        """What stood there before: now in what is open, and then in what an attempt before brought there already.

        A workflow stopped half-way shows a step of ours; what stood before that is still the winner.
        """
        before, winners = self._of_landed(self.head.pre_image), target.winners
        for name in self.open:
            old = self.head.pre_image.get(name)
            is_step = self.head.state is DeliveryState.SENT and name in self.head.pre_image
            is_step = is_step and name in winners and winners[name].value == old
            before[name] = old if is_step else target.actual.get(name)
        return before

    def _of_landed(self, values: Mapping[str, Value]) -> dict[str, Value]:
        return {name: value for name, value in values.items() if name in self.head.landed}


def share_of(
    head: HeadView, target: TicketState, present: Mapping[str, Value], systems: Systems
) -> Share | mapping.Problem:
    """What is still to be written of a delivery of fields.  `present` is what the ticket will hold by then."""
    wanted, problem = _wanted(head, present)
    if problem:
        return problem
    if head.operation is Operation.REVERT:
        return _undoing_share(head, target, systems)
    system_id = head.side.system_id
    newer = {name for name in wanted if _is_newer(head, target, name)}

    def settled(name: str, value: Value) -> Value:
        return systems.settled(system_id, name, value)

    bases = _bases(head, present)
    edited_texts = {name for name, base in bases.items() if is_document(base)}
    own_texts = {name for name in edited_texts if conflicts.keeps_own_text(head, name)}
    merged = texts.merged(wanted, bases, target, settled, newer=newer - own_texts)
    found = conflicts.found_in(
        head,
        target,
        wanted,
        present=present,
        clashing_texts={name for name, text in merged.items() if text.clashes},
        merged_texts=merged.keys() & edited_texts,
        systems=systems,
    )
    # The receiver's own value is what the two changes become.
    merged |= {name: texts.MergedText(value, True) for name, value in found.kept.items()}
    own_values = own_texts | found.kept.keys()
    becomes = {**wanted, **{name: text.value for name, text in merged.items()}}
    # A text that nothing is written into is equal as it is, with all that our model has no word for.
    equal = {
        name: target.actual.get(name)
        for name, value in becomes.items()
        if target.actual.get(name) == settled(name, value)
        or (name in merged and target.actual.get(name) == value)
    }
    left = {
        name: value
        for name, value in becomes.items()
        if name not in equal and (name in newer or name in merged)
    }
    stamps = {
        name: _merged_stamp(head, target, name, text, is_own=name in own_values)
        for name, text in merged.items()
    }
    return Share(
        head,
        becomes,
        left,
        equal,
        over={name: Winner(target.actual.get(name), stamps[name]) for name in merged if name in left},
        told={
            name: Winner(equal[name], stamps[name])
            for name, text in merged.items()
            if text.is_concurrent and name in equal
        },
        questions=found.asked,
    )


def _undoing_share(head: HeadView, target: TicketState, systems: Systems) -> Share:
    """What is put back: as it was and never merged, and only over what we wrote."""
    wanted: Mapping[str, Value] = head.envelope["fields"]
    equal = {
        name: target.actual.get(name)
        for name, value in wanted.items()
        if target.actual.get(name) in (value, systems.settled(head.side.system_id, name, value))
    }
    left = {
        name: value
        for name, value in wanted.items()
        if name not in equal and undoing.still_stands(head, target, name)
    }
    return Share(head, wanted, left, equal)


def with_followers(own: Share, target: TicketState, systems: Systems) -> list[Share]:
    """The head's share and those of the updates right behind it that may go out in the same write.

    Ends at the first that is something else, may be there already, cannot be mapped, or wants a field that one
    before it writes, or found there already with a newer stamp.  Ends as well before a write behind one that only found
    its values there: until that is stored, somebody may change them, and then it is written after what follows it.
    """
    shares, taken = [own], {*own.open, *own.told}
    # A value that stands there already takes the stamp of the delivery that wanted it.
    stands = dict.fromkeys(own.equal, own.head.stamp)
    if own.head.tries and own.open:
        # It failed or got lost before: by itself it shows why.
        return shares
    present = {**target.actual, **own.open}
    for follower in own.head.followers[: MOST_IN_ONE_WRITE - 1]:
        if not _may_follow(follower):
            break
        share = share_of(follower, target, present, systems)
        if not isinstance(share, Share) or share.questions or taken & set(share.wanted):
            break
        if any(stands.get(name, NO_STAMP) > follower.stamp for name in share.wanted):
            break
        if share.open and any(_is_unsettled(one, target) for one in shares):
            break
        shares.append(share)
        taken |= {*share.open, *share.told}
        stands |= dict.fromkeys(share.equal, follower.stamp)
        present |= share.open
    return shares


def _is_unsettled(share: Share, target: TicketState) -> bool:
    """Whether nothing of it is to be written, and that may be otherwise once more as long as its stamp is not taken."""
    return not share.open and any(_stamp_of(target, name) < share.head.stamp for name in share.equal)


def received(head: HeadView, present: Mapping[str, Value], *, is_new: bool) -> mapping.Mapped:
    """What the receiver's rules and pairs of people make of the delivery.

    A value that says already what comes in stays, and what goes back to whom it came from is in its own words.
    """
    side, told, own = head.side, head.envelope["fields"], head.envelope.get("own", {})
    rules = side.incoming
    if own:
        rules = replace(rules, rules=tuple(one for one in rules.rules if one.target not in own))
    mapped = mapping.receive(rules, told, current=present, is_new=is_new)
    if mapped.problem:
        return mapped
    fields = mapped.fields
    # What an attempt may have written is written again as it was: until it is seen, the next one builds upon it.
    if not is_new and head.state is not DeliveryState.SENT:
        fields = fields | meaning.standing(rules, side.outgoing, told, present)
    return mapping.Mapped({**with_local_people(fields, side.person_fields, side.people), **own})


def _may_follow(follower: HeadView) -> bool:
    # One whose outcome is unknown is looked for first, when it is its turn.
    return (
        follower.operation in (Operation.UPDATE, Operation.REVERT)
        and follower.state is DeliveryState.NEW
        and not follower.problem
    )


def _wanted(
    head: HeadView, present: Mapping[str, Value]
) -> tuple[Mapping[str, Value], mapping.Problem | None]:
    if head.operation in (Operation.REPAIR, Operation.REVERT):
        return head.envelope["fields"], None
    if head.operation is Operation.CREATE:
        # The ticket stands; what creating it could not set is what is still wanted.
        rules = head.side.incoming.rules
        once = {rule.target for rule in rules if rule.mode is UpdateMode.ONLY_IF_NEW}
        return {name: value for name, value in head.wanted.items() if name not in once}, None
    mapped = received(head, present, is_new=False)
    # What a person has decided stands by itself; this delivery has no say in it any more.
    decided = head.envelope.get("decided", ())
    return {name: value for name, value in mapped.fields.items() if name not in decided}, mapped.problem


def _bases(head: HeadView, present: Mapping[str, Value]) -> Mapping[str, Value]:
    """What the sender's texts said before this change, in the receiver's fields."""
    bases = head.envelope.get("base")
    if not bases or head.operation is Operation.REPAIR:
        # What puts a value back speaks of the ticket in its own words.
        return bases or {}
    fields = {**head.envelope["fields"], **bases}
    return mapping.receive(head.side.incoming, fields, current=present, is_new=False).fields


def _merged_stamp(
    head: HeadView, target: TicketState, name: str, text: texts.MergedText, *, is_own: bool
) -> Stamp:
    stands = _stamp_of(target, name)
    if text.is_concurrent and is_own:
        return conflicts.kept_stamp(head.stamp, stands, target.system_id)
    # Another text than the one that stands there never goes by the same stamp.
    if text.is_concurrent or stands >= head.stamp:
        return texts.merged_stamp(head.stamp, stands, target.system_id)
    return head.stamp


def _stamp_of(target: TicketState, name: str) -> Stamp:
    winner = target.winners.get(name)
    return winner.stamp if winner else NO_STAMP


def _is_newer(head: HeadView, target: TicketState, name: str) -> bool:
    stamp = _stamp_of(target, name)
    if head.operation is Operation.REPAIR:
        return stamp == head.stamp
    return stamp < head.stamp
