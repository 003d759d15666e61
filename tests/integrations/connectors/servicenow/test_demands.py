"""What a state demands, and which impact and urgency a priority stands for."""

from __future__ import annotations

import pytest

from integrations.canonical import Fields
from integrations.connectors import errors
from integrations.connectors.servicenow import demands, metadata, writing
from integrations.connectors.servicenow.people import Directory

NOBODY = Directory(lambda table, query, columns: [])
INCIDENT = metadata.usual(["incident"]).tables["incident"]
CHANGE = metadata.usual(["change_request"]).tables["change_request"]


def written(wanted: Fields, current: Fields) -> dict[str, str]:
    return writing.new_values(INCIDENT, wanted, current, NOBODY)


@pytest.mark.parametrize(
    ("priority", "impact", "urgency", "pair"),
    [
        ("1", "3", "3", ("1", "1")),
        ("2", "1", "3", ("1", "2")),
        ("2", "3", "3", ("2", "1")),
        ("3", "2", "2", ("2", "2")),
        ("3", "3", "3", ("3", "1")),
        ("5", "1", "1", ("3", "3")),
        ("4", "", "", ("2", "3")),
        ("9", "1", "1", None),
    ],
)
def test_a_priority_is_written_as_the_nearest_impact_and_urgency(
    priority: str, impact: str, urgency: str, pair: tuple[str, str] | None
) -> None:
    assert demands.pair_for(demands.USUAL_MATRIX, priority, impact, urgency) == pair


def test_impact_and_urgency_that_are_given_count_more_than_a_priority() -> None:
    wanted = {"priority": "1 - Critical", "impact": "3 - Low"}
    assert written(wanted, {"impact": "2 - Medium", "urgency": "2 - Medium"}) == {
        "impact": "3",
        "urgency": "1",
    }


def test_where_nothing_is_derived_the_priority_itself_is_written() -> None:
    assert writing.new_values(CHANGE, {"priority": "2 - High"}, {}, NOBODY) == {"priority": "2"}


def test_what_a_state_demands_is_given_where_we_have_a_default() -> None:
    assert written({"state": "On Hold"}, {"state": "New"}) == {"state": "3", "hold_reason": "4"}
    assert written({"state": "on hold", "hold_reason": "Awaiting Change"}, {}) == {
        "state": "3",
        "hold_reason": "5",
    }


def test_what_nobody_gives_is_refused_before_anything_is_written() -> None:
    with pytest.raises(errors.RequiredField) as raised:
        written({"state": "Resolved"}, {"state": "New"})
    assert set(raised.value.fields) == {"close_code"}
    assert "“Resolution code” to reach “Resolved”" in raised.value.message


def test_what_the_ticket_holds_already_is_not_demanded_again() -> None:
    current = {"state": "In Progress", "close_code": "Duplicate", "close_notes": "See the other one."}
    assert written({"state": "Resolved"}, current) == {"state": "6"}
    # A demand that the ticket stands under already is no business of another change.
    assert written({"short_description": "x"}, {"state": "Resolved"}) == {"short_description": "x"}


def test_a_new_ticket_leaves_a_state_that_demands_more_for_later() -> None:
    wanted = {"short_description": "x", "state": "Resolved"}
    assert writing.first_values(INCIDENT, wanted, NOBODY) == {"short_description": "x"}
    assert writing.first_values(INCIDENT, {"state": "In Progress"}, NOBODY) == {"state": "2"}


@pytest.mark.parametrize(
    ("query", "values", "holds"),
    [
        ("state=3", {"state": "3"}, True),
        ("stateIN6,7^EQ", {"state": "7"}, True),
        ("state=3^hold_reason=1", {"state": "3"}, False),
    ],
)
def test_a_data_policys_condition_is_understood(query: str, values: dict[str, str], holds: bool) -> None:
    found = demands.demand(query, ["close_notes"])
    assert found is not None
    assert found.holds(values) is holds


@pytest.mark.parametrize("query", ["", "state=3^ORstate=6", "state!=3", "opened_atON Today", "a=1^NQb=2"])
def test_a_condition_that_is_more_than_that_is_left_to_servicenow(query: str) -> None:
    assert demands.demand(query, ["close_notes"]) is None


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"state": "Nowhere"}, "state"),
        ({"state": None}, "state"),
        ({"number": "INC1"}, "number"),
        ({"no_such_field": "x"}, "no_such_field"),
        ({"assigned_to": {"id": "", "name": "Ann", "email": "ann@elsewhere.example"}}, "assigned_to"),
        ({"assignment_group": "Nobody's"}, "assignment_group"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name_and_never_emptied(wanted: Fields, named: str) -> None:
    with pytest.raises(errors.Invalid) as raised:
        written(wanted, {})
    assert set(raised.value.fields) == {named}


def test_a_person_is_taken_by_id_or_by_an_address_that_is_known_here() -> None:
    ann = {"sys_id": "a" * 32, "user_name": "ann", "name": "Ann Lee", "email": "Ann@partner.example"}
    asked = []

    def look_up(table: str, query: str, columns: tuple[str, ...]) -> list[dict]:
        asked.append(query)
        return [ann]

    directory = Directory(look_up)
    by_address = {"id": "7", "name": "Ann", "email": "ann@partner.example"}
    values = [
        writing.new_values(INCIDENT, {"assigned_to": value}, {}, directory)
        for value in (by_address, by_address, {"id": "b" * 32}, None)
    ]
    assert values == [{"assigned_to": one} for one in ("a" * 32, "a" * 32, "b" * 32, "")]
    assert asked == ["email=ann@partner.example^active=true"]
