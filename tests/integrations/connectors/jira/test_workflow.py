"""The workflow's rules: which step, which way, what a screen wants."""

from __future__ import annotations

import pytest

from integrations.connectors import errors
from integrations.connectors.jira.recall import Known, Workflows
from integrations.connectors.jira.workflow import (
    MAX_STEPS,
    ScreenField,
    Transition,
    default_for,
    entries_of,
    moves,
    no_step,
    read_plan,
    read_transitions,
    screen_values,
    step_to,
    way,
)
from integrations.connectors.recall import Recall
from tests.integrations.connectors.jira.answers import entry, issue, item, transition
from tests.integrations.connectors.jira.conftest import Ticking


def step(to: str, *screen: ScreenField, id_: str = "1") -> Transition:
    return Transition(id_, f"to {to}", to, {one.name: one for one in screen})


DEMANDED = ScreenField("resolution", is_required=True, values=("Done", "Duplicate"))


def test_steps_are_read_and_odd_ones_left_out() -> None:
    screen = {
        "resolution": {"required": True, "allowedValues": [{"name": "Done"}, {"value": "Old"}, "x", {}]},
        "comment": {"required": False},
        "priority": {"required": True, "hasDefaultValue": True},
        "odd": "x",
    }
    values = [
        transition("11", "Done", screen),
        {**transition("12", "Shut"), "isAvailable": False},
        {"id": "13"},
        {"id": "14", "to": {}},
        {"to": {"name": "No id"}},
        "x",
    ]
    assert read_transitions(values) == (
        Transition(
            "11",
            "Go to Done",
            "Done",
            {
                "resolution": ScreenField("resolution", True, ("Done", "Old")),
                "comment": ScreenField("comment", False),
                "priority": ScreenField("priority", False),
            },
        ),
    )
    assert read_transitions(None) == ()


def test_a_step_is_chosen_by_where_it_leads_and_the_easiest_of_several() -> None:
    hard, easy = step("Done", DEMANDED, id_="1"), step("done", id_="2")
    assert step_to([step("Open"), hard, easy], " DONE ") == easy
    assert step_to([step("Open")], "Done") is None


def test_a_screen_gets_what_was_given_for_it_and_declared_defaults() -> None:
    note = ScreenField("customfield_1", is_required=False)
    given = {"summary": "x", "customfield_1": "y", "resolution": None}
    assert screen_values(step("Done", DEMANDED, note), given) == {
        "customfield_1": "y",
        "resolution": {"name": "Done"},
    }
    assert screen_values(step("Done", DEMANDED), {"resolution": {"name": "Duplicate"}}) == {
        "resolution": {"name": "Duplicate"}
    }


def test_a_screen_that_jira_did_not_tell_gets_only_what_such_screens_have() -> None:
    unknown = Transition("1", "x", "Done")
    assert screen_values(unknown, {"summary": "x", "resolution": {"name": "Done"}}) == {
        "resolution": {"name": "Done"}
    }
    assert screen_values(unknown, {}) == {}


def test_a_demand_that_nothing_meets_is_told_by_name() -> None:
    foreign = ScreenField("resolution", is_required=True, values=("Erledigt",))
    cause = ScreenField("customfield_9", is_required=True)
    assert default_for(foreign) is None
    with pytest.raises(errors.RequiredField) as caught:
        screen_values(step("Done", foreign, cause), {})
    assert list(caught.value.fields) == ["resolution", "customfield_9"]


def test_no_step_at_all_is_told_as_a_right_that_may_be_missing() -> None:
    assert "offers our account no step" in no_step("Done", ()).message


GRAPH = {
    "Open": frozenset({"Waiting", "Working"}),
    "Working": frozenset({"Review", "Open"}),
    "Waiting": frozenset({"Open"}),
    "review": frozenset({"Done"}),
}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("Open", "Working", ("Working",)),
        ("open", "DONE", ("Working", "Review", "Done")),
        ("Waiting", "Done", ("Open", "Working", "Review", "Done")),
        ("Done", "Open", None),
        ("Nowhere", "Open", None),
        ("Open", "Cancelled", None),
    ],
)
def test_the_shortest_way_is_found(start: str, end: str, expected: tuple | None) -> None:
    assert way(GRAPH, start, end) == expected


def test_of_equally_short_ways_everybody_takes_the_same() -> None:
    graph = {"A": frozenset({"C", "B"}), "B": frozenset({"D"}), "C": frozenset({"D"})}
    assert way(graph, "A", "D") == ("B", "D")


def test_a_very_long_way_is_for_a_person() -> None:
    chain = {str(n): frozenset({str(n + 1)}) for n in range(20)}
    assert way(chain, "0", str(MAX_STEPS)) is not None
    assert way(chain, "0", str(MAX_STEPS + 1)) is None


def test_the_entries_of_our_steps_are_told_from_others() -> None:
    def move(id_: int, before: str, after: str) -> dict:
        return entry(id_, id_, item("status", before, after))

    newest_first = [
        entry(9, 9, item("summary", "a", "b")),
        move(3, "B", "C"),
        move(2, "A", "B"),
        move(1, "C", "A"),
    ]
    assert entries_of(newest_first, ("B", "C")) == ("2", "3")
    assert entries_of(newest_first, ("B", "D")) == ()
    assert entries_of(newest_first[:2], ("B", "C")) == ()


def test_what_is_open_to_us_is_surer_than_what_others_did() -> None:
    known = Workflows()
    raw = issue(entries=[entry(1, 1, item("status", "A", "C")), entry(2, 2, item("status", "C", "D"))])
    known.learn(Known("Task", "A", (step("B"),)), moves(raw))
    known.learn(Known("Task", "X", ()), [])
    assert known.graph("Task") == {"A": frozenset({"B"}), "C": frozenset({"D"})}
    assert known.graph("Bug") == {}


PLAN = {
    "statuses": [
        {"id": "1", "statusReference": "r1", "name": "To Do"},
        {"id": "2", "statusReference": "r2", "name": "Doing"},
        {"id": "3", "statusReference": "r3", "name": "Done"},
        {"id": "4", "statusReference": "r4", "name": "Of another workflow"},
        {"statusReference": "r5"},
        "odd",
    ],
    "workflows": [
        {
            "name": "Ours",
            "statuses": [{"statusReference": one} for one in ("r1", "r2", "r3", "r5", None)] + ["odd"],
            "transitions": [
                {"id": "1", "type": "INITIAL", "toStatusReference": "r1", "links": []},
                {"id": "2", "type": "DIRECTED", "toStatusReference": "r2", "links": [{"fromStatusReference": "r1"}]},
                # As Jira told it before 2025.
                {"id": "3", "type": "DIRECTED", "to": {"statusReference": "r3"}, "from": [{"statusReference": "r2"}]},
                {"id": "4", "type": "GLOBAL", "toStatusReference": "r1"},
                {"id": "5", "type": "DIRECTED", "toStatusReference": "r9", "links": [{"fromStatusReference": "r1"}]},
                {"id": "6", "type": "DIRECTED", "toStatusReference": "r2", "links": [{"fromStatusReference": "r9"}]},
                {"id": "7", "type": "DIRECTED", "toStatusReference": {}, "links": 5},
                "odd",
            ],
        },
        {"transitions": [{"type": "GLOBAL", "toStatusReference": "r1"}]},
        None,
    ],
}  # fmt: skip


def test_a_workflows_plan_is_read_in_either_form_and_odd_steps_are_left_out() -> None:
    assert read_plan(PLAN) == {
        "To Do": frozenset({"Doing"}),
        "Doing": frozenset({"To Do", "Done"}),
        "Done": frozenset({"To Do"}),
    }
    assert (
        read_plan({}) == read_plan({"workflows": [{"statuses": 5, "transitions": {}}], "statuses": 1}) == {}
    )


def test_jiras_plan_is_surer_than_what_others_did_and_less_than_what_is_open_to_us() -> None:
    known = Workflows()
    raw = issue(entries=[entry(1, 1, item("status", "A", "B")), entry(2, 2, item("status", "B", "C"))])
    known.learn(Known("Task", "C", (step("A"),)), moves(raw))
    known.plan("Task", {"B": frozenset({"D"}), "C": frozenset({"D"})})
    assert known.graph("Task") == {"A": frozenset({"B"}), "B": frozenset({"D"}), "C": frozenset({"A"})}


def test_what_is_remembered_is_forgotten_by_time_and_number(ticking: Ticking) -> None:
    recall: Recall[str, int] = Recall(2, 10, ticking)
    recall.put("a", 1)
    ticking.seconds = 5
    recall.put("b", 2)
    assert (recall.get("a"), recall.get("b")) == (1, 2)
    ticking.seconds = 10
    assert (recall.get("a"), recall.get("b")) == (None, 2)
    recall.put("c", 3)
    recall.put("d", 4)
    assert (recall.get("b"), recall.get("c"), recall.get("d")) == (None, 3, 4)
    recall.drop("c")
    assert recall.get("c") is None
