"""Changes that were made without having seen each other, and whose value stands then.  Pure.

Each side's incoming rules say per field what happens: the newest stands, the side's own edit stands, or a person
decides.  Only what a rule asks for is looked at; by `newest` nothing of this is recorded or compared.

Whether a change had seen the receiver's value is told by the sender's own history, not by clocks.  When the change is
read there, the stamp and the value that the sender's ticket held until then go along.  The receiver's value is known to
the sender from the place on at which the sender's history shows it; from there on the ticket there carries its stamp.
So a receiver's value with a newer stamp than the one that went along had not been seen.  Three things are left to
chance, and all of them are judged as newest: changes that were read before a rule asked; a value that reached the
sender's history only after the change although it stood on somebody's screen; and where both sides keep their own edit,
neither of which would give way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from integrations.canonical import Fields, Value
from integrations.engine.ports import Systems
from integrations.engine.values import (
    NO_STAMP,
    HeadView,
    OpenWrite,
    Operation,
    Question,
    SideView,
    Stamp,
    TicketState,
    Winner,
    stamp_from,
)
from integrations.mapping import meaning
from integrations.mapping import plan as mapping
from integrations.mapping.rules import ConflictPolicy, FieldRule, RuleSet, UpdateMode
from integrations.richtext.blocks import is_document

CODE = "conflict"


def asking(rules: RuleSet) -> Iterator[FieldRule]:
    """The incoming rules for which it matters who had seen what; what is appended covers nothing."""
    for rule in rules.rules:
        if rule.conflict is not ConflictPolicy.NEWEST and rule.mode is not UpdateMode.APPEND:
            yield rule


def watched(sender: SideView, receiver: SideView) -> frozenset[str]:
    """The fields of the data dictionary for which the receiver asks what a change of the sender had seen.

    Where both sides keep their own edit neither would give way, and the newest stands.
    """
    asked = {name: rule.conflict for rule in asking(receiver.incoming) for name in mapping.fields_read(rule)}
    if not asked:
        return frozenset()
    kept = {
        name
        for rule in asking(sender.incoming)
        if rule.conflict is ConflictPolicy.OWN
        for name in mapping.fields_read(rule)
    }
    return frozenset(
        name for name, policy in asked.items() if not (policy is ConflictPolicy.OWN and name in kept)
    )


# --- What goes along with a change ---


def seen_by_change(
    sender: SideView,
    receiver: SideView,
    released: Fields,
    before: Fields,
    stamps: Mapping[str, Stamp],
    *,
    changed: Collection[str],
) -> dict[str, dict]:
    """The part of an envelope that tells what a change had seen; empty where the receiver does not ask.

    `before` and `stamps` are the sender's whole ticket until the change.
    """
    names = watched(sender, receiver) & released.keys()
    if not names:
        return {}
    was = mapping.release(sender.outgoing, before, changed=changed).fields
    return {
        "seen": {
            name: {"stamp": _known(sender, name, stamps).as_value(), "was": was.get(name), "is_edit": True}
            for name in sorted(names)
        }
    }


def seen_by_answer(
    sender: SideView, receiver: SideView, released: Fields, answered: Stamp
) -> dict[str, dict]:
    """The same for a value that is told again: what had been seen where it was decided that it stands."""
    names = {name for name in watched(sender, receiver) & released.keys() if not is_document(released[name])}
    if not names:
        return {}
    return {"seen": {name: {"stamp": answered.as_value(), "is_edit": False} for name in sorted(names)}}


def _known(side: SideView, name: str, stamps: Mapping[str, Stamp]) -> Stamp:
    """The newest stamp that the sender's ticket has of a field of the data dictionary."""
    sent = {
        own
        for rule in side.outgoing.rules
        if rule.target == name
        for own in mapping.fields_read(rule)
        if own in stamps
    }
    taken = {
        rule.target
        for rule in side.incoming.rules
        if name in mapping.fields_read(rule) and rule.target in stamps
    }
    # Where what comes in is written to another field than what leaves, edits there say nothing of what was seen.
    came = {own for own in taken - sent if stamps[own].system_id != side.system_id}
    return max((stamps[own] for own in sent | came), default=NO_STAMP)


# --- What the receiver makes of it ---


@dataclass(frozen=True, slots=True)
class Found:
    """The receiver's fields in which a delivery had not seen what stands there.

    `kept` are those in which the receiver's own value stands, `asked` those in which a person decides.
    """

    kept: Mapping[str, Value]
    asked: tuple[Question, ...]


NOTHING = Found({}, ())


def is_asked(head: HeadView) -> bool:
    """Whether a conflict may be found at all: then the target is read before anything is decided."""
    return head.operation is Operation.UPDATE and bool(head.envelope.get("seen"))


def found_in(
    head: HeadView,
    target: TicketState,
    wanted: Fields,
    *,
    present: Fields,
    clashing_texts: Collection[str],
    merged_texts: Collection[str],
    systems: Systems,
) -> Found:
    """Where what a delivery wants meets a value it had not seen.  `clashing_texts`: both changed the same paragraph."""
    if not is_asked(head):
        return NOTHING
    kept: dict[str, Value] = {}
    asked: list[Question] = []
    for rule in asking(head.side.incoming):
        name = rule.target
        if name not in wanted:
            continue
        if name in merged_texts:
            if rule.conflict is ConflictPolicy.PERSON and name in clashing_texts:
                asked.append(Question(name, _shared(rule)))
            continue
        if not _is_unseen(head, target, rule, wanted[name], present, systems):
            continue
        own = target.winners[name]
        if rule.conflict is ConflictPolicy.PERSON:
            asked.append(Question(name, _shared(rule)))
        elif head.stamp > own.stamp:
            kept[name] = own.value
    return Found(kept, tuple(asked))


def keeps_own_text(head: HeadView, name: str) -> bool:
    """Whether the receiver's own paragraph stands in this text where both changed it."""
    if not is_asked(head):
        return False
    seen = head.envelope["seen"]
    return any(
        rule.target == name and rule.conflict is ConflictPolicy.OWN
        for rule in asking(head.side.incoming)
        if any(shared in seen for shared in mapping.fields_read(rule))
    )


def _is_unseen(
    head: HeadView, target: TicketState, rule: FieldRule, value: Value, present: Fields, systems: Systems
) -> bool:
    own = target.winners.get(rule.target)
    told = [
        head.envelope["seen"][name] for name in mapping.fields_read(rule) if name in head.envelope["seen"]
    ]
    if own is None or not told:
        return False
    # What one system has stamped is in that system's own order: the later of the two knew the earlier.
    if own.stamp.system_id in (head.sender.system_id, head.stamp.system_id):
        return False
    if min(stamp_from(one["stamp"]) for one in told) >= own.stamp:
        return False
    if not all(one["is_edit"] for one in told) and head.stamp <= own.stamp:
        # An older value told again: whoever set it has been asked, or told, before.
        return False

    def is_own(one: Value) -> bool:
        return own.value in (one, systems.settled(target.system_id, rule.target, one))

    was = _was(head, rule)
    if meaning.says(rule, head.side.outgoing, was.get(rule.source), own.value):
        # It replaced what stands here, of which the sender has no finer word.
        return False
    return not any(is_own(one) for one in (value, *_replaced(head, rule, was, present)))


def _was(head: HeadView, rule: FieldRule) -> dict[str, Value]:
    """What the sender's fields held before the change; empty where that is not told."""
    seen = head.envelope["seen"]
    return {
        name: seen[name].get("was") for name in mapping.fields_read(rule) if seen.get(name, {}).get("is_edit")
    }


def _replaced(head: HeadView, rule: FieldRule, was: Fields, present: Fields) -> list[Value]:
    """The same in the receiver's words."""
    if not was:
        return []
    fields = {**head.envelope["fields"], **was}
    one = RuleSet(id=None, version=0, rules=(rule,))
    return list(mapping.receive(one, fields, current=present, is_new=False).fields.values())


def _shared(rule: FieldRule) -> str:
    return next(iter(mapping.fields_read(rule)), "")


# --- Edits that come between the look and the write ---


def stood_at_write(head: HeadView, target: TicketState, written: Fields) -> dict[str, dict]:
    """The part of what is recorded of a write that tells what it was decided on, where a rule asks; else empty."""
    if not is_asked(head):
        return {}
    found: dict[str, dict] = {}
    for rule in asking(head.side.incoming):
        shared = [name for name in mapping.fields_read(rule) if name in head.envelope["seen"]]
        if rule.target not in written or not shared or is_document(written[rule.target]):
            continue
        winner = target.winners.get(rule.target)
        found[rule.target] = {"stamp": (winner.stamp if winner else NO_STAMP).as_value()}
        if rule.conflict is ConflictPolicy.PERSON:
            found[rule.target]["again"] = {
                "fields": {name: head.envelope["fields"][name] for name in shared},
                "changed": list(head.envelope.get("changed", ())),
                "seen": {name: head.envelope["seen"][name] for name in shared},
            }
    return {"stood": found} if found else {}


def covered(
    cause: OpenWrite, name: str, stands: Winner | None, value: Value, system_id: int
) -> Winner | None:
    """The edit that a write of ours has covered although it was not decided against it, as it has to stand now."""
    known = cause.stood.get(name)
    if known is None or stands is None or stands.value == value:
        return None
    if stands.stamp == stamp_from(known["stamp"]) or stands.stamp.system_id == cause.stamp.system_id:
        return None
    if stands.stamp > cause.stamp:
        return stands
    return Winner(stands.value, kept_stamp(cause.stamp, stands.stamp, system_id))


def asked_again(cause: OpenWrite, name: str) -> Mapping | None:
    """The envelope with which a person is asked about a change that was written already; None where nobody is."""
    again: Mapping | None = cause.stood.get(name, {}).get("again")
    return again


def kept_stamp(came: Stamp, stands: Stamp, system_id: int) -> Stamp:
    """The stamp of an own value that stands: newer than both, and than what the sender makes of the two of them."""
    return Stamp(max(came.ms, stands.ms) + 2, system_id)


def in_words(labels: Sequence[str]) -> str:
    """Why the lane waits; it names fields and no values."""
    names = " and ".join(f"“{label}”" for label in labels)
    return (
        f"{names} was changed on both sides, and neither had seen the other's change. A person has to decide."
    )
