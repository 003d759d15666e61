"""Jira Cloud behind the connector protocol: which calls are made, in which order, and what is remembered between them.

A turn costs as few calls as Jira allows: one for a ticket's history (fields, changelog, comments, files and open
workflow steps come in one answer), one for a change of status (the step is known from that answer), one for other
fields, one for a comment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import ClassVar

from integrations.canonical import (
    Account,
    Attachment,
    Changed,
    CommentDraft,
    Draft,
    FieldKind,
    Fields,
    FieldSpec,
    FileLimits,
    History,
    Snapshot,
    TicketHead,
    Value,
    Written,
)
from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.connectors.jira import (
    account,
    adf,
    catalogue,
    changes,
    client,
    history,
    polling,
    registration,
    webhooks,
    workflow,
)
from integrations.connectors.jira import fields as jira_fields
from integrations.connectors.jira import steps as status_steps
from integrations.connectors.jira.adf_patch import patched
from integrations.connectors.jira.faults import read_error
from integrations.connectors.jira.journey import Journeys
from integrations.connectors.jira.multipart import file_form
from integrations.connectors.jira.own_comments import OwnComments
from integrations.connectors.jira.rates import points, read_rates
from integrations.connectors.jira.recall import Known, Workflows, known_from
from integrations.connectors.jira.wording import Wording
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
from integrations.connectors.recall import Recall
from integrations.file_names import safe_name
from integrations.richtext import blocks

MAX_ATTACHMENT_BYTES = 20 * 1024 * 1024
# How long the steps open from a status may be used without asking again; a stale one is noticed when it is taken.
TRANSITIONS_FRESH_S = 120.0
HOUR_S = 3600.0
REMEMBERED = 2_000
NO_TEXT = "(no text)"


class JiraConnector:
    """One Jira Cloud site, seen through one account and one project.  Thread-safe."""

    kind: ClassVar[str] = "jira"
    label: ClassVar[str] = "Jira"
    capabilities: ClassVar[Capabilities] = Capabilities(
        idempotent_create=False,
        has_internal_comments=False,
        late_execution_s=40,
        search_lag_s=90,
        max_attachment_bytes=MAX_ATTACHMENT_BYTES,
        poll_overlap_s=120,
        # An update may take a workflow step and an edit.
        # https://developer.atlassian.com/cloud/jira/platform/rate-limiting/#per-issue-on-write-rate-limits
        ticket_writes=TicketWrites(20, 2, each=2, also=((100, 30),)),
    )
    settings: ClassVar[Sequence[SettingSpec]] = (
        SettingSpec("base_url", "Address", "The site's address, such as https://example.atlassian.net"),
        SettingSpec("email", "E-mail address", "Of the account that Concord signs in with."),
        SettingSpec(
            "api_token",
            "API token",
            "Made by that account at id.atlassian.com under Security, API tokens.",
            is_secret=True,
        ),
        SettingSpec(
            "project_key", "Project key", "The letters in front of a ticket's number, such as NET in NET-12."
        ),
        SettingSpec("issue_type", "Type of new tickets", "As the project names it.", default="Task"),
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
        self._site = settings["base_url"].rstrip("/")
        self._email = settings["email"].strip()
        self._project = settings["project_key"].strip()
        self._issue_type = settings.get("issue_type", "").strip() or "Task"
        self._now = now
        http.read_error = read_error
        http.read_rates = read_rates
        http.price = points
        http.sign_in_as(self._email, settings["api_token"])
        self._known: Recall[str, Known] = Recall(REMEMBERED, TRANSITIONS_FRESH_S, clock)
        self._heads: Recall[str, TicketHead] = Recall(REMEMBERED, HOUR_S, clock)
        self._workflows = Workflows()
        self._journeys = Journeys(http, self._project, self._known, self._workflows, clock)
        self._own_comments = OwnComments(http, self._email, clock)
        self._wording = Wording(http, self._project, self._issue_type, clock)

    # Reading

    def check(self) -> Account:
        """Sign in and look at the project; three calls.  Problems are sentences."""
        found = account.check(self._http, self._project, self._issue_type)
        self._own_comments.account_id = found.id
        return found

    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields of the project's issue type and the steps of its workflow; six calls or more."""
        metadata = self._wording.field_metadata()
        types = client.project_statuses(self._http, self._project)
        statuses = account.statuses_of(types, self._issue_type)
        steps, known = status_steps.told(
            self._http, self._project, account.type_of(types, self._issue_type), statuses
        )
        resolutions = tuple(str(one["name"]) for one in client.resolutions(self._http) if one.get("name"))
        # These two are on no form for a new ticket, and are what a workflow is about.
        return (
            *(spec for spec in catalogue.specs(metadata) if spec.name not in ("status", "resolution")),
            FieldSpec("status", "Status", FieldKind.STATUS, values=statuses, steps=steps, steps_known=known),
            FieldSpec("resolution", "Resolution", FieldKind.CHOICE, values=resolutions),
        )

    def history(self, remote_id: str, since: str) -> History:
        """Changes after the cursor; one call, and more only for lists that are longer than Jira embeds.

        Gone when the issue was deleted, Forbidden when the whole project can no longer be seen.
        """
        cursor = history.read_cursor(since)
        raw = self._issue(remote_id)
        head = self._remember(raw)
        embedded = history.embedded_entries(raw, cursor)
        # Of a long changelog that is read by itself some entries may only come with the next reading.
        mark = polling.mark_of(raw) if embedded is not None else ""
        if embedded is None:
            embedded = history.settle_entries(raw, client.changelog(self._http, remote_id)), True
        comments = self._comments(raw, remote_id)
        markers = self._own_comments.markers(history.new_comments(comments, cursor))
        issue = history.Issue(raw, embedded[0], comments, has_all_entries=embedded[1])
        found, after = history.read_history(issue, cursor, markers)
        return History(found, after.text(), head, mark=mark)

    def _issue(self, remote_id: str) -> dict:
        with self._missing_explained():
            return client.get_issue(self._http, remote_id)

    def _missing_explained(self) -> AbstractContextManager[None]:
        return account.missing_explained(self._http, self._project)

    def read(self, remote_id: str) -> Snapshot:
        """The ticket as it stands now; one call, and more only for very many comments."""
        raw = self._issue(remote_id)
        head = self._remember(raw)
        held = history.part(raw, "fields")
        return Snapshot(
            head,
            jira_fields.neutral_fields(held),
            tuple(history.read_comment(one) for one in self._comments(raw, remote_id)),
            tuple(history.attachments(held).values()),
            jira_fields.instant(held.get("created")),
            jira_fields.instant(held.get("updated") or held.get("created")),
            is_closed=history.is_done(held),
        )

    def changed_since(self, cursor: str) -> Changed:
        """Tickets changed after the cursor, each once for every change; one call a page."""
        now = self._now()
        place = polling.read_place(cursor, now)
        try:
            ids, after = self._changed_page(place, now)
        except errors.Invalid:
            if not place.page_token:
                raise
            # A page token lives for seven days; the search is begun again.
            ids, after = self._changed_page(place.from_the_start(), now)
        marks = {id_: after.seen[id_] for id_ in ids if after.seen.get(id_)}
        return Changed(ids, after.text(), has_more=bool(after.page_token), marks=marks)

    def _changed_page(self, place: polling.Place, now: datetime) -> tuple[tuple[str, ...], polling.Place]:
        jql = polling.changed_jql(self._project, place, now)
        page = client.search(self._http, jql, page_token=place.page_token)
        return polling.next_place(place, jql, page, now)

    def find(self, marker: str) -> Written | None:
        """The ticket created with this marker; up to `search_lag_s` late.  Two calls or more.

        Searching by a property needs an app that has it indexed, which an account with a token is not.  So where that
        search finds nothing, the tickets our account made lately are looked through; it reads their property along.
        Either way only a property that is exactly ours counts.  Invalid when Jira takes neither search.
        """
        refusals: list[errors.Invalid] = []
        for jql in (polling.property_jql(self._project, marker), polling.own_tickets_jql(self._project)):
            try:
                if found := self._find(jql, marker):
                    return found
            except errors.Invalid as error:
                refusals.append(error)
        if len(refusals) == 2:
            raise refusals[-1]
        return None

    def _find(self, jql: str, marker: str) -> Written | None:
        for raw in client.search_all(self._http, jql, properties=(client.PROPERTY,)):
            if history.issue_marker(raw) == marker:
                return Written(self._head(raw), change_ids=(history.CREATED,))
        return None

    def file_limits(self) -> FileLimits:
        """The largest file the site takes; one call."""
        limit = client.attachment_settings(self._http).get("uploadLimit")
        return FileLimits(limit if isinstance(limit, int) and limit > 0 else 0)

    def open_attachment(self, attachment: Attachment) -> Iterator[bytes]:
        """The file's bytes in chunks; one call, two when Jira sends us to its media host."""
        with client.attachment_content(self._http, attachment.locator, MAX_READ_BYTES) as chunks:
            yield from chunks

    # Writing

    def create(self, draft: Draft) -> Written:
        """Create a ticket; one call.  It begins in the workflow's first status, whatever the draft says."""
        wanted = {name: value for name, value in draft.fields.items() if name not in ("status", "resolution")}
        issue_type = wanted.pop("issuetype", None) or self._issue_type
        sent = {
            name: value
            for name, value in self._wording.jira_values(wanted).items()
            if value not in (None, [], "")
        }
        body = {
            "fields": {**sent, "project": {"key": self._project}, "issuetype": {"name": issue_type}},
            "properties": [{"key": client.PROPERTY, "value": {"marker": draft.marker}}],
        }
        return Written(self._head(client.create_issue(self._http, body)), change_ids=(history.CREATED,))

    def update(self, remote_id: str, fields: Fields, *, current: Fields, marker: str) -> Written:
        """Set fields: one call for a status, one for everything else, and one more for formatted text, which is
        written into the text that is there.  Repeating it changes nothing more.

        Raises NoTransition or RequiredField before anything is written where the workflow cannot be followed.
        """
        with self._missing_explained():
            return self._update(remote_id, fields, current, marker)

    def _update(self, remote_id: str, fields: Fields, current: Fields, marker: str) -> Written:
        values = self._wording.jira_values(
            {name: value for name, value in fields.items() if name != "status"}
        )
        values = self._into_own_texts(remote_id, fields, values)
        wanted, present = fields.get("status"), current.get("status")
        if not wanted or workflow.same_status(wanted, present):
            self._edit(remote_id, values, marker)
            return Written(self._head_of(remote_id))
        route = self._journeys.route(remote_id, str(present or ""), str(wanted))
        carried = route.carried(values)
        rest = {name: value for name, value in values.items() if name not in carried}
        self._edit(remote_id, rest, marker)
        try:
            change_ids = self._journeys.go(remote_id, route, carried, marker)
        except errors.Unavailable as error:
            # The edit is done, so the write as a whole is not undone, whatever became of the step.
            error.outcome_unknown = error.outcome_unknown or bool(rest)
            raise
        return Written(self._head_of(remote_id), change_ids)

    def _into_own_texts(self, remote_id: str, fields: Fields, values: dict[str, object]) -> dict[str, object]:
        """The values with formatted text made of the issue's own nodes, and without text that is there already."""
        rich = [name for name, value in values.items() if adf.is_adf(value)]
        if not rich:
            return values
        held = history.part(client.texts(self._http, remote_id, rich), "fields")
        found = {
            name: patched(held.get(name), jira_fields.fitted(blocks.from_value(fields[name])))
            for name in rich
        }
        same = {name for name in rich if found[name] == held.get(name)}
        return {name: found.get(name, value) for name, value in values.items() if name not in same}

    def _edit(self, remote_id: str, values: Mapping[str, object], marker: str) -> None:
        if not values:
            return
        body: dict[str, object] = {"fields": dict(values)}
        if marker:
            body["historyMetadata"] = changes.history_metadata(marker)
        client.edit_issue(self._http, remote_id, body)

    def comment(self, remote_id: str, draft: CommentDraft) -> Written:
        """Add a comment that everybody on the ticket sees; one call.  Refused for an internal one."""
        if not draft.is_public:
            raise errors.Refused(
                "This Jira has no internal comments, and the comment must not become public."
            )
        document = jira_fields.fitted(blocks.from_value(draft.body))
        body = {
            # Jira takes no comment without words; a file alone may have been one elsewhere.
            "body": adf.to_adf(document if document.plain() else blocks.from_plain(NO_TEXT)),
            "properties": [{"key": client.PROPERTY, "value": {"marker": draft.marker}}],
        }
        with self._missing_explained():
            raw = client.add_comment(self._http, remote_id, body)
        comment_id = history.id_of(raw)
        self._own_comments.wrote(comment_id, draft.marker, jira_fields.person(raw.get("author")))
        return Written(
            self._head_of(remote_id), (history.COMMENT_PREFIX + comment_id,), comment_id=comment_id
        )

    def attach(self, remote_id: str, file: FileDraft) -> Written:
        """Add a file, sent while it is read; one call.  Jira has no place for the marker."""
        file.check_size(MAX_ATTACHMENT_BYTES)
        if not file.is_public:
            raise errors.Refused(
                "This Jira shows every file to everybody, and this one must not become public."
            )
        form = file_form(file.name, file.content_type, file.size_bytes, file.chunks)
        with self._missing_explained():
            added = client.add_attachment(self._http, remote_id, form)
        if not added:
            raise errors.Garbled("Jira did not say which file it added.", outcome_unknown=True)
        return Written(self._head_of(remote_id), attachment_id=history.id_of(added[0]))

    # Pure

    def settled(self, field: str, value: Value) -> Value:
        """What Jira holds after the value was written: one line for a summary, labels sorted, text through ADF."""
        if field == "file":
            return safe_name(str(value))
        return jira_fields.settled(field, value, self._wording.known_shape(field))

    def verify_hook(self, request: HookRequest, secrets: Sequence[str]) -> Hook:
        """Prove a web hook by its signature and read which ticket it names; HookRefused for anything else."""
        return webhooks.verify(request, secrets)

    def hook_steps(self, url: str) -> tuple[str, ...]:
        """What a Jira administrator has to do for web hooks to arrive at `url`."""
        return webhooks.steps(url, self._project)

    # Web hooks set up

    def hook_events(self) -> tuple[str, ...]:
        """One web hook of Jira tells of everything.  Pure."""
        return ("",)

    def registered_hooks(self, url: str) -> tuple[RegisteredHook, ...]:
        """The admin web hooks to this address; one call.  Forbidden unless we are a site administrator."""
        return registration.registered(self._http, url)

    def register_hook(self, url: str, secret: str, *, renew: bool = False) -> RegisteredHook:
        """Have the project's changes sent to `url`, signed with `secret`; two calls or more.  May be repeated.

        It is made anew each time, whether `renew` is asked for or not.
        """
        return registration.register(self._http, url, secret, self._project)

    def unregister_hooks(self, url: str) -> None:
        """Take all web hooks to this address away.  May be repeated."""
        registration.unregister(self._http, url)

    # What is remembered

    def _remember(self, raw: Mapping[str, object]) -> TicketHead:
        """Keep what an issue's answer tells for the write that may follow."""
        head = self._head(raw)
        known = known_from(raw)
        self._known.put(head.remote_id, known)
        self._workflows.learn(known, workflow.moves(raw))
        return head

    def _head(self, raw: Mapping[str, object]) -> TicketHead:
        key = str(raw.get("key") or "")
        head = TicketHead(history.id_of(raw), key, f"{self._site}/browse/{key}")
        self._heads.put(head.remote_id, head)
        return head

    def _head_of(self, remote_id: str) -> TicketHead:
        """The head of an issue that was written to: no answer names the key, and asking would cost a call."""
        by_id = TicketHead(remote_id, "", f"{self._site}/secure/ViewIssue.jspa?id={remote_id}")
        return self._heads.get(remote_id) or by_id

    def _comments(self, raw: Mapping[str, object], remote_id: str) -> list[dict]:
        found = history.embedded_comments(raw)
        return client.comments(self._http, remote_id) if found is None else found
