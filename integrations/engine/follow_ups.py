"""What the ticket that goes on from a closed one is made of.  Pure.

A Zendesk ticket that was closed takes nothing more.  What still has to be said goes into a follow-up ticket, which
stands in the closed one's place from then on, for every connection that it was linked in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from integrations.canonical import Change, ChangeKind, Draft, Value
from integrations.connectors.errors import Closed, ConnectorError
from integrations.engine.acknowledgements import is_word
from integrations.engine.values import HeadView, Operation, TicketState, Winner
from integrations.richtext.blocks import from_plain, is_document

_MARK = "concord-after-"
# The data dictionary's words for work that is done.
_OVER = ("resolved", "closed")
STAYS_CLOSED = "The ticket is closed and takes nothing more; this alone is no reason for a new one."


def is_closed(error: ConnectorError) -> bool:
    """Whether the ticket is there and takes nothing more."""
    return isinstance(error, Closed)


def deserves_one(head: HeadView) -> bool:
    """Whether a delivery to a closed ticket is something people have to hear of.

    Somebody says something more, adds a file, or takes the work up again.  A label or a priority that changes months
    after a ticket was closed is no reason to open one, nor is a value that is put back, nor a word of ours about another change.
    """
    if is_word(head.origin):
        return False
    if head.operation is Operation.UPDATE:
        status = head.envelope.get("fields", {}).get("status")
        return status is not None and status not in _OVER
    return head.operation in (Operation.COMMENT, Operation.FILE)


def marker_after(closed: TicketState) -> str:
    """The marker of the ticket that goes on from this one: the same for every lane that comes to need it."""
    whose = f"{closed.system_id}:{closed.remote_id}:{closed.marker}"
    return f"{_MARK}{closed.id}-{hashlib.sha256(whose.encode()).hexdigest()[:16]}"


def is_follow_up(marker: str) -> bool:
    """Whether we created the ticket with this marker to go on from a closed one."""
    return marker.startswith(_MARK)


def is_its_beginning(ticket: TicketState, change: Change) -> bool:
    """Whether a change is our creating of a follow-up: nobody's news, it says again what the closed ticket said."""
    return change.kind is ChangeKind.CREATED and is_follow_up(ticket.marker)


def winners_after(winners: Mapping[str, Winner], actual: Mapping[str, Value]) -> dict[str, Winner]:
    """What stands in the new ticket, as old as it was in the closed one: a change on its way may be older."""
    return {name: one for name, one in winners.items() if name in actual and one.value == actual[name]}


def draft_after(closed: TicketState, head: HeadView) -> Draft:
    """The new ticket: the closed one's people, what it holds of the fields of this connection, and where it comes from.

    The change itself is not in it: it is delivered to the new ticket like any other.
    """
    names = {rule.target for rule in head.side.incoming.rules} | head.side.person_fields
    held = {
        name: value
        for name, value in closed.actual.items()
        if name in names and value not in (None, "", [], {}) and not is_document(value)
    }
    text = from_plain(f"This ticket goes on from {closed.remote_id}, which is closed.")
    texts = {name for name in names if is_document(closed.actual.get(name))}
    return Draft({**held, **dict.fromkeys(texts, text.as_value())}, marker_after(closed))
