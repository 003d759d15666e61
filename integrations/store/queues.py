"""Puts deliveries at the ends of lanes."""

from __future__ import annotations

import secrets
from datetime import datetime

from integrations.engine.values import Stamp
from integrations.models import Delivery, Lane

# What `put` may change of a lane.
QUEUED = ("tail", "waits", "waits_since", "next_at", "is_bulk")


def put(lane: Lane, delivery: Delivery, now: datetime, *, is_bulk: bool = False) -> Delivery:
    """Number the delivery at the end of this lane and let the lane wait for it; live work makes the lane live.

    The caller has locked the lane and stores both; nothing is written here.
    """
    lane.tail += 1
    delivery.lane, delivery.number, delivery.queued_at = lane, lane.tail, now
    lane.is_bulk = is_bulk and (lane.is_bulk or not lane.waits)
    if not lane.waits:
        lane.waits, lane.waits_since, lane.next_at = True, now, now
    return delivery


def append(lane: Lane, delivery: Delivery, now: datetime, *, is_bulk: bool = False) -> Delivery:
    """Put one delivery at the end of a lane that the caller has locked, and store both."""
    put(lane, delivery, now, is_bulk=is_bulk)
    lane.save(update_fields=QUEUED)
    delivery.save(force_insert=True)
    return delivery


def newer_stamp(now: datetime, system_id: int, *known: Stamp) -> Stamp:
    """A stamp newer than these, for a value that is set from here."""
    return Stamp(max([int(now.timestamp() * 1000), *(one.ms + 1 for one in known)]), system_id)


def new_marker() -> str:
    """What our write is recognised by in the receiver's system; each delivery has its own."""
    return f"concord-{secrets.token_hex(12)}"
