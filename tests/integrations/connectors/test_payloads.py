"""Every recorded payload, put to the whole connector of its vendor: an event, an answer, or an error of ours.

The vendors' own tests say what each recording means in detail.  Here none is left out: a file that nobody expects, or a
folder of a vendor that nobody knows, fails.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integrations.connectors import errors, registry
from integrations.connectors.protocol import HookRequest
from tests.integrations.connectors.bench import CASES, close, open_at, outcome
from tests.integrations.connectors.raw_server import Peer, answer, raw_server
from tests.integrations.connectors.test_contract import everything_there_is

SECRET = "s3cret"
NOW = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
# By a part of a recording's name, the readings to which it is an answer when the system says nothing else; the first
# part that fits counts.  Whatever is not named here is an error of ours everywhere.
UNDERSTOOD: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "azure_devops": {
        "get_workitems_200__queryShow": ("history",),
    },
    "jira": {
        "cloud_issue_with_changelog": ("history", "read"),
        "fiware_jira_issues_page": ("changed", "find"),
        "gojira_issues_in_sprint": ("changed", "find"),
        "ruby_project_SAMPLEPROJECT.issues": ("changed", "find"),
        "gojira_all_boards": ("check",),
        "gojira_search_filters": ("check",),
        "gojira_sprints": ("check",),
        "r7_get_project": ("check",),
    },
    "servicenow": {
        # An answer about a record that was not asked for is refused.
        "pdi_incident": ("check", "changed", "find"),
        "get_attachment_by_table": ("check", "changed", "find"),
        "invalid_sys_id": ("check",),
        "search_security_incident": ("check", "changed", "find"),
    },
    "zendesk": {
        "delete_users_200": ("check",),
        "get_users_200": ("check",),
        "get_users_me": ("check",),
        "put_users_200": ("check",),
        "get_incremental_tickets": ("changed", "find"),
        "get_tickets_200": ("changed", "find"),
        "get_tickets_show_many_200": ("changed", "find"),
        "get_views_tickets": ("changed", "find"),
    },
}
READINGS = ("check", "history", "read", "changed", "find")


@pytest.fixture(scope="module")
def payloads(shared_data: Path) -> Path:
    return shared_data / "data/payloads"


def files(payloads: Path, kind: str, *, hooks: bool) -> Iterator[Path]:
    """A vendor's recordings of web hooks, or of answers."""
    for path in sorted((payloads / kind).rglob("*")):
        if path.is_file() and (path.parent.name == "webhooks") is hooks:
            yield path


def test_every_recording_belongs_to_a_vendor_that_is_asked(payloads: Path) -> None:
    every = {path for path in payloads.rglob("*") if path.is_file()}
    asked = {
        path
        for kind in registry.CONNECTORS
        for hooks in (False, True)
        for path in files(payloads, kind, hooks=hooks)
    }
    assert every - asked == set()
    assert len(asked) > 200


def test_every_recorded_answer_is_read_as_what_it_is_or_an_error_of_ours(payloads: Path, kind: str) -> None:
    told = {path.name: understood(kind, path) for path in files(payloads, kind, hooks=False)}
    assert {name: found for name, found in told.items() if found} == {
        name: expected
        for name in told
        if (expected := next((to for part, to in UNDERSTOOD[kind].items() if part in name), ()))
    }


def test_every_recorded_web_hook_is_an_event_once_it_is_proven(payloads: Path, kind: str) -> None:
    connector = open_at({**dict.fromkeys(CASES[kind].sign_in, "x"), "base_url": "https://x.example"}, kind)
    for path in files(payloads, kind, hooks=True):
        told = json.loads(path.read_text())
        body = told["raw_body"].encode() if "raw_body" in told else path.read_bytes()
        # A time inside the body counts for a vendor that signs no other.
        sent = told.get("timestamp")
        at = datetime.fromtimestamp(sent / 1000, UTC) if isinstance(sent, int) else NOW
        proof = CASES[kind].proof(body, SECRET, at)
        hook = connector.verify_hook(HookRequest(proof, body, at), [SECRET])
        assert hook.delivery_id, path.name
        forged = HookRequest(proof, body, at)
        with pytest.raises(errors.HookRefused):
            connector.verify_hook(forged, ["another"])


def understood(kind: str, path: Path) -> tuple[str, ...]:
    """Which questions of a connector the recording answers, when it is all that the system ever says."""
    told = json.loads(path.read_text())
    response = told["response"] if isinstance(told, dict) and "request" in told and "response" in told else {}
    body = response.get("body", told) if response else told
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    status = f"{response.get('status', 200)} Recorded"

    def handle(peer: Peer) -> None:
        while request := peer.read_request():
            peer.send(
                packed(request, raw) if b"/batch " in request.partition(b"\r\n")[0] else answer(raw, status)
            )

    found = []
    with raw_server(handle) as server:
        connector = open_at({**dict.fromkeys(CASES[kind].sign_in, "x"), "base_url": server.url}, kind)
        for name, call in everything_there_is(connector):
            error = outcome(call)
            assert error is None or error.message.strip(), path.name
            if error is None and name in READINGS:
                found.append(name)
        close(connector)
    return tuple(found)


def packed(request: bytes, raw: bytes) -> bytes:
    """The same answer to every question inside a batch."""
    asked = json.loads(request.partition(b"\r\n\r\n")[2])["rest_requests"]
    status = 404 if b'"error"' in raw else 200
    served = [
        {"id": one["id"], "status_code": status, "body": base64.b64encode(raw).decode()} for one in asked
    ]
    return answer(json.dumps({"serviced_requests": served}).encode())
