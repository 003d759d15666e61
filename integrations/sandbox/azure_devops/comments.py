"""Comments on work items.  Each version of one is told by a revision of its own.

https://learn.microsoft.com/rest/api/azure/devops/wit/comments
"""

from __future__ import annotations

from typing import Any

from integrations.sandbox.azure_devops import steps
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.rules import Doing
from integrations.sandbox.azure_devops.state import (
    Comment,
    CommentRef,
    CommentVersion,
    Organization,
    Update,
    WorkItem,
)
from integrations.sandbox.azure_devops.texts import cleaned

MAX_COMMENT_CHARS = 150_000


def history_comment(
    organization: Organization,
    item: WorkItem,
    fields: dict[str, Any],
    doing: Doing,
    *,
    is_kept: bool = True,
) -> CommentRef | None:
    """A text in System.History is a comment."""
    text = fields.get("System.History")
    if not text:
        return None
    fields["System.CommentCount"] = int(fields.get("System.CommentCount") or 0) + 1
    if not is_kept:
        return None
    version = CommentVersion(1, text, "html", doing.actor, doing.at)
    comment = Comment(organization.next_comment_id(), item.id, [version], len(item.revisions) + 1)
    item.comments.append(comment)
    organization.comments[comment.id] = comment
    return CommentRef(comment.id, 1, False)


def add(
    organization: Organization, item: WorkItem, text: object, format_: str, doing: Doing
) -> tuple[Comment, Update]:
    """Write a comment: it is the next revision's System.History, too."""
    words = _comment_text(text, format_)
    doing = steps.later(item, doing)
    version = CommentVersion(1, words, format_, doing.actor, doing.at)
    made = Comment(organization.next_comment_id(), item.id, [version], len(item.revisions) + 1)
    item.comments.append(made)
    organization.comments[made.id] = made
    fields = dict(item.fields)
    fields["System.CommentCount"] = int(fields.get("System.CommentCount") or 0) + 1
    fields["System.History"] = words
    update = steps.revise(organization, item, fields, doing, comment=CommentRef(made.id, 1, False))
    organization.touch(item, doing.now)
    return made, update


def edit(
    organization: Organization, item: WorkItem, one: Comment, text: object, format_: str, doing: Doing
) -> Update:
    """Rewrite a comment.  The revision that tells it has no System.History: nothing new was said."""
    words = _comment_text(text, format_)
    return _next_version(organization, item, one, words, format_, doing, is_deleted=False)


def delete(organization: Organization, item: WorkItem, one: Comment, doing: Doing) -> Update:
    """Take a comment away; its versions stay."""
    return _next_version(organization, item, one, one.now.text, one.now.format, doing, is_deleted=True)


def _next_version(
    organization: Organization,
    item: WorkItem,
    one: Comment,
    text: str,
    format_: str,
    doing: Doing,
    *,
    is_deleted: bool,
) -> Update:
    doing = steps.later(item, doing)
    version = one.now.version + 1
    one.versions.append(CommentVersion(version, text, format_, doing.actor, doing.at, is_deleted))
    fields = {name: value for name, value in item.fields.items() if name != "System.History"}
    if is_deleted:
        fields["System.CommentCount"] = int(fields["System.CommentCount"]) - 1
    update = steps.revise(organization, item, fields, doing, comment=CommentRef(one.id, version, is_deleted))
    organization.touch(item, doing.now)
    return update


def _comment_text(text: object, format_: str) -> str:
    words = text if isinstance(text, str) else ""
    if not words.strip():
        raise Wrong("Value cannot be null.\r\nParameter name: text", "ArgumentNullException")
    if len(words) > MAX_COMMENT_CHARS:
        raise Wrong(
            f"Comment text cannot be longer than {MAX_COMMENT_CHARS} characters.", "ArgumentException"
        )
    return cleaned(words) if format_ == "html" else words
