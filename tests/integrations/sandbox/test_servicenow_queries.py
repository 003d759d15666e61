"""The query language and the pages of the sandboxed ServiceNow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integrations.sandbox.servicenow import times
from tests.integrations.sandbox.test_servicenow_records import create, found, update
from tests.integrations.sandbox.vendor import NOON, Vendor


@pytest.fixture
def five(servicenow: Vendor) -> Vendor:
    """Five incidents, one a minute from noon on: A to E."""
    carl = found(servicenow, "sys_user", "email=carl@partner.example")[0]["sys_id"]
    create(servicenow, short_description="A mail", impact="1", urgency="1", caller_id=carl)
    servicenow.clock.advance(60)
    create(servicenow, short_description="B mail", impact="2", category="network")
    servicenow.clock.advance(60)
    create(servicenow, short_description="C vpn", category="network", correlation_id="ours-3")
    servicenow.clock.advance(60)
    create(servicenow, short_description="D vpn^x", correlation_id="ours-4")
    servicenow.clock.advance(60)
    create(servicenow, short_description="E", due_date="2026-03-10 00:00:00")
    return servicenow


@pytest.mark.parametrize(
    ("query", "letters"),
    [
        ("", "ABCDE"),
        ("short_description=C vpn", "C"),
        ("short_description!=C vpn", "ABDE"),
        ("priority=1", "A"),
        ("priority>3", "BCDE"),
        ("priority>=4^priority<5", "B"),
        ("priority<=4", "AB"),
        ("impactIN1,2", "AB"),
        ("impactNOT IN1,2", "CDE"),
        ("short_descriptionLIKEvpn", "CD"),
        ("short_descriptionLIKEVPN", ""),
        ("short_descriptionCONTAINSmail", "AB"),
        ("short_descriptionNOT LIKEmail", "CDE"),
        ("short_descriptionDOES NOT CONTAINmail", "CDE"),
        ("short_descriptionSTARTSWITHB", "B"),
        ("short_descriptionENDSWITHvpn", "C"),
        ("correlation_idISEMPTY", "ABE"),
        ("correlation_idISNOTEMPTY", "CD"),
        ("correlation_id=", "ABE"),
        ("correlation_id=ours-3", "C"),
        ("correlation_idINours-3,ours-4,ours-5", "CD"),
        ("short_description=D vpn^^x", "D"),
        ("category=network^impact=2", "B"),
        ("category=network^ORpriority=1", "ABC"),
        ("category=network^ORpriority=1^impact!=3", "AB"),
        ("category=network^impact=2^NQpriority=1", "AB"),
        ("priority=1^EQ", "A"),
        ("caller_id.email=carl@partner.example", "A"),
        ("caller_id.company.name=Partner Ltd", "A"),
        ("caller_id.emailISEMPTY", "BCDE"),
        ("sys_created_on>=2026-03-02 12:02:00", "CDE"),
        ("sys_created_on>2026-03-02 12:02:00", "DE"),
        ("sys_created_onBETWEEN2026-03-02 12:01:00@2026-03-02 12:02:00", "BC"),
        ("sys_created_on>=javascript:gs.dateGenerate('2026-03-02','12:03:00')", "DE"),
        ("sys_created_on>javascript:gs.minutesAgo(2)", "DE"),
        ("sys_created_onONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()", "ABCDE"),
        ("due_date<2026-03-11", "E"),
        ("sys_created_by=javascript:gs.getUserName()", "ABCDE"),
        ("opened_by=javascript:gs.getUserID()", "ABCDE"),
    ],
)  # fmt: skip
def test_a_query_finds(five: Vendor, query: str, letters: str) -> None:
    told = found(five, "incident", f"{query}^ORDERBYnumber")

    assert "".join(one["short_description"][0] for one in told) == letters


@pytest.mark.parametrize(
    "part",
    [
        "no_such_field=1", "caller_id.no_such=1", "priority>many", "sys_created_on>=soon", "nonsense",
        "sys_created_on>=javascript:gs.eval('1')", "comments=x",
    ],
)  # fmt: skip
def test_a_broken_part_is_dropped_or_finds_nothing_as_the_instance_is_set(five: Vendor, part: str) -> None:
    query = f"{part}^impactIN1,2"

    assert len(found(five, "incident", query)) == 2
    five.sandbox.settings(invalid_query_returns_no_rows=True)
    assert found(five, "incident", query) == []


@pytest.mark.parametrize(
    ("query", "letters"),
    [
        ("ORDERBYshort_description", "ABCDE"),
        ("ORDERBYDESCshort_description", "EDCBA"),
        ("ORDERBYpriority^ORDERBYDESCnumber", "ABEDC"),
        ("ORDERBYcategory^ORDERBYnumber", "ADEBC"),
    ],
)
def test_a_query_orders(five: Vendor, query: str, letters: str) -> None:
    assert "".join(one["short_description"][0] for one in found(five, "incident", query)) == letters


def test_without_an_order_rows_come_as_their_ids_do(five: Vendor) -> None:
    ids = [one["sys_id"] for one in found(five, "incident", "")]

    assert ids == sorted(ids)


def test_a_parameter_that_names_a_field_is_a_query_too(five: Vendor) -> None:
    told = five.get("/table/incident", number="INC0010002", no_such="x")["result"]

    assert [one["short_description"] for one in told] == ["B mail"]


@pytest.mark.parametrize(("in_zone", "letters"), [(False, "CDE"), (True, "ABCDE")])
def test_dates_are_meant_in_utc_or_in_the_callers_zone_as_the_instance_is_set(
    five: Vendor, in_zone: bool, letters: str
) -> None:
    five.sandbox.settings(time_zone="Europe/Amsterdam", literals_in_user_zone=in_zone)

    told = found(five, "incident", "sys_created_on>=2026-03-02 12:02:00^ORDERBYnumber")

    assert "".join(one["short_description"][0] for one in told) == letters


def test_a_generated_date_is_always_in_the_callers_zone(five: Vendor) -> None:
    five.sandbox.settings(time_zone="Europe/Amsterdam")
    query = "sys_created_on>=javascript:gs.dateGenerate('2026-03-02','13:03:00')^ORDERBYnumber"

    assert "".join(one["short_description"][0] for one in found(five, "incident", query)) == "DE"


def test_an_index_gives_what_a_look_at_all_records_gives(five: Vendor) -> None:
    record = found(five, "incident", "correlation_id=ours-3")[0]
    update(five, record, correlation_id="moved")

    assert found(five, "incident", "correlation_id=ours-3") == []
    assert [one["number"] for one in found(five, "incident", "correlation_id=moved")] == [record["number"]]
    assert found(five, "incident", "correlation_id=moved^impact=1") == []


# --- Date helpers ---


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("dateGenerate('2026-01-02','03:04:05')", "2026-01-02 02:04:05"),
        ('dateGenerate("2026-07-02","start")', "2026-07-01 22:00:00"),
        ("dateGenerate('2026-07-02','end')", "2026-07-02 21:59:59"),
        ("dateGenerate('soon','start')", None),
        ("minutesAgo(5)", "2026-03-02 11:55:30"),
        ("minutesAgoStart(5)", "2026-03-02 11:55:00"),
        ("hoursAgo(2)", "2026-03-02 10:00:30"),
        ("hoursAgoStart(2)", "2026-03-02 10:00:00"),
        ("daysAgo(1)", "2026-03-01 12:00:30"),
        ("daysAgoStart(1)", "2026-02-28 23:00:00"),
        ("daysAgoEnd(1)", "2026-03-01 22:59:59"),
        ("beginningOfToday()", "2026-03-01 23:00:00"),
        ("nowDateTime()", "2026-03-02 12:00:30"),
        ("daysAgo(much)", None),
        ("getProperty('x')", None),
    ],
)
def test_the_date_helpers_count_in_the_callers_zone(call: str, value: str | None) -> None:
    helpers = times.Helpers(NOON + timedelta(seconds=30), "Europe/Amsterdam", "id", "name")

    assert helpers.value(f"javascript:gs.{call}") == value


# --- Pages ---


def test_pages_are_linked_and_counted(five: Vendor) -> None:
    query = {"sysparm_query": "ORDERBYnumber", "sysparm_fields": "number", "sysparm_limit": "2"}
    page = five("GET", "/table/incident", params={**query, "sysparm_offset": "2"})

    def told(name: str) -> list[str]:
        address = page.links[name]["url"]
        assert address.startswith(f"{five.sandbox.url}/api/now/table/incident?")
        return [one["number"] for one in five("GET", address).json()["result"]]

    numbers = [f"INC001000{at}" for at in range(1, 6)]
    assert [one["number"] for one in page.json()["result"]] == numbers[2:4]
    assert page.headers["X-Total-Count"] == "5"
    assert {name: told(name) for name in page.links} == {
        "first": numbers[:2],
        "prev": numbers[:2],
        "next": numbers[4:],
        "last": numbers[4:],
    }


def test_links_and_counts_can_be_left_out(five: Vendor) -> None:
    query = {"sysparm_no_count": "true", "sysparm_suppress_pagination_header": "true", "sysparm_limit": "2"}
    page = five("GET", "/table/incident", params=query)

    assert (len(page.json()["result"]), "Link" in page.headers, "X-Total-Count" in page.headers) == (
        2,
        False,
        False,
    )


def test_a_single_page_has_no_links(five: Vendor) -> None:
    assert "Link" not in five("GET", "/table/incident").headers


def test_a_negative_offset_is_refused(five: Vendor) -> None:
    assert five("GET", "/table/incident", params={"sysparm_offset": "-1"}).status_code == 400
