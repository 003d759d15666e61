"""Jira's rules for issues: creating, editing, moving through the workflow, commenting, attaching.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.jira import adf, fields
from integrations.sandbox.jira.errors import Wrong, wrong_field
from integrations.sandbox.jira.state import RESOLUTIONS, Comment, File, History, Issue, Site, User

PROPERTY_CHARS = 32_768


@dataclass(frozen=True, slots=True)
class Doing:
    """Who writes, when by the ticket (ms), and how far the system's clock is (seconds).  `rich`: texts are ADF.

    `metadata` is what the writer wants kept beside the entry of the change log, given back as it came.
    """

    actor: User
    at: int
    now: float
    rich: bool = True
    metadata: dict[str, Any] | None = None


def create(site: Site, body: Mapping[str, Any], doing: Doing) -> Issue:
    """Make an issue; Wrong when a value does not pass."""
    given = body.get("fields") or {}
    wanted = _create_values(site, body, doing)
    id_, key = site.next_issue_id()
    first = site.settings.statuses[0]["name"]
    default = next(
        one["id"] for one in site.settings.priorities if one["name"] == site.settings.default_priority
    )
    issue = Issue(
        id_,
        key,
        "",
        "",
        first,
        default,
        doing.actor,
        doing.actor,
        doing.at,
        doing.at,
        status_changed=doing.at,
    )
    fields.apply(site, issue, wanted)
    if "reporter" in given and issue.reporter is None:
        issue.reporter = doing.actor
    for one in body.get("properties") or []:
        set_property(issue.properties, str(one.get("key", "")), one.get("value"))
    site.issues[id_] = issue
    site.by_key[key] = id_
    for comment in wanted.comments:
        _add_comment(site, issue, comment, doing)
    site.touch(issue, doing.now)
    return issue


def _create_values(site: Site, body: Mapping[str, Any], doing: Doing) -> fields.Wanted:
    given = body.get("fields") or {}
    errors: dict[str, str] = {}
    try:
        fields.check_project(site, given)
    except Wrong as error:
        errors |= error.errors
    try:
        wanted = fields.read(site, given, body.get("update"), rich=doing.rich)
    except Wrong as error:
        errors |= error.errors
        wanted = fields.Wanted()
    if "summary" not in wanted.values and "summary" not in errors:
        errors["summary"] = "You must specify a summary of the issue."
    if "type_id" not in wanted.values and "issuetype" not in errors:
        errors["issuetype"] = "Specify an issue type"
    if errors:
        raise Wrong(errors=errors)
    return wanted


def edit(site: Site, issue: Issue, body: Mapping[str, Any], doing: Doing) -> History | None:
    """Change fields; a `transition` in the body is ignored.  None when nothing changed."""
    wanted = fields.read(site, body.get("fields"), body.get("update"), rich=doing.rich)
    comments = [_checked_comment(one, doing) for one in wanted.comments]
    items = fields.apply(site, issue, wanted)
    for one in body.get("properties") or []:
        set_property(issue.properties, str(one.get("key", "")), one.get("value"))
    for comment in comments:
        _add_comment(site, issue, comment, doing)
    history = note(site, issue, items, doing)
    site.touch(issue, doing.now)
    return history


def note(site: Site, issue: Issue, items: list[dict[str, Any]], doing: Doing) -> History | None:
    """Write an entry of the change log, unless nothing changed."""
    if not items:
        return None
    history = History(site.next_history_id(), doing.actor, doing.at, items, doing.metadata)
    issue.histories.append(history)
    issue.updated = doing.at
    return history


# --- Workflow ---


def transitions(site: Site, issue: Issue) -> list[dict[str, Any]]:
    """The transitions that lead out of the issue's status."""
    return [one for one in site.settings.transitions if issue.status in one["from"]]


def move(site: Site, issue: Issue, body: Mapping[str, Any], doing: Doing) -> History:
    """Do a transition with the fields of its screen."""
    given = body.get("transition")
    id_ = str(given.get("id", "")) if isinstance(given, Mapping) else ""
    if not id_:
        raise Wrong("Missing 'transition' identifier")
    chosen = next((one for one in transitions(site, issue) if one["id"] == id_), None)
    if chosen is None:
        raise Wrong(f"Transition id '{id_}' is not valid for this issue.")
    screen = tuple(chosen["screen"])
    off_screen = sorted(set(body.get("fields") or {}) - set(screen))
    if off_screen:
        raise Wrong(errors={name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
                            for name in off_screen})  # fmt: skip
    wanted = fields.read(site, body.get("fields"), body.get("update"), rich=doing.rich, more=screen)
    if "resolution" in screen and not wanted.values.get("resolution_id"):
        raise wrong_field("resolution", "Resolution is required.")
    comments = [_checked_comment(one, doing) for one in wanted.comments]
    items = fields.apply(site, issue, wanted) + set_status(site, issue, chosen["to"], doing.at)
    for comment in comments:
        _add_comment(site, issue, comment, doing)
    history = note(site, issue, items, doing)
    assert history is not None
    site.touch(issue, doing.now)
    return history


def set_status(site: Site, issue: Issue, name: str, at: int) -> list[dict[str, Any]]:
    """Give it this status, and a resolution exactly while it is done; the items for the change log."""
    before, after = site.status(issue.status), site.status(name)
    items = []
    is_done = after["category"] == "done"
    if is_done and issue.resolution_id is None:
        issue.resolution_id = RESOLUTIONS[0][0]
        items.append(fields.item("resolution", (None, None), RESOLUTIONS[0]))
    if not is_done and issue.resolution_id is not None:
        known = dict(RESOLUTIONS)
        items.append(
            fields.item("resolution", (issue.resolution_id, known[issue.resolution_id]), (None, None))
        )
        issue.resolution_id = None
    issue.resolved = (issue.resolved or at) if is_done else None
    if before["name"] != after["name"]:
        issue.status, issue.status_changed = name, at
        items.append(fields.item("status", (before["id"], before["name"]), (after["id"], after["name"])))
    return items


# --- Comments, files, properties ---


def _checked_comment(body: Any, doing: Doing) -> dict[str, Any]:
    """The comment's parts with its text as ADF."""
    given = body if isinstance(body, Mapping) else {}
    text = given.get("body")
    if isinstance(text, str) and not doing.rich:
        text = adf.from_text(text)
    if not text or not adf.is_valid(text) or not text["content"]:
        raise wrong_field(
            "comment", "Comment body is not valid!" if text else "Comment body can not be empty!"
        )
    if len(adf.text_of(text)) > fields.TEXT_CHARS:
        raise wrong_field(
            "comment", "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
        )
    return {**given, "body": text}


def add_comment(site: Site, issue: Issue, body: Any, doing: Doing) -> Comment:
    """Write a comment.  It makes no entry in the change log, but the issue counts as updated."""
    comment = _add_comment(site, issue, body, doing)
    site.touch(issue, doing.now)
    return comment


def _add_comment(site: Site, issue: Issue, body: Any, doing: Doing) -> Comment:
    if len(issue.comments) >= site.settings.max_comments:
        raise Wrong("The issue has reached the limit for comments.", status=413)
    given = _checked_comment(body, doing)
    comment = Comment(site.next_id(), doing.actor, doing.actor, given["body"], doing.at, doing.at)
    for one in given.get("properties") or []:
        set_property(comment.properties, str(one.get("key", "")), one.get("value"))
    comment.visibility = given.get("visibility")
    issue.comments.append(comment)
    site.comments[comment.id] = (issue, comment)
    issue.updated = doing.at
    return comment


def edit_comment(site: Site, issue: Issue, comment: Comment, body: Any, doing: Doing) -> None:
    """Rewrite a comment."""
    given = _checked_comment(body, doing)
    comment.body, comment.update_author, comment.updated = given["body"], doing.actor, doing.at
    for one in given.get("properties") or []:
        set_property(comment.properties, str(one.get("key", "")), one.get("value"))
    issue.updated = doing.at
    site.touch(issue, doing.now)


def delete_comment(site: Site, issue: Issue, comment: Comment, doing: Doing) -> None:
    """Take a comment away."""
    issue.comments.remove(comment)
    del site.comments[comment.id]
    issue.updated = doing.at
    site.touch(issue, doing.now)


def attach(
    site: Site, issue: Issue, name: str, content_type: str, data: bytes, doing: Doing
) -> tuple[File, History]:
    """Add a file; the change log tells its id and name."""
    id_ = site.next_id()
    raw = hashlib.sha256(f"{site.settings.token} {id_}".encode()).digest()
    file = File(
        id_, name, content_type, data, doing.actor, doing.at, base64.urlsafe_b64encode(raw[:18]).decode()
    )
    issue.files.append(file)
    site.files[id_] = (issue, file)
    site.files_by_token[file.token] = file
    entry = {**fields.item("Attachment", (None, None), (id_, name)), "fieldId": "attachment"}
    history = note(site, issue, [entry], doing)
    assert history is not None
    site.touch(issue, doing.now)
    return file, history


def delete_file(site: Site, issue: Issue, file: File, doing: Doing) -> History | None:
    """Take a file away."""
    issue.files.remove(file)
    del site.files[file.id], site.files_by_token[file.token]
    entry = {**fields.item("Attachment", (file.id, file.name), (None, None)), "fieldId": "attachment"}
    history = note(site, issue, [entry], doing)
    site.touch(issue, doing.now)
    return history


def delete(site: Site, issue: Issue) -> None:
    """Delete an issue for good: Jira has no way back."""
    del site.issues[issue.id], site.by_key[issue.key]
    for comment in issue.comments:
        del site.comments[comment.id]
    for file in issue.files:
        del site.files[file.id], site.files_by_token[file.token]
    site.index.refresh(issue.id)


def set_property(properties: dict[str, Any], key: str, value: Any) -> bool:
    """Set an entity property; true when it is new."""
    if not key or len(key) > 255:
        raise Wrong("The property key is not valid.")
    if len(str(value)) > PROPERTY_CHARS:
        raise Wrong(f"The property value is longer than {PROPERTY_CHARS} characters.")
    is_new = key not in properties
    properties[key] = value
    return is_new
