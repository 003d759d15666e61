"""Acting on many lanes: what is meant is written down first and shown, then done some lanes at a time.

Only that delivery is left out which was shown, and everything stays within the rights that the person has when it is
done.  What was done is known lane by lane, so that an action that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, F, Q

from integrations.models import Connection, Delivery, Lane
from integrations.querysets import LaneQuerySet
from integrations.services import queue as service
from integrations.services.conflicts import CODE as CONFLICT
from integrations.services.conflicts import take_newest
from portal import audit, bulk
from portal.conflicts import decidable
from portal.models import QueueAction, QueueActionLane, User
from portal.queue import actable

Act, Outcome = QueueAction.Act, QueueActionLane.Outcome

# Lanes of one step: a person waits for it a few seconds at most.
STEP = 500
# Up to here every matter has its own entry in the trail.
FEW = 20
RIGHTS: Mapping[str, str] = {Act.SKIP: "full"}
PAST: Mapping[str, str] = {
    Act.RETRY: "retried",
    Act.HOLD: "held",
    Act.RESUME: "resumed",
    Act.SKIP: "skipped",
    Act.NEWEST: "decided for the newest",
}


@dataclass(frozen=True, slots=True)
class Hit:
    """Lanes of an action that lead to one system: how many, and how many of them may have arrived already."""

    system: str
    count: int
    parked: int
    held: int
    unknown: int


def right_for(act: str) -> str:
    """The right on the queue that an act takes: leaving something out takes full control."""
    return RIGHTS.get(act, "write")


def meant(lanes: LaneQuerySet, act: str, *, now: datetime) -> LaneQuerySet:
    """Those on which an act has something to do.

    Otherwise whoever asks again for the rest of more than one action takes would be shown the same lanes again.
    """
    match act:
        case Act.RETRY:
            return lanes.exclude(state=Lane.State.READY, next_at__lte=now)
        case Act.HOLD:
            return lanes.exclude(state=Lane.State.HELD)
        case Act.RESUME:
            return lanes.filter(state=Lane.State.HELD)
        case Act.NEWEST:
            return lanes.filter(state=Lane.State.PARKED, failure_code=CONFLICT)
    return lanes


@transaction.atomic
def plan(user: User, act: str, lanes: Iterable[int], *, narrowed: str, now: datetime) -> QueueAction:
    """Write down which lanes are meant and what stands first in each; nothing is done to them yet.

    Lanes that the person may not act on and those in which nothing waits are left out.
    """
    bulk.forget_unconfirmed(user.queue_actions, now)
    keys = actable(user, list(lanes)[: bulk.MOST], right_for(act))
    waiting = Lane.objects.waiting().filter(pk__in=keys).order_by("waits_since", "pk")
    action = QueueAction.objects.create(asked_by=user, asked_at=now, act=act, narrowed=narrowed[:500])
    QueueActionLane.objects.bulk_create(
        (
            QueueActionLane(action=action, lane_id=pk, number=head)
            for pk, head in waiting.values_list("pk", "head")
        ),
        batch_size=1000,
    )
    return action


def carry_on(user: User, action: QueueAction, *, now: datetime, step: int = STEP) -> bool:
    """Do the next lanes; whether that was the last of it.  Interrupted or called twice, no lane is acted on twice."""
    bulk.begin(action, now)
    rows = list(action.lanes.filter(outcome=Outcome.TO_DO).order_by("pk")[:step])
    allowed = set(actable(user, [row.lane_id for row in rows], right_for(action.act)))
    numbers = {row.lane_id: row.number for row in rows if row.lane_id in allowed}
    results = {one.lane_id: one for one in _act(action, numbers, now)}
    for row in rows:
        result = results.get(row.lane_id)
        row.outcome = Outcome.DONE if result and result.is_done else Outcome.LEFT
        row.message = result.message[:300] if result else "There was nothing left to act on."
    with transaction.atomic():
        QueueActionLane.objects.bulk_update(rows, ["outcome", "message"], batch_size=200)
        write_trail(user, action.act, [one for one in results.values() if one.is_done], reason=action.reason)
    if len(rows) == step and action.lanes.filter(outcome=Outcome.TO_DO).exists():
        return False
    bulk.end(action, now)
    return True


def do(user: User, act: str, lanes: Sequence[int], *, now: datetime) -> list[service.Result]:
    """Retry, hold, resume or decide these lanes at once, and write the trail."""
    results = _simply(user, act, actable(user, lanes), now)
    write_trail(user, act, [one for one in results if one.is_done])
    return results


def write_trail(user: User, act: str, done: Sequence[service.Result], *, reason: str = "") -> None:
    """What was done to each matter where they are few, to each connection where they are many."""
    lanes = Lane.objects.filter(pk__in=[one.lane_id for one in done]).select_related(
        "linked_ticket", "connection", "system__partner"
    )
    why = {"reason": reason} if reason else {}
    if len(done) <= FEW:
        for lane in lanes:
            facts = {"lane": f"the queue to {lane.system}", **why}
            audit.record(user, PAST[act], lane.linked_ticket, facts, partner=lane.system.partner)
        return
    by_connection: dict[Connection, list[str]] = {}
    for lane in lanes:
        by_connection.setdefault(lane.connection, []).append(lane.linked_ticket.number)
    for connection, numbers in by_connection.items():
        counted = {"lanes": len(numbers), "tickets": sorted(numbers), **why}
        audit.record(user, PAST[act], connection, counted)


def hits_of(action: QueueAction) -> list[Hit]:
    """What an action would hit, system by system, the most first.  One query."""
    is_unknown = Q(lane__deliveries__number=F("lane__head"), lane__deliveries__state=Delivery.State.SENT)
    unknown = dict(
        action.lanes.filter(is_unknown).order_by().values_list("lane__system").annotate(count=Count("pk"))
    )
    rows = (
        action.lanes.order_by()
        .values_list("lane__system", "lane__system__name")
        .annotate(
            count=Count("pk"),
            parked=Count("pk", filter=Q(lane__state=Lane.State.PARKED)),
            held=Count("pk", filter=Q(lane__state=Lane.State.HELD)),
        )
    )
    found = [Hit(name, count, parked, held, unknown.get(pk, 0)) for pk, name, count, parked, held in rows]
    return sorted(found, key=lambda one: (-one.count, one.system))


_ACTS = {Act.RETRY: service.retry_lanes, Act.HOLD: service.hold_lanes, Act.RESUME: service.resume_lanes}


def _act(action: QueueAction, numbers: Mapping[int, int], now: datetime) -> list[service.Result]:
    if action.act == Act.SKIP:
        unverified = action.even_if_unverified
        return service.skip_heads(numbers, action.reason, now=now, even_if_unverified=unverified)
    return _simply(action.asked_by, action.act, list(numbers), now)


def _simply(user: User, act: str, lanes: Sequence[int], now: datetime) -> list[service.Result]:
    if act == Act.NEWEST:
        return take_newest(decidable(user, lanes), now=now, by=user)
    return _ACTS[Act(act)](lanes, now=now)
