"""A ticket that its system shows no more: nothing spins, everybody can see why, and what comes back goes on."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.connectors import errors
from integrations.events import presence_changed
from integrations.models import Alert, Lane, Ticket
from integrations.services.watching import watch
from tests.integrations.engine.world import World

pytestmark = pytest.mark.django_db

ARCHIVED = "The ticket was archived."


@pytest.fixture
def told() -> Any:
    """What others were told of tickets that went or came back."""
    found: list[tuple[str, bool, dict]] = []

    def hear(sender: Any, news: Any, **kwargs: Any) -> None:
        found.extend((one.ticket.remote_id, one.is_gone, dict(one.values)) for one in news)

    presence_changed.connect(hear)
    yield found
    presence_changed.disconnect(hear)


def begun() -> tuple[World, str, str]:
    world = World()
    raised = world.desk.person_creates(subject="one", status="open")
    world.run()
    return world, raised, world.twin(world.desk_row, raised)


def standing(world: World, twin: str) -> tuple[bool, bool, str]:
    ticket = Ticket.objects.get(system=world.board_row, remote_id=twin)
    return ticket.is_gone, ticket.refused_at is not None, ticket.refused_because


def refuse(world: World, error: errors.ConnectorError) -> Any:
    """The board shows nothing any more; call what is returned to have it shown again."""
    shown = world.board.history

    def history(remote_id: str, since: str) -> Any:
        world.board.calls.append(f"history {remote_id}")
        raise error

    world.board.history = history  # type: ignore[method-assign]

    def show() -> None:
        world.board.history = shown  # type: ignore[method-assign]

    return show


def test_a_ticket_that_is_gone_parks_its_lane_once_and_goes_on_when_it_is_back(told: list) -> None:
    world, raised, twin = begun()
    show = refuse(world, errors.Gone(ARCHIVED))
    # Later than what was read a moment ago would do.
    world.clock.advance(60)
    world.desk.person_sets(raised, subject="two")
    world.run()
    calls = len(world.board.calls)
    world.run(hours=24)

    assert world.waiting() == [("parked", "gone")]
    assert standing(world, twin) == (True, True, ARCHIVED)
    assert len(world.board.calls) == calls
    assert told == [(twin, True, {})]

    show()
    Lane.objects.update(state="ready", failure_code="", next_at=world.clock.now())
    world.run()

    assert world.waiting() == []
    assert world.board.tickets[twin].fields["summary"] == "two"
    assert standing(world, twin) == (False, False, "")
    assert told[1:] == [(twin, False, {"title": "one", "status": "open"})]


def test_a_ticket_that_we_may_no_longer_see_is_not_gone(told: list) -> None:
    world, _, twin = begun()
    show = refuse(world, errors.Forbidden("Our account may not see it."))
    world.hint(world.board_row, twin)
    world.run(hours=1)

    assert standing(world, twin) == (False, True, "Our account may not see it.")
    asked = len([call for call in world.board.calls if call == f"history {twin}"])
    # Every five minutes, in case somebody gives the right back.
    assert asked < 20

    show()
    world.run(hours=1)
    assert standing(world, twin) == (False, False, "")
    assert told == []


def test_staff_are_told_of_tickets_that_are_gone_until_they_are_back() -> None:
    world, _, twin = begun()
    show = refuse(world, errors.Gone(ARCHIVED))
    world.hint(world.board_row, twin)
    world.run()

    watch(now=world.clock.now())
    alert = Alert.objects.get(code="gone")
    assert (alert.message, alert.severity) == ("board: 1 linked ticket is gone there.", 2)

    show()
    world.hint(world.board_row, twin)
    world.run()
    world.clock.advance(3600)
    watch(now=world.clock.now())
    world.clock.advance(3600)
    watch(now=world.clock.now())
    assert Alert.objects.get(code="gone").state == "closed"
