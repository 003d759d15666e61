"""Lanes and their deliveries: load the head, record an attempt, finish, give back, park.  All under the fence."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from integrations.connectors.errors import ConnectorError, RateLimited
from integrations.engine.effects import Finish, LoadHead, MarkSent, Park, Release, StoreCreated
from integrations.engine.values import DeliveryState, HeadView, Operation, Outcome, stamp_from
from integrations.events import lane_parked
from integrations.models import Attempt, Delivery, Effect, Lane, Ticket, TicketSide
from integrations.store import tickets
from integrations.store.configuration import Configuration


def load_head(request: LoadHead, config: Configuration) -> HeadView | None:
    """The head of a lane still ours; an empty or stopped lane is given back."""
    head = (
        Delivery.objects.filter(
            lane=request.lane_id,
            lane__fence=request.fence,
            lane__state=Lane.State.READY,
            number=F("lane__head"),
        )
        .select_related("lane")
        .first()
    )
    if head is None:
        _free(request.lane_id, request.fence)
        return None
    lane = head.lane
    connection = config.connections[lane.connection_id]
    stands = TicketSide.objects.filter(linked_ticket=lane.linked_ticket_id, side=lane.target_id)
    target = stands.select_related("ticket").get().ticket
    operation = Operation(head.operation)
    adds_once = operation in (Operation.COMMENT, Operation.FILE) and target is not None
    sender = connection.other(lane.target_id)
    return HeadView(
        lane_id=lane.pk,
        delivery_id=head.pk,
        number=head.number,
        operation=operation,
        state=DeliveryState(head.state),
        marker=head.marker,
        origin=head.origin,
        stamp=stamp_from(head.stamp),
        envelope=head.envelope,
        problem=head.problem,
        wanted=head.wanted,
        is_recognised=head.is_recognised,
        has_effect=adds_once and Effect.objects.filter(ticket=target.pk, origin=head.origin).exists(),
        send_by=head.send_by,
        tries=head.tries,
        lane_tries=lane.tries,
        side=connection.side(lane.target_id),
        sender=sender,
        target=tickets.ticket_state(target) if target else None,
        source_system_id=sender.system_id,
    )


def mark_sent(request: MarkSent) -> bool:
    """Write-ahead: from here on the delivery counts as possibly carried out."""
    if not _owned(request.lane_id, request.fence).update(tries=F("tries") + 1):
        return False
    Delivery.objects.filter(pk=request.delivery_id).update(
        state=Delivery.State.SENT,
        target=request.target_id,
        wanted=dict(request.wanted),
        unseen=dict(request.unseen),
        is_recognised=False,
        pre_image=dict(request.pre_image),
        incoming=request.incoming_id,
        send_by=request.send_by,
        tries=request.number,
    )
    Attempt.objects.create(
        delivery_id=request.delivery_id,
        number=request.number,
        fence=request.fence,
        started_at=request.at,
    )
    return True


def store_created(request: StoreCreated, now: datetime) -> bool:
    """The ticket stands on the other side: link it; the delivery stays at the head until its fields are equal."""
    if not _owned(request.lane_id, request.fence).update(tries=0):
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
    tickets.expect_read_back(ticket.pk, now)
    return True


def finish(request: Finish, now: datetime) -> bool:
    """The delivery is over and the lane moves on; False under a stale fence."""
    lane = _owned(request.lane_id, request.fence).select_for_update().first()
    if lane is None:
        return False
    delivery = Delivery.objects.get(pk=request.delivery_id)
    was_sent = delivery.state == Delivery.State.SENT
    delivery.state = request.state.value
    delivery.done_at = request.at
    delivery.skipped_reason = request.reason
    if request.written:
        delivery.result = {
            "change_ids": list(request.written.change_ids),
            "comment_id": request.written.comment_id,
            "attachment_id": request.written.attachment_id,
        }
    delivery.save(update_fields=["state", "done_at", "result", "skipped_reason"])
    if was_sent:
        _end_attempt(delivery.pk, Outcome.DONE, request.at)
    if delivery.operation in (Delivery.Op.COMMENT, Delivery.Op.FILE) and delivery.target_id and was_sent:
        _record_effect(delivery)
    if request.written and delivery.target_id:
        tickets.expect_read_back(delivery.target_id, now)
    if request.accepted and request.state is DeliveryState.DONE:
        _take_stamps(lane, delivery, request)
    _advance(lane, now)
    return True


def release(request: Release) -> bool:
    """Give the lane back until `next_at`; the attempt under way ends as the request says."""
    changes: dict = {"owner": "", "leased_until": None, "next_at": request.next_at}
    if request.error:
        changes |= {
            "failure_code": request.error.code,
            "failure_message": request.error.message[:500],
            "tries": F("tries") + (0 if request.outcome else 1),
        }
    if not _owned(request.lane_id, request.fence).update(**changes):
        return False
    if request.outcome and request.delivery_id:
        _end_attempt(request.delivery_id, request.outcome, request.at, request.error)
        if request.outcome is Outcome.RETRY:
            # Nothing was carried out: it is a delivery like before the attempt.
            Delivery.objects.filter(pk=request.delivery_id).update(
                state=Delivery.State.NEW, unseen={}, is_recognised=True
            )
    return True


def park(request: Park) -> bool:
    """Stop the lane at this delivery until a person has decided."""
    lane = _owned(request.lane_id, request.fence).select_for_update().first()
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


def _owned(lane_id: int, fence: int):  # type: ignore[no-untyped-def]
    return Lane.objects.filter(pk=lane_id, fence=fence)


def _free(lane_id: int, fence: int) -> None:
    _owned(lane_id, fence).update(owner="", leased_until=None)


def _advance(lane: Lane, now: datetime) -> None:
    lane.head += 1
    lane.tries = 0
    lane.failure_code = lane.failure_message = ""
    lane.waits = lane.head <= lane.tail
    lane.waits_since = now if lane.waits else None
    lane.next_at = now
    lane.save(
        update_fields=["head", "tries", "failure_code", "failure_message", "waits", "waits_since", "next_at"]
    )


def _record_effect(delivery: Delivery) -> None:
    result = delivery.result
    effect = Effect(
        ticket_id=delivery.target_id,
        origin=delivery.origin,
        delivery=delivery,
        remote_ref=str(result.get("comment_id") or result.get("attachment_id") or "")[:120],
    )
    Effect.objects.bulk_create([effect], ignore_conflicts=True)


def _take_stamps(lane: Lane, delivery: Delivery, request: Finish) -> None:
    """The target held these values already: from now on they stand there with the newer stamp."""
    stands = TicketSide.objects.filter(linked_ticket=lane.linked_ticket_id, side=lane.target_id).values(
        "ticket"
    )
    ticket = Ticket.objects.select_for_update().get(pk__in=stands)
    winners = tickets.winners_from(ticket.winners, ticket.actual)
    stamp = stamp_from(delivery.stamp)
    newer = {
        name: value
        for name, value in (request.accepted or {}).items()
        if name not in winners or winners[name].stamp < stamp
    }
    if newer:
        winners |= {name: tickets.Winner(value, stamp) for name, value in newer.items()}
        ticket.winners = tickets.winners_value(winners, ticket.actual)
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
