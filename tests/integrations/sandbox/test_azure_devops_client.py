"""Microsoft's own client works against the sandboxed Azure DevOps as it does against the service.

`azure-devops` (MIT) is the witness: it finds every address by OPTIONS, sends the version in Accept and uploads in
chunks of unknown length.  (It also asks for the feed of revisions, but has no model for the answer.)
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.devops.connection import Connection
from azure.devops.exceptions import AzureDevOpsAuthenticationError, AzureDevOpsServiceError
from azure.devops.v7_1.service_hooks.models import (
    InputFilter,
    InputFilterCondition,
    Subscription,
    SubscriptionsQuery,
)
from azure.devops.v7_1.work_item_tracking.models import (
    CommentCreate,
    CommentUpdate,
    JsonPatchOperation,
    TeamContext,
    Wiql,
    WorkItemBatchGetRequest,
    WorkItemDeleteUpdate,
)
from msrest.authentication import BasicAuthentication

from tests.integrations.sandbox.receiver import Receiver
from tests.integrations.sandbox.vendor import Vendor

PROJECT = "Support"


@pytest.fixture
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client closes neither answers nor sessions, and leaves it to chance when its sockets go."""
    made: list[requests.Response | requests.Session] = []
    send = requests.Session.send

    def noted(self: requests.Session, *args: Any, **more: Any) -> requests.Response:
        response = send(self, *args, **more)
        made.extend((response, self))
        return response

    monkeypatch.setattr(requests.Session, "send", noted)
    yield
    for each in made:
        each.close()


@pytest.fixture
def connection(azure_devops: Vendor, _closed: None, monkeypatch: pytest.MonkeyPatch) -> Connection:
    # The client keeps what it was told about addresses in a file in the home folder; here it keeps nothing.
    for cache in ("azure.devops.client.OPTIONS_FILE_CACHE", "azure.devops.connection.RESOURCE_FILE_CACHE"):
        monkeypatch.setattr(cache, _NoCache())
    return Connection(azure_devops.sign_in["url"], BasicAuthentication("", azure_devops.sign_in["token"]))


class _NoCache(dict[str, Any]):
    """Knows nothing and keeps nothing."""

    def __getitem__(self, key: str) -> None:
        return None

    def __setitem__(self, key: str, value: Any) -> None:
        pass


@pytest.fixture
def client(connection: Connection) -> Any:
    return connection.clients_v7_1.get_work_item_tracking_client()


@pytest.fixture
def service_hooks(connection: Connection) -> Any:
    return connection.clients_v7_1.get_service_hooks_client()


def operation(op: str, path: str, value: Any = None) -> JsonPatchOperation:
    return JsonPatchOperation(op=op, path=path, value=value)


def new_bug(client: Any, title: str = "VPN is down") -> Any:
    return client.create_work_item([operation("add", "/fields/System.Title", title)], PROJECT, "Bug")


def test_it_creates_and_reads(client: Any) -> None:
    made = new_bug(client)

    again = client.get_work_item(made.id, expand="All")
    names = ("System.Title", "System.State", "System.WorkItemType", "System.Watermark")
    assert (again.rev, [again.fields[name] for name in names]) == (1, ["VPN is down", "New", "Bug", 11])
    assert again.fields["System.CreatedBy"]["uniqueName"] == "concord@sandbox.example"


def test_it_updates_under_a_test_of_the_revision(client: Any) -> None:
    bug = new_bug(client)
    document = [operation("test", "/rev", 1), operation("add", "/fields/System.State", "Resolved")]

    updated = client.update_work_item(document, bug.id)

    assert (updated.rev, updated.fields["System.Reason"]) == (2, "Fixed")
    with pytest.raises(AzureDevOpsServiceError, match="VS403351: Test Operation for path /rev failed"):
        client.update_work_item(document, bug.id)


def test_it_is_told_what_the_vendor_refuses(client: Any) -> None:
    with pytest.raises(AzureDevOpsServiceError, match="TF401232") as missing:
        client.get_work_item(99)
    with pytest.raises(AzureDevOpsServiceError, match="VS402323: Work item type Epic does not exist"):
        client.create_work_item([], PROJECT, "Epic")

    assert missing.value.type_key == "WorkItemUnauthorizedAccessException"


def test_it_reads_a_batch_with_holes(client: Any) -> None:
    ids = [new_bug(client, f"Bug {number}").id for number in range(3)]
    request = WorkItemBatchGetRequest(ids=[*ids, 99], fields=["System.Title"], error_policy="omit")

    found = client.get_work_items_batch(request, PROJECT)

    assert [one and one.fields for one in found] == [
        *({"System.Title": f"Bug {number}"} for number in range(3)),
        None,
    ]


def test_it_finds_by_wiql(azure_devops: Vendor, client: Any) -> None:
    new_bug(client, "Old")
    azure_devops.clock.advance(3600)
    new_bug(client, "New")
    query = (
        "SELECT [System.Id] FROM workitems WHERE [System.TeamProject] = @project "
        "AND [System.ChangedDate] >= '2026-03-02T12:30:00Z' ORDER BY [System.ChangedDate]"
    )

    found = client.query_by_wiql(
        Wiql(query=query), team_context=TeamContext(project=PROJECT), time_precision=True, top=100
    )

    assert [one.id for one in found.work_items] == [2]


def test_it_comments_edits_and_deletes(client: Any) -> None:
    bug = new_bug(client)
    first = client.add_comment(CommentCreate(text="<div>It is down</div>"), PROJECT, bug.id)
    second = client.add_work_item_comment(CommentCreate(text="**down**"), PROJECT, bug.id, "markdown")

    client.update_comment(CommentUpdate(text="It was down"), PROJECT, bug.id, first.id)
    client.delete_comment(PROJECT, bug.id, second.id)

    page = client.get_comments(PROJECT, bug.id, order="asc", include_deleted=True)
    assert [(one.id, one.text, one.version, bool(one.is_deleted)) for one in page.comments] == [
        (first.id, "It was down", 2, False),
        (second.id, "", 2, True),
    ]
    assert [one.version for one in client.get_comment_versions(PROJECT, bug.id, first.id)] == [2, 1]


def test_it_attaches_and_downloads(client: Any) -> None:
    bug = new_bug(client)
    data = b"line one\nline two\n" * 10_000

    file = client.create_attachment(io.BytesIO(data), PROJECT, file_name="räumliches log.txt")
    link = {"rel": "AttachedFile", "url": file.url, "attributes": {"comment": "see here"}}
    updated = client.update_work_item([operation("add", "/relations/-", link)], bug.id)

    (relation,) = updated.relations
    assert (
        relation.attributes["name"],
        relation.attributes["resourceSize"],
        relation.attributes["comment"],
    ) == (
        "räumliches log.txt",
        180_000,
        "see here",
    )
    assert b"".join(client.get_attachment_content(file.id, PROJECT)) == data


def test_it_reads_the_history(client: Any) -> None:
    bug = new_bug(client)
    client.update_work_item([operation("add", "/fields/System.State", "Active")], bug.id)
    client.add_comment(CommentCreate(text="noted"), PROJECT, bug.id)

    updates = client.get_updates(bug.id)

    states = [
        (one.fields["System.State"].old_value, one.fields["System.State"].new_value) for one in updates[:2]
    ]
    assert states == [(None, "New"), ("New", "Active")]
    assert updates[2].fields["System.History"].new_value == "noted"
    assert [one.rev for one in client.get_revisions(bug.id)] == [1, 2, 3]
    assert client.get_update(bug.id, 2).revised_by.name == "Concord <concord@sandbox.example>"


def test_it_reads_types_fields_and_states(client: Any) -> None:
    assert [one.name for one in client.get_work_item_types(PROJECT)] == ["Bug", "User Story", "Task", "Issue"]
    assert [(one.name, one.category) for one in client.get_work_item_type_states(PROJECT, "Bug")] == [
        ("New", "Proposed"),
        ("Active", "InProgress"),
        ("Resolved", "Resolved"),
        ("Closed", "Completed"),
    ]
    impact = client.get_work_item_type_field_with_references(PROJECT, "Bug", "Custom.Impact", expand="all")
    assert (impact.name, impact.allowed_values) == ("Impact", ["High", "Medium", "Low"])
    assert client.get_work_item_field("System.Description").type == "html"
    (area, iteration) = client.get_root_nodes(PROJECT, depth=2)
    assert ([one.name for one in area.children], iteration.structure_type) == (
        ["Network", "Design"],
        "iteration",
    )


def test_it_deletes_and_restores(client: Any) -> None:
    bug = new_bug(client)

    client.delete_work_item(bug.id, PROJECT)
    assert [one.id for one in client.get_deleted_work_item_shallow_references(PROJECT)] == [bug.id]
    client.restore_work_item(WorkItemDeleteUpdate(is_deleted=False), bug.id, PROJECT)

    assert client.get_work_item(bug.id).rev == 3


def test_it_knows_projects_teams_and_members(connection: Connection) -> None:
    core = connection.clients_v7_1.get_core_client()

    (project,) = core.get_projects()
    (team,) = core.get_teams(project.id)
    members = core.get_team_members_with_extended_properties(project.id, team.id)

    assert (project.name, project.state) == (PROJECT, "wellFormed")
    # Somebody who has left is no member any more.
    assert [one.identity.display_name for one in members] == ["Concord", "Ines Incident", "Devin Developer"]


def test_it_learns_whose_token_it_has(connection: Connection) -> None:
    data = connection.clients_v7_1.get_location_client().get_connection_data()

    assert data.authenticated_user.provider_display_name == "Concord"


def test_it_subscribes_to_service_hooks(
    azure_devops: Vendor, client: Any, service_hooks: Any, receiver: Receiver
) -> None:
    wanted = Subscription(
        publisher_id="tfs",
        event_type="workitem.created",
        resource_version="1.0",
        consumer_id="webHooks",
        consumer_action_id="httpRequest",
        publisher_inputs={"workItemType": "Bug"},
        consumer_inputs={"url": receiver.url, "basicAuthUsername": "u", "basicAuthPassword": "quiet"},
    )

    made = service_hooks.create_subscription(wanted)
    new_bug(client)
    assert azure_devops.sandbox.state.hooks.wait_idle()

    assert (len(receiver.arrived), made.status, made.consumer_inputs["basicAuthPassword"]) == (
        1,
        "enabled",
        "********",
    )
    condition = InputFilterCondition(input_id="url", operator="equals", input_value=receiver.url)
    query = SubscriptionsQuery(
        publisher_id="tfs", consumer_input_filters=[InputFilter(conditions=[condition])]
    )
    assert [one.id for one in service_hooks.create_subscriptions_query(query).results] == [made.id]
    (note,) = service_hooks.get_notifications(made.id)
    assert (note.status, note.result) == ("completed", "succeeded")
    service_hooks.delete_subscription(made.id)
    assert service_hooks.list_subscriptions() == []
    assert "workitem.restored" in [one.id for one in service_hooks.list_event_types("tfs")]


def test_it_is_told_that_its_token_is_wrong(azure_devops: Vendor, connection: Connection) -> None:
    wrong = Connection(azure_devops.sign_in["url"], BasicAuthentication("", "wrong"))

    with pytest.raises(AzureDevOpsAuthenticationError):
        wrong.authenticate()
