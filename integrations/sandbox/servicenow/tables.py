"""The tables of a sandboxed ServiceNow: their fields, with types, labels, lengths and choices.

Written from the vendor's documentation of the incident, problem and change processes; what an instance has beyond
that differs from instance to instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

# Types as the dictionary names them.
TEXT, INTEGER, BOOLEAN = "string", "integer", "boolean"
TIME, DUE, DURATION = "glide_date_time", "due_date", "glide_duration"
REFERENCE, LIST, JOURNAL, JOURNAL_LIST = "reference", "glide_list", "journal_input", "journal_list"

Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A column.  `target` is the table that a reference points to; `is_fixed` is never written by a client."""

    name: str
    label: str
    type: str = TEXT
    max_length: int = 40
    target: str = ""
    choices: Choices = ()
    default: str = ""
    is_fixed: bool = False
    mandatory: bool = False

    @property
    def is_journal(self) -> bool:
        """Whether what is written becomes an entry and is not kept in the record."""
        return self.type in (JOURNAL, JOURNAL_LIST)

    @property
    def is_time(self) -> bool:
        """Whether the display value is in the reader's time zone."""
        return self.type in (TIME, DUE)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with all its fields, inherited ones included.  `display` is the field that stands for a record."""

    name: str
    label: str
    fields: Mapping[str, Field]
    parent: str = ""
    display: str = "name"
    prefix: str = ""
    first_number: int = 10001

    @property
    def is_task(self) -> bool:
        """Whether its records are work that people do."""
        return self.parent == "task"


LEVELS: Choices = (("1", "1 - High"), ("2", "2 - Medium"), ("3", "3 - Low"))
PRIORITIES: Choices = (
    ("1", "1 - Critical"),
    ("2", "2 - High"),
    ("3", "3 - Moderate"),
    ("4", "4 - Low"),
    ("5", "5 - Planning"),
)
INCIDENT_STATES: Choices = (
    ("1", "New"),
    ("2", "In Progress"),
    ("3", "On Hold"),
    ("6", "Resolved"),
    ("7", "Closed"),
    ("8", "Canceled"),
)
PROBLEM_STATES: Choices = (
    ("101", "New"),
    ("102", "Assess"),
    ("103", "Root Cause Analysis"),
    ("104", "Fix in Progress"),
    ("106", "Resolved"),
    ("107", "Closed"),
)
CHANGE_STATES: Choices = (
    ("-5", "New"),
    ("-4", "Assess"),
    ("-3", "Authorize"),
    ("-2", "Scheduled"),
    ("-1", "Implement"),
    ("0", "Review"),
    ("3", "Closed"),
    ("4", "Canceled"),
)
HOLD_REASONS: Choices = (
    ("1", "Awaiting Caller"),
    ("5", "Awaiting Change"),
    ("3", "Awaiting Problem"),
    ("4", "Awaiting Vendor"),
)
CLOSE_CODES: Choices = tuple(
    (one, one)
    for one in (
        "Duplicate",
        "Known error",
        "No resolution provided",
        "Resolved by caller",
        "Resolved by change",
        "Resolved by problem",
        "Resolved by request",
        "Solution provided",
        "Workaround provided",
        "User error",
    )
)
CATEGORIES: Choices = (
    ("inquiry", "Inquiry / Help"),
    ("software", "Software"),
    ("hardware", "Hardware"),
    ("network", "Network"),
    ("database", "Database"),
)


def _same(*names: str) -> Choices:
    return tuple((name, name.replace("_", " ").capitalize()) for name in names)


def _plain(text: str, type_: str = TEXT, max_length: int = 40) -> list[Field]:
    """Fields of one type, given as `name Label, name Label`."""
    found = (one.strip().partition(" ") for one in text.split(","))
    return [Field(name, label, type_, max_length) for name, _, label in found]


def _to(target: str, text: str) -> list[Field]:
    return [replace(one, target=target) for one in _plain(text, REFERENCE, 32)]


def _fixed(fields: Iterable[Field]) -> list[Field]:
    return [replace(one, is_fixed=True) for one in fields]


SYSTEM = _fixed(
    [
        Field("sys_id", "Sys ID", "GUID", 32),
        *_plain("sys_created_on Created, sys_updated_on Updated", TIME),
        *_plain("sys_created_by Created by, sys_updated_by Updated by"),
        Field("sys_mod_count", "Updates", INTEGER, default="0"),
        Field("sys_tags", "Tags"),
    ]
)
TASK = [
    *SYSTEM,
    Field("number", "Number", is_fixed=True),
    Field("short_description", "Short description", TEXT, 160, mandatory=True),
    Field("description", "Description", TEXT, 4000),
    Field("priority", "Priority", INTEGER, choices=PRIORITIES, default="4"),
    Field("impact", "Impact", INTEGER, choices=LEVELS, default="3"),
    Field("urgency", "Urgency", INTEGER, choices=LEVELS, default="3"),
    Field("active", "Active", BOOLEAN, default="true", is_fixed=True),
    Field("comments", "Additional comments", JOURNAL, 4000),
    Field("work_notes", "Work notes", JOURNAL, 4000),
    Field("comments_and_work_notes", "Comments and Work notes", JOURNAL_LIST, 4000, is_fixed=True),
    *_to("sys_user", "assigned_to Assigned to, opened_by Opened by, closed_by Closed by"),
    *_to("sys_user_group", "assignment_group Assignment group"),
    Field("sys_domain", "Domain", REFERENCE, 32, "sys_user_group", default="global", is_fixed=True),
    Field("sys_domain_path", "Domain path", default="/", is_fixed=True),
    *_to("core_company", "company Company"),
    *_to("cmn_location", "location Location"),
    *_to("cmdb_ci", "cmdb_ci Configuration item"),
    *_to("cmdb_ci_service", "business_service Service"),
    *_to("task", "parent Parent"),
    *_plain("opened_at Opened, closed_at Closed, due_date Due date", TIME),
    *_plain("sla_due SLA due, activity_due Activity due", DUE),
    *_plain("follow_up Follow up, expected_start Expected start", TIME),
    *_plain("work_start Actual start, work_end Actual end, approval_set Approval set", TIME),
    *_plain("watch_list Watch list, work_notes_list Work notes list", LIST, 4000),
    *_plain("group_list Group list, additional_assignee_list Additional assignee list", LIST, 4000),
    *_plain("correlation_id Correlation ID, correlation_display Correlation display", TEXT, 100),
    Field("close_notes", "Close notes", TEXT, 4000),
    Field(
        "contact_type", "Contact type", choices=_same("phone", "email", "self-service", "chat", "integration")
    ),
    Field("escalation", "Escalation", INTEGER, default="0", choices=(("0", "Normal"), ("1", "Moderate"))),
    Field(
        "approval",
        "Approval",
        default="not requested",
        choices=(("not requested", "Not Yet Requested"), ("requested", "Requested"), ("approved", "Approved")),
    ),
    Field("upon_approval", "Upon approval", default="proceed", choices=(("proceed", "Proceed to Next Task"),)),
    Field("upon_reject", "Upon reject", default="cancel", choices=(("cancel", "Cancel all future Tasks"),)),
    Field("knowledge", "Knowledge", BOOLEAN, default="false"),
    Field("made_sla", "Made SLA", BOOLEAN, default="true"),
    Field("reassignment_count", "Reassignment count", INTEGER, default="0", is_fixed=True),
    Field("sys_class_name", "Task type", is_fixed=True),
    Field("task_effective_number", "Effective number", is_fixed=True),
    *_plain("order Order", INTEGER),
    *_plain("business_duration Business duration, calendar_duration Duration, time_worked Time worked", DURATION),
    *_plain("approval_history Approval history, user_input User input, route_reason Transfer reason"),
    *_plain("contract Contract, service_offering Service offering, universal_request Universal Request"),
    *_plain("delivery_plan Delivery plan, delivery_task Delivery task"),
]  # fmt: skip
INCIDENT = [
    Field("state", "Incident state", INTEGER, choices=INCIDENT_STATES, default="1"),
    Field("incident_state", "Incident state", INTEGER, choices=INCIDENT_STATES, default="1"),
    Field("hold_reason", "On hold reason", INTEGER, choices=HOLD_REASONS),
    Field("close_code", "Resolution code", choices=CLOSE_CODES),
    Field("close_notes", "Resolution notes", TEXT, 4000),
    Field("category", "Category", choices=CATEGORIES, default="inquiry"),
    Field("subcategory", "Subcategory", choices=_same("email", "vpn", "dns", "wireless", "cpu", "internal application")),
    Field("severity", "Severity", INTEGER, choices=LEVELS, default="3"),
    Field("notify", "Notify", INTEGER, default="1", choices=(("1", "Do Not Notify"), ("2", "Send Email"))),
    *_to("sys_user", "caller_id Caller, resolved_by Resolved by, reopened_by Last reopened by"),
    *_to("problem", "problem_id Problem"),
    *_to("change_request", "rfc Change Request, caused_by Caused by Change"),
    *_to("incident", "parent_incident Parent Incident"),
    *_plain("resolved_at Resolved, reopened_time Last reopened at", TIME),
    Field("reopen_count", "Reopen count", INTEGER, default="0", is_fixed=True),
    Field("child_incidents", "Child Incidents", INTEGER, default="0", is_fixed=True),
    *_plain("business_stc Business resolve time, calendar_stc Resolve time", INTEGER),
    *_plain("business_impact Business impact, cause Probable cause", TEXT, 4000),
    *_plain("origin_id Origin, origin_table Origin table"),
]  # fmt: skip
PROBLEM = [
    Field("state", "State", INTEGER, choices=PROBLEM_STATES, default="101"),
    Field("problem_state", "Problem state", INTEGER, choices=PROBLEM_STATES, default="101"),
    Field(
        "resolution_code",
        "Resolution code",
        choices=(
            ("fix_applied", "Fix Applied"),
            ("risk_accepted", "Risk Accepted"),
            ("duplicate", "Duplicate"),
            ("canceled", "Canceled"),
        ),
    ),
    Field("category", "Category", choices=CATEGORIES),
    Field("known_error", "Known error", BOOLEAN, default="false"),
    *_plain("cause_notes Cause notes, fix_notes Fix notes, workaround Workaround", TEXT, 4000),
    *_to("sys_user", "resolved_by Resolved by"),
    *_to("change_request", "rfc Change request"),
    *_plain("resolved_at Resolved", TIME),
    Field("reopen_count", "Reopen count", INTEGER, default="0", is_fixed=True),
    Field("related_incidents", "Related Incidents", INTEGER, default="0", is_fixed=True),
]
CHANGE = [
    Field("state", "State", INTEGER, choices=CHANGE_STATES, default="-5"),
    Field("type", "Type", choices=_same("normal", "standard", "emergency"), default="normal"),
    Field(
        "close_code",
        "Close code",
        choices=(
            ("successful", "Successful"),
            ("successful_issues", "Successful with issues"),
            ("unsuccessful", "Unsuccessful"),
        ),
    ),
    Field("category", "Category", choices=_same("hardware", "software", "network", "other"), default="other"),
    Field("risk", "Risk", INTEGER, choices=(("2", "High"), ("3", "Moderate"), ("4", "Low")), default="3"),
    Field("phase", "Phase", choices=_same("requested", "plan", "build"), default="requested"),
    Field("on_hold", "On hold", BOOLEAN, default="false"),
    *_plain("on_hold_reason On hold reason, reason Reason", TEXT, 4000),
    *_plain("justification Justification, implementation_plan Implementation plan", TEXT, 4000),
    *_plain("backout_plan Backout plan, test_plan Test plan, change_plan Change plan", TEXT, 4000),
    *_plain("start_date Planned start date, end_date Planned end date, review_date Review date", TIME),
    *_to("sys_user", "requested_by Requested by"),
]
USER = [
    *SYSTEM,
    *_plain(
        "user_name User ID, first_name First name, last_name Last name, name Name, title Title", TEXT, 100
    ),
    Field("email", "Email", "email", 100),
    Field("time_zone", "Time zone"),
    Field("active", "Active", BOOLEAN, default="true"),
    *_to("core_company", "company Company"),
    *_plain("phone Business phone, mobile_phone Mobile phone"),
    Field("locked_out", "Locked out", BOOLEAN, default="false"),
    Field("web_service_access_only", "Web service access only", BOOLEAN, default="false"),
    Field("sys_class_name", "Class", default="sys_user"),
]
GROUP = [
    *SYSTEM,
    *_plain("name Name, description Description, email Group email", TEXT, 100),
    Field("active", "Active", BOOLEAN, default="true"),
    *_to("sys_user", "manager Manager"),
]


def _fields(*lists: Iterable[Field]) -> dict[str, Field]:
    return {field.name: field for fields in lists for field in fields}


def _plain_table(name: str, label: str, fields: Iterable[Field], display: str = "name") -> Table:
    return Table(name, label, _fields(SYSTEM, fields), display=display)


_TABLES = (
    Table("task", "Task", _fields(TASK, [Field("state", "State", INTEGER)]), display="number"),
    Table("incident", "Incident", _fields(TASK, INCIDENT), "task", "number", "INC", 10001),
    Table("problem", "Problem", _fields(TASK, PROBLEM), "task", "number", "PRB", 40001),
    Table("change_request", "Change Request", _fields(TASK, CHANGE), "task", "number", "CHG", 30001),
    Table("sys_user", "User", _fields(USER)),
    Table("sys_user_group", "Group", _fields(GROUP)),
    _plain_table("sys_user_role", "Role", _plain("name Name, description Description", TEXT, 100)),
    _plain_table(
        "sys_user_has_role",
        "User Role",
        [
            *_to("sys_user", "user User"),
            *_to("sys_user_role", "role Role"),
            Field("inherited", "Inherited", BOOLEAN, default="false"),
            Field("state", "State", default="active"),
        ],
        "role",
    ),
    _plain_table(
        "sys_user_grmember",
        "Group Member",
        [*_to("sys_user", "user User"), *_to("sys_user_group", "group Group")],
        "user",
    ),
    _plain_table("core_company", "Company", _plain("name Name", TEXT, 80)),
    _plain_table("cmn_location", "Location", _plain("name Name, city City, country Country", TEXT, 100)),
    _plain_table("cmdb_ci", "Configuration Item", _plain("name Name, short_description Description", TEXT, 255)),
    _plain_table("cmdb_ci_service", "Service", _plain("name Name", TEXT, 255)),
    _plain_table(
        "sys_choice",
        "Choice",
        [
            *_plain("name Table, element Element, language Language", TEXT, 80),
            *_plain("label Label, value Value, dependent_value Dependent value", TEXT, 100),
            *_plain("sequence Sequence", INTEGER),
            Field("inactive", "Inactive", BOOLEAN, default="false"),
        ],
        "label",
    ),
    _plain_table(
        "sys_dictionary",
        "Dictionary Entry",
        [
            *_plain("name Table, element Column name, column_label Column label", TEXT, 80),
            *_plain("default_value Default value, attributes Attributes", TEXT, 255),
            *_to("sys_glide_object", "internal_type Type"),
            *_to("sys_db_object", "reference Reference"),
            *_plain("max_length Max length, choice Choice", INTEGER),
            *_plain("mandatory Mandatory, read_only Read only, active Active, audit Audit", BOOLEAN),
        ],
        "column_label",
    ),
    _plain_table("sys_glide_object", "Field class", _plain("name Name, label Label", TEXT, 80)),
    _plain_table(
        "sys_db_object",
        "Table",
        [*_plain("name Name, label Label", TEXT, 80), *_to("sys_db_object", "super_class Extends table")],
        "label",
    ),
    _plain_table(
        "sys_journal_field",
        "Journal Entry",
        [*_plain("name Name, element Element, element_id Element ID"), Field("value", "Value", TEXT, 4000)],
        "value",
    ),
    _plain_table(
        "sys_audit",
        "Audit",
        [
            *_plain("tablename Table name, documentkey Document key, fieldname Field name, user User", TEXT, 80),
            *_plain("oldvalue Old value, newvalue New value, reason Reason", TEXT, 4000),
            *_plain("record_checkpoint Update count", INTEGER),
            *_plain("internal_checkpoint Internal checkpoint"),
        ],
        "tablename",
    ),
    _plain_table(
        "sys_audit_delete",
        "Audit Deleted Record",
        _plain("tablename Table name, documentkey Document key, display_value Display value, user User", TEXT, 80),
        "tablename",
    ),
    _plain_table(
        "sys_attachment",
        "Attachment",
        [
            *_plain("file_name File name, content_type Content type, hash Hash", TEXT, 255),
            *_plain("table_name Table name, table_sys_id Table sys ID, state State"),
            *_plain("size_bytes Size bytes, size_compressed Size compressed, chunk_size_bytes Chunk size", INTEGER),
            *_plain("image_height Image height, image_width Image width", INTEGER),
            *_plain("average_image_color Average image color, encryption_context Encryption context"),
            *_plain("compressed Compressed", BOOLEAN),
        ],
        "file_name",
    ),
    _plain_table("sys_properties", "System Property", _plain("name Name, value Value", TEXT, 255)),
    _plain_table(
        "sys_data_policy2",
        "Data Policy",
        [
            *_plain("short_description Short description, model_table Table, conditions Conditions", TEXT, 255),
            *_plain("active Active, reverse_if_false Reverse if false", BOOLEAN),
        ],
        "short_description",
    ),
    _plain_table(
        "sys_data_policy_rule",
        "Data Policy Rule",
        [
            *_to("sys_data_policy2", "sys_data_policy Data policy"),
            *_plain("table Table, field Field name, mandatory Mandatory, disabled Read only", TEXT, 80),
        ],
        "field",
    ),
    _plain_table(
        "dl_u_priority",
        "Priority Data Lookup",
        _plain("impact Impact, urgency Urgency, priority Priority", INTEGER),
        "priority",
    ),
)  # fmt: skip


def all_tables(
    custom: Iterable[Mapping[str, Any]],
    choices: Mapping[str, Iterable[Iterable[str]]],
    lengths: Mapping[str, int],
    missing: Iterable[str],
) -> dict[str, Table]:
    """The tables of an instance, with what its administrators changed; names are `table.field`."""
    found = {table.name: dict(table.fields) for table in _TABLES}
    for one in custom:
        added = tuple((str(pair[0]), str(pair[1])) for pair in one.get("choices", ()))
        length = int(one.get("max_length", 40))
        found[one["table"]][one["name"]] = Field(
            one["name"], one["label"], one.get("type", TEXT), length, one.get("target", ""), added
        )
    for name, pairs in choices.items():
        _change(found, name, choices=tuple((str(value), str(label)) for value, label in pairs))
    for name, length in lengths.items():
        _change(found, name, max_length=length)
    for name in missing:
        table, _, field = name.partition(".")
        found.get(table, {}).pop(field, None)
    return {table.name: replace(table, fields=found[table.name]) for table in _TABLES}


def _change(found: dict[str, dict[str, Field]], name: str, **values: Any) -> None:
    table, _, field = name.partition(".")
    if field in found.get(table, {}):
        found[table][field] = replace(found[table][field], **values)
