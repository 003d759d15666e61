"""Records of any shape inside a batch's answer: nothing but an error of ours may come of them."""

from __future__ import annotations

import base64
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.canonical import CommentDraft, Draft
from integrations.richtext.blocks import from_plain
from tests.integrations.connectors.bench import CASES, close, open_at, outcome
from tests.integrations.connectors.raw_server import Peer, answer, raw_server

NAMES = (
    "sys_id number state impact short_description description assigned_to sys_mod_count sys_created_on "
    "sys_updated_on sys_created_by sys_updated_by element value fieldname oldvalue newvalue record_checkpoint user "
    "file_name size_bytes content_type table_name table_sys_id correlation_id name label sequence internal_type "
    "max_length reference conditions model_table sys_data_policy field urgency priority email user_name"
).split()
TEXTS = st.sampled_from(
    ["", "1", "-3", "2", "2026-01-01 10:00:00", "2026-01-01T10:00:00+14:00", "0001-01-01 00:00:00", "soon", "a" * 32,
     "incident", "task", "comments", "work_notes", "[code]<b>x[/code]", "\ufeff", "9" * 30, "²", "state=3", "string"]
)  # fmt: skip
VALUES = (
    TEXTS
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.fixed_dictionaries({}, optional={"value": TEXTS | st.none() | st.integers(), "display_value": TEXTS})
    | st.lists(TEXTS, max_size=2)
)
RECORDS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12)
RESULTS = RECORDS | st.lists(RECORDS, max_size=4) | st.lists(VALUES, max_size=2) | VALUES


@settings(max_examples=150, deadline=None)
@given(
    results=st.lists(RESULTS, min_size=1, max_size=6),
    status=st.sampled_from([200, 200, 200, 201, 403, 404, 500]),
)
def test_no_record_whatever_its_shape_breaks_the_connector(results: list[object], status: int) -> None:
    def handle(peer: Peer) -> None:
        asked = 0
        while request := peer.read_request():
            body = request.partition(b"\r\n\r\n")[2]
            parts = json.loads(body)["rest_requests"] if b"/batch " in request.partition(b"\r\n")[0] else None
            told = [
                {"result": results[(asked + number) % len(results)]} for number in range(len(parts or [0]))
            ]
            asked += 1
            if parts is None:
                peer.send(answer(json.dumps(told[0]).encode(), Content_Type="application/json"))
                continue
            served = [
                {"id": part["id"], "status_code": status if number else 200, "body": _packed(told[number])}
                for number, part in enumerate(parts)
            ]
            peer.send(answer(json.dumps({"serviced_requests": served}).encode()))

    some_id = CASES["servicenow"].some_id
    body = CommentDraft(from_plain("Seen").as_value(), True, "m")
    with raw_server(handle) as server:
        connector = open_at({"base_url": server.url, "username": "x", "password": "x"}, "servicenow")
        for call in (
            connector.check,
            connector.fields,
            lambda: connector.history(some_id, ""),
            lambda: connector.history(
                some_id, '{"number":1,"at":"2026-01-01T10:00:00","seen":[],"marks":{"state":"x"}}'
            ),
            lambda: connector.read(some_id),
            lambda: connector.changed_since(""),
            lambda: connector.find("m"),
            lambda: connector.create(Draft({"short_description": "x"}, "m")),
            lambda: connector.update(some_id, {"state": "Resolved"}, current={"state": "New"}, marker="m"),
            lambda: connector.comment(some_id, body),
        ):
            outcome(call)
        close(connector)


def _packed(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()
