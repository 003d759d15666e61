"""How the sandboxed Zendesk treats tickets: creating, updating, statuses, tags, fields, comments, deletion."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integrations.sandbox.vendor import Vendor, vendor

IMPACT = 360000000001


def create(zendesk: Vendor, **fields: Any) -> dict[str, Any]:
    wanted = {"subject": "VPN is down", "comment": {"body": "Since noon"}, **fields}
    return zendesk.send("POST", "/tickets", {"ticket": wanted})["ticket"]


def update(zendesk: Vendor, id_: int, **fields: Any) -> dict[str, Any]:
    return zendesk.send("PUT", f"/tickets/{id_}", {"ticket": fields})


def refused(zendesk: Vendor, id_: int, **fields: Any) -> tuple[int, Any]:
    response = zendesk("PUT", f"/tickets/{id_}", {"ticket": fields})
    return response.status_code, response.json().get("details") or response.json()


def changes(audit: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Field to (before, after) of an audit."""
    return {
        one["field_name"]: (one["previous_value"], one["value"])
        for one in audit["events"]
        if one["type"] == "Change"
    }


# --- Who may come in ---


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic !!!"},
        # E-mail and token without the /token that tells them from a password.
        {"Authorization": "Basic Y29uY29yZEBzYW5kYm94LmV4YW1wbGU6emVuZGVzay1zYW5kYm94LXRva2Vu"},
    ],
)
def test_a_stranger_is_turned_away(zendesk: Vendor, headers: dict[str, str]) -> None:
    zendesk.session.auth = None

    answer = zendesk("GET", "/tickets", headers=headers)

    assert (answer.status_code, answer.json()) == (401, {"error": "Couldn't authenticate you"})


def test_a_bearer_token_signs_in(zendesk: Vendor) -> None:
    zendesk.session.auth = None
    token = zendesk.sign_in["token"]

    answer = zendesk("GET", "/users/me", headers={"Authorization": f"Bearer {token}"})

    assert answer.json()["user"]["email"] == zendesk.sign_in["email"]


# --- Creating ---


def test_a_ticket_is_created_with_its_audit(zendesk: Vendor) -> None:
    answer = zendesk(
        "POST",
        "/tickets.json",
        {
            "ticket": {
                "subject": "VPN is down",
                "comment": {"body": "Since noon", "public": False},
                "priority": "high",
                "external_id": "ours-1",
                "tags": ["VPN", "big deal"],
                "custom_fields": [{"id": IMPACT, "value": "impact_high"}],
                "metadata": {"concord": "m-1"},
            }
        },
    )

    ticket, audit = answer.json()["ticket"], answer.json()["audit"]
    kept = ("subject", "description", "priority", "status", "external_id", "tags", "is_public", "created_at")
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/api/v2/tickets/{ticket['id']}.json")
    assert {name: ticket[name] for name in kept} == {
        "subject": "VPN is down",
        "description": "Since noon",
        "priority": "high",
        "status": "new",
        "external_id": "ours-1",
        "tags": ["big_deal", "impact_high", "vpn"],
        "is_public": False,
        "created_at": "2026-03-02T12:00:00Z",
    }
    assert {one["id"]: one["value"] for one in ticket["custom_fields"]}[IMPACT] == "impact_high"
    assert audit["metadata"]["custom"] == {"concord": "m-1"}
    assert audit["events"][0]["type"] == "Comment"
    assert {one["field_name"]: one["value"] for one in audit["events"] if one["type"] == "Create"} == {
        "subject": "VPN is down",
        "requester_id": str(ticket["requester_id"]),
        "priority": "high",
        "type": None,
        "status": "new",
        "organization_id": "360000200001",
        "external_id": "ours-1",
        "custom_status_id": "360000500001",
        "brand_id": "360000300001",
        "ticket_form_id": "360000400001",
        "tags": ["big_deal", "impact_high", "vpn"],
        str(IMPACT): "impact_high",
    }


def test_a_ticket_needs_a_comment(zendesk: Vendor) -> None:
    answer = zendesk("POST", "/tickets", {"ticket": {"subject": "VPN is down"}})

    assert (answer.status_code, answer.json()) == (
        422,
        {
            "error": "RecordInvalid",
            "description": "Record validation errors",
            "details": {
                "description": [{"description": "Description: cannot be blank", "error": "BlankValue"}]
            },
        },
    )


def test_a_ticket_without_a_subject_shows_its_description(zendesk: Vendor) -> None:
    assert create(zendesk, subject=None)["subject"] == "Since noon"


def test_a_requester_is_made_when_new(zendesk: Vendor) -> None:
    ticket = create(zendesk, requester={"name": "Rita", "email": "rita@partner.example"})

    again = create(zendesk, requester={"email": "RITA@partner.example"})

    user = zendesk.get(f"/users/{ticket['requester_id']}")["user"]
    assert (user["name"], user["role"], again["requester_id"]) == ("Rita", "end-user", user["id"])


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"priority": "huge"}, "priority"),
        ({"status": "nearly"}, "status"),
        ({"type": "wish"}, "type"),
        ({"assignee_id": 1}, "assignee"),
        ({"requester": {"email": "new@partner.example"}}, "requester"),
        ({"custom_fields": [{"id": IMPACT, "value": "impact_none"}]}, "base"),
        ({"via_followup_source_id": 99}, "via_followup_source_id"),
        ({"comment": {"body": "x", "uploads": ["nothing"]}}, "base"),
    ],
)
def test_a_value_that_does_not_exist_is_refused_and_nothing_is_made(
    zendesk: Vendor, fields: dict[str, Any], about: str
) -> None:
    answer = zendesk("POST", "/tickets", {"ticket": {"comment": {"body": "x"}, **fields}})

    assert (answer.status_code, list(answer.json()["details"])) == (422, [about])
    assert list(zendesk.sandbox.tickets()) == []


# --- The same create twice ---


def test_an_idempotency_key_gives_the_first_ticket_again(zendesk: Vendor) -> None:
    def send() -> tuple[int, int, str]:
        body = {"ticket": {"comment": {"body": "x"}}}
        answer = zendesk("POST", "/tickets", body, headers={"Idempotency-Key": "k-1"})
        return answer.status_code, answer.json()["ticket"]["id"], answer.headers["x-idempotency-lookup"]

    assert [send(), send()] == [(201, 1, "miss"), (201, 1, "hit")]
    assert len(list(zendesk.sandbox.tickets())) == 1


def test_an_idempotency_key_stands_for_one_body_only(zendesk: Vendor) -> None:
    zendesk("POST", "/tickets", {"ticket": {"comment": {"body": "x"}}}, headers={"Idempotency-Key": "k-1"})

    answer = zendesk(
        "POST", "/tickets", {"ticket": {"comment": {"body": "y"}}}, headers={"Idempotency-Key": "k-1"}
    )

    assert (answer.status_code, answer.json()["error"]) == (400, "IdempotentRequestError")


def test_an_idempotency_key_ends_after_two_hours(zendesk: Vendor) -> None:
    def send() -> int:
        body = {"ticket": {"comment": {"body": "x"}}}
        return int(
            zendesk("POST", "/tickets", body, headers={"Idempotency-Key": "k-1"}).json()["ticket"]["id"]
        )

    first = send()
    zendesk.clock.advance(2 * 3600 - 1)
    still = send()
    zendesk.clock.advance(1)

    assert (first, still, send()) == (1, 1, 2)


# --- Updating ---


def test_an_update_tells_what_it_changed(zendesk: Vendor) -> None:
    id_ = create(zendesk)["id"]
    zendesk.clock.advance(60)

    told = update(zendesk, id_, status="pending", priority="urgent", metadata={"concord": "m-2"})

    assert changes(told["audit"]) == {
        "priority": (None, "urgent"),
        "status": ("new", "pending"),
        "custom_status_id": ("360000500001", "360000500003"),
    }
    assert told["audit"]["metadata"]["custom"] == {"concord": "m-2"}
    assert told["ticket"]["updated_at"] == "2026-03-02T12:01:00Z"


def test_an_update_that_changes_nothing_leaves_no_audit(zendesk: Vendor) -> None:
    id_ = create(zendesk)["id"]
    zendesk.clock.advance(60)

    told = update(zendesk, id_, subject="VPN is down")

    assert (told["audit"]["events"], told["ticket"]["updated_at"]) == ([], "2026-03-02T12:00:00Z")
    assert len(zendesk.get(f"/tickets/{id_}/audits")["audits"]) == 1


def test_a_comment_and_fields_are_one_audit(zendesk: Vendor) -> None:
    id_ = create(zendesk)["id"]

    audit = update(zendesk, id_, subject="VPN is slow", comment={"body": "Look again"})["audit"]

    assert [one["type"] for one in audit["events"]] == ["Comment", "Change"]
    assert zendesk.get(f"/tickets/{id_}/comments")["comments"][1]["audit_id"] == audit["id"]


def test_a_safe_update_is_refused_when_the_ticket_has_changed(zendesk: Vendor) -> None:
    ticket = create(zendesk)
    zendesk.clock.advance(1)
    update(zendesk, ticket["id"], subject="Changed by somebody")
    stamp = ticket["updated_at"]

    late = zendesk(
        "PUT",
        f"/tickets/{ticket['id']}",
        {"ticket": {"subject": "x", "safe_update": False, "updated_stamp": stamp}},
    )

    assert (late.status_code, late.json()["error"]) == (409, "UpdateConflict")
    fresh = zendesk.get(f"/tickets/{ticket['id']}")["ticket"]["updated_at"]
    told = update(zendesk, ticket["id"], subject="y", safe_update=True, updated_stamp=fresh)
    assert told["ticket"]["subject"] == "y"


def test_two_writes_in_one_second_are_not_told_apart(zendesk: Vendor) -> None:
    ticket = create(zendesk)
    update(zendesk, ticket["id"], subject="first")

    told = update(
        zendesk, ticket["id"], subject="second", safe_update=True, updated_stamp=ticket["updated_at"]
    )

    assert told["ticket"]["subject"] == "second"


# --- Statuses ---


def test_a_closed_ticket_takes_nothing(zendesk: Vendor) -> None:
    id_ = create(zendesk)["id"]
    update(zendesk, id_, status="closed")

    closed = {"status": [{"description": "Status: closed prevents ticket update", "error": "ClosedTicket"}]}
    assert [
        refused(zendesk, id_, **one)
        for one in ({"status": "open"}, {"comment": {"body": "x"}}, {"tags": ["a"]})
    ] == [(422, closed)] * 3


def test_a_closed_ticket_can_be_followed_up(zendesk: Vendor) -> None:
    id_ = create(zendesk, tags=["vpn"])["id"]
    update(zendesk, id_, status="closed")

    follow_up = create(zendesk, via_followup_source_id=id_)

    assert follow_up["tags"] == ["vpn"]
    assert zendesk.get(f"/tickets/{id_}")["ticket"]["followup_ids"] == [follow_up["id"]]


def test_new_is_never_returned_to(zendesk: Vendor) -> None:
    id_ = create(zendesk)["id"]
    update(zendesk, id_, status="open")

    assert refused(zendesk, id_, status="new")[0] == 422


def test_an_assignee_opens_a_new_ticket(zendesk: Vendor) -> None:
    id_ = create(zendesk)["id"]

    assert update(zendesk, id_, assignee_email=zendesk.sign_in["email"])["ticket"]["status"] == "open"


def test_whoever_solves_an_unassigned_ticket_becomes_its_assignee(zendesk: Vendor) -> None:
    ticket = create(zendesk)

    told = update(zendesk, ticket["id"], status="solved")

    assert told["ticket"]["assignee_id"] == ticket["submitter_id"]
    assert changes(told["audit"])["assignee_id"] == (None, str(ticket["submitter_id"]))


def test_required_fields_stand_before_solving() -> None:
    with vendor("zendesk", required_to_solve=[IMPACT]) as zendesk:
        id_ = create(zendesk)["id"]

        status, details = refused(zendesk, id_, status="solved")

        assert (status, details["base"][0]) == (
            422,
            {
                "description": "Impact: is required when solving a ticket",
                "error": None,
                "ticket_field_id": IMPACT,
                "ticket_field_type": "FieldTagger",
            },
        )
        told = update(zendesk, id_, status="solved", custom_fields=[{"id": IMPACT, "value": "impact_low"}])
        assert told["ticket"]["status"] == "solved"


@pytest.mark.parametrize(("before", "after"), [("pending", "open"), ("solved", "open"), ("hold", "hold")])
def test_the_requesters_answer_reopens(zendesk: Vendor, before: str, after: str) -> None:
    ticket = create(zendesk, requester={"name": "Rita", "email": "rita@partner.example"})
    update(zendesk, ticket["id"], status=before)

    told = update(zendesk, ticket["id"], comment={"body": "Still down", "author_id": ticket["requester_id"]})

    assert told["ticket"]["status"] == after


def test_the_automation_closes_what_is_solved(zendesk: Vendor) -> None:
    for status in ("solved", "open", "solved"):
        update(zendesk, create(zendesk)["id"], status=status)

    (done,) = zendesk.sandbox.act({"do": "close_solved"})

    assert done["closed"] == ["1", "3"]
    assert [one["status"] for one in zendesk.sandbox.tickets()] == ["closed", "open", "closed"]


# --- Tags and fields ---


def test_tags_replace_add_and_go(zendesk: Vendor) -> None:
    id_ = create(zendesk, tags=["a", "b"])["id"]

    told = [
        update(zendesk, id_, **fields)["ticket"]["tags"]
        for fields in ({"tags": ["c"]}, {"additional_tags": ["d"]}, {"remove_tags": ["c"]})
    ]

    assert told == [["c"], ["c", "d"], ["d"]]


def test_a_drop_down_and_its_tag_go_together(zendesk: Vendor) -> None:
    id_ = create(zendesk, custom_fields=[{"id": IMPACT, "value": "impact_high"}], tags=["vpn"])["id"]

    def told(**fields: Any) -> tuple[list[str], Any]:
        ticket = update(zendesk, id_, **fields)["ticket"]
        return ticket["tags"], {one["id"]: one["value"] for one in ticket["custom_fields"]}[IMPACT]

    assert told(custom_fields=[{"id": IMPACT, "value": "impact_low"}]) == (
        ["impact_low", "vpn"],
        "impact_low",
    )
    assert told(tags=["vpn"]) == (["vpn"], None)
    assert told(additional_tags=["impact_medium"]) == (["impact_medium", "vpn"], "impact_medium")
    assert told(custom_fields=[{"id": IMPACT, "value": None}]) == (["vpn"], None)


# --- Comments ---


def test_later_comments_are_as_public_as_the_first(zendesk: Vendor) -> None:
    id_ = create(zendesk, comment={"body": "For us", "public": False})["id"]

    update(zendesk, id_, comment={"body": "Who sees it?"})
    update(zendesk, id_, comment={"body": "All", "public": True})

    told = [(one["body"], one["public"]) for one in zendesk.get(f"/tickets/{id_}/comments")["comments"]]
    assert told == [("For us", False), ("Who sees it?", False), ("All", True)]


def test_the_shown_author_is_not_the_updater(zendesk: Vendor) -> None:
    ticket = create(zendesk, requester={"name": "Rita", "email": "rita@partner.example"})

    audit = update(zendesk, ticket["id"], comment={"body": "x", "author_id": ticket["requester_id"]})["audit"]

    assert (audit["author_id"], audit["events"][0]["author_id"]) == (
        ticket["submitter_id"],
        ticket["requester_id"],
    )


def test_a_ticket_takes_so_many_comments() -> None:
    with vendor("zendesk", max_comments=2) as zendesk:
        id_ = create(zendesk)["id"]
        update(zendesk, id_, comment={"body": "two"})

        assert refused(zendesk, id_, comment={"body": "three"})[0] == 422
        assert len(zendesk.get(f"/tickets/{id_}/comments")["comments"]) == 2


def test_foreign_placeholders_are_run_and_noted(zendesk: Vendor) -> None:
    id_ = create(zendesk, comment={"body": "Hello {{ticket.requester.email}} and \\{{not this}}"})["id"]

    assert zendesk.get(f"/tickets/{id_}")["ticket"]["description"] == "Hello and {{not this}}"
    answer = zendesk.session.get(zendesk.sandbox.url + "/_sandbox/state", timeout=10)
    assert answer.json()["placeholders"] == [{"ticket": "1", "text": "ticket.requester.email"}]


# --- Files ---


def test_a_file_travels_by_token(zendesk: Vendor) -> None:
    first = zendesk(
        "POST", "/uploads?filename=a.txt", data=b"one", headers={"Content-Type": "text/plain"}
    ).json()
    token = first["upload"]["token"]
    both = zendesk("POST", f"/uploads?filename=b.bin&token={token}", data=b"\x00\x01").json()["upload"]
    assert [one["file_name"] for one in both["attachments"]] == ["a.txt", "b.bin"]
    id_ = create(zendesk, comment={"body": "See", "uploads": [token]})["id"]

    files = zendesk.get(f"/tickets/{id_}/comments")["comments"][0]["attachments"]

    zendesk.session.auth = None
    told = [(one["file_name"], one["size"], zendesk("GET", one["content_url"]).content) for one in files]
    assert told == [("a.txt", 3, b"one"), ("b.bin", 2, b"\x00\x01")]


def test_a_token_is_good_once_and_for_an_hour(zendesk: Vendor) -> None:
    def token() -> str:
        return str(zendesk("POST", "/uploads?filename=a.txt", data=b"one").json()["upload"]["token"])

    used, old = token(), token()
    create(zendesk, comment={"body": "x", "uploads": [used]})
    zendesk.clock.advance(3601)

    answers = [
        zendesk("POST", "/tickets", {"ticket": {"comment": {"body": "x", "uploads": [one]}}}).status_code
        for one in (used, old, token())
    ]

    assert answers == [422, 422, 201]


# --- Deleting ---


def test_a_deleted_ticket_is_gone_until_restored(zendesk: Vendor) -> None:
    id_ = create(zendesk, external_id="ours-1")["id"]
    zendesk.send("DELETE", f"/tickets/{id_}")

    gone = zendesk("GET", f"/tickets/{id_}")
    listed = zendesk.get("/deleted_tickets")["deleted_tickets"]
    assert (gone.status_code, gone.json()) == (404, {"error": "RecordNotFound", "description": "Not found"})
    assert [(one["id"], one["previous_state"]) for one in listed] == [(id_, "new")]
    assert zendesk.get("/tickets", external_id="ours-1")["tickets"] == []
    zendesk.send("PUT", f"/deleted_tickets/{id_}/restore")
    assert zendesk.get("/tickets", external_id="ours-1")["tickets"][0]["status"] == "new"


def test_an_external_id_need_not_be_unique(zendesk: Vendor) -> None:
    ids = [create(zendesk, external_id="ours-1")["id"] for _ in range(2)]
    update(zendesk, ids[0], external_id="ours-2")
    update(zendesk, ids[0], external_id="ours-1")

    assert sorted(one["id"] for one in zendesk.get("/tickets", external_id="ours-1")["tickets"]) == ids


# --- Imports, jobs, errors ---


def test_an_import_keeps_its_own_times(zendesk: Vendor) -> None:
    ticket = zendesk.send(
        "POST",
        "/imports/tickets",
        {
            "ticket": {
                "subject": "Old",
                "status": "closed",
                "created_at": "2020-01-01T00:00:00Z",
                "updated_at": "2020-02-01T00:00:00Z",
                "comments": [
                    {"value": "First", "created_at": "2020-01-01T00:00:00Z"},
                    {"value": "Second", "created_at": "2020-01-05T00:00:00Z", "public": False},
                ],
            }
        },
    )["ticket"]

    comments = zendesk.get(f"/tickets/{ticket['id']}/comments")["comments"]
    assert (ticket["status"], ticket["created_at"], ticket["updated_at"]) == (
        "closed",
        "2020-01-01T00:00:00Z",
        "2020-02-01T00:00:00Z",
    )
    assert [(one["body"], one["created_at"], one["public"]) for one in comments] == [
        ("First", "2020-01-01T00:00:00Z", True),
        ("Second", "2020-01-05T00:00:00Z", False),
    ]


def test_a_job_tells_what_became_of_each(zendesk: Vendor) -> None:
    ids = [create(zendesk)["id"] for _ in range(2)]
    update(zendesk, ids[1], status="closed")

    job = zendesk.send(
        "PUT", f"/tickets/update_many?ids={ids[0]},{ids[1]},99", {"ticket": {"priority": "low"}}
    )

    done = zendesk.get(f"/job_statuses/{job['job_status']['id']}")["job_status"]
    assert (job["job_status"]["status"], done["status"], done["total"]) == ("queued", "completed", 3)
    assert [(one["id"], one["success"]) for one in done["results"]] == [
        (ids[0], True),
        (ids[1], False),
        (99, False),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/tickets/99", None, 404),
        ("GET", "/tickets/abc", None, 404),
        ("GET", "/tickets/99999999999999999999", None, 404),
        ("GET", "/nothing", None, 404),
        ("PUT", "/tickets/99", {"ticket": {}}, 404),
        ("POST", "/tickets", {"wrong": 1}, 400),
        ("GET", "/tickets?page[size]=101", None, 400),
        ("GET", "/tickets?page[size]=1&page[after]=nonsense", None, 400),
        ("GET", "/tickets/show_many?ids=" + ",".join(["1"] * 101), None, 400),
    ],
)
def test_a_bad_request_is_answered_as_one(
    zendesk: Vendor, method: str, path: str, body: Any, status: int
) -> None:
    assert zendesk(method, path, body).status_code == status


def test_a_body_that_is_no_json_is_a_400(zendesk: Vendor) -> None:
    assert (
        zendesk("POST", "/tickets", data=b"{", headers={"Content-Type": "application/json"}).status_code
        == 400
    )


# --- Pages ---


def test_comments_come_in_pages_both_ways(zendesk: Vendor) -> None:
    id_ = create(zendesk)["id"]
    for number in range(4):
        update(zendesk, id_, comment={"body": str(number)})

    def bodies(page: dict[str, Any]) -> list[str]:
        return [one["body"] for one in page["comments"]]

    first = zendesk.get(f"/tickets/{id_}/comments", **{"page[size]": "3"})
    second = zendesk("GET", first["links"]["next"]).json()
    back = zendesk("GET", second["links"]["prev"]).json()
    assert (bodies(first), first["meta"]["has_more"]) == (["Since noon", "0", "1"], True)
    assert (bodies(second), second["meta"]["has_more"]) == (["2", "3"], False)
    assert bodies(back) == ["Since noon", "0", "1"]

    numbered = zendesk.get(f"/tickets/{id_}/comments", per_page="3", sort_order="desc")
    assert (bodies(numbered), numbered["count"]) == (["3", "2", "1"], 5)
    assert bodies(zendesk("GET", numbered["next_page"]).json()) == ["0", "Since noon"]


# --- People beside a list ---


@pytest.mark.parametrize("path", ["audits", "comments"])
@pytest.mark.parametrize("paging", [{}, {"page[size]": 1}])
def test_the_people_of_a_page_stand_beside_it_only_when_they_are_asked_for(
    zendesk: Vendor, path: str, paging: dict[str, int]
) -> None:
    id_ = create(zendesk)["id"]
    zendesk.sandbox.act(
        {"do": "comment", "ticket": id_, "comment": {"text": "Seen"}, "as": "Ann <ann@partner.example>"}
    )

    asked = zendesk.get(f"/tickets/{id_}/{path}", include="users", **paging)
    plain = zendesk.get(f"/tickets/{id_}/{path}", **paging)

    assert {one["id"] for one in asked["users"]} == {one["author_id"] for one in asked[path]}
    assert [one["name"] for one in asked["users"]] == (["Concord"] if paging else ["Concord", "Ann"])
    assert "users" not in plain
