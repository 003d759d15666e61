"""What staff do with connections: open, activate, pause, resume; and each partner with its own side.

A new connection begins as a draft with the common data dictionary and, for each side, version 1 of what it sends and
of how it treats what comes in.  Nothing travels before it is activated.  A paused connection still collects changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from integrations.mapping import templates
from integrations.mapping.rules import FieldRule as Rule
from integrations.models import Connection, DictionaryField, LinkedTicket, MappingSet, Side, System
from integrations.services.mappings import files_refused_at_first, own_fields, store_rules
from integrations.services.refusals import NotPossible

Trigger = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class SideData:
    """What people decide about one side.  `trigger` is in the side's own field names; all of it must hold."""

    starts: bool = False
    trigger: Trigger = field(default_factory=dict)


NOTHING_STARTS = SideData()
STARTS = SideData(starts=True)


# --- Opening ---


@transaction.atomic
def open_connection(
    name: str,
    left: System,
    right: System,
    *,
    left_side: SideData = STARTS,
    right_side: SideData = NOTHING_STARTS,
    template: bool = True,
    note: str = "",
    by: Any = None,
    now: datetime | None = None,
) -> Connection:
    """Join two systems and return the connection, a draft.

    With `template` both sides begin with the rules that ship for their kind of system, without with none.
    NotPossible when the name is taken, when a side is used twice, or when the systems are joined already, directly or
    by way of others: a change would come back to where it began.
    """
    # Two people who join systems at the same moment could close a ring together.
    list(System.objects.select_for_update().order_by("pk").values_list("pk", flat=True))
    refuse_ring(left, right)
    try:
        with transaction.atomic():
            connection = Connection.objects.create(name=name.strip(), note=note.strip())
    except IntegrityError as error:
        raise NotPossible("A connection has this name already.", field="name") from error
    DictionaryField.objects.bulk_create(_dictionary(connection))
    for position, system, data in (
        (Side.Position.LEFT, left, left_side),
        (Side.Position.RIGHT, right, right_side),
    ):
        side = Side.objects.create(
            connection=connection,
            position=position,
            system=system,
            starts=data.starts,
            trigger=clean_trigger(data.trigger),
        )
        _publish_first(side, template=template, by=by, now=now or timezone.now())
    return connection


def _dictionary(connection: Connection) -> list[DictionaryField]:
    return [
        DictionaryField(
            connection=connection,
            name=one.name,
            label=one.label,
            kind=one.kind,
            meaning=one.meaning,
            values=list(one.values),
            max_length=one.max_length,
            position=position,
        )
        for position, one in enumerate(templates.DICTIONARY)
    ]


def _publish_first(side: Side, *, template: bool, by: Any, now: datetime) -> None:
    """Version 1 of both directions, published: from the template, or empty."""
    kind = side.system.kind
    known = own_fields(side.system)
    rules: dict[str, tuple[Rule, ...]] = {
        MappingSet.Direction.OUTGOING: templates.outgoing_rules(kind, known) if template else (),
        MappingSet.Direction.INCOMING: templates.incoming_rules(kind, known) if template else (),
    }
    for direction, chosen in rules.items():
        mapping_set = MappingSet.objects.create(
            side=side,
            direction=direction,
            version=1,
            state=MappingSet.State.PUBLISHED,
            comments_become_public=templates.template_for(kind).comments_become_public,
            notes_refusals=direction == MappingSet.Direction.INCOMING,
            files_never=files_refused_at_first(direction),
            note=f"Template for {side.system.kind_label}" if template else "Empty",
            published_at=now,
            published_by=by,
        )
        store_rules(mapping_set, chosen)


# --- Rings ---


def refuse_ring(left: System, right: System, *, beside: Connection | None = None) -> None:
    """NotPossible when joining the two would let a change come back to where it began.  One query.

    With `beside` this connection joins them already and is to be activated: what else carries changes is looked at.
    """
    if left.pk == right.pk:
        raise NotPossible("A connection joins two different systems.", field="right")
    edges: dict[int, list[tuple[int, str]]] = {}
    names: dict[int, str] = {}
    pairs: dict[int, list[Side]] = {}
    sides = Side.objects.select_related("connection", "system")
    if beside is not None:
        sides = sides.exclude(connection=beside).exclude(connection__state=Connection.State.DRAFT)
    for side in sides:
        pairs.setdefault(side.connection_id, []).append(side)
        names[side.system_id] = side.system.name
    for pair in pairs.values():
        for here, there in (pair, reversed(pair)) if len(pair) == 2 else ():
            edges.setdefault(here.system_id, []).append((there.system_id, here.connection.name))
    path = find_path(edges, left.pk, right.pk)
    if path is None:
        return
    if len(path) == 1:
        raise NotPossible(f"{left} and {right} are joined already, by “{path[0][1]}”.", field="right")
    way = ", ".join(names[system_id] for system_id, _ in path[:-1])
    if beside is not None:
        ring = " – ".join([left.name, *(names[system_id] for system_id, _ in path), left.name])
        raise NotPossible(
            f"Activating it would close a ring: {ring}. Every change would come back to where it began. Discard this "
            "connection, or take one of the others out of the ring first."
        )
    raise NotPossible(
        f"{left} and {right} exchange already by way of {way}. A second way would be a ring: every change would come "
        "back to where it began.",
        field="right",
    )


def find_path(
    edges: Mapping[int, Iterable[tuple[int, str]]], start: int, goal: int
) -> list[tuple[int, str]] | None:
    """The shortest way from `start` to `goal` as (node, name of the edge to it), or None.  Pure."""
    ways: deque[list[tuple[int, str]]] = deque([[]])
    seen = {start}
    while ways:
        way = ways.popleft()
        here = way[-1][0] if way else start
        if here == goal:
            return way
        for node, name in edges.get(here, ()):
            if node not in seen:
                seen.add(node)
                ways.append([*way, (node, name)])
    return None


# --- Running ---


@transaction.atomic
def activate_connection(connection: Connection) -> bool:
    """Let tickets begin to travel; whether it did.

    NotPossible while a system was never tested, no rule is there, or it would close a ring.
    """
    sides = list(connection.sides.select_related("system"))
    # Two drafts may have been fine each by itself.
    refuse_ring(*(side.system for side in sides), beside=connection)
    for side in sides:
        if not side.system.account_id:
            raise NotPossible(
                f"Test {side.system} first: Concord has to know its own account there, to recognise its own changes."
            )
        if side.system.state == System.State.STOPPED:
            raise NotPossible(
                f"{side.system} is stopped because its credentials were refused. Mend that first."
            )
    published = MappingSet.objects.filter(
        side__in=sides, state=MappingSet.State.PUBLISHED, rules__isnull=False
    )
    if not published.exists():
        raise NotPossible("No side has any rule yet, so nothing would travel. Publish a mapping first.")
    return _move(connection, Connection.State.DRAFT, Connection.State.ACTIVE)


def pause_connection(connection: Connection) -> bool:
    """Let nothing travel in either direction; changes are still collected.  Whether it did."""
    return _move(connection, Connection.State.ACTIVE, Connection.State.PAUSED)


def resume_connection(connection: Connection) -> bool:
    """Let everything travel again, what was collected first and in order.  Whether it did."""
    return _move(connection, Connection.State.PAUSED, Connection.State.ACTIVE)


def _move(connection: Connection, before: str, after: str) -> bool:
    moved = Connection.objects.filter(pk=connection.pk, state=before).update(state=after)
    if moved:
        connection.state = after
    return bool(moved)


@transaction.atomic
def rename_connection(connection: Connection, name: str, note: str) -> None:
    """Change the connection's name and note; NotPossible when the name is taken."""
    connection.name, connection.note = name.strip(), note.strip()
    try:
        with transaction.atomic():
            connection.save(update_fields=["name", "note"])
    except IntegrityError as error:
        raise NotPossible("A connection has this name already.", field="name") from error


@transaction.atomic
def discard_connection(connection: Connection) -> None:
    """Delete a connection that never carried a ticket, with its sides and rules; NotPossible for any other."""
    if LinkedTicket.objects.filter(connection=connection).exists():
        raise NotPossible("It has linked tickets, and their story is kept. Pause it instead.")
    # Value maps are protected by the rules that use them, so the sets go one by one, rules first.
    for mapping_set in MappingSet.objects.filter(side__connection=connection):
        mapping_set.rules.all().delete()
        mapping_set.delete()
    connection.delete()


# --- One side ---


def pause_side(side: Side, reason: str) -> bool:
    """Let nothing travel to or from this side; the other partner reads the reason.  Whether it did."""
    if not reason.strip():
        raise NotPossible("Say why: the other side reads it.", field="reason")
    moved = Side.objects.filter(pk=side.pk, is_paused=False).update(
        is_paused=True, paused_reason=reason.strip()[:300]
    )
    if moved:
        side.is_paused, side.paused_reason = True, reason.strip()[:300]
    return bool(moved)


def resume_side(side: Side) -> bool:
    """Let this side take part again; whether it did."""
    moved = Side.objects.filter(pk=side.pk, is_paused=True).update(is_paused=False, paused_reason="")
    if moved:
        side.is_paused, side.paused_reason = False, ""
    return bool(moved)


def change_side(side: Side, data: SideData) -> None:
    """Change whether tickets of this side open one on the other, and which."""
    side.starts, side.trigger = data.starts, clean_trigger(data.trigger)
    side.save(update_fields=["starts", "trigger"])


def clean_trigger(trigger: Trigger) -> dict[str, list[str]]:
    """The trigger as it is stored: without blanks, empty conditions and doubles.  Pure."""
    cleaned = {}
    for name, values in trigger.items():
        kept = list(dict.fromkeys(value.strip() for value in values if value.strip()))
        if name.strip() and kept:
            cleaned[name.strip()] = kept
    return cleaned
