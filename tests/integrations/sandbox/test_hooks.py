"""Web hooks on their way: in order, lost, doubled, overtaken, late, and given up."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from integrations.sandbox.faults import FaultBox
from integrations.sandbox.hooks import HookSender, Outgoing, RetryRule
from tests.integrations.sandbox.receiver import Receiver


@pytest.fixture
def faults() -> FaultBox:
    return FaultBox()


@pytest.fixture
def sender(faults: FaultBox) -> Iterator[HookSender]:
    """Tries everything again twice, at once."""
    one = HookSender(faults, RetryRule(lambda status, headers, attempt: status != 404, (0.0, 0.0), 5.0))
    yield one
    one.stop()


def send(sender: HookSender, url: str, *names: str) -> None:
    for name in names:
        sender.submit(
            Outgoing(name, "event", url, name.encode(), lambda attempt: {"X-Attempt": str(attempt)})
        )


def arrived(sender: HookSender, receiver: Receiver) -> str:
    assert sender.wait_idle()
    return "".join(one.body.decode() for one in receiver.arrived)


def test_hooks_arrive_in_their_order(sender: HookSender, receiver: Receiver) -> None:
    send(sender, receiver.url, *"abcdefgh")

    assert arrived(sender, receiver) == "abcdefgh"
    assert sender.as_value() == {
        "pending": 0,
        "sent": 8,
        "failed": 0,
        "retried": 0,
        "lost": 0,
        "doubled": 0,
        "reordered": 0,
        "dropped": 0,
    }


def test_hooks_get_lost(sender: HookSender, faults: FaultBox, receiver: Receiver) -> None:
    faults.set({"hook_lost": 1.0})
    send(sender, receiver.url, "a")
    faults.set({"hook_lost": 0.0})
    send(sender, receiver.url, "b")

    assert (arrived(sender, receiver), sender.as_value()["lost"]) == ("b", 1)


def test_hooks_come_twice(sender: HookSender, faults: FaultBox, receiver: Receiver) -> None:
    faults.set({"hook_doubled": 1.0})
    send(sender, receiver.url, "a", "b")

    assert (arrived(sender, receiver), sender.as_value()["doubled"]) == ("aabb", 2)


def test_a_hook_is_overtaken_by_the_next(sender: HookSender, faults: FaultBox, receiver: Receiver) -> None:
    faults.set({"hook_reordered": 1.0})
    send(sender, receiver.url, "a", "b", "c", "d")

    assert (arrived(sender, receiver), sender.as_value()["reordered"]) == ("badc", 2)


def test_a_hook_that_nobody_overtakes_comes_late(
    sender: HookSender, faults: FaultBox, receiver: Receiver
) -> None:
    faults.set({"hook_reordered": 1.0})
    send(sender, receiver.url, "a")

    assert arrived(sender, receiver) == "a"


def test_a_doubled_hook_may_be_split_around_the_next(
    sender: HookSender, faults: FaultBox, receiver: Receiver
) -> None:
    faults.set({"hook_doubled": 1.0, "hook_reordered": 1.0})
    send(sender, receiver.url, "a", "b")

    assert arrived(sender, receiver) == "abba"


def test_a_failed_delivery_is_tried_again_and_then_given_up(sender: HookSender, receiver: Receiver) -> None:
    receiver.answer = lambda number: 500 if number < 3 else 202
    send(sender, receiver.url, "a", "b")

    assert sender.wait_idle()
    told = [(one.body.decode(), one.headers["x-attempt"]) for one in receiver.arrived]
    # The second does not wait for the first: vendors promise no order.
    assert sorted(told[:4]) == [("a", "0"), ("a", "1"), ("b", "0"), ("b", "1")]
    assert (sender.counts["sent"] + sender.counts["failed"], sender.counts["retried"]) == (2, len(told) - 2)


def test_what_will_never_be_taken_is_not_tried_again(sender: HookSender, receiver: Receiver) -> None:
    receiver.answer = lambda _: 404
    send(sender, receiver.url, "a")

    assert (arrived(sender, receiver), sender.as_value()["failed"]) == ("a", 1)


def test_a_receiver_that_is_not_there_is_given_up(sender: HookSender) -> None:
    send(sender, "http://127.0.0.1:9/hooks", "a")

    assert sender.wait_idle()
    assert (sender.as_value()["failed"], sender.as_value()["retried"], sender.last[-1].status) == (1, 2, 0)


def test_a_receiver_that_hangs_is_a_time_out(faults: FaultBox, receiver: Receiver) -> None:
    release = threading.Event()
    receiver.answer = lambda _: 202 if release.wait(5) else 500
    sender = HookSender(faults, RetryRule(lambda *_: False, (), 0.05))
    send(sender, receiver.url, "a")
    assert sender.wait_idle()

    assert (sender.last[-1].status, sender.as_value()["failed"]) == (-1, 1)
    release.set()
    sender.stop()


def test_a_receiver_that_closed_the_idle_connection_gets_the_next_hook(
    sender: HookSender, receiver: Receiver
) -> None:
    receiver.answer_headers = {"Connection": "close"}
    send(sender, receiver.url, "a")
    assert sender.wait_idle()
    send(sender, receiver.url, "b")

    assert (arrived(sender, receiver), sender.as_value()["retried"]) == ("ab", 0)


def test_a_delay_holds_hooks_back(sender: HookSender, faults: FaultBox, receiver: Receiver) -> None:
    faults.set({"hook_delay_ms": 60_000})
    send(sender, receiver.url, "a")

    assert (sender.as_value()["pending"], sender.wait_idle(0.01)) == (1, False)
    sender.clear()
    assert sender.wait_idle()
    assert receiver.arrived == []


def test_more_workers_deliver_side_by_side(faults: FaultBox, receiver: Receiver) -> None:
    both = threading.Barrier(2, timeout=5)
    receiver.answer = lambda _: 202 if both.wait() >= 0 else 500
    sender = HookSender(faults, RetryRule(lambda *_: False, (), 5.0), workers=2)
    send(sender, receiver.url, "a", "b")

    # Either waits for the other to have arrived.
    assert sorted(arrived(sender, receiver)) == ["a", "b"]
    sender.stop()
