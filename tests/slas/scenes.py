"""Mercuri raises tickets in its Zendesk, Global answers in its Jira: what the engine would tell of them.

`Scene` sends the engine's signals with real rows behind them, so that tests read as what happened when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from django.db import transaction

from integrations.events import News, SeenChange, histories_read
from integrations.models import Connection, LinkedTicket, PartnerTicket, Side, SyncEvent, Ticket, TicketSide
from slas import services
from slas.models import Agreement, Clock
from tests import factories

# A Monday.
DAY = datetime(2026, 11, 23, tzinfo=UTC)
MINUTES = timedelta(minutes=1)
_numbers = count(1)


def at(text: str) -> datetime:
    """`10:00` on Monday, `2 10:00` on Tuesday and so on."""
    day, _, time = text.rpartition(" ")
    hour, minute = map(int, time.split(":"))
    return DAY + timedelta(days=int(day or 1) - 1, hours=hour, minutes=minute)


@dataclass
class Linked:
    """One linked ticket and the two tickets behind it."""

    row: LinkedTicket
    tickets: dict[int, Ticket]
    positions: dict[int, int] = field(default_factory=dict)


@dataclass
class Scene:
    """A connection in which the left side raises tickets and the right side answers."""

    connection: Connection
    left: Side
    right: Side

    def make_ticket(self, opened_at: datetime, *, raised_by: Side | None = None) -> Linked:
        """A linked ticket as the engine makes it, before it tells anybody."""
        origin = raised_by or self.left
        row = LinkedTicket.objects.create(
            connection=self.connection, origin=origin, opened_at=opened_at, updated_at=opened_at
        )
        tickets = {}
        for side in (self.left, self.right):
            ticket = Ticket.objects.create(
                system=side.system, remote_id=str(next(_numbers)), opened_at=opened_at
            )
            TicketSide.objects.create(linked_ticket=row, side=side, ticket=ticket)
            tickets[side.pk] = ticket
            PartnerTicket.objects.get_or_create(
                partner=side.system.partner, linked_ticket=row, defaults={"updated_at": opened_at}
            )
        return Linked(row, tickets)

    def open(self, opened_at: str, *, raised_by: Side | None = None, **values: Any) -> Linked:
        """Raise a ticket: it is linked at once, and the first change holds all its values."""
        linked = self.make_ticket(at(opened_at), raised_by=raised_by)
        side = raised_by or self.left
        first = self.seen(linked, side, opened_at, **values)
        with transaction.atomic():
            self.tell(linked, side, first, is_new=True)
        return linked

    def seen(self, linked: Linked, side: Side, when: str, *, comments: int = 0, **values: Any) -> SeenChange:
        """A change of the ticket on one side; stored, but not told yet."""
        position = linked.positions[side.pk] = linked.positions.get(side.pk, 0) + 1
        event = SyncEvent.objects.create(
            ticket=linked.tickets[side.pk],
            change_id=f"change-{position}",
            position=position,
            kind=SyncEvent.Kind.UPDATED,
            happened_at=at(when),
            seen_at=at(when),
        )
        named = {name.replace("_", " "): value for name, value in values.items()}
        return SeenChange(event, named, comments)

    def tell(self, linked: Linked, side: Side, *changes: SeenChange, is_new: bool = False) -> None:
        """Send what was seen on one side, as one reading."""
        news = News(linked.row, side, linked.tickets[side.pk], list(changes), is_new)
        histories_read.send(LinkedTicket, news=[news])

    def change(self, linked: Linked, side: Side, when: str, *, comments: int = 0, **values: Any) -> None:
        """See a change and tell of it."""
        change = self.seen(linked, side, when, comments=comments, **values)
        with transaction.atomic():
            self.tell(linked, side, change)


def make_scene() -> Scene:
    """Mercuri's Zendesk on the left, Global's Jira on the right."""
    connection = factories.make_connection(template=False)
    sides = {side.position: side for side in connection.sides.select_related("system__partner")}
    return Scene(connection, sides[Side.Position.LEFT], sides[Side.Position.RIGHT])


def agree(scene: Scene, **values: Any) -> Agreement:
    """Global answers Mercuri's tickets in the reference times; `values` are columns of Agreement."""
    agreement = services.load_reference(scene.left.system.partner, scene.right.system.partner)
    for name, value in values.items():
        setattr(agreement, name, value)
    agreement.valid_from = values.get("valid_from", date(2020, 1, 1))
    agreement.save()
    return agreement


def clocks_of(linked: Linked) -> dict[str, Clock]:
    """The clocks of a ticket by their kind; fails when there are two of one kind."""
    rows = list(Clock.objects.filter(linked_ticket=linked.row))
    found = {row.kind: row for row in rows}
    assert len(found) == len(rows)
    return found


def told(row: Clock) -> str:
    """A stored clock in one line."""
    parts = [row.state, f"{row.elapsed_s // 60} min used"]
    if row.paused_s:
        parts.append(f"{row.paused_s // 60} min paused")
    if row.due_at:
        parts.append(f"due {row.due_at:%H:%M}")
    if row.is_breached or row.is_met:
        parts.append("met" if row.is_met else "breached")
    return ", ".join(parts)
