"""What somebody asked to be put back of deliveries, in a few words, for the story of a ticket.  Reads the database only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from integrations.models import Delivery, Undo, UndoItem


@dataclass(frozen=True, slots=True)
class Undoing:
    """What somebody asked to be put back of a delivery; told to those whose system was written to."""

    undo_id: int
    words: str
    is_moving: bool


def is_undoable(delivery: Delivery) -> bool:
    """Whether it was written, and what it replaced is known."""
    return delivery.state == Delivery.State.DONE and bool(delivery.pre_image)


_PUT_BACK = {UndoItem.State.DONE, UndoItem.State.STOOD}


def undoings_of(deliveries: Iterable[Delivery]) -> dict[int, Undoing]:
    """The latest undoing of each of these that was not discarded, by delivery.  One query; none where nothing is undoable."""
    keys = [one.pk for one in deliveries if is_undoable(one)]
    if not keys:
        return {}
    rows = UndoItem.objects.filter(delivery__in=keys).exclude(undo__state=Undo.State.DISCARDED)
    fates: dict[tuple[int, int], tuple[str, set[str]]] = {}
    for delivery_id, undo_id, state, fate in rows.order_by("undo", "pk").values_list(
        "delivery", "undo", "undo__state", "state"
    ):
        fates.setdefault((delivery_id, undo_id), (state, set()))[1].add(fate)
    found = {}
    for (delivery_id, undo_id), (state, items) in fates.items():
        if state == Undo.State.READY:
            words = "undoing waits to be confirmed"
        elif state != Undo.State.ENDED:
            words = "being undone"
        elif items <= _PUT_BACK:
            words = "undone"
        else:
            words = "undone in part" if items & _PUT_BACK else "not undone"
        found[delivery_id] = Undoing(undo_id, words, state in (Undo.State.QUEUEING, Undo.State.UNDER_WAY))
    return found
