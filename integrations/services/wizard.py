"""A connection from nothing to its first ticket, step by step; every step is kept and can be taken again.

The wizard decides nothing that the single pages would not: it calls the same services in the order in which they
make sense, and remembers where somebody stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from integrations.canonical import Snapshot
from integrations.connectors.errors import ConnectorError, Gone, Invalid
from integrations.engine.reading import trigger_holds
from integrations.mapping.plan import receive, release, text_of
from integrations.mapping.rules import NO_RULES, RuleSet
from integrations.models import (
    Connection,
    ConnectionDraft,
    LinkedTicket,
    MappingSet,
    Side,
    System,
    Ticket,
    TicketSide,
)
from integrations.services.connections import (
    SideData,
    activate_connection,
    discard_connection,
    open_connection,
    refuse_ring,
)
from integrations.services.mappings import field_facts, rules_of
from integrations.services.refusals import NotPossible
from integrations.services.systems import open_connector_for
from integrations.store.configuration import FRESH_FOR
from integrations.store.tickets import note_hints

STEPS = ("left", "right", "rules", "first", "done")
LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True)
class Arrival:
    """One field on its way: what the first ticket holds, and what the other system would get."""

    source: str
    before: str
    target: str
    after: str


@dataclass(frozen=True, slots=True)
class FirstTicket:
    """A ticket of the side that begins, and what would arrive of it.  `problem`: why it would wait for a person.

    `fits` is false when the side's own condition keeps it from starting.
    """

    remote_id: str
    key: str
    url: str
    title: str
    arrivals: Sequence[Arrival]
    comments: int
    problem: str
    fits: bool


# --- Steps ---


def begin_draft(*, by: Any, now: datetime) -> ConnectionDraft:
    """A new connection on its way, with nothing chosen yet."""
    return ConnectionDraft.objects.create(begun_by=by, begun_at=now, touched_at=now)


def next_step(draft: ConnectionDraft) -> str:
    """The first step that is still to be done."""
    for position in ("left", "right"):
        if not is_ready(getattr(draft, position)):
            return position
    if draft.connection is None:
        return "rules"
    return "done" if draft.first_remote_id else "first"


def is_ready(system: System | None) -> bool:
    """Whether a system was chosen and has passed its test."""
    return system is not None and bool(system.account_id) and system.state != System.State.STOPPED


@transaction.atomic
def choose_system(draft: ConnectionDraft, position: str, system: System, *, now: datetime) -> None:
    """Take this system for one side.  NotPossible when it cannot be joined with the other one.

    A connection that was opened with another system before is thrown away, as it never carried a ticket.
    """
    _refuse_if_running(draft)
    if getattr(draft, f"{position}_id") != system.pk and draft.connection is not None:
        _throw_away(draft)
    other = draft.right if position == "left" else draft.left
    if other is not None and draft.connection is None:
        refuse_ring(*((system, other) if position == "left" else (other, system)))
    setattr(draft, position, system)
    _save(draft, now, position)


@transaction.atomic
def open_drafted(
    draft: ConnectionDraft,
    name: str,
    *,
    left_side: SideData,
    right_side: SideData,
    template: bool,
    note: str,
    by: Any,
    now: datetime,
) -> Connection:
    """Open the connection with these rules, instead of the one from an earlier visit to this step."""
    _refuse_if_running(draft)
    if draft.left is None or draft.right is None:
        raise NotPossible("Choose both systems first.")
    _throw_away(draft)
    draft.connection = open_connection(
        name,
        draft.left,
        draft.right,
        left_side=left_side,
        right_side=right_side,
        template=template,
        note=note,
        by=by,
        now=now,
    )
    _save(draft, now, "connection")
    return draft.connection


@transaction.atomic
def discard_draft(draft: ConnectionDraft) -> None:
    """Forget what was chosen, and the connection unless it runs; systems stay."""
    if draft.connection is not None and draft.connection.state == Connection.State.DRAFT:
        _throw_away(draft)
    draft.delete()


def _refuse_if_running(draft: ConnectionDraft) -> None:
    if draft.connection is not None and draft.connection.state != Connection.State.DRAFT:
        raise NotPossible("The connection is active already: change it on its own page.")


def _throw_away(draft: ConnectionDraft) -> None:
    if draft.connection is not None:
        connection, draft.connection = draft.connection, None
        draft.save(update_fields=["connection"])
        discard_connection(connection)


def _save(draft: ConnectionDraft, now: datetime, *fields: str) -> None:
    draft.touched_at = now
    draft.save(update_fields=[*fields, "touched_at"])


# --- The first ticket ---


def starting_side(draft: ConnectionDraft) -> Side:
    """The side whose tickets open one on the other; NotPossible when neither does."""
    if draft.connection is None:
        raise NotPossible("Choose the rules first.")
    sides = draft.connection.sides.select_related("system__partner", "connection").order_by("position")
    found = sides.filter(starts=True).first()
    if found is None:
        raise NotPossible(
            "No side opens tickets on the other one. Go back to the rules and say which one does."
        )
    return found


def look_at_first(side: Side, number: str) -> FirstTicket:
    """Read a ticket of this side by its number and work out what would arrive.  Writes nothing.

    NotPossible, at the field `number`, when there is no such ticket or the system does not answer.
    """
    wanted = number.strip()
    if not wanted:
        raise NotPossible("Enter the number of a ticket.", field="number")
    known = Ticket.objects.filter(system=side.system_id, key__iexact=wanted, is_gone=False).first()
    try:
        found = open_connector_for(side.system).read(known.remote_id if known else wanted.lstrip("#"))
    except (Gone, Invalid) as error:
        raise NotPossible(
            f"{side.system} has no ticket “{wanted}”, or Concord's account may not see it.", field="number"
        ) from error
    except ConnectorError as error:
        raise NotPossible(f"{side.system} could not be asked: {error.message}", field="number") from error
    other = Side.objects.exclude(pk=side.pk).select_related("system").get(connection=side.connection_id)
    return _first(side, other, found)


def _first(side: Side, other: Side, found: Snapshot) -> FirstTicket:
    outgoing, incoming = _rules(side, "outgoing"), _rules(other, "incoming")
    released = release(outgoing, found.fields)
    arrived = receive(incoming, released.fields, current={}, is_new=True)
    problem = released.problem or arrived.problem
    return FirstTicket(
        remote_id=found.head.remote_id,
        key=found.head.key or found.head.remote_id,
        url=found.head.url,
        title=_short(released.fields.get("title")),
        arrivals=_arrivals(side, other, outgoing, incoming, found.fields, arrived.fields),
        comments=sum(comment.is_public for comment in found.comments),
        problem=problem.message if problem else "",
        fits=trigger_holds(side.trigger, found.fields),
    )


def _arrivals(
    side: Side,
    other: Side,
    outgoing: RuleSet,
    incoming: RuleSet,
    holds: Mapping[str, Any],
    gets: Mapping[str, Any],
) -> list[Arrival]:
    own, theirs = field_facts(side.system), field_facts(other.system)
    sources = {rule.target: rule.source for rule in outgoing.rules}
    found = []
    for rule in incoming.rules:
        if rule.target not in gets:
            continue
        source = sources.get(rule.source, "")
        found.append(
            Arrival(
                source=own[source].label if source in own else source,
                before=_short(holds.get(source)),
                target=theirs[rule.target].label if rule.target in theirs else rule.target,
                after=_short(gets[rule.target]),
            )
        )
    return found


def _rules(side: Side, direction: str) -> RuleSet:
    published = MappingSet.objects.filter(
        side=side, direction=direction, state=MappingSet.State.PUBLISHED
    ).prefetch_related("rules__value_map__pairs")
    found = published.first()
    return rules_of(found) if found else NO_RULES


def _short(value: Any) -> str:
    line = " ".join(text_of(value).split())
    return line if len(line) <= LONGEST_VALUE else f"{line[: LONGEST_VALUE - 1]}…"


@transaction.atomic
def send_first(draft: ConnectionDraft, side: Side, first: FirstTicket, *, now: datetime) -> None:
    """Activate the connection and let this ticket be the first to travel; NotPossible when it would not start."""
    if not first.fits:
        raise NotPossible(
            f"{first.key} does not meet the condition of {side.system}, so it would not start. Choose another, or "
            "change the condition.",
            field="number",
        )
    assert draft.connection is not None
    activate_connection(draft.connection)
    draft.first_key, draft.first_remote_id = first.key[:100], first.remote_id
    draft.first_side, draft.finished_at = side, now
    _save(draft, now, "first_key", "first_remote_id", "first_side", "finished_at")
    # A link begins with a change that is new.  What was read while nobody joined it to anything is forgotten, so that
    # the ticket is read from its beginning.
    known = Ticket.objects.filter(system=side.system_id, remote_id=first.remote_id)
    known.filter(sides__isnull=True, effects__isnull=True).delete()
    # A worker may hold the picture in which the connection was not active yet for a moment longer.
    note_hints(side.system_id, [first.remote_id], now + 2 * FRESH_FOR)


def awaits_change(draft: ConnectionDraft) -> bool:
    """Whether the first ticket was read since, brought no change that was new, and so starts with its next one.

    A link begins with a change, so a ticket that travels on another connection does not start by being read again.
    """
    assert draft.first_side is not None
    ticket = Ticket.objects.filter(system=draft.first_side.system_id, remote_id=draft.first_remote_id)
    return ticket.filter(read_at__gt=draft.finished_at, read_due_at=None).exists()


def followed(draft: ConnectionDraft) -> LinkedTicket | None:
    """The linked ticket that the first ticket became; None while it is being read.  One query."""
    stand = (
        TicketSide.objects.filter(side=draft.first_side_id, ticket__remote_id=draft.first_remote_id)
        .select_related("linked_ticket")
        .first()
    )
    return stand.linked_ticket if stand else None
