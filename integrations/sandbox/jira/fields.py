"""Jira's fields: reading what a request wants, checking it, and telling the change log's item for a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.sandbox.jira import adf
from integrations.sandbox.jira.errors import Wrong, not_on_screen, wrong_field
from integrations.sandbox.jira.state import ISSUE_TYPES, PROJECT_ID, RESOLUTIONS, Issue, Site, User

SUMMARY_CHARS = 255
TEXT_CHARS = 32_767
_NO_DOCUMENT = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
_SYSTEM = (
    "summary", "description", "environment", "issuetype", "priority", "assignee", "reporter", "labels", "duedate",
)  # fmt: skip


@dataclass(slots=True)
class Wanted:
    """Checked values by attribute of an issue; custom fields by their id."""

    values: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)
    comments: list[Any] = field(default_factory=list)


def read(site: Site, fields: object, update: object, *, rich: bool, more: tuple[str, ...] = ()) -> Wanted:
    """What `fields` and `update` ask for.  `rich`: formatted texts are ADF (v3), else wiki text (v2).

    Every complaint is collected, as Jira answers them all at once.
    """
    fields = fields if isinstance(fields, Mapping) else {}
    update = update if isinstance(update, Mapping) else {}
    wanted, errors = Wanted(), dict[str, str]()
    for name in set(fields) & set(update):
        errors[name] = f"Field '{name}' cannot be set in both fields and update."
    for name, value in fields.items():
        if name != "project":
            _collect(errors, lambda n=name, v=value: _take(site, wanted, n, v, rich=rich, more=more))
    for name, operations in update.items():
        if not isinstance(operations, list) or not all(isinstance(one, Mapping) for one in operations):
            errors[name] = f"Field '{name}' needs a list of operations."
        elif name == "comment":
            wanted.comments += [one["add"] for one in operations if "add" in one]
        elif "set" in (operations[0] if operations else {}):
            value = operations[0]["set"]
            _collect(errors, lambda n=name, v=value: _take(site, wanted, n, v, rich=rich, more=more))
        elif name == "labels":
            wanted.values["labels_ops"] = operations
        elif operations:
            errors[name] = f"Field '{name}' does not support operation '{next(iter(operations[0]))}'."
    if errors:
        raise Wrong(errors=errors)
    return wanted


def _collect(errors: dict[str, str], take: Any) -> None:
    try:
        take()
    except Wrong as error:
        errors.update(error.errors)


def check_project(site: Site, fields: object) -> None:
    """The project named in a create must be ours."""
    project = fields.get("project") if isinstance(fields, Mapping) else None
    given = project if isinstance(project, Mapping) else {}
    if given.get("key") != site.settings.project_key and str(given.get("id")) != PROJECT_ID:
        raise wrong_field("project", "valid project is required")


def _take(site: Site, wanted: Wanted, name: str, value: Any, *, rich: bool, more: tuple[str, ...]) -> None:
    if name in more and name == "resolution":
        wanted.values["resolution_id"] = _named(RESOLUTIONS, value, name)
    elif name in _SYSTEM:
        attribute, checked = _system_value(site, name, value, rich=rich)
        wanted.values[attribute] = checked
    elif (definition := custom_field(site, name)) is not None:
        wanted.custom[name] = _custom_value(definition, value, rich=rich)
    else:
        raise not_on_screen(name)


def custom_field(site: Site, id_: str) -> dict[str, Any] | None:
    """A custom field's definition."""
    return next((one for one in site.settings.custom_fields if one["id"] == id_), None)


def _system_value(site: Site, name: str, value: Any, *, rich: bool) -> tuple[str, Any]:
    match name:
        case "summary":
            return name, _summary(value)
        case "description" | "environment":
            return name, rich_text(name, value, rich=rich)
        case "issuetype":
            return "type_id", _named(ISSUE_TYPES, value, name)
        case "priority":
            known = tuple((one["id"], one["name"]) for one in site.settings.priorities)
            return "priority_id", _named(known, value, name)
        case "assignee" | "reporter":
            return name, _user(site, value, name)
        case "labels":
            return name, _labels(value)
        case _:
            if value is not None and not isinstance(value, str):
                raise wrong_field(name, "Operation value must be a string")
            return name, value


def _summary(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong_field("summary", "Operation value must be a string")
    if not value.strip():
        raise wrong_field("summary", "You must specify a summary of the issue.")
    if "\n" in value or "\r" in value:
        raise wrong_field("summary", "The summary is invalid because it contains newline characters.")
    if len(value) > SUMMARY_CHARS:
        raise wrong_field("summary", "Summary can't exceed 255 characters.")
    return value.strip()


def rich_text(name: str, value: Any, *, rich: bool) -> dict[str, Any] | None:
    """A formatted text as ADF; in v2 it comes as text."""
    if value is None:
        return None
    if not rich and isinstance(value, str):
        document = adf.from_text(value)
        value = document if document["content"] else None
    elif not adf.is_valid(value):
        raise wrong_field(name, _NO_DOCUMENT)
    if value is not None and len(adf.text_of(value)) > TEXT_CHARS:
        raise wrong_field(
            name, "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
        )
    return value


def _named(known: tuple[tuple[str, str], ...], value: Any, name: str) -> str:
    """An id from `{"id": ...}` or `{"name": ...}`."""
    given = value if isinstance(value, Mapping) else {}
    for id_, label in known:
        if str(given.get("id")) == id_ or ("id" not in given and given.get("name") == label):
            return id_
    if name == "priority":
        raise wrong_field(name, "The priority selected is invalid.")
    if name == "issuetype":
        raise wrong_field(name, "Specify a valid issue type")
    raise wrong_field(name, f"Specify a valid 'id' or 'name' for {name.capitalize()}")


def _user(site: Site, value: Any, name: str) -> User | None:
    if value is None:
        return None
    given = value if isinstance(value, Mapping) else {}
    id_ = given.get("accountId") or given.get("id")
    if "accountId" in given and id_ is None:
        return None
    user = site.users.get(str(id_))
    if user is None:
        raise wrong_field(name, "Specify a valid value for " + name)
    return user


def _labels(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong_field("labels", "data was not an array")
    for one in value:
        if any(char.isspace() for char in one):
            raise wrong_field("labels", f"The label '{one}' contains spaces which is invalid.")
    return sorted(set(value))


def _custom_value(definition: Mapping[str, Any], value: Any, *, rich: bool) -> Any:
    name, kind = definition["id"], definition["type"]
    if value is None or value == "":
        return None
    if kind == "rich_text":
        return rich_text(name, value, rich=rich)
    if kind == "select":
        given = value if isinstance(value, Mapping) else {}
        for option in definition["options"]:
            if str(given.get("id")) == option["id"] or (
                "id" not in given and given.get("value") == option["value"]
            ):
                return option["id"]
        raise wrong_field(name, f"Specify a valid 'id' or 'name' for {definition['name']}")
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_field(name, "Operation value must be a number")
        return value
    if not isinstance(value, str):
        raise wrong_field(name, "Operation value must be a string")
    if len(value) > SUMMARY_CHARS:
        raise wrong_field(
            name, "The entered text is too long. It exceeds the allowed limit of 255 characters."
        )
    return value


# --- The change log ---


def apply(site: Site, issue: Issue, wanted: Wanted) -> list[dict[str, Any]]:
    """Write the wanted values; the items that tell what changed."""
    items = []
    if operations := wanted.values.pop("labels_ops", None):
        labels = list(issue.labels)
        for one in operations:
            labels = [*labels, one["add"]] if "add" in one else [x for x in labels if x != one.get("remove")]
        wanted.values["labels"] = _labels(labels)
    for attribute, value in wanted.values.items():
        before = getattr(issue, attribute)
        if before != value:
            setattr(issue, attribute, value)
            items.append(_item(site, attribute, before, value))
    for id_, value in wanted.custom.items():
        before = issue.custom.get(id_)
        if before != value:
            issue.custom[id_] = value
            definition = custom_field(site, id_) or {"id": id_, "name": id_, "type": "text", "options": []}
            items.append(_custom_item(definition, before, value))
    return items


def item(
    field_: str, before: tuple[str | None, str | None], after: tuple[str | None, str | None]
) -> dict[str, Any]:
    """One item: `from` and `to` are ids where the field has any, the strings are what people read."""
    return {
        "field": field_,
        "fieldtype": "jira",
        "fieldId": field_,
        "from": before[0],
        "fromString": before[1],
        "to": after[0],
        "toString": after[1],
    }


def _item(site: Site, attribute: str, before: Any, after: Any) -> dict[str, Any]:
    match attribute:
        case "description" | "environment":
            return item(attribute, (None, _text(before)), (None, _text(after)))
        case "assignee" | "reporter":
            return item(attribute, _person(before), _person(after))
        case "labels":
            return item(attribute, (None, " ".join(before)), (None, " ".join(after)))
        case "priority_id":
            names = {one["id"]: one["name"] for one in site.settings.priorities}
            return item("priority", (before, names.get(before)), (after, names.get(after)))
        case "type_id":
            types = dict(ISSUE_TYPES)
            return item("issuetype", (before, types.get(before)), (after, types.get(after)))
        case "resolution_id":
            resolutions = dict(RESOLUTIONS)
            return item("resolution", (before, resolutions.get(before)), (after, resolutions.get(after)))
        case _:
            return item(attribute, (None, before), (None, after))


def _text(document: dict[str, Any] | None) -> str | None:
    return None if document is None else adf.text_of(document)


def _person(user: User | None) -> tuple[str | None, str | None]:
    return (None, None) if user is None else (user.account_id, user.name)


def _custom_item(definition: Mapping[str, Any], before: Any, after: Any) -> dict[str, Any]:
    value = item(definition["name"], _custom_pair(definition, before), _custom_pair(definition, after))
    return {**value, "fieldtype": "custom", "fieldId": definition["id"]}


def _custom_pair(definition: Mapping[str, Any], value: Any) -> tuple[str | None, str | None]:
    if value is None:
        return None, None
    if definition["type"] == "select":
        names = {one["id"]: one["value"] for one in definition["options"]}
        return value, names.get(value)
    return None, _text(value) if definition["type"] == "rich_text" else str(value)
