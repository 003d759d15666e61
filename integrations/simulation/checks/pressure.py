"""Pressure on systems, isolation between lanes, and the way back to rest."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.engine.values import LaneState
from integrations.simulation.clock import SECOND, milliseconds
from integrations.simulation.evidence import Evidence

# How long a delivery between two healthy systems may wait while another one is dead.
PATIENCE_MS = 15 * SECOND
# Between the moment an answer is heard and the moment it is stored.
TOLERANCE_MS = 50


def pauses_are_kept(evidence: Evidence) -> Iterator[str]:
    """I11: once a system asked for a pause, the worker that heard it asks nothing there, and nobody begins a step.

    A person whose test of the system was answered since has ended the pause.
    """
    for stored_ms, place, until_ms, worker in evidence.journal.pauses:
        looked = [ms for ms, where in evidence.journal.looked_after if where == place and ms >= stored_ms]
        over_ms = min([until_ms - TOLERANCE_MS, *looked])
        for sent in evidence.journal.calls:
            if sent.place != place or not stored_ms < sent.asked_ms < over_ms:
                continue
            if sent.worker == worker or sent.claimed_ms > stored_ms:
                yield f"call {sent.number} to {place} was asked for at {sent.asked_ms}, paused until {until_ms}"


def nobody_waits_for_a_dead_system(evidence: Evidence) -> Iterator[str]:
    """I12: while one system is dead, deliveries between the others arrive as promptly as ever."""
    schedule = evidence.world.schedule
    if schedule.profile != "isolation":
        return
    dead = {fault.system for fault in schedule.faults if fault.kind in ("outage", "silence")}
    for row in evidence.tables.deliveries.values():
        lane = evidence.lane_of(row)
        places = {
            evidence.world.places[lane.system_id],
            evidence.world.places[evidence.sender(lane).system_id],
        }
        if places & dead or row.done_at is None:
            continue
        waited_ms = milliseconds(row.done_at) - milliseconds(row.queued_at)
        if waited_ms > PATIENCE_MS:
            yield f"delivery {row.id} waited {waited_ms / SECOND:.0f} s although both its systems were well"


def nothing_is_left_waiting(evidence: Evidence) -> Iterator[str]:
    """I13: at the end nothing waits, and every system takes part again."""
    for lane in evidence.tables.lanes.values():
        if lane.waits or lane.state is LaneState.PARKED:
            yield f"lane {lane.id} stands at {lane.head} of {lane.tail}, {lane.state.value}"
    for system in evidence.tables.systems.values():
        if not system.is_active:
            yield f"system {system.id} is still stopped"
