"""A work item's updates made into its history.  Pure but for the people it meets.

Updates are numbered; most make a revision, but a link to another work item changes none, and an update can have the
revision of the one before.  A change goes by its revision's number, because that is what a write is answered with.
https://learn.microsoft.com/rest/api/azure/devops/wit/updates/list
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from integrations.canonical import Attachment, Change, ChangeKind, Comment, Person, Value
from integrations.connectors import errors
from integrations.connectors.azure_devops import fields, files, texts, times
from integrations.connectors.azure_devops.cursors import HistoryCursor
from integrations.connectors.azure_devops.fields import Reader, our_name

HISTORY = "System.History"
TYPE = "System.WorkItemType"
IS_DELETED = "System.IsDeleted"


@dataclass(frozen=True, slots=True)
class Step:
    """One update: its number, the revision it led to, who and when, and what it says of fields and links."""

    id: int
    rev: int
    makes_revision: bool
    at: datetime
    by: Person
    fields: Mapping[str, Mapping[str, object]]
    added: Sequence[dict]

    @property
    def change_id(self) -> str:
        """Its place in the ticket's history."""
        return str(self.rev) if self.makes_revision else f"{self.rev}.{self.id}"

    @property
    def text(self) -> str:
        """The comment in it, as it was written; "" for none."""
        found = self.new(HISTORY)
        return found if isinstance(found, str) else ""

    def new(self, reference: str) -> object:
        """The value a field has got; None for a field that was emptied or did not change."""
        return self.fields.get(reference, {}).get("newValue")

    def old(self, reference: str) -> object:
        """The value a field had before."""
        return self.fields.get(reference, {}).get("oldValue")


@dataclass(frozen=True, slots=True)
class Page:
    """Updates after a cursor, and the cursor after them."""

    steps: tuple[Step, ...]
    cursor: HistoryCursor


def read_page(
    records: Sequence[dict], cursor: HistoryCursor, meet: Callable[[object], Person]
) -> Page | None:
    """The updates that follow the cursor.  None when they do not begin where the cursor says: then read them all."""
    ordered = sorted(((_number(one, "id"), one) for one in records), key=lambda pair: pair[0])
    if cursor.update:
        if not ordered or ordered[0][0] != cursor.update:
            return None
        ordered = ordered[1:]
    return _page([one for _, one in ordered], cursor, meet)


def read_all(records: Sequence[dict], cursor: HistoryCursor, meet: Callable[[object], Person]) -> Page:
    """The updates after the cursor out of all there are."""
    ordered = sorted(((_number(one, "id"), one) for one in records), key=lambda pair: pair[0])
    seen = [one for number, one in ordered if number <= cursor.update]
    start = HistoryCursor(cursor.update, len(seen), cursor.rev, cursor.type)
    return _page([one for number, one in ordered if number > cursor.update], start, meet)


def _page(records: Iterable[dict], cursor: HistoryCursor, meet: Callable[[object], Person]) -> Page:
    steps: list[Step] = []
    rev, at, type_ = cursor.rev, None, cursor.type
    for record in records:
        step = _step(record, rev, at, meet)
        steps.append(step)
        rev, at = step.rev, step.at
        found = step.new(TYPE)
        type_ = found if isinstance(found, str) else type_
    last = steps[-1].id if steps else cursor.update
    return Page(tuple(steps), HistoryCursor(last, cursor.count + len(steps), rev, type_))


def _step(
    record: dict, rev_before: int, at_before: datetime | None, meet: Callable[[object], Person]
) -> Step:
    rev = _number(record, "rev")
    raw = record.get("fields")
    held = {
        str(name): one
        for name, one in (raw.items() if isinstance(raw, dict) else ())
        if isinstance(one, dict)
    }
    relations = record.get("relations")
    added = relations.get("added") if isinstance(relations, dict) else None
    return Step(
        _number(record, "id"),
        rev,
        rev != rev_before,
        _time(record, held, at_before),
        meet(record.get("revisedBy") or held.get("System.ChangedBy", {}).get("newValue")),
        held,
        [one for one in added if isinstance(one, dict)] if isinstance(added, list) else [],
    )


def _time(record: dict, held: Mapping[str, Mapping[str, object]], before: datetime | None) -> datetime:
    """When it happened.

    `revisedDate` tells when the revision was followed by the next one, and the year 9999 for the newest: the last
    resort, for changes of links alone.
    """
    for reference in ("System.ChangedDate", "System.AuthorizedDate", "System.CreatedDate"):
        if at := times.time_of(held.get(reference, {}).get("newValue")):
            return at
    links = record.get("relations")
    for one in (
        links.get("added", ()) if isinstance(links, dict) and isinstance(links.get("added"), list) else ()
    ):
        attributes = one.get("attributes") if isinstance(one, dict) else None
        found = times.time_of(attributes.get("resourceCreatedDate")) if isinstance(attributes, dict) else None
        if found:
            return found
    at = before or times.time_of(record.get("revisedDate"))
    if at is None:
        # A change of links that is read on its own: only its place is known, and that comes from the list.
        return times.LONG_AGO
    return at


def changes(
    page: Page, start: HistoryCursor, reader: Reader, comments: Mapping[int, Comment | None]
) -> tuple[Change, ...]:
    """The history that updates tell; those that say nothing to us are left out.

    `comments` holds the comment of each revision that has one, None where it was taken away since.
    """
    found: list[Change] = []
    type_ = start.type
    for index, step in enumerate(page.steps):
        new_type = step.new(TYPE)
        type_ = new_type if isinstance(new_type, str) else type_
        is_first = index == 0 and not start.update
        change = _change(step, type_, reader, comments, is_first=is_first)
        if (
            is_first
            or change.fields
            or change.comments
            or change.attachments
            or change.kind is not ChangeKind.UPDATED
        ):
            found.append(change)
    return tuple(found)


def _change(
    step: Step, type_: str, reader: Reader, comments: Mapping[int, Comment | None], *, is_first: bool
) -> Change:
    values, before = _values(step, type_, reader, is_first=is_first)
    comment = comments.get(step.rev) if step.text and step.makes_revision else None
    attached = fields.attachments_of(list(step.added))
    return Change(
        step.change_id,
        step.at,
        step.by,
        _kind(step, is_first=is_first),
        values,
        before,
        (comment,) if comment else (),
        attached,
        _marker(step),
    )


def _values(
    step: Step, type_: str, reader: Reader, *, is_first: bool
) -> tuple[dict[str, Value], dict[str, Value]]:
    ticket_type = reader.process.type(type_)
    values: dict[str, Value] = {}
    before: dict[str, Value] = {}
    for reference in step.fields:
        if not (name := our_name(reference, ticket_type)):
            continue
        value, old = reader.value(name, step.new(reference)), reader.value(name, step.old(reference))
        if is_first and value in (None, []):
            continue
        if not is_first and value == old:
            # Our marker among the tags, a text that was written anew in the same words.
            continue
        values[name] = value
        if not is_first:
            before[name] = old
    if "status" in values:
        for name in fields.REASONS:
            values.pop(name, None)
            before.pop(name, None)
    return values, before


def _kind(step: Step, *, is_first: bool) -> ChangeKind:
    if is_first:
        return ChangeKind.CREATED
    if step.new(IS_DELETED) is True:
        return ChangeKind.DELETED
    return ChangeKind.RESTORED if step.old(IS_DELETED) is True else ChangeKind.UPDATED


def _marker(step: Step) -> str:
    """The marker we planted with the write that made this step: in a comment, a file's link, or the tags."""
    if marker := texts.marker_in(step.text):
        return marker
    for link in step.added:
        if marker := files.marker_of(link):
            return marker
    new, old = fields.marker_in_tags(step.new(fields.TAGS)), fields.marker_in_tags(step.old(fields.TAGS))
    return new if new != old else ""


def attachments(steps: Iterable[Step]) -> list[Attachment]:
    """The files that these steps added."""
    return [file for step in steps for file in fields.attachments_of(list(step.added))]


def _number(record: dict, name: str) -> int:
    found = record.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise errors.Garbled(f"An update of a work item has no {name}.")
    return found
