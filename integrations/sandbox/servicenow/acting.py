"""What the partner's people do in a sandboxed ServiceNow, in the words of the control API's acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from integrations.sandbox.acts import ActFile, file_of
from integrations.sandbox.clock import parse_time
from integrations.sandbox.servicenow import times, writing
from integrations.sandbox.servicenow.api_files import attach
from integrations.sandbox.servicenow.errors import Failed
from integrations.sandbox.servicenow.processes import Doing
from integrations.sandbox.servicenow.seeds import add_user
from integrations.sandbox.servicenow.state import TASKS, Instance, Record
from integrations.sandbox.servicenow.tables import REFERENCE
from integrations.sandbox.servicenow.writing import Done, Sent
from integrations.sandbox.system import Refusal

DEFAULT_AGENT = "Ada Agent <ada@partner.example>"
RESOLVED, CLOSED = "6", "7"


@dataclass(frozen=True, slots=True)
class Actor:
    """Performs acts on an instance.  People see the same rules as the API, but an administrator is at hand for
    closed records."""

    instance: Instance
    now: datetime
    tell: Callable[[Record, Record], None]

    def act(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Do one act; Refusal says what is wrong with it."""
        try:
            do = {
                "create": self._create,
                "update": self._update,
                "comment": self._update,
                "attach": self._update,
                "delete": self._delete,
                "close_resolved": self._close_resolved,
            }[str(action.get("do"))]
        except KeyError as error:
            raise Refusal(f"{action.get('do')!r} is nothing a person can do in ServiceNow.") from error
        try:
            return do(action)
        except Failed as error:
            raise Refusal(f"ServiceNow refuses it: {error}.") from error
        except ValueError as error:
            raise Refusal(f"{error}.") from error

    def _doing(self, action: Mapping[str, Any]) -> Doing:
        at = parse_time(str(action["at"])) if action.get("at") else self.now
        user = self._person(str(action.get("as") or DEFAULT_AGENT))
        return Doing(user, times.glide(at), self.now.timestamp(), is_admin=True)

    def _person(self, text: str) -> Record:
        """The person by user name, address or name; made when new."""
        name, email = parseaddr(text)
        known = self.instance.user(text) or (
            email and self.instance.first("sys_user", "email", email.lower())
        )
        known = known or (None if email else self.instance.first("sys_user", "name", text))
        if known:
            return known
        called = name or email.partition("@")[0] or text
        user_name = (email.partition("@")[0] or called).lower().replace(" ", ".")
        while self.instance.user(user_name) is not None:
            user_name += ".2"
        return add_user(self.instance, user_name, called, email.lower())

    def _task(self, action: Mapping[str, Any]) -> Record:
        id_ = str(action.get("ticket") or self.instance.refs.get(str(action.get("ref", "")), ""))
        found = self.instance.record("task", id_) or self.instance.first("task", "number", id_)
        if found is None:
            raise Refusal(f"There is no record {id_ or action.get('ref')!r}.")
        return found

    def _sent(self, table: str, action: Mapping[str, Any]) -> Sent:
        given = {
            name: self._named(table, name, value) for name, value in (action.get("fields") or {}).items()
        }
        sent = writing.read(self.instance, table, given, "UTC", as_shown=True)
        comment = action.get("comment")
        if isinstance(comment, str):
            comment = {"text": comment}
        entries = sent.entries
        if comment:
            words = str(comment.get("text") or "")
            if comment.get("html"):
                words = f"[code]{comment['html']}[/code]"
            element = "work_notes" if comment.get("public") is False else "comments"
            entries = (*entries, (element, words))
        return Sent(sent.values, entries)

    def _named(self, table: str, name: str, value: Any) -> Any:
        """People may be named by address or as `Name <address>`, everything else as it is shown."""
        known = self.instance.field(table, name)
        if known is None:
            raise Refusal(f"{table} has no field {name!r}.")
        if known.choices and value and not any(str(value) in pair for pair in known.choices):
            offered = ", ".join(label for _, label in known.choices)
            raise Refusal(f"{known.label} is one of {offered}; not {value!r}.")
        if known.type == REFERENCE and known.target == "sys_user" and value and isinstance(value, str):
            return value if self.instance.record("sys_user", value) else self._person(value)["user_name"]
        return value

    def _create(self, action: Mapping[str, Any]) -> dict[str, Any]:
        table = str(action.get("table") or "incident")
        if table not in TASKS:
            raise Refusal(f"Nothing can be created in {table!r}; there are {', '.join(TASKS)}.")
        doing = self._doing(action)
        file = file_of(action)
        sent = self._sent(table, action)
        done = writing.insert(self.instance, self.instance.tables[table], sent, doing)
        if ref := action.get("ref"):
            self.instance.refs[str(ref)] = done.record.id
        return self._finished(action, done, file, doing)

    def _update(self, action: Mapping[str, Any]) -> dict[str, Any]:
        record = self._task(action)
        doing = self._doing(action)
        file = file_of(action)
        done = writing.update(self.instance, record, self._sent(record.table, action), doing)
        return self._finished(action, done, file, doing)

    def _finished(
        self, action: Mapping[str, Any], done: Done, file: ActFile | None, doing: Doing
    ) -> dict[str, Any]:
        written = [done.record] if done.is_change else []
        if file is not None:
            written.append(attach(self.instance, done.record, file.name, file.content_type, file.data, doing))
        for one in written if action.get("hooks", True) else ():
            self.tell(one, doing.user)
        told = _told(done.record, [one.id for one in done.audit])
        if done.entries:
            told["comment"] = done.entries[-1].id
        return told

    def _delete(self, action: Mapping[str, Any]) -> dict[str, Any]:
        record = self._task(action)
        doing = self._doing(action)
        writing.delete(self.instance, record, doing)
        return _told(record, [])

    def _close_resolved(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """The job that closes resolved incidents days later, now; one of them, or all without `ticket`."""
        chosen = [self._task(action)] if action.get("ticket") or action.get("ref") else self.instance.tasks()
        closed = [one for one in chosen if one.table == "incident" and one["state"] == RESOLVED]
        for record in closed:
            self._update({**action, "ticket": record.id, "fields": {"state": CLOSED}})
        return {"ticket": None, "closed": [one.id for one in closed], "changes": []}


def _told(record: Record, changes: list[str]) -> dict[str, Any]:
    return {"ticket": record.id, "key": record["number"], "changes": changes}
