"""The web hooks of the sandboxed ServiceNow, as the partner's business rule sends them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from integrations.sandbox.servicenow.events import signature
from tests.integrations.sandbox.receiver import Receiver
from tests.integrations.sandbox.test_servicenow_records import create, found, update
from tests.integrations.sandbox.vendor import Vendor, vendor


def arrived(servicenow: Vendor, receiver: Receiver) -> list[dict[str, Any]]:
    """The bodies that have arrived when nothing more is on its way."""
    assert servicenow.sandbox.state.hooks.wait_idle()
    bodies = [json.loads(one.body) for one in receiver.arrived]
    receiver.arrived.clear()
    return bodies


def test_a_write_is_told_with_who_and_how_often(servicenow: Vendor, receiver: Receiver) -> None:
    servicenow.sandbox.hooks(url=receiver.url, secret="s")
    record = create(servicenow)
    update(servicenow, record, impact="1")
    servicenow.sandbox.act({"do": "comment", "ticket": record["number"], "comment": "On it"})

    bodies = arrived(servicenow, receiver)

    people = {one["user_name"]: one["sys_id"] for one in found(servicenow, "sys_user", "")}
    assert len({one.pop("id") for one in bodies}) == 3
    assert bodies == [
        {
            "table": "incident",
            "sys_id": record["sys_id"],
            "number": "INC0010001",
            "updated_by": who,
            "updated_by_id": people[who],
            "mod_count": count,
            "sent_at": "2026-03-02T12:00:00+00:00",
        }
        for who, count in (("concord", 0), ("concord", 1), ("ada.agent", 2))
    ]


def test_what_changes_nothing_is_not_told(servicenow: Vendor, receiver: Receiver) -> None:
    record = create(servicenow)
    servicenow.sandbox.hooks(url=receiver.url, secret="s")

    update(servicenow, record, impact="3")
    servicenow.sandbox.act({"do": "update", "ticket": record["sys_id"], "fields": {"impact": "3"}})
    servicenow.sandbox.act({"do": "comment", "ticket": record["sys_id"], "comment": "x", "hooks": False})

    assert arrived(servicenow, receiver) == []


def test_a_file_is_told_by_what_it_hangs_on_and_a_deletion_is_not_told(
    servicenow: Vendor, receiver: Receiver
) -> None:
    record = create(servicenow)
    servicenow.sandbox.hooks(url=receiver.url, secret="s")
    path = f"/attachment/file?table_name=incident&table_sys_id={record['sys_id']}&file_name=a.txt"
    servicenow("POST", path, data=b"x", headers={"Content-Type": "text/plain"})
    servicenow.sandbox.act(
        {"do": "attach", "ticket": record["sys_id"], "file": {"name": "b.txt", "text": "x"}},
        {"do": "delete", "ticket": record["sys_id"]},
    )

    told = [
        tuple(one[name] for name in ("table", "sys_id", "number", "updated_by", "mod_count"))
        for one in arrived(servicenow, receiver)
    ]

    assert told == [("incident", record["sys_id"], "", who, 0) for who in ("concord", "ada.agent")]


def test_a_hook_is_signed_over_the_time_and_the_raw_body(servicenow: Vendor, receiver: Receiver) -> None:
    servicenow.sandbox.hooks(url=receiver.url, secret="known")
    before = int(time.time())
    create(servicenow)
    assert servicenow.sandbox.state.hooks.wait_idle()

    (hook,) = receiver.arrived

    stamp = hook.headers["x-concord-timestamp"]
    digest = hmac.new(b"known", f"{stamp}.".encode() + hook.body, hashlib.sha256).hexdigest()
    assert hook.headers["x-concord-signature"] == f"sha256={digest}"
    assert before <= int(stamp) <= int(time.time())
    assert hook.headers["content-type"] == "application/json"


def test_the_signature_is_the_one_that_was_agreed_upon() -> None:
    told = signature("secret", "1772452800", b'{"id": "1"}')

    assert told == "sha256=" + SAMPLE


SAMPLE = "96a29a2bcdedf16b862a195df6fa6c594686add98dd1917835815821711c7087"


def test_a_secret_is_made_where_none_is_given(servicenow: Vendor) -> None:
    first = servicenow.sandbox.hooks(url="http://127.0.0.1:9/")["secret"]
    second = servicenow.sandbox.hooks(url="http://127.0.0.1:9/")["secret"]

    assert len({first, second, ""}) == 3
    servicenow.sandbox.hooks(url="")
    assert servicenow.sandbox.hooks()["url"] == ""


@pytest.mark.parametrize(("delays", "attempts"), [([], 1), ([0.0, 0.0], 3)])
def test_the_script_tries_again_only_where_it_is_set_up_so(
    receiver: Receiver, delays: list[float], attempts: int
) -> None:
    receiver.answer = lambda _: 503
    with vendor("servicenow", retry_delays_s=delays) as servicenow:
        servicenow.sandbox.hooks(url=receiver.url, secret="s")
        create(servicenow)

        bodies = arrived(servicenow, receiver)

    assert (len(bodies), len({one["id"] for one in bodies})) == (attempts, 1)


def test_hooks_are_lost_and_doubled_on_demand(servicenow: Vendor, receiver: Receiver) -> None:
    servicenow.sandbox.hooks(url=receiver.url, secret="s")
    servicenow.sandbox.faults(hook_lost=1.0)
    create(servicenow)
    servicenow.sandbox.faults(hook_lost=0.0, hook_doubled=1.0)
    record = create(servicenow)

    bodies = arrived(servicenow, receiver)

    assert [one["number"] for one in bodies] == [record["number"]] * 2
    assert len({one["id"] for one in bodies}) == 1
