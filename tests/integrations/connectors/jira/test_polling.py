"""The place between two polls, and the searches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from integrations.connectors import errors
from integrations.connectors.jira.polling import (
    MAX_REMEMBERED,
    Place,
    arrived_jql,
    changed_jql,
    next_place,
    property_jql,
    quoted,
    read_place,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def page(*issues: tuple[str, str], token: str = "") -> dict:
    found: dict = {"issues": [{"id": id_, "fields": {"updated": updated}} for id_, updated in issues]}
    return {**found, "nextPageToken": token} if token else {**found, "isLast": True}


def jira_time(ago_s: float) -> str:
    return (NOON - timedelta(seconds=ago_s)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


@pytest.mark.parametrize(
    ("ago", "minutes"),
    [
        (timedelta(0), 3),
        (timedelta(seconds=1), 4),
        (timedelta(days=3), 3 * 24 * 60 + 3),
        (timedelta(hours=-1), 1),
    ],
)
def test_a_search_begins_at_least_two_minutes_before_the_place(ago: timedelta, minutes: int) -> None:
    jql = changed_jql("NET", Place(NOON - ago), NOON)
    assert jql == f'project = "NET" AND updated >= "-{minutes}m" ORDER BY updated ASC'


def test_a_place_survives_being_stored() -> None:
    for place in (
        Place(NOON),
        Place(NOON, {"1": jira_time(5)}),
        Place(NOON, {"1": jira_time(5)}, "token", "jql", NOON + timedelta(seconds=1)),
    ):
        assert read_place(place.text(), NOON + timedelta(days=9)) == place


def test_the_first_poll_begins_now_and_an_unreadable_cursor_a_day_ago() -> None:
    assert read_place("", NOON) == Place(NOON)
    for text in ("{", "[]", '{"since": 1}', '{"since": "2026-03-01T00:00:00", "seen": []}', "null"):
        assert read_place(text, NOON) == Place(NOON - timedelta(days=1))


def test_a_ticket_is_news_when_its_time_is() -> None:
    place = Place(NOON, {"1": jira_time(5), "2": jira_time(9)})
    ids, _ = next_place(
        place, "jql", page(("1", jira_time(5)), ("2", jira_time(1)), ("3", jira_time(2))), NOON
    )
    assert ids == ("2", "3")


def test_a_ticket_without_a_time_is_always_news() -> None:
    ids, after = next_place(
        Place(NOON, {"1": ""}), "jql", {"issues": [{"id": "1"}, {"id": "", "fields": {}}]}, NOON
    )
    assert (ids, after.seen) == (("1",), {})


def test_what_the_next_search_may_return_again_is_remembered_and_no_more() -> None:
    issues = (("1", jira_time(10)), ("2", jira_time(290)), ("3", jira_time(310)))
    _, after = next_place(Place(NOON - timedelta(hours=1)), "jql", page(*issues), NOON)
    assert after == Place(NOON, {"1": jira_time(10), "2": jira_time(290)})


def test_after_several_pages_the_place_is_where_the_first_began() -> None:
    later = NOON + timedelta(minutes=4)
    _, between = next_place(
        Place(NOON - timedelta(hours=1)), "jql", page(("1", jira_time(3000)), token="p2"), NOON
    )
    assert (between.page_token, between.jql, changed_jql("NET", between, later)) == ("p2", "jql", "jql")
    _, after = next_place(between, "jql", page(("2", jira_time(1))), later)
    assert after.since == NOON


def test_memory_is_bounded_and_keeps_the_newest() -> None:
    issues = [(str(n), jira_time(200 - n / 100)) for n in range(MAX_REMEMBERED + 50)]
    _, after = next_place(Place(NOON), "jql", page(*issues), NOON)
    assert len(after.seen) == MAX_REMEMBERED
    assert str(MAX_REMEMBERED + 49) in after.seen
    assert "0" not in after.seen


def test_an_answer_without_tickets_is_garbled() -> None:
    with pytest.raises(errors.Garbled):
        next_place(Place(NOON), "jql", {}, NOON)


def test_nothing_in_a_search_can_end_its_quotes() -> None:
    assert quoted('a" OR "\\') == '"a\\" OR \\"\\\\"'
    assert property_jql("N", 'x"y') == 'project = "N" AND issue.property[concord].marker = "x\\"y"'
    assert '"Done\\""' in arrived_jql("N", "Task", 'Done"')
