"""Conflict policies: where a side keeps its own edits, one that had not been seen is not covered."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.canonical import ChangeKind
from integrations.engine.values import Operation
from integrations.mapping.plan import fields_read, receive
from integrations.mapping.rules import ConflictPolicy, FieldRule, RuleSet
from integrations.simulation.checks.undoing import looked_at
from integrations.simulation.clock import milliseconds
from integrations.simulation.evidence import Evidence
from integrations.simulation.journal import Happened
from integrations.simulation.rows import DeliveryRow, EventRow
from integrations.simulation.systems import OUR_ACCOUNT


def own_edits_stand(evidence: Evidence) -> Iterator[str]:
    """I5: where the receiver's rules keep its own edit, a change made without having seen that does not cover it."""
    last: dict[tuple[int, str, str], Happened] = {}
    for one in evidence.journal.happened:
        for name in one.change.fields:
            own = last.get((one.place, one.remote_id, name))
            last[one.place, one.remote_id, name] = one
            if one.sent is None or one.sent.is_too_late or own is None or not _is_edit(own):
                continue
            if own.ms > looked_at(evidence, one):
                continue
            for pk in one.sent.deliveries:
                row = evidence.tables.deliveries[pk]
                if name in row.wanted and _covers_unseen(evidence, row, name, own):
                    yield f"delivery {pk} covered {name} of {own.change.id} in {own.place}, which stays by its rules"


def _is_edit(one: Happened) -> bool:
    return one.sent is None and one.change.actor.id != OUR_ACCOUNT and one.change.kind is ChangeKind.UPDATED


def _covers_unseen(evidence: Evidence, row: DeliveryRow, name: str, own: Happened) -> bool:
    event = evidence.tables.events.get(row.event_id or 0)
    incoming = evidence.rules.get(row.incoming_id or 0)
    if row.operation is not Operation.UPDATE or event is None or event.caused_by is not None:
        return False
    if incoming is None or evidence.is_answer(row):
        return False
    rule = _keeping(incoming[3], name)
    lane = evidence.lane_of(row)
    sender = evidence.sender(lane)
    if rule is None or any(
        _keeps(one) and set(fields_read(one)) & set(fields_read(rule)) for one in sender.incoming.rules
    ):
        return False
    change = evidence.happened_by_change.get((evidence.world.places[sender.system_id], event.change.id))
    if change is None or not _is_edit(change) or _was_seen(evidence, row, own, change):
        return False
    return own.change.fields[name] not in _same(evidence, row, rule, event, name)


def _keeping(rules: RuleSet, name: str) -> FieldRule | None:
    return next((one for one in rules.rules if one.target == name and _keeps(one)), None)


def _keeps(rule: FieldRule) -> bool:
    return rule.conflict is ConflictPolicy.OWN


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
