"""What one instance says about its tables: fields, choices, data policies, the priority look-up.  Pure but for asking.

Asked together in one call.  What our account may not read is taken as ServiceNow ships it, and told by `check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from integrations.connectors import errors
from integrations.connectors.servicenow import client, demands, fields, records
from integrations.connectors.servicenow.batch import Batch, Part
from integrations.connectors.servicenow.demands import Demand, Matrix
from integrations.connectors.servicenow.fields import Form, Shape

# What every task has and what the three processes add, as far as partners speak about it, in the order for people.
_KNOWN = tuple(
    "short_description description state priority impact urgency category subcategory assignment_group assigned_to "
    "caller_id requested_by opened_by contact_type hold_reason close_code resolution_code close_notes cause_notes "
    "fix_notes workaround risk justification implementation_plan backout_plan test_plan due_date start_date end_date "
    "number opened_at resolved_at closed_at".split()
)
# Kept by ServiceNow, whatever the dictionary says: writing them would falsify its own records.
_KEPT = frozenset("number opened_by opened_at resolved_at closed_at".split())
_CUSTOM = ("u_", "x_")
_FORMS = {
    "integer": Form.INTEGER, "decimal": Form.DECIMAL, "float": Form.DECIMAL, "boolean": Form.BOOLEAN,
    "glide_date_time": Form.TIME, "due_date": Form.TIME, "glide_date": Form.DATE, "html": Form.HTML,
    "translated_html": Form.HTML, "string": Form.LINE, "email": Form.LINE, "url": Form.LINE, "choice": Form.LINE,
    "translated_text": Form.LINE, "phone_number_e164": Form.LINE,
}  # fmt: skip
# A text longer than this is no single line.
_LONGEST_LINE = 255

_LEVELS = (("1", "1 - High"), ("2", "2 - Medium"), ("3", "3 - Low"))
_PRIORITIES = (
    ("1", "1 - Critical"), ("2", "2 - High"), ("3", "3 - Moderate"), ("4", "4 - Low"), ("5", "5 - Planning"),
)  # fmt: skip
_USUAL_STATES = {
    "incident": (
        ("1", "New"), ("2", "In Progress"), ("3", "On Hold"), ("6", "Resolved"), ("7", "Closed"), ("8", "Canceled"),
    ),
    "problem": (
        ("101", "New"), ("102", "Assess"), ("103", "Root Cause Analysis"), ("104", "Fix in Progress"),
        ("106", "Resolved"), ("107", "Closed"),
    ),
    "change_request": (
        ("-5", "New"), ("-4", "Assess"), ("-3", "Authorize"), ("-2", "Scheduled"), ("-1", "Implement"),
        ("0", "Review"), ("3", "Closed"), ("4", "Canceled"),
    ),
}  # fmt: skip
_HOLD_REASONS = (
    ("1", "Awaiting Caller"), ("5", "Awaiting Change"), ("3", "Awaiting Problem"), ("4", "Awaiting Vendor"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What is known of one table."""

    name: str
    shapes: Mapping[str, Shape]
    demands: tuple[Demand, ...]
    matrix: Matrix | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns to ask for."""
        return tuple(self.shapes)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of an instance."""

    tables: Mapping[str, TableFacts]

    @property
    def shapes(self) -> dict[str, Shape]:
        """The fields of all tables as one list."""
        return fields.merged(facts.shapes for facts in self.tables.values())


def usual(tables: Iterable[str]) -> Metadata:
    """What ServiceNow ships with, for before an instance was asked."""
    return Metadata({table: _usual_facts(table) for table in tables})


def questions(tables: Sequence[str]) -> tuple[Part, ...]:
    """What is asked, in the order that `read` takes the answers."""
    names = ",".join((*tables, "task"))
    dictionary = "name,element,column_label,internal_type,max_length,mandatory,read_only,reference".split(",")
    choices = "name,element,value,label,language,dependent_value".split(",")
    own = ",".join(tables)
    return (
        client.rows(
            "sys_dictionary", f"nameIN{names}^active=true^elementISNOTEMPTY^ORDERBYelement", dictionary
        ),
        client.rows("sys_choice", f"nameIN{names}^inactive=false^ORDERBYsequence", choices),
        client.rows(
            "sys_data_policy2", f"model_tableIN{own}^active=true", ("sys_id", "model_table", "conditions")
        ),
        client.rows(
            "sys_data_policy_rule", f"tableIN{own}^mandatory=true", ("sys_data_policy", "table", "field")
        ),
        client.rows("dl_u_priority", "active=true", ("impact", "urgency", "priority")),
    )


def read(batch: Batch, tables: Sequence[str]) -> Metadata:
    """Ask the instance; one call, and more for very long lists.  May be repeated."""
    parts = questions(tables)
    found: list[list[dict]] = []
    for part, outcome in zip(parts, batch.send(*parts), strict=True):
        try:
            found.append(client.whole(batch, part, outcome))
        except errors.Refused:
            found.append([])
    return Metadata({table: _facts(table, *found) for table in tables})


def _facts(
    table: str,
    dictionary: Sequence[dict],
    choices: Sequence[dict],
    policies: Sequence[dict],
    rules: Sequence[dict],
    lookups: Sequence[dict],
) -> TableFacts:
    usual_facts = _usual_facts(table)
    shapes = _shapes(table, dictionary, usual_facts) if dictionary else dict(usual_facts.shapes)
    for name, pairs in _choices(table, choices).items():
        if (shape := shapes.get(name)) is not None and shape.form in (Form.LINE, Form.INTEGER, Form.CHOICE):
            shapes[name] = replace(shape, form=Form.CHOICE, choices=pairs)
    own = [
        found
        for owner, found in demands.rows_of(
            [{"id": _raw(one, "sys_id"), "table": _raw(one, "model_table"), "conditions": _raw(one, "conditions")}
             for one in policies],
            [{"policy": _raw(one, "sys_data_policy"), "field": _raw(one, "field")} for one in rules],
        )
        if owner == table
    ]  # fmt: skip
    matrix = {
        (_raw(one, "impact"), _raw(one, "urgency")): _raw(one, "priority")
        for one in lookups
        if _raw(one, "impact") and _raw(one, "urgency") and _raw(one, "priority")
    }
    derived = usual_facts.matrix is not None
    return TableFacts(
        table,
        shapes,
        tuple(own) if policies else usual_facts.demands,
        (matrix or usual_facts.matrix) if derived else None,
    )


def _raw(one: dict, name: str) -> str:
    return records.raw(one, name)


def _shapes(table: str, dictionary: Sequence[dict], usual_facts: TableFacts) -> dict[str, Shape]:
    rows: dict[str, dict] = {}
    for row in dictionary:
        element = _raw(row, "element")
        # A table's own entry says what differs from the one it extends.
        if _raw(row, "name") == table or element not in rows:
            if _raw(row, "name") in (table, "task"):
                rows[element] = row
    custom = sorted(element for element in rows if element.startswith(_CUSTOM))
    found = {}
    for name in (*_KNOWN, *custom):
        if name in rows and (shape := _shape(name, rows[name])) is not None:
            before = usual_facts.shapes.get(name)
            if before is not None and before.form is Form.CHOICE:
                # Its values come from elsewhere; without them those that ServiceNow ships with apply.
                shape = replace(shape, form=Form.CHOICE, choices=before.choices)
            found[name] = shape
    return found


def _shape(name: str, row: dict) -> Shape | None:
    kind, reference = _raw(row, "internal_type"), _raw(row, "reference")
    length = max(records.count(_raw(row, "max_length")), 0)
    if kind == "reference":
        form = {"sys_user": Form.PERSON, "sys_user_group": Form.GROUP}.get(reference)
    else:
        form = _FORMS.get(kind)
    if form is None:
        return None
    if form is Form.LINE and (length > _LONGEST_LINE or name == "description"):
        form = Form.LONG
    return Shape(
        name,
        _raw(row, "column_label") or name,
        form,
        length if form in (Form.LINE, Form.LONG) else 0,
        is_writable=_raw(row, "read_only") != "true" and name not in _KEPT,
        is_required=_raw(row, "mandatory") == "true",
    )


def _choices(table: str, rows: Sequence[dict]) -> dict[str, tuple[tuple[str, str], ...]]:
    """The choices of a table's fields: its own, or those of tasks; in English where there are several languages."""
    found: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in rows:
        value, label = _raw(row, "value"), _raw(row, "label")
        if value and label:
            languages = found.setdefault((_raw(row, "name"), _raw(row, "element")), {})
            languages.setdefault(_raw(row, "language"), {}).setdefault(value, label)
    chosen: dict[str, tuple[tuple[str, str], ...]] = {}
    for owner in ("task", table):
        for (name, element), languages in found.items():
            if name == owner:
                chosen[element] = _told_apart(languages.get("en") or next(iter(languages.values())))
    return chosen


def _told_apart(pairs: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Values with their labels; two values with one label get theirs beside it."""
    labels = [label.casefold() for label in pairs.values()]
    return tuple(
        (value, f"{label} ({value})" if labels.count(label.casefold()) > 1 else label)
        for value, label in pairs.items()
    )


def _usual_facts(table: str) -> TableFacts:
    return TableFacts(
        table,
        {shape.name: shape for shape in _usual_shapes(table)},
        demands.USUAL.get(table, ()),
        demands.USUAL_MATRIX if table in demands.DERIVED_IN else None,
    )


def _usual_shapes(table: str) -> Iterable[Shape]:
    yield Shape("short_description", "Short description", Form.LINE, 160)
    yield Shape("description", "Description", Form.LONG, 4000)
    yield Shape("state", "State", Form.CHOICE, 0, _USUAL_STATES.get(table, ()))
    yield Shape("priority", "Priority", Form.CHOICE, 0, _PRIORITIES)
    yield Shape("impact", "Impact", Form.CHOICE, 0, _LEVELS)
    yield Shape("urgency", "Urgency", Form.CHOICE, 0, _LEVELS)
    yield Shape("assignment_group", "Assignment group", Form.GROUP)
    yield Shape("assigned_to", "Assigned to", Form.PERSON)
    if table == "incident":
        yield Shape("caller_id", "Caller", Form.PERSON)
        yield Shape("hold_reason", "On hold reason", Form.CHOICE, 0, _HOLD_REASONS)
        yield Shape("close_code", "Resolution code", Form.LINE, 40)
    yield Shape("opened_by", "Opened by", Form.PERSON, is_writable=False)
    yield Shape("close_notes", "Close notes", Form.LONG, 4000)
    yield Shape("number", "Number", Form.LINE, 40, is_writable=False)
    yield Shape("opened_at", "Opened", Form.TIME, is_writable=False)
    yield Shape("closed_at", "Closed", Form.TIME, is_writable=False)
