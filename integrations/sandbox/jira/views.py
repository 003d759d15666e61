"""Jira's JSON for what the site holds.  Absolute addresses begin with the origin the client used."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from integrations.sandbox.jira import adf
from integrations.sandbox.jira.schema import field_name
from integrations.sandbox.jira.state import (
    ISSUE_TYPES,
    PROJECT_ID,
    RESOLUTIONS,
    Comment,
    File,
    History,
    Issue,
    Site,
    User,
)

EXPAND = "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations"
CHANGELOG_IN_ISSUE = 100
_CATEGORIES = {
    "new": {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do"},
    "indeterminate": {"id": 4, "key": "indeterminate", "colorName": "yellow", "name": "In Progress"},
    "done": {"id": 3, "key": "done", "colorName": "green", "name": "Done"},
}


@functools.lru_cache(maxsize=4096)
def _in_zone(second: int, zone: str) -> tuple[str, str]:
    at = datetime.fromtimestamp(second, UTC).astimezone(ZoneInfo(zone))
    return at.strftime("%Y-%m-%dT%H:%M:%S"), at.strftime("%z")


def time_text(ms: int, zone: str) -> str:
    """`2026-01-01T10:00:00.000+0000`: the offset of the reader's zone, without a colon."""
    text, offset = _in_zone(ms // 1000, zone)
    return f"{text}.{ms % 1000:03d}{offset}"


@dataclass(frozen=True, slots=True)
class View:
    """How one reader sees the site: over this address, in this API version and this time zone."""

    site: Site
    origin: str
    version: str = "3"

    @property
    def _base(self) -> str:
        return f"{self.origin}/rest/api/{self.version}"

    def time(self, ms: int) -> str:
        """A time in the reader's zone."""
        return time_text(ms, self.site.api_user.time_zone)

    def text(self, document: dict[str, Any] | None) -> Any:
        """A formatted text: ADF in version 3, plain text in version 2."""
        return document if self.version == "3" or document is None else adf.text_of(document)

    def user(self, user: User | None, *, with_mail: bool = True) -> dict[str, Any] | None:
        """A person; hooks tell no addresses."""
        if user is None:
            return None
        picture = f"{self.origin}/secure/useravatar?size="
        value = {
            "self": f"{self._base}/user?accountId={user.account_id}",
            "accountId": user.account_id,
            "emailAddress": user.email,
            "avatarUrls": {f"{n}x{n}": picture + str(n) for n in (48, 24, 16, 32)},
            "displayName": user.name,
            "active": True,
            "timeZone": user.time_zone,
            "accountType": user.account_type,
        }
        if not with_mail or not user.email:
            del value["emailAddress"]
        return value

    def status(self, name: str) -> dict[str, Any]:
        """A status with its category."""
        one = self.site.status(name)
        category = _CATEGORIES[one["category"]]
        return {
            "self": f"{self._base}/status/{one['id']}",
            "description": "",
            "iconUrl": f"{self.origin}/images/icons/statuses/generic.png",
            "name": name,
            "id": one["id"],
            "statusCategory": {"self": f"{self._base}/statuscategory/{category['id']}", **category},
        }

    def priority(self, id_: str) -> dict[str, Any]:
        """A priority."""
        name = next(one["name"] for one in self.site.settings.priorities if one["id"] == id_)
        icon = f"{self.origin}/images/icons/priorities/{name.lower()}.svg"
        return {"self": f"{self._base}/priority/{id_}", "iconUrl": icon, "name": name, "id": id_}

    def resolution(self, id_: str | None) -> dict[str, Any] | None:
        """A resolution, or null."""
        if id_ is None:
            return None
        name = dict(RESOLUTIONS)[id_]
        return {"self": f"{self._base}/resolution/{id_}", "id": id_, "description": name, "name": name}

    def issue_type(self, id_: str) -> dict[str, Any]:
        """An issue type."""
        return {
            "self": f"{self._base}/issuetype/{id_}",
            "id": id_,
            "description": "",
            "iconUrl": f"{self.origin}/images/icons/issuetypes/{id_}.svg",
            "name": dict(ISSUE_TYPES)[id_],
            "subtask": False,
            "avatarId": 10315,
            "hierarchyLevel": 0,
        }

    def project(self) -> dict[str, Any]:
        """The project."""
        picture = f"{self.origin}/secure/projectavatar?size="
        return {
            "self": f"{self._base}/project/{PROJECT_ID}",
            "id": PROJECT_ID,
            "key": self.site.settings.project_key,
            "name": self.site.settings.project_name,
            "projectTypeKey": "software",
            "simplified": False,
            "avatarUrls": {f"{n}x{n}": picture + str(n) for n in (48, 24, 16, 32)},
        }

    def custom(self, definition: dict[str, Any], value: Any) -> Any:
        """A custom field's value in its own form."""
        if value is None:
            return None
        if definition["type"] == "select":
            name = next(one["value"] for one in definition["options"] if one["id"] == value)
            return {"self": f"{self._base}/customFieldOption/{value}", "value": name, "id": value}
        return self.text(value) if definition["type"] == "rich_text" else value

    def comment(self, comment: Comment, issue: Issue, expand: Sequence[str] = ()) -> dict[str, Any]:
        """A comment."""
        value: dict[str, Any] = {
            "self": f"{self._base}/issue/{issue.id}/comment/{comment.id}",
            "id": comment.id,
            "author": self.user(comment.author),
            "body": self.text(comment.body),
            "updateAuthor": self.user(comment.update_author),
            "created": self.time(comment.created),
            "updated": self.time(comment.updated),
            "jsdPublic": comment.is_public,
        }
        if comment.visibility:
            value["visibility"] = comment.visibility
        if "renderedBody" in expand:
            value["renderedBody"] = adf.html_of(comment.body)
        if "properties" in expand:
            value["properties"] = [{"key": key, "value": one} for key, one in comment.properties.items()]
        return value

    def file(self, file: File) -> dict[str, Any]:
        """An attachment."""
        return {
            "self": f"{self._base}/attachment/{file.id}",
            "id": file.id,
            "filename": file.name,
            "author": self.user(file.author),
            "created": self.time(file.created),
            "size": len(file.data),
            "mimeType": file.content_type,
            "content": f"{self._base}/attachment/content/{file.id}",
        }

    def history(self, history: History) -> dict[str, Any]:
        """An entry of the change log."""
        value = {
            "id": str(history.id),
            "author": self.user(history.author),
            "created": self.time(history.created),
            "items": history.items,
        }
        return value if history.metadata is None else {**value, "historyMetadata": history.metadata}

    def transition(self, one: dict[str, Any]) -> dict[str, Any]:
        """A step of the workflow, without the fields of its screen."""
        return {
            "id": one["id"],
            "name": one["name"],
            "to": self.status(one["to"]),
            "hasScreen": bool(one["screen"]),
            "isGlobal": False,
            "isInitial": False,
            "isAvailable": True,
            "isConditional": False,
            "isLooped": False,
        }

    def fields(self, issue: Issue) -> dict[str, Any]:
        """All fields of an issue."""
        value: dict[str, Any] = {
            "statuscategorychangedate": self.time(issue.status_changed),
            "issuetype": self.issue_type(issue.type_id),
            "project": self.project(),
            "resolution": self.resolution(issue.resolution_id),
            "resolutiondate": None if issue.resolved is None else self.time(issue.resolved),
            "created": self.time(issue.created),
            "updated": self.time(issue.updated),
            "priority": self.priority(issue.priority_id),
            "labels": issue.labels,
            "assignee": self.user(issue.assignee),
            "status": self.status(issue.status),
            "description": self.text(issue.description),
            "environment": self.text(issue.environment),
            "summary": issue.summary,
            "creator": self.user(issue.creator),
            "reporter": self.user(issue.reporter),
            "duedate": issue.duedate,
            "attachment": [self.file(one) for one in issue.files],
            "issuelinks": [],
            "subtasks": [],
            "components": [],
            "fixVersions": [],
            "versions": [],
            "comment": self.comments(issue),
        }
        for one in self.site.settings.custom_fields:
            value[one["id"]] = self.custom(one, issue.custom.get(one["id"]))
        return value

    def comments(self, issue: Issue) -> dict[str, Any]:
        """All comments, as they stand in an issue."""
        count = len(issue.comments)
        return {
            "comments": [self.comment(one, issue) for one in issue.comments],
            "self": f"{self._base}/issue/{issue.id}/comment",
            "maxResults": count,
            "total": count,
            "startAt": 0,
        }

    def chosen_fields(self, issue: Issue, names: Sequence[str]) -> dict[str, Any]:
        """The named fields: `*all`, `*navigable` (without comments and files), names, and `-name` to leave out."""
        if not names:
            return {}
        some = [name for name in names if not name.startswith(("*", "-"))]
        if len(some) == len(names) and all(name in _CHEAP for name in some):
            return {name: _CHEAP[name](self, issue) for name in some}
        everything = self.fields(issue)
        left_out = {name[1:] for name in names if name.startswith("-")}
        if "*all" in names or all(name.startswith("-") for name in names):
            chosen = set(everything)
        elif "*navigable" in names:
            chosen = set(everything) - {"comment", "attachment"} | set(some)
        else:
            chosen = set(some)
        return {name: value for name, value in everything.items() if name in chosen - left_out}

    def issue(self, issue: Issue, names: Sequence[str], expand: Sequence[str] = ()) -> dict[str, Any]:
        """An issue with the chosen fields and expansions."""
        value: dict[str, Any] = {
            "expand": EXPAND,
            "id": str(issue.id),
            "self": f"{self._base}/issue/{issue.id}",
            "key": issue.key,
            "fields": self.chosen_fields(issue, names),
        }
        if "changelog" in expand:
            newest_first = issue.histories[: -CHANGELOG_IN_ISSUE - 1 : -1]
            value["changelog"] = {
                "startAt": 0,
                "maxResults": len(newest_first),
                "total": len(issue.histories),
                "histories": [self.history(one) for one in newest_first],
            }
        if "renderedFields" in expand:
            value["renderedFields"] = self._rendered(issue, value["fields"])
        if "names" in expand:
            value["names"] = {name: field_name(self.site, name) for name in value["fields"]}
        return value

    def _rendered(self, issue: Issue, fields: dict[str, Any]) -> dict[str, Any]:
        value: dict[str, Any] = dict.fromkeys(fields)
        for name in ("description", "environment"):
            if name in fields:
                value[name] = adf.html_of(getattr(issue, name))
        for one in self.site.settings.custom_fields:
            if one["type"] == "rich_text" and one["id"] in fields:
                value[one["id"]] = adf.html_of(issue.custom.get(one["id"]))
        if "comment" in fields:
            comments = [self.comment(one, issue) | {"body": adf.html_of(one.body)} for one in issue.comments]
            value["comment"] = {**fields["comment"], "comments": comments}
        return value


# Fields that polls ask for, without making all the others first.
_CHEAP: dict[str, Any] = {
    "summary": lambda view, issue: issue.summary,
    "updated": lambda view, issue: view.time(issue.updated),
    "created": lambda view, issue: view.time(issue.created),
    "status": lambda view, issue: view.status(issue.status),
    "priority": lambda view, issue: view.priority(issue.priority_id),
    "labels": lambda view, issue: issue.labels,
}
