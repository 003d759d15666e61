"""Two tickets' histories as facts and sights, each in the receiver's own terms.  Pure: rules and values only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime

from integrations.canonical import Attachment, Change, ChangeKind, Value
from integrations.mapping.plan import receive, release, text_of
from integrations.mapping.rules import RuleSet
from integrations.richtext import blocks
from portal.drill.trace import COMMENT, FILE, Fact, Sight
from portal.evidence import comparable

# What the receiver's system will hold after a value is written to one of its fields.
Settle = Callable[[str, Value], Value]


def facts_of(
    changes: Iterable[Change],
    *,
    account_id: str,
    outgoing: RuleSet,
    incoming: RuleSet,
    settled: Settle,
    names: Collection[str],
) -> list[Fact]:
    """What people did to the sender's ticket, oldest first, as it has to show on the other side.

    `names` are the receiver's fields that are followed.  What our own account wrote is no fact: it came from there.
    """
    found: list[Fact] = []
    fields: dict[str, Value] = {}
    for change in changes:
        fields |= change.fields
        if change.actor.id == account_id:
            continue
        is_new = change.kind is ChangeKind.CREATED
        released = release(outgoing, fields, changed=None if is_new else list(change.fields))
        wanted = receive(incoming, released.fields, current={}, is_new=is_new)
        for name, value in wanted.fields.items():
            if name in names:
                held = comparable(settled(name, value))
                told = f"{name}: {text_of(value)}"
                found.append(Fact(change.at, change.actor.name, name, held, told))
        if not is_new:
            # What a ticket was opened with travels as its description.
            found += _additions(change, outgoing)
    return found


def sights_of(changes: Sequence[Change], *, account_id: str) -> list[Sight]:
    """Everything that the receiver's history shows, oldest first."""
    found: list[Sight] = []
    for change in changes:
        is_ours = change.actor.id == account_id
        found += [Sight(change.at, name, comparable(value), is_ours) for name, value in change.fields.items()]
        for comment in change.comments:
            text = blocks.from_value(comment.body).plain()
            found.append(Sight(comment.at, COMMENT, text, comment.author.id == account_id))
            found += [Sight(comment.at, FILE, file.name, is_ours) for file in comment.attachments]
        found += [Sight(change.at, FILE, file.name, is_ours) for file in change.attachments]
    return found


def _additions(change: Change, outgoing: RuleSet) -> Iterator[Fact]:
    who = change.actor.name
    for comment in change.comments:
        is_shared = (
            outgoing.shares_public_comments if comment.is_public else outgoing.shares_internal_comments
        )
        if not is_shared:
            continue
        text = blocks.from_value(comment.body).plain()
        yield Fact(comment.at, who, COMMENT, text, f"comment “{text}”")
        if outgoing.shares_files:
            yield from (_file(file, comment.at, who) for file in comment.attachments)
    if outgoing.shares_files:
        yield from (_file(file, change.at, who) for file in change.attachments)


def _file(file: Attachment, at: datetime, who: str) -> Fact:
    return Fact(at, who, FILE, file.name, f"file “{file.name}”")
