"""The workflow of a project's issue type as people see it in the mapping: its steps, and what their screens demand.

The plan tells all steps, to accounts that may see it.  Others learn from issues: the steps that are open from the
status of the last issue in each, and the changes of status that happened.  Screens are only told by issues.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from integrations.canonical import StatusStep
from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.connectors.jira import client, workflow
from integrations.connectors.jira.polling import quoted
from integrations.connectors.jira.recall import Known, known_from

# An issue is looked at for each status, at most so many.
LOOKED_AT = 12

# The steps, and the statuses from which all of them are told.
Told = tuple[tuple[StatusStep, ...], tuple[str, ...]]


def told(http: Http, project: str, issue_type: dict, statuses: Iterable[str]) -> Told:
    """The steps between these statuses; a call for the project, the plan, the last issues, and each status found.

    Nothing where Jira does not tell any of it: a workflow that is not known keeps nobody from exchanging tickets.
    """
    names = tuple(statuses)
    plan: workflow.Graph = {}
    with contextlib.suppress(errors.Refused, errors.Unauthorized, errors.Garbled):
        place = client.project(http, project)
        value = client.workflow_plan(http, str(place.get("id")), str(issue_type.get("id")))
        plan = workflow.read_plan(value)
    seen: list[tuple[Known, list[tuple[str, str]]]] = []
    with contextlib.suppress(errors.Refused, errors.Unauthorized, errors.Garbled):
        seen = list(_seen(http, project, str(issue_type.get("name") or "")))
    return _merged(names, plan, seen)


def _seen(http: Http, project: str, issue_type: str) -> Iterable[tuple[Known, list[tuple[str, str]]]]:
    jql = f"project = {quoted(project)} AND issuetype = {quoted(issue_type)} ORDER BY updated DESC"
    page = client.search(http, jql, fields=("status",))
    newest: dict[str, str] = {}
    for raw in client.dicts(page.get("issues")):
        newest.setdefault(known_from(raw).status, str(raw.get("id")))
    for issue_id in list(newest.values())[:LOOKED_AT]:
        with contextlib.suppress(errors.Gone):
            raw = client.workflow_place(http, issue_id)
            yield known_from(raw), workflow.moves(raw)


def _merged(
    names: tuple[str, ...], plan: workflow.Graph, seen: list[tuple[Known, list[tuple[str, str]]]]
) -> Told:
    """What the plan tells, and without it what is open from the issues seen, which tell the screens either way."""
    open_now = {known.status: known.transitions for known, _ in seen if known.transitions}
    pairs: dict[tuple[str, str], tuple[str, ...]] = {}
    if plan:
        pairs = {(start, end): () for start, ends in plan.items() for end in ends}
    else:
        for _, moves in seen:
            pairs |= {pair: () for pair in moves if pair[0] not in open_now}
    for start, transitions in open_now.items():
        for step in transitions:
            screen = (step.screen or {}).values()
            demanded = tuple(sorted(one.name for one in screen if one.is_required))
            pair = start, step.to_status
            if pair[0] != pair[1] and (not plan or pair in pairs):
                pairs[pair] = demanded if not pairs.get(pair) else min(pairs[pair], demanded, key=len)
    steps = tuple(
        StatusStep(start, end, requires)
        for (start, end), requires in sorted(pairs.items(), key=lambda one: _place(names, one[0]))
        if start in names and end in names
    )
    known = names if plan else tuple(name for name in names if name in open_now)
    return steps, known


def _place(names: tuple[str, ...], pair: tuple[str, str]) -> tuple[int, ...]:
    return tuple(names.index(one) if one in names else len(names) for one in pair)
