"""Which version of the rules a delivery was made and written with, and whether its values are what that version says."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.canonical import Value
from integrations.engine import effects
from integrations.engine.acknowledgements import is_word
from integrations.engine.values import Operation
from integrations.mapping.plan import receive, release
from integrations.simulation.clock import SECOND, milliseconds
from integrations.simulation.evidence import Evidence
from integrations.simulation.rows import DeliveryRow

# A worker's picture of the configuration may be this old; what it makes of a head that it has loaded goes by the picture
# of that moment.
FRESH_MS = SECOND
AT_LOADING_MS = 60 * SECOND


def versions_are_pinned(evidence: Evidence) -> Iterator[str]:
    """I14: the sender's version is the one that held when the change was seen, the receiver's when it was written."""
    retried = {claim.lane_id for claim in evidence.journal.claims if claim.lane_id in _was_parked(evidence)}
    for row in evidence.tables.deliveries.values():
        if row.operation is Operation.REPAIR or row.event_id is None or evidence.is_answer(row):
            continue
        side = evidence.sender(evidence.lane_of(row))
        if row.outgoing_id is None:
            yield f"delivery {row.id} does not name the sender's version"
        elif row.lane_id not in retried and not _held_at(
            evidence,
            row.outgoing_id,
            side.id,
            milliseconds(row.queued_at),
            slack_ms=AT_LOADING_MS if is_word(row.origin) else FRESH_MS,
        ):
            yield f"delivery {row.id} names version {row.outgoing_id}, which did not hold at {row.queued_at}"
    for one in evidence.journal.commits:
        match one.request:
            case effects.MarkSent(lane_id=lane_id, incoming_id=incoming_id) if one.result:
                side = evidence.side(evidence.tables.lanes[lane_id])
                if incoming_id is None or not _held_at(
                    evidence, incoming_id, side.id, one.ms, slack_ms=AT_LOADING_MS
                ):
                    yield f"an attempt in lane {lane_id} names version {incoming_id}, which did not hold"


def _was_parked(evidence: Evidence) -> set[int]:
    return {
        one.request.lane_id
        for one in evidence.journal.commits
        if isinstance(one.request, effects.Park) and one.result
    }


def _held_at(evidence: Evidence, rules_id: int, side_id: int, ms: int, *, slack_ms: int = FRESH_MS) -> bool:
    published = evidence.rules.get(rules_id)
    if published is None or published[1] != side_id:
        return False
    since_ms, _, direction, _ = published
    later = [
        one[0]
        for one in evidence.journal.published
        if one[1] == side_id and one[2] == direction and one[0] > since_ms
    ]
    return since_ms <= ms and all(ms - slack_ms <= end for end in later[:1])


def values_follow_their_version(evidence: Evidence) -> Iterator[str]:
    """I14: what was released is what the named version releases of the ticket as it stood, and what was written too."""
    for row in evidence.tables.deliveries.values():
        if row.operation not in (Operation.CREATE, Operation.UPDATE) or evidence.is_answer(row):
            continue
        rules = evidence.rules.get(row.outgoing_id or 0)
        if rules is None or row.event_id is None:
            continue
        changed = row.envelope.get("changed") if row.operation is Operation.UPDATE else None
        released = release(rules[3], _fields_at(evidence, row), changed=changed)
        if dict(row.envelope["fields"]) != released.fields:
            yield f"delivery {row.id} released {row.envelope['fields']}, its version releases {released.fields}"
        incoming = evidence.rules.get(row.incoming_id or 0)
        if incoming is None:
            continue
        wanted = receive(incoming[3], row.envelope["fields"], current={}, is_new=False)
        differs = {
            name: value
            for name, value in row.wanted.items()
            if wanted.fields.get(name) != value and not evidence.was_decided(row, name)
        }
        if differs:
            yield f"delivery {row.id} wrote {differs}, its version makes {wanted.fields}"


def _fields_at(evidence: Evidence, row: DeliveryRow) -> dict[str, Value]:
    assert row.event_id is not None
    event = evidence.tables.events[row.event_id]
    fields: dict[str, Value] = {}
    for one in evidence.events_of[event.ticket_id]:
        if one.position <= event.position:
            fields |= one.change.fields
    return fields
