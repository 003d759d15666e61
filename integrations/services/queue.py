"""What people do with the queue: retry, hold and resume lanes, skip a delivery.  Every function says what it did.

A worker and a person may have the same lane in hand, so each action locks the row, looks again and changes only what
it means to change.  An action that was overtaken (retried by somebody else, delivered meanwhile) is no error: the
answer is a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.db import transaction
from django.db.models import Q

from integrations.canonical import Value
from integrations.events import lane_resumed
from integrations.mapping.plan import release
from integrations.mapping.rules import NO_RULES
from integrations.models import Attempt, Delivery, Lane, MappingSet, SyncEvent
from integrations.store import configuration, words
from integrations.store.configuration import Configuration, rule_set_of

# Lanes locked in one transaction of a bulk action: a worker waits for it a moment at most.
BATCH = 200


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an action on one lane, in a sentence for the person who asked."""

    lane_id: int
    is_done: bool
    message: str


def retry_lane(lane: Lane, *, now: datetime) -> Result:
    """Let the lane's first delivery be tried again at once; its failure and its count of tries are forgotten.

    Where the sender's own rules could not tell what to send, the rules published today are applied to the stored
    change; the lane goes on waiting for a person while they cannot tell either.
    """
    return retry_lanes([lane.pk], now=now)[0]


def hold_lane(lane: Lane, *, now: datetime) -> Result:
    """Let nothing leave the lane until it is resumed.  What is on the wire at this moment still arrives."""
    return hold_lanes([lane.pk], now=now)[0]


def resume_lane(lane: Lane, *, now: datetime) -> Result:
    """Let a held lane move again, from where it stood."""
    return resume_lanes([lane.pk], now=now)[0]


def retry_lanes(lane_ids: Iterable[int], *, now: datetime) -> list[Result]:
    """`retry_lane` for many."""
    return _for_each(lane_ids, _retry, now)


def hold_lanes(lane_ids: Iterable[int], *, now: datetime) -> list[Result]:
    """`hold_lane` for many."""
    return _for_each(lane_ids, _hold, now)


def resume_lanes(lane_ids: Iterable[int], *, now: datetime) -> list[Result]:
    """`resume_lane` for many."""
    return _for_each(lane_ids, _resume, now)


def skip_delivery(
    delivery: Delivery, reason: str, *, now: datetime, even_if_unverified: bool = False
) -> Result:
    """Leave out the delivery at the head of its lane; what waits behind it moves up.

    A delivery that may have arrived already is left out only with `even_if_unverified`: nobody knows then whether the
    other side has it.
    """
    numbers = {delivery.lane_id: delivery.number}
    return skip_heads(numbers, reason, now=now, even_if_unverified=even_if_unverified)[0]


def skip_heads(
    numbers: Mapping[int, int], reason: str, *, now: datetime, even_if_unverified: bool = False
) -> list[Result]:
    """`skip_delivery` for many: `numbers` says for each lane which delivery is meant, so that no other is left out."""

    @cache
    def config() -> Configuration:
        return configuration.load(now)

    def skip(lane: Lane, now: datetime) -> Result:
        head = _head(lane)
        result = _skip(lane, head, numbers[lane.pk], reason, now, even_if_unverified)
        if result.is_done and head is not None and head.told_at is not None:
            back = Lane.objects.filter(linked_ticket=lane.linked_ticket_id).exclude(pk=lane.pk)
            for one in back.select_for_update():
                words.tell_of_skip(head, one, config(), now)
        return result

    return _for_each(numbers, skip, now, locks_back=True)


def _skip(
    lane: Lane, head: Delivery | None, number: int, reason: str, now: datetime, even_if_unverified: bool
) -> Result:
    refusal = _skip_refusal(lane, head, number, reason, now, even_if_unverified)
    if refusal or head is None:
        return Result(lane.pk, False, refusal)
    Delivery.objects.filter(pk=head.pk).update(
        state=Delivery.State.SKIPPED, skipped_reason=reason.strip()[:300], done_at=now
    )
    head.attempts.filter(outcome=Attempt.Result.STARTED).update(outcome=Attempt.Result.UNKNOWN, ended_at=now)
    _move_past(lane, head, now)
    return Result(lane.pk, True, f"Skipped. {_left(lane)}{_consequence(lane, head)}")


def _skip_refusal(
    lane: Lane, head: Delivery | None, number: int, reason: str, now: datetime, even_if_unverified: bool
) -> str:
    """Why the delivery cannot be skipped now; empty when it can."""
    if not reason.strip():
        return "Say why it is skipped."
    if head is None or number < head.number:
        return "It is not waiting any more."
    if number > head.number:
        return f"Only the first of a lane can be skipped: number {head.number} waits before it."
    if _is_leased(lane, now):
        return "It is being delivered at this moment."
    if head.state == Delivery.State.SENT and not even_if_unverified:
        return "It may have arrived already and is being verified. Skip it only if nobody needs to know."
    return ""


def _move_past(lane: Lane, head: Delivery, now: datetime) -> None:
    """Make the next waiting delivery the first, and let the lane move unless a person holds it.

    The fence goes up, so that a worker still asleep over the skipped delivery can neither send nor commit it.
    """
    lane.head = head.number + 1
    lane.waits = lane.head <= lane.tail
    lane.waits_since = now if lane.waits else None
    lane.fence += 1
    lane.owner, lane.leased_until = "", None
    lane.save(update_fields=["head", "waits", "waits_since", "fence", "owner", "leased_until"])
    _set_going(lane, now, keep_held=True)


def _retry(lane: Lane, now: datetime) -> Result:
    head = _head(lane)
    if head is None:
        return Result(lane.pk, False, "Nothing waits in this lane any more.")
    if lane.state == Lane.State.HELD:
        return Result(lane.pk, False, "This lane is held. Resume it to let it move.")
    if _is_leased(lane, now):
        return Result(lane.pk, False, "It is being delivered at this moment.")
    if lane.state == Lane.State.READY and lane.next_at <= now:
        return Result(lane.pk, False, f"It is next in turn already. {_system_note(lane)}".strip())
    if head.problem and (problem := _release_again(head)):
        lane.failure_code, lane.failure_message = problem["code"], problem["message"][:500]
        lane.save(update_fields=["failure_code", "failure_message"])
        return Result(lane.pk, False, "The sender's rules still do not know what to send.")
    _set_going(lane, now)
    return Result(lane.pk, True, f"Tried again at once. {_system_note(lane)}".strip())


def _hold(lane: Lane, now: datetime) -> Result:
    if lane.state == Lane.State.HELD:
        return Result(lane.pk, False, "This lane is held already.")
    lane.state = Lane.State.HELD
    lane.save(update_fields=["state"])
    return Result(lane.pk, True, "Held. Changes are collected and nothing leaves until it is resumed.")


def _resume(lane: Lane, now: datetime) -> Result:
    if lane.state != Lane.State.HELD:
        return Result(lane.pk, False, "This lane is not held.")
    _set_going(lane, now)
    return Result(lane.pk, True, f"Resumed. {_left(lane)}")


def _for_each(
    lane_ids: Iterable[int],
    act: Callable[[Lane, datetime], Result],
    now: datetime,
    *,
    locks_back: bool = False,
) -> list[Result]:
    """Act on every lane under its lock, a batch a transaction, in the order asked for.

    Locks are taken by key, so that two people who act on the same lanes cannot wait for each other for ever; with
    `locks_back` also those of the lanes back, in which senders may be told something.  A lane that is gone gives no
    result.
    """
    asked = list(dict.fromkeys(lane_ids))
    results: dict[int, Result] = {}
    for start in range(0, len(asked), BATCH):
        with transaction.atomic():
            locked = Lane.objects.select_for_update(of=("self",)).select_related("system").order_by("pk")
            batch = set(asked[start : start + BATCH])
            meant = Q(pk__in=batch)
            if locks_back:
                meant = Q(linked_ticket__in=Lane.objects.filter(meant).values("linked_ticket"))
            for lane in [one for one in locked.filter(meant) if one.pk in batch]:
                results[lane.pk] = act(lane, now)
    return [results[lane_id] for lane_id in asked if lane_id in results]


def _head(lane: Lane) -> Delivery | None:
    """The delivery whose turn it is, or None when nothing waits."""
    if not lane.waits:
        return None
    return lane.deliveries.select_related("event", "lane").filter(number=lane.head).first()


def _is_leased(lane: Lane, now: datetime) -> bool:
    return lane.leased_until is not None and lane.leased_until > now


def _set_going(lane: Lane, now: datetime, *, keep_held: bool = False) -> None:
    """Ready and due, the failure forgotten; tells the others when the lane had waited for a person."""
    was_parked = lane.state == Lane.State.PARKED
    if not (keep_held and lane.state == Lane.State.HELD):
        lane.state = Lane.State.READY
    lane.tries, lane.next_at = 0, now
    lane.failure_code = lane.failure_message = ""
    lane.save(update_fields=["state", "tries", "next_at", "failure_code", "failure_message"])
    if was_parked:
        lane_resumed.send(Lane, lane=lane)


def _release_again(head: Delivery) -> dict[str, str]:
    """Apply the sender's rules of today to the stored change; the problem that is left, empty when there is none.

    The ticket is taken as it stood at the change, not as it stands now: what happened since is queued behind.
    """
    event = head.event
    mapping_set = (
        MappingSet.objects.filter(
            side__connection=head.lane.connection_id,
            direction=MappingSet.Direction.OUTGOING,
            state=MappingSet.State.PUBLISHED,
        )
        .exclude(side=head.lane.target_id)
        .prefetch_related("rules__value_map__pairs")
        .first()
    )
    if event is None:
        return head.problem
    rules = rule_set_of(mapping_set) if mapping_set else NO_RULES
    # A new ticket is released whole, an update only as far as it changed something.
    changed = head.envelope.get("changed") if head.operation == Delivery.Op.UPDATE else None
    mapped = release(rules, _fields_at(event), changed=changed)
    head.envelope = {**head.envelope, "fields": mapped.fields}
    head.problem = mapped.problem.as_value() if mapped.problem else {}
    head.outgoing = mapping_set
    head.save(update_fields=["envelope", "problem", "outgoing"])
    return head.problem


def _fields_at(event: SyncEvent) -> dict[str, Value]:
    """The ticket's fields right after a change, from its history up to there."""
    history = SyncEvent.objects.filter(ticket=event.ticket_id, position__lte=event.position)
    fields: dict[str, Value] = {}
    for changed in history.order_by("position").values_list("fields", flat=True):
        fields |= changed
    return fields


def _consequence(lane: Lane, skipped: Delivery) -> str:
    """What skipping means for what waits behind: without a ticket there, nothing can reach it."""
    if skipped.operation != Delivery.Op.CREATE or skipped.target_id or not lane.waits:
        return ""
    return f" The ticket is not made in {lane.system}, so what waits behind is left out too."


def _left(lane: Lane) -> str:
    waiting = lane.tail - lane.head + 1 if lane.waits else 0
    if not waiting:
        return "Nothing waits in this lane any more."
    return f"{waiting} change{'' if waiting == 1 else 's'} still to deliver, in order."


def _system_note(lane: Lane) -> str:
    """Why nothing may move although the lane may: the other system is stopped or paused."""
    system = lane.system
    if system.state == system.State.ACTIVE:
        return ""
    return f"{system} is {system.get_state_display().lower()}: the lane moves as soon as it runs again."
