"""The web hooks that our business rule sends from ServiceNow, and the rule itself, run as ServiceNow would."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.connectors.errors import HookRefused
from integrations.connectors.protocol import Hook, HookRequest
from integrations.connectors.servicenow import webhooks

NOW = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
SYS_ID = "9d385017c611228701d22104cc95c371"
VALUE: dict[str, Any] = {
    "id": "d1", "table": "incident", "sys_id": SYS_ID, "number": "INC0010001", "updated_by": "ann.lee",
    "updated_by_id": "5137153cc611227c000bbd1bd8cd2007", "mod_count": 3, "sent_at": "2026-01-01 10:00:00",
}  # fmt: skip


def hook(value: object, *, secret: str = "s3cret", at: datetime = NOW, **headers: str) -> HookRequest:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + content, hashlib.sha256).hexdigest()
    signed = {"x-concord-timestamp": timestamp, "x-concord-signature": f"sha256={digest}"}
    return HookRequest({**signed, **headers}, content, NOW)


def test_a_genuine_hook_names_its_record_and_who_acted() -> None:
    expected = Hook("d1", (f"incident:{SYS_ID}",), "ann.lee")
    assert webhooks.verify(hook(VALUE), ["", "new", "s3cret"]) == expected


def test_a_hook_without_an_id_is_known_by_its_body() -> None:
    told = webhooks.verify(hook({**VALUE, "id": None}), ["s3cret"]).delivery_id
    assert told == hashlib.sha256(json.dumps({**VALUE, "id": None}).encode()).hexdigest()


@pytest.mark.parametrize(
    "request_",
    [
        hook(VALUE, secret="other"),
        hook(VALUE, at=NOW - timedelta(minutes=6)),
        hook(VALUE, at=NOW + timedelta(minutes=6)),
        hook(VALUE, **{"x-concord-timestamp": "now"}),
        hook(VALUE, **{"x-concord-timestamp": "9" * 40}),
        hook(VALUE, **{"x-concord-signature": ""}),
        hook(VALUE, **{"x-concord-signature": "sha1=abc"}),
        hook(b"{"),
        hook([]),
        hook({**VALUE, "table": "../sys_user"}),
        hook({**VALUE, "sys_id": "a/b"}),
        hook({**VALUE, "sys_id": 5}),
        hook(b" " * 70_000),
    ],
)
def test_anything_else_is_refused(request_: HookRequest) -> None:
    with pytest.raises(HookRefused):
        webhooks.verify(request_, ["s3cret"])


# What the script meets in ServiceNow, as far as it uses it.
INSTANCE = """
const crypto = require('crypto');
const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const sent = [], warned = [];
const gs = {
    getProperty: name => asked.properties[name],
    generateGUID: () => asked.guid,
    getUserID: () => '5137153cc611227c000bbd1bd8cd2007',
    warn: text => warned.push(text),
};
function GlideDateTime() {
    this.getValue = () => '2026-01-01 10:00:00';
    this.getNumericValue = () => 1767261600000;
}
const GlideStringUtil = {base64Encode: text => Buffer.from(text, 'utf8').toString('base64')};
function GlideCertificateEncryption() {
    this.generateMac = (key, algorithm, data) => {
        if (algorithm !== 'HmacSHA256') throw new Error(algorithm);
        return crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(data, 'utf8').digest('base64');
    };
}
const sn_ws = {RESTMessageV2: function () {
    const request = {headers: {}};
    this.setHttpMethod = value => { request.method = value; };
    this.setEndpoint = value => { request.url = value; };
    this.setHttpTimeout = () => {};
    this.setRequestHeader = (name, value) => { request.headers[name.toLowerCase()] = value; };
    this.setRequestBody = value => { request.body = value; };
    this.execute = () => {
        if (asked.status === 0) throw new Error('no route to host');
        sent.push(request);
        return {getStatusCode: () => asked.status};
    };
}};
const current = {
    getTableName: () => asked.table,
    getUniqueValue: () => asked.values.sys_id,
    getValue: name => name in asked.values ? asked.values[name] : null,
}, previous = null;
"""


def run(script: str, **asked: Any) -> dict[str, Any]:
    """Run a rule's script with a record; what it sent and warned of."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no JavaScript here to run the rule with")
    told = {
        "properties": {
            webhooks.URL_PROPERTY: "https://concord.example/hooks/abc",
            webhooks.SECRET_PROPERTY: "sécret 🔑",
        },
        "guid": "0123456789abcdef0123456789abcdef",
        "table": "incident",
        "values": {"sys_id": SYS_ID, "number": "INC0010001", "sys_updated_by": "zoë", "sys_mod_count": "7"},
        "status": 202,
        **asked,
    }
    program = f"{INSTANCE}\n{script}\nconsole.log(JSON.stringify({{sent, warned}}));"
    done = subprocess.run(
        [node, "-e", program], input=json.dumps(told), capture_output=True, text=True, check=True, timeout=30
    )
    return json.loads(done.stdout)


def test_the_rule_that_is_pasted_sends_what_is_proven_here() -> None:
    (sent,) = run(webhooks.SCRIPT)["sent"]
    assert (sent["method"], sent["url"]) == ("POST", "https://concord.example/hooks/abc")
    assert sent["body"].isascii()
    assert json.loads(sent["body"]) == {
        "id": "0123456789abcdef0123456789abcdef",
        "table": "incident",
        "sys_id": SYS_ID,
        "number": "INC0010001",
        "updated_by": "zoë",
        "updated_by_id": "5137153cc611227c000bbd1bd8cd2007",
        "mod_count": 7,
        "sent_at": "2026-01-01 10:00:00",
    }
    request = HookRequest(sent["headers"], sent["body"].encode(), NOW)
    assert webhooks.verify(request, ["old", "sécret 🔑"]) == Hook(
        "0123456789abcdef0123456789abcdef", (f"incident:{SYS_ID}",), "zoë"
    )


def test_the_rule_for_files_names_the_record_they_hang_on() -> None:
    values = {"sys_id": "f" * 32, "table_name": "problem", "table_sys_id": SYS_ID, "sys_updated_by": "ann"}
    (sent,) = run(webhooks.FILE_SCRIPT, table="sys_attachment", values=values)["sent"]
    request = HookRequest(sent["headers"], sent["body"].encode(), NOW)
    assert webhooks.verify(request, ["sécret 🔑"]).remote_ids == (f"problem:{SYS_ID}",)


def test_the_rule_never_fails_whatever_becomes_of_its_message() -> None:
    assert run(webhooks.SCRIPT, properties={})["sent"] == []
    assert "503" in run(webhooks.SCRIPT, status=503)["warned"][0]
    assert "no route" in run(webhooks.SCRIPT, status=0)["warned"][0]


def test_the_steps_hold_the_address_the_tables_and_both_scripts() -> None:
    steps = "\n".join(webhooks.steps("https://concord.example/hooks/abc", ["incident", "problem"]))
    for part in (
        "https://concord.example/hooks/abc",
        "incident, problem",
        webhooks.SCRIPT,
        webhooks.FILE_SCRIPT,
    ):
        assert part in steps
