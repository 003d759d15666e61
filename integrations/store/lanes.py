"""Lanes and their deliveries: record an attempt, finish, give back, park.  All under the fence.

Every function takes what several steps ask for at the same moment and answers in the same order; a stale fence is
answered with False or None and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import connection
from django.db.models import F, QuerySet

from integrations.canonical import Written
from integrations.connectors.errors import ConnectorError, HeldBack, RateLimited
from integrations.engine import follow_ups
from integrations.engine.effects import (
    Finish,
    LoadHead,
    MarkSent,
    Park,
    Release,
    StoreCreated,
    StoreFollowUp,
    Withdraw,
)
from integrations.engine.values import (
    Answer,
    DeliveryState,
    Operation,
    Outcome,
    Stamp,
    Winner,
    Word,
    stamp_from,
)
from integrations.events import lane_parked
from integrations.models import Attempt, Conflict, Delivery, Effect, Lane, Ticket, TicketSide
from integrations.statements import Order, Question, insert_many, update_many
from integrations.store import queues, tickets, words


def mark_sent(requests: Sequence[MarkSent]) -> list[bool]:
    """Write-ahead: from here on these deliveries count as possibly carried out."""
    lanes = _without_followed(_locked(requests), requests)
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
    insert_many(
        [
            Attempt(
                delivery_id=request.delivery_id,
                number=request.number,
                fence=request.fence,
                started_at=request.at,
            )
            for request in owned
        ]
    )
    return [request.lane_id in lanes for request in requests]


def _without_followed(lanes: dict[int, Lane], requests: Sequence[MarkSent]) -> dict[int, Lane]:
    """Leave out the lanes for which another one makes the ticket that goes on from a closed one, or has made it."""
    wanted = {
        request.lane_id: (int(request.unseen["follows"]), request.delivery_id)
        for request in requests
        if request.unseen.get("follows")
    }
    if not wanted:
        return lanes
    closed = sorted({pk for pk, _ in wanted.values()})
    _lock_targets(closed)
    over = set(
        Ticket.objects.filter(pk__in=closed, followed_by__isnull=False)
        .order_by()
        .values_list("pk", flat=True)
    )
    sent = Delivery.objects.filter(
        state=Delivery.State.SENT, target__isnull=True, unseen__follows__in=closed
    ).order_by()
    by = {delivery.unseen["follows"]: delivery.pk for delivery in sent.only("unseen")}
    for lane_id, (pk, delivery_id) in sorted(wanted.items()):
        # The first of those that ask together makes it.
        if pk in over or by.setdefault(pk, delivery_id) != delivery_id:
            lanes.pop(lane_id, None)
    return lanes


def store_created(requests: Sequence[StoreCreated], now: datetime) -> list[bool]:
    """Tickets stand on the other side: link them; a delivery stays at the head until its fields are equal."""
    lanes = _locked(requests)
    owned = [request for request in requests if request.lane_id in lanes]
    stands = _created(owned, lanes)
    update_many(Lane, ("tries",), [(lane.pk, (0,)) for lane in lanes.values()])
    planned = {pk: (marker, origin) for pk, marker, origin in _plans(keys=list(stands))}
    update_many(Ticket, ("marker",), [(stands[pk], (marker,)) for pk, (marker, _) in planned.items()])
    effects: list[Effect] = []
    changes: list[tuple[int, tuple[object, ...]]] = []
    for request in owned:
        pk, lane, written = request.delivery_id, lanes[request.lane_id], request.written
        _stand_on(linked=lane.linked_ticket_id, side=lane.target_id, ticket=stands[pk])
        result = {"change_ids": list(written.change_ids), "remote_id": written.head.remote_id}
        changes.append((pk, (stands[pk], Delivery.State.NEW.value, result)))
        effects.append(Effect(ticket_id=stands[pk], origin=planned[pk][1], delivery_id=pk))
    update_many(Delivery, ("target", "state", "result"), changes)
    _done_attempts(deliveries=list(stands), at=now)
    insert_many(effects, ignores_doubles=True)
    tickets.expect_read_back(list(stands.values()), now)
    return [request.lane_id in lanes for request in requests]


def store_follow_ups(requests: Sequence[StoreFollowUp], now: datetime) -> list[bool]:
    """Tickets go on from closed ones, which keep what happened in them; deliveries wait to be written to the new ones.

    All connections of a closed ticket go over to the new one: two of them would bring about two otherwise.
    """
    lanes = _locked(requests)
    owned = [request for request in requests if request.lane_id in lanes]
    stands = _created(owned, lanes)
    update_many(Lane, ("tries",), [(lane.pk, (0,)) for lane in lanes.values()])
    places = sorted(
        (request.closed_ticket_id, stands[request.delivery_id], request.marker) for request in owned
    )
    _lock_targets(pk for closed, new, _ in places for pk in (closed, new))
    rows = Ticket.objects.in_bulk([pk for closed, new, _ in places for pk in (closed, new)])
    for closed, new, _ in places:
        if not rows[new].winners:
            state = rows[closed]
            known = tickets.winners_from(state.winners, state.actual)
            rows[new].winners = tickets.winners_value(follow_ups.winners_after(known, state.actual), {})
    update_many(
        Ticket, ("marker", "winners"), [(new, (marker, rows[new].winners)) for _, new, marker in places]
    )
    update_many(Ticket, ("followed_by",), [(closed, (new,)) for closed, new, _ in places])
    for closed, new, _ in places:
        _move_over(closed=closed, new=new)
    waits: tuple[object, ...] = (Delivery.State.NEW.value, {}, True, {})
    update_many(
        Delivery,
        ("state", "unseen", "is_recognised", "wanted"),
        [(one.delivery_id, waits) for one in owned],
    )
    _done_attempts(deliveries=list(stands), at=now)
    tickets.expect_read_back(list(stands.values()), now)
    return [request.lane_id in lanes for request in requests]


def _created(
    requests: Sequence[StoreCreated] | Sequence[StoreFollowUp], lanes: Mapping[int, Lane]
) -> dict[int, int]:
    """The ticket that each delivery made, by delivery; a web hook may have told of it before."""
    heads = {request.delivery_id: request.written.head for request in requests}
    systems = {request.delivery_id: lanes[request.lane_id].system_id for request in requests}
    insert_many(
        [
            Ticket(system_id=systems[pk], remote_id=head.remote_id, key=head.key, url=head.url)
            for pk, head in sorted(heads.items(), key=lambda one: (systems[one[0]], one[1].remote_id))
        ],
        ignores_doubles=True,
    )
    rows = _tickets(
        systems=list(set(systems.values())), remote_ids=[head.remote_id for head in heads.values()]
    )
    known = {(system_id, remote_id): pk for pk, system_id, remote_id in rows}
    return {pk: known[systems[pk], head.remote_id] for pk, head in heads.items()}


def finish(requests: Sequence[Finish], now: datetime) -> list[bool]:
    """These deliveries are over, their lanes move on, and their senders are told what overtook them.

    What follows a refused one in its lane is refused as well.
    """
    known = _lanes(keys=[request.lane_id for request in requests] + _lanes_back(requests))
    lanes = _owned_of(known, requests)
    rows = _ending(keys=[request.delivery_id for request in requests if request.lane_id in lanes])
    deliveries = {pk: _Ending(*row) for pk, *row in rows}
    _lock_targets(one.target_id for one in deliveries.values())
    held = _held(requests, lanes)
    effects: list[Effect] = []
    changes: list[tuple[int, tuple[object, ...]]] = []
    accepted: list[tuple[_Held, Stamp, Finish]] = []
    ended: dict[int, Finish] = {}
    refused: set[int] = set()
    for request in requests:
        pk, lane = request.delivery_id, lanes.get(request.lane_id)
        if lane is None or lane.pk in refused or not _is_current(request, lane, deliveries[pk], held):
            refused.add(request.lane_id)
            continue
        one = deliveries[pk]
        ended[pk] = request
        result = _result(request.written) if request.written else one.result
        if request.lost:
            result = {**result, "lost": {name: list(told) for name, told in request.lost.items()}}
        result = {**result, **_undone(request)}
        changes.append((pk, (request.state.value, request.at, request.reason, result)))
        if one.target_id and one.was_sent and one.operation in (Operation.COMMENT, Operation.FILE):
            effects.append(_effect(pk, one.target_id, one.origin, result))
        if request.accepted and request.state is DeliveryState.DONE:
            accepted.append((held[lane.pk], stamp_from(one.stamp), request))
        _advance(lane, now)
    _take_stamps(accepted)
    update_many(Delivery, ("state", "done_at", "skipped_reason", "result"), changes)
    _forget_unwritten(
        [pk for pk, request in ended.items() if deliveries[pk].was_sent and not request.written]
    )
    answers = [
        queues.put(back, _answer(answer, deliveries[pk]), now)
        for pk, request in ended.items()
        for answer in request.answers
        if (back := _lane_back(lanes[request.lane_id], known))
    ]
    told = {
        pk: queues.put(back, _word(request.word, pk, deliveries[pk]), now)
        for pk, request in ended.items()
        if request.word and (back := _lane_back(lanes[request.lane_id], known))
    }
    answers += told.values()
    update_many(Delivery, ("told_at",), [(pk, (now,)) for pk in told])
    answers += [
        queues.put(lanes[request.lane_id], _whole_text(file, deliveries[pk], pk), now)
        for pk, request in ended.items()
        for file in request.files
    ]
    moved = {**lanes, **{answer.lane.pk: answer.lane for answer in answers}}
    update_many(
        Lane, _MOVED, [(lane.pk, tuple(getattr(lane, name) for name in _MOVED)) for lane in moved.values()]
    )
    insert_many(answers)
    _done_attempts(deliveries=[pk for pk in ended if deliveries[pk].was_sent], at=now)
    insert_many(effects, ignores_doubles=True)
    written = [deliveries[pk].target_id for pk, request in ended.items() if request.written]
    tickets.expect_read_back([target_id for target_id in written if target_id], now)
    return [request.delivery_id in ended for request in requests]


def release(request: Release) -> bool:
    """Give the lane back until `next_at`; the attempt under way ends as the request says."""
    changes: dict = {"owner": "", "leased_until": None, "next_at": request.next_at}
    if request.waits_for:
        code, message = request.waits_for
        changes |= {"failure_code": code, "failure_message": message}
    if request.error:
        changes |= {
            "failure_code": request.error.code,
            "failure_message": request.error.message[:500],
            "tries": F("tries") + (0 if request.outcome or isinstance(request.error, HeldBack) else 1),
        }
    if not _owned(request).update(**changes):
        return False
    if request.outcome and request.delivery_ids:
        sent = Delivery.objects.filter(pk__in=request.delivery_ids)
        _end_attempts(request.delivery_ids, request.outcome, request.at, request.error)
        if request.outcome is Outcome.RETRY:
            _undo_mark(sent)
        elif request.outcome is Outcome.UNKNOWN:
            # The call has come back, so nothing of it can leave any more: it settles from here.
            trace = request.error.file if request.error else None
            sent.update(send_by=request.at, **({"result": {"file": asdict(trace)}} if trace else {}))
    return True


def withdraw(request: Withdraw) -> bool:
    """The system wanted none of these together; the lane stays where it is."""
    if not _owned(request).select_for_update(no_key=True).exists():
        return False
    _undo_mark(Delivery.objects.filter(pk__in=request.delivery_ids))
    _end_attempts(request.delivery_ids, Outcome.REFUSED, request.at, request.error)
    return True


def park(request: Park) -> bool:
    """Stop the lane at this delivery until a person has decided; its sender is told, where its rules ask for that."""
    known = _lanes(keys=[request.lane_id, *_lanes_back([request])])
    lane = _owned_of(known, [request]).get(request.lane_id)
    if lane is None:
        return False
    lane.state = Lane.State.PARKED
    lane.owner, lane.leased_until = "", None
    lane.failure_code, lane.failure_message = request.code[:40], request.message[:500]
    lane.save(update_fields=["state", "owner", "leased_until", "failure_code", "failure_message"])
    sent = Delivery.objects.filter(pk=request.delivery_id, state=Delivery.State.SENT)
    if request.error and not request.error.outcome_unknown:
        _undo_mark(sent)
    _end_attempts([request.delivery_id], Outcome.REFUSED, request.at, request.error)
    insert_many(
        [
            Conflict(
                delivery_id=request.delivery_id,
                field=question.field,
                shared=question.shared,
                asked_at=request.at,
            )
            for question in request.questions
        ],
        ignores_doubles=True,
    )
    if request.word and (back := _lane_back(lane, known)):
        row = _ending(keys=[request.delivery_id])[0]
        word = _word(request.word, request.delivery_id, _Ending(*row[1:]))
        queues.append(back, word, request.at)
        Delivery.objects.filter(pk=request.delivery_id).update(told_at=request.at)
    lane_parked.send(Lane, lane=lane)
    return True


_Fenced = LoadHead | MarkSent | StoreCreated | StoreFollowUp | Finish | Release | Withdraw | Park
_MOVED = ("head", "tries", "failure_code", "failure_message", *queues.QUEUED)


def _owned(request: _Fenced):  # type: ignore[no-untyped-def]
    return Lane.objects.filter(pk=request.lane_id, fence=request.fence)


def _locked(
    requests: Sequence[MarkSent] | Sequence[StoreCreated] | Sequence[StoreFollowUp],
) -> dict[int, Lane]:
    """The lanes of these requests that are still theirs, locked in the order of their keys."""
    return _owned_of(_lanes(keys=[request.lane_id for request in requests]), requests)


def _owned_of(lanes: Sequence[Lane], requests: Sequence[_Fenced]) -> dict[int, Lane]:
    fences = {request.lane_id: request.fence for request in requests}
    return {lane.pk: lane for lane in lanes if lane.fence == fences.get(lane.pk)}


def _lanes_back(requests: Sequence[Finish] | Sequence[Park]) -> list[int]:
    """Both lanes of every linked ticket in which a sender is told something: they are locked together."""
    telling = [
        request.lane_id
        for request in requests
        if request.word or (isinstance(request, Finish) and request.answers)
    ]
    return [pk for (pk,) in _both_lanes(lanes=telling)]


def _lane_back(lane: Lane, known: Sequence[Lane]) -> Lane | None:
    """The other direction of the same linked ticket, where it is among these."""
    return next(
        (one for one in known if one.pk != lane.pk and one.linked_ticket_id == lane.linked_ticket_id), None
    )


def _lock_targets(ticket_ids: Iterable[int | None]) -> None:
    """Lock the tickets written to before their deliveries are touched, as whoever stores a reading does.

    The other way round the two would wait for each other: a reading marks the deliveries that it recognises.
    """
    if connection.features.has_select_for_update:
        tickets.lock(keys=sorted({pk for pk in ticket_ids if pk}))


@dataclass(frozen=True, slots=True)
class _Ending:
    """What the end of a delivery needs to know of it."""

    number: int
    event_id: int | None
    target_id: int | None
    operation: str
    state: str
    origin: str
    stamp: list
    result: dict
    told_at: datetime | None

    @property
    def was_sent(self) -> bool:
        return self.state == Delivery.State.SENT


@dataclass(slots=True)
class _Held:
    """What the ticket that a lane leads to holds at this moment."""

    ticket_id: int
    winners: dict
    actual: dict


def _held(requests: Sequence[Finish], lanes: Mapping[int, Lane]) -> dict[int, _Held]:
    """The tickets of the lanes in which something was accepted, by lane."""
    asked = {
        request.lane_id: lanes[request.lane_id]
        for request in requests
        if request.lane_id in lanes and request.accepted
    }
    stands = _standing(linked=[lane.linked_ticket_id for lane in asked.values()])
    places = {(linked, side): ticket_id for linked, side, ticket_id in stands}
    rows = {row[0]: _Held(*row) for row in _winners(keys=sorted(set(places.values())))}
    return {pk: rows[places[lane.linked_ticket_id, lane.target_id]] for pk, lane in asked.items()}


def _is_current(request: Finish, lane: Lane, one: _Ending, held: Mapping[int, _Held]) -> bool:
    """Whether what was decided still holds: a worker may have been stopped between its look and this moment."""
    if one.number != lane.head:
        return False
    if request.written or not request.accepted:
        return True
    actual = held[lane.pk].actual
    return all(actual.get(name) == value for name, value in request.accepted.items())


def _answer(answer: Answer, overtaken: _Ending) -> Delivery:
    return Delivery(
        event_id=overtaken.event_id,
        operation=Delivery.Op.UPDATE,
        marker=queues.new_marker(),
        origin=overtaken.origin,
        stamp=answer.stamp.as_value(),
        envelope=dict(answer.envelope),
        problem=dict(answer.problem),
        outgoing_id=answer.outgoing_id,
    )


def _word(word: Word, delivery_id: int, about: _Ending) -> Delivery:
    is_end = about.told_at is not None
    return words.delivery_of(word, delivery_id, event_id=about.event_id, stamp=about.stamp, is_end=is_end)


def _whole_text(file: Mapping, cut: _Ending, delivery_id: int) -> Delivery:
    """The whole of a text that was cut, as a file behind it.  A later cut of the same text brings another one."""
    return Delivery(
        event_id=cut.event_id,
        operation=Delivery.Op.FILE,
        marker=queues.new_marker(),
        origin=f"whole:{delivery_id}:{file['name']}"[:200],
        stamp=cut.stamp,
        envelope={"file": dict(file)},
    )


def _advance(lane: Lane, now: datetime) -> None:
    lane.head += 1
    lane.tries = 0
    if lane.state != Lane.State.PARKED:
        # One that was stopped while this delivery was under way keeps the reason.
        lane.failure_code = lane.failure_message = ""
    lane.waits = lane.head <= lane.tail
    lane.waits_since = now if lane.waits else None
    lane.next_at = now


def _effect(delivery_id: int, ticket_id: int, origin: str, result: Mapping) -> Effect:
    made = result.get("comment_id") or result.get("attachment_id") or ""
    return Effect(ticket_id=ticket_id, origin=origin, delivery_id=delivery_id, remote_ref=str(made)[:120])


def _result(written: Written) -> dict[str, object]:
    return {
        "change_ids": list(written.change_ids),
        "comment_id": written.comment_id,
        "attachment_id": written.attachment_id,
        **({"file": asdict(written.file)} if written.file else {}),
    }


def _undone(request: Finish) -> dict[str, object]:
    return {"undone": dict(request.undone)} if request.undone else {}


def _take_stamps(accepted: Sequence[tuple[_Held, Stamp, Finish]]) -> None:
    """Targets held these values already: from now on they stand there with the newer stamp."""
    changed: dict[int, dict] = {}
    for held, written_at, request in accepted:
        winners = tickets.winners_from(held.winners, held.actual)
        came = {
            name: Winner(value, request.accepted_stamps.get(name, written_at))
            for name, value in (request.accepted or {}).items()
            # What was only told beside a write has not been looked at again.
            if not request.written or held.actual.get(name) == value
        }
        # By the same stamp it is the same value, as the system has settled it.
        newer = {
            name: winner
            for name, winner in came.items()
            if name not in winners or winners[name].stamp <= winner.stamp
        }
        if newer:
            held.winners = tickets.winners_value({**winners, **newer}, held.actual)
            changed[held.ticket_id] = held.winners
    update_many(Ticket, ("winners",), [(pk, (winners,)) for pk, winners in changed.items()])


def _forget_unwritten(delivery_ids: Sequence[int], told: Sequence[str] = ("wanted", "pre_image")) -> None:
    """What an attempt was to write, and no history has shown, it did not replace after all."""
    rows = Delivery.objects.filter(pk__in=delivery_ids) if delivery_ids else ()
    changes: list[tuple[int, tuple[object, ...]]] = []
    for one in rows:
        if left := one.unseen.get("fields"):
            kept = ({n: v for n, v in getattr(one, name).items() if n not in left} for name in told)
            changes.append((one.pk, tuple(kept)))
    update_many(Delivery, tuple(told), changes)


def _undo_mark(sent: QuerySet[Delivery]) -> None:
    """Nothing was carried out: they are deliveries like before the attempt."""
    _forget_unwritten([pk for (pk,) in sent.order_by("pk").values_list("pk")], ("pre_image",))
    sent.update(state=Delivery.State.NEW, unseen={}, is_recognised=True)


def _end_attempts(
    delivery_ids: Sequence[int], outcome: Outcome, at: datetime, error: ConnectorError | None = None
) -> None:
    Attempt.objects.filter(delivery__in=delivery_ids, outcome=Attempt.Result.STARTED).update(
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


_standing = Question(
    lambda linked: TicketSide.objects.filter(linked_ticket__in=linked, ticket__isnull=False).values_list(
        "linked_ticket_id", "side_id", "ticket_id"
    )
)
_winners = Question(
    lambda keys: (
        Ticket.objects.filter(pk__in=keys)
        .select_for_update(no_key=True)
        .order_by("pk")
        .values_list("pk", "winners", "actual")
    )
)
_lanes = Question(lambda keys: Lane.objects.filter(pk__in=keys).select_for_update(no_key=True).order_by("pk"))
_both_lanes = Question(
    lambda lanes: Lane.objects.filter(linked_ticket__lanes__in=lanes).order_by().values_list("pk")
)
_plans = Question(
    lambda keys: Delivery.objects.filter(pk__in=keys).order_by().values_list("pk", "marker", "origin")
)
_ending = Question(
    lambda keys: (
        Delivery.objects.filter(pk__in=keys)
        .order_by()
        .values_list(
            "pk",
            "number",
            "event_id",
            "target_id",
            "operation",
            "state",
            "origin",
            "stamp",
            "result",
            "told_at",
        )
    )
)
_tickets = Question(
    lambda systems, remote_ids: Ticket.objects.filter(
        system__in=systems, remote_id__in=remote_ids
    ).values_list("pk", "system_id", "remote_id")
)
_stand_on = Order(
    lambda linked, side, ticket: (
        TicketSide.objects.filter(linked_ticket=linked, side=side),
        {"ticket_id": ticket},
    )
)
_move_over = Order(lambda closed, new: (TicketSide.objects.filter(ticket=closed), {"ticket_id": new}))
_done_attempts = Order(
    lambda deliveries, at: (
        Attempt.objects.filter(delivery__in=deliveries, outcome=Attempt.Result.STARTED),
        {"outcome": Attempt.Result.DONE, "ended_at": at},
    )
)
