"""The incremental export, the search, and the rate limits of the sandboxed Zendesk."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integrations.sandbox.vendor import NOON, Vendor, vendor

START = int(NOON.timestamp())


def create(zendesk: Vendor, subject: str, **fields: Any) -> int:
    wanted = {"subject": subject, "comment": {"body": "x"}, **fields}
    return int(zendesk.send("POST", "/tickets", {"ticket": wanted})["ticket"]["id"])


def export(zendesk: Vendor, **query: Any) -> dict[str, Any]:
    return zendesk.get("/incremental/tickets/cursor.json", **{"start_time": START - 3600, **query})


def subjects(page: dict[str, Any]) -> list[str]:
    return [one["subject"] for one in page["tickets"]]


def test_the_last_minute_is_never_returned(zendesk: Vendor) -> None:
    create(zendesk, "old")
    zendesk.clock.advance(30)
    create(zendesk, "new")
    zendesk.clock.advance(30)

    first = export(zendesk)
    zendesk.clock.advance(30)
    second = zendesk.get("/incremental/tickets/cursor.json", cursor=first["after_cursor"])

    assert (subjects(first), first["end_of_stream"]) == (["old"], True)
    assert (subjects(second), second["end_of_stream"]) == (["new"], True)


def test_a_start_within_the_last_minute_is_refused(zendesk: Vendor) -> None:
    answer = zendesk("GET", f"/incremental/tickets/cursor?start_time={START - 59}")

    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidValue")
    assert answer.json()["description"].startswith("Too recent start_time.")


def test_pages_follow_the_cursor_to_the_end(zendesk: Vendor) -> None:
    for number in range(5):
        create(zendesk, str(number))
    zendesk.clock.advance(61)

    pages = [export(zendesk, per_page=2)]
    while not pages[-1]["end_of_stream"]:
        pages.append(zendesk("GET", pages[-1]["after_url"]).json())

    assert [subjects(one) for one in pages] == [["0", "1"], ["2", "3"], ["4"]]


def test_a_ticket_comes_once_at_its_newest_change(zendesk: Vendor) -> None:
    ids = [create(zendesk, subject) for subject in ("first", "second")]
    zendesk.send("PUT", f"/tickets/{ids[0]}", {"ticket": {"subject": "first again"}})
    zendesk.clock.advance(61)

    assert subjects(export(zendesk)) == ["second", "first again"]


def test_a_change_within_the_second_of_the_cursor_is_not_lost() -> None:
    with vendor("zendesk", incremental_lag_s=0) as zendesk:
        id_ = create(zendesk, "one")
        cursor = export(zendesk)["after_cursor"]
        zendesk.send("PUT", f"/tickets/{id_}", {"ticket": {"subject": "two"}})

        assert subjects(zendesk.get("/incremental/tickets/cursor.json", cursor=cursor)) == ["two"]


def test_what_the_partner_dates_back_still_appears(zendesk: Vendor) -> None:
    zendesk.sandbox.act({"do": "create", "fields": {"subject": "imported"}, "at": "2020-01-01T00:00:00Z"})
    zendesk.clock.advance(61)

    (ticket,) = export(zendesk)["tickets"]

    assert (ticket["updated_at"], ticket["generated_timestamp"]) == ("2020-01-01T00:00:00Z", START)


def test_deleted_tickets_appear_unless_excluded(zendesk: Vendor) -> None:
    zendesk.send("DELETE", f"/tickets/{create(zendesk, 'gone')}")
    zendesk.clock.advance(61)

    assert [one["status"] for one in export(zendesk)["tickets"]] == ["deleted"]
    assert export(zendesk, exclude_deleted="true")["tickets"] == []


@pytest.mark.parametrize("query", ["", "start_time=soon", "cursor=nonsense"])
def test_a_start_that_is_none_is_refused(zendesk: Vendor, query: str) -> None:
    assert zendesk("GET", f"/incremental/tickets/cursor?{query}").status_code == 422


# --- Search ---


def test_the_search_lags_behind() -> None:
    with vendor("zendesk", search_lag_s=30) as zendesk:
        create(zendesk, "VPN is down", external_id="ours-1")

        def found() -> int:
            return int(zendesk.get("/search", query="type:ticket external_id:ours-1")["count"])

        before = found()
        zendesk.clock.advance(30)

        assert (before, found()) == (0, 1)
        assert len(zendesk.get("/tickets", external_id="ours-1")["tickets"]) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type:ticket", ["DNS", "VPN"]),
        ("status:pending", ["VPN"]),
        ("tags:urgent priority:high", ["DNS"]),
        ('subject:"VPN"', ["VPN"]),
        ("created>2026-03-01", ["DNS", "VPN"]),
        ("created<2026-03-01", []),
        ("vpn", ["VPN"]),
    ],
)
def test_the_search_finds_by_a_few_fields(zendesk: Vendor, query: str, expected: list[str]) -> None:
    create(zendesk, "VPN", status="pending")
    create(zendesk, "DNS", tags=["urgent"], priority="high")

    assert [one["subject"] for one in zendesk.get("/search", query=query)["results"]] == expected


def test_the_search_ends_at_a_thousand(zendesk: Vendor) -> None:
    assert zendesk("GET", "/search?query=type:ticket&page=11").status_code == 422


# --- Limits ---


def test_a_chatty_ticket_is_stopped() -> None:
    with vendor("zendesk", updates_per_ticket_10_min=30) as zendesk:
        one, other = create(zendesk, "one"), create(zendesk, "other")

        def update(id_: int) -> int:
            return zendesk("PUT", f"/tickets/{id_}", {"ticket": {"comment": {"body": "x"}}}).status_code

        assert [update(one) for _ in range(31)] == [200] * 30 + [429]
        assert update(other) == 200
        assert zendesk("PUT", f"/tickets/{one}", {"ticket": {}}).headers["Retry-After"] == "600"
        zendesk.clock.advance(600)
        assert update(one) == 200


def test_the_export_is_asked_ten_times_a_minute() -> None:
    with vendor("zendesk", incremental_per_minute=10) as zendesk:
        path = f"/incremental/tickets/cursor?start_time={START - 3600}"

        assert [zendesk("GET", path).status_code for _ in range(11)] == [200] * 10 + [429]


def test_the_account_has_a_rate_and_shows_it() -> None:
    with vendor("zendesk", requests_per_minute=2) as zendesk:
        answers = [zendesk("GET", "/users/me") for _ in range(3)]

        assert [one.status_code for one in answers] == [200, 200, 429]
        assert [one.headers["X-Rate-Limit-Remaining"] for one in answers] == ["1", "0", "0"]
        assert answers[0].headers["ratelimit-limit"] == "2"
