"""What the demo calls wrong in the chain: a ticket too few or too many, a file that is not shown, comments out of order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from portal.demo.chain import AZURE_DEVOPS, FILE, JIRA, MATTERS, QUESTION, SERVICENOW, ZENDESK, Chain, Matter
from portal.demo.stage import Stage

DESIGN, BUG = MATTERS[0], MATTERS[1]
Places = dict[str, list[dict[str, Any]]]


class Kept:
    """A sandbox with these tickets."""

    def __init__(self, tickets: list[dict[str, Any]]) -> None:
        self._tickets = tickets

    def tickets(self) -> list[dict[str, Any]]:
        return self._tickets


def ticket(title_field: str, matter: Matter, *, note: bool = False) -> dict[str, Any]:
    texts = [QUESTION, matter.answer, *([f"“{FILE['name']}” stays there."] if note else [])]
    return {
        "id": "1",
        "fields": {title_field: matter.title},
        "comments": [{"text": text} for text in texts],
        "attachments": [] if note else [{"name": FILE["name"]}],
    }


def places(matter: Matter) -> Places:
    """How it is when all went well."""
    return {
        ZENDESK: [ticket("subject", matter)],
        JIRA: [ticket("summary", matter)],
        SERVICENOW: [ticket("short_description", matter, note=True)] if matter.end == SERVICENOW else [],
        AZURE_DEVOPS: [ticket("System.Title", matter)] if matter.end == AZURE_DEVOPS else [],
    }


def wrong(there: Places, matter: Matter) -> list[str]:
    stage = Stage({name: Kept(tickets) for name, tickets in there.items()}, lambda: None, lambda row: None)  # type: ignore[misc]
    return list(Chain(stage, None)._wrong(matter))  # type: ignore[arg-type]


@pytest.mark.parametrize("matter", [DESIGN, BUG])
def test_nothing_is_wrong_when_all_went_well(matter: Matter) -> None:
    assert wrong(places(matter), matter) == []


def test_a_ticket_that_went_the_wrong_way_is_told_at_both_ends() -> None:
    there = places(BUG)
    there[SERVICENOW] = [ticket("short_description", BUG, note=True)]
    there[AZURE_DEVOPS] = []

    assert wrong(there, BUG) == [
        "Infinity ServiceNow has 1 tickets of it and should have 0.",
        "Global Azure DevOps has 0 tickets of it and should have 1.",
    ]


def test_a_doubled_ticket_is_told() -> None:
    there = places(DESIGN)
    there[JIRA] *= 2

    assert wrong(there, DESIGN) == ["Infinity Jira has 2 tickets of it and should have 1."]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda one: one["comments"].reverse(), "does not have question and answer in this order"),
        (lambda one: one["comments"].pop(), "does not have question and answer in this order"),
        (lambda one: one["attachments"].clear(), "does not show the file."),
    ],
)
def test_what_is_missing_or_out_of_order_is_told(
    spoil: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    there = places(BUG)
    spoil(there[AZURE_DEVOPS][0])

    (told,) = wrong(there, BUG)

    assert told.startswith("Global Azure DevOps ")
    assert sentence in told
