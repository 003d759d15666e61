"""What the partner's people do in a sandboxed Jira, in the words of the control API's acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from integrations.sandbox.acts import file_of
from integrations.sandbox.clock import parse_time
from integrations.sandbox.jira import adf, events, issues
from integrations.sandbox.jira import fields as rules
from integrations.sandbox.jira.context import Tell
from integrations.sandbox.jira.errors import Wrong
from integrations.sandbox.jira.issues import Doing
from integrations.sandbox.jira.state import ISSUE_TYPES, RESOLUTIONS, Issue, Site, User
from integrations.sandbox.jira.views import View
from integrations.sandbox.system import Refusal

DEFAULT_PERSON = "Petra Person <petra@partner.example>"


@dataclass(frozen=True, slots=True)
class Actor:
    """Performs acts on a site."""

    site: Site
    view: View
    now: datetime
    tell: Tell

    def act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Do one act; Refusal says what is wrong with it."""
        try:
            do = {
                "create": self._create,
                "update": self._update,
                "comment": self._update,
                "attach": self._update,
                "delete": self._delete,
            }[str(action.get("do"))]
        except KeyError as error:
            raise Refusal(f"{action.get('do')!r} is nothing a person can do in Jira.") from error
        try:
            return do(action)
        except Wrong as error:
            raise Refusal(f"Jira refuses it: {error}.") from error
        except ValueError as error:
            raise Refusal(f"{error}.") from error

    def _doing(self, action: Mapping[str, Any]) -> Doing:
        at = parse_time(str(action["at"])) if action.get("at") else self.now
        user = self._person(str(action.get("as") or DEFAULT_PERSON))
        return Doing(user, int(at.timestamp() * 1000), self.now.timestamp())

    def _person(self, text: str) -> User:
        name, email = parseaddr(text)
        if known := self.site.users_by_mail.get(email.lower()):
            return known
        known = next((one for one in self.site.users.values() if one.name == text and not one.email), None)
        return known or self.site.add_user(name or email.partition("@")[0], email)

    def _issue(self, action: Mapping[str, Any]) -> Issue:
        id_ = action.get("ticket") or self.site.refs.get(str(action.get("ref", "")))
        issue = self.site.issue(str(id_)) if id_ else None
        if issue is None:
            raise Refusal(f"There is no issue {id_ or action.get('ref')!r}.")
        return issue

    def _create(self, action: Mapping[str, Any]) -> dict[str, Any]:
        doing = self._doing(action)
        given = dict(action.get("fields") or {})
        status, resolution = given.pop("status", None), given.pop("resolution", None)
        given.setdefault("summary", "Untitled")
        given.setdefault("issuetype", ISSUE_TYPES[0][1])
        body: dict[str, Any] = {
            "fields": {**self._fields(given), "project": {"key": self.site.settings.project_key}}
        }
        body["properties"] = [{"key": k, "value": v} for k, v in (action.get("properties") or {}).items()]
        issue = issues.create(self.site, body, doing)
        if ref := action.get("ref"):
            self.site.refs[str(ref)] = issue.id
        self._told(action, issue, *events.created(), doing.actor)
        done = _done(issue)
        if status and status != issue.status:
            self._change(action, issue, {"status": status, "resolution": resolution}, doing, done)
        self._say(action, issue, doing, done)
        return done

    def _update(self, action: Mapping[str, Any]) -> dict[str, Any]:
        issue = self._issue(action)
        done = _done(issue)
        doing = self._doing(action)
        self._change(action, issue, dict(action.get("fields") or {}), doing, done)
        self._say(action, issue, doing, done)
        return done

    def _change(
        self,
        action: Mapping[str, Any],
        issue: Issue,
        given: dict[str, Any],
        doing: Doing,
        done: dict[str, Any],
    ) -> None:
        """Fields and status as one entry of the change log."""
        status, resolution = given.pop("status", None), given.pop("resolution", None)
        wanted = rules.read(self.site, self._fields(given), None, rich=True)
        if status is not None:
            # People follow the workflow; here any status may follow any, as on a board that allows it.
            self._known_status(status)
        items = rules.apply(self.site, issue, wanted)
        if status is not None:
            if resolution:
                items += self._resolve(issue, str(resolution))
            items += issues.set_status(self.site, issue, status, doing.at)
        if history := issues.note(self.site, issue, items, doing):
            done["changes"].append(str(history.id))
            self.site.touch(issue, doing.now)
            self._told(action, issue, *events.updated(history), doing.actor)

    def _say(self, action: Mapping[str, Any], issue: Issue, doing: Doing, done: dict[str, Any]) -> None:
        self._comment(action, issue, doing, done)
        self._attach(action, issue, doing, done)

    def _known_status(self, name: str) -> None:
        try:
            self.site.status(name)
        except KeyError as error:
            known = ", ".join(one["name"] for one in self.site.settings.statuses)
            raise Refusal(f"There is no status {name!r}; there are {known}.") from error

    def _resolve(self, issue: Issue, name: str) -> list[dict[str, Any]]:
        id_ = next((id_ for id_, label in RESOLUTIONS if label == name), None)
        if id_ is None:
            raise Refusal(f"There is no resolution {name!r}.")
        return rules.apply(self.site, issue, rules.Wanted({"resolution_id": id_}))

    def _comment(self, action: Mapping[str, Any], issue: Issue, doing: Doing, done: dict[str, Any]) -> None:
        comment = action.get("comment")
        if not comment:
            return
        if isinstance(comment, str):
            comment = {"text": comment}
        body: dict[str, Any] = {"body": comment.get("adf") or adf.from_text(str(comment.get("text", "")))}
        if comment.get("public") is False:
            body["properties"] = [{"key": "sd.public.comment", "value": {"internal": True}}]
        made = issues.add_comment(self.site, issue, body, doing)
        done["comment"] = made.id
        self._told(action, issue, *events.commented(self.view, issue, made), doing.actor)

    def _attach(self, action: Mapping[str, Any], issue: Issue, doing: Doing, done: dict[str, Any]) -> None:
        if (file := file_of(action)) is None:
            return
        made, history = issues.attach(self.site, issue, file.name, file.content_type, file.data, doing)
        done["changes"].append(str(history.id))
        self._told(action, issue, *events.attached(self.view, made), doing.actor)
        self._told(action, issue, *events.updated(history), doing.actor)

    def _delete(self, action: Mapping[str, Any]) -> dict[str, Any]:
        issue = self._issue(action)
        doing = self._doing(action)
        issues.delete(self.site, issue)
        self._told(action, issue, "jira:issue_deleted", {}, doing.actor)
        return _done(issue)

    def _fields(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Plain values become Jira's own forms; custom fields may be named by id or by name."""
        wanted: dict[str, Any] = {}
        for name, value in given.items():
            custom = self._custom(name)
            if custom is not None:
                wanted[custom["id"]] = self._custom_form(custom, value)
            elif name in ("priority", "issuetype") and isinstance(value, str):
                wanted[name] = {"name": value}
            elif name in ("assignee", "reporter") and isinstance(value, str):
                wanted[name] = {"accountId": self._person(value).account_id} if value else None
            elif name in ("description", "environment") and isinstance(value, str):
                wanted[name] = _document(value)
            else:
                wanted[name] = value
        return wanted

    def _custom(self, name: str) -> dict[str, Any] | None:
        known = self.site.settings.custom_fields
        return next((one for one in known if name in (one["id"], one["name"], one["name"].lower())), None)

    def _custom_form(self, custom: Mapping[str, Any], value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if custom["type"] == "select":
            return {"value": value} if value else None
        return _document(value) if custom["type"] == "rich_text" else value

    def _told(
        self, action: Mapping[str, Any], issue: Issue, event: str, content: Mapping[str, Any], actor: User
    ) -> None:
        if action.get("hooks", True):
            self.tell(issue, event, content, actor)


def _document(text: str) -> dict[str, Any] | None:
    document = adf.from_text(text)
    return document if document["content"] else None


def _done(issue: Issue) -> dict[str, Any]:
    return {"ticket": str(issue.id), "key": issue.key, "changes": []}
