"""Linked tickets that are there already: as many as asked for, carried over long ago and quiet since.

The database makes the rows itself, a table at a time: a million of them are a matter of minutes, not of hours.  They
stand in no sandbox; what a change costs beside them is what is to be measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection as database
from django.db import models, transaction
from django.db.models import Max

from integrations.models import (
    Attempt,
    Connection,
    Delivery,
    Effect,
    Lane,
    LinkedTicket,
    PartnerTicket,
    SyncEvent,
    Ticket,
    TicketSide,
)
from slas.models import Agreement, Clock, Timing

# Rows that one statement makes.
PIECE = 50_000
TITLE = "Parcel has not arrived, some time ago"
FIELDS = {"title": TITLE, "status": "closed", "priority": "normal"}


@dataclass(frozen=True, slots=True)
class Of:
    """A value worked out by the database from `n`, the row's number from 0, and `at`, the moment it is about."""

    sql: str


def fill(connection: Connection, count: int) -> None:
    """Make `count` linked tickets of this connection, with their history, deliveries and clocks."""
    for start in range(0, count, PIECE):
        with transaction.atomic():
            _trust_keys()
            _fill_piece(connection, min(PIECE, count - start))
            _count_on()


def remember_sizes() -> None:
    """Let the database look at its tables, so that it plans by what is in them; outside a transaction."""
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")


def _fill_piece(connection: Connection, count: int) -> None:
    left, right = connection.sides.select_related("system").order_by("position")
    first = {model: _next_key(model) for model in _MODELS}
    numbers: Mapping[str, int] = {model._meta.model_name or "": first[model] for model in _MODELS}
    at = {"opened_at": Of("at"), "changed_at": Of("at"), "read_at": Of("at")}

    def make(model: type[models.Model], values: Mapping[str, object], key: str = "n") -> None:
        _insert(model, count, {"id": Of(f"{first[model]} + {key}"), **values})

    for side, place in ((left, 0), (right, 1)):
        make(
            Ticket,
            {
                "system_id": side.system_id,
                "remote_id": Of(f"'past-' || ({numbers['linkedticket']} + n)"),
                "key": Of(f"'P-' || ({numbers['linkedticket']} + n)"),
                "title": TITLE,
                "cursor": "1",
                "version": 1,
                "event_count": 1,
                "actual": json.dumps(FIELDS),
                "winners": json.dumps({name: [1, side.system_id] for name in FIELDS}),
                "marker": Of(f"'past-' || ({numbers['delivery']} + n)") if place else "",
                **at,
            },
            f"2 * n + {place}",
        )
    make(
        LinkedTicket,
        {
            "connection_id": connection.pk,
            "title": TITLE,
            "origin_id": left.pk,
            "opened_at": Of("at"),
            "created_at": Of("at"),
            "updated_at": Of("at"),
        },
    )
    linked = Of(f"{numbers['linkedticket']} + n")
    for side, place in ((left, 0), (right, 1)):
        ticket = Of(f"{numbers['ticket']} + 2 * n + {place}")
        make(
            TicketSide,
            {"linked_ticket_id": linked, "side_id": side.pk, "ticket_id": ticket},
            f"2 * n + {place}",
        )
        make(
            Lane,
            {
                "linked_ticket_id": linked,
                "target_id": side.pk,
                "connection_id": connection.pk,
                "system_id": side.system_id,
                # What came from the left one was delivered to the right one.
                "head": 1 + place,
                "tail": place,
                "fence": place,
                "next_at": Of("at"),
            },
            f"2 * n + {place}",
        )
        make(
            SyncEvent,
            {
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
            },
            f"2 * n + {place}",
        )
    for partner_id, place in ((left.system.partner_id, 0), (right.system.partner_id, 1)):
        make(
            PartnerTicket,
            {"partner_id": partner_id, "linked_ticket_id": linked, "updated_at": Of("at")},
            f"2 * n + {place}",
        )
    delivery = Of(f"{numbers['delivery']} + n")
    make(
        Delivery,
        {
            "lane_id": Of(f"{numbers['lane']} + 2 * n + 1"),
            "number": 1,
            "event_id": Of(f"{numbers['syncevent']} + 2 * n"),
            "operation": "create",
            "state": "done",
            "marker": Of(f"'past-' || ({numbers['delivery']} + n)"),
            "origin": Of(f"'past:' || ({numbers['delivery']} + n)"),
            "stamp": json.dumps([1, left.system_id]),
            "target_id": Of(f"{numbers['ticket']} + 2 * n + 1"),
            "envelope": json.dumps({"fields": FIELDS}),
            "wanted": json.dumps(FIELDS),
            "queued_at": Of("at"),
            "done_at": Of("at"),
            "tries": 1,
        },
    )
    make(
        Attempt,
        {
            "delivery_id": delivery,
            "number": 1,
            "fence": 1,
            "started_at": Of("at"),
            "ended_at": Of("at"),
            "outcome": "done",
        },
    )
    make(
        Effect,
        {
            "ticket_id": Of(f"{numbers['ticket']} + 2 * n + 1"),
            "origin": Of(f"'past:' || ({numbers['delivery']} + n)"),
            "delivery_id": delivery,
        },
    )
    make(
        Timing,
        {
            "linked_ticket_id": linked,
            "event_id": Of(f"{numbers['syncevent']} + 2 * n"),
            "side_id": left.pk,
            "what": "opened",
            "happened_at": Of("at"),
            "position": 1,
        },
    )
    if agreement := Agreement.objects.filter(connections=connection).order_by("pk").first():
        for kind, place in (("response", 0), ("resolution", 1)):
            make(
                Clock,
                {
                    "linked_ticket_id": linked,
                    "agreement_id": agreement.pk,
                    "kind": kind,
                    "state": "stopped",
                    "month": datetime.now(UTC).date().replace(day=1).isoformat(),
                    "started_at": Of("at"),
                    "state_since": Of("at"),
                    "stopped_at": Of("at"),
                    "target_s": 3600,
                    "wall_s": 60,
                },
                f"2 * n + {place}",
            )


_MODELS: tuple[type[models.Model], ...] = (
    Ticket, LinkedTicket, TicketSide, Lane, SyncEvent, PartnerTicket, Delivery, Attempt, Effect, Timing, Clock,
)  # fmt: skip


def _insert(model: type[models.Model], count: int, values: Mapping[str, object]) -> None:
    """Make `count` rows; what `values` does not name gets the field's own default."""
    columns: list[str] = []
    chosen: list[str] = []
    params: list[Any] = []
    for field in model._meta.concrete_fields:
        value = values[field.attname] if field.attname in values else _default_of(field)
        columns.append(database.ops.quote_name(str(field.column)))
        if isinstance(value, Of):
            chosen.append(value.sql)
        else:
            chosen.append("%s" if database.vendor == "sqlite" else f"CAST(%s AS {field.db_type(database)})")
            params.append(value)
    sql = (
        f"INSERT INTO {database.ops.quote_name(model._meta.db_table)} ({', '.join(columns)}) "  # noqa: S608
        f"SELECT {', '.join(chosen)} FROM ({_numbers(count)}) AS numbers"
    )
    with database.cursor() as cursor:
        cursor.execute(sql, params)


def _default_of(field: models.Field[Any, Any]) -> object:
    value = field.get_default()
    return json.dumps(value) if isinstance(value, list | dict) else value


def _numbers(count: int) -> str:
    """`n` from 0 on and `at`, a day ago and a second earlier for each."""
    if database.vendor == "sqlite":
        return (
            "WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL "  # noqa: S608 - a number of ours
            f"SELECT n + 1 FROM counted WHERE n < {count - 1}) "
            "SELECT n, strftime('%%Y-%%m-%%d %%H:%%M:%%S', 'now', '-1 day', '-' || n || ' seconds') AS at FROM counted"
        )
    return (
        "SELECT n, now() - interval '1 day' - n * interval '1 second' AS at "  # noqa: S608 - a number of ours
        f"FROM generate_series(0, {count - 1}) AS n"
    )


def _next_key(model: type[models.Model]) -> int:
    last = model._base_manager.aggregate(last=Max("pk"))["last"]
    return int(last or 0) + 1


def _trust_keys() -> None:
    """Let PostgreSQL take our word for every key, where we may: looking each one up costs more than storing it."""
    if database.vendor != "postgresql":
        return
    with database.cursor() as cursor:
        cursor.execute("SELECT current_setting('is_superuser') = 'on'")
        if cursor.fetchone()[0]:
            cursor.execute("SET LOCAL session_replication_role = replica")


def _count_on() -> None:
    """PostgreSQL counts keys by itself, and has not seen ours."""
    if database.vendor != "postgresql":
        return
    with database.cursor() as cursor:
        for model in _MODELS:
            table = model._meta.db_table
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence(%s, 'id'), (SELECT max(id) FROM {database.ops.quote_name(table)}))",  # noqa: S608
                [f'"{table}"'],
            )
