"""The verdict sees everything: whatever is not as it should be is told in a sentence."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from portal.demo import ending, steps
from portal.demo.seed import JIRA, ZENDESK
from portal.demo.shapes import Ending
from portal.demo.verdict import Check, clock_differences, differences
from slas.models import Clock

Content = dict[str, Any]
Change = Callable[[Content], object]


def content_of(end: Ending) -> Content:
    """A sandbox's content that is exactly as it should be."""
    return {
        "fields": dict(end.fields),
        "comments": [
            {
                "author": one.author,
                "text": one.text,
                "body": one.body,
                "public": one.public,
                "properties": {key: {} for key in one.properties},
                "created_at": f"2026-01-01T10:00:{number:02}Z",
            }
            for number, one in enumerate(end.comments)
        ],
        "attachments": [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in end.files],
        "history_length": end.changes,
        "properties": {key: {} for key in end.properties},
    }


EVERY_TICKET = [
    pytest.param(system, title, id=f"{system}-{title.split()[0]}")
    for system in (ZENDESK, JIRA)
    for title in ending.TICKETS[system]
]


@pytest.mark.parametrize(("system", "title"), EVERY_TICKET)
def test_what_is_as_it_should_be_draws_no_word(system: str, title: str) -> None:
    end = ending.TICKETS[system][title]

    assert list(differences(end, content_of(end))) == []


@pytest.mark.parametrize(("system", "title"), EVERY_TICKET)
def test_no_field_is_left_out(system: str, title: str) -> None:
    end = ending.TICKETS[system][title]
    for name in end.fields:
        ticket = content_of(end)
        ticket["fields"][name] = "something else"

        (found,) = differences(end, ticket)
        assert found == f"{name} is 'something else' and should be {end.fields[name]!r}."


CHANGES: dict[str, tuple[Change, str]] = {
    "a field too many": (lambda one: one["fields"].update(extra=1), "extra is 1 and should be None."),
    "a field missing": (lambda one: one["fields"].pop("due_at"), "due_at is None and should be None."),
    "a comment twice": (
        lambda one: one["comments"].append(one["comments"][-1]),
        "One comment too many:",
    ),
    "a comment missing": (lambda one: one["comments"].pop(), "One comment is missing:"),
    "another author": (
        lambda one: one["comments"][0].update(author="Concord"),
        "The comment number 1 is",
    ),
    "an internal note made public": (
        lambda one: one["comments"][2].update(public=True),
        "The comment number 3 is",
    ),
    "a formatting lost": (
        lambda one: one["comments"][0].update(body="<p>plain</p>"),
        "The comment number 1 is",
    ),
    "comments in another order of time": (
        lambda one: one["comments"][0].update(created_at="2026-01-01T11:00:00Z"),
        "The comments were not written in this order:",
    ),
    "a file missing": (lambda one: one["attachments"].clear(), "One file is missing:"),
    "a file altered": (
        lambda one: one["attachments"][0].update(sha256="0"),
        "The file number 1 is",
    ),
    "a write too many": (
        lambda one: one.update(history_length=9),
        "The number of changes is 9 and should be 8.",
    ),
    "a value planted": (
        lambda one: one.update(properties={"x": 1}),
        "The ticket's named values is ('x',) and should be ().",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_differs_is_told(name: str) -> None:
    change, told = CHANGES[name]
    end = ending.TICKETS[ZENDESK][ending.BASKET]
    ticket = copy.deepcopy(content_of(end))
    change(ticket)

    (found,) = differences(end, ticket)
    assert found.startswith(told)


def test_a_check_holds_when_nothing_was_found() -> None:
    assert Check("All is well").holds
    assert not Check("All is well", ("It is not.",)).holds


def test_story_and_ending_speak_of_the_same_tickets() -> None:
    titles = {steps.BASKET, steps.VOUCHER, steps.PARCEL}

    assert titles == set(ending.CLOCKS) == set(ending.TICKETS[ZENDESK]) == set(ending.TICKETS[JIRA])


# --- Clocks ---

OPENED = datetime(2026, 1, 1, 10, 0, 0, tzinfo=UTC)
MARKS = {
    "opened": OPENED,
    "paused": OPENED + timedelta(minutes=10),
    "resumed": OPENED + timedelta(minutes=20),
    "answered": OPENED + timedelta(minutes=40, milliseconds=500),
}


def response_clock(**values: Any) -> Clock:
    """The clock of the ticket that stays open, answered too late, with ten minutes of waiting in between."""
    right: dict[str, Any] = {
        "kind": "response",
        "state": "stopped",
        "priority": "critical",
        "target_s": 15 * 60,
        "month": date(2026, 1, 1),
        "started_at": OPENED,
        "state_since": MARKS["answered"],
        "due_at": OPENED + timedelta(minutes=25),
        "stopped_at": MARKS["answered"],
        "elapsed_s": 30 * 60,
        "paused_s": 10 * 60,
        "wall_s": 40 * 60,
        "is_breached": True,
    }
    return Clock(**(right | values))


def resolution_clock(**values: Any) -> Clock:
    """The other clock of the same ticket, which runs since the waiting ended."""
    right: dict[str, Any] = {
        "kind": "resolution",
        "state": "running",
        "state_since": MARKS["resumed"],
        "target_s": 120 * 60,
        "due_at": OPENED + timedelta(minutes=130),
        "stopped_at": None,
        "elapsed_s": 10 * 60,
        "wall_s": None,
        "is_breached": False,
    }
    return response_clock(**(right | values))


RESPONSE, RESOLUTION = ending.CLOCKS[ending.PARCEL]


def test_clocks_that_follow_from_what_happened_draw_no_word() -> None:
    assert list(clock_differences(RESPONSE, response_clock(), MARKS)) == []
    assert list(clock_differences(RESOLUTION, resolution_clock(), MARKS)) == []


WRONG: dict[str, Any] = {
    "state": "running",
    "priority": "high",
    "target_s": 1800,
    "started_at": OPENED + timedelta(seconds=1),
    # When the comment arrived on the other side, rather than when it was written.
    "stopped_at": MARKS["answered"] + timedelta(milliseconds=300),
    "due_at": OPENED + timedelta(minutes=15),
    "elapsed_s": 40 * 60,
    "paused_s": 0,
    "wall_s": 30 * 60,
    "is_breached": False,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_clock_that_does_not_is_told(name: str) -> None:
    (found,) = clock_differences(RESPONSE, response_clock(**{name: WRONG[name]}), MARKS)

    assert found.startswith(f"response: {name} is")


def test_a_clock_that_should_run_and_was_stopped_is_told() -> None:
    stopped = resolution_clock(state="stopped", stopped_at=MARKS["answered"], wall_s=2400)

    assert len(list(clock_differences(RESOLUTION, stopped, MARKS))) == 3
