"""How the sandboxed ServiceNow treats records: sign-in, creating, updating, values and display values, the audit."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from integrations.sandbox.client import SandboxError
from integrations.sandbox.servicenow.system import ServiceNowSystem
from tests.integrations.sandbox.vendor import Vendor, vendor


def create(servicenow: Vendor, table: str = "incident", **fields: Any) -> dict[str, Any]:
    body = {"short_description": "VPN is down", **fields}
    return servicenow.send("POST", f"/table/{table}", body)["result"]


def update(servicenow: Vendor, record: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return servicenow.send("PATCH", f"/table/{record['sys_class_name']}/{record['sys_id']}", fields)["result"]


def found(servicenow: Vendor, table: str, query: str, **more: str) -> list[dict[str, Any]]:
    return servicenow.get(f"/table/{table}", sysparm_query=query, **more)["result"]


def failure(message: str, detail: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "detail": detail}, "status": "failure"}


MISSING = failure("No Record found", "Record doesn't exist or ACL restricts the record retrieval")
STRANGER = failure("User Not Authenticated", "Required to provide Auth information")


# --- Who may come in ---


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"concord:wrong").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"carl.caller:").decode()},
    ],
)
def test_a_stranger_is_turned_away(servicenow: Vendor, headers: dict[str, str]) -> None:
    servicenow.session.auth = None

    answer = servicenow("GET", "/table/incident", headers=headers)

    assert (answer.status_code, answer.json()) == (401, STRANGER)
    assert answer.headers["WWW-Authenticate"] == 'BASIC realm="Service-now"'


@pytest.mark.parametrize("values", [{"active": "false"}, {"locked_out": "true"}])
def test_a_user_who_was_shut_out_is_turned_away(servicenow: Vendor, values: dict[str, str]) -> None:
    system = servicenow.sandbox.state
    assert isinstance(system, ServiceNowSystem)
    with system.lock:
        user = system.instance.user("concord")
        assert user is not None
        system.instance.set(user, values, 0)

    assert servicenow("GET", "/table/incident").status_code == 401


def token(servicenow: Vendor, **form: str) -> tuple[int, dict[str, Any]]:
    client = {"client_id": "sandbox-client", "client_secret": "servicenow-sandbox-secret"}
    url = servicenow.sandbox.url + "/oauth_token.do"
    answer = servicenow("POST", url, data={**client, **form})
    return answer.status_code, answer.json()


def test_a_token_signs_in_until_it_ends(servicenow: Vendor) -> None:
    servicenow.session.auth = None
    sign_in = {"username": servicenow.sign_in["username"], "password": servicenow.sign_in["password"]}
    _, given = token(servicenow, grant_type="password", **sign_in)
    headers = {"Authorization": f"Bearer {given['access_token']}"}

    before = servicenow("GET", "/table/incident", headers=headers).status_code
    servicenow.clock.advance(given["expires_in"])
    after = servicenow("GET", "/table/incident", headers=headers).status_code
    _, renewed = token(servicenow, grant_type="refresh_token", refresh_token=given["refresh_token"])
    again = servicenow(
        "GET", "/table/incident", headers={"Authorization": f"Bearer {renewed['access_token']}"}
    )

    assert (before, after, again.status_code) == (200, 401, 200)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password", "username": "concord", "password": "wrong"}, "access_denied"),
        ({"grant_type": "refresh_token", "refresh_token": "made up"}, "access_denied"),
        ({"grant_type": "client_credentials", "client_secret": "wrong"}, "invalid_client"),
    ],
)
def test_no_token_is_given_away(servicenow: Vendor, form: dict[str, str], error: str) -> None:
    servicenow.session.auth = None

    status, told = token(servicenow, **form)

    assert (status, told["error"]) == (401, error)


# --- Creating ---


def test_an_incident_is_created_with_what_follows_from_it(servicenow: Vendor) -> None:
    answer = servicenow(
        "POST",
        "/table/incident?sysparm_exclude_reference_link=true",
        {"short_description": "VPN is down", "impact": 1, "urgency": "2", "correlation_id": "ours-1"},
    )

    me = servicenow.get("/table/sys_user", sysparm_query="user_name=concord")["result"][0]["sys_id"]
    record = answer.json()["result"]
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/api/now/table/incident/{record['sys_id']}")
    assert {name: value for name, value in record.items() if value} == {
        "sys_id": record["sys_id"],
        "number": "INC0010001",
        "task_effective_number": "INC0010001",
        "sys_class_name": "incident",
        "short_description": "VPN is down",
        "impact": "1",
        "urgency": "2",
        "priority": "2",
        "severity": "3",
        "escalation": "0",
        "state": "1",
        "incident_state": "1",
        "active": "true",
        "knowledge": "false",
        "made_sla": "true",
        "category": "inquiry",
        "notify": "1",
        "approval": "not requested",
        "upon_approval": "proceed",
        "upon_reject": "cancel",
        "correlation_id": "ours-1",
        "opened_at": "2026-03-02 12:00:00",
        "opened_by": me,
        "sys_created_on": "2026-03-02 12:00:00",
        "sys_updated_on": "2026-03-02 12:00:00",
        "sys_created_by": "concord",
        "sys_updated_by": "concord",
        "sys_mod_count": "0",
        "sys_domain": "global",
        "sys_domain_path": "/",
        "reassignment_count": "0",
        "reopen_count": "0",
        "child_incidents": "0",
    }


@pytest.mark.parametrize(
    ("table", "number", "state"),
    [
        ("incident", "INC0010001", "1"),
        ("problem", "PRB0040001", "101"),
        ("change_request", "CHG0030001", "-5"),
    ],
)
def test_each_kind_of_work_has_its_numbers_and_first_state(
    servicenow: Vendor, table: str, number: str, state: str
) -> None:
    record = create(servicenow, table)

    assert (record["number"], record["state"], record["sys_class_name"]) == (number, state, table)
    assert [one["number"] for one in found(servicenow, "task", "active=true")] == [number]


def test_only_the_first_of_several_records_is_created(servicenow: Vendor) -> None:
    body = [{"short_description": "One"}, {"short_description": "Two"}]
    made = servicenow.send("POST", "/table/incident", body)["result"]

    assert (made["short_description"], len(found(servicenow, "incident", ""))) == ("One", 1)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"sys_id": "0" * 32, "number": "INC1", "sys_created_by": "admin", "no_such_field": "x"}, {}),
        ({"short_description": "x" * 200}, {"short_description": "x" * 160}),
        ({"impact": "much"}, {"impact": "3"}),
        ({"due_date": "soon"}, {"due_date": ""}),
        ({"knowledge": True, "business_stc": 12}, {"knowledge": "true", "business_stc": "12"}),
        ({"due_date": "2026-03-04 05:06:07"}, {"due_date": "2026-03-04 05:06:07"}),
        ({"caller_id": "Carl Caller"}, {"caller_id": ""}),
        ({"close_code": "Made up"}, {"close_code": "Made up"}),
    ],
)
def test_a_field_keeps_what_it_can_hold_without_a_word(
    servicenow: Vendor, given: dict[str, Any], kept: dict[str, str]
) -> None:
    record = create(servicenow, **given)

    assert {name: record[name] for name in kept} == kept
    assert (record["number"], record["sys_created_by"]) == ("INC0010001", "concord")
    assert record["sys_id"] != "0" * 32


def test_display_values_are_taken_where_that_is_asked_for(servicenow: Vendor) -> None:
    servicenow.sandbox.settings(time_zone="Europe/Amsterdam")
    body = {
        "short_description": "x",
        "caller_id": "Carl Caller",
        "assigned_to": "ada.agent",
        "assignment_group": "Network",
        "impact": "1 - High",
        "category": "Network",
        "due_date": "2026-03-04 05:06:07",
    }

    path = "/table/incident?sysparm_input_display_value=true&sysparm_display_value=true"
    shown = servicenow.send("POST", path + "&sysparm_exclude_reference_link=true", body)["result"]
    kept = found(servicenow, "incident", "")[0]

    assert {name: shown[name] for name in body} == {**body, "assigned_to": "Ada Agent"}
    assert {name: kept[name] for name in ("impact", "category", "due_date")} == {
        "impact": "1",
        "category": "network",
        "due_date": "2026-03-04 04:06:07",
    }


# --- Reading ---


def test_a_reference_is_a_link_and_an_empty_one_is_nothing(servicenow: Vendor) -> None:
    group = found(servicenow, "sys_user_group", "name=Network")[0]["sys_id"]
    record = create(servicenow, assignment_group=group)
    link = f"{servicenow.sandbox.url}/api/now/table/sys_user_group/{group}"

    def shown(**how: str) -> tuple[Any, Any]:
        again = servicenow.get(f"/table/incident/{record['sys_id']}", **how)["result"]
        return again["assignment_group"], again["assigned_to"]

    assert shown() == ({"link": link, "value": group}, "")
    assert shown(sysparm_exclude_reference_link="true") == (group, "")
    assert shown(sysparm_display_value="true") == ({"display_value": "Network", "link": link}, "")
    assert shown(sysparm_display_value="true", sysparm_exclude_reference_link="true") == ("Network", "")
    assert shown(sysparm_display_value="all") == (
        {"display_value": "Network", "value": group, "link": link},
        {"display_value": "", "value": ""},
    )
    assert servicenow.get(link)["result"]["name"] == "Network"


def test_times_are_utc_and_for_people_in_their_zone(servicenow: Vendor) -> None:
    servicenow.sandbox.settings(time_zone="America/New_York")
    record = create(servicenow)

    again = servicenow.get(f"/table/incident/{record['sys_id']}", sysparm_display_value="all")["result"]

    assert again["sys_created_on"] == {"display_value": "2026-03-02 07:00:00", "value": "2026-03-02 12:00:00"}


def test_fields_are_chosen_and_reached_through_references(servicenow: Vendor) -> None:
    carl = found(servicenow, "sys_user", "email=carl@partner.example")[0]["sys_id"]
    record = create(servicenow, caller_id=carl)

    fields = "number,caller_id.email,caller_id.company.name,no_such,caller_id.no_such,assigned_to.email"
    again = servicenow.get(f"/table/incident/{record['sys_id']}", sysparm_fields=fields)["result"]

    assert again == {
        "number": "INC0010001",
        "caller_id.email": "carl@partner.example",
        "caller_id.company.name": "Partner Ltd",
        "assigned_to.email": "",
    }


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/table/no_such_table", 400, failure("Invalid table no_such_table")),
        ("/table/incident/" + "0" * 32, 404, MISSING),
        ("/v1/table/incident", 404, MISSING),
        ("/v2/table/incident", 200, {"result": []}),
        ("/no/such/address", 400, failure("Requested URI does not represent any resource")),
    ],
)
def test_what_is_not_there_is_told_as_the_vendor_tells_it(
    servicenow: Vendor, path: str, status: int, body: Any
) -> None:
    answer = servicenow("GET", path)

    assert (answer.status_code, answer.json()) == (status, body)


# --- Updating ---


def test_patch_and_put_change_only_what_is_named(servicenow: Vendor) -> None:
    record = create(servicenow, description="Since noon")
    servicenow.clock.advance(61)

    for method, name in (("PATCH", "Slow"), ("PUT", "Slower")):
        path = f"/table/incident/{record['sys_id']}"
        again = servicenow.send(method, path, {"short_description": name})["result"]
        assert (again["short_description"], again["description"]) == (name, "Since noon")

    assert (again["sys_mod_count"], again["sys_updated_on"], again["sys_created_on"]) == (
        "2",
        "2026-03-02 12:01:01",
        "2026-03-02 12:00:00",
    )


def test_an_update_that_changes_nothing_leaves_no_trace(servicenow: Vendor) -> None:
    record = create(servicenow)
    servicenow.clock.advance(60)

    again = update(servicenow, record, short_description="VPN is down", impact="3")

    assert (again["sys_mod_count"], again["sys_updated_on"]) == ("0", "2026-03-02 12:00:00")
    assert found(servicenow, "sys_audit", "") == []


def test_an_empty_text_clears_a_field_but_not_a_choice(servicenow: Vendor) -> None:
    record = create(servicenow, description="Since noon", category="network", u_partner_reference="P-1")

    again = update(servicenow, record, description="", category="", u_partner_reference="")

    assert (again["description"], again["category"], again["u_partner_reference"]) == ("", "network", "")


def test_a_write_can_be_answered_without_a_body_and_sent_as_a_post(servicenow: Vendor) -> None:
    record = create(servicenow)
    path = f"/table/incident/{record['sys_id']}"

    headers = {"X-no-response-body": "true", "X-HTTP-Method-Override": "PATCH"}
    answer = servicenow("POST", path, {"impact": "1"}, headers=headers)

    assert (answer.status_code, answer.content) == (200, b"")
    assert servicenow.get(path)["result"]["impact"] == "1"


@pytest.mark.parametrize(
    ("method", "headers", "message"),
    [
        ("GET", {"Accept": None}, "Bad Request"),
        ("POST", {"Content-Type": None}, "Bad Request"),
        ("POST", {"Content-Type": "application/json"}, "Exception while reading request"),
    ],
)
def test_a_request_needs_its_headers_and_a_body_that_can_be_read(
    servicenow: Vendor, method: str, headers: dict[str, Any], message: str
) -> None:
    answer = servicenow(method, "/table/incident", data=b"not JSON", headers=headers)

    assert (answer.status_code, answer.json()["error"]["message"]) == (400, message)


# --- Journal ---


def test_comments_and_work_notes_become_entries_of_the_journal(servicenow: Vendor) -> None:
    record = create(servicenow, comments="For the caller")
    servicenow.clock.advance(5)

    again = update(servicenow, record, work_notes="For us", comments="For the caller too")

    assert (again["comments"], again["work_notes"], again["comments_and_work_notes"]) == ("", "", "")
    assert (again["sys_mod_count"], again["sys_updated_on"]) == ("1", "2026-03-02 12:00:05")
    query = f"element_id={record['sys_id']}^ORDERBYsys_created_on^ORDERBYelement"
    assert [
        (one["name"], one["element"], one["value"], one["sys_created_by"], one["sys_created_on"])
        for one in found(servicenow, "sys_journal_field", query)
    ] == [
        ("incident", "comments", "For the caller", "concord", "2026-03-02 12:00:00"),
        ("incident", "comments", "For the caller too", "concord", "2026-03-02 12:00:05"),
        ("incident", "work_notes", "For us", "concord", "2026-03-02 12:00:05"),
    ]


def test_a_journal_field_is_shown_with_all_its_entries_newest_first(servicenow: Vendor) -> None:
    servicenow.sandbox.settings(time_zone="Europe/Amsterdam")
    record = create(servicenow, comments="First")
    servicenow.clock.advance(5)
    update(servicenow, record, comments="Second")

    path = f"/table/incident/{record['sys_id']}"
    again = servicenow.get(path, sysparm_display_value="all", sysparm_fields="comments,work_notes")["result"]

    assert again == {
        "comments": {
            "display_value": "2026-03-02 13:00:05 - Concord (Additional comments)\nSecond\n\n"
            "2026-03-02 13:00:00 - Concord (Additional comments)\nFirst\n\n",
            "value": "",
        },
        "work_notes": {"display_value": "", "value": ""},
    }


# --- Audit ---


def audit(servicenow: Vendor, record: dict[str, Any]) -> list[tuple[str, ...]]:
    query = f"documentkey={record['sys_id']}^ORDERBYrecord_checkpoint^ORDERBYfieldname"
    names = ("record_checkpoint", "fieldname", "oldvalue", "newvalue", "user")
    return [tuple(one[name] for name in names) for one in found(servicenow, "sys_audit", query)]


def test_the_audit_tells_each_update_under_its_count(servicenow: Vendor) -> None:
    record = create(servicenow, comments="Hello")
    update(servicenow, record, impact="1", short_description="Slow")
    servicenow.sandbox.act({"do": "comment", "ticket": record["sys_id"], "comment": "On it"})

    assert audit(servicenow, record) == [
        ("1", "impact", "3", "1", "concord"),
        ("1", "priority", "5", "3", "concord"),
        ("1", "short_description", "VPN is down", "Slow", "concord"),
        ("2", "comments", "", "On it", "ada.agent"),
    ]


def test_the_audit_may_tell_of_creations_too() -> None:
    with vendor("servicenow", audit_inserts=True) as servicenow:
        record = create(servicenow, comments="Hello")

        told = audit(servicenow, record)

    assert {one[0] for one in told} == {"0"}
    assert ("0", "short_description", "", "VPN is down", "concord") in told
    assert ("0", "comments", "", "Hello", "concord") in told


# --- Deleting ---


def test_a_deletion_takes_a_role_and_is_kept_in_the_audit_of_deletions() -> None:
    with vendor("servicenow", roles=["itil", "itil_admin"]) as servicenow:
        record = create(servicenow)
        path = f"/table/incident/{record['sys_id']}"
        servicenow("POST", f"/attachment/file?table_name=incident&table_sys_id={record['sys_id']}&file_name=a",
                   data=b"x", headers={"Content-Type": "text/plain"})  # fmt: skip

        first, second = servicenow("DELETE", path), servicenow("DELETE", path)

        assert (first.status_code, first.content) == (204, b"")
        assert (second.status_code, second.json()) == (404, MISSING)
        (told,) = found(servicenow, "sys_audit_delete", f"documentkey={record['sys_id']}")
        assert (told["tablename"], told["display_value"], told["user"]) == (
            "incident",
            "INC0010001",
            "concord",
        )
        assert servicenow.get("/attachment")["result"] == []


# --- Rights ---


def test_who_may_not_delete_is_told_so_and_nothing_happens(servicenow: Vendor) -> None:
    record = create(servicenow)
    path = f"/table/incident/{record['sys_id']}"

    answer = servicenow("DELETE", path)

    denied = failure("Operation Failed", "ACL Exception Delete Failed due to security constraints")
    assert (answer.status_code, answer.json()) == (403, denied)
    assert servicenow("GET", path).status_code == 200


@pytest.mark.parametrize(
    ("roles", "read", "write"),
    [
        (["itil"], 200, 200),
        (["sn_incident_read"], 200, 403),
        (["sn_incident_write"], 200, 200),
        (["sn_problem_write"], 404, 404),
        ([], 404, 404),
    ],
)
def test_roles_decide_what_is_seen_and_written(
    servicenow: Vendor, roles: list[str], read: int, write: int
) -> None:
    record = create(servicenow)
    servicenow.sandbox.settings(roles=roles)
    path = f"/table/incident/{record['sys_id']}"

    answers = servicenow("GET", path), servicenow("PATCH", path, {"impact": "1"})

    assert [one.status_code for one in answers] == [read, write]
    me = found(servicenow, "sys_user", "user_name=javascript:gs.getUserName()")[0]["sys_id"]
    told = found(servicenow, "sys_user_has_role", f"user={me}", sysparm_display_value="true")
    assert [one["role"]["display_value"] for one in told] == roles


def test_a_table_that_is_closed_to_web_services_says_so(servicenow: Vendor) -> None:
    servicenow.sandbox.settings(closed_tables=["sys_audit"])

    answer = servicenow("GET", "/table/sys_audit")

    denied = failure("User Not Authorized", "Failed API level ACL Validation")
    assert (answer.status_code, answer.json()) == (403, denied)


def test_hidden_records_count_but_do_not_show(servicenow: Vendor) -> None:
    numbers = [create(servicenow)["number"] for _ in range(5)]
    servicenow.sandbox.settings(hidden_records=numbers[:2])

    query = {"sysparm_query": "ORDERBYnumber", "sysparm_limit": "2"}
    pages = [servicenow("GET", "/table/incident", params={**query, "sysparm_offset": at}) for at in (0, 2, 4)]

    assert [[one["number"] for one in page.json()["result"]] for page in pages] == [
        [],
        numbers[2:4],
        numbers[4:],
    ]
    assert {page.headers["X-Total-Count"] for page in pages} == {"5"}


def test_a_hidden_record_is_as_if_it_were_not_there(servicenow: Vendor) -> None:
    record = create(servicenow)
    servicenow.sandbox.settings(hidden_records=[record["sys_id"]])
    path = f"/table/incident/{record['sys_id']}"

    for method, body in (("GET", None), ("PATCH", {"impact": "1"}), ("DELETE", None)):
        answer = servicenow(method, path, body)
        assert (answer.status_code, answer.json()) == (404, MISSING)


def test_a_hidden_field_is_absent_and_an_unwritable_one_stays_as_it_is(servicenow: Vendor) -> None:
    record = create(servicenow, description="Since noon")
    servicenow.sandbox.settings(
        hidden_fields=["incident.close_notes"], unwritable_fields=["incident.description"]
    )

    again = update(servicenow, record, description="Since one", impact="1")

    assert "close_notes" not in again
    assert (again["description"], again["impact"]) == ("Since noon", "1")


def test_a_hidden_table_shows_no_rows(servicenow: Vendor) -> None:
    create(servicenow, comments="Hello")
    servicenow.sandbox.settings(hidden_tables=["sys_journal_field"])

    answer = servicenow("GET", "/table/sys_journal_field")

    assert (answer.json(), answer.headers["X-Total-Count"]) == ({"result": []}, "1")


# --- The instance about itself ---


def test_the_dictionary_tells_types_and_lengths(servicenow: Vendor) -> None:
    def told(table: str, element: str) -> dict[str, Any]:
        (one,) = found(servicenow, "sys_dictionary", f"name={table}^element={element}")
        return one

    title = told("task", "short_description")
    assert (title["max_length"], title["internal_type"]["value"], title["mandatory"]) == (
        "160",
        "string",
        "true",
    )
    assert told("incident", "caller_id")["reference"]["value"] == "sys_user"
    assert told("incident", "u_partner_reference")["max_length"] == "100"
    # What is inherited as it is, is told once.
    assert found(servicenow, "sys_dictionary", "name=incident^element=short_description") == []


def test_choices_are_told_and_follow_the_settings(servicenow: Vendor) -> None:
    def told(element: str) -> list[tuple[str, str]]:
        query = f"name=incident^element={element}^ORDERBYsequence"
        return [(one["value"], one["label"]) for one in found(servicenow, "sys_choice", query)]

    assert told("state") == [
        ("1", "New"),
        ("2", "In Progress"),
        ("3", "On Hold"),
        ("6", "Resolved"),
        ("7", "Closed"),
        ("8", "Canceled"),
    ]
    assert ("Solution provided", "Solution provided") in told("close_code")

    servicenow.sandbox.settings(
        choices={"incident.close_code": [["Solved (Permanently)", "Solved (Permanently)"]]},
        max_lengths={"incident.short_description": 80},
        missing_fields=["incident.u_service_tier"],
    )

    assert told("close_code") == [("Solved (Permanently)", "Solved (Permanently)")]
    assert create(servicenow, short_description="x" * 90)["short_description"] == "x" * 80
    assert "u_service_tier" not in create(servicenow)
    assert told("u_service_tier") == []


@pytest.mark.parametrize(
    "settings",
    [
        {"custom_fields": [{"table": "nowhere", "name": "u_x", "label": "X"}]},
        {"data_policies": [{"table": "incident"}]},
        {"time_zone": "Nowhere/Land"},
    ],
)
def test_settings_that_make_no_tables_are_refused_and_change_nothing(
    servicenow: Vendor, settings: dict[str, Any]
) -> None:
    before = servicenow.sandbox.settings()
    with pytest.raises(SandboxError, match="cannot be made so"):
        servicenow.sandbox.settings(**settings)

    assert servicenow.sandbox.settings() == before
    assert create(servicenow)["u_partner_reference"] == ""


# --- Limits and sleep ---


def test_a_rate_limit_rule_counts_by_the_hour() -> None:
    with vendor("servicenow", requests_per_hour=2) as servicenow:
        servicenow.clock.advance(600)
        answers = [servicenow("GET", "/table/incident") for _ in range(3)]
        servicenow.clock.advance(50 * 60)
        later = servicenow("GET", "/table/incident")

    over = answers[2]
    assert [one.status_code for one in (*answers, later)] == [200, 200, 429, 200]
    assert over.json() == failure(
        "Rate limit exceeded", "Rate limit of 2 requests per hour for Table API exceeded"
    )
    assert over.headers["Retry-After"] == "3000"
    assert {one.headers["X-RateLimit-Reset"] for one in answers} == {"1772456400"}
    assert {one.headers["X-RateLimit-Limit"] for one in answers} == {"2"}
    assert len(over.headers["X-RateLimit-Rule"]) == 32


def test_a_sleeping_instance_answers_with_a_page_and_200(servicenow: Vendor) -> None:
    servicenow.sandbox.settings(hibernating=True)

    answer = servicenow("GET", "/table/incident")

    assert (answer.status_code, "Hibernating" in answer.text) == (200, True)
    assert answer.headers["Content-Type"].startswith("text/html")
