"""A sandboxed ServiceNow told to others than the vendor's API: to whoever compares, and to the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integrations.sandbox.servicenow.processes import next_states
from integrations.sandbox.servicenow.state import Instance, Record
from integrations.sandbox.servicenow.tables import REFERENCE, Field
from integrations.sandbox.servicenow.views import View
from integrations.sandbox.system import Choice, Entry, Row

_SHOWN = {
    "incident": (
        "short_description", "state", "hold_reason", "close_code", "close_notes", "impact", "urgency", "category",
        "assignment_group", "assigned_to", "caller_id", "correlation_id",
    ),
    "problem": (
        "short_description", "state", "resolution_code", "cause_notes", "fix_notes", "impact", "urgency",
        "assignment_group", "assigned_to", "correlation_id",
    ),
    "change_request": (
        "short_description", "state", "type", "close_code", "close_notes", "priority", "risk", "assignment_group",
        "assigned_to", "correlation_id",
    ),
}  # fmt: skip
# The instance's own bookkeeping, which says nothing about the work.
_BOOKKEEPING = frozenset(
    "number task_effective_number incident_state problem_state upon_approval upon_reject made_sla knowledge "
    "escalation notify activity_due child_incidents related_incidents".split()
)


def task_content(instance: Instance, record: Record) -> dict[str, Any]:
    """One task in comparable form: fields as the database keeps them, people by their address."""
    table = instance.tables[record.table]
    entries = instance.by("sys_journal_field", "element_id", record.id)
    files = instance.by("sys_attachment", "table_sys_id", record.id)
    return {
        "id": record.id,
        "key": record["number"],
        "table": record.table,
        "status": _label(instance, record, "state"),
        "description": record["description"],
        "fields": {
            name: _plain(instance, record, known)
            for name, known in table.fields.items()
            if not known.is_journal and not name.startswith("sys_") and name not in _BOOKKEEPING
        },
        "comments": [
            {
                "id": one.id,
                "author": _name(instance, one["sys_created_by"]),
                "public": one["element"] == "comments",
                "body": one["value"],
                "text": one["value"],
                "created_at": _iso(one["sys_created_on"]),
            }
            for one in entries
        ],
        "attachments": [
            {"name": one["file_name"], "size": int(one["size_bytes"]), "sha256": one["hash"]} for one in files
        ],
        "history_length": int(record["sys_mod_count"]),
        "created_at": _iso(record["sys_created_on"]),
        "updated_at": _iso(record["sys_updated_on"]),
    }


def _plain(instance: Instance, record: Record, known: Field) -> str | None:
    raw = record[known.name]
    if known.type == REFERENCE and known.target == "sys_user" and raw:
        user = instance.record("sys_user", raw)
        return user["email"] if user is not None else raw
    if known.type == REFERENCE and raw:
        return _view(instance).name_of(known.target, raw)
    return raw or None


def _view(instance: Instance) -> View:
    return View(instance, "", "UTC")


def _label(instance: Instance, record: Record, name: str) -> str:
    known = instance.field(record.table, name)
    return "" if known is None else _view(instance).display(record, known)


def _name(instance: Instance, user_name: str) -> str:
    user = instance.user(user_name)
    return user["name"] if user is not None else user_name


def _iso(value: str) -> str:
    return value.replace(" ", "T") + "Z"


def rows(instance: Instance, words: str, offset: int, limit: int) -> tuple[Sequence[Row], int]:
    """Tasks that hold the words, newest change first, and how many there are."""
    words = words.lower()
    found = [
        one
        for one in instance.rows("task")
        if not words
        or words in f"{one['number']} {one['short_description']} {_label(instance, one, 'state')}".lower()
    ]
    found.sort(key=lambda one: one.place, reverse=True)
    told = [
        Row(
            one.id,
            one["number"],
            one["short_description"],
            _label(instance, one, "state"),
            _label(instance, one, "priority"),
            _iso(one["sys_updated_on"]),
        )
        for one in found[offset : offset + limit]
    ]
    return told, len(found)


def history(instance: Instance, record: Record) -> Sequence[Entry]:
    """The audit for people, oldest first: what one update changed belongs together."""
    told: dict[str, tuple[str, str, list[tuple[str, str, str]]]] = {}
    for row in instance.by("sys_audit", "documentkey", record.id):
        known = instance.field(record.table, row["fieldname"])
        if known is None or row["fieldname"] in ("incident_state", "problem_state"):
            continue
        entry = told.setdefault(
            row["record_checkpoint"],
            (_iso(row["sys_created_on"]), _name(instance, row["sys_created_by"]), []),
        )
        entry[2].append(
            (known.label, _words(instance, known, row["oldvalue"]), _words(instance, known, row["newvalue"]))
        )
    return [one for one in told.values() if one[2]]


def _words(instance: Instance, known: Field, value: str) -> str:
    if known.is_journal or known.is_time:
        return value[:120]
    if known.type == REFERENCE:
        return _view(instance).name_of(known.target, value)
    return next((label for raw, label in known.choices if raw == value), value)


def choices(instance: Instance, record: Record | None) -> Sequence[Choice]:
    """What a form offers: on a new incident, or on this record with the states that may follow."""
    table = record.table if record is not None else "incident"
    own = [one["name"] for one in instance.settings.custom_fields if one["table"] == table]
    return [
        _choice(instance, known, record)
        for name in (*_SHOWN[table], *own)
        if (known := instance.field(table, name)) is not None
    ]


def _choice(instance: Instance, known: Field, record: Record | None) -> Choice:
    values = [value for value, _ in known.choices]
    if known.name == "state" and record is not None:
        following = next_states(record.table, record.values)
        if following is not None:
            values = [one for one in values if one in (record["state"], *following)]
    if known.target == "sys_user_group":
        values = sorted(one["name"] for one in instance.rows("sys_user_group"))
    return Choice(known.name, known.label, tuple(values), dict(known.choices))
