"""Records as the API shows them: raw values, display values or both, links, and fields at the end of a path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.servicenow import times
from integrations.sandbox.servicenow.state import Instance, Record
from integrations.sandbox.servicenow.tables import DUE, JOURNAL_LIST, LIST, REFERENCE, Field

_ID = re.compile(r"[0-9a-f]{32}")
_BY_NAME = ("sys_glide_object", "sys_db_object")


@dataclass(frozen=True, slots=True)
class Shown:
    """How a caller wants records: `display` is false, true or all; `names` are the fields, none for all."""

    display: str = "false"
    has_links: bool = True
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Shows the records of an instance to a user in a time zone."""

    instance: Instance
    origin: str
    zone: str

    def record(self, record: Record, shown: Shown) -> dict[str, Any]:
        """A record in the form asked for.  Fields that an ACL hides are absent, and so are unknown ones."""
        names = shown.names or self.instance.tables[record.table].fields
        value: dict[str, Any] = {}
        for name in names:
            found = self._end(record, name)
            if found is not None:
                value[name] = self._value(*found, shown)
        return value

    def _end(self, record: Record, path: str) -> tuple[Record | None, Field] | None:
        """The record and the field at the end of a path; None when there is no such field, or it is hidden."""
        *steps, last = path.split(".")
        table = record.table
        found: Record | None = record
        for step in steps:
            known = self._visible(table, step)
            if known is None or known.target not in self.instance.tables:
                return None
            found = self.instance.record(known.target, found[step]) if found is not None else None
            table = found.table if found is not None else known.target
        known = self._visible(table, last)
        return None if known is None else (found, known)

    def _visible(self, table: str, name: str) -> Field | None:
        hidden = self.instance.settings.hidden_fields
        return None if f"{table}.{name}" in hidden else self.instance.field(table, name)

    def _value(self, record: Record | None, known: Field, shown: Shown) -> Any:
        raw = "" if record is None or known.is_journal else record[known.name]
        if shown.display == "false":
            if known.type == REFERENCE and raw and shown.has_links:
                return {"link": self._link(known, raw), "value": raw}
            return raw
        words = "" if record is None else self.display(record, known)
        if shown.display == "true":
            if known.type == REFERENCE and raw and shown.has_links:
                return {"display_value": words, "link": self._link(known, raw)}
            return words
        value = {"display_value": words, "value": raw}
        if known.type == REFERENCE and raw and shown.has_links:
            value["link"] = self._link(known, raw)
        return value

    def _link(self, known: Field, raw: str) -> str:
        base = f"{self.origin}/api/now/table/{known.target}"
        by_name = known.target in _BY_NAME and not _ID.fullmatch(raw)
        return f"{base}?name={raw}" if by_name else f"{base}/{raw}"

    def display(self, record: Record, known: Field) -> str:
        """A field's value for people."""
        raw = record[known.name]
        if known.is_journal:
            return self._journal(record, known)
        if not raw:
            return "UNKNOWN" if known.type == DUE else ""
        if known.is_time:
            return times.shown(raw, self.zone)
        if known.type == REFERENCE:
            return self.name_of(known.target, raw)
        if known.type == LIST:
            return ", ".join(self.name_of("sys_user", one) or one for one in raw.split(","))
        if known.name == "sys_class_name" and raw in self.instance.tables:
            return self.instance.tables[raw].label
        return next((label for value, label in known.choices if value == raw), raw)

    def name_of(self, table: str, id_: str) -> str:
        """What people call a record; "" when there is none."""
        if table not in self.instance.tables or not _ID.fullmatch(id_):
            return id_
        found = self.instance.record(table, id_)
        if found is None:
            return ""
        known = self.instance.field(found.table, self.instance.tables[found.table].display)
        return "" if known is None else self.display(found, known)

    def _journal(self, record: Record, known: Field) -> str:
        """All entries with their heads, newest first."""
        both = known.type == JOURNAL_LIST
        return "".join(
            self._entry(one) for one in self._newest_first(record) if both or one["element"] == known.name
        )

    def _newest_first(self, record: Record) -> Iterator[Record]:
        entries = self.instance.by("sys_journal_field", "element_id", record.id)
        return iter(sorted(entries, key=lambda one: (one["sys_created_on"], one.made), reverse=True))

    def _entry(self, entry: Record) -> str:
        author = self.instance.user(entry["sys_created_by"])
        known = self.instance.field(entry["name"], entry["element"])
        label = known.label if known is not None else entry["element"]
        name = author["name"] if author is not None else entry["sys_created_by"]
        return f"{times.shown(entry['sys_created_on'], self.zone)} - {name} ({label})\n{entry['value']}\n\n"
