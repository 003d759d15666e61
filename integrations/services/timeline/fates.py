"""What became of a delivery, and what it carries, in words."""

from __future__ import annotations

from integrations.canonical import FileTrace
from integrations.engine.acknowledgements import is_word
from integrations.engine.values import StandIn, stand_in_from
from integrations.models import Delivery, Lane
from integrations.services.timeline.changes import readable
from integrations.services.timeline.entries import Fate
from integrations.services.undo_traces import Undoing, is_undoable

# Nothing more becomes of these.
OVER = {Fate.DELIVERED, Fate.OVERTAKEN, Fate.SKIPPED}
_FATES = {
    Delivery.State.DONE: Fate.DELIVERED,
    Delivery.State.SUPERSEDED: Fate.OVERTAKEN,
    Delivery.State.SKIPPED: Fate.SKIPPED,
}


def fate_of(delivery: Delivery, lane: Lane) -> Fate:
    """Where a delivery stands in its lane."""
    if delivery.state in _FATES:
        return _FATES[Delivery.State(delivery.state)]
    if lane.state == Lane.State.HELD:
        return Fate.HELD
    if delivery.number == lane.head and lane.state == Lane.State.PARKED:
        return Fate.PARKED
    # Those behind the head may have gone out with it.
    return Fate.VERIFYING if delivery.state == Delivery.State.SENT else Fate.WAITING


def decision_in(delivery: Delivery) -> str:
    """What a decision between two values has to do with a delivery; empty for most."""
    if delivery.envelope.get("decided"):
        return "both sides had changed it, and somebody decided which value stands"
    return "as somebody decided between two values" if delivery.origin.startswith("conflict:") else ""


def undo_id_of(delivery: Delivery, undoing: Undoing | None) -> int | None:
    """The delivery's key, where what it replaced is known and is not being put back already."""
    return delivery.pk if is_undoable(delivery) and not (undoing and undoing.is_moving) else None


def what_of(delivery: Delivery) -> str:
    """What a delivery carries, in a few words and without any value."""
    match delivery.operation:
        case Delivery.Op.CREATE:
            return "new ticket"
        case Delivery.Op.COMMENT if is_word(delivery.origin):
            return "note on what was not taken"
        case Delivery.Op.COMMENT:
            return "comment"
        case Delivery.Op.FILE:
            return f"file {delivery.envelope.get('file', {}).get('name', '')}".strip()
        case Delivery.Op.REPAIR:
            return "newer value put back"
        case Delivery.Op.REVERT:
            return "undo"
    names = delivery.envelope.get("fields", {})
    return ", ".join(name.replace("_", " ") for name in names) or "update"


def file_trace(delivery: Delivery) -> FileTrace | None:
    """What of a delivered file really travelled; None where nothing did, or where a lost answer took it along."""
    told = delivery.result.get("file") if delivery.state == Delivery.State.DONE else None
    if not told or stand_in_of(delivery):
        return None
    return FileTrace(str(told["sha256"]), int(told["size_bytes"]))


def losses_of(delivery: Delivery) -> tuple[str, ...]:
    """What the texts of a delivery lost on their way, a sentence each; the originals stand in their own system."""
    told = delivery.result.get("lost", {})
    if delivery.operation == Delivery.Op.COMMENT:
        return tuple(str(sentence) for sentences in told.values() for sentence in sentences)
    return tuple(
        f"{readable(name)}: {sentence}" for name, sentences in sorted(told.items()) for sentence in sentences
    )


def stand_in_of(delivery: Delivery) -> StandIn | None:
    """Why a note stands in the place of a delivered file; None where the file itself does."""
    told = delivery.wanted.get("stand_in") if delivery.operation == Delivery.Op.FILE else None
    return stand_in_from(told) if delivery.state == Delivery.State.DONE else None
