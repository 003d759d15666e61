"""The history of the sandboxed Azure DevOps: updates by revision, comments with their versions, files, the feed."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.sandbox.client import SandboxError
from tests.integrations.sandbox.azure_devops import (
    PREVIEW,
    attach,
    change,
    comment,
    comments,
    create,
    patched,
    refused,
    setting,
    updates,
    upload,
)
from tests.integrations.sandbox.vendor import Vendor, vendor

NEVER = "9999-01-01T00:00:00Z"


def told(update: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The changed fields of an update, without those that every revision changes."""
    dull = (
        "System.Rev",
        "System.AuthorizedDate",
        "System.RevisedDate",
        "System.ChangedDate",
        "System.Watermark",
    )
    return {
        name: (one.get("oldValue"), one.get("newValue"))
        for name, one in update["fields"].items()
        if name not in dull
    }


# --- Updates ---


def test_updates_tell_each_change_from_and_to(azure_devops: Vendor) -> None:
    create(azure_devops)
    azure_devops.clock.advance(60)
    change(azure_devops, 1, System_State="Active", System_Tags="vpn")
    azure_devops.clock.advance(60)
    change(azure_devops, 1, System_Tags="")

    first, second, third = updates(azure_devops, 1)

    assert [(one["id"], one["rev"], one["revisedDate"]) for one in (first, second, third)] == [
        (1, 1, "2026-03-02T12:01:00Z"),
        (2, 2, "2026-03-02T12:02:00Z"),
        (3, 3, NEVER),
    ]
    assert first["fields"]["System.Title"] == {"newValue": "VPN is down"}
    assert told(second) == {
        "System.State": ("New", "Active"),
        "System.Reason": ("New", "Approved"),
        "System.Tags": (None, "vpn"),
        "Microsoft.VSTS.Common.StateChangeDate": ("2026-03-02T12:00:00Z", "2026-03-02T12:01:00Z"),
        "Microsoft.VSTS.Common.ActivatedDate": (None, "2026-03-02T12:01:00Z"),
        "Microsoft.VSTS.Common.ActivatedBy": (None, first["fields"]["System.CreatedBy"]["newValue"]),
    }
    assert told(third) == {"System.Tags": ("vpn", None)}


def test_the_newest_revision_is_revised_in_the_year_9999(azure_devops: Vendor) -> None:
    create(azure_devops)
    azure_devops.clock.advance(60)
    change(azure_devops, 1, System_Title="VPN is slow")
    azure_devops.clock.advance(60)

    last = updates(azure_devops, 1)[-1]["fields"]

    assert (last["System.RevisedDate"], last["System.Rev"], last["System.Watermark"]) == (
        {"oldValue": "2026-03-02T12:01:00Z", "newValue": NEVER},
        {"oldValue": 1, "newValue": 2},
        {"oldValue": 11, "newValue": 12},
    )


def test_updates_come_in_pages(azure_devops: Vendor) -> None:
    create(azure_devops)
    for number in range(250):
        change(azure_devops, 1, System_Title=f"VPN {number}")

    def ids(**query: str) -> list[int]:
        page = azure_devops.get("/wit/workItems/1/updates", **query)
        return [one["id"] for one in page["value"]]

    assert ids() == list(range(1, 201))
    assert ids(**{"$skip": "200"}) == list(range(201, 252))
    assert ids(**{"$top": "2", "$skip": "3"}) == [4, 5]


def test_links_between_work_items_make_updates_without_revisions(azure_devops: Vendor) -> None:
    """So the number of an update is not that of its revision."""
    create(azure_devops)
    create(azure_devops, "Task")
    url = azure_devops.get("/wit/workitems/2")["url"]
    link = {"rel": "System.LinkTypes.Related", "url": url}
    change(azure_devops, 1, {"op": "add", "path": "/relations/-", "value": link})
    change(azure_devops, 1, System_Title="VPN is slow")

    steps = updates(azure_devops, 1)

    assert [(one["id"], one["rev"], "fields" in one, "relations" in one) for one in steps] == [
        (1, 1, True, False),
        (2, 1, False, True),
        (3, 2, True, False),
    ]
    assert [one["rel"] for one in steps[1]["relations"]["added"]] == ["System.LinkTypes.Related"]
    assert len(updates(azure_devops, 2)) == 2


def test_a_revision_is_the_whole_work_item(azure_devops: Vendor) -> None:
    create(azure_devops)
    change(azure_devops, 1, System_Title="VPN is slow")

    every = azure_devops.get("/wit/workItems/1/revisions")["value"]
    first = azure_devops.get("/wit/workItems/1/revisions/1")
    missing = refused(azure_devops("GET", "/wit/workItems/1/revisions/9"))

    assert [(one["rev"], one["fields"]["System.Title"]) for one in every] == [
        (1, "VPN is down"),
        (2, "VPN is slow"),
    ]
    assert (first["rev"], missing[:2]) == (1, (404, "WorkItemIdRevisionNotFoundException"))


# --- Comments ---


def test_a_comment_is_a_revision_with_nothing_but_its_text(azure_devops: Vendor) -> None:
    create(azure_devops)
    made = comment(azure_devops, 1, "<div>Since <b>noon</b></div>")

    item = azure_devops.get("/wit/workitems/1")
    last = updates(azure_devops, 1)[-1]

    assert (made["text"], made["version"], made["format"], made["createdBy"]["displayName"]) == (
        "<div>Since <b>noon</b></div>",
        1,
        "html",
        "Concord",
    )
    assert (item["rev"], item["fields"]["System.CommentCount"], item["commentVersionRef"]["commentId"]) == (
        2,
        1,
        made["id"],
    )
    assert told(last) == {
        "System.CommentCount": (0, 1),
        "System.History": (None, "<div>Since <b>noon</b></div>"),
    }


def test_what_follows_a_comment_does_not_take_it_back(azure_devops: Vendor) -> None:
    create(azure_devops)
    comment(azure_devops, 1, "once")
    change(azure_devops, 1, System_Title="VPN is slow")

    assert told(updates(azure_devops, 1)[-1]) == {"System.Title": ("VPN is down", "VPN is slow")}
    assert "System.History" not in azure_devops.get("/wit/workitems/1")["fields"]


def test_a_text_in_history_is_a_comment(azure_devops: Vendor) -> None:
    create(azure_devops, System_History="from the start")
    change(azure_devops, 1, System_History="and later", System_Title="VPN is slow")

    assert [one["text"] for one in comments(azure_devops, 1, order="asc")["comments"]] == [
        "from the start",
        "and later",
    ]


def test_a_comment_may_be_markdown(azure_devops: Vendor) -> None:
    create(azure_devops)

    made = comment(azure_devops, 1, "It is **down** <i>", format="markdown")

    assert (made["format"], made["text"], made["renderedText"]) == (
        "markdown",
        "It is **down** <i>",
        "<p>It is <strong>down</strong> &lt;i&gt;</p>",
    )


def test_an_edited_comment_has_versions_and_says_nothing_anew(azure_devops: Vendor) -> None:
    create(azure_devops)
    id_ = comment(azure_devops, 1, "It is down")["id"]
    azure_devops.clock.advance(60)

    edited = azure_devops(
        "PATCH", f"/wit/workItems/1/comments/{id_}", {"text": "It was down"}, params={"api-version": PREVIEW}
    ).json()

    assert (edited["text"], edited["version"], edited["createdDate"], edited["modifiedDate"]) == (
        "It was down",
        2,
        "2026-03-02T12:00:00.001Z",
        "2026-03-02T12:01:00Z",
    )
    assert (azure_devops.get("/wit/workitems/1")["rev"], told(updates(azure_devops, 1)[-1])) == (3, {})
    versions = azure_devops.get(f"/wit/workItems/1/comments/{id_}/versions", **{"api-version": PREVIEW})[
        "value"
    ]
    assert [(one["version"], one["text"]) for one in versions] == [(2, "It was down"), (1, "It is down")]


def test_a_deleted_comment_is_only_told_to_those_who_ask(azure_devops: Vendor) -> None:
    create(azure_devops)
    id_ = comment(azure_devops, 1, "secret")["id"]
    path = f"/wit/workItems/1/comments/{id_}"

    gone = azure_devops("DELETE", path, params={"api-version": PREVIEW})
    missing = refused(azure_devops("GET", path, params={"api-version": PREVIEW}))

    assert (gone.status_code, missing[:2]) == (204, (404, "WorkItemCommentNotFoundException"))
    assert comments(azure_devops, 1)["comments"] == []
    (left,) = comments(azure_devops, 1, includeDeleted="true")["comments"]
    assert (left["isDeleted"], left["text"]) == (True, "")
    assert azure_devops.get("/wit/workitems/1")["fields"]["System.CommentCount"] == 0


def test_comments_come_in_pages_the_newest_first(azure_devops: Vendor) -> None:
    create(azure_devops)
    for number in range(7):
        comment(azure_devops, 1, f"{number}")

    def pages(**query: str) -> list[list[str]]:
        found, token = [], ""
        while True:
            more = {"continuationToken": token} if token else {}
            page = comments(azure_devops, 1, **{"$top": "3", **query, **more})
            found.append([one["text"] for one in page["comments"]])
            if not (token := page.get("continuationToken", "")):
                return found

    assert pages() == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert pages(order="asc") == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert comments(azure_devops, 1)["totalCount"] == 7


def test_an_empty_comment_is_refused(azure_devops: Vendor) -> None:
    create(azure_devops)

    answer = azure_devops("POST", "/wit/workItems/1/comments", {"text": " "}, params={"api-version": PREVIEW})

    assert refused(answer)[:2] == (400, "ArgumentNullException")


# --- Files ---


@pytest.mark.parametrize("name", ["log.txt", "ログ (1) & more, really.txt", "no extension"])
def test_a_file_is_uploaded_and_then_hung_on(azure_devops: Vendor, name: str) -> None:
    create(azure_devops)

    bug = attach(azure_devops, 1, name, b"\x00\xffdata")

    (link,) = bug["relations"]
    assert (bug["rev"], link["attributes"]["name"], link["attributes"]["resourceSize"]) == (2, name, 6)
    content = azure_devops("GET", link["url"])
    assert (content.content, content.headers["Content-Type"]) == (b"\x00\xffdata", "application/octet-stream")
    (ticket,) = azure_devops.sandbox.tickets()
    assert [(one["name"], one["size"]) for one in ticket["attachments"]] == [(name, 6)]


def test_a_file_can_be_uploaded_in_chunks(azure_devops: Vendor) -> None:
    create(azure_devops)
    start = azure_devops(
        "POST", "/wit/attachments", params={"fileName": "big.bin", "uploadType": "chunked"}
    ).json()
    path = f"/wit/attachments/{start['id']}"

    def chunk(first: int, data: bytes) -> int:
        shown = f"bytes {first}-{first + len(data) - 1}/10"
        return azure_devops("PUT", path, data=data, headers={"Content-Range": shown}).status_code

    assert [chunk(0, b"01234"), chunk(7, b"789"), chunk(5, b"56789")] == [200, 400, 200]
    assert azure_devops("GET", path).content == b"0123456789"


def test_a_file_beyond_the_limit_is_refused() -> None:
    with vendor("azure_devops", max_attachment_bytes=4) as one:
        answer = one("POST", "/wit/attachments", data=b"12345", params={"fileName": "a"})

    assert refused(answer) == (
        400,
        "WorkItemAttachmentExceedsMaxSizeException",
        "TF237082: The file you are trying to upload exceeds the supported file upload size.",
    )


def test_a_work_item_takes_only_so_many_files() -> None:
    with vendor("azure_devops", max_attachments=1) as one:
        create(one)
        attach(one, 1, "a", b"a")
        link = {"rel": "AttachedFile", "url": upload(one, "b", b"b")["url"]}
        answer = patched(
            one, "PATCH", "/wit/workitems/1", {"op": "add", "path": "/relations/-", "value": link}
        )

    assert (answer.status_code, "at most 1 attachments" in answer.text) == (400, True)


def test_a_file_that_was_never_uploaded_cannot_be_hung_on(azure_devops: Vendor) -> None:
    create(azure_devops)
    link = {
        "rel": "AttachedFile",
        "url": "https://x.example/attachments/0a000000-0000-0000-0000-000000000000",
    }

    answer = patched(
        azure_devops, "PATCH", "/wit/workitems/1", {"op": "add", "path": "/relations/-", "value": link}
    )

    assert refused(answer)[:2] == (400, "WorkItemAttachmentNotFoundException")


# --- The feed of all revisions ---


def feed(one: Vendor, **query: str) -> tuple[list[tuple[int, int]], str, bool]:
    """Id and rev of each told revision, the token to go on with, and whether that was all."""
    page = one.get("/wit/reporting/workitemrevisions", **query)
    return (
        [(each["id"], each["rev"]) for each in page["values"]],
        page["continuationToken"],
        page["isLastBatch"],
    )


def test_the_feed_goes_on_where_it_ended(azure_devops: Vendor) -> None:
    create(azure_devops)
    create(azure_devops)
    change(azure_devops, 1, System_Title="VPN is slow")

    found, token, is_last = feed(azure_devops, **{"$maxPageSize": "2"})
    assert (found, is_last) == ([(1, 1), (2, 1)], False)
    found, token, is_last = feed(azure_devops, continuationToken=token)
    assert (found, is_last) == ([(1, 2)], True)
    assert feed(azure_devops, continuationToken=token) == ([], token, True)

    comment(azure_devops, 2, "x")
    assert feed(azure_devops, continuationToken=token)[0] == [(2, 2)]


def test_the_feed_starts_at_a_time_and_tells_what_is_asked_for(azure_devops: Vendor) -> None:
    create(azure_devops)
    azure_devops.clock.advance(3600)
    create(azure_devops, "Task")
    change(azure_devops, 1, System_Title="VPN is slow")
    comment(azure_devops, 1, "x")
    create(azure_devops)
    azure_devops.send("DELETE", "/wit/workitems/3")

    assert feed(azure_devops, startDateTime="2026-03-02T12:30:00Z")[0] == [(2, 1), (1, 2), (1, 3)]
    assert feed(azure_devops, includeLatestOnly="true")[0] == [(2, 1), (1, 3)]
    assert feed(azure_devops, includeDiscussionChangesOnly="true")[0] == [(1, 3)]
    assert feed(azure_devops, types="Task")[0] == [(2, 1)]
    assert feed(azure_devops, includeDeleted="true")[0][-2:] == [(3, 1), (3, 2)]


def test_the_feed_tells_people_as_words_unless_asked_otherwise(azure_devops: Vendor) -> None:
    create(azure_devops)

    def author(**query: str) -> Any:
        return azure_devops.get("/wit/reporting/workitemrevisions", **query)["values"][0]["fields"][
            "System.CreatedBy"
        ]

    assert author() == "Concord <concord@sandbox.example>"
    assert author(includeIdentityRef="true")["displayName"] == "Concord"
    fields = azure_devops.get("/wit/reporting/workitemrevisions", fields="System.Title")["values"][0][
        "fields"
    ]
    assert fields == {"System.Title": "VPN is down"}


# --- What the partner's people do ---


def test_people_act_and_their_steps_are_in_the_history(azure_devops: Vendor) -> None:
    done = azure_devops.sandbox.act(
        {
            "do": "create",
            "ref": "a",
            "at": "2026-03-01T08:00:00Z",
            "as": "Rita Requester <rita@partner.example>",
            "fields": {"type": "Bug", "Title": "VPN is down", "Description": "Since\nnoon", "Impact": "High"},
            "comment": "Please <hurry>",
        },
        {"do": "update", "ref": "a", "fields": {"State": "Active", "Assigned To": "devin@partner.example"}},
        {"do": "attach", "ref": "a", "file": {"name": "log.txt", "text": "a line"}},
        {"do": "edit_comment", "ref": "a", "comment_id": "1001", "comment": "Please"},
    )

    (ticket,) = azure_devops.sandbox.tickets()
    assert [one["changes"] for one in done] == [["1", "2"], ["3"], ["4"], ["5"]]
    assert (ticket["description"], ticket["fields"]["Microsoft.VSTS.TCM.ReproSteps"]) == (
        "Since\nnoon",
        "<div>Since</div><div>noon</div>",
    )
    assert (ticket["status"], ticket["fields"]["System.AssignedTo"], ticket["fields"]["Custom.Impact"]) == (
        "Active",
        "devin@partner.example",
        "High",
    )
    assert [(one["author"], one["text"]) for one in ticket["comments"]] == [("Rita Requester", "Please")]
    assert [one["revisedBy"]["displayName"] for one in updates(azure_devops, 1)[:3]] == [
        "Rita Requester",
        "Rita Requester",
        "Ines Incident",
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"comment": {"text": "x", "public": False}}, "no internal comments"),
        ({"file": {"name": "x", "base64": "***"}}, "base64 cannot be read"),
    ],
)
def test_what_people_cannot_say_here_leaves_nothing_behind(
    azure_devops: Vendor, said: dict[str, Any], words: str
) -> None:
    with pytest.raises(SandboxError, match=words):
        azure_devops.sandbox.act({"do": "create", **said})

    assert list(azure_devops.sandbox.tickets()) == []


def test_what_the_process_refuses_people_cannot_do_either(azure_devops: Vendor) -> None:
    with pytest.raises(SandboxError, match="not in the list of supported values"):
        azure_devops.sandbox.act({"do": "create", "fields": {"State": "Nowhere"}})


def test_setting_a_field_to_what_it_is_makes_no_step(azure_devops: Vendor) -> None:
    create(azure_devops)
    patched(
        azure_devops, "PATCH", "/wit/workitems/1", *setting(System_Title="VPN is down", System_State="new")
    )

    assert len(updates(azure_devops, 1)) == 1
