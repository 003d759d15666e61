"""The web hooks that a business rule of ours sends from ServiceNow: its script, and proving that a hook is genuine.  Pure.

ServiceNow has no web hooks of its own.  The rule sends
`{"id", "table", "sys_id", "number", "updated_by", "updated_by_id", "mod_count", "sent_at"}` as JSON in plain ASCII, with
`X-Concord-Timestamp` (Unix seconds) and `X-Concord-Signature: sha256=<hex of HMAC-SHA256(secret, timestamp "." body)>`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from integrations.connectors.errors import HookRefused
from integrations.connectors.protocol import Hook, HookRequest
from integrations.connectors.servicenow.polling import remote_id

WINDOW = timedelta(minutes=5)
MAX_BODY_BYTES = 64 * 1024
URL_PROPERTY = "concord.webhook.url"
SECRET_PROPERTY = "concord.webhook.secret"  # noqa: S105
_METHOD = "sha256="
_MAX_ID_CHARS = 200


def verify(request: HookRequest, secrets: Sequence[str]) -> Hook:
    """The hook, when any of the secrets signed it within the last five minutes; HookRefused otherwise."""
    timestamp = request.headers.get("x-concord-timestamp", "").strip()
    signature = request.headers.get("x-concord-signature", "").strip()
    if not timestamp or not signature.startswith(_METHOD):
        raise HookRefused("a header of the signature is missing")
    if len(request.body) > MAX_BODY_BYTES:
        raise HookRefused("the body is larger than the rule ever sends")
    given = signature.removeprefix(_METHOD).lower().encode("utf-8", "replace")
    if not any(_fits(secret, timestamp, request.body, given) for secret in secrets if secret):
        raise HookRefused("the signature fits none of the secrets")
    at = _time(timestamp)
    if at is None or abs(request.received_at - at) > WINDOW:
        raise HookRefused("the signature is too old or too far ahead")
    return _read(request.body)


def _fits(secret: str, timestamp: str, body: bytes, given: bytes) -> bool:
    signed = timestamp.encode("utf-8", "replace") + b"." + body
    expected = hmac.new(secret.encode("utf-8", "replace"), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), given)


def _time(text: str) -> datetime | None:
    """A time in Unix seconds."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return datetime.fromtimestamp(int(text), UTC)


def _read(body: bytes) -> Hook:
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise HookRefused("the body is not JSON") from error
    if not isinstance(value, dict):
        raise HookRefused("the body is not a JSON object")
    table, sys_id, user_name = (value.get(name) for name in ("table", "sys_id", "updated_by"))
    named = remote_id(table, sys_id) if isinstance(table, str) and isinstance(sys_id, str) else ""
    if not named:
        raise HookRefused("the body names no record")
    id_ = value.get("id")
    delivery_id = id_ if isinstance(id_, str) and 0 < len(id_) <= _MAX_ID_CHARS else ""
    return Hook(
        delivery_id or hashlib.sha256(body).hexdigest(),
        (named,),
        user_name[:_MAX_ID_CHARS] if isinstance(user_name, str) else "",
    )


# The rule's script.  Only what runs in ServiceNow's server-side JavaScript (ES5) and in the global scope.
# https://www.servicenow.com/docs/bundle/zurich-api-reference/page/app-store/dev_portal/API_reference/GlideCertificateEncryption/concept/c_GlideCertificateEncryptionAPI.html
SCRIPT = """\
(function executeRule(current, previous) {
    // Tells Concord that this record changed.  It sends no content: Concord reads the record itself.
    var url = gs.getProperty('concord.webhook.url');
    var secret = gs.getProperty('concord.webhook.secret');
    if (!url || !secret) {
        gs.warn('Concord: concord.webhook.url or concord.webhook.secret is not set; nothing was sent.');
        return;
    }
    var body = ascii(JSON.stringify({
        id: gs.generateGUID(),
        table: current.getTableName(),
        sys_id: current.getUniqueValue(),
        number: current.getValue('number'),
        updated_by: current.getValue('sys_updated_by'),
        updated_by_id: gs.getUserID(),
        mod_count: parseInt(current.getValue('sys_mod_count'), 10) || 0,
        sent_at: new GlideDateTime().getValue()
    }));
    var timestamp = String(Math.floor(new GlideDateTime().getNumericValue() / 1000));
    var key = GlideStringUtil.base64Encode(secret);
    var mac = new GlideCertificateEncryption().generateMac(key, 'HmacSHA256', timestamp + '.' + body);

    var request = new sn_ws.RESTMessageV2();
    request.setHttpMethod('POST');
    request.setEndpoint(url);
    request.setHttpTimeout(10000);
    request.setRequestHeader('Content-Type', 'application/json');
    request.setRequestHeader('X-Concord-Timestamp', timestamp);
    request.setRequestHeader('X-Concord-Signature', 'sha256=' + hex(mac));
    request.setRequestBody(body);
    try {
        var status = request.execute().getStatusCode();
        if (status < 200 || status > 299) {
            gs.warn('Concord answered ' + status + '. It finds the change by asking within minutes.');
        }
    } catch (error) {
        gs.warn('Concord could not be reached: ' + error + '. It finds the change by asking within minutes.');
    }

    // Letters beyond ASCII are written by their number, so that the signed bytes are the same in every encoding.
    function ascii(text) {
        return text.replace(/[\\u007f-\\uffff]/g, function (letter) {
            return '\\\\u' + ('0000' + letter.charCodeAt(0).toString(16)).slice(-4);
        });
    }

    // The signature comes in base64.
    function hex(base64) {
        var letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
        var bits = 0, held = 0, result = '';
        for (var i = 0; i < base64.length; i++) {
            var value = letters.indexOf(base64.charAt(i));
            if (value < 0) {
                continue;
            }
            held = (held << 6) | value;
            bits += 6;
            if (bits >= 8) {
                bits -= 8;
                result += ('0' + ((held >> bits) & 255).toString(16)).slice(-2);
                held = held & ((1 << bits) - 1);
            }
        }
        return result;
    }
})(current, previous);
"""


# The same for a file, which belongs to a record without touching it.
FILE_SCRIPT = (
    SCRIPT.replace("this record changed", "a record got a file")
    .replace("current.getTableName()", "current.getValue('table_name')")
    .replace("current.getUniqueValue()", "current.getValue('table_sys_id')")
    .replace("current.getValue('number')", "''")
    .replace("parseInt(current.getValue('sys_mod_count'), 10) || 0", "0")
)


def steps(url: str, tables: Sequence[str]) -> tuple[str, ...]:
    """What an administrator of ServiceNow does to have web hooks sent to `url`."""
    names = ", ".join(tables)
    return (
        "Sign in to ServiceNow as an administrator and choose the global scope.",
        f"Open sys_properties.list and make a property “{URL_PROPERTY}” of type string with the value {url}",
        f"Make a second property “{SECRET_PROPERTY}” of type string with the secret shown here as its value, and give "
        "it the read role and the write role admin.  The secret is shown once and never again.",
        f"Open System Definition, Business Rules, and make one rule named “Concord” for each of these tables: {names}.  "
        "Tick Active and Advanced.  Under When to run choose When: async, tick Insert and Update, and leave the "
        "conditions empty.",
        f"In each of them, under Advanced, put this script in the place of what is there:\n\n{SCRIPT}",
        "For files to arrive at once make one more such rule for the table sys_attachment, for Insert alone, with the "
        f"condition “Table name is one of {names}” and this script:\n\n{FILE_SCRIPT}",
        "If the instance may call only listed hosts, add this address to them.  Without the rules every change is "
        "still found, by asking, a few minutes later.",
    )
