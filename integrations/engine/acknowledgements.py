"""What a sender is told on its own ticket: that a change of its was not taken, and later what became of it.  Pure.

That its change waits must not stay hidden from who sent it; so the sender's rules alone say whether a word is wanted.
Why it waits is the receiver's matter: the kind of reason is told where its rules let it leave, what its system said never.
A word is an internal comment in the lane back, so it keeps its place among what the other side says, and speaks of the
sender's own change in the data dictionary's words.  Each change is told of once, and once what became of it.  A word
itself is told of to nobody, goes no further than the ticket it is for, brings about no follow-up, and stops no lane.
Where a system has no internal comments it is an ordinary one, which its side has asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from integrations.canonical import Value
from integrations.connectors.errors import (
    ConnectorError,
    FileGone,
    FileSizeWrong,
    FileTooLarge,
    Forbidden,
    Gone,
    Invalid,
    NoTransition,
    RequiredField,
    TooLarge,
)
from integrations.engine.values import DeliveryState, HeadView, Operation, StandIn, Word
from integrations.file_names import safe_name
from integrations.mapping.plan import text_of
from integrations.richtext.blocks import Document, Paragraph, Run, is_document

# How the origin of a word begins.
MARK = "told:"
# A longer value is not repeated: its field is named.
_LONGEST = 60
# What puts values back was sent by nobody.
_OF_NOBODY = frozenset({Operation.REPAIR, Operation.REVERT})
_REASONS: Mapping[str, str] = {
    RequiredField.code: "A field that is required there is empty.",
    NoTransition.code: "The workflow there has no step to that status now.",
    TooLarge.code: "It is larger than what is taken there.",
    FileTooLarge.code: "It is larger than what is taken there.",
    FileGone.code: "The file is not where it was any more.",
    FileSizeWrong.code: "The file is longer than its own system says.",
    Forbidden.code: "Concord's account has no right to that there.",
    Gone.code: "The ticket there is gone, or closed for ever.",
    Invalid.code: "That system does not accept the value.",
}
_REFUSED = "That system refused it."
_NO_SUCH_FILES = "The rules there do not take such files."
_WAITS = "Nothing is lost: it waits until somebody has looked, and what follows waits behind it."


def is_word(origin: str) -> bool:
    """Whether a delivery with this origin tells a sender what became of another one."""
    return origin.startswith(MARK)


def origin_of(delivery_id: int, *, is_end: bool) -> str:
    """The name of a word about a delivery, the same however often it is queued: it takes effect once."""
    return f"{MARK}{'end' if is_end else 'refused'}:{delivery_id}"


def not_taken(head: HeadView, message: str, at: datetime, error: ConnectorError | None = None) -> Word | None:
    """The word, said at `at`, that a delivery waits for a person; None where nobody is to be told, or was already.

    `message` is what rules say that could not tell a value.  With `error` it was the receiver's system, whose own words
    stay there; where its outcome is unknown, nothing can be said yet.
    """
    if head.is_told or not _may_be_told(head) or (error and error.outcome_unknown):
        return None
    partner = head.side.partner_name
    if head.problem:
        # What the sender's own rules could not tell is its own matter.
        return _word(head, at, f"Not sent to {partner} yet", message, _WAITS)
    reason = _REASONS.get(error.code, _REFUSED) if error else message
    return _word(head, at, f"Not taken by {partner} yet", *_why(head, reason), _WAITS)


def file_not_taken(head: HeadView, stand_in: StandIn | None, at: datetime) -> Word | None:
    """The word that a note stands in the place of a file; None where the file itself does, or nobody is to be told."""
    if stand_in is None or not _may_be_told(head):
        return None
    why = _why(head, _REASONS.get(stand_in.code, _NO_SUCH_FILES))
    return _word(
        head, at, f"Not taken by {head.side.partner_name}", *why, "A note stands there in its place."
    )


def settled(head: HeadView, state: DeliveryState, at: datetime) -> Word | None:
    """The word what became of a delivery; None where its sender was told nothing of it before."""
    if not head.is_told or not _may_be_told(head):
        return None
    partner = head.side.partner_name
    match state:
        case DeliveryState.DONE:
            return _word(head, at, f"Taken by {partner} after all")
        case DeliveryState.SUPERSEDED:
            return _word(head, at, f"Not needed by {partner} any more", "A newer change has taken its place.")
    return _word(head, at, f"Left out for {partner}", "It is not sent any more.")


def _may_be_told(head: HeadView) -> bool:
    is_a_change = not is_word(head.origin) and head.operation not in _OF_NOBODY
    return is_a_change and head.sender.incoming.notes_refusals


def _why(head: HeadView, reason: str) -> tuple[str, ...]:
    return (reason,) if head.side.outgoing.tells_reasons else ()


def _word(head: HeadView, at: datetime, title: str, *sentences: str) -> Word:
    where = f"In Concord it is change {head.number} of LT-{head.linked_ticket_id}."
    text = " ".join((f"{_what(head)}.", *sentences, where))
    comment = {
        "body": Document((Paragraph((Run(title, ("bold",)),)), Paragraph((Run(text),)))).as_value(),
        "is_public": False,
        "author": "Concord",
        "at": at.isoformat(),
        # It says itself who speaks: no line above it names an author.
        "is_relayed": True,
    }
    return Word({"comment": comment}, head.side.outgoing.id)


def _what(head: HeadView) -> str:
    """The change as its sender made it, in the words of the data dictionary."""
    match head.operation:
        case Operation.CREATE:
            return "This ticket"
        case Operation.COMMENT if not head.envelope["comment"]["is_public"]:
            # Not every system has internal comments to repeat its words in.
            return "An internal comment"
        case Operation.COMMENT:
            return f"The comment “{_begun(text_of(head.envelope['comment']['body']))}”"
        case Operation.FILE:
            return f"The file “{_begun(safe_name(str(head.envelope['file']['name'])))}”"
    # Where its own rules could not tell what to send, the sender's own fields name the change.
    fields = head.envelope.get("fields") or dict.fromkeys(head.envelope.get("changed", ()))
    return ", ".join(_said(name, value) for name, value in fields.items())


def _said(name: str, value: Value) -> str:
    label = name.replace("_", " ").capitalize()
    text = "" if is_document(value) else text_of(value)
    return f"{label} “{text}”" if 0 < len(text) <= _LONGEST else label


def _begun(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST].rstrip()}…"
