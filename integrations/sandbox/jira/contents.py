"""A sandboxed Jira told to others than the vendor's API: to whoever compares, and to the operator."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from integrations.sandbox.jira import adf
from integrations.sandbox.jira.state import RESOLUTIONS, Issue, Site
from integrations.sandbox.jira.views import View, time_text
from integrations.sandbox.system import Choice, Entry, Row


def issue_content(site: Site, issue: Issue) -> dict[str, Any]:
    """One issue in comparable form."""
    return {
        "id": str(issue.id),
        "key": issue.key,
        "status": issue.status,
        "description": adf.text_of(issue.description),
        "fields": _fields(site, issue),
        "comments": [
            {
                "id": one.id,
                "author": one.author.name,
                "public": one.is_public,
                "body": one.body,
                "text": adf.text_of(one.body),
                "created_at": _utc(one.created),
                "properties": one.properties,
            }
            for one in issue.comments
        ],
        "attachments": [
            {"name": one.name, "size": len(one.data), "sha256": hashlib.sha256(one.data).hexdigest()}
            for one in issue.files
        ],
        "history_length": len(issue.histories),
        "properties": issue.properties,
        "created_at": _utc(issue.created),
        "updated_at": _utc(issue.updated),
    }


def _fields(site: Site, issue: Issue) -> dict[str, Any]:
    view = View(site, "")
    fields: dict[str, Any] = {
        "summary": issue.summary,
        "description": issue.description,
        "status": issue.status,
        "priority": view.priority(issue.priority_id)["name"],
        "issuetype": view.issue_type(issue.type_id)["name"],
        "resolution": dict(RESOLUTIONS).get(issue.resolution_id or ""),
        "assignee": issue.assignee.email if issue.assignee else None,
        "reporter": issue.reporter.email if issue.reporter else None,
        "labels": issue.labels,
        "duedate": issue.duedate,
    }
    for one in site.settings.custom_fields:
        value = view.custom(one, issue.custom.get(one["id"]))
        fields[one["id"]] = value["value"] if one["type"] == "select" and value else value
    return fields


def rows(site: Site, words: str, offset: int, limit: int) -> tuple[Sequence[Row], int]:
    """Issues that hold the words, newest change first, and how many there are."""
    words = words.lower()
    found = [
        one
        for one in site.issues.values()
        if not words or words in f"{one.key} {one.summary} {one.status}".lower()
    ]
    found.sort(key=lambda one: one.place, reverse=True)
    names = {one["id"]: one["name"] for one in site.settings.priorities}
    rows = [
        Row(
            str(one.id),
            one.key,
            one.summary,
            one.status,
            names.get(one.priority_id, ""),
            _utc(one.updated),
        )
        for one in found[offset : offset + limit]
    ]
    return rows, len(found)


def history(issue: Issue) -> Sequence[Entry]:
    """The change log for people, oldest first."""
    return [
        (
            _utc(one.created),
            one.author.name,
            [(entry["field"], entry["fromString"] or "", entry["toString"] or "") for entry in one.items],
        )
        for one in issue.histories
    ]


def choices(site: Site) -> Sequence[Choice]:
    """What a form offers.  Any status: people of the partner may have a board that allows it."""
    settings = site.settings
    return (
        Choice("summary", "Summary"),
        Choice("status", "Status", tuple(one["name"] for one in settings.statuses)),
        Choice("priority", "Priority", tuple(one["name"] for one in settings.priorities)),
        *(
            Choice(one["id"], one["name"], tuple(option["value"] for option in one["options"]))
            for one in settings.custom_fields
            if one["type"] != "rich_text"
        ),
    )


def _utc(ms: int) -> str:
    return time_text(ms, "UTC").replace("+0000", "Z")
