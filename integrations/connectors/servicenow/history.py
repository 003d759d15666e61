"""The audit, the journal and the files of one record made into its history, and the cursor after it.  Pure.

Updates are numbered by ServiceNow itself: `sys_mod_count` of the record, `record_checkpoint` in the audit.  That number
is their order and their id.  Comments and files have no number; they stand by their time, and the cursor keeps which of
the last minutes are known.

The audit may lack what happened: a table or field that is not audited, rows that our account may not see, rows that
become visible a moment later than the record.  So the cursor also keeps a mark of each field's value.  Where the record
holds something else than the audit led to, that difference is the update with the record's number; an audit row that
comes later for a number already told is left out.  Without any audit, order is as fine as the reading.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from integrations.canonical import Attachment, Change, ChangeKind, Comment, Value
from integrations.connectors.servicenow import fields, records, texts
from integrations.connectors.servicenow.demands import JOURNALS
from integrations.connectors.servicenow.fields import Shapes
from integrations.connectors.servicenow.people import Directory

# How long an entry may stay invisible while younger ones can be seen.
WINDOW = timedelta(minutes=5)
CREATED = "created"
UPDATE, ENTRY, FILE = "update:", "entry:", "file:"
PUBLIC = "comments"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a history was read to: the number of the last update told, a mark of each field's value then, the time
    of the newest entry or file, and which of the window before it are known.
    """

    number: int = -1
    at: datetime | None = None
    seen: frozenset[str] = frozenset()
    marks: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The form that is stored."""
        at = self.at.isoformat() if self.at else ""
        value = {"number": self.number, "at": at, "seen": sorted(self.seen), "marks": dict(self.marks)}
        return json.dumps(value, separators=(",", ":"))

    @property
    def since(self) -> datetime | None:
        """From when on entries and files have to be asked for."""
        return self.at - WINDOW if self.at else None


def read_cursor(text: str) -> Cursor:
    """A stored cursor; one that cannot be read means from the beginning, which repeats changes and loses none."""
    try:
        value = json.loads(text or "{}")
        at = records.time_of(value["at"])
        marks = {str(name): str(mark) for name, mark in value["marks"].items()}
        if at is None or not isinstance(value["number"], int):
            return Cursor()
        return Cursor(value["number"], at, frozenset(str(one) for one in value["seen"]), marks)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Cursor()


@dataclass(frozen=True, slots=True)
class Told:
    """What ServiceNow told about a record: itself, its audit after the cursor, its entries and files since then."""

    table: str
    record: Mapping[str, object]
    audit: Sequence[dict]
    journal: Sequence[dict]
    files: Sequence[dict]

    @property
    def number(self) -> int:
        """How often the record was updated."""
        return max(records.count(records.raw(self.record, "sys_mod_count")), 0)


@dataclass(slots=True)
class _Update:
    """One update as the audit tells it.  `more` sets apart what came to light after its number was told."""

    number: int
    at: datetime
    user_name: str
    more: str = ""
    after: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)


def actors(told: Told) -> list[str]:
    """The user names of everybody who acted."""
    record = told.record
    names = [records.raw(record, name) for name in ("sys_created_by", "sys_updated_by")]
    names += [_actor(row) for row in told.audit]
    return [*names, *(records.raw(one, "sys_created_by") for one in (*told.journal, *told.files))]


def people_ids(shapes: Shapes, told: Told) -> list[str]:
    """The ids of everybody and every group that a value names."""
    forms = (fields.Form.PERSON, fields.Form.GROUP)
    ids = fields.people_ids(shapes, told.record)
    for row in told.audit:
        shape = shapes.get(records.raw(row, "fieldname"))
        if shape is not None and shape.form in forms:
            ids += [records.raw(row, "oldvalue"), records.raw(row, "newvalue")]
    return [one for one in ids if one]


def read_history(
    told: Told, cursor: Cursor, shapes: Shapes, directory: Directory
) -> tuple[tuple[Change, ...], Cursor]:
    """The changes after `cursor`, oldest first, and the cursor after them."""
    updates = _updates(told.audit, shapes, cursor.number)
    held = {
        name: fields.normal(shape, records.raw(told.record, name))
        for name, shape in shapes.items()
        if name in told.record
    }
    marks = _complete(told, cursor, updates, held)
    writer = _Writer(told.table, shapes, directory)
    found = [((one.at, 1, one.number, ""), writer.update(one)) for one in updates if one.after]
    places = _places(told.audit)
    # Where an update and its comment were written together, the comment follows.
    for row in told.journal:
        if (change := writer.entry(row)).id not in cursor.seen:
            number = places.get((records.raw(row, "element"), records.raw(row, "value").strip()), 0)
            found.append(((change.at, 2, number, change.id), change))
    for row in told.files:
        if (change := writer.file(row)).id not in cursor.seen:
            found.append(((change.at, 3, 0, change.id), change))
    found.sort(key=lambda one: one[0])
    changes = [change for _, change in found]
    if cursor.number < 0:
        changes.insert(0, writer.created(told.record, _first_values(held, updates)))
    return tuple(changes), _after(told, cursor, updates, marks)


def _after(told: Told, cursor: Cursor, updates: Sequence[_Update], marks: Mapping[str, str]) -> Cursor:
    rows = [*((ENTRY, row) for row in told.journal), *((FILE, row) for row in told.files)]
    times = {
        prefix + records.raw(row, "sys_id"): records.time_in(row, "sys_created_on") for prefix, row in rows
    }
    at = max(
        [records.time_in(told.record, "sys_created_on"), *times.values(), *([cursor.at] if cursor.at else [])]
    )
    seen = frozenset(id_ for id_, written_at in times.items() if written_at >= at - WINDOW)
    number = max([told.number, cursor.number, *(one.number for one in updates)])
    return Cursor(number, at, seen, marks)


def _updates(rows: Iterable[dict], shapes: Shapes, after: int) -> list[_Update]:
    """The audit's rows as updates with a number, those after the given one, in order."""
    found: dict[int, _Update] = {}
    for row in rows:
        number, at = (
            records.count(records.raw(row, "record_checkpoint")),
            records.time_of(records.raw(row, "sys_created_on")),
        )
        name = records.raw(row, "fieldname")
        # Number 0 is the creation, which some instances audit as well.
        if number <= max(after, 0) or at is None:
            continue
        update = found.setdefault(number, _Update(number, at, _actor(row)))
        if name in shapes:
            update.after[name] = fields.normal(shapes[name], records.raw(row, "newvalue"))
            update.before.setdefault(name, fields.normal(shapes[name], records.raw(row, "oldvalue")))
    updates = [found[number] for number in sorted(found)]
    for one, following in pairwise(updates):
        # The number is the order, whatever the clocks of an instance's nodes say.
        following.at = max(one.at, following.at)
    return updates


def _complete(told: Told, cursor: Cursor, updates: list[_Update], held: Mapping[str, str]) -> dict[str, str]:
    """Add to `updates` what the record shows and the audit does not; the marks for the next reading."""
    expected = dict(cursor.marks)
    for one in updates:
        expected |= {name: mark_of(value) for name, value in one.after.items()}
    is_older = any(one.number > told.number for one in updates)
    if cursor.number < 0:
        # The first reading begins with what the record holds.
        return {**{name: mark_of(value) for name, value in held.items()}, **(expected if is_older else {})}
    if is_older or told.number < cursor.number:
        # The record was read before the audit; what it shows then is out of date.
        return expected
    differs = {
        name: value for name, value in held.items() if name in expected and expected[name] != mark_of(value)
    }
    if differs:
        last = updates[-1] if updates and updates[-1].number == told.number else None
        if last is None:
            more = "" if told.number > cursor.number else ":" + mark_of(json.dumps(differs, sort_keys=True))
            at = records.time_in(told.record, "sys_updated_on")
            last = _Update(told.number, at, records.raw(told.record, "sys_updated_by"), more)
            updates.append(last)
        last.after |= differs
    return {**expected, **{name: mark_of(value) for name, value in held.items()}}


def mark_of(value: str) -> str:
    """A short mark of a value; equal values have equal marks."""
    return hashlib.sha256(value.strip().encode("utf-8", "replace")).hexdigest()[:12]


def _first_values(held: Mapping[str, str], updates: Sequence[_Update]) -> dict[str, str]:
    """The values that the record began with: those it holds, taken back by the audit."""
    first = dict(held)
    for one in reversed(updates):
        first |= {name: value for name, value in one.before.items() if name in first}
    return first


def ordered(entries: Iterable[dict], audit: Iterable[dict]) -> list[dict]:
    """Journal entries in their order; those of one second as the audit has them, where it tells."""
    places = _places(audit)

    def key(row: dict) -> tuple[str, int]:
        place = places.get((records.raw(row, "element"), records.raw(row, "value").strip()), 0)
        return records.raw(row, "sys_created_on"), place

    return sorted(entries, key=key)


def _places(rows: Iterable[dict]) -> dict[tuple[str, str], int]:
    """By which update an entry was written, where the audit tells its text too: orders entries of one second."""
    return {
        (records.raw(row, "fieldname"), records.raw(row, "newvalue").strip()): records.count(
            records.raw(row, "record_checkpoint")
        )
        for row in rows
        if records.raw(row, "fieldname") in JOURNALS
    }


def _actor(row: records.Record) -> str:
    return records.raw(row, "user") or records.raw(row, "sys_created_by")


@dataclass(frozen=True, slots=True)
class _Writer:
    """Makes changes from what ServiceNow tells."""

    table: str
    shapes: Shapes
    directory: Directory

    def _values(self, values: Mapping[str, str]) -> dict[str, Value]:
        return {
            name: fields.neutral(shape, values[name], self.directory)
            for name, shape in self.shapes.items()
            if name in values
        }

    def created(self, record: records.Record, first: Mapping[str, str]) -> Change:
        """The creation, with the values the record began with."""
        values = {name: value for name, value in self._values(first).items() if value is not None}
        return Change(
            CREATED,
            records.time_in(record, "sys_created_on"),
            self.directory.actor(records.raw(record, "sys_created_by")),
            ChangeKind.CREATED,
            {fields.TYPE: fields.type_name(self.table), **values},
            marker=records.raw(record, "correlation_id"),
        )

    def update(self, one: _Update) -> Change:
        return Change(
            f"{UPDATE}{one.number}{one.more}",
            one.at,
            self.directory.actor(one.user_name),
            ChangeKind.UPDATED,
            self._values(one.after),
            self._values(one.before),
        )

    def entry(self, row: dict) -> Change:
        comment = read_comment(row, self.directory)
        return Change(ENTRY + comment.id, comment.at, comment.author, comments=(comment,))

    def file(self, row: dict) -> Change:
        attachment = read_file(row)
        actor = self.directory.actor(records.raw(row, "sys_created_by"))
        at = records.time_in(row, "sys_created_on")
        return Change(FILE + attachment.id, at, actor, attachments=(attachment,))


def read_comment(row: dict, directory: Directory) -> Comment:
    """A journal entry.  It is public only where it stands under the name for that."""
    return Comment(
        records.raw(row, "sys_id"),
        texts.from_journal(records.raw(row, "value")).as_value(),
        directory.actor(records.raw(row, "sys_created_by")),
        records.raw(row, "element") == PUBLIC,
        records.time_in(row, "sys_created_on"),
    )


def read_file(row: dict) -> Attachment:
    """A file.  The locator is its id: an address from an answer is never followed."""
    sys_id, kind = records.raw(row, "sys_id"), records.raw(row, "content_type")
    return Attachment(
        sys_id,
        records.raw(row, "file_name") or "file",
        # Some instances tell "text/plain (.txt)".
        kind.partition(" ")[0] or "application/octet-stream",
        max(records.count(records.raw(row, "size_bytes")), 0),
        sys_id,
    )
