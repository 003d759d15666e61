"""What the partner's people do in a sandboxed Zendesk, in the words of the control API's acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from integrations.sandbox.acts import ActFile, file_of
from integrations.sandbox.clock import parse_time, stamp
from integrations.sandbox.system import Refusal
from integrations.sandbox.zendesk import events, tickets
from integrations.sandbox.zendesk.api_files import add_file
from integrations.sandbox.zendesk.context import Tell
from integrations.sandbox.zendesk.errors import Invalid
from integrations.sandbox.zendesk.people import Doing, user_of
from integrations.sandbox.zendesk.state import Audit, Desk, Ticket, Upload, User

DEFAULT_AGENT = "Ada Agent <ada@partner.example>"


@dataclass(frozen=True, slots=True)
class Actor:
    """Performs acts on a desk."""

    desk: Desk
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
                "restore": self._restore,
                "close_solved": self._close_solved,
            }[str(action.get("do"))]
        except KeyError as error:
            raise Refusal(f"{action.get('do')!r} is nothing a person can do here.") from error
        try:
            return do(action)
        except Invalid as error:
            raise Refusal(f"Zendesk refuses it: {error}.") from error
        except ValueError as error:
            raise Refusal(f"{error}.") from error

    def _doing(self, action: Mapping[str, Any]) -> Doing:
        at = parse_time(str(action["at"])) if action.get("at") else self.now
        name, email = parseaddr(str(action.get("as") or DEFAULT_AGENT))
        known = self.desk.users_by_mail.get(email.lower())
        user = known or user_of(self.desk, name, email, stamp(at), role="agent")
        return Doing(user, stamp(at), self.now.timestamp(), "web")

    def _ticket(self, action: Mapping[str, Any], *, deleted: bool = False) -> Ticket:
        id_ = action.get("ticket") or self.desk.refs.get(str(action.get("ref", "")))
        kept = self.desk.deleted if deleted else self.desk.tickets
        found = kept.get(int(id_)) if id_ and str(id_).isdigit() else None
        if found is None:
            raise Refusal(f"There is no ticket {id_ or action.get('ref')!r}.")
        return found

    def _wanted(self, action: Mapping[str, Any]) -> dict[str, Any]:
        wanted = _fields(self.desk, action.get("fields") or {})
        comment = action.get("comment")
        if isinstance(comment, str):
            comment = {"text": comment}
        file = file_of(action)
        uploads = [self._upload(file)] if file else []
        if file is not None:
            comment = comment or {"text": file.name, "public": True}
        if comment:
            body = (
                {"html_body": comment["html"]} if comment.get("html") else {"body": comment.get("text", "")}
            )
            wanted["comment"] = {**body, "public": bool(comment.get("public", True)), "uploads": uploads}
        return wanted

    def _upload(self, file: ActFile) -> str:
        kept = add_file(self.desk, file.name, file.content_type, file.data)
        token = f"act-{kept.id}"
        self.desk.uploads[token] = Upload(token, [kept], float("inf"))
        return token

    def _create(self, action: Mapping[str, Any]) -> dict[str, Any]:
        doing = self._doing(action)
        wanted = self._wanted(action)
        if "comment" not in wanted:
            wanted["comment"] = {
                "body": str(wanted.get("description") or wanted.get("subject") or "-"),
                "public": True,
            }
        ticket, audit = tickets.create(self.desk, wanted, doing)
        if ref := action.get("ref"):
            self.desk.refs[str(ref)] = ticket.id
        self._told(action, ticket, events.of_audit(audit, is_new=True, each=True), doing.actor)
        return _done(ticket, audit)

    def _update(self, action: Mapping[str, Any]) -> dict[str, Any]:
        ticket = self._ticket(action)
        doing = self._doing(action)
        audit = tickets.update(self.desk, ticket, self._wanted(action), doing)
        each = self.desk.settings.events == "each"
        self._told(action, ticket, events.of_audit(audit, is_new=False, each=each), doing.actor)
        return _done(ticket, audit)

    def _delete(self, action: Mapping[str, Any]) -> dict[str, Any]:
        ticket = self._ticket(action)
        doing = self._doing(action)
        tickets.delete(self.desk, ticket, doing)
        self._told(action, ticket, [("soft_deleted", {})], doing.actor)
        return _done(ticket, None)

    def _restore(self, action: Mapping[str, Any]) -> dict[str, Any]:
        ticket = self._ticket(action, deleted=True)
        doing = self._doing(action)
        tickets.restore(self.desk, ticket, doing)
        self._told(action, ticket, [("undeleted", {})], doing.actor)
        return _done(ticket, None)

    def _close_solved(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """The automation that closes solved tickets days later, now; one ticket, or all without `ticket`."""
        chosen = (
            [self._ticket(action)]
            if action.get("ticket") or action.get("ref")
            else list(self.desk.tickets.values())
        )
        closed = [one for one in chosen if one.status == "solved"]
        for ticket in closed:
            self._update({**action, "ticket": ticket.id, "fields": {"status": "closed"}})
        return {"ticket": None, "closed": [str(one.id) for one in closed], "changes": []}

    def _told(self, action: Mapping[str, Any], ticket: Ticket, told: list[events.Event], actor: User) -> None:
        if action.get("hooks", True):
            self.tell(ticket, told, actor.id)


def _fields(desk: Desk, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Custom fields may be named by id or title; everything else by Zendesk's own name."""
    wanted: dict[str, Any] = {}
    custom: list[dict[str, Any]] = []
    for name, value in fields.items():
        known = next(
            (
                d
                for d in desk.settings.custom_fields
                if name in (str(d["id"]), d["title"], d["title"].lower())
            ),
            None,
        )
        if known is None:
            wanted[name] = value
        else:
            custom.append({"id": known["id"], "value": value})
    if custom:
        wanted["custom_fields"] = custom
    return wanted


def _done(ticket: Ticket, audit: Audit | None) -> dict[str, Any]:
    value: dict[str, Any] = {"ticket": str(ticket.id), "key": str(ticket.id), "changes": []}
    if audit is not None:
        value["changes"] = [str(audit.id)]
        if audit.comment is not None:
            value["comment"] = str(audit.comment.id)
    return value
