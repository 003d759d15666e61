"""The state models of incident, problem and change as ServiceNow ships them, with what an instance demands.  Pure.

An instance keeps its own steps in scripts, which no interface tells; so that nobody may conclude that a step is
missing, only what one demands.
https://www.servicenow.com/docs/bundle/zurich-it-service-management/page/product/incident-management/concept/c_IncidentManagementStateModel.html
"""

from __future__ import annotations

from collections.abc import Iterator

from integrations.canonical import StatusStep
from integrations.connectors.servicenow.demands import Demand
from integrations.connectors.servicenow.fields import STATE
from integrations.connectors.servicenow.metadata import TableFacts

# By the values that ServiceNow keeps.  Of changes the steps of normal, standard and emergency ones together.
_STEPS = {
    "problem": {
        "101": ("102", "107"), "102": ("103", "106", "107"), "103": ("104", "106", "107"),
        "104": ("103", "106", "107"), "106": ("103", "107"), "107": ("103",),
    },
    "change_request": {
        "-5": ("-4", "-3", "-2", "4"), "-4": ("-5", "-3", "4"), "-3": ("-5", "-2", "4"),
        "-2": ("-5", "-1", "4"), "-1": ("0", "4"), "0": ("-1", "3", "4"),
    },
}  # fmt: skip
# From these an incident goes nowhere without an administrator; from the others it goes anywhere.
_INCIDENT_ENDS = ("7", "8")


def state_steps(facts: TableFacts) -> Iterator[StatusStep]:
    """The steps between the states that a table has, by their labels; those to a state carry its demands."""
    if (shape := facts.shapes.get(STATE)) is None:
        return
    labels = dict(shape.choices)
    for start in labels:
        for end in _onward(facts.name, start, tuple(labels)):
            if end in labels and labels[start] != labels[end]:
                yield StatusStep(labels[start], labels[end], _demanded(facts.demands, end))


def _onward(table: str, start: str, states: tuple[str, ...]) -> tuple[str, ...]:
    if table == "incident":
        return () if start in _INCIDENT_ENDS else states
    return _STEPS.get(table, {}).get(start, ())


def _demanded(demands: tuple[Demand, ...], state: str) -> tuple[str, ...]:
    """What a record in this state has to have, whatever else it holds."""
    names = {
        name
        for one in demands
        if {field for field, _ in one.conditions} == {STATE} and one.holds({STATE: state})
        for name in one.fields
    }
    return tuple(sorted(names))
