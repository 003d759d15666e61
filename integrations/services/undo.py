"""Undoing: one write, or everything that a version of a mapping set wrote, looked at first and then put back.

Nothing is written here.  What is confirmed is queued as ordinary deliveries, which put a value back only where ours
still stands when it is their turn.  An undoing is a row: whoever works on it does a batch of lanes in one transaction
and notes how far it came, so that one that is killed loses nothing and doubles nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.engine.undoing import Undone
from integrations.engine.values import winner_from
from integrations.models import Delivery, Lane, MappingSet, Side, Ticket, Undo, UndoItem
from integrations.services.refusals import NotPossible
from integrations.services.undo_looking import FATES, look, note_who
from integrations.store import undoing

# Lanes in one transaction.
BATCH = 50
# Whoever works on one has it for so long; then it is due for others again.
CLAIM_FOR = timedelta(seconds=60)
# Between two looks at what was queued.
LOOK_AGAIN_AFTER = timedelta(seconds=2)

State = Undo.State
Item = UndoItem.State
MOVING = (State.LOOKING, State.QUEUEING, State.UNDER_WAY)
# A version writes by these; what puts values back is no version's.
_BY_RULES = (Delivery.Op.CREATE, Delivery.Op.UPDATE, Delivery.Op.COMMENT, Delivery.Op.FILE)


# --- Asking for one ---


def receiver_of(mapping_set: MappingSet) -> Side:
    """The side at which a version writes: its own for what comes in, the other one for what it sends."""
    sides = Side.objects.select_related("system__partner", "connection")
    if mapping_set.direction == MappingSet.Direction.INCOMING:
        return sides.get(pk=mapping_set.side_id)
    return sides.exclude(pk=mapping_set.side_id).get(connection=mapping_set.side.connection_id)


def written_by(mapping_set: MappingSet) -> QuerySet[Delivery]:
    """Everything this version wrote and that has arrived."""
    return _by_version(mapping_set).filter(state=Delivery.State.DONE)


def still_waiting(mapping_set: MappingSet) -> int:
    """How many changes this version has released that are not written yet: undoing does not reach them."""
    return _by_version(mapping_set).filter(state__in=[Delivery.State.NEW, Delivery.State.SENT]).count()


@transaction.atomic
def begin_with_version(mapping_set: MappingSet, *, by: Any, now: datetime) -> Undo:
    """Look at what undoing all that a version wrote would do; NotPossible for a draft or while one is under way."""
    if mapping_set.state == MappingSet.State.DRAFT:
        raise NotPossible("A draft has written nothing.")
    # Two that ask at once write one after the other.
    MappingSet.objects.select_for_update().get(pk=mapping_set.pk)
    _refuse_second(Undo.objects.filter(mapping_set=mapping_set), now)
    undo = Undo(
        target=receiver_of(mapping_set), mapping_set=mapping_set, asked_by=by, asked_at=now, due_at=now
    )
    undo.total = written_by(mapping_set).order_by().values("lane").distinct().count()
    undo.save()
    return undo


@transaction.atomic
def begin_with_delivery(delivery: Delivery, *, by: Any, now: datetime) -> Undo:
    """Look at what undoing one delivery would do; NotPossible where it has not been written or is being undone."""
    Lane.objects.select_for_update().get(pk=delivery.lane_id)
    delivery.refresh_from_db(fields=["state"])
    if delivery.state != Delivery.State.DONE:
        raise NotPossible("It was not written, so there is nothing to undo.")
    _refuse_second(Undo.objects.filter(delivery=delivery), now)
    side = Side.objects.select_related("system__partner").get(pk=delivery.lane.target_id)
    return Undo.objects.create(target=side, delivery=delivery, asked_by=by, asked_at=now, due_at=now, total=1)


def _refuse_second(same: QuerySet[Undo], now: datetime) -> None:
    if same.filter(state__in=[State.QUEUEING, State.UNDER_WAY]).exists():
        raise NotPossible("This is being undone at the moment. Wait until it has ended.")
    same.filter(state__in=[State.LOOKING, State.READY]).update(state=State.DISCARDED, ended_at=now)


@transaction.atomic
def confirm(undo: Undo, *, now: datetime) -> bool:
    """Queue what was looked at; whether it was waiting for that.  NotPossible when nothing would be put back."""
    current = Undo.objects.select_for_update().get(pk=undo.pk)
    if current.state != State.READY:
        return False
    open_items = current.items.filter(state=Item.OPEN)
    if not open_items.exists():
        raise NotPossible("Nothing would be put back.")
    current.state, current.confirmed_at, current.due_at = State.QUEUEING, now, now
    current.last, current.done = 0, 0
    current.total = open_items.order_by().values("lane").distinct().count()
    current.save()
    return True


def discard(undo: Undo, *, now: datetime) -> bool:
    """Leave everything as it is; whether it was not confirmed yet."""
    waiting = Undo.objects.filter(pk=undo.pk, state__in=[State.LOOKING, State.READY])
    return bool(waiting.update(state=State.DISCARDED, ended_at=now))


# --- Working ---


def carry_on(*, for_s: float, clock: Callable[[], datetime] = timezone.now) -> bool:
    """Work on what is due, for about so long; whether anything was queued.  May be called by many."""
    until = time.monotonic() + for_s
    queued = False
    while time.monotonic() < until and (undo := _claim(clock())) is not None:
        queued |= work_on(undo, until=until, clock=clock)
    return queued


def work_on(undo: Undo, *, until: float, clock: Callable[[], datetime] = timezone.now) -> bool:
    """Do batch after batch of one undoing until `until` by the monotonic clock; whether anything was queued."""
    queued = False
    while True:
        with transaction.atomic():
            # Two workers do one batch after the other.
            undo = _locked(undo.pk)
            before = undo.state
            _STEPS.get(State(undo.state), _nothing)(undo, clock())
            undo.save()
        queued |= before == State.QUEUEING
        if undo.state not in MOVING or undo.due_at > clock() or time.monotonic() >= until:
            return queued


def _claim(now: datetime) -> Undo | None:
    for undo in Undo.objects.filter(state__in=MOVING, due_at__lte=now).order_by("due_at")[:5]:
        taken = Undo.objects.filter(pk=undo.pk, due_at=undo.due_at, state=undo.state)
        if taken.update(due_at=now + CLAIM_FOR):
            return undo
    return None


def _locked(pk: int) -> Undo:
    found = Undo.objects.select_for_update(of=("self",))
    return found.select_related("target__system__partner", "mapping_set__side", "delivery__lane").get(pk=pk)


def _nothing(undo: Undo, now: datetime) -> None:
    """It is over."""


def _look_at_some(undo: Undo, now: datetime) -> None:
    """The next lanes; after the last it waits to be confirmed."""
    chosen = _chosen(undo).filter(lane__gt=undo.last)
    keys = list(chosen.order_by("lane").values_list("lane", flat=True).distinct()[:BATCH])
    if not keys:
        undo.state, undo.due_at = State.READY, now
        return
    lanes = list(Lane.objects.filter(pk__in=keys).select_related("system").order_by("pk"))
    deliveries = chosen.filter(lane__in=keys).select_related("lane__system").order_by("lane", "number")
    UndoItem.objects.bulk_create(look(undo, lanes, deliveries))
    undo.last, undo.done, undo.due_at = keys[-1], undo.done + len(keys), now


def _queue_some(undo: Undo, now: datetime) -> None:
    """Put the next lanes' deliveries at their ends; after the last it waits for them to arrive."""
    chosen = undo.items.filter(state=Item.OPEN, lane__gt=undo.last)
    keys = list(chosen.order_by("lane").values_list("lane", flat=True).distinct()[:BATCH])
    if not keys:
        undo.state, undo.due_at, undo.last, undo.done = State.UNDER_WAY, now, 0, 0
        undo.total = undo.items.filter(state=Item.QUEUED).count()
        return
    lanes = {lane.pk: lane for lane in Lane.objects.select_for_update().filter(pk__in=keys).order_by("pk")}
    known = Ticket.objects.in_bulk(set(chosen.filter(lane__in=keys).values_list("ticket", flat=True)))
    for item in chosen.filter(lane__in=keys).order_by("lane", "pk"):
        held = {item.field: winner_from(item.held)}
        item.revert = undoing.queue(
            lanes[item.lane_id],
            known[item.ticket_id],
            {item.field: item.put_back},
            held,
            now,
            is_bulk=undo.delivery_id is None,
        )
        item.state = Item.QUEUED
        item.save(update_fields=["revert", "state"])
    undo.last, undo.done, undo.due_at = keys[-1], undo.done + len(keys), now


def _note_what_arrived(undo: Undo, now: datetime) -> None:
    """What became of the deliveries that are over; it ends with the last."""
    waiting = undo.items.filter(state=Item.QUEUED)
    over = waiting.filter(
        Q(revert__isnull=True) | ~Q(revert__state__in=[Delivery.State.NEW, Delivery.State.SENT])
    )
    for item in over.select_related("revert")[:1000]:
        _note(item)
        item.save()
    left = waiting.count()
    undo.done = undo.total - left
    undo.due_at = now + LOOK_AGAIN_AFTER
    if not left:
        undo.state, undo.ended_at = State.ENDED, now


def _note(item: UndoItem) -> None:
    revert = item.revert
    told = revert.result.get("undone", {}).get(item.field) if revert else None
    if revert is None or told is None:
        item.state = Item.REFUSED
        item.reason = (revert.skipped_reason if revert else "") or "It was left out."
        return
    item.state = FATES[Undone(told)]
    if item.state == Item.LEFT:
        note_who(item)


_STEPS: dict[Undo.State, Callable[[Undo, datetime], None]] = {
    State.LOOKING: _look_at_some,
    State.QUEUEING: _queue_some,
    State.UNDER_WAY: _note_what_arrived,
}


def _chosen(undo: Undo) -> QuerySet[Delivery]:
    """The deliveries that are to be undone."""
    if undo.mapping_set is None:
        return Delivery.objects.filter(undos=undo)
    return written_by(undo.mapping_set)


def _by_version(mapping_set: MappingSet) -> QuerySet[Delivery]:
    version = Q(outgoing=mapping_set) | Q(incoming=mapping_set)
    return Delivery.objects.filter(version, operation__in=_BY_RULES)
