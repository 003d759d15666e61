"""Two companies, the real engine and the real store, and a scheduler that may kill a step wherever it waits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Min

from integrations.canonical import Value
from integrations.connectors.errors import ConnectorError
from integrations.connectors.protocol import Capabilities, FollowsUp
from integrations.engine import effects
from integrations.engine.deliver import deliver_lane
from integrations.engine.ports import Context
from integrations.engine.read import read_ticket
from integrations.models import (
    Connection,
    FieldRule,
    Lane,
    LinkedTicket,
    MappingSet,
    Partner,
    Side,
    System,
    Ticket,
    TicketSide,
    ValueMap,
    ValuePair,
)
from integrations.runtime.calls import carry_out
from integrations.store import tickets
from integrations.store.django import DjangoStore
from tests.integrations.engine.fakes import OUR_ACCOUNT, FakeClock, FakeSystem

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STATUSES = [("new", "To Do"), ("open", "In Progress"), ("solved", "Done")]


class Killed(Exception):
    """The process was killed here."""


class World:
    """Mercuri's desk and Infinity's board, joined by one connection; more systems may be added."""

    def __init__(self, *, seed: int = 1) -> None:
        self.clock = FakeClock(START)
        self.random = random.Random(seed)
        self.store = DjangoStore(self.random)
        self.fakes: dict[int, FakeSystem] = {}
        self.desk, self.desk_row = self.add_system("Mercuri", "desk", "zendesk", {"status": "new"})
        self.board, self.board_row = self.add_system(
            "Infinity", "board", "jira", {"status": "To Do", "rank": "9"}
        )
        self.connection = self.connect(self.desk_row, self.board_row)
        # Asked before every effect; returns True to kill the process there, before or after the effect happened.
        self.kill_before: Callable[[Any], bool] = lambda effect: False
        self.kill_after: Callable[[Any], bool] = lambda effect: False
        self.hints_arrive = True

    # Setting up.

    def add_system(
        self, partner: str, name: str, kind: str, defaults: dict[str, Value]
    ) -> tuple[FakeSystem, System]:
        owner, _ = Partner.objects.get_or_create(name=partner, defaults={"slug": partner.lower()})
        row = System.objects.create(
            partner=owner, name=name, kind=kind, base_url=f"https://{name}.test", account_id=OUR_ACCOUNT
        )
        fake = FakeSystem(name, self.clock, defaults=defaults)
        fake.on_change = lambda remote_id: self.hint(row, remote_id)
        self.fakes[row.pk] = fake
        return fake, row

    def connect(
        self, left: System, right: System, *, statuses: list[tuple[str, str]] = STATUSES
    ) -> Connection:
        connection = Connection.objects.create(
            name=f"{left.name} – {right.name}", state=Connection.State.ACTIVE
        )
        for system, position, names in ((left, "left", 0), (right, "right", 1)):
            side = Side.objects.create(
                connection=connection, position=position, system=system, starts=position == "left"
            )
            title = "subject" if system.kind == "zendesk" else "summary"
            common = [pair[0] for pair in statuses]
            own = [pair[names] for pair in statuses]
            self._rules(side, "outgoing", title, list(zip(own, common, strict=True)))
            self._rules(side, "incoming", title, list(zip(common, own, strict=True)))
        return connection

    def _rules(self, side: Side, direction: str, title: str, pairs: list[tuple[str, str]]) -> None:
        published = MappingSet.objects.create(
            side=side, direction=direction, version=1, state="published", comment_heading="{author}"
        )
        values = ValueMap.objects.create(mapping_set=published, name="status")
        ValuePair.objects.bulk_create(ValuePair(value_map=values, source=a, target=b) for a, b in pairs)
        outgoing = direction == "outgoing"
        for own, common, transform in ((title, "title", "copy"), ("status", "status", "value_map")):
            FieldRule.objects.create(
                mapping_set=published,
                source=own if outgoing else common,
                target=common if outgoing else own,
                transform=transform,
                value_map=values if transform == "value_map" else None,
            )

    # Running.

    def hint(self, system: System, remote_id: str) -> None:
        if self.hints_arrive:
            tickets.note_hints(system.pk, [remote_id], self.clock.now())

    def capabilities(self, system_id: int) -> Capabilities:
        return self.fakes[system_id].capabilities

    def follows_up(self, system_id: int) -> bool:
        return isinstance(self.fakes[system_id], FollowsUp)

    def settled(self, system_id: int, field: str, value: Value) -> Value:
        return self.fakes[system_id].settled(field, value)

    def get(self, system_id: int) -> FakeSystem:
        return self.fakes[system_id]

    def run(self, *, hours: float = 2) -> None:
        """Work until nothing waits, for at most this long by the world's own clock."""
        end = self.clock.now() + timedelta(hours=hours)
        while self.clock.now() <= end:
            for fake in self.fakes.values():
                fake.tick()
            if not self.step():
                due = self._next_due()
                if due is None or due > end:
                    return
                self.clock.time = max(due, self.clock.now() + timedelta(milliseconds=1))

    def step(self) -> bool:
        """Carry out everything that is due at this moment; False when nothing was."""
        now = self.clock.now()
        context = Context(self.clock, self.random, self)
        lanes, readings = self.store.claim("worker", now, 60, 20)
        fibers = [deliver_lane(lane, context) for lane in lanes]
        fibers += [read_ticket(reading, context) for reading in readings]
        for fiber in fibers:
            self.run_fiber(fiber)
        return bool(fibers)

    def run_fiber(self, fiber: effects.Steps) -> None:
        """Run one step to its end, or to where it is killed; what it had in memory is gone then."""
        result: Any = None
        while True:
            try:
                effect = fiber.throw(result) if isinstance(result, ConnectorError) else fiber.send(result)
            except StopIteration:
                return
            try:
                result = self._carry_out(effect)
            except Killed:
                fiber.close()
                return

    def _carry_out(self, effect: effects.Effect) -> Any:
        if self.kill_before(effect):
            raise Killed
        self.clock.advance(0.05)
        try:
            if isinstance(effect, effects.Call):
                return carry_out(effect, self, self.clock)  # type: ignore[arg-type]
            return tuple(self.store.carry_out(effect, self.clock.now()))
        except ConnectorError as error:
            return error
        finally:
            if self.kill_after(effect):
                raise Killed

    def _next_due(self) -> datetime | None:
        lane = Lane.objects.filter(waits=True, state="ready").aggregate(
            next=Min("next_at"), lease=Min("leased_until")
        )
        reading = Ticket.objects.aggregate(due=Min("read_due_at"))["due"]
        system = System.objects.filter(paused_until__gt=self.clock.now()).aggregate(due=Min("paused_until"))[
            "due"
        ]
        late = [at for fake in self.fakes.values() for at, _ in fake.late]
        moments = [lane["next"], lane["lease"], reading, system, *late]
        ahead = [moment for moment in moments if moment is not None and moment > self.clock.now()]
        return min(ahead, default=None)

    # Looking.

    def twin(self, system: System, remote_id: str, *, over: Connection | None = None) -> str:
        """The remote id of the ticket linked to this one."""
        here = TicketSide.objects.get(
            ticket__system=system,
            ticket__remote_id=remote_id,
            linked_ticket__connection=over or self.connection,
        )
        there = here.linked_ticket.sides.exclude(pk=here.pk).get()
        assert there.ticket is not None
        return there.ticket.remote_id

    def waiting(self) -> list[tuple[str, str]]:
        """Lanes with something left in them: their state and failure."""
        return list(Lane.objects.filter(waits=True).values_list("state", "failure_code"))

    def linked(self) -> int:
        return LinkedTicket.objects.count()


def writes(calls: Iterable[str]) -> list[str]:
    """The writing calls among those a system has received."""
    return [call for call in calls if not call.startswith(("history", "find"))]
