"""Compares one linked ticket as both systems hold it now, and keeps what was found.

Both sides are read fresh; what is known decides nothing but whether a difference is news.  A difference that the
system's own history explains is no drift but something on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from integrations.canonical import Attachment, Comment, Snapshot, Value
from integrations.connectors.errors import ConnectorError, Gone
from integrations.connectors.protocol import Connector
from integrations.engine import acknowledgements, reconcile
from integrations.engine.reconcile import Carried, Examined, Exempt, Kind, Place, Reason
from integrations.engine.undoing import Standing
from integrations.engine.values import ConnectionView, DeliveryState, SideView
from integrations.mapping import plan as mapping
from integrations.mapping.agreement import End, own_field, rule_from, rule_to
from integrations.models import (
    Delivery,
    DictionaryField,
    Drift,
    Examination,
    Lane,
    LinkedTicket,
    SyncEvent,
    Ticket,
    TicketSide,
    Withheld,
)
from integrations.services.timeline.fates import file_trace
from integrations.services.undone import standing
from integrations.store.configuration import Configuration
from integrations.store.tickets import note_hints, winners_from

Openers = Callable[[int], Connector]
# How long a text in a list of drift may be.
LONGEST = 2000
REPAIRED = "Repaired: both sides agree."
AGREES = "Both sides agree again."
UNDONE = "It was undone: it differs on purpose until the sender changes it again."


class UnderWay(Exception):
    """Something is on its way, so that there is nothing final to compare; try again in a moment."""


class NotComparable(Exception):
    """It cannot be compared as things stand; the message says why."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """One side with its ticket, as known and as read just now."""

    one: TicketSide
    ticket: Ticket
    view: SideView
    snapshot: Snapshot
    place: Place


def examine(
    linked: LinkedTicket, connector_of: Openers, config: Configuration, *, now: datetime
) -> Examination:
    """Read both systems, compare, and keep the result with its drift; calls both systems, at most four times.

    UnderWay while something has still to arrive, NotComparable when one side has no ticket or a lane waits for a
    person, ConnectorError when a system does not answer.  May be repeated.
    """
    view = config.connections[linked.connection_id]
    sides = _both_sides(linked)
    _refuse_unless_quiet(linked, sides)
    labels = dict(
        DictionaryField.objects.filter(connection=linked.connection_id).values_list("name", "label")
    )
    fresh = [_read(one, connector_of) for one in sides]
    undone = standing(linked, sides)
    stands = [
        _stand(one, snapshot, view, linked, connector_of, undone[one.side_id])
        for one, snapshot in zip(sides, fresh, strict=True)
    ]
    left, right = stands
    found = reconcile.examine(
        labels, left.place, right.place, lambda system, name, value: connector_of(system).settled(name, value)
    )
    if found.drifts:
        _refuse_if_history_tells(stands, connector_of, now)
    return _keep(linked, found, left, right, labels, now)


def _both_sides(linked: LinkedTicket) -> list[TicketSide]:
    sides = list(linked.sides.select_related("side__system__partner", "ticket").order_by("side__position"))
    for one in sides:
        if one.ticket is None:
            raise NotComparable(f"There is no ticket in {one.side.system} yet.")
        if one.ticket.is_gone:
            raise NotComparable(f"The ticket in {one.side.system} is gone.")
    return sides


def _refuse_unless_quiet(linked: LinkedTicket, sides: Iterable[TicketSide]) -> None:
    lanes = list(Lane.objects.filter(linked_ticket=linked, waits=True))
    if any(lane.state != Lane.State.READY for lane in lanes):
        raise NotComparable("Changes wait for a person in the queue; they come first.")
    tickets = [one.ticket_id for one in sides]
    unseen = Delivery.objects.filter(target__in=tickets, is_recognised=False)
    if lanes or unseen.exists():
        raise UnderWay("Changes are on their way.")


def _read(one: TicketSide, connector_of: Openers) -> Snapshot:
    assert one.ticket is not None
    try:
        return connector_of(one.side.system_id).read(one.ticket.remote_id)
    except Gone as error:
        raise NotComparable(f"The ticket in {one.side.system} is gone.") from error


def _stand(
    one: TicketSide,
    snapshot: Snapshot,
    view: ConnectionView,
    linked: LinkedTicket,
    connector_of: Openers,
    undone: Mapping[str, Standing],
) -> _Stand:
    ticket, side = one.ticket, view.side(one.side_id)
    assert ticket is not None
    known = list(SyncEvent.objects.filter(ticket=ticket).exclude(comments=[], attachments=[]))
    end = End(
        actual=snapshot.fields,
        exists=True,
        system_id=side.system_id,
        outgoing=side.outgoing,
        incoming=side.incoming,
        person_fields=side.person_fields,
        people=side.people,
    )
    place = Place(
        end=end,
        known=ticket.actual,
        winners=winners_from(ticket.winners, ticket.actual),
        comments=snapshot.comments,
        files=[*snapshot.attachments, *(file for made in snapshot.comments for file in made.attachments)],
        ours=_made_by_us(linked, one.side_id, ticket),
        recorded=frozenset(part["id"] for event in known for part in _parts(event)),
        withheld=frozenset(
            Withheld.objects.filter(linked_ticket=linked, event__ticket=ticket).values_list(
                "file_id", flat=True
            )
        ),
        carried=_carried(linked, view, side, ticket, connector_of),
        undone=undone,
    )
    return _Stand(one, ticket, side, snapshot, place)


def _parts(event: SyncEvent) -> list[dict[str, Any]]:
    """The comments and files that one change brought, a comment's own files among them."""
    inside = [file for comment in event.comments for file in comment.get("attachments", ())]
    return [*event.comments, *event.attachments, *inside]


def _made_by_us(linked: LinkedTicket, side_id: int, ticket: Ticket) -> frozenset[str]:
    """Comments and files at a side that came over this very link, and words to its people, whatever link they are about."""
    words = Q(target=ticket, origin__startswith=acknowledgements.MARK)
    mine = Delivery.objects.filter(Q(lane__linked_ticket=linked, lane__target=side_id) | words)
    told = mine.exclude(result={}).values_list("result", flat=True)
    made = {one.get(name, "") for one in told for name in ("comment_id", "attachment_id")}
    made |= {part["id"] for event in SyncEvent.objects.filter(caused_by__in=mine) for part in _parts(event)}
    return frozenset(made - {""})


def _carried(
    linked: LinkedTicket, view: ConnectionView, sender: SideView, ticket: Ticket, connector_of: Openers
) -> dict[str, Carried]:
    """What became of each comment and file of the sender's ticket; the last delivery of one counts."""
    receiver = view.other(sender.id)
    rows = (
        Delivery.objects.filter(lane__linked_ticket=linked, lane__target=receiver.id)
        .filter(operation__in=(Delivery.Op.COMMENT, Delivery.Op.FILE), event__ticket=ticket)
        .select_related("event", "incoming")
        .prefetch_related("seen_as")
        .order_by("number")
    )
    found: dict[str, Carried] = {}
    for delivery in rows:
        if key := source_of(delivery):
            found[key] = _as_carried(delivery, sender, receiver, connector_of)
    return found


def source_of(delivery: Delivery) -> str:
    """The id, at the sender, of the comment or file that a delivery carries; empty where it cannot be told."""
    if file := delivery.envelope.get("file"):
        return str(file["id"])
    event, comment = delivery.event, delivery.envelope.get("comment")
    if event is None or comment is None:
        return ""
    named = next((one for one in event.comments if delivery.origin.endswith(f":comment:{one['id']}")), None)
    alike = next((one for one in event.comments if one["body"] == comment["body"]), None)
    one = named or alike
    return str(one["id"]) if one else ""


def _as_carried(delivery: Delivery, sender: SideView, receiver: SideView, connector_of: Openers) -> Carried:
    rules = delivery.incoming or receiver.incoming
    result = delivery.result
    seen = [part["id"] for event in delivery.seen_as.all() for part in _parts(event)]
    made = result.get("attachment_id") or result.get("comment_id") or next(iter(seen), "")
    envelope = delivery.envelope.get("comment") or delivery.envelope["file"]
    body: Value = None
    if comment := delivery.envelope.get("comment"):
        line = mapping.heading(rules.comment_heading, comment, partner=sender.partner_name)
        body = connector_of(receiver.system_id).settled("comment", mapping.headed(comment["body"], line))
    return Carried(
        state=DeliveryState(delivery.state),
        made=str(made),
        body=body,
        source=envelope.get("body"),
        is_public=bool(envelope.get("is_public")) and rules.comments_become_public,
        size_bytes=trace.size_bytes if (trace := file_trace(delivery)) else 0,
    )


def _refuse_if_history_tells(stands: Sequence[_Stand], connector_of: Openers, now: datetime) -> None:
    """What a history shows that was not read yet explains the difference: it is on its way.

    Asked after the tickets were read, so whatever they showed is in their histories by now if it ever will be.
    """
    told = [
        stand
        for stand in stands
        if (
            history := connector_of(stand.view.system_id).history(stand.ticket.remote_id, stand.ticket.cursor)
        )
        and _has_news(history.changes, stand.ticket)
    ]
    current = Ticket.objects.filter(pk__in=[stand.ticket.pk for stand in stands])
    versions = dict(current.values_list("pk", "version"))
    moved = any(versions[stand.ticket.pk] != stand.ticket.version for stand in stands)
    if told or moved:
        with transaction.atomic():
            for stand in told:
                note_hints(stand.view.system_id, [stand.ticket.remote_id], now)
        raise UnderWay("The systems' histories tell of changes that are on their way.")


def _has_news(changes: Sequence[Any], ticket: Ticket) -> bool:
    """Whether a change is among these that was not seen: a connector may overlap at its cursor."""
    ids = {change.id for change in changes}
    return bool(
        ids
        - set(SyncEvent.objects.filter(ticket=ticket, change_id__in=ids).values_list("change_id", flat=True))
    )


# --- Keeping ---


def _keep(
    linked: LinkedTicket,
    found: Examined,
    left: _Stand,
    right: _Stand,
    labels: Mapping[str, str],
    now: datetime,
) -> Examination:
    with transaction.atomic():
        # Two that compare the same ticket at once write one after the other.
        LinkedTicket.objects.select_for_update().get(pk=linked.pk)
        _keep_drift(linked, found, left, right, labels, now)
        accepted = Drift.objects.filter(linked_ticket=linked, state=Drift.State.ACCEPTED).count()
        examination, _ = Examination.objects.update_or_create(
            linked_ticket=linked,
            defaults={
                "at": now,
                "agrees": len(found.drifts) == accepted,
                "body": _as_body(found, left, right),
                "problem": "",
            },
        )
    return examination


def _as_body(found: Examined, left: _Stand, right: _Stand) -> dict[str, Any]:
    return {
        "fields": list(found.fields),
        "comments": found.comments,
        "files": found.files,
        "exceptions": [asdict(one) for one in found.exceptions],
        # Which reading of each ticket's history the comparison stands on.
        "positions": {str(stand.view.id): stand.ticket.event_count for stand in (left, right)},
    }


def _keep_drift(
    linked: LinkedTicket,
    found: Examined,
    left: _Stand,
    right: _Stand,
    labels: Mapping[str, str],
    now: datetime,
) -> None:
    live = {
        (one.target_id, one.kind, one.key): one
        for one in Drift.objects.live().filter(linked_ticket=linked).select_related("repair")
    }
    for drift in found.drifts:
        source, target = (left, right) if drift.from_left else (right, left)
        values = {
            "source_id": source.view.id,
            "label": _label(drift, labels, source)[:200],
            "reason": drift.reason.value,
            "expected": drift.expected[:LONGEST],
            "found": drift.found[:LONGEST],
            "value": _to_repair_with(drift, source, target),
            "seen_at": now,
        }
        known = live.pop((target.view.id, drift.kind.value, drift.key), None)
        if known is None:
            Drift.objects.create(
                linked_ticket=linked,
                connection_id=linked.connection_id,
                target_id=target.view.id,
                kind=drift.kind.value,
                key=drift.key[:120],
                needs_a_person=drift.needs_a_person,
                found_at=now,
                **values,
            )
            continue
        _reopen(known, drift)
        for name, value in values.items():
            setattr(known, name, value)
        known.save()
    undone = {one.key for one in found.exceptions if one.why is Exempt.UNDONE}
    for known in live.values():
        if known.kind == Kind.FIELD and known.key in undone:
            known.closed_because = UNDONE
        else:
            known.closed_because = REPAIRED if known.state == Drift.State.QUEUED else AGREES
        known.state, known.closed_at = Drift.State.CLOSED, now
        known.save(update_fields=["state", "closed_at", "closed_because"])


def _reopen(known: Drift, drift: reconcile.Drift) -> None:
    """A repair that changed nothing is not tried again without a person; what was accepted must still be the same."""
    if known.state == Drift.State.QUEUED:
        known.state, known.needs_a_person = Drift.State.OPEN, True
    elif known.state == Drift.State.ACCEPTED:
        if (known.expected, known.found) != (drift.expected[:LONGEST], drift.found[:LONGEST]):
            # What was said of the old values stands beside the new ones; no policy decides about it again.
            known.state, known.needs_a_person = Drift.State.OPEN, True


def _label(drift: reconcile.Drift, labels: Mapping[str, str], source: _Stand) -> str:
    if drift.kind is Kind.FIELD:
        return labels.get(drift.key, drift.key)
    if drift.kind is Kind.FILE:
        return next((file.name for file in source.place.files if file.id == drift.key), "File")
    one = next((one for one in source.place.comments if one.id == drift.key), None)
    return f"Comment by {one.author.name}" if one and one.author.name else "Comment"


def _to_repair_with(drift: reconcile.Drift, source: _Stand, target: _Stand) -> dict[str, Any]:
    """What a repair needs to know, with the readings that it stands on."""
    value: dict[str, Any] = {"versions": [source.ticket.version, target.ticket.version]}
    if drift.kind is Kind.FIELD:
        out = rule_to(source.view.outgoing, drift.key)
        into = rule_from(target.view.incoming, drift.key)
        own = own_field(source.place.end, drift.key)
        released = mapping.release(source.view.outgoing, source.snapshot.fields, changed=[own])
        value |= {
            "own": own,
            "into": into.target if into else "",
            "held": source.snapshot.fields.get(own),
            "released": released.fields,
            "outgoing": source.view.outgoing.id if out else None,
        }
    elif drift.kind is Kind.COMMENT:
        value["comment"] = _comment_value(next(one for one in source.place.comments if one.id == drift.key))
    else:
        value["file"] = asdict(next(one for one in source.place.files if one.id == drift.key))
    return value


def _comment_value(comment: Comment) -> dict[str, Any]:
    return {**asdict(comment), "at": comment.at.isoformat()}


def attachment_from(value: Mapping[str, Any]) -> Attachment:
    """A file from its JSON form."""
    return Attachment(**{name: value[name] for name in Attachment.__dataclass_fields__})


__all__ = [
    "ConnectorError",
    "NotComparable",
    "Reason",
    "UnderWay",
    "attachment_from",
    "examine",
    "source_of",
]
