"""What follows when a person decides which of two values stands on both sides.  Pure.

A decision is stamped newer than everything that both sides had changed by then.  It stands at the receiver from that
moment, and goes to both systems through their lanes like any other change.  The sender is told of its own value in its
own words: the way there and back through both sides' rules may lead to another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from integrations.canonical import Value
from integrations.engine import conflicts, texts
from integrations.engine.values import Answer, Question, SideView, Stamp, Winner
from integrations.mapping import plan as mapping
from integrations.mapping.rules import FieldRule, RuleSet

NO_RULE = "The rules do not write this field any more. Retry the delivery."


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change of the sender on its way to the receiver: its place in the lane, its stamp and its envelope.

    `own` are the fields that were set at the sender, in its own words; empty where nobody set them there.
    """

    number: int
    stamp: Stamp
    envelope: Mapping
    own: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Dispute:
    """A field about which a person is asked, as both sides stand now.

    `here` is the receiver.  `waiting` is the change that had asked, and those behind it that carry the field.
    """

    question: Question
    here: SideView
    there: SideView
    actual: Mapping[str, Value]
    winners: Mapping[str, Winner]
    source_winners: Mapping[str, Winner]
    waiting: Sequence[Waiting]

    @cached_property
    def rule(self) -> FieldRule | None:
        """The receiver's rule that writes the field; None where its rules of today have none."""
        return rule_of(self.here, self.question)

    @property
    def winner(self) -> Winner:
        """What should stand at the receiver."""
        name = self.question.field
        return self.winners.get(name) or Winner(self.actual.get(name), Stamp(0, 0))

    @property
    def latest(self) -> Waiting:
        """The sender's last word: the change queued last that carries the field."""
        return self.waiting[-1]

    @cached_property
    def said(self) -> Waiting | None:
        """The change in which the sender's people set its last word; None where that is not known.

        It may have been told once more since.  Where a write of ours had covered their edit, and the edit is put back
        and told once more, what goes along as set there is our write, which says something else.
        """
        names = sent_from(self.there, self.question)
        set_there = [one for one in self.waiting if names & one.own.keys()]
        word = self.latest.envelope["fields"].get(self.question.shared)
        same = [one for one in set_there if any(self.says(name, one.own, word) for name in names)]
        return next(reversed(same or set_there), None)

    def says(self, name: str, own: Mapping[str, Value], word: Value) -> bool:
        """Whether a field of the sender's, set like this, leaves by itself as this word of the data dictionary."""
        shared = self.question.shared
        rules = [one for one in self.there.outgoing.rules if one.target == shared]
        alone = RuleSet(None, 0, tuple(one for one in rules if mapping.fields_read(one) == (name,)))
        released = mapping.release(alone, own, changed=[name] if name in own else []).fields
        return shared in released and released[shared] == word

    def carried(self) -> tuple[Value, str]:
        """The sender's last value in the receiver's words, or why there is none."""
        if self.rule is None:
            return None, NO_RULE
        one = RuleSet(id=None, version=0, rules=(self.rule,))
        mapped = mapping.receive(one, self.latest.envelope["fields"], current=self.actual, is_new=False)
        if mapped.problem:
            return None, mapped.problem.message
        return mapped.fields.get(self.question.field), ""

    def token(self) -> str:
        """Which two values a person was shown."""
        stamp = self.winner.stamp
        return f"{stamp.ms}.{stamp.system_id}.{self.latest.number}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is stored: the receiver's winner, and what is queued.

    `repair` is the envelope of what puts the value to the receiver, None where it stands there; `answer` is what the
    sender is told, None where the receiver's rules release nothing of it.
    """

    winner: Winner
    repair: Mapping | None
    answer: Answer | None


def rule_of(here: SideView, question: Question) -> FieldRule | None:
    """The receiver's rule that writes the field in question."""
    return next((one for one in here.incoming.rules if one.target == question.field), None)


def sent_from(there: SideView, question: Question) -> set[str]:
    """The sender's own fields that leave as what is in question."""
    rules = [one for one in there.outgoing.rules if one.target == question.shared]
    return {name for rule in rules for name in mapping.fields_read(rule)}


def carries(here: SideView, question: Question, envelope: Mapping) -> bool:
    """Whether a change speaks of the field in question."""
    rule = rule_of(here, question)
    names = mapping.fields_read(rule) if rule else (question.shared,)
    return any(name in envelope.get("fields", {}) for name in names)


def without(envelope: Mapping, *fields: str) -> dict:
    """The envelope of a change that has no say any more in what was decided; `fields` are those of its receiver."""
    return {**envelope, "decided": list(dict.fromkeys([*envelope.get("decided", ()), *fields]))}


def asked_back(dispute: Dispute) -> list[str]:
    """The sender's fields for which its own rules would keep its edit, or ask once more.

    The receiver's changes that wait to be brought there are older than the decision, and were known when it was made.
    They have no say in these fields any more: else the sender's rules would judge them by themselves, and what they
    made of that would be newer than the decision.
    """
    shared = dispute.question.shared
    rules = conflicts.asking(dispute.there.incoming)
    return sorted({rule.target for rule in rules if shared in mapping.fields_read(rule)})


def decided(dispute: Dispute, value: Value, *, is_senders: bool = False) -> Decision:
    """Let this value stand at the receiver and tell the sender.  `is_senders`: it is what the sender's last one becomes."""
    name, known = dispute.question.field, _known_stamps(dispute)
    stamp = Stamp(max(one.ms for one in known) + 1, dispute.here.system_id)
    repair = None
    if dispute.actual.get(name) != value:
        fields = {name: value}
        repair = {"fields": fields, **texts.as_bases(dispute.actual, fields)}
    own = _own_words(dispute) if is_senders else {}
    return Decision(Winner(value, stamp), repair, _answer(dispute, value, stamp, max(known), own))


def _known_stamps(dispute: Dispute) -> list[Stamp]:
    """Of everything that either side holds of the field, or that is under way to the receiver."""
    shared, there, winners = dispute.question.shared, dispute.there, dispute.source_winners
    names = sent_from(there, dispute.question) | _written_from(there, shared)
    return [
        dispute.winner.stamp,
        *(one.stamp for one in dispute.waiting),
        *(winners[name].stamp for name in sorted(names) if name in winners),
    ]


def _own_words(dispute: Dispute) -> dict[str, Value]:
    """The sender's fields that are written from what is in question, and sent as it, as they were set there."""
    said, shared = dispute.said, dispute.question.shared
    word = dispute.latest.envelope["fields"].get(shared)
    names = sent_from(dispute.there, dispute.question) & _written_from(dispute.there, shared)
    return {name: said.own[name] for name in sorted(names) if said and dispute.says(name, said.own, word)}


def _written_from(side: SideView, shared: str) -> set[str]:
    """A side's own fields that are written from one of the data dictionary."""
    return {rule.target for rule in side.incoming.rules if shared in mapping.fields_read(rule)}


def _answer(
    dispute: Dispute, value: Value, stamp: Stamp, known: Stamp, own: Mapping[str, Value]
) -> Answer | None:
    """What the sender is told, in the words that the receiver's rules release, and in its `own` where it has them."""
    name, here, shared = dispute.question.field, dispute.here, dispute.question.shared
    mapped = mapping.release(here.outgoing, {**dispute.actual, name: value}, changed=[name])
    if not mapped.fields and not mapped.problem:
        return None
    if own.keys() == _written_from(dispute.there, shared):
        mapped = mapping.Mapped({**mapped.fields, shared: dispute.latest.envelope["fields"][shared]})
    envelope = {
        "fields": mapped.fields,
        "changed": [name],
        **({"own": own} if own else {}),
        **conflicts.seen_by_answer(here, dispute.there, mapped.fields, known),
    }
    problem = mapped.problem.as_value() if mapped.problem else {}
    return Answer(stamp, envelope, problem, here.outgoing.id)
