"""Writing records: what was sent becomes values, rules and policies follow, and the audit and the journal tell it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.sandbox.servicenow import errors, query, times
from integrations.sandbox.servicenow.processes import (
    IN_PROGRESS,
    ON_HOLD,
    STEP_RULES,
    Doing,
    follow,
    is_closed,
    is_step_allowed,
)
from integrations.sandbox.servicenow.state import Instance, Record
from integrations.sandbox.servicenow.tables import (
    BOOLEAN,
    INTEGER,
    REFERENCE,
    Field,
    Table,
)

_ID = re.compile(r"[0-9a-f]{32}")
# Derived values that nobody wants to see as changes, and those that change with every update.
_NOT_AUDITED = frozenset(
    "sys_id sys_created_on sys_created_by sys_updated_on sys_updated_by sys_mod_count sys_tags".split()
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a write asks for: values as the database keeps them, and journal entries as (field, text)."""

    values: dict[str, str] = field(default_factory=dict)
    entries: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What a write did: the audit's rows and the journal's, which are told under one update count.

    `is_change` is false when it left everything as it was.
    """

    record: Record
    is_change: bool = True
    audit: tuple[Record, ...] = ()
    entries: tuple[Record, ...] = ()


def read(instance: Instance, table: str, given: Mapping[str, Any], zone: str, *, as_shown: bool) -> Sent:
    """Understand the body of a write.  Unknown and fixed fields are ignored, and so is what a field cannot hold."""
    values: dict[str, str] = {}
    entries: list[tuple[str, str]] = []
    for name, raw in given.items():
        known = instance.field(table, name)
        if known is None or known.is_fixed:
            continue
        text = _text(raw)
        if known.is_journal:
            if text:
                entries.append((name, text))
            continue
        value = _value(instance, known, text, zone, as_shown=as_shown)
        if value is not None:
            values[name] = value
    return Sent(values, tuple(entries))


def _text(raw: Any) -> str:
    if isinstance(raw, dict):
        raw = raw.get("value", "")
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return "" if raw is None else str(raw)


def _value(instance: Instance, known: Field, text: str, zone: str, *, as_shown: bool) -> str | None:
    """The value to keep; None when the field takes nothing of the kind and stays as it is."""
    if not text:
        # "An empty text clears a field, except a choice field."
        return None if known.choices else ""
    if known.type == REFERENCE:
        return _reference(instance, known, text, as_shown=as_shown)
    if as_shown and known.choices:
        return next((value for value, label in known.choices if text in (label, value)), text)
    if known.type == INTEGER:
        return str(int(text)) if re.fullmatch(r"-?\d{1,18}", text) else None
    if known.type == BOOLEAN:
        return "true" if text.lower() in ("true", "1", "yes") else "false"
    if known.is_time:
        return times.read(text, zone if as_shown else "UTC")
    return text[: known.max_length]


def _reference(instance: Instance, known: Field, text: str, *, as_shown: bool) -> str:
    if known.target not in instance.tables:
        return text
    if as_shown:
        name = instance.tables[known.target].display
        names = (name, "user_name") if known.target == "sys_user" else (name,)
        for one in instance.rows(known.target):
            if any(one[each] == text for each in names):
                return one.id
    # A sys_id that leads nowhere is kept, as the vendor keeps it.
    return text if _ID.fullmatch(text) else ""


def insert(instance: Instance, table: Table, sent: Sent, doing: Doing) -> Done:
    """A new task."""
    new = {one.name: one.default for one in table.fields.values() if one.default}
    new |= sent.values
    number = instance.next_number(table)
    new |= {
        "number": number,
        "task_effective_number": number,
        "sys_class_name": table.name,
        "opened_at": sent.values.get("opened_at") or doing.at,
        "opened_by": sent.values.get("opened_by") or doing.user.id,
        "sys_created_on": doing.at,
        "sys_created_by": doing.user["user_name"],
        "sys_updated_on": doing.at,
        "sys_updated_by": doing.user["user_name"],
        "sys_mod_count": "0",
    }
    follow(table.name, {}, new, sent.values, doing)
    _check_policies(instance, table, {}, new, sent)
    record = instance.add(table.name, new, doing.seconds)
    changed = {name: ("", value) for name, value in new.items() if value}
    audit = _audit(instance, record, changed, sent, doing) if instance.settings.audit_inserts else ()
    return Done(record, audit=audit, entries=_enter(instance, record, sent, doing))


def update(instance: Instance, record: Record, sent: Sent, doing: Doing) -> Done:
    """Change a task.  What changes nothing leaves no trace."""
    table = instance.tables[record.table]
    old = record.values
    if is_closed(table.name, record["state"]) and not doing.is_admin:
        raise errors.denied("Update")
    new = {**old, **sent.values}
    wanted = dict(sent.values)
    if _caller_answers(record, new, sent, doing):
        wanted["state"] = new["state"] = IN_PROGRESS
    follow(table.name, old, new, wanted, doing)
    if instance.settings.check_transitions and not is_step_allowed(table.name, old, new):
        rule = STEP_RULES[table.name]
        raise errors.aborted(table.name, rule, instance.new_id(f"sys_script {rule}"))
    _check_policies(instance, table, old, new, sent)
    changed = {name: (old.get(name, ""), value) for name, value in new.items() if value != old.get(name, "")}
    if not changed and not sent.entries:
        return Done(record, is_change=False)
    count = str(int(old["sys_mod_count"]) + 1)
    stamp = {
        "sys_updated_on": doing.at,
        "sys_updated_by": doing.user["user_name"],
        "sys_mod_count": count,
    }
    instance.set(record, {name: value for name, (_, value) in changed.items()} | stamp, doing.seconds)
    audit = _audit(instance, record, changed, sent, doing)
    return Done(record, audit=audit, entries=_enter(instance, record, sent, doing))


def _caller_answers(record: Record, new: Mapping[str, str], sent: Sent, doing: Doing) -> bool:
    """Whether the caller's own words move a waiting incident back to In Progress."""
    is_waiting = record.table == "incident" and record["state"] == ON_HOLD == new.get("state")
    return is_waiting and doing.user.id == record["caller_id"] and bool(sent.entries)


def _check_policies(
    instance: Instance, table: Table, old: Mapping[str, str], new: dict[str, str], sent: Sent
) -> None:
    """Data policies; a journal field counts as given when this write brings an entry."""
    entered = {name for name, _ in sent.entries}
    for policy in instance.settings.data_policies:
        if policy["table"] != table.name or not _holds(instance, policy, new):
            continue
        is_new = not old or not _holds(instance, policy, old)
        missing = [
            known.label
            for name in policy["mandatory"]
            if (known := table.fields.get(name)) is not None
            and ((is_new and name not in entered) if known.is_journal else not new.get(name))
        ]
        if missing:
            raise errors.mandatory(missing)


def _holds(instance: Instance, policy: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    helpers = times.Helpers(times.EPOCH, "UTC", "", "")
    condition = query.parse(policy["condition"], policy["table"], query.Reader(instance, helpers, "UTC"))
    return condition.fits(Record(policy["table"], dict(values)))


def _audit(
    instance: Instance,
    record: Record,
    changed: Mapping[str, tuple[str, str]],
    sent: Sent,
    doing: Doing,
) -> tuple[Record, ...]:
    """A row for each changed field, all with the record's update count."""
    told = [(name, before, after) for name, (before, after) in changed.items() if name not in _NOT_AUDITED]
    told += [(name, "", text) for name, text in sent.entries]
    return tuple(
        instance.add(
            "sys_audit",
            {
                "tablename": record.table,
                "documentkey": record.id,
                "fieldname": name,
                "oldvalue": before,
                "newvalue": after,
                "user": doing.user["user_name"],
                "reason": "",
                "record_checkpoint": record["sys_mod_count"],
                "internal_checkpoint": f"{instance.next_checkpoint():x}",
                **_made_by(doing),
            },
            doing.seconds,
        )
        for name, before, after in told
    )


def _enter(instance: Instance, record: Record, sent: Sent, doing: Doing) -> tuple[Record, ...]:
    """The journal's entries; the record itself keeps nothing of them."""
    return tuple(
        instance.add(
            "sys_journal_field",
            {
                "name": record.table,
                "element": name,
                "element_id": record.id,
                "value": text,
                **_made_by(doing),
            },
            doing.seconds,
        )
        for name, text in sent.entries
    )


def _made_by(doing: Doing) -> dict[str, str]:
    return {"sys_created_on": doing.at, "sys_created_by": doing.user["user_name"]}


def delete(instance: Instance, record: Record, doing: Doing) -> None:
    """Take a task away with its attachments; the audit of deletions keeps that there was one."""
    for file in instance.by("sys_attachment", "table_sys_id", record.id):
        instance.remove(file)
    instance.remove(record)
    instance.add(
        "sys_audit_delete",
        {
            "tablename": record.table,
            "documentkey": record.id,
            "display_value": record[instance.tables[record.table].display],
            "user": doing.user["user_name"],
            **_made_by(doing),
        },
        doing.seconds,
    )
