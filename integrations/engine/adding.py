"""Adding comments and files, and a note in the place of a file that does not go there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from integrations.canonical import Attachment, CommentDraft, Value
from integrations.connectors.errors import (
    ConnectorError,
    FileGone,
    FileTooLarge,
    Forbidden,
    Gone,
    Refused,
    TooLarge,
)
from integrations.engine import acknowledgements, effects, follow_ups, wholes
from integrations.engine.carrying import Step
from integrations.engine.following import Following
from integrations.engine.values import DeliveryState, Operation, StandIn, TicketState, stand_in_from
from integrations.file_names import safe_name
from integrations.mapping import plan as mapping
from integrations.mapping.files import file_refusal, narrowest
from integrations.richtext.blocks import from_plain


def _never_takes_file(error: ConnectorError) -> bool:
    """Whether the system takes tickets and comments, but not this file, however often it is sent.

    A right that is missing can be given, and a ticket that is gone takes no note either: those wait for a person.
    """
    return isinstance(error, Refused) and not isinstance(error, Forbidden | Gone)


def _stand_in_for(error: ConnectorError) -> StandIn:
    """The reason of a note in the place of a file that a system does not take."""
    code = FileTooLarge.code if isinstance(error, TooLarge) else error.code
    return StandIn(code, error.message)


class Adding(Following):
    """A delivery of a comment or a file."""

    def _add(self, target: TicketState) -> Step:
        if self.head.state is DeliveryState.SENT:
            head = yield from self._pull(target)
            if head is None:
                return None
            if head.is_recognised:
                stand_in = stand_in_from(head.wanted.get("stand_in"))
                return (yield from self._added(stand_in))
            if self._may_still_turn_up():
                return (yield from self._wait_to_settle())
        if self.head.operation is Operation.COMMENT:
            return (yield from self._send_addition(*self._comment(target)))
        side = self.head.side
        if refusal := file_refusal(side.incoming.files, side.takes_files, self.head.envelope["file"]):
            return (yield from self._send_stand_in(target, StandIn(refusal.code.value, refusal.reason)))
        return (yield from self._send_addition(*self._file(target), stand_in_on=target))

    def _send_addition(
        self,
        call: effects.Call,
        unseen: Mapping,
        *,
        stand_in_on: TicketState | None = None,
        stand_in: StandIn | None = None,
    ) -> Step:
        if (yield from self._keeps_pace()):
            return None
        target = self.head.target
        assert target is not None
        wanted: dict[str, Value] = {"stand_in": dict(stand_in.as_value())} if stand_in else {}
        if not (yield from self._mark_sent(wanted, unseen, {})):
            return None
        try:
            written = yield call
        except ConnectorError as error:
            if stand_in_on is not None and _never_takes_file(error):
                # The lane does not wait for a file that will never go: a note says where it is, and why.
                self.head = replace(self.head, tries=self.head.tries + 1)
                return (yield from self._send_stand_in(stand_in_on, _stand_in_for(error)))
            ids = (self.head.delivery_id,)
            if follow_ups.is_closed(error):
                return (yield from self._closed(target, ids, error))
            return (yield from self._failed(error, sent=ids))
        return (yield from self._added(stand_in, written))

    def _added(self, stand_in: StandIn | None, written: Any = None) -> Step:
        """It is there, or a note in its place, of which the sender is told."""
        word = acknowledgements.file_not_taken(self.head, stand_in, self.context.clock.now())
        return (yield from self._finish(DeliveryState.DONE, written=written, told=self._told(), word=word))

    def _comment(self, target: TicketState) -> tuple[effects.Call, Mapping]:
        comment, rules = self.head.envelope["comment"], self.head.side.incoming
        body = self._held(comment)
        # What was internal never becomes public, whatever the receiver's rules say.
        is_public = comment["is_public"] and rules.comments_become_public
        if acknowledgements.is_word(self.head.origin):
            # It holds nothing that was internal, and its side has asked for it.
            is_public = not self._capabilities().has_internal_comments
        draft = CommentDraft(body=body, is_public=is_public, marker=self.head.marker)  # type: ignore[arg-type]
        call = effects.AddComment(self.system_id, self.send_by, remote_id=target.remote_id, draft=draft)
        return call, {"comment": body}

    def _told(self) -> wholes.Told:
        """What a comment's text loses; a note in the place of a file loses nothing."""
        comment = self.head.envelope.get("comment")
        return wholes.told_of_comment(self.head, self._held(comment)) if comment else wholes.NOTHING

    def _held(self, comment: Mapping) -> Value:
        """The comment as the system will hold it, under a line that names its author."""
        line = mapping.heading(
            self.head.side.incoming.comment_heading, comment, partner=self.head.sender.partner_name
        )
        return self.context.systems.settled(self.system_id, "comment", mapping.headed(comment["body"], line))

    def _file(self, target: TicketState) -> tuple[effects.Call, Mapping]:
        file = self.head.envelope["file"]
        side = self.head.side
        attachment = Attachment(
            file["id"], file["name"], file["content_type"], file["size_bytes"], file["locator"]
        )
        usual_bytes = self.context.systems.capabilities(self.system_id).max_attachment_bytes
        call = effects.CarryFile(
            self.system_id,
            self.send_by,
            remote_id=target.remote_id,
            source_system_id=self.head.source_system_id,
            attachment=attachment,
            is_public=file["is_public"] and side.incoming.comments_become_public,
            marker=self.head.marker,
            text=file.get("text"),
            limit_bytes=narrowest(side.incoming.files.max_bytes, side.takes_files.max_bytes or usual_bytes),
        )
        return call, {"file": self.context.systems.settled(self.system_id, "file", file["name"])}

    def _send_stand_in(self, target: TicketState, why: StandIn) -> Step:
        return (yield from self._send_addition(*self._stand_in(target, why), stand_in=why))

    def _stand_in(self, target: TicketState, why: StandIn) -> tuple[effects.Call, Mapping]:
        """A note in the place of a file that does not go there."""
        file, partner = self.head.envelope["file"], self.head.sender.partner_name
        name = safe_name(file["name"])
        stays = (
            f"stays in {partner}'s system"
            if why.code != FileGone.code
            else f"is not in {partner}'s system any more"
        )
        text = f"The file “{name}” {stays}. {why.message}"
        body = self.context.systems.settled(self.system_id, "comment", from_plain(text).as_value())
        is_public = file["is_public"] and self.head.side.incoming.comments_become_public
        draft = CommentDraft(body=body, is_public=is_public, marker=self.head.marker)  # type: ignore[arg-type]
        call = effects.AddComment(self.system_id, self.send_by, remote_id=target.remote_id, draft=draft)
        return call, {"comment": body}
