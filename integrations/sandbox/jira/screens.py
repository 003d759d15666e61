"""What can be written where: the fields of create, edit and transition screens with their allowed values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integrations.sandbox.jira.schema import field_name, schema_of
from integrations.sandbox.jira.state import ISSUE_TYPES, RESOLUTIONS, Issue
from integrations.sandbox.jira.views import View


def field_meta(view: View, name: str, *, required: bool = False) -> dict[str, Any]:
    """What can be written to a field, as the create, edit and transition screens tell it."""
    schema = schema_of(view.site, name)
    value: dict[str, Any] = {
        "required": required,
        "schema": schema,
        "name": field_name(view.site, name),
        "key": name,
        "hasDefaultValue": name in ("priority", "reporter"),
        "operations": ["add", "set", "remove"] if schema["type"] == "array" else ["set"],
    }
    if (allowed := _allowed(view, name)) is not None:
        value["allowedValues"] = allowed
    return value


def _allowed(view: View, name: str) -> list[Any] | None:
    match name:
        case "priority":
            return [view.priority(one["id"]) for one in view.site.settings.priorities]
        case "resolution":
            return [view.resolution(id_) for id_, _ in RESOLUTIONS]
        case "issuetype":
            return [view.issue_type(id_) for id_, _ in ISSUE_TYPES]
        case "project":
            return [view.project()]
    custom = next((one for one in view.site.settings.custom_fields if one["id"] == name), None)
    if custom is None or custom["type"] != "select":
        return None
    return [view.custom(custom, option["id"]) for option in custom["options"]]


def transition_with_fields(view: View, one: dict[str, Any]) -> dict[str, Any]:
    """A step of the workflow with the fields of its screen, all of them required."""
    return {
        **view.transition(one),
        "fields": {name: field_meta(view, name, required=True) for name in one["screen"]},
    }


def issue_with_steps(view: View, issue: Issue, names: Sequence[str], expand: Sequence[str]) -> dict[str, Any]:
    """An issue, with the steps that are open to it where `transitions` is to be expanded.

    The fields of their screens come only with `transitions.fields`.
    """
    value = view.issue(issue, names, expand)
    if "transitions" in expand:
        tell = transition_with_fields if "transitions.fields" in expand else View.transition
        value["transitions"] = [
            tell(view, one) for one in view.site.settings.transitions if issue.status in one["from"]
        ]
    return value
