"""What ServiceNow demands before a ticket may reach a state, and how priority follows from impact and urgency.  Pure.

An instance keeps its demands as data policies: an encoded query and the fields that are mandatory while it holds.
Where our account may not read them, those that ServiceNow ships with apply.
https://www.servicenow.com/docs/bundle/zurich-it-service-management/page/product/incident-management/concept/c_IncidentManagementStateModel.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

JOURNALS = ("comments", "work_notes")
_CONDITION = re.compile(r"([a-z][a-z0-9_]*)(IN|=)([^^]*)")


@dataclass(frozen=True, slots=True)
class Demand:
    """Fields that must have a value while every one of `conditions` (field -> allowed values) holds."""

    conditions: tuple[tuple[str, frozenset[str]], ...]
    fields: tuple[str, ...]

    def holds(self, values: Mapping[str, str]) -> bool:
        """Whether a ticket with these values is under it."""
        return all(values.get(name, "") in allowed for name, allowed in self.conditions)


def demand(query: str, fields: Iterable[str]) -> Demand | None:
    """A data policy's demand; None for a condition that is more than `field=value` and `fieldINvalues`."""
    conditions = []
    for part in query.split("^"):
        if part in ("", "EQ"):
            continue
        found = _CONDITION.fullmatch(part)
        if found is None or part.startswith(("OR", "NQ")):
            return None
        values = found[3].split(",") if found[2] == "IN" else [found[3]]
        conditions.append((found[1], frozenset(values)))
    return Demand(tuple(conditions), tuple(fields)) if conditions else None


def _usual(query: str, *fields: str) -> Demand:
    found = demand(query, fields)
    assert found is not None
    return found


USUAL: Mapping[str, tuple[Demand, ...]] = {
    "incident": (
        _usual("state=3", "hold_reason"),
        _usual("stateIN6,7", "close_code", "close_notes"),
    ),
    "problem": (_usual("stateIN106,107", "resolution_code", "cause_notes", "fix_notes"),),
    "change_request": (_usual("state=3", "close_code", "close_notes"),),
}

# What a demanded field gets when no rule gives it a value, as labels: the first that the instance has.
DEFAULT_CHOICES: Mapping[str, tuple[str, ...]] = {
    "close_code": ("Solution provided", "Solved (Permanently)", "Successful"),
    "resolution_code": ("Fix Applied",),
    # Not “Awaiting Caller”: that demands a comment, and the caller's answer would end it.
    "hold_reason": ("Awaiting Vendor",),
}
DEFAULT_NOTES = "Done by the partner; see the comments."
_NOTES = ("close_notes", "cause_notes", "fix_notes")


def missing(demands: Iterable[Demand], values: Mapping[str, str]) -> tuple[str, ...]:
    """The demanded fields that a ticket with these values lacks, each once."""
    found = [
        name
        for one in demands
        if one.holds(values)
        for name in one.fields
        if not values.get(name, "").strip()
    ]
    return tuple(dict.fromkeys(found))


def default_for(name: str, choices: Sequence[tuple[str, str]]) -> str | None:
    """The value, as ServiceNow keeps it, that a demanded field gets when nobody gives one; None where we have none."""
    if name in _NOTES:
        return DEFAULT_NOTES
    for wanted in DEFAULT_CHOICES.get(name, ()):
        for value, label in choices:
            if label.casefold() == wanted.casefold():
                return value
    return None


# --- Priority ---

# By (impact, urgency).  https://www.servicenow.com/docs/bundle/zurich-it-service-management/page/product/incident-management/task/def-prio-lookup-rules.html
Matrix = Mapping[tuple[str, str], str]
USUAL_MATRIX: Matrix = {
    ("1", "1"): "1", ("1", "2"): "2", ("1", "3"): "3",
    ("2", "1"): "2", ("2", "2"): "3", ("2", "3"): "4",
    ("3", "1"): "3", ("3", "2"): "4", ("3", "3"): "5",
}  # fmt: skip
# Where ServiceNow derives the priority and overwrites what is written to it.
DERIVED_IN = ("incident", "problem")


def pair_for(matrix: Matrix, priority: str, impact: str, urgency: str) -> tuple[str, str] | None:
    """Impact and urgency that give a priority, as near as can be to the present ones; None when none does.

    The present pair stays if it gives the priority already.  Otherwise urgency is changed rather than impact: how
    soon is what a partner's priority tells; how much is affected was judged by those who see it.
    """

    def distance(pair: tuple[str, str]) -> tuple[int, int, tuple[str, str]]:
        return _apart(pair[0], impact), _apart(pair[1], urgency), pair

    pairs = [pair for pair, given in matrix.items() if given == priority]
    return min(pairs, key=distance, default=None)


def _apart(one: str, other: str) -> int:
    numbers = [int(text) for text in (one, other) if text.isascii() and text.isdigit()]
    return abs(numbers[0] - numbers[1]) if len(numbers) == 2 else int(one != other)


def rows_of(
    policies: Iterable[Mapping[str, str]], rules: Iterable[Mapping[str, str]]
) -> Iterator[tuple[str, Demand]]:
    """Table and demand of each data policy, from the instance's own rows."""
    names: dict[str, list[str]] = {}
    for rule in rules:
        names.setdefault(rule["policy"], []).append(rule["field"])
    for policy in policies:
        if fields := names.get(policy["id"]):
            if found := demand(policy["conditions"], fields):
                yield policy["table"], found
