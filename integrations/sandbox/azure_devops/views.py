"""Azure DevOps' JSON for what the sandbox holds.  Addresses start with the origin that the client used."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from integrations.sandbox.azure_devops.process import ItemType
from integrations.sandbox.azure_devops.schema import Field
from integrations.sandbox.azure_devops.state import (
    Comment,
    CommentVersion,
    Organization,
    Person,
    Relation,
    Revision,
    Update,
    WorkItem,
)
from integrations.sandbox.azure_devops.texts import from_markdown

NEVER = "9999-01-01T00:00:00Z"
LINK_NAMES = {
    "System.LinkTypes.Hierarchy-Forward": "Child",
    "System.LinkTypes.Hierarchy-Reverse": "Parent",
    "System.LinkTypes.Related": "Related",
    "System.LinkTypes.Duplicate-Forward": "Duplicate",
    "System.LinkTypes.Duplicate-Reverse": "Duplicate Of",
    "System.LinkTypes.Dependency-Forward": "Successor",
    "System.LinkTypes.Dependency-Reverse": "Predecessor",
}
# What is told only to those who ask for all fields.
_WIDE = (
    "System.Id",
    "System.AreaId",
    "System.NodeName",
    "System.AreaLevel1",
    "System.Rev",
    "System.AuthorizedDate",
    "System.RevisedDate",
    "System.IterationId",
    "System.IterationLevel1",
    "System.AuthorizedAs",
    "System.PersonId",
    "System.Watermark",
)


def time_text(ms: int) -> str:
    """A time as the vendor writes it: milliseconds without the zeros at their end."""
    at = datetime.fromtimestamp(ms / 1000, UTC)
    fraction = f".{ms % 1000:03}".rstrip("0").rstrip(".")
    return at.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


@dataclass(frozen=True, slots=True)
class View:
    """Tells things to one caller.  `as_objects`: people are objects, as since version 5.0; else `Name <address>`."""

    organization: Organization
    origin: str
    as_objects: bool = True

    @property
    def base(self) -> str:
        """The organisation's address."""
        return f"{self.origin}/{quote(self.organization.settings.organization)}"

    @property
    def project_base(self) -> str:
        """The project's address; by its id, as the vendor tells it."""
        return f"{self.base}/{self.organization.project_id}"

    # --- People ---

    def identity(self, person: Person) -> dict[str, Any]:
        """A person as an object, as they are now."""
        person = self.organization.people.get(person.id, person)
        avatar = f"{self.base}/_apis/GraphProfile/MemberAvatars/{person.descriptor}"
        value: dict[str, Any] = {
            "displayName": person.name,
            "url": f"{self.origin}/_apis/Identities/{person.id}",
            "_links": {"avatar": {"href": avatar}},
            "id": person.id,
            "uniqueName": person.email,
            "imageUrl": avatar,
            "descriptor": person.descriptor,
        }
        if not person.is_active:
            value["inactive"] = True
        return value

    def person(self, person: Person) -> Any:
        """A person in the form of the caller's version."""
        return self.identity(person) if self.as_objects else person.combined

    def revised_by(self, person: Person) -> dict[str, Any]:
        """Who made an update: always an object, with the combined name beside the others."""
        value = self.identity(person)
        return {"id": value.pop("id"), "name": person.combined, **value}

    # --- Fields ---

    def field_value(self, field: Field, value: Any) -> Any:
        """A stored value as JSON."""
        if isinstance(value, Person):
            return self.person(value)
        return time_text(value) if field.type == "dateTime" and isinstance(value, int) else value

    def fields(self, item: WorkItem, revision: Revision, *, wide: bool = False) -> dict[str, Any]:
        """The fields of a revision by reference name; empty ones are absent."""
        project = self.organization.settings.project
        stored = dict(revision.fields)
        value: dict[str, Any] = {
            "System.AreaPath": stored.pop("System.AreaPath"),
            "System.TeamProject": project,
            "System.IterationPath": stored.pop("System.IterationPath"),
            "System.WorkItemType": item.type.name,
        }
        known = self.organization.schema.fields
        value |= {name: self.field_value(known[name], one) for name, one in stored.items() if name in known}
        if parent := self._parent(item):
            value["System.Parent"] = parent
        return {**self._wide(item, revision), **value} if wide else value

    def _parent(self, item: WorkItem) -> int | None:
        found = [one for one in item.relations if one.rel == "System.LinkTypes.Hierarchy-Reverse"]
        return int(found[0].target) if found else None

    def _wide(self, item: WorkItem, revision: Revision) -> dict[str, Any]:
        area, iteration = revision.fields["System.AreaPath"], revision.fields["System.IterationPath"]
        return {
            "System.Id": item.id,
            "System.AreaId": node_id(self.organization, "area", area),
            "System.NodeName": area.rpartition("\\")[2],
            "System.AreaLevel1": area.partition("\\")[0],
            "System.Rev": revision.rev,
            "System.AuthorizedDate": time_text(revision.at),
            "System.RevisedDate": self.revised_at(item, revision.rev),
            "System.IterationId": node_id(self.organization, "iteration", iteration),
            "System.IterationLevel1": iteration.partition("\\")[0],
            "System.AuthorizedAs": self.person(revision.by),
            "System.PersonId": 100 + list(self.organization.people).index(revision.by.id),
            "System.Watermark": revision.watermark,
        }

    def revised_at(self, item: WorkItem, rev: int) -> str:
        """When a revision was followed by the next; the newest one in the year 9999."""
        return time_text(item.revisions[rev].at) if rev < len(item.revisions) else NEVER

    # --- Work items ---

    def item_url(self, item: WorkItem) -> str:
        """The address of a work item, in the bin or not."""
        place = "recyclebin" if item.is_deleted else "workItems"
        return f"{self.project_base}/_apis/wit/{place}/{item.id}"

    def item(
        self,
        item: WorkItem,
        revision: Revision | None = None,
        *,
        expand: str = "links",
        only: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """A work item at a revision; `only` these fields, else with what `expand` names."""
        told = revision or item.now
        wide = expand in ("all", "fields") or only is not None
        fields = self.fields(item, told, wide=wide)
        if only is not None:
            fields = {name: one for name, one in fields.items() if name in only}
        value: dict[str, Any] = {"id": item.id, "rev": told.rev, "fields": fields}
        if told.comment is not None:
            value["commentVersionRef"] = self.comment_reference(item, told)
        relations = told.relations if revision is not None else item.relations
        if expand in ("all", "relations") and relations:
            value["relations"] = [self.relation(one) for one in relations]
        if expand in ("all", "relations", "links") and only is None:
            value["multilineFieldsFormat"] = {}
            value["_links"] = self.links(item) if revision is None else self._revision_links(item, told)
        value["url"] = self.item_url(item) + (f"/revisions/{told.rev}" if revision is not None else "")
        return value

    def links(self, item: WorkItem) -> dict[str, Any]:
        """Where to go from a work item."""
        url, wit = self.item_url(item), f"{self.project_base}/_apis/wit"
        links = {"self": url}
        if not item.is_deleted:
            links |= {
                "workItemUpdates": f"{url}/updates",
                "workItemRevisions": f"{url}/revisions",
                "workItemComments": f"{url}/comments",
                "html": f"{self.project_base}/_workitems/edit/{item.id}",
            }
        links |= {
            "workItemType": f"{wit}/workItemTypes/{quote(item.type.name)}",
            "fields": f"{wit}/fields",
        }
        return {name: {"href": href} for name, href in links.items()}

    def _revision_links(self, item: WorkItem, revision: Revision) -> dict[str, Any]:
        url = self.item_url(item)
        return {
            "self": {"href": f"{url}/revisions/{revision.rev}"},
            "workItemRevisions": {"href": f"{url}/revisions"},
            "parent": {"href": url},
        }

    def comment_reference(self, item: WorkItem, revision: Revision) -> dict[str, Any]:
        """Which version of which comment a revision is about."""
        ref = revision.comment
        assert ref is not None
        value: dict[str, Any] = {
            "commentId": ref.comment_id,
            "version": ref.version,
            "url": f"{self.project_base}/_apis/wit/workItems/{item.id}/comments/{ref.comment_id}/versions/{ref.version}",
        }
        if ref.is_deleted:
            value["isDeleted"] = True
        return value

    def relation(self, one: Relation) -> dict[str, Any]:
        """A link with the vendor's attributes."""
        if one.rel in LINK_NAMES:
            url = f"{self.project_base}/_apis/wit/workItems/{one.target}"
            return {"rel": one.rel, "url": url,
                    "attributes": {"isLocked": False, **one.attributes, "name": LINK_NAMES[one.rel]}}  # fmt: skip
        at = time_text(one.at)
        attributes: dict[str, Any] = {
            "authorizedDate": at,
            "id": one.id,
            "resourceCreatedDate": at,
            "resourceModifiedDate": at,
            "revisedDate": NEVER,
            **one.attributes,
        }
        target = one.target
        if one.rel == "AttachedFile":
            # A file that was deleted for good stays named on the work item.
            if file := self.organization.files.get(target):
                attributes |= {"resourceSize": len(file.data)}
                attributes.setdefault("name", file.name)
            target = f"{self.project_base}/_apis/wit/attachments/{target}"
        return {"rel": one.rel, "url": target, "attributes": attributes}

    # --- History ---

    def update(self, item: WorkItem, update: Update) -> dict[str, Any]:
        """One step: what each changed field was and became."""
        url = f"{self.project_base}/_apis/wit/workItems/{item.id}"
        value: dict[str, Any] = {
            "id": update.id,
            "workItemId": item.id,
            "rev": update.rev,
            "revisedBy": self.revised_by(update.by),
            "revisedDate": self.revised_at(item, update.rev),
        }
        if update.makes_revision:
            value["fields"] = self._changed_fields(item, update.rev)
        relations = {
            name: [self.relation(one) for one in found]
            for name, found in (
                ("added", update.added),
                ("removed", update.removed),
                ("updated", update.updated),
            )
            if found
        }
        if relations:
            value["relations"] = relations
        value["_links"] = {
            "self": {"href": f"{url}/updates/{update.id}"},
            "workItemUpdates": {"href": f"{url}/updates"},
            "parent": {"href": url},
            "html": {"href": f"{self.project_base}/_workitems/edit/{item.id}"},
        }
        value["url"] = f"{url}/updates/{update.id}"
        return value

    def _changed_fields(self, item: WorkItem, rev: int) -> dict[str, Any]:
        after = self.fields(item, item.revisions[rev - 1], wide=True)
        before = self.fields(item, item.revisions[rev - 2], wide=True) if rev > 1 else {}
        # A comment belongs to its revision alone: that the next one has none is no change.
        before.pop("System.History", None)
        changed: dict[str, Any] = {}
        for name in (*before, *(name for name in after if name not in before)):
            if before.get(name) != after.get(name):
                changed[name] = {
                    **({"oldValue": before[name]} if name in before else {}),
                    **({"newValue": after[name]} if name in after else {}),
                }
        if rev > 1 and "System.RevisedDate" in changed:
            changed["System.RevisedDate"] = {
                "oldValue": time_text(item.revisions[rev - 1].at),
                "newValue": self.revised_at(item, rev),
            }
        return changed

    # --- Comments ---

    def comment(self, comment: Comment, expand: str = "none") -> dict[str, Any]:
        """A comment as it is."""
        first, now = comment.versions[0], comment.now
        value = {
            "workItemId": comment.item_id,
            **self._comment_version(comment, now, expand),
            "createdBy": self.identity(first.by),
            "createdDate": time_text(first.at),
            "url": f"{self.project_base}/_apis/wit/workItems/{comment.item_id}/comments/{comment.id}",
        }
        if expand in ("reactions", "all"):
            value["reactions"] = []
        return value

    def _comment_version(self, comment: Comment, one: CommentVersion, expand: str = "none") -> dict[str, Any]:
        value: dict[str, Any] = {
            "id": comment.id,
            "version": one.version,
            "text": "" if one.is_deleted else one.text,
            "modifiedBy": self.identity(one.by),
            "modifiedDate": time_text(one.at),
            "format": one.format,
        }
        if one.is_deleted:
            value["isDeleted"] = True
        if one.format == "markdown" or expand in ("renderedText", "renderedTextOnly", "all"):
            value["renderedText"] = (
                from_markdown(value["text"]) if one.format == "markdown" else value["text"]
            )
        if expand == "renderedTextOnly":
            del value["text"]
        return value

    def comment_version(self, comment: Comment, one: CommentVersion) -> dict[str, Any]:
        """A comment as it was."""
        url = f"{self.project_base}/_apis/wit/workItems/{comment.item_id}/comments/{comment.id}"
        value = self._comment_version(comment, one)
        value |= {
            "createdBy": self.identity(comment.versions[0].by),
            "createdDate": time_text(comment.versions[0].at),
            "url": f"{url}/versions/{one.version}",
        }
        return value

    # --- The recycle bin ---

    def deleted(self, item: WorkItem, code: int = 200) -> dict[str, Any]:
        """A work item in the bin, or just taken out of it."""
        at = datetime.fromtimestamp(item.now.at / 1000, UTC)
        clock = f"{at.hour % 12 or 12}:{at:%M:%S} {'AM' if at.hour < 12 else 'PM'}"
        return {
            "id": item.id,
            "type": item.type.name,
            "name": item.title,
            "project": self.organization.settings.project,
            "deletedDate": f"{at.month}/{at.day}/{at.year} {clock}",
            "deletedBy": item.now.by.combined,
            "code": code,
            "url": f"{self.project_base}/_apis/wit/recyclebin/{item.id}",
            "resource": self.item(item),
        }

    # --- Types ---

    def type_url(self, item_type: ItemType) -> str:
        """The address of a work item type."""
        return f"{self.project_base}/_apis/wit/workItemTypes/{quote(item_type.name)}"

    def field_reference(self, field: Field) -> dict[str, Any]:
        """A field by its names."""
        return {
            "referenceName": field.reference,
            "name": field.name,
            "url": f"{self.base}/_apis/wit/fields/{field.reference}",
        }

    def collection(self, values: Iterable[Any]) -> dict[str, Any]:
        """The wrapper of every list; the documents show the bare list."""
        found = list(values)
        return {"count": len(found), "value": found}


def node_id(organization: Organization, kind: str, path: str) -> int:
    """The number of an area or iteration; the project's root comes first."""
    below = organization.settings.areas if kind == "area" else organization.settings.iterations
    names = ["", *below]
    first = 100 if kind == "area" else 200
    return first + names.index(path.partition("\\")[2])
