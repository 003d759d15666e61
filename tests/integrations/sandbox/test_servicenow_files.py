"""Attachments and batches of the sandboxed ServiceNow."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
import requests

from tests.integrations.sandbox.test_servicenow_records import MISSING, create, found
from tests.integrations.sandbox.vendor import Vendor


def attach(
    servicenow: Vendor, record: dict[str, Any], name: str, data: bytes, **more: Any
) -> requests.Response:
    query = {"table_name": "incident", "table_sys_id": record["sys_id"], "file_name": name}
    headers = {"Content-Type": "text/plain", **more}
    return servicenow("POST", "/attachment/file", params=query, data=data, headers=headers)


@pytest.mark.parametrize("name", ["log.txt", "報告書 (最終) & co,.txt", "no extension", "a'b\"c.txt"])
def test_a_file_comes_back_as_it_went(servicenow: Vendor, name: str) -> None:
    record = create(servicenow)
    data = bytes(range(256)) * 100

    answer = attach(servicenow, record, name, data)

    made = answer.json()["result"]
    link = f"{servicenow.sandbox.url}/api/now/attachment/{made['sys_id']}"
    assert (answer.status_code, answer.headers["Location"]) == (201, link)
    assert {
        key: made[key] for key in ("file_name", "size_bytes", "content_type", "hash", "download_link")
    } == {
        "file_name": name,
        "size_bytes": "25600",
        "content_type": "text/plain",
        "hash": hashlib.sha256(data).hexdigest(),
        "download_link": f"{link}/file",
    }
    file = servicenow("GET", made["download_link"])
    assert (file.content, file.headers["Content-Type"]) == (data, "text/plain")
    assert json.loads(file.headers["X-Attachment-Metadata"]) == made
    assert servicenow.get(f"/attachment/{made['sys_id']}")["result"] == made
    assert found(servicenow, "sys_attachment", f"table_sys_id={record['sys_id']}")[0]["file_name"] == name


def test_a_form_with_the_file_as_its_last_part_attaches_too(servicenow: Vendor) -> None:
    record = create(servicenow)
    form = {"table_name": "incident", "table_sys_id": record["sys_id"]}
    file = {"uploadFile": ("log.txt", b"a line", "text/plain")}

    answer = servicenow("POST", "/attachment/upload", data=form, files=file)
    early = servicenow("POST", "/attachment/upload", files={**file, "table_name": (None, "incident")})

    assert (answer.status_code, answer.json()["result"]["size_bytes"]) == (201, "6")
    assert (early.status_code, early.json()["error"]["detail"]) == (400, "The file must be the last part")


def test_files_are_listed_by_what_they_hang_on(servicenow: Vendor) -> None:
    records = [create(servicenow) for _ in range(2)]
    for record in records:
        for number in range(3):
            attach(servicenow, record, f"{number}.txt", b"x")

    query = f"table_name=incident^table_sys_id={records[1]['sys_id']}^ORDERBYfile_name"
    page = servicenow("GET", "/attachment", params={"sysparm_query": query, "sysparm_limit": "2"})

    assert [one["file_name"] for one in page.json()["result"]] == ["0.txt", "1.txt"]
    assert (page.headers["X-Total-Count"], sorted(page.links)) == ("3", ["first", "last", "next"])


def test_a_file_does_not_touch_its_record(servicenow: Vendor) -> None:
    record = create(servicenow)
    servicenow.clock.advance(60)
    attach(servicenow, record, "log.txt", b"x")

    again = servicenow.get(f"/table/incident/{record['sys_id']}")["result"]

    assert (again["sys_mod_count"], again["sys_updated_on"]) == ("0", "2026-03-02 12:00:00")


def test_a_file_is_as_visible_as_its_record(servicenow: Vendor) -> None:
    record = create(servicenow)
    id_ = attach(servicenow, record, "log.txt", b"x").json()["result"]["sys_id"]
    servicenow.sandbox.settings(hidden_records=[record["sys_id"]])

    answers = [servicenow("GET", f"/attachment/{id_}{path}") for path in ("", "/file")]

    assert [(one.status_code, one.json()) for one in answers] == [(404, MISSING)] * 2
    assert servicenow.get("/attachment")["result"] == []


def test_a_file_is_taken_away(servicenow: Vendor) -> None:
    record = create(servicenow)
    ours = attach(servicenow, record, "log.txt", b"x").json()["result"]["sys_id"]
    servicenow.sandbox.act(
        {"do": "attach", "ticket": record["sys_id"], "file": {"name": "theirs.txt", "text": "x"}}
    )
    theirs = found(servicenow, "sys_attachment", "file_name=theirs.txt")[0]["sys_id"]

    answers = [servicenow("DELETE", f"/attachment/{one}").status_code for one in (ours, ours, theirs)]

    assert answers == [204, 404, 403]


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"file_name": ""}, 400, "Missing parameter"),
        ({"table_name": "no_such_table"}, 400, "Invalid table no_such_table"),
        ({"table_sys_id": "0" * 32}, 404, "No Record found"),
        ({"file_name": "evil.exe"}, 400, "Invalid file type"),
        ({"file_name": "noextension"}, 400, "Invalid file type"),
        ({"file_name": "big.txt"}, 413, "Request Entity Too Large"),
    ],
)
def test_what_cannot_be_attached_is_told(
    servicenow: Vendor, change: dict[str, str], status: int, message: str
) -> None:
    servicenow.sandbox.settings(max_attachment_bytes=3, attachment_extensions="txt, log")
    query = {"table_name": "incident", "table_sys_id": create(servicenow)["sys_id"], "file_name": "a.txt"}
    data = b"four" if "big" in change.get("file_name", "") else b"x"

    answer = servicenow("POST", "/attachment/file", params={**query, **change}, data=data,
                        headers={"Content-Type": "text/plain"})  # fmt: skip

    assert (answer.status_code, answer.json()["error"]["message"]) == (status, message)


def test_a_file_needs_a_content_type(servicenow: Vendor) -> None:
    answer = attach(servicenow, create(servicenow), "a.txt", b"x", **{"Content-Type": None})

    assert answer.status_code == 400


# --- Batches ---


def test_a_batch_does_one_after_the_other_each_with_its_own_outcome(servicenow: Vendor) -> None:
    record = create(servicenow)

    def wanted(id_: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
        one: dict[str, Any] = {"id": id_, "method": method, "url": f"/api/now/table/{path}"}
        if body is not None:
            one["body"] = base64.b64encode(json.dumps(body).encode()).decode()
        return one

    asked = [
        wanted("1", "PATCH", f"incident/{record['sys_id']}", {"impact": "1"}),
        {**wanted("2", "GET", "incident?sysparm_fields=impact"), "exclude_response_headers": True},
        wanted("3", "GET", "incident/" + "0" * 32),
    ]
    told = servicenow.send("POST", "/v1/batch", {"batch_request_id": 7, "rest_requests": asked})

    assert (told["batch_request_id"], told["unserviced_requests"]) == ("7", [])
    assert [(one["id"], one["status_code"], "headers" in one) for one in told["serviced_requests"]] == [
        ("1", 200, True),
        ("2", 200, False),
        ("3", 404, True),
    ]
    bodies = [json.loads(base64.b64decode(one["body"])) for one in told["serviced_requests"]]
    assert bodies[1:] == [{"result": [{"impact": "1"}]}, MISSING]


@pytest.mark.parametrize(
    "body",
    [{}, {"rest_requests": [{"id": "1", "method": "POST", "url": "/api/now/table/incident", "body": "%"}]}],
)
def test_a_batch_that_makes_no_sense_is_refused(servicenow: Vendor, body: Any) -> None:
    answer = servicenow("POST", "/v1/batch", body)

    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Invalid batch request")
