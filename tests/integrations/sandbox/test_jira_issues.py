"""How the sandboxed Jira treats issues: creating, editing, the workflow, the change log, comments, files."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integrations.sandbox.vendor import Vendor, vendor


def text(words: str) -> dict[str, Any]:
    inner = [{"type": "text", "text": words}]
    return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": inner}]}


def create(jira: Vendor, **fields: Any) -> str:
    wanted = {"project": {"key": "INC"}, "issuetype": {"name": "Task"}, "summary": "VPN is down", **fields}
    return str(jira.send("POST", "/issue", {"fields": wanted})["key"])


def refused(jira: Vendor, method: str, path: str, body: Any) -> tuple[int, Any, Any]:
    answer = jira(method, path, body)
    return answer.status_code, answer.json()["errorMessages"], answer.json()["errors"]


def changes(jira: Vendor, key: str) -> list[dict[str, tuple[Any, Any, Any, Any]]]:
    """Per entry of the change log, oldest first: field to (from, fromString, to, toString)."""
    return [
        {one["field"]: (one["from"], one["fromString"], one["to"], one["toString"]) for one in entry["items"]}
        for entry in jira.get(f"/issue/{key}/changelog")["values"]
    ]


# --- Who may come in ---


def test_a_stranger_is_turned_away(jira: Vendor) -> None:
    jira.session.auth = (jira.sign_in["email"], "wrong")

    answer = jira("GET", "/myself")

    assert (answer.status_code, answer.json()["status-code"]) == (401, 401)


def test_our_account_tells_its_time_zone(jira: Vendor) -> None:
    jira.sandbox.settings(time_zone="Asia/Kolkata")
    key = create(jira)

    told = (jira.get("/myself")["timeZone"], jira.get(f"/issue/{key}")["fields"]["created"])

    assert told == ("Asia/Kolkata", "2026-03-02T17:30:00.000+0530")


# --- Creating ---


def test_an_issue_is_created_and_read(jira: Vendor) -> None:
    made = jira.send(
        "POST",
        "/issue",
        {
            "fields": {
                "project": {"id": "10000"},
                "issuetype": {"id": "10004"},
                "summary": " VPN is down ",
                "description": text("Since noon"),
                "priority": {"id": "2"},
                "labels": ["vpn", "dns", "vpn"],
                "assignee": {"accountId": jira.get("/myself")["accountId"]},
                "customfield_10050": {"id": "10101"},
                "customfield_10052": "PR-7",
                "customfield_10053": text("Notes"),
            },
            "properties": [{"key": "concord", "value": {"marker": "m-1"}}],
        },
    )

    issue = jira.get(f"/issue/{made['key']}", properties="concord")

    fields = issue["fields"]
    assert made == {"id": "10001", "key": "INC-1", "self": f"{jira.sandbox.url}/rest/api/3/issue/10001"}
    assert (fields["summary"], fields["description"], fields["priority"]["name"], fields["labels"]) == (
        "VPN is down",
        text("Since noon"),
        "High",
        ["dns", "vpn"],
    )
    assert (fields["issuetype"]["name"], fields["status"]["name"], fields["assignee"]["displayName"]) == (
        "Bug",
        "To Do",
        "Concord",
    )
    assert (
        fields["customfield_10050"]["value"],
        fields["customfield_10052"],
        fields["customfield_10053"],
    ) == (
        "High",
        "PR-7",
        text("Notes"),
    )
    assert (fields["resolution"], fields["created"]) == (None, "2026-03-02T12:00:00.000+0000")
    assert issue["properties"] == {"concord": {"marker": "m-1"}}


def test_all_complaints_come_at_once(jira: Vendor) -> None:
    told = refused(
        jira, "POST", "/issue", {"fields": {"summary": "a\nb", "description": "no ADF", "colour": "red"}}
    )

    assert told == (
        400,
        [],
        {
            "project": "valid project is required",
            "issuetype": "Specify an issue type",
            "summary": "The summary is invalid because it contains newline characters.",
            "description": "Operation value must be an Atlassian Document (see the Atlassian Document Format)",
            "colour": "Field 'colour' cannot be set. It is not on the appropriate screen, or unknown.",
        },
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("summary", ""),
        ("summary", "x" * 256),
        ("summary", 7),
        ("priority", {"name": "Huge"}),
        ("priority", "High"),
        ("issuetype", {"name": "Wish"}),
        ("labels", ["two words"]),
        ("labels", "vpn"),
        ("assignee", {"accountId": "nobody"}),
        ("description", {"type": "doc", "version": 1, "content": [{"type": "text", "text": "bare"}]}),
        ("description", text("x" * 32_768)),
        ("customfield_10050", {"value": "Enormous"}),
        ("customfield_10052", 7),
        ("customfield_10053", "no ADF"),
        ("status", {"name": "Done"}),
        ("resolution", {"name": "Done"}),
    ],
)
def test_a_value_that_does_not_fit_is_refused(jira: Vendor, field: str, value: Any) -> None:
    key = create(jira)

    status, _, errors = refused(jira, "PUT", f"/issue/{key}", {"fields": {field: value}})

    assert (status, list(errors)) == (400, [field])
    assert changes(jira, key) == []


def test_many_are_created_each_on_its_own(jira: Vendor) -> None:
    good = {"fields": {"project": {"key": "INC"}, "issuetype": {"name": "Task"}, "summary": "One"}}

    told = jira.send("POST", "/issue/bulk", {"issueUpdates": [good, {"fields": {}}, good]})

    assert [one["key"] for one in told["issues"]] == ["INC-1", "INC-2"]
    assert [(one["failedElementNumber"], one["status"]) for one in told["errors"]] == [(1, 400)]


# --- Editing and the change log ---


def test_an_edit_answers_with_nothing_and_the_change_log_tells_all(jira: Vendor) -> None:
    key = create(jira, description=text("Since noon"), labels=["vpn"])
    me = jira.get("/myself")
    fields = {
        "summary": "VPN is slow",
        "description": text("Since two"),
        "priority": {"name": "High"},
        "labels": ["dns", "vpn"],
        "assignee": {"accountId": me["accountId"]},
        "customfield_10050": {"value": "Low"},
        "customfield_10052": "PR-7",
    }

    answer = jira("PUT", f"/issue/{key}", {"fields": fields})

    assert (answer.status_code, answer.content) == (204, b"")
    assert changes(jira, key) == [
        {
            "summary": (None, "VPN is down", None, "VPN is slow"),
            "description": (None, "Since noon", None, "Since two"),
            "priority": ("3", "Medium", "2", "High"),
            "labels": (None, "vpn", None, "dns vpn"),
            "assignee": (None, None, me["accountId"], "Concord"),
            "Impact": (None, None, "10103", "Low"),
            "Partner reference": (None, None, None, "PR-7"),
        }
    ]
    (entry,) = jira.get(f"/issue/{key}/changelog")["values"]
    kinds = {one["field"]: (one["fieldtype"], one["fieldId"]) for one in entry["items"]}
    assert (kinds["summary"], kinds["Impact"]) == (("jira", "summary"), ("custom", "customfield_10050"))


def test_an_edit_gives_the_issue_back_when_asked(jira: Vendor) -> None:
    key = create(jira)

    answer = jira(
        "PUT", f"/issue/{key}?returnIssue=true&expand=changelog", {"fields": {"summary": "VPN is slow"}}
    )

    told = answer.json()
    assert (answer.status_code, told["fields"]["summary"]) == (200, "VPN is slow")
    assert told["changelog"]["histories"][0]["items"][0]["toString"] == "VPN is slow"


def test_an_edit_that_changes_nothing_leaves_no_entry(jira: Vendor) -> None:
    key = create(jira)
    jira.clock.advance(60)

    jira.send("PUT", f"/issue/{key}", {"fields": {"summary": "VPN is down"}})

    assert (changes(jira, key), jira.get(f"/issue/{key}")["fields"]["updated"]) == (
        [],
        "2026-03-02T12:00:00.000+0000",
    )


def test_labels_are_added_and_removed_one_by_one(jira: Vendor) -> None:
    key = create(jira, labels=["vpn", "old"])

    jira.send("PUT", f"/issue/{key}", {"update": {"labels": [{"add": "new"}, {"remove": "old"}]}})

    assert jira.get(f"/issue/{key}")["fields"]["labels"] == ["new", "vpn"]


def test_a_field_is_named_once(jira: Vendor) -> None:
    key = create(jira)
    both = {"fields": {"summary": "a"}, "update": {"summary": [{"set": "b"}]}}

    assert list(refused(jira, "PUT", f"/issue/{key}", both)[2]) == ["summary"]


def test_a_transition_in_an_edit_is_ignored(jira: Vendor) -> None:
    key = create(jira)

    jira.send("PUT", f"/issue/{key}", {"transition": {"id": "11"}, "fields": {"summary": "x"}})

    assert jira.get(f"/issue/{key}")["fields"]["status"]["name"] == "To Do"


def test_the_change_log_is_oldest_first_and_newest_first_inside_the_issue(jira: Vendor) -> None:
    key = create(jira)
    for number in range(105):
        jira.send("PUT", f"/issue/{key}", {"fields": {"summary": f"n{number}"}})

    first = jira.get(f"/issue/{key}/changelog")
    second = jira("GET", first["nextPage"]).json()
    inside = jira.get(f"/issue/{key}", expand="changelog")["changelog"]

    ids = [int(one["id"]) for page in (first, second) for one in page["values"]]
    assert (ids, len(first["values"]), second["isLast"]) == (sorted(ids), 100, True)
    assert [int(one["id"]) for one in inside["histories"]] == ids[:-101:-1]
    assert inside["total"] == 105


def test_change_logs_of_many_issues_come_in_pages(jira: Vendor) -> None:
    keys = [create(jira), create(jira)]
    for key in keys:
        for number in range(2):
            jira.send("PUT", f"/issue/{key}", {"fields": {"summary": f"n{number}", "labels": [f"l{number}"]}})
        jira.send("PUT", f"/issue/{key}", {"fields": {"priority": {"name": "Low"}}})
    body = {"issueIdsOrKeys": keys, "fieldIds": ["summary"], "maxResults": 3}

    first = jira.send("POST", "/changelog/bulkfetch", body)
    second = jira.send("POST", "/changelog/bulkfetch", {**body, "nextPageToken": first["nextPageToken"]})

    def told(page: dict[str, Any]) -> list[tuple[str, int]]:
        return [(one["issueId"], len(one["changeHistories"])) for one in page["issueChangeLogs"]]

    assert (told(first), told(second)) == ([("10001", 2), ("10002", 1)], [("10002", 1)])
    assert "nextPageToken" not in second


# --- Workflow ---


def move(jira: Vendor, key: str, name: str, **body: Any) -> int:
    known = {one["name"]: one["id"] for one in jira.get(f"/issue/{key}/transitions")["transitions"]}
    return jira("POST", f"/issue/{key}/transitions", {"transition": {"id": known[name]}, **body}).status_code


def test_only_what_leads_out_of_the_status_is_offered(jira: Vendor) -> None:
    key = create(jira)

    def offered() -> list[tuple[str, str]]:
        return [
            (one["name"], one["to"]["id"]) for one in jira.get(f"/issue/{key}/transitions")["transitions"]
        ]

    before = offered()
    move(jira, key, "Start")

    assert (before, offered()) == ([("Start", "3")], [("Stop", "10000"), ("Send to review", "10001")])


def test_a_transition_is_an_entry_of_the_change_log(jira: Vendor) -> None:
    key = create(jira)

    assert move(jira, key, "Start") == 204

    assert changes(jira, key) == [{"status": ("10000", "To Do", "3", "In Progress")}]


def test_done_asks_for_a_resolution_and_reopening_takes_it_away(jira: Vendor) -> None:
    key = create(jira)
    move(jira, key, "Start")
    move(jira, key, "Send to review")
    screen = jira.get(f"/issue/{key}/transitions", expand="transitions.fields")["transitions"][1]["fields"]

    bare = move(jira, key, "Done")
    done = move(
        jira, key, "Done", fields={"resolution": {"name": screen["resolution"]["allowedValues"][1]["name"]}}
    )

    assert (bare, done, screen["resolution"]["required"]) == (400, 204, True)
    assert changes(jira, key)[-1] == {
        "resolution": (None, None, "10001", "Won't Do"),
        "status": ("10001", "In Review", "10002", "Done"),
    }
    assert jira.get(f"/issue/{key}")["fields"]["resolutiondate"] == "2026-03-02T12:00:00.000+0000"
    move(jira, key, "Reopen")
    fields = jira.get(f"/issue/{key}")["fields"]
    assert (fields["status"]["name"], fields["resolution"], fields["resolutiondate"]) == (
        "In Progress",
        None,
        None,
    )


@pytest.mark.parametrize(
    "body", [{}, {"transition": {"id": "51"}}, {"transition": {"id": "11"}, "fields": {"labels": []}}]
)
def test_a_step_that_is_not_there_is_refused(jira: Vendor, body: dict[str, Any]) -> None:
    key = create(jira)

    assert jira("POST", f"/issue/{key}/transitions", body).status_code == 400
    assert jira.get(f"/issue/{key}")["fields"]["status"]["name"] == "To Do"


def test_a_transition_carries_a_comment(jira: Vendor) -> None:
    key = create(jira)

    move(jira, key, "Start", update={"comment": [{"add": {"body": text("On it")}}]})

    assert jira.get(f"/issue/{key}/comment")["comments"][0]["body"] == text("On it")


def test_the_workflow_is_a_setting(jira: Vendor) -> None:
    statuses = [
        {"id": "1", "name": "Open", "category": "new"},
        {"id": "6", "name": "Closed", "category": "done"},
    ]
    step = {"id": "2", "name": "Close", "from": ["Open"], "to": "Closed", "screen": []}
    jira.sandbox.settings(statuses=statuses, transitions=[step])
    key = create(jira)

    move(jira, key, "Close")

    # Without a resolution on the screen a done issue is resolved as Done, which is what Jira's own workflows do.
    fields = jira.get(f"/issue/{key}")["fields"]
    assert (fields["status"]["name"], fields["resolution"]["name"]) == ("Closed", "Done")


# --- Comments ---


def test_a_comment_is_written_read_changed_and_deleted(jira: Vendor) -> None:
    key = create(jira)
    properties = [{"key": "concord", "value": {"marker": "c-1"}}]
    made = jira.send(
        "POST", f"/issue/{key}/comment?expand=properties", {"body": text("One"), "properties": properties}
    )
    jira.clock.advance(60)

    changed = jira.send("PUT", f"/issue/{key}/comment/{made['id']}", {"body": text("Two")})

    assert (made["properties"], made["jsdPublic"], made["author"]["displayName"]) == (
        properties,
        True,
        "Concord",
    )
    assert (changed["body"], changed["created"], changed["updated"]) == (
        text("Two"),
        "2026-03-02T12:00:00.000+0000",
        "2026-03-02T12:01:00.000+0000",
    )
    jira.send("DELETE", f"/issue/{key}/comment/{made['id']}")
    assert jira.get(f"/issue/{key}/comment")["total"] == 0
    # Comments are not in the change log, but the issue counts as updated.
    assert (changes(jira, key), jira.get(f"/issue/{key}")["fields"]["updated"]) == (
        [],
        "2026-03-02T12:01:00.000+0000",
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"body": ""},
        {"body": "plain"},
        {"body": text("x" * 32_768)},
        {"body": {"type": "doc", "version": 1, "content": []}},
    ],
)
def test_a_comment_that_is_no_document_is_refused(jira: Vendor, body: dict[str, Any]) -> None:
    key = create(jira)

    assert refused(jira, "POST", f"/issue/{key}/comment", body)[0] == 400


def test_an_internal_note_says_so_in_a_property(jira: Vendor) -> None:
    key = create(jira)
    internal = [{"key": "sd.public.comment", "value": {"internal": True}}]

    jira.send("POST", f"/issue/{key}/comment", {"body": text("For us"), "properties": internal})

    assert [one["jsdPublic"] for one in jira.get(f"/issue/{key}/comment")["comments"]] == [False]


def test_comments_are_fetched_by_their_ids(jira: Vendor) -> None:
    keys = [create(jira), create(jira)]
    ids = [int(jira.send("POST", f"/issue/{key}/comment", {"body": text(key)})["id"]) for key in keys]

    told = jira.send("POST", "/comment/list?expand=properties", {"ids": [*ids, 99]})

    assert [(int(one["id"]), one["body"], one["properties"]) for one in told["values"]] == [
        (ids[0], text("INC-1"), []),
        (ids[1], text("INC-2"), []),
    ]


def test_an_issue_takes_so_many_comments() -> None:
    with vendor("jira", max_comments=1) as jira:
        key = create(jira)
        jira.send("POST", f"/issue/{key}/comment", {"body": text("one")})

        assert refused(jira, "POST", f"/issue/{key}/comment", {"body": text("two")})[0] == 413


# --- Files ---


def attach(jira: Vendor, key: str, data: bytes = b"a line", name: str = "log.txt", **headers: str) -> Any:
    sent = {"X-Atlassian-Token": "no-check", **headers}
    return jira("POST", f"/issue/{key}/attachments", files={"file": (name, data, "text/plain")}, headers=sent)


def test_a_file_is_attached_and_fetched_from_the_media_host(jira: Vendor) -> None:
    key = create(jira)
    data = bytes(range(256)) * 40 + b"\r\n--boundary\r\n"
    (file,) = attach(jira, key, data, "a long näme.bin").json()

    onward = jira("GET", file["content"])

    assert (file["filename"], file["size"], onward.status_code) == ("a long näme.bin", len(data), 303)
    with_credentials = jira("GET", onward.headers["Location"])
    jira.session.auth = None
    assert (with_credentials.status_code, jira("GET", onward.headers["Location"]).content) == (400, data)


def test_a_file_is_fetched_at_once_and_in_part(jira: Vendor) -> None:
    key = create(jira)
    (file,) = attach(jira, key, b"0123456789").json()
    address = file["content"] + "?redirect=false"

    def part(range_: str) -> tuple[int, bytes]:
        answer = jira("GET", address, headers={"Range": range_})
        return answer.status_code, answer.content

    assert jira("GET", address).content == b"0123456789"
    assert [part(one) for one in ("bytes=2-4", "bytes=8-", "bytes=-3", "bytes=20-")] == [
        (206, b"234"),
        (206, b"89"),
        (206, b"789"),
        (416, b""),
    ]


def test_a_file_is_in_the_change_log_with_its_id(jira: Vendor) -> None:
    key = create(jira)
    (file,) = attach(jira, key).json()
    jira.send("DELETE", f"/attachment/{file['id']}")

    assert changes(jira, key) == [
        {"Attachment": (None, None, file["id"], "log.txt")},
        {"Attachment": (file["id"], "log.txt", None, None)},
    ]
    assert jira("GET", f"/attachment/{file['id']}").status_code == 404


def test_a_file_needs_the_header_the_form_and_the_size(jira: Vendor) -> None:
    jira.sandbox.settings(max_attachment_bytes=10)
    key = create(jira)

    answers = [
        attach(jira, key, **{"X-Atlassian-Token": "check"}),
        jira("POST", f"/issue/{key}/attachments", {}, headers={"X-Atlassian-Token": "no-check"}),
        attach(jira, key, b"x" * 11),
        attach(jira, key, b"x" * 10),
    ]

    assert [one.status_code for one in answers] == [403, 415, 413, 200]


# --- Properties and links ---


def test_a_property_is_set_read_and_deleted(jira: Vendor) -> None:
    key = create(jira)
    path = f"/issue/{key}/properties/concord"

    statuses = [jira("PUT", path, {"a": 1}).status_code, jira("PUT", path, {"a": 2}).status_code]

    assert statuses == [201, 200]
    assert (jira.get(path), [one["key"] for one in jira.get(f"/issue/{key}/properties")["keys"]]) == (
        {"key": "concord", "value": {"a": 2}},
        ["concord"],
    )
    jira.send("DELETE", path)
    assert jira("GET", path).status_code == 404


def test_a_remote_link_is_replaced_by_its_global_id(jira: Vendor) -> None:
    key = create(jira)
    link = {
        "globalId": "ours-1",
        "relationship": "mirrors",
        "object": {"url": "https://c.example/1", "title": "One"},
    }
    first = jira("POST", f"/issue/{key}/remotelink", link)
    again = {"globalId": "ours-1", "object": {"url": "https://c.example/1", "title": "Two"}}

    second = jira("POST", f"/issue/{key}/remotelink", again)

    (kept,) = jira.get(f"/issue/{key}/remotelink")
    assert (first.status_code, second.status_code, second.json()["id"]) == (201, 200, first.json()["id"])
    # What the second did not name is gone.
    assert (kept["object"]["title"], "relationship" in kept) == ("Two", False)
    assert jira("GET", f"/issue/{key}/remotelink?globalId=other").status_code == 404


# --- Not there, not allowed, too often ---


def test_a_hidden_issue_looks_as_if_it_were_not_there(jira: Vendor) -> None:
    key = create(jira)
    jira.sandbox.settings(hidden_issues=[key])

    hidden, absent = (refused(jira, "GET", f"/issue/{one}", None) for one in (key, "INC-99"))

    assert hidden == absent == (404, ["Issue does not exist or you do not have permission to see it."], {})


def test_a_deleted_issue_is_gone_with_all_it_had(jira: Vendor) -> None:
    key = create(jira)
    comment = jira.send("POST", f"/issue/{key}/comment", {"body": text("x")})["id"]
    (file,) = attach(jira, key).json()

    jira.send("DELETE", f"/issue/{key}")

    assert [jira("GET", one).status_code for one in (f"/issue/{key}", f"/attachment/{file['id']}")] == [
        404,
        404,
    ]
    assert jira.send("POST", "/comment/list", {"ids": [int(comment)]})["values"] == []


def test_permissions_are_told(jira: Vendor) -> None:
    jira.sandbox.settings(denied_permissions=["CREATE_ATTACHMENTS"])

    told = jira.get("/mypermissions", permissions="EDIT_ISSUES,CREATE_ATTACHMENTS")["permissions"]

    assert {name: one["havePermission"] for name, one in told.items()} == {
        "EDIT_ISSUES": True,
        "CREATE_ATTACHMENTS": False,
    }


def test_one_issue_takes_so_many_writes() -> None:
    with vendor("jira", limit_writes=True) as jira:
        one, other = create(jira), create(jira)
        assert "X-RateLimit-Limit" not in jira("GET", f"/issue/{one}").headers

        def write(key: str) -> Any:
            return jira("PUT", f"/issue/{key}/properties/n", {})

        assert [write(one).status_code for _ in range(21)] == [201] + [200] * 19 + [429]
        late = write(one)
        assert (late.headers["RateLimit-Reason"], late.headers["Retry-After"]) == (
            "jira-per-issue-on-write",
            "2",
        )
        assert write(other).status_code == 201
        jira.clock.advance(2)
        assert write(one).status_code == 200
        # And no more than a hundred in half a minute.
        for _ in range(3):
            assert {write(one).status_code for _ in range(19)} == {200}
            jira.clock.advance(2)
        assert [write(one).status_code for _ in range(23)] == [200] * 20 + [429] * 3
        jira.clock.advance(2)
        late = [write(one) for _ in range(3)]
        assert [one.status_code for one in late] == [200, 200, 429]
        assert late[2].headers["X-RateLimit-Limit"] == "100"


def test_an_endpoint_takes_so_many_calls_a_second_and_tells_how_many_are_left() -> None:
    with vendor("jira", limit_bursts=True) as jira:
        key = create(jira)
        answers = [jira("PUT", f"/issue/{key}/properties/n", {}) for _ in range(51)]
        assert [one.headers["X-RateLimit-Remaining"] for one in answers[:50]] == [
            str(left) for left in range(49, -1, -1)
        ]
        late = answers[50]
        assert (late.status_code, late.headers["RateLimit-Reason"], late.headers["Retry-After"]) == (
            429,
            "jira-burst-based",
            "1",
        )
        assert jira("GET", f"/issue/{key}").headers["X-RateLimit-Limit"] == "150"
        jira.clock.advance(1)
        assert jira("PUT", f"/issue/{key}/properties/n", {}).status_code == 200


def test_the_points_of_an_hour_are_told_in_good_answers_and_count_what_a_question_finds() -> None:
    with vendor("jira", points_per_hour=8) as jira:
        wanted = {"project": {"key": "INC"}, "issuetype": {"name": "Task"}, "summary": "VPN is down"}
        created = jira("POST", "/issue", {"fields": wanted})
        assert created.headers["Beta-RateLimit-Policy"] == '"tenant-app-quota";q=8;w=3600'
        assert created.headers["Beta-RateLimit"] == '"tenant-app-quota";r=7;t=3600'
        key = created.json()["key"]
        left = [jira("GET", f"/issue/{key}/comment").headers["Beta-RateLimit"] for _ in range(4)]
        assert [one.split(";")[1] for one in left] == ["r=5", "r=3", "r=1", "r=0"]
        late = jira("GET", f"/issue/{key}/comment")
        assert (late.status_code, late.headers["RateLimit-Reason"]) == (429, "jira-quota-tenant-based")
        jira.clock.advance(int(late.headers["Retry-After"]))
        assert jira("GET", f"/issue/{key}/comment").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("PATCH", "/issue/INC-1", 405),
        ("GET", "/search", 410),
        ("POST", "/search", 410),
        ("GET", "/issue/createmeta/NOPE/issuetypes", 404),
        ("GET", "/user?accountId=nobody", 404),
        ("GET", "/mypermissions", 400),
        ("GET", "/issue/INC-1/comment/1", 404),
    ],
)
def test_a_bad_request_is_answered_as_one(jira: Vendor, method: str, path: str, status: int) -> None:
    create(jira)

    assert jira(method, path).status_code == status


# --- The older version ---


def test_version_2_speaks_text(jira: Vendor) -> None:
    base = jira.sandbox.url + "/rest/api/2"
    fields = {
        "project": {"key": "INC"},
        "issuetype": {"name": "Task"},
        "summary": "x",
        "description": "One\n\ntwo\nlines",
    }
    made = jira("POST", f"{base}/issue", {"fields": fields}).json()
    jira("POST", f"{base}/issue/{made['key']}/comment", {"body": "A comment"})

    old = jira("GET", f"{base}/issue/{made['key']}").json()["fields"]
    new = jira.get(f"/issue/{made['key']}")["fields"]

    assert (old["description"], old["comment"]["comments"][0]["body"]) == ("One\n\ntwo\nlines", "A comment")
    assert new["description"]["content"][1]["content"] == [
        {"type": "text", "text": "two"},
        {"type": "hardBreak"},
        {"type": "text", "text": "lines"},
    ]
    assert new["comment"]["comments"][0]["body"] == text("A comment")
    assert jira("GET", f"{base}/search?jql=project=INC").status_code == 410


def test_the_create_screen_is_told_in_both_forms(jira: Vendor) -> None:
    new = {one["fieldId"]: one for one in jira.get("/issue/createmeta/INC/issuetypes/10002")["fields"]}
    old = jira.get("/issue/createmeta", projectKeys="INC", expand="projects.issuetypes.fields")

    fields = old["projects"][0]["issuetypes"][0]["fields"]
    assert sorted(fields) == sorted(new)
    assert [name for name, one in new.items() if one["required"]] == ["summary", "issuetype", "project"]
    assert [one["value"] for one in new["customfield_10050"]["allowedValues"]] == ["High", "Medium", "Low"]


# --- What is sent along and asked for ---


def test_what_a_writer_sends_along_stands_beside_the_entry_it_made(jira: Vendor) -> None:
    key = create(jira)
    ours = {"type": "concord", "extraData": {"marker": "m-1"}}
    jira.send("PUT", f"/issue/{key}", {"fields": {"summary": "VPN is slow"}, "historyMetadata": ours})
    jira.send("POST", f"/issue/{key}/transitions", {"transition": {"id": "11"}, "historyMetadata": ours})
    jira.send("PUT", f"/issue/{key}", {"fields": {"summary": "VPN is up"}})

    listed = jira.get(f"/issue/{key}/changelog")["values"]
    embedded = jira.get(f"/issue/{key}", expand="changelog")["changelog"]["histories"]

    assert [one.get("historyMetadata", "none") for one in listed] == [ours, ours, "none"]
    assert [one.get("historyMetadata", "none") for one in embedded] == ["none", ours, ours]


def test_what_is_sent_along_has_to_be_an_object(jira: Vendor) -> None:
    key = create(jira)

    answer = jira("PUT", f"/issue/{key}", {"fields": {"summary": "x"}, "historyMetadata": "ours"})

    assert answer.status_code == 400
    assert jira.get(f"/issue/{key}")["fields"]["summary"] == "VPN is down"


@pytest.mark.parametrize(
    ("expand", "screens"),
    [
        ("changelog", None),
        ("transitions", [None, None]),
        ("transitions,transitions.fields", [[], ["resolution"]]),
        ("transitions.fields", None),
    ],
)
def test_the_steps_open_to_an_issue_come_with_it_and_their_screens_only_when_asked_for(
    jira: Vendor, expand: str, screens: object
) -> None:
    key = create(jira)
    move(jira, key, "Start")
    move(jira, key, "Send to review")

    read = jira.get(f"/issue/{key}", expand=expand)
    [found] = jira.send(
        "POST", "/search/jql", {"jql": f"key = {key}", "fields": ["status"], "expand": expand}
    )["issues"]

    for told in (read, found):
        steps = told.get("transitions")
        assert screens == (steps and [sorted(one["fields"]) if "fields" in one else None for one in steps])
