"""Why a lane waits, in words, and when it moves next.  Asks the database nothing: its facts have been loaded.

The words name no value of either company, so both may read them; what a system or a rule said is kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings

from integrations.connectors import registry
from integrations.engine import timing
from integrations.engine.values import Operation
from integrations.models import Connection, Delivery, Lane, LinkedTicket, Side, System
from integrations.services.budgets import Holding


class Cause(StrEnum):
    """What a lane waits for."""

    UNDER_WAY = "under_way"
    PERSON = "person"
    HELD = "held"
    TICKET_PAUSED = "ticket_paused"
    CONNECTION_PAUSED = "connection_paused"
    SIDE_PAUSED = "side_paused"
    SYSTEM_STOPPED = "system_stopped"
    SYSTEM_PAUSED = "system_paused"
    BREAKER = "breaker"
    LIMIT = "limit"
    VERIFYING = "verifying"
    BACK_OFF = "back_off"
    TURN = "turn"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in a sentence; `until` is the moment of the next attempt where one is known."""

    cause: Cause
    words: str
    until: datetime | None = None


def is_outcome_unknown(head: Delivery | None) -> bool:
    """Whether the delivery may have arrived already: it was sent, and nobody has seen what came of it."""
    return head is not None and head.state == Delivery.State.SENT


def reason_of(
    lane: Lane, head: Delivery | None, sides: Sequence[Side], holding: Holding | None, now: datetime
) -> Reason:
    """The first thing that keeps the lane from moving, whoever can change it named.

    `sides` are both ends of its connection with system and partner; `holding` is the limit on calls that it waits for.
    """
    if lane.leased_until is not None and lane.leased_until > now:
        return Reason(Cause.UNDER_WAY, "Being delivered at this moment.")
    return (
        _by_a_person(lane, head)
        or by_an_end(lane, sides, now)
        or _by_itself(lane, head, holding, now)
        or Reason(Cause.TURN, "Next in turn.")
    )


def verified_until(head: Delivery, kind: str) -> datetime | None:
    """Until when a sent delivery may still show up in the other system; after that it is sent again.  None: not sent."""
    if head.send_by is None:
        return None
    capabilities = registry.connector_class(kind).capabilities
    operation = Operation(head.operation)
    return head.send_by + timedelta(
        seconds=timing.settle_s(capabilities, operation, settings.SYNC_REQUEST_TIMEOUT_S)
    )


def _by_a_person(lane: Lane, head: Delivery | None) -> Reason | None:
    if lane.state == Lane.State.PARKED:
        if is_outcome_unknown(head):
            return Reason(Cause.PERSON, "Waits for a person. It may have arrived already.")
        return Reason(Cause.PERSON, "Waits for a person; it is not tried again until somebody decides.")
    if lane.state == Lane.State.HELD:
        return Reason(Cause.HELD, "Somebody holds it. Changes are collected until it is resumed.")
    return None


def by_an_end(lane: Lane, sides: Sequence[Side], now: datetime) -> Reason | None:
    """What keeps a whole ticket, connection, side or system from moving; None when nothing does."""
    if lane.linked_ticket.state == LinkedTicket.State.ENDED:
        return Reason(Cause.TICKET_PAUSED, "This link was ended: nothing travels any more.")
    if lane.linked_ticket.state == LinkedTicket.State.PAUSED:
        return Reason(Cause.TICKET_PAUSED, "This linked ticket is paused. Its changes are collected.")
    if lane.connection.state != Connection.State.ACTIVE:
        return Reason(Cause.CONNECTION_PAUSED, "The connection is paused. Its changes are collected.")
    for side in sides:
        if side.is_paused:
            why = f": {side.paused_reason.rstrip('.')}." if side.paused_reason else "."
            return Reason(Cause.SIDE_PAUSED, f"{side.system.partner} has paused its side{why}")
    system = lane.system
    if system.state == System.State.STOPPED:
        words = f"{system} refused Concord’s credentials. It goes on once they are renewed."
        return Reason(Cause.SYSTEM_STOPPED, words)
    if system.state == System.State.PAUSED:
        return Reason(Cause.SYSTEM_PAUSED, f"{system} is paused. Its changes are collected.")
    if system.paused_until is not None and system.paused_until > now:
        words = f"{system} does not answer as it should and is left alone for a while."
        return Reason(Cause.BREAKER, words, max(system.paused_until, lane.next_at))
    return None


def _by_itself(lane: Lane, head: Delivery | None, holding: Holding | None, now: datetime) -> Reason | None:
    """What keeps this one lane."""
    if holding is not None:
        return Reason(Cause.LIMIT, holding.words, holding.until)
    if is_outcome_unknown(head) and head is not None:
        settles_at = verified_until(head, lane.system.kind)
        if settles_at is not None and settles_at > now:
            words = f"The answer was lost: it is being looked for in {lane.system}, and sent again only if it is not there."
            return Reason(Cause.VERIFYING, words, settles_at)
    if lane.next_at > now:
        tries = (
            f"{lane.tries} tr{'y' if lane.tries == 1 else 'ies'} so far" if lane.tries else "Not tried yet"
        )
        return Reason(Cause.BACK_OFF, f"{tries}; tried again by itself.", lane.next_at)
    return None
