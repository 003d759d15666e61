"""How the story is played: every step is done in one system and awaited in the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.demo import stage as stages
from portal.demo.processes import Trouble
from portal.demo.seed import JIRA, ZENDESK
from portal.demo.stage import NotArrived, Row, Stage
from portal.demo.steps import JO, MARA, Arrived, Step, has_file, has_text, has_value, is_there
from portal.demo.story import Story


class FakeSystem:
    """A sandbox that remembers what was done, and whose tickets the test writes."""

    def __init__(self) -> None:
        self.acts: list[Mapping[str, Any]] = []
        self.content: dict[str, Any] = {
            "id": "7",
            "fields": {"subject": "A matter", "status": "open"},
            "comments": [{"text": "Mara wrote: it hurts"}],
            "attachments": [{"name": "picture.png"}],
        }

    def act(self, action: Mapping[str, Any]) -> list[dict[str, str]]:
        self.acts.append(action)
        return [{"ticket": "7"}]

    def tickets(self) -> Iterator[dict[str, Any]]:
        yield self.content

    def ticket(self, id_: str) -> dict[str, Any]:
        assert id_ == self.content["id"]
        return self.content


def play(*steps: Step) -> tuple[Story, dict[str, FakeSystem], list[Row]]:
    systems = {ZENDESK: FakeSystem(), JIRA: FakeSystem()}
    told: list[Row] = []
    story = Story(Stage(systems, lambda: None, told.append))  # type: ignore[arg-type]
    for step in steps:
        story.step(step)
    return story, systems, told


def step(where: str = ZENDESK, arrived: Arrived | None = is_there, **values: Any) -> Step:
    who = MARA if where == ZENDESK else JO
    action = values.pop("action", {"do": "create"})
    return Step(where, who, "A matter", "raises it", action, "a new issue", arrived, **values)


def test_a_step_is_noted_with_where_it_arrived() -> None:
    _, systems, (row,) = play(step())

    assert systems[ZENDESK].acts[0]["as"] == MARA
    assert (row.where, row.who, row.arrived) == (ZENDESK, "Mara Lund", f"{JIRA}: a new issue")
    assert row.after_s is not None


def test_later_steps_are_about_the_same_ticket() -> None:
    _, systems, _ = play(step(), step(JIRA, action={"do": "comment"}))

    assert systems[JIRA].acts[0]["ticket"] == "7"


def test_what_stays_is_not_waited_for() -> None:
    _, _, (row,) = play(step(arrived=None))

    assert (row.arrived, row.after_s) == ("a new issue", None)


@pytest.mark.parametrize(
    ("where", "unit"), [(ZENDESK, timedelta(seconds=1)), (JIRA, timedelta(milliseconds=1))]
)
def test_a_system_is_told_the_time_in_the_unit_it_keeps(where: str, unit: timedelta) -> None:
    story, systems, _ = play(step(where, mark="opened"))

    at = story.marks["A matter", "opened"]
    assert systems[where].acts[0]["at"] == at.isoformat()
    assert (at - datetime(2026, 1, 1, tzinfo=UTC)) % unit == timedelta()


def test_a_step_may_have_happened_before_the_demo() -> None:
    story, _, (row,) = play(step(mark="opened", ago=timedelta(minutes=40)))

    assert row.at - story.marks["A matter", "opened"] >= timedelta(minutes=40)


@pytest.mark.parametrize(
    ("arrived", "is_so"),
    [
        (has_text("it hurts"), True),
        (has_text("it is fine"), False),
        (has_file("picture.png"), True),
        (has_file("letter.txt"), False),
        (has_value("status", "open"), True),
        (has_value("status", "solved"), False),
    ],
)
def test_what_has_arrived_is_told_from_the_content(arrived: Arrived, is_so: bool) -> None:
    assert bool(arrived(FakeSystem().content)) is is_so


def test_what_does_not_arrive_ends_the_story_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "LOOK_EVERY_S", 0.0)
    empty = Stage({}, lambda: None, lambda row: None)

    with pytest.raises(NotArrived, match=r"^After 0 seconds still not so: the ticket is in Jira\.$"):
        empty.until("the ticket is in Jira", lambda: False, patience_s=0.0)


def test_a_process_that_ended_is_noticed_while_waiting() -> None:
    def ended() -> None:
        raise Trouble("The worker ended by itself.")

    with pytest.raises(Trouble, match=r"The worker ended by itself\."):
        Stage({}, ended, lambda row: None).until("something", lambda: False)
