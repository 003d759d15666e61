"""What the partner's people do in a sandboxed Azure DevOps, in the words of the control API's acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from integrations.sandbox.acts import file_of
from integrations.sandbox.azure_devops import comments, events, items, texts
from integrations.sandbox.azure_devops.context import Tell
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.patch import Wanted
from integrations.sandbox.azure_devops.rules import Doing
from integrations.sandbox.azure_devops.state import Organization, Person, Update, WorkItem
from integrations.sandbox.clock import parse_time
from integrations.sandbox.system import Refusal

DEFAULT_PERSON = "Ines Incident <ines@partner.example>"
# Words that people use for fields whose names they do not know.
_ALIASES = {
    "summary": "System.Title",
    "subject": "System.Title",
    "status": "System.State",
    "assignee": "System.AssignedTo",
    "labels": "System.Tags",
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Performs acts in an organisation."""

    organization: Organization
    now: datetime
    tell: Tell

    def act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Do one act; Refusal says what is wrong with it."""
        acts: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "create": self._create,
            "update": self._update,
            "comment": self._update,
            "attach": self._update,
            "delete": self._delete,
            "restore": self._restore,
            "edit_comment": self._edit_comment,
            "delete_comment": self._edit_comment,
        }
        do = acts.get(str(action.get("do")))
        if do is None:
            raise Refusal(f"{action.get('do')!r} is nothing a person can do in Azure DevOps.")
        try:
            return do(action)
        except Wrong as error:
            raise Refusal(f"Azure DevOps refuses it: {error}") from error
        except ValueError as error:
            raise Refusal(f"{error}.") from error

    def _doing(self, action: Mapping[str, Any]) -> Doing:
        at = parse_time(str(action["at"])) if action.get("at") else self.now
        person = self._person(str(action.get("as") or DEFAULT_PERSON))
        return Doing(person, int(at.timestamp() * 1000), self.now.timestamp())

    def _person(self, text: str) -> Person:
        known = self.organization.find_person(text)
        if known is not None:
            return known
        name, email = parseaddr(text)
        return self.organization.add_person(name or email.partition("@")[0] or text, email)

    def _item(self, action: Mapping[str, Any], *, deleted: bool = False) -> WorkItem:
        id_ = str(action.get("ticket") or self.organization.refs.get(str(action.get("ref", "")), ""))
        item = self.organization.items.get(int(id_)) if id_.isdigit() else None
        if item is None or item.is_deleted != deleted:
            raise Refusal(f"There is no work item {id_ or action.get('ref')!r}.")
        return item

    def _create(self, action: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(action.get("fields") or {})
        names = [one.name for one in self.organization.schema.types]
        type_name = next((str(given.pop(n)) for n in ("type", "System.WorkItemType") if n in given), names[0])
        item_type = self.organization.schema.type(type_name)
        if item_type is None:
            raise Refusal(f"There is no work item type {type_name!r}; there are {', '.join(names)}.")
        fields = self._fields(given, item_type.name)
        fields.setdefault("System.Title", "Untitled")
        self._check_said(action)
        doing = self._doing(action)
        item = items.create(self.organization, item_type, Wanted(fields=fields), doing)
        if ref := action.get("ref"):
            self.organization.refs[str(ref)] = item.id
        self._told(action, events.Event(events.CREATED, item, item.updates[0]))
        done = _done(item)
        done["changes"].append("1")
        self._say(action, item, doing, done)
        return done

    def _update(self, action: Mapping[str, Any]) -> dict[str, Any]:
        item = self._item(action)
        self._check_said(action)
        doing, done = self._doing(action), _done(item)
        if given := dict(action.get("fields") or {}):
            wanted = Wanted(fields=self._fields(given, item.type.name))
            self._note(action, item, items.change(self.organization, item, wanted, doing), done)
        self._say(action, item, doing, done)
        return done

    def _check_said(self, action: Mapping[str, Any]) -> None:
        """Refuse what cannot be said before anything is done."""
        comment = action.get("comment")
        if isinstance(comment, Mapping) and comment.get("public") is False:
            raise Refusal(
                "Azure DevOps has no internal comments: whoever sees the work item sees all of them."
            )
        file_of(action)

    def _say(self, action: Mapping[str, Any], item: WorkItem, doing: Doing, done: dict[str, Any]) -> None:
        if comment := action.get("comment"):
            text, format_ = _comment_text(comment)
            made, update = comments.add(self.organization, item, text, format_, doing)
            done["comment"] = str(made.id)
            self._note(action, item, update, done)
        if (file := file_of(action)) is not None:
            kept = items.add_file(self.organization, file.name, file.data, doing)
            self._note(action, item, items.attach(self.organization, item, kept, doing), done)

    def _note(
        self, action: Mapping[str, Any], item: WorkItem, update: Update | None, done: dict[str, Any]
    ) -> None:
        if update is None:
            return
        done["changes"].append(str(update.id))
        for event in events.of_update(item, update):
            self._told(action, event)

    def _edit_comment(self, action: Mapping[str, Any]) -> dict[str, Any]:
        item = self._item(action)
        doing, done = self._doing(action), _done(item)
        wanted = str(action.get("comment_id", ""))
        one = next((c for c in item.comments if str(c.id) == wanted and not c.now.is_deleted), None)
        if one is None:
            raise Refusal(f"There is no comment {wanted!r}.")
        if action["do"] == "delete_comment":
            update = comments.delete(self.organization, item, one, doing)
        else:
            text, format_ = _comment_text(action.get("comment") or "")
            update = comments.edit(self.organization, item, one, text, format_, doing)
        self._note(action, item, update, done)
        return done

    def _delete(self, action: Mapping[str, Any]) -> dict[str, Any]:
        item = self._item(action)
        update = items.delete(self.organization, item, self._doing(action))
        self._told(action, events.Event(events.DELETED, item, update))
        return _done(item)

    def _restore(self, action: Mapping[str, Any]) -> dict[str, Any]:
        item = self._item(action, deleted=True)
        update = items.restore(self.organization, item, self._doing(action))
        self._told(action, events.Event(events.RESTORED, item, update))
        return _done(item)

    def _fields(self, given: Mapping[str, Any], type_name: str) -> dict[str, Any]:
        """Fields by reference name or by what people call them; plain words become HTML where the field is HTML."""
        wanted: dict[str, Any] = {}
        for name, value in given.items():
            if name.lower() == "description" and type_name == "Bug":
                # A bug's form has the steps to reproduce where others have the description.
                name = "Microsoft.VSTS.TCM.ReproSteps"
            field = self.organization.schema.find(_ALIASES.get(name.lower(), name))
            if field is None:
                raise Refusal(f"There is no field {name!r}.")
            if field.is_identity and value:
                value = self._person(str(value)).combined
            elif field.type == "html" and isinstance(value, str) and "<" not in value:
                value = texts.from_text(value) if value else None
            wanted[field.reference] = value
        return wanted

    def _told(self, action: Mapping[str, Any], event: events.Event) -> None:
        if action.get("hooks", True):
            self.tell(event)


def _comment_text(comment: Any) -> tuple[str, str]:
    if isinstance(comment, str):
        return texts.from_text(comment), "html"
    if comment.get("markdown"):
        return str(comment["markdown"]), "markdown"
    return str(comment.get("html") or texts.from_text(str(comment.get("text", "")))), "html"


def _done(item: WorkItem) -> dict[str, Any]:
    return {"ticket": str(item.id), "key": str(item.id), "changes": []}
