"""Web hooks: what proves them, what they name, and that nothing malformed gets further."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.errors import HookRefused
from integrations.connectors.jira.webhooks import MAX_BODY_BYTES, steps, verify
from integrations.connectors.protocol import Hook, HookRequest

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STAMP = int(NOON.timestamp() * 1000)
SECRET = "It's a Secret to Everybody"


def signed(body: bytes, secret: str = SECRET, method: str = "sha256") -> str:
    return f"{method}={hmac.new(secret.encode(), body, getattr(hashlib, method)).hexdigest()}"


def request(body: object, **headers: str) -> HookRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HookRequest({"x-hub-signature": signed(raw), **named}, raw, NOON)


def event(**more: object) -> dict:
    return {"timestamp": STAMP, "webhookEvent": "jira:issue_updated", "issue": {"id": "10001"}, **more}


def test_a_proven_hook_names_its_ticket_and_who_did_it() -> None:
    hook = request(event(user={"accountId": "acc:ann"}), x_atlassian_webhook_identifier="d-1")
    assert verify(hook, [SECRET]) == Hook("d-1", ("10001",), "acc:ann")


def test_the_vendors_own_example_of_a_signature_is_accepted() -> None:
    # https://developer.atlassian.com/cloud/jira/platform/webhooks/ : the signature is right, the body is no event.
    signature = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    hook = HookRequest({"x-hub-signature": signature}, b"Hello World!", NOON)
    with pytest.raises(HookRefused, match="not JSON"):
        verify(hook, [SECRET])


@pytest.mark.parametrize("secrets", [["old", SECRET], [SECRET, "new"], ["", SECRET]])
def test_any_of_several_secrets_proves_it(secrets: list[str]) -> None:
    assert verify(request(event()), secrets).remote_ids == ("10001",)


@pytest.mark.parametrize("method", ["sha256", "sha384", "sha512"])
def test_the_method_is_read_from_the_signature(method: str) -> None:
    body = json.dumps(event()).encode()
    assert verify(request(body, x_hub_signature=signed(body, method=method)), [SECRET]).remote_ids == (
        "10001",
    )


BODY = json.dumps(event()).encode()


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256",
        "sha256=",
        "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest(),
        "md5=00",
        signed(BODY, "other"),
        signed(BODY)[:-1],
        signed(BODY + b" "),
        signed(BODY).removeprefix("sha256="),
        "sha256=é" * 9,
        "sha256=\ud800",
    ],
)
def test_another_signature_is_refused(signature: str) -> None:
    with pytest.raises(HookRefused):
        verify(request(BODY, x_hub_signature=signature), [SECRET])


def test_without_a_secret_or_a_signature_nothing_is_proven() -> None:
    for hook, secrets in (
        (request(BODY), []),
        (request(BODY, x_hub_signature=signed(BODY, "")), [""]),
        (HookRequest({}, BODY, NOON), [SECRET]),
    ):
        with pytest.raises(HookRefused):
            verify(hook, secrets)


@pytest.mark.parametrize("position", range(0, len(BODY), 7))
def test_every_flipped_bit_is_noticed(position: int) -> None:
    flipped = bytearray(BODY)
    flipped[position] ^= 1
    with pytest.raises(HookRefused, match="none of the secrets"):
        verify(HookRequest({"x-hub-signature": signed(BODY)}, bytes(flipped), NOON), [SECRET])


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_a_time_within_five_minutes_is_fresh(minutes: int) -> None:
    stamp = STAMP + minutes * 60_000
    assert verify(request(event(timestamp=stamp)), [SECRET]).remote_ids == ("10001",)


@pytest.mark.parametrize(
    "stamp", [STAMP - 300_001, STAMP + 300_001, 0, -STAMP, None, "now", str(STAMP), True, 1.5, 10**400, []]
)
def test_any_other_time_is_a_replay(stamp: object) -> None:
    with pytest.raises(HookRefused):
        verify(request(event(timestamp=stamp)), [SECRET])


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"null", b"[]", b'"x"', b"{", b"[" * 100_000, b'{"a":' * 100_000, b"NaN"],
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(HookRefused):
        verify(request(body), [SECRET])


def test_a_body_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(HookRefused, match="1 MB"):
        verify(request(b" " * (MAX_BODY_BYTES + 1)), [SECRET])


@pytest.mark.parametrize("id_", [None, "", "10001/../2", "x", 1.5, {}, "9" * 20, "1\n"])
def test_an_issue_without_a_proper_id_is_refused(id_: object) -> None:
    with pytest.raises(HookRefused):
        verify(request(event(issue={"id": id_})), [SECRET])


@pytest.mark.parametrize(
    ("body", "ids", "actor"),
    [
        ({"issue": {"id": 10001}}, ("10001",), ""),
        ({"issue": {"id": "10001"}, "comment": {"author": {"accountId": "a"}}}, ("10001",), "a"),
        (
            {
                "issue": {"id": "1"},
                "comment": {"author": {"accountId": "a"}, "updateAuthor": {"accountId": "b"}},
            },
            ("1",),
            "b",
        ),
        ({"comment": {"self": "https://x.example/rest/api/2/issue/10013/comment/10600"}}, ("10013",), ""),
        ({"comment": {"self": "nonsense"}}, (), ""),
        ({"attachment": {"id": "1"}}, (), ""),
        ({"user": "nobody", "comment": "none"}, (), ""),
    ],
)
def test_ticket_and_actor_are_found_where_the_event_has_them(body: dict, ids: tuple, actor: str) -> None:
    hook = verify(request({"timestamp": STAMP, **body}), [SECRET])
    assert (hook.remote_ids, hook.actor_id) == (ids, actor)


def test_without_an_identifier_equal_bodies_are_the_same_delivery() -> None:
    first, again = verify(request(event()), [SECRET]), verify(request(event()), [SECRET])
    other = verify(request(event(timestamp=STAMP + 1)), [SECRET])
    overlong = verify(request(event(), x_atlassian_webhook_identifier="x" * 500), [SECRET])
    assert first.delivery_id == again.delivery_id == overlong.delivery_id != other.delivery_id
    assert len(first.delivery_id) == 64


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["timestamp", "issue", "comment", "user"]), JSON))
def test_no_signed_body_raises_anything_but_a_refusal(body: dict) -> None:
    for value in (body, {**body, "timestamp": STAMP}):
        with contextlib.suppress(HookRefused):
            assert isinstance(verify(request(value), [SECRET]), Hook)


def test_a_hook_from_tomorrow_is_no_fresher() -> None:
    late = HookRequest({"x-hub-signature": signed(BODY)}, BODY, NOON + timedelta(days=1))
    with pytest.raises(HookRefused):
        verify(late, [SECRET])


def test_the_administrator_is_told_address_project_and_events() -> None:
    told = " ".join(steps("https://concord.example/hooks/1", "NET"))
    for needed in ("https://concord.example/hooks/1", "project = NET", "Secret", "Comment", "Attachment"):
        assert needed in told
