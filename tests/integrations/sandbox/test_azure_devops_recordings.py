"""The sandboxed Azure DevOps' answers and hooks have the parts that recorded ones have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.sandbox.azure_devops import change, comment, create, patched, setting
from tests.integrations.sandbox.receiver import Receiver
from tests.integrations.sandbox.test_recordings import load, missing, shape
from tests.integrations.sandbox.vendor import Vendor

FOLDER = "azure_devops"
# Of a time before comments had a resource of their own, or of a server that is none of Microsoft's.
OUTDATED = ("workItemHistory",)


def recorded(shared_data: Path, name: str) -> Any:
    """The recording whose name ends so."""
    (path,) = (shared_data / "data" / "payloads" / FOLDER).glob(f"*/*{name}.json")
    return load(shared_data, str(path.relative_to(shared_data / "data" / "payloads")))


def gaps(recording: Any, ours: Any) -> list[str]:
    """What the recording has and we have not."""
    return [one for one in missing(shape(recording), shape(ours)) if not one.endswith(OUTDATED)]


def answered(shared_data: Path, name: str) -> Any:
    """The body of a recorded answer."""
    return recorded(shared_data, name)["response"]["body"]


def test_a_new_bug_has_the_recorded_parts(shared_data: Path, azure_devops: Vendor) -> None:
    ours = create(azure_devops)

    assert (
        gaps(
            answered(shared_data, "post_workitems_bug_200__workItemCreateShowUpdateDelete_416841a_002"), ours
        )
        == []
    )


def test_a_resolved_bug_has_the_recorded_parts_and_values(shared_data: Path, azure_devops: Vendor) -> None:
    recording = answered(shared_data, "patch_workitems_200__workItemCreateShowUpdateDelete_aae541e_006")
    create(azure_devops, System_AssignedTo="ines@partner.example")

    ours = patched(
        azure_devops, "PATCH", "/wit/workitems/1", *setting(System_State="Resolved"), **{"api-version": "4.0"}
    ).json()

    assert gaps(recording, ours) == []
    names = ("System.State", "System.Reason", "Microsoft.VSTS.Common.ResolvedReason")
    assert [ours["fields"][name] for name in names] == [recording["fields"][name] for name in names]
    assert isinstance(recording["fields"]["System.AssignedTo"], str)
    assert isinstance(ours["fields"]["System.AssignedTo"], str)


def test_links_have_the_recorded_parts_and_make_no_revision(shared_data: Path, azure_devops: Vendor) -> None:
    recording = answered(shared_data, "patch_workitems_200__boards_releations_create_remove_e547b4a_016")
    create(azure_devops, "Task")
    create(azure_devops, "Task")
    link = {"rel": "System.LinkTypes.Hierarchy-Forward", "url": azure_devops.get("/wit/workitems/2")["url"]}

    ours = change(azure_devops, 1, {"op": "add", "path": "/relations/-", "value": link})

    assert gaps(recording, ours) == []
    assert ours["relations"][0]["attributes"] == recording["relations"][0]["attributes"]
    assert ours["rev"] == recording["rev"]


def test_deleting_answers_with_the_recorded_parts(shared_data: Path, azure_devops: Vendor) -> None:
    recording = answered(shared_data, "delete_workitems_200__workItemCreateShowUpdateDelete_64ad0d4_007")
    create(azure_devops, System_AssignedTo="ines@partner.example")
    change(azure_devops, 1, System_State="Resolved")

    assert gaps(recording, azure_devops.send("DELETE", "/wit/workitems/1")) == []


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        (
            "GET",
            "/partner/_apis/wit/workItems/139",
            "get_workitems_404__workItemCreateShowUpdateDelete_416841a_006",
        ),
        (
            "POST",
            "/partner/WorkItemCreateShowUpdateDeleteTests/_apis/wit/workItems/$Task",
            "post_workitems_task_404__workItemCreateShowUpdateDelete_e547b4a_000",
        ),
    ],
)
def test_errors_are_the_recorded_ones(
    shared_data: Path, azure_devops: Vendor, method: str, path: str, name: str
) -> None:
    recording = recorded(shared_data, name)["response"]

    answer = patched(
        azure_devops, method, azure_devops.sandbox.url + path, *setting(System_Title="sampleTask")
    )

    assert (answer.status_code, answer.json()) == (recording["status"], recording["body"])


@pytest.mark.parametrize(
    "name",
    ["post_wiql_200__queryShow_e547b4a_002", "post_wiql_200__boards_releations_create_remove_e547b4a_015"],
)
def test_recorded_queries_are_understood_and_answered_alike(
    shared_data: Path, azure_devops: Vendor, name: str
) -> None:
    recording = recorded(shared_data, name)
    create(azure_devops)

    ours = azure_devops.send(
        "POST", azure_devops.sign_in["url"] + "/_apis/wit/wiql", recording["request"]["body"]
    )

    assert gaps(recording["response"]["body"] | {"workItems": []}, ours) == []
    columns = [
        [one["referenceName"] for one in body["columns"]] for body in (recording["response"]["body"], ours)
    ]
    assert columns[0] == columns[1]


def test_fields_that_are_asked_for_are_told_as_recorded(shared_data: Path, azure_devops: Vendor) -> None:
    recording = recorded(shared_data, "get_workitems_200__queryShow_e547b4a_003")
    create(azure_devops, "Task")
    names = "System.Id,System.WorkItemType,System.Title,System.AssignedTo,System.State,System.Tags"

    (ours,) = azure_devops.get("/wit/workitems", ids="1", fields=names)["value"]

    (theirs,) = recording["response"]["body"]["value"]
    assert (set(ours), set(ours["fields"])) == (set(theirs), set(theirs["fields"]))


def test_an_area_has_the_recorded_parts(shared_data: Path, azure_devops: Vendor) -> None:
    recording = answered(shared_data, "get_classificationnodes_200__boards_areas_e547b4a_019")

    ours = azure_devops.get("/wit/classificationnodes", ids="101")

    assert gaps(recording, ours) == []
    assert ours["value"][0]["path"] == "\\Support\\Area\\Network"


def test_the_hook_of_an_update_has_the_recorded_parts(
    shared_data: Path, azure_devops: Vendor, receiver: Receiver
) -> None:
    theirs = recorded(shared_data, "real_workitem.updated_0")
    azure_devops.sandbox.hooks(url=receiver.url, events=["workitem.updated"])
    create(azure_devops, System_AssignedTo="ines@partner.example")
    change(azure_devops, 1, System_State="Active")
    assert azure_devops.sandbox.state.hooks.wait_idle()

    ours = json.loads(receiver.arrived[0].body)

    for body in (theirs, ours):
        # Which fields a bug has is a matter of the process.
        body["resource"]["revision"]["fields"] = {
            name: value
            for name, value in body["resource"]["revision"]["fields"].items()
            if name.startswith("System.")
        }
    assert gaps(theirs, ours) == []
    assert [ours["resource"][name] for name in ("id", "rev", "revisedDate")] == [
        theirs["resource"][name] for name in ("id", "rev", "revisedDate")
    ]
    assert ours["message"]["text"].count("\r\n") == theirs["message"]["text"].count("\r\n")


def test_the_hook_of_a_new_work_item_has_the_published_parts(
    shared_data: Path, azure_devops: Vendor, receiver: Receiver
) -> None:
    theirs = recorded(shared_data, "ms_workitem.created")
    azure_devops.sandbox.hooks(url=receiver.url, events=["workitem.created", "workitem.commented"])
    create(azure_devops)
    comment(azure_devops, 1, "x")
    assert azure_devops.sandbox.state.hooks.wait_idle()

    created, commented = (json.loads(one.body) for one in receiver.arrived)

    # The sample's board column belongs to a board, not to the process.
    theirs["resource"]["fields"].pop("WEF_EB329F44FE5F4A94ACB1DA153FDF38BA_Kanban.Column")
    assert gaps(theirs, created) == []
    assert gaps(theirs, commented) == []
