"""The way between a worker and the systems: delays, lost requests and answers, late execution, outages.

A call has three moments: it is asked for, its bytes leave, its answer lands.  The first and the last belong to the
worker and wait while that is frozen; once the bytes have left, what happens does not depend on the worker any more.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Mapping
from typing import Any

from integrations.connectors import errors
from integrations.connectors.errors import ConnectorError
from integrations.connectors.protocol import FileDraft
from integrations.engine import effects
from integrations.simulation.clock import Agenda
from integrations.simulation.journal import Journal, Sent
from integrations.simulation.limits import CallLimit
from integrations.simulation.mishaps import Mishaps
from integrations.simulation.schedule import Fault
from integrations.simulation.systems import SimulatedSystem

TIMEOUT_MS = 20_000

Land = Callable[[Any], None]


class Network:
    """Carries calls to the systems of one world."""

    def __init__(
        self,
        agenda: Agenda,
        random: random_module.Random,
        systems: list[SimulatedSystem],
        mishaps: Mishaps,
        journal: Journal,
        limits: list[CallLimit],
    ) -> None:
        self.agenda = agenda
        self.random = random
        self.systems = systems
        self.limits = limits
        self.mishaps = mishaps
        self.journal = journal
        self.down_until: dict[int, int] = {}
        # Systems that are down without a word: whoever calls waits for the time limit.
        self.silent: set[int] = set()
        # The call that a system carries out at this moment, and those it will still carry out.
        self.acting: Sent | None = None
        self.under_way = 0

    def connecting_ms(self) -> int:
        """How long it takes until the bytes can leave."""
        return self.random.randint(5, 120)

    def leave(self, sent: Sent, land: Callable[[int, Any], None]) -> None:
        """The bytes leave now; `land(ms, result)` is asked to bring the answer so much later."""
        agenda, place = self.agenda, sent.place
        ms = agenda.clock.ms
        sent.left_ms = ms
        self.journal.calls.append(sent)
        if self.down_until.get(place, 0) > ms:
            sent.outcome = "down"
            if place in self.silent:
                land(TIMEOUT_MS, errors.TimedOut("It does not answer."))
                return
            land(self.random.randint(5, 200), errors.Unavailable("It is down.", status=503))
            return
        fault = self.mishaps.of_call(place, ms, is_write=sent.is_write)
        if fault:
            self._fail(sent, fault, land)
            return
        self._arrive(sent, self.random.randint(5, 150), lambda result: land(self._back_ms(), result))

    def _back_ms(self) -> int:
        return self.random.randint(5, 150)

    def _arrive(self, sent: Sent, after_ms: int, then: Land) -> None:
        """Let the system carry it out so much later, whatever happens to the worker."""
        self.under_way += 1

        def act() -> None:
            self.under_way -= 1
            now = self.agenda.clock.now()
            limit = self.limits[sent.place]
            if not limit.takes(now):
                wait_s = limit.wait_s(now)
                sent.outcome, sent.told = "over the limit", limit.told(now, wait_s=wait_s)
                then(errors.RateLimited("Slower, please.", retry_after_s=wait_s))
                return
            sent.executed_ms, sent.told = self.agenda.clock.ms, limit.told(now)
            self.acting = sent if sent.is_write else None
            try:
                result = self._executed(sent.call, self.systems[sent.place])
            except ConnectorError as error:
                result = error
            self.acting = None
            then(result)

        self.agenda.after(after_ms, act)

    def _fail(self, sent: Sent, fault: Fault, land: Callable[[int, Any], None]) -> None:
        sent.outcome = fault.kind
        self.journal.figures["call faults"] += 1
        unknown = sent.is_write

        def nothing(result: Any) -> None:
            """The answer finds nobody."""

        lost = errors.TimedOut("No answer.", outcome_unknown=unknown)
        match fault.kind:
            case "busy_503":
                land(50, errors.Unavailable("It is busy.", status=503))
            case "limited_429":
                land(20, errors.RateLimited("Slower, please.", retry_after_s=fault.ms / 1000))
            case "unauthorized":
                land(20, errors.Unauthorized("The token has run out.", status=401))
            case "refused_400":
                land(20, errors.Invalid("It does not take that.", status=400))
            case "forbidden":
                land(20, errors.Forbidden("Our account may not do that.", status=403))
            case "lost_request":
                land(TIMEOUT_MS, lost)
            case "lost_response":
                self._arrive(sent, self.random.randint(5, 150), nothing)
                land(TIMEOUT_MS, lost)
            case "late" | "too_late":
                sent.is_too_late = fault.kind == "too_late"
                self._arrive(sent, max(1, fault.ms), nothing)
                land(TIMEOUT_MS, lost)
            case "reset":
                if self.random.random() < 0.5:
                    self._arrive(sent, 5, nothing)
                land(30, errors.Unavailable("The connection broke.", outcome_unknown=unknown))
            case "garbled":
                broken = errors.Garbled("It cannot be read.", outcome_unknown=unknown)
                self._arrive(sent, self.random.randint(5, 150), lambda result: land(self._back_ms(), broken))

    def _executed(self, call: effects.Call, system: SimulatedSystem) -> Any:
        match call:
            case effects.ReadHistory():
                return system.history(call.remote_id, call.since)
            case effects.FindTicket():
                return system.find(call.marker)
            case effects.CreateTicket(draft=draft) if draft is not None:
                return system.create(draft)
            case effects.FollowUp(draft=draft) if draft is not None:
                return system.follow_up(call.closed_id, draft)
            case effects.UpdateTicket(fields=fields, basis=basis) if fields is not None:
                current: Mapping = call.current or {}
                if basis is not None:
                    return system.update_on(
                        basis, call.remote_id, fields, current=current, marker=call.marker
                    )
                return system.update(call.remote_id, fields, current=current, marker=call.marker)
            case effects.AddComment(draft=comment) if comment is not None:
                return system.comment(call.remote_id, comment)
            case effects.CarryFile(attachment=file) if file is not None:
                opened = FileDraft(
                    file.name, file.content_type, file.size_bytes, iter(()), call.is_public, call.marker
                )
                return system.attach(call.remote_id, opened)
            case _:
                raise NotImplementedError(type(call).__name__)
