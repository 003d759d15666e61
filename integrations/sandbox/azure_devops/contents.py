"""A sandboxed Azure DevOps told to others than the vendor's API: to whoever compares, and to the operator."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from integrations.sandbox.azure_devops.state import Organization, Person, WorkItem
from integrations.sandbox.azure_devops.texts import from_markdown, text_of
from integrations.sandbox.azure_devops.views import View, time_text
from integrations.sandbox.system import Choice, Entry, Row

_UNTOLD = frozenset(("System.CommentCount", "System.History", "System.CreatedDate", "System.ChangedDate"))


def item_content(organization: Organization, item: WorkItem) -> dict[str, Any]:
    """One work item in comparable form."""
    first = item.revisions[0]
    return {
        "id": str(item.id),
        "key": str(item.id),
        "title": item.title,
        "type": item.type.name,
        "status": item.status,
        "rev": item.now.rev,
        "description": text_of(item.fields.get(description_field(item))),
        "fields": _fields(organization, item),
        "labels": _labels(organization, item),
        "comments": [
            {
                "id": str(one.id),
                "author": one.versions[0].by.name,
                "public": True,
                "body": one.now.text,
                "format": one.now.format,
                "text": text_of(
                    from_markdown(one.now.text) if one.now.format == "markdown" else one.now.text
                ),
                "created_at": time_text(one.versions[0].at),
            }
            for one in item.comments
            if not one.now.is_deleted
        ],
        "attachments": [
            {
                "name": str(one.attributes.get("name") or file.name),
                "size": len(file.data),
                "sha256": hashlib.sha256(file.data).hexdigest(),
            }
            for one in item.relations
            if one.rel == "AttachedFile" and (file := organization.files[one.target])
        ],
        "links": [{"rel": one.rel, "url": one.target} for one in item.relations if one.rel != "AttachedFile"],
        "history_length": len(item.updates),
        "created_at": time_text(first.at),
        "updated_at": time_text(item.now.at),
    }


def description_field(item: WorkItem) -> str:
    """Where this type's form has the long text."""
    return "Microsoft.VSTS.TCM.ReproSteps" if item.type.name == "Bug" else "System.Description"


def _fields(organization: Organization, item: WorkItem) -> dict[str, Any]:
    known = organization.schema.fields
    fields: dict[str, Any] = {"System.WorkItemType": item.type.name}
    for name, value in item.fields.items():
        if name in _UNTOLD or name not in known:
            continue
        fields[name] = (
            value.email or value.name
            if isinstance(value, Person)
            else View(organization, "").field_value(known[name], value)
        )
    return fields


def _labels(organization: Organization, item: WorkItem) -> dict[str, str]:
    """What people call the fields they care about: not the long text, told apart, nor who did what when."""
    untold = ("System.Title", "System.State", description_field(item))
    return {
        one.reference: one.name
        for one in organization.schema.fields_of(item.type)
        if one.reference not in untold
        and one.type not in ("dateTime", "html")
        and not (one.is_identity and one.read_only)
    }


def rows(organization: Organization, words: str, offset: int, limit: int) -> tuple[Sequence[Row], int]:
    """Work items that hold the words, newest change first, and how many there are."""
    words = words.lower()
    found = [
        one
        for one in organization.items.values()
        if not one.is_deleted
        and (not words or words in f"{one.id} {one.title} {one.status} {one.type.name}".lower())
    ]
    found.sort(key=lambda one: one.place, reverse=True)
    told = [
        Row(
            str(one.id),
            f"{one.type.name} {one.id}",
            one.title,
            one.status,
            str(one.fields.get("Microsoft.VSTS.Common.Priority", "")),
            time_text(one.now.at),
        )
        for one in found[offset : offset + limit]
    ]
    return told, len(found)


def history(organization: Organization, item: WorkItem) -> Sequence[Entry]:
    """The steps for people, oldest first; the first one, which made the work item, is left out."""
    view = View(organization, "", as_objects=False)
    known = organization.schema.fields
    found: list[Entry] = []
    for one in item.updates[1:]:
        told = view.update(item, one)
        changes = [
            (
                "Comment" if name == "System.History" else known[name].name,
                _shown(value.get("oldValue")),
                _shown(value.get("newValue")),
            )
            for name, value in told.get("fields", {}).items()
            # What the system writes by itself tells people nothing, but for the way into the bin and out of it.
            if not known[name].read_only or name == "System.IsDeleted"
        ]
        for word, relations in told.get("relations", {}).items():
            changes += [
                (
                    f"Link {word}",
                    "",
                    f"{relation['rel']} {relation['attributes'].get('name') or relation['url']}",
                )
                for relation in relations
            ]
        found.append((time_text(one.at), one.by.name, changes))
    return found


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return text_of(value) if isinstance(value, str) and value.startswith("<") else str(value)


def choices(organization: Organization, ticket_id: str) -> Sequence[Choice]:
    """What a form offers: a new work item needs a type, an old one has the states of its own."""
    item = organization.items.get(int(ticket_id)) if ticket_id.isdigit() else None
    types = organization.schema.types
    chosen = item.type if item is not None else types[0]
    states = chosen.states if item is not None else ()
    people = {one.email: one for one in organization.people.values() if one.is_active and one.email}
    lists = [
        Choice(one.reference, one.name, tuple(str(value) for value in one.values))
        for one in organization.schema.fields_of(chosen)
        if one.values and not one.read_only
    ]
    return (
        *([] if item is not None else [Choice("type", "Type", tuple(one.name for one in types))]),
        Choice("System.Title", "Title"),
        *([Choice("System.State", "State", tuple(one.name for one in states))] if states else []),
        Choice(
            "System.AssignedTo", "Assigned to", tuple(people), {one: people[one].combined for one in people}
        ),
        *lists,
        Choice("System.Tags", "Tags"),
        *(
            Choice(one.reference, one.name)
            for one in organization.schema.fields_of(chosen)
            if one.reference.startswith("Custom.") and one.type == "string"
        ),
    )
