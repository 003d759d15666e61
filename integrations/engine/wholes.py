"""What texts lose on their way into a system, and the whole of those that it cut, as files to follow.  Pure.

Nothing is lost without a word: the sentences are kept with the delivery, and what a system cuts follows as a text file
wherever its files are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from integrations.canonical import Value
from integrations.engine.ports import Systems
from integrations.engine.shares import Share, received
from integrations.engine.values import HeadView, Operation
from integrations.file_names import safe_name
from integrations.mapping.files import file_refusal
from integrations.richtext.blocks import from_value, is_document
from integrations.richtext.cutting import is_cut
from integrations.richtext.losses import CUT, lost

COMMENT = "comment"
# Nobody's field is so short that a line of this length would be cut.
_SHORT = 40


@dataclass(frozen=True, slots=True)
class Told:
    """What is kept at the end of a delivery: `lost` sentences by the common name of the field, and `files` to be queued behind it."""

    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[Mapping[str, Any], ...] = ()


NOTHING = Told()


def told_of_share(share: Share, systems: Systems) -> Told:
    """The same of fields, whether they were written or stood there already."""
    is_new = share.head.operation is Operation.CREATE
    values = {
        name: share.wanted[name]
        for name in (*share.open, *share.equal)
        # What was there already has lost nothing now, but for an end that is still not there.
        if is_new or name in share.open or is_cut(share.equal[name])
    }
    return told(share.head, values, systems)


def told(head: HeadView, values: Mapping[str, Value], systems: Systems) -> Told:
    """What these values lose in the receiver's system; `values` may be nothing."""
    if head.operation in (Operation.REPAIR, Operation.REVERT) or not values:
        return NOTHING

    hold = partial(systems.settled, head.side.system_id)
    sentences = {name: losses(value, partial(hold, name, value)) for name, value in values.items()}
    return _told(head, sentences)


def told_of_comment(head: HeadView, held: Value) -> Told:
    """The same of a comment; `held` is what its system makes of it, the line with its author's name above it."""
    comment = head.envelope.get(COMMENT)
    return _told(head, {COMMENT: losses(comment["body"], lambda: held)}) if comment else NOTHING


def _told(head: HeadView, sentences: Mapping[str, tuple[str, ...]]) -> Told:
    cut = [name for name, told in sentences.items() if CUT in told]
    return Told(
        {_common_name(head, name): told for name, told in sentences.items() if told},
        tuple(file for name in cut if (file := _file(head, name)) is not None),
    )


def losses(value: Value, hold: Callable[[], Value]) -> tuple[str, ...]:
    """What one value loses in a system, a sentence each; `hold` tells what the system makes of it."""
    if not (is_document(value) or (isinstance(value, str) and len(value) > _SHORT)):
        return ()
    held = hold()
    if is_cut(held):
        # What else is missing is missing because of that.
        return (CUT,)
    return lost(from_value(value), from_value(held)) if is_document(value) else ()


def _file(head: HeadView, name: str) -> Mapping[str, Any] | None:
    """The whole text as a file's envelope; None where it is not known here, or no such file is taken there."""
    value = _whole(head, name)
    if value is None or is_cut(value):
        return None
    text = from_value(value).plain() + "\n"
    side = head.side
    file = {
        "id": "",
        "name": safe_name(f"Whole text of {_common_name(head, name).replace('_', ' ')}.txt"),
        "content_type": "text/plain",
        "size_bytes": len(text.encode()),
        "locator": "",
        # A field is seen by everybody who sees the ticket.
        "is_public": head.envelope[COMMENT]["is_public"] if name == COMMENT else True,
        "text": text,
    }
    return None if file_refusal(side.incoming.files, side.takes_files, file) else file


def _common_name(head: HeadView, name: str) -> str:
    """A receiver's field as both sides call it."""
    return next((rule.source for rule in head.side.incoming.rules if rule.target == name), name)


def _whole(head: HeadView, name: str) -> Value:
    if name == COMMENT:
        return head.envelope[COMMENT]["body"]
    is_new = head.operation is Operation.CREATE
    present = head.target.actual if head.target and not is_new else {}
    return received(head, present, is_new=is_new).fields.get(name)
