"""What the fields of a project's work items take: for the mapping's choice of fields and values.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from integrations.canonical import FieldKind, FieldSpec, StatusStep
from integrations.connectors.azure_devops.fields import (
    REASONS,
    STRING_CHARS,
    TITLE_CHARS,
    choice_text,
    kind_of,
    our_name,
)
from integrations.connectors.azure_devops.process import Process, TicketType
from integrations.connectors.azure_devops.texts import MAX_TEXT_CHARS

# A tree path is chosen from a tree of its own; everybody may be named for a person.
_NO_LIST = (FieldKind.PERSON, FieldKind.RICH_TEXT, FieldKind.LABELS)


def specs(
    records: Iterable[dict], process: Process, ticket_type: TicketType, paths: dict[str, tuple[str, ...]]
) -> Iterator[FieldSpec]:
    """The fields of a type that we can exchange; `paths` are the areas and iterations."""
    for record in records:
        reference = record.get("referenceName")
        name = our_name(reference, ticket_type) if isinstance(reference, str) else ""
        kind = kind_of(name, process) if name else None
        if kind is not None:
            yield _spec(record, name, kind, process, ticket_type, paths)


def _spec(
    record: dict,
    name: str,
    kind: FieldKind,
    process: Process,
    ticket_type: TicketType,
    paths: dict[str, tuple[str, ...]],
) -> FieldSpec:
    values = () if kind in _NO_LIST else _allowed(record.get("allowedValues"))
    if name == "status":
        values = tuple(ticket_type.categories)
    elif name == "type":
        values = tuple(one.name for one in process.types.values() if not one.is_disabled)
    elif name in paths:
        values = paths[name]
    elif kind is FieldKind.CHOICE and process.field_types.get(name) == "boolean":
        values = ("true", "false")
    if values and kind in (FieldKind.TEXT, FieldKind.NUMBER):
        kind = FieldKind.CHOICE
    label = record.get("name")
    return FieldSpec(
        name,
        label if isinstance(label, str) and label else name,
        kind,
        values,
        _max_length(name, kind),
        # What goes with a step through the states is set by the process, and may be changed afterwards.
        is_required=record.get("alwaysRequired") is True
        and not values
        and record.get("defaultValue") is None,
        is_create_only=name == "type",
        steps=_steps(ticket_type) if name == "status" else (),
        steps_known=tuple(one for one in values if one in ticket_type.steps) if name == "status" else (),
    )


def _steps(ticket_type: TicketType) -> tuple[StatusStep, ...]:
    """The steps between the states; a reason that one demands is given by the process."""
    states = ticket_type.categories
    return tuple(
        StatusStep(start, end)
        for start, onward in ticket_type.steps.items()
        for end in onward
        if start in states and end in states
    )


def _max_length(name: str, kind: FieldKind) -> int:
    if name == "title":
        return TITLE_CHARS
    if kind is FieldKind.RICH_TEXT:
        return MAX_TEXT_CHARS
    return STRING_CHARS if kind is FieldKind.TEXT else 0


def _allowed(values: object) -> tuple[str, ...]:
    found = [one for one in values if isinstance(one, str | int | float)] if isinstance(values, list) else []
    return tuple(dict.fromkeys(choice_text(one) for one in found))


def first_reasons(records: Iterable[dict], process_type: TicketType) -> dict[str, str]:
    """For the reasons that a step may demand, the value that the process names first."""
    found = {}
    for record in records:
        reference = record.get("referenceName")
        name = our_name(reference, process_type) if isinstance(reference, str) else ""
        if name in REASONS:
            default = record.get("defaultValue")
            values = _allowed(record.get("allowedValues"))
            if first := (default if isinstance(default, str) and default else next(iter(values), "")):
                found[name] = first
    return found


def tree_paths(roots: Iterable[dict]) -> dict[str, tuple[str, ...]]:
    """Areas and iterations as the paths that their fields take."""
    names = {"area": "area", "iteration": "iteration"}
    return {
        names[kind]: tuple(_paths(root, "", 0))
        for root in roots
        if (kind := str(root.get("structureType"))) in names
    }


def _paths(node: dict, above: str, depth: int) -> Iterator[str]:
    name = node.get("name")
    if not isinstance(name, str) or depth > 20:
        return
    path = f"{above}\\{name}" if above else name
    yield path
    children = node.get("children")
    for child in children if isinstance(children, list) else ():
        if isinstance(child, dict):
            yield from _paths(child, path, depth + 1)
