"""A connector on its sandbox: what the contract suite puts its questions to.

A new vendor adds one `Case` here; every question of the suite is then asked of it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from integrations.canonical import Change, CommentDraft, Draft, Value
from integrations.connectors import errors, registry
from integrations.connectors.http import Exchange
from integrations.connectors.protocol import Connector, FileDraft
from integrations.connectors.wire import GuardedAdapter
from integrations.richtext.blocks import from_plain
from integrations.sandbox.clock import SetClock
from integrations.sandbox.process import Running, running

LOOPBACK = frozenset({"127.0.0.1"})


def _jira_proof(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature": f"sha256={digest}", "x-atlassian-webhook-identifier": "1"}


def _zendesk_proof(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    stamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
    return {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": stamp,
        "x-zendesk-webhook-invocation-id": "1",
    }


def _servicenow_proof(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"x-concord-timestamp": seconds, "x-concord-signature": f"sha256={digest}"}


def _azure_devops_proof(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    return {"x-concord-secret": secret}


@dataclass(frozen=True, slots=True)
class Case:
    """A vendor's own words for what the suite asks.  `values` holds two values for each field that can be written.

    `journey` leads a new ticket from status to status, which is called `status` there.  `api` is where the vendor's
    OpenAPI document lies.  `proof` gives the headers that prove any body of a web hook, sent at a time.  `some_id` could be a ticket's id.  `kept` are fields that cannot be emptied.
    `tells_markers`: the marker of a comment comes back in the history.  `reads_by`: the methods of its readings.
    `prefix` is what the connector writes in front of the sandbox's own id of a ticket.  `signs_hooks`: the secret is
    not sent with a web hook but signs its body and time.  `keeps_types`: a file has a content type of its own.
    """

    kind: str
    title: str
    values: Mapping[str, tuple[Value, Value]]
    journey: tuple[str, ...]
    settings: Mapping[str, Any]
    api: str
    proof: Callable[[bytes, str, datetime], Mapping[str, str]]
    sign_in: Mapping[str, str] = field(default_factory=dict)
    status: str = "status"
    some_id: str = "1"
    kept: tuple[str, ...] = ("priority", "type")
    tells_markers: bool = True
    reads_by: tuple[str, ...] = ("GET",)
    prefix: str = ""
    signs_hooks: bool = True
    keeps_types: bool = True


CASES = {
    "zendesk": Case(
        "zendesk",
        "subject",
        {
            "subject": ("The printer  is on fire", "It only smokes"),
            "priority": ("high", "low"),
            "type": ("incident", "problem"),
            "tags": (["VPN", "two words"], ["printer"]),
            "custom_field_360000000001": ("impact_high", "impact_low"),
            "custom_field_360000000002": ("urgency_high", "urgency_low"),
            "custom_field_360000000003": ("REF-1", "REF-2"),
        },
        ("open", "pending", "hold", "solved", "open"),
        {"incremental_lag_s": 0, "search_lag_s": 0},
        "contracts/zendesk.trimmed.json",
        _zendesk_proof,
        {"base_url": "url", "email": "email", "api_token": "token"},
    ),
    "jira": Case(
        "jira",
        "summary",
        {
            "summary": ("The printer  is on fire", "It only smokes"),
            "priority": ("High", "Low"),
            "labels": (["vpn", "VPN"], ["printer"]),
            "customfield_10050": ("High", "Low"),
            "customfield_10051": ("High", "Low"),
            "customfield_10052": ("REF-1", "REF-2"),
        },
        ("In Progress", "In Review", "Done", "In Progress", "To Do"),
        {"search_lag_s": 0},
        "contracts/jira.trimmed.json",
        _jira_proof,
        {"base_url": "url", "email": "email", "api_token": "token", "project_key": "project"},
    ),
    "servicenow": Case(
        "servicenow",
        "short_description",
        {
            "short_description": ("The printer  is on fire", "It only smokes"),
            "priority": ("1 - Critical", "5 - Planning"),
            "impact": ("1 - High", "3 - Low"),
            "urgency": ("1 - High", "3 - Low"),
            "category": ("Software", "Hardware"),
            "assignment_group": ("Network", "Software"),
            "close_notes": ("Two\n\nparagraphs", "None"),
            "u_partner_reference": ("REF-1", "REF-2"),
            "u_service_tier": ("Gold", "Silver"),
        },
        ("In Progress", "On Hold", "Resolved", "In Progress", "New"),
        {},
        "contracts/servicenow.handwritten.json",
        _servicenow_proof,
        {"base_url": "url", "username": "username", "password": "password"},
        status="state",
        some_id="incident:" + "1" * 32,
        kept=("priority", "impact", "urgency", "category", "u_service_tier"),
        tells_markers=False,
        reads_by=("GET", "POST"),
        prefix="incident:",
    ),
    "azure_devops": Case(
        "azure_devops",
        "title",
        {
            "title": ("The printer  is on fire", "It only smokes"),
            "priority": ("1", "4"),
            "severity": ("1 - Critical", "4 - Low"),
            "tags": (["VPN", "two words"], ["printer"]),
            "Custom.Impact": ("High", "Low"),
            "Custom.PartnerReference": ("REF-1", "REF-2"),
        },
        ("Active", "Resolved", "Closed", "Active", "New"),
        {},
        "contracts/azure-devops.trimmed.json",
        _azure_devops_proof,
        {"base_url": "url", "project": "project", "api_token": "token"},
        signs_hooks=False,
        keeps_types=False,
    ),
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it left us."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: object


@dataclass(slots=True)
class Bench:
    """A connector, its sandbox, and everything that went between them."""

    case: Case
    connector: Connector
    sandbox: Running
    clock: SetClock
    exchanges: list[Exchange]
    markers: Iterator[str]

    def marker(self) -> str:
        """A marker that was never used."""
        return next(self.markers)

    def calls(self, do: Callable[[], object]) -> int:
        """How many requests this costs."""
        before = len(self.exchanges)
        do()
        return len(self.exchanges) - before

    def draft(self, **fields: Value) -> Draft:
        """A ticket to be created, with a title and a description."""
        first = {
            self.case.title: "Printer",
            "description": from_plain("It burns.\n\nPlease come.").as_value(),
        }
        return Draft({**first, **fields}, self.marker())

    def ticket(self) -> str:
        """The id of a new ticket, created through the connector."""
        return self.connector.create(self.draft()).head.remote_id

    def comment(self, remote_id: str, text: str, *, is_public: bool = True) -> str:
        """Write a comment through the connector; its marker."""
        draft = CommentDraft(from_plain(text).as_value(), is_public, self.marker())
        self.connector.comment(remote_id, draft)
        return draft.marker

    def attach(self, remote_id: str, name: str, content: bytes, content_type: str = "text/plain") -> str:
        """Write a file through the connector; its marker."""
        marker = self.marker()
        self.connector.attach(
            remote_id, FileDraft(name, content_type, len(content), iter([content]), True, marker)
        )
        return marker

    def changes(self, remote_id: str, since: str = "") -> list[Change]:
        """The whole history after a cursor, page by page."""
        found: list[Change] = []
        while True:
            page = self.connector.history(remote_id, since)
            found += page.changes
            since = page.cursor
            if not page.has_more:
                return found

    def current(self, remote_id: str) -> dict[str, Value]:
        """What the history says the ticket holds now."""
        values: dict[str, Value] = {}
        for change in self.changes(remote_id):
            values |= change.fields
        return values

    def update(self, remote_id: str, **fields: Value) -> str:
        """Write fields through the connector as the engine does; the marker."""
        marker = self.marker()
        self.connector.update(remote_id, fields, current=self.current(remote_id), marker=marker)
        return marker

    def act(self, do: str, ticket: str = "", **more: Any) -> dict[str, Any]:
        """Something the partner's people do; what came of it."""
        prefix = self.case.prefix
        action = {"do": do, **({"ticket": ticket.removeprefix(prefix)} if ticket else {}), **more}
        # A second apart, so that times differ as they do in life.
        self.clock.advance(1)
        told = self.sandbox.act(action)[0]
        return {**told, "ticket": f"{prefix}{told['ticket']}"} if told.get("ticket") else told


@contextlib.contextmanager
def bench(kind: str, *, timeout_s: float = 5.0, **settings: Any) -> Iterator[Bench]:
    """A bench on a fresh sandbox whose clock is moved by hand, beginning now."""
    case = CASES[kind]
    clock = SetClock(datetime.now(UTC).replace(microsecond=0))
    exchanges: list[Exchange] = []
    with running(kind, clock=clock, settings={**case.settings, **settings}) as sandbox:
        connector = connector_to(sandbox, case, exchanges, timeout_s)
        markers = (f"marker-{number}" for number in range(1, 1_000_000))
        try:
            yield Bench(case, connector, sandbox, clock, exchanges, markers)
        finally:
            close(connector)


def connector_to(
    sandbox: Running, case: Case, exchanges: list[Exchange], timeout_s: float = 5.0
) -> Connector:
    """One more connector to the same sandbox, which remembers nothing."""
    told = sandbox.state.sign_in()
    return open_at({name: told[word] for name, word in case.sign_in.items()}, case.kind, exchanges, timeout_s)


def open_at(
    settings: Mapping[str, str], kind: str, exchanges: list[Exchange] | None = None, timeout_s: float = 5.0
) -> Connector:
    """A connector with these settings that may call this machine."""
    note = exchanges.append if exchanges is not None else None
    return registry.open_connector(
        kind, settings, timeout_s=timeout_s, allowed_private_hosts=LOOPBACK, on_exchange=note
    )


def close(connector: Connector) -> None:
    """Close a connector's pooled connections."""
    connector._http.close()  # type: ignore[attr-defined]


@contextlib.contextmanager
def recorded() -> Iterator[list[Sent]]:
    """Every request that leaves within the block, as it left."""
    sent: list[Sent] = []
    original = GuardedAdapter.send

    def send(self: GuardedAdapter, request: requests.PreparedRequest, *args: Any, **more: Any) -> Any:
        parts = urlsplit(str(request.url))
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        sent.append(Sent(str(request.method), parts.path, query, dict(request.headers), request.body))
        return original(self, request, *args, **more)

    GuardedAdapter.send = send  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        GuardedAdapter.send = original  # type: ignore[method-assign]


def outcome(do: Callable[[], object]) -> errors.ConnectorError | None:
    """The error this ends in, or None."""
    try:
        do()
    except errors.ConnectorError as error:
        return error
    return None
