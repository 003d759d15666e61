"""The heads of lanes: what each claimed lane has to deliver next, with everything needed to carry it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db.models import F, Q

from integrations.engine import pace
from integrations.engine.effects import LoadHead
from integrations.engine.values import DeliveryState, HeadView, Operation, TicketState, stamp_from
from integrations.models import Attempt, Delivery, Effect, Lane, TicketSide
from integrations.statements import Order, Question
from integrations.store import tickets
from integrations.store.configuration import Configuration

_HEAD_FIELDS = (
    "lane_id",
    "lane__fence",
    "lane__linked_ticket_id",
    "lane__target_id",
    "lane__connection_id",
    "lane__head",
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
    "unseen",
    "pre_image",
    "told_at",
)


def _seen_from_lane(field: str) -> str:
    """A field of a delivery as its lane reaches it."""
    if field == "lane_id":
        return "pk"
    return field.removeprefix("lane__") if field.startswith("lane__") else f"deliveries__{field}"


def load_heads(requests: Sequence[LoadHead], config: Configuration, now: datetime) -> list[HeadView | None]:
    """The heads of lanes still ours; an empty or stopped lane is given back."""
    span = 1 + max(request.followers for request in requests)
    queues: dict[int, list[Mapping]] = {}
    for row in _waiting(lanes=[request.lane_id for request in requests], limit=span):
        queues.setdefault(row[0], []).append(dict(zip(_HEAD_FIELDS, row, strict=True)))
    heads = {lane: queue[0] for lane, queue in queues.items() if queue[0]["number"] == queue[0]["lane__head"]}
    targets = _targets(list(heads.values()))
    effects = _known_effects(list(heads.values()), targets)
    writes = tickets.open_writes(_update_targets(heads.values(), targets))
    recent = _recent_writes(list(heads.values()), targets, config, now)
    views: list[HeadView | None] = []
    for request in requests:
        row = heads.get(request.lane_id)
        if row is None or row["lane__fence"] != request.fence:
            _give_back(lane=request.lane_id, fence=request.fence)
            views.append(None)
            continue
        target = targets.get((row["lane__linked_ticket_id"], row["lane__target_id"]))
        has_effect = target is not None and (target.id, row["origin"]) in effects
        followers = tuple(
            _head_view(one, target, config) for one in queues[request.lane_id][1 : 1 + request.followers]
        )
        view = _head_view(row, target, config)
        views.append(
            replace(
                view,
                has_effect=has_effect and view.operation in (Operation.COMMENT, Operation.FILE),
                followers=followers,
                own_writes=tuple(writes.get(target.id, ())) if target else (),
                recent_writes=tuple(recent.get(target.id, ())) if target else (),
            )
        )
    return views


def view_of(delivery_id: int, config: Configuration) -> HeadView:
    """A delivery as the engine sees it, without its target, whoever has its lane."""
    (row,) = Delivery.objects.filter(pk=delivery_id).values_list(*_HEAD_FIELDS)
    return _head_view(dict(zip(_HEAD_FIELDS, row, strict=True)), None, config)


def _targets(heads: Sequence[Mapping]) -> dict[tuple[int, int], TicketState]:
    rows = _stands(linked=[row["lane__linked_ticket_id"] for row in heads])
    return {(linked, side): tickets.ticket_state(*state) for linked, side, *state in rows}


def _update_targets(heads: Iterable[Mapping], targets: Mapping) -> list[int]:
    """The tickets to which updates lead: what we wrote there before may matter to them."""
    places = [
        (row["lane__linked_ticket_id"], row["lane__target_id"])
        for row in heads
        if row["operation"] == Operation.UPDATE
    ]
    return sorted({targets[place].id for place in places if place in targets})


def _known_effects(heads: Sequence[Mapping], targets: Mapping) -> set[tuple[int, str]]:
    """Additions among the heads that have reached their ticket already, by whatever way."""
    origins = [row["origin"] for row in heads if row["operation"] in (Operation.COMMENT, Operation.FILE)]
    return set(_effects_of(tickets=[ticket.id for ticket in targets.values()], origins=origins))


def _recent_writes(
    heads: Sequence[Mapping],
    targets: Mapping[tuple[int, int], TicketState],
    config: Configuration,
    now: datetime,
) -> dict[int, list[datetime]]:
    """When those tickets were written to that may be near their system's limit: a short lane has nothing to fear."""
    asked: set[int] = set()
    longest_s = 0
    for row in heads:
        target = targets.get((row["lane__linked_ticket_id"], row["lane__target_id"]))
        limit = config.ticket_writes.get(target.system_id) if target else None
        # Half of it, because a ticket may be written to by several lanes.
        if target and limit and row["number"] > pace.allowed(limit) // 2:
            asked.add(target.id)
            longest_s = max(longest_s, limit.longest_s)
    found: dict[int, dict[datetime, datetime]] = {}
    for ticket_id, began, ended in _written(tickets=sorted(asked), since=now - timedelta(seconds=longest_s)):
        # What went out together began together.  The system counted it before it answered, we do not know when.
        found.setdefault(ticket_id, {})[began] = ended or began
    return {ticket_id: list(writes.values()) for ticket_id, writes in found.items()}


def _head_view(row: Mapping, target: TicketState | None, config: Configuration) -> HeadView:
    connection = config.connections[row["lane__connection_id"]]
    sender = connection.other(row["lane__target_id"])
    return HeadView(
        lane_id=row["lane_id"],
        delivery_id=row["pk"],
        number=row["number"],
        operation=Operation(row["operation"]),
        state=DeliveryState(row["state"]),
        marker=row["marker"],
        origin=row["origin"],
        stamp=stamp_from(row["stamp"]),
        envelope=row["envelope"],
        problem=row["problem"],
        wanted=row["wanted"],
        is_recognised=row["is_recognised"],
        has_effect=False,
        send_by=row["send_by"],
        tries=row["tries"],
        lane_tries=row["lane__tries"],
        side=connection.side(row["lane__target_id"]),
        sender=sender,
        target=target,
        source_system_id=sender.system_id,
        linked_ticket_id=row["lane__linked_ticket_id"],
        is_told=row["told_at"] is not None,
        follows=int(row["unseen"].get("follows") or 0),
        pre_image=row["pre_image"],
        landed=_landed(row),
    )


def _landed(row: Mapping) -> frozenset[str]:
    """The fields written so far that the receiver's history has shown."""
    return frozenset(row["pre_image"]).difference(row["unseen"].get("fields", ()))


# The first `limit` numbers of each lane's queue, its head first.  Asked from the lane, because a plan for any list of
# lanes that begins with the deliveries goes through every lane there is.
_waiting = Question(
    lambda lanes, limit: (
        Lane.objects.filter(
            pk__in=lanes,
            state=Lane.State.READY,
            deliveries__number__gte=F("head"),
            deliveries__number__lt=F("head") + limit,
        )
        .order_by("pk", "deliveries__number")
        .values_list(*map(_seen_from_lane, _HEAD_FIELDS))
    )
)
_give_back = Order(
    lambda lane, fence: (Lane.objects.filter(pk=lane, fence=fence), {"owner": "", "leased_until": None})
)
_stands = Question(
    lambda linked: TicketSide.objects.filter(linked_ticket__in=linked, ticket__isnull=False).values_list(
        "linked_ticket_id", "side_id", *(f"ticket__{name}" for name in tickets.STATE_FIELDS)
    )
)
_written = Question(
    lambda tickets, since: (
        Attempt.objects.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=since), delivery__target__in=tickets)
        .order_by()
        .values_list("delivery__target_id", "started_at", "ended_at")
    )
)
_effects_of = Question(
    lambda tickets, origins: Effect.objects.filter(ticket__in=tickets, origin__in=origins).values_list(
        "ticket_id", "origin"
    )
)
