"""Zendesk Support behind the connector protocol: joins the calls of `client` to the rules of the other modules."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from integrations.canonical import (
    Account,
    Attachment,
    Changed,
    CommentDraft,
    Draft,
    Fields,
    FieldSpec,
    History,
    Snapshot,
    TicketHead,
    Value,
    Written,
)
from integrations.connectors import errors
from integrations.connectors.http import Http, SizedBody
from integrations.connectors.protocol import (
    MAX_READ_BYTES,
    Capabilities,
    FileDraft,
    Hook,
    HookRequest,
    RegisteredHook,
    SettingSpec,
    TicketWrites,
)
from integrations.connectors.recall import Asking
from integrations.connectors.zendesk import (
    audits,
    client,
    faults,
    fields,
    rates,
    registration,
    texts,
    webhooks,
)
from integrations.connectors.zendesk.account import problems
from integrations.connectors.zendesk.cursors import ExportCursor, HistoryCursor
from integrations.connectors.zendesk.fields import FieldTags
from integrations.connectors.zendesk.people import People, id_of
from integrations.file_names import safe_name
from integrations.richtext.blocks import Document, File, from_value

# Enough for any living ticket in one go; the rest follows at the next call.
MAX_AUDIT_PAGES = 10
# Zendesk takes 5,000 comments a ticket, 100 a page.
MAX_COMMENT_PAGES = 60
# The export answers nothing of the last minute, and refuses to start within it.
EXPORT_LAG_S = 60
# How long an update may take to be in a ticket's audits.  Zendesk names no such time; what takes longer is still found,
# by polling.
AUDITS_LAG = timedelta(seconds=3)
# How long the list of an account's fields is believed.
FIELDS_FRESH_S = 3600.0


class ZendeskConnector:
    """One Zendesk Support account."""

    kind: ClassVar[str] = "zendesk"
    label: ClassVar[str] = "Zendesk"
    capabilities: ClassVar[Capabilities] = Capabilities(
        idempotent_create=True,
        has_internal_comments=True,
        late_execution_s=40,
        search_lag_s=0,
        max_attachment_bytes=50 * 1024 * 1024,
        poll_overlap_s=120,
        # https://developer.zendesk.com/api-reference/introduction/rate-limits/#update-ticket
        ticket_writes=TicketWrites(30, 600),
    )
    settings: ClassVar[Sequence[SettingSpec]] = (
        SettingSpec("base_url", "Address", "Such as https://example.zendesk.com"),
        SettingSpec("email", "Mail address of the account", "An administrator made for Concord alone."),
        SettingSpec(
            "api_token", "API token", "Admin Center, Apps and integrations, APIs, API tokens.", is_secret=True
        ),
    )

    def __init__(self, settings: Mapping[str, str], http: Http) -> None:
        self._http = http
        http.read_error = faults.read_error
        http.read_rates = rates.read_rates
        # https://developer.zendesk.com/api-reference/introduction/security-and-auth/#api-token
        http.sign_in_as(f"{settings['email']}/token", settings["api_token"])
        self._people = People(lambda ids: client.users(http, ids))
        self._field_tags = FieldTags()
        self._field_tags_until = 0.0
        self._asking_for_fields = Asking(self._ticket_fields)

    def check(self) -> Account:
        """Sign in and tell who we are and what is missing.  May be repeated."""
        me = client.me(self._http)
        if not (id_ := id_of(me.get("id"))):
            # Without credentials Zendesk answers with a user that has no number.
            raise errors.Unauthorized("Zendesk does not know the mail address and token.")
        self._people.meet([me])
        zone = me.get("iana_time_zone")
        return Account(
            id_,
            self._people.named(id_).name,
            zone if isinstance(zone, str) and zone else "UTC",
            tuple(problems(me)),
            {"role": str(me.get("role", ""))},
        )

    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields of this account's tickets.  May be repeated."""
        return fields.field_specs(self._ticket_fields())

    def _ticket_fields(self) -> tuple[dict, ...]:
        records = client.ticket_fields(self._http)
        self._field_tags = fields.field_tags(records)
        self._field_tags_until = time.monotonic() + FIELDS_FRESH_S
        return records

    def _known_field_tags(self) -> FieldTags:
        if time.monotonic() > self._field_tags_until:
            self._asking_for_fields.answer()
        return self._field_tags

    def history(self, remote_id: str, since: str) -> History:
        """Changes after the cursor: the ticket's audits, one call unless there are more than a hundred."""
        cursor = HistoryCursor.read(since)
        records: list[dict] = []
        after, has_more = cursor.after, True
        first: client.Page | None = None
        for _ in range(MAX_AUDIT_PAGES):
            page = self._audits(remote_id, after)
            first = first or page
            records += page.records
            self._people.meet(page.users)
            # An empty page has no cursor; the one we came with still marks the place.
            after, has_more = page.after or after, page.has_more
            if not has_more:
                break
        records = cursor.new_of(records)
        self._people.find(audits.person_ids(records))
        field_tags = self._known_field_tags() if records else self._field_tags
        found = audits.changes(records, self._people, field_tags, from_start=not cursor.last)
        onward = HistoryCursor(after, found[-1].id if found else cursor.last)
        # Whatever was there when the first page was asked for is on that page or on a later one.
        as_of = first.asked_at - AUDITS_LAG if first and first.asked_at else None
        return History(found, onward.text(), self._head(remote_id), has_more, as_of=as_of)

    def _audits(self, remote_id: str, after: str) -> client.Page:
        try:
            return client.audits(self._http, remote_id, after)
        except errors.Invalid:
            if not after:
                raise
            # Zendesk no longer takes this cursor: read from the start, what was seen is left out by its number.
            return client.audits(self._http, remote_id, "")

    def read(self, remote_id: str) -> Snapshot:
        """The ticket as it stands now: two calls unless it has more than a hundred comments.  May be repeated."""
        ticket, users = client.ticket(self._http, remote_id)
        self._people.meet(users)
        records = self._comments(remote_id)
        self._people.find([*fields.person_ids(ticket), *(id_of(one.get("author_id")) for one in records)])
        values = fields.ticket_values(ticket, self._people)
        values["tags"] = self._known_field_tags().labels(values["tags"])
        first, others = (records[0], records[1:]) if records else ({}, [])
        values["description"] = audits.description(first, frozenset())
        if not audits.is_public(first, frozenset()):
            first, others = {}, records
        created_at = _time(ticket, "created_at")
        return Snapshot(
            self._head(remote_id),
            values,
            tuple(
                audits.comment(one, _time(one, "created_at", created_at), self._people, None, frozenset())
                for one in others
            ),
            fields.attachments_of(first),
            created_at,
            _time(ticket, "updated_at", created_at),
            values["status"] == "closed",
        )

    def _comments(self, remote_id: str) -> list[dict]:
        records: list[dict] = []
        after = ""
        for _ in range(MAX_COMMENT_PAGES):
            page = client.comments(self._http, remote_id, after)
            records += page.records
            self._people.meet(page.users)
            after = page.after
            if not page.has_more:
                return records
        raise errors.Garbled("Zendesk's list of comments did not end.")

    def changed_since(self, cursor: str) -> Changed:
        """Tickets changed after the cursor, from the incremental export; what is younger than a minute comes later.

        May be repeated.  The export allows ten calls a minute.
        """
        place = ExportCursor.read(cursor, int(time.time()) - EXPORT_LAG_S - self.capabilities.poll_overlap_s)
        try:
            page = client.changed_tickets(self._http, start_time=place.start, cursor=place.after)
        except errors.Invalid:
            if not place.after:
                raise
            # Zendesk no longer takes this cursor: start again from the time it was last good, a bit earlier.
            page = client.changed_tickets(self._http, start_time=place.start)
        found = dict.fromkeys(id_ for one in page.records if (id_ := id_of(one.get("id"))))
        onward = place.after_page(page.records, page.after, self.capabilities.poll_overlap_s)
        return Changed(tuple(found), onward.text(), page.has_more)

    def create(self, draft: Draft) -> Written:
        """Create a ticket; repeated with the same marker it answers the first one."""
        return self._create(draft, {})

    def follow_up(self, closed_id: str, draft: Draft) -> Written:
        """Create the ticket that follows up a closed one, which takes nothing more itself.

        Zendesk joins the two and gives the new one the old one's tags beside its own.  Repeated with the same marker
        it answers the first one; Invalid while the old ticket is not closed.
        https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/
        """
        if not id_of(closed_id):
            raise errors.Gone("There is no such ticket in Zendesk: its tickets have numbers.")
        wanted = {
            name: value for name, value in draft.fields.items() if (name, value) != ("status", "closed")
        }
        return self._create(Draft(wanted, draft.marker), {"via_followup_source_id": int(closed_id)})

    def _create(self, draft: Draft, more: Mapping[str, object]) -> Written:
        body = {**fields.write_body(draft.fields), **more}
        if "tags" in body:
            body["tags"] = self._known_field_tags().labels(fields.settled("tags", draft.fields["tags"]))
        description = from_value(draft.fields.get("description"))
        subject = body.get("subject")
        if not description.blocks:
            # Zendesk makes no ticket without a first comment.
            description = from_value(subject if isinstance(subject, str) else "-")
        body |= {
            "comment": {"html_body": texts.to_html(description), "public": True},
            "external_id": draft.marker,
            "metadata": {audits.MARKER: draft.marker},
        }
        try:
            answer = client.create_ticket(self._http, body, draft.marker)
        except errors.Stale:
            if found := self.find(draft.marker):
                return found
            raise
        return self._written(answer)

    def update(self, remote_id: str, fields_: Fields, *, current: Fields, marker: str) -> Written:
        """Set these fields in one call.  May be repeated.

        No `safe_update`: its stamp knows whole seconds only, so it could neither prove that nobody wrote in between
        nor be known from `current`.  The caller has read the ticket's audits just before and sees any other write in
        them afterwards.
        """
        if "description" in fields_:
            raise errors.Invalid(
                "Zendesk keeps the first text of a ticket as it was written.",
                fields={"description": "It cannot be changed afterwards."},
            )
        if "tags" in fields_:
            # Tags are written all at once, and with them the fields whose values are tags.
            known = self._known_field_tags()
            fields_ = {
                **known.kept(current),
                **fields_,
                "tags": known.labels(fields.settled("tags", fields_["tags"])),
            }
        body = {**fields.write_body(fields_), "metadata": {audits.MARKER: marker}}
        return self._written(client.update_ticket(self._http, remote_id, body))

    def comment(self, remote_id: str, draft: CommentDraft) -> Written:
        """Add a comment.  An internal one that Zendesk shows in public is hidden again, and Refused is raised."""
        document = from_value(draft.body)
        comment = {"html_body": texts.to_html(document), "public": draft.is_public}
        return self._add_comment(remote_id, comment, draft.is_public, draft.marker)

    def attach(self, remote_id: str, file: FileDraft) -> Written:
        """Add a file with a comment that names it, public or internal as it says; the file is streamed."""
        file.check_size(self.capabilities.max_attachment_bytes)
        name = safe_name(file.name)
        token, record = client.upload(
            self._http, name, _content_type(file.content_type), SizedBody(file.chunks, file.size_bytes)
        )
        comment = {
            "html_body": texts.to_html(Document((File(name),))),
            "public": file.is_public,
            "uploads": [token],
        }
        written = self._add_comment(remote_id, comment, file.is_public, file.marker)
        return Written(written.head, written.change_ids, written.comment_id, id_of(record.get("id")))

    def _add_comment(self, remote_id: str, comment: dict, is_public: bool, marker: str) -> Written:
        body = {"comment": comment, "metadata": {audits.MARKER: marker}}
        answer = client.update_ticket(self._http, remote_id, body)
        made = next(iter(audits.comment_events(answer.audit)), {})
        comment_id = id_of(made.get("id"))
        if comment_id and not is_public and made.get("public") is True:
            client.make_comment_private(self._http, remote_id, comment_id)
            raise errors.Refused(
                "Zendesk showed an internal comment in public; it was hidden again at once. "
                "Our account there has to be an agent who may write internal notes."
            )
        written = self._written(answer)
        return Written(written.head, written.change_ids, comment_id)

    def open_attachment(self, attachment: Attachment) -> Iterator[bytes]:
        """The file's bytes in chunks.  May be repeated."""
        if not attachment.locator:
            raise errors.Refused(f"Zendesk holds “{attachment.name}” back: its scan found malware in it.")
        with client.attachment_content(self._http, attachment.locator, MAX_READ_BYTES) as chunks:
            yield from chunks

    def find(self, marker: str) -> Written | None:
        """The ticket that was created with this marker; the oldest, should there be several.  May be repeated."""
        found = [
            int(id_)
            for one in client.tickets_by_external_id(self._http, marker)
            if one.get("external_id") == marker and (id_ := id_of(one.get("id")))
        ]
        return Written(self._head(str(min(found)))) if found else None

    def settled(self, field: str, value: Value) -> Value:
        """What Zendesk holds after `value` was written to `field`.  Makes no call."""
        if field == "file":
            return safe_name(str(value))
        if field in fields.PEOPLE.values():
            return self._people.settled(value)
        settled = fields.settled(field, value)
        return self._field_tags.labels(settled) if field == "tags" else settled

    def verify_hook(self, request: HookRequest, secrets: Sequence[str]) -> Hook:
        """Prove a web hook and read which ticket it names, or raise HookRefused.  Pure."""
        return webhooks.verify(request, secrets)

    def hook_steps(self, url: str) -> tuple[str, ...]:
        """What Zendesk's administrator has to do for web hooks to arrive at `url`.  Pure."""
        return webhooks.steps(url)

    def hook_events(self) -> tuple[str, ...]:
        """One web hook of Zendesk tells of everything.  Pure."""
        return ("",)

    def registered_hooks(self, url: str) -> tuple[RegisteredHook, ...]:
        """The event web hooks to this address.  May be repeated."""
        return registration.registered(self._http, url)

    def register_hook(self, url: str, secret: str, *, renew: bool = False) -> RegisteredHook:
        """Have web hooks sent to `url`; Zendesk makes the secret itself, and the answer holds it.  May be repeated."""
        return registration.register(self._http, url, renew=renew)

    def unregister_hooks(self, url: str) -> None:
        """Take all event web hooks to this address away.  May be repeated."""
        registration.unregister(self._http, url)

    def _written(self, answer: client.TicketAnswer) -> Written:
        audit_id = id_of(answer.audit.get("id")) if audits.events_of(answer.audit) else ""
        return Written(self._head(id_of(answer.ticket.get("id"))), (audit_id,) if audit_id else ())

    def _head(self, remote_id: str) -> TicketHead:
        return TicketHead(remote_id, f"#{remote_id}", f"{self._http.base_url}/agent/tickets/{remote_id}")


def _time(record: dict, name: str, otherwise: datetime | None = None) -> datetime:
    at = fields.time_of(record.get(name)) or otherwise
    if at is None:
        raise errors.Garbled(f"A record of Zendesk has no readable {name}.")
    return at


def _content_type(text: str) -> str:
    return (
        text
        if re.fullmatch(r"[\w.+-]+/[\w.+-]+(?:; *[\w-]+=[\w.-]+)?", text, re.ASCII)
        else "application/octet-stream"
    )
