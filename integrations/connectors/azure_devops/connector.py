"""Azure DevOps behind the connector protocol: joins the calls of `client` to the rules of the other modules.

A turn costs as few calls as Azure DevOps allows: one for what happened to a work item since the last reading, one more
where somebody commented (only the comment itself tells its number and format), one for a change, a comment or a file's
link.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, TypeVar
from urllib.parse import quote

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
from integrations.connectors.azure_devops import (
    account,
    catalogue,
    client,
    comments,
    faults,
    files,
    queries,
    rates,
    subscriptions,
    texts,
    times,
    updates,
    webhooks,
)
from integrations.connectors.azure_devops import fields as ado_fields
from integrations.connectors.azure_devops.cursors import FeedCursor, HistoryCursor
from integrations.connectors.azure_devops.fields import Reader
from integrations.connectors.azure_devops.identities import People
from integrations.connectors.azure_devops.knowledge import Knowledge
from integrations.connectors.azure_devops.log import Log
from integrations.connectors.azure_devops.writing import Patch, Writer
from integrations.connectors.http import Http, SizedBody
from integrations.connectors.protocol import (
    MAX_READ_BYTES,
    Basis,
    Capabilities,
    FileDraft,
    Hook,
    HookRequest,
    RegisteredHook,
    SettingSpec,
)
from integrations.file_names import safe_name

# https://learn.microsoft.com/azure/devops/organizations/settings/work/object-limits
MAX_ATTACHMENT_BYTES = 60 * 1024 * 1024
FOUND_AT_ONCE = 20
DAY = timedelta(days=1)
# How long a revision may take to be in a work item's updates.  Azure DevOps names no such time; what takes longer is
# still found, by polling, which compares revisions.
UPDATES_LAG = timedelta(seconds=3)
T = TypeVar("T")
_PROJECT_ID = re.compile(r"/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/_apis/wit/")


class AzureDevOpsConnector:
    """One Azure DevOps project, seen through one account.  Thread-safe."""

    kind: ClassVar[str] = "azure_devops"
    label: ClassVar[str] = "Azure DevOps"
    capabilities: ClassVar[Capabilities] = Capabilities(
        idempotent_create=False,
        # Whoever sees a work item sees its discussion.
        has_internal_comments=False,
        # Requests over the quota are held back for up to half a minute before they are carried out.
        late_execution_s=40,
        search_lag_s=0,
        max_attachment_bytes=MAX_ATTACHMENT_BYTES,
        poll_overlap_s=120,
        guards_writes=True,
    )
    settings: ClassVar[Sequence[SettingSpec]] = (
        SettingSpec(
            "base_url", "Address", "The organisation's address, such as https://dev.azure.com/example"
        ),
        SettingSpec("project", "Project", "As it is called in Azure DevOps."),
        SettingSpec(
            "api_token",
            "Personal access token",
            "Made by the account that Concord signs in with, under User settings, Personal access tokens, "
            "with the scope Work Items (Read & write).",
            is_secret=True,
        ),
        SettingSpec("work_item_type", "Type of new work items", "As the project names it.", default="Bug"),
        SettingSpec(
            "notify",
            "Mail people about our changes",
            "“yes” tells everybody who follows a work item of every change of its fields; “no” only of comments.",
            is_required=False,
            default="no",
        ),
    )

    def __init__(
        self,
        settings: Mapping[str, str],
        http: Http,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._now = now
        self._type = settings.get("work_item_type", "").strip() or "Bug"
        http.read_error = faults.read_error
        http.read_rates = rates.read_rates
        # https://learn.microsoft.com/azure/devops/integrate/get-started/authentication : the user's name is left empty.
        http.sign_in_as("", settings["api_token"])
        self._project = client.Project(http, settings["project"].strip())
        self._people = People()
        self._knowledge = Knowledge(self._project, clock)
        is_quiet = settings.get("notify", "").strip().lower() not in ("yes", "true", "on", "1")
        self._writer = Writer(self._project, self._knowledge, self._people, clock, is_quiet=is_quiet)
        self._log = Log(self._project, self._people, clock)

    # --- Reading ---

    def check(self) -> Account:
        """Sign in and tell who we are and what is missing; three calls.  Writes nothing, may be repeated."""
        return account.check(self._project, self._type)

    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields of the work item type that new tickets get; four calls."""
        process = self._knowledge.refresh()
        ticket_type = process.type(self._type)
        paths = catalogue.tree_paths(client.trees(self._project))
        records = client.type_fields(self._project, ticket_type.name)
        found = {one.name: one for one in catalogue.specs(records, process, ticket_type, paths)}
        return tuple(found.values())

    def history(self, remote_id: str, since: str) -> History:
        """Changes after the cursor, in the order of the updates; one call, one more where others commented.

        Gone when the work item was deleted, Forbidden when it may no longer be seen.
        """
        start = HistoryCursor.read(since)
        with_known = Reader(self._knowledge.process(), self._people)
        page, has_more, asked_at = self._seen(remote_id, lambda: self._log.updates(remote_id, start))
        found = updates.changes(page, start, with_known, self._log.comments(remote_id, page))
        self._writer.was_read(remote_id, page.cursor.rev, page.cursor.type)
        as_of = asked_at - UPDATES_LAG if asked_at else None
        return History(
            found, page.cursor.text(), self._head(remote_id), has_more, str(page.cursor.rev), as_of
        )

    def read(self, remote_id: str) -> Snapshot:
        """The ticket as it stands now; two calls unless it has very many comments.  May be repeated."""
        process = self._knowledge.process()
        item = self._seen(remote_id, lambda: client.item(self._project, remote_id))
        raw = item["fields"]
        values = Reader(process, self._people).values(raw)
        records = client.comments(self._project, remote_id)
        created_at = times.time_of(raw.get("System.CreatedDate"))
        if created_at is None:
            raise errors.Garbled("A work item of Azure DevOps has no readable time of creation.")
        return Snapshot(
            self._head(remote_id),
            values,
            comments.standing(records, self._people.met),
            ado_fields.attachments_of(item.get("relations")),
            created_at,
            times.time_of(raw.get("System.ChangedDate")) or created_at,
            process.type(raw.get("System.WorkItemType")).is_over(values.get("status")),
        )

    def changed_since(self, cursor: str) -> Changed:
        """Tickets changed after the cursor, from the feed of revisions; one call a page.  May be repeated.

        The feed goes by Azure DevOps' own watermark, which knows no ties and misses nothing, deletions included.
        """
        now = self._now()
        start = now - timedelta(seconds=self.capabilities.poll_overlap_s) if not cursor else now - DAY
        place = FeedCursor.read(cursor, start)
        try:
            feed = client.revisions(self._project, since=times.text_of(place.since), token=place.token)
        except (errors.Invalid, errors.Gone):
            if not place.token:
                raise
            # Azure DevOps no longer takes this watermark: begin again from the time it was last good, a bit earlier.
            feed = client.revisions(self._project, since=times.text_of(place.since))
        overlap = timedelta(seconds=self.capabilities.poll_overlap_s)
        # Between the pages of one reading only the watermark moves: what they hold is not read yet.
        since = place.since if feed.has_more else max(place.since, now - overlap)
        marks = {id_: rev for id_, rev in feed.revs.items() if rev}
        return Changed(
            tuple(feed.revs), FeedCursor(feed.token or place.token, since).text(), feed.has_more, marks
        )

    def find(self, marker: str) -> Written | None:
        """The ticket created with this marker; the oldest, should there be several.  Two calls when there is one."""
        wiql = queries.tagged(ado_fields.MARKER_TAG + marker)
        ids = client.query(self._project, wiql, FOUND_AT_ONCE)
        if not ids:
            return None
        # The query may go by the beginning of a tag, and whatever the case of its letters.
        for item in client.items(self._project, ids, ("System.Id", ado_fields.TAGS)):
            fields_ = item.get("fields")
            tags = fields_.get(ado_fields.TAGS) if isinstance(fields_, dict) else None
            if ado_fields.MARKER_TAG + marker in ado_fields.all_tags(tags) and isinstance(
                item.get("id"), int
            ):
                return Written(self._head(str(item["id"])), ("1",))
        return None

    def open_attachment(self, attachment: Attachment) -> Iterator[bytes]:
        """The file's bytes in chunks; one call.  May be repeated."""
        with client.attachment_content(self._project, attachment.locator, MAX_READ_BYTES) as chunks:
            yield from chunks

    # --- Writing ---

    def create(self, draft: Draft) -> Written:
        """Create a ticket; one call.  It begins in the first state of its type, whatever the draft says.

        A tag carries the marker.  It is the connector's own: never told, and gone when the tags are written next.
        """
        process = self._knowledge.process()
        ticket_type = process.type(draft.fields.get("type") or self._type)
        if ticket_type.name not in process.types:
            offered = ", ".join(f"“{name}”" for name in process.types) or "none"
            raise errors.Invalid(
                f"The project has no type of work item called “{ticket_type.name}”.  It has: {offered}.",
                fields={"type": "There is no such type."},
            )
        wanted = {
            name: value
            for name, value in draft.fields.items()
            if name not in ("type", "status", "tags", *ado_fields.REASONS) and value not in (None, "", [], {})
        }
        patch = ado_fields.patch(wanted, ticket_type, process, self._people)
        tags = [*ado_fields.settled_tags(draft.fields.get("tags")), ado_fields.MARKER_TAG + draft.marker]
        patch.append({"op": "add", "path": f"/fields/{ado_fields.TAGS}", "value": "; ".join(tags)})
        made = self._writer.create(ticket_type.name, patch)
        return Written(self._head(str(made["id"])), (str(made["rev"]),))

    def update(self, remote_id: str, fields: Fields, *, current: Fields, marker: str) -> Written:
        """Set these fields; one call, one more for a step through the states that was never taken before.

        Stale when somebody wrote since the last reading.  The marker has no place here: the answer tells the revision,
        and a write whose answer was lost is known by its values.
        """
        if fields.get("type") and fields["type"] != current.get("type"):
            raise errors.Invalid(
                "The type of a work item stays as it was created.", fields={"type": "It cannot be changed."}
            )
        return self._update(remote_id, fields, current)

    def update_on(
        self, basis: Basis, remote_id: str, fields: Fields, *, current: Fields, marker: str
    ) -> Written:
        """The same, built on what `basis` says was read: Stale when the revision is another one."""
        place = HistoryCursor.read(basis.cursor)
        rev = place.rev
        for made in sorted(int(one) for one in basis.own_changes if one.isdecimal()):
            if made > rev + 1:
                raise errors.Stale("Somebody else changed the work item between two changes of ours.")
            rev = max(rev, made)
        self._writer.was_read(remote_id, rev, place.type)
        return self.update(remote_id, fields, current=current, marker=marker)

    def _update(self, remote_id: str, fields: Fields, current: Fields) -> Written:
        # No type told beside a new ticket means the one that it has.
        wanted = {name: value for name, value in fields.items() if name != "type"}
        return Written(
            self._head(remote_id),
            self._seen(remote_id, lambda: self._writer.update(remote_id, wanted, current)),
        )

    def comment(self, remote_id: str, draft: CommentDraft) -> Written:
        """Add a comment that everybody on the ticket sees; one call.  Refused for an internal one."""
        if not draft.is_public:
            raise errors.Refused(
                "Azure DevOps has no internal comments, and this comment must not become public."
            )
        text = texts.comment(draft.body, self._address(remote_id), draft.marker)
        # As a change of the history field, unlike through the list of comments, the answer tells the revision.
        patch: Patch = [{"op": "add", "path": "/fields/System.History", "value": text}]
        item, made = self._seen(remote_id, lambda: self._writer.add(remote_id, patch, is_quiet=False))
        reference = item.get("commentVersionRef")
        number = reference.get("commentId") if isinstance(reference, dict) else None
        comment_id = str(number) if isinstance(number, int) else ""
        if comment_id:
            self._log.wrote(remote_id, item["rev"], comment_id)
        return Written(self._head(remote_id), made, comment_id=comment_id)

    def attach(self, remote_id: str, file: FileDraft) -> Written:
        """Add a file, streamed; two calls.  Only the second leaves something: the link, which carries the marker."""
        file.check_size(MAX_ATTACHMENT_BYTES)
        if not file.is_public:
            raise errors.Refused(
                "Azure DevOps shows every file to everybody, and this one must not become public."
            )
        client.checked_number(remote_id)
        name = safe_name(file.name)
        url = client.upload(self._project, name, SizedBody(file.chunks, file.size_bytes))
        patch = [files.link_to(url, name, file.marker)]
        _, made = self._seen(remote_id, lambda: self._writer.add(remote_id, patch, is_quiet=True))
        hung = files.attachment({"rel": files.ATTACHED, "url": url})
        return Written(self._head(remote_id), made, attachment_id=hung.id if hung else "")

    # --- Pure ---

    def settled(self, field: str, value: Value) -> Value:
        """What Azure DevOps holds after `value` was written to `field`.  Makes no call."""
        if field == "comment":
            return texts.settled_comment(value)
        if field == "file":
            return safe_name(str(value))
        return ado_fields.settled(field, value, self._knowledge.known(), self._people)

    def verify_hook(self, request: HookRequest, secrets: Sequence[str]) -> Hook:
        """Prove a service hook and read which ticket it names, or raise HookRefused.  Pure."""
        return webhooks.verify(request, secrets)

    def hook_steps(self, url: str) -> tuple[str, ...]:
        """What an administrator of the project has to do for service hooks to arrive at `url`.  Pure."""
        return webhooks.steps(url, self._project.name)

    # --- Service hooks through the interface ---

    def hook_events(self) -> tuple[str, ...]:
        """Azure DevOps takes a subscription for each kind of event.  Pure."""
        return subscriptions.EVENTS

    def registered_hooks(self, url: str) -> tuple[RegisteredHook, ...]:
        """The subscriptions to this address; one call.  May be repeated."""
        return subscriptions.registered(self._project, url)

    def register_hook(self, url: str, secret: str, *, renew: bool = False) -> RegisteredHook:
        """Subscribe to all that happens to the project's work items; what led to the address before is taken away.

        They are made anew with `secret` each time, whether `renew` is asked for or not.
        """
        return subscriptions.register(self._project, self._project_id(), url, secret)

    def unregister_hooks(self, url: str) -> None:
        """Take all subscriptions to this address away.  May be repeated."""
        subscriptions.unregister(self._project, url)

    def _project_id(self) -> str:
        """The project's id, from the address of any of its types: subscriptions take no name."""
        for one in client.types(self._project):
            if found := _PROJECT_ID.search(str(one.get("url"))):
                return found[1].lower()
        raise errors.Garbled("Azure DevOps does not tell the project's id.")

    # --- Shared ---

    def _seen(self, remote_id: str, ask: Callable[[], T]) -> T:
        """What was asked; where the work item cannot be seen, Gone or Forbidden by what the recycle bin says.

        The same answer means deleted, destroyed and not permitted.  Only the recycle bin proves the first, and to take
        the last for it would give a living ticket up for good.
        """
        try:
            return ask()
        except faults.NotSeen as error:
            if not client.is_in_bin(self._project, remote_id):
                raise
            raise errors.Gone(
                "The work item was deleted; it lies in the recycle bin.",
                status=error.status,
                detail=error.detail,
            ) from error

    def _head(self, remote_id: str) -> TicketHead:
        return TicketHead(remote_id, f"#{remote_id}", self._address(remote_id))

    def _address(self, remote_id: str) -> str:
        return f"{self._http.base_url}/{quote(self._project.name, safe='')}/_workitems/edit/{quote(remote_id, safe='')}"
