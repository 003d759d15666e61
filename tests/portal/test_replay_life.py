"""What people would have done in a Zendesk, told from recorded rows: one action a row, each at its recorded time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from portal.replay.life import Action, life_of
from portal.replay.log import Incident, Row, read_log
from portal.replay.player import in_recorded_order
from tests import recordings

OPENED = datetime(2016, 2, 1, 8, tzinfo=UTC)


def at(minute: int) -> datetime:
    return OPENED.replace(hour=8 + minute // 60, minute=minute % 60)


def incident(
    *rows: tuple[int, str] | tuple[int, str, dict[str, str]], resolved: int | None = None
) -> Incident:
    """An incident opened at 8:00 with rows of (minute, state), and what else of a row is not as usual."""
    made = []
    for line, (minute, state, *others) in enumerate(rows, 2):
        values = {
            "priority": "3 - Moderate",
            "group": "Group 1",
            "category": "Category 1",
            "by": "Updated by 1",
        }
        values.update(others[0] if others else {})
        made.append(Row(line=line, state=state, at=at(minute), **values))
    return Incident("INC1", OPENED, None if resolved is None else at(resolved), None, tuple(made))


def told(action: Action) -> tuple[int, Any]:
    """The minute, and what is done: changed fields, or the word for what it is."""
    minute = int((action.at - OPENED).total_seconds() // 60)
    act = action.act
    return minute, act["fields"] if act["do"] == "update" else act["do"]


def story(one: Incident) -> list[tuple[int, Any]]:
    return [told(action) for action in life_of(one)]


def statuses(one: Incident) -> list[tuple[int, str]]:
    return [(minute, done["status"]) for minute, done in story(one) if "status" in done]


def test_a_ticket_is_created_as_the_first_row_has_it_at_the_time_of_opening() -> None:
    (creation,) = life_of(incident((5, "New", {"by": "Updated by 21", "priority": "1 - Critical"})))

    assert creation == Action(
        OPENED,
        {
            "do": "create",
            "ref": "INC1",
            "at": "2016-02-01T08:00:00+00:00",
            "as": "Updated by 21 <updatedby21@mercuri.example>",
            "fields": {
                "subject": "INC1 Category 1",
                "type": "incident",
                "status": "new",
                "priority": "urgent",
                "tags": ["category_1", "group_1"],
            },
            "comment": {"text": "Recorded as INC1.", "public": True},
        },
    )


def test_a_change_names_its_person_its_time_and_what_changed_alone() -> None:
    creation, change = life_of(incident((5, "New"), (9, "Active", {"by": "?"})))

    assert creation.act["do"] == "create"
    assert change == Action(
        at(9),
        {
            "do": "update",
            "ref": "INC1",
            "at": "2016-02-01T08:09:00+00:00",
            "as": "? <unknown@mercuri.example>",
            "fields": {"status": "open"},
        },
    )


def test_a_row_that_changes_nothing_of_a_ticket_is_an_internal_note() -> None:
    *_, note = life_of(incident((5, "New"), (9, "Active"), (12, "Active")))

    assert note.at == at(12)
    assert note.act["do"] == "comment"
    assert note.act["comment"] == {"text": "The record was updated.", "public": False}
    assert "fields" not in note.act


@pytest.mark.parametrize(
    ("rows", "resolved", "expected"),
    [
        pytest.param(
            [(5, "New"), (9, "Active", {"group": "Group 2"})],
            None,
            [(0, "create"), (9, {"status": "open", "tags": ["category_1", "group_2"]})],
            id="handed to another group",
        ),
        pytest.param(
            [(5, "New"), (9, "New", {"group": "?", "category": "?"})],
            None,
            [(0, "create"), (9, {"tags": []})],
            id="handed to nobody",
        ),
        pytest.param(
            [(5, "New"), (9, "New", {"priority": "2 - High"}), (10, "New", {"priority": "4 - Low"})],
            None,
            [(0, "create"), (9, {"priority": "high"}), (10, {"priority": "low"})],
            id="priority raised and lowered",
        ),
        pytest.param(
            [(5, "Active"), (9, "Active")],
            None,
            [(0, "create"), (5, {"status": "open"}), (9, "comment")],
            id="active from the first row on",
        ),
        pytest.param(
            [(5, "New"), (9, "Awaiting User Info"), (10, "Awaiting Vendor"), (11, "Awaiting Problem")],
            None,
            [(0, "create"), (9, {"status": "pending"}), (10, {"status": "hold"}), (11, "comment")],
            id="waiting for a person, then for others",
        ),
        pytest.param(
            [(5, "New"), (9, "Awaiting Evidence"), (10, "New")],
            None,
            [(0, "create"), (9, {"status": "hold"}), (10, {"status": "open"})],
            id="never new again",
        ),
    ],
)
def test_rows_become_changes(rows: list[Any], resolved: int | None, expected: list[Any]) -> None:
    assert story(incident(*rows, resolved=resolved)) == expected


@pytest.mark.parametrize(
    ("rows", "resolved", "expected"),
    [
        pytest.param(
            [(5, "Active"), (20, "Resolved"), (90, "Closed")],
            20,
            [(5, "open"), (20, "solved"), (90, "closed")],
            id="the usual way",
        ),
        pytest.param(
            [(5, "Active"), (20, "Resolved"), (30, "Resolved"), (90, "Closed")],
            30,
            [(5, "open"), (30, "solved"), (90, "closed")],
            id="the last row of Resolved has the recorded time",
        ),
        pytest.param(
            [(5, "Active"), (20, "Resolved"), (30, "Active"), (40, "Resolved"), (90, "Closed")],
            40,
            [(5, "open"), (20, "solved"), (30, "open"), (40, "solved"), (90, "closed")],
            id="reopened",
        ),
        pytest.param(
            [(5, "Active"), (20, "Resolved"), (90, "Closed")],
            None,
            [(5, "open"), (20, "pending"), (90, "closed")],
            id="no resolution was recorded",
        ),
        pytest.param(
            [(5, "Active"), (20, "Resolved"), (50, "Closed"), (60, "Closed"), (90, "Closed")],
            20,
            [(5, "open"), (20, "solved"), (90, "closed")],
            id="closed only by the last row",
        ),
        pytest.param(
            [(5, "Active"), (20, "Closed"), (30, "Active"), (40, "Resolved"), (90, "Closed")],
            40,
            [(5, "open"), (40, "solved"), (90, "closed")],
            id="closed too early",
        ),
    ],
)
def test_a_ticket_is_solved_when_the_log_says_so_and_closed_last(
    rows: list[Any], resolved: int | None, expected: list[Any]
) -> None:
    assert statuses(incident(*rows, resolved=resolved)) == expected


def test_times_never_go_back() -> None:
    one = incident((50, "New", {"group": "Group 2"}), (9, "Active"), (60, "Active"), (60, "Closed"))

    assert [action.at for action in life_of(one)] == [OPENED, at(50), at(60), at(60)]


def test_nothing_happens_before_the_ticket_is_opened() -> None:
    early = Incident("INC1", at(10), None, None, incident((5, "New"), (7, "Active")).rows)

    assert [(action.at, action.act["at"]) for action in life_of(early)] == [
        (at(10), "2016-02-01T08:10:00+00:00"),
        (at(10), "2016-02-01T08:10:00+00:00"),
    ]


def test_incidents_are_played_as_they_came_and_each_in_its_own_order(tmp_path: Path) -> None:
    incidents = read_log(recordings.write(tmp_path / "log.csv", recordings.log(30)))

    actions = in_recorded_order(incidents)

    assert [action.at for action in actions] == sorted(action.at for action in actions)
    for one in incidents:
        own = [action for action in actions if action.act["ref"] == one.number]
        assert own == list(life_of(one))


def test_a_year_of_real_incidents_is_solved_at_the_recorded_minute_and_closed_last(shared_data: Path) -> None:
    incidents = read_log(shared_data / "data" / "incident_event_log.csv.xz")

    wrong = []
    for one in incidents:
        done = [(action.act["at"], action.act.get("fields", {}).get("status")) for action in life_of(one)]
        solved = [minute for minute, status in done if status == "solved"]
        expected = one.resolved_at and one.resolved_at.isoformat()
        if (solved[-1] if solved else None) != expected:
            wrong.append((one.number, solved, expected))
        if [status for _, status in done].index("closed") != len(done) - 1:
            wrong.append((one.number, done))

    assert len(incidents) == 14889
    assert wrong == []
