"""Who wrote when: one writer for a lane, attempts recorded before bytes leave, no newer value covered knowingly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from integrations.engine import effects
from integrations.engine.values import NO_STAMP, DeliveryState, Operation, Stamp
from integrations.simulation.clock import milliseconds
from integrations.simulation.evidence import Evidence
from integrations.simulation.journal import Sent

LATER_MS = 10**15
# A reading counts as of this moment for so long.
MOMENT_MS = 1_500

_FENCED = (
    effects.MarkSent
    | effects.StoreCreated
    | effects.Finish
    | effects.Release
    | effects.Withdraw
    | effects.Park
    | effects.LoadHead
)


def one_writer_at_a_time(evidence: Evidence) -> Iterator[str]:
    """I7: a lane is leased to one worker, and no write leaves while another of the lane is still to be carried out."""
    for claim in evidence.journal.claims:
        if claim.was_held:
            yield f"worker {claim.worker} was given lane {claim.lane_id} while it was leased"
    by_lane: dict[int, list[Sent]] = {}
    for sent in evidence.journal.calls:
        if sent.is_write and sent.lane_id is not None:
            by_lane.setdefault(sent.lane_id, []).append(sent)
    for lane_id, calls in by_lane.items():
        busy_until, holder = -1, -1
        for sent in sorted(calls, key=lambda one: one.left_ms or 0):
            left = sent.left_ms or 0
            if left < busy_until:
                yield f"lane {lane_id}: call {sent.number} left while call {holder} was under way"
            until = _busy_until(evidence, sent)
            if until > busy_until:
                busy_until, holder = until, sent.number


def _busy_until(evidence: Evidence, sent: Sent) -> int:
    """Until when a write holds its lane up: until it is carried out, or its delivery is ended by something else."""
    if sent.executed_ms is None:
        return -1
    return evidence.over_since.get(sent, sent.executed_ms)


def no_stale_commit(evidence: Evidence) -> Iterator[str]:
    """I7: nothing is stored for a claim that is over."""
    for one in evidence.journal.commits:
        request = one.request
        if isinstance(request, _FENCED) and one.result and one.fence != request.fence:
            yield f"{type(request).__name__} of lane {request.lane_id} was stored under fence {request.fence}, not {one.fence}"


def every_write_was_recorded_before(evidence: Evidence) -> Iterator[str]:
    """I9: for each write that left there is an attempt of each delivery in it, stored earlier under the same fence."""
    started: dict[tuple[int, int], int] = {}
    for attempt in evidence.tables.attempts:
        key = (attempt.delivery_id, attempt.fence)
        started[key] = min(started.get(key, LATER_MS), milliseconds(attempt.started_at))
    for sent in evidence.journal.calls:
        if not sent.is_write:
            continue
        if not sent.deliveries:
            yield f"call {sent.number} left without a recorded attempt"
        for pk, fence in zip(sent.deliveries, sent.marked_fences, strict=True):
            at = started.get((pk, fence))
            if at is None or at > (sent.left_ms or 0):
                yield f"call {sent.number} left before an attempt of delivery {pk} was stored"


def no_newer_value_is_covered_knowingly(evidence: Evidence) -> Iterator[str]:
    """I5: what a person set before we took the delivery in hand, and is newer, is not written over for a moment."""
    # By place, ticket and field: when it was last set by somebody, and that moment by the system's own clock.
    set_by_others: dict[tuple[int, str, str], tuple[int, int]] = {}
    for one in evidence.journal.happened:
        sent = one.sent
        for name in one.change.fields:
            key = (one.place, one.remote_id, name)
            if evidence.was_taken_for_ours(one):
                set_by_others.pop(key, None)
                continue
            if sent is None:
                set_by_others[key] = (one.ms, int(one.change.at.timestamp() * 1000))
                continue
            ms, at = set_by_others.pop(key, (0, 0))
            if not at or ms >= sent.claimed_ms - MOMENT_MS or sent.is_too_late:
                continue
            stamps = [stamp.ms for stamp in _stamps_of(evidence, sent, name)]
            if stamps and max(stamps) < at:
                yield f"call {sent.number} covered {name} in system {one.place}, set before at {at}, with {max(stamps)}"


def what_was_found_there_counts(evidence: Evidence) -> Iterator[str]:
    """I5: a value that was found in its place takes its stamp, as if it had been written.

    From then on nothing older is written over it, and what a person sets upon it does not give way to what had come
    before, whatever the clocks say.
    """
    found = _found_in_place(evidence)
    # Since when somebody's own value stands in a field, and the newest stamp that had come there until then.
    edits: dict[tuple[int, str, str], tuple[int, Stamp]] = {}
    for one in evidence.journal.happened:
        sent = one.sent
        for name in one.change.fields:
            key = (one.place, one.remote_id, name)
            if evidence.was_taken_for_ours(one):
                edits.pop(key, None)
                continue
            if sent is None:
                edits[key] = (one.ms, _newest(found.get(key, ()), one.ms))
                continue
            edited_ms, built_on = edits.pop(key, (0, NO_STAMP))
            stamps = _stamps_of(evidence, sent, name)
            if not stamps or evidence.is_unpromised(sent):
                continue
            decided_ms = sent.claimed_ms - MOMENT_MS
            if max(stamps) < (stood := _newest(found.get(key, ()), decided_ms)):
                yield f"call {sent.number} covered {name} in system {one.place}, found there with {stood}"
            if edited_ms < decided_ms and max(stamps) <= built_on:
                yield f"call {sent.number} covered {name} in system {one.place}, which was set upon {built_on}"


def _found_in_place(evidence: Evidence) -> dict[tuple[int, str, str], list[tuple[int, Stamp]]]:
    """By place, ticket and field: when deliveries found their values there and ended so, with their stamps."""
    found: dict[tuple[int, str, str], list[tuple[int, Stamp]]] = {}
    for one in evidence.journal.commits:
        end = one.request
        if not isinstance(end, effects.Finish) or not one.result or end.written or not end.accepted:
            continue
        row = evidence.tables.deliveries[end.delivery_id]
        ticket = evidence.target(evidence.lane_of(row))
        if ticket is None or end.state is not DeliveryState.DONE:
            continue
        for name in end.accepted:
            key = (evidence.place_of(ticket), ticket.remote_id, name)
            found.setdefault(key, []).append((one.ms, end.accepted_stamps.get(name, row.stamp)))
    return found


def _newest(found: Iterable[tuple[int, Stamp]], before_ms: int) -> Stamp:
    return max((stamp for ms, stamp in found if ms < before_ms), default=NO_STAMP)


def _stamps_of(evidence: Evidence, sent: Sent, name: str) -> list[Stamp]:
    """The stamps with which a write sets a field; none where it puts back what stood there."""
    rows = [evidence.tables.deliveries[pk] for pk in sent.deliveries]
    return [row.stamp for row in rows if name in row.wanted and row.operation is not Operation.REPAIR]
