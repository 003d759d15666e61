"""What can be done with work items: create, change, link, comment, delete, restore; each step of it in the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from integrations.sandbox.azure_devops import comments, errors, links, patch, rules, steps
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.patch import Wanted
from integrations.sandbox.azure_devops.process import ItemType
from integrations.sandbox.azure_devops.rules import Doing
from integrations.sandbox.azure_devops.state import (
    File,
    Organization,
    Person,
    Update,
    WorkItem,
)
from integrations.sandbox.azure_devops.views import LINK_NAMES


def create(
    organization: Organization, item_type: ItemType, wanted: Wanted, doing: Doing, *, is_kept: bool = True
) -> WorkItem:
    """Make a work item; Wrong when a rule does not allow it.  Without `is_kept` it is only checked."""
    fields, doing = _written(organization, item_type, {}, wanted.fields, doing, None)
    added = [links.relation_of(organization, one, doing) for one in wanted.added]
    item = WorkItem(organization.next_item_id() if is_kept else -1, item_type)
    links.check_links(item, added)
    fields |= {"System.CreatedDate": fields.get("System.CreatedDate", doing.at), "System.CommentCount": 0}
    fields.setdefault("System.CreatedBy", doing.actor)
    item.relations += added
    comment = comments.history_comment(organization, item, fields, doing, is_kept=is_kept)
    steps.revise(organization, item, fields, doing, added=tuple(added), comment=comment)
    if is_kept:
        organization.items[item.id] = item
        organization.touch(item, doing.now)
        links.link_back(organization, item, added, (), doing)
    return item


def change(organization: Organization, item: WorkItem, wanted: Wanted, doing: Doing) -> Update | None:
    """Do a patch as one step; None when it changes nothing.  Wrong leaves everything as it was."""
    check_tests(organization, item, wanted)
    doing = steps.later(item, doing)
    fields, doing = _written(organization, item.type, item.fields, wanted.fields, doing, item)
    relations, added, removed, updated = links.linked(organization, item, wanted, doing)
    changed_fields = fields != {k: v for k, v in item.fields.items() if k != "System.History"}
    resources = any(one.rel not in LINK_NAMES for one in (*added, *removed, *updated))
    if not (changed_fields or added or removed or updated):
        return None
    item.relations = relations
    if changed_fields or resources:
        comment = comments.history_comment(organization, item, fields, doing)
        update = steps.revise(organization, item, fields, doing, added, removed, updated, comment)
    else:
        update = steps.step(item, doing, added, removed, updated)
    organization.touch(item, doing.now)
    links.link_back(organization, item, added, removed, doing)
    return update


def checked(organization: Organization, item: WorkItem, wanted: Wanted, doing: Doing) -> WorkItem:
    """The work item as a patch would make it, and nothing kept of that."""
    check_tests(organization, item, wanted)
    fields, doing = _written(
        organization, item.type, item.fields, wanted.fields, steps.later(item, doing), item
    )
    relations, *_ = links.linked(organization, item, wanted, doing)
    trial = WorkItem(item.id, item.type, list(item.revisions), list(item.updates), relations=relations)
    fields = {name: value for name, value in fields.items() if name != "System.History"}
    now = replace(
        item.now, rev=item.now.rev + 1, by=doing.actor, at=doing.at, fields=steps.stamped(fields, doing)
    )
    trial.revisions.append(now)
    return trial


def check_tests(organization: Organization, item: WorkItem, wanted: Wanted) -> None:
    """412 when the work item is not what the writer thinks."""
    for path, expected in wanted.tests:
        present: Any = None
        if path.lower() == "/rev":
            present = item.now.rev
        elif path.lower() == "/id":
            present = item.id
        elif path.lower().startswith("/fields/"):
            field = organization.schema.find(path[8:])
            if field is None:
                raise errors.no_field(path[8:])
            present = item.now.rev if field.reference == "System.Rev" else item.fields.get(field.reference)
            present = present.combined if isinstance(present, Person) else present
        if str(present) != str(expected):
            raise errors.failed_test(path, present, expected)


def _written(
    organization: Organization,
    item_type: ItemType,
    before: Mapping[str, Any],
    wanted: Mapping[str, Any],
    doing: Doing,
    item: WorkItem | None,
) -> tuple[dict[str, Any], Doing]:
    """The fields after a change, and who changed them when, which those who bypass the rules may say themselves."""
    fields = rules.changed(organization, item_type, before, wanted, doing)
    if doing.bypass:
        by, at = fields.get("System.ChangedBy"), fields.get("System.ChangedDate")
        own = {name for one in wanted if (name := _reference(organization, one)) in rules.BYPASSED}
        if "System.ChangedDate" in own and isinstance(at, int):
            if item is not None and at <= item.now.at:
                message = "VS402625: Dates must be increasing with each revision."
                raise Wrong(message, "WorkItemDatesNotIncreasingException")
            doing = replace(doing, at=at)
        if "System.ChangedBy" in own and isinstance(by, Person):
            doing = replace(doing, actor=by)
    return fields, doing


def _reference(organization: Organization, name: str) -> str:
    field = organization.schema.find(name)
    return field.reference if field else name


# --- Files ---


def add_file(organization: Organization, name: str, data: bytes, doing: Doing) -> File:
    """Keep an uploaded file; it hangs on no work item yet."""
    if len(data) > organization.settings.max_attachment_bytes:
        raise too_large()
    file = File(organization.next_guid("file"), name, bytearray(data), doing.actor, doing.at)
    organization.files[file.id] = file
    return file


def too_large() -> Wrong:
    """400 for a file beyond the limit."""
    message = "TF237082: The file you are trying to upload exceeds the supported file upload size."
    return Wrong(message, "WorkItemAttachmentExceedsMaxSizeException")


def attach(organization: Organization, item: WorkItem, file: File, doing: Doing) -> Update | None:
    """Hang an uploaded file on a work item."""
    link = {"rel": "AttachedFile", "url": f"/attachments/{file.id}", "attributes": {"name": file.name}}
    return change(organization, item, patch.Wanted(added=[link]), doing)


# --- The recycle bin ---


def delete(organization: Organization, item: WorkItem, doing: Doing) -> Update:
    """Put a work item into the bin; that is a revision."""
    doing = steps.later(item, doing)
    fields = {name: value for name, value in item.fields.items() if name != "System.History"}
    item.is_deleted = True
    update = steps.revise(organization, item, {**fields, "System.IsDeleted": True}, doing)
    organization.touch(item, doing.now)
    return update


def restore(organization: Organization, item: WorkItem, doing: Doing) -> Update:
    """Take a work item out of the bin; that is a revision."""
    doing = steps.later(item, doing)
    fields = {name: value for name, value in item.fields.items() if name != "System.IsDeleted"}
    item.is_deleted = False
    update = steps.revise(organization, item, fields, doing)
    organization.touch(item, doing.now)
    return update


def destroy(organization: Organization, item: WorkItem) -> None:
    """Destroy a work item for good."""
    del organization.items[item.id]
    for one in item.comments:
        del organization.comments[one.id]
