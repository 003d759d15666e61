"""One timeline over both tickets of a linked ticket, in the source systems' own time; and what a partner may see of it.

Two projections come out of the same rows.  The whole one is for people who see all partners: every change, and what
became of each delivery.  The reduced one is for a partner's own people: what happened in the partner's own system, and
what was released to it and arrived.  It never loads a row of the other side's ticket.

An internal note that was not released stays with its company: even the whole timeline says only that there is one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from integrations.canonical import FileTrace, Value
from integrations.engine.follow_ups import is_follow_up
from integrations.engine.values import StandIn
from integrations.mapping.files import without_names
from integrations.mapping.plan import text_of
from integrations.models import (
    Delivery,
    DictionaryField,
    Lane,
    LinkedTicket,
    Side,
    SyncEvent,
    System,
    Ticket,
    TicketSide,
    Withheld,
)
from integrations.richtext import blocks
from integrations.richtext.blocks import Document
from integrations.services.undo_traces import Undoing, is_undoable, undoings_of

# Longer values are texts, not choices: the timeline says that they changed, and shows their beginning.
SHORT = 80


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose eyes: the partners whose own matters the person may read, and whether it is all partners.

    `is_borrowed`: somebody else looks through these eyes, to whom the partner's internal notes stay closed.
    """

    partner_ids: frozenset[int] = frozenset()
    sees_all: bool = False
    is_borrowed: bool = False


class Fate(StrEnum):
    """What became of one delivery."""

    DELIVERED = "delivered"
    UNDER_WAY = "under way"
    WAITING = "waiting"
    VERIFYING = "being verified"
    PARKED = "needs a person"
    HELD = "held"
    OVERTAKEN = "overtaken"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery of a change to the other side.

    `delay` runs from the change in its own system to its arrival, or to now while it waits.  What a partner's own
    people see has no number, tries or reason, and of a failure says only who has to look at it.  `file` is what of a file
    really travelled; `stand_in` says why a note went in its place.
    """

    partner: str
    system: str
    what: str
    fate: Fate
    at: datetime | None = None
    delay: timedelta | None = None
    delivery_id: int | None = None
    number: int | None = None
    tries: int = 0
    failure_code: str = ""
    failure: str = ""
    reason: str = ""
    file: FileTrace | None = None
    stand_in: StandIn | None = None
    lost: tuple[str, ...] = ()
    # The delivery, where what it replaced is known and is not being put back already.
    undo_id: int | None = None
    undoing: Undoing | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that changed, in words.  `is_text`: a longer text, of which `after` is the beginning."""

    label: str
    before: str
    after: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file, by name and size.  `stayed` says why the sender's rules did not let it leave.

    Whoever is not of its company is not told the name of a file that stayed.
    """

    name: str
    size_bytes: int = 0
    stayed: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """One comment.  `body` is None for an internal note that stayed with its company."""

    author: str
    is_public: bool
    body: Document | None
    files: tuple[File, ...] = ()


@dataclass(slots=True)
class Entry:
    """One change and everything that followed from it.

    `partner`, `system` and `ticket` tell where it happened.  `through` names the partner from whom it reached that
    system over another connection of ours.
    """

    event_id: int
    at: datetime
    kind: SyncEvent.Kind
    author: str
    partner: str
    system: str
    ticket: str
    is_own: bool
    through: str = ""
    # We put back what a write of ours had replaced.
    is_undoing: bool = False
    changes: list[FieldChange] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Entries, newest first; `older` continues where they end, empty at the beginning of the matter."""

    entries: Sequence[Entry]
    older: str = ""


def timeline(
    linked_ticket: LinkedTicket,
    viewer: Viewer,
    *,
    now: datetime,
    older_than: str = "",
    limit: int = 50,
    case: Collection[int] = (),
) -> Timeline:
    """What happened on both sides, newest first, as far as this viewer may see it.

    `older_than` is the `older` of the page before; one that is not understood starts at the newest.  `case` are the
    keys of linked tickets told beside this one: what came over any of them is told where it began.  Seven queries,
    however long the history; changes nothing.
    """
    sides = list(
        linked_ticket.sides.select_related("side__system__partner", "ticket").order_by("side__position")
    )
    told = {linked_ticket.pk, *case}
    view = (
        _Whole(linked_ticket, sides, viewer, now, told)
        if viewer.sees_all
        else _Own(linked_ticket, sides, viewer, now, told)
    )
    events = _page(view.events(), older_than)
    shown = list(events[: limit + 1])
    entries = view.entries(shown[:limit])
    more = shown[limit - 1] if len(shown) > limit else None
    return Timeline(entries, place_of(more.happened_at, more.pk) if more else "")


def place_of(at: datetime, event_id: int) -> str:
    """Where a timeline goes on after this change, as `older_than` takes it."""
    return f"{at.timestamp():.6f}-{event_id}"


def _page(events: QuerySet[SyncEvent], older_than: str) -> QuerySet[SyncEvent]:
    """Newest first, continued after a key; several changes may share their second."""
    seconds, _, pk = older_than.partition("-")
    try:
        at, last = datetime.fromtimestamp(float(seconds)).astimezone(), int(pk)
    except (ValueError, OverflowError, OSError):
        pass
    else:
        events = events.filter(Q(happened_at__lt=at) | Q(happened_at=at, pk__lt=last))
    return events.order_by("-happened_at", "-pk")


def _with_closed(ticket: Ticket | None) -> Iterator[tuple[int, Ticket]]:
    """A ticket and those it goes on from, the nearest first; a query for each follow-up."""
    while ticket is not None:
        yield ticket.pk, ticket
        ticket = ticket.follows.first() if is_follow_up(ticket.marker) else None


class _View:
    """What both projections share: the two sides, their words, and how an entry is put together."""

    def __init__(
        self,
        linked_ticket: LinkedTicket,
        sides: Sequence[TicketSide],
        viewer: Viewer,
        now: datetime,
        told: Collection[int],
    ) -> None:
        self.linked_ticket = linked_ticket
        self.told = told
        self.viewer = viewer
        self.now = now
        # The tickets that stand there, and the closed ones that they go on from.
        self.by_ticket = {pk: (one, ticket) for one in sides for pk, ticket in _with_closed(one.ticket)}
        self.by_side = {one.side_id: one for one in sides}

    def not_ours(self) -> QuerySet[SyncEvent]:
        """Changes that did not come over this very link, or one told beside it: those are told where they began.

        What undoing put back began nowhere else.
        """
        return SyncEvent.objects.filter(
            Q(caused_by=None)
            | Q(caused_by__operation=Delivery.Op.REVERT)
            | ~Q(caused_by__lane__linked_ticket__in=self.told)
        )

    def owns(self, side: Side) -> bool:
        """Whether it is the viewer's own company's side."""
        return side.system.partner_id in self.viewer.partner_ids

    def other(self, side: Side) -> Side:
        """The opposite side."""
        return next(one.side for one in self.by_side.values() if one.side_id != side.pk)

    def entry(self, event: SyncEvent, stayed: Mapping[str, str]) -> Entry:
        """A change as its own system tells it; `stayed` says which of its files did not leave, and why.

        Nothing is left out for its own company.  Others see neither the names of these files nor notes that stayed.
        """
        one, ticket = self.by_ticket[event.ticket_id]
        system = one.side.system
        labels = field_labels(system)
        is_own = self.owns(one.side) and not self.viewer.is_borrowed
        return Entry(
            event_id=event.pk,
            at=event.happened_at,
            kind=SyncEvent.Kind(event.kind),
            author=event.actor_name,
            partner=system.partner.name,
            system=system.name,
            ticket=str(ticket),
            is_own=is_own,
            is_undoing=event.caused_by is not None and event.caused_by.operation == Delivery.Op.REVERT,
            changes=[]
            if event.kind == SyncEvent.Kind.CREATED
            else field_changes(event.fields, event.before, labels),
            remarks=[_remark(comment, stayed=stayed, is_own=is_own) for comment in event.comments],
            files=[_file(attachment, stayed, is_own=is_own) for attachment in event.attachments],
        )

    def withheld(self, events: Iterable[SyncEvent]) -> dict[int, dict[str, str]]:
        """Why files did not leave over this link, by change and file.  One query."""
        found: dict[int, dict[str, str]] = {}
        rows = Withheld.objects.filter(
            linked_ticket=self.linked_ticket.pk, event__in=[event.pk for event in events]
        )
        for event_id, file_id, reason in rows.values_list("event", "file_id", "reason"):
            found.setdefault(event_id, {})[file_id] = reason
        return found

    def name_origins(self, entries: Iterable[tuple[Entry, SyncEvent]]) -> None:
        """Say through whom a change came that another connection of ours brought into this system."""
        brought = [
            (entry, event.caused_by.lane)
            for entry, event in entries
            if event.caused_by and not entry.is_undoing
        ]
        if not brought:
            return
        senders = Side.objects.filter(connection__in={lane.connection_id for _, lane in brought})
        senders = senders.exclude(pk__in={lane.target_id for _, lane in brought})
        names = dict(senders.values_list("connection", "system__partner__name"))
        for entry, lane in brought:
            entry.through = names.get(lane.connection_id, "")


class _Whole(_View):
    """For people who see all partners."""

    def events(self) -> QuerySet[SyncEvent]:
        """Every change of both tickets."""
        return self.not_ours().filter(ticket__in=list(self.by_ticket)).select_related("caused_by__lane")

    def entries(self, events: Sequence[SyncEvent]) -> list[Entry]:
        """The changes with the fate of each delivery."""
        sent, withheld = self._sent(events), self.withheld(events)
        undoings = undoings_of(one for deliveries in sent.values() for one in deliveries)
        found = []
        for event in events:
            stayed = withheld.get(event.pk, {})
            entry = self.entry(event, stayed)
            deliveries = sent.get(event.pk, [])
            entry.sent = [self.fate(one, event, undoings.get(one.pk)) for one in deliveries]
            if not entry.is_own:
                entry.remarks = [
                    _remark(one, shows_text=_left_company(one, deliveries), stayed=stayed, is_own=False)
                    for one in event.comments
                ]
            found.append(entry)
        self.name_origins(zip(found, events, strict=True))
        return found

    def _sent(self, events: Sequence[SyncEvent]) -> dict[int, list[Delivery]]:
        deliveries = Delivery.objects.filter(
            event__in=[event.pk for event in events], lane__linked_ticket=self.linked_ticket.pk
        )
        return _by_event(deliveries.select_related("lane").order_by("number"))

    def fate(self, delivery: Delivery, event: SyncEvent, undoing: Undoing | None) -> Sent:
        """Where a delivery stands, with everything one needs to act."""
        lane = delivery.lane
        system = self.by_side[lane.target_id].side.system
        state = _fate(delivery, lane)
        is_head = delivery.number == lane.head and state not in _OVER
        return Sent(
            partner=system.partner.name,
            system=system.name,
            what=what_of(delivery),
            fate=state,
            at=delivery.done_at,
            delay=max((delivery.done_at or self.now) - event.happened_at, timedelta()),
            delivery_id=delivery.pk,
            number=delivery.number,
            tries=delivery.tries,
            failure_code=lane.failure_code if is_head else "",
            failure=lane.failure_message if is_head else "",
            reason=delivery.skipped_reason or decision_in(delivery),
            file=file_trace(delivery),
            stand_in=stand_in_of(delivery),
            lost=losses_of(delivery),
            undo_id=_undo_id(delivery, undoing),
            undoing=undoing,
        )


class _Own(_View):
    """For a partner's own people."""

    def events(self) -> QuerySet[SyncEvent]:
        """Changes in the own system, and the keys of those of which something was released and has arrived.

        Of the other side's changes only key and time are loaded.
        """
        own = [ticket_id for ticket_id, (one, _) in self.by_ticket.items() if self.owns(one.side)]
        arrived = self._deliveries().filter(event=OuterRef("pk"), state=Delivery.State.DONE)
        mine = Q(ticket__in=own)
        seen = self.not_ours().filter(mine | Exists(arrived.filter(lane__target__in=self._own_sides())))
        return seen.only("pk", "happened_at", "ticket_id")

    def entries(self, events: Sequence[SyncEvent]) -> list[Entry]:
        """Own changes in full, with a word on whether they were passed on; of the others what was released."""
        own = {ticket_id for ticket_id, (one, _) in self.by_ticket.items() if self.owns(one.side)}
        full = SyncEvent.objects.filter(pk__in=[event.pk for event in events if event.ticket_id in own])
        full_by_id = {event.pk: event for event in full.select_related("caused_by__lane")}
        deliveries = self._deliveries().filter(event__in=[event.pk for event in events])
        sent = _by_event(deliveries.select_related("lane").order_by("number"))
        labels = dict(
            DictionaryField.objects.filter(connection=self.linked_ticket.connection_id).values_list(
                "name", "label"
            )
        )
        withheld = self.withheld(full_by_id.values())
        undoings = undoings_of(
            one for own in sent.values() for one in own if one.lane.target_id in self._own_sides()
        )
        found = []
        for event in events:
            if event.pk in full_by_id:
                entry = self.entry(full_by_id[event.pk], withheld.get(event.pk, {}))
                outward = [
                    one for one in sent.get(event.pk, []) if one.lane.target_id not in self._own_sides()
                ]
                entry.sent = [self.passed_on(one) for one in outward]
                if self.viewer.is_borrowed:
                    stayed = withheld.get(event.pk, {})
                    entry.remarks = [
                        _remark(one, shows_text=_left_company(one, outward), stayed=stayed, is_own=False)
                        for one in full_by_id[event.pk].comments
                    ]
            else:
                arrived = [
                    one
                    for one in sent.get(event.pk, [])
                    if one.lane.target_id in self._own_sides() and one.state == Delivery.State.DONE
                ]
                entry = self.received(event, arrived, labels, undoings)
            found.append(entry)
        own_entries = [(entry, full_by_id[entry.event_id]) for entry in found if entry.event_id in full_by_id]
        self.name_origins(own_entries)
        return found

    def passed_on(self, delivery: Delivery) -> Sent:
        """What the sender's own people may know of a delivery: arrived, under way, left out, or stopped and by whom.

        That the receiver does not take it must not stay hidden from who sent it; what it said about it is its own matter.
        """
        system = self.by_side[delivery.lane.target_id].side.system
        fate, failure = _fate(delivery, delivery.lane), ""
        if fate is Fate.PARKED:
            who = "The sender" if delivery.problem else "The receiver"
            failure = f"{who} has to look at it; until then it waits, and what follows waits behind it."
        elif fate not in _OVER:
            fate = Fate.UNDER_WAY
        return Sent(
            system.partner.name,
            system.kind_label,
            what_of(delivery),
            fate,
            at=delivery.done_at,
            failure=failure,
            file=file_trace(delivery),
            stand_in=stand_in_of(delivery),
            lost=losses_of(delivery),
        )

    def received(
        self,
        event: SyncEvent,
        arrived: Sequence[Delivery],
        labels: Mapping[str, str],
        undoings: Mapping[int, Undoing],
    ) -> Entry:
        """What reached the own system of a change on the other side, from the deliveries alone."""
        side = self.by_side[arrived[0].lane.target_id].side
        sender = self.other(side).system
        entry = Entry(
            event_id=event.pk,
            at=event.happened_at,
            kind=SyncEvent.Kind.UPDATED,
            author="",
            partner=sender.partner.name,
            system=sender.kind_label,
            ticket="",
            is_own=False,
        )
        for delivery in arrived:
            envelope = delivery.envelope
            if delivery.operation == Delivery.Op.CREATE:
                entry.kind = SyncEvent.Kind.CREATED
            elif comment := envelope.get("comment"):
                entry.author = comment.get("author", "")
                entry.remarks.append(_remark(comment))
            elif file := envelope.get("file"):
                entry.files.append(_file(file, {}, is_own=False))
            else:
                entry.changes += field_changes(envelope.get("fields", {}), {}, labels)
            own = self.by_side[delivery.lane.target_id].side.system
            entry.sent.append(
                Sent(
                    own.partner.name,
                    own.name,
                    what_of(delivery),
                    Fate.DELIVERED,
                    at=delivery.done_at,
                    file=file_trace(delivery),
                    stand_in=stand_in_of(delivery),
                    lost=losses_of(delivery),
                    undo_id=_undo_id(delivery, undoings.get(delivery.pk)),
                    undoing=undoings.get(delivery.pk),
                )
            )
        return entry

    def _own_sides(self) -> list[int]:
        return [side_id for side_id, one in self.by_side.items() if self.owns(one.side)]

    def _deliveries(self) -> QuerySet[Delivery]:
        """Repairs and undoings are between the engine and one system; they tell a partner nothing."""
        found = Delivery.objects.filter(lane__linked_ticket=self.linked_ticket.pk)
        return found.exclude(operation__in=Delivery.OF_RECEIVER)


_OVER = {Fate.DELIVERED, Fate.OVERTAKEN, Fate.SKIPPED}
_FATES = {
    Delivery.State.DONE: Fate.DELIVERED,
    Delivery.State.SUPERSEDED: Fate.OVERTAKEN,
    Delivery.State.SKIPPED: Fate.SKIPPED,
}


def _fate(delivery: Delivery, lane: Lane) -> Fate:
    if delivery.state in _FATES:
        return _FATES[Delivery.State(delivery.state)]
    if lane.state == Lane.State.HELD:
        return Fate.HELD
    if delivery.number == lane.head and lane.state == Lane.State.PARKED:
        return Fate.PARKED
    # Those behind the head may have gone out with it.
    return Fate.VERIFYING if delivery.state == Delivery.State.SENT else Fate.WAITING


def decision_in(delivery: Delivery) -> str:
    """What a decision between two values has to do with a delivery; empty for most."""
    if delivery.envelope.get("decided"):
        return "both sides had changed it, and somebody decided which value stands"
    return "as somebody decided between two values" if delivery.origin.startswith("conflict:") else ""


def _undo_id(delivery: Delivery, undoing: Undoing | None) -> int | None:
    return delivery.pk if is_undoable(delivery) and not (undoing and undoing.is_moving) else None


def what_of(delivery: Delivery) -> str:
    """What a delivery carries, in a few words and without any value."""
    match delivery.operation:
        case Delivery.Op.CREATE:
            return "new ticket"
        case Delivery.Op.COMMENT:
            return "comment"
        case Delivery.Op.FILE:
            return f"file {delivery.envelope.get('file', {}).get('name', '')}".strip()
        case Delivery.Op.REPAIR:
            return "newer value put back"
        case Delivery.Op.REVERT:
            return "undo"
    names = delivery.envelope.get("fields", {})
    return ", ".join(name.replace("_", " ") for name in names) or "update"


def file_trace(delivery: Delivery) -> FileTrace | None:
    """What of a delivered file really travelled; None where nothing did, or where a lost answer took it along."""
    told = delivery.result.get("file") if delivery.state == Delivery.State.DONE else None
    if not told or stand_in_of(delivery):
        return None
    return FileTrace(str(told["sha256"]), int(told["size_bytes"]))


def losses_of(delivery: Delivery) -> tuple[str, ...]:
    """What the texts of a delivery lost on their way, a sentence each; the originals stand in their own system."""
    told = delivery.result.get("lost", {})
    if delivery.operation == Delivery.Op.COMMENT:
        return tuple(str(sentence) for sentences in told.values() for sentence in sentences)
    return tuple(
        f"{_readable(name)}: {sentence}" for name, sentences in sorted(told.items()) for sentence in sentences
    )


def stand_in_of(delivery: Delivery) -> StandIn | None:
    """Why a note stands in the place of a delivered file; None where the file itself does."""
    told = delivery.wanted.get("stand_in") if delivery.operation == Delivery.Op.FILE else None
    if not told or delivery.state != Delivery.State.DONE:
        return None
    return StandIn(str(told["code"]), str(told["message"]))


def field_labels(system: System) -> dict[str, str]:
    """How people know the system's fields, as far as it has told us."""
    return {one["name"]: one["label"] for one in system.metadata.get("fields", []) if one.get("label")}


def field_changes(
    after: Mapping[str, Value], before: Mapping[str, Value], labels: Mapping[str, str]
) -> list[FieldChange]:
    """What changed, in words, by the fields' names: PostgreSQL does not keep the order in which JSON was written."""
    found = []
    for name, value in after.items():
        old, new = text_of(before.get(name)), text_of(value)
        is_text = blocks.is_document(value) or max(len(old), len(new)) > SHORT
        if is_text:
            old, new = "", _beginning(new)
        found.append(FieldChange(labels.get(name) or _readable(name), old, new, is_text))
    return sorted(found, key=lambda change: change.label)


def _readable(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()


def _beginning(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHORT else text[: SHORT - 1].rstrip() + "…"


def _remark(
    comment: Mapping[str, Any],
    *,
    shows_text: bool = True,
    stayed: Mapping[str, str] | None = None,
    is_own: bool = True,
) -> Remark:
    author, stayed = comment.get("author", ""), stayed or {}
    if not shows_text:
        return Remark("", False, None)
    attachments = comment.get("attachments", ())
    body = comment.get("body")
    if stayed and not is_own:
        names = {str(file.get("name")) for file in attachments if file.get("id") in stayed}
        body = without_names(body, names.__contains__)
    return Remark(
        author=author if isinstance(author, str) else text_of(author),
        is_public=bool(comment.get("is_public")),
        body=blocks.from_value(body),
        files=tuple(_file(file, stayed, is_own=is_own) for file in attachments),
    )


def _left_company(comment: Mapping[str, Any], deliveries: Sequence[Delivery]) -> bool:
    """Whether others may read a comment: it is public, or the sender's rules released this very note."""
    if comment.get("is_public"):
        return True
    return any(one.envelope.get("comment", {}).get("body") == comment.get("body") for one in deliveries)


def _file(file: Mapping[str, Any], stayed: Mapping[str, str], *, is_own: bool) -> File:
    reason = stayed.get(str(file.get("id")), "")
    if reason and not is_own:
        return File("", stayed=reason)
    return File(str(file.get("name", "")), int(file.get("size_bytes") or 0), reason)


def _by_event(deliveries: Iterable[Delivery]) -> dict[int, list[Delivery]]:
    found: dict[int, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.event_id or 0, []).append(delivery)
    return found
