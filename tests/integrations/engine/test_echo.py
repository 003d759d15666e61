"""Which write of ours a change is: what proves it goes before what looks like it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from integrations.canonical import Change, ChangeKind, Person, Value
from integrations.engine import echo
from integrations.engine.values import DeliveryState, OpenWrite, Stamp

OURS = "account"


def a_write(number: int, **fields: Value) -> OpenWrite:
    """A write of these fields, marked with its number."""
    return OpenWrite(
        *(number, 1, DeliveryState.DONE, Stamp(number, 1), f"fact {number}", 1, f"marker-{number}"),
        fields=fields,
    )


def attributed(
    marker: str, writes: list[OpenWrite], spent: list[OpenWrite], **fields: Value
) -> tuple[dict[str, int], set[str], set[str]]:
    """The write that caused each field of a change, which of them are steps, and which were set again."""
    change = Change(
        id="h1",
        at=datetime(2026, 3, 2, tzinfo=UTC),
        actor=Person(OURS, "Concord"),
        kind=ChangeKind.UPDATED,
        fields=fields,
        marker=marker,
    )
    found = echo.attribute(change, writes, OURS)
    echo.find_again(change, found, spent, writes, OURS)
    causes = {name: write.delivery_id for name, write in found.fields.items()}
    return causes, found.steps, found.set_again


def test_a_change_that_shows_the_marker_of_an_earlier_write_is_no_step_of_another_one() -> None:
    earlier, waiting = a_write(1, summary="one"), a_write(2, summary="two")
    assert attributed("marker-1", [waiting], [earlier], summary="one") == (
        {"summary": 1},
        set(),
        {"summary"},
    )


def test_a_change_on_the_way_to_what_was_written_is_a_step_also_beside_the_marker_of_company() -> None:
    # One write carried both, under the first one's marker.
    company, waiting = a_write(1, summary="one"), a_write(2, status="Done")
    assert attributed("marker-1", [waiting], [company], status="In Progress") == (
        {"status": 2},
        {"status"},
        set(),
    )


def test_what_went_out_under_the_marker_of_company_is_not_the_equal_write_of_another_connection() -> None:
    first, beside = a_write(1, summary="one"), a_write(2, status="Done")
    elsewhere = replace(a_write(3, status="Done"), connection_id=2)
    assert attributed("marker-1", [first, beside, elsewhere], [], summary="one", status="Done") == (
        {"summary": 1, "status": 2},
        set(),
        set(),
    )
    # Without a sign the whole of the change tells whose it is; where nothing does, it is the newest one's.
    assert attributed("", [first, beside, elsewhere], [], summary="one", status="Done")[0] == {
        "summary": 1,
        "status": 2,
    }
    assert attributed("", [first, beside, elsewhere], [], status="Done")[0] == {"status": 3}


def test_a_value_that_another_write_waits_to_see_is_that_ones() -> None:
    earlier, waiting = a_write(1, summary="one"), a_write(2, summary="one")
    assert attributed("marker-1", [waiting], [earlier], summary="one") == ({"summary": 2}, set(), set())


def shown(write: OpenWrite, writes: list[OpenWrite], marker: str = "", **fields: Value) -> dict:
    """What a write has still to show after a change under our account."""
    change = Change(
        "h1", datetime(2026, 3, 2, tzinfo=UTC), Person(OURS, "Concord"), ChangeKind.UPDATED, fields
    )
    change = replace(change, marker=marker)
    found = echo.attribute(change, writes, OURS)
    echo.find_behind(change, found, writes, OURS)
    return dict(echo.remaining(write, change, found))


def test_what_may_have_been_a_step_of_another_write_may_still_come_behind_it_and_is_no_news_then() -> None:
    opens, solves = a_write(1, status="In Progress"), a_write(2, status="Done")
    assert shown(opens, [opens, solves], status="In Progress") == {"behind": {"status": "In Progress"}}
    # Nothing leads anywhere else, or the marker says whose it is: then it has been seen.
    assert shown(opens, [opens], status="In Progress") == {}
    assert shown(opens, [opens, solves], marker="marker-1", status="In Progress") == {}

    waits = replace(a_write(1), behind={"status": "In Progress"})
    found = echo.Attribution()
    change = Change(
        "h2",
        datetime(2026, 3, 2, tzinfo=UTC),
        Person(OURS, "Concord"),
        ChangeKind.UPDATED,
        {"status": "In Progress"},
    )
    echo.find_behind(change, found, [waits], OURS)
    assert ({name: cause.delivery_id for name, cause in found.fields.items()}, found.set_again) == (
        {"status": 1},
        {"status"},
    )
    assert echo.remaining(waits, change, found) == {}


def test_what_somebody_else_or_another_value_sets_is_nothing_that_came_behind_a_step() -> None:
    waits = replace(a_write(1), behind={"status": "In Progress"})
    for actor, value in ((OURS, "Waiting"), ("mina", "In Progress")):
        found = echo.Attribution()
        change = Change(
            "h2",
            datetime(2026, 3, 2, tzinfo=UTC),
            Person(actor, "One"),
            ChangeKind.UPDATED,
            {"status": value},
        )
        echo.find_behind(change, found, [waits], OURS)
        assert (found.fields, found.set_again) == ({}, set())
        assert echo.remaining(waits, change, found) == {"behind": {"status": "In Progress"}}
