"""Zendesk's signature and what its web hooks hint at."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from integrations.connectors.errors import HookRefused
from integrations.connectors.protocol import Hook, HookRequest
from integrations.connectors.zendesk import webhooks

SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
AT = datetime(2025, 1, 8, 7, 32, 5, tzinfo=UTC)
EVENT = {
    "subject": "zen:ticket:39045",
    "type": "zen:event-type:ticket.comment_added",
    "detail": {"id": "39045", "actor_id": "8447388090495"},
    "event": {"comment": {"body": "not used"}},
}


def sign(body: bytes, stamp: str = "2025-01-08T07:32:05Z", secret: str = SECRET) -> str:
    return base64.b64encode(
        hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
    ).decode()


def request(body: bytes, *, received_at: datetime = AT, **headers: str) -> HookRequest:
    given = {
        "x-zendesk-webhook-signature": sign(body),
        "x-zendesk-webhook-signature-timestamp": "2025-01-08T07:32:05Z",
        "x-zendesk-webhook-invocation-id": "01HANA2B5D5W9XSJS3NE5SQA1J",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return HookRequest(given, body, received_at)


def test_the_signature_is_over_the_time_and_then_the_raw_body() -> None:
    """The vendor's published secret and body; https://developer.zendesk.com/documentation/webhooks/verifying/"""
    body = b'{"say": "hello"}'
    given = {
        "x-zendesk-webhook-signature": "Rry/4TtIdFyawtXXp8QdI6tlAUUQ/5kL1OTp5qo/ZIk=",
        "x-zendesk-webhook-signature-timestamp": "2021-07-25T10:00:00Z",
        "x-zendesk-webhook-invocation-id": "1",
    }
    received_at = datetime(2021, 7, 25, 10, 0, 1, tzinfo=UTC)
    secret = "HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA="
    assert webhooks.verify(HookRequest(given, body, received_at), [secret]) == Hook("1", (), "")
    # The order that an older copy of the page gave is not taken.
    given["x-zendesk-webhook-signature"] = "tRDSF7URY8BLCDlaBcQ7FHu051Zk+aAB0NKMP53teMw="
    with pytest.raises(HookRefused):
        webhooks.verify(HookRequest(given, body, received_at), [secret])


def test_a_ticket_event_names_the_ticket_and_who_acted() -> None:
    body = json.dumps(EVENT).encode()
    assert webhooks.verify(request(body), [SECRET]) == Hook(
        "01HANA2B5D5W9XSJS3NE5SQA1J", ("39045",), "8447388090495"
    )


@pytest.mark.parametrize(
    ("change", "remote_ids", "actor_id"),
    [
        ({"detail": {"id": 39045, "actor_id": 7}}, ("39045",), "7"),
        ({"detail": {}}, ("39045",), ""),
        ({"detail": "odd"}, ("39045",), ""),
        ({"detail": {"id": "39045", "actor_id": {"id": "7"}}}, ("39045",), "7"),
        ({"detail": {"id": "39045", "actor_id": "-1"}}, ("39045",), ""),
        ({"subject": None}, ("39045",), "8447388090495"),
        ({"subject": "zen:user:5", "type": "zen:event-type:user.created"}, (), ""),
        ({"subject": "zen:user:5", "type": None}, (), ""),
    ],
)
def test_ids_come_as_text_or_number_and_other_events_name_no_ticket(
    change: dict, remote_ids: tuple[str, ...], actor_id: str
) -> None:
    hook = webhooks.verify(request(json.dumps({**EVENT, **change}).encode()), [SECRET])
    assert (hook.remote_ids, hook.actor_id) == (remote_ids, actor_id)


@pytest.mark.parametrize(
    ("time", "happened_at"),
    [
        ("2025-01-08T07:32:04.396123456Z", datetime(2025, 1, 8, 7, 32, 4, 396_123, tzinfo=UTC)),
        ("2025-01-08T08:32:04+01:00", datetime(2025, 1, 8, 7, 32, 4, tzinfo=UTC)),
        ("soon", None),
        (1736321524, None),
        (None, None),
    ],
)
def test_an_event_tells_when_it_happened(time: object, happened_at: datetime | None) -> None:
    body = json.dumps({**EVENT, "time": time}).encode()
    assert webhooks.verify(request(body), [SECRET]).happened_at == happened_at


@pytest.mark.parametrize(
    "body",
    [b"", b"5", b"[]", b"{", b"\xff", b"[" * 50_000,
     b'{"type": "zen:event-type:ticket.created"}', b'{"subject": "zen:ticket:../1", "detail": {"id": "x"}}'],
)  # fmt: skip
def test_a_proven_body_that_makes_no_sense_is_refused(body: bytes) -> None:
    with pytest.raises(HookRefused):
        webhooks.verify(request(body), [SECRET])


@pytest.mark.parametrize("seconds", [0, 299, -299, 300, -300])
def test_a_hook_counts_for_five_minutes(seconds: int) -> None:
    body = json.dumps(EVENT).encode()
    assert webhooks.verify(request(body, received_at=AT + timedelta(seconds=seconds)), [SECRET]).remote_ids


@pytest.mark.parametrize("seconds", [301, -301, 86_400])
def test_after_five_minutes_it_does_not(seconds: int) -> None:
    with pytest.raises(HookRefused, match="too old"):
        webhooks.verify(
            request(json.dumps(EVENT).encode(), received_at=AT + timedelta(seconds=seconds)), [SECRET]
        )


def test_a_time_that_is_none_is_refused_although_it_is_signed() -> None:
    body = json.dumps(EVENT).encode()
    for stamp in ("soon", "99999-01-01T00:00:00Z", " "):
        given = request(
            body, x_zendesk_webhook_signature_timestamp=stamp, x_zendesk_webhook_signature=sign(body, stamp)
        )
        with pytest.raises(HookRefused):
            webhooks.verify(given, [SECRET])


def test_any_of_several_secrets_will_do_and_an_empty_one_never() -> None:
    body = json.dumps(EVENT).encode()
    assert webhooks.verify(request(body), ["new", SECRET, "older"]).remote_ids == ("39045",)
    empty = request(body, x_zendesk_webhook_signature=sign(body, secret=""))
    for secrets in ([], [""], ["", "new"]):
        with pytest.raises(HookRefused):
            webhooks.verify(empty, secrets)


@pytest.mark.parametrize(
    "name",
    [
        "x-zendesk-webhook-signature",
        "x-zendesk-webhook-signature-timestamp",
        "x-zendesk-webhook-invocation-id",
    ],
)
def test_a_missing_header_is_refused(name: str) -> None:
    given = request(json.dumps(EVENT).encode())
    without = HookRequest({k: v for k, v in given.headers.items() if k != name}, given.body, AT)
    with pytest.raises(HookRefused, match="missing"):
        webhooks.verify(without, [SECRET])


def test_a_delivery_that_zendesk_really_sent_is_read(shared_data: Path) -> None:
    """Its secret is not known, so it is signed anew; the body is about a user, so it hints at no ticket."""
    [file] = (shared_data / "data/payloads/zendesk/webhooks").glob("*.json")
    told = json.loads(file.read_text())
    headers = {name.lower(): value for name, value in told["headers"].items()}
    body = told["raw_body"].encode()
    stamp = headers["x-zendesk-webhook-signature-timestamp"]
    received_at = datetime.fromisoformat(stamp)
    with pytest.raises(HookRefused, match="does not fit"):
        webhooks.verify(HookRequest(headers, body, received_at), [SECRET])
    headers["x-zendesk-webhook-signature"] = sign(body, stamp)
    hook = webhooks.verify(HookRequest(headers, body, received_at), [SECRET])
    assert hook == Hook("01HANA2B5D5W9XSJS3NE5SQA1J", (), "")
