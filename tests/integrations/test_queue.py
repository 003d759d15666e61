"""What people do with the queue, and what it answers to them."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from integrations.events import lane_resumed
from integrations.models import Attempt, Delivery, Lane
from integrations.services import queue
from integrations.services.queue import Result
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=10)
PRIORITIES = {"urgent": "critical", "low": "low"}


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    return scenes.matter(left, right, left_fields={"priority": "urgent"}, right_fields={})


@pytest.fixture
def resumed() -> Generator[list[int]]:
    """The lanes of which others were told that they move again."""
    told: list[int] = []

    def listen(lane: Lane, **_: Any) -> None:
        told.append(lane.pk)

    lane_resumed.connect(listen)
    yield told
    lane_resumed.disconnect(listen)


def waiting(matter: Matter, *, count: int = 1, **values: Any) -> list[Delivery]:
    """Deliveries from Mercuri to Infinity that wait."""
    event = scenes.seen(matter.left_ticket, fields={"priority": "urgent"})
    return [scenes.queued(matter.to_right, event, **values) for _ in range(count)]


def state_of(lane: Lane) -> dict[str, Any]:
    lane.refresh_from_db()
    names = ("state", "head", "waits", "tries", "next_at", "failure_code", "failure_message")
    return {name: getattr(lane, name) for name in names}


def test_a_retry_lets_a_parked_lane_try_again_at_once(matter: Matter, resumed: list[int]) -> None:
    waiting(matter)
    lane = scenes.park(matter.to_right, "invalid", "“priority” is refused.")
    Lane.objects.filter(pk=lane.pk).update(tries=7, next_at=NOW + timedelta(hours=1))

    result = queue.retry_lane(lane, now=LATER)

    assert result == Result(lane.pk, True, "Tried again at once.")
    assert state_of(lane) == {
        "state": "ready",
        "head": 1,
        "waits": True,
        "tries": 0,
        "next_at": LATER,
        "failure_code": "",
        "failure_message": "",
    }
    assert resumed == [lane.pk]


def test_a_retry_does_not_wait_for_the_back_off_and_tells_nobody(matter: Matter, resumed: list[int]) -> None:
    waiting(matter)
    Lane.objects.update(tries=4, next_at=LATER + timedelta(minutes=5), failure_code="timed_out")

    assert queue.retry_lane(matter.to_right, now=LATER).is_done
    assert state_of(matter.to_right)["next_at"] == LATER
    assert resumed == []


def test_a_retry_says_that_the_other_system_is_stopped(matter: Matter) -> None:
    waiting(matter)
    system = matter.right.system
    system.state = system.State.STOPPED
    system.save()
    scenes.park(matter.to_right, "invalid", "No.")

    result = queue.retry_lane(matter.to_right, now=LATER)

    assert (
        result.message
        == "Tried again at once. Infinity Jira is stopped: the lane moves as soon as it runs again."
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"waits": False}, "Nothing waits in this lane any more."),
        ({"state": "held"}, "This lane is held. Resume it to let it move."),
        ({"leased_until": LATER + timedelta(seconds=9)}, "It is being delivered at this moment."),
        ({"next_at": LATER}, "It is next in turn already."),
    ],
)
def test_a_retry_that_was_overtaken_changes_nothing_and_says_why(
    matter: Matter, values: dict[str, Any], message: str
) -> None:
    waiting(matter)
    Lane.objects.filter(pk=matter.to_right.pk).update(
        **{"tries": 3, "next_at": LATER + timedelta(hours=1), **values}
    )
    before = state_of(matter.to_right)

    assert queue.retry_lane(matter.to_right, now=LATER) == Result(matter.to_right.pk, False, message)
    assert state_of(matter.to_right) == before


def test_a_retry_applies_the_rules_published_meanwhile_to_the_stored_change(matter: Matter) -> None:
    scenes.publish(matter.left, "outgoing", {"priority": ("priority", {"low": "low"})})
    problem = {"code": "unmapped_value", "field": "priority", "message": "“priority” holds “urgent”."}
    (delivery,) = waiting(matter, problem=problem, envelope={"fields": {}, "changed": ["priority"]})
    # What happened afterwards is queued behind and is not told before its turn.
    scenes.seen(matter.left_ticket, minute=1, fields={"priority": "low"})
    scenes.park(matter.to_right, "unmapped_value", problem["message"])
    published = scenes.publish(matter.left, "outgoing", {"priority": ("priority", PRIORITIES)})

    result = queue.retry_lane(matter.to_right, now=LATER)

    delivery.refresh_from_db()
    assert result.is_done
    assert (delivery.problem, delivery.envelope["fields"], delivery.outgoing) == (
        {},
        {"priority": "critical"},
        published,
    )
    assert state_of(matter.to_right)["state"] == "ready"


def test_a_retry_releases_a_new_ticket_whole(matter: Matter) -> None:
    scenes.seen(matter.left_ticket, kind="created", fields={"subject": "Charged twice", "secret": "canary"})
    problem = {"code": "unmapped_value", "field": "priority", "message": "No row."}
    (delivery,) = waiting(matter, operation="create", problem=problem, envelope={"fields": {}})
    scenes.park(matter.to_right, "unmapped_value", "No row.")
    scenes.publish(matter.left, "outgoing", {"title": "subject", "priority": ("priority", PRIORITIES)})

    assert queue.retry_lane(matter.to_right, now=LATER).is_done

    delivery.refresh_from_db()
    assert delivery.envelope == {"fields": {"title": "Charged twice", "priority": "critical"}}


def test_a_retry_leaves_the_lane_parked_while_the_rules_cannot_tell(
    matter: Matter, resumed: list[int]
) -> None:
    scenes.publish(matter.left, "outgoing", {"priority": ("priority", {"low": "low"})})
    problem = {"code": "unmapped_value", "field": "priority", "message": "No row."}
    waiting(matter, problem=problem, envelope={"fields": {}, "changed": ["priority"]})
    scenes.park(matter.to_right, "unmapped_value", "No row.")

    result = queue.retry_lane(matter.to_right, now=LATER)

    # The value itself is the sender's own and stays out of the answer.
    assert result == Result(matter.to_right.pk, False, "The sender's rules still do not know what to send.")
    state = state_of(matter.to_right)
    assert (state["state"], state["failure_code"]) == ("parked", "unmapped_value")
    assert resumed == []


def test_a_held_lane_moves_again_only_when_it_is_resumed(matter: Matter) -> None:
    waiting(matter, count=2)
    lane = matter.to_right

    assert queue.hold_lane(lane, now=NOW).is_done
    assert queue.hold_lane(lane, now=NOW) == Result(lane.pk, False, "This lane is held already.")
    assert state_of(lane)["state"] == "held"

    assert queue.resume_lane(lane, now=LATER) == Result(
        lane.pk, True, "Resumed. 2 changes still to deliver, in order."
    )
    assert queue.resume_lane(lane, now=LATER) == Result(lane.pk, False, "This lane is not held.")
    assert (state_of(lane)["state"], state_of(lane)["next_at"]) == ("ready", LATER)


def test_a_skipped_delivery_lets_the_next_one_move_up(matter: Matter, resumed: list[int]) -> None:
    first, second = waiting(matter, count=2)
    lane = scenes.park(matter.to_right, "too_large", "The text is too long.")
    Lane.objects.filter(pk=lane.pk).update(fence=4, owner="w1", leased_until=NOW)

    result = queue.skip_delivery(first, " Sent by mail. ", now=LATER)

    first.refresh_from_db()
    second.refresh_from_db()
    lane.refresh_from_db()
    assert result == Result(lane.pk, True, "Skipped. 1 change still to deliver, in order.")
    assert (first.state, first.skipped_reason, first.done_at) == ("skipped", "Sent by mail.", LATER)
    assert second.state == "new"
    assert (lane.state, lane.head, lane.waits, lane.waits_since) == ("ready", 2, True, LATER)
    # A worker still asleep over the skipped delivery owns a fence of the past.
    assert (lane.fence, lane.owner, lane.leased_until, lane.failure_code) == (5, "", None, "")
    assert resumed == [lane.pk]


def test_skipping_the_last_delivery_empties_the_lane(matter: Matter) -> None:
    (only,) = waiting(matter)

    assert (
        queue.skip_delivery(only, "Withdrawn", now=LATER).message
        == "Skipped. Nothing waits in this lane any more."
    )

    lane = matter.to_right
    lane.refresh_from_db()
    assert (lane.head, lane.waits, lane.waits_since) == (2, False, None)


def test_skipping_leaves_a_held_lane_held(matter: Matter) -> None:
    first, _ = waiting(matter, count=2)
    queue.hold_lane(matter.to_right, now=NOW)

    queue.skip_delivery(first, "Withdrawn", now=LATER)

    assert (state_of(matter.to_right)["state"], state_of(matter.to_right)["head"]) == ("held", 2)


def test_skipping_the_creation_says_what_it_means_for_the_rest() -> None:
    left, right = scenes.mercuri_and_infinity()
    matter = scenes.matter(left, right)
    create, _ = waiting(matter, operation="create")[0], waiting(matter)

    assert queue.skip_delivery(create, "Not theirs", now=LATER).message == (
        "Skipped. 1 change still to deliver, in order. "
        "The ticket is not made in Infinity Jira, so what waits behind is left out too."
    )


def test_a_delivery_that_may_have_arrived_is_skipped_only_on_purpose(matter: Matter) -> None:
    (sent,) = waiting(matter, state="sent")
    Attempt.objects.create(delivery=sent, number=1, fence=1, started_at=NOW)

    refusal = queue.skip_delivery(sent, "Withdrawn", now=LATER)
    sent.refresh_from_db()
    assert (refusal.is_done, sent.state) == (False, "sent")

    assert queue.skip_delivery(sent, "Withdrawn", now=LATER, even_if_unverified=True).is_done
    sent.refresh_from_db()
    attempt = sent.attempts.get()
    assert (sent.state, attempt.outcome, attempt.ended_at) == ("skipped", "unknown", LATER)


def test_what_cannot_be_skipped_now_answers_with_a_sentence(matter: Matter) -> None:
    first, second = waiting(matter, count=2)

    def answer(delivery: Delivery, reason: str = "Withdrawn") -> str:
        result = queue.skip_delivery(delivery, reason, now=LATER)
        assert not result.is_done
        return result.message

    assert answer(first, "  ") == "Say why it is skipped."
    assert answer(second) == "Only the first of a lane can be skipped: number 1 waits before it."
    Lane.objects.filter(pk=matter.to_right.pk).update(leased_until=LATER + timedelta(seconds=30))
    assert answer(first) == "It is being delivered at this moment."
    Lane.objects.filter(pk=matter.to_right.pk).update(leased_until=None)
    assert queue.skip_delivery(first, "Withdrawn", now=LATER).is_done
    assert answer(first) == "It is not waiting any more."


def test_many_lanes_are_acted_on_each_for_itself(matter: Matter) -> None:
    waiting(matter)
    other = scenes.matter(matter.left, matter.right, right_fields={}, number=2)
    waiting(other)
    scenes.park(matter.to_right, "invalid", "No.")
    queue.hold_lane(other.to_right, now=NOW)
    lanes = [matter.to_right.pk, other.to_right.pk, matter.to_left.pk, 10**9]

    retried = queue.retry_lanes(lanes, now=LATER)
    held = queue.hold_lanes(lanes, now=LATER)
    resumed = queue.resume_lanes(lanes, now=LATER)

    assert [(result.lane_id, result.is_done) for result in retried] == [
        (matter.to_right.pk, True),
        (other.to_right.pk, False),
        (matter.to_left.pk, False),
    ]
    assert [result.is_done for result in held] == [True, False, True]
    assert [result.is_done for result in resumed] == [True, True, True]


def test_a_bulk_action_locks_a_batch_a_transaction(
    matter: Matter, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(queue, "BATCH", 1)

    # Per batch: savepoint, lanes, one update, release.
    with django_assert_num_queries(8):
        results = queue.hold_lanes([matter.to_right.pk, matter.to_left.pk], now=NOW)

    assert [result.is_done for result in results] == [True, True]
