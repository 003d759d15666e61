"""Recognises our own writes when a system's history shows them again.  Pure.

Echo is judged per write and per link, never per account: an automation that runs under our account makes real
changes, and a write that came over one connection is news for every other one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from integrations.canonical import Attachment, Change, ChangeKind, Comment
from integrations.engine.values import OpenWrite
from integrations.richtext.blocks import is_document

# Longer after the first, the same words are somebody's own.
AGAIN_WITHIN = timedelta(hours=1)


@dataclass(slots=True)
class Attribution:
    """Which parts of a change are ours, by the write that caused them.  What is not here is somebody else's fact.

    `steps` names fields that a workflow has only brought on the way to what we wanted: ours, and nobody's news.
    `doubted` names those that hold what one write wanted and may be a step on the way of another one.
    """

    fields: dict[str, OpenWrite] = field(default_factory=dict)
    steps: set[str] = field(default_factory=set)
    doubted: set[str] = field(default_factory=set)
    comments: dict[str, OpenWrite] = field(default_factory=dict)
    attachments: dict[str, OpenWrite] = field(default_factory=dict)
    created_by: OpenWrite | None = None
    # Comments and files that a write of ours made a second time, and fields that it set again: nobody's news.
    again: dict[str, OpenWrite] = field(default_factory=dict)
    set_again: set[str] = field(default_factory=set)

    def writes(self) -> list[OpenWrite]:
        """Every write that was recognised, each once."""
        found = [*self.fields.values(), *self.comments.values(), *self.attachments.values()]
        if self.created_by:
            found.append(self.created_by)
        return list({write.delivery_id: write for write in found}.values())


def attribute(change: Change, writes: Sequence[OpenWrite], account_id: str) -> Attribution:
    """Find the writes that caused this change, the surest sign first.

    A change id or marker that the system gave back is proof.  Without one, a change under our account is matched by
    value: field and value, a comment's text, a file's name; of several candidates the newest stamp is taken.
    """
    found = Attribution()
    if change.kind is ChangeKind.CREATED:
        found.created_by = next((write for write in writes if write.creates), None)
        if found.created_by:
            found.fields = dict.fromkeys(change.fields, found.created_by)
            found.attachments = {file.id: found.created_by for file in change.attachments}
        return found
    proven = [write for write in writes if _is_proven(change, write)]
    is_ours = bool(proven) or not account_id or change.actor.id == account_id
    over = _ways_of(change, proven, writes)
    for name, value in change.fields.items():
        ours = [write for write in writes if is_ours and name in write.fields]
        ours = [write for write in ours if write.connection_id in over] or ours
        exact = [write for write in proven if name in write.fields]
        alike = [write for write in ours if write.fields[name] == value]
        # A workflow may need steps to the status that was wanted: until that is seen, they are part of our write.
        if candidates := exact or alike or ours:
            cause = max(candidates, key=lambda write: write.stamp)
            found.fields[name] = cause
            # No workflow leads to a text over other texts: it is ours as the system shows it, which may be with
            # people and pictures that our own model has no word for.
            if is_document(value):
                continue
            if cause.fields[name] != value:
                found.steps.add(name)
            elif not exact and any(write.fields[name] != value for write in ours):
                found.doubted.add(name)
    for comment in change.comments:
        if write := _comment_cause(comment, proven, writes, is_ours or comment.author.id == account_id):
            found.comments[comment.id] = write
    for attachment in change.attachments:
        if write := _file_cause(attachment, proven, writes, is_ours):
            found.attachments[attachment.id] = write
    return found


def _ways_of(change: Change, proven: Sequence[OpenWrite], writes: Sequence[OpenWrite]) -> set[int]:
    """The connections that a change of ours came over: what went out together went over one, under the first one's sign.

    Without a sign those that explain the most of its values; none where none explains more than one.
    """
    if proven:
        return {write.connection_id for write in proven}
    explained = {
        (write.connection_id, name)
        for write in writes
        for name, value in change.fields.items()
        if name in write.fields and write.fields[name] == value
    }
    counts = Counter(connection_id for connection_id, _ in explained)
    most = max(counts.values(), default=0)
    return {connection_id for connection_id, count in counts.items() if count == most} if most > 1 else set()


def may_be_again(changes: Sequence[Change], writes: Sequence[OpenWrite], account_id: str) -> bool:
    """Whether something here may be a second trace of a write that was seen before: then it takes knowing those."""
    markers, names = {write.marker for write in writes}, {write.file for write in writes}
    return any(
        change.marker not in markers
        if change.marker
        else any(all(write.comment != one.body for write in writes) for one in change.comments)
        or any(file.name not in names for file in change.attachments)
        for change in changes
        if account_id and change.actor.id == account_id
    )


def find_again(
    change: Change,
    found: Attribution,
    spent: Sequence[OpenWrite],
    writes: Sequence[OpenWrite],
    account_id: str,
) -> None:
    """Add to `found` what writes that have been seen already did once more: their system carried them out too late.

    Under our account alone.  The marker is proof; without one a comment with the same text or a file with the same
    name counts, if it comes within `AGAIN_WITHIN` of the first.
    """
    if not account_id or change.actor.id != account_id or change.kind is ChangeKind.CREATED:
        return
    known = [*spent, *writes]
    for comment in change.comments:
        if comment.id not in found.comments and (write := _first_of(change, known, text=comment.body)):
            found.again[comment.id] = write
    for file in change.attachments:
        if file.id not in found.attachments and (write := _first_of(change, known, name=file.name)):
            found.again[file.id] = write
    for write in spent if change.marker else ():
        if write.marker == change.marker:
            # What looks like a step of another write is none where the marker says whose it is.
            again = change.fields.keys() & write.fields.keys() - (found.fields.keys() - found.steps)
            found.fields |= dict.fromkeys(again, write)
            found.set_again |= again
            found.steps -= again


def find_behind(change: Change, found: Attribution, writes: Sequence[OpenWrite], account_id: str) -> None:
    """Add to `found` what a write did whose value had been seen before it, as a step on the way of another write.

    Two lanes write to one field at once, and a workflow leads the one through the other's value.  Without a marker the
    step is taken for the other write, which comes only after that: it was told of then, and is no news now.
    """
    if change.marker or not account_id or change.actor.id != account_id:
        return
    for name in change.fields.keys() - found.fields.keys():
        alike = [
            write for write in writes if name in write.behind and write.behind[name] == change.fields[name]
        ]
        if alike:
            found.fields[name] = max(alike, key=lambda write: write.stamp)
            found.set_again.add(name)


def _is_proven(change: Change, write: OpenWrite) -> bool:
    """Whether the system itself says that this write made the change."""
    return change.id in write.change_ids or bool(change.marker and change.marker == write.marker)


def _first_of(
    change: Change, known: Sequence[OpenWrite], *, text: Mapping | None = None, name: str = ""
) -> OpenWrite | None:
    for write in known:
        if change.marker:
            if write.marker == change.marker and (write.comment is not None or write.file):
                return write
        elif write.done_at is None or change.at - write.done_at <= AGAIN_WITHIN:
            if (text is not None and write.comment == text) or (name and write.file == name):
                return write
    return None


def remaining(write: OpenWrite, change: Change, found: Attribution) -> Mapping:
    """What of a write is still to be seen after this change, in the store's form; empty when all of it was."""
    fields = {
        name: value
        for name, value in write.fields.items()
        # A step on the way to the value is ours, but it is not yet what we wait to see.
        if not (name not in found.steps and _is_cause(found.fields.get(name), write))
    }
    saw_comment = any(cause.delivery_id == write.delivery_id for cause in found.comments.values())
    saw_file = any(cause.delivery_id == write.delivery_id for cause in found.attachments.values())
    created = found.created_by is not None and found.created_by.delivery_id == write.delivery_id
    left: dict = {}
    if fields and not created:
        left["fields"] = fields
        if over := {name: made_of.as_value() for name, made_of in write.over.items() if name in fields}:
            left["over"] = over
        if stood := {name: known for name, known in write.stood.items() if name in fields}:
            left["stood"] = stood
        if held := {name: value for name, value in write.held.items() if name in fields}:
            left["held"] = held
    if write.comment is not None and not saw_comment:
        left["comment"] = write.comment
    # Some systems show a file only as part of the comment that brought it.
    if write.file and not (saw_file or saw_comment):
        left["file"] = write.file
    if write.creates and not created:
        left["creates"] = True
    shown = {name for name, cause in found.fields.items() if _is_cause(cause, write)}
    behind = {name: value for name, value in write.behind.items() if name not in shown & found.set_again}
    behind |= {name: write.fields[name] for name in shown & found.doubted}
    if behind:
        left["behind"] = behind
    return left


def _is_cause(cause: OpenWrite | None, write: OpenWrite) -> bool:
    return cause is not None and cause.delivery_id == write.delivery_id


def _comment_cause(
    comment: Comment, proven: Sequence[OpenWrite], writes: Sequence[OpenWrite], is_ours: bool
) -> OpenWrite | None:
    for write in writes:
        if write.comment_id and write.comment_id == comment.id:
            return write
    for write in proven:
        if write.comment is not None or write.file:
            return write
    alike = [
        write
        for write in writes
        if is_ours and not write.comment_id and write.comment is not None and write.comment == comment.body
    ]
    return max(alike, key=lambda write: write.stamp, default=None)


def _file_cause(
    file: Attachment, proven: Sequence[OpenWrite], writes: Sequence[OpenWrite], is_ours: bool
) -> OpenWrite | None:
    for write in writes:
        if write.attachment_id and write.attachment_id == file.id:
            return write
    candidates = [write for write in (proven or writes) if is_ours and write.file == file.name]
    return max(candidates, key=lambda write: write.stamp, default=None)
