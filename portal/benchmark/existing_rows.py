"""What a linked ticket that is there already consists of: for each table its columns, told by the row's number.

Pure but for the models it names: nothing here asks the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db import models

from integrations.models import (
    Attempt,
    Delivery,
    Effect,
    Lane,
    LinkedTicket,
    PartnerTicket,
    Side,
    SyncEvent,
    Ticket,
    TicketSide,
    TicketTitle,
)
from slas.models import Clock, Timing

# Every table of them; each gets its keys from one number on.
MODELS: tuple[type[models.Model], ...] = (
    Ticket, LinkedTicket, TicketSide, Lane, SyncEvent, PartnerTicket, Delivery, Attempt, Effect, Timing, Clock,
)  # fmt: skip

FIELDS = {"title": "Parcel has not arrived, some time ago", "status": "closed", "priority": "normal"}
# What people wrote about; the words are there to be searched for.
SUBJECTS = (
    "Parcel has not arrived",
    "Refund is late",
    "Sign-in fails on the telephone",
    "Wrong size in the box",
    "Voucher is refused",
    "Shop is slow in the evening",
    "Invoice without tax number",
)
PRIORITIES = ("critical", "high", "medium", "low")
TARGET_S, FASTEST_S, SLOWEST_S = 4 * 3600, 600, 6 * 3600


@dataclass(frozen=True, slots=True)
class Of:
    """A value worked out by the database from `n`, the row's number from 0, and `at`, the moment it is about."""

    sql: str


@dataclass(frozen=True, slots=True)
class Rows:
    """As many rows of a table as there are linked tickets; what `values` does not name has the field's default."""

    model: type[models.Model]
    # Added to the first key; two rows a ticket take turns.
    key: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where they stand: both sides of a connection, `left` where they were raised, and what measures them."""

    connection_id: int
    left: Side
    right: Side
    agreement_id: int | None
    # The first key of each table's new rows.
    first: Mapping[type[models.Model], int]
    # The first day of the month of `at`, in this database's words.
    month: str
    # Whether the database keeps by itself what it otherwise keeps when a row is made.
    has_triggers: bool

    def key(self, model: type[models.Model], row: str = "n") -> Of:
        """The key of a row."""
        return Of(f"{self.first[model]} + {row}")

    def named(self, before: str, model: type[models.Model]) -> Of:
        """A name with the key of a row in it."""
        return Of(f"'{before}' || ({self.first[model]} + n)")


def rows_of(place: Place) -> Iterator[Rows]:
    """Every table's rows, in an order in which what is referred to comes first."""
    yield _linked_tickets(place)
    for side, turn in ((place.left, 0), (place.right, 1)):
        yield from _side(place, side, turn)
    yield from _carried(place)
    yield from _measured(place)


def _linked_tickets(place: Place) -> Rows:
    times = {"opened_at": Of("at"), "created_at": Of("at"), "updated_at": Of("at")}
    values = {
        "connection_id": place.connection_id,
        "origin_id": place.left.pk,
        "title": _title(place),
        **times,
    }
    return Rows(LinkedTicket, "n", values)


def _title(place: Place) -> Of:
    subject = _one_of(SUBJECTS)
    return Of(f"{subject} (order ' || ({place.first[LinkedTicket]} + n) || ')'")


def _one_of(words: tuple[str, ...]) -> str:
    """The beginning of a text: one of the words, by turns.  Its quote is left open for what follows."""
    cases = " ".join(f"WHEN {turn} THEN '{word}'" for turn, word in enumerate(words))
    return f"CASE n %% {len(words)} {cases} END || '"


def _side(place: Place, side: Side, turn: int) -> Iterator[Rows]:
    """One side's ticket with its only event, and what joins it to the linked ticket."""
    row = f"2 * n + {turn}"
    linked, ticket = place.key(LinkedTicket), place.key(Ticket, row)
    yield Rows(Ticket, row, _ticket(place, side, turn))
    if not place.has_triggers:
        yield Rows(
            TicketTitle, row, {"ticket_id": ticket, "system_id": side.system_id, "title": _title(place)}
        )
    yield Rows(TicketSide, row, {"linked_ticket_id": linked, "side_id": side.pk, "ticket_id": ticket})
    yield Rows(Lane, row, _lane(place, side, turn))
    yield Rows(SyncEvent, row, _event(ticket))
    seen = {"partner_id": side.system.partner_id, "linked_ticket_id": linked, "updated_at": Of("at")}
    yield Rows(PartnerTicket, row, seen)


def _ticket(place: Place, side: Side, turn: int) -> Mapping[str, object]:
    return {
        "system_id": side.system_id,
        "remote_id": place.named("past-", LinkedTicket),
        "key": place.named("P-", LinkedTicket),
        "title": _title(place),
        "cursor": "1",
        "version": 1,
        "event_count": 1,
        "actual": json.dumps(FIELDS),
        "winners": json.dumps({name: [1, side.system_id] for name in FIELDS}),
        "marker": place.named("past-", Delivery) if turn else "",
        "opened_at": Of("at"),
        "changed_at": Of("at"),
        "read_at": Of("at"),
    }


def _lane(place: Place, side: Side, turn: int) -> Mapping[str, object]:
    return {
        "linked_ticket_id": place.key(LinkedTicket),
        "target_id": side.pk,
        "connection_id": place.connection_id,
        "system_id": side.system_id,
        # What came from the left one was delivered to the right one.
        "head": 1 + turn,
        "tail": turn,
        "fence": turn,
        "next_at": Of("at"),
    }


def _event(ticket: Of) -> Mapping[str, object]:
    return {
        "ticket_id": ticket,
        "change_id": "1",
        "position": 1,
        "kind": "created",
        "actor_name": "Mina Berg",
        "happened_at": Of("at"),
        "seen_at": Of("at"),
        "fields": json.dumps(FIELDS),
        "before": "{}",
        "comments": "[]",
        "attachments": "[]",
    }


def _carried(place: Place) -> Iterator[Rows]:
    """The one delivery, how it was sent, and that it took effect."""
    target, origin = place.key(Ticket, "2 * n + 1"), place.named("past:", Delivery)
    delivery = {
        "lane_id": place.key(Lane, "2 * n + 1"),
        "number": 1,
        "event_id": place.key(SyncEvent, "2 * n"),
        "operation": "create",
        "state": "done",
        "marker": place.named("past-", Delivery),
        "origin": origin,
        "stamp": json.dumps([1, place.left.system_id]),
        "target_id": target,
        "envelope": json.dumps({"fields": FIELDS}),
        "wanted": json.dumps(FIELDS),
        "queued_at": Of("at"),
        "done_at": Of("at"),
        "tries": 1,
    }
    yield Rows(Delivery, "n", delivery)
    key = place.key(Delivery)
    tried = {"number": 1, "fence": 1, "started_at": Of("at"), "ended_at": Of("at"), "outcome": "done"}
    yield Rows(Attempt, "n", {"delivery_id": key, **tried})
    yield Rows(Effect, "n", {"ticket_id": target, "origin": origin, "delivery_id": key})


def _measured(place: Place) -> Iterator[Rows]:
    """When it was opened, and the clocks that ran for it; every so many were too slow."""
    linked = place.key(LinkedTicket)
    opened = {"what": "opened", "happened_at": Of("at"), "position": 1}
    event = place.key(SyncEvent, "2 * n")
    yield Rows(
        Timing, "n", {"linked_ticket_id": linked, "event_id": event, "side_id": place.left.pk, **opened}
    )
    if place.agreement_id is None:
        return
    took = f"({FASTEST_S} + (n * 7919) %% {SLOWEST_S - FASTEST_S})"
    for turn, kind in ((0, "response"), (1, "resolution")):
        yield Rows(
            Clock,
            f"2 * n + {turn}",
            {
                "linked_ticket_id": linked,
                "agreement_id": place.agreement_id,
                "kind": kind,
                "state": "stopped",
                "priority": Of(_one_of(PRIORITIES) + "'"),
                "type": "incident",
                "month": Of(place.month),
                "started_at": Of("at"),
                "state_since": Of("at"),
                "stopped_at": Of("at"),
                "target_s": TARGET_S,
                "elapsed_s": Of(took),
                "wall_s": Of(took),
                "is_breached": Of(f"{took} > {TARGET_S}"),
            },
        )
