"""The links of work items: to files and addresses, and to one another, which have two ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from integrations.sandbox.azure_devops import errors, steps
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.patch import Wanted
from integrations.sandbox.azure_devops.rules import Doing
from integrations.sandbox.azure_devops.state import Organization, Relation, WorkItem
from integrations.sandbox.azure_devops.views import LINK_NAMES

MAX_RELATIONS = 1000
_REVERSED = {
    "System.LinkTypes.Related": "System.LinkTypes.Related",
    **{
        f"System.LinkTypes.{one}-{way}": f"System.LinkTypes.{one}-{back}"
        for one in ("Hierarchy", "Duplicate", "Dependency")
        for way, back in (("Forward", "Reverse"), ("Reverse", "Forward"))
    },
}
_GUID = re.compile(r"/attachments/([0-9a-f-]{36})", re.IGNORECASE)
_ITEM = re.compile(r"/workitems/(\d+)$", re.IGNORECASE)


def linked(
    organization: Organization, item: WorkItem, wanted: Wanted, doing: Doing
) -> tuple[list[Relation], tuple[Relation, ...], tuple[Relation, ...], tuple[Relation, ...]]:
    """The links after a patch, and which of them were added, removed and changed."""
    relations = list(item.relations)
    highest = max((*wanted.removed, *(index for index, _, _ in wanted.attributes)), default=-1)
    if highest >= len(relations):
        raise errors.bad_argument(
            "Index was out of range. Must be non-negative and less than the size of the collection."
        )
    updated: dict[int, Relation] = {}
    for index, name, value in wanted.attributes:
        relations[index] = updated[index] = replace(
            relations[index], attributes={**relations[index].attributes, name: value}
        )
    removed = tuple(relations[index] for index in sorted(set(wanted.removed)))
    relations = [one for one in relations if one not in removed]
    added = tuple(relation_of(organization, one, doing) for one in wanted.added)
    relations += added
    check_links(item, relations)
    files = [one for one in relations if one.rel == "AttachedFile"]
    if len(files) > organization.settings.max_attachments:
        message = f"A work item can have at most {organization.settings.max_attachments} attachments."
        raise Wrong(message, "WorkItemResourceLinkException")
    return relations, added, removed, tuple(updated.values())


def check_links(item: WorkItem, relations: list[Relation]) -> None:
    """Wrong when a work item cannot have all these links."""
    if len(relations) > MAX_RELATIONS:
        message = f"Work item {item.id} exceeds the limit of {MAX_RELATIONS} links."
        raise Wrong(message, "WorkItemLinksLimitExceededException")
    seen: set[tuple[str, str]] = set()
    for one in relations:
        if (one.rel, one.target) in seen:
            raise Wrong("Relation already exists.", "RelationAlreadyExistsException")
        seen.add((one.rel, one.target))
    if sum(one.rel.endswith("Hierarchy-Reverse") for one in relations) > 1:
        message = "TF201036: You cannot add a Parent link because a work item can have only one Parent link."
        raise Wrong(message, "WorkItemLinkAddExtraParentException")


def relation_of(organization: Organization, given: Mapping[str, Any], doing: Doing) -> Relation:
    """The link that a writer describes; Wrong when it leads nowhere."""
    rel, url = str(given.get("rel", "")), str(given.get("url", ""))
    attributes = dict(given.get("attributes") or {})
    target = url
    if rel == "AttachedFile":
        found = _GUID.search(url)
        target = found[1].lower() if found else ""
        if target not in organization.files:
            message = f"The attachment {url} does not exist."
            raise Wrong(message, "WorkItemAttachmentNotFoundException")
    elif rel in LINK_NAMES:
        linked = _ITEM.search(url)
        if linked is None or organization.item(int(linked[1])) is None:
            raise errors.unseen_item(linked[1] if linked else url)
        target = linked[1]
    elif rel not in ("Hyperlink", "ArtifactLink") or not url:
        raise errors.bad_argument(f"Unrecognized relation type {rel}.")
    kept = {name: value for name, value in attributes.items() if name in ("comment", "name")}
    return Relation(organization.next_relation_id(), rel, target, doing.at, kept)


def link_back(
    organization: Organization,
    item: WorkItem,
    added: tuple[Relation, ...] | list[Relation],
    removed: tuple[Relation, ...],
    doing: Doing,
) -> None:
    """A link between work items has two ends; the other one gets a step too."""
    for one in added:
        if one.rel in _REVERSED and (other := organization.items.get(int(one.target))) is not None:
            back = Relation(
                organization.next_relation_id(), _REVERSED[one.rel], str(item.id), doing.at, one.attributes
            )
            other.relations.append(back)
            steps.step(other, doing, (back,), (), ())
            organization.touch(other, doing.now)
    for one in removed:
        if one.rel in _REVERSED and (other := organization.items.get(int(one.target))) is not None:
            gone = tuple(
                r for r in other.relations if (r.rel, r.target) == (_REVERSED[one.rel], str(item.id))
            )
            other.relations = [r for r in other.relations if r not in gone]
            steps.step(other, doing, (), gone, ())
            organization.touch(other, doing.now)
