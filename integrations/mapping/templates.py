"""Rules that ship with Concord: the common data dictionary, and how each vendor's own fields relate to it.  Pure.

A vendor declares only its own relation to the dictionary, never a pair: any two vendors listed here fit together, and
a new vendor is one more entry in VENDORS.  A template is a beginning.  It becomes version 1 of a side's own rules,
which that side's partner then changes as it likes.

A value on its way out has one meaning, so several own values may share a dictionary value.  A dictionary value on its
way in has a list of own values in order of preference: the first that the system has is taken, which keeps a workflow
with a “Blocked” from being told “In Progress”.  Values that a system has and no template knows are left out: they are
for a person to map, and the checks name them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from integrations.canonical import FieldKind
from integrations.mapping.rules import FieldRule, Transform, UpdateMode

# A system's fields with their allowed values (empty: any); an empty mapping when they are not known yet.
OwnFields = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class CommonField:
    """One field of the data dictionary as every connection begins with it."""

    name: str
    label: str
    kind: FieldKind
    meaning: str
    values: tuple[str, ...] = ()
    max_length: int = 0


DICTIONARY: tuple[CommonField, ...] = (
    CommonField("title", "Title", FieldKind.TEXT, "What the matter is, in one line.", max_length=255),
    CommonField(
        "description", "Description", FieldKind.RICH_TEXT, "What happened, in the words of who raised it."
    ),
    CommonField(
        "status",
        "Status",
        FieldKind.STATUS,
        "Where the work stands. “Pending” waits for whoever raised it, “on hold” for somebody else; “resolved” can be "
        "opened again, “closed” is over for good.",
        values=("new", "open", "pending", "on hold", "resolved", "closed"),
    ),
    CommonField(
        "priority",
        "Priority",
        FieldKind.CHOICE,
        "In which order matters are worked on.",
        values=("critical", "high", "medium", "low"),
    ),
    CommonField(
        "type",
        "Type",
        FieldKind.CHOICE,
        "What kind of matter it is; service levels are agreed by it.",
        values=("incident", "service request", "change", "problem"),
    ),
    CommonField(
        "impact",
        "Impact",
        FieldKind.CHOICE,
        "How much is affected: 1 is everybody, 4 is one person.",
        values=("1", "2", "3", "4"),
    ),
    CommonField(
        "urgency",
        "Urgency",
        FieldKind.CHOICE,
        "How soon it must be mended: 1 is at once, 4 can wait.",
        values=("1", "2", "3", "4"),
    ),
    CommonField("labels", "Labels", FieldKind.LABELS, "Words to find matters of the same kind by."),
    CommonField("assignee", "Assignee", FieldKind.PERSON, "Who works on it."),
    CommonField("requester", "Requester", FieldKind.PERSON, "Who asked for it."),
)


@dataclass(frozen=True, slots=True)
class Out:
    """An own field that is sent.  `meanings`: own value -> dictionary value; empty copies the value.

    `keeps_all`: the system's own list of values is not complete, so that values missing there are kept.
    """

    source: str
    target: str
    meanings: Mapping[str, str] = field(default_factory=dict)
    keeps_all: bool = False


@dataclass(frozen=True, slots=True)
class In:
    """An own field that is written.  `choices`: dictionary value -> own values, the preferred one first.

    A choice for the empty value says what to write where this system cannot be without one.
    """

    source: str
    target: str
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mode: UpdateMode = UpdateMode.OVERWRITE


@dataclass(frozen=True, slots=True)
class VendorTemplate:
    """A vendor's own relation to the data dictionary.

    `usual`: the values a field has in a system that nobody has altered, for when the system was not asked yet.
    `comments_become_public`: whether comments from outside may be shown to everybody who sees the ticket here.  False
    where that would send them to the person who complained before any agent has read them.
    """

    outgoing: tuple[Out, ...]
    incoming: tuple[In, ...]
    comments_become_public: bool
    usual: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


# People are not mapped: the same person has another account on each side, and nobody is cleared for being unknown.
VENDORS: Mapping[str, VendorTemplate] = {
    "zendesk": VendorTemplate(
        outgoing=(
            Out("subject", "title"),
            Out("description", "description"),
            Out(
                "status",
                "status",
                {
                    "new": "new",
                    "open": "open",
                    "pending": "pending",
                    "hold": "on hold",
                    "solved": "resolved",
                    "closed": "closed",
                },
            ),
            Out(
                "priority",
                "priority",
                {"urgent": "critical", "high": "high", "normal": "medium", "low": "low"},
            ),
            Out(
                "type",
                "type",
                {
                    "incident": "incident",
                    "question": "service request",
                    "task": "change",
                    "problem": "problem",
                },
            ),
            Out("tags", "labels"),
        ),
        incoming=(
            In("title", "subject"),
            # Zendesk keeps the first text of a ticket as it was written.
            In("description", "description", mode=UpdateMode.ONLY_IF_NEW),
            In(
                "status",
                "status",
                {
                    # "Once a ticket's status has been changed from New, it can never be set back to New."
                    "new": ("open",),
                    "open": ("open",),
                    "pending": ("pending",),
                    "on hold": ("hold", "pending"),
                    "resolved": ("solved",),
                    "closed": ("closed",),
                },
            ),
            In(
                "priority",
                "priority",
                {"critical": ("urgent",), "high": ("high",), "medium": ("normal",), "low": ("low",)},
            ),
            In(
                "type",
                "type",
                {
                    "incident": ("incident",),
                    "service request": ("question",),
                    "change": ("task",),
                    "problem": ("problem",),
                },
                mode=UpdateMode.ONLY_IF_NEW,
            ),
            In("labels", "tags"),
        ),
        # A public reply is mailed to the customer.
        comments_become_public=False,
    ),
    "jira": VendorTemplate(
        outgoing=(
            Out("summary", "title"),
            Out("description", "description"),
            Out(
                "status",
                "status",
                {
                    "To Do": "new",
                    "Open": "new",
                    "New": "new",
                    "Backlog": "new",
                    "Selected for Development": "new",
                    "Reopened": "open",
                    "In Progress": "open",
                    "Work in progress": "open",
                    "In Review": "open",
                    "Waiting for customer": "pending",
                    "Pending": "pending",
                    "Waiting for support": "open",
                    "On Hold": "on hold",
                    "Blocked": "on hold",
                    "Done": "resolved",
                    "Resolved": "resolved",
                    # A closed Jira issue can be opened again, so it is not over for good.
                    "Closed": "resolved",
                },
            ),
            Out(
                "priority",
                "priority",
                {
                    "Highest": "critical",
                    "High": "high",
                    "Medium": "medium",
                    "Low": "low",
                    "Lowest": "low",
                },
            ),
            Out(
                "issuetype",
                "type",
                {
                    "Bug": "incident",
                    "Incident": "incident",
                    "Task": "service request",
                    "Sub-task": "service request",
                    "Subtask": "service request",
                    "Service Request": "service request",
                    "Story": "change",
                    "Epic": "change",
                    "New Feature": "change",
                    "Improvement": "change",
                    "Change": "change",
                    "Problem": "problem",
                },
                # Jira lists the one type that our new tickets get; people make others.
                keeps_all=True,
            ),
            Out("labels", "labels"),
        ),
        incoming=(
            In("title", "summary"),
            In("description", "description"),
            In(
                "status",
                "status",
                {
                    "new": ("To Do", "Open", "New", "Backlog"),
                    "open": ("In Progress", "Work in progress", "Open"),
                    "pending": ("Waiting for customer", "Pending", "In Progress", "Open"),
                    "on hold": ("On Hold", "Blocked", "In Progress", "Open"),
                    "resolved": ("Done", "Resolved", "Closed"),
                    "closed": ("Closed", "Done", "Resolved"),
                },
            ),
            In(
                "priority",
                "priority",
                {
                    "critical": ("Highest", "High"),
                    "high": ("High",),
                    "medium": ("Medium",),
                    "low": ("Low", "Lowest"),
                    # Jira does not let a priority be emptied.
                    "": ("Medium",),
                },
            ),
            # The type of new tickets is a setting of the system: few projects know more than one of these.
            In("labels", "labels"),
        ),
        # There is no other kind of comment.
        comments_become_public=True,
        usual={
            "status": ("To Do", "In Progress", "In Review", "Done"),
            "priority": ("Highest", "High", "Medium", "Low", "Lowest"),
        },
    ),
    "servicenow": VendorTemplate(
        outgoing=(
            Out("short_description", "title"),
            Out("description", "description"),
            Out(
                "state",
                "status",
                {
                    "New": "new",
                    "In Progress": "open",
                    "On Hold": "on hold",
                    "Resolved": "resolved",
                    "Closed": "closed",
                    "Canceled": "closed",
                    # Problems.
                    "Assess": "open",
                    "Root Cause Analysis": "open",
                    "Fix in Progress": "open",
                    # Changes.
                    "Authorize": "open",
                    "Scheduled": "open",
                    "Implement": "open",
                    "Review": "resolved",
                },
            ),
            # ServiceNow derives it from impact and urgency, which are not sent beside it: told in three ways, every
            # change of it would travel three times.
            Out(
                "priority",
                "priority",
                {
                    "1 - Critical": "critical",
                    "2 - High": "high",
                    "3 - Moderate": "medium",
                    "4 - Low": "low",
                    "5 - Planning": "low",
                },
            ),
            Out("type", "type", {"incident": "incident", "problem": "problem", "change": "change"}),
        ),
        incoming=(
            In("title", "short_description"),
            In("description", "description"),
            In(
                "status",
                "state",
                {
                    "new": ("New",),
                    "open": ("In Progress", "Assess", "Implement"),
                    "pending": ("On Hold", "In Progress", "Assess", "Implement"),
                    "on hold": ("On Hold", "In Progress", "Assess", "Implement"),
                    "resolved": ("Resolved", "Review", "Closed"),
                    "closed": ("Closed", "Resolved"),
                },
            ),
            In(
                "priority",
                "priority",
                {
                    "critical": ("1 - Critical",),
                    "high": ("2 - High",),
                    "medium": ("3 - Moderate",),
                    "low": ("4 - Low",),
                    # There is no ticket without a priority.
                    "": ("3 - Moderate",),
                },
            ),
            In(
                "type",
                "type",
                {
                    "incident": ("incident", "problem", "change"),
                    # Requests come from ServiceNow's own catalogue; from outside they are work for its first line.
                    "service request": ("incident", "change", "problem"),
                    "change": ("change", "incident", "problem"),
                    "problem": ("problem", "incident", "change"),
                    # Every ticket is in one of its tables.
                    "": ("incident", "problem", "change"),
                },
                mode=UpdateMode.ONLY_IF_NEW,
            ),
        ),
        # A comment is mailed to the caller.
        comments_become_public=False,
        usual={
            "state": ("New", "In Progress", "On Hold", "Resolved", "Closed", "Canceled"),
            "priority": ("1 - Critical", "2 - High", "3 - Moderate", "4 - Low", "5 - Planning"),
        },
    ),
    "azure_devops": VendorTemplate(
        outgoing=(
            Out("title", "title"),
            Out("description", "description"),
            Out(
                "status",
                "status",
                {
                    # By category, over the processes that Azure DevOps ships: Agile, Scrum, CMMI and Basic.
                    "New": "new",
                    "Proposed": "new",
                    "To Do": "new",
                    "Approved": "new",
                    "Active": "open",
                    "Committed": "open",
                    "Doing": "open",
                    "In Progress": "open",
                    "Open": "open",
                    "Pending": "pending",
                    "Waiting": "pending",
                    "On Hold": "on hold",
                    "Blocked": "on hold",
                    # Processes that know “resolved” close what was verified; the others have one last state for both.
                    "Resolved": "resolved",
                    "Closed": "closed",
                    "Done": "resolved",
                    "Removed": "closed",
                },
            ),
            Out("priority", "priority", {"1": "critical", "2": "high", "3": "medium", "4": "low"}),
            Out(
                "type",
                "type",
                {
                    "Bug": "incident",
                    "Issue": "incident",
                    "Impediment": "incident",
                    "Task": "service request",
                    "User Story": "change",
                    "Product Backlog Item": "change",
                    "Requirement": "change",
                    "Change Request": "change",
                    "Feature": "change",
                    "Epic": "change",
                },
            ),
            Out("tags", "labels"),
        ),
        incoming=(
            In("title", "title"),
            In("description", "description"),
            In(
                "status",
                "status",
                {
                    "new": ("New", "To Do", "Proposed", "Open"),
                    "open": ("Active", "Committed", "Doing", "In Progress", "Open"),
                    "pending": (
                        "Pending",
                        "Waiting",
                        "On Hold",
                        "Active",
                        "Committed",
                        "Doing",
                        "In Progress",
                        "Open",
                    ),
                    "on hold": ("On Hold", "Blocked", "Active", "Committed", "Doing", "In Progress", "Open"),
                    "resolved": ("Resolved", "Done", "Closed"),
                    "closed": ("Closed", "Done", "Resolved"),
                },
            ),
            In(
                "priority",
                "priority",
                # A new work item has a priority, whether anybody gives one or not.
                {"critical": ("1",), "high": ("2",), "medium": ("3",), "low": ("4",), "": ("3",)},
            ),
            In(
                "type",
                "type",
                {
                    # Within each process these have the same states, which a task has not.
                    "incident": ("Bug", "Issue"),
                    "problem": ("Bug", "Issue"),
                    "service request": ("User Story", "Product Backlog Item", "Requirement", "Issue", "Bug"),
                    "change": (
                        "Change Request",
                        "User Story",
                        "Product Backlog Item",
                        "Requirement",
                        "Issue",
                        "Bug",
                    ),
                },
                mode=UpdateMode.ONLY_IF_NEW,
            ),
            In("labels", "tags"),
        ),
        # There is no other kind of comment.
        comments_become_public=True,
        usual={
            "status": ("New", "Active", "Resolved", "Closed"),
            "priority": ("1", "2", "3", "4"),
            "type": ("Bug", "User Story", "Task", "Issue"),
        },
    ),
}

NO_TEMPLATE = VendorTemplate((), (), comments_become_public=False)


def template_for(kind: str) -> VendorTemplate:
    """The template of a kind of system; an empty one for a kind without."""
    return VENDORS.get(kind, NO_TEMPLATE)


def outgoing_rules(kind: str, own_fields: OwnFields) -> tuple[FieldRule, ...]:
    """What a side sends at first.  Fields and values that its system does not have are left out."""
    template = template_for(kind)
    rules = []
    for row in template.outgoing:
        if own_fields and row.source not in own_fields:
            continue
        known = () if row.keeps_all else _known(template, own_fields, row.source)
        values = {
            spelt: meaning
            for own, meaning in row.meanings.items()
            if (spelt := _as_spelt(own, known)) is not None
        }
        rules.append(_rule(row.source, row.target, values, bool(row.meanings), UpdateMode.OVERWRITE))
    return tuple(rules)


def incoming_rules(kind: str, own_fields: OwnFields) -> tuple[FieldRule, ...]:
    """How a side treats at first what comes in.  Fields and values that its system does not have are left out."""
    template = template_for(kind)
    rules = []
    for row in template.incoming:
        if own_fields and row.target not in own_fields:
            continue
        known = _known(template, own_fields, row.target)
        values = {
            meaning: chosen
            for meaning, choices in row.choices.items()
            if (chosen := _preferred(choices, known)) is not None
        }
        rules.append(_rule(row.source, row.target, values, bool(row.choices), row.mode))
    return tuple(rules)


def _rule(
    source: str, target: str, values: Mapping[str, str], is_mapped: bool, mode: UpdateMode
) -> FieldRule:
    transform = Transform.VALUE_MAP if is_mapped else Transform.COPY
    return FieldRule(source, target, transform, mode, values=values)


def _known(template: VendorTemplate, own_fields: OwnFields, name: str) -> Sequence[str]:
    return own_fields.get(name) or template.usual.get(name, ())


def _as_spelt(value: str, known: Sequence[str]) -> str | None:
    """The value as the system spells it; None when the system does not have it.  Nothing known: as it stands."""
    if not known:
        return value
    return next((one for one in known if one.casefold() == value.casefold()), None)


def _preferred(choices: Sequence[str], known: Sequence[str]) -> str | None:
    return next((spelt for one in choices if (spelt := _as_spelt(one, known)) is not None), None)
