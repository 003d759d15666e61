"""Answers and service hooks that real Azure DevOps organisations gave, read by the connector's rules."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integrations.connectors import errors
from integrations.connectors.azure_devops import catalogue, client, faults
from integrations.connectors.azure_devops.client import Project
from integrations.connectors.azure_devops.cursors import HistoryCursor
from integrations.connectors.azure_devops.fields import Reader
from integrations.connectors.azure_devops.identities import People
from integrations.connectors.azure_devops.process import Process
from integrations.connectors.azure_devops.updates import changes, read_page
from integrations.connectors.azure_devops.webhooks import verify
from integrations.connectors.http import Http
from integrations.connectors.protocol import HookRequest
from tests.integrations.connectors.bench import LOOPBACK
from tests.integrations.connectors.raw_server import Peer, answer, raw_server

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def recordings(shared_data: Path) -> Path:
    return shared_data / "data/payloads/azure_devops"


def _load(path: Path) -> dict:
    return json.loads(path.read_text())


def _asked(record: dict, ask: Callable[[Project], Any]) -> Any:
    """What the client makes of a recorded answer that comes over a real connection."""
    response = record["response"]
    status = f"{response['status']} Recorded"
    body = json.dumps(response["body"]).encode()

    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.send(answer(body, status, Content_Type=response["headers"]["content-type"]))

    with raw_server(handle) as server:
        http = Http(server.url, allowed_private_hosts=LOOPBACK, read_error=faults.read_error)
        try:
            return ask(Project(http, "Support"))
        finally:
            http.close()


def _read(raw: dict) -> dict:
    values = Reader(Process(), People()).values(raw["fields"])
    # Everything can be stored.
    json.dumps(values, allow_nan=False)
    return values


def test_every_recorded_work_item_is_read(recordings: Path) -> None:
    read = 0
    for path in sorted(recordings.glob("recordings/*_workitems_*200*.json")):
        record = _load(path)
        body, method = record["response"]["body"], record["request"]["method"]
        if "value" in body:
            items = _asked(record, lambda project: client.items(project, ["1"], ["System.Title"]))
            assert [one["id"] for one in items] == [one["id"] for one in body["value"]]
        elif method == "DELETE":
            items = [body["resource"]]
        elif method == "GET":
            items = [_asked(record, lambda project: client.item(project, "1"))]
        else:
            items = [_asked(record, lambda project: client.change_item(project, "1", []))]
        for item in items:
            values, raw = _read(item), item["fields"]
            assert values.get("title") == raw.get("System.Title")
            assert values.get("status") == raw.get("System.State")
            assert values.get("type") == raw.get("System.WorkItemType")
            assert values["tags"] == []
            if "Microsoft.VSTS.Common.Priority" in raw:
                assert values["priority"] == str(raw["Microsoft.VSTS.Common.Priority"])
            assigned = raw.get("System.AssignedTo")
            if assigned is not None:
                # As a text in older versions, as an object in newer ones.
                assert values["assignee"]["email"].endswith("@example.invalid") or values["assignee"]["id"]
            assert not any(name.endswith(("Date", "By")) for name in values)
            read += 1
    assert read > 20


def test_every_recorded_query_tells_its_work_items(recordings: Path) -> None:
    found = {}
    for path in sorted(recordings.glob("recordings/*_wiql_*.json")):
        record = _load(path)
        found[path.name] = _asked(record, lambda project: client.query(project, "SELECT", 20))
        assert found[path.name] == [str(one["id"]) for one in record["response"]["body"]["workItems"]]
    assert len(found) == 4
    assert any(found.values())


def test_every_recorded_tree_is_read_as_paths(recordings: Path) -> None:
    read = []
    for path in sorted(recordings.glob("recordings/*_classificationnodes_*200*.json")):
        record = _load(path)
        body = record["response"]["body"]
        if "value" in body:
            read.append(catalogue.tree_paths(_asked(record, client.trees)))
        else:
            read.append(catalogue.tree_paths([body]))
    assert len(read) == 3
    assert all(paths for one in read for paths in one.values())
    assert {name for one in read for name in one} <= {"area", "iteration"}


def test_no_recording_is_left_out(recordings: Path) -> None:
    known = re.compile(
        r"_workitems_.*(200|404)_|_wiql_.*200_|_classificationnodes_.*(200|204)_",
    )
    assert [path.name for path in recordings.glob("recordings/*.json") if not known.search(path.name)] == []


def test_every_recorded_refusal_says_what_is_meant(recordings: Path) -> None:
    told = {}
    for path in sorted(recordings.glob("recordings/*_404_*.json")):
        with pytest.raises(errors.ConnectorError) as caught:
            _asked(_load(path), lambda project: client.item(project, "1"))
        told[path.name.split("__")[1]] = (type(caught.value), caught.value.message)
    assert told == {
        "get_workitems_404": (
            faults.NotSeen,
            "The work item does not exist, or our account may no longer see it.",
        ),
        "post_workitems_task_404": (
            errors.Forbidden,
            "The project or the type of work item does not exist, or our account may not see it.",
        ),
    }


HOOKS = {
    "ms_workitem.created": ("5", "Jamal Hartnett"),
    # A test from the settings page: the work item's number is 0, and only the revision has the right one.
    "ms_workitem.updated": ("5", "Jamal Hartnett"),
    "real_workitem.updated_0": ("13", "49b79148-4735-4daa-8acb-8406eaa643b1"),
    "real_workitem.updated_1": ("7126", "8b0e703c-928a-43b1-b2e8-bd4b69f559a9"),
}


def test_every_recorded_service_hook_is_proven_and_names_its_work_item(recordings: Path) -> None:
    read = {}
    ids = []
    for path in sorted(recordings.glob("webhooks/*.json")):
        body = path.read_bytes()
        hook = verify(HookRequest({"x-concord-secret": "s3cret"}, body, NOW), ["s3cret"])
        ids.append(hook.delivery_id)
        if hook.remote_ids:
            read[path.stem.partition("__")[2]] = (hook.remote_ids[0], hook.actor_id)
        named = json.loads(body).get("id")
        assert not named or hook.delivery_id == named
    assert read == HOOKS
    # What is about something else is genuine too, and no two are taken for one another.
    assert len(set(ids)) == len(ids) == 11


def test_the_update_in_a_real_service_hook_is_read_as_a_change(recordings: Path) -> None:
    resource = _load(recordings / "webhooks/azuredevops__real_workitem.updated_0.json")["resource"]
    people = People()
    start = HistoryCursor(1, 1, 1, "Bug")
    page = read_page([{"id": 1, "rev": 1}, resource], start, people.met)
    assert page is not None
    (change,) = changes(page, start, Reader(Process(), people), {})
    # Not the year 9999, which stands for “not revised yet”; and no news of the reason, which came with the state.
    assert change.at == datetime(2021, 8, 7, 15, 41, 50, 230_000, tzinfo=UTC)
    assert (change.id, change.fields, change.before) == ("2", {"status": "Approved"}, {"status": "New"})
    assert (change.actor.name, change.actor.email) == ("欧俊", "recorder6@example.invalid")
    assert page.cursor == HistoryCursor(2, 2, 2, "Bug")
