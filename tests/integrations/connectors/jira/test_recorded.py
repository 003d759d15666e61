"""Answers and web hooks that real Jira sites gave, read by the connector's rules."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integrations.canonical import ChangeKind
from integrations.connectors import errors
from integrations.connectors.jira import catalogue, fields, history, workflow
from integrations.connectors.jira.connector import JiraConnector
from integrations.connectors.jira.webhooks import verify
from integrations.connectors.protocol import HookRequest
from tests.integrations.connectors.jira.conftest import Site


@pytest.fixture(scope="module")
def recordings(shared_data: Path) -> Path:
    return shared_data / "data/payloads/jira"


def _load(path: Path) -> dict:
    return json.loads(path.read_text())


def _issues(value: object) -> Iterator[dict]:
    """Everything inside a recording that is an issue with its creation time."""
    if isinstance(value, dict):
        held = value.get("fields")
        if "id" in value and isinstance(held, dict) and "created" in held:
            yield value
        for inner in value.values():
            yield from _issues(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _issues(inner)


def test_every_recorded_issue_is_read_as_a_history_and_a_snapshot(recordings: Path) -> None:
    read = 0
    for path in sorted(recordings.glob("*/*.json")):
        for raw in _issues(_load(path)):
            entries = (history.embedded_entries(raw, history.Cursor()) or ([], True))[0]
            comments = history.embedded_comments(raw) or []
            changes, after = history.read_history(history.Issue(raw, entries, comments), history.Cursor(), {})
            values = fields.neutral_fields(raw["fields"])
            assert changes[0].id == "created"
            assert len(changes) == 1 + len(entries) + len(comments)
            assert history.read_cursor(after.text()) == after
            assert values.get("summary") == (raw["fields"].get("summary") or None)
            # Everything can be stored.
            json.dumps([dict(values), [dict(change.fields) for change in changes]], allow_nan=False)
            read += 1
    assert read > 40


def test_a_real_clouds_changelog_leads_from_the_first_values_to_the_present_ones(recordings: Path) -> None:
    for path in sorted(recordings.glob("rest/jira__cloud_issue_with_changelog_*.json")):
        raw = _load(path)
        # This recording names each custom field; Jira itself gives the value alone.
        raw["fields"] = {
            name: value["value"] if name.startswith("customfield_") else value
            for name, value in raw["fields"].items()
        }
        embedded = history.embedded_entries(raw, history.Cursor())
        assert embedded is not None
        changes, _ = history.read_history(history.Issue(raw, embedded[0], []), history.Cursor(), {})
        state = dict(changes[0].fields)
        for change in changes[1:]:
            for name, before in change.before.items():
                assert state.get(name) == before
            state |= change.fields
        present = {
            name: value
            for name, value in fields.neutral_fields(raw["fields"]).items()
            if value not in (None, [])
        }
        assert state == present
        assert [change.at for change in changes] == sorted(change.at for change in changes)


def test_the_transitions_of_a_real_site_are_read(recordings: Path) -> None:
    steps = workflow.read_transitions(
        _load(recordings / "rest/jira__ruby_issue_10002_transitions.json")["transitions"]
    )
    assert [(step.id, step.to_status) for step in steps] == [
        ("41", "Reviewable"),
        ("101", "Accepted"),
        ("21", "Open"),
        ("71", "Resolved"),
    ]


def test_the_fields_of_a_real_project_are_told(recordings: Path) -> None:
    value = _load(recordings / "rest/jira__mm_cloud-get-create-issue-metadata-for-project-many-fields.json")
    told = 0
    for project in value["projects"]:
        for issue_type in project["issuetypes"]:
            metadata = [{"fieldId": name, **spec} for name, spec in issue_type["fields"].items()]
            found = {spec.name: spec for spec in catalogue.specs(metadata)}
            assert found["summary"].is_required
            assert not {"project", "attachment", "issuelinks"} & set(found)
            told += len(found)
    assert told > 20


NAMELESS = {"jira__server-comment-deleted.json", "jira__server-comment-updated.json"}


def test_every_recorded_web_hook_is_proven_and_names_its_ticket(recordings: Path) -> None:
    paths = sorted(recordings.glob("webhooks/*.json"))
    assert len(paths) == 30
    for path in paths:
        body = path.read_bytes()
        event = json.loads(body)
        received = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        signature = "sha256=" + hmac.new(b"secret", body, hashlib.sha256).hexdigest()
        hook = verify(HookRequest({"x-hub-signature": signature}, body, received), ["secret"])
        if path.name in NAMELESS:
            # Only the comment's address tells the ticket.
            assert hook.remote_ids == ("10013",)
        else:
            assert hook.remote_ids == (event["issue"]["id"],)
        author = (event.get("comment") or {}).get("updateAuthor") or {}
        assert hook.actor_id == (event.get("user") or author).get("accountId", "")


# --- Every answer, through the whole connector ---

# The tickets in each recorded answer.  Every other one was recorded for another purpose (one is an issue without the
# time it was made): it stands for whatever odd thing may come back when a ticket was asked for.
READ: Mapping[str, tuple[str, ...]] = {
    "cloud_issue_with_changelog_CONTRIB-11": ("CONTRIB-11",),
    "cloud_issue_with_changelog_CONTRIB-3": ("CONTRIB-3",),
    "cloud_issue_with_changelog_CONTRIB-5": ("CONTRIB-5",),
    "fiware_jira_issues_page_1": ("HELP-6043", "HELP-6042"),
    "fiware_jira_issues_page_2": ("HELP-6041",),
    "gojira_issues_in_sprint": ("AR-86",),
    "ruby_project_SAMPLEPROJECT.issues": tuple(
        f"SAMPLEPROJECT-{number}" for number in (13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 1)
    ),
}


def _raw_issues(value: object) -> Iterator[dict]:
    """Every issue of a recording, whether or not it can be read; not the ones that another one only refers to."""
    if isinstance(value, dict):
        if "id" in value and "key" in value and isinstance(value.get("fields"), dict):
            yield value
            return
        for inner in value.values():
            yield from _raw_issues(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _raw_issues(inner)


def _outcome(site: Site, jira: JiraConnector, body: object) -> str:
    """What comes of reading a ticket that is answered with this body: its key, or the kind of error."""
    site.answers.clear()
    site.on("GET", "/issue/1", body)
    raw = body if isinstance(body, dict) else {}
    site.on(
        "GET", "/issue/1/changelog", {"values": raw.get("changelog", {}).get("histories", []), "isLast": True}
    )
    site.on("GET", "/issue/1/comment", raw.get("fields", {}).get("comment", {"comments": []}))
    site.on("GET", "/myself", {"accountId": "nobody"})
    try:
        snapshot, told = jira.read("1"), jira.history("1", "")
    except errors.ConnectorError as error:
        return type(error).__name__
    assert told.changes[0].kind is ChangeKind.CREATED
    assert told.head == snapshot.head
    assert [c for change in told.changes for c in change.comments] == list(snapshot.comments)
    # Whatever was read once is not told again.
    assert jira.history("1", told.cursor).changes == ()
    return snapshot.head.key


def test_every_recorded_answer_is_read_as_the_tickets_it_holds_or_as_an_error(
    recordings: Path, site: Site, jira: JiraConnector
) -> None:
    found = {}
    for path in sorted(recordings.glob("rest/*.json")):
        value = _load(path)
        bodies = list(_raw_issues(value)) or [value]
        found[path.name.removeprefix("jira__").removesuffix(".json")] = tuple(
            dict.fromkeys(_outcome(site, jira, body) for body in bodies)
        )
    assert found == {name: READ.get(name, ("Garbled",)) for name in found}
    assert set(READ) <= set(found)
    assert len(found) == 42
