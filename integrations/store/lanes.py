"""Lanes and their deliveries: load the head, record an attempt, finish, give back, park.  All under the fence.

Every function takes what several steps ask for at the same moment and answers in the same order; a stale fence is
answered with False or None and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import F

from integrations.connectors.errors import ConnectorError, RateLimited
from integrations.engine.effects import Finish, LoadHead, MarkSent, Park, Release, StoreCreated
from integrations.engine.values import DeliveryState, HeadView, Operation, Outcome, Winner, stamp_from
from integrations.events import lane_parked
from integrations.models import Attempt, Delivery, Effect, Lane, Ticket, TicketSide
from integrations.store import tickets
from integrations.store.configuration import Configuration
from integrations.store.rows import update_many

_HEAD_FIELDS = (
    "lane_id",
    "lane__fence",
    "lane__linked_ticket_id",
    "lane__target_id",
    "lane__connection_id",
    "lane__tries",
    "pk",
    "number",
    "operation",
    "state",
    "marker",
    "origin",
    "stamp",
    "envelope",
    "problem",
    "wanted",
    "is_recognised",
    "send_by",
    "tries",
)


def load_heads(requests: Sequence[LoadHead], config: Configuration) -> list[HeadView | None]:
    """The heads of lanes still ours; an empty or stopped lane is given back."""
    rows = Delivery.objects.filter(
        lane__in=[request.lane_id for request in requests],
        lane__state=Lane.State.READY,
        number=F("lane__head"),
    ).order_by()
    heads = {row["lane_id"]: row for row in rows.values(*_HEAD_FIELDS)}
    targets = _targets(list(heads.values()))
    effects = _known_effects(list(heads.values()), targets)
    views: list[HeadView | None] = []
    for request in requests:
        row = heads.get(request.lane_id)
        if row is None or row["lane__fence"] != request.fence:
            _owned(request).update(owner="", leased_until=None)
            views.append(None)
            continue
        target = targets.get((row["lane__linked_ticket_id"], row["lane__target_id"]))
        has_effect = target is not None and (target.pk, row["origin"]) in effects
        views.append(_head_view(row, target, has_effect, config))
    return views


def _targets(heads: Sequence[Mapping]) -> dict[tuple[int, int], Ticket]:
    stands = TicketSide.objects.filter(
        linked_ticket__in=[row["lane__linked_ticket_id"] for row in heads], ticket__isnull=False
    ).select_related("ticket")
    return {(side.linked_ticket_id, side.side_id): side.ticket for side in stands if side.ticket}


def _known_effects(heads: Sequence[Mapping], targets: Mapping) -> set[tuple[int, str]]:
    """Additions among the heads that have reached their ticket already, by whatever way."""
    adding = [row for row in heads if row["operation"] in (Operation.COMMENT, Operation.FILE)]
    if not adding:
        return set()
    found = Effect.objects.filter(
        ticket__in=[ticket.pk for ticket in targets.values()], origin__in=[row["origin"] for row in adding]
    )
    return set(found.values_list("ticket_id", "origin"))


def _head_view(row: Mapping, target: Ticket | None, has_effect: bool, config: Configuration) -> HeadView:
    connection = config.connections[row["lane__connection_id"]]
    sender = connection.other(row["lane__target_id"])
    operation = Operation(row["operation"])
    return HeadView(
        lane_id=row["lane_id"],
        delivery_id=row["pk"],
        number=row["number"],
        operation=operation,
        state=DeliveryState(row["state"]),
        marker=row["marker"],
        origin=row["origin"],
        stamp=stamp_from(row["stamp"]),
        envelope=row["envelope"],
        problem=row["problem"],
        wanted=row["wanted"],
        is_recognised=row["is_recognised"],
        has_effect=has_effect and operation in (Operation.COMMENT, Operation.FILE),
        send_by=row["send_by"],
        tries=row["tries"],
        lane_tries=row["lane__tries"],
        side=connection.side(row["lane__target_id"]),
        sender=sender,
        target=tickets.ticket_state(target) if target else None,
        source_system_id=sender.system_id,
    )


def mark_sent(requests: Sequence[MarkSent]) -> list[bool]:
    """Write-ahead: from here on these deliveries count as possibly carried out."""
    lanes = _locked(requests)
    owned = [request for request in requests if request.lane_id in lanes]
    update_many(Lane, ("tries",), [(lane.pk, (lane.tries + 1,)) for lane in lanes.values()])
    update_many(
        Delivery,
        (
            "state",
            "target",
            "wanted",
            "unseen",
            "is_recognised",
            "pre_image",
            "incoming",
            "send_by",
            "tries",
        ),
        [
            (
                request.delivery_id,
                (
                    Delivery.State.SENT.value,
                    request.target_id,
                    dict(request.wanted),
                    dict(request.unseen),
                    False,
                    dict(request.pre_image),
                    request.incoming_id,
                    request.send_by,
                    request.number,
                ),
            )
            for request in owned
        ],
    )
    Attempt.objects.bulk_create(
        Attempt(
            delivery_id=request.delivery_id,
            number=request.number,
            fence=request.fence,
            started_at=request.at,
        )
        for request in owned
    )
    return [request.lane_id in lanes for request in requests]


def store_created(request: StoreCreated, now: datetime) -> bool:
    """The ticket stands on the other side: link it; the delivery stays at the head until its fields are equal."""
    if not _owned(request).update(tries=0):
        return False
    delivery = Delivery.objects.select_related("lane").get(pk=request.delivery_id)
    written = request.written
    ticket, _ = Ticket.objects.get_or_create(
        system_id=delivery.lane.system_id,
        remote_id=written.head.remote_id,
        defaults={"key": written.head.key, "url": written.head.url, "title": ""},
    )
    Ticket.objects.filter(pk=ticket.pk).update(marker=delivery.marker)
    TicketSide.objects.filter(
        linked_ticket=delivery.lane.linked_ticket_id, side=delivery.lane.target_id
    ).update(ticket=ticket)
    delivery.target = ticket
    delivery.state = Delivery.State.NEW
    delivery.result = {"change_ids": list(written.change_ids), "remote_id": written.head.remote_id}
    delivery.save(update_fields=["target", "state", "result"])
    _end_attempt(delivery.pk, Outcome.DONE, request.at)
    Effect.objects.bulk_create(
        [Effect(ticket=ticket, origin=delivery.origin, delivery=delivery)], ignore_conflicts=True
    )
    tickets.expect_read_back([ticket.pk], now)
    return True


def finish(requests: Sequence[Finish], now: datetime) -> list[bool]:
    """These deliveries are over and their lanes move on."""
    lanes = _locked(requests)
    owned = [request for request in requests if request.lane_id in lanes]
    deliveries = Delivery.objects.defer("envelope").in_bulk([request.delivery_id for request in owned])
    _lock_targets(deliveries.values())
    was_sent = {pk for pk, delivery in deliveries.items() if delivery.state == Delivery.State.SENT}
    effects: list[Effect] = []
    written_to: list[int] = []
    for request in owned:
        delivery = deliveries[request.delivery_id]
        delivery.state = request.state.value
        delivery.done_at = request.at
        delivery.skipped_reason = request.reason
        if request.written:
            delivery.result = {
                "change_ids": list(request.written.change_ids),
                "comment_id": request.written.comment_id,
                "attachment_id": request.written.attachment_id,
            }
            written_to += [delivery.target_id] if delivery.target_id else []
        if _adds(delivery) and delivery.target_id and delivery.pk in was_sent:
            effects.append(_effect(delivery, delivery.target_id))
        if request.accepted and request.state is DeliveryState.DONE:
            _take_stamps(lanes[request.lane_id], delivery, request.accepted)
        _advance(lanes[request.lane_id], now)
    update_many(
        Delivery,
        ("state", "done_at", "skipped_reason", "result"),
        [(one.pk, (one.state, one.done_at, one.skipped_reason, one.result)) for one in deliveries.values()],
    )
    update_many(
        Lane, _MOVED, [(lane.pk, tuple(getattr(lane, name) for name in _MOVED)) for lane in lanes.values()]
    )
    if was_sent:
        Attempt.objects.filter(delivery__in=was_sent, outcome=Attempt.Result.STARTED).update(
            outcome=Attempt.Result.DONE, ended_at=now
        )
    if effects:
        Effect.objects.bulk_create(effects, ignore_conflicts=True)
    if written_to:
        tickets.expect_read_back(written_to, now)
    return [request.lane_id in lanes for request in requests]


def release(request: Release) -> bool:
    """Give the lane back until `next_at`; the attempt under way ends as the request says."""
    changes: dict = {"owner": "", "leased_until": None, "next_at": request.next_at}
    if request.error:
        changes |= {
            "failure_code": request.error.code,
            "failure_message": request.error.message[:500],
            "tries": F("tries") + (0 if request.outcome else 1),
        }
    if not _owned(request).update(**changes):
        return False
    if request.outcome and request.delivery_id:
        _end_attempt(request.delivery_id, request.outcome, request.at, request.error)
        if request.outcome is Outcome.RETRY:
            # Nothing was carried out: it is a delivery like before the attempt.
            Delivery.objects.filter(pk=request.delivery_id).update(
                state=Delivery.State.NEW, unseen={}, is_recognised=True
            )
        elif request.outcome is Outcome.UNKNOWN:
            # The call has come back, so nothing of it can leave any more: it settles from here.
            Delivery.objects.filter(pk=request.delivery_id).update(send_by=request.at)
    return True


def park(request: Park) -> bool:
    """Stop the lane at this delivery until a person has decided."""
    lane = _owned(request).select_for_update().first()
    if lane is None:
        return False
    lane.state = Lane.State.PARKED
    lane.owner, lane.leased_until = "", None
    lane.failure_code, lane.failure_message = request.code[:40], request.message[:500]
    lane.save(update_fields=["state", "owner", "leased_until", "failure_code", "failure_message"])
    sent = Delivery.objects.filter(pk=request.delivery_id, state=Delivery.State.SENT)
    if request.error and not request.error.outcome_unknown:
        sent.update(state=Delivery.State.NEW, unseen={}, is_recognised=True)
    _end_attempt(request.delivery_id, Outcome.REFUSED, request.at, request.error)
    lane_parked.send(Lane, lane=lane)
    return True


_Fenced = LoadHead | MarkSent | StoreCreated | Finish | Release | Park
_MOVED = ("head", "tries", "failure_code", "failure_message", "waits", "waits_since", "next_at")


def _owned(request: _Fenced):  # type: ignore[no-untyped-def]
    return Lane.objects.filter(pk=request.lane_id, fence=request.fence)


def _locked(requests: Sequence[MarkSent] | Sequence[Finish]) -> dict[int, Lane]:
    """The lanes of these requests that are still theirs, locked in the order of their keys."""
    fences = {request.lane_id: request.fence for request in requests}
    rows = Lane.objects.filter(pk__in=fences).select_for_update().order_by("pk")
    return {lane.pk: lane for lane in rows if lane.fence == fences[lane.pk]}


def _lock_targets(deliveries: Iterable[Delivery]) -> None:
    """Lock the tickets written to before their deliveries are touched, as whoever stores a reading does.

    The other way round the two would wait for each other: a reading marks the deliveries that it recognises.
    """
    keys = {one.target_id for one in deliveries if one.target_id}
    if keys and connection.features.has_select_for_update:
        list(Ticket.objects.filter(pk__in=keys).select_for_update().order_by("pk").values_list("pk"))


def _advance(lane: Lane, now: datetime) -> None:
    lane.head += 1
    lane.tries = 0
    lane.failure_code = lane.failure_message = ""
    lane.waits = lane.head <= lane.tail
    lane.waits_since = now if lane.waits else None
    lane.next_at = now


def _adds(delivery: Delivery) -> bool:
    return delivery.operation in (Delivery.Op.COMMENT, Delivery.Op.FILE)


def _effect(delivery: Delivery, ticket_id: int) -> Effect:
    made = delivery.result.get("comment_id") or delivery.result.get("attachment_id") or ""
    return Effect(ticket_id=ticket_id, origin=delivery.origin, delivery=delivery, remote_ref=str(made)[:120])


def _take_stamps(lane: Lane, delivery: Delivery, accepted: Mapping) -> None:
    """The target held these values already: from now on they stand there with the newer stamp."""
    stands = TicketSide.objects.filter(linked_ticket=lane.linked_ticket_id, side=lane.target_id)
    ticket = Ticket.objects.select_for_update().get(pk__in=stands.values("ticket"))
    winners = tickets.winners_from(ticket.winners, ticket.actual)
    stamp = stamp_from(delivery.stamp)
    newer = {
        name: Winner(value, stamp)
        for name, value in accepted.items()
        if name not in winners or winners[name].stamp < stamp
    }
    if newer:
        ticket.winners = tickets.winners_value({**winners, **newer}, ticket.actual)
        ticket.save(update_fields=["winners"])


def _end_attempt(
    delivery_id: int, outcome: Outcome, at: datetime, error: ConnectorError | None = None
) -> None:
    Attempt.objects.filter(delivery=delivery_id, outcome=Attempt.Result.STARTED).update(
        outcome=outcome.value,
        ended_at=at,
        status=error.status if error else None,
        code=error.code if error else "",
        message=_shown(error) if error else "",
    )


def _shown(error: ConnectorError) -> str:
    wait = ""
    if isinstance(error, RateLimited) and error.retry_after_s:
        wait = f" It asked for a pause of {error.retry_after_s:.0f} s."
    return (error.message + wait)[:500]
