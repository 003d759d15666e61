"""Two vendors joined by the rules that ship: real engine, real connectors, sandboxes, worked through by hand."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from integrations.connectors.errors import ConnectorError
from integrations.connectors.protocol import Capabilities, Connector
from integrations.engine import effects
from integrations.engine.deliver import deliver_lane
from integrations.engine.ports import Context
from integrations.engine.read import read_ticket
from integrations.models import Lane, System, TicketSide
from integrations.runtime.calls import carry_out
from integrations.services.systems import metadata_of
from integrations.store import tickets
from integrations.store.django import DjangoStore
from tests import factories
from tests.integrations.connectors.bench import Bench, bench


@dataclass
class Exchange:
    """Two benches joined by a connection; what waits is carried out by hand, one effect after the other."""

    benches: dict[int, Bench]
    rows: list[System]
    store: DjangoStore
    random: random.Random

    def now(self) -> datetime:
        """The present moment of every system here."""
        return max(one.clock.now() for one in self.benches.values())

    def get(self, system_id: int) -> Connector:
        """The open connector of a system."""
        return self.benches[system_id].connector

    def capabilities(self, system_id: int) -> Capabilities:
        """What a system can do."""
        return self.get(system_id).capabilities

    def settled(self, system_id: int, field: str, value: Any) -> Any:
        """What a system will hold."""
        return self.get(system_id).settled(field, value)

    def carry(self, side: int, remote_id: str) -> None:
        """Tell that a ticket changed, and work until nothing is due any more."""
        tickets.note_hints(self.rows[side].pk, [remote_id], self.now())
        for _ in range(60):
            if not self._step():
                return
            for one in self.benches.values():
                one.clock.advance(1)
        pytest.fail("the exchange does not come to rest")

    def _step(self) -> bool:
        now = self.now()
        context = Context(self, self.random, self)
        lanes, readings = self.store.claim("worker", now, 60, 20)
        fibers = [deliver_lane(lane, context) for lane in lanes]
        fibers += [read_ticket(one, context) for one in readings]
        for fiber in fibers:
            result: Any = None
            with contextlib.suppress(StopIteration):
                while True:
                    effect = fiber.throw(result) if isinstance(result, ConnectorError) else fiber.send(result)
                    result = self._carry_out(effect)
        return bool(fibers)

    def _carry_out(self, effect: effects.Effect) -> Any:
        try:
            if isinstance(effect, effects.Call):
                return carry_out(effect, self, self)  # type: ignore[arg-type]
            return tuple(self.store.carry_out(effect, self.now()))
        except ConnectorError as error:
            return error

    def twin(self, remote_id: str, side: int = 0) -> str:
        """The ticket on the other side of this one, which is on the first side unless told otherwise."""
        here = TicketSide.objects.get(ticket__remote_id=remote_id, ticket__system=self.rows[side])
        there = here.linked_ticket.sides.exclude(pk=here.pk).get()
        assert there.ticket is not None
        return there.ticket.remote_id


@contextlib.contextmanager
def joined(left: str, right: str) -> Iterator[tuple[Exchange, Bench, Bench]]:
    """A connection between two vendors, the first of which starts tickets."""
    with bench(left) as one, bench(right) as other:
        rows = [
            factories.make_system(
                kind=desk.case.kind,
                account_id=desk.connector.check().id,
                metadata=metadata_of(desk.connector.fields()),
            )
            for desk in (one, other)
        ]
        factories.make_connection(*rows)
        dice = random.Random(1)
        benches = {row.pk: desk for row, desk in zip(rows, (one, other), strict=True)}
        yield Exchange(benches, rows, DjangoStore(dice), dice), one, other


def waiting() -> list[tuple[str, str, str]]:
    """The lanes that stand still: their state and why."""
    return list(Lane.objects.filter(waits=True).values_list("state", "failure_code", "failure_message"))
