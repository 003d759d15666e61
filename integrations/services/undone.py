"""Which fields of a link were undone at one side and still are: these differ on purpose.  Reads the database only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from integrations.engine.undoing import Standing, Undone
from integrations.models import Delivery, LinkedTicket, SyncEvent, TicketSide

# What stands there is what an undoing was to bring there.
_BROUGHT = (Undone.PUT_BACK, Undone.STOOD)


def standing(linked: LinkedTicket, sides: Sequence[TicketSide]) -> Mapping[int, Mapping[str, Standing]]:
    """By side, and there by its own field: the undoings whose value nobody at that side has set since.

    One query where nothing was ever undone; else four for who asked, and four for each undoing.  Changes nothing.
    """
    found: dict[int, dict[str, Standing]] = {one.side_id: {} for one in sides}
    reverts = Delivery.objects.filter(
        lane__linked_ticket=linked, operation=Delivery.Op.REVERT, state=Delivery.State.DONE
    )
    known = ("undoes__delivery", "undoes__undo__asked_by")
    for revert in reverts.select_related("lane").prefetch_related(*known).order_by("number"):
        receiver = next((one for one in sides if one.side_id == revert.lane.target_id), None)
        sender = next((one for one in sides if one.side_id != revert.lane.target_id), None)
        if receiver is None or sender is None or revert.envelope["on"] != receiver.ticket_id:
            continue
        here = found[receiver.side_id]
        names = [name for name, fate in revert.result.get("undone", {}).items() if fate in _BROUGHT]
        touched = _set_after(revert, receiver)
        one = _of(revert, linked, sender)
        for name in names:
            here.pop(name, None)
            if not _is_taken_back(revert, name) and name not in touched:
                here[name] = one
    return found


def _of(revert: Delivery, linked: LinkedTicket, sender: TicketSide) -> Standing:
    undoes = next(iter(revert.undoes.all()), None)
    later = Delivery.objects.filter(lane=revert.lane_id, number__gt=revert.number)
    later = later.exclude(operation__in=Delivery.OF_RECEIVER)
    # What came over this very link is the receiver's own doing, not the sender's.
    events = SyncEvent.objects.filter(ticket=sender.ticket_id, seen_at__gt=revert.queued_at)
    events = events.exclude(caused_by__lane__linked_ticket=linked)
    return Standing(
        at=revert.done_at or revert.queued_at,
        by=str(undoes.undo.asked_by or "") if undoes else "",
        delivery_id=revert.pk,
        sent_since=frozenset(
            name
            for envelope in later.values_list("envelope", flat=True)
            for name in envelope.get("fields", {})
        ),
        set_since=frozenset(name for fields in events.values_list("fields", flat=True) for name in fields),
    )


def _set_after(revert: Delivery, receiver: TicketSide) -> set[str]:
    """The receiver's fields that were set after the undoing was seen in its history."""
    events = SyncEvent.objects.filter(ticket=receiver.ticket_id).exclude(caused_by=revert)
    seen = SyncEvent.objects.filter(ticket=receiver.ticket_id, caused_by=revert).order_by("-position")
    last = seen.values_list("position", flat=True).first()
    events = (
        events.filter(seen_at__gt=revert.done_at or revert.queued_at)
        if last is None
        else events.filter(position__gt=last)
    )
    return {name for fields in events.values_list("fields", flat=True) for name in fields}


def _is_taken_back(revert: Delivery, name: str) -> bool:
    """Whether it undid an undoing, so that what the sender had released stands again."""
    return any(
        item.field == name and item.delivery.operation == Delivery.Op.REVERT for item in revert.undoes.all()
    )
