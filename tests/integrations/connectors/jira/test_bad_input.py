"""What Jira should not send and does: odd times, people, values and marks, and very much of everything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.canonical import CommentDraft, Person
from integrations.connectors import errors
from integrations.connectors.jira.connector import JiraConnector
from integrations.richtext.blocks import from_plain
from tests.integrations.connectors.jira.answers import issue
from tests.integrations.connectors.jira.conftest import Site

ISSUE = "/issue/10001"


def raw(**fields: Any) -> dict[str, Any]:
    value = issue()
    return {**value, "fields": {**value["fields"], **fields}}


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("2026-01-01T10:00:00.000+0000", 10, 0),
        ("2026-01-01T10:00:00.000+0530", 4, 30),
        ("2026-01-01T10:00:00.000-03:30", 13, 30),
        ("2026-01-01T10:00:00Z", 10, 0),
        ("2026-01-01T10:00:00.123456+14:00", 20, 0),
        ("2026-01-01T10:00:00", 10, 0),
        ("2026-01-01 10:00:00+00", 10, 0),
    ],
)
def test_a_time_of_any_zone_is_read_in_utc(
    jira: JiraConnector, site: Site, text: str, hour: int, minute: int
) -> None:
    site.on("GET", ISSUE, raw(created=text, updated="2026-03-01T10:00:00.000+0000"))
    at = jira.read("10001").created_at
    assert (at.hour, at.minute, at.tzinfo) == (hour, minute, UTC)


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01T10:00:00Z", None, 5, {}, "2026-01-01T10:00:00 CEST"]
)
def test_a_time_that_is_none_is_garbled(jira: JiraConnector, site: Site, text: object) -> None:
    site.on("GET", ISSUE, raw(created=text))
    with pytest.raises(errors.Garbled):
        jira.read("10001")


@pytest.mark.parametrize(
    ("told", "person"),
    [
        ({"accountId": "a", "displayName": "Ann", "emailAddress": "a@x.example"}, Person("a", "Ann", "a@x.example")),
        ({"accountId": "a"}, Person("a")),
        ({"key": "ann", "name": "ann", "displayName": "Ann"}, Person("ann", "Ann")),
        ({"displayName": "Former user", "active": False}, Person("", "Former user")),
        ("ann", Person("ann")),
    ],
)  # fmt: skip
def test_somebody_is_read_from_an_object_or_a_text(
    jira: JiraConnector, site: Site, told: object, person: Person
) -> None:
    site.on("GET", ISSUE, raw(assignee=told))
    assert jira.read("10001").fields["assignee"] == person.as_value()


def test_values_that_nobody_knew_before_are_told_as_they_are(jira: JiraConnector, site: Site) -> None:
    odd = raw(
        status={"name": "Quantum", "statusCategory": {"key": "superposed"}},
        priority={"name": "P0", "id": "77"},
        issuetype={"name": "Epiphany"},
        resolution={"name": "Miracle"},
        labels=None,
        description="h1. Wiki text",
        duedate="",
        customfield_1={"unheard": "of"},
        customfield_2=[{"value": "A"}, {"name": "B"}, "C"],
        customfield_3={"value": "Net", "child": {"value": "Core"}},
        customfield_4=[{"unheard": "of"}],
    )
    site.on("GET", ISSUE, odd)
    ticket = jira.read("10001")
    found = {name: ticket.fields.get(name) for name in odd["fields"] if name.startswith("customfield_")}
    assert found == {
        "customfield_1": None,
        "customfield_2": ["A", "B", "C"],
        "customfield_3": "Net - Core",
        "customfield_4": None,
    }
    names = ("status", "priority", "issuetype", "resolution", "labels", "duedate")
    assert [ticket.fields[name] for name in names] == ["Quantum", "P0", "Epiphany", "Miracle", [], None]
    assert ticket.fields["description"] == from_plain("h1. Wiki text").as_value()
    # Closed only where Jira says so itself.
    assert not ticket.is_closed


def test_a_byte_order_mark_does_no_harm(jira: JiraConnector, site: Site) -> None:
    site.on("GET", ISSUE, b"\xef\xbb\xbf" + json.dumps(raw(summary="Störung 障害")).encode())
    assert jira.read("10001").fields["summary"] == "Störung 障害"


def test_half_a_letter_and_a_null_are_taken_out(jira: JiraConnector, site: Site) -> None:
    site.on("GET", ISSUE, json.dumps(raw(summary="cut \ud83d\x00here")).encode())
    assert jira.read("10001").fields["summary"] == "cut here"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"text"', b'{"id": "10001", "fields": {"crea', b"<html>Sign in</html>", b"\xff"],
)
def test_what_is_no_issue_is_garbled_and_nothing_is_remembered(
    jira: JiraConnector, site: Site, body: bytes
) -> None:
    site.on("GET", ISSUE, body)
    site.on("GET", ISSUE, raw())
    with pytest.raises(errors.Garbled):
        jira.history("10001", "")
    assert jira.history("10001", "").changes[0].id == "created"


def test_a_write_that_is_answered_with_nonsense_may_have_been_done(jira: JiraConnector, site: Site) -> None:
    site.on("POST", ISSUE + "/comment", b'{"id": "1', 201)
    with pytest.raises(errors.Garbled) as raised:
        jira.comment("10001", CommentDraft(from_plain("x").as_value(), True, "m"))
    assert raised.value.outcome_unknown


def test_a_time_before_anything_else_is_no_reason_to_stop(jira: JiraConnector, site: Site) -> None:
    site.on("GET", ISSUE, raw(created="1970-01-01T00:00:00.000+0000"))
    assert jira.history("10001", "").changes[0].at == datetime(1970, 1, 1, tzinfo=UTC)
