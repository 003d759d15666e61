"""Conflict policies: where a side keeps its own edits, one that had not been seen is not covered."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.canonical import ChangeKind, Value
from integrations.engine.values import Operation
from integrations.mapping.plan import fields_read, receive, release
from integrations.mapping.rules import ConflictPolicy, FieldRule, RuleSet
from integrations.simulation.checks.undoing import looked_at
from integrations.simulation.clock import milliseconds
from integrations.simulation.evidence import Evidence
from integrations.simulation.journal import Happened
from integrations.simulation.rows import DeliveryRow, EventRow
from integrations.simulation.systems import OUR_ACCOUNT

OWN, PERSON = ConflictPolicy.OWN, ConflictPolicy.PERSON


def own_edits_stand(evidence: Evidence) -> Iterator[str]:
    """I5: where the receiver's rules keep its own edit, or ask, no change made without having seen that covers it."""
    for row, name, own in _covered(evidence):
        if not evidence.was_decided(row, name) and (policy := _covers_unseen(evidence, row, name, own)):
            why = "about which a person is asked" if policy is PERSON else "which stays by its rules"
            yield f"delivery {row.id} covered {name} of {own.change.id} in {own.place}, {why}"


def finer_words_stand(evidence: Evidence) -> Iterator[str]:
    """I5: a value that only people choose, and that says what comes in already, is not written over."""
    for row, name, own in _covered(evidence):
        incoming = evidence.rules.get(row.incoming_id or 0)
        rule = incoming and next((one for one in incoming[3].rules if one.target == name), None)
        if rule is None or row.operation is not Operation.UPDATE or evidence.was_decided(row, name):
            continue
        if sum(one.delivery_id == row.id for one in evidence.tables.attempts) > 1:
            # What may have been written already is written again.
            continue
        value, side = own.change.fields[name], evidence.side(evidence.lane_of(row))
        told = release(evidence.now_of(side.id, "outgoing"), {name: value}).fields.get(rule.source)
        if rule.values and value not in rule.values.values() and told == row.envelope["fields"][rule.source]:
            yield f"delivery {row.id} covered {name} of {own.change.id} in {own.place}, which is {told!r} as well"


def _covered(evidence: Evidence) -> Iterator[tuple[DeliveryRow, str, Happened]]:
    """The deliveries that wrote over an edit which could be known by then, with the field and the edit."""
    last: dict[tuple[int, str, str], Happened] = {}
    for one in evidence.journal.happened:
        for name in one.change.fields:
            own = last.get((one.place, one.remote_id, name))
            last[one.place, one.remote_id, name] = one
            if one.sent is None or one.sent.is_too_late or own is None or not _is_edit(own):
                continue
            if own.ms <= looked_at(evidence, one):
                rows = [evidence.tables.deliveries[pk] for pk in one.sent.deliveries]
                yield from ((row, name, own) for row in rows if name in row.wanted)


def _is_edit(one: Happened) -> bool:
    return one.sent is None and one.change.actor.id != OUR_ACCOUNT and one.change.kind is ChangeKind.UPDATED


def _covers_unseen(evidence: Evidence, row: DeliveryRow, name: str, own: Happened) -> ConflictPolicy | None:
    """The policy by which a write should not have covered an edit; None where it may."""
    event = evidence.tables.events.get(row.event_id or 0)
    incoming = evidence.rules.get(row.incoming_id or 0)
    if row.operation is not Operation.UPDATE or event is None or event.caused_by is not None:
        return None
    if incoming is None or evidence.is_answer(row):
        return None
    rule = _asking(incoming[3], name)
    sender = evidence.sender(evidence.lane_of(row))
    if rule is None or (rule.conflict is OWN and _keeps_too(sender.incoming, rule)):
        return None
    change = evidence.happened_by_change.get((evidence.world.places[sender.system_id], event.change.id))
    if change is None or not _is_edit(change) or _was_seen(evidence, row, own, change):
        return None
    if _was_decided_between(evidence, row, rule, event):
        return None
    value = own.change.fields[name]
    is_same = value in _same(evidence, row, rule, event, name) or _said_before(evidence, row, rule, value)
    return None if is_same else rule.conflict


def _said_before(evidence: Evidence, row: DeliveryRow, rule: FieldRule, value: Value) -> bool:
    """Whether the receiver's value leaves as what the sender had before its change: there is no other word for it."""
    was = row.envelope.get("seen", {}).get(rule.source, {}).get("was")
    told = release(evidence.side(evidence.lane_of(row)).outgoing, {rule.target: value}).fields
    return was is not None and told.get(rule.source) == was


def _asking(rules: RuleSet, name: str) -> FieldRule | None:
    return next((one for one in rules.rules if one.target == name and one.conflict in (OWN, PERSON)), None)


def _keeps_too(rules: RuleSet, rule: FieldRule) -> bool:
    """Whether the sender keeps its own edits of the same as well: then neither gives way, and the newest stands."""
    read = set(fields_read(rule))
    return any(one.conflict is OWN and read & set(fields_read(one)) for one in rules.rules)


def _was_seen(evidence: Evidence, row: DeliveryRow, own: Happened, change: Happened) -> bool:
    """Whether the own edit was on the sender's side, or on its way there with its outcome, before the change."""
    lane = evidence.lane_of(row)
    for back in evidence.tables.deliveries.values():
        other = evidence.lane_of(back)
        if other.linked_id != lane.linked_id or other.id == lane.id or back.event_id is None:
            continue
        event = evidence.tables.events[back.event_id]
        place = evidence.place_of(evidence.tables.tickets[event.ticket_id])
        if (place, event.change.id) == (own.place, own.change.id):
            return (back.done_at is not None and milliseconds(back.done_at) <= change.ms) or _landed(
                evidence, back, change
            )
    # It was never told there at all.
    return True


def _was_decided_between(evidence: Evidence, row: DeliveryRow, rule: FieldRule, event: EventRow) -> bool:
    """Whether a person decided about the field before the change was known: it counts as made after that."""
    linked = evidence.lane_of(row).linked_id
    return any(
        one.decided_at is not None
        and one.decided_at <= event.seen_at
        and one.shared in fields_read(rule)
        and evidence.tables.lanes[one.lane_id].linked_id == linked
        for one in evidence.tables.conflicts.values()
    )


def _landed(evidence: Evidence, back: DeliveryRow, change: Happened) -> bool:
    return any(
        one.sent is not None and back.id in one.sent.deliveries and one.number < change.number
        for one in evidence.journal.happened
    )


def _same(evidence: Evidence, row: DeliveryRow, rule: FieldRule, event: EventRow, name: str) -> list[object]:
    """Values of the receiver that are no conflict: what is wanted, and what the sender had before its change."""
    target = evidence.tables.tickets[row.target_id or 0]
    seen = row.envelope.get("seen", {})
    was = {one: told["was"] for one, told in seen.items() if "was" in told and one in fields_read(rule)}
    alone = RuleSet(id=None, version=0, rules=(rule,))
    before = receive(alone, {**row.envelope["fields"], **was}, current={}, is_new=False).fields.get(name)
    wanted = [row.wanted[name], before]
    return [*wanted, *(evidence.world.settled(target.system_id, name, one) for one in wanted)]
