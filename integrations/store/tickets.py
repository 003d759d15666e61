"""Tickets between their rows and the engine's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, F, Value, When

from integrations.canonical import Value as FieldValue
from integrations.engine.values import (
    DeliveryState,
    OpenWrite,
    TicketState,
    Winner,
    stamp_from,
)
from integrations.models import Delivery, Ticket


def ticket_state(ticket: Ticket) -> TicketState:
    """A row as the engine's value."""
    return TicketState(
        id=ticket.pk,
        system_id=ticket.system_id,
        remote_id=ticket.remote_id,
        cursor=ticket.cursor,
        version=ticket.version,
        event_count=ticket.event_count,
        actual=ticket.actual,
        winners=winners_from(ticket.winners, ticket.actual),
        marker=ticket.marker,
        is_gone=ticket.is_gone,
    )


def winners_from(stored: Mapping, actual: Mapping[str, FieldValue]) -> dict[str, Winner]:
    """Stored winners: `[ms, system]` when the value is the actual one, `[ms, system, value]` when it is not."""
    return {
        name: Winner(entry[2] if len(entry) > 2 else actual.get(name), stamp_from(entry))
        for name, entry in stored.items()
    }


def winners_value(winners: Mapping[str, Winner], actual: Mapping[str, FieldValue]) -> dict[str, list]:
    """The stored form: long texts are not kept twice."""
    return {
        name: winner.stamp.as_value()
        if winner.value == actual.get(name)
        else [*winner.stamp.as_value(), winner.value]
        for name, winner in winners.items()
    }


def open_writes(ticket_ids: Iterable[int]) -> dict[int, list[OpenWrite]]:
    """Writes of ours to these tickets that their histories have not shown entirely, by ticket."""
    found: dict[int, list[OpenWrite]] = {}
    rows = Delivery.objects.filter(target__in=list(ticket_ids), is_recognised=False).order_by("pk")
    for ticket_id, *row in rows.values_list("target_id", *_OPEN_WRITE_FIELDS):
        found.setdefault(ticket_id, []).append(_open_write(*row))
    return found


_OPEN_WRITE_FIELDS = (
    "pk",
    "lane__connection_id",
    "state",
    "stamp",
    "origin",
    "hops",
    "marker",
    "unseen",
    "result",
    "done_at",
)


def _open_write(
    pk: int,
    connection_id: int,
    state: str,
    stamp: list,
    origin: str,
    hops: int,
    marker: str,
    unseen: dict,
    result: dict,
    done_at: datetime | None,
) -> OpenWrite:
    return OpenWrite(
        delivery_id=pk,
        connection_id=connection_id,
        state=DeliveryState(state),
        stamp=stamp_from(stamp),
        origin=origin,
        hops=hops,
        marker=marker,
        creates=bool(unseen.get("creates")),
        fields=unseen.get("fields", {}),
        comment=unseen.get("comment"),
        file=unseen.get("file", ""),
        change_ids=tuple(result.get("change_ids", ())),
        comment_id=result.get("comment_id", ""),
        attachment_id=result.get("attachment_id", ""),
        done_at=done_at,
    )


def expect_read_back(ticket_ids: Iterable[int], now: datetime) -> None:
    """After a write of ours: these histories are to be read soon, not at once; the next pull may come before.

    An earlier due time stays.
    """
    soon = now + timedelta(seconds=settings.SYNC_READ_BACK_S)
    earlier = When(read_due_at__lte=soon, then=F("read_due_at"))
    Ticket.objects.filter(pk__in=list(ticket_ids)).update(
        stale_since=now, read_due_at=Case(earlier, default=Value(soon))
    )


def note_hints(system_id: int, remote_ids: Iterable[str], now: datetime, *, delay_s: float = 0) -> None:
    """These tickets changed, somebody says: read them.  Unknown ones become known; may be repeated.

    Several at once need a transaction around: they are locked in the order in which everybody locks tickets.
    """
    wanted = list(dict.fromkeys(remote_ids))
    due = now + timedelta(seconds=delay_s)
    known = Ticket.objects.filter(system=system_id, remote_id__in=wanted)
    if len(wanted) > 1:
        list(known.select_for_update().order_by("pk").values_list("pk"))
    earlier = When(read_due_at__lte=due, then=F("read_due_at"))
    updated = known.update(stale_since=now, read_due_at=Case(earlier, default=Value(due)))
    if updated < len(wanted):
        Ticket.objects.bulk_create(
            [
                Ticket(system_id=system_id, remote_id=remote_id, stale_since=now, read_due_at=due)
                for remote_id in wanted
            ],
            ignore_conflicts=True,
        )
