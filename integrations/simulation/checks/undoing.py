"""Undoing: compare and revert, judged by what the systems' own histories say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from integrations.engine import effects
from integrations.engine.undoing import Undone
from integrations.engine.values import DeliveryState, Operation, winner_from
from integrations.simulation.evidence import Evidence
from integrations.simulation.journal import Happened
from integrations.simulation.rows import DeliveryRow
from integrations.simulation.systems import OUR_ACCOUNT


def undo_compares_first(evidence: Evidence) -> Iterator[str]:
    """I16: a value is put back only over what we had written, and never over an edit that could be known."""
    for one, name, undoing, before in _put_back(evidence):
        written = winner_from(undoing.envelope["held"][name]).value
        if before is None or one.change.before.get(name) == written:
            continue
        if before.ms <= looked_at(evidence, one):
            yield f"delivery {undoing.id} put {name} back over {before.change.id}, which was known"


def undo_gives_way(evidence: Evidence) -> Iterator[str]:
    """I16: an edit that came between the look and the write of an undoing stands again in the end."""
    for one, name, undoing, before in _put_back(evidence):
        lane = evidence.lane_of(undoing)
        if before is None or before.sent is not None or lane.linked_id in evidence.excused:
            continue
        if one.change.before.get(name) == winner_from(undoing.envelope["held"][name]).value:
            continue
        later = [other for other in _settings(evidence, one.place, one.remote_id, name) if other.ms > one.ms]
        if not later and before.change.actor.id != OUR_ACCOUNT:
            yield f"delivery {undoing.id} covered {before.change.id} and nobody has put it back"


def undo_tells_the_truth(evidence: Evidence) -> Iterator[str]:
    """I16: what is told of each field of an undoing is what happened, and a write that still stands is undone."""
    # A write that finds its value there already shows nowhere.
    written = {
        pk for call in evidence.journal.calls if call.executed_ms is not None for pk in call.deliveries
    }
    did = {(undoing.id, name) for _, name, undoing, _ in _put_back(evidence)}
    for row in evidence.tables.deliveries.values():
        if row.operation is not Operation.REVERT or row.state is not DeliveryState.DONE:
            continue
        told: Mapping[str, str] = row.result.get("undone", {})
        for name in row.envelope["fields"]:
            fate = told.get(name)
            if fate == Undone.PUT_BACK and row.id not in written:
                yield f"delivery {row.id} tells that {name} was put back, and nothing was written"
            elif fate != Undone.PUT_BACK and (row.id, name) in did:
                yield f"delivery {row.id} put {name} back and tells that it was {fate}"
            elif fate == Undone.LEFT and not _was_touched(evidence, row, name):
                yield f"delivery {row.id} left {name}, which nobody has touched since it was looked at"
            elif fate is None:
                yield f"delivery {row.id} does not tell what became of {name}"


def stands_undone(evidence: Evidence, linked_id: int, ticket_id: int, name: str) -> bool:
    """Whether the sides differ in this field of this ticket on purpose: what was put back there still stands."""
    ticket = evidence.tables.tickets[ticket_id]
    set_by = _settings(evidence, evidence.place_of(ticket), ticket.remote_id, name)
    ours = set_by[-1].sent if set_by else None
    return ours is not None and any(
        row.operation is Operation.REVERT
        and evidence.lane_of(row).linked_id == linked_id
        and name in row.envelope["fields"]
        for row in (evidence.tables.deliveries[pk] for pk in ours.deliveries)
    )


def _put_back(evidence: Evidence) -> Iterator[tuple[Happened, str, DeliveryRow, Happened | None]]:
    """Each field that an undoing has changed: the change, the field, the undoing, and who had set the field before.

    Of a status that was put back step by step it is the first one: what it went over.
    """
    last: dict[tuple[int, str, str], Happened] = {}
    for one in evidence.journal.happened:
        sent = one.sent
        ours = [evidence.tables.deliveries[pk] for pk in sent.deliveries] if sent else []
        for name in one.change.fields:
            before = last.get((one.place, one.remote_id, name))
            last[one.place, one.remote_id, name] = one
            if sent is None or sent.is_too_late or (before is not None and before.sent is sent):
                continue
            for row in ours:
                if row.operation is Operation.REVERT and name in row.envelope["fields"]:
                    yield one, name, row, before


def looked_at(evidence: Evidence, one: Happened) -> int:
    """When the ticket was last read, under the same claim, before this write was asked for; -1 if it never was."""
    sent = one.sent
    assert sent is not None
    looks = [
        call.executed_ms
        for call in evidence.journal.calls
        if isinstance(call.call, effects.ReadHistory)
        and (call.lane_id, call.fence, call.call.remote_id) == (sent.lane_id, sent.fence, one.remote_id)
        and call.executed_ms is not None
        and call.answered_ms is not None
        and call.answered_ms <= sent.asked_ms
    ]
    return max(looks, default=-1)


def _settings(evidence: Evidence, place: int, remote_id: str, name: str) -> list[Happened]:
    return [
        one
        for one in evidence.journal.happened
        if (one.place, one.remote_id) == (place, remote_id) and name in one.change.fields
    ]


def _was_touched(evidence: Evidence, row: DeliveryRow, name: str) -> bool:
    """Whether something else than what was written stood there at its turn, or the same was set or told anew."""
    target = evidence.tables.tickets[row.envelope["on"]]
    written = winner_from(row.envelope["held"][name])
    if any(
        event.change.fields.get(name, written.value) != written.value
        for event in _events_after(evidence, row)
    ):
        return True
    winner = target.winners.get(name)
    return winner is not None and winner.stamp > written.stamp


def _events_after(evidence: Evidence, row: DeliveryRow) -> list:
    """What was stored of the ticket's history since the undoing was queued."""
    return [one for one in evidence.events_of.get(row.envelope["on"], ()) if one.seen_at >= row.queued_at]
