"""ServiceNow behind the connector protocol: which calls are made, in which order, and what is remembered between them.

A history is one call whatever happened: the record, its audit, its journal and its files are asked for together.  So
is a write: a comment's own entry is read back with it.  What an instance says about its tables is read once an hour.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
from integrations.connectors.http import Http, SizedBody
from integrations.connectors.protocol import (
    MAX_READ_BYTES,
    Capabilities,
    FileDraft,
    Hook,
    HookRequest,
    SettingSpec,
)
from integrations.connectors.recall import Asking
from integrations.connectors.servicenow import (
    account,
    client,
    faults,
    history,
    metadata,
    polling,
    rates,
    records,
    texts,
    webhooks,
    writing,
)
from integrations.connectors.servicenow import fields as own_fields
from integrations.connectors.servicenow.batch import Batch, Outcome, Part, answered
from integrations.connectors.servicenow.fields import Form, Shape
from integrations.connectors.servicenow.metadata import Metadata
from integrations.connectors.servicenow.people import GROUP_FIELDS, Directory
from integrations.connectors.servicenow.steps import state_steps
from integrations.file_names import safe_name
from integrations.richtext.blocks import from_value

MAX_ATTACHMENT_BYTES = 50 * 1024 * 1024
# How long what an instance says about its tables is believed.
FRESH_FOR_S = 3600.0
# Groups that are offered by name; where there are more, any name may be given.
MAX_GROUPS = 200
REMEMBERED = 2_000
# What the answer to a write has to tell.
_WRITTEN = ("sys_id", "number", "sys_mod_count", "sys_updated_by", "sys_updated_on")
_SYSTEM = (
    "sys_id", "number", "active", "sys_mod_count", "sys_created_on", "sys_created_by", "sys_updated_on",
    "sys_updated_by", "correlation_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the instance, until when (monotonic seconds), and how much earlier to ask for times."""

    metadata: Metadata
    slack: timedelta
    until: float


class ServiceNowConnector:
    """One ServiceNow instance, seen through one account and one or several tables.  Thread-safe."""

    kind: ClassVar[str] = "servicenow"
    label: ClassVar[str] = "ServiceNow"
    capabilities: ClassVar[Capabilities] = Capabilities(
        idempotent_create=False,
        has_internal_comments=True,
        # A transaction that began runs on after we hang up, for a minute at most.
        late_execution_s=60,
        search_lag_s=0,
        max_attachment_bytes=MAX_ATTACHMENT_BYTES,
        # A node carries four out at a time and keeps fifty waiting, ours and everybody's; it refuses what is more.
        # https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB0635398
        steps_at_once=12,
        poll_overlap_s=int(polling.OVERLAP.total_seconds()),
    )
    settings: ClassVar[Sequence[SettingSpec]] = (
        SettingSpec("base_url", "Address", "The instance's address, such as https://example.service-now.com"),
        SettingSpec(
            "username",
            "User name",
            "Of an account made for Concord alone, in the time zone GMT, with the role itil and the right to read "
            "sys_audit and sys_journal_field.",
        ),
        SettingSpec("password", "Password", "Of that account.", is_secret=True, is_chosen=True),
        SettingSpec(
            "tables",
            "Tables",
            "Where tickets are: incident, problem, change_request, or several of them with commas.  New tickets go "
            "to the first one unless a rule sets their type.",
            default="incident",
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
        self._site = settings["base_url"].strip().rstrip("/")
        self._user_name = settings["username"].strip()
        self._tables = _table_names(settings.get("tables", ""))
        self._now = now
        self._clock = clock
        http.read_error = faults.read_error
        http.read_rates = rates.read_rates
        http.sign_in_as(self._user_name, settings["password"])
        self._batch = Batch(http, clock)
        self._directory = Directory(self._look_up)
        self._known: _Known | None = None
        self._learning = Asking(self._learn)
        # By remote id, how often the record had been updated when we last saw it.
        self._numbers: dict[str, int] = {}

    # Reading

    def check(self) -> Account:
        """Sign in and look at what our account may do; one call.  Problems are sentences."""
        return account.check(self._batch, self._user_name, self._tables)

    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields of the tables' records, read anew; two calls or more."""
        shapes = self._learn().metadata.shapes
        groups = self._group_names() if any(one.form is Form.GROUP for one in shapes.values()) else ()
        types = tuple(own_fields.type_name(table) for table in self._tables)
        return (
            *(self._described(shape, groups) for shape in shapes.values()),
            FieldSpec(own_fields.TYPE, "Type", FieldKind.CHOICE, types, is_create_only=True),
        )

    def _described(self, shape: Shape, groups: Sequence[str]) -> FieldSpec:
        """A field; the state's with the steps, and with what the instance demands on them."""
        spec = own_fields.spec(shape, groups)
        if shape.name != own_fields.STATE:
            return spec
        tables = self._facts().metadata.tables.values()
        return replace(spec, steps=tuple(dict.fromkeys(step for one in tables for step in state_steps(one))))

    def history(self, remote_id: str, since: str) -> History:
        """Changes after the cursor; one call, and more only for very long histories and people not met before.

        Gone when the record was deleted or archived, Forbidden when it is there and our account may not see it.
        """
        table, sys_id = self._place(remote_id)
        known = self._facts()
        shapes = known.metadata.tables[table].shapes
        cursor = history.read_cursor(since)
        from_ = cursor.since - known.slack if cursor.since else None
        parts = (
            client.one(table, sys_id, (*_SYSTEM, *shapes)),
            client.audit(table, sys_id, cursor.number),
            client.journal(sys_id, from_),
            client.files(table, sys_id, from_),
        )
        record, audit, journal, files = self._batch.send(*parts)
        told = history.Told(
            table,
            self._record(table, sys_id, record),
            # Who may not read the audit compares; see `history`.
            [] if isinstance(audit, errors.Refused) else client.whole(self._batch, parts[1], audit),
            client.whole(self._batch, parts[2], journal),
            self._files(parts[3], files),
        )
        self._directory.find(history.people_ids(shapes, told), history.actors(told))
        found, after = history.read_history(told, cursor, shapes, self._directory)
        self._remember(remote_id, told.number)
        return History(found, after.text(), self._head(table, told.record))

    def read(self, remote_id: str) -> Snapshot:
        """The record as it stands now; one call, and more only for very many comments and people not met before.

        A number, such as INC0010001, costs one call more.
        """
        table, sys_id = self._place(remote_id if ":" in remote_id else self._id_of(remote_id))
        shapes = self._facts().metadata.tables[table].shapes
        parts = (
            client.one(table, sys_id, (*_SYSTEM, *shapes)),
            client.journal(sys_id, None),
            client.files(table, sys_id, None),
            client.entries_audit(table, sys_id),
        )
        outcome, journal, files, audit = self._batch.send(*parts)
        record = self._record(table, sys_id, outcome)
        order = [] if isinstance(audit, errors.Refused) else client.whole(self._batch, parts[3], audit)
        entries = history.ordered(client.whole(self._batch, parts[1], journal), order)
        authors = [records.raw(one, "sys_created_by") for one in entries]
        self._directory.find(own_fields.people_ids(shapes, record), authors)
        created_at = records.time_in(record, "sys_created_on")
        return Snapshot(
            self._head(table, record),
            own_fields.values_of(shapes, table, record, self._directory),
            tuple(history.read_comment(one, self._directory) for one in entries),
            tuple(history.read_file(one) for one in self._files(parts[2], files)),
            created_at,
            records.time_in(record, "sys_updated_on", created_at),
            is_closed=records.raw(record, "active") == "false",
        )

    def changed_since(self, cursor: str) -> Changed:
        """Records changed after the cursor, in all tables, each once for every change; one call a page."""
        slack = self._facts().slack
        sources = (*self._tables, polling.FILES)
        places = polling.read_places(cursor, sources, self._now())
        # Between the pages of one source the others wait.
        asked = [one for one in sources if _is_open(places[one])] or list(sources)
        parts = [polling.question(one, places[one], self._tables, slack) for one in asked]
        found: list[str] = []
        for source, part, outcome in zip(asked, parts, self._batch.send(*parts), strict=True):
            if source == polling.FILES and isinstance(outcome, errors.Refused):
                continue
            ids, places[source] = polling.next_place(source, places[source], part, answered(outcome), slack)
            found += ids
        has_more = any(_is_open(place) for place in places.values())
        return Changed(tuple(dict.fromkeys(found)), polling.text_of(places), has_more)

    def _id_of(self, number: str) -> str:
        """The id of the record with this number; Gone when there is none in our tables.  One call."""
        parts = [
            client.rows(table, f"number={records.quoted(number.upper())}", ("sys_id", "number"), limit=1)
            for table in self._tables
        ]
        for table, outcome in zip(self._tables, self._batch.send(*parts), strict=True):
            for record in records.records(answered(outcome)):
                # A part of a query that ServiceNow does not understand is dropped: then it answers with any record.
                if records.raw(record, "number").casefold() == number.casefold():
                    return self._head(table, record).remote_id
        raise errors.Gone(f"No record has the number “{number}”, or our account may not see it.")

    def find(self, marker: str) -> Written | None:
        """The record created with this marker; the oldest, should there be several.  One call."""
        query = f"correlation_id={records.quoted(marker)}^ORDERBYsys_created_on^ORDERBYsys_id"
        columns = ("sys_id", "number", "correlation_id", "sys_created_on")
        parts = [client.rows(table, query, columns, limit=10) for table in self._tables]
        found: list[tuple[str, str, dict]] = []
        for table, outcome in zip(self._tables, self._batch.send(*parts), strict=True):
            for record in records.records(answered(outcome)):
                # A part of a query that ServiceNow does not understand is dropped: then it answers with any record.
                if records.raw(record, "correlation_id") == marker:
                    found.append((records.raw(record, "sys_created_on"), table, record))
        if not found:
            return None
        _, table, record = min(found, key=lambda one: one[:2])
        return Written(self._head(table, record), (history.CREATED,))

    def file_limits(self) -> FileLimits:
        """The largest file and the endings that the instance takes, as far as it lets us see; one call."""
        (found,) = self._batch.send(client.file_properties())
        if isinstance(found, errors.Refused):
            return FileLimits()
        told = {
            records.raw(one, "name"): records.raw(one, "value") for one in records.records(answered(found))
        }
        megabytes = told.get(client.MAX_FILE_SIZE, "")
        endings = [one.strip().lower().lstrip(".") for one in told.get(client.FILE_ENDINGS, "").split(",")]
        return FileLimits(
            int(megabytes) * 1024 * 1024 if megabytes.isdecimal() else 0,
            tuple(f".{ending}" for ending in endings if ending),
        )

    def open_attachment(self, attachment: Attachment) -> Iterator[bytes]:
        """The file's bytes in chunks; one call."""
        with client.file_content(self._http, attachment.locator, MAX_READ_BYTES) as chunks:
            yield from chunks

    # Writing

    def create(self, draft: Draft) -> Written:
        """Create a record; one call.  A state that demands more than the draft holds is left for an update."""
        wanted = dict(draft.fields)
        type_ = wanted.pop(own_fields.TYPE, None)
        table = own_fields.table_of(type_, self._tables) if type_ else self._tables[0]
        if table is None:
            raise own_fields.invalid(
                own_fields.TYPE, f"“{type_}” has no table among those that Concord uses."
            )
        facts = self._facts().metadata.tables[table]
        values = writing.first_values(facts, wanted, self._directory)
        body = {**values, "correlation_id": draft.marker, "correlation_display": "Concord"}
        (outcome,) = self._batch.send(client.new(table, body, _WRITTEN))
        answer = answered(outcome)
        head = self._head(table, records.record(answer))
        if not head.remote_id:
            raise answer.garbled("ServiceNow did not say which record it made.")
        return Written(head, (history.CREATED,))

    def update(self, remote_id: str, fields: Fields, *, current: Fields, marker: str) -> Written:
        """Set fields, the state among them, in one call.  Repeating it changes nothing more.

        Raises RequiredField before anything is written where a state demands what nobody has given, and Forbidden
        where ServiceNow kept none of it, as it does without a word for fields that our account may not write.
        """
        table, sys_id = self._place(remote_id)
        facts = self._facts().metadata.tables[table]
        type_ = fields.get(own_fields.TYPE)
        if type_ and own_fields.table_of(type_, self._tables) != table:
            raise own_fields.invalid(own_fields.TYPE, "It is chosen when the ticket is made and stays.")
        wanted = {name: value for name, value in fields.items() if name != own_fields.TYPE}
        values = writing.new_values(facts, wanted, current, self._directory)
        if not values:
            return Written(self._bare_head(table, sys_id))
        (outcome,) = self._batch.send(client.change(table, sys_id, values, (*_WRITTEN, *values)))
        record = records.record(answered(outcome))
        if self._numbers.get(remote_id, -1) in (-1, records.count(records.raw(record, "sys_mod_count"))):
            # Not where the record did change: then a rule of the instance made something else of it.
            writing.check_kept(facts, values, record)
        return Written(self._head(table, record), self._own_update(remote_id, record))

    def comment(self, remote_id: str, draft: CommentDraft) -> Written:
        """Add a comment, or a work note for an internal one; one call.  Forbidden when ServiceNow did not keep it."""
        table, sys_id = self._place(remote_id)
        element = history.PUBLIC if draft.is_public else "work_notes"
        text = texts.to_journal(from_value(draft.body))
        outcome, entries = self._batch.send(
            client.change(table, sys_id, {element: text}, _WRITTEN),
            client.own_entries(sys_id, element, self._user_name),
        )
        record = records.record(answered(outcome))
        entry = writing.own_entry(entries, text, record)
        if entry is None:
            return Written(self._head(table, record))
        comment_id = records.raw(entry, "sys_id")
        self._own_update(remote_id, record)
        return Written(self._head(table, record), (history.ENTRY + comment_id,), comment_id)

    def attach(self, remote_id: str, file: FileDraft) -> Written:
        """Add a file, sent while it is read; one call.  ServiceNow has no place for the marker."""
        file.check_size(MAX_ATTACHMENT_BYTES)
        if not file.is_public:
            raise errors.Refused(
                "ServiceNow shows the files of a ticket to everybody who sees it, and this one must not become public."
            )
        table, sys_id = self._place(remote_id)
        made = client.upload(
            self._http,
            table,
            sys_id,
            safe_name(file.name),
            _content_type(file.content_type),
            SizedBody(file.chunks, file.size_bytes),
        )
        file_id = records.raw(made, "sys_id")
        if not file_id:
            raise errors.Garbled("ServiceNow did not say which file it added.", outcome_unknown=True)
        return Written(self._bare_head(table, sys_id), (history.FILE + file_id,), attachment_id=file_id)

    # Pure

    def settled(self, field: str, value: Value) -> Value:
        """What ServiceNow holds after the value was written: one line, a label as it spells it, text through its
        journal.  Makes no call."""
        if field == "comment":
            return texts.settled_journal(value)
        if field == "file":
            return safe_name(str(value))
        if field == own_fields.TYPE:
            table = own_fields.table_of(value, self._tables)
            return own_fields.type_name(table) if table else value
        shapes = (self._known.metadata if self._known else metadata.usual(self._tables)).shapes
        shape = shapes.get(field)
        if shape is None:
            return value
        if shape.form is Form.PERSON:
            return self._directory.settled_person(value)
        if shape.form is Form.GROUP:
            return self._directory.settled_group(value)
        return own_fields.settled(shape, value)

    def verify_hook(self, request: HookRequest, secrets: Sequence[str]) -> Hook:
        """Prove a web hook by its signature and read which record it names; HookRefused for anything else."""
        return webhooks.verify(request, secrets)

    def hook_steps(self, url: str) -> tuple[str, ...]:
        """What a ServiceNow administrator has to do for web hooks to arrive at `url`, with the rule's script."""
        return webhooks.steps(url, self._tables)

    # What is remembered

    def _facts(self) -> _Known:
        known = self._known
        return known if known is not None and self._clock() < known.until else self._learning.answer()

    def _learn(self) -> _Known:
        """Ask what the tables hold and in which zone we are; one call, and more for very long lists."""
        (me,) = self._batch.send(client.user(self._user_name))
        user = [] if isinstance(me, errors.Refused) else records.records(answered(me))
        found = metadata.read(self._batch, self._tables)
        slack = account.slack(user[0]) if user else timedelta()
        if user:
            self._directory.meet_user(user[0])
            # As ServiceNow spells it; it takes any case of letters for signing in.
            self._user_name = records.raw(user[0], "user_name") or self._user_name
        self._known = _Known(found, slack, self._clock() + FRESH_FOR_S)
        return self._known

    def _look_up(self, table: str, query: str, columns: tuple[str, ...]) -> list[dict]:
        (outcome,) = self._batch.send(client.rows(table, query, columns))
        return records.records(answered(outcome))

    def _group_names(self) -> tuple[str, ...]:
        part = client.rows("sys_user_group", "active=true^ORDERBYname", GROUP_FIELDS, limit=MAX_GROUPS + 1)
        (outcome,) = self._batch.send(part)
        if isinstance(outcome, errors.Refused):
            return ()
        groups = records.records(answered(outcome))
        for group in groups:
            self._directory.meet_group(group)
        names = [records.raw(group, "name") for group in groups]
        return tuple(dict.fromkeys(name for name in names if name)) if len(names) <= MAX_GROUPS else ()

    def _remember(self, remote_id: str, number: int) -> None:
        if len(self._numbers) >= REMEMBERED:
            self._numbers.clear()
        self._numbers[remote_id] = number

    def _own_update(self, remote_id: str, record: records.Record) -> tuple[str, ...]:
        """The id of the update that a write of ours made; none when it changed nothing or somebody else was last."""
        number = records.count(records.raw(record, "sys_mod_count"))
        before = self._numbers.get(remote_id, -1)
        self._remember(remote_id, max(number, before))
        is_ours = records.raw(record, "sys_updated_by") == self._user_name
        return (f"{history.UPDATE}{number}",) if is_ours and number > max(before, 0) else ()

    # Small things

    def _files(self, part: Part, outcome: Outcome) -> list[dict]:
        """The files of a record; none where our account may not read any, which `check` tells."""
        return [] if isinstance(outcome, errors.Refused) else client.whole(self._batch, part, outcome)

    def _place(self, remote_id: str) -> tuple[str, str]:
        table, sys_id = polling.parted(remote_id)
        if table not in self._tables:
            raise errors.Gone("This is no ticket of a table that Concord uses in this ServiceNow.")
        return table, sys_id

    def _record(self, table: str, sys_id: str, outcome: Outcome) -> dict:
        try:
            found = records.record(answered(outcome))
        except errors.Gone as error:
            raise self._why_gone(table, sys_id, error) from error
        if records.raw(found, "sys_id") != sys_id:
            raise errors.Garbled("ServiceNow answered with another record than the one we asked for.")
        return found

    def _why_gone(self, table: str, sys_id: str, error: errors.Gone) -> errors.Refused:
        """404 is told for a deleted record, an archived one, and one that our account may not see; one more call."""
        hidden, deleted, archived = self._batch.send(
            client.rows(table, f"sys_id={sys_id}", ("sys_id",), limit=1),
            client.rows("sys_audit_delete", f"documentkey={sys_id}^tablename={table}", ("sys_id",), limit=1),
            client.one(f"ar_{table}", sys_id, ("sys_id",)),
        )
        if _total(hidden) > 0:
            return errors.Forbidden(
                "The ticket is there, but our account may no longer see it in ServiceNow.", status=404
            )
        if not isinstance(archived, errors.ConnectorError):
            return errors.Gone("The ticket was archived in ServiceNow.", status=404)
        if not isinstance(deleted, errors.ConnectorError) and records.records(deleted):
            return errors.Gone("The ticket was deleted in ServiceNow.", status=404)
        return error

    def _head(self, table: str, record: records.Record) -> TicketHead:
        sys_id = records.raw(record, "sys_id")
        return TicketHead(
            polling.remote_id(table, sys_id),
            records.raw(record, "number"),
            f"{self._site}/{table}.do?sys_id={sys_id}",
        )

    def _bare_head(self, table: str, sys_id: str) -> TicketHead:
        """The head of a record where no answer names its number, and asking would cost a call."""
        return self._head(table, {"sys_id": sys_id})


def _total(outcome: Outcome) -> int:
    if isinstance(outcome, errors.ConnectorError):
        return 0
    told = records.count(outcome.headers.get("X-Total-Count") or "")
    return max(told, len(records.records(outcome)))


def _is_open(place: polling.Place) -> bool:
    return place.is_under_way or place.offset > 0


def _table_names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",") if name.strip()))
    for name in names:
        if not records.is_table(name):
            raise errors.Refused(f"“{name}” is no name of a table in ServiceNow.")
    return names or ("incident",)


def _content_type(text: str) -> str:
    is_plain = re.fullmatch(r"[\w.+-]+/[\w.+-]+(?:; *[\w-]+=[\w.-]+)?", text, re.ASCII)
    return text if is_plain else "application/octet-stream"
