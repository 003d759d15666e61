"""Jira's workflow seen from one ticket: which step leads to a status, and what its screen demands.  Pure.

Steps are looked up by the status they lead to, never by a stored number: numbers belong to one workflow and change when
an administrator edits it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from integrations.connectors import errors
from integrations.connectors.jira.client import dicts
from integrations.connectors.jira.fields import jira_value

# What a screen's field gets when it demands a value and the rules give none.
SCREEN_DEFAULTS: Mapping[str, str] = {"resolution": "Done"}
# A longer way through a workflow is a decision for a person.
MAX_STEPS = 4


@dataclass(frozen=True, slots=True)
class ScreenField:
    """A field on a step's screen."""

    name: str
    is_required: bool
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    """One step that is open now.  `screen` is None when Jira did not tell."""

    id: str
    name: str
    to_status: str
    screen: Mapping[str, ScreenField] | None = field(default=None, hash=False)


def read_transitions(values: object) -> tuple[Transition, ...]:
    """The steps in Jira's answer, in its order; entries without a target are left out."""
    if not isinstance(values, list):
        return ()
    return tuple(
        step for value in values if isinstance(value, dict) and (step := _transition(value)) is not None
    )


def _transition(value: dict) -> Transition | None:
    to = value.get("to")
    status = to.get("name") if isinstance(to, dict) else None
    if not isinstance(status, str) or "id" not in value or value.get("isAvailable") is False:
        return None
    fields = value.get("fields")
    screen = (
        {name: _screen_field(name, spec) for name, spec in fields.items() if isinstance(spec, dict)}
        if isinstance(fields, dict)
        else None
    )
    return Transition(str(value["id"]), str(value.get("name", "")), status, screen)


def _screen_field(name: str, spec: dict) -> ScreenField:
    allowed = spec.get("allowedValues")
    values = tuple(
        str(one.get("name") or one.get("value"))
        for one in (allowed if isinstance(allowed, list) else ())
        if isinstance(one, dict) and (one.get("name") or one.get("value"))
    )
    return ScreenField(name, spec.get("required") is True and not spec.get("hasDefaultValue"), values)


def same_status(left: object, right: object) -> bool:
    """Whether two status names mean the same; Jira keeps them unique without regard to case."""
    return (
        isinstance(left, str)
        and isinstance(right, str)
        and left.strip().casefold() == right.strip().casefold()
    )


def step_to(transitions: Iterable[Transition], status: str) -> Transition | None:
    """The step that leads straight to this status; of several, the one whose screen demands least."""
    steps = [step for step in transitions if same_status(step.to_status, status)]
    return min(steps, key=lambda step: len(_demanded(step)), default=None)


def _demanded(step: Transition) -> list[ScreenField]:
    return [one for one in (step.screen or {}).values() if one.is_required]


def no_step(status: str, transitions: Sequence[Transition]) -> errors.NoTransition:
    """The error for a status that cannot be reached, naming those that can."""
    reachable = sorted({step.to_status for step in transitions})
    if reachable:
        names = ", ".join(f"“{name}”" for name in reachable)
        message = f"Jira's workflow has no step from the ticket's present status to “{status}”.  It leads to: {names}."
    else:
        message = f"Jira's workflow offers our account no step from the ticket's present status, so not to “{status}” either."
    return errors.NoTransition(message, fields={"status": "no transition"})


def screen_values(step: Transition, given: Mapping[str, object]) -> dict[str, object]:
    """What to send with a step: those of the `given` fields (in Jira's form) that are on its screen, and defaults.

    Raises RequiredField when the screen demands a field for which there is neither.
    """
    if step.screen is None:
        return {name: given[name] for name in SCREEN_DEFAULTS if given.get(name)}
    sent = {
        name: value for name, value in given.items() if name in step.screen and value not in (None, "", [])
    }
    missing: dict[str, str] = {}
    for one in _demanded(step):
        if one.name in sent:
            continue
        if (default := default_for(one)) is not None:
            sent[one.name] = jira_value(one.name, default)
        else:
            missing[one.name] = "required by the screen of this step"
    if missing:
        names = ", ".join(f"“{name}”" for name in missing)
        raise errors.RequiredField(
            f"Jira demands a value for {names} to reach “{step.to_status}”.", fields=missing
        )
    return sent


def default_for(one: ScreenField) -> str | None:
    """The declared default of a demanded field, where it is among the values allowed."""
    default = SCREEN_DEFAULTS.get(one.name)
    return default if default is not None and (not one.values or default in one.values) else None


# For a status those that a step leads to.
Graph = Mapping[str, frozenset[str]]


def read_plan(value: Mapping[str, object]) -> Graph:
    """The steps of the workflows in Jira's answer; those without a known end are left out.

    A step that is global leads there from every status.  Jira has told ends in two ways: as `toStatusReference` with
    `links`, and before that as `to` and `from`.
    """
    graph: dict[str, frozenset[str]] = {}
    for plan in dicts(value.get("workflows")):
        names = _status_names(value, plan)
        for step in dicts(plan.get("transitions")):
            to = names.get(_reference(step.get("toStatusReference") or step.get("to")))
            if to is None or step.get("type") == "INITIAL":
                continue
            links = [*dicts(step.get("links")), *dicts(step.get("from"))]
            starts = {names.get(_reference(link.get("fromStatusReference") or link)) for link in links}
            for start in set(names.values()) if step.get("type") == "GLOBAL" else starts:
                if start is not None and start != to:
                    graph[start] = graph.get(start, frozenset()) | {to}
    return graph


def _status_names(value: Mapping[str, object], plan: Mapping[str, object]) -> dict[str, str]:
    """The names of a workflow's own statuses by their reference."""
    own = {_reference(one) for one in dicts(plan.get("statuses"))}
    named = {_reference(one): str(one.get("name") or "") for one in dicts(value.get("statuses"))}
    return {reference: name for reference, name in named.items() if name and reference in own}


def _reference(value: object) -> str:
    told = value.get("statusReference") if isinstance(value, dict) else value
    return str(told) if isinstance(told, str | int) else ""


def way(graph: Graph, start: str, end: str) -> tuple[str, ...] | None:
    """The shortest way through the known workflow, as statuses after `start`; None when none is known.

    `graph` says for a status which others steps were seen to lead to.  Of equally short ways the first by name is
    taken, so that every worker goes the same way.
    """
    folded = {status.casefold(): sorted(targets) for status, targets in graph.items()}
    queue: deque[tuple[str, ...]] = deque([(start,)])
    seen = {start.casefold()}
    while queue:
        trail = queue.popleft()
        if len(trail) > MAX_STEPS:
            return None
        for status in folded.get(trail[-1].casefold(), ()):
            if same_status(status, end):
                return (*trail[1:], status)
            if status.casefold() not in seen:
                seen.add(status.casefold())
                queue.append((*trail, status))
    return None


def entries_of(entries: Sequence[dict], statuses: Sequence[str]) -> tuple[str, ...]:
    """The ids of the newest changelog entries that went through these statuses one after the other, oldest first.

    `entries` come newest first.  None of them when they do not fit: somebody else moved the ticket at the same time.
    """
    moves = [(entry, status) for entry in entries if (status := _status_set(entry)) is not None]
    newest = moves[: len(statuses)]
    if len(newest) < len(statuses):
        return ()
    if not all(same_status(to, status) for (_, to), status in zip(newest, reversed(statuses), strict=True)):
        return ()
    return tuple(str(entry.get("id")) for entry, _ in reversed(newest))


def histories(raw: Mapping[str, object]) -> list[dict]:
    """The changelog entries inside an issue's answer, newest first."""
    log = raw.get("changelog")
    return dicts(log.get("histories")) if isinstance(log, dict) else []


def moves(raw: Mapping[str, object]) -> list[tuple[str, str]]:
    """The changes of status in an issue's changelog, as (from, to)."""
    items = [item for entry in histories(raw) for item in dicts(entry.get("items")) if _is_status(item)]
    pairs = [(item.get("fromString"), item.get("toString")) for item in items]
    return [(str(start), str(end)) for start, end in pairs if start and end]


def _status_set(entry: dict) -> str | None:
    return next(
        (str(item.get("toString") or "") for item in dicts(entry.get("items")) if _is_status(item)), None
    )


def _is_status(item: Mapping[str, object]) -> bool:
    return item.get("fieldId", item.get("field")) == "status"
