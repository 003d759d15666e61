"""Steps in a work item's history: the next revision, or a change of links alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from integrations.sandbox.azure_devops.rules import Doing
from integrations.sandbox.azure_devops.state import (
    CommentRef,
    Organization,
    Relation,
    Revision,
    Update,
    WorkItem,
)


def later(item: WorkItem, doing: Doing) -> Doing:
    """Dates increase with each revision, also when the clock stands still."""
    return replace(doing, at=max(doing.at, item.now.at + 1))


def stamped(fields: Mapping[str, Any], doing: Doing) -> dict[str, Any]:
    """The fields with who changed them last, and when."""
    return {**fields, "System.ChangedDate": doing.at, "System.ChangedBy": doing.actor}


def revise(
    organization: Organization,
    item: WorkItem,
    fields: Mapping[str, Any],
    doing: Doing,
    added: tuple[Relation, ...] = (),
    removed: tuple[Relation, ...] = (),
    updated: tuple[Relation, ...] = (),
    comment: CommentRef | None = None,
) -> Update:
    """Write the next revision and the step to it."""
    rev = len(item.revisions) + 1
    watermark = organization.next_watermark()
    revision = Revision(
        rev, doing.actor, doing.at, watermark, stamped(fields, doing), tuple(item.relations), comment
    )
    item.revisions.append(revision)
    organization.log.append((item.id, revision))
    update = Update(len(item.updates) + 1, rev, doing.actor, doing.at, True, added, removed, updated)
    item.updates.append(update)
    return update


def step(
    item: WorkItem,
    doing: Doing,
    added: tuple[Relation, ...],
    removed: tuple[Relation, ...],
    updated: tuple[Relation, ...],
) -> Update:
    """A step that makes no revision: only links between work items changed."""
    update = Update(
        len(item.updates) + 1, item.now.rev, doing.actor, doing.at, False, added, removed, updated
    )
    item.updates.append(update)
    return update
