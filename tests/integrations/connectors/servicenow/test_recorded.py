"""Answers that real ServiceNow instances gave, put to the whole connector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from integrations.canonical import ChangeKind
from integrations.connectors import errors
from integrations.connectors.servicenow import fields, history, metadata, records
from integrations.connectors.servicenow.faults import read_error
from integrations.connectors.servicenow.people import Directory

NOBODY = Directory(lambda table, query, columns: [])


@pytest.fixture(scope="module")
def recordings(shared_data: Path) -> Path:
    return shared_data / "data/payloads/servicenow"


def _result(path: Path) -> object:
    return json.loads(path.read_text())["result"]


def _tickets(recordings: Path) -> Iterator[tuple[str, dict]]:
    for path in sorted(recordings.glob("*.json")):
        value = json.loads(path.read_text()).get("result")
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and "short_description" in one:
                yield path.name, one


def test_every_recording_is_a_ticket_a_file_an_error_or_nothing(recordings: Path) -> None:
    told = {}
    for path in sorted(recordings.glob("*.json")):
        body = path.read_bytes()
        value = json.loads(body)
        if "error" in value:
            told[path.name] = type(read_error(404, {}, body) or errors.Gone("It is not there."))
        else:
            found = value["result"] if isinstance(value["result"], list) else [value["result"]]
            told[path.name] = len(found)
    assert told == {
        "servicenow__pdi_incident_INC0000060_table_api.json": 1,
        "servicenow__r7_create_change_request.json": 1,
        "servicenow__r7_get_attachment_by_table_sys_id.json": 1,
        "servicenow__r7_get_security_incident_invalid_sys_id.json": errors.Gone,
        "servicenow__r7_search_security_incident_all.json": told[
            "servicenow__r7_search_security_incident_all.json"
        ],
        "servicenow__r7_search_security_incident_empty_list.json": 0,
    }
    assert told["servicenow__r7_search_security_incident_all.json"] > 1  # type: ignore[operator]


def test_every_recorded_ticket_is_read_as_a_history_and_can_be_stored(recordings: Path) -> None:
    read = 0
    for name, raw in _tickets(recordings):
        table = "change_request" if "change" in name else "incident"
        shapes = metadata.usual([table]).tables[table].shapes
        record = {"sys_created_on": "2020-01-01 00:00:00", **raw}
        told = history.Told(table, record, [], [], [])
        changes, after = history.read_history(told, history.Cursor(), shapes, NOBODY)
        assert [(one.id, one.kind) for one in changes] == [("created", ChangeKind.CREATED)]
        assert changes[0].fields["short_description"] == records.raw(raw, "short_description")
        assert history.read_cursor(after.text()) == after
        assert history.read_history(told, after, shapes, NOBODY)[0] == ()
        json.dumps([dict(one.fields) for one in changes], allow_nan=False)
        read += 1
    assert read >= 4


def test_a_real_incident_is_told_in_words(recordings: Path) -> None:
    (raw,) = _result(recordings / "servicenow__pdi_incident_INC0000060_table_api.json")  # type: ignore[misc]
    shapes = metadata.usual(["incident"]).tables["incident"].shapes
    values = fields.values_of(shapes, "incident", raw, NOBODY)
    description = {
        "rich": [{"p": [{"t": "I am unable to connect to the email server. It appears to be down."}]}]
    }
    person = {"id": "5137153cc611227c000bbd1bd8cd2007", "name": "", "email": ""}
    opener = {**person, "id": "681ccaf9c0a8016400b98a06818d57c7"}
    assert values == {
        "type": "incident",
        "short_description": "Unable to connect to email",
        "description": description,
        "state": "Closed",
        "priority": "3 - Moderate",
        "impact": "2 - Medium",
        "urgency": "2 - Medium",
        # The group's name was not looked up.
        "assignment_group": "287ebd7da9fe198100f92cc8d1d2154e",
        "assigned_to": person,
        "caller_id": opener,
        "hold_reason": None,
        "close_code": "Solved (Permanently)",
        "opened_by": opener,
        "close_notes": "This incident is resolved.",
        "number": "INC0000060",
        "opened_at": "2016-12-12T15:19:57+00:00",
        "closed_at": "2016-12-14T02:46:44+00:00",
    }


def test_a_change_told_with_display_values_and_numbers_is_the_same_as_in_text(recordings: Path) -> None:
    raw = _result(recordings / "servicenow__r7_create_change_request.json")
    assert isinstance(raw, dict)
    shapes = metadata.usual(["change_request"]).tables["change_request"].shapes
    values = fields.values_of(shapes, "change_request", raw, NOBODY)
    assert (values["number"], values["state"], values["priority"], values["impact"], values["type"]) == (
        "CHG0030003", "New", "4 - Low", "3 - Low", "change"
    )  # fmt: skip
    # The value is in UTC, what is shown in the user's zone.
    assert records.time_in(raw, "sys_updated_on") == datetime(2020, 11, 11, 17, 54, 57, tzinfo=UTC)


def test_a_real_file_is_read(recordings: Path) -> None:
    (raw,) = _result(recordings / "servicenow__r7_get_attachment_by_table_sys_id.json")  # type: ignore[misc]
    file = history.read_file(raw)
    sys_id = "b259f4062d9f78f9ffdd6efd05c492c7"
    assert (file.id, file.name, file.content_type, file.size_bytes, file.locator) == (
        sys_id, "testtattatxt", "text/plain", 38, sys_id
    )  # fmt: skip
