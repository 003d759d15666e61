"""What the clauses of JQL mean: tests on issues, and the ids that a clause narrows the search to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from integrations.sandbox.jira import adf
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.state import ISSUE_TYPES, PROJECT_ID, RESOLUTIONS, Issue, Site

Test = Callable[[Issue], bool]


@dataclass(frozen=True, slots=True)
class Part:
    """A clause or several joined; `candidates` None means that any issue may fit."""

    test: Test
    candidates: set[int] | None = None


def both(one: Part, other: Part) -> Part:
    """Both hold."""
    sets = [part.candidates for part in (one, other) if part.candidates is not None]
    narrowed = set.intersection(*sets) if sets else None
    return Part(lambda issue: one.test(issue) and other.test(issue), narrowed)


def either(one: Part, other: Part) -> Part:
    """One of them holds."""
    both = None if one.candidates is None or other.candidates is None else one.candidates | other.candidates
    return Part(lambda issue: one.test(issue) or other.test(issue), both)


_PROPERTY = re.compile(r"issue\.property\[([^\]]+)\](?:\.(.+))?")


def key_clause(site: Site, operator: str, values: list[str]) -> Part:
    """A clause on key or id."""
    ids: set[int] = set()
    for value in values:
        issue = site.issue(value)
        if issue is None and operator in ("=", "in"):
            raise Wrong(f"An issue with key '{value}' does not exist for field 'key'.")
        if issue is not None:
            ids.add(issue.id)
    if operator in ("=", "in"):
        return Part(lambda issue: issue.id in ids, ids)
    if operator in ("!=", "not in"):
        return Part(lambda issue: issue.id not in ids)
    number = next(iter(ids), 0)
    if operator in (">", ">="):
        return Part(lambda issue: issue.id > number or (operator == ">=" and issue.id == number))
    return Part(lambda issue: issue.id < number or (operator == "<=" and issue.id == number))


def project_clause(site: Site, values: list[str]) -> Part:
    """There is one project: it holds every issue, or it is another one, which Jira says."""
    settings = site.settings
    names = (settings.project_key.lower(), settings.project_name.lower(), PROJECT_ID)
    for value in values:
        if value.lower() not in names or not site.is_visible:
            raise Wrong(f"The value '{value}' does not exist for the field 'project'.")
    return Part(lambda issue: True)


def property_clause(site: Site, name: str, operator: str, values: list[str]) -> Part:
    """A clause on a value in an entity property, which the index knows."""
    match = _PROPERTY.fullmatch(name)
    assert match is not None
    if operator not in ("=", "in"):
        raise Wrong(f"The operator '{operator}' is not supported by the '{name}' field.")
    ids: set[int] = set()
    for value in values:
        ids |= site.index.with_value(match[1].strip("\"'"), match[2] or "", value)
    return Part(lambda issue: issue.id in ids, ids)


def reader_of(site: Site, name: str) -> Callable[[Issue], list[str]] | None:
    """All the words a value can be called by, in lower case."""
    settings = site.settings
    priorities = {one["id"]: one["name"] for one in settings.priorities}
    readers: dict[str, Callable[[Issue], list[str | None]]] = {
        "project": lambda _: [settings.project_key, settings.project_name, PROJECT_ID],
        "status": lambda issue: [issue.status, site.status(issue.status)["id"]],
        "statuscategory": lambda issue: [_CATEGORIES[site.status(issue.status)["category"]]],
        "priority": lambda issue: [priorities.get(issue.priority_id), issue.priority_id],
        "issuetype": lambda issue: [dict(ISSUE_TYPES)[issue.type_id], issue.type_id],
        "type": lambda issue: [dict(ISSUE_TYPES)[issue.type_id], issue.type_id],
        "resolution": lambda issue: [dict(RESOLUTIONS).get(issue.resolution_id or ""), issue.resolution_id],
        "labels": lambda issue: list(issue.labels),
        "assignee": lambda issue: [issue.assignee.account_id, issue.assignee.name] if issue.assignee else [],
        "reporter": lambda issue: [issue.reporter.account_id, issue.reporter.name] if issue.reporter else [],
        "creator": lambda issue: [issue.creator.account_id, issue.creator.name],
        "summary": lambda issue: [issue.summary],
        "description": lambda issue: [adf.text_of(issue.description)],
        "text": lambda issue: [issue.summary, adf.text_of(issue.description)],
    }
    custom = next((one for one in settings.custom_fields if _is_called(one, name)), None)
    if custom is not None:
        options = {one["id"]: one["value"] for one in custom["options"]}
        readers[name] = lambda issue: [
            issue.custom.get(custom["id"]),
            options.get(issue.custom.get(custom["id"], "")),
        ]
    read = readers.get(name)
    return None if read is None else lambda issue: [str(one).lower() for one in read(issue) if one]


_CATEGORIES = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}


def _is_called(custom: dict[str, object], name: str) -> bool:
    id_ = str(custom["id"])
    return name in (id_, str(custom["name"]).lower(), f"cf[{id_.removeprefix('customfield_')}]")


def comparison(read: Callable[[Issue], list[str]], operator: str, values: list[str]) -> Test:
    """The test of an operator on the words of a value."""
    tests: dict[str, Test] = {
        "=": lambda issue: any(one in values for one in read(issue)),
        "in": lambda issue: any(one in values for one in read(issue)),
        "!=": lambda issue: bool(read(issue)) and not any(one in values for one in read(issue)),
        "not in": lambda issue: bool(read(issue)) and not any(one in values for one in read(issue)),
        "~": lambda issue: any(values[0].strip("*") in one for one in read(issue)),
        "!~": lambda issue: not any(values[0].strip("*") in one for one in read(issue)),
        "is empty": lambda issue: not read(issue),
        "is not empty": lambda issue: bool(read(issue)),
    }
    if operator not in tests:
        raise Wrong(f"The operator '{operator}' is not supported by this field.")
    return tests[operator]


ORDERS: dict[str, Callable[[Site, Issue], object]] = {
    "key": lambda _, issue: issue.id,
    "issuekey": lambda _, issue: issue.id,
    "id": lambda _, issue: issue.id,
    "created": lambda _, issue: issue.created,
    "updated": lambda site, issue: site.index.updated[issue.id],
    "priority": lambda _, issue: issue.priority_id,
    "status": lambda _, issue: issue.status,
    "summary": lambda _, issue: issue.summary,
    "rank": lambda _, issue: issue.id,
}
