"""Tickets between their rows and the engine's values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, QuerySet, Value, When

from integrations.canonical import Value as FieldValue
from integrations.engine import hints
from integrations.engine.values import (
    FIELD_WRITES,
    DeliveryState,
    OpenWrite,
    TicketState,
    Winner,
    stamp_from,
    winner_from,
)
from integrations.models import Delivery, SyncEvent, Ticket, TicketSide
from integrations.statements import Order, Question, insert_many

# In the order that `ticket_state` takes.
STATE_FIELDS = (
    "pk",
    "system_id",
    "remote_id",
    "cursor",
    "version",
    "event_count",
    "actual",
    "winners",
    "marker",
    "is_gone",
    "read_at",
    "hinted_at",
    "followed_by",
    "twin_of_id",
)


def ticket_state(
    pk: int,
    system_id: int,
    remote_id: str,
    cursor: str,
    version: int,
    event_count: int,
    actual: dict,
    winners: dict,
    marker: str,
    is_gone: bool,
    read_at: datetime | None,
    hinted_at: datetime | None,
    followed_by: object,
    twin_of: int | None,
) -> TicketState:
    """A row's `STATE_FIELDS` as the engine's value."""
    return TicketState(
        id=pk,
        system_id=system_id,
        remote_id=remote_id,
        cursor=cursor,
        version=version,
        event_count=event_count,
        actual=actual,
        winners=winners_from(winners, actual),
        marker=marker,
        is_gone=is_gone,
        read_at=read_at,
        hinted_at=hinted_at,
        is_followed=followed_by is not None,
        is_twin=twin_of is not None,
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
    for ticket_id, *row in _unrecognised(targets=list(ticket_ids)):
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
        over={name: winner_from(made_of) for name, made_of in unseen.get("over", {}).items()},
        stood=unseen.get("stood", {}),
        held=unseen.get("held", {}),
        behind=unseen.get("behind", {}),
    )


def spent_writes(ticket_ids: Iterable[int]) -> dict[int, list[OpenWrite]]:
    """Writes of ours that these tickets' histories have shown, with what each left there, by ticket."""
    found: dict[int, list[OpenWrite]] = {}
    for ticket_id, comments, files, wanted, operation, *row in _spent(tickets=list(ticket_ids)):
        write = _open_write(*row)
        found.setdefault(ticket_id, []).append(
            replace(
                write,
                fields=wanted if operation in FIELD_WRITES else {},
                comment=comments[0]["body"] if comments else None,
                file=files[0]["name"] if files else "",
            )
        )
    return found


def expect_read_back(ticket_ids: Iterable[int], now: datetime) -> None:
    """After a write of ours: these histories are to be read soon, not at once; the next pull may come before.

    A ticket that stands in several connections is read at once, because what was written travels on from there.
    An earlier due time stays.
    """
    keys = set(ticket_ids)
    stands = Counter(ticket_id for (ticket_id,) in _standing(tickets=sorted(keys)))
    chained = sorted(pk for pk in keys if stands[pk] > 1)
    soon = now + timedelta(seconds=settings.SYNC_READ_BACK_S)
    _read_until(keys=chained, now=now, due=now)
    _read_until(keys=sorted(keys.difference(chained)), now=now, due=soon)


def note_hints(system_id: int, remote_ids: Iterable[str], now: datetime, *, is_bulk: bool = False) -> None:
    """These tickets changed, somebody says: read them.  Unknown ones become known; may be repeated.

    With `is_bulk` after live work, unless there is a live reason as well.

    One transaction, or a part of the caller's: several are locked in the order in which everybody locks tickets.
    """
    wanted = set(remote_ids)
    with transaction.atomic(savepoint=False):
        lock_known([system_id], wanted)
        mark_hinted(system_id, wanted, now, is_bulk=is_bulk)


def lock_known(system_ids: Iterable[int], remote_ids: Collection[str]) -> None:
    """Lock what is known of several tickets, of several systems too, in the order in which everybody locks tickets."""
    if len(remote_ids) > 1 and connection.features.has_select_for_update:
        _lock_known(systems=sorted(set(system_ids)), remote_ids=sorted(remote_ids))


def lock_untold(told: Mapping[tuple[int, str], datetime | None]) -> set[tuple[int, str]]:
    """Which tickets, as (system, its key), have to be read after web hooks that told of them.

    `told` are the times of what the hooks told last.  Left out are those whose history was told until a later time:
    another reading would find nothing.  An answer that is out of date by the time it is used costs no more than a
    reading.  What is known of the tickets is locked as by `lock_known`.
    """
    systems = sorted({system_id for system_id, _ in told})
    remote_ids = sorted({remote_id for _, remote_id in told})
    rows: Iterable[tuple[int, str, datetime | None]] = ()
    if len(remote_ids) > 1 and connection.features.has_select_for_update:
        rows = _lock_known(systems=systems, remote_ids=remote_ids)
    elif any(told.values()):
        rows = _told_until(systems=systems, remote_ids=remote_ids)
    until = {(system_id, remote_id): at for system_id, remote_id, at in rows}
    return {key for key, at in told.items() if not hints.is_told(at, until.get(key))}


def mark_hinted(system_id: int, remote_ids: Iterable[str], now: datetime, *, is_bulk: bool = False) -> None:
    """The same as `note_hints` where the known ones are locked already."""
    # New ones in one order, too: who stores the same ticket at the same moment waits for the other.
    wanted = sorted(set(remote_ids))
    read_known = _read_known_in_bulk if is_bulk else _read_known_until
    updated = read_known(system=system_id, remote_ids=wanted, now=now)
    if updated < len(wanted):
        insert_many(
            [
                Ticket(
                    system_id=system_id,
                    remote_id=remote_id,
                    stale_since=now,
                    hinted_at=now,
                    read_due_at=now,
                    read_is_bulk=is_bulk,
                )
                for remote_id in wanted
            ],
            ignores_doubles=True,
        )


def note_polled(system_id: int, marks: Mapping[str, str], now: datetime, *, is_bulk: bool = False) -> int:
    """The system says that these tickets changed: read those whose state is not the one that was read last.

    `marks` holds "" for a ticket whose state it did not name.  Returns how many are to be read; may be repeated.
    """
    read = dict(_marks(system=system_id, remote_ids=list(marks)))
    wanted = [remote_id for remote_id, mark in marks.items() if not mark or read.get(remote_id) != mark]
    note_hints(system_id, wanted, now, is_bulk=is_bulk)
    return len(wanted)


def _hinted(rows: QuerySet[Ticket], now: datetime, due: datetime) -> tuple[QuerySet[Ticket], dict]:
    earlier = When(read_due_at__lte=due, then=F("read_due_at"))
    return rows, {
        "stale_since": now,
        "read_due_at": Case(earlier, default=Value(due)),
        "read_is_bulk": False,
    }


def _hinted_in_bulk(rows: QuerySet[Ticket], now: datetime) -> tuple[QuerySet[Ticket], dict]:
    found, changes = _told(rows, now)
    is_live = When(read_due_at__isnull=False, read_is_bulk=False, then=Value(False))
    return found, {**changes, "read_is_bulk": Case(is_live, default=Value(True))}


def _told(rows: QuerySet[Ticket], now: datetime) -> tuple[QuerySet[Ticket], dict]:
    rows, changes = _hinted(rows, now, now)
    return rows, {**changes, "hinted_at": now}


lock = Question(
    lambda keys: (
        Ticket.objects.filter(pk__in=keys).select_for_update(no_key=True).order_by("pk").values_list("pk")
    )
)
_unrecognised = Question(
    lambda targets: (
        Delivery.objects.filter(target__in=targets, is_recognised=False)
        .order_by("pk")
        .values_list("target_id", *_OPEN_WRITE_FIELDS)
    )
)
_spent = Question(
    lambda tickets: (
        SyncEvent.objects.filter(ticket__in=tickets, caused_by__isnull=False)
        .order_by("pk")
        .values_list(
            "ticket_id",
            "comments",
            "attachments",
            "caused_by__wanted",
            "caused_by__operation",
            *(f"caused_by__{name}" for name in _OPEN_WRITE_FIELDS),
        )
    )
)
_standing = Question(
    lambda tickets: TicketSide.objects.filter(ticket__in=tickets).order_by().values_list("ticket_id")
)
_read_until = Order(lambda keys, now, due: _hinted(Ticket.objects.filter(pk__in=keys), now, due))
_marks = Question(
    lambda system, remote_ids: Ticket.objects.filter(system=system, remote_id__in=remote_ids).values_list(
        "remote_id", "mark"
    )
)
_lock_known = Question(
    lambda systems, remote_ids: (
        Ticket.objects.filter(system__in=systems, remote_id__in=remote_ids)
        .select_for_update(no_key=True)
        .order_by("pk")
        .values_list("system_id", "remote_id", "told_until")
    )
)
_told_until = Question(
    lambda systems, remote_ids: Ticket.objects.filter(
        system__in=systems, remote_id__in=remote_ids
    ).values_list("system_id", "remote_id", "told_until")
)
_read_known_until = Order(
    lambda system, remote_ids, now: _told(Ticket.objects.filter(system=system, remote_id__in=remote_ids), now)
)
_read_known_in_bulk = Order(
    lambda system, remote_ids, now: _hinted_in_bulk(
        Ticket.objects.filter(system=system, remote_id__in=remote_ids), now
    )
)
