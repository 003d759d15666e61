"""What to send for a write, and what its answer shows.  Pure, but for people and groups that have to be looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from integrations.canonical import Fields, Value
from integrations.connectors import errors
from integrations.connectors.servicenow import demands, fields, records
from integrations.connectors.servicenow.batch import Outcome
from integrations.connectors.servicenow.fields import Form, Shape
from integrations.connectors.servicenow.metadata import TableFacts
from integrations.connectors.servicenow.people import Directory

# How long before the record's own time an entry of the same write may stand.
_SAME_WRITE = timedelta(seconds=2)


def first_values(facts: TableFacts, wanted: Fields, directory: Directory) -> dict[str, str]:
    """What to send for a new record; without a state that demands what is not among it."""
    given = {name: value for name, value in wanted.items() if value not in (None, "", [], {})}
    for name in wanted:
        _shape(facts, name)
    values = _values(facts, given, {}, directory)
    if demands.missing(facts.demands, values):
        values.pop(fields.STATE, None)
    return values


def new_values(facts: TableFacts, wanted: Fields, current: Fields, directory: Directory) -> dict[str, str]:
    """What to send to set these fields, with the defaults that their state demands.  Raises RequiredField."""
    before = _held(facts, current)
    values = _values(facts, wanted, before, directory)
    # A demand that held before is no business of this write.
    new = [one for one in facts.demands if one.holds({**before, **values}) and not one.holds(before)]
    missing: dict[str, str] = {}
    for name in demands.missing(new, {**before, **values}):
        shape = facts.shapes.get(name)
        default = demands.default_for(name, shape.choices if shape else ())
        if default is None:
            missing[name] = "demanded by the state"
        else:
            values[name] = default
    if missing:
        labels = ", ".join(
            f"“{facts.shapes[name].label if name in facts.shapes else name}”" for name in missing
        )
        state = (
            facts.shapes[fields.STATE].label_of(values.get(fields.STATE, ""))
            if fields.STATE in facts.shapes
            else ""
        )
        raise errors.RequiredField(
            f"ServiceNow demands a value for {labels} to reach “{state}”.", fields=missing
        )
    return values


def _values(
    facts: TableFacts, wanted: Fields, before: Mapping[str, str], directory: Directory
) -> dict[str, str]:
    values = {
        name: _raw(_shape(facts, name), value, directory)
        for name, value in wanted.items()
        if not (name == "priority" and facts.matrix)
    }
    if "priority" in wanted and facts.matrix:
        values = {**_priority(facts, wanted["priority"], {**before, **values}), **values}
    return values


def _shape(facts: TableFacts, name: str) -> Shape:
    shape = facts.shapes.get(name)
    if shape is None:
        raise fields.invalid(name, "There is no such field.")
    if not shape.is_writable:
        raise fields.invalid(name, "ServiceNow keeps it itself.")
    return shape


def _raw(shape: Shape, value: Value, directory: Directory) -> str:
    if shape.form is Form.PERSON:
        return directory.person_id(shape.name, value)
    if shape.form is Form.GROUP:
        return directory.group_id(shape.name, value)
    return fields.wire(shape, value)


def _priority(facts: TableFacts, value: Value, near: Mapping[str, str]) -> dict[str, str]:
    """Impact and urgency for a priority: ServiceNow derives it from them and overwrites what is written to it."""
    shape = (
        facts.shapes["priority"] if "priority" in facts.shapes else Shape("priority", "Priority", Form.CHOICE)
    )
    wanted = fields.wire(replace(shape, form=Form.CHOICE), value)
    pair = demands.pair_for(facts.matrix or {}, wanted, near.get("impact", ""), near.get("urgency", ""))
    if pair is None:
        raise fields.invalid("priority", "No impact and urgency lead to it in this ServiceNow.")
    return {"impact": pair[0], "urgency": pair[1]}


def _held(facts: TableFacts, current: Fields) -> dict[str, str]:
    """What the record is known to hold, in ServiceNow's own values as far as conditions need them."""
    found = {}
    for name, value in current.items():
        shape = facts.shapes.get(name)
        if shape is None or value in (None, "", [], {}):
            continue
        choice = shape.choice(str(value)) if shape.form is Form.CHOICE else None
        found[name] = choice[0] if choice else str(value)
    return found


def check_kept(facts: TableFacts, values: Mapping[str, str], record: records.Record) -> None:
    """Forbidden when the record shows nothing of what was sent, although it tells the fields."""
    told = [name for name in values if name in record and _is_comparable(facts, name)]
    lost = [name for name in told if records.raw(record, name).strip() != values[name].strip()]
    if told and len(lost) == len(values):
        names = ", ".join(f"“{name}”" for name in lost)
        raise errors.Forbidden(
            f"ServiceNow took the change of {names} and kept nothing of it: our account may not write it."
        )


def _is_comparable(facts: TableFacts, name: str) -> bool:
    shape = facts.shapes.get(name)
    return shape is not None and shape.form in (Form.LINE, Form.CHOICE, Form.PERSON, Form.GROUP)


def own_entry(outcome: Outcome, text: str, record: records.Record) -> dict | None:
    """The entry that a comment of ours made; None when it cannot be seen.  Forbidden when there is none.

    ServiceNow takes a comment from an account that may not write it, and keeps nothing.
    """
    if isinstance(outcome, errors.ConnectorError):
        return None
    entries = records.records(outcome)
    same = [one for one in entries if records.raw(one, "value").strip() == text.strip()]
    if same:
        return same[0]
    written_at = records.time_of(records.raw(record, "sys_updated_on"))
    fresh = [
        one
        for one in entries
        if written_at and records.time_in(one, "sys_created_on", written_at) >= written_at - _SAME_WRITE
    ]
    if fresh or written_at is None:
        # Kept in other words; the history will tell it by its text.
        return None
    raise errors.Forbidden(
        "ServiceNow took the comment and kept nothing of it: our account may not write it."
    )
