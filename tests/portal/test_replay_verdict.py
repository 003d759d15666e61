"""The verdict on a replay: what counts as lost, doubled or out of order, told from both systems' own histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.canonical import Change, History, Person, TicketHead, Value
from integrations.models import Connection, Side, System
from portal.replay.verdict import Verdict, judge
from tests.integrations import scenes

pytestmark = pytest.mark.django_db

AT = datetime(2016, 2, 29, tzinfo=UTC)
PAGE = 2
STATUSES = {"new": "To Do", "open": "In Progress", "hold": "In Review", "solved": "Done", "closed": "Done"}

Fields = Mapping[str, Value]


@dataclass
class Told:
    """A connector that knows the histories of some tickets, and settles lists as the system would keep them."""

    histories: Mapping[str, Sequence[Fields]]

    def history(self, remote_id: str, cursor: str) -> History:
        start = int(cursor or 0)
        fields = self.histories[remote_id]
        changes = tuple(
            Change(str(number), AT, Person("1"), fields=one)
            for number, one in enumerate(fields[start : start + PAGE], start)
        )
        end = start + len(changes)
        return History(changes, str(end), TicketHead(remote_id, "", ""), has_more=end < len(fields))

    def settled(self, name: str, value: Value) -> Value:
        return [str(one).lower() for one in value] if isinstance(value, list) else value


@dataclass
class Court:
    """Two sides with rules, their tickets' histories, and the verdict on them."""

    left: Side
    right: Side
    monkeypatch: pytest.MonkeyPatch
    last: Verdict = field(default_factory=Verdict)

    def judge(
        self,
        zendesk: Mapping[str, Sequence[Fields]],
        jira: Mapping[str, Sequence[Fields]],
        summaries: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The verdict's counts that are not nought, for tickets whose ids are their subjects."""
        connectors = {self.left.system_id: Told(zendesk), self.right.system_id: Told(jira)}

        def opened(system: System) -> Told:
            return connectors[system.pk]

        self.monkeypatch.setattr("portal.replay.verdict.open_connector_for", opened)
        verdict = Verdict()
        subjects = {subject: subject for subject in zendesk}
        connection = Connection.objects.get(pk=self.left.connection_id)
        assert list(judge(verdict, connection, subjects, summaries or list(subjects))) == list(subjects)
        self.last = verdict
        return {
            name: getattr(verdict, name)
            for name in ("incidents", "linked", "equal", "lost", "doubled", "out_of_order")
            if getattr(verdict, name)
        }

    def link(self, subject: str) -> None:
        """Link a ticket of the one side with one of the other that has the same id."""
        matter = scenes.matter(self.left, self.right, right_fields={}, number=len(subject))
        for ticket in matter.tickets.values():
            ticket.remote_id = subject
            ticket.save()

    def judge_one(self, zendesk: Sequence[Fields], jira: Sequence[Fields]) -> dict[str, Any]:
        """The verdict on one linked pair."""
        self.link("one")
        return self.judge({"one": zendesk}, {"one": jira})


@pytest.fixture
def court(monkeypatch: pytest.MonkeyPatch) -> Court:
    left, right = scenes.mercuri_and_infinity()
    scenes.publish(
        left,
        "outgoing",
        {"title": "subject", "status": "status", "priority": "priority", "labels": "tags"},
    )
    scenes.publish(
        right,
        "incoming",
        {"summary": "title", "status": ("status", STATUSES), "priority": "priority", "labels": "labels"},
    )
    return Court(left, right, monkeypatch)


CLEAN = {"incidents": 1, "linked": 1, "equal": 1}


def values(name: str, *taken: Value) -> list[Fields]:
    return [{name: value} for value in taken]


def test_what_arrived_once_and_in_order_is_clean(court: Court) -> None:
    zendesk = [
        {"subject": "Late", "status": "new", "priority": "high", "tags": ["B", "a"]},
        {"status": "open"},
        {},
        {"priority": "low", "tags": ["c"]},
        {"status": "solved"},
        {"status": "closed"},
    ]
    jira = [
        {"summary": "Late", "status": "To Do", "priority": "high", "labels": ["a", "b"]},
        {"status": "In Progress", "assignee": "Jo"},
        {"labels": ["c"], "priority": "low"},
        {"status": "Done"},
    ]

    assert court.judge_one(zendesk, jira) == CLEAN
    assert court.last.is_clean
    assert court.last.findings == []


@pytest.mark.parametrize(
    ("sent", "held", "expected"),
    [
        pytest.param(["a", "b", "c"], ["a", "b", "c"], CLEAN, id="the same"),
        pytest.param(["a", "b", "b", "c"], ["a", "b", "c", "c"], CLEAN, id="repeats that nobody sees"),
        pytest.param(["a", "b", "c"], ["a", "c"], {**CLEAN, "lost": 1}, id="one left out"),
        pytest.param(
            ["a", "b"], ["a"], {"incidents": 1, "linked": 1, "lost": 1}, id="the last one did not arrive"
        ),
        pytest.param(["a"], [], {"incidents": 1, "linked": 1, "lost": 1}, id="nothing arrived"),
        pytest.param(["a", "b"], ["a", "b", "a", "b"], {**CLEAN, "doubled": 2}, id="written twice"),
        pytest.param(
            ["a", "b"],
            ["a", "b", "x"],
            {"incidents": 1, "linked": 1, "doubled": 1},
            id="something nobody wrote",
        ),
        pytest.param(["a", "b", "c", "d"], ["a", "c", "b", "d"], {**CLEAN, "out_of_order": 1}, id="swapped"),
        pytest.param(
            ["a", "b", "c"],
            ["a", "c", "b"],
            {"incidents": 1, "linked": 1, "out_of_order": 1},
            id="swapped at the end",
        ),
        pytest.param(["a", "b", "a"], ["a", "b"], {"incidents": 1, "linked": 1, "lost": 1}, id="not gone back"),
    ],
)  # fmt: skip
def test_a_field_is_to_take_the_values_it_took_there(
    court: Court, sent: list[Value], held: list[Value], expected: dict[str, int]
) -> None:
    assert court.judge_one(values("priority", *sent), values("priority", *held)) == expected
    assert court.last.is_clean is (expected == CLEAN)
    assert bool(court.last.findings) is (expected != CLEAN)


@pytest.mark.parametrize(
    ("sent", "held", "expected"),
    [
        pytest.param(
            ["new", "solved"], ["To Do", "In Progress", "In Review", "Done"], CLEAN, id="steps in between"
        ),
        pytest.param(
            ["new", "open", "hold"],
            ["To Do", "In Progress", "In Review", "In Progress", "In Review"],
            {**CLEAN, "doubled": 1},
            id="reached twice",
        ),
        pytest.param(["solved", "closed"], ["Done"], CLEAN, id="two that mean the same there"),
        pytest.param(["new", "open", "solved"], ["To Do", "Done"], {**CLEAN, "lost": 1}, id="one left out"),
        pytest.param(
            ["new", "hold", "open", "solved"],
            ["To Do", "In Progress", "In Review", "Done"],
            {**CLEAN, "out_of_order": 1},
            id="swapped",
        ),
        pytest.param(
            ["new", "open"],
            ["To Do", "In Progress", "Done"],
            {"incidents": 1, "linked": 1},
            id="went further than it was told",
        ),
    ],
)
def test_the_workflow_may_take_steps_of_its_own(
    court: Court, sent: list[Value], held: list[Value], expected: dict[str, int]
) -> None:
    assert court.judge_one(values("status", *sent), values("status", *held)) == expected
    assert court.last.is_clean is (expected == CLEAN)


def test_a_ticket_without_an_issue_is_lost_and_a_second_issue_is_doubled(court: Court) -> None:
    for subject in ("a", "bb"):
        court.link(subject)
    zendesk = {subject: values("subject", subject) for subject in ("a", "bb", "never linked")}
    jira = {subject: values("summary", subject) for subject in ("a", "bb")}

    assert court.judge(zendesk, jira, ["a", "bb", "bb", "bb", "somebody's own"]) == {
        "incidents": 3,
        "linked": 2,
        "equal": 2,
        "lost": 1,
        "doubled": 2,
    }
    assert not court.last.is_clean
    assert court.last.findings == ["“never linked” has no issue in Jira."]


def test_only_the_first_findings_are_kept(court: Court) -> None:
    court.judge({str(number): [] for number in range(20)}, {})

    assert court.last.lost == 20
    assert len(court.last.findings) == 10


@pytest.mark.parametrize("name", ["incidents", "linked", "equal", "lost", "doubled", "out_of_order"])
def test_one_count_that_is_off_is_enough_not_to_be_clean(name: str) -> None:
    verdict = Verdict(incidents=5, linked=5, equal=5)
    assert verdict.is_clean

    setattr(verdict, name, getattr(verdict, name) + 1)

    assert not verdict.is_clean
