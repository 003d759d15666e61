"""Order within lanes and along the chain; echo and amplification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from integrations.canonical import ChangeKind
from integrations.engine import effects
from integrations.engine.acknowledgements import is_word
from integrations.engine.follow_ups import is_follow_up
from integrations.engine.values import Operation, Stamp
from integrations.simulation.evidence import Evidence, last_line, stands_alone
from integrations.simulation.journal import Happened
from integrations.simulation.rows import DeliveryRow, EventRow
from integrations.simulation.systems import OUR_ACCOUNT


def lanes_keep_their_order(evidence: Evidence) -> Iterator[str]:
    """I3: what a lane's deliveries did, they did in the order of their numbers."""
    reached: dict[int, int] = {}
    latest: dict[int, int] = {}
    for one in evidence.journal.happened:
        sent = one.sent
        if sent is None or sent.lane_id is None or sent in evidence.over_since or _puts_back(evidence, one):
            continue
        numbers = [evidence.tables.deliveries[pk].number for pk in sent.deliveries]
        if not numbers or latest.get(sent.lane_id) == sent.number:
            # One write may show as several changes.
            continue
        latest[sent.lane_id] = sent.number
        if min(numbers) < reached.get(sent.lane_id, 0):
            yield f"lane {sent.lane_id}: number {min(numbers)} took effect after {reached[sent.lane_id]}"
        reached[sent.lane_id] = max(reached.get(sent.lane_id, 0), *numbers)


def _puts_back(evidence: Evidence, one: Happened) -> bool:
    """Whether a write brings once more what an earlier call had brought and an older value has covered since.

    Where that earlier call found the value standing there already no history shows it: it counts as outstanding, and is
    written again when it does not stand there any more.
    """
    sent = one.sent
    assert sent is not None
    for pk in sent.deliveries:
        brought = [
            call.executed_ms
            for call in evidence.journal.calls
            if call is not sent and pk in call.deliveries and call.executed_ms is not None
        ]
        before = max((ms for ms in brought if ms < one.ms), default=None)
        if before is None or not any(
            (other.place, other.remote_id) == (one.place, one.remote_id)
            and before < other.ms < one.ms
            and other.sent is not None
            and other.sent.lane_id != sent.lane_id
            and other.change.fields.keys() & one.change.fields.keys()
            for other in evidence.journal.happened
        ):
            return False
    return bool(sent.deliveries)


def comments_keep_their_order(evidence: Evidence) -> Iterator[str]:
    """I3: what was written in one system stands in its order in every system."""
    for place, system in enumerate(evidence.world.systems):
        for ticket in system.tickets.values():
            ref = ticket.fields.get("ref")
            arrived: dict[int, list[str]] = {}
            for comment in ticket.comments:
                text = last_line(comment.body)
                if "@" in text and not stands_alone(text):
                    arrived.setdefault(int(text.rsplit("@", 1)[1]), []).append(text)
            for source, texts in arrived.items():
                said = [
                    last_line(comment.body)
                    for origin in evidence.world.systems[source].tickets.values()
                    if origin.fields.get("ref") == ref
                    for comment in origin.comments
                    if comment.author.id != OUR_ACCOUNT
                ]
                once = list(dict.fromkeys(texts))
                if once != [text for text in said if text in once]:
                    yield f"comments of system {source} stand as {once} in system {place}"


def nothing_comes_back(evidence: Evidence) -> Iterator[str]:
    """I4: nothing is sent back over the connection it came by, and no addition to the ticket it was made on."""
    came: dict[tuple[int, str, Stamp], list[DeliveryRow]] = {}
    for row in evidence.tables.deliveries.values():
        target = evidence.target(evidence.lane_of(row))
        # Every lane to a ticket may have the same repair: then its change names the one it came by.
        if target is not None and row.operation is not Operation.REPAIR and not evidence.is_answer(row):
            came.setdefault((target.id, row.origin, row.stamp), []).append(row)
    for row in evidence.tables.deliveries.values():
        if row.operation is Operation.REPAIR or row.event_id is None or evidence.is_answer(row):
            continue
        if is_word(row.origin):
            # It speaks of a change to whoever made it.
            continue
        lane, event = evidence.lane_of(row), evidence.tables.events[row.event_id]
        brought = [one for one in came.get((event.ticket_id, row.origin, row.stamp), []) if one.id < row.id]
        if not brought and event.caused_by is not None:
            # Several deliveries may share one change, which names one of them: each part tells by its origin whose it is.
            brought = [evidence.tables.deliveries[event.caused_by]]
        for cause in brought:
            # Where its own value stands by the receiver's rules, the sender is told.
            kept = any(evidence.was_decided(cause, name) for name in cause.wanted)
            if evidence.lane_of(cause).connection_id == lane.connection_id and not kept:
                yield f"delivery {row.id} returns what delivery {cause.id} brought"
        target = evidence.target(lane)
        if row.operation in (Operation.COMMENT, Operation.FILE) and target is not None:
            if row.origin.startswith(f"{target.system_id}:{target.remote_id}:"):
                yield f"delivery {row.id} brings {row.origin} back to where it was made"


def our_writes_are_recognised(evidence: Evidence) -> Iterator[str]:
    """I4: a write of ours is never taken for somebody else's doing, nor the other way round."""
    facts = {fact.event_id for fact in evidence.tables.facts}
    for events in evidence.events_of.values():
        for event in events:
            place = evidence.place_of(evidence.tables.tickets[event.ticket_id])
            happened = evidence.happened_by_change[place, event.change.id]
            if happened.sent is None:
                # An automation under our account that sets what we are setting cannot be told from us by anybody.
                if event.caused_by is not None and event.change.actor.id != OUR_ACCOUNT:
                    yield f"{event.change.id} in {place} was nobody's write of ours, taken for {event.caused_by}"
            elif not evidence.is_unpromised(happened.sent):
                if event.caused_by is None and not _is_beginning(evidence, event):
                    yield f"{event.change.id} in {place} is our own write and was not recognised"
                if event.id in facts and event.change.kind is not ChangeKind.CREATED:
                    yield f"{event.change.id} in {place} is our own write and counts for the clocks"


def _is_beginning(evidence: Evidence, event: EventRow) -> bool:
    """Whether it is our creating of a ticket that goes on from a closed one."""
    real = evidence.real(evidence.tables.tickets[event.ticket_id])
    return event.change.kind is ChangeKind.CREATED and real is not None and is_follow_up(real.marker)


def nothing_multiplies(evidence: Evidence) -> Iterator[str]:
    """I4: a fact travels each lane once, and a delivery changes something once."""
    travelled: Counter[tuple[int, str, str, Stamp]] = Counter()
    for row in evidence.tables.deliveries.values():
        if row.operation is not Operation.REPAIR and not evidence.is_answer(row):
            travelled[row.lane_id, row.operation.value, row.origin, row.stamp] += 1
    for (lane, operation, origin, _), count in travelled.items():
        if count > 1:
            yield f"{operation} {origin} travelled lane {lane} {count} times"
    acted: dict[int, set[int]] = {}
    for one in evidence.journal.happened:
        if one.sent is not None and not evidence.is_unpromised(one.sent):
            if isinstance(one.sent.call, effects.FollowUp) or _puts_back(evidence, one):
                continue
            for pk in one.sent.deliveries:
                acted.setdefault(pk, set()).add(one.sent.number)
    for pk, calls in acted.items():
        row = evidence.tables.deliveries[pk]
        # Creating a ticket may need a second write for what creating could not set.
        if len(calls) > (2 if row.operation is Operation.CREATE else 1):
            yield f"delivery {pk} ({row.operation.value}) changed something with {len(calls)} calls"
