"""A web hook tells nothing new when its ticket's history was told until later than what it tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from integrations.engine.hints import is_told, latest, told_from_now

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BEFORE, AFTER = NOON - timedelta(milliseconds=1), NOON + timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("happened_at", "told_until", "told"),
    [
        (BEFORE, NOON, True),
        (NOON, NOON, False),
        (AFTER, NOON, False),
        (None, NOON, False),
        (BEFORE, None, False),
        (None, None, False),
    ],
)
def test_only_what_happened_before_is_told(
    happened_at: datetime | None, told_until: datetime | None, told: bool
) -> None:
    assert is_told(happened_at, told_until) is told


@pytest.mark.parametrize(
    ("times", "found"),
    [
        ([BEFORE, AFTER, NOON], AFTER),
        ([NOON], NOON),
        ([BEFORE, None, AFTER], None),
        ([None], None),
        ([], None),
    ],
)
def test_the_last_of_several_things_is_known_when_all_have_a_time(
    times: list[datetime | None], found: datetime | None
) -> None:
    assert latest(times) == found


@pytest.mark.parametrize(
    ("before", "as_of", "has_more", "until"),
    [
        (None, NOON, False, NOON),
        (BEFORE, NOON, False, NOON),
        # That clock was put back.
        (AFTER, NOON, False, NOON),
        (BEFORE, NOON, True, BEFORE),
        (None, NOON, True, None),
        (BEFORE, None, False, BEFORE),
    ],
)
def test_the_last_reading_that_was_read_to_its_end_says_until_when_a_history_is_told(
    before: datetime | None, as_of: datetime | None, has_more: bool, until: datetime | None
) -> None:
    assert told_from_now(before, as_of, has_more=has_more) == until
