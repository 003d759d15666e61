"""Work items of the sandboxed Azure DevOps: patches, rules, states, links, the bin, and the vendor's refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integrations.sandbox.azure_devops import change, create, patched, refused, setting
from tests.integrations.sandbox.vendor import Vendor, vendor

COMMON = "Microsoft.VSTS.Common."


def at_noon(milliseconds: int = 0) -> str:
    """The vendor's way to write a time just after the clock's."""
    return "2026-03-02T12:00:00" + (f".{milliseconds:03}".rstrip("0") if milliseconds else "") + "Z"


def test_a_new_bug_has_what_the_process_gives_it(azure_devops: Vendor) -> None:
    bug = create(azure_devops, System_Tags="vpn; Network,vpn")

    fields = {name: value for name, value in bug["fields"].items() if not name.endswith("By")}
    assert (bug["id"], bug["rev"], fields) == (
        1,
        1,
        {
            "System.AreaPath": "Support",
            "System.TeamProject": "Support",
            "System.IterationPath": "Support",
            "System.WorkItemType": "Bug",
            "System.Title": "VPN is down",
            "System.Tags": "Network; vpn",
            "System.State": "New",
            "System.Reason": "New",
            "Microsoft.VSTS.Common.Priority": 2,
            "Microsoft.VSTS.Common.Severity": "3 - Medium",
            "Microsoft.VSTS.Common.ValueArea": "Business",
            "Microsoft.VSTS.Common.StateChangeDate": at_noon(),
            "System.CreatedDate": at_noon(),
            "System.ChangedDate": at_noon(),
            "System.CommentCount": 0,
        },
    )


def test_people_are_objects_since_version_5_and_words_before(azure_devops: Vendor) -> None:
    create(azure_devops, System_AssignedTo="ines@partner.example")

    told = {
        version: azure_devops.get("/wit/workitems/1", **{"api-version": version})["fields"][
            "System.AssignedTo"
        ]
        for version in ("4.1", "5.0", "7.1")
    }

    assert told["4.1"] == "Ines Incident <ines@partner.example>"
    assert told["5.0"] == told["7.1"]
    assert (told["7.1"]["displayName"], told["7.1"]["uniqueName"]) == (
        "Ines Incident",
        "ines@partner.example",
    )


@pytest.mark.parametrize(
    "words",
    [
        "ines@partner.example",
        "Ines Incident",
        "Ines Incident <ines@partner.example>",
        {"uniqueName": "ines@partner.example"},
    ],
)
def test_people_are_found_by_any_of_their_names(azure_devops: Vendor, words: Any) -> None:
    bug = create(azure_devops, System_AssignedTo=words)

    assert bug["fields"]["System.AssignedTo"]["displayName"] == "Ines Incident"


def test_a_patch_changes_fields_and_makes_a_revision(azure_devops: Vendor) -> None:
    create(azure_devops)
    azure_devops.clock.advance(60)

    bug = change(
        azure_devops, 1, {"op": "remove", "path": "/fields/System.AssignedTo"}, System_Title="VPN is slow"
    )

    assert (bug["rev"], bug["fields"]["System.Title"], bug["fields"]["System.ChangedDate"]) == (
        2,
        "VPN is slow",
        "2026-03-02T12:01:00Z",
    )


def test_a_patch_that_changes_nothing_makes_no_revision(azure_devops: Vendor) -> None:
    create(azure_devops)

    assert change(azure_devops, 1, System_Title="VPN is down")["rev"] == 1


def test_dates_increase_with_each_revision_though_the_clock_stands_still(azure_devops: Vendor) -> None:
    create(azure_devops)

    dates = [
        change(azure_devops, 1, System_Title=f"VPN {number}")["fields"]["System.ChangedDate"]
        for number in range(3)
    ]

    assert dates == [at_noon(1), at_noon(2), at_noon(3)]


def test_a_stale_revision_refuses_the_whole_patch(azure_devops: Vendor) -> None:
    create(azure_devops)
    change(azure_devops, 1, System_Title="VPN is slow")

    stale = patched(
        azure_devops,
        "PATCH",
        "/wit/workitems/1",
        {"op": "test", "path": "/rev", "value": 1},
        *setting(System_Title="VPN is up", System_History="lost"),
    )

    assert refused(stale) == (
        412,
        "TestPatchOperationFailedException",
        "VS403351: Test Operation for path /rev failed, value 2 was not equal to test value 1.",
    )
    (ticket,) = azure_devops.sandbox.tickets()
    assert (ticket["rev"], ticket["title"], ticket["comments"]) == (2, "VPN is slow", [])


def test_an_error_is_wrapped_as_the_vendor_wraps_it(azure_devops: Vendor) -> None:
    assert azure_devops("GET", "/wit/workitems/99").json() == {
        "$id": "1",
        "innerException": None,
        "message": "TF401232: Work item 99 does not exist, or you do not have permissions to read it.",
        "typeName": "Microsoft.TeamFoundation.WorkItemTracking.Server.WorkItemUnauthorizedAccessException, "
        "Microsoft.TeamFoundation.WorkItemTracking.Server",
        "typeKey": "WorkItemUnauthorizedAccessException",
        "errorCode": 0,
        "eventId": 3200,
    }


def test_only_a_patch_is_taken_as_a_patch(azure_devops: Vendor) -> None:
    create(azure_devops)
    as_json = azure_devops("PATCH", "/wit/workitems/1", setting(System_Title="x"))
    no_list = azure_devops(
        "PATCH",
        "/wit/workitems/1",
        data=json.dumps({"op": "add"}),
        headers={"Content-Type": "application/json-patch+json"},
    )
    with_value = patched(
        azure_devops,
        "PATCH",
        "/wit/workitems/1",
        {"op": "remove", "path": "/fields/System.Tags", "value": "x"},
    )

    assert [refused(one)[:2] for one in (as_json, no_list)] == [
        (415, "VssRequestContentTypeNotSupportedException"),
        (400, "VssPropertyValidationException"),
    ]
    assert (with_value.status_code, with_value.json()) == (
        400,
        {"count": 1, "value": {"Message": "Remove requires Value to be null."}},
    )


# --- Rules ---


def test_every_broken_rule_is_told_with_the_field_it_is_about(azure_devops: Vendor) -> None:
    response = patched(
        azure_devops,
        "POST",
        "/wit/workitems/$Bug",
        *setting(
            System_State="Nowhere", Microsoft_VSTS_Common_Priority=9, System_AssignedTo="nobody@x.example"
        ),
    )

    body = response.json()
    assert (response.status_code, body["typeKey"]) == (400, "RuleValidationException")
    assert body["message"].endswith(
        "3 additional errors occurred during validation of the work item. Please correct all errors and try again."
    )
    told = {
        one["fieldReferenceName"]: one["errorMessage"]
        for one in body["customProperties"]["RuleValidationErrors"]
    }
    assert told == {
        "System.AssignedTo": "The identity value 'nobody@x.example' for field 'Assigned To' is an unknown identity.",
        "System.State": "The field 'State' contains the value 'Nowhere' that is not in the list of supported values",
        "Microsoft.VSTS.Common.Priority": "The field 'Priority' contains the value '9' that is not in the list of "
        "supported values",
        "System.Title": "TF401320: Rule Error for field Title. Error code: Required, InvalidEmpty.",
    }


@pytest.mark.parametrize(
    ("fields", "key", "words"),
    [
        ({"System_Title": "x" * 256}, "RuleValidationException", "InvalidTooLong"),
        (
            {"Custom_Unknown": "x"},
            "WorkItemTrackingFieldDefinitionNotFoundException",
            "TF51535: Cannot find field",
        ),
        ({"System_CreatedDate": "2020-01-01"}, "WorkItemFieldInvalidException", "TF401326"),
        ({"System_AreaPath": "Elsewhere"}, "WorkItemFieldInvalidTreeNameException", "TF401347"),
        ({"Microsoft_VSTS_Scheduling_StoryPoints": "many"}, "RuleValidationException", "InvalidType"),
        ({"System_Reason": "Because"}, "RuleValidationException", "'Reason' contains the value 'Because'"),
        ({"Custom_Impact": "Huge"}, "RuleValidationException", "'Impact' contains the value 'Huge'"),
        ({"System_Tags": "; ".join(f"t{n}" for n in range(101))}, "WorkItemTagLimitExceededException", "100"),
    ],
)
def test_values_that_do_not_pass_are_refused(
    azure_devops: Vendor, fields: dict[str, Any], key: str, words: str
) -> None:
    create(azure_devops)

    status, told, message = refused(patched(azure_devops, "PATCH", "/wit/workitems/1", *setting(**fields)))

    assert (status, told, words in message) == (400, key, True)


def test_what_follows_from_a_state_is_written_by_the_process(azure_devops: Vendor) -> None:
    create(azure_devops)

    def told(state: str) -> list[Any]:
        azure_devops.clock.advance(60)
        fields = change(azure_devops, 1, System_State=state)["fields"]
        names = ("ActivatedDate", "ResolvedDate", "ResolvedReason", "ClosedDate")
        return [fields["System.Reason"], *(str(fields.get(COMMON + name, ""))[11:16] for name in names)]

    assert [told(state) for state in ("Active", "Resolved", "Closed", "Active", "Closed")] == [
        ["Approved", "12:01", "", "", ""],
        ["Fixed", "12:01", "12:02", "", ""],
        ["Verified", "12:01", "12:02", "", "12:03"],
        ["Regression", "12:04", "", "", ""],
        ["Deferred", "12:04", "", "", "12:05"],
    ]


def test_a_reason_may_be_chosen_among_those_of_the_step(azure_devops: Vendor) -> None:
    create(azure_devops)

    bug = change(azure_devops, 1, System_State="resolved", System_Reason="Duplicate")

    names = ("System.State", "System.Reason", COMMON + "ResolvedReason")
    assert [bug["fields"][name] for name in names] == ["Resolved", "Duplicate", "Duplicate"]


def test_a_work_item_may_begin_in_another_state(azure_devops: Vendor) -> None:
    told = create(azure_devops, "Task", System_State="Active")["fields"]

    assert (told["System.State"], told["System.Reason"]) == ("Active", "Work started")


def test_rules_of_the_process_want_fields_and_forbid_steps() -> None:
    required = [{"type": "Bug", "state": "Closed", "field": "Custom.Impact"}]
    blocked = [{"type": "Bug", "from": "New", "to": "Closed"}]
    with vendor("azure_devops", required_fields=required, blocked_transitions=blocked) as one:
        create(one)
        too_soon = refused(patched(one, "PATCH", "/wit/workitems/1", *setting(System_State="Closed")))
        change(one, 1, System_State="Resolved")
        empty = refused(patched(one, "PATCH", "/wit/workitems/1", *setting(System_State="Closed")))
        closed = change(one, 1, System_State="Closed", Custom_Impact="High")
        transitions = one.get("/wit/workitemtypes/Bug")["transitions"]["New"]

    assert (
        too_soon[2]
        == "The field 'State' contains the value 'Closed' that is not in the list of supported values"
    )
    assert empty[2] == "TF401320: Rule Error for field Impact. Error code: Required, InvalidEmpty."
    assert closed["fields"]["System.State"] == "Closed"
    assert [one["to"] for one in transitions] == ["New", "Active", "Resolved"]


def test_scripts_do_not_survive_in_html(azure_devops: Vendor) -> None:
    steps = (
        '<p onclick="x()">It <b>fails</b> &amp; stays</p><script>x()</script><a href="javascript:x()">a</a>'
    )

    bug = create(azure_devops, Microsoft_VSTS_TCM_ReproSteps=steps)

    assert bug["fields"]["Microsoft.VSTS.TCM.ReproSteps"] == "<p>It <b>fails</b> &amp; stays</p><a>a</a>"


def test_the_basic_process_has_its_own_types_and_states() -> None:
    with vendor("azure_devops", process="Basic") as one:
        names = [each["name"] for each in one.get("/wit/workitemtypes")["value"]]
        told = create(one, "Issue")["fields"]
        states = [(s["name"], s["category"]) for s in one.get("/wit/workitemtypes/Issue/states")["value"]]

    assert names == ["Issue", "Task"]
    assert (told["System.State"], told["System.Reason"]) == ("To Do", "Added to backlog")
    assert states == [("To Do", "Proposed"), ("Doing", "InProgress"), ("Done", "Completed")]


def test_who_has_left_keeps_what_they_have_and_gets_no_more(azure_devops: Vendor) -> None:
    people = azure_devops.sandbox.settings()["people"]
    create(azure_devops, System_AssignedTo="devin@partner.example")
    azure_devops.sandbox.settings(
        people=[{**one, "active": one["active"] and one["name"] != "Devin Developer"} for one in people]
    )
    create(azure_devops)

    mail = "devin@partner.example"
    kept = change(azure_devops, 1, System_Title="VPN is slow", System_AssignedTo=mail)["fields"][
        "System.AssignedTo"
    ]
    more = patched(azure_devops, "PATCH", "/wit/workitems/2", *setting(System_AssignedTo=mail))

    assert (kept["displayName"], kept["inactive"]) == ("Devin Developer", True)
    assert refused(more)[2].endswith("for field 'Assigned To' is an unknown identity.")


def test_a_value_stays_when_the_list_no_longer_has_it(azure_devops: Vendor) -> None:
    fields = azure_devops.sandbox.settings()["custom_fields"]
    create(azure_devops, Custom_Impact="High")
    azure_devops.sandbox.settings(custom_fields=[{**fields[0], "values": ["Low"]}, *fields[1:]])

    kept = change(azure_devops, 1, System_Title="VPN is slow")["fields"]["Custom.Impact"]
    new = patched(
        azure_devops, "POST", "/wit/workitems/$Bug", *setting(System_Title="x", Custom_Impact="High")
    )

    assert (kept, new.status_code) == ("High", 400)


def test_a_field_that_is_gone_is_told_and_taken_no_more(azure_devops: Vendor) -> None:
    fields = azure_devops.sandbox.settings()["custom_fields"]
    create(azure_devops, Custom_Impact="High")
    azure_devops.sandbox.settings(custom_fields=fields[1:])

    told = azure_devops.get("/wit/workitems/1")["fields"]
    refusal = refused(patched(azure_devops, "PATCH", "/wit/workitems/1", *setting(Custom_Impact="Low")))

    assert ("Custom.Impact" in told, refusal[2]) == (False, "TF51535: Cannot find field Custom.Impact.")


# --- Flags ---


def test_validating_keeps_nothing(azure_devops: Vendor) -> None:
    create(azure_devops)

    trial = patched(
        azure_devops, "PATCH", "/wit/workitems/1", *setting(System_Title="x"), validateOnly="true"
    )
    new = patched(
        azure_devops, "POST", "/wit/workitems/$Bug", *setting(System_Title="y"), validateOnly="true"
    )
    bad = patched(
        azure_devops, "POST", "/wit/workitems/$Bug", *setting(System_State="y"), validateOnly="true"
    )

    assert (trial.json()["fields"]["System.Title"], new.status_code, bad.status_code) == ("x", 200, 400)
    assert [one["title"] for one in azure_devops.sandbox.tickets()] == ["VPN is down"]


def test_bypassing_rules_is_a_right_and_writes_what_only_the_system_writes() -> None:
    fields = setting(
        System_Title="Old",
        System_CreatedDate="2020-01-01T10:00:00Z",
        System_CreatedBy="Gone <gone@x.example>",
        System_ChangedDate="2020-01-02T10:00:00Z",
    )
    with vendor("azure_devops") as one:
        lacking = refused(patched(one, "POST", "/wit/workitems/$Bug", *fields, bypassRules="true"))
    with vendor("azure_devops", denied=[]) as one:
        old = patched(one, "POST", "/wit/workitems/$Bug", *fields, bypassRules="true").json()["fields"]
        back = setting(System_ChangedDate="2020-01-01T00:00:00Z")
        earlier = refused(patched(one, "PATCH", "/wit/workitems/1", *back, bypassRules="true"))

    assert lacking[:2] == (403, "PermissionDeniedException")
    assert (old["System.CreatedDate"], old["System.ChangedDate"]) == (
        "2020-01-01T10:00:00Z",
        "2020-01-02T10:00:00Z",
    )
    assert old["System.CreatedBy"]["displayName"] == "Gone <gone@x.example>"
    assert earlier[2] == "VS402625: Dates must be increasing with each revision."


# --- Reading ---


def test_reading_tells_what_is_asked_for(azure_devops: Vendor) -> None:
    create(azure_devops)
    link = {"rel": "Hyperlink", "url": "https://concord.example/t/1", "attributes": {"comment": "ours"}}
    change(azure_devops, 1, {"op": "add", "path": "/relations/-", "value": link})

    plain = azure_devops.get("/wit/workitems/1")
    expanded = azure_devops.get("/wit/workitems/1", **{"$expand": "all"})
    some = azure_devops.get("/wit/workitems/1", fields="System.Title,System.Rev")
    both = azure_devops("GET", "/wit/workitems/1", params={"fields": "System.Title", "$expand": "all"})

    assert ("relations" in plain, "System.Watermark" in plain["fields"]) == (False, False)
    assert (expanded["fields"]["System.Watermark"], expanded["fields"]["System.RevisedDate"]) == (
        12,
        "9999-01-01T00:00:00Z",
    )
    assert [(one["rel"], one["url"], one["attributes"]["comment"]) for one in expanded["relations"]] == [
        ("Hyperlink", "https://concord.example/t/1", "ours")
    ]
    assert some["fields"] == {"System.Rev": 2, "System.Title": "VPN is down"}
    assert refused(both)[:2] == (400, "ConflictingParametersException")


def test_a_batch_leaves_holes_where_it_may_omit(azure_devops: Vendor) -> None:
    create(azure_devops)
    create(azure_devops, "Task")
    body = {"ids": [2, 99, 1], "fields": ["System.Title"], "errorPolicy": "omit"}

    told = azure_devops.send("POST", "/wit/workitemsbatch", body)
    strict = azure_devops("POST", "/wit/workitemsbatch", {"ids": [2, 99]})
    many = azure_devops("POST", "/wit/workitemsbatch", {"ids": list(range(1, 202))})

    assert (told["count"], [one and one["id"] for one in told["value"]]) == (3, [2, None, 1])
    assert (strict.status_code, many.status_code) == (404, 400)


def test_a_work_item_can_be_read_as_it_was(azure_devops: Vendor) -> None:
    create(azure_devops)
    azure_devops.clock.advance(3600)
    change(azure_devops, 1, System_Title="VPN is slow")

    then = azure_devops.get("/wit/workitems/1", asOf="2026-03-02T12:30:00Z")

    assert (then["rev"], then["fields"]["System.Title"]) == (1, "VPN is down")


def test_a_hidden_work_item_looks_like_one_that_is_not_there(azure_devops: Vendor) -> None:
    create(azure_devops)
    azure_devops.sandbox.settings(hidden_items=[1])

    assert refused(azure_devops("GET", "/wit/workitems/1"))[:2] == (
        404,
        "WorkItemUnauthorizedAccessException",
    )
    assert len(list(azure_devops.sandbox.tickets())) == 1


# --- Links and the bin ---


def test_a_link_between_work_items_has_two_ends_and_makes_no_revision(azure_devops: Vendor) -> None:
    create(azure_devops, "User Story")
    create(azure_devops, "Task")
    url = azure_devops.get("/wit/workitems/2")["url"]

    link = {"rel": "System.LinkTypes.Hierarchy-Forward", "url": url}
    parent = change(azure_devops, 1, {"op": "add", "path": "/relations/-", "value": link})
    child = azure_devops.get("/wit/workitems/2", **{"$expand": "relations"})

    assert (parent["rev"], child["rev"], child["fields"]["System.Parent"]) == (1, 1, 1)
    assert [one["attributes"]["name"] for one in parent["relations"] + child["relations"]] == [
        "Child",
        "Parent",
    ]

    again = patched(
        azure_devops, "PATCH", "/wit/workitems/1", {"op": "add", "path": "/relations/-", "value": link}
    )
    assert refused(again)[:2] == (400, "RelationAlreadyExistsException")

    assert "relations" not in change(azure_devops, 1, {"op": "remove", "path": "/relations/0"})
    assert "relations" not in azure_devops.get("/wit/workitems/2", **{"$expand": "relations"})


def test_a_deleted_work_item_lies_in_the_bin_until_it_is_restored(azure_devops: Vendor) -> None:
    create(azure_devops)

    gone = azure_devops.send("DELETE", "/wit/workitems/1")
    missing = azure_devops("GET", "/wit/workitems/1").status_code
    bin_ = [one["id"] for one in azure_devops.get("/wit/recyclebin")["value"]]
    back = azure_devops.send("PATCH", "/wit/recyclebin/1", {"isDeleted": False})
    again = azure_devops.get("/wit/workitems/1")

    assert (gone["name"], gone["code"], gone["deletedDate"], gone["resource"]["rev"]) == (
        "VPN is down",
        200,
        "3/2/2026 12:00:00 PM",
        2,
    )
    assert (missing, bin_, back["id"], again["rev"]) == (404, [1], 1, 3)
    assert azure_devops.get("/wit/recyclebin")["value"] == []


def test_destroying_is_a_right_of_its_own() -> None:
    with vendor("azure_devops", denied=["hooks"]) as one:
        create(one)
        gone = one("DELETE", "/wit/workitems/1", params={"destroy": "true"})
        bin_ = one.get("/wit/recyclebin")["value"]
    with vendor("azure_devops") as one:
        create(one)
        lacking = refused(one("DELETE", "/wit/workitems/1", params={"destroy": "true"}))

    assert (gone.status_code, bin_, lacking[0]) == (204, [], 403)
