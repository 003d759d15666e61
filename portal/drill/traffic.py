"""What people do during a drill: planned in advance from a seed, in the words of the rules.  Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from integrations.mapping.rules import RuleSet, Transform

TITLE = "title"
# How often each kind of change occurs among ten.
KINDS = ("comment",) * 4 + ("answer",) * 2 + ("title",) * 2 + ("choice", "file")


@dataclass(frozen=True, slots=True)
class Words:
    """How the side where tickets begin calls things: its title, its choices with values that the rules know.

    `start` are the values under which a ticket goes over to the other side.
    """

    title: str
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    start: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody does to the ticket of this index.  `by_origin`: on the side where it began."""

    number: int
    ticket: int
    by_origin: bool
    action: Mapping[str, Any]


def words_of(outgoing: RuleSet, trigger: Mapping[str, Sequence[str]], list_fields: Sequence[str]) -> Words:
    """The words that a side's published rules know.  ValueError when no rule sends a title.

    Statuses are left out: which of them may follow which only the workflow knows.
    """
    title = next((rule.source for rule in outgoing.rules if rule.target == TITLE and rule.source), "")
    if not title:
        raise ValueError("No rule of the side where tickets begin sends a title.")
    choices = {
        rule.source: tuple(value for value in rule.values if value)
        for rule in outgoing.rules
        if rule.transform is Transform.VALUE_MAP and rule.target == "priority"
    }
    start = {
        name: list(values[:1]) if name in list_fields else values[0]
        for name, values in trigger.items()
        if values
    }
    return Words(title, {name: values for name, values in choices.items() if len(values) > 1}, start)


def opening(index: int, mark: str, words: Words, who: str) -> dict[str, Any]:
    """How the ticket of this index is raised."""
    fields = {words.title: f"Drill {mark}, ticket {index + 1}", "description": "Raised by an outage drill."}
    return {"do": "create", "as": who, "fields": {**fields, **words.start}}


def plan(seed: int, *, mark: str, tickets: int, changes: int, words: Words, who: Sequence[str]) -> list[Act]:
    """The changes in their order, the same for the same seed.  Every text names its number, so that none is like another.

    `who` are the person on the side where tickets begin and the person on the other one.
    """
    dice = random.Random(seed)
    return [_act(number, dice, mark, tickets, words, who) for number in range(1, changes + 1)]


def _act(number: int, dice: random.Random, mark: str, tickets: int, words: Words, who: Sequence[str]) -> Act:
    ticket, kind = dice.randrange(tickets), dice.choice(KINDS)
    by_origin = kind != "answer"
    action: dict[str, Any] = {"as": who[0] if by_origin else who[1]}
    if kind == "choice" and words.choices:
        name = dice.choice(sorted(words.choices))
        action |= {"do": "update", "fields": {name: dice.choice(list(words.choices[name]))}}
    elif kind == "title":
        title = f"Drill {mark}, ticket {ticket + 1}, change {number}"
        action |= {"do": "update", "fields": {words.title: title}}
    elif kind == "file":
        file = {"name": f"drill-{mark}-{number}.txt", "text": f"Change {number}.\n"}
        action |= {"do": "attach", "file": file, "comment": _said(mark, number)}
    else:
        action |= {"do": "comment", "comment": _said(mark, number)}
    return Act(number, ticket, by_origin, action)


def _said(mark: str, number: int) -> dict[str, Any]:
    return {"text": f"Drill {mark}, change {number}.", "public": True}
