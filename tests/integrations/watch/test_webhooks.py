"""Standard Webhooks: the specification's own example, rotation, and the pauses between tries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from integrations.watch.webhooks import (
    PAUSES,
    EventType,
    body_of,
    headers_for,
    new_secret,
    pause_after,
    signature,
)

AT = datetime.fromtimestamp(1614265330, UTC)


def test_the_specifications_example_is_reproduced() -> None:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    found = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        AT,
        b'{"test": 2432232314}',
    )

    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_secret_that_holds_signs() -> None:
    one, other = new_secret(), new_secret()

    headers = headers_for([one, other], "msg_1", AT, b"{}")

    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"{signature(one, 'msg_1', AT, b'{}')} {signature(other, 'msg_1', AT, b'{}')}",
    }


def test_the_body_is_thin_and_in_utc() -> None:
    assert json.loads(body_of(EventType.LANE_PARKED, AT, {"lane": 7})) == {
        "type": "lane.parked",
        "timestamp": "2021-02-25T15:02:10.000Z",
        "data": {"lane": 7},
    }


@pytest.mark.parametrize("tries", range(1, len(PAUSES) + 1))
def test_pauses_grow_and_are_spread(tries: int) -> None:
    found = {pause_after(tries, Random(seed)) for seed in range(50)}

    assert len(found) == 50
    assert all(one and 0.8 * PAUSES[tries - 1] <= one <= 1.2 * PAUSES[tries - 1] for one in found)


def test_after_the_last_pause_a_message_is_given_up_having_been_tried_for_days() -> None:
    assert pause_after(len(PAUSES) + 1, Random(1)) is None
    assert sum(PAUSES, timedelta()) > timedelta(days=3)


@pytest.mark.parametrize(
    ("asked_s", "shortest", "longest"),
    [
        (1, timedelta(seconds=4), timedelta(seconds=6)),
        (600, timedelta(minutes=10), timedelta(minutes=10)),
        # Nobody is waited for longer than a day.
        (10_000_000, timedelta(days=1), timedelta(days=1)),
    ],
)
def test_retry_after_is_honoured_where_it_asks_for_more(
    asked_s: float, shortest: timedelta, longest: timedelta
) -> None:
    pause = pause_after(1, Random(1), asked_s)

    assert pause is not None
    assert shortest <= pause <= longest
