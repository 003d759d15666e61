"""A ticket is written to no faster than its system allows, and what waits goes out together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.connectors.protocol import TicketWrites
from integrations.engine import pace
from integrations.models import Lane
from tests.integrations.engine.world import World

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
TEN_MINUTES = TicketWrites(30, 600)


def ago(*seconds: float) -> list[datetime]:
    return [NOW - timedelta(seconds=one) for one in seconds]


@pytest.mark.parametrize(
    ("writes", "limit", "waits_s"),
    [
        ([], TicketWrites(2, 10), 0),
        (ago(1), TicketWrites(2, 10), 0),
        (ago(1, 4), TicketWrites(2, 10), 6),
        # What has left the window does not count, and of more than allowed the one that makes room.
        (ago(1, 10), TicketWrites(2, 10), 0),
        (ago(1, 2, 4, 9), TicketWrites(2, 10), 8),
        # The window that has room latest decides.
        (ago(1, 4), TicketWrites(3, 5, also=((2, 30),)), 26),
        (ago(1, 2, 3), TicketWrites(3, 5, also=((9, 30),)), 2),
        # One of ours may be two of theirs.
        (ago(1), TicketWrites(2, 10, each=2), 9),
    ],
)
def test_a_write_waits_until_the_window_has_room(writes, limit: TicketWrites, waits_s: float) -> None:
    assert pace.may_write_at(writes, limit, NOW) == NOW + timedelta(seconds=waits_s)


def test_the_reason_is_told_in_words() -> None:
    assert pace.reason(TEN_MINUTES) == "Waits for the system's limit of 30 updates a ticket in 10 minutes."
    assert (
        pace.reason(TicketWrites(20, 2))
        == "Waits for the system's limit of 20 updates a ticket in 2 seconds."
    )
    assert (
        pace.reason(TicketWrites(20, 2, also=((100, 30),)))
        == "Waits for the system's limit of 20 updates a ticket in 2 seconds and 100 in 30 seconds."
    )


class Chatty:
    """A ticket of the board whose twin at the desk takes thirty updates in ten minutes."""

    def __init__(self) -> None:
        self.world = World()
        self.world.desk.ticket_writes = TEN_MINUTES
        self.id = self.world.desk.person_creates(subject="Printer", status="new")
        self.world.run()
        self.there = self.world.twin(self.world.desk_row, self.id)
        self.written: list[tuple[datetime, object]] = []
        update = self.world.desk.update

        def noted(remote_id: str, fields: Any, **rest: Any) -> Any:
            self.written.append((self.world.clock.now(), fields.get("subject")))
            return update(remote_id, fields, **rest)

        self.world.desk.update = noted  # type: ignore[method-assign]

    @property
    def lane(self) -> Lane:
        return Lane.objects.get(system=self.world.desk_row, waits=True)


@pytest.mark.django_db
def test_more_updates_than_allowed_wait_and_all_arrive_in_order() -> None:
    chatty = Chatty()
    titles = [f"title {number}" for number in range(45)]
    for title in titles:
        chatty.world.board.person_sets(chatty.there, summary=title)
    chatty.world.run(hours=0.1)
    waiting = chatty.lane
    assert (waiting.state, waiting.failure_code, waiting.tries) == ("ready", "ticket_limit", 0)
    first = chatty.written[0][0]
    assert timedelta(0) < waiting.next_at - first - timedelta(minutes=10) < timedelta(seconds=1)
    chatty.world.run()
    assert [title for _, title in chatty.written] == titles
    moments = [at for at, _ in chatty.written]
    assert max(sum(at <= one < at + timedelta(minutes=10) for one in moments) for at in moments) == 30
    assert chatty.world.waiting() == []
    assert chatty.world.desk.tickets[chatty.id].fields["subject"] == titles[-1]


@pytest.mark.django_db
def test_what_comes_in_while_the_ticket_waits_shares_the_next_write() -> None:
    chatty = Chatty()
    for number in range(31):
        chatty.world.board.person_sets(chatty.there, summary=f"title {number}")
    chatty.world.run(hours=0.1)
    before = len(chatty.written)
    chatty.world.board.person_sets(chatty.there, status="In Progress")
    chatty.world.run()
    assert (before, len(chatty.written)) == (30, 31)
    fields = chatty.world.desk.tickets[chatty.id].fields
    assert (fields["subject"], fields["status"]) == ("title 30", "open")
