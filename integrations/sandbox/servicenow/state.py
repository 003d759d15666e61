"""What a sandboxed ServiceNow holds: records in tables, all values text, with the look-ups that calls need often.

Everything is a record, as at the vendor: people, choices, journal entries, the audit, attachments.  The rules are
elsewhere.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from integrations.sandbox.servicenow.settings import ServiceNowSettings
from integrations.sandbox.servicenow.tables import Field, Table, all_tables

TASKS = ("incident", "problem", "change_request")
_FOUND_BY = {
    "sys_journal_field": ("element_id",),
    "sys_audit": ("documentkey",),
    "sys_audit_delete": ("documentkey",),
    "sys_attachment": ("table_sys_id",),
    "sys_user": ("user_name", "email", "name"),
    "sys_user_group": ("name",),
    "sys_choice": ("name", "element"),
    "sys_dictionary": ("name", "element"),
    **dict.fromkeys(TASKS, ("number", "correlation_id")),
}


@dataclass(slots=True)
class Record:
    """A row.  `made` and `place` tell the order of creations and changes, `touched` when (seconds)."""

    table: str
    values: dict[str, str]
    made: int = 0
    place: int = 0
    touched: float = 0.0

    @property
    def id(self) -> str:
        """Its sys_id."""
        return self.values["sys_id"]

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


@dataclass(slots=True)
class Hook:
    """Where the partner's business rule sends what changed."""

    url: str = ""
    secret: str = ""


@dataclass(slots=True)
class Token:
    """An OAuth token: whose it is, and until when (seconds)."""

    user_id: str
    until: float


@dataclass(slots=True)
class Instance:
    """Everything in one instance."""

    settings: ServiceNowSettings
    tables: dict[str, Table] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    hook: Hook = field(default_factory=Hook)
    tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    _rows: dict[str, dict[str, Record]] = field(default_factory=dict)
    _index: dict[tuple[str, str, str], dict[str, Record]] = field(default_factory=dict)
    _numbers: dict[str, itertools.count[int]] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=itertools.count)
    _places: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.read_settings()

    def read_settings(self) -> None:
        """Make the tables anew from the settings."""
        chosen = self.settings
        self.tables = all_tables(
            chosen.custom_fields, chosen.choices, chosen.max_lengths, chosen.missing_fields
        )

    def new_id(self, seed: str = "") -> str:
        """A sys_id: 32 hexadecimal digits that tell nothing about order; always the same for the same seed."""
        return hashlib.md5((seed or f"record {next(self._ids)}").encode(), usedforsecurity=False).hexdigest()

    def next_checkpoint(self) -> int:
        """A number that grows with every row of the audit."""
        return next(self._places)

    def new_token(self) -> str:
        """A text that nobody can guess from another one."""
        return hashlib.sha256(f"{self.settings.token} {next(self._ids)}".encode()).hexdigest()[:43]

    def next_number(self, table: Table) -> str:
        """A new number such as INC0010001."""
        count = self._numbers.setdefault(table.name, itertools.count(table.first_number))
        return f"{table.prefix}{next(count):07d}"

    # --- Reading ---

    def record(self, table: str, id_: str) -> Record | None:
        """The record with this sys_id; `task` finds what extends it."""
        for name in self.family(table):
            if (found := self._rows.get(name, {}).get(id_)) is not None:
                return found
        return None

    def rows(self, table: str) -> Iterator[Record]:
        """All records of a table and of those that extend it."""
        for name in self.family(table):
            yield from self._rows.get(name, {}).values()

    def count(self, table: str) -> int:
        """How many records the table has."""
        return sum(len(self._rows.get(name, {})) for name in self.family(table))

    def family(self, table: str) -> tuple[str, ...]:
        """The tables whose records this one shows."""
        return TASKS if table == "task" else (table,)

    def is_found_by(self, table: str, name: str) -> bool:
        """Whether `by` knows the field of this table."""
        return all(name in _FOUND_BY.get(one, ()) for one in self.family(table))

    def by(self, table: str, name: str, value: str) -> list[Record]:
        """The records with this value, in the order of their creation."""
        return [
            record
            for one in self.family(table)
            for record in self._index.get((one, name, value), {}).values()
        ]

    def first(self, table: str, name: str, value: str) -> Record | None:
        """The first record with this value."""
        return next(iter(self.by(table, name, value)), None)

    def field(self, table: str, name: str) -> Field | None:
        """The definition of a field."""
        return self.tables[table].fields.get(name)

    def tasks(self) -> list[Record]:
        """All incidents, problems and change requests in the order of their creation."""
        return sorted(self.rows("task"), key=lambda one: one.made)

    def user(self, user_name: str) -> Record | None:
        """The person with this user name."""
        return self.first("sys_user", "user_name", user_name)

    # --- Writing ---

    def add(self, table: str, values: dict[str, str], seconds: float = 0.0) -> Record:
        """A new record; it gets a sys_id unless it has one."""
        values.setdefault("sys_id", self.new_id())
        place = next(self._places)
        record = Record(table, values, place, place, seconds)
        self._rows.setdefault(table, {})[record.id] = record
        self._index_all(record, _FOUND_BY.get(table, ()))
        return record

    def set(self, record: Record, values: dict[str, str], seconds: float) -> None:
        """Change values of a record."""
        known = [name for name in _FOUND_BY.get(record.table, ()) if name in values]
        self._forget(record, known)
        record.values.update(values)
        self._index_all(record, known)
        record.place, record.touched = next(self._places), seconds

    def remove(self, record: Record) -> None:
        """Take a record out."""
        del self._rows[record.table][record.id]
        self._forget(record, _FOUND_BY.get(record.table, ()))
        self.files.pop(record.id, None)

    def replace_all(self, table: str, rows: Iterable[dict[str, str]]) -> None:
        """Give the table other records."""
        for record in list(self._rows.get(table, {}).values()):
            self.remove(record)
        for values in rows:
            self.add(table, values)

    def _index_all(self, record: Record, names: Iterable[str]) -> None:
        for name in names:
            self._index.setdefault((record.table, name, record[name]), {})[record.id] = record

    def _forget(self, record: Record, names: Iterable[str]) -> None:
        for name in names:
            self._index.get((record.table, name, record[name]), {}).pop(record.id, None)
