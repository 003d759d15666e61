"""Puts back what a write of ours replaced, wherever that write still stands.  Pure.

Compare and revert: next to each value to be put back an undoing tells the value that must still stand, with the newest
stamp it had when the undoing was queued.  A field that anybody has touched since is left alone, also one that was set
to something else and back.  Nothing is ever deleted: a ticket, a comment or a file that was made stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from integrations.canonical import Value
from integrations.engine.values import HeadView, Stamp, TicketState, Winner, winner_from

MOVED_ON = "The matter goes on in another ticket since: this write was to the one before it."


class Undone(StrEnum):
    """What became of one field of an undoing."""

    PUT_BACK = "put_back"
    # It held the old value already.
    STOOD = "stood"
    # Somebody has changed it since.
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Standing:
    """An undoing whose value still stands at the receiver: a field differs on purpose until the sender changes it again.

    `sent_since` are fields of the data dictionary that the sender has released after it, `set_since` the sender's own
    fields that were set after it.
    """

    at: datetime
    by: str
    delivery_id: int
    sent_since: frozenset[str] = frozenset()
    set_since: frozenset[str] = frozenset()

    def covers(self, name: str, own: Collection[str]) -> bool:
        """Whether the sender has left the field `name`, which it fills from its `own` ones, alone since."""
        return name not in self.sent_since and self.set_since.isdisjoint(own)


def envelope(ticket_id: int, fields: Mapping[str, Value], held: Mapping[str, Winner]) -> dict[str, object]:
    """What an undoing carries, all in the receiver's own words.

    `fields` are the values to be put back on the ticket, `held` is what must still stand in each.
    """
    return {
        "on": ticket_id,
        "fields": dict(fields),
        "held": {name: winner.as_value() for name, winner in held.items()},
    }


def is_of_another(head: HeadView, target: TicketState) -> bool:
    """Whether the ticket that stands there now is not the one that was written to."""
    return head.envelope["on"] != target.id


def held(head: HeadView, names: Collection[str]) -> dict[str, Value]:
    """The values that must still stand in these fields."""
    return {name: winner_from(head.envelope["held"][name]).value for name in names}


def still_stands(head: HeadView, target: TicketState, name: str) -> bool:
    """Whether the field holds what we wrote, and nobody has set it since."""
    written, winner = winner_from(head.envelope["held"][name]), target.winners.get(name)
    actual = target.actual.get(name)
    if winner and (winner.value != actual or winner.stamp > written.stamp):
        return False
    return actual == written.value


def told(head: HeadView, *, sent: Collection[str], equal: Collection[str]) -> dict[str, str]:
    """What became of each field: `sent` were written, `equal` held the old value already."""

    def fate(name: str) -> Undone:
        if name in sent:
            return Undone.PUT_BACK
        return Undone.STOOD if name in equal else Undone.LEFT

    return {name: fate(name).value for name in head.envelope["fields"]}


def with_covered(written: Winner, covered: Winner | None, *, expected: Value, system_id: int) -> Winner:
    """What should stand once a value was put back over another than was `expected`: that other one, with a newer stamp.

    It was set between our look and our write.  Clocks that count whole seconds may call it the older one; it is not.
    """
    if covered is None or covered.value in (expected, written.value):
        return written
    newer = Stamp(written.stamp.ms + 1, system_id)
    return Winner(covered.value, max(covered.stamp, newer))
