"""What a reading of a ticket's history means: events, winners, links and deliveries to plan.  Pure.

The history is the only source of order.  Our own writes are recognised in it, never inserted beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from integrations.canonical import Attachment, Change, ChangeKind, Comment, History, Value
from integrations.engine import acknowledgements, conflicts, echo, follow_ups, texts, undoing
from integrations.engine.answers import winners_told
from integrations.engine.values import (
    NO_STAMP,
    ConnectionView,
    DeliveryState,
    LinkState,
    OpenWrite,
    Operation,
    SideView,
    Stamp,
    TicketState,
    TicketView,
    Winner,
)
from integrations.mapping import plan as mapping
from integrations.mapping.files import FileRefusal
from integrations.mapping.rules import RuleSet

# A fact does not travel further than this many systems.
MAX_HOPS = 8
# A finished write that the history does not show this long after it was done left no trace there: it changed nothing.
TRACE_GRACE_S = 60


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A change to be stored, and the delivery that caused it when all of it is ours."""

    change: Change
    position: int
    caused_by: int | None
    # A comment or file that was there already: its system carried a request of ours out once more.
    is_double: bool = False


@dataclass(frozen=True, slots=True)
class LinkKey:
    """A linked ticket by its key, or a new one by the connection it begins in."""

    connection_id: int
    linked_ticket_id: int | None


@dataclass(frozen=True, slots=True)
class NewLink:
    """A linked ticket to be made: this ticket stands on `side_id`."""

    connection_id: int
    side_id: int
    other_side_id: int


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery to be queued at the end of its lane.  `position` is that of its event."""

    link: LinkKey
    target_side_id: int
    operation: Operation
    position: int
    origin: str
    stamp: Stamp
    hops: int
    envelope: Mapping
    problem: Mapping = field(default_factory=dict)
    outgoing_id: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A change that is a fact of this side of a link, in the words of the data dictionary."""

    link: LinkKey
    side_id: int
    position: int
    values: Mapping[str, Value]
    public_comments: int


@dataclass(frozen=True, slots=True)
class NewWithheld:
    """A file that the sender's rules did not let leave over one link."""

    link: LinkKey
    position: int
    file: Attachment
    refusal: FileRefusal
    outgoing_id: int | None


@dataclass(slots=True)
class ReadingPlan:
    """Everything that has to be stored together with the new cursor."""

    cursor: str
    actual: dict[str, Value]
    winners: dict[str, Winner]
    event_count: int
    opened_at: datetime | None = None
    changed_at: datetime | None = None
    is_gone: bool = False
    events: list[NewEvent] = field(default_factory=list)
    new_links: list[NewLink] = field(default_factory=list)
    deliveries: list[NewDelivery] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    withheld: list[NewWithheld] = field(default_factory=list)
    # Per delivery what its ticket's history has still to show.
    unseen: dict[int, Mapping] = field(default_factory=dict)


@dataclass(slots=True)
class _Link:
    """A link while planning: an existing one or one that begins in this reading."""

    key: LinkKey
    here: SideView
    there: SideView


def plan_reading(view: TicketView, history: History, *, started_at: datetime) -> ReadingPlan:
    """Judge the changes one after the other, as the system ordered them.  May be repeated: it only computes."""
    ticket = view.ticket
    plan = ReadingPlan(
        cursor=history.cursor,
        actual=dict(ticket.actual),
        winners=dict(ticket.winners),
        event_count=ticket.event_count,
        is_gone=ticket.is_gone,
    )
    links = [_existing(view, link) for link in view.links]
    writes = {write.delivery_id: write for write in view.open_writes}
    spent = list(view.spent)
    for change in history.changes:
        _judge(view, plan, links, writes, spent, change)
    for write in () if history.has_more else writes.values():
        # What is not on this page may be on the next one.
        if _left_no_trace(write, started_at):
            plan.unseen[write.delivery_id] = {}
    return plan


def _existing(view: TicketView, link: LinkState) -> _Link:
    connection = next(one for one in view.connections if one.id == link.connection_id)
    key = LinkKey(link.connection_id, link.linked_ticket_id)
    return _Link(key, connection.side(link.side_id), connection.side(link.other_side_id))


def _judge(
    view: TicketView,
    plan: ReadingPlan,
    links: list[_Link],
    writes: dict[int, OpenWrite],
    spent: list[OpenWrite],
    change: Change,
) -> None:
    found = echo.attribute(change, list(writes.values()), view.account_id)
    echo.find_again(change, found, spent, list(writes.values()), view.account_id)
    echo.find_behind(change, found, list(writes.values()), view.account_id)
    position = plan.event_count + 1
    plan.event_count = position
    plan.changed_at = change.at if plan.changed_at is None else max(plan.changed_at, change.at)
    if change.kind is ChangeKind.CREATED:
        plan.opened_at = change.at
    plan.is_gone = change.kind is ChangeKind.DELETED or (
        plan.is_gone and change.kind is not ChangeKind.RESTORED
    )

    stamp = _stamp(view.ticket.system_id, plan.winners, change, found)
    if follow_ups.is_its_beginning(view.ticket, change):
        plan.actual.update(change.fields)
        # What it took over from the closed one is as old as it was there; whatever else is delivered to it is newer.
        known = plan.winners
        plan.winners = {
            name: known[name] if name in known and known[name].value == value else Winner(value, NO_STAMP)
            for name, value in change.fields.items()
        }
        plan.events.append(NewEvent(change, position, None))
        return
    before = {name: plan.actual.get(name) for name in change.fields}
    stood = {name: plan.winners[name].stamp for name in change.fields if name in plan.winners}
    repairs = _settle_fields(plan, change, found, stamp)
    news = _News(view.ticket, change, found, stamp, position, before, stood)
    for link in links:
        _plan_link(plan, link, news)
        for name, cause in found.fields.items():
            if name in repairs:
                # In every lane to this ticket: where a newer change stands by then, each other side is told of it.
                plan.deliveries.append(_repair(plan, link, news, name, repairs[name]))
            if cause.connection_id != link.key.connection_id:
                continue
            if name in repairs or (name in cause.over and cause.over[name].stamp > cause.stamp):
                # The sender has something else than what stands here, or will.
                plan.deliveries += _answers(plan, link, news, cause, {name: plan.winners[name]})
            if name in repairs and (again := conflicts.asked_again(cause, name)):
                plan.deliveries.append(_asked_again(link, news, cause, again))
    for link in _beginning(view, plan, links):
        links.append(link)
        plan.new_links.append(NewLink(link.key.connection_id, link.here.id, link.there.id))
        _plan_creation(plan, link, news)

    for write in found.writes():
        if write.delivery_id not in writes:
            continue
        left = echo.remaining(write, change, found)
        plan.unseen[write.delivery_id] = left
        if left:
            writes[write.delivery_id] = _reduced(write, left)
        else:
            spent.append(writes.pop(write.delivery_id))
    plan.events.append(NewEvent(change, position, news.sole_cause(), is_double=bool(found.again)))


def _stamp(system_id: int, winners: Mapping[str, Winner], change: Change, found: echo.Attribution) -> Stamp:
    """Newer than everything it builds on, even when the source's clock is behind."""
    known = [winners[name].stamp.ms for name in change.fields if name in winners and name not in found.fields]
    return Stamp(max([int(change.at.timestamp() * 1000), *(ms + 1 for ms in known)]), system_id)


def _settle_fields(
    plan: ReadingPlan, change: Change, found: echo.Attribution, stamp: Stamp
) -> dict[str, Winner]:
    """Take over values and stamps; return the winners that an older write of ours has covered."""
    repairs: dict[str, Winner] = {}
    for name, value in change.fields.items():
        cause = found.fields.get(name)
        before, plan.actual[name] = plan.actual.get(name), value
        if name in found.steps:
            # On the way to what we wrote: what should stand is decided when it is there.
            continue
        if cause is None:
            plan.winners[name] = Winner(value, stamp)
        elif found.created_by is cause:
            # Our new ticket shows what it made of our fields.  What differs, and what the system filled in by
            # itself, must give way to the delivery that is still at work on it.
            is_settled = name in cause.fields and cause.fields[name] == value
            plan.winners[name] = Winner(value, cause.stamp if is_settled else NO_STAMP)
        elif name in cause.over:
            covered = Winner(before, plan.winners[name].stamp if name in plan.winners else NO_STAMP)
            written = Winner(value, cause.stamp)
            made_of = cause.over[name]
            plan.winners[name] = texts.with_covered(
                written, covered, made_of=made_of, system_id=stamp.system_id
            )
            if plan.winners[name].value != value:
                repairs[name] = plan.winners[name]
        elif edit := conflicts.covered(cause, name, plan.winners.get(name), value, stamp.system_id):
            plan.winners[name] = repairs[name] = edit
        elif name in plan.winners and cause.stamp < plan.winners[name].stamp:
            repairs[name] = plan.winners[name]
        elif name in cause.held:
            plan.winners[name] = undoing.with_covered(
                Winner(value, cause.stamp),
                plan.winners.get(name),
                expected=cause.held[name],
                system_id=stamp.system_id,
            )
            if plan.winners[name].value != value:
                repairs[name] = plan.winners[name]
        else:
            plan.winners[name] = Winner(value, cause.stamp)
    return repairs


@dataclass(frozen=True, slots=True)
class _News:
    """One change on its way to the links of its ticket."""

    ticket: TicketState
    change: Change
    found: echo.Attribution
    stamp: Stamp
    position: int
    # What the fields that changed held until then.
    before: Mapping[str, Value]
    # And with which stamps.
    stood: Mapping[str, Stamp]

    def sole_cause(self) -> int | None:
        """The delivery that caused the whole change, if one did."""
        causes = [*self.found.writes(), *self.found.again.values()]
        parts = len(self.change.fields) + len(self.change.comments) + len(self.change.attachments)
        ours = len(self.found.fields) + len(self.found.comments) + len(self.found.attachments)
        ours += len(self.found.again)
        return causes[0].delivery_id if causes and ours == parts else None

    def origin(self, part: str) -> str:
        """The name of one fact of this change, the same in every system it reaches."""
        return f"{self.ticket.system_id}:{self.ticket.remote_id}:{self.change.id}:{part}"


def _plan_link(plan: ReadingPlan, link: _Link, news: _News) -> None:
    """Queue for one link what is news to it: everything but what came over this very link."""
    change, found, connection_id = news.change, news.found, link.key.connection_id
    fresh: dict[tuple[int, str], list[str]] = {}
    causes: dict[tuple[int, str], OpenWrite] = {}
    for name in change.fields:
        cause = found.fields.get(name)
        if name not in (found.steps | found.set_again) and (
            cause is None or cause.connection_id != connection_id
        ):
            # Parts of one write stay together, but for merged texts, whose stamps are their own; what is nobody's
            # write of ours goes under no key.
            key = (cause.delivery_id if cause else 0, name if cause and name in cause.over else "")
            fresh.setdefault(key, []).append(name)
            if cause:
                causes[key] = cause
    for key, names in fresh.items():
        _plan_fields(plan, link, news, names, causes.get(key))
    public = 0
    for comment in change.comments:
        cause = found.comments.get(comment.id)
        if comment.id not in found.again and (cause is None or cause.connection_id != connection_id):
            _plan_comment(plan, link, news, comment, cause)
            public += comment.is_public and cause is None
    for file in change.attachments:
        cause = found.attachments.get(file.id)
        if file.id not in found.again and (cause is None or cause.connection_id != connection_id):
            _plan_file(plan, link, news, file, cause, is_public=True)
    own = {name: change.fields[name] for name in change.fields if name not in found.fields}
    if own or public:
        values = _dictionary_values(link.here.outgoing, own)
        plan.seen.append(Seen(link.key, link.here.id, news.position, values, public))


def _plan_fields(
    plan: ReadingPlan, link: _Link, news: _News, names: Sequence[str], cause: OpenWrite | None
) -> None:
    if _goes_no_further(cause):
        return
    mapped = mapping.release(link.here.outgoing, plan.actual, changed=names)
    if not mapped.fields and not mapped.problem:
        return
    plan.deliveries.append(
        NewDelivery(
            link=link.key,
            target_side_id=link.there.id,
            operation=Operation.UPDATE,
            position=news.position,
            origin=cause.origin if cause else news.origin("fields"),
            stamp=_stamp_on(cause, names) if cause else news.stamp,
            hops=cause.hops + 1 if cause else 1,
            envelope={
                "fields": mapped.fields,
                "changed": list(names),
                **texts.released_bases(
                    link.here.outgoing, {**plan.actual, **news.before}, mapped.fields, changed=names
                ),
                **conflicts.seen_by_change(
                    link.here,
                    link.there,
                    mapped.fields,
                    {**plan.actual, **news.before},
                    _stood_before(plan, news),
                    changed=names,
                ),
            },
            problem=mapped.problem.as_value() if mapped.problem else {},
            outgoing_id=link.here.outgoing.id,
        )
    )


def _stood_before(plan: ReadingPlan, news: _News) -> dict[str, Stamp]:
    """The stamps of the whole ticket until the change."""
    now = {name: winner.stamp for name, winner in plan.winners.items() if name not in news.change.fields}
    return {**now, **news.stood}


def _stamp_on(cause: OpenWrite, names: Sequence[str]) -> Stamp:
    """With which stamp parts of a write of ours travel on."""
    return max([cause.stamp, *(cause.over[name].stamp for name in names if name in cause.over)])


def _plan_comment(
    plan: ReadingPlan, link: _Link, news: _News, comment: Comment, cause: OpenWrite | None
) -> None:
    rules = link.here.outgoing
    is_shared = rules.shares_public_comments if comment.is_public else rules.shares_internal_comments
    if not is_shared or _goes_no_further(cause):
        return
    withheld = [file.name for file in comment.attachments if _withholds(rules, file)]
    envelope = {
        "body": mapping.without_withheld(rules, {"body": comment.body}, withheld=withheld)["body"],
        "is_public": comment.is_public,
        "author": comment.author.name or comment.author.email,
        "at": comment.at.isoformat(),
    }
    if cause is not None:
        # Our own account wrote it here, and the line above it tells already who said it.
        envelope["is_relayed"] = True
    part = f"comment:{comment.id}"
    plan.deliveries.append(_addition(link, news, Operation.COMMENT, {"comment": envelope}, part, cause))
    for file in comment.attachments:
        _plan_file(plan, link, news, file, cause, is_public=comment.is_public)


def _plan_file(
    plan: ReadingPlan, link: _Link, news: _News, file: Attachment, cause: OpenWrite | None, *, is_public: bool
) -> None:
    if _goes_no_further(cause):
        return
    rules = link.here.outgoing
    if refusal := _withholds(rules, file):
        plan.withheld.append(NewWithheld(link.key, news.position, file, refusal, rules.id))
        return
    envelope = {
        "id": file.id,
        "name": file.name,
        "content_type": file.content_type,
        "size_bytes": file.size_bytes,
        "locator": file.locator,
        "is_public": is_public,
    }
    plan.deliveries.append(
        _addition(link, news, Operation.FILE, {"file": envelope}, f"file:{file.id}", cause)
    )


def _withholds(rules: RuleSet, file: Attachment) -> FileRefusal | None:
    return rules.withholds(name=file.name, content_type=file.content_type, size_bytes=file.size_bytes)


def _addition(
    link: _Link, news: _News, operation: Operation, envelope: Mapping, part: str, cause: OpenWrite | None
) -> NewDelivery:
    return NewDelivery(
        link=link.key,
        target_side_id=link.there.id,
        operation=operation,
        position=news.position,
        origin=cause.origin if cause else news.origin(part),
        stamp=cause.stamp if cause else news.stamp,
        hops=cause.hops + 1 if cause else 1,
        envelope=envelope,
        outgoing_id=link.here.outgoing.id,
    )


def _repair(plan: ReadingPlan, link: _Link, news: _News, name: str, winner: Winner) -> NewDelivery:
    """Put the newer value back on this very ticket: the lane towards our own side of the link."""
    return NewDelivery(
        link=link.key,
        target_side_id=link.here.id,
        operation=Operation.REPAIR,
        position=news.position,
        origin=news.origin(f"repair:{name}"),
        stamp=winner.stamp,
        hops=1,
        envelope={
            "fields": {name: winner.value},
            **texts.as_bases({name: plan.actual[name]}, {name: winner.value}),
        },
    )


def _answers(
    plan: ReadingPlan, link: _Link, news: _News, cause: OpenWrite, winners: Mapping[str, Winner]
) -> list[NewDelivery]:
    """Tell the sender of the older value which newer one it has covered: that may be news over there."""
    has_decided = any(name in cause.stood for name in winners)
    return [
        NewDelivery(
            link=link.key,
            target_side_id=link.there.id,
            operation=Operation.UPDATE,
            position=news.position,
            origin=cause.origin,
            stamp=answer.stamp,
            hops=1,
            envelope=answer.envelope,
            problem=answer.problem,
            outgoing_id=answer.outgoing_id,
        )
        for answer in winners_told(
            *(link.here, link.there, plan.actual, winners),
            answered=cause.stamp if has_decided else NO_STAMP,
        )
    ]


def _asked_again(link: _Link, news: _News, cause: OpenWrite, envelope: Mapping) -> NewDelivery:
    """A change of the other side that was written over an edit of here: once that is put back, a person decides."""
    return NewDelivery(
        link=link.key,
        target_side_id=link.here.id,
        operation=Operation.UPDATE,
        position=news.position,
        origin=cause.origin,
        stamp=cause.stamp,
        hops=cause.hops,
        envelope=envelope,
    )


def _beginning(view: TicketView, plan: ReadingPlan, links: Sequence[_Link]) -> list[_Link]:
    """Links that begin with the ticket as it now stands: the side starts tickets and its trigger holds."""
    if view.ticket.is_followed or view.ticket.is_twin:
        # The matter goes on in another ticket, or stands in another already.
        return []
    linked = {link.key.connection_id for link in links}
    found = []
    for connection in view.connections:
        side = connection.side_in(view.ticket.system_id)
        if side is None or connection.id in linked or plan.is_gone:
            continue
        if connection.collects and side.starts and trigger_holds(side.trigger, plan.actual):
            found.append(_Link(LinkKey(connection.id, None), side, _opposite(connection, side)))
    return found


def _opposite(connection: ConnectionView, side: SideView) -> SideView:
    return connection.other(side.id)


def trigger_holds(trigger: Mapping[str, Sequence[str]], fields: Mapping[str, Value]) -> bool:
    """Whether every named field has one of its listed values; a list of labels needs one of them."""
    for name, allowed in trigger.items():
        value = fields.get(name)
        held = (
            {mapping.text_of(one) for one in value} if isinstance(value, list) else {mapping.text_of(value)}
        )
        if not held & set(allowed):
            return False
    return True


def _plan_creation(plan: ReadingPlan, link: _Link, news: _News) -> None:
    """The first delivery of a new link: the whole ticket as it stands, its files and this change's comments after."""
    cause = news.found.created_by or next(iter(news.found.writes()), None)
    mapped = mapping.release(link.here.outgoing, plan.actual)
    stamp = max((winner.stamp for winner in plan.winners.values()), default=news.stamp)
    plan.deliveries.append(
        NewDelivery(
            link=link.key,
            target_side_id=link.there.id,
            operation=Operation.CREATE,
            position=news.position,
            origin=news.origin("ticket"),
            stamp=stamp,
            hops=cause.hops + 1 if cause else 1,
            envelope={"fields": mapped.fields},
            problem=mapped.problem.as_value() if mapped.problem else {},
            outgoing_id=link.here.outgoing.id,
        )
    )
    public = 0
    for comment in news.change.comments:
        _plan_comment(plan, link, news, comment, None)
        public += comment.is_public
    for file in news.change.attachments:
        _plan_file(plan, link, news, file, None, is_public=True)
    values = _dictionary_values(link.here.outgoing, plan.actual)
    plan.seen.append(Seen(link.key, link.here.id, news.position, values, public))


def _dictionary_values(outgoing: RuleSet, fields: Mapping[str, Value]) -> Mapping[str, Value]:
    """What changed, in shared words; a value that no rule knows is left out here and stops the lane there."""
    return mapping.release(outgoing, fields).fields if fields else {}


def _goes_no_further(cause: OpenWrite | None) -> bool:
    """Whether what a write of ours left here stays here: it has travelled far enough, or was for this ticket alone."""
    return cause is not None and (cause.hops >= MAX_HOPS or acknowledgements.is_word(cause.origin))


def _left_no_trace(write: OpenWrite, started_at: datetime) -> bool:
    if write.state is not DeliveryState.DONE or write.done_at is None:
        return False
    return (started_at - write.done_at).total_seconds() > TRACE_GRACE_S


def _reduced(write: OpenWrite, left: Mapping) -> OpenWrite:
    return replace(
        write,
        creates=bool(left.get("creates")),
        fields=left.get("fields", {}),
        comment=left.get("comment"),
        file=left.get("file", ""),
        behind=left.get("behind", {}),
    )
